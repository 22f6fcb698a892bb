/* SPDX-License-Identifier: Apache-2.0 */
/* A recorder that is killed (SIGKILL): at the entry and at the exit of each of its system calls, of
 * both its threads; at every instruction of an append and of one that begins the next segment; and
 * at random. Whenever it is, what is read is the beginning of what was appended, with all that
 * append had returned for; `busctl journal verify` finds no damage; and everything that reads
 * journals can read it.
 *
 * TICKBUS_KILL_POINTS=all: every occurrence of every system call instead of some of each, and every
 * instruction; TICKBUS_JOURNAL_KILLS: how many random ones; TICKBUS_SEED: which. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tickbus/journal.h>
#include <tickbus/msg/tick.h>

#include "bus/journal/writer.h"
#include "tests/support/killer.h"
#include "tests/unit/journal_scratch.h"
#include "tools/journal/check.h"

#define SEGMENT      TBUS_JOURNAL_SEGMENT_BYTES_MIN
#define RECORDS      3200u /* about five segments */
#define KEPT         3u    /* segments, where the recorder removes old ones */
#define KILLS_QUICK  20u
#define SYSCALLS_MAX 512u

enum { MD, ORDERS };

/* What the recorder has told before it died. */
typedef struct told {
    tbus_atomic_u32_t opened;
    tbus_atomic_u64_t appended; /* append has returned for so many */
} told_t;

static told_t *told;

/* --- what is recorded --- */

static tbus_journal_spec_t spec_for(const char *directory)
{
    return (tbus_journal_spec_t){
        .directory = directory,
        .bus_name = "kills",
        .segment_bytes = SEGMENT,
        .topics_count = 2,
        .topics = {{"md", "tick", 1, TICK_VERSION, TBUS_BROADCAST, 0},
                   {"orders", "tick", 1, TICK_VERSION, TBUS_MPMC, 0}},
    };
}

/* The i-th message, i from 0; every third is one of orders. It can be told from its number. */
static tick_t message_of(uint64_t i, uint16_t *out_topic, uint64_t *out_seq)
{
    tick_t tick = {.event = tick_pack((9 * 3600 + i) * UINT64_C(1000000000), 1),
                   .intended = tick_pack(0, 13),
                   .type = 'D'};
    *out_topic = i % 3 == 2 ? ORDERS : MD;
    *out_seq = i % 3 == 2 ? i / 3 + 1 : i / 3 * 2 + i % 3 + 1;
    tick.order_ref = i + 1;
    return tick;
}

static int append(tbus_journal_writer_t *writer, uint64_t i)
{
    uint16_t topic;
    uint64_t seq;
    tick_t tick = message_of(i, &topic, &seq);
    return tbus_journal_writer_append(writer, topic, seq, (i + 1) * 1000, &tick, sizeof tick);
}

/* The whole life of a recorder. */
static int record(const tbus_journal_spec_t *spec, uint64_t records)
{
    static const char about[] = "{\"version\": \"of a test\"}";
    tbus_journal_writer_t *writer;
    if (tbus_journal_writer_open(spec, &writer, NULL) < 0 ||
        tbus_journal_writer_append_session(writer, TBUS_JOURNAL_PROVENANCE, 1, about,
                                           sizeof about - 1) < 0)
        return 1;
    tbus_store_release_u32(&told->opened, 1);
    for (uint64_t i = 0; i < records; i++) {
        if (append(writer, i) != 0)
            return 2;
        tbus_store_release_u64(&told->appended, i + 1);
    }
    return tbus_journal_writer_close(writer, NULL) < 0 ? 3 : 0;
}

/* --- what must be so afterwards --- */

typedef struct found {
    uint64_t first, end; /* messages [first, end) */
    enum tbus_journal_end how;
    uint32_t first_segment;
} found_t;

