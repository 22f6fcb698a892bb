/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tickbus/bus.h>
#include <tickbus/publisher.h>
#include <tickbus/subscriber.h>

#include "bus/market/marks.h"
#include "bus/msg/digest.h"
#include "tools/run/backlog.h"
#include "tools/run/summary.h"

/* A bus with one topic and two participants, by hand: what a summary says must not need any stage
 * to be alive. */
typedef struct fixture {
    tbus_bus_t bus;
    layout_t layout;
    summary_run_t run;
    json_t *summary;
} fixture_t;

static int set_up(void **state)
{
    static const uint32_t cpus[] = {4, 6};
    static const layout_stage_t stages[] = {{"feed", TBUS_KIND_SOURCE, 1},
                                            {"strategy", TBUS_KIND_DECIDES | TBUS_KIND_TRADES, 1},
                                            {"risk", TBUS_KIND_DECIDES, 1},
                                            {"executor", TBUS_KIND_DECIDES, 1}};
    fixture_t *f = calloc(1, sizeof *f);
    layout_plan(&(layout_request_t){.mode = LAYOUT_FUSED,
                                    .stages_count = 4,
                                    .stages = stages,
                                    .pin = true,
                                    .allowed_count = 2,
                                    .allowed = cpus},
                &f->layout);
    f->run = (summary_run_t){.state = "running",
                             .source = "synth",
                             .pace = "max",
                             .journal = "",
                             .duration_ns = 2500000000u,
                             .layout = &f->layout};
    if (tbus_bus_create("sum", &f->bus, NULL) < 0)
        return -1;
    tbus_ring_spec_t spec = {
        .name = "orders", .kind = TBUS_MPMC, .slot_bytes = 64, .slot_count = 64, .first_seq = 1};
    if (tbus_bus_add_topic(&f->bus, &spec, "order", TBUS_PAGES_SMALL, -1, NULL) < 0 ||
        tbus_ring_reserve(&f->bus.rings[0], "risk", TBUS_CONSUMER, NULL) < 0 ||
        tbus_ring_reserve(&f->bus.rings[0], "recorder", TBUS_FOLLOWER, NULL) < 0 ||
        tbus_participant_add(&f->bus, "feed", NULL) != 1 ||
        tbus_participant_add(&f->bus, "executor", NULL) != 2)
        return -1;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture_t *f = *state;
    json_decref(f->summary);
    tbus_bus_close(&f->bus);
    free(f);
    return 0;
}

static void count(fixture_t *f, uint32_t owner, const char *name, int64_t value)
{
    tbus_store_relaxed_u64(tbus_counter(&f->bus, owner, name, "things"), (uint64_t)value);
}

/* The value at a path such as "topics.orders.published"; numbers stand for items of lists. */
static const json_t *at(fixture_t *f, const char *path)
{
    if (!f->summary)
        f->summary = summary_build(&f->bus, &f->run);
    char copy[128];
    snprintf(copy, sizeof copy, "%s", path);
    const json_t *value = f->summary;
    for (char *part = strtok(copy, "."); part; part = strtok(NULL, "."))
        value = json_is_array(value) ? json_array_get(value, strtoul(part, NULL, 10))
                                     : json_object_get(value, part);
    if (!value)
        fail_msg("there is no %s", path);
    return value;
}

static void assert_number(fixture_t *f, const char *path, int64_t value)
{
    if (json_integer_value(at(f, path)) != value)
        fail_msg("%s is %lld", path, (long long)json_integer_value(at(f, path)));
}

