/* SPDX-License-Identifier: Apache-2.0 */
/* Every kind of message in every form that people and programs see: as words, as JSON and as CSV,
 * byte for byte as tests/golden/messages.* has it. Scripts of users read these forms.
 *
 * TICKBUS_GOLDEN=write writes the files instead of comparing, for a change that is meant.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tickbus/msg/bbo.h>
#include <tickbus/msg/event.h>
#include <tickbus/msg/order.h>
#include <tickbus/msg/report.h>
#include "feedsim/itch/itch.h"
#include "tests/support/golden.h"
#include "tools/show/message_csv.h"
#include "tools/show/message_text.h"

/* One message of a topic, in the form that a test is about. */
typedef void (*printer_t)(FILE *out, const char *type, uint64_t seq, const void *message,
                          size_t bytes);

/* Of the orders' locate the symbol is known, of the reports' not. */
static symbols_t *symbols;

static int know_one_symbol(void **state)
{
    (void)state;
    bbo_t bbo = {.intended = tick_pack(0, 13), .symbol = {'A', '"', ',', '\\', 'x', 1, ' ', ' '}};
    symbols = symbols_create();
    if (symbols)
        symbols_learn(symbols, "bbo", 1, &bbo, sizeof bbo);
    return symbols ? 0 : -1;
}

static int forget_it(void **state)
{
    (void)state;
    symbols_destroy(symbols);
    return 0;
}

static void put_words(FILE *out, const char *type, uint64_t seq, const void *message, size_t bytes)
{
    message_text_words(out, type, seq, message, bytes, symbols);
}

static void put_json(FILE *out, const char *type, uint64_t seq, const void *message, size_t bytes)
{
    message_text_json(out, type, seq, message, bytes, symbols);
}

static void put_csv(FILE *out, const char *type, uint64_t seq, const void *message, size_t bytes)
{
    assert_true(message_csv_row(out, type, seq, message, bytes, false, symbols));
}

static void put_stamped_csv(FILE *out, const char *type, uint64_t seq, const void *message,
                            size_t bytes)
{
    assert_true(message_csv_row(out, type, seq, message, bytes, true, symbols));
}

/* `mixed`: any byte value, as a broken or hostile source may send; else printable ones. */
static void put_tick(FILE *out, printer_t put, uint8_t type, size_t message_bytes, bool mixed)
{
    uint8_t message[256];
    for (size_t i = 0; i < message_bytes; i++)
        message[i] = (uint8_t)(mixed ? i * 37 + type * 11u : 'A' + (i * 7 + type) % 26);
    message[0] = type;
    tick_t *tick = aligned_alloc(8, 512);
    size_t bytes;
    assert_int_equal(itch_decode(message, message_bytes, tick, &bytes), 0);
    tick->intended |= mixed ? 123456789 : 0;
    put(out, "tick", type, tick, bytes);
    free(tick);
}

static void put_ticks(FILE *out, printer_t put)
{
    static const uint8_t types[] = {
#define X(type, letter, bytes, what, name) letter,
        ITCH_TYPES(X)
#undef X
    };
    for (size_t i = 0; i < sizeof types; i++) {
        put_tick(out, put, types[i], itch_length(types[i]), false);
        put_tick(out, put, types[i], itch_length(types[i]), true);
    }
    put_tick(out, put, 'z', 30,
             false); /* unknown types: short, longer than a tick, a header alone, a runt */
    put_tick(out, put, 'z', 120, true);
    put_tick(out, put, 0x9c, 11, true);
    put_tick(out, put, 'z', 5, false);
    tick_t mark;
    size_t bytes;
    itch_end_mark(UINT64_C(57600000000123), &mark, &bytes);
    put(out, "tick", 99, &mark, bytes);
}

static void put_bbos(FILE *out, printer_t put)
{
    bbo_t bbo = {.md_seq = 56,
                 .event = tick_pack(UINT64_C(34200000000123), 9),
                 .intended = tick_pack(77, 13),
                 .bid_px_e4 = 3208000,
                 .bid_qty = 300};
    memcpy(bbo.symbol, "AAPL    ", 8);
    put(out, "bbo", 1, &bbo, sizeof bbo);
    bbo.ask_px_e4 = UINT32_MAX;
    bbo.ask_qty = UINT64_C(10000000000);
    memcpy(bbo.symbol, "A\"B,C\n  ", 8);
    put(out, "bbo", 2, &bbo, sizeof bbo);
}