/* One behind another, each as it was appended. */
static found_t read_all(const char *directory, const char *when)
{
    found_t found = {0};
    tbus_journal_reader_t *r;
    tbus_journal_record_t record;
    tbus_error_t err = {0};
    int code = tbus_journal_reader_open(directory, &r, &err);
    if (code < 0)
        fail_msg("%s: %s", when, err.text);
    found.first_segment = tbus_journal_reader_info(r)->first_segment;
    while ((code = tbus_journal_reader_next(r, &record, &err)) == 1) {
        uint16_t topic;
        uint64_t seq;
        tick_t tick;
        assert_int_equal(record.bytes, sizeof tick);
        memcpy(&tick, record.payload, sizeof tick);
        uint64_t i = tick.order_ref - 1;
        found.first = found.end ? found.first : i;
        tick_t expected = message_of(i, &topic, &seq);
        if ((found.end && i != found.end) || record.topic != topic || record.seq != seq ||
            record.time_ns != (i + 1) * 1000 || memcmp(&tick, &expected, sizeof tick) != 0)
            fail_msg("%s: what is read behind %" PRIu64 " is not what was appended", when,
                     found.end);
        found.end = i + 1;
    }
    if (code < 0)
        fail_msg("%s: %s", when, err.text);
    found.how = tbus_journal_reader_end(r);
    tbus_journal_reader_close(r);
    return found;
}

static void expect_verified(const char *directory, const found_t *found, const char *when)
{
    check_t check;
    tbus_error_t err = {0};
    if (check_journal(directory, "checked", &check, &err) < 0)
        fail_msg("%s: %s", when, err.text);
    if (!check_ok(&check))
        fail_msg("%s: segment %u, offset %" PRIu64 ": %s", when, check.damage[0].segment,
                 check.damage[0].offset, check.damage[0].what);
    assert_int_equal(check.end, found->how);
    assert_int_equal(check.records, found->end - found->first);
    check_clear(&check);
}

/* The recorder is dead. `when`: for what is said if something does not hold. */
static found_t judge(const char *directory, const char *when)
{
    uint64_t appended = tbus_load_acquire_u64(&told->appended);
    found_t found = read_all(directory, when);
    if (found.end < appended || found.end > appended + 1)
        fail_msg("%s: append had returned for %" PRIu64 " and %" PRIu64 " can be read", when,
                 appended, found.end);
    assert_true(found.how == TBUS_JOURNAL_TORN || found.how == TBUS_JOURNAL_CLOSED);
    assert_true(found.first == 0 || found.first_segment > 1);
    expect_verified(directory, &found, when);
    return found;
}

/* Into that directory nobody records any more, and next to it there is a journal as ever. */
static void judge_what_comes_after(const scratch_t *s)
{
    tbus_journal_writer_t *writer;
    tbus_journal_spec_t again = spec_for(s->journal), other = spec_for(s->other);
    assert_int_equal(tbus_journal_writer_open(&again, &writer, NULL), -TBUS_ENOTEMPTY);
    assert_int_equal(tbus_journal_writer_open(&other, &writer, NULL), 0);
    assert_int_equal(append(writer, 0), 0);
    assert_int_equal(tbus_journal_writer_close(writer, NULL), 0);
    assert_int_equal(read_all(s->other, "a journal of its own").end, 1);
    scratch_remove(s->other);
}

/* --- through busctl --- */

static void expect_busctl(const char *const argv[], const char *says, const char *when)
{
    program_t p = {.argv = argv};
    if (program_run(&p) != 0)
        fail_msg("%s: %s %s: exit code %d, %s%s", when, argv[1], argv[2], p.exit_code, p.out,
                 p.err);
    if (says && !strstr(p.out, says) && !strstr(p.err, says))
        fail_msg("%s: %s %s does not say \"%s\": %s%s", when, argv[1], argv[2], says, p.out, p.err);
    program_clear(&p);
}

static uint64_t md_among(const found_t *found)
{
    uint64_t md = 0;
    for (uint64_t i = found->first; i < found->end; i++)
        md += i % 3 != 2;
    return md;
}