static void counters_find_their_places_and_add_up_over_their_owners(void **state)
{
    fixture_t *f = *state;
    count(f, 1, "feed.messages", 1234567);
    count(f, 1, "feed.by_type.A", 1000000);
    count(f, 1, "feed.by_type.0x9C", 7);
    count(f, 1, "risk.rejects.price_collar", 2);
    count(f, 2, "risk.rejects.price_collar", 3);
    count(f, 2, "risk.cancels", 4);
    count(f, 2, "risk.report_mismatches", 11);
    count(f, 2, "books.unknown_order_refs", 5);
    count(f, 2, "books.unknown_order_refs.E", 5);
    count(f, 2, "position.AAPL", -300);
    count(f, 2, "pnl.realised_e4", -50000);
    count(f, 2, "pnl.unrealised_e4", 20000);
    assert_number(f, "feed.messages", 1234567);
    assert_number(f, "feed.by_type.A", 1000000);
    assert_number(f, "feed.by_type.0x9C", 7);
    assert_number(f, "risk.rejects.price_collar", 5);
    assert_number(f, "risk.cancels", 4);
    assert_number(f, "risk.report_mismatches", 11);
    assert_number(f, "books.unknown_order_refs", 5);
    assert_number(f, "books.unknown_order_refs_by_type.E", 5);
    assert_number(f, "positions.AAPL", -300);
    assert_number(f, "pnl_e4.realised", -50000);
    assert_number(f, "pnl_e4.total", -30000);
    assert_number(f, "orders.sent", 0); /* what nobody counts is 0, not missing */
}

static void symbols_add_up_over_strategies_that_value_them_alike(void **state)
{
    fixture_t *f = *state;
    for (uint32_t owner = 1; owner <= 2; owner++) {
        count(f, owner, "position.BRK.B", owner == 1 ? 100 : -30);
        count(f, owner, "symbols.BRK.B.realised_e4", owner == 1 ? 5 : -7);
        count(f, owner, "symbols.BRK.B.volume", 100);
        count(f, owner, "symbols.BRK.B.fills_added", owner);
        count(f, owner, "symbols.BRK.B.mark_px_e4", 5000 + owner);
        count(f, owner, "symbols.BRK.B.mark_by", owner == 1 ? MARK_BID : MARK_ASK);
    }
    count(f, 1, "symbols.A.mark_px_e4", 0);
    count(f, 1, "symbols.A.mark_by", MARK_NONE);
    count(f, 1, "symbols.A.volume", 20);
    count(f, 1, "pnl.realised_e4", 700);
    count(f, 1, "pnl.fees_e4", -50);
    count(f, 1, "pnl.drawdown_e4", 1);
    count(f, 2, "risk.drawdown_e4", 9);
    assert_number(f, "pnl_e4.gross", 700);
    assert_number(f, "pnl_e4.fees", -50);
    assert_number(f, "pnl_e4.net", 750);
    assert_number(f, "pnl_e4.drawdown", 9);
    const json_t *symbols = at(f, "symbols"), *b = json_object_get(symbols, "BRK.B"),
                 *a = json_object_get(symbols, "A");
    assert_int_equal(json_object_size(symbols), 2);
    assert_int_equal(json_integer_value(json_object_get(b, "position")), 70);
    assert_int_equal(json_integer_value(json_object_get(b, "realised_e4")), -2);
    assert_int_equal(json_integer_value(json_object_get(b, "volume")), 200);
    assert_int_equal(json_integer_value(json_object_get(b, "fills_added")), 3);
    assert_true(json_is_null(json_object_get(b, "mark_px_e4"))); /* one at the bid, one the ask */
    assert_true(json_is_null(json_object_get(b, "mark_by")));
    assert_int_equal(json_integer_value(json_object_get(a, "mark_px_e4")), 0);
    assert_true(json_is_integer(json_object_get(a, "mark_px_e4")));
}

static void people_see_net_profit_and_what_is_valued_by_no_quote(void **state)
{
    fixture_t *f = *state;
    count(f, 2, "executor.executions", 1);
    count(f, 2, "pnl.realised_e4", 10000);
    count(f, 2, "pnl.fees_e4", 2500);
    count(f, 2, "risk.drawdown_e4", 30000);
    count(f, 2, "symbols.AAA.mark_by", MARK_TRADE);
    count(f, 2, "symbols.AAA.mark_px_e4", 123456);
    count(f, 2, "symbols.BBB.mark_by", MARK_ENTRY);
    (void)at(f, "name");
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    summary_print(f->summary, out);
    fclose(out);
    if (!strstr(text, "profit     +1.00: +1.00 realised, 0.00 unrealised\n"
                      "             +0.75 net, after fees of +0.25\n"
                      "             -3.00 at most below its highest (drawdown)\n"
                      "             valued at the last trade: AAA\n"
                      "             valued at what it cost, nothing traded: BBB\n") ||
        !strstr(text, " 12.3456 "))
        fail_msg("%s", text);
    free(text);
}

