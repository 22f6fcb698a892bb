/* SPDX-License-Identifier: Apache-2.0 */
/* How the last recorded session of a bus ended, read out of journals made by hand: which session it
 * is, what stands, and that what cannot be known counts as a halt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tickbus/journal.h>
#include <tickbus/msg/event.h>
#include <tickbus/msg/tick.h>

#include "tests/support/program.h"
#include "tools/run/last_session.h"

#define PATH_BYTES 128

enum { MD, EVENTS };

typedef struct fixture {
    char root[SCRATCH_PATH_MAX];
    char begins[PATH_BYTES]; /* where the next session is to be recorded */
    uint64_t seq[2];
    last_session_t last;
} fixture_t;

static int set_up(void **state)
{
    fixture_t *f = calloc(1, sizeof *f);
    scratch_create(f->root);
    snprintf(f->begins, sizeof f->begins, "%s/next/", f->root);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture_t *f = *state;
    scratch_remove(f->root);
    free(f);
    return 0;
}

static tbus_journal_writer_t *begin(fixture_t *f, const char *name, const char *bus, unsigned day,
                                    const char *verb)
{
    char directory[PATH_BYTES], provenance[96];
    tbus_journal_writer_t *writer;
    tbus_error_t why = {0};
    snprintf(directory, sizeof directory, "%s/%s", f->root, name);
    tbus_journal_spec_t spec = {
        .directory = directory,
        .started_realtime_ns = day * UINT64_C(86400000000000),
        .segment_bytes = 65536,
        .bus_name = bus,
        .topics_count = 2,
        .topics = {{"md", "tick", 1, TICK_VERSION, TBUS_BROADCAST, 0},
                   {"events", "event", 1, EVENT_VERSION, TBUS_BROADCAST_MP, 0}},
    };
    if (tbus_journal_writer_open(&spec, &writer, &why) < 0)
        fail_msg("%s", why.text);
    int bytes = snprintf(provenance, sizeof provenance, "{\"command\":[\"busctl\",\"%s\"]}", verb);
    assert_int_equal(tbus_journal_writer_append_session(writer, TBUS_JOURNAL_PROVENANCE, 1,
                                                        provenance, (size_t)bytes),
                     0);
    f->seq[MD] = f->seq[EVENTS] = 0;
    return writer;
}

static void ticks(fixture_t *f, tbus_journal_writer_t *writer, unsigned count)
{
    tick_t tick = {.type = 'S'};
    for (unsigned i = 0; i < count; i++) {
        f->seq[MD]++;
        assert_int_equal(
            tbus_journal_writer_append(writer, MD, f->seq[MD], 10 + f->seq[MD], &tick, sizeof tick),
            0);
    }
}

static void event(fixture_t *f, tbus_journal_writer_t *writer, uint8_t kind, uint8_t by,
                  const char *text)
{
    event_message_t message = {
        .event = {.time_ns = 5, .uid = 7, .kind = kind, .by = by, .from = EVENT_FROM_RISK}};
    ticks(f, writer, 1000); /* other records, more than a segment of them */
    f->seq[EVENTS]++;
    uint32_t bytes = event_put_text(&message, &text);
    assert_int_equal(tbus_journal_writer_append(writer, EVENTS, f->seq[EVENTS], 10 + f->seq[MD],
                                                &message, bytes),
                     0);
}

static void end(tbus_journal_writer_t *writer)
{
    assert_int_equal(tbus_journal_writer_close(writer, NULL), 0);
}

static int find(fixture_t *f)
{
    tbus_error_t why = {0};
    return last_session_find(f->begins, "bus", &f->last, &why);
}

static void what_was_halted_reduced_and_lost_and_not_resumed_stands(void **state)
{
    fixture_t *f = *state;
    tbus_journal_writer_t *w = begin(f, "a", "bus", 1, "start");
    event(f, w, EVENT_HALT, EVENT_BY_OPERATOR, "stop");
    event(f, w, EVENT_RESUME, EVENT_BY_NONE, "go");
    event(f, w, EVENT_REDUCE, EVENT_BY_LOSS, "lost 1");
    event(f, w, EVENT_STRATEGY_REDUCE, EVENT_BY_LOSS, "stages.a: its net loss is too much");
    event(f, w, EVENT_HALT, EVENT_BY_OPERATOR, "stop again");
    event(f, w, EVENT_HALT, EVENT_BY_ORPHAN, "the supervisor has died");
    ticks(f, w, 500);
    end(w);
    assert_int_equal(find(f), 1);
    assert_false(f->last.uncertain);
    assert_true(f->last.halt.thrown);
    assert_string_equal(f->last.halt.how.reason, "stop again");
    assert_int_equal(f->last.halt.how.actor.uid, 7);
    assert_int_equal(f->last.halt.how.time_ns, 5);
    assert_true(f->last.reduction.thrown);
    assert_int_equal(f->last.reduction.how.by, KILL_BY_LOSS);
    assert_int_equal(f->last.strategies_count, 1);
    assert_string_equal(f->last.strategies[0].section, "stages.a");
    assert_string_equal(f->last.strategies[0].latch.how.reason, "its net loss is too much");
    assert_int_equal(f->last.strategies[0].latch.how.time_ns, 5);
    last_session_reason(&f->last, &f->last.halt.how);
    char once[KILL_SWITCH_REASON_MAX];
    snprintf(once, sizeof once, "stop again (of the session in %s/a)", f->root);
    assert_string_equal(f->last.halt.how.reason, once);
    last_session_reason(&f->last, &f->last.halt.how); /* and not once more for each session */
    assert_string_equal(f->last.halt.how.reason, once);
}

