/* SPDX-License-Identifier: Apache-2.0 */
/* Every order of a session is answered the same by the index of its orders and by reading the
 * journal: of sessions as they are recorded, and of some that no stage would leave. */
#include "tests/e2e/why_journals.h"

#include <tickbus/msg/event.h>
#include <tickbus/msg/itch_types.h>

#include "risk/order_form.h"

/* Which reasons the gate gave, and whether all came out as they were recorded. */
typedef struct tally {
    unsigned reasons[REASON_COUNT];
    unsigned differ;
    unsigned without_verdict;
    unsigned orders;
} tally_t;

static void count(const char *journal, uint64_t id, tally_t *tally)
{
    why_answer_t answer;
    assert_int_equal(why_answer(journal, id, &answer, NULL), 0);
    const why_verdict_t *v = &answer.verdict;
    unsigned i = 0;
    while (answer.has_verdict && i < v->checks_count && v->checks[i].passed)
        i++;
    tally->reasons[answer.has_verdict && i < v->checks_count ? v->checks[i].reason : 0]++;
    tally->differ += answer.has_verdict && v->differ != 0;
    tally->without_verdict += !answer.has_verdict;
    tally->orders++;
    why_answer_clear(&answer);
}

/* Every order of the journal, without an index and with one. */
static tally_t check_all(const char *journal)
{
    static uint64_t ids[IDS_MAX];
    static char *plain[IDS_MAX];
    tally_t tally = {0};
    uint32_t ids_count = ids_of(journal, ids);
    ids[ids_count++] = ORDER_ID(4000, 7); /* there is none */
    forbid_index(journal);
    for (uint32_t i = 0; i < ids_count; i++)
        plain[i] = text_of(journal, ids[i], false);
    allow_index(journal);
    make_index(journal);
    for (uint32_t i = 0; i < ids_count; i++) {
        char *text = text_of(journal, ids[i], true);
        if (strcmp(text, plain[i]) != 0)
            fail_msg("order %lx\nwithout an index: %s\nwith one: %s", (unsigned long)ids[i],
                     plain[i], text);
        free(text);
        free(plain[i]);
        if (i + 1 < ids_count)
            count(journal, ids[i], &tally);
    }
    print_message("%u orders, verdicts that differ %u, without %u;", tally.orders, tally.differ,
                  tally.without_verdict);
    for (unsigned i = 0; i < REASON_COUNT; i++)
        if (tally.reasons[i])
            print_message(" %s %u", report_reason_name(i), tally.reasons[i]);
    print_message("\n");
    return tally;
}

static void check_recorded(fixture_t *f, const char *clock)
{
    char journal[PATH_BYTES];
    record(f, "journal", FEED, clock, "risk.gross_notional_max_e4=1000000000000", journal);
    tally_t tally = check_all(journal);
    assert_true(tally.orders > 30);
    assert_int_equal(tally.differ, 0);
    assert_int_equal(tally.without_verdict, 0);
    assert_true(tally.reasons[REASON_NONE] && tally.reasons[REASON_RATE]);
    scratch_remove(journal);
}

static void by_the_clock_of_the_market_every_order_is_answered_the_same(void **state)
{
    check_recorded(*state, "venue.clock=market");
}

static void by_the_clock_of_the_host_every_order_is_answered_the_same(void **state)
{
    check_recorded(*state, "venue.clock=host");
}

static void call(const fixture_t *f, const char *verb)
{
    const char *argv[] = {TICKBUS_BUSCTL, verb, "--name", f->bus, "--reason", "a test", NULL};
    program_t busctl = {.argv = argv};
    assert_int_equal(program_run(&busctl), 0);
    program_clear(&busctl);
}

static void go_on_for(fixture_t *f, unsigned messages)
{
    json_t *now = ask(f, "status", NULL);
    uint64_t from = number(now, "feed", "messages");
    json_decref(now);
    json_decref(wait_for(f, (unsigned)from + messages));
}

/* Two strategies, live, halted and resumed at moments that the host decides. */
static void check_halted(fixture_t *f, const char *clock)
{
    char journal[PATH_BYTES];
    path_in(f, "journal", journal);
    json_decref(begin(f, 400, "--feed", "synth:seed=100,symbols=8,messages=1000000,flow=plain",
                      "--pace", "4k/s", "--wait", "park", "--set", clock, "--set",
                      "stages.second.kind=strategy", "--set", "stages.second.name=quote", "--set",
                      "stages.second.order_qty=50", "--set", "risk.test_symbols=allow", "--set",
                      TRADES, "--set", "stages.second.symbols=SYN000,SYN001,SYN002,SYN003", "--set",
                      "books.orders_max=65536", "--set", "books.levels_max=8192", "--journal",
                      journal, "--json", NULL));
    call(f, "halt");
    go_on_for(f, 200);
    call(f, "resume");
    go_on_for(f, 400);
    json_decref(ask(f, "stop", NULL));
    program_wait(&f->start);
    assert_int_equal(f->start.exit_code, 0);
    remove_standing(f);
    tally_t tally = check_all(journal);
    assert_true(tally.orders > 4);
    assert_int_equal(tally.differ, 0);
    assert_int_equal(tally.without_verdict, 0);
    assert_true(tally.reasons[REASON_KILL_SWITCH]);
    scratch_remove(journal);
}

