/* SPDX-License-Identifier: Apache-2.0 */
/* The offsets of the directory and of the messages a second time, written by hand, and the number
 * that all offsets are folded into. Whoever moves a field changes directory.h and this file, and
 * thereby knows that programs of before cannot attach any more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <tickbus/directory.h>
#include <tickbus/msg/bbo.h>
#include <tickbus/msg/order.h>
#include <tickbus/msg/event.h>
#include <tickbus/msg/report.h>
#include <tickbus/msg/tick.h>

#include "bus/layout/layout.h"
#include "tests/support/layout_field.h"

#define CHECK(places) check(places, sizeof(places) / sizeof(places)[0])

static void check(const layout_field_t *places, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_lies_as_wanted(&places[i]);
}

static void the_header_of_the_directory_lies_where_it_always_did(void **state)
{
    (void)state;
    static const layout_field_t places[] = {
        FIELD(tbus_directory_t, magic, 0, 8),
        FIELD(tbus_directory_t, protocol, 8, 4),
        FIELD(tbus_directory_t, topics_count, 12, 4),
        FIELD(tbus_directory_t, bytes, 16, 8),
        FIELD(tbus_directory_t, layout, 24, 8),
        FIELD(tbus_directory_t, epoch_ns, 32, 8),
        FIELD(tbus_directory_t, started_realtime_ns, 40, 8),
        FIELD(tbus_directory_t, name, 48, 24),
        FIELD(tbus_directory_t, supervisor_pid, 72, 4),
        FIELD(tbus_directory_t, blocks_count, 76, 4),
        FIELD(tbus_directory_t, ended, 128, 4),
        FIELD(tbus_directory_t, counters_refused, 256, 4),
        FIELD(tbus_directory_t, histograms_refused, 260, 4),
        FIELD(tbus_directory_t, participants, 512, 32 * 1024),
        FIELD(tbus_directory_t, topics, 33280, 16 * 128),
        FIELD(tbus_directory_t, blocks, 35328, 16 * 64),
        FIELD(tbus_directory_t, counters, 36352, 8192 * 128),
        FIELD(tbus_directory_t, histograms, 1084928, 32 * 11776),
        FIELD(tbus_directory_t, arena, 1462272, 524288),
    };
    CHECK(places);
    assert_int_equal(sizeof(tbus_directory_t), 1986560);
}

static void the_tables_of_the_directory_lie_where_they_always_did(void **state)
{
    (void)state;
    static const layout_field_t places[] = {
        FIELD(tbus_participant_t, command, 0, 4),
        FIELD(tbus_participant_t, process, 4, 4),
        FIELD(tbus_participant_t, wait_mode, 8, 4),
        FIELD(tbus_participant_t, cpu, 12, 4),
        FIELD(tbus_participant_t, name, 16, 24),
        FIELD(tbus_participant_t, state, 128, 4),
        FIELD(tbus_participant_t, pid, 132, 4),
        FIELD(tbus_participant_t, heartbeat, 136, 8),
        FIELD(tbus_participant_t, quiet, 144, 8),
        FIELD(tbus_participant_t, parks, 152, 8),
        FIELD(tbus_participant_t, hot_allocations, 160, 8),
        FIELD(tbus_participant_t, publishes, 168, 4),
        FIELD(tbus_participant_t, from_outside, 172, 4),
        FIELD(tbus_participant_t, pid_namespace, 176, 4),
        FIELD(tbus_participant_t, stream, 180, 4),
        FIELD(tbus_participant_t, horizon_topics, 184, 4),
        FIELD(tbus_participant_t, horizon, 256, 128),
        FIELD(tbus_horizon_t, at, 0, 8),
        FIELD(tbus_horizon_t, waiting, 64, 4),
        FIELD(tbus_horizon_t, bell, 68, 4),
        FIELD(tbus_horizon_t, fence_wanted, 72, 4),
        FIELD(tbus_participant_t, reason, 384, 480),
        FIELD(tbus_topic_t, name, 0, 24),
        FIELD(tbus_topic_t, type, 24, 24),
        FIELD(tbus_topic_t, kind, 48, 4),
        FIELD(tbus_topic_t, pages, 52, 4),
        FIELD(tbus_topic_t, bytes, 56, 8),
        FIELD(tbus_topic_t, rights, 64, 4),
        FIELD(tbus_topic_t, publisher, 72, 4),
        FIELD(tbus_topic_t, arrivals, 76, 4),
        FIELD(tbus_topic_t, left_out, 80, 4),
        FIELD(tbus_block_t, name, 0, 40),
        FIELD(tbus_block_t, offset, 40, 4),
        FIELD(tbus_block_t, bytes, 44, 4),
        FIELD(tbus_counter_t, value, 0, 8),
        FIELD(tbus_counter_t, word, 8, 8),
        FIELD(tbus_counter_t, name, 16, 64),
        FIELD(tbus_counter_t, unit, 80, 16),
        FIELD(tbus_histogram_entry_t, word, 0, 8),
        FIELD(tbus_histogram_entry_t, name, 8, 24),
        FIELD(tbus_histogram_entry_t, histogram, 128, 11544),
        FIELD(tbus_histogram_t, count, 0, 8),
        FIELD(tbus_histogram_t, max, 8, 8),
        FIELD(tbus_histogram_t, sum, 16, 8),
        FIELD(tbus_histogram_t, buckets, 24, 11520),
    };
    CHECK(places);
    assert_int_equal(sizeof(tbus_participant_t), 1024);
    assert_int_equal(sizeof(tbus_topic_t), 128);
    assert_int_equal(sizeof(tbus_block_t), 64);
    assert_int_equal(sizeof(tbus_counter_t), 128);
    assert_int_equal(sizeof(tbus_histogram_entry_t), 11776);
    assert_int_equal(sizeof(tbus_histogram_t), 11544);
}

/* A field of all ones, and the word in which it must be found: bit fields have no address. */
#define BITS(type, member, word, from, bits)                                                       \
    do {                                                                                           \
        type message = {0};                                                                        \
        uint64_t words[sizeof(type) / 8];                                                          \
        message.member = (UINT64_C(1) << (bits)) - 1;                                              \
        memcpy(words, &message, sizeof words);                                                     \
        for (unsigned i = 0; i < sizeof(type) / 8; i++)                                            \
            if (words[i] != (i == (word) ? ((UINT64_C(1) << (bits)) - 1) << (from) : 0))           \
                fail_msg(#type "." #member " is not bits %d to %d of word %d", from,               \
                         (from) + (bits)-1, word);                                                 \
    } while (0)