static void latencies_are_those_of_the_histograms(void **state)
{
    fixture_t *f = *state;
    tbus_histogram_t *h = tbus_bus_histogram(&f->bus, "tick_to_order");
    for (unsigned i = 0; i < 99; i++)
        tbus_histogram_record(h, 10);
    tbus_histogram_record(h, 1000);
    assert_number(f, "latency_ns.tick_to_order.p50", 10);
    assert_number(f, "latency_ns.tick_to_order.p99", 10);
    assert_number(f, "latency_ns.tick_to_order.p99_9", 1000);
    assert_number(f, "latency_ns.tick_to_order.max", 1000);
    assert_number(f, "latency_ns.tick_to_order.count", 100);
    assert_number(f, "latency_ns.tick_to_report.count", 0);
}

/* Make a second strategy of the stage `risk`, and participants of both. */
static void trade_with_two(fixture_t *f, uint32_t *out_first, uint32_t *out_second)
{
    f->layout.stages[2] = (layout_stage_t){"strategy2", TBUS_KIND_TRADES, 1};
    /* the numbers of participants need not be in the order of the strategies */
    *out_second = (uint32_t)tbus_participant_add(&f->bus, "strategy2", NULL);
    *out_first = (uint32_t)tbus_participant_add(&f->bus, "strategy", NULL);
}

static char *print(fixture_t *f)
{
    char *text = NULL;
    size_t bytes;
    (void)at(f, "name");
    FILE *out = open_memstream(&text, &bytes);
    summary_print(f->summary, out);
    fclose(out);
    return text;
}

static void latencies_are_those_of_all_strategies_together(void **state)
{
    fixture_t *f = *state;
    uint32_t first, second;
    trade_with_two(f, &first, &second);
    tbus_histogram_t *h = tbus_bus_histogram(&f->bus, "tick_to_cancel");
    tbus_histogram_t *h2 = tbus_bus_histogram(&f->bus, "tick_to_cancel.2");
    tbus_histogram_record(tbus_bus_histogram(&f->bus, "tick_to_cancel.3"), 9); /* there is none */
    tbus_histogram_record(h, 10);
    for (unsigned i = 0; i < 2; i++)
        tbus_histogram_record(h2, 1000);
    assert_number(f, "latency_ns.tick_to_cancel.count", 3);
    assert_number(f, "latency_ns.tick_to_cancel.p50", 1000);
    assert_number(f, "latency_ns.tick_to_cancel.max", 1000);
    assert_number(f, "latency_ns.tick_to_requote.count", 0);
    assert_int_equal(tbus_load_relaxed_u64(&h->count), 1); /* summing up changes nothing */
}

static void of_waits_for_the_venue_their_share_of_all_ticks_is_told(void **state)
{
    fixture_t *f = *state;
    uint32_t first, second;
    trade_with_two(f, &first, &second);
    count(f, 1, "feed.messages", 1000); /* both take them */
    count(f, first, "wait_horizon.ticks", 3);
    count(f, second, "wait_horizon.ticks", 2);
    for (unsigned i = 0; i < 5; i++)
        tbus_histogram_record(tbus_bus_histogram(&f->bus, "wait_horizon"), 4096);
    assert_number(f, "latency_ns.wait_horizon.ticks", 5);
    assert_number(f, "latency_ns.wait_horizon.count", 2000);
    assert_number(f, "latency_ns.wait_horizon.p99", 0); /* most waited for nobody */
    assert_number(f, "latency_ns.wait_horizon.p99_9", 4096);
    assert_number(f, "latency_ns.wait_horizon.max", 4096);
    assert_true(json_real_value(at(f, "latency_ns.wait_horizon.share")) == 0.0025);
    char *text = print(f);
    if (!strstr(text, "  of it, waiting ") || !strstr(text, "  (0.25 % of the ticks waited for") ||
        strstr(text, "tick to order")) /* there was none */
        fail_msg("waits are not as they should be in:\n%s", text);
    free(text);
}