/* Whoever reads journals says the same of it. */
static void judge_by_busctl(const scratch_t *s, const found_t *found, const char *when)
{
    char runtime[SCRATCH_PATH_MAX], ok[64], end[64], messages[64], lines[PATH_BYTES + 16];
    bool closed = found->how == TBUS_JOURNAL_CLOSED;
    snprintf(ok, sizeof ok, "\"ok\":true,\"records\":%" PRIu64, found->end - found->first);
    snprintf(end, sizeof end, "\"end\":\"%s\"", closed ? "closed" : "torn");
    snprintf(messages, sizeof messages, "\"messages\": %" PRIu64 ",", md_among(found));
    snprintf(lines, sizeof lines, "%s/md.csv", s->root);
    const char *const verify[] = {TICKBUS_BUSCTL, "journal", "verify", s->journal, "--json", NULL};
    const char *const info[] = {TICKBUS_BUSCTL, "journal", "info", s->journal, "--json", NULL};
    const char *const export[] = {TICKBUS_BUSCTL, "journal", "export", s->journal, "--topic",
                                  "md",           "-o",      lines,    NULL};
    const char *const replay[] = {TICKBUS_BUSCTL, "replay", s->journal, "--json", "--name", "kills",
                                  "--strategy",   "null",   "--wait",   "park",   NULL};
    const char *const repair[] = {TICKBUS_BUSCTL, "journal", "repair", s->journal,
                                  "--into",       s->other,  NULL};
    const char *const again[] = {TICKBUS_BUSCTL, "journal", "verify", s->other, "--json", NULL};
    expect_busctl(verify, ok, when);
    expect_busctl(verify, end, when);
    expect_busctl(info, closed ? "\"closed\"" : "\"torn\"", when);
    expect_busctl(export, NULL, when);
    scratch_create_runtime(runtime);
    expect_busctl(replay, messages, when);
    assert_int_equal(scratch_remove_runtime(runtime), 0);
    expect_busctl(repair, closed ? "is whole" : NULL, when);
    if (!closed) {
        expect_busctl(again, ok, when);
        expect_busctl(again, "\"end\":\"closed\"", when);
    }
    scratch_remove(s->other);
    unlink(lines);
}

/* --- at system calls --- */

/* The entry or the exit of the n-th call of that number, of whichever thread, from 1. */
typedef struct place {
    const char *name; /* NULL: its number will do */
    unsigned number;
    bool leaving;
    uint64_t n;
    uint64_t offset; /* of pwrite64: only those there count; 0: all */
    uint64_t seen;
} place_t;

typedef struct calls {
    uint64_t count[SYSCALLS_MAX];
    struct __ptrace_syscall_info entered[2]; /* of the recording thread, of its helper */
} calls_t;

static bool must_be_all(void)
{
    const char *text = getenv("TICKBUS_KILL_POINTS");
    return text && strcmp(text, "all") == 0;
}

static pid_t start_traced(const tbus_journal_spec_t *spec)
{
    int status;
    *told = (told_t){0};
    fflush(stdout);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
            _exit(77);
        raise(SIGSTOP);
        _exit(record(spec, RECORDS));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSTOPPED(status));
    assert_int_equal(ptrace(PTRACE_SETOPTIONS, child, NULL,
                            PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL),
                     0);
    assert_int_equal(ptrace(PTRACE_SYSCALL, child, NULL, 0), 0);
    return child;
}

/* A thread has stopped at a system call: count it. Is this the place? */
static bool count_call(pid_t thread, unsigned who, place_t *place, calls_t *calls)
{
    struct __ptrace_syscall_info info;
    assert_true(ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) > 0);
    bool leaving = info.op == PTRACE_SYSCALL_INFO_EXIT;
    if (!leaving)
        calls->entered[who] = info;
    const struct __ptrace_syscall_info *call = &calls->entered[who];
    assert_true(call->entry.nr < SYSCALLS_MAX);
    calls->count[call->entry.nr] += leaving;
    if (!place || place->number != call->entry.nr || place->leaving != leaving ||
        (place->offset && place->offset != call->entry.args[3]))
        return false;
    return ++place->seen == place->n;
}

