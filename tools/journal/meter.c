/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/journal/meter.h"

#include <stdio.h>
#include <unistd.h>

#include <tickbus/clock.h>

#define EVERY_NS      UINT64_C(200000000)
#define RECORDS_A_ASK 4096u

void meter_begin(meter_t *meter, const char *what, const tbus_journal_info_t *info)
{
    *meter = (meter_t){.on = isatty(STDERR_FILENO) == 1,
                       .what = what,
                       .first_segment = info->first_segment,
                       .segment_bytes = info->segment_bytes,
                       .total_bytes = info->bytes,
                       .started_ns = tbus_clock_ns()};
    meter->shown_ns = meter->started_ns;
}

static void show(meter_t *meter, const tbus_journal_record_t *record, uint64_t now_ns)
{
    uint64_t done =
        (record->segment - meter->first_segment) * meter->segment_bytes + record->offset;
    double seconds = (double)(now_ns - meter->started_ns) / 1e9;
    double share = meter->total_bytes ? (double)done / (double)meter->total_bytes : 1;
    if (share > 1)
        share = 1;
    fprintf(stderr, "\r\033[K%s %.0f %%, %.2f GB/s, %.0f s left", meter->what, 100 * share,
            (double)done / seconds / 1e9, share > 0 ? seconds / share - seconds : 0);
    meter->shown = true;
    meter->shown_ns = now_ns;
}

void meter_leap(meter_t *meter, const tbus_journal_record_t *record)
{
    if (!meter->on)
        return;
    uint64_t now_ns = tbus_clock_ns();
    if (now_ns - meter->shown_ns >= EVERY_NS)
        show(meter, record, now_ns);
}

void meter_at(meter_t *meter, const tbus_journal_record_t *record)
{
    if (meter->on && ++meter->records % RECORDS_A_ASK == 0)
        meter_leap(meter, record);
}

void meter_end(meter_t *meter)
{
    if (meter->shown)
        fputs("\r\033[K", stderr);
    meter->shown = false;
}
