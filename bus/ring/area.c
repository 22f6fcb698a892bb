/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/ring/area.h"

/* A part is a whole number of cache lines. */
TBUS_STATIC_ASSERT(TBUS_AREA_BYTES_MIN / TBUS_AREA_PARTS % 64 == 0);
/* The sizes below do not overflow. */
TBUS_STATIC_ASSERT(TBUS_MSG_BYTES_MAX *UINT64_C(4) <= TBUS_AREA_BYTES_MAX);

static uint64_t power_of_two_from(uint64_t n)
{
    uint64_t power = TBUS_AREA_BYTES_MIN;
    while (power < n)
        power *= 2;
    return power;
}

const char *tbus_area_geometry(bool several_publishers, uint32_t slot_bytes, uint32_t slot_count,
                               uint32_t msg_bytes_max, uint64_t asked, uint64_t *out_area_bytes,
                               uint64_t *out_cell_bytes)
{
    *out_area_bytes = *out_cell_bytes = 0;
    if (msg_bytes_max > TBUS_MSG_BYTES_MAX)
        return "msg_bytes_max is more than 1073741824";
    if (msg_bytes_max <= tbus_in_slot_bytes_max(slot_bytes))
        return asked ? "its messages fit in their slots: there is no area" : NULL;
    uint64_t longest = tbus_area_span(msg_bytes_max);
    if (several_publishers) {
        /* An odd number of lines, so that the cells do not all meet in the same sets of a cache. */
        uint64_t cell = longest | 64;
        if (cell * slot_count > TBUS_AREA_BYTES_MAX)
            return "slot_count times msg_bytes_max is more than 2^40";
        if (asked && asked != cell * slot_count)
            return "with several publishers the area is a cell for each slot";
        *out_cell_bytes = cell;
        *out_area_bytes = cell * slot_count;
        return NULL;
    }
    if (!asked) {
        uint64_t quarter = (uint64_t)slot_bytes * slot_count / 4;
        asked = power_of_two_from(quarter > 4 * longest ? quarter : 4 * longest);
    }
    if (asked & (asked - 1) || asked < TBUS_AREA_BYTES_MIN || asked > TBUS_AREA_BYTES_MAX)
        return "area_bytes must be a power of two from 4096 to 2^40";
    if (asked < 2 * longest)
        return "area_bytes is less than twice msg_bytes_max";
    *out_area_bytes = asked;
    return NULL;
}

void tbus_area_begin(tbus_publisher_t *p)
{
    const tbus_ring_t *ring = &p->ring;
    if (!ring->area || ring->several_publishers)
        return;
    /* hint: whoever wrote it is dead or has left, and its accesses ended with that. */
    uint64_t announced = tbus_load_relaxed_u64(&ring->shared->area_announce);
    p->area.head = p->area.clear = tbus_area_span(announced);
    for (unsigned i = 0; i < TBUS_AREA_PARTS; i++)
        p->area.passed[i] = p->seq;
}

uint64_t tbus_area_next(const tbus_publisher_t *p, size_t bytes, uint64_t *out_must_have_passed)
{
    const tbus_ring_t *ring = &p->ring;
    uint64_t part = ring->area_bytes / TBUS_AREA_PARTS;
    uint64_t span = tbus_area_span(bytes);
    uint64_t offset = p->area.head;
    uint64_t left = ring->area_bytes - (offset & (ring->area_bytes - 1));
    if (span > left)
        offset += left;
    /* The parts between the head and where we start, should there be any, were filled before those
     * that we need: it costs nothing to wait for them. */
    uint64_t passed = ring->first_seq;
    uint64_t from = p->area.clear & ~(part - 1);
    for (; (int64_t)(offset + span - from) > 0; from += part) {
        uint64_t of_part = p->area.passed[from / part % TBUS_AREA_PARTS];
        if ((int64_t)(of_part - passed) > 0)
            passed = of_part;
    }
    *out_must_have_passed = passed;
    return offset;
}

void tbus_area_announce(tbus_publisher_t *p, uint64_t offset, size_t bytes)
{
    uint64_t end = offset + tbus_area_span(bytes);
    uint64_t part = p->ring.area_bytes / TBUS_AREA_PARTS;
    uint64_t clear = (end + part - 1) & ~(part - 1);
    if ((int64_t)(clear - p->area.clear) > 0)
        p->area.clear = clear;
    /* It never goes back: after an abort, what was claimed may have been written. */
    if ((int64_t)(end - tbus_load_relaxed_u64(&p->ring.shared->area_announce)) > 0)
        tbus_store_relaxed_u64(&p->ring.shared->area_announce, end);
    /* N1 pairs N2 (tbus_observe): else an observer takes a message for whole that is being
     * overwritten. By memcpy, ours or that of a caller who writes in place. */
    tbus_fence_stores();
}

void tbus_area_use(tbus_publisher_t *p, uint64_t offset, size_t bytes)
{
    uint64_t part = p->ring.area_bytes / TBUS_AREA_PARTS;
    uint64_t end = offset + tbus_area_span(bytes);
    for (uint64_t from = offset & ~(part - 1); (int64_t)(end - from) > 0; from += part)
        p->area.passed[from / part % TBUS_AREA_PARTS] = p->seq + 1;
    p->area.head = end;
}

#if TBUS_TSAN || defined(TBUS_HOOKS)
void tbus_long_store(void *to, const void *from, size_t bytes)
{
    tbus_words_store(to, from, bytes);
}
void tbus_long_load(void *into, const void *from, size_t bytes)
{
    tbus_words_load(into, from, bytes);
}
#else
void tbus_long_store(void *to, const void *from, size_t bytes)
{
    memcpy(to, from, bytes);
}
void tbus_long_load(void *into, const void *from, size_t bytes)
{
    memcpy(into, from, bytes);
}
#endif

const void *tbus_long_message(const tbus_ring_t *ring, uint64_t position, size_t *out_bytes,
                              uint64_t *out_offset)
{
    tbus_atomic_u64_t *slot = tbus_ring_slot(ring, position);
    /* Each word is loaded once: a hostile peer may change it at any time. */
    uint64_t length = tbus_load_relaxed_u64(slot + 1);
    uint64_t bytes = length & ~TBUS_IN_AREA;
    *out_offset = TBUS_NO_OFFSET;
    if (bytes > ring->msg_bytes_max)
        return NULL;
    *out_bytes = bytes;
    if (!(length & TBUS_IN_AREA))
        return bytes <= ring->payload_bytes - 8 ? slot + 2 : NULL;
    if (!ring->area)
        return NULL;
    if (!ring->several_publishers) {
        uint64_t offset = tbus_load_relaxed_u64(slot + 2);
        if (offset % 64 || (offset & (ring->area_bytes - 1)) + bytes > ring->area_bytes)
            return NULL;
        *out_offset = offset;
    }
    return tbus_area_at(ring, position, *out_offset);
}
