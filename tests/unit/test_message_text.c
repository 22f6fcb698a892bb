/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include <tickbus/msg/bbo.h>
#include <tickbus/msg/order.h>
#include <tickbus/msg/report.h>
#include "feedsim/itch/itch.h"
#include "tests/market_data.h"
#include "tools/show/line.h"
#include "tools/show/message_text.h"

typedef void (*printer_t)(FILE *out, const char *type, uint64_t seq, const void *message,
                          size_t bytes, const symbols_t *symbols);

/* NULL: nothing is known of any. */
static symbols_t *symbols;

static char *printed(printer_t print, const char *type, uint64_t seq, const void *message,
                     size_t bytes)
{
    char *text = NULL;
    size_t text_bytes = 0;
    FILE *out = open_memstream(&text, &text_bytes);
    print(out, type, seq, message, bytes, symbols);
    fclose(out);
    return text;
}

static json_t *parsed(const char *type, uint64_t seq, const void *message, size_t bytes)
{
    char *text = printed(message_text_json, type, seq, message, bytes);
    assert_int_equal(text[strlen(text) - 1], '\n');
    json_error_t error;
    json_t *object = json_loads(text, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (object == NULL)
        fail_msg("%s: %s", error.text, text);
    free(text);
    return object;
}

static int64_t number(json_t *object, const char *name)
{
    json_t *value = json_object_get(object, name);
    assert_non_null(value);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static const char *string(json_t *object, const char *name)
{
    json_t *value = json_object_get(object, name);
    assert_non_null(value);
    return json_string_value(value);
}

static tick_t add_order(void)
{
    tick_t tick = {0};
    tick.event = tick_pack(UINT64_C(34200000000001), 7);
    tick.intended = tick_pack(55, 13);
    tick.type = 'A';
    tick.side = 'B';
    tick.qty = 300;
    tick.order_ref = 17;
    tick.px_e4 = 3208000;
    memcpy(tick.symbol, "AAPL    ", 8);
    return tick;
}

static void an_add_order_as_json_has_its_fields_and_no_others(void **state)
{
    (void)state;
    tick_t tick = add_order();
    json_t *object = parsed("tick", 56, &tick, sizeof tick);
    assert_int_equal(number(object, "seq"), 56);
    assert_string_equal(string(object, "type"), "A");
    assert_int_equal(number(object, "locate"), 13);
    assert_int_equal(number(object, "tracking"), 7);
    assert_int_equal(number(object, "ts_event_ns"), INT64_C(34200000000001));
    assert_int_equal(number(object, "intended_ns"), 55);
    assert_int_equal(number(object, "order_ref"), 17);
    assert_string_equal(string(object, "side"), "B");
    assert_int_equal(number(object, "qty"), 300);
    assert_string_equal(string(object, "symbol"), "AAPL");
    assert_int_equal(number(object, "px_e4"), 3208000);
    assert_int_equal(json_object_size(object), 11);
    json_decref(object);
}

static void an_add_order_in_words_reads_like_a_blotter(void **state)
{
    (void)state;
    tick_t tick = add_order();
    char *text = printed(message_text_words, "tick", 56, &tick, sizeof tick);
    assert_string_equal(text, "56 09:30:00.000000001 A AAPL buy 300 @ 320.8000 ref 17\n");
    free(text);
}

static void an_administrative_message_shows_its_fields(void **state)
{
    (void)state;
    uint8_t message[25] = "H\0\15\0\0\0\0\0\0\0\0AAPL    T AAAA";
    tick_t tick;
    size_t bytes = 0;
    assert_int_equal(itch_decode(message, sizeof message, &tick, &bytes), 0);
    json_t *object = parsed("tick", 2, &tick, bytes);
    assert_string_equal(string(object, "type"), "H");
    assert_string_equal(string(object, "symbol"), "AAPL");
    assert_string_equal(string(object, "trading_state"), "T");
    assert_string_equal(string(object, "reserved"), "");
    assert_string_equal(string(object, "reason"), "AAAA");
    assert_null(json_object_get(object, "body"));
    json_decref(object);
    char *text = printed(message_text_words, "tick", 2, &tick, bytes);
    assert_string_equal(text,
                        "2 00:00:00.000000000 H AAPL trading_state T reserved - reason AAAA\n");
    free(text);
}

/* The hand-made vectors: each administrative message, and what its fields are. */
static void administrative_fields_are_those_of_the_vectors(void **state)
{
    (void)state;
    char path[MARKET_DATA_PATH_MAX];
    if (!market_data_path("vectors/itch50.json", path))
        skip();
    json_t *vectors = json_load_file(path, 0, NULL), *vector;
    assert_non_null(vectors);
    size_t index;
    unsigned compared = 0;
    json_array_foreach(vectors, index, vector)
    {
        uint8_t message[64];
        const char *hex = string(vector, "hex");
        size_t message_bytes = strlen(hex) / 2, bytes;
        for (size_t i = 0; i < message_bytes; i++)
            assert_int_equal(sscanf(hex + 2 * i, "%2hhx", &message[i]), 1);
        tick_t tick;
        unsigned count;
        assert_int_equal(itch_decode(message, message_bytes, &tick, &bytes), 0);
        const itch_field_t *field = itch_fields(tick.type, &count);
        json_t *object = parsed("tick", 1, &tick, bytes), *expected;
        const char *name;
        unsigned place = 0;
        json_object_foreach(json_object_get(vector, "fields"), name, expected)
        {
            if (place++ < 4 || !field->verbatim) /* the header's, or fields of the tick itself */
                continue;
            const json_t *shown = json_object_get(object, field->name);
            if (field->kind == ITCH_FIELD_NUMBER)
                assert_int_equal(json_integer_value(shown), json_integer_value(expected));
            else
                assert_memory_equal(json_string_value(shown), json_string_value(expected),
                                    json_string_length(shown));
            field++;
            compared++;
        }
        json_decref(object);
    }
    assert_int_equal(compared, 61);
    json_decref(vectors);
}

static void an_unknown_message_longer_than_a_tick_shows_all_its_bytes(void **state)
{
    (void)state;
    static uint8_t message[400] = "z";
    memset(message + TICK_ITCH_HEADER, 0xab, sizeof message - TICK_ITCH_HEADER);
    tick_t *tick = aligned_alloc(8, TICK_LEN_MAX);
    size_t bytes = 0;
    assert_int_equal(itch_decode(message, sizeof message, tick, &bytes), 0);
    json_t *object = parsed("tick", 3, tick, bytes);
    const char *body = string(object, "body");
    assert_int_equal(strlen(body), 2 * (sizeof message - TICK_ITCH_HEADER));
    assert_int_equal(strspn(body, "ab"), strlen(body));
    json_decref(object);
    free(tick);
}

static void every_itch_type_prints_as_valid_json(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        uint8_t message[64];
        memset(message, 0x7f, sizeof message); /* jansson holds 63-bit integers */
        message[0] = (uint8_t)type;
        size_t message_bytes = itch_length((uint8_t)type) ? itch_length((uint8_t)type) : 30;
        tick_t tick;
        size_t bytes = 0;
        assert_int_equal(itch_decode(message, message_bytes, &tick, &bytes), 0);
        json_decref(parsed("tick", type, &tick, bytes));
        free(printed(message_text_words, "tick", type, &tick, bytes));
    }
}

static void an_end_mark_is_called_end(void **state)
{
    (void)state;
    tick_t tick;
    size_t bytes = 0;
    itch_end_mark(UINT64_C(57600000000000), &tick, &bytes);
    json_t *object = parsed("tick", 9, &tick, bytes);
    assert_string_equal(string(object, "type"), "end");
    json_decref(object);
    char *text = printed(message_text_words, "tick", 9, &tick, bytes);
    assert_string_equal(text, "9 16:00:00.000000000 end of session\n");
    free(text);
}

static void a_gap_says_what_is_lost(void **state)
{
    (void)state;
    tick_t tick;
    tick_gap_put(&tick, UINT64_C(57600000000000),
                 &(tick_gap_t){.from = 8, .to = 1011, .policy = TICK_GAP_WARN});
    json_t *object = parsed("tick", 9, &tick, TICK_GAP_BYTES);
    assert_string_equal(string(object, "type"), "gap");
    assert_int_equal(json_integer_value(json_object_get(object, "from")), 8);
    assert_int_equal(json_integer_value(json_object_get(object, "to")), 1011);
    assert_string_equal(string(object, "policy"), "warn");
    json_decref(object);
    char *text = printed(message_text_words, "tick", 9, &tick, TICK_GAP_BYTES);
    assert_string_equal(text, "9 16:00:00.000000000 gap LOST from 8 to 1011\n");
    free(text);
}

static void bbo_order_and_report_print_their_fields(void **state)
{
    (void)state;
    bbo_t bbo = {.md_seq = 56,
                 .event = tick_pack(5, 0),
                 .intended = tick_pack(6, 13),
                 .bid_px_e4 = 10000,
                 .bid_qty = UINT64_C(5000000000),
                 .symbol = {'A', ' ', ' ', ' ', ' ', ' ', ' ', ' '}};
    json_t *object = parsed("bbo", 1, &bbo, sizeof bbo);
    assert_int_equal(number(object, "md_seq"), 56);
    assert_int_equal(number(object, "bid_qty"), INT64_C(5000000000));
    assert_int_equal(number(object, "ask_px_e4"), 0);
    assert_string_equal(string(object, "symbol"), "A");
    json_decref(object);

    order_t order = {.order_id = ORDER_ID(2, 3),
                     .locate = 13,
                     .px_e4 = 15001,
                     .qty = 10,
                     .kind = ORDER_NEW,
                     .side = 'S',
                     .tif = ORDER_TIF_IOC};
    object = parsed("order", 1, &order, sizeof order);
    assert_string_equal(string(object, "kind"), "new");
    assert_string_equal(string(object, "tif"), "ioc");
    assert_int_equal(number(object, "strategy"), 2);
    json_decref(object);
    char *text = printed(message_text_words, "order", 1, &order, sizeof order);
    assert_string_equal(
        text, "1 new order 562949953421315 locate 13 sell 10 @ 1.5001 ioc md 0 report 0\n");
    free(text);

    report_t report = {.order_id = ORDER_ID(2, 3),
                       .px_e4 = 15001,
                       .qty = 10,
                       .side = 'S',
                       .kind = REPORT_REJECTED,
                       .reason = REASON_PRICE_COLLAR};
    object = parsed("report", 4, &report, sizeof report);
    assert_string_equal(string(object, "kind"), "rejected");
    assert_string_equal(string(object, "reason"), "price_collar");
    json_decref(object);
}

static const char *symbol_of_order(uint16_t locate, json_t **out_object)
{
    order_t order = {.order_id = ORDER_ID(1, 1), .locate = locate};
    *out_object = parsed("order", 1, &order, sizeof order);
    assert_non_null(json_object_get(*out_object, "symbol"));
    return json_string_value(json_object_get(*out_object, "symbol"));
}

/* "SYMBOL" of a report of that locate, made at that tick. */
static void expect_symbol(uint16_t locate, uint64_t md_seq, const char *symbol)
{
    report_t report = {.locate = locate, .md_seq = md_seq, .kind = REPORT_ACCEPTED, .side = 'B'};
    char *text = printed(message_text_words, "report", 1, &report, sizeof report);
    if (!strstr(text, symbol))
        fail_msg("no %s in %s", symbol, text);
    free(text);
}

static void learn_name(uint64_t seq, uint8_t type, const char *name)
{
    tick_t tick = {.type = type, .intended = tick_pack(0, 3)};
    memcpy(type == 'A' || type == 'P' ? tick.symbol : (char *)tick.body, name, 8);
    symbols_learn(symbols, "tick", seq, &tick, sizeof tick);
}

/* Locates are assigned anew each day, and a report may be read long after the day that it is of. */
static void a_locate_stands_for_what_it_was_on_the_day_of_the_message(void **state)
{
    (void)state;
    tick_t begins = {.type = 'S', .body = {'O'}};
    symbols = symbols_create();
    assert_non_null(symbols);
    symbols_learn(symbols, "tick", 1, &begins, sizeof begins);
    learn_name(2, 'P', "OTHER   "); /* says nothing of the directory */
    learn_name(3, 'R', "AAA     ");
    learn_name(5, 'A', "OTHER   "); /* contradicts it */
    symbols_learn(symbols, "tick", 10, &begins, sizeof begins);
    learn_name(12, 'R', "BBB     ");
    symbols_learn(symbols, "tick", 20, &begins, sizeof begins);
    learn_name(22, 'R', "BBB     ");
    symbols_learn(symbols, "tick", 30, &begins, sizeof begins);
    learn_name(33, 'R', "AAA     ");
    bbo_t late = {.intended = tick_pack(0, 3), .md_seq = 24, .symbol = "BBB    "};
    symbols_learn(symbols, "bbo", 9, &late, sizeof late);
    expect_symbol(3, 1, "AAA");
    expect_symbol(3, 7, "AAA");
    expect_symbol(3, 10, "AAA"); /* what the day before left open ends with this tick */
    expect_symbol(3, 12, "BBB");
    expect_symbol(3, 32, "BBB");
    expect_symbol(3, 33, "AAA");
    expect_symbol(4, 33, "locate 4");
    symbols_destroy(symbols);
    symbols = NULL;
}

static void orders_and_reports_show_the_symbol_that_other_messages_gave_their_locate(void **state)
{
    (void)state;
    json_t *object;
    tick_t add = add_order();
    bbo_t bbo = {.intended = tick_pack(0, 65535),
                 .symbol = {'M', 'S', 'F', 'T', ' ', ' ', ' ', ' '}};
    tick_t deleted = {.type = 'D', .intended = tick_pack(0, 7)};
    symbols = symbols_create();
    assert_non_null(symbols);
    assert_null(symbol_of_order(tick_locate(&add), &object)); /* null, as nothing said it */
    json_decref(object);
    symbols_learn(symbols, "tick", 1, &add, sizeof add);
    symbols_learn(symbols, "tick", 1, &deleted, sizeof deleted); /* says no symbol */
    symbols_learn(symbols, "tick", 1, &add, 3);                  /* is no tick */
    symbols_learn(symbols, "bbo", 1, &bbo, sizeof bbo);
    assert_string_equal(symbol_of_order(tick_locate(&add), &object), "AAPL");
    json_decref(object);
    assert_string_equal(symbol_of_order(65535, &object), "MSFT");
    json_decref(object);
    assert_null(symbol_of_order(7, &object));
    json_decref(object);

    order_t order = {.order_id = ORDER_ID(1, 4), .locate = 65535, .kind = ORDER_CANCEL};
    char *text = printed(message_text_words, "order", 1, &order, sizeof order);
    assert_string_equal(text, "1 cancel order 281474976710660 MSFT md 0 report 0\n");
    free(text);
    report_t report = {.order_id = ORDER_ID(1, 4),
                       .locate = 65535,
                       .kind = REPORT_ACCEPTED,
                       .side = 'B',
                       .qty = 5,
                       .px_e4 = 10000};
    text = printed(message_text_words, "report", 1, &report, sizeof report);
    assert_string_equal(text,
                        "1 accepted order 281474976710660 MSFT buy 5 @ 1.0000 leaves 0 md 0\n");
    free(text);
    assert_false(symbols_miss(symbols, "report", &report, sizeof report));
    report.locate = 7;
    assert_true(symbols_miss(symbols, "report", &report, sizeof report));
    assert_false(symbols_miss(symbols, "report", &report, 3));
    assert_false(symbols_miss(symbols, "tick", &add, sizeof add));
    symbols_destroy(symbols);
    symbols = NULL;
}

static void a_message_of_unknown_type_or_wrong_length_shows_as_hex(void **state)
{
    (void)state;
    const uint64_t message[2] = {UINT64_C(0x0807060504030201), 0};
    const char *types[] = {"bbo", "order", "report", "event", "tick", "something"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        json_t *object = parsed(types[i], 1, message, 8);
        assert_string_equal(string(object, "hex"), "0102030405060708");
        json_decref(object);
    }
    /* A tick that says 'A' and ends before an 'A' does. */
    tick_t tick = add_order();
    json_t *object = parsed("tick", 1, &tick, 20);
    assert_non_null(json_object_get(object, "hex"));
    json_decref(object);
}

static void names_from_outside_cannot_break_a_line(void **state)
{
    (void)state;
    tick_t tick = add_order();
    memcpy(tick.symbol, "\"\\\n,\x80\x01 \0", 8);
    json_t *object = parsed("tick", 1, &tick, sizeof tick);
    assert_non_null(json_object_get(object, "symbol"));
    json_decref(object);
    char *text = printed(message_text_words, "tick", 1, &tick, sizeof tick);
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    free(text);
}

static void a_csv_field_is_quoted_only_where_it_must_be(void **state)
{
    (void)state;
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    line_t line;
    line_begin(&line, out);
    line_csv_chars(&line, "AAPL", 4);
    line_char(&line, ',');
    line_csv_chars(&line, "a,\"b", 4);
    line_char(&line, ',');
    line_csv_chars(&line, "\x7f\x80\xe9,\xff", 5); /* UTF-8, whatever came */
    line_end(&line);
    fclose(out);
    assert_string_equal(text, "AAPL,\"a,\"\"b\",\"\x7f\xc2\x80\xc3\xa9,\xc3\xbf\"");
    free(text);
}

static void integers_print_like_printf_does(void **state)
{
    (void)state;
    const uint64_t values[] = {0,         1, 9, 10, 99, 1000000007, UINT64_C(9999999999999999999),
                               UINT64_MAX};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char *text = NULL;
        size_t bytes = 0;
        char expected[64];
        FILE *out = open_memstream(&text, &bytes);
        line_t line;
        line_begin(&line, out);
        line_u64(&line, values[i]);
        line_char(&line, ' ');
        line_u64_wide(&line, values[i], 9);
        line_end(&line);
        fclose(out);
        snprintf(expected, sizeof expected, "%llu %09llu", (unsigned long long)values[i],
                 (unsigned long long)values[i]);
        assert_string_equal(text, expected);
        free(text);
    }
}