static const char *digest(fixture_t *f, const char *topic)
{
    char path[64];
    snprintf(path, sizeof path, "digests.%s", topic);
    return json_string_value(at(f, path));
}

static void digests_are_told_in_hex_and_those_of_strategies_joined_in_their_order(void **state)
{
    fixture_t *f = *state;
    uint32_t first, second;
    char joined[17];
    trade_with_two(f, &first, &second);
    assert_string_equal(digest(f, "orders"), "0000000000000000");
    json_decref(f->summary);
    f->summary = NULL;
    count(f, first, "digest.orders", 0x123);
    count(f, second, "digest.orders", INT64_MIN);
    count(f, 1, "digest.approved", -1);
    count(f, 2, "digest.reports", 0xfedcba987654321);
    f->run.state = "ended";
    snprintf(joined, sizeof joined, "%016llx",
             (unsigned long long)digest_join(digest_join(0, 0x123), UINT64_C(1) << 63));
    assert_string_equal(digest(f, "orders"), joined);
    assert_string_equal(digest(f, "approved"), "ffffffffffffffff");
    assert_string_equal(digest(f, "reports"), "0fedcba987654321");
    assert_string_equal(digest(f, "bbo"), "0000000000000000");
    char *text = print(f);
    if (!strstr(text, "approved ffffffffffffffff,\n             reports 0fedcba987654321, bbo "))
        fail_msg("digests are not as they should be in:\n%s", text);
    free(text);
}

/* They change with every message until then. */
static void digests_are_no_news_for_people_while_a_run_goes_on(void **state)
{
    fixture_t *f = *state;
    count(f, 1, "digest.approved", -1);
    char *text = print(f);
    assert_null(strstr(text, "digest"));
    assert_null(strstr(text, "ffffffffffffffff"));
    free(text);
}

static void the_way_to_the_venue_is_told_as_it_was_configured(void **state)
{
    fixture_t *f = *state;
    session_values_t values = {.clock = SESSION_CLOCK_HOST,
                               .entry = "uniform(20us,80us)",
                               .cancel = "1ns",
                               .response = "2ms",
                               .seed = 42};
    assert_true(json_is_null(at(f, "venue")));
    json_decref(f->summary);
    f->summary = NULL;
    f->run.venue = &values;
    assert_string_equal(json_string_value(at(f, "venue.clock")), "host");
    assert_string_equal(json_string_value(at(f, "venue.latency.entry")), "uniform(20us,80us)");
    assert_string_equal(json_string_value(at(f, "venue.latency.cancel")), "1ns");
    assert_string_equal(json_string_value(at(f, "venue.latency.response")), "2ms");
    assert_number(f, "venue.seed", 42);
    values.clock = SESSION_CLOCK_MARKET;
    json_decref(f->summary);
    f->summary = NULL;
    assert_string_equal(json_string_value(at(f, "venue.clock")), "market");
}

static void the_table_of_latencies_fits_a_terminal(void **state)
{
    static const char *const names[] = {"tick_to_order", "tick_to_requote", "tick_to_cancel",
                                        "tick_to_report", "wait_horizon"};
    fixture_t *f = *state;
    count(f, 1, "feed.messages", 1000000000);
    count(f, 1, "wait_horizon.ticks", 1000000000);
    f->run.state = "ended";
    for (unsigned i = 0; i < 5; i++) {
        tbus_histogram_t *h = tbus_bus_histogram(&f->bus, names[i]);
        tbus_histogram_record(h, UINT64_C(281474976710655));
        tbus_store_relaxed_u64(&h->count, 1000000000);
    }
    char *text = print(f);
    unsigned rows = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        rows += strstr(line, " 1,000,000,000") && !strstr(line, "messages");
        if (strlen(line) > 80)
            fail_msg("%zu characters: %s", strlen(line), line);
    }
    assert_int_equal(rows, 5);
    free(text);
}

