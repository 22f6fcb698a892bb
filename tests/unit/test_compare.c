/* SPDX-License-Identifier: Apache-2.0 */
/* Two recordings of one small session, the second with something changed by hand: what is named
 * must be what was changed and not what came of it, however the topics lie in the files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <tickbus/msg/bbo.h>
#include <tickbus/msg/event.h>
#include <tickbus/msg/order.h>
#include <tickbus/msg/report.h>

#include "tests/unit/journal_scratch.h"
#include "tools/journal/compare.h"

/* Topics that are compared, and one that is not. */
enum { MD, BBO, ORDERS, JUDGED, APPROVED, REPORTS, TOPICS, EVENTS = TOPICS };

#define TICKS 6u
/* Market time of tick `n`, from 1. */
#define TICK_NS(n) (1 + 100 * ((uint64_t)(n)-1))

typedef struct message {
    bool there;
    uint8_t topic;
    uint64_t seq;
    union {
        tick_t tick;
        bbo_t bbo;
        order_t order;
        report_t report;
        event_t event;
        unsigned char bytes[56];
    };
} message_t;

/* A session, and where its messages lie in it. What is not there was not sent. */
typedef struct session {
    message_t ticks[TICKS];
    message_t bbos[2];     /* at ticks 2 and 4 */
    message_t orders[3];   /* FIRST, then AGAIN after its report, of 1; OTHER of 2 */
    message_t judged[3];   /* likewise */
    message_t approved[3]; /* likewise */
    message_t reports[3];  /* likewise */
    message_t events[2];   /* none, unless a test puts some there */
} session_t;

enum { FIRST, AGAIN, OTHER };

static order_t order_of(uint32_t strategy, unsigned count, unsigned md_seq, uint64_t at_ns,
                        unsigned report_seq)
{
    return (order_t){.order_id = ORDER_ID(strategy, count),
                     .md_seq = md_seq,
                     .at = at_ns,
                     .report_seq = report_seq,
                     .kind = ORDER_NEW,
                     .side = 'B',
                     .qty = 100,
                     .px_e4 = 50000};
}

static report_t report_of(const order_t *order, unsigned md_seq, uint64_t seen_ns)
{
    return (report_t){.order_id = order->order_id,
                      .md_seq = md_seq,
                      .seen = seen_ns,
                      .kind = REPORT_ACCEPTED,
                      .flags = REPORT_ANSWER,
                      .side = 'B',
                      .qty = order->qty,
                      .px_e4 = order->px_e4};
}

static message_t on(unsigned topic, uint64_t seq)
{
    return (message_t){.there = true, .topic = (uint8_t)topic, .seq = seq};
}

/* Strategy 1 answers tick 2, is told, and quotes again before tick 3; strategy 2 answers tick 4. */
static session_t session(void)
{
    session_t s;
    memset(&s, 0, sizeof s);
    for (unsigned i = 0; i < TICKS; i++) {
        s.ticks[i] = on(MD, i + 1);
        s.ticks[i].tick = (tick_t){.event = tick_pack(1000 + TICK_NS(i + 1), 0), .type = 'A'};
    }
    for (unsigned i = 0; i < 2; i++) {
        s.bbos[i] = on(BBO, i + 1);
        s.bbos[i].bbo = (bbo_t){.md_seq = 2 * i + 2, .bid_px_e4 = 49900, .ask_px_e4 = 50100};
    }
    const order_t orders[] = {order_of(1, 1, 2, TICK_NS(2), 0),
                              order_of(1, 2, 2, TICK_NS(2) + 50, 1),
                              order_of(2, 1, 4, TICK_NS(4), 0)};
    const uint64_t seen_ns[] = {TICK_NS(2) + 50, TICK_NS(3) + 50, TICK_NS(4) + 50};
    for (unsigned i = 0; i < 3; i++) {
        s.orders[i] = on(ORDERS, i + 1);
        s.judged[i] = on(JUDGED, i + 1);
        s.approved[i] = on(APPROVED, i + 1);
        s.reports[i] = on(REPORTS, i + 1);
        s.orders[i].order = s.judged[i].order = s.approved[i].order = orders[i];
        s.reports[i].report = report_of(&orders[i], 2 + i, seen_ns[i]);
    }
    return s;
}