static void a_line_longer_than_its_buffer_comes_out_whole(void **state)
{
    (void)state;
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    line_t line;
    line_begin(&line, out);
    for (unsigned i = 0; i < 1000; i++)
        line_text(&line, "0123456789");
    line_end(&line);
    fclose(out);
    assert_int_equal(bytes, 10000);
    for (size_t i = 0; i < bytes; i++)
        assert_int_equal(text[i], '0' + (int)(i % 10));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_add_order_as_json_has_its_fields_and_no_others),
        cmocka_unit_test(an_add_order_in_words_reads_like_a_blotter),
        cmocka_unit_test(an_administrative_message_shows_its_fields),
        cmocka_unit_test(administrative_fields_are_those_of_the_vectors),
        cmocka_unit_test(an_unknown_message_longer_than_a_tick_shows_all_its_bytes),
        cmocka_unit_test(every_itch_type_prints_as_valid_json),
        cmocka_unit_test(an_end_mark_is_called_end),
        cmocka_unit_test(a_gap_says_what_is_lost),
        cmocka_unit_test(bbo_order_and_report_print_their_fields),
        cmocka_unit_test(orders_and_reports_show_the_symbol_that_other_messages_gave_their_locate),
        cmocka_unit_test(a_locate_stands_for_what_it_was_on_the_day_of_the_message),
        cmocka_unit_test(a_message_of_unknown_type_or_wrong_length_shows_as_hex),
        cmocka_unit_test(names_from_outside_cannot_break_a_line),
        cmocka_unit_test(a_csv_field_is_quoted_only_where_it_must_be),
        cmocka_unit_test(integers_print_like_printf_does),
        cmocka_unit_test(a_line_longer_than_its_buffer_comes_out_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
