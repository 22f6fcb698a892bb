/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever stands in a ring (hostile.h): nobody crashes, nobody reads or writes beside it, nobody looks for ever.
 *
 * Scripts are made from a seed, 1 unless TICKBUS_SEED says otherwise; TICKBUS_HOSTILE_SCRIPTS=N runs as many as one likes. They run in a
 * child, so that a crash is told with the seed of its script; TICKBUS_SEED=that TICKBUS_HOSTILE_SCRIPTS=1 runs it again. */
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

/* Fields that may hold another value and still make sense: kind, msg_bytes_max, first_seq, name, policy and the padding behind. */
static bool may_change(size_t at)
{
    return (at >= 12 && at < 16) || (at >= 24 && at < 28) || at >= 48;
}

static int refusal(size_t at)
{
    return at < 8 ? -TBUS_EMAGIC : at < 12 ? -TBUS_EABI : -TBUS_EGEOMETRY;
}

static void every_byte_of_the_header_is_refused_or_harmless(void **state)
{
    (void)state;
    uint64_t random = 1, refused = 0, harmless = 0;
    for (uint8_t kind = 0; kind < 4; kind++)
        for (size_t at = 0; at < 128; at++)
            for (unsigned v = 0; v < 8; v++) {
                size_t bytes;
                unsigned char *ring_bytes = hostile_ring((const uint8_t[2]){kind, 0}, &bytes);
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
    unsigned char *ring_bytes = hostile_ring((const uint8_t[2]){TBUS_BROADCAST - 1, 0}, &bytes);
    tbus_ring_t ring;
    assert_int_equal(tbus_ring_join(ring_bytes, bytes, true, &ring, NULL), 0);
    memset(ring_bytes + offsetof(tbus_ring_shared_t, name), 'x', bytes - offsetof(tbus_ring_shared_t, name));
    tbus_error_t err;
    tbus_subscriber_t s;
    tbus_publisher_t p;
    assert_true(tbus_subscriber_join(&ring, "nobody", 1, &s, &err) < 0);
    assert_null(strstr(err.text, "xxxxxxxxxxxxxxxxxxxxxxxxx"));
    assert_true(tbus_subscriber_join_late(&ring, "late", TBUS_SUBSCRIBER, 1, &s, &err) < 0);
    assert_true(tbus_ring_reserve(&ring, "", TBUS_SUBSCRIBER, &err) < 0);
    assert_true(tbus_publisher_join(&ring, 0, &p, &err) < 0);
}

/* What a joiner reserves memory for must be what it then believes, whenever the place changes its role. */
static void a_place_that_changes_its_role_while_it_is_joined_is_no_trap(void **state)
{
    (void)state;
    enum { LOOKS = 400 };
    static const uint8_t evicting_mpmc[2] = {TBUS_MPMC - 1 + 4 * TBUS_EVICT_SLOWEST, 0};
    for (uint32_t looks = 1; looks < LOOKS; looks++)
        for (unsigned late = 0; late < 2; late++) {
            size_t bytes;
            unsigned char *ring_bytes = hostile_ring(evicting_mpmc, &bytes);
            tbus_ring_t ring;
            tbus_publisher_t p;
            tbus_subscriber_t s;
            assert_int_equal(tbus_ring_join(ring_bytes, bytes, true, &ring, NULL), 0);
            assert_int_equal(tbus_publisher_join(&ring, 1, &p, NULL), 0);
            if (!late)
                assert_int_equal(tbus_ring_reserve(&ring, "s", TBUS_CONSUMER, NULL), 0);
            hostile_lay(looks, offsetof(tbus_ring_shared_t, subs) + offsetof(tbus_ring_sub_t, role),
                        TBUS_SUBSCRIBER);
            int code = late ? tbus_subscriber_join_late(&ring, "s", TBUS_CONSUMER, 2, &s, NULL)
                            : tbus_subscriber_join(&ring, "s", 2, &s, NULL);
            assert_int_equal(code, 0);
            assert_int_equal(tbus_publish(&p, "message", 7), TBUS_PUBLISHED);
            const void *message = tbus_peek(&s, &bytes);
            hostile_lay(0, 0, 0);
            assert_true(!message || bytes == 7);
            tbus_subscriber_leave(&s);
        }
}

/* ---- live corruption ---- */

typedef struct report {
    uint64_t seed; /* of the script at work */
    uint64_t scripts;
    hostile_outcome_t outcome;
} report_t;

static void run_scripts(report_t *r, uint64_t first_seed, uint64_t count, int shape)
{
    uint8_t script[SCRIPT_BYTES];
    for (uint64_t i = 0; i < count && !r->outcome.fault[0]; i++) {
        uint64_t random = r->seed = first_seed + i;
        for (size_t b = 0; b < sizeof script; b++)
            script[b] = (uint8_t)(hostile_random(&random) >> 32);
        if (shape >= 0) {
            script[0] = (uint8_t)shape;
            script[1] = (uint8_t)(shape / 12);
        }
        hostile_run(script, sizeof script, &r->outcome);
        r->scripts++;
    }
}

static report_t *reports(void)
{
    void *shared = mmap(NULL, sizeof(report_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(shared, MAP_FAILED);
    return shared;
}

static void must_be_well(const report_t *r, int status)
{
    if (r->outcome.fault[0] || status)
        fail_msg("seed %llu: %s%s, status 0x%x", (unsigned long long)r->seed,
                 status ? "the process died (an access outside? an assertion?) " : "", r->outcome.fault,
                 (unsigned)status);
}

static void corruption_at_any_access_harms_nobody_beside_the_ring(void **state)
{
    (void)state;
    uint64_t seed = number_from("TICKBUS_SEED", 1), scripts = number_from("TICKBUS_HOSTILE_SCRIPTS", SCRIPTS);
    report_t *r = reports();
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        run_scripts(r, seed, scripts, -1);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    must_be_well(r, status);
    print_message(
        "  seeds %llu..%llu: %llu operations, %llu corruptions, %llu refusals; at most %llu looks in "
        "one call\n",
        (unsigned long long)seed, (unsigned long long)r->seed, (unsigned long long)r->outcome.operations,
        (unsigned long long)r->outcome.corruptions, (unsigned long long)r->outcome.refusals,
        (unsigned long long)r->outcome.looks_max);
    assert_int_equal(r->scripts, scripts);
    assert_true(scripts < SCRIPTS || (r->outcome.corruptions > scripts && r->outcome.refusals > scripts));
    munmap(r, sizeof *r);
}

/* The same with a process that scribbles all the time, instead of corruptions at chosen accesses. */
static void a_process_that_scribbles_harms_nobody_beside_the_ring(void **state)
{
    (void)state;
    report_t *r = reports();
    for (int shape = 0; shape < 48; shape += 5) {
        int status;
        size_t bytes;
        assert_non_null(hostile_ring((const uint8_t[2]){(uint8_t)shape, (uint8_t)(shape / 12)}, &bytes));
        pid_t scribbler = fork();
        assert_true(scribbler >= 0);
        if (scribbler == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            hostile_scribble((uint64_t)shape);
        }
        pid_t child = fork();
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            run_scripts(r, 1000 * (uint64_t)shape, 100, shape);
            _exit(0);
        }
        waitpid(child, &status, 0);
        kill(scribbler, SIGKILL);
        waitpid(scribbler, NULL, 0);
        assert_true(child > 0);
        must_be_well(r, status);
    }
    print_message("  %llu operations, %llu refusals; at most %llu looks in one call\n",
                  (unsigned long long)r->outcome.operations, (unsigned long long)r->outcome.refusals,
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
        cmocka_unit_test(a_process_that_scribbles_harms_nobody_beside_the_ring),
    };
    hostile_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