static void what_is_not_taken_is_behind_while_it_runs_and_lost_when_it_has_ended(void **state)
{
    fixture_t *f = *state;
    tbus_publisher_t out;
    tbus_subscriber_t risk;
    size_t bytes;
    assert_int_equal(tbus_publisher_join(&f->bus.rings[0], 1, &out, NULL), 0);
    assert_int_equal(tbus_subscriber_join(&f->bus.rings[0], "risk", 2, &risk, NULL), 0);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(tbus_publish_try(&out, &i, sizeof i), TBUS_PUBLISHED);
    for (unsigned i = 0; i < 3; i++) {
        assert_non_null(tbus_peek(&risk, &bytes));
        tbus_advance(&risk);
    }
    tbus_subscriber_leave(&risk);
    for (int ended = 0; ended < 2; ended++) {
        assert_number(f, "topics.orders.published", 5);
        for (unsigned i = 0; i < 2; i++) {
            char path[64];
            snprintf(path, sizeof path, "topics.orders.subscribers.%u.name", i);
            bool is_risk = strcmp(json_string_value(at(f, path)), "risk") == 0;
            snprintf(path, sizeof path, "topics.orders.subscribers.%u.consumed", i);
            assert_number(f, path, is_risk ? 3 : 0);
            snprintf(path, sizeof path, "topics.orders.subscribers.%u.%s", i,
                     ended ? "lost" : "lag");
            assert_number(f, path, is_risk ? 2 : 5);
            snprintf(path, sizeof path, "topics.orders.subscribers.%u.%s", i,
                     ended ? "lag" : "lost");
            assert_number(f, path, 0);
        }
        json_decref(f->summary);
        f->summary = NULL;
        f->run.state = "ended";
    }
}

static void what_is_left_out_since_nobody_can_read_it_is_told(void **state)
{
    fixture_t *f = *state;
    tbus_ring_spec_t spec = {
        .name = "bbo", .kind = TBUS_BROADCAST, .slot_bytes = 64, .slot_count = 64, .first_seq = 1};
    int index = tbus_bus_add_topic(&f->bus, &spec, "bbo", TBUS_PAGES_SMALL, -1, NULL);
    assert_int_equal(index, 1);
    for (int left_out = 0; left_out < 2; left_out++) {
        tbus_store_relaxed_u32(&f->bus.directory->topics[index].left_out, (uint32_t)left_out);
        assert_int_equal(json_is_true(at(f, "topics.bbo.left_out")), left_out);
        assert_true(json_is_false(at(f, "topics.orders.left_out")));
        char *text = print(f);
        assert_int_equal(strstr(text, "nobody: left out") != NULL, left_out);
        free(text);
        json_decref(f->summary);
        f->summary = NULL;
    }
}

