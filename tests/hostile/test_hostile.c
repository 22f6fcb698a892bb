/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever stands in a ring (hostile.h): nobody crashes, nobody reads or writes beside it, nobody
 * looks for ever.
 *
 * Scripts are made from a seed, 1 unless TICKBUS_SEED says otherwise; TICKBUS_HOSTILE_SCRIPTS=N
 * runs as many as one likes. They run in a child, so that a crash is told with the seed of its
 * script; TICKBUS_SEED=that TICKBUS_HOSTILE_SCRIPTS=1 runs it again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/hostile/hostile.h"

#include <tickbus/publisher.h>
#include <tickbus/subscriber.h>

#define SCRIPTS      6000u
#define SCRIPT_BYTES 700u

static uint64_t number_from(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    return text ? strtoull(text, NULL, 0) : otherwise;
}

/* ---- the header, when it is joined ---- */

/* Fields that may hold another value and still make sense: kind, msg_bytes_max, first_seq, name,
 * policy and the padding behind; not where the area lies. */
static bool may_change(size_t at)
{
    return (at >= 12 && at < 16) || (at >= 24 && at < 28) || (at >= 48 && at < 88) || at >= 104;
}

static int refusal(size_t at)
{
    return at < 8 ? -TBUS_EMAGIC : at < 12 ? -TBUS_EABI : -TBUS_EGEOMETRY;
}

static void every_byte_of_the_header_is_refused_or_harmless(void **state)
{
    (void)state;
    uint64_t random = 1, refused = 0, harmless = 0;
    for (enum tbus_ring_kind kind = TBUS_SPSC; kind <= TBUS_MPSC; kind++)
        for (size_t at = 0; at < 128; at++)
            for (unsigned v = 0; v < 8; v++) {
                size_t bytes;
                unsigned char *ring_bytes =
                    hostile_ring((const uint8_t[2]){hostile_shape(kind, TBUS_BLOCK), 0}, &bytes);
                assert_non_null(ring_bytes);
                unsigned char good = ring_bytes[at];
                unsigned char bad = v == 0   ? 0
                                    : v == 1 ? 0xff
                                    : v == 2 ? (unsigned char)(good + 1)
                                             : (unsigned char)hostile_random(&random);
                ring_bytes[at] = bad;
                tbus_ring_t ring;
                tbus_error_t err = {0};
                int code = tbus_ring_join(ring_bytes, bytes, true, &ring, &err);
                if (code < 0) {
                    assert_int_equal(code, refusal(at));
                    assert_true(err.text[0] != 0);
                    refused++;
                } else {
                    assert_true(bad == good || may_change(at));
                    const char *fault = hostile_use(&ring);
                    if (fault)
                        fail_msg("byte %zu of the header is %u: %s", at, bad, fault);
                    harmless++;
                }
            }
    print_message("  %llu headers refused, %llu joined and used\n", (unsigned long long)refused,
                  (unsigned long long)harmless);
}

/* No zero behind the name, up to the last byte of the mapping. */
static void a_name_without_an_end_is_not_read_beyond_its_field(void **state)
{
    (void)state;
    size_t bytes;
    unsigned char *ring_bytes =
        hostile_ring((const uint8_t[2]){hostile_shape(TBUS_BROADCAST, TBUS_BLOCK), 0}, &bytes);
    tbus_ring_t ring;
    assert_int_equal(tbus_ring_join(ring_bytes, bytes, true, &ring, NULL), 0);
    memset(ring_bytes + offsetof(tbus_ring_shared_t, name), 'x',
           bytes - offsetof(tbus_ring_shared_t, name));
    tbus_error_t err;
    tbus_subscriber_t s;
    tbus_publisher_t p;
    assert_true(tbus_subscriber_join(&ring, "nobody", 1, &s, &err) < 0);
    assert_null(strstr(err.text, "xxxxxxxxxxxxxxxxxxxxxxxxx"));
    assert_true(tbus_subscriber_join_late(&ring, "late", TBUS_SUBSCRIBER, 1, &s, &err) < 0);
    assert_true(tbus_ring_reserve(&ring, "", TBUS_SUBSCRIBER, &err) < 0);
    assert_true(tbus_publisher_join(&ring, 0, &p, &err) < 0);
}