/* Let it run, and kill it at that place; NULL: nowhere. False: it came to its end before. */
static bool kill_at(pid_t child, place_t *place, calls_t *calls)
{
    bool killed = false;
    for (;;) {
        int status, pass = 0;
        pid_t thread = waitpid(-1, &status, __WALL);
        assert_true(thread > 0);
        if (!WIFSTOPPED(status) && thread == child) {
            assert_true(killed ? WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL
                               : WIFEXITED(status) && WEXITSTATUS(status) == 0);
            return killed;
        }
        if (!WIFSTOPPED(status) || killed)
            continue;
        if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
            if (count_call(thread, thread != child, place, calls)) {
                kill(child, SIGKILL);
                killed = true;
                continue;
            }
        } else if (status >> 16 == 0 && WSTOPSIG(status) != SIGSTOP)
            pass = WSTOPSIG(status);
        ptrace(PTRACE_SYSCALL, thread, NULL, pass);
    }
}

static found_t kill_and_judge(const scratch_t *s, const tbus_journal_spec_t *spec, place_t *place,
                              bool *out_killed)
{
    char when[96];
    calls_t calls = {0};
    found_t found = {0};
    snprintf(when, sizeof when, "killed at the %s of %s %u, number %" PRIu64,
             place->leaving ? "exit" : "entry", place->name ? place->name : "system call",
             place->number, place->n);
    *out_killed = kill_at(start_traced(spec), place, &calls);
    /* Before that there need be no journal yet. */
    if (*out_killed && tbus_load_acquire_u32(&told->opened))
        found = judge(s->journal, when);
    return found;
}

/* Which of `count` calls: all, or the first, one in the middle and the last. */
static bool is_picked(uint64_t n, uint64_t count)
{
    return must_be_all() || n == 1 || n == count || n == count / 2;
}

static void sweep_calls(const scratch_t *s, const tbus_journal_spec_t *spec, const char *what)
{
    calls_t survey = {0};
    uint64_t kills = 0, opened = 0, torn = 0, numbers = 0;
    assert_false(kill_at(start_traced(spec), NULL, &survey));
    scratch_remove(s->journal);
    for (unsigned number = 0; number < SYSCALLS_MAX; number++) {
        numbers += survey.count[number] != 0;
        for (uint64_t n = 1; n <= survey.count[number]; n++)
            for (int leaving = 0; leaving < 2 && is_picked(n, survey.count[number]); leaving++) {
                bool killed;
                place_t place = {.number = number, .leaving = leaving, .n = n};
                found_t found = kill_and_judge(s, spec, &place, &killed);
                kills += killed;
                opened += killed && found.first_segment;
                torn += killed && found.first_segment && found.how == TBUS_JOURNAL_TORN;
                if (killed && found.first_segment && kills % 32 == 0)
                    judge_what_comes_after(s);
                scratch_remove(s->journal);
            }
    }
    printf("%s: %" PRIu64 " kills at %" PRIu64 " different calls, %" PRIu64
           " with a journal, %" PRIu64 " of these torn\n",
           what, kills, numbers, opened, torn);
    assert_true(numbers >= 15 && opened > kills / 2 && torn > opened / 2);
}

static void require_tracing(void)
{
    if (killer_ready())
        return;
    printf("tracing is not allowed here\n");
    skip();
}

static void a_recorder_killed_at_any_system_call_leaves_what_it_had_appended(void **state)
{
    const scratch_t *s = *state;
    require_tracing();
    tbus_journal_spec_t plain = spec_for(s->journal), eager = plain;
    plain.limits.keep_segments = KEPT;
    eager.durability = TBUS_JOURNAL_SYNC_BATCH;
    sweep_calls(s, &plain, "async, old segments are removed");
    sweep_calls(s, &eager, "sync-batch");
}