/* ---- recordings */

/* A way in which topics may lie in a file: one after the other. */
typedef uint8_t lay_t[TOPICS];

static tbus_journal_writer_t *begin(const char *directory)
{
    tbus_journal_writer_t *writer = NULL;
    tbus_journal_spec_t spec = {
        .directory = directory,
        .bus_name = "by-hand",
        .segment_bytes = TBUS_JOURNAL_SEGMENT_BYTES_MIN,
        .topics_count = TOPICS + 1,
        .topics = {{"md", "tick", 1, TICK_VERSION, TBUS_BROADCAST, 0},
                   {"bbo", "bbo", 1, BBO_VERSION, TBUS_BROADCAST, 0},
                   {"orders", "order", 1, ORDER_VERSION, TBUS_MPSC, 0},
                   {"judged", "order", 1, ORDER_VERSION, TBUS_SPSC, 0},
                   {"approved", "order", 1, ORDER_VERSION, TBUS_SPSC, 0},
                   {"reports", "report", 1, REPORT_VERSION, TBUS_BROADCAST, 0},
                   {"events", "event", 1, EVENT_VERSION, TBUS_BROADCAST_MP, 0}}};
    assert_int_equal(tbus_journal_writer_open(&spec, &writer, NULL), 0);
    return writer;
}

static void append(tbus_journal_writer_t *writer, const message_t *messages, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (messages[i].there)
            assert_int_equal(tbus_journal_writer_append(writer, messages[i].topic, messages[i].seq,
                                                        1000, messages[i].bytes, 56),
                             0);
}

static void append_topic(tbus_journal_writer_t *writer, const session_t *s, unsigned topic)
{
    switch (topic) {
    case MD:
        append(writer, s->ticks, TICKS);
        break;
    case BBO:
        append(writer, s->bbos, 2);
        break;
    case ORDERS:
        append(writer, s->orders, 3);
        break;
    case JUDGED:
        append(writer, s->judged, 3);
        break;
    case APPROVED:
        append(writer, s->approved, 3);
        break;
    default:
        append(writer, s->reports, 3);
    }
}

/* `torn`: as if its recorder had been killed behind the last of it. */
static void record(const char *directory, const session_t *s, const lay_t lay, bool torn)
{
    int status;
    pid_t pid = torn ? fork() : 0;
    assert_true(pid >= 0);
    if (pid > 0) {
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        return;
    }
    tbus_journal_writer_t *writer = begin(directory);
    for (unsigned i = 0; i < TOPICS; i++)
        append_topic(writer, s, lay[i]);
    append(writer, s->events, 2);
    if (torn)
        (void)kill(getpid(), SIGKILL);
    assert_int_equal(tbus_journal_writer_close(writer, NULL), 0);
}

/* `other` against `journal`, or the other way round. */
static compare_result_t compare(const scratch_t *scratch, bool turned)
{
    compare_result_t result;
    tbus_error_t why = {0};
    const char *const directories[2] = {turned ? scratch->other : scratch->journal,
                                        turned ? scratch->journal : scratch->other};
    if (compare_recordings(directories, NULL, &result, &why) != 0)
        fail_msg("%s", why.text);
    return result;
}

/* Each topic first, and each last. */
static const lay_t lays[] = {
    {MD, BBO, ORDERS, JUDGED, APPROVED, REPORTS}, {BBO, ORDERS, JUDGED, APPROVED, REPORTS, MD},
    {ORDERS, JUDGED, APPROVED, REPORTS, MD, BBO}, {JUDGED, APPROVED, REPORTS, MD, BBO, ORDERS},
    {APPROVED, REPORTS, MD, BBO, ORDERS, JUDGED}, {REPORTS, MD, BBO, ORDERS, JUDGED, APPROVED},
    {REPORTS, APPROVED, JUDGED, ORDERS, BBO, MD},
};
#define LAYS (sizeof lays / sizeof *lays)

