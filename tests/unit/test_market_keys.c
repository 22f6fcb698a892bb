/* SPDX-License-Identifier: Apache-2.0 */
/* Real order flow against answers that others computed: every ITCH stream of the market data set
 * that has a *.key.json beside it, LOBSTER's order-book files row by row, and the checkpoints of a
 * second book builder.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <glob.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include <tickbus/market/market.h>
#include "feedsim/itch/binaryfile.h"
#include "feedsim/itch/itch.h"
#include "tests/market_data.h"

typedef struct stream {
    binaryfile_t *file;
    market_t *market;
    uint64_t index; /* of the message in hand, from 0 */
    tick_t tick;
    const market_event_t *event;
} stream_t;

static void stream_open(stream_t *s, const char *path)
{
    *s = (stream_t){.index = UINT64_MAX};
    tbus_error_t err = {0};
    if (binaryfile_open(path, BINARYFILE_ITCH, &s->file, &err) != 0)
        fail_msg("%s: %s", path, err.text);
    assert_int_equal(
        market_create(&(market_limits_t){.orders_max = 1u << 20, .levels_max = 1u << 18},
                      &s->market, &err),
        0);
}

/* Decode the next message without applying it. False: the end. */
static bool stream_read(stream_t *s)
{
    const uint8_t *message;
    size_t bytes;
    size_t tick_bytes;
    tbus_error_t err = {0};
    int rc = binaryfile_next(s->file, &message, &bytes, &err);
    if (rc == BINARYFILE_END)
        return false;
    if (rc < 0)
        fail_msg("%s", err.text);
    s->index++;
    assert_in_range(bytes, 1, TICK_ITCH_HEADER + TICK_BODY_MAX); /* no unknown long ones here */
    assert_int_equal(itch_decode(message, bytes, &s->tick, &tick_bytes), 0);
    return true;
}

static bool stream_next(stream_t *s)
{
    if (!stream_read(s))
        return false;
    if (market_apply(s->market, s->index + 1, &s->tick, sizeof s->tick, &s->event) != 0)
        fail_msg("%s", market_limit_text(s->market));
    return true;
}

static void stream_close(stream_t *s)
{
    binaryfile_close(s->file);
    market_destroy(s->market);
}

/* ---- *.key.json */

#define FNV_BASIS UINT64_C(0xcbf29ce484222325)

