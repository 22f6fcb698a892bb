/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/source/mold_counters.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void mold_shown_add(mold_shown_t *shown, feed_source_counter_t row)
{
    assert(shown->count < MOLD_SHOWN_MAX);
    shown->rows[shown->count++] = row;
}

static void add(mold_shown_t *shown, const char *name, const char *unit, const uint64_t *value)
{
    mold_shown_add(shown, (feed_source_counter_t){.name = name, .unit = unit, .value = value});
}

#define LINE(i, name, unit, value) add(shown, (i) ? "line.1." name : "line.0." name, unit, value)

static void add_line(mold_shown_t *shown, uint32_t i)
{
    const mold_line_counts_t *line = &shown->counts->lines[i];
    LINE(i, "packets", "packets", &line->packets);
    LINE(i, "heartbeats", "packets", &line->heartbeats);
    LINE(i, "messages", "messages", &line->messages);
    LINE(i, "first", "messages", &line->first);
    LINE(i, "duplicates", "messages", &line->duplicates);
    LINE(i, "lost", "messages", &line->lost);
    LINE(i, "refused", "packets", &line->refused);
}

static void add_socket(mold_shown_t *shown, uint32_t i)
{
    const mold_socket_counts_t *socket = shown->sockets[i];
    LINE(i, "kernel_drops", "packets", &socket->kernel_drops);
    LINE(i, "other_senders", "packets", &socket->other_senders);
    LINE(i, "cut", "packets", &socket->cut);
    LINE(i, "errors", "calls", &socket->errors);
    LINE(i, "receive_bytes", "bytes", &socket->receive_bytes);
    LINE(i, "silent", "lines", &shown->lines[i].silent);
    LINE(i, "silences", "times", &shown->lines[i].silences);
}

static void add_requests(mold_shown_t *shown, const mold_socket_counts_t *socket)
{
    const mold_line_counts_t *replies = &shown->counts->lines[MOLD_REPLIES];
    add(shown, "requests.sent", "packets", &shown->counts->requests);
    add(shown, "requests.unsent", "packets", &shown->requests_unsent);
    add(shown, "requests.answers", "packets", &replies->packets);
    add(shown, "requests.messages", "messages", &replies->messages);
    add(shown, "requests.refused", "packets", &replies->refused);
    add(shown, "requests.errors", "calls", &socket->errors);
}

static void add_received(mold_shown_t *shown)
{
    const mold_counts_t *counts = shown->counts;
    add(shown, "received.foreign", "packets", &counts->foreign);
    add(shown, "received.before", "messages", &counts->before);
    add(shown, "received.duplicates", "messages", &counts->duplicates);
    add(shown, "received.cut", "packets", &counts->cut);
    add(shown, "received.reordered", "messages", &counts->reordered);
    add(shown, "received.left_out", "packets", &counts->left_out);
    add(shown, "received.kept_max", "messages", &counts->kept_max);
    add(shown, "received.gaps", "gaps", &counts->gaps);
    add(shown, "received.lost", "messages", &counts->lost);
    add(shown, "received.ends", "packets", &counts->ends);
}

static void add_faults(mold_shown_t *shown)
{
    /* enum mold_fault; a request is never received */
    static const char *const names[MOLD_FAULTS] = {
        [MOLD_SHORT] = "fault.short",
        [MOLD_MISSING] = "fault.missing",
        [MOLD_OVERRUN] = "fault.overrun",
        [MOLD_TRAILING] = "fault.trailing",
        [MOLD_SEQUENCE_OVERFLOW] = "fault.sequence_overflow",
        [MOLD_SEQUENCE_ZERO] = "fault.sequence_zero",
        [MOLD_FAR] = "fault.far",
        [MOLD_AFTER_END] = "fault.after_end",
    };
    for (uint32_t i = 0; i < MOLD_FAULTS; i++)
        if (names[i])
            add(shown, names[i], "packets", &shown->counts->faults[i]);
}

void mold_shown_make(mold_shown_t *shown, uint32_t lines, const mold_counts_t *counts)
{
    shown->lines_count = lines;
    shown->counts = counts;
    for (uint32_t i = 0; i < lines; i++)
        add_line(shown, i);
    add_received(shown);
    add_faults(shown);
}

void mold_shown_sockets(mold_shown_t *shown, mold_socket_t *const *sockets, uint32_t sockets_count,
                        uint64_t receive_bytes)
{
    shown->receive_bytes = receive_bytes;
    for (uint32_t i = 0; i < shown->lines_count; i++) {
        shown->sockets[i] = mold_socket_counts(sockets[i]);
        add_socket(shown, i);
    }
    if (sockets_count > shown->lines_count)
        add_requests(shown, mold_socket_counts(sockets[shown->lines_count]));
    add(shown, "received.snapshots", "snapshots", &shown->snapshots);
    add(shown, "received.snapshots_failed", "snapshots", &shown->snapshots_failed);
}

/* ---- in words ---- */

typedef struct words {
    char *to;
    size_t bytes, used;
} words_t;

static void say(words_t *w, uint64_t number, const char *text)
{
    if (number && w->used < w->bytes)
        w->used += (size_t)snprintf(w->to + w->used, w->bytes - w->used, "%s%" PRIu64 " %s",
                                    w->used ? "; " : "the feed's line: ", number, text);
}

void mold_shown_note(const mold_shown_t *shown, char *out_text, size_t bytes)
{
    const mold_counts_t *counts = shown->counts;
    words_t w = {.to = out_text, .bytes = bytes};
    uint64_t drops = 0, others = 0, refused = 0;
    bool small = false;
    out_text[0] = 0;
    for (uint32_t i = 0; i < shown->lines_count; i++) {
        drops += shown->sockets[i]->kernel_drops;
        others += shown->sockets[i]->other_senders;
        refused += counts->lines[i].refused;
        small |= shown->sockets[i]->receive_bytes < shown->receive_bytes;
    }
    say(&w, counts->lost, "messages were lost for good");
    say(&w, drops,
        small ? "packets found no room in the kernel's buffer, which is smaller than "
                "receive_bytes= asks for: raise net.core.rmem_max"
              : "packets found no room in the kernel's buffer: raise receive_bytes=");
    say(&w, counts->foreign, "packets of another session were not taken");
    say(&w, others, "packets of other senders were not taken");
    say(&w, refused, "packets were no good MoldUDP64 and were not taken");
}
