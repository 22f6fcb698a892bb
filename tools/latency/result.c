/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of a run beside its samples. */
#include <stdarg.h>
#include <stdio.h>

#include "tools/latency/run.h"

#define KEPT_UP_SHARE 0.99 /* of the target rate */
#define LAST_PART     0.1  /* of the schedule */
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

/* Was there no backlog once in the last tenth of the schedule? One that grows never goes: what is
 * late by more than a hundredth of the time so far at 0.9 of it is later at the end. A stall at the
 * very end, which any host has now and then, is no lack of speed. */
static bool caught_up(const samples_t *s, uint64_t schedule_ns)
{
    const sample_column_t *seen = &s->hops[HOP_TICK_TO_SEEN];
    for (uint64_t i = seen->count; i-- > 0;) {
        uint64_t intended_ns = samples_at_ns(s, HOP_TICK_TO_SEEN, i);
        if ((double)intended_ns < (1 - LAST_PART) * (double)schedule_ns)
            return false;
        if (KEPT_UP_SHARE * (double)(intended_ns + seen->ns[i]) <= (double)intended_ns)
            return true;
    }
    return false;
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
    bool all = last == s->rows - 1, in_time = r->rate_achieved >= KEPT_UP_SHARE * r->rate_target;
    r->kept_up = in_time || (all && seen_ns <= schedule_ns + gap_ns);
    if (!r->kept_up && all && caught_up(s, schedule_ns)) {
        r->kept_up = true;
        run_note(r,
                 "something stood still when the time was over: the last message was seen %.1f ms "
                 "late, and all before that had been worked off",
                 (double)seen->ns[last] / 1e6);
    }
}
