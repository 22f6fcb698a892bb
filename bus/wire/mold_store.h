/* SPDX-License-Identifier: Apache-2.0 */
/* mold_store.h - where a receiver of MoldUDP64 keeps messages that came too early.
 *
 *    window   by sequence, modulo its size: where the message lies; 24 bytes each
 *    arena    a ring of records, in the order in which they came: the blocks of one packet each.
 *             A record goes when its messages are released and all before it have gone
 *
 * What comes too early comes nearly in order, and is released in order: so the oldest record is the
 * first to go, but for answers to requests, which hold up what came behind them for a moment.
 *
 * Part of bus/wire/mold_receiver.c.
 */
#ifndef TICKBUS_WIRE_MOLD_STORE_H
#define TICKBUS_WIRE_MOLD_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mold_kept {
    uint64_t sequence; /* 0: nothing is kept here */
    uint32_t record_at;
    uint32_t data_at;
    uint16_t bytes;
    uint8_t zeros[6];
} mold_kept_t;

typedef struct mold_record {
    uint32_t bytes; /* with this header and what follows it, a multiple of 8 */
    uint32_t refs;  /* messages in it that are kept; 0: none, or it fills up the end of the arena */
    uint64_t time_ns;
    uint32_t line;
    uint32_t zeros;
} mold_record_t;

typedef struct mold_store {
    mold_kept_t *window;
    uint8_t *arena;
    uint64_t window_mask;
    uint64_t arena_mask;
    uint64_t head, tail; /* of the arena, bytes so far */
    uint64_t kept;       /* messages */
} mold_store_t;

static inline mold_kept_t *mold_store_slot(const mold_store_t *s, uint64_t sequence)
{
    return &s->window[sequence & s->window_mask];
}

static inline bool mold_store_has(const mold_store_t *s, uint64_t sequence)
{
    return s->kept && mold_store_slot(s, sequence)->sequence == sequence;
}

static inline const mold_record_t *mold_store_record(const mold_store_t *s, const mold_kept_t *kept)
{
    return (const mold_record_t *)(const void *)(s->arena + kept->record_at);
}

/* A record for `bytes` bytes, which the caller copies behind it. NULL: no room. It is there from
 * the first mold_store_keep on; without one it is as if it had not been asked for. */
mold_record_t *mold_store_reserve(mold_store_t *s, size_t bytes, uint64_t time_ns, uint32_t line);

/* Message `sequence` lies at `data`, in the record that was reserved last. Requires that its slot
 * is free. */
void mold_store_keep(mold_store_t *s, mold_record_t *record, uint64_t sequence, const uint8_t *data,
                     uint16_t bytes);

/* Requires that it is kept. */
void mold_store_release(mold_store_t *s, uint64_t sequence);

#ifdef __cplusplus
}
#endif
#endif
