/* SPDX-License-Identifier: Apache-2.0 */
/* The pace of the journal writer's helper thread.
 *
 * It shares its CPU with threads that spin: the recorder's process is pinned, and a fused one has
 * the feed on the same CPU. To such a thread a helper that works as long as there is work takes
 * whole slices of the scheduler away, 3 to 4 ms each. So what nobody waits for is done in pieces,
 * with pauses between them. At full speed, when a recording is as fast as its helper, there are
 * none.
 */
#include "bus/journal/writer.h"

#include <time.h>

#include <tickbus/clock.h>

#define SECOND_NS   UINT64_C(1000000000)
#define WORK_NS     UINT64_C(15000)     /* of its CPU, between two pauses */
#define REST_TIMES  6u                  /* a pause takes as many times as long */
#define REST_NS_MAX UINT64_C(5000000)   /* and no longer */
#define HURRIED_NS  UINT64_C(250000000) /* after the recording thread has waited */
#define BEGUN_MAX   2u /* segments that are not finished: the current, and one at work */

static uint64_t own_cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

void tbus_journal_writer_sleep(tbus_journal_writer_t *w, uint64_t until_ns)
{
    struct timespec until = {.tv_sec = (time_t)(until_ns / SECOND_NS),
                             .tv_nsec = (long)(until_ns % SECOND_NS)};
    pthread_cond_timedwait(&w->work, &w->lock, &until);
}

/* Less is left of the pages than half of what is wanted ahead. */
static bool pages_run_out(tbus_journal_writer_t *w)
{
    uint64_t populated = tbus_journal_writer_file(w, w->current)->populated;
    if (populated >= w->pages_wanted)
        return false;
    return populated < w->reached + (w->pages_wanted - w->reached) / 2;
}

bool tbus_journal_writer_hurries(tbus_journal_writer_t *w)
{
    bool ends = w->stop || w->failure.code;
    bool late = w->current - w->finished > BEGUN_MAX || pages_run_out(w) ||
                (w->prepared == w->current && w->reached > w->segment_bytes / 2);
    if (ends || late || w->told)
        return true;
    uint64_t now_ns = tbus_clock_ns();
    if (w->waits != w->pace.waits) {
        w->pace.waits = w->waits;
        w->pace.hurried_ns = now_ns;
        return true;
    }
    return w->waits && now_ns - w->pace.hurried_ns < HURRIED_NS;
}

void tbus_journal_writer_breathe(tbus_journal_writer_t *w)
{
    tbus_journal_pace_t *pace = &w->pace;
    if (tbus_journal_writer_hurries(w)) {
        pace->cpu_ns = 0; /* what is done in a hurry is not paused for later */
        return;
    }
    uint64_t cpu_ns = own_cpu_ns();
    uint64_t worked_ns = pace->cpu_ns ? cpu_ns - pace->cpu_ns : 0;
    if (pace->cpu_ns && worked_ns < WORK_NS)
        return;
    pace->cpu_ns = cpu_ns;
    if (worked_ns == 0)
        return;
    uint64_t rest_ns = REST_TIMES * worked_ns;
    tbus_journal_writer_sleep(w, tbus_clock_ns() + (rest_ns < REST_NS_MAX ? rest_ns : REST_NS_MAX));
}
