/* SPDX-License-Identifier: Apache-2.0 */
/* What messages look like on the wire: every field at the place that topic_wire.h says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tickbus/error.h>
#include <tickbus/msg/bbo.h>
#include <tickbus/msg/order.h>
#include <tickbus/msg/report.h>

#include "feedsim/gateway/topic_wire.h"
#include "feedsim/itch/itch.h"

static uint8_t out[TOPIC_WIRE_BYTES_MAX];

static size_t encode(const char *type, const void *message, size_t bytes)
{
    size_t out_bytes = 0;
    const topic_wire_t *wire = topic_wire_find(type);
    assert_non_null(wire);
    memset(out, 0xee, sizeof out);
    assert_int_equal(wire->encode(message, bytes, out, &out_bytes), 0);
    assert_true(out_bytes <= bytes + wire->grows_bytes); /* who has no more room relies on it */
    assert_int_equal(out[out_bytes], 0xee);
    return out_bytes;
}

static uint64_t field(size_t offset, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value = value << 8 | out[offset + i];
    return value;
}

static void a_tick_is_the_itch_message_that_it_came_from(void **state)
{
    (void)state;
    static uint8_t message[ITCH_MESSAGE_MAX];
    static _Alignas(8) uint8_t buffer[TICK_LEN_MAX];
    tick_t *tick = (tick_t *)buffer;
    size_t tick_bytes;
    for (unsigned type = 'A'; type <= 'z'; type++) {
        uint32_t known = itch_length((uint8_t)type);
        size_t bytes = known ? known : 77;
        for (size_t i = 1; i < bytes; i++)
            message[i] = (uint8_t)(type * 13 + i);
        message[0] = (uint8_t)type;
        assert_int_equal(itch_decode(message, bytes, tick, &tick_bytes), 0);
        assert_int_equal(encode("tick", tick, tick_bytes), bytes);
        assert_memory_equal(out, message, bytes);
    }
    itch_end_mark(5, tick, &tick_bytes);
    assert_int_equal(encode("tick", tick, tick_bytes), 0);
}

static void a_bbo_has_its_fields_where_the_header_says(void **state)
{
    (void)state;
    bbo_t b = {.md_seq = 0x1122334455667788,
               .event = tick_pack(0x0102030405a6, 0xbeef),
               .intended = tick_pack(0x0a0b0c0d0e0f, 0x1234),
               .bid_px_e4 = 1500100,
               .ask_px_e4 = 4000000000u,
               .bid_qty = 0x0102030405060708,
               .ask_qty = 3,
               .symbol = "ACME   "};
    b.symbol[7] = ' ';
    assert_int_equal(encode("bbo", &b, sizeof b), TOPIC_WIRE_BBO_BYTES);
    assert_int_equal(out[0], 'b');
    assert_int_equal(field(1, 2), 0x1234);
    assert_int_equal(field(3, 2), 0xbeef);
    assert_int_equal(field(5, 6), 0x0102030405a6);
    assert_int_equal(field(11, 8), 0x1122334455667788);
    assert_memory_equal(out + 19, "ACME    ", 8);
    assert_int_equal(field(27, 4), 1500100);
    assert_int_equal(field(31, 4), 4000000000u);
    assert_int_equal(field(35, 8), 0x0102030405060708);
    assert_int_equal(field(43, 8), 3);
    assert_int_equal(field(51, 6), 0x0a0b0c0d0e0f);
}

