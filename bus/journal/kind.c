/* SPDX-License-Identifier: Apache-2.0 */
/* The kind of stage that records. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/journal/directory.h"
#include "bus/journal/recorder.h"
#include "bus/journal/writer.h"

/* -1: it is none. */
static int parse_durability(const char *text, uint32_t *out_every_ms)
{
    static const char periodic[] = "periodic:";
    char *end;
    *out_every_ms = 0;
    if (strcmp(text, "async") == 0)
        return TBUS_JOURNAL_ASYNC;
    if (strcmp(text, "sync-batch") == 0)
        return TBUS_JOURNAL_SYNC_BATCH;
    if (strncmp(text, periodic, sizeof periodic - 1) != 0)
        return -1;
    text += sizeof periodic - 1;
    unsigned long ms = strtoul(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end || ms < 1 || ms > TBUS_JOURNAL_SYNC_EVERY_MS_MAX)
        return -1;
    *out_every_ms = (uint32_t)ms;
    return TBUS_JOURNAL_PERIODIC;
}

static int check_durability(const char *text, tbus_error_t *err)
{
    uint32_t every_ms;
    return parse_durability(text, &every_ms) >= 0
               ? 0
               : tbus_fail(err, -TBUS_ECONFIG,
                           "must be async, sync-batch, or periodic:MS with 1 to %u milliseconds",
                           TBUS_JOURNAL_SYNC_EVERY_MS_MAX);
}

static const tbus_param_t table[] = {
    {"directory", TBUS_PARAM_TEXT, TBUS_PARAM_FIELD(recorder_values_t, directory),
     .may_be_empty = true, .fallback = "",
     .help = "record every topic there; empty: nothing is recorded"},
    {"segment_bytes", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(recorder_values_t, segment_bytes),
     .min = TBUS_JOURNAL_SEGMENT_BYTES_MIN, .max = TBUS_JOURNAL_SEGMENT_BYTES_MAX,
     .power_of_two = true, .fallback = "67108864", .help = "size of one file of the journal"},
    {"durability", TBUS_PARAM_TEXT, TBUS_PARAM_FIELD(recorder_values_t, durability),
     .check = check_durability, .fallback = "async",
     .help = "when records are synced to the disk. async: each file when it is full; "
             "periodic:MS: every so many milliseconds; sync-batch: as they come"},
};
static const tbus_params_t params_of_kind = TBUS_PARAMS(recorder_values_t, table);

static const tbus_port_t ports[] = {{.topic = NULL, .role = TBUS_PORT_FOLLOW}};

static bool wanted(const void *params)
{
    return ((const recorder_values_t *)params)->directory[0] != 0;
}

static void describe(const void *params, char *out_text, size_t bytes)
{
    snprintf(out_text, bytes, "recorded in %s", ((const recorder_values_t *)params)->directory);
}

static int check(const void *params, tbus_error_t *err)
{
    const char *path = ((const recorder_values_t *)params)->directory;
    tbus_journal_directory_t directory;
    int code = tbus_journal_directory_create(path, &directory, err);
    if (code == 0)
        tbus_journal_directory_destroy(&directory);
    return code;
}

/* What the writer has of its segments in memory at a time; in a file system that is memory, whole
 * segments: the one that is written, and the next. */
static size_t memory_bytes(const void *params)
{
    const recorder_values_t *values = params;
    return tbus_journal_memory_bytes(values->directory, values->segment_bytes);
}

static int create(const tbus_stage_request_t *request, tbus_stage_t **out_stage, tbus_error_t *err)
{
    const recorder_values_t *values = request->params;
    uint32_t sync_every_ms;
    int durability = parse_durability(values->durability, &sync_every_ms);
    recorder_params_t params = {.directory = values->directory,
                                .segment_bytes = values->segment_bytes,
                                .durability = (uint32_t)durability,
                                .sync_every_ms = sync_every_ms,
                                .provenance = request->provenance,
                                .configuration = request->configuration};
    return tbus_recorder_create(request->bus, request->owner, &params, out_stage, err);
}

const tbus_kind_t tbus_recorder_kind = {
    .api = TBUS_KIND_API,
    .struct_bytes = sizeof(tbus_kind_t),
    .name = TBUS_RECORDER_NAME,
    .help = "The recording.",
    .section = "journal",
    .traits = TBUS_KIND_RECORDS,
    .rank = 90,
    .instances_max = 1,
    .ports_count = 1,
    .ports = ports,
    .params = &params_of_kind,
    .wanted = wanted,
    .check = check,
    .describe = describe,
    .memory_bytes = memory_bytes,
    .memory_keys = "journal.segment_bytes",
    .create = create,
};