static void processes_stages_and_errors_are_told(void **state)
{
    fixture_t *f = *state;
    tbus_participant_t *p = tbus_participant(&f->bus, 2);
    p->pid = 4711;
    p->cpu = 6;
    p->process = 1;
    tbus_store_relaxed_u64(&p->parks, 9);
    tbus_store_relaxed_u32(&p->state, TBUS_FAIL);
    snprintf(p->reason, sizeof p->reason, "cannot open /tmp/\xff\xfe: \"gone\"");
    summary_add_error(&f->run, "stage 'executor' failed: cannot open /tmp/\xff\xfe: \"gone\"");
    summary_add_note(&f->run, "half of it is missing");
    assert_string_equal(json_string_value(at(f, "layout")), "fused");
    assert_string_equal(json_string_value(at(f, "processes.1.stages.2")), "executor");
    assert_number(f, "processes.1.pid", 4711);
    assert_number(f, "processes.1.cpu", 6);
    assert_number(f, "processes.1.parks", 9);
    assert_string_equal(json_string_value(at(f, "processes.1.wait")), "spin");
    assert_string_equal(json_string_value(at(f, "stages.1.state")), "fail");
    assert_string_equal(json_string_value(at(f, "stages.1.reason")),
                        "cannot open /tmp/??: \"gone\"");
    assert_string_equal(json_string_value(at(f, "errors.0")),
                        "stage 'executor' failed: cannot open /tmp/??: \"gone\"");
    assert_string_equal(json_string_value(at(f, "notes.0")), "half of it is missing");
    assert_string_equal(json_string_value(at(f, "pages.orders")), "4K");
    assert_true(json_is_null(at(f, "journal")));
    for (unsigned i = 0; i < 2 * SUMMARY_ERRORS_MAX; i++)
        summary_add_error(&f->run, "another");
    for (unsigned i = 0; i < 2 * SUMMARY_NOTES_MAX; i++)
        summary_add_note(&f->run, "another");
    assert_int_equal(f->run.errors_count, SUMMARY_ERRORS_MAX);
    assert_int_equal(f->run.notes_count, SUMMARY_NOTES_MAX);
}

static void a_process_that_stands_still_is_told_with_what_waits_for_it(void **state)
{
    fixture_t *f = *state;
    tbus_publisher_t feed, executor;
    tbus_subscriber_t risk;
    assert_int_equal(tbus_publisher_join(&f->bus.rings[0], 1, &feed, NULL), 0);
    assert_int_equal(tbus_publisher_join(&f->bus.rings[0], 2, &executor, NULL), 0);
    assert_int_equal(tbus_subscriber_join(&f->bus.rings[0], "risk", 2, &risk, NULL), 0);
    tbus_participant(&f->bus, 2)->process = 1;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(tbus_publish_try(&feed, &i, sizeof i), TBUS_PUBLISHED);
    assert_non_null(tbus_claim_try(&executor));
    f->run.stalls[1] = (summary_stall_t){STALL_STOPPED, tbus_clock_ns() - UINT64_C(2500000000)};
    assert_true(json_is_null(at(f, "processes.0.stalled")));
    assert_string_equal(json_string_value(at(f, "processes.1.stalled.how")), "stopped");
    assert_true(json_real_value(at(f, "processes.1.stalled.for_s")) >= 2.5);
    assert_string_equal(json_string_value(at(f, "processes.1.stalled.holds_up.0.topic")), "orders");
    assert_string_equal(json_string_value(at(f, "processes.1.stalled.holds_up.0.subscriber")),
                        "risk");
    assert_number(f, "processes.1.stalled.holds_up.0.behind", 4);
    assert_number(f, "processes.1.stalled.holds_up.1.claimed", 1);
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    summary_print(f->summary, out);
    fclose(out);
    if (!strstr(text, "  STALLED    [strategy risk executor] stopped for 2.5") ||
        !strstr(text, ":\n             orders 4 behind, orders 1 claimed\n"))
        fail_msg("STALLED is not as it should be in:\n%s", text);
    free(text);

    /* What it publishes and takes is nobody else's fault. */
    backlog_t held[BACKLOG_MAX];
    assert_int_equal(backlog_held_by(&f->bus, 0, held), 0);
    tbus_commit(&executor, 4);
    assert_int_equal(backlog_held_by(&f->bus, 1, held), 1);
    tbus_subscriber_leave(&risk);
    assert_int_equal(backlog_held_by(&f->bus, 1, held), 0);
}

/* Stages of one process stand still together, and each of them reads md. */
static void a_topic_is_told_once_with_whoever_is_furthest_behind(void **state)
{
    (void)state;
    static const backlog_t held[] = {
        {"md", "strategy", 5100}, {"md", "risk", 5123},  {"md", "", 2},
        {"md", "executor", 5123}, {"orders", "risk", 1}, {"reports", "", 1}};
    char text[300];
    backlog_text(held, 6, text, sizeof text);
    assert_string_equal(text, "md 5,123 behind, md 2 claimed, orders 1 behind, reports 1 claimed");
    backlog_text(held, 0, text, sizeof text);
    assert_string_equal(text, "nothing yet");
}