static void bit_fields_of_messages_lie_where_the_headers_say(void **state)
{
    (void)state;
    BITS(order_t, md_seq, 1, 0, 48);
    BITS(order_t, locate, 1, 48, 16);
    BITS(order_t, intended, 2, 0, 48);
    BITS(order_t, kind, 2, 48, 8);
    BITS(order_t, side, 2, 56, 8);
    BITS(order_t, sent, 3, 0, 48);
    BITS(order_t, flags, 3, 48, 8);
    BITS(order_t, tif, 3, 56, 8);
    BITS(order_t, report_seq, 4, 0, 40);
    BITS(order_t, replaces, 4, 40, 24);
    BITS(order_t, at, 5, 0, 56);
    BITS(order_t, reason, 5, 56, 8);
    BITS(report_t, md_seq, 1, 0, 48);
    BITS(report_t, locate, 1, 48, 16);
    BITS(report_t, exec_id, 2, 0, 48);
    BITS(report_t, kind, 2, 48, 8);
    BITS(report_t, reason, 2, 56, 8);
    BITS(report_t, sent, 3, 0, 48);
    BITS(report_t, side, 3, 48, 8);
    BITS(report_t, liquidity, 3, 56, 8);
    BITS(report_t, seen, 4, 0, 56);
    BITS(report_t, flags, 4, 56, 8);
}

static void the_messages_lie_where_they_always_did(void **state)
{
    (void)state;
    static const layout_field_t places[] = {
        FIELD(tick_t, event, 0, 8),      FIELD(tick_t, intended, 8, 8),
        FIELD(tick_t, type, 16, 1),      FIELD(tick_t, body, 17, 39),
        FIELD(tick_t, side, 17, 1),      FIELD(tick_t, printable, 18, 1),
        FIELD(tick_t, aux, 19, 1),       FIELD(tick_t, qty, 20, 4),
        FIELD(tick_t, order_ref, 24, 8), FIELD(tick_t, qty64, 24, 8),
        FIELD(tick_t, px_e4, 32, 4),     FIELD(tick_t, mpid, 36, 4),
        FIELD(tick_t, symbol, 40, 8),    FIELD(tick_t, new_ref, 40, 8),
        FIELD(tick_t, match, 48, 8),     FIELD(bbo_t, md_seq, 0, 8),
        FIELD(bbo_t, event, 8, 8),       FIELD(bbo_t, intended, 16, 8),
        FIELD(bbo_t, bid_px_e4, 24, 4),  FIELD(bbo_t, ask_px_e4, 28, 4),
        FIELD(bbo_t, bid_qty, 32, 8),    FIELD(bbo_t, ask_qty, 40, 8),
        FIELD(bbo_t, symbol, 48, 8),     FIELD(order_t, order_id, 0, 8),
        FIELD(order_t, px_e4, 48, 4),    FIELD(order_t, qty, 52, 4),
        FIELD(report_t, order_id, 0, 8), FIELD(report_t, px_e4, 40, 4),
        FIELD(report_t, qty, 44, 4),     FIELD(report_t, leaves, 48, 4),
        FIELD(report_t, fee_e4, 52, 4),  FIELD(event_t, time_ns, 0, 8),
        FIELD(event_t, sent_ns, 8, 8),   FIELD(event_t, position, 16, 8),
        FIELD(event_t, md_seq, 24, 8),   FIELD(event_t, market_ns, 32, 8),
        FIELD(event_t, uid, 40, 4),      FIELD(event_t, pid, 44, 4),
        FIELD(event_t, number, 48, 4),   FIELD(event_t, kind, 52, 1),
        FIELD(event_t, from, 53, 1),     FIELD(event_t, by, 54, 1),
        FIELD(event_t, more, 55, 1),
    };
    CHECK(places);
    assert_int_equal(sizeof(tick_t), 56);
    assert_int_equal(sizeof(bbo_t), 56);
    assert_int_equal(sizeof(order_t), 56);
    assert_int_equal(sizeof(report_t), 56);
    assert_int_equal(sizeof(event_t), 56);
}

