/* SPDX-License-Identifier: Apache-2.0 */
/* The kind of stage that records. */
#include <stdio.h>

#include "bus/journal/directory.h"
#include "bus/journal/recorder.h"
#include "bus/journal/writer.h"

static const tbus_param_t table[] = {
    {"directory", TBUS_PARAM_TEXT, TBUS_PARAM_FIELD(recorder_values_t, directory),
     .may_be_empty = true, .fallback = "",
     .help = "record every topic there; empty: nothing is recorded"},
    {"segment_bytes", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(recorder_values_t, segment_bytes),
     .min = TBUS_JOURNAL_SEGMENT_BYTES_MIN, .max = TBUS_JOURNAL_SEGMENT_BYTES_MAX,
     .power_of_two = true, .fallback = "67108864", .help = "size of one file of the journal"},
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
    recorder_params_t params = {.directory = values->directory,
                                .segment_bytes = values->segment_bytes,
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
