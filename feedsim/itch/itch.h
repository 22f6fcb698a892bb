/* SPDX-License-Identifier: Apache-2.0 */
/* itch.h - the codec: NASDAQ TotalView-ITCH 5.0 messages to ticks and back, lossless.
 *
 *    message bytes (big endian)  --itch_decode-->  tick_t (host order, tickbus/msg/tick.h)
 *                                <--itch_encode--  the very same bytes
 *
 * The types and their fields are those of tickbus/msg/itch_types.h. Decode and encode have the
 * offsets written out, for speed; a test holds every field of every type against that table.
 *
 * What decode makes of a message, and how long the tick is (its bytes on the ring and in the
 * journal):
 *
 *    one of the 23 types, with its length     sizeof(tick_t), members or body (itch_types.h)
 *    one of the 23 types, of another length    refused: the stream cannot be trusted from here on
 *    unknown type, header complete             TICK_BODY_OFFSET + bytes after the header, verbatim
 *    unknown type, shorter than the header,    TICK_RUNT: TICK_BODY_OFFSET + all its bytes,
 *      without bytes, or one whose type byte     verbatim; no time, locate 0
 *      is a TICK_ mark
 *
 * Nothing that comes in becomes a mark, but for GAP and RESTORE of another tickbus, whose books
 * lack what its feed has lost: it sends them to gateway clients and by MoldUDP64 as messages
 *
 *    type 0x03 or 0x04, header, ITCH_MARK_SIGN, body of the mark (tickbus/msg/tick.h)
 *
 * which itch_decode_line takes for marks, and everybody else for a type that he does not know. No
 * message has the sign by chance. Who makes it up could as well make up orders.
 *
 * Framing (BinaryFILE, MoldUDP64, SoupBinTCP) is done elsewhere. No state, no allocation: any
 * thread. On the data path: feedsim/itch/binaryfile.h -> here -> tickbus/msg/tick.h.
 */
#ifndef TICKBUS_FEEDSIM_ITCH_ITCH_H
#define TICKBUS_FEEDSIM_ITCH_ITCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tickbus/msg/itch_types.h>
#include <tickbus/msg/tick.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ITCH_MESSAGE_MAX 65535u /* bytes: what a 2-byte length can say */

#define ITCH_MARK_SIGN       "tickbus feedmark" /* without the terminating zero */
#define ITCH_MARK_SIGN_BYTES 16u

/* Decode one message of `bytes` bytes. `out`: a buffer of TICK_LEN_MAX bytes, or of sizeof(tick_t)
 * when no unknown message longer than TICK_BODY_MAX + TICK_ITCH_HEADER can come. The first
 * sizeof(tick_t) bytes are always written, unused ones with zeros; `intended` holds the locate and
 * time 0. Returns 0; -TBUS_EFORMAT: a known type with a wrong length; -TBUS_ETOOBIG: longer than
 * ITCH_MESSAGE_MAX. Nothing is written then. Hot. */
int itch_decode(const uint8_t *message, size_t bytes, tick_t *out, size_t *out_bytes);

/* The same of a message of one of the 23 types, with its length: the tick has sizeof(tick_t) bytes.
 * False: it is none; nothing was written. Hot. */
bool itch_decode_known(const uint8_t *message, size_t bytes, tick_t *out);

/* The same of what came over a line, on which another tickbus may have sent marks. Hot. */
int itch_decode_line(const uint8_t *message, size_t bytes, tick_t *out, size_t *out_bytes);

/* The exact inverse. `bytes`: of the tick. `out_message`: ITCH_MESSAGE_MAX bytes. An end mark gives
 * 0 bytes as well, which in BinaryFILE framing is the end marker that it came from; other marks
 * give what itch_decode_line takes for them. Returns 0, or
 * -TBUS_EFORMAT: no such tick comes from decode (length does not fit its type). */
int itch_encode(const tick_t *tick, size_t bytes, uint8_t *out_message, size_t *out_bytes);

/* Whether a tick of these many bytes could come from decode or itch_end_mark, judged by its type
 * and length. */
bool itch_tick_valid(const tick_t *tick, size_t bytes);

/* The feed's end mark; `event_ns`: time of the last message before it. */
void itch_end_mark(uint64_t event_ns, tick_t *out, size_t *out_bytes);

/* The type byte of the message that a tick carries (of a runt: its first byte), and that message's
 * length without framing. A mark carries none: its own type, and what itch_encode makes of it.
 * Requires a valid tick. */
uint8_t itch_tick_type(const tick_t *tick, size_t bytes);
size_t itch_tick_message_bytes(const tick_t *tick, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
