/* SPDX-License-Identifier: Apache-2.0 */
/* export.h - one topic of a journal into a file of a format that others read.
 *
 *    itch    ticks: ITCH 5.0 in BinaryFILE framing, byte for byte what was fed
 *            (feedsim/itch/itch.h). Left out are messages without bytes, which MoldUDP64 and
 *            SoupBinTCP have and which are the end of such a file, the feed's own marks of what it
 *            has lost, and the snapshots that have made it good
 *    csv     ticks, bbos, orders, reports: message_csv.h
 *    jsonl   any type: one JSON object a line, message_text.h
 *    pcapng  any type: MoldUDP64 packets in a capture file (pcapng.h); ticks are the bytes that
 *            were fed, an end mark a message without bytes
 *
 * A file appears under its name when it is complete, or not at all: it is written as NAME.part
 * beside it, synced and renamed. Anything that is not a regular file (a FIFO, /dev/null) is
 * written to directly; "-" is stdout.
 *
 * A torn tail ends the export like the end of the journal, and is reported. Damage is an error that
 * names the place; what lies before it is exported all the same. When damage is to be skipped, the
 * export goes on behind it, and each place, and the sequences that are missing, are told. These are
 * errors that name the place and leave nothing behind: in csv and itch, which must be whole, a
 * sequence that is missing on a topic of one publisher without a damage; a message that is not of
 * its topic's type.
 */
#ifndef TICKBUS_TOOLS_SHOW_EXPORT_H
#define TICKBUS_TOOLS_SHOW_EXPORT_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/error.h>
#include <tickbus/journal.h>

#include "tools/show/span.h"

enum export_format { EXPORT_ITCH, EXPORT_CSV, EXPORT_JSONL, EXPORT_PCAPNG };

typedef struct export_request {
    const char *directory; /* of the journal */
    const char *topic;
    enum export_format format;
    const char *output; /* file name, or "-" */
    bool stamps;        /* csv: the host's clock as well (message_csv.h) */
    span_point_t from;  /* what part of the journal */
    span_point_t to;
    bool skip_damage;
    /* With skip_damage: called for every hole, with a sentence. */
    void (*tell)(void *context, const char *text);
    void *context;
} export_request_t;

typedef struct export_result {
    uint64_t messages;
    uint64_t left_out;         /* beside them: what a file of that format cannot have */
    enum tbus_journal_end end; /* why there were no more; CLOSED: or since `to` was reached */
    uint64_t torn_bytes;
} export_result_t;

/* 0, or the negative error. -EPIPE: whoever read our stdout has gone. -TBUS_ECORRUPT, and
 * out_result->messages is not 0: what lies before the damage was exported. Cold. */
int export_topic(const export_request_t *request, export_result_t *out_result, tbus_error_t *err);

#endif
