/* SPDX-License-Identifier: Apache-2.0 */
/* topic_wire.h - what a message of a topic looks like on the wire: one codec for each type of
 * message.
 *
 *    message as it lies on the ring (host order)  -- encode -->  bytes that remote consumers get
 *
 * The codec is chosen by the type of the topic's messages ("tick", "bbo", "order", "report"), so
 * that `judged` and `approved` are sent as `orders` is.
 *
 * tick: ITCH 5.0, the very bytes that were fed (feedsim/itch/itch.h). The end mark of a BinaryFILE
 * has no bytes: it is an empty message, which a client that writes BinaryFILE framing turns into
 * the same mark. Marks of what the feed has lost, and of snapshots that make it good, are messages
 * of a type of their own, which another tickbus knows by their sign (itch_decode_line).
 *
 * The others have layouts of our own, in the manner of ITCH: packed, integers big endian and
 * unsigned unless said otherwise, ASCII left aligned and padded with spaces, prices with 4 implied
 * decimals. They carry every field of tickbus/msg/bbo.h, order.h and report.h.
 *
 *    bbo 'b', 57 bytes               order 'O', 72 bytes             report 'R', 64 bytes
 *      0  1  type                      0  1  type                      0  1  type
 *      1  2  stock locate              1  2  stock locate              1  2  stock locate
 *      3  2  tracking number           3  8  order id                  3  8  order id
 *      5  6  exchange time, ns        11  8  md sequence              11  8  md sequence
 *            since midnight           19  8  intended, ns             19  8  execution id
 *     11  8  md sequence              27  8  sent, ns                 27  8  sent, ns
 *     19  8  symbol                   35  8  report sequence          35  8  seen, market time
 *     27  4  bid price                43  8  at, market time          43  4  price
 *     31  4  ask price                51  4  price                    47  4  quantity
 *     35  8  bid quantity             55  4  quantity                 51  4  leaves
 *     43  8  ask quantity             59  1  kind                     55  4  fee, signed
 *     51  6  intended, ns             60  1  side                     59  1  kind
 *                                     61  1  time in force            60  1  reason
 *                                     62  1  flags                    61  1  side
 *                                     63  1  reason                   62  1  liquidity
 *                                     64  8  order id replaced        63  1  flags
 *
 * `intended` and `sent` are ns since the bus epoch. Order id replaced: 0 unless the order is a
 * replace.
 *
 * No state, no allocation: any thread. On the data path: a ring or a journal -> here ->
 * feedsim/gateway/stream.h.
 */
#ifndef TICKBUS_FEEDSIM_GATEWAY_TOPIC_WIRE_H
#define TICKBUS_FEEDSIM_GATEWAY_TOPIC_WIRE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TOPIC_WIRE_BYTES_MAX    65535u /* the longest message of any codec */
#define TOPIC_WIRE_BBO_BYTES    57u
#define TOPIC_WIRE_ORDER_BYTES  72u
#define TOPIC_WIRE_REPORT_BYTES 64u

typedef struct topic_wire {
    const char *type;         /* of the messages on the ring */
    const char *name;         /* of what is sent, for people */
    uint32_t version;         /* of the layout on the ring that it reads */
    size_t message_bytes_max; /* on the ring */
    size_t grows_bytes;       /* it takes at most so many bytes more on the wire than on the ring */
    /* Hot. `message`: 8-byte aligned; `out`: `bytes` + grows_bytes, or TOPIC_WIRE_BYTES_MAX. 0, or
     * -TBUS_EFORMAT: no such message is published, and nothing was written. */
    int (*encode)(const void *message, size_t bytes, uint8_t *out, size_t *out_bytes);
} topic_wire_t;

/* The codec of messages of that type; NULL: there is none. Never freed. */
const topic_wire_t *topic_wire_find(const char *type);

#ifdef __cplusplus
}
#endif
#endif
