/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/journal/describe.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

const char *describe_end(enum tbus_journal_end end)
{
    static const char *const ends[] = {[TBUS_JOURNAL_LIVE] = "live",
                                       [TBUS_JOURNAL_CLOSED] = "closed",
                                       [TBUS_JOURNAL_TORN] = "torn",
                                       [TBUS_JOURNAL_BROKEN] = "broken"};
    return ends[end];
}

static void put_hex(const uint8_t *bytes, unsigned count, char *out_text)
{
    for (unsigned i = 0; i < count; i++)
        snprintf(out_text + (size_t)2 * i, 3, "%02x", bytes[i]);
}

const char *describe_id(const tbus_journal_info_t *info, char out_text[DESCRIBE_ID_MAX])
{
    put_hex(info->session_id, sizeof info->session_id, out_text);
    return out_text;
}

const char *describe_time(uint64_t realtime_ns, char out_text[DESCRIBE_TIME_MAX])
{
    time_t seconds = (time_t)(realtime_ns / UINT64_C(1000000000));
    char text[24];
    struct tm parts;
    out_text[0] = 0;
    if (gmtime_r(&seconds, &parts) && strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts))
        snprintf(out_text, DESCRIBE_TIME_MAX, "%s.%09u UTC", text,
                 (unsigned)(realtime_ns % UINT64_C(1000000000)));
    return out_text;
}

uint32_t describe_seals(const tbus_journal_reader_t *reader, char out_text[DESCRIBE_SEAL_MAX])
{
    uint8_t digest[32];
    uint32_t sealed = tbus_journal_reader_seals(reader, digest);
    put_hex(digest, sizeof digest, out_text);
    return sealed;
}

const char *describe_ring(uint32_t kind)
{
    return kind ? tbus_ring_kind_name((enum tbus_ring_kind)kind) : "unknown";
}
