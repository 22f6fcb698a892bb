/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/wire/mold_store.h"

#include <assert.h>

_Static_assert(sizeof(mold_kept_t) == 24, "as said");
_Static_assert(sizeof(mold_record_t) == 24, "a multiple of 8");

static mold_record_t *record_at(const mold_store_t *s, uint64_t at)
{
    return (mold_record_t *)(void *)(s->arena + (at & s->arena_mask));
}

mold_record_t *mold_store_reserve(mold_store_t *s, size_t bytes, uint64_t time_ns, uint32_t line)
{
    uint64_t size = s->arena_mask + 1;
    uint64_t need = (sizeof(mold_record_t) + bytes + 7) / 8 * 8;
    uint64_t to_end = size - (s->head & s->arena_mask);
    uint64_t filler = to_end < need ? to_end : 0; /* a record is in one piece */
    if (need > size || s->head + filler + need - s->tail > size)
        return NULL;
    if (filler) { /* 8 bytes at least: bytes and refs are all that is looked at */
        mold_record_t *end = record_at(s, s->head);
        end->bytes = (uint32_t)filler;
        end->refs = 0;
    }
    mold_record_t *record = record_at(s, s->head + filler);
    *record = (mold_record_t){.bytes = (uint32_t)need, .time_ns = time_ns, .line = line};
    return record;
}

void mold_store_keep(mold_store_t *s, mold_record_t *record, uint64_t sequence, const uint8_t *data,
                     uint16_t bytes)
{
    mold_kept_t *kept = mold_store_slot(s, sequence);
    assert(kept->sequence == 0);
    if (record->refs++ == 0) {
        uint64_t at = (uint64_t)((uint8_t *)record - s->arena);
        if ((s->head & s->arena_mask) != at) /* behind a filler */
            s->head += record_at(s, s->head)->bytes;
        s->head += record->bytes;
    }
    *kept = (mold_kept_t){.sequence = sequence,
                          .record_at = (uint32_t)((uint8_t *)record - s->arena),
                          .data_at = (uint32_t)(data - s->arena),
                          .bytes = bytes};
    s->kept++;
}

void mold_store_release(mold_store_t *s, uint64_t sequence)
{
    mold_kept_t *kept = mold_store_slot(s, sequence);
    assert(kept->sequence == sequence);
    mold_record_t *record = (mold_record_t *)(void *)(s->arena + kept->record_at);
    kept->sequence = 0;
    s->kept--;
    if (--record->refs)
        return;
    while (s->tail != s->head && record_at(s, s->tail)->refs == 0)
        s->tail += record_at(s, s->tail)->bytes;
}