/* The windows between two things that belong together. */
static void whatever_a_killed_recorder_leaves_half_done_everything_reads_it(void **state)
{
    const scratch_t *s = *state;
    static place_t places[] = {
        {"write a seal", SYS_pwrite64, true, 2, 1280, 0},
        {"cut a finished segment", SYS_ftruncate, false, 2, 0, 0},
        {"cut a finished segment", SYS_ftruncate, true, 2, 0, 0},
        {"create a segment", SYS_openat, true, 8, 0, 0},
        {"allocate a segment", SYS_fallocate, false, 3, 0, 0},
        {"allocate a segment", SYS_fallocate, true, 3, 0, 0},
        {"sync a header", SYS_msync, false, 2, 0, 0},
        {"write the end of the session", SYS_pwrite64, false, 1, 104, 0},
        {"write the end of the session", SYS_pwrite64, true, 1, 104, 0},
        {"remove a segment", SYS_unlinkat, true, 1, 0, 0},
    };
    require_tracing();
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        bool killed;
        tbus_journal_spec_t spec = spec_for(s->journal);
        spec.limits.keep_segments = places[i].number == SYS_unlinkat ? KEPT : 0;
        found_t found = kill_and_judge(s, &spec, &places[i], &killed);
        if (!killed || !found.first_segment)
            fail_msg("it never came to %s", places[i].name);
        judge_by_busctl(s, &found, places[i].name);
        scratch_remove(s->journal);
    }
}

/* --- at random --- */

static void a_recorder_killed_at_random_leaves_what_it_had_appended(void **state)
{
    const scratch_t *s = *state;
    const char *kills_text = getenv("TICKBUS_JOURNAL_KILLS"), *seed_text = getenv("TICKBUS_SEED");
    uint64_t kills = kills_text ? strtoull(kills_text, NULL, 10) : KILLS_QUICK;
    uint64_t seed = seed_text ? strtoull(seed_text, NULL, 10) : 1;
    uint64_t records = 0, removed = 0;
    for (uint64_t round = 0; round < kills; round++) {
        char when[64];
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint64_t at = (seed >> 33) % 20000;
        tbus_journal_spec_t spec = spec_for(s->journal);
        spec.durability = round % 2 ? TBUS_JOURNAL_SYNC_BATCH : TBUS_JOURNAL_ASYNC;
        spec.limits.keep_segments = round % 3 ? 0 : KEPT;
        *told = (told_t){0};
        fflush(stdout);
        pid_t child = fork();
        if (child == 0)
            _exit(record(&spec, UINT64_MAX));
        while (!tbus_load_acquire_u32(&told->opened) || tbus_load_acquire_u64(&told->appended) < at)
            if (waitpid(child, NULL, WNOHANG) != 0)
                fail_msg("the recorder has ended by itself");
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        snprintf(when, sizeof when, "round %" PRIu64 ", behind %" PRIu64 " records", round, at);
        found_t found = judge(s->journal, when);
        assert_int_equal(found.how, TBUS_JOURNAL_TORN);
        records += found.end - found.first;
        removed += found.first;
        scratch_remove(s->journal);
    }
    printf("%" PRIu64 " kills: %" PRIu64 " records read, %" PRIu64 " had been removed\n", kills,
           records, removed);
}

/* --- at instructions --- */

/* gcc says so by a macro, clang by a feature. */
#if defined(__SANITIZE_ADDRESS__) || TBUS_TSAN
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static tbus_journal_writer_t *victim; /* of which a child appends the next message */
static uint64_t victim_next;

/* The caller holds the lock of the writer: a child may have no helper that does. */
static void append_next(void)
{
    pthread_mutex_unlock(&victim->lock);
    append(victim, victim_next);
    tbus_store_release_u64(&told->appended, victim_next + 1);
}

/* Zeros again, in a file that the writer has mapped. */
static void wipe(const char *journal, uint32_t number, uint64_t from, uint64_t bytes)
{
    static const unsigned char zeros[8192];
    char path[PATH_BYTES + 16];
    segment_path(journal, number, path);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, zeros, bytes, (off_t)from), bytes);
    close(fd);
}

/* Of the two segments that there may be. */
static void copy_journal(const char *from, const char *to)
{
    static unsigned char bytes[SEGMENT];
    assert_int_equal(mkdir(to, 0700), 0);
    for (uint32_t number = 1; number <= 2; number++) {
        char source[PATH_BYTES + 16], copy[PATH_BYTES + 16];
        segment_path(from, number, source);
        segment_path(to, number, copy);
        int in = open(source, O_RDONLY | O_CLOEXEC);
        if (in < 0)
            continue;
        ssize_t got = pread(in, bytes, sizeof bytes, 0);
        assert_true(file_write(copy, bytes, (size_t)got));
        close(in);
    }
}

