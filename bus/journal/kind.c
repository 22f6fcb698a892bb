/* SPDX-License-Identifier: Apache-2.0 */
/* The kind of stage that records. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/journal/directory.h"
#include "bus/journal/recorder.h"
#include "bus/journal/writer.h"

#define AGE_SECONDS_MAX (UINT64_C(36500) * 86400)

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

int tbus_recorder_durability(const recorder_values_t *values, uint32_t *out_every_ms)
{
    return parse_durability(values->durability, out_every_ms);
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

/* A number of seconds, minutes, hours or days, "0" alone; at most a hundred years. */
static bool parse_age(const char *text, uint64_t *out_ns)
{
    static const struct {
        char unit;
        uint64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    char *end;
    unsigned long count = strtoul(text, &end, 10);
    *out_ns = 0;
    if (!isdigit((unsigned char)*text) || strcmp(text, "0") == 0)
        return *text == '0';
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (*end == units[i].unit && !end[1] && count <= AGE_SECONDS_MAX / units[i].seconds) {
            *out_ns = count * units[i].seconds * UINT64_C(1000000000);
            return true;
        }
    return false;
}

static int check_age(const char *text, tbus_error_t *err)
{
    uint64_t ns;
    return parse_age(text, &ns) ? 0
                                : tbus_fail(err, -TBUS_ECONFIG,
                                            "must be a number with s, m, h or d, such as 30d, up "
                                            "to 36500d; or 0");
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
    {"roll", TBUS_PARAM_CHOICE, TBUS_PARAM_FIELD(recorder_values_t, roll), .choices = "size|day",
     .fallback = "size", .help = "another file when one is full; day: at midnight UTC as well"},
    {"when_full", TBUS_PARAM_CHOICE, TBUS_PARAM_FIELD(recorder_values_t, when_full),
     .choices = "stop|go_on", .fallback = "stop",
     .help =
         "no room for another file, or for what a sync writes: stop ends the run; go_on throws the "
         "kill switch, so that no order passes, and market data goes on unrecorded until there is "
         "room"},
    {"lag_max_ms", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(recorder_values_t, lag_max_ms), .min = 0,
     .max = 3600000, .unit = "ms", .fallback = "500",
     .help = "an alarm when something that was published longer ago is not recorded, or not on the "
             "disk where records are synced as they come; 0: never"},
    {"when_late", TBUS_PARAM_CHOICE, TBUS_PARAM_FIELD(recorder_values_t, when_late),
     .choices = "warn|halt", .fallback = "warn",
     .help = "beside the alarm. halt: throw the kill switch, so that no order passes"},
    {"keep_bytes", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(recorder_values_t, keep_bytes), .min = 0,
     .max = INT64_MAX, .unit = "bytes", .fallback = "0",
     .help = "remove the oldest files while all of them have more than that; 0: never"},
    {"keep_age", TBUS_PARAM_TEXT, TBUS_PARAM_FIELD(recorder_values_t, keep_age), .check = check_age,
     .fallback = "0",
     .help = "remove files of which everything is older, such as 12h or 30d; 0: never"},
    {"keep_segments", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(recorder_values_t, keep_segments),
     .min = 0, .max = TBUS_JOURNAL_SEGMENTS_MAX, .unit = "files", .fallback = "0",
     .help =
         "remove the oldest files while there are more; 0: never. None is removed that is read"},
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
    uint64_t keep_age_ns;
    int durability = tbus_recorder_durability(values, &sync_every_ms);
    (void)parse_age(values->keep_age, &keep_age_ns);
    recorder_params_t params = {.directory = values->directory,
                                .segment_bytes = values->segment_bytes,
                                .durability = (uint32_t)durability,
                                .sync_every_ms = sync_every_ms,
                                .roll_by_day = values->roll == 1,
                                .go_on_when_full = values->when_full == 1,
                                .limits = {.keep_bytes = values->keep_bytes,
                                           .keep_age_ns = keep_age_ns,
                                           .keep_segments = values->keep_segments},
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
