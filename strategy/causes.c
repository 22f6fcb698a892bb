/* SPDX-License-Identifier: Apache-2.0 */
#include "strategy/causes.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static uint64_t places_for(uint32_t count)
{
    uint64_t places = 64;
    while (places < count)
        places *= 2;
    return places;
}

static bool make(cause_queue_t *queue, uint32_t count)
{
    uint64_t places = places_for(count);
    queue->times = aligned_alloc(64, places * sizeof *queue->times);
    queue->mask = places - 1;
    return queue->times && memset(queue->times, 0, places * sizeof *queue->times);
}

static bool is_empty(const cause_queue_t *queue)
{
    return queue->first == queue->end;
}

static bool is_full(const cause_queue_t *queue)
{
    return queue->end - queue->first > queue->mask;
}

static uint64_t front(const cause_queue_t *queue)
{
    return is_empty(queue) ? UINT64_MAX : queue->times[queue->first & queue->mask];
}

static void put(cause_queue_t *queue, uint64_t at_ns)
{
    queue->times[queue->end++ & queue->mask] = at_ns;
}

size_t causes_footprint(uint32_t messages_max, uint32_t ticks_max)
{
    return (places_for(messages_max) + places_for(ticks_max)) * sizeof(uint64_t);
}

int causes_create(causes_t *out_causes, uint32_t messages_max, uint32_t ticks_max)
{
    causes_t causes = {0};
    if (!make(&causes.unanswered, messages_max) || !make(&causes.exposed, ticks_max)) {
        causes_destroy(&causes);
        return -ENOMEM;
    }
    *out_causes = causes;
    return 0;
}

void causes_destroy(causes_t *causes)
{
    free(causes->unanswered.times);
    free(causes->exposed.times);
    *causes = (causes_t){0};
}

void causes_sent(causes_t *causes, uint64_t at_ns)
{
    put(&causes->unanswered, at_ns);
}

void causes_answered(causes_t *causes)
{
    if (!is_empty(&causes->unanswered))
        causes->unanswered.first++;
}

void causes_exposed(causes_t *causes, uint64_t at_ns)
{
    if (is_full(&causes->exposed))
        causes->lost_ns = at_ns;
    else
        put(&causes->exposed, at_ns);
}

void causes_broken(causes_t *causes, uint64_t at_ns)
{
    causes_exposed(causes, at_ns);
    causes->broken_ns = at_ns;
}

void causes_closed(causes_t *causes)
{
    if (!is_empty(&causes->unanswered) || causes->broken_ns != 0)
        return;
    causes->exposed.first = causes->exposed.end;
    causes->lost_ns = 0;
}

uint64_t causes_first(causes_t *causes, uint64_t horizon_ns)
{
    if (causes->broken_ns < horizon_ns)
        causes->broken_ns = 0;
    while (front(&causes->exposed) < horizon_ns)
        causes->exposed.first++;
    uint64_t exposed_ns = front(&causes->exposed);
    /* Ticks that were not written down lie somewhere before the last of them. */
    if (causes->lost_ns != 0 && causes->lost_ns >= horizon_ns && exposed_ns > horizon_ns)
        exposed_ns = horizon_ns;
    uint64_t unanswered_ns = front(&causes->unanswered);
    return exposed_ns < unanswered_ns ? exposed_ns : unanswered_ns;
}
