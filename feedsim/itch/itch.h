/* SPDX-License-Identifier: Apache-2.0 */
/* itch.h - NASDAQ TotalView-ITCH 5.0 messages to ticks and back, lossless.
 *
 *    message bytes (big endian)  --itch_decode-->  tick_t (host order, tickbus/msg/tick.h)
 *                                <--itch_encode--  the very same bytes
 *
 * Layouts: "Nasdaq TotalView-ITCH 5.0", sections 1.1 (S), 1.2 (R H Y L V W K J h), 1.3 (A F), 1.4
 * (E C X D U), 1.5 (P Q B), 1.6 (I), 1.7 (N) and 1.8 (O). Every message starts with type 1, stock
 * locate 2, tracking number 2, timestamp 6 bytes (ns since midnight).
 *
 * What decode makes of a message, and how long the tick is (its bytes on the ring and in the
 * journal):
 *
 *    one of the 23 types, with its right length      sizeof(tick_t), fields or body as tick.h has it
 *    one of the 23 types, with another length        refused: the stream cannot be trusted from here on
 *    unknown type, header complete                   TICK_BODY_OFFSET + bytes after the header, verbatim
 *    unknown type, shorter than the header,          TICK_RUNT: TICK_BODY_OFFSET + all its bytes, verbatim;
 *      or one whose type byte is a TICK_ mark          no time, locate 0
 *
 * Framing (BinaryFILE, MoldUDP64, SoupBinTCP) is not its business. No state, no allocation: any
 * thread. On the data path: feedsim/itch/binaryfile.h -> here -> tickbus/msg/tick.h.
 */
#ifndef TICKBUS_FEEDSIM_ITCH_ITCH_H
#define TICKBUS_FEEDSIM_ITCH_ITCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tickbus/msg/tick.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ITCH_MESSAGE_MAX 65535u /* bytes: what a 2-byte length can say */
#define ITCH_LABEL_BYTES 8u

/* type letter, message bytes, name */
#define ITCH_TYPES(X)                                                                              \
    X('S', 12, "System Event")                                                                     \
    X('R', 39, "Stock Directory")                                                                  \
    X('H', 25, "Stock Trading Action")                                                             \
    X('Y', 20, "Reg SHO Restriction")                                                              \
    X('L', 26, "Market Participant Position")                                                      \
    X('V', 35, "MWCB Decline Level")                                                               \
    X('W', 12, "MWCB Status")                                                                      \
    X('K', 28, "Quoting Period Update")                                                            \
    X('J', 35, "LULD Auction Collar")                                                              \
    X('h', 21, "Operational Halt")                                                                 \
    X('A', 36, "Add Order")                                                                        \
    X('F', 40, "Add Order with MPID")                                                              \
    X('E', 31, "Order Executed")                                                                   \
    X('C', 36, "Order Executed with Price")                                                        \
    X('X', 23, "Order Cancel")                                                                     \
    X('D', 19, "Order Delete")                                                                     \
    X('U', 35, "Order Replace")                                                                    \
    X('P', 44, "Trade")                                                                            \
    X('Q', 40, "Cross Trade")                                                                      \
    X('B', 19, "Broken Trade")                                                                     \
    X('I', 50, "Net Order Imbalance Indicator")                                                    \
    X('N', 20, "Retail Price Improvement Indicator")                                               \
    X('O', 48, "Direct Listing with Capital Raise")
#define ITCH_TYPES_COUNT 23u

/* Decode one message of `bytes` bytes. `out`: a buffer of TICK_LEN_MAX bytes, or of sizeof(tick_t)
 * when no unknown message longer than TICK_BODY_MAX + TICK_ITCH_HEADER can come. The first
 * sizeof(tick_t) bytes are always written, unused ones with zeros; `intended` holds the locate and
 * time 0. Returns 0; -TBUS_EFORMAT: a known type with a wrong length, or no bytes at all;
 * -TBUS_ETOOBIG: longer than ITCH_MESSAGE_MAX. Nothing is written then. Hot. */
int itch_decode(const uint8_t *message, size_t bytes, tick_t *out, size_t *out_bytes);

/* The exact inverse. `bytes`: of the tick. `out_message`: ITCH_MESSAGE_MAX bytes. An end mark gives
 * 0 bytes, which in BinaryFILE framing is the end marker that it came from. Returns 0, or
 * -TBUS_EFORMAT: no such tick comes from decode (length does not fit its type). */
int itch_encode(const tick_t *tick, size_t bytes, uint8_t *out_message, size_t *out_bytes);

/* Whether a tick of these many bytes could come from decode or itch_end_mark, judged by its type
 * and length. */
bool itch_tick_valid(const tick_t *tick, size_t bytes);

/* The feed's end mark; `event_ns`: time of the last message before it. */
void itch_end_mark(uint64_t event_ns, tick_t *out, size_t *out_bytes);

/* Bytes of a message of this type, 0: not one of ITCH 5.0. */
uint32_t itch_length(uint8_t type);

/* "Add Order"; NULL: not one of ITCH 5.0. */
const char *itch_type_name(uint8_t type);

/* The type byte of the message that a tick carries (of a runt: its first byte), and that message's
 * length without framing. An end mark carries none: TICK_END_MARK and 0. Requires a valid tick. */
uint8_t itch_tick_type(const tick_t *tick, size_t bytes);
size_t itch_tick_message_bytes(const tick_t *tick, size_t bytes);

/* A type byte for people and for counters: "A", or "0x9C" when it is no printable character. */
void itch_type_label(uint8_t type, char out_label[ITCH_LABEL_BYTES]);

#ifdef __cplusplus
}
#endif
#endif
