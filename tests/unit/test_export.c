/* SPDX-License-Identifier: Apache-2.0 */
/* A journal made by hand, and what `busctl journal` makes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tickbus/msg/bbo.h>
#include <tickbus/msg/order.h>
#include <tickbus/msg/report.h>
#include "feedsim/itch/itch.h"
#include "tests/market_data.h"
#include "tools/show/export.h"
#include "tools/show/outcome.h"
#include "tools/verbs.h"
#include "tests/support/program.h"

typedef struct fixture {
    char root[SCRATCH_PATH_MAX];
    char journal[128];
    char output[128];
    char part[160];
    tbus_journal_writer_t *writer; /* NULL: closed */
} fixture_t;

enum { MD, BBO, ORDERS, APPROVED, REPORTS, ODD };

static int set_up(void **state)
{
    fixture_t *f = calloc(1, sizeof *f);
    scratch_create(f->root);
    snprintf(f->journal, sizeof f->journal, "%s/journal", f->root);
    snprintf(f->output, sizeof f->output, "%s/output", f->root);
    snprintf(f->part, sizeof f->part, "%s.part", f->output);
    tbus_journal_spec_t spec = {
        .directory = f->journal,
        .bus_name = "hand",
        .started_realtime_ns = UINT64_C(1700000000123456789),
        .segment_bytes = 1u << 20,
        .topics_count = 6,
        .topics = {{"md", "tick", 1, TICK_VERSION, TBUS_BROADCAST, 0},
                   {"bbo", "bbo", 1, 0, 0, 0},
                   {"orders", "order", 1, ORDER_VERSION, 0, 0},
                   {"approved", "order", 1, ORDER_VERSION, 0, 0},
                   {"reports", "report", 1, REPORT_VERSION, 0, 0},
                   {"odd", "something", 1, 0, 0, 0}},
    };
    *state = f;
    return tbus_journal_writer_open(&spec, &f->writer, NULL);
}

static int tear_down(void **state)
{
    fixture_t *f = *state;
    tbus_journal_writer_close(f->writer, NULL);
    scratch_remove(f->root);
    free(f);
    return 0;
}

static void append(fixture_t *f, uint16_t topic, uint64_t seq, const void *message, size_t bytes)
{
    assert_int_equal(tbus_journal_writer_append(f->writer, topic, seq, seq * 1000, message, bytes),
                     0);
}

static void finish(fixture_t *f)
{
    assert_int_equal(tbus_journal_writer_close(f->writer, NULL), 0);
    f->writer = NULL;
}

/* The whole file, with a 0 behind it. The caller frees it. */
static char *contents(const char *path, size_t *out_bytes)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return NULL;
    fseek(file, 0, SEEK_END);
    size_t bytes = (size_t)ftell(file);
    rewind(file);
    char *data = malloc(bytes + 1);
    assert_int_equal(fread(data, 1, bytes, file), bytes);
    data[bytes] = 0;
    fclose(file);
    if (out_bytes)
        *out_bytes = bytes;
    return data;
}

static int export_to(const fixture_t *f, const char *topic, enum export_format format,
                     export_result_t *out_result, tbus_error_t *err)
{
    export_request_t request = {
        .directory = f->journal, .topic = topic, .format = format, .output = f->output};
    *err = (tbus_error_t){0};
    return export_topic(&request, out_result, err);
}

static void check_text(const fixture_t *f, const char *topic, enum export_format format,
                       const char *expected)
{
    export_result_t result;
    tbus_error_t err;
    if (export_to(f, topic, format, &result, &err) != 0)
        fail_msg("%s", err.text);
    char *text = contents(f->output, NULL);
    assert_string_equal(text, expected);
    free(text);
}

static void check_stamped(const fixture_t *f, const char *topic, const char *expected)
{
    export_result_t result;
    tbus_error_t err = {0};
    export_request_t request = {.directory = f->journal,
                                .topic = topic,
                                .format = EXPORT_CSV,
                                .output = f->output,
                                .stamps = true};
    if (export_topic(&request, &result, &err) != 0)
        fail_msg("%s", err.text);
    char *text = contents(f->output, NULL);
    assert_string_equal(text, expected);
    free(text);
}

/* --- ITCH --- */

static const uint8_t types[] = {
#define X(type, letter, bytes, what, name) letter,
    ITCH_TYPES(X)
#undef X
};

