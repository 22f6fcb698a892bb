/* SPDX-License-Identifier: Apache-2.0 */
/* mold_counters.h - what a MoldUDP64 feed counts, live or from a capture, by the names under which
 * it is shown (`feed.` goes before them), and what of it is said when it has ended.
 *
 *    line.N.          of line N, from 0: packets, heartbeats, messages, first (that no other line
 *                     had brought before), duplicates, lost, refused; live also kernel_drops,
 *                     other_senders, cut, errors, receive_bytes, silent (1: now), silences
 *    requests.        sent, unsent, answers, messages (in them), refused, errors: of a feed that
 *                     makes some
 *    received.        what became of the packets: foreign, before, duplicates, cut, reordered,
 *                     left_out, kept_max, gaps, lost, ends; live also of snapshots after gaps:
 *                     snapshots (whole), snapshots_failed
 *    fault.           refused packets of all lines, by why; and itch_length, messages that are no
 *                     ITCH 5.0 (source.h)
 */
#ifndef TICKBUS_FEEDSIM_SOURCE_MOLD_COUNTERS_H
#define TICKBUS_FEEDSIM_SOURCE_MOLD_COUNTERS_H

#include <stdint.h>

#include "bus/wire/mold_receiver.h"
#include "feedsim/source/mold_socket.h"
#include "feedsim/source/source.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MOLD_SHOWN_MAX 64u

typedef struct mold_shown {
    /* written by the source */
    struct {
        uint64_t heard_ns;
        uint64_t silent;
        uint64_t silences;
    } lines[MOLD_LINES_MAX];
    uint64_t requests_unsent;
    uint64_t snapshots, snapshots_failed; /* after gaps */

    uint32_t lines_count;
    const mold_counts_t *counts;
    const mold_socket_counts_t *sockets[MOLD_LINES_MAX];
    uint64_t receive_bytes; /* asked for */
    uint32_t count;
    feed_source_counter_t rows[MOLD_SHOWN_MAX];
} mold_shown_t;

/* `counts` must live as long. */
void mold_shown_make(mold_shown_t *shown, uint32_t lines, const mold_counts_t *counts);

/* Behind that, of a live feed. `sockets`, of which one more than `lines` makes requests, must live
 * as long. */
void mold_shown_sockets(mold_shown_t *shown, mold_socket_t *const *sockets, uint32_t sockets_count,
                        uint64_t receive_bytes);

/* One more. */
void mold_shown_add(mold_shown_t *shown, feed_source_counter_t row);

/* What was lost or refused, for who runs it: half a line, or "". */
void mold_shown_note(const mold_shown_t *shown, char *out_text, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