static void fnv_text(uint64_t *hash, const char *text)
{
    for (; *text; text++)
        *hash = (*hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
}

static void expect_number(json_t *key, const char *name, uint64_t value)
{
    json_t *expected = json_object_get(key, name);
    if (!json_is_integer(expected) || (uint64_t)json_integer_value(expected) != value)
        fail_msg("%s is %" PRIu64 ", the key says %" PRId64, name, value,
                 (int64_t)json_integer_value(expected));
}

static void expect_hash(json_t *key, const char *name, uint64_t value)
{
    char text[17];
    snprintf(text, sizeof text, "%016" PRIx64, value);
    assert_string_equal(text, json_string_value(json_object_get(key, name)));
}

/* {"D": 94, "E": 18, ..}; returns the sum. */
static uint64_t expect_unknown(json_t *by_type, const market_stats_t *stats)
{
    uint64_t sum = 0;
    for (int type = 0; type < 128; type++) {
        char letter[2] = {(char)type, 0};
        uint64_t expected = (uint64_t)json_integer_value(json_object_get(by_type, letter));
        if (stats->unknown_by_type[type] != expected)
            fail_msg("unknown references of type %s: %" PRIu64 ", the key says %" PRIu64, letter,
                     stats->unknown_by_type[type], expected);
        sum += expected;
    }
    return sum;
}

static uint64_t json_sum(json_t *object)
{
    uint64_t sum = 0;
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
    {
        sum += (uint64_t)json_integer_value(value);
    }
    return sum;
}

static uint64_t depth_hash(const market_t *market, uint64_t *out_levels)
{
    uint64_t hash = FNV_BASIS;
    *out_levels = 0;
    for (uint32_t locate = 0; locate < MARKET_LOCATES; locate++)
        for (const char *side = "BS"; *side; side++) {
            uint32_t px;
            uint64_t qty;
            uint32_t orders;
            for (uint32_t depth = 0;
                 market_level(market, (uint16_t)locate, (uint8_t)*side, depth, &px, &qty, &orders);
                 depth++) {
                char line[80];
                snprintf(line, sizeof line, "%u,%c,%u,%" PRIu64 ",%u\n", locate, *side, px, qty,
                         orders);
                fnv_text(&hash, line);
                ++*out_levels;
            }
        }
    return hash;
}

static void expect_symbols(json_t *symbols, const market_t *market)
{
    size_t i;
    json_t *symbol;
    json_array_foreach(symbols, i, symbol)
    {
        uint16_t locate = (uint16_t)json_integer_value(json_object_get(symbol, "locate"));
        char name[9];
        snprintf(name, sizeof name, "%-8s", json_string_value(json_object_get(symbol, "symbol")));
        assert_memory_equal(market_symbol(market, locate)->name, name, 8);
        market_touch_t touch = market_touch(market, locate);
        /* an empty side is null there and 0 here */
        assert_int_equal(touch.bid_px_e4, json_integer_value(json_object_get(symbol, "bid_px")));
        assert_int_equal(touch.ask_px_e4, json_integer_value(json_object_get(symbol, "ask_px")));
        assert_int_equal(touch.bid_qty, json_integer_value(json_object_get(symbol, "bid_qty")));
        assert_int_equal(touch.ask_qty, json_integer_value(json_object_get(symbol, "ask_qty")));
    }
}

static void check_key(const char *key_path)
{
    json_t *key = json_load_file(key_path, 0, NULL);
    assert_non_null(key);
    char path[MARKET_DATA_PATH_MAX];
    snprintf(path, sizeof path, "%.*s/%s", (int)(strrchr(key_path, '/') - key_path), key_path,
             json_string_value(json_object_get(key, "file")));
    printf("%s\n", path);
    stream_t s;
    stream_open(&s, path);
    uint64_t bbo_hash = FNV_BASIS;
    while (stream_next(&s)) {
        if (!s.event->bbo_changed)
            continue;
        const market_touch_t *t = &s.event->touch;
        char line[120];
        snprintf(line, sizeof line, "%" PRIu64 ",%u,%u,%" PRIu64 ",%u,%" PRIu64 "\n", s.index,
                 s.event->locate, t->bid_px_e4, t->bid_qty, t->ask_px_e4, t->ask_qty);
        fnv_text(&bbo_hash, line);
    }
    const market_stats_t *stats = market_stats(s.market);
    expect_number(key, "messages", s.index + 1);
    expect_number(key, "executed_shares", stats->executed_shares);
    expect_number(key, "non_printable_executed_shares", stats->non_printable_shares);
    expect_number(key, "trade_shares_P", stats->trade_shares);
    expect_number(key, "cross_shares_Q", stats->cross_shares);
    expect_number(key, "duplicate_adds", stats->duplicate_adds);
    expect_number(key, "live_orders_end", stats->live_orders);
    expect_number(key, "max_live_orders", stats->live_orders_max);
    expect_number(key, "bbo_changes", stats->bbo_changes);
    assert_int_equal(stats->unknown_order_refs,
                     expect_unknown(json_object_get(key, "unknown_order_refs"), stats));
    assert_int_equal(stats->over_reductions, json_sum(json_object_get(key, "over_reductions")));
    expect_hash(key, "bbo_trace_fnv1a64", bbo_hash);
    uint64_t levels;
    expect_hash(key, "depth_fnv1a64", depth_hash(s.market, &levels));
    expect_number(key, "depth_levels_end", levels);
    assert_int_equal(stats->live_levels, levels);
    expect_symbols(json_object_get(key, "top_symbols_by_messages"), s.market);
    stream_close(&s);
    json_decref(key);
}

/* All files of the data set that match; skips when there is no data set. */
static void for_each_file(const char *pattern, void (*check)(const char *path))
{
    char data[MARKET_DATA_PATH_MAX];
    if (!market_data_path(".", data))
        skip();
    char full[MARKET_DATA_PATH_MAX + 64];
    snprintf(full, sizeof full, "%s/%s", data, pattern);
    glob_t found;
    assert_int_equal(glob(full, 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++)
        check(found.gl_pathv[i]);
    globfree(&found);
}

static void every_stream_gives_the_books_of_its_key(void **state)
{
    (void)state;
    for_each_file("*/*.key.json", check_key);
}

/* ---- LOBSTER: the order book after each of its rows, by LOBSTER itself */

#define LOBSTER_NONE INT64_C(9999999999)

static void expect_lobster_level(const stream_t *s, uint64_t row, uint8_t side, uint32_t depth,
                                 int64_t px, int64_t qty)
{
    uint32_t have_px = 0;
    uint64_t have_qty = 0;
    bool have =
        market_level(s->market, tick_locate(&s->tick), side, depth, &have_px, &have_qty, NULL);
    bool expected = px != LOBSTER_NONE && px != -LOBSTER_NONE;
    if (have != expected || (have && (have_px != px || have_qty != (uint64_t)qty)))
        fail_msg("row %" PRIu64 ", %c level %u: %u x %" PRIu64 ", LOBSTER says %" PRId64
                 " x %" PRId64,
                 row, side, depth, have_px, have_qty, px, qty);
}

/* Ask price, ask size, bid price, bid size, best level first. */
static void check_lobster_row(const stream_t *s, uint64_t row, char *line, uint32_t levels)
{
    char *at = line;
    for (uint32_t depth = 0; depth < levels; depth++) {
        int64_t columns[4];
        for (int i = 0; i < 4; i++) {
            columns[i] = strtoll(at, &at, 10);
            at += *at == ',';
        }
        expect_lobster_level(s, row, 'S', depth, columns[0], columns[1]);
        expect_lobster_level(s, row, 'B', depth, columns[2], columns[3]);
    }
    assert_true(*at == '\n' || *at == '\r');
}

/* The k-th message with tracking number 0 and one of these types is row k of the archive. */
static bool is_lobster_row(const tick_t *tick)
{
    return tick_tracking(tick) == 0 && strchr("AXDEP", tick->type) != NULL;
}

static void check_lobster(const char *zip_path)
{
    const char *name = strrchr(zip_path, '/') + 1;
    uint32_t levels = (uint32_t)strtoul(strrchr(name, '_') + 1, NULL, 10);
    char itch[MARKET_DATA_PATH_MAX];
    snprintf(itch, sizeof itch, "%.*s*.itch.gz", (int)(name - zip_path), zip_path);
    glob_t found;
    assert_int_equal(glob(itch, 0, NULL, &found), 0);
    char command[MARKET_DATA_PATH_MAX + 64];
    snprintf(command, sizeof command, "unzip -p '%s' '*orderbook*.csv'", zip_path);
    FILE *rows = popen(command, "r");
    assert_non_null(rows);

    stream_t s;
    stream_open(&s, found.gl_pathv[0]);
    globfree(&found);
    uint64_t row = 0;
    char line[1024];
    while (stream_next(&s))
        if (is_lobster_row(&s.tick)) {
            assert_non_null(fgets(line, sizeof line, rows));
            check_lobster_row(&s, row, line, levels);
            row++;
        }
    assert_null(fgets(line, sizeof line, rows)); /* every row was looked at */
    assert_int_equal(pclose(rows), 0);
    assert_true(row > 0);
    printf("%s: %" PRIu64 " rows of %u levels\n", name, row, levels);
    stream_close(&s);
}

static void after_every_lobster_row_the_best_levels_are_those_of_its_order_book(void **state)
{
    (void)state;
    if (system("command -v unzip >/dev/null 2>&1") != 0) {
        printf("unzip is not here (Debian: unzip)\n");
        skip();
    }
    for_each_file("lobster_*/*.zip", check_lobster);
}

/* ---- CME: touch and number of orders, straight from the exchange's own format by another
 * builder */

static void the_esm4_book_equals_every_checkpoint(void **state)
{
    (void)state;
    char path[MARKET_DATA_PATH_MAX];
    if (!market_data_path("cme_es_mbo_20240508/esm4.itch.gz", path))
        skip();
    stream_t s;
    stream_open(&s, path);
    assert_true(market_data_path("cme_es_mbo_20240508/esm4.checkpoints.csv", path));
    FILE *rows = fopen(path, "r");
    assert_non_null(rows);
    char line[256];
    assert_non_null(fgets(line, sizeof line, rows)); /* the header */
    uint64_t checked = 0;
    while (fgets(line, sizeof line, rows) != NULL) {
        unsigned long long record, applied, bid_px, bid_qty, ask_px, ask_qty, live;
        assert_int_equal(sscanf(line, "%llu,%llu,%llu,%llu,%llu,%llu,%llu", &record, &applied,
                                &bid_px, &bid_qty, &ask_px, &ask_qty, &live),
                         7);
        while (s.index + 1 < applied)
            assert_true(stream_next(&s));
        market_touch_t touch = market_touch(s.market, 7);
        assert_int_equal(touch.bid_px_e4, bid_px);
        assert_int_equal(touch.bid_qty, bid_qty);
        assert_int_equal(touch.ask_px_e4, ask_px);
        assert_int_equal(touch.ask_qty, ask_qty);
        assert_int_equal(market_stats(s.market)->live_orders, live);
        checked++;
    }
    assert_true(checked > 0);
    fclose(rows);
    stream_close(&s);
}

/* ---- a feed with holes: what the key of the faulty MoldUDP64 capture says the book then is */

static bool is_missing(json_t *ranges, uint64_t sequence)
{
    size_t i;
    json_t *range;
    json_array_foreach(ranges, i, range)
    {
        uint64_t first = (uint64_t)json_integer_value(json_array_get(range, 0));
        uint64_t count = (uint64_t)json_integer_value(json_array_get(range, 1));
        if (sequence >= first && sequence < first + count)
            return true;
    }
    return false;
}

static void a_feed_with_holes_leaves_the_orders_that_the_key_says(void **state)
{
    (void)state;
    char path[MARKET_DATA_PATH_MAX];
    if (!market_data_path("mold_aapl_5k/key.json", path))
        skip();
    json_t *key = json_load_file(path, 0, NULL);
    assert_non_null(key);
    json_t *faulty = json_object_get(json_object_get(key, "files"), "faulty.pcap");
    json_t *book = json_object_get(faulty, "book_without_the_missing_messages");
    assert_non_null(book);
    if (!market_data_path("itch_aapl_20200130_5k/aapl_5k.itch", path))
        skip();
    stream_t s;
    stream_open(&s, path);
    uint64_t missing = 0;
    while (stream_read(&s)) {
        if (is_missing(json_object_get(faulty, "missing"), s.index + 1))
            missing++;
        else
            assert_int_equal(market_apply(s.market, s.index + 1, &s.tick, sizeof s.tick, &s.event),
                             0);
    }
    expect_number(faulty, "messages_missing", missing);
    expect_unknown(json_object_get(book, "unknown_order_refs"), market_stats(s.market));
    expect_number(book, "live_orders_end", market_stats(s.market)->live_orders);
    stream_close(&s);
    json_decref(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_stream_gives_the_books_of_its_key),
        cmocka_unit_test(after_every_lobster_row_the_best_levels_are_those_of_its_order_book),
        cmocka_unit_test(the_esm4_book_equals_every_checkpoint),
        cmocka_unit_test(a_feed_with_holes_leaves_the_orders_that_the_key_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
