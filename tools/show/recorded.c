/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/show/recorded.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <tickbus/journal.h>

#define BYTES_MAX ((size_t)4 << 20)

/* Pieces of that object of the session, up to the last. The recorder writes all of them before it
 * records a message. False: they are not all there. */
static bool gather(tbus_journal_reader_t *reader, uint32_t kind, FILE *out)
{
    tbus_journal_record_t record;
    tbus_journal_piece_t piece;
    size_t bytes = 0;
    tbus_journal_reader_show_session(reader);
    while (tbus_journal_reader_next(reader, &record, NULL) > 0) {
        if (record.topic != TBUS_JOURNAL_SESSION_TOPIC)
            return false;
        if (!tbus_journal_record_piece(&record, &piece) || piece.kind != kind)
            continue;
        bytes += piece.bytes;
        if (bytes > BYTES_MAX || fwrite(piece.data, 1, piece.bytes, out) != piece.bytes)
            return false;
        if (!piece.more)
            return true;
    }
    return false;
}

static json_t *read_object(const char *directory, uint32_t kind)
{
    tbus_journal_reader_t *reader;
    char *text = NULL;
    size_t bytes = 0;
    if (tbus_journal_reader_open(directory, &reader, NULL) < 0)
        return NULL;
    FILE *out = open_memstream(&text, &bytes);
    bool whole = out && gather(reader, kind, out);
    if (out && fclose(out) != 0)
        whole = false;
    json_t *object = whole ? json_loadb(text, bytes, 0, NULL) : NULL;
    free(text);
    tbus_journal_reader_close(reader);
    return object;
}

json_t *recorded_configuration(const char *directory)
{
    return read_object(directory, TBUS_JOURNAL_CONFIGURATION);
}

json_t *recorded_provenance(const char *directory)
{
    return read_object(directory, TBUS_JOURNAL_PROVENANCE);
}