static void of_two_strategies_that_were_halted_every_order_is_answered_the_same(void **state)
{
    check_halted(*state, "venue.clock=market");
    check_halted(*state, "venue.clock=host");
}

/* ---- sessions that no stage would leave */

typedef struct spoiling {
    tbus_journal_reader_t *reader;
    tbus_journal_writer_t *writer;
    int orders, judged, reports, md, events;
    uint64_t judged_count;
    uint64_t first_id;
    uint64_t dropped_id; /* of an order that was not judged; 0: none since it was taken up */
    uint64_t event_seq;
} spoiling_t;

static uint64_t mixed(uint64_t x)
{
    x = (x ^ x >> 31) * UINT64_C(0x9e3779b97f4a7c15);
    return x ^ x >> 29;
}

/* Each order in one way or another, the same way on both topics; some as they are. False: it is
 * left out here. */
static bool spoil(spoiling_t *s, order_t *o, bool judged)
{
    uint64_t id = o->order_id;
    s->first_id = s->first_id ? s->first_id : id;
    switch (mixed(id) % 19) {
    case 0:
        o->side = 'x';
        return true;
    case 1:
        o->order_id = judged && s->dropped_id ? s->dropped_id : s->first_id;
        s->dropped_id = judged ? 0 : s->dropped_id;
        return true;
    case 2:
        o->locate = 9999;
        return true;
    case 3:
        o->px_e4 = 0;
        return true;
    case 4:
        o->qty = 100000000;
        return true;
    case 5:
        o->px_e4 *= 2;
        return true;
    case 6:
        o->md_seq += judged ? 500 : 0;
        return true;
    case 7:
        o->md_seq = 0;
        return true;
    case 8:
        o->order_id = ORDER_ID(7, order_count(o));
        return true;
    case 9:
        o->kind = ORDER_CANCEL;
        return true;
    case 10:
        o->kind = 77;
        return true;
    case 11:
        o->reason ^= judged;
        return true;
    case 12:
        o->at += UINT64_C(10000000); /* a second would be behind the close */
        return true;
    case 13:
        return judged;
    case 14:
        s->dropped_id = judged ? id : s->dropped_id;
        return !judged;
    case 15:
        o->qty = 5000;
        return true;
    case 16:
        o->px_e4 = UINT32_MAX;
        return true;
    default:
        return true;
    }
}

static void append(spoiling_t *s, const tbus_journal_record_t *r, uint64_t seq, const void *payload,
                   size_t bytes)
{
    assert_int_equal(
        tbus_journal_writer_append(s->writer, r->topic, seq, r->time_ns, payload, bytes), 0);
}

/* Risk says of every 20 orders that it was halted before the first and resumed after the third. */
static void halt(spoiling_t *s, const tbus_journal_record_t *judged)
{
    uint64_t place = s->judged_count % 20;
    if (place != 10 && place != 13)
        return;
    event_t event = {.position = s->judged_count,
                     .number = (uint32_t)s->judged_count,
                     .kind = place == 10 ? EVENT_HALT : EVENT_RESUME,
                     .from = EVENT_FROM_RISK};
    tbus_journal_record_t record = *judged;
    record.topic = (uint16_t)s->events;
    append(s, &record, ++s->event_seq, &event, EVENT_BYTES);
}

/* Few are left out; one becomes the message that its symbol is halted. */
static void take_tick(spoiling_t *s, const tbus_journal_record_t *r)
{
    tick_t tick;
    if (r->seq % 2003 == 0)
        return;
    if (r->seq != 800 || r->bytes != sizeof tick) {
        append(s, r, r->seq, r->payload, r->bytes);
        return;
    }
    memcpy(&tick, r->payload, sizeof tick);
    tick.type = 'H';
    memset(tick.body, 0, sizeof tick.body);
    tick.body[ITCH_BODY_AT(STOCK_TRADING_ACTION, trading_state)] = 'H'; /* it names no stock */
    append(s, r, r->seq, &tick, sizeof tick);
}

static void take(spoiling_t *s, const tbus_journal_record_t *r)
{
    order_t order;
    bool judged = r->topic == s->judged;
    if (r->topic == s->events) {
        append(s, r, ++s->event_seq, r->payload, r->bytes);
    } else if (r->topic == s->orders || judged) {
        if (judged)
            halt(s, r);
        s->judged_count += judged;
        (void)order_copy(&order, r->payload, r->bytes);
        if (spoil(s, &order, judged))
            append(s, r, r->seq, &order, r->seq % 41 == 0 ? 20 : sizeof order);
    } else if (r->topic == s->md) {
        take_tick(s, r);
    } else if (r->topic != s->reports || r->seq % 37) {
        append(s, r, r->seq, r->payload, r->bytes);
    }
}

