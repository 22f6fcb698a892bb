/* SPDX-License-Identifier: Apache-2.0 */
/* requests.h - the re-request server: receivers that have lost packets ask for them by UDP, and
 * each request is answered with one packet, to the address that it came from.
 *
 *    request --> faulty? too many? --> what was sent and is kept (packets.h) -----------> answer
 *                                  \-> older: waits --> the past, read again (backfill.h) --^
 *
 * A packet has as many messages as were asked for, are there and fit a datagram; the receiver asks
 * for the rest. A request is never refused for being too large. It is not answered, and counted,
 *
 *    when it is faulty      not 20 bytes, another session, no message, a sequence that is 0 or was
 *                           not sent yet: whoever guesses learns nothing, and nobody is made to
 *                           send to a third
 *    when it is beyond what its address may ask for, and be sent (limiter.h): a datagram can bear
 *                           an address that is not its sender's, and is answered with 70 times its
 *                           bytes
 *    when others wait for the past: 256 in all, 128 of its address, 64 of its receiver; or it has
 *                           waited for two seconds
 *    when what it asks for cannot be read any more
 *
 * UDP lets it get lost in any case: a receiver asks again when nothing comes.
 *
 * A turn takes some requests, reads some of the past and sends some answers, so that the live edge
 * is not made to wait. All memory is taken when it is made and started. One thread.
 */
#ifndef TICKBUS_FEEDSIM_MOLD_REQUESTS_H
#define TICKBUS_FEEDSIM_MOLD_REQUESTS_H

#include <stdbool.h>
#include <stdint.h>

#include "feedsim/gateway/backfill.h"
#include "feedsim/mold/board.h"
#include "feedsim/mold/limiter.h"
#include "feedsim/mold/packets.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct moldout_requests_options {
    const char *listen;   /* ADDRESS:PORT (feedsim/gateway/listen.h) */
    uint16_t port_before; /* with port 0: the one that was bound before, if it can be had again */
    moldout_limits_t limits;
    uint32_t backfill_readers;
    uint64_t backfill_bytes;
} moldout_requests_options_t;

typedef struct moldout_requests moldout_requests_t;

/* Bind the address. `totals`: MOLDOUT_TOTALS_COUNT, of whoever makes it. -TBUS_ECONFIG: no such
 * address; -errno: -EADDRINUSE and the like. Cold. */
int moldout_requests_create(const moldout_requests_options_t *options,
                            uint64_t totals[MOLDOUT_TOTALS_COUNT],
                            moldout_requests_t **out_requests, tbus_error_t *err);
void moldout_requests_destroy(moldout_requests_t *r); /* accepts NULL */

/* From here answers are taken: what was sent, and where the past is. Both must outlive the
 * requests. Requests that came before wait in the socket. Errors of gateway_backfill_prepare.
 * Cold. */
int moldout_requests_start(moldout_requests_t *r, const moldout_packets_t *packets,
                           const gateway_source_t *source, tbus_error_t *err);

/* One turn; `next_seq`: the first sequence that nobody may ask for yet. Was something done? */
bool moldout_requests_turn(moldout_requests_t *r, uint64_t next_seq, uint64_t now_ns);

int moldout_requests_fd(const moldout_requests_t *r); /* readable: there is one */
uint16_t moldout_requests_port(const moldout_requests_t *r);

#ifdef __cplusplus
}
#endif
#endif
