/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/gateway/topic_wire.h"

#include <string.h>

#include <tickbus/error.h>
#include <tickbus/msg/bbo.h>
#include <tickbus/msg/order.h>
#include <tickbus/msg/report.h>

#include "feedsim/itch/itch.h"

/* The low `bytes` bytes of a number, big endian. Returns where the next field begins. */
static uint8_t *put(uint8_t *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = bytes; i-- > 0; value >>= 8)
        at[i] = (uint8_t)value;
    return at + bytes;
}

static int encode_tick(const void *message, size_t bytes, uint8_t *out, size_t *out_bytes)
{
    return itch_encode(message, bytes, out, out_bytes);
}

static int encode_bbo(const void *message, size_t bytes, uint8_t *out, size_t *out_bytes)
{
    const bbo_t *b = message;
    uint8_t *at = out;
    if (bytes != sizeof *b)
        return -TBUS_EFORMAT;
    at = put(at, 'b', 1);
    at = put(at, bbo_locate(b), 2);
    at = put(at, b->event >> 48, 2);
    at = put(at, b->event, 6);
    at = put(at, b->md_seq, 8);
    memcpy(at, b->symbol, sizeof b->symbol);
    at += sizeof b->symbol;
    at = put(at, b->bid_px_e4, 4);
    at = put(at, b->ask_px_e4, 4);
    at = put(at, b->bid_qty, 8);
    at = put(at, b->ask_qty, 8);
    at = put(at, b->intended, 6);
    *out_bytes = (size_t)(at - out);
    return 0;
}

static int encode_order(const void *message, size_t bytes, uint8_t *out, size_t *out_bytes)
{
    const order_t *o = message;
    uint8_t *at = out;
    if (bytes != sizeof *o)
        return -TBUS_EFORMAT;
    at = put(at, 'O', 1);
    at = put(at, o->locate, 2);
    at = put(at, o->order_id, 8);
    at = put(at, o->md_seq, 8);
    at = put(at, o->intended, 8);
    at = put(at, o->sent, 8);
    at = put(at, o->report_seq, 8);
    at = put(at, o->at, 8);
    at = put(at, o->px_e4, 4);
    at = put(at, o->qty, 4);
    at = put(at, o->kind, 1);
    at = put(at, o->side, 1);
    at = put(at, o->tif, 1);
    at = put(at, o->flags, 1);
    at = put(at, o->reason, 1);
    at = put(at, o->kind == ORDER_REPLACE ? order_replaces(o) : 0, 8);
    *out_bytes = (size_t)(at - out);
    return 0;
}

static int encode_report(const void *message, size_t bytes, uint8_t *out, size_t *out_bytes)
{
    const report_t *r = message;
    uint8_t *at = out;
    if (bytes != sizeof *r)
        return -TBUS_EFORMAT;
    at = put(at, 'R', 1);
    at = put(at, r->locate, 2);
    at = put(at, r->order_id, 8);
    at = put(at, r->md_seq, 8);
    at = put(at, r->exec_id, 8);
    at = put(at, r->sent, 8);
    at = put(at, r->seen, 8);
    at = put(at, r->px_e4, 4);
    at = put(at, r->qty, 4);
    at = put(at, r->leaves, 4);
    at = put(at, (uint32_t)r->fee_e4, 4);
    at = put(at, r->kind, 1);
    at = put(at, r->reason, 1);
    at = put(at, r->side, 1);
    at = put(at, r->liquidity, 1);
    at = put(at, r->flags, 1);
    *out_bytes = (size_t)(at - out);
    return 0;
}

/* Of a tick to its message: one that carries its bytes in its body has a header of 17 bytes, and of
 * 11 on the wire; a mark that is sent on has 16 bytes of a sign as well. */
#define TICK_GROWS_BYTES 16u

static const topic_wire_t wires[] = {
    {"tick", "ITCH 5.0", TICK_VERSION, TICK_LEN_MAX, TICK_GROWS_BYTES, encode_tick},
    {"bbo", "best bid and offer", BBO_VERSION, sizeof(bbo_t), TOPIC_WIRE_BBO_BYTES - sizeof(bbo_t),
     encode_bbo},
    {"order", "orders", ORDER_VERSION, sizeof(order_t), TOPIC_WIRE_ORDER_BYTES - sizeof(order_t),
     encode_order},
    {"report", "reports", REPORT_VERSION, sizeof(report_t),
     TOPIC_WIRE_REPORT_BYTES - sizeof(report_t), encode_report},
};
const topic_wire_t *topic_wire_find(const char *type)
{
    for (size_t i = 0; i < sizeof wires / sizeof wires[0]; i++)
        if (strcmp(wires[i].type, type) == 0)
            return &wires[i];
    return NULL;
}