/* Append a message to BinaryFILE bytes, and its tick to the journal. Returns the bytes so far. */
static size_t feed_one(fixture_t *f, uint8_t *file, size_t at, uint64_t seq, const uint8_t *message,
                       size_t bytes, tick_t *tick)
{
    size_t tick_bytes;
    assert_int_equal(itch_decode(message, bytes, tick, &tick_bytes), 0);
    append(f, MD, seq, tick, tick_bytes);
    file[at] = (uint8_t)(bytes >> 8);
    file[at + 1] = (uint8_t)bytes;
    memcpy(file + at + 2, message, bytes);
    return at + 2 + bytes;
}

static void check_itch(const fixture_t *f, const uint8_t *file, size_t bytes, uint64_t messages)
{
    export_result_t result;
    tbus_error_t err;
    if (export_to(f, "md", EXPORT_ITCH, &result, &err) != 0)
        fail_msg("%s", err.text);
    size_t exported_bytes;
    char *exported = contents(f->output, &exported_bytes);
    assert_int_equal(exported_bytes, bytes);
    assert_memory_equal(exported, file, bytes);
    assert_int_equal(result.messages, messages);
    assert_int_equal(result.end, TBUS_JOURNAL_CLOSED);
    free(exported);
    assert_int_equal(access(f->part, F_OK), -1);
}

static void every_kind_of_message_comes_back_as_the_itch_bytes_that_were_fed(void **state)
{
    fixture_t *f = *state;
    uint8_t *file = malloc(1u << 20);
    uint8_t *message = malloc(ITCH_MESSAGE_MAX);
    tick_t *tick = aligned_alloc(8, TICK_LEN_MAX);
    size_t at = 0;
    uint64_t seq = 0;
    for (size_t i = 0; i < sizeof types; i++) {
        for (size_t k = 0; k < ITCH_MESSAGE_MAX; k++)
            message[k] = (uint8_t)(k * 37 + i * 11 + 3);
        message[0] = types[i];
        at = feed_one(f, file, at, ++seq, message, itch_length(types[i]), tick);
        /* Messages of other topics in between are no concern. */
        append(f, ODD, seq, "x", 1);
    }
    /* Unknown types of all lengths: runts, shorter than a tick, longer than one, as long as can
     * be. */
    const size_t lengths[] = {1, 5, 10, 11, 12, 30, 50, 51, 400, ITCH_MESSAGE_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        message[0] = 'z';
        at = feed_one(f, file, at, ++seq, message, lengths[i], tick);
    }
    size_t tick_bytes;
    itch_end_mark(5, tick, &tick_bytes);
    append(f, MD, ++seq, tick, tick_bytes);
    file[at++] = 0;
    file[at++] = 0;
    finish(f);
    check_itch(f, file, at, seq);
    free(file);
    free(message);
    free(tick);
}

static void what_a_file_cannot_have_is_left_out_and_counted(void **state)
{
    fixture_t *f = *state;
    tick_t *tick = aligned_alloc(8, TICK_LEN_MAX);
    uint8_t *file = malloc(64);
    size_t bytes, at = 0;
    export_result_t result;
    tbus_error_t err;
    /* Without bytes in the middle; an end mark in the middle, as older recordings have it. */
    at = feed_one(f, file, at, 1, (const uint8_t *)"?", 1, tick);
    assert_int_equal(itch_decode((const uint8_t *)"", 0, tick, &bytes), 0);
    append(f, MD, 2, tick, bytes);
    itch_end_mark(5, tick, &bytes);
    append(f, MD, 3, tick, bytes);
    at = feed_one(f, file, at, 4, (const uint8_t *)"!!", 2, tick);
    /* A gap, and the snapshot behind it, whose message would come twice. */
    tick_gap_put(tick, 5, &(tick_gap_t){.from = 5, .to = 6});
    append(f, MD, 5, tick, TICK_GAP_BYTES);
    tick_restore_put(tick, 5, TICK_RESTORE_BEGINS);
    append(f, MD, 6, tick, TICK_RESTORE_BYTES);
    assert_int_equal(itch_decode((const uint8_t *)"?", 1, tick, &bytes), 0);
    append(f, MD, 7, tick, bytes);
    tick_restore_put(tick, 5, TICK_RESTORE_ENDS);
    append(f, MD, 8, tick, TICK_RESTORE_BYTES);
    at = feed_one(f, file, at, 9, (const uint8_t *)"!!!", 3, tick);
    itch_end_mark(5, tick, &bytes);
    append(f, MD, 10, tick, bytes);
    file[at++] = 0;
    file[at++] = 0;
    finish(f);
    check_itch(f, file, at, 4);
    assert_int_equal(export_to(f, "md", EXPORT_ITCH, &result, &err), 0);
    assert_int_equal(result.left_out, 6);
    free(file);
    free(tick);
}