typedef struct first {
    const char *topic;
    uint32_t strategy;
    uint64_t place;
    uint64_t md_seq;
} first_t;

static void check_first(const compare_result_t *result, const first_t *wanted, unsigned lay)
{
    const compare_divergence_t *first = &result->first;
    assert_false(result->identical);
    if (strcmp(first->topic, wanted->topic) != 0 || first->place != wanted->place ||
        first->strategy != wanted->strategy || first->md_seq != wanted->md_seq)
        fail_msg("files of kind %u: message %u of %s, strategy %u, tick %u, instead of %u of %s, "
                 "%u, %u",
                 lay, (unsigned)first->place, first->topic, first->strategy,
                 (unsigned)first->md_seq, (unsigned)wanted->place, wanted->topic, wanted->strategy,
                 (unsigned)wanted->md_seq);
}

/* `changed` differs from the session first at `wanted`, however it lies, and whichever of the two
 * is held against the other. */
static void expect(const scratch_t *scratch, const session_t *changed, first_t wanted)
{
    session_t sound = session();
    record(scratch->journal, &sound, lays[0], false);
    for (unsigned i = 0; i < LAYS; i++) {
        record(scratch->other, changed, lays[i], false);
        for (unsigned turned = 0; turned < 2; turned++) {
            compare_result_t result = compare(scratch, turned);
            check_first(&result, &wanted, i);
        }
        scratch_remove(scratch->other);
    }
    scratch_remove(scratch->journal);
}

/* What an order that differs does to all that is made from it. */
static void spoil_order(session_t *s, unsigned which)
{
    s->orders[which].order.qty++;
    s->judged[which].order.qty++;
    s->approved[which].order.qty++;
    s->reports[which].report.qty++;
}

/* ---- tests */

static void sessions_that_are_the_same_are_identical_however_they_lie(void **state)
{
    const scratch_t *scratch = *state;
    session_t s = session();
    record(scratch->journal, &s, lays[0], false);
    for (unsigned i = 0; i < LAYS; i++) {
        record(scratch->other, &s, lays[i], false);
        compare_result_t result = compare(scratch, false);
        assert_true(result.identical);
        assert_int_equal(result.counts_count, TOPICS - 1);
        assert_int_equal(result.counts[1].equal, 3);
        scratch_remove(scratch->other);
    }
}

static void a_report_is_named_and_not_the_order_that_answers_it(void **state)
{
    session_t s = session();
    s.reports[FIRST].report.px_e4 = 49999;
    spoil_order(&s, AGAIN); /* which has the tick of the order before */
    expect(*state, &s, (first_t){"reports", 1, 1, 2});
}

static void a_report_that_comes_later_is_named_and_not_the_order_that_comes_later_too(void **state)
{
    session_t s = session();
    s.reports[FIRST].report.seen += 7;
    s.orders[AGAIN].order.at += 7;
    s.judged[AGAIN].order.at += 7;
    s.approved[AGAIN].order.at += 7;
    s.reports[AGAIN].report.seen += 7;
    expect(*state, &s, (first_t){"reports", 1, 1, 2});
}

static void an_order_is_named_and_not_its_report(void **state)
{
    session_t s = session();
    spoil_order(&s, FIRST);
    spoil_order(&s, AGAIN);
    expect(*state, &s, (first_t){"orders", 1, 1, 2});
}

static void an_order_that_answers_a_sound_report_is_named_itself(void **state)
{
    session_t s = session();
    spoil_order(&s, AGAIN);
    spoil_order(&s, OTHER);
    expect(*state, &s, (first_t){"orders", 1, 2, 2});
}