/* What a joiner reserves memory for must be what it then believes, whenever the place changes its
 * role. */
static void join_while_the_role_changes(enum tbus_sub_role asked, uint32_t becomes, uint32_t looks,
                                        bool late)
{
    const uint8_t evicting[2] = {hostile_shape(TBUS_MPMC, TBUS_EVICT_SLOWEST), 0};
    size_t bytes;
    unsigned char *ring_bytes = hostile_ring(evicting, &bytes);
    tbus_ring_t ring;
    tbus_publisher_t p;
    tbus_subscriber_t s;
    assert_int_equal(tbus_ring_join(ring_bytes, bytes, true, &ring, NULL), 0);
    assert_int_equal(tbus_publisher_join(&ring, 1, &p, NULL), 0);
    if (!late)
        assert_int_equal(tbus_ring_reserve(&ring, "s", asked, NULL), 0);
    hostile_lay(looks, offsetof(tbus_ring_shared_t, subs) + offsetof(tbus_ring_sub_t, role),
                becomes);
    int code = late ? tbus_subscriber_join_late(&ring, "s", asked, 2, &s, NULL)
                    : tbus_subscriber_join(&ring, "s", 2, &s, NULL);
    assert_int_equal(code, 0);
    assert_int_equal(tbus_publish(&p, "message", 7), TBUS_PUBLISHED);
    const void *message = tbus_peek(&s, &bytes);
    hostile_lay(0, 0, 0);
    assert_true(!message || bytes == 7);
    tbus_subscriber_leave(&s);
}

static void a_place_that_changes_its_role_while_it_is_joined_is_no_trap(void **state)
{
    (void)state;
    enum { LOOKS = 400 };
    static const struct {
        enum tbus_sub_role asked;
        uint32_t becomes;
    } roles[] = {{TBUS_CONSUMER, TBUS_SUBSCRIBER},
                 {TBUS_CONSUMER, TBUS_FOLLOWER},
                 {TBUS_FOLLOWER, TBUS_CONSUMER},
                 {TBUS_SUBSCRIBER, TBUS_CONSUMER},
                 {TBUS_FOLLOWER, UINT32_MAX}};
    for (size_t r = 0; r < sizeof roles / sizeof *roles; r++)
        for (uint32_t looks = 1; looks < LOOKS; looks++)
            for (unsigned late = 0; late < 2; late++)
                join_while_the_role_changes(roles[r].asked, roles[r].becomes, looks, late);
}

/* ---- live corruption ---- */

typedef struct report {
    uint64_t seed; /* of the script at work */
    uint64_t scripts;
    hostile_outcome_t outcome;
} report_t;

/* Sizes and first sequences, so that all of them occur among the shapes. */
static uint8_t sizes_of(int shape)
{
    return (uint8_t)(shape * 23);
}

/* `shape`: of all of their rings, or -1: as the seeds will have it. */
static void run_scripts(report_t *r, uint64_t first_seed, uint64_t count, int shape)
{
    uint8_t script[SCRIPT_BYTES];
    for (uint64_t i = 0; i < count && !r->outcome.fault[0]; i++) {
        uint64_t random = r->seed = first_seed + i;
        for (size_t b = 0; b < sizeof script; b++)
            script[b] = (uint8_t)(hostile_random(&random) >> 32);
        if (shape >= 0) {
            script[0] = (uint8_t)shape;
            script[1] = sizes_of(shape);
        }
        hostile_run(script, sizeof script, &r->outcome);
        r->scripts++;
    }
}

static pid_t scribbler = -1;

static int stop_scribbling(void **state)
{
    (void)state;
    if (scribbler > 0) {
        kill(scribbler, SIGKILL);
        waitpid(scribbler, NULL, 0);
    }
    scribbler = -1;
    return 0;
}

