/* SPDX-License-Identifier: Apache-2.0 */
/* What the market does to orders beside trading with them, through the whole of busctl: a trade
 * that is broken, crosses, a halt that ends in one, replaces, a day that ends and another that
 * begins, orders that must not take, prices below a dollar, messages that are lost. Each is a file
 * of a few messages and a script of orders, run in few processes and in one for each stage: what
 * was reported of each order is what stands here, the journal is whole, the session repeats itself,
 * and `busctl why` tells it. */
#include "tests/e2e/running_bus.h"

#include "bus/wire/mold.h"
#include "tests/support/capture_file.h"
#include "tests/support/itch_file.h"

#define OPEN_NS UINT64_C(34200000000000)
#define MS      UINT64_C(1000000)
#define WHY_MAX 4u

/* ---- a market by hand: a message each millisecond */

typedef struct hand {
    itch_file_t file;
    uint16_t locate; /* of ACME */
} hand_t;

static void put(hand_t *h, tick_t t)
{
    t.intended = tick_pack(0, t.type == 'S' ? 0 : h->locate);
    itch_file_put(&h->file, OPEN_NS + h->file.count * MS, t);
}

static void put_system(hand_t *h, const char *codes)
{
    for (; *codes; codes++)
        put(h, tick_system((uint8_t)*codes));
}

static tick_t hidden(uint64_t match, uint32_t qty, uint32_t px_e4)
{
    return tick_with_match(tick_trade(TICKS_ACME, qty, px_e4), match);
}

static tick_t cross(uint64_t match, uint64_t qty, uint32_t px_e4)
{
    return tick_with_match(tick_cross(TICKS_ACME, qty, px_e4, 'O'), match);
}

static tick_t crossed(uint64_t ref, uint32_t qty, uint32_t px_e4)
{
    return tick_with_match(tick_execute_at(TICKS_ACME, ref, qty, px_e4, 'N'), 900 + ref);
}

static tick_t executed(uint64_t ref, uint32_t qty, uint64_t match)
{
    return tick_with_match(tick_execute(TICKS_ACME, ref, qty), match);
}

/* The first messages of a day: 6 with the codes "S", 7 with "SQ". 300 to buy at `bid_e4` are
 * reference 1, 300 to sell at `ask_e4` are 2. */
static void begin_day(hand_t *h, const char *codes, uint32_t bid_e4, uint32_t ask_e4)
{
    put_system(h, "O");
    put(h, tick_directory(TICKS_ACME));
    put(h, tick_trading(TICKS_ACME, 'T'));
    put_system(h, codes);
    put(h, tick_add(TICKS_ACME, 1, 'B', 300, bid_e4));
    put(h, tick_add(TICKS_ACME, 2, 'S', 300, ask_e4));
}

/* ---- what is expected */

typedef struct event_case {
    void (*market)(hand_t *h);
    const char *script;
    /* of each report: order, kind, reason, side, quantity, price, what is left, liquidity, fee */
    const char *reports;
    /* in pairs: an order by its number, and what `busctl why` must say of it */
    struct {
        const char *order, *says;
    } why[WHY_MAX];
    const char *settings[3];
    bool by_line; /* the messages came by MoldUDP64: with marks in them they cannot be a file */
} event_case_t;

/* The reports of a script's file, a line each. */
static char *read_reports(const char *path)
{
    char *text = file_read(path, NULL), *lines = calloc(1, 1 << 16), *next;
    size_t used = 0;
    assert_non_null(text);
    assert_non_null(lines);
    for (char *line = strtok_r(text, "\n", &next); line; line = strtok_r(NULL, "\n", &next)) {
        json_t *r = json_loads(line, 0, NULL);
        const char *order, *kind, *reason, *side = "", *liquidity = "";
        json_int_t qty = 0, px_e4 = 0, leaves = 0, fee_e4 = 0;
        assert_int_equal(json_unpack(r, "{s:s,s:s,s:s,s?s,s?I,s?I,s?I,s?s,s?I}", "order", &order,
                                     "kind", &kind, "reason", &reason, "side", &side, "qty", &qty,
                                     "px_e4", &px_e4, "leaves", &leaves, "liquidity", &liquidity,
                                     "fee_e4", &fee_e4),
                         0);
        used +=
            (size_t)snprintf(lines + used, (1 << 16) - used, "%s %s %s %s %lld %lld %lld %s %lld\n",
                             order, kind, reason, side, (long long)qty, (long long)px_e4,
                             (long long)leaves, liquidity[0] ? liquidity : "-", (long long)fee_e4);
        json_decref(r);
    }
    free(text);
    return lines;
}