static void real_itch_comes_back_byte_for_byte(void **state)
{
    fixture_t *f = *state;
    char path[MARKET_DATA_PATH_MAX];
    if (!market_data_path("itch_aapl_20200130_5k/aapl_5k.itch", path))
        skip();
    size_t bytes;
    uint8_t *file = (uint8_t *)contents(path, &bytes);
    uint8_t *again = malloc(bytes + 2);
    tick_t *tick = aligned_alloc(8, TICK_LEN_MAX);
    uint64_t seq = 0;
    for (size_t at = 0; at < bytes;)
        at = feed_one(f, again, at, ++seq, file + at + 2, (size_t)file[at] << 8 | file[at + 1],
                      tick);
    finish(f);
    assert_int_equal(seq, 5000);
    check_itch(f, file, bytes, seq);
    free(file);
    free(again);
    free(tick);
}

static tick_t delete_of(uint64_t ref)
{
    tick_t tick = {.event = tick_pack(99, 1), .intended = tick_pack(7, 13), .type = 'D'};
    tick.order_ref = ref;
    return tick;
}

static void a_gap_in_md_is_refused_as_itch_and_nothing_is_left_behind(void **state)
{
    fixture_t *f = *state;
    tick_t tick = delete_of(1);
    append(f, MD, 1, &tick, sizeof tick);
    append(f, MD, 3, &tick, sizeof tick);
    finish(f);
    export_result_t result;
    tbus_error_t err;
    assert_int_equal(export_to(f, "md", EXPORT_ITCH, &result, &err), -TBUS_ECORRUPT);
    assert_non_null(strstr(err.text, "where 2 was expected"));
    assert_int_equal(access(f->output, F_OK), -1);
    assert_int_equal(access(f->part, F_OK), -1);
}

/* Of a topic with one publisher no message may be missing; of several, one may die in a claim. */
static void whether_a_gap_is_refused_depends_on_the_ring_and_not_on_the_name(void **state)
{
    static const struct {
        uint32_t kind;
        bool gap_refused;
    } rings[] = {{TBUS_SPSC, true},  {TBUS_BROADCAST, true}, {TBUS_BROADCAST_MP, false},
                 {TBUS_MPMC, false}, {TBUS_MPSC, false},     {0, false}};
    fixture_t *f = *state;
    finish(f);
    for (size_t i = 0; i < sizeof rings / sizeof rings[0]; i++) {
        export_result_t result;
        tbus_error_t err = {0};
        order_t order = {.order_id = ORDER_ID(1, 1), .kind = ORDER_NEW, .side = 'B'};
        scratch_remove(f->journal);
        tbus_journal_spec_t spec = {
            .directory = f->journal,
            .topics_count = 1,
            .topics = {{"any", "order", 1, ORDER_VERSION, rings[i].kind, 0}}};
        assert_int_equal(tbus_journal_writer_open(&spec, &f->writer, NULL), 0);
        append(f, 0, 1, &order, sizeof order);
        append(f, 0, 3, &order, sizeof order);
        finish(f);
        assert_int_equal(export_to(f, "any", EXPORT_CSV, &result, &err),
                         rings[i].gap_refused ? -TBUS_ECORRUPT : 0);
    }
}

static void messages_of_a_later_version_are_refused_by_name(void **state)
{
    fixture_t *f = *state;
    finish(f);
    scratch_remove(f->journal);
    tbus_journal_spec_t spec = {.directory = f->journal,
                                .topics_count = 2,
                                .topics = {{"md", "tick", 1, TICK_VERSION + 1, TBUS_BROADCAST, 0},
                                           {"odd", "something", 1, 7, TBUS_BROADCAST, 0}}};
    assert_int_equal(tbus_journal_writer_open(&spec, &f->writer, NULL), 0);
    finish(f);
    for (enum export_format format = EXPORT_ITCH; format <= EXPORT_JSONL; format++) {
        export_result_t result;
        tbus_error_t err;
        assert_int_equal(export_to(f, "md", format, &result, &err), -TBUS_EABI);
        assert_non_null(strstr(err.text, "'tick' in version 2"));
        assert_non_null(strstr(err.text, "reads version 1"));
    }
    check_text(f, "odd", EXPORT_JSONL, ""); /* shown as bytes, whatever its version */
}

