/* SPDX-License-Identifier: Apache-2.0 */
/* channel.h - one topic that a gateway sends: its live edge, and what is needed of its past.
 *
 *    ring --> stream --> window of blocks (what is live) --> sessions
 *                              |
 *                              +--> digests
 *
 * A channel follows its topic whether or not anybody is connected, so that whoever logs in is told
 * at once where the topic stands. It begins where the block of 65,536 messages begins that the next
 * message belongs to, so that its digests are whole.
 *
 * When messages are lost for the gateway itself (it was stopped, the ring went round, and nothing
 * is recorded), the window goes on behind the hole: the sessions that need what is in it find out
 * from the back-fill, and end.
 *
 * One thread.
 */
#ifndef TICKBUS_FEEDSIM_GATEWAY_CHANNEL_H
#define TICKBUS_FEEDSIM_GATEWAY_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "feedsim/gateway/backfill.h"
#include "feedsim/gateway/block.h"
#include "feedsim/gateway/proof.h"
#include "feedsim/gateway/stream.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gateway_channel {
    char topic[TBUS_NAME_MAX];
    gateway_source_t source;
    gateway_stream_t *stream; /* owned */
    gateway_window_t window;
    gateway_proof_t proof;
    gateway_digest_t digest;
    gateway_past_t past; /* of all this, for the readers */
    bool ended;          /* there will be no message any more */
    /* when ended: the digest of the last messages, if it is known (final_count > 0) */
    uint32_t final_count;
    uint8_t final_digest[SOUP_PROOF_BYTES];
    uint64_t messages; /* encoded */
    uint64_t live_ns;  /* when the last of them was */
} gateway_channel_t;

/* Find the topic and begin to follow it. `bus`, `journal`: as for tbus_history_open; must outlive
 * the channel, which must not be moved. Cold. */
int gateway_channel_open(gateway_channel_t *c, tbus_bus_t *bus, const char *journal,
                         const char *topic, uint64_t window_bytes, tbus_error_t *err);
void gateway_channel_close(gateway_channel_t *c); /* accepts one that is all zeros */

/* Encode up to `messages` of what has come. Returns how many; negative: the topic cannot be read,
 * in err. After an error it may be called again. */
int gateway_channel_turn(gateway_channel_t *c, uint32_t messages, uint64_t now_ns,
                         tbus_error_t *err);

/* Take what was encoded into the digests. After the sends of a turn: nobody waits for it. */
void gateway_channel_follow(gateway_channel_t *c);

/* Nothing is published any more: when all that there is was encoded, the channel has ended. Call
 * it after a turn that found nothing. */
void gateway_channel_finish(gateway_channel_t *c);

/* The sequence of the next message that there will be. */
static inline uint64_t gateway_channel_next_seq(const gateway_channel_t *c)
{
    return gateway_window_next_seq(&c->window);
}

/* For how long the message `seq` has been there, as far as it is known; 0: it is not there. */
uint64_t gateway_channel_lag_ns(const gateway_channel_t *c, uint64_t seq, uint64_t now_ns);

#ifdef __cplusplus
}
#endif
#endif