static void a_duration_has_no_more_digits_than_it_means(void **state)
{
    fixture_t *f = *state;
    /* its nearest double prints as 12345.678900999999 */
    f->run.duration_ns = UINT64_C(12345678901234);
    (void)at(f, "name");
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    assert_int_equal(summary_print_json(f->summary, out), 0);
    fclose(out);
    if (!strstr(text, "\"duration_s\": 12345.678901,"))
        fail_msg("%s", text);
    free(text);
    out = fopen("/dev/full", "we");
    setvbuf(out, NULL, _IONBF, 0);
    assert_int_equal(summary_print_json(f->summary, out), -1);
    fclose(out);
}

static void people_get_numbers_that_they_can_read(void **state)
{
    fixture_t *f = *state;
    count(f, 1, "feed.messages", 1234567);
    count(f, 1, "feed.by_type.D", 3);
    count(f, 1, "feed.by_type.A", 4000);
    count(f, 2, "executor.executions", 1);
    count(f, 2, "position.AAPL", -1300);
    count(f, 2, "position.MSFT", 0);
    count(f, 2, "pnl.realised_e4", -123456789);
    count(f, 2, "orders.sent", 12);
    count(f, 2, "risk.report_mismatches", 7);
    summary_add_note(&f->run, "half of it is missing");
    tbus_histogram_t *h = tbus_bus_histogram(&f->bus, "tick_to_order");
    tbus_histogram_record(h, 31);
    tbus_histogram_record(h, 2000000);
    (void)at(f, "name");
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    summary_print(f->summary, out);
    fclose(out);
    static const char *const parts[] = {
        "bus 'sum', running for 2.50 s",
        "1,234,567 messages, 0 bytes, 493,826 messages/s\n             from synth at max\n",
        "A 4,000, D 3",
        "positions  AAPL -1,300\n",
        "-12,345.68 realised",
        "31 ns",
        "2.00 ms",
        "[feed] spin",
        "7 reports did not fit the order",
        "notes      half of it is missing\n",
        "at pace max"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!strstr(text, parts[i]))
            fail_msg("\"%s\" is not in:\n%s", parts[i], text);
    free(text);

    out = open_memstream(&text, &bytes); /* an answer that is not a summary at all */
    json_t *empty = json_object();
    summary_print(empty, out);
    json_decref(empty);
    fclose(out);
    assert_true(bytes > 0);
    free(text);
}

static void
counters_that_found_no_room_are_told_and_nothing_is_said_when_there_are_none(void **state)
{
    fixture_t *f = *state;
    for (int refused = 0; refused < 2; refused++) {
        if (refused) {
            (void)tbus_counter(&f->bus, 1, "", "things");
            (void)tbus_counter(&f->bus, 1, "x", "a unit that is far too long");
            (void)tbus_bus_histogram(&f->bus, "a name that is longer than names may be");
            json_decref(f->summary);
            f->summary = NULL;
        }
        assert_int_equal(json_integer_value(at(f, "counters_refused")), 2 * refused);
        assert_int_equal(json_integer_value(at(f, "histograms_refused")), refused);
        char *text = NULL;
        size_t bytes;
        FILE *out = open_memstream(&text, &bytes);
        summary_print(f->summary, out);
        fclose(out);
        assert_int_equal(strstr(text, "refused    2 counters, whose") != NULL, refused);
        assert_int_equal(strstr(text, "1 histograms, whose") != NULL, refused);
        free(text);
    }
}