static void what_is_no_tick_is_refused_by_place(void **state)
{
    fixture_t *f = *state;
    tick_t tick = delete_of(1);
    append(f, MD, 1, &tick, 20);
    finish(f);
    export_result_t result;
    tbus_error_t err;
    assert_int_equal(export_to(f, "md", EXPORT_ITCH, &result, &err), -TBUS_ECORRUPT);
    assert_non_null(strstr(err.text, "offset 4096"));
    assert_non_null(strstr(err.text, "'md'"));
}

/* --- CSV and JSON lines --- */

static void bbo_rows_are_as_the_specification_says(void **state)
{
    fixture_t *f = *state;
    bbo_t bbo = {.md_seq = 56,
                 .event = tick_pack(UINT64_C(34200000000123), 9),
                 .intended = tick_pack(77, 13),
                 .bid_px_e4 = 3208000,
                 .bid_qty = 300};
    memcpy(bbo.symbol, "AAPL    ", 8);
    append(f, BBO, 1, &bbo, sizeof bbo);
    bbo.md_seq = 57;
    bbo.ask_px_e4 = UINT32_MAX;
    bbo.ask_qty = UINT64_C(10000000000);
    append(f, BBO, 2, &bbo, sizeof bbo);
    memset(bbo.symbol, ' ', 8);
    append(f, BBO, 3, &bbo, sizeof bbo);
    finish(f);
    check_text(f, "bbo", EXPORT_CSV,
               "md_seq,locate,symbol,ts_event_ns,bid_px_e4,bid_qty,ask_px_e4,ask_qty\n"
               "56,13,AAPL,34200000000123,3208000,300,0,0\n"
               "57,13,AAPL,34200000000123,3208000,300,4294967295,10000000000\n"
               "57,13,,34200000000123,3208000,300,4294967295,10000000000\n");
}

static void a_topic_without_messages_is_a_header(void **state)
{
    fixture_t *f = *state;
    finish(f);
    check_text(f, "bbo", EXPORT_CSV,
               "md_seq,locate,symbol,ts_event_ns,bid_px_e4,bid_qty,ask_px_e4,ask_qty\n");
    check_text(f, "orders", EXPORT_JSONL, "");
    check_text(f, "md", EXPORT_ITCH, "");
}

static void ticks_have_rows_with_the_fields_of_their_type(void **state)
{
    fixture_t *f = *state;
    tick_t tick = delete_of(5);
    append(f, MD, 1, &tick, sizeof tick);
    tick_t add = {.event = tick_pack(100, 2), .intended = tick_pack(8, 13), .type = 'A'};
    add.side = 'S';
    add.qty = 10;
    add.order_ref = 6;
    add.px_e4 = 12345;
    memcpy(add.symbol, "MSFT    ", 8);
    append(f, MD, 2, &add, sizeof add);
    uint8_t halt[25] = "H\0\15\0\0\0\0\0\0\0\1AAPL    T AAAA";
    size_t bytes;
    assert_int_equal(itch_decode(halt, sizeof halt, &tick, &bytes), 0);
    append(f, MD, 3, &tick, bytes);
    tick_gap_put(&tick, 2, &(tick_gap_t){.from = UINT64_C(1) << 63, .to = UINT64_MAX});
    append(f, MD, 4, &tick, TICK_GAP_BYTES);
    itch_end_mark(101, &tick, &bytes);
    append(f, MD, 5, &tick, bytes);
    finish(f);
    check_text(f, "md", EXPORT_CSV,
               "seq,type,locate,tracking,symbol,ts_event_ns,side,order_ref,new_ref,qty,px_e4,match,"
               "from,to\n"
               "1,D,13,1,,99,,5,,,,,,\n"
               "2,A,13,2,MSFT,100,S,6,,10,12345,,,\n"
               "3,H,13,0,AAPL,1,,,,,,,,\n"
               "4,gap,0,0,,2,,,,,,,9223372036854775808,18446744073709551615\n"
               "5,end,0,0,,101,,,,,,,,\n");
}

