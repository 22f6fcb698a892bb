/* SPDX-License-Identifier: Apache-2.0 */
/* area.h - the area of a ring, where the messages lie that do not fit in their slot (ring.h says
 * how it is divided up and who frees it). Internal to bus/ring.
 *
 * One publisher, an area of 64 parts; what the publisher knows of it is in its own memory
 * (tbus_area_t in publisher.h):
 *
 *     passed[0]   passed[1]   passed[2] ...                        passed[63]
 *    +-----------+-----------+-----------+-----------------------+-----------+
 *    | message 7, long ......|... | message 9 |  ...             |           |
 *    +-----------+-----------+-----------+-----------------------+-----------+
 *
 *    passed[i]   the position behind the last message that lies in part i: the part may be written
 *                again when every subscriber has got there
 *    head        the offset of the next message
 *    clear       offsets below this need no look: their part was found free in this round
 *
 * A publisher that is killed takes that knowledge with it. Its successor takes every part for used
 * by all that was published before, and starts at `area_announce`, below which anything may have
 * been written.
 */
#ifndef TICKBUS_BUS_RING_AREA_H
#define TICKBUS_BUS_RING_AREA_H

#include <tickbus/publisher.h>

/* What a message takes: whole cache lines, so that none is written for two messages. */
static inline uint64_t tbus_area_span(size_t bytes)
{
    return ((uint64_t)bytes + 63) & ~(uint64_t)63;
}

/* The longest message that lies in its slot. */
static inline uint32_t tbus_in_slot_bytes_max(uint32_t slot_bytes)
{
    uint32_t payload = slot_bytes - TBUS_SLOT_WORD_BYTES;
    return payload <= TBUS_SLOT_LENGTH_MAX ? payload : payload - 8;
}

/* The bytes of the area of a ring of this shape, `asked` or what is chosen; *out_cell_bytes: of
 * each slot's cell, 0 with one publisher. 0: it needs no area. NULL, or what is wrong. */
const char *tbus_area_geometry(bool several_publishers, uint32_t slot_bytes, uint32_t slot_count,
                               uint32_t msg_bytes_max, uint64_t asked, uint64_t *out_area_bytes,
                               uint64_t *out_cell_bytes);

/* A publisher comes. */
void tbus_area_begin(tbus_publisher_t *p);

/* One publisher: where in the area a message of so many bytes goes next, and up to which position
 * subscribers must have got before it may be written. */
uint64_t tbus_area_next(const tbus_publisher_t *p, size_t bytes, uint64_t *out_must_have_passed);

/* One publisher: the message at `offset` is about to be written, and every subscriber has passed
 * what lay there. */
void tbus_area_announce(tbus_publisher_t *p, uint64_t offset, size_t bytes);

/* One publisher: it was, for the message at `p->seq`. */
void tbus_area_use(tbus_publisher_t *p, uint64_t offset, size_t bytes);

/* Where the cell of the slot at `position`, or an offset in the area, is in memory. */
static inline unsigned char *tbus_area_at(const tbus_ring_t *ring, uint64_t position,
                                          uint64_t offset)
{
    return ring->area + (ring->several_publishers ? (position & ring->mask) * ring->cell_bytes
                                                  : offset & (ring->area_bytes - 1));
}

/* Copy a long message into its place, or out of it. Publishers may write it while an observer or a
 * subscriber that can be evicted reads it, and these find out afterwards (N2, C2, E2). By the book
 * of C11 that is a race unless each word is an atomic access, as in builds for ThreadSanitizer; but
 * word by word 64 KiB take three times as long. So memcpy does it: a function of the library, which
 * the compiler does not look into, and every byte that it brings is thrown away unless nobody wrote
 * it meanwhile. */
void tbus_long_store(void *to, const void *from, size_t bytes);
void tbus_long_load(void *into, const void *from, size_t bytes);

/* Copy a message that may be overwritten meanwhile. */
static inline void tbus_message_load(const tbus_ring_t *ring, void *into, const void *message,
                                     size_t bytes)
{
    if (TBUS_LIKELY(bytes <= ring->slot_msg_bytes_max))
        tbus_words_load(into, message, bytes);
    else
        tbus_long_load(into, message, bytes);
}

/* The long message (LENGTH_LONG) whose slot is at `position`; NULL: the slot holds what no correct
 * publisher writes. *out_offset: where in the area it lies, of a ring with one publisher, or
 * TBUS_NO_OFFSET. */
#define TBUS_NO_OFFSET UINT64_MAX
const void *tbus_long_message(const tbus_ring_t *ring, uint64_t position, size_t *out_bytes,
                              uint64_t *out_offset);

/* The message of the slot at `position`, which holds `word`; NULL and *out_offset as above. */
static inline const void *tbus_message(const tbus_ring_t *ring, uint64_t position, uint64_t word,
                                       size_t *out_bytes, uint64_t *out_offset)
{
    uint32_t bytes = tbus_slot_length(word);
    *out_offset = TBUS_NO_OFFSET;
    if (TBUS_UNLIKELY(bytes > ring->slot_msg_bytes_max))
        return bytes == TBUS_LENGTH_LONG ? tbus_long_message(ring, position, out_bytes, out_offset)
                                         : NULL;
    *out_bytes = bytes;
    return tbus_ring_slot(ring, position) + 1;
}

#endif