static void what_was_resumed_or_thrown_by_the_run_itself_does_not_stand(void **state)
{
    fixture_t *f = *state;
    tbus_journal_writer_t *w = begin(f, "a", "bus", 1, "start");
    event(f, w, EVENT_REDUCE, EVENT_BY_OPERATOR, "reduce");
    event(f, w, EVENT_STRATEGY_REDUCE, EVENT_BY_LOSS, "strategy");
    event(f, w, EVENT_HALT, EVENT_BY_OPERATOR, "stop");
    event(f, w, EVENT_RESUME, EVENT_BY_NONE, "go");
    event(f, w, EVENT_HALT, EVENT_BY_SUPERVISOR, "the run cannot go on");
    end(w);
    assert_int_equal(find(f), 1);
    assert_false(f->last.halt.thrown || f->last.reduction.thrown || f->last.uncertain);
    assert_int_equal(f->last.strategies_count, 0);
}

static void the_newest_of_this_bus_counts_and_no_rehearsal_and_no_other(void **state)
{
    fixture_t *f = *state;
    assert_int_equal(find(f), 0);
    static const struct {
        const char *name, *bus;
        unsigned day;
        const char *verb;
    } halted[] = {{"b", "bus", 2, "start"}, /* not the last one */
                  {"c", "other", 9, "start"},
                  {"d", "bus", 8, "replay"},
                  {"e", "bus", 7, "latency"}};
    for (size_t i = 0; i < sizeof halted / sizeof *halted; i++) {
        tbus_journal_writer_t *w =
            begin(f, halted[i].name, halted[i].bus, halted[i].day, halted[i].verb);
        event(f, w, EVENT_HALT, EVENT_BY_OPERATOR, halted[i].name);
        end(w);
    }
    assert_int_equal(find(f), 1);
    assert_string_equal(f->last.halt.how.reason, "b");
    end(begin(f, "a", "bus", 3, "start"));
    assert_int_equal(find(f), 1);
    assert_false(f->last.halt.thrown);
    char other[PATH_BYTES];
    tbus_error_t why = {0};
    snprintf(other, sizeof other, "%s/c", f->root);
    assert_int_equal(last_session_read(other, "bus", &f->last, &why), -EINVAL);
    snprintf(other, sizeof other, "%s/none", f->root);
    assert_int_equal(last_session_read(other, "bus", &f->last, &why), -ENOENT);
}

static void a_session_that_was_torn_off_is_read_as_far_as_it_goes(void **state)
{
    fixture_t *f = *state;
    char path[PATH_BYTES];
    tbus_journal_writer_t *w = begin(f, "a", "bus", 1, "start");
    event(f, w, EVENT_HALT, EVENT_BY_OPERATOR, "stop");
    ticks(f, w, 10);
    end(w);
    snprintf(path, sizeof path, "%s/a/00000002.tbj", f->root);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size - 100), 0);
    assert_int_equal(find(f), 1);
    assert_true(f->last.halt.thrown);
    assert_string_equal(f->last.halt.how.reason, "stop");
}

static void what_cannot_be_read_counts_as_a_halt_and_says_why(void **state)
{
    fixture_t *f = *state;
    char path[PATH_BYTES];
    tbus_journal_writer_t *w = begin(f, "a", "bus", 1, "start");
    for (unsigned i = 0; i < 4; i++)
        event(f, w, EVENT_REDUCE, EVENT_BY_OPERATOR, "once more");
    end(w);
    snprintf(path, sizeof path, "%s/a/00000002.tbj", f->root);
    assert_int_equal(unlink(path), 0); /* a segment in the middle is gone */
    assert_int_equal(find(f), 1);
    assert_true(f->last.uncertain && f->last.halt.thrown);
    assert_non_null(strstr(f->last.halt.how.reason, "cannot be read"));

    /* One whose header says nothing, newer than the one that was closed in order. */
    end(begin(f, "b", "bus", 2, "start"));
    assert_int_equal(find(f), 1);
    assert_false(f->last.uncertain);
    snprintf(path, sizeof path, "%s/c", f->root);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/c/00000001.tbj", f->root);
    assert_true(file_write(path, "not a journal", 13));
    assert_int_equal(find(f), 1);
    assert_true(f->last.uncertain && f->last.halt.thrown);
    assert_non_null(strstr(f->last.directory, "/c"));

    /* Unless another bus has just begun it. */
    snprintf(path, sizeof path, "%s/c/writer.lock", f->root);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
    assert_int_equal(fcntl(fd, F_OFD_SETLK, &whole), 0);
    assert_int_equal(find(f), 1);
    assert_false(f->last.uncertain);
    close(fd);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_halted_reduced_and_lost_and_not_resumed_stands),
        TEST(what_was_resumed_or_thrown_by_the_run_itself_does_not_stand),
        TEST(the_newest_of_this_bus_counts_and_no_rehearsal_and_no_other),
        TEST(a_session_that_was_torn_off_is_read_as_far_as_it_goes),
        TEST(what_cannot_be_read_counts_as_a_halt_and_says_why),
    };
    return cmocka_run_group_tests_name("last session", tests, NULL, NULL);
}