static void orders_and_reports_have_rows(void **state)
{
    fixture_t *f = *state;
    order_t order = {.order_id = ORDER_ID(1, 4),
                     .md_seq = 56,
                     .report_seq = 2,
                     .locate = 13,
                     .intended = 10,
                     .sent = 20,
                     .px_e4 = 3208000,
                     .qty = 100,
                     .kind = ORDER_NEW,
                     .side = 'B'};
    bbo_t bbo = {.md_seq = 55, .intended = tick_pack(9, 13)};
    memcpy(bbo.symbol, "A,B     ", 8);
    append(f, BBO, 1, &bbo, sizeof bbo);
    /* On a topic with several publishers a sequence may be missing: its claimer died. */
    append(f, ORDERS, 1, &order, sizeof order);
    append(f, ORDERS, 3, &order, sizeof order);
    report_t report = {.order_id = ORDER_ID(1, 4),
                       .md_seq = 60,
                       .locate = 13,
                       .sent = 30,
                       .exec_id = 7,
                       .px_e4 = 3207900,
                       .qty = 40,
                       .leaves = 60,
                       .kind = REPORT_PARTIAL,
                       .side = 'B',
                       .liquidity = 'R'};
    append(f, REPORTS, 1, &report, sizeof report);
    report = (report_t){
        .order_id = ORDER_ID(1, 5), .kind = REPORT_REJECTED, .reason = REASON_HALTED, .side = 'S'};
    append(f, REPORTS, 2, &report, sizeof report);
    finish(f);
    check_text(f, "orders", EXPORT_CSV,
               "seq,order_id,strategy,kind,locate,side,qty,px_e4,tif,md_seq,report_seq,symbol,"
               "at_ns,replaces,flags,reason\n"
               "1,281474976710660,1,new,13,B,100,3208000,day,56,2,\"A,B\",0,0,0,none\n"
               "3,281474976710660,1,new,13,B,100,3208000,day,56,2,\"A,B\",0,0,0,none\n");
    check_text(
        f, "reports", EXPORT_CSV,
        "seq,order_id,strategy,kind,reason,locate,side,qty,px_e4,leaves,liquidity,exec_id,md_seq,"
        "symbol,seen_ns,flags,fee_e4\n"
        "1,281474976710660,1,partially_filled,none,13,B,40,3207900,60,R,7,60,\"A,B\",0,0,0\n"
        "2,281474976710661,1,rejected,halted,0,S,0,0,0,,0,0,,0,0,0\n");
}

static void the_hosts_clock_is_exported_only_on_request(void **state)
{
    fixture_t *f = *state;
    tick_t add = {
        .event = tick_pack(100, 2), .intended = tick_pack(8, 13), .type = 'A', .side = 'S'};
    memcpy(add.symbol, "MSFT    ", 8);
    append(f, MD, 1, &add, sizeof add);
    order_t order = {.order_id = ORDER_ID(1, 4),
                     .locate = 13,
                     .intended = 10,
                     .sent = 20,
                     .side = 'B',
                     .kind = ORDER_NEW};
    append(f, ORDERS, 1, &order, sizeof order);
    report_t report = {
        .order_id = ORDER_ID(1, 4), .locate = 13, .sent = 30, .kind = REPORT_ACCEPTED, .side = 'B'};
    append(f, REPORTS, 1, &report, sizeof report);
    finish(f);
    check_stamped(f, "md",
                  "seq,type,locate,tracking,symbol,ts_event_ns,side,order_ref,new_ref,qty,px_e4,"
                  "match,intended_ns,from,to\n"
                  "1,A,13,2,MSFT,100,S,0,,0,0,,8,,\n");
    check_stamped(f, "orders",
                  "seq,order_id,strategy,kind,locate,side,qty,px_e4,tif,md_seq,report_seq,intended_"
                  "ns,sent_ns,symbol,at_ns,replaces,flags,reason\n"
                  "1,281474976710660,1,new,13,B,0,0,day,0,0,10,20,MSFT,0,0,0,none\n");
    check_stamped(
        f, "reports",
        "seq,order_id,strategy,kind,reason,locate,side,qty,px_e4,leaves,liquidity,exec_id,md_seq,"
        "intended_ns,sent_ns,symbol,seen_ns,flags,fee_e4\n"
        "1,281474976710660,1,accepted,none,13,B,0,0,0,,0,0,,30,MSFT,0,0,0\n");
}