/* A struct is an entry for the whole of it, at 0, and one for its first field, at 0 as well. */
static bool struct_begins(const tbus_layout_entry_t *table, size_t i)
{
    return table[i].offset == 0 && table[i + 1].offset == 0;
}

/* What the table leaves out could move unnoticed: the fields of a struct, padding included, must
 * cover it from end to end. (Those of a union lie over the same bytes.) */
static void the_table_of_the_layout_covers_every_byte_of_every_struct(void **state)
{
    (void)state;
    size_t count, structs = 0;
    const tbus_layout_entry_t *table = tbus_layout_table(&count);
    for (size_t i = 0; i < count; structs++) {
        assert_true(struct_begins(table, i));
        size_t whole = table[i++].bytes, covered = 0;
        for (; i < count && (covered == 0 || !struct_begins(table, i)); i++) {
            assert_true(table[i].offset <= covered);
            if (table[i].offset + table[i].bytes > covered)
                covered = table[i].offset + table[i].bytes;
        }
        assert_int_equal(covered, whole);
    }
    assert_int_equal(structs, 15);
}

/* The table alone counts, not where it lies nor who compiled it. */
static void equal_layouts_have_equal_digests(void **state)
{
    (void)state;
    size_t count;
    const tbus_layout_entry_t *table = tbus_layout_table(&count);
    tbus_layout_entry_t *copy = malloc(count * sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, table, count * sizeof *copy);
    assert_int_equal(tbus_layout_fold(copy, count, TBUS_PROTOCOL), tbus_layout());
    free(copy);
    /* FNV-1a of the twelve bytes 01 00 00 00 02 00 00 00 03 04 00 00, worked out elsewhere */
    static const tbus_layout_entry_t one = {.offset = 2, .bytes = 0x403};
    assert_true(tbus_layout_fold(&one, 1, 1) == UINT64_C(0xda7923436e4b08e9));
}

static void a_field_that_moves_or_grows_and_another_protocol_change_the_digest(void **state)
{
    (void)state;
    size_t count;
    const tbus_layout_entry_t *table = tbus_layout_table(&count);
    tbus_layout_entry_t *copy = malloc(count * sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, table, count * sizeof *copy);
    for (size_t i = 0; i < count; i++) {
        copy[i].offset += 4;
        assert_true(tbus_layout_fold(copy, count, TBUS_PROTOCOL) != tbus_layout());
        copy[i] = table[i];
        copy[i].bytes += 4;
        assert_true(tbus_layout_fold(copy, count, TBUS_PROTOCOL) != tbus_layout());
        copy[i] = table[i];
    }
    assert_true(tbus_layout_fold(copy, count - 1, TBUS_PROTOCOL) != tbus_layout());
    assert_true(tbus_layout_fold(copy, count, TBUS_PROTOCOL + 1) != tbus_layout());
    assert_true(tbus_layout_fold(copy, count, TBUS_PROTOCOL) == tbus_layout());
    free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_header_of_the_directory_lies_where_it_always_did),
        cmocka_unit_test(the_tables_of_the_directory_lie_where_they_always_did),
        cmocka_unit_test(the_messages_lie_where_they_always_did),
        cmocka_unit_test(bit_fields_of_messages_lie_where_the_headers_say),
        cmocka_unit_test(the_table_of_the_layout_covers_every_byte_of_every_struct),
        cmocka_unit_test(equal_layouts_have_equal_digests),
        cmocka_unit_test(a_field_that_moves_or_grows_and_another_protocol_change_the_digest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