/* Its first message lies behind all that differs of the others. */
static void a_strategy_that_is_read_last_may_be_the_first(void **state)
{
    session_t s = session();
    s.orders[OTHER].order.md_seq = s.judged[OTHER].order.md_seq = s.approved[OTHER].order.md_seq =
        1;
    s.orders[OTHER].order.at = s.judged[OTHER].order.at = s.approved[OTHER].order.at = TICK_NS(1);
    s.orders[AGAIN].order.tif = s.judged[AGAIN].order.tif = s.approved[AGAIN].order.tif =
        ORDER_TIF_IOC;
    expect(*state, &s, (first_t){"orders", 2, 1, 1});
}

static void a_verdict_is_named_and_not_the_answer_to_it(void **state)
{
    session_t s = session();
    s.judged[OTHER].order.reason = REASON_RATE;
    s.approved[OTHER].there = false;
    s.reports[OTHER].report.kind = REPORT_REJECTED;
    s.reports[OTHER].report.reason = REASON_RATE;
    expect(*state, &s, (first_t){"judged", 2, 3, 4});
}

/* Risk knew another position. */
static void a_report_is_named_and_not_the_verdict_that_comes_of_it(void **state)
{
    session_t s = session();
    s.reports[AGAIN].report.leaves = 1;
    s.judged[OTHER].order.reason = REASON_POSITION_LIMIT;
    s.approved[OTHER].there = false;
    s.reports[OTHER].report.kind = REPORT_REJECTED;
    expect(*state, &s, (first_t){"reports", 1, 2, 3});
}

static void an_order_that_was_not_sent_is_named_and_not_what_is_missing_behind_it(void **state)
{
    session_t s = session();
    s.orders[OTHER].there = s.judged[OTHER].there = s.approved[OTHER].there = false;
    s.reports[OTHER].there = false;
    expect(*state, &s, (first_t){"orders", 2, 1, 4});
}

static void a_best_price_is_named_before_the_order_at_its_tick_and_after_one_before_it(void **state)
{
    session_t s = session();
    s.bbos[0].bbo.bid_px_e4++;
    spoil_order(&s, FIRST);
    expect(*state, &s, (first_t){"bbo", 0, 1, 2});
    s = session();
    s.bbos[1].bbo.bid_px_e4++;
    spoil_order(&s, AGAIN);
    expect(*state, &s, (first_t){"orders", 1, 2, 2});
}

/* By the clock of the host the executor may be ahead: its report has a later time than the order
 * that its strategy, which has come less far, sends from it. */
static void by_the_clock_of_the_host_what_was_taken_counts_and_not_the_time(void **state)
{
    session_t s = session();
    s.reports[FIRST].report.seen = TICK_NS(6);
    s.reports[AGAIN].report.seen = s.reports[OTHER].report.seen = TICK_NS(6);
    s.reports[FIRST].report.md_seq = 6;
    s.orders[AGAIN].order.qty = s.judged[AGAIN].order.qty = s.approved[AGAIN].order.qty = 7;
    expect(*state, &s, (first_t){"reports", 1, 1, 2});
}

static void of_two_faults_the_earlier_is_named(void **state)
{
    session_t s = session();
    s.orders[FIRST].order.flags = s.judged[FIRST].order.flags = s.approved[FIRST].order.flags =
        ORDER_POST_ONLY;
    s.bbos[1].bbo.ask_qty = 7;
    expect(*state, &s, (first_t){"orders", 1, 1, 2});
}