static void json_lines_come_from_any_topic(void **state)
{
    fixture_t *f = *state;
    append(f, ODD, 1, "\x01\xff", 2);
    append(f, ODD, 5, "", 0);
    finish(f);
    check_text(f, "odd", EXPORT_JSONL, "{\"seq\":1,\"hex\":\"01ff\"}\n{\"seq\":5,\"hex\":\"\"}\n");
}

static void a_format_that_does_not_fit_the_topic_is_refused(void **state)
{
    fixture_t *f = *state;
    finish(f);
    export_result_t result;
    tbus_error_t err;
    assert_int_equal(export_to(f, "bbo", EXPORT_ITCH, &result, &err), -TBUS_EFORMAT);
    assert_int_equal(export_to(f, "odd", EXPORT_CSV, &result, &err), -TBUS_EFORMAT);
    assert_int_equal(export_to(f, "mdd", EXPORT_CSV, &result, &err), -TBUS_ENOTFOUND);
    assert_non_null(strstr(err.text, "md, bbo, orders, approved, reports, odd"));
    assert_int_equal(access(f->output, F_OK), -1);
}

/* --- the file --- */

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    fputs(text, file);
    fclose(file);
}

static void an_export_that_fails_leaves_the_file_that_was_there(void **state)
{
    fixture_t *f = *state;
    bbo_t bbo = {.md_seq = 1};
    append(f, BBO, 1, &bbo, sizeof bbo);
    append(f, BBO, 2, &bbo, sizeof bbo);
    finish(f);
    char segment[160];
    snprintf(segment, sizeof segment, "%s/00000001.tbj", f->journal);
    int fd = open(segment, O_RDWR);
    assert_int_equal(pwrite(fd, "x", 1, 4096 + 40), 1);
    close(fd);
    write_text(f->output, "before");
    export_result_t result;
    tbus_error_t err;
    assert_int_equal(export_to(f, "bbo", EXPORT_CSV, &result, &err), -TBUS_ECORRUPT);
    assert_non_null(strstr(err.text, "offset 4096"));
    char *text = contents(f->output, NULL);
    assert_string_equal(text, "before");
    free(text);
    assert_int_equal(access(f->part, F_OK), -1);
}

static void an_export_replaces_what_a_link_leads_to_and_writes_through_devices(void **state)
{
    fixture_t *f = *state;
    finish(f);
    char target[160];
    snprintf(target, sizeof target, "%s/target", f->root);
    write_text(target, "before");
    assert_int_equal(symlink(target, f->output), 0);
    check_text(f, "bbo", EXPORT_CSV,
               "md_seq,locate,symbol,ts_event_ns,bid_px_e4,bid_qty,ask_px_e4,ask_qty\n");
    struct stat info;
    assert_int_equal(lstat(f->output, &info), 0);
    assert_true(S_ISLNK(info.st_mode));

    export_request_t request = {
        .directory = f->journal, .topic = "bbo", .format = EXPORT_CSV, .output = "/dev/null"};
    export_result_t result;
    assert_int_equal(export_topic(&request, &result, NULL), 0);
    assert_int_equal(lstat("/dev/null", &info), 0);
    assert_true(S_ISCHR(info.st_mode));
    request.output = "/dev/full";
    tbus_error_t err;
    assert_int_equal(export_topic(&request, &result, &err), -ENOSPC);
}

static void a_torn_journal_is_exported_as_far_as_it_goes_and_says_so(void **state)
{
    fixture_t *f = *state;
    bbo_t bbo = {.md_seq = 1};
    append(f, BBO, 1, &bbo, sizeof bbo);
    append(f, BBO, 2, &bbo, sizeof bbo);
    finish(f);
    char segment[160];
    snprintf(segment, sizeof segment, "%s/00000001.tbj", f->journal);
    assert_int_equal(truncate(segment, 4096 + 88 + 50), 0);
    export_result_t result;
    tbus_error_t err;
    assert_int_equal(export_to(f, "bbo", EXPORT_CSV, &result, &err), 0);
    assert_int_equal(result.messages, 1);
    assert_int_equal(result.end, TBUS_JOURNAL_TORN);
    assert_int_equal(result.torn_bytes, 88);
}

/* --- the verb --- */

