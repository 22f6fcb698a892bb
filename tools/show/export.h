/* SPDX-License-Identifier: Apache-2.0 */
/* export.h - one topic of a journal into a file of a format that others read.
 *
 *    itch    ticks: ITCH 5.0 in BinaryFILE framing, byte for byte what was fed
 *            (feedsim/itch/itch.h)
 *    csv     ticks, bbos, orders, reports: message_csv.h
 *    jsonl   any type: one JSON object a line, message_text.h
 *
 * A file appears under its name when it is complete, or not at all: it is written as NAME.part
 * beside it, synced and renamed. Anything that is not a regular file (a FIFO, /dev/null) is
 * written to directly; "-" is stdout.
 *
 * A torn tail ends the export like the end of the journal, and is reported. These are errors that
 * name the place: damage; in csv and itch, which must be whole, a sequence that is missing on a
 * topic of one publisher; a message that is not of its topic's type.
 */
#ifndef TICKBUS_TOOLS_SHOW_EXPORT_H
#define TICKBUS_TOOLS_SHOW_EXPORT_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/error.h>
#include <tickbus/journal.h>

enum export_format { EXPORT_ITCH, EXPORT_CSV, EXPORT_JSONL };

typedef struct export_request {
    const char *directory; /* of the journal */
    const char *topic;
    enum export_format format;
    const char *output; /* file name, or "-" */
    bool stamps;        /* csv: the host's clock as well (message_csv.h) */
} export_request_t;

typedef struct export_result {
    uint64_t messages;
    enum tbus_journal_end end; /* why there were no more */
    uint64_t torn_bytes;
} export_result_t;

/* 0, or the negative error. -EPIPE: whoever read our stdout has gone. Cold. */
int export_topic(const export_request_t *request, export_result_t *out_result, tbus_error_t *err);

#endif
