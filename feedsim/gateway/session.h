/* SPDX-License-Identifier: Apache-2.0 */
/* session.h - one client of a gateway: a cursor into its topic, and a few packets of its own.
 *
 *    cursor    seq    the message that comes next, or of which a part was sent
 *              skip   so many bytes of its packet were sent
 *    out       control packets that wait: Login Accepted, heartbeat, a debug text, End of Session
 *
 * It has no buffer of messages: they go out of blocks that all sessions share. So a client that is
 * a day behind takes as much memory as one that is live.
 *
 * A session says which bytes are to be sent next, and is told how many of them were taken. Control
 * packets go between messages, never into one, which a socket that was full may have cut anywhere.
 * Pure: no socket, no clock, no topic. One thread. On the data path: feedsim/gateway/block.h ->
 * here -> feedsim/gateway/server.h; the protocol is bus/wire/soup_server.h.
 */
#ifndef TICKBUS_FEEDSIM_GATEWAY_SESSION_H
#define TICKBUS_FEEDSIM_GATEWAY_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/wire/soup_proof.h"
#include "bus/wire/soup_server.h"
#include "feedsim/gateway/block.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of control packets that may wait. The longest are an offer of a digest, or why a session
 * ends, and the End of Session behind it. */
#define GATEWAY_OUT_BYTES  512u
#define GATEWAY_TEXT_BYTES 256u /* of a debug packet */

enum gateway_chunk_from {
    GATEWAY_CHUNK_NONE = 0,
    GATEWAY_CHUNK_OUT = 1,  /* control packets */
    GATEWAY_CHUNK_BLOCK = 2 /* messages of the block */
};

typedef struct gateway_chunk {
    enum gateway_chunk_from from;
    const uint8_t *bytes;
    uint32_t count;
    uint32_t place; /* in the block */
} gateway_chunk_t;

typedef struct gateway_session {
    soup_server_t soup;
    uint64_t seq;
    uint32_t skip;
    bool streaming;  /* it gets messages */
    bool finishing;  /* only the rest of the message that was begun */
    uint16_t out_at; /* what was sent of it */
    uint16_t out_end;
    uint8_t out[GATEWAY_OUT_BYTES];
} gateway_session_t;

/* A client has connected. */
void gateway_session_begin(gateway_session_t *s, const soup_times_t *times, uint64_t now_ns);

/* Its login is accepted: messages from `seq` on. */
void gateway_session_accept(gateway_session_t *s, const char *name, uint64_t seq, uint64_t now_ns);

/* Its login is rejected, `reason` as in SoupBinTCP; or it broke the protocol before the answer. */
void gateway_session_reject(gateway_session_t *s, char reason, uint64_t now_ns);

/* Put a packet behind those that wait. False: there is no room now, or (text, digest) the session
 * is not open. The text alone is for tests: others give it to gateway_session_end. */
bool gateway_session_put_heartbeat(gateway_session_t *s);
bool gateway_session_put_text(gateway_session_t *s, const char *text);
bool gateway_session_put_offer(gateway_session_t *s, const soup_proof_offer_t *offer);

/* It ends: with the message that was begun, with `why` in a debug packet unless it is NULL, and
 * with an End of Session if the session is `over`, so that nobody comes back to it. Again is
 * harmless. */
void gateway_session_end(gateway_session_t *s, const char *why, bool over, uint64_t now_ns);

/* What is to be sent next. `block`: the one that holds `seq`; NULL: there is none yet, or none is
 * needed. */
gateway_chunk_t gateway_session_chunk(const gateway_session_t *s, const gateway_block_t *block);

/* So many bytes of that chunk were taken. `block` is still what it was. */
void gateway_session_took(gateway_session_t *s, const gateway_chunk_t *chunk,
                          const gateway_block_t *block, uint32_t count, uint64_t now_ns);

/* Do control packets wait? */
static inline bool gateway_session_has_out(const gateway_session_t *s)
{
    return s->out_at < s->out_end;
}

/* It has ended, and all of it was sent: the sending side can be shut. A message that was begun and
 * cannot be finished, since `block` is not there, does not count. */
static inline bool gateway_session_is_sent(const gateway_session_t *s)
{
    return soup_server_state(&s->soup) == SOUP_SERVER_ENDING && !gateway_session_has_out(s);
}

/* Does it need messages: does it stream, or has it one to finish? */
static inline bool gateway_session_needs_block(const gateway_session_t *s)
{
    return s->streaming || (s->finishing && s->skip);
}

#ifdef __cplusplus
}
#endif
#endif
