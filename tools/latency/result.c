/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of a run beside its samples. */
#include <stdarg.h>
#include <stdio.h>

#include "tools/latency/run.h"

#define KEPT_UP_SHARE 0.99 /* of the target rate */
#define NS_PER_S      1e9

void run_note(run_result_t *result, const char *format, ...)
{
    if (result->notes_count == RUN_NOTES_MAX)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(result->notes[result->notes_count++], RUN_NOTE_BYTES, format, arguments);
    va_end(arguments);
}

void run_result_clear(run_result_t *result)
{
    samples_clear(&result->samples);
    json_decref(result->summary);
    evidence_clear(&result->evidence);
    *result = (run_result_t){0};
}

void run_judge(run_result_t *r)
{
    const samples_t *s = &r->samples;
    const sample_column_t *seen = &s->hops[HOP_TICK_TO_SEEN];
    if (s->rows == 0 || seen->count == 0) {
        run_note(r, "%s", s->rows ? "the strategy took no message" : "no message was sent");
        return;
    }
    uint64_t last = seen->count - 1;
    uint64_t schedule_ns = s->intended_ns[s->rows - 1];
    uint64_t seen_ns = samples_at_ns(s, HOP_TICK_TO_SEEN, last) + seen->ns[last];
    r->seconds = (double)schedule_ns / NS_PER_S;
    r->had_a_rate = schedule_ns > 0;
    if (!r->had_a_rate) {
        r->kept_up = seen->count == s->rows;
        run_note(r, "%s: no rate can be told",
                 s->rows == 1 ? "no more than one message was due"
                              : "all messages were due at once");
        return;
    }
    r->rate_target = (double)(s->rows - 1) / r->seconds;
    r->rate_achieved = seen_ns ? (double)last / ((double)seen_ns / NS_PER_S) : 0;
    /* Of a message now and then, one that comes a little late is no backlog. */
    uint64_t gap_ns = schedule_ns / (s->rows - 1);
    bool before_next = last == s->rows - 1 && seen_ns <= schedule_ns + gap_ns;
    r->kept_up = before_next || r->rate_achieved >= KEPT_UP_SHARE * r->rate_target;
}