static void what_is_printed_of_the_profit_adds_up_and_nothing_has_no_sign(void **state)
{
    fixture_t *f = *state;
    count(f, 2, "executor.executions", 1);
    count(f, 2, "pnl.realised_e4", -1049); /* -0.10, and the sum of both would be -0.20 */
    count(f, 2, "pnl.unrealised_e4", -949);
    (void)at(f, "name");
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    summary_print(f->summary, out);
    json_object_set_new(json_object_get(f->summary, "pnl_e4"), "realised", json_integer(-49));
    json_object_set_new(json_object_get(f->summary, "pnl_e4"), "unrealised", json_integer(0));
    summary_print(f->summary, out);
    fclose(out);
    if (!strstr(text, "profit     -0.19: -0.10 realised, -0.09 unrealised\n") ||
        !strstr(text, "profit     0.00: 0.00 realised, 0.00 unrealised\n"))
        fail_msg("%s", text);
    free(text);
}

static void a_long_list_goes_on_in_the_next_line(void **state)
{
    fixture_t *f = *state;
    for (char type = 'A'; type <= 'Z'; type++) {
        char name[] = "feed.by_type.?";
        name[sizeof name - 2] = type;
        count(f, 1, name, 1234567);
    }
    summary_add_note(&f->run, "a sentence of which nobody knows how long it may get, as it is made "
                              "by whoever has something to tell");
    (void)at(f, "name");
    json_object_set_new(f->summary, "machine",
                        json_pack("{s:b, s:f, s:i, s:f}", "busy", 1, "steal_share", 0.999,
                                  "involuntary_switches", 987654321, "load", 123.4));
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    summary_print(f->summary, out);
    fclose(out);
    unsigned types = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        bool list = strncmp(line, "             ", 13) == 0;
        for (const char *number = line; list && (number = strstr(number, " 1,234,567")) != NULL;
             number++)
            types++;
        if (strlen(line) > 80)
            fail_msg("%zu characters: %s", strlen(line), line);
    }
    assert_int_equal(types, 26);
    free(text);
}

/* Every stage can write to the directory. */
static void a_directory_that_a_stage_scribbled_over_is_not_read_beyond_its_ends(void **state)
{
    fixture_t *f = *state;
    tbus_directory_t *d = f->bus.directory;
    d->topics_count = UINT32_MAX;
    memset(d->counters[0].name, 'c', sizeof d->counters[0].name);
    memset(d->counters[0].unit, 'u', sizeof d->counters[0].unit);
    memset(d->participants[0].name, 'n', sizeof d->participants[0].name);
    memset(d->participants[0].reason, 'r', sizeof d->participants[0].reason);
    memset(f->bus.rings[0].shared->subs[0].name, 's', TBUS_NAME_MAX);
    assert_int_equal(json_object_size(at(f, "topics")), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(counters_find_their_places_and_add_up_over_their_owners),
        TEST(a_directory_that_a_stage_scribbled_over_is_not_read_beyond_its_ends),
        TEST(symbols_add_up_over_strategies_that_value_them_alike),
        TEST(people_see_net_profit_and_what_is_valued_by_no_quote),
        TEST(latencies_are_those_of_the_histograms),
        TEST(latencies_are_those_of_all_strategies_together),
        TEST(of_waits_for_the_venue_their_share_of_all_ticks_is_told),
        TEST(the_table_of_latencies_fits_a_terminal),
        TEST(digests_are_told_in_hex_and_those_of_strategies_joined_in_their_order),
        TEST(digests_are_no_news_for_people_while_a_run_goes_on),
        TEST(the_way_to_the_venue_is_told_as_it_was_configured),
        TEST(what_is_not_taken_is_behind_while_it_runs_and_lost_when_it_has_ended),
        TEST(what_is_left_out_since_nobody_can_read_it_is_told),
        TEST(processes_stages_and_errors_are_told),
        TEST(a_process_that_stands_still_is_told_with_what_waits_for_it),
        TEST(a_topic_is_told_once_with_whoever_is_furthest_behind),
        TEST(a_duration_has_no_more_digits_than_it_means),
        TEST(people_get_numbers_that_they_can_read),
        TEST(counters_that_found_no_room_are_told_and_nothing_is_said_when_there_are_none),
        TEST(a_long_list_goes_on_in_the_next_line),
        TEST(what_is_printed_of_the_profit_adds_up_and_nothing_has_no_sign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