/* Its own journal in `into`, with what the session said of itself. */
static void begin_spoiling(spoiling_t *s, const char *from, const char *into)
{
    tbus_error_t err = {0};
    assert_int_equal(tbus_journal_reader_open(from, &s->reader, &err), 0);
    const tbus_journal_info_t *info = tbus_journal_reader_info(s->reader);
    tbus_journal_spec_t spec = {.directory = into,
                                .bus_name = info->bus_name,
                                .segment_bytes = 1 << 20,
                                .topics_count = info->topics_count};
    memcpy(spec.topics, info->topics, sizeof spec.topics);
    s->orders = tbus_journal_reader_topic(s->reader, "orders");
    s->judged = tbus_journal_reader_topic(s->reader, "judged");
    s->reports = tbus_journal_reader_topic(s->reader, "reports");
    s->md = tbus_journal_reader_topic(s->reader, "md");
    s->events = tbus_journal_reader_topic(s->reader, "events");
    if (tbus_journal_writer_open(&spec, &s->writer, &err) != 0)
        fail_msg("%s", err.text);
    tbus_journal_reader_show_session(s->reader);
}

static void copy_spoilt(const char *from, const char *into)
{
    spoiling_t s = {0};
    tbus_journal_record_t record;
    tbus_journal_piece_t piece;
    begin_spoiling(&s, from, into);
    while (tbus_journal_reader_next(s.reader, &record, NULL) > 0) {
        if (!tbus_journal_record_piece(&record, &piece)) {
            take(&s, &record);
            continue;
        }
        assert_false(piece.more);
        assert_int_equal(tbus_journal_writer_append_session(s.writer, piece.kind, record.time_ns,
                                                            piece.data, piece.bytes),
                         0);
    }
    assert_int_equal(tbus_journal_writer_close(s.writer, NULL), 0);
    tbus_journal_reader_close(s.reader);
}

/* `reasons`: some that the gate must give, up to a 0. */
static void check_spoilt(fixture_t *f, const char *clock, const uint8_t *reasons)
{
    char journal[PATH_BYTES], spoilt[PATH_BYTES];
    record(f, "journal", FEED, clock, "risk.gross_notional_max_e4=400000000", journal);
    path_in(f, "spoilt", spoilt);
    copy_spoilt(journal, spoilt);
    tally_t tally = check_all(spoilt);
    assert_true(tally.differ && tally.without_verdict);
    for (; *reasons; reasons++)
        if (!tally.reasons[*reasons])
            fail_msg("nothing was rejected as %s", report_reason_name(*reasons));
    scratch_remove(journal);
    scratch_remove(spoilt);
}

static void orders_that_nobody_would_send_are_answered_the_same(void **state)
{
    static const uint8_t reasons[] = {
        REASON_MALFORMED,    REASON_DUPLICATE_ID,   REASON_KILL_SWITCH,    REASON_UNKNOWN_SYMBOL,
        REASON_HALTED,       REASON_MAX_QTY,        REASON_TICK_SIZE,      REASON_NO_REFERENCE,
        REASON_PRICE_COLLAR, REASON_POSITION_LIMIT, REASON_GROSS_NOTIONAL, 0};
    check_spoilt(*state, "venue.clock=market", reasons);
    check_spoilt(*state, "venue.clock=host", reasons + sizeof reasons - 1);
}

static void verify_and_prune_are_not_confused_and_what_is_left_is_answered_as_before(void **state)
{
    fixture_t *f = *state;
    char journal[PATH_BYTES], path[FILE_BYTES];
    record_segments(f, journal);
    file_in(journal, ORDER_INDEX_NAME, path);
    assert_int_equal(journal_verb(f, "verify", journal, NULL, NULL), 0);
    assert_int_equal(journal_verb(f, "repair", journal, NULL, NULL), 0);
    assert_non_null(strstr(f->start.err, "is whole; nothing was written"));
    assert_int_equal(journal_verb(f, "prune", journal, "--keep-segments", "2"), 0);
    assert_int_equal(access(path, F_OK), -1);
    tally_t tally = check_all(journal);
    assert_true(tally.orders > 10);
    assert_int_equal(tally.without_verdict, tally.orders);
    assert_int_equal(journal_verb(f, "prune", journal, "--keep-segments", "1"), 0);
    check_all(journal);
    scratch_remove(journal);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(by_the_clock_of_the_market_every_order_is_answered_the_same),
        TEST(by_the_clock_of_the_host_every_order_is_answered_the_same),
        TEST(of_two_strategies_that_were_halted_every_order_is_answered_the_same),
        TEST(orders_that_nobody_would_send_are_answered_the_same),
        TEST(verify_and_prune_are_not_confused_and_what_is_left_is_answered_as_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