static report_t *reports(void)
{
    void *shared =
        mmap(NULL, sizeof(report_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(shared, MAP_FAILED);
    return shared;
}

/* In a child, so that a crash is told with the seed of its script. */
static void run_scripts_apart(report_t *r, uint64_t first_seed, uint64_t count, int shape)
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        run_scripts(r, first_seed, count, shape);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (r->outcome.fault[0] || status)
        fail_msg("seed %llu: %s%s, status 0x%x", (unsigned long long)r->seed,
                 status ? "the process died (an access outside? an assertion?) " : "",
                 r->outcome.fault, (unsigned)status);
}

static void corruption_at_any_access_harms_nobody_beside_the_ring(void **state)
{
    (void)state;
    uint64_t seed = number_from("TICKBUS_SEED", 1),
             scripts = number_from("TICKBUS_HOSTILE_SCRIPTS", SCRIPTS);
    report_t *r = reports();
    run_scripts_apart(r, seed, scripts, -1);
    print_message(
        "  seeds %llu..%llu: %llu operations, %llu corruptions, %llu refusals; at most %llu looks "
        "in "
        "one call\n",
        (unsigned long long)seed, (unsigned long long)r->seed,
        (unsigned long long)r->outcome.operations, (unsigned long long)r->outcome.corruptions,
        (unsigned long long)r->outcome.refusals, (unsigned long long)r->outcome.looks_max);
    assert_int_equal(r->scripts, scripts);
    if (scripts >= SCRIPTS) { /* enough of them for everything to have happened */
        assert_true(r->outcome.corruptions > scripts && r->outcome.refusals > scripts);
        for (enum tbus_ring_kind kind = TBUS_SPSC; kind <= TBUS_MPSC; kind++) {
            assert_true(r->outcome.joined[kind][TBUS_SUBSCRIBER] > SCRIPTS / 20);
            assert_true(r->outcome.joined[kind][TBUS_FOLLOWER] > SCRIPTS / 20);
        }
        assert_true(r->outcome.joined[TBUS_MPMC][TBUS_CONSUMER] > SCRIPTS / 20);
    }
    munmap(r, sizeof *r);
}

/* Else a seed that is printed would be of no use. */
static void a_seed_does_the_same_again(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5 * HOSTILE_SHAPES; seed++) {
        report_t *once = reports(), *again = reports();
        run_scripts_apart(once, seed, 1, -1);
        run_scripts_apart(again, seed, 1, -1);
        assert_memory_equal(once, again, sizeof *once);
        munmap(once, sizeof *once);
        munmap(again, sizeof *again);
    }
}

/* The same with a process that scribbles all the time, instead of corruptions at chosen
 * accesses. */
static void a_process_that_scribbles_harms_nobody_beside_the_ring(void **state)
{
    (void)state;
    report_t *r = reports();
    for (int shape = 0; shape < (int)HOSTILE_SHAPES; shape++) {
        size_t bytes;
        assert_non_null(hostile_ring((const uint8_t[2]){(uint8_t)shape, sizes_of(shape)}, &bytes));
        scribbler = fork();
        assert_true(scribbler >= 0);
        if (scribbler == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            hostile_scribble((uint64_t)shape);
        }
        run_scripts_apart(r, 1000 * (uint64_t)shape, 100, shape);
        stop_scribbling(NULL);
    }
    print_message("  %llu operations, %llu refusals; at most %llu looks in one call\n",
                  (unsigned long long)r->outcome.operations,
                  (unsigned long long)r->outcome.refusals,
                  (unsigned long long)r->outcome.looks_max);
    munmap(r, sizeof *r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_of_the_header_is_refused_or_harmless),
        cmocka_unit_test(a_name_without_an_end_is_not_read_beyond_its_field),
        cmocka_unit_test(a_place_that_changes_its_role_while_it_is_joined_is_no_trap),
        cmocka_unit_test(corruption_at_any_access_harms_nobody_beside_the_ring),
        cmocka_unit_test(a_seed_does_the_same_again),
        cmocka_unit_test_teardown(a_process_that_scribbles_harms_nobody_beside_the_ring,
                                  stop_scribbling),
    };
    hostile_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