/* Run the verb with stdout into a file. */
static int run(const fixture_t *f, char **arguments, char **out_text)
{
    char path[160];
    char *argv[12] = {"busctl journal"};
    int argc = 1;
    while (arguments[argc - 1] != NULL) {
        argv[argc] = arguments[argc - 1];
        argc++;
    }
    snprintf(path, sizeof path, "%s/stdout", f->root);
    fflush(stdout);
    int saved = dup(STDOUT_FILENO);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(fd, STDOUT_FILENO);
    int code = verb_journal(argc, argv);
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    close(fd);
    char *text = contents(path, NULL);
    if (out_text)
        *out_text = text;
    else
        free(text);
    return code;
}

#define RUN(f, out_text, ...) run((f), (char *[]){__VA_ARGS__, NULL}, (out_text))

static void the_verb_exports_to_stdout_and_to_a_file(void **state)
{
    fixture_t *f = *state;
    bbo_t bbo = {.md_seq = 3, .symbol = {'A', ' ', ' ', ' ', ' ', ' ', ' ', ' '}};
    append(f, BBO, 1, &bbo, sizeof bbo);
    finish(f);
    char *text;
    const char *expected =
        "md_seq,locate,symbol,ts_event_ns,bid_px_e4,bid_qty,ask_px_e4,ask_qty\n3,0,A,0,0,0,0,0\n";
    assert_int_equal(RUN(f, &text, "export", f->journal, "--topic", "bbo", "--format", "csv"),
                     OUTCOME_OK);
    assert_string_equal(text, expected);
    free(text);
    assert_int_equal(RUN(f, &text, "export", "--topic", "bbo", f->journal, "-o", f->output),
                     OUTCOME_OK);
    assert_string_equal(text, "");
    free(text);
    text = contents(f->output, NULL);
    assert_string_equal(text, expected);
    free(text);
}

static void the_verb_tells_usage_from_failure(void **state)
{
    fixture_t *f = *state;
    finish(f);
    char *help;
    assert_int_equal(RUN(f, &help, "--help"), OUTCOME_OK);
    assert_non_null(strstr(help, "example:"));
    free(help);
    assert_int_equal(RUN(f, &help, "info", "--help"), OUTCOME_OK);
    assert_non_null(strstr(help, "example:"));
    free(help);
    assert_int_equal(RUN(f, &help, "export", "--help"), OUTCOME_OK);
    assert_non_null(strstr(help, "example:"));
    free(help);
    assert_int_equal(run(f, (char *[]){NULL}, NULL), OUTCOME_USAGE);
    assert_int_equal(RUN(f, NULL, "nothing"), OUTCOME_USAGE);
    assert_int_equal(RUN(f, NULL, "info"), OUTCOME_USAGE);
    assert_int_equal(RUN(f, NULL, "info", f->journal, f->journal), OUTCOME_USAGE);
    assert_int_equal(RUN(f, NULL, "info", f->journal, "--nothing"), OUTCOME_USAGE);
    assert_int_equal(RUN(f, NULL, "export", f->journal), OUTCOME_USAGE);
    assert_int_equal(RUN(f, NULL, "export", f->journal, "--topic", "md", "--format", "xml"),
                     OUTCOME_USAGE);
    assert_int_equal(RUN(f, NULL, "info", f->root), OUTCOME_FAILED);
    assert_int_equal(RUN(f, NULL, "export", f->root, "--topic", "md"), OUTCOME_FAILED);
    assert_int_equal(RUN(f, NULL, "export", f->journal, "--topic", "nothing"), OUTCOME_FAILED);
    assert_int_equal(RUN(f, NULL, "export", f->journal, "--topic", "md", "-o", "/nowhere/at/all"),
                     OUTCOME_FAILED);
    assert_int_equal(RUN(f, NULL, "export", f->journal, "--topic", "md", "-o", "/dev/full"),
                     OUTCOME_FAILED);
}