static int busctl(fixture_t *f, const char *const *argv)
{
    program_clear(&f->start);
    f->start = (program_t){.argv = argv};
    return program_run(&f->start);
}

static void expect_good(fixture_t *f, const char *const *argv)
{
    int code = busctl(f, argv);
    if (code != 0)
        fail_msg("%s %s: exit code %d: %s%s", argv[1], argv[2], code, f->start.out, f->start.err);
}

/* One run; its summary, to be json_decref'ed. */
static json_t *start(fixture_t *f, const event_case_t *c, const char *layout, const char *journal)
{
    char feed[SCRATCH_PATH_MAX + 48], file[SCRATCH_PATH_MAX + 48], reports[SCRATCH_PATH_MAX + 48];
    const char *settings[3];
    snprintf(feed, sizeof feed, c->by_line ? "pcap:%s/market.pcap" : "itch:%s/market.itch",
             f->runtime);
    snprintf(file, sizeof file, "strategy.file=%s/script", f->runtime);
    snprintf(reports, sizeof reports, "strategy.reports=%s/reports", f->runtime);
    for (unsigned i = 0; i < 3; i++)
        settings[i] = c->settings[i] ? c->settings[i] : "venue.seed=1";
    int code = run(f, "start", "--json", "--layout", layout, "--wait", "park", "--pace", "max",
                   "--pages", "small", "--feed", feed, "--strategy", "script", "--journal", journal,
                   "--set", file, "--set", reports, "--set", settings[0], "--set", settings[1],
                   "--set", settings[2], NULL);
    if (code != 0)
        fail_msg("exit code %d: %s", code, f->start.err);
    char path[SCRATCH_PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/reports", f->runtime);
    char *lines = read_reports(path);
    if (strcmp(lines, c->reports) != 0)
        fail_msg("%s, reported:\n%sexpected:\n%s", layout, lines, c->reports);
    free(lines);
    json_t *summary = final_object(f);
    assert_complete(summary);
    return summary;
}

static void ask_the_journal(fixture_t *f, const event_case_t *c, const char *journal)
{
    expect_good(f, (const char *const[]){TICKBUS_BUSCTL, "journal", "verify", journal, NULL});
    expect_good(
        f, (const char *const[]){TICKBUS_BUSCTL, "replay", journal, "--verify", "--json", NULL});
    for (unsigned i = 0; i < WHY_MAX && c->why[i].order; i++) {
        expect_good(f,
                    (const char *const[]){TICKBUS_BUSCTL, "why", c->why[i].order, journal, NULL});
        assert_text_holds(f->start.out, c->why[i].says);
    }
}

/* A capture of the messages of the file, each in a packet of its own. */
static void capture_the_file(const fixture_t *f, const char *itch)
{
    static capture_file_t file;
    uint8_t packet[MOLD_DATAGRAM_USUAL], frame[CAPTURE_FRAME_MAX], session[MOLD_SESSION_BYTES];
    const capture_frame_t form = {.group = 111, .port = 26477};
    char path[SCRATCH_PATH_MAX + 16];
    size_t size = 0, length;
    uint8_t *all = (uint8_t *)file_read(itch, &size);
    uint64_t sequence = 1;
    assert_non_null(all);
    mold_session_put(session, "byhand");
    capture_begin(&file, CAPTURE_PCAP_NS, false);
    for (size_t at = 0; at + 2 < size; at += 2 + length, sequence++) {
        mold_writer_t w;
        length = (size_t)all[at] << 8 | all[at + 1];
        mold_begin(&w, packet, sizeof packet, session, sequence);
        assert_true(mold_add(&w, all + at + 2, length));
        size_t bytes = capture_make_frame(frame, &form, packet, w.bytes);
        capture_add_frame(&file, (1700000000 + sequence) * 1000000000, frame, bytes, bytes);
    }
    free(all);
    snprintf(path, sizeof path, "%s/market.pcap", f->runtime);
    assert_true(file_write(path, (const char *)file.bytes, file.count));
}

/* Its summary, to be json_decref'ed. */
static json_t *try_case(fixture_t *f, const event_case_t *c)
{
    char path[SCRATCH_PATH_MAX + 16], fused[SCRATCH_PATH_MAX + 16], split[SCRATCH_PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/market.itch", f->runtime);
    hand_t h = {.file = itch_file_open(path), .locate = TICKS_ACME};
    c->market(&h);
    itch_file_close(&h.file);
    if (c->by_line)
        capture_the_file(f, path);
    snprintf(path, sizeof path, "%s/script", f->runtime);
    assert_true(file_write(path, c->script, strlen(c->script)));
    snprintf(fused, sizeof fused, "%s/fused", f->runtime);
    snprintf(split, sizeof split, "%s/split", f->runtime);
    json_t *summary = start(f, c, "fused", fused), *other = start(f, c, "split", split);
    assert_true(json_equal(json_object_get(summary, "digests"), json_object_get(other, "digests")));
    json_decref(other);
    ask_the_journal(f, c, split);
    return summary;
}

/* ---- the cases */

static void market_with_a_break(hand_t *h)
{
    begin_day(h, "SQ", 100000, 100200);
    put(h, hidden(5, 60, 99900));
    put(h, tick_break(TICKS_ACME, 5));
    put(h, tick_break(TICKS_ACME, 5));
    put(h, tick_delete(TICKS_ACME, 2));
    put_system(h, "MEC");
}

static void a_broken_trade_takes_our_execution_back(void **state)
{
    static const event_case_t c = {
        .market = market_with_a_break,
        .script = "7 B 100 10.00 day ACME bid\n",
        .reports = "bid accepted none B 100 100000 100 - 0\n"
                   "bid partially_filled none B 60 100000 40 A -12\n"
                   "bid broken none B 60 100000 40 A 12\n"
                   "bid cancelled closed B 40 100000 0 - 0\n",
        .why = {{"1/1", "broken"}},
        .settings = {"venue.fees.added_e6_per_share=-20"},
    };
    json_t *summary = try_case(*state, &c);
    assert_int_equal(number(summary, "pnl_e4", "fees"), 0);
    assert_int_equal(number(summary, "pnl_e4", "net"), 0);
    json_decref(summary);
}

static void market_with_crosses(hand_t *h)
{
    begin_day(h, "S", 100000, 100200);
    put(h, crossed(1, 300, 100000));
    put(h, cross(10, 400, 100000));
    put_system(h, "Q");
    put(h, tick_add(TICKS_ACME, 3, 'B', 300, 99900));
    put(h, tick_add(TICKS_ACME, 4, 'B', 10, 99800));
    put_system(h, "M");
    put(h, cross(11, 250, 100100));
    put_system(h, "EC");
}

static void an_opening_and_a_closing_cross_fill_us_at_their_price(void **state)
{
    static const event_case_t c = {
        .market = market_with_crosses,
        .script = "6 B 100 10.01 day ACME open\n"
                  "11 S 100 10.01 day ACME close\n",
        .reports = "open accepted none B 100 100100 100 - 0\n"
                   "open filled none B 100 100000 0 C 15\n"
                   "close accepted none S 100 100100 100 - 0\n"
                   "close filled none S 100 100100 0 C 15\n",
        .why = {{"1/1", "filled"}, {"1/2", "filled"}},
        .settings = {"venue.fees.cross_e6_per_share=15"},
    };
    json_t *summary = try_case(*state, &c);
    assert_int_equal(number(summary, "pnl_e4", "net"), 100 * 100 - 30);
    json_decref(summary);
}

static void market_with_a_halt(hand_t *h)
{
    begin_day(h, "SQ", 100000, 100200);
    put(h, tick_trading(TICKS_ACME, 'H'));
    put(h, tick_add(TICKS_ACME, 3, 'S', 100, 99000));
    put(h, tick_trading(TICKS_ACME, 'Q'));
    put(h, crossed(3, 100, 99500));
    put(h, crossed(1, 100, 99500));
    put(h, cross(12, 200, 99500));
    put(h, tick_trading(TICKS_ACME, 'T'));
    put(h, tick_add(TICKS_ACME, 4, 'S', 30, 100100));
    put_system(h, "EC");
}

/* The strategy does not look at states: risk rejects what it sends in the halt. */
static void a_halt_fills_nothing_until_its_cross(void **state)
{
    static const event_case_t c = {
        .market = market_with_a_halt,
        .script = "7 B 100 10.01 day ACME early\n"
                  "9 B 100 10.01 day ACME during\n"
                  "14 B 50 10.01 day ACME after\n",
        .reports = "early accepted none B 100 100100 100 - 0\n"
                   "during rejected halted B 100 100100 0 - 0\n"
                   "early filled none B 100 99500 0 C 0\n"
                   "after accepted none B 50 100100 50 - 0\n"
                   "after partially_filled none B 30 100100 20 A 0\n"
                   "after cancelled closed B 20 100100 0 - 0\n",
        .why = {{"1/1", "filled"}, {"1/2", "halted"}},
    };
    json_decref(try_case(*state, &c));
}

static void market_of_a_queue(hand_t *h)
{
    begin_day(h, "SQ", 100000, 100200);
    put(h, tick_add(TICKS_ACME, 3, 'B', 100, 100000));
    put(h, executed(1, 300, 20));
    put(h, executed(3, 50, 21));
    put(h, tick_add(TICKS_ACME, 4, 'B', 100, 100000));
    put(h, executed(3, 50, 22));
    put(h, executed(4, 100, 23));
    put(h, tick_add(TICKS_ACME, 5, 'B', 100, 100000));
    put(h, executed(5, 10, 24));
    put_system(h, "EC");
}

/* For fewer shares it keeps its place before reference 3, for more it stands behind 3 and 4. */
static void a_replace_keeps_its_place_for_less_and_loses_it_for_more(void **state)
{
    static const event_case_t c = {
        .market = market_of_a_queue,
        .script = "7 B 100 10.00 day ACME first\n"
                  "8 replace first 60 10.00 day less\n"
                  "11 replace less 120 10.00 day more\n",
        .reports = "first accepted none B 100 100000 100 - 0\n"
                   "first cancelled replaced B 100 100000 0 - 0\n"
                   "less accepted none B 60 100000 60 - 0\n"
                   "less partially_filled none B 50 100000 10 A 0\n"
                   "less cancelled replaced B 10 100000 0 - 0\n"
                   "more accepted none B 120 100000 120 - 0\n"
                   "more partially_filled none B 10 100000 110 A 0\n"
                   "more cancelled closed B 110 100000 0 - 0\n",
        .why = {{"1/2", "replaced"}, {"1/3", "partially_filled"}},
    };
    json_decref(try_case(*state, &c));
}

static void market_of_two_days(hand_t *h)
{
    begin_day(h, "SQ", 100000, 100200);
    put(h, tick_add(TICKS_ACME, 3, 'B', 10, 99000));
    h->locate = 3;
    begin_day(h, "SQ", 110000, 110200);
    put(h, tick_add(TICKS_ACME, 3, 'S', 40, 110000));
    put_system(h, "EC");
}

/* The stock has another locate on the second day. */
static void what_rests_expires_with_the_day_and_the_next_one_trades_anew(void **state)
{
    static const event_case_t c = {
        .market = market_of_two_days,
        .script = "7 B 100 10.00 day ACME today\n"
                  "7 B 30 10.02 ioc ACME held\n"
                  "15 B 100 11.00 day ACME tomorrow\n",
        .reports = "today accepted none B 100 100000 100 - 0\n"
                   "held accepted none B 30 100200 30 - 0\n"
                   "held filled none B 30 100200 0 R 0\n"
                   "today cancelled closed B 100 100000 0 - 0\n"
                   "tomorrow accepted none B 100 110000 100 - 0\n"
                   "tomorrow partially_filled none B 40 110000 60 A 0\n"
                   "tomorrow cancelled closed B 60 110000 0 - 0\n",
        .why = {{"1/1", "closed"}, {"1/3", "partially_filled"}},
    };
    json_t *summary = try_case(*state, &c);
    const json_t *acme = json_object_get(json_object_get(summary, "symbols"), "ACME");
    assert_int_equal(json_integer_value(json_object_get(acme, "position")), 70);
    json_decref(summary);
}

static void market_to_join(hand_t *h)
{
    begin_day(h, "SQ", 100000, 100200);
    put(h, tick_add(TICKS_ACME, 3, 'B', 10, 99900));
    put(h, tick_add(TICKS_ACME, 4, 'S', 70, 100100));
    put_system(h, "EC");
}

static void an_order_that_must_not_take_is_rejected_or_slides(void **state)
{
    static const event_case_t c = {
        .market = market_to_join,
        .script = "7 B 100 10.02 post ACME post\n"
                  "7 B 100 10.02 slide ACME slide\n",
        .reports = "post rejected post_only B 100 100200 0 - 0\n"
                   "slide accepted none B 100 100100 100 - 0\n"
                   "slide partially_filled none B 70 100100 30 A 0\n"
                   "slide cancelled closed B 30 100100 0 - 0\n",
        .why = {{"1/1", "post_only"}, {"1/2", "partially_filled"}},
    };
    json_decref(try_case(*state, &c));
}

static void market_below_a_dollar(hand_t *h)
{
    begin_day(h, "SQ", 5000, 5010);
    put(h, hidden(30, 40, 4990));
    put_system(h, "EC");
}

static void below_a_dollar_fees_are_a_part_of_what_is_traded(void **state)
{
    static const event_case_t c = {
        .market = market_below_a_dollar,
        .script = "7 B 100 0.5010 ioc ACME take\n"
                  "7 B 40 0.5000 day ACME rest\n",
        .reports = "take accepted none B 100 5010 100 - 0\n"
                   "take filled none B 100 5010 0 R 1503\n"
                   "rest accepted none B 40 5000 40 - 0\n"
                   "rest filled none B 40 5000 0 A -100\n",
        .why = {{"1/1", "filled"}},
        .settings = {"venue.fees.removed_ppm_below_1=3000", "venue.fees.added_ppm_below_1=-500",
                     "venue.fees.removed_e6_per_share=3000"},
    };
    json_t *summary = try_case(*state, &c);
    assert_int_equal(number(summary, "pnl_e4", "fees"), 1403);
    json_decref(summary);
}

static tick_t lost(uint64_t from, uint64_t to)
{
    tick_t t;
    tick_gap_put(&t, 0, &(tick_gap_t){.from = from, .to = to});
    return t;
}

static void market_with_a_gap(hand_t *h)
{
    begin_day(h, "SQ", 100000, 100200);
    put(h, tick_add(TICKS_ACME, 3, 'B', 100, 99000));
    put(h, lost(8, 9));
    put(h, tick_add(TICKS_ACME, 4, 'B', 100, 99000));
    put(h, lost(12, 1011));
    put(h, tick_delete(TICKS_ACME, 3));
    h->locate = 3;
    begin_day(h, "SQ", 110000, 110200);
    put(h, tick_add(TICKS_ACME, 3, 'B', 40, 100000));
    put_system(h, "EC");
}

static void expect_gaps(const json_t *summary)
{
    json_t *expected = json_loads("[{\"from\":8,\"to\":9},{\"from\":12,\"to\":1011}]", 0, NULL);
    json_t *feed = json_object_get(summary, "feed");
    assert_true(json_equal(json_object_get(feed, "gaps"), expected));
    assert_int_equal(json_integer_value(json_object_get(feed, "lost")), 1002);
    json_decref(expected);
}

/* The next day's books lack nothing. */
static void after_a_gap_new_orders_are_rejected_until_the_day_ends(void **state)
{
    static const event_case_t c = {
        .market = market_with_a_gap,
        .by_line = true,
        .script = "8 B 10 10.00 day ACME before\n"
                  "9 B 10 10.00 day ACME behind\n"
                  "10 cancel before\n"
                  "19 B 10 11.00 day ACME tomorrow\n",
        .reports = "before accepted none B 10 100000 10 - 0\n"
                   "behind rejected stale_book B 10 100000 0 - 0\n"
                   "before cancelled user_cancel B 10 100000 0 - 0\n"
                   "tomorrow accepted none B 10 110000 10 - 0\n"
                   "tomorrow cancelled closed B 10 110000 0 - 0\n",
        .why = {{"1/2", "stale_book"}},
    };
    json_t *summary = try_case(*state, &c);
    expect_gaps(summary);
    json_decref(summary);
}

static void where_gaps_are_warned_of_alone_orders_are_judged_as_always(void **state)
{
    static const event_case_t c = {
        .market = market_with_a_gap,
        .by_line = true,
        .script = "9 B 10 10.00 day ACME behind\n"
                  "11 cancel behind\n",
        .reports = "behind accepted none B 10 100000 10 - 0\n"
                   "behind cancelled user_cancel B 10 100000 0 - 0\n",
        .why = {{"1/1", "accepted"}},
        .settings = {"feed.gap_policy=warn"},
    };
    json_t *summary = try_case(*state, &c);
    expect_gaps(summary);
    json_decref(summary);
}

static tick_t restore(uint8_t what)
{
    tick_t t;
    tick_restore_put(&t, 0, what);
    return t;
}

static void market_with_a_snapshot(hand_t *h)
{
    begin_day(h, "SQ", 100000, 100200);
    put(h, tick_add(TICKS_ACME, 3, 'B', 100, 99000));
    put(h, lost(9, 50));
    put(h, restore(TICK_RESTORE_BEGINS));
    put(h, tick_add(TICKS_ACME, 10, 'B', 40, 98000));
    put(h, tick_add(TICKS_ACME, 11, 'B', 100, 100000));
    put(h, tick_add(TICKS_ACME, 12, 'S', 300, 100200));
    put(h, restore(TICK_RESTORE_ENDS));
    put(h, executed(11, 100, 30));
    put(h, tick_add(TICKS_ACME, 13, 'B', 50, 100000));
    put(h, executed(13, 50, 31));
    put_system(h, "EC");
}

/* Ours stands behind what the snapshot shows, and before what comes then. */
static void a_snapshot_heals_the_books_and_ours_rest_behind_it(void **state)
{
    static const event_case_t c = {
        .market = market_with_a_snapshot,
        .by_line = true,
        .script = "8 B 10 10.00 day ACME rests\n"
                  "9 B 10 10.00 day ACME behind\n"
                  "15 B 5 9.90 day ACME fresh\n",
        .reports = "rests accepted none B 10 100000 10 - 0\n"
                   "behind rejected stale_book B 10 100000 0 - 0\n"
                   "fresh accepted none B 5 99000 5 - 0\n"
                   "rests filled none B 10 100000 0 A 0\n"
                   "fresh cancelled closed B 5 99000 0 - 0\n",
        .why = {{"1/1", "filled"}, {"1/2", "stale_book"}, {"1/3", "accepted"}},
    };
    json_t *summary = try_case(*state, &c);
    assert_int_equal(number(summary, "books", "live_orders"), 2);
    assert_int_equal(number(summary, "books", "unknown_order_refs"), 0);
    json_decref(summary);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_broken_trade_takes_our_execution_back),
        TEST(an_opening_and_a_closing_cross_fill_us_at_their_price),
        TEST(a_halt_fills_nothing_until_its_cross),
        TEST(a_replace_keeps_its_place_for_less_and_loses_it_for_more),
        TEST(what_rests_expires_with_the_day_and_the_next_one_trades_anew),
        TEST(an_order_that_must_not_take_is_rejected_or_slides),
        TEST(below_a_dollar_fees_are_a_part_of_what_is_traded),
        TEST(after_a_gap_new_orders_are_rejected_until_the_day_ends),
        TEST(where_gaps_are_warned_of_alone_orders_are_judged_as_always),
        TEST(a_snapshot_heals_the_books_and_ours_rest_behind_it),
    };
#undef TEST
    return cmocka_run_group_tests_name("market_events", tests, NULL, NULL);
}