/* Its repetition ends where its ticks do, and winds down there. */
static void a_torn_recording_is_compared_up_to_its_last_tick(void **state)
{
    const scratch_t *scratch = *state;
    session_t torn = session(), again = session();
    torn.ticks[3].there = torn.ticks[4].there = torn.ticks[5].there = false; /* the last is 3 */
    torn.bbos[1].there = again.bbos[1].there = false;
    again.orders[OTHER].order.order_id = ORDER_ID(1, 1);
    again.orders[OTHER].order.kind = ORDER_CANCEL;
    again.orders[OTHER].order.at = TICK_NS(3) + 1;
    again.judged[OTHER].order = again.orders[OTHER].order;
    again.approved[OTHER].order = again.orders[OTHER].order;
    again.reports[OTHER].report.order_id = ORDER_ID(1, 1);
    session_t spoiled = again;
    spoil_order(&spoiled, AGAIN);
    for (unsigned i = 0; i < 2 * LAYS; i++) {
        record(scratch->journal, &torn, lays[i / 2], true);
        record(scratch->other, i % 2 ? &spoiled : &again, lays[0], false);
        compare_result_t result = compare(scratch, false);
        assert_int_equal(result.ends[0], TBUS_JOURNAL_TORN);
        if (i % 2)
            check_first(&result, &(first_t){"orders", 1, 2, 2}, i / 2);
        else
            assert_true(result.identical);
        assert_int_equal(result.counts[1].equal, i % 2 ? 1 : 2);
        scratch_remove(scratch->journal);
        scratch_remove(scratch->other);
    }
}

/* The supervisor was killed at tick 3. A stage that did not wait for the others may have decided
 * otherwise after that; before it, and if all had come to rest, nothing may differ. */
static void behind_a_halt_without_a_supervisor_only_what_came_to_rest_is_compared(void **state)
{
    const scratch_t *scratch = *state;
    static const struct {
        unsigned differs; /* which order */
        bool drained;
        bool identical;
    } cases[] = {{OTHER, false, true}, {OTHER, true, false}, {FIRST, false, false}};
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        session_t orphaned = session(), again = session();
        orphaned.events[0] = on(EVENTS, 1);
        orphaned.events[0].event = (event_t){.market_ns = TICK_NS(3),
                                             .kind = EVENT_HALT,
                                             .from = EVENT_FROM_RISK,
                                             .by = EVENT_BY_ORPHAN,
                                             .number = 1};
        orphaned.events[1] = on(EVENTS, 2);
        orphaned.events[1].event = (event_t){.number = cases[i].drained ? EVENT_ORPHAN_DRAINED : 0,
                                             .kind = EVENT_ORPHAN,
                                             .from = EVENT_FROM_STAGE};
        spoil_order(&again, cases[i].differs);
        record(scratch->journal, &orphaned, lays[0], false);
        record(scratch->other, &again, lays[0], false);
        compare_result_t result = compare(scratch, false);
        assert_true(result.failed[0]);
        assert_int_equal(result.identical, cases[i].identical);
        scratch_remove(scratch->journal);
        scratch_remove(scratch->other);
    }
}

/* No session gives such messages, and something is named all the same. */
static void messages_that_are_effects_of_one_another_are_compared(void **state)
{
    session_t s = session();
    s.orders[FIRST].order.report_seq = 1; /* of the report that answers it */
    s.reports[FIRST].report.px_e4++;
    s.judged[FIRST].order.qty = 7;
    expect(*state, &s, (first_t){"orders", 1, 1, 2});
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, remove_scratch)
    const struct CMUnitTest tests[] = {
        TEST(sessions_that_are_the_same_are_identical_however_they_lie),
        TEST(a_report_is_named_and_not_the_order_that_answers_it),
        TEST(a_report_that_comes_later_is_named_and_not_the_order_that_comes_later_too),
        TEST(an_order_is_named_and_not_its_report),
        TEST(an_order_that_answers_a_sound_report_is_named_itself),
        TEST(a_strategy_that_is_read_last_may_be_the_first),
        TEST(a_verdict_is_named_and_not_the_answer_to_it),
        TEST(a_report_is_named_and_not_the_verdict_that_comes_of_it),
        TEST(an_order_that_was_not_sent_is_named_and_not_what_is_missing_behind_it),
        TEST(a_best_price_is_named_before_the_order_at_its_tick_and_after_one_before_it),
        TEST(by_the_clock_of_the_host_what_was_taken_counts_and_not_the_time),
        TEST(of_two_faults_the_earlier_is_named),
        TEST(a_torn_recording_is_compared_up_to_its_last_tick),
        TEST(behind_a_halt_without_a_supervisor_only_what_came_to_rest_is_compared),
        TEST(messages_that_are_effects_of_one_another_are_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