static void put_orders(FILE *out, printer_t put)
{
    for (unsigned kind = 0; kind <= ORDER_REPLACE + 1; kind++)
        for (unsigned tif = 0; tif <= ORDER_TIF_IOC + 1; tif++) {
            order_t order = {.order_id = ORDER_ID(2, 100 + kind),
                             .md_seq = 1001,
                             .report_seq = 7,
                             .locate = 13,
                             .intended = 5000,
                             .sent = 6000,
                             .at = 7000,
                             .replaces = 3,
                             .flags = ORDER_POST_ONLY,
                             .reason = kind == ORDER_CANCEL ? REASON_HALTED : REASON_NONE,
                             .px_e4 = 15001,
                             .qty = 10,
                             .kind = (uint8_t)kind,
                             .side = "BS?"[tif],
                             .tif = (uint8_t)tif};
            put(out, "order", 3 * kind + tif + 1, &order, sizeof order);
        }
}

static void put_reports(FILE *out, printer_t put)
{
    for (unsigned kind = 0; kind <= REPORT_CANCEL_REJECTED + 1; kind++)
        for (unsigned reason = 0; reason <= REASON_COUNT; reason++) {
            report_t report = {.order_id = ORDER_ID(1, reason),
                               .md_seq = 31,
                               .locate = 33,
                               .sent = 34,
                               .seen = 35,
                               .flags = REPORT_ANSWER,
                               .fee_e4 = -36,
                               .exec_id = kind,
                               .px_e4 = 12345,
                               .qty = 50,
                               .leaves = reason,
                               .kind = (uint8_t)kind,
                               .reason = (uint8_t)reason,
                               .side = reason % 2 ? 'B' : 'S',
                               .liquidity = "AR\0"[kind % 3]};
            put(out, "report", kind * 100 + reason, &report, sizeof report);
        }
}

static void put_events(FILE *out, printer_t put)
{
    static const char *const texts[] = {"",
                                        ("prices look \"wrong\", \xc3\xbc"
                                         "berall"),
                                        "\x1b[2J \xff\xc2\x85 end"};
    for (unsigned kind = 0; kind <= EVENT_END + 1; kind++)
        for (unsigned from = 0; from <= EVENT_FROM_STRATEGY + 1; from++) {
            event_message_t *message = aligned_alloc(8, 512);
            message->event = (event_t){.time_ns = from ? UINT64_C(1700000000123456789) : 0,
                                       .sent_ns = 34,
                                       .position = 12,
                                       .md_seq = 31,
                                       .market_ns = UINT64_C(34200000000123),
                                       .uid = 1000,
                                       .pid = 4711,
                                       .number = kind,
                                       .kind = (uint8_t)kind,
                                       .from = (uint8_t)from,
                                       .by = (uint8_t)((kind + from) % 6)};
            const char *text = texts[(kind + from) % 3];
            size_t bytes = event_put_text(message, &text);
            message->event.more = from == EVENT_FROM_STAGE;
            put(out, "event", kind * 100 + from, message, bytes);
            free(message);
        }
}

static void put_columns(FILE *out, const char *type, bool stamps)
{
    fprintf(out, "%s\n", message_csv_columns(type, stamps));
}

static void check_all(const char *name, printer_t put)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    put_ticks(out, put);
    put_bbos(out, put);
    put_orders(out, put);
    put_reports(out, put);
    put_events(out, put);
    fclose(out);
    golden_compare(name, text, bytes);
    free(text);
}

static void every_message_in_words_is_as_it_always_was(void **state)
{
    (void)state;
    check_all("messages.txt", put_words);
}

static void every_message_as_json_is_as_it_always_was(void **state)
{
    (void)state;
    check_all("messages.jsonl", put_json);
}

static void every_message_as_csv_is_as_it_always_was(void **state)
{
    (void)state;
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    for (int stamps = 0; stamps < 2; stamps++) {
        printer_t put = stamps ? put_stamped_csv : put_csv;
        put_columns(out, "tick", stamps);
        put_ticks(out, put);
        put_columns(out, "bbo", stamps);
        put_bbos(out, put);
        put_columns(out, "order", stamps);
        put_orders(out, put);
        put_columns(out, "report", stamps);
        put_reports(out, put);
        put_columns(out, "event", stamps);
        put_events(out, put);
    }
    fclose(out);
    golden_compare("messages.csv", text, bytes);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_in_words_is_as_it_always_was),
        cmocka_unit_test(every_message_as_json_is_as_it_always_was),
        cmocka_unit_test(every_message_as_csv_is_as_it_always_was),
    };
    return cmocka_run_group_tests(tests, know_one_symbol, forget_it);
}
