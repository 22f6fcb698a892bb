/* SPDX-License-Identifier: Apache-2.0 */
/* lines_shown.h - what came over the lines of a feed that is received by MoldUDP64
 * (feedsim/source/mold_counters.h), or from NATS JetStream, in the summary and for people.
 *
 *    lines[]     packets heartbeats messages first duplicates lost refused kernel_drops
 *                other_senders cut errors receive_bytes silent silences; none of another feed
 *    requests    sent unsent answers messages refused errors; null: it makes none
 *    received    foreign before duplicates cut reordered left_out kept_max gaps lost ends; null
 *    nats        connected reconnects rereads pending repeated direct malformed, as
 *                nats_tail_counts_t says (feedsim/nats/jetstream/tail.h); null: of another feed
 *    faults      refused packets by why; of another feed {}
 */
#ifndef TICKBUS_TOOLS_RUN_LINES_SHOWN_H
#define TICKBUS_TOOLS_RUN_LINES_SHOWN_H

#include <stdio.h>

#include <jansson.h>

#include <tickbus/bus.h>

/* Into the object `feed`. */
void lines_shown_add(json_t *feed, const tbus_bus_t *bus);

/* A line each, behind `width` spaces. */
void lines_shown_print(FILE *out, const json_t *feed, int width);

#endif