static void an_order_has_its_fields_where_the_header_says(void **state)
{
    (void)state;
    order_t o = {.order_id = ORDER_ID(3, 1000),
                 .md_seq = 77,
                 .locate = 9,
                 .intended = 0xa1a2a3a4a5a6,
                 .kind = ORDER_REPLACE,
                 .side = 'B',
                 .sent = 0xb1b2b3b4b5b6,
                 .flags = ORDER_POST_ONLY,
                 .tif = ORDER_TIF_IOC,
                 .report_seq = 0xc1c2c3c4c5,
                 .replaces = 10,
                 .at = 0xd1d2d3d4d5d6d7,
                 .reason = 7,
                 .px_e4 = 12345,
                 .qty = 600};
    assert_int_equal(encode("order", &o, sizeof o), TOPIC_WIRE_ORDER_BYTES);
    assert_int_equal(out[0], 'O');
    assert_int_equal(field(1, 2), 9);
    assert_int_equal(field(3, 8), ORDER_ID(3, 1000));
    assert_int_equal(field(11, 8), 77);
    assert_int_equal(field(19, 8), 0xa1a2a3a4a5a6);
    assert_int_equal(field(27, 8), 0xb1b2b3b4b5b6);
    assert_int_equal(field(35, 8), 0xc1c2c3c4c5);
    assert_int_equal(field(43, 8), 0xd1d2d3d4d5d6d7);
    assert_int_equal(field(51, 4), 12345);
    assert_int_equal(field(55, 4), 600);
    assert_int_equal(out[59], ORDER_REPLACE);
    assert_int_equal(out[60], 'B');
    assert_int_equal(out[61], ORDER_TIF_IOC);
    assert_int_equal(out[62], ORDER_POST_ONLY);
    assert_int_equal(out[63], 7);
    assert_int_equal(field(64, 8), ORDER_ID(3, 990));
    o.kind = ORDER_NEW;
    encode("order", &o, sizeof o);
    assert_int_equal(field(64, 8), 0);
}

static void a_report_has_its_fields_where_the_header_says(void **state)
{
    (void)state;
    report_t r = {.order_id = ORDER_ID(2, 5),
                  .md_seq = 0x010203040506,
                  .locate = 300,
                  .exec_id = 42,
                  .kind = REPORT_FILLED,
                  .reason = REASON_HALTED,
                  .sent = 0x212223242526,
                  .side = 'S',
                  .liquidity = 'A',
                  .seen = 0x31323334353637,
                  .flags = REPORT_ANSWER,
                  .px_e4 = 7,
                  .qty = 8,
                  .leaves = 9,
                  .fee_e4 = -29};
    assert_int_equal(encode("report", &r, sizeof r), TOPIC_WIRE_REPORT_BYTES);
    assert_int_equal(out[0], 'R');
    assert_int_equal(field(1, 2), 300);
    assert_int_equal(field(3, 8), ORDER_ID(2, 5));
    assert_int_equal(field(11, 8), 0x010203040506);
    assert_int_equal(field(19, 8), 42);
    assert_int_equal(field(27, 8), 0x212223242526);
    assert_int_equal(field(35, 8), 0x31323334353637);
    assert_int_equal(field(43, 4), 7);
    assert_int_equal(field(47, 4), 8);
    assert_int_equal(field(51, 4), 9);
    assert_int_equal((int32_t)field(55, 4), -29);
    assert_int_equal(out[59], REPORT_FILLED);
    assert_int_equal(out[60], REASON_HALTED);
    assert_int_equal(out[61], 'S');
    assert_int_equal(out[62], 'A');
    assert_int_equal(out[63], REPORT_ANSWER);
}

static void what_no_publisher_sends_is_refused(void **state)
{
    (void)state;
    static const char *const types[] = {"tick", "bbo", "order", "report"};
    static _Alignas(8) uint8_t message[64];
    size_t bytes;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        assert_int_equal(topic_wire_find(types[i])->encode(message, 3, out, &bytes), -TBUS_EFORMAT);
    assert_null(topic_wire_find("event"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tick_is_the_itch_message_that_it_came_from),
        cmocka_unit_test(a_bbo_has_its_fields_where_the_header_says),
        cmocka_unit_test(an_order_has_its_fields_where_the_header_says),
        cmocka_unit_test(a_report_has_its_fields_where_the_header_says),
        cmocka_unit_test(what_no_publisher_sends_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