static void info_counts_what_was_recorded(void **state)
{
    fixture_t *f = *state;
    tick_t tick = delete_of(1);
    for (uint64_t seq = 1; seq <= 10; seq++)
        append(f, MD, seq, &tick, sizeof tick);
    append(f, REPORTS, 4, "x", 1);
    char *text;
    assert_int_equal(RUN(f, &text, "info", f->journal, "--json"), OUTCOME_OK);
    json_t *info = json_loads(text, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(info, "end")), "live");
    json_decref(info);
    free(text);
    finish(f);

    assert_int_equal(RUN(f, &text, "info", f->journal, "--json"), OUTCOME_OK);
    info = json_loads(text, 0, NULL);
    assert_non_null(info);
    assert_string_equal(json_string_value(json_object_get(info, "bus")), "hand");
    assert_string_equal(json_string_value(json_object_get(info, "end")), "closed");
    assert_int_equal(strlen(json_string_value(json_object_get(info, "session"))), 32);
    assert_int_equal(json_integer_value(json_object_get(info, "records")), 11);
    assert_int_equal(json_integer_value(json_object_get(info, "segments")), 1);
    assert_int_equal(json_integer_value(json_object_get(info, "torn_bytes")), 0);
    json_t *topics = json_object_get(info, "topics");
    assert_int_equal(json_object_size(topics), 6);
    json_t *md = json_object_get(topics, "md");
    assert_string_equal(json_string_value(json_object_get(md, "type")), "tick");
    assert_int_equal(json_integer_value(json_object_get(md, "type_version")), 1);
    assert_string_equal(json_string_value(json_object_get(md, "ring")), "broadcast");
    assert_int_equal(json_integer_value(json_object_get(md, "records")), 10);
    assert_int_equal(json_integer_value(json_object_get(md, "first_seq")), 1);
    assert_int_equal(json_integer_value(json_object_get(md, "last_seq")), 10);
    assert_int_equal(json_integer_value(json_object_get(md, "payload_bytes")), 560);
    json_t *reports = json_object_get(topics, "reports");
    assert_int_equal(json_integer_value(json_object_get(reports, "first_seq")), 4);
    assert_int_equal(json_integer_value(json_object_get(reports, "type_version")), REPORT_VERSION);
    assert_string_equal(json_string_value(json_object_get(reports, "ring")), "unknown");
    json_decref(info);
    free(text);

    assert_int_equal(RUN(f, &text, "info", f->journal), OUTCOME_OK);
    assert_non_null(strstr(text, "2023-11-14 22:13:20.123456789 UTC"));
    free(text);
}

static void info_of_a_damaged_journal_fails_and_shows_what_it_could_read(void **state)
{
    fixture_t *f = *state;
    tick_t tick = delete_of(1);
    for (uint64_t seq = 1; seq <= 10; seq++)
        append(f, MD, seq, &tick, sizeof tick);
    finish(f);
    char segment[160];
    snprintf(segment, sizeof segment, "%s/00000001.tbj", f->journal);
    int fd = open(segment, O_RDWR);
    assert_int_equal(pwrite(fd, "x", 1, 4096 + 4 * 88 + 40), 1);
    close(fd);
    char *text;
    assert_int_equal(RUN(f, &text, "info", f->journal, "--json"), OUTCOME_FAILED);
    json_t *info = json_loads(text, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(info, "end")), "damaged");
    assert_non_null(strstr(json_string_value(json_object_get(info, "error")), "offset 4448"));
    assert_int_equal(json_integer_value(json_object_get(info, "records")), 4);
    json_decref(info);
    free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_kind_of_message_comes_back_as_the_itch_bytes_that_were_fed),
        TEST(what_a_file_cannot_have_is_left_out_and_counted),
        TEST(real_itch_comes_back_byte_for_byte),
        TEST(a_gap_in_md_is_refused_as_itch_and_nothing_is_left_behind),
        TEST(whether_a_gap_is_refused_depends_on_the_ring_and_not_on_the_name),
        TEST(messages_of_a_later_version_are_refused_by_name),
        TEST(what_is_no_tick_is_refused_by_place),
        TEST(bbo_rows_are_as_the_specification_says),
        TEST(a_topic_without_messages_is_a_header),
        TEST(ticks_have_rows_with_the_fields_of_their_type),
        TEST(orders_and_reports_have_rows),
        TEST(the_hosts_clock_is_exported_only_on_request),
        TEST(json_lines_come_from_any_topic),
        TEST(a_format_that_does_not_fit_the_topic_is_refused),
        TEST(an_export_that_fails_leaves_the_file_that_was_there),
        TEST(an_export_replaces_what_a_link_leads_to_and_writes_through_devices),
        TEST(a_torn_journal_is_exported_as_far_as_it_goes_and_says_so),
        TEST(the_verb_exports_to_stdout_and_to_a_file),
        TEST(the_verb_tells_usage_from_failure),
        TEST(info_counts_what_was_recorded),
        TEST(info_of_a_damaged_journal_fails_and_shows_what_it_could_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