/* Kill a child at every `stride`-th instruction of appending the next message, which `undo` takes
 * back. */
static void sweep_instructions(const scratch_t *s, unsigned stride, uint32_t undo_segment,
                               uint64_t undo_from, uint64_t undo_bytes)
{
    unsigned kills = 0, without = 0, with = 0;
    bool killed = true;
    for (unsigned steps = 0; killed; steps += stride) {
        char when[64];
        tbus_store_relaxed_u64(&told->appended, victim_next);
        pthread_mutex_lock(&victim->lock);
        killed = killer_kill(append_next, steps);
        pthread_mutex_unlock(&victim->lock);
        copy_journal(s->journal, s->other); /* nobody holds its lock */
        snprintf(when, sizeof when, "killed after %u instructions", steps);
        found_t found = judge(s->other, when);
        assert_int_equal(found.how, TBUS_JOURNAL_TORN);
        assert_true(found.end == victim_next + 1 || with == 0); /* once there it stays there */
        without += found.end == victim_next;
        with += found.end == victim_next + 1;
        kills += killed;
        scratch_remove(s->other);
        wipe(s->journal, undo_segment, undo_from, undo_bytes);
    }
    printf("%u kills: %u before the record was there, %u after\n", kills, without, with);
    assert_true(without >= 1 && with >= 1);
}

static void a_recorder_killed_at_any_instruction_of_an_append_leaves_no_damage(void **state)
{
    const scratch_t *s = *state;
    tbus_journal_spec_t spec = spec_for(s->journal);
    require_tracing();
    *told = (told_t){0};
    assert_int_equal(tbus_journal_writer_open(&spec, &victim, NULL), 0);
    for (victim_next = 0; victim_next < 20; victim_next++)
        assert_int_equal(append(victim, victim_next), 0);
    for (; victim_next < 22; victim_next++) { /* one of each topic */
        sweep_instructions(s, SANITIZED ? 97 : 1, 1,
                           TBUS_JOURNAL_HEADER_BYTES + tbus_journal_writer_bytes(victim), 128);
        assert_int_equal(append(victim, victim_next), 0);
    }
    assert_int_equal(tbus_journal_writer_close(victim, NULL), 0);
}

static bool next_is_ready(void)
{
    pthread_mutex_lock(&victim->lock);
    bool ready = victim->prepared > victim->current;
    pthread_mutex_unlock(&victim->lock);
    return ready;
}

/* The next segment's header among them. */
static void
a_recorder_killed_at_any_instruction_that_begins_a_segment_leaves_no_damage(void **state)
{
    const scratch_t *s = *state;
    tbus_journal_spec_t spec = spec_for(s->journal);
    const uint64_t record_bytes = TBUS_JOURNAL_RECORD_HEADER + sizeof(tick_t);
    require_tracing();
    *told = (told_t){0};
    assert_int_equal(tbus_journal_writer_open(&spec, &victim, NULL), 0);
    victim_next = 0;
    while (TBUS_JOURNAL_HEADER_BYTES + tbus_journal_writer_bytes(victim) + record_bytes <= SEGMENT)
        assert_int_equal(append(victim, victim_next++), 0);
    while (!next_is_ready())
        sched_yield(); /* else the test's time limit ends this */
    sweep_instructions(s, must_be_all() ? 1 : SANITIZED ? 2003 : 199, 2, 0, 8192);
    assert_int_equal(append(victim, victim_next), 0);
    assert_int_equal(tbus_journal_writer_close(victim, NULL), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, remove_scratch)
    const struct CMUnitTest tests[] = {
        TEST(a_recorder_killed_at_random_leaves_what_it_had_appended),
        TEST(whatever_a_killed_recorder_leaves_half_done_everything_reads_it),
        TEST(a_recorder_killed_at_any_system_call_leaves_what_it_had_appended),
        TEST(a_recorder_killed_at_any_instruction_of_an_append_leaves_no_damage),
        TEST(a_recorder_killed_at_any_instruction_that_begins_a_segment_leaves_no_damage),
    };
    told = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return told == MAP_FAILED ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
