/* SPDX-License-Identifier: Apache-2.0 */
#include <tickbus/ring.h>

#include "bus/ring/area.h"

#include <errno.h>
#include <string.h>

static bool power_of_two(uint32_t n)
{
    return n && !(n & (n - 1));
}

static bool several_publishers(enum tbus_ring_kind kind)
{
    return kind == TBUS_BROADCAST_MP || kind == TBUS_MPMC || kind == TBUS_MPSC;
}

bool tbus_name_fits(const char *name)
{
    size_t length = name ? strnlen(name, TBUS_NAME_MAX) : 0;
    return length > 0 && length < TBUS_NAME_MAX;
}

const char *tbus_ring_kind_name(enum tbus_ring_kind kind)
{
    switch (kind) {
    case TBUS_SPSC:
        return "spsc";
    case TBUS_BROADCAST:
        return "broadcast";
    case TBUS_BROADCAST_MP:
        return "broadcast-mp";
    case TBUS_MPMC:
        return "mpmc";
    case TBUS_MPSC:
        return "mpsc";
    }
    return "?";
}

/* Checks a geometry, whether it comes from a caller's spec or from a header in shared memory. NULL:
 * it is right. */
static const char *geometry_fault(uint32_t kind, uint32_t policy, uint32_t promise,
                                  uint32_t slot_bytes, uint32_t slot_count)
{
    if (kind < TBUS_SPSC || kind > TBUS_MPSC)
        return "unknown kind of ring";
    if (policy > TBUS_EVICT_SLOWEST)
        return "unknown policy";
    if (promise > TBUS_AT_LEAST_ONCE)
        return "unknown promise";
    if (promise == TBUS_AT_LEAST_ONCE && kind != TBUS_MPMC)
        return "at least once can be promised only where consumers compete (mpmc)";
    if (slot_bytes % 64 || slot_bytes < TBUS_SLOT_BYTES_MIN || slot_bytes > TBUS_SLOT_BYTES_MAX)
        return "slot_bytes must be a multiple of 64 from 64 to 8192";
    if (!power_of_two(slot_count) || slot_count < TBUS_SLOT_COUNT_MIN ||
        slot_count > TBUS_SLOT_COUNT_MAX)
        return "slot_count must be a power of two from 16 to 16777216";
    return NULL;
}

/* The longest message in one slot; `msg_bytes_max`: the limit for all messages, 0: none. */
static uint32_t slot_msg_bytes_max(uint32_t slot_bytes, uint32_t msg_bytes_max)
{
    uint32_t longest = slot_bytes - TBUS_SLOT_WORD_BYTES;
    if (longest > TBUS_SLOT_LENGTH_MAX)
        longest = TBUS_SLOT_LENGTH_MAX;
    return msg_bytes_max && msg_bytes_max < longest ? msg_bytes_max : longest;
}

/* Where things lie in a ring. */
typedef struct shape {
    uint64_t area_at; /* 0: there is no area */
    uint64_t area_bytes;
    uint64_t cell_bytes;
    uint64_t total_bytes;
} shape_t;

/* NULL, or what is wrong. `msg_bytes_max` is not 0; `area_bytes` may be. */
static const char *find_shape(bool several, uint32_t slot_bytes, uint32_t slot_count,
                              uint32_t msg_bytes_max, uint64_t area_bytes, shape_t *out_shape)
{
    *out_shape = (shape_t){0};
    const char *fault =
        tbus_area_geometry(several, slot_bytes, slot_count, msg_bytes_max, area_bytes,
                           &out_shape->area_bytes, &out_shape->cell_bytes);
    uint64_t slots_end = TBUS_RING_SLOTS_AT + (uint64_t)slot_bytes * slot_count;
    if (out_shape->area_bytes) /* on a page of its own */
        out_shape->area_at = (slots_end + 4095) & ~UINT64_C(4095);
    out_shape->total_bytes =
        out_shape->area_bytes ? out_shape->area_at + out_shape->area_bytes : slots_end;
    return fault;
}

static const char *spec_fault(const tbus_ring_spec_t *spec, shape_t *out_shape)
{
    if (!tbus_name_fits(spec->name))
        return "its name must have 1 to 23 bytes and a terminating zero";
    const char *fault =
        geometry_fault(spec->kind, spec->policy, spec->promise, spec->slot_bytes, spec->slot_count);
    if (fault)
        return fault;
    return find_shape(several_publishers(spec->kind), spec->slot_bytes, spec->slot_count,
                      spec->msg_bytes_max ? spec->msg_bytes_max : 1, spec->area_bytes, out_shape);
}

size_t tbus_ring_footprint(const tbus_ring_spec_t *spec)
{
    shape_t shape;
    return !spec || spec_fault(spec, &shape) ? 0 : shape.total_bytes;
}

int tbus_ring_format(void *memory, size_t bytes, const tbus_ring_spec_t *spec, tbus_error_t *err)
{
    if (!spec)
        return tbus_fail(err, -EINVAL, "ring: there is no spec");
    shape_t shape;
    const char *fault = spec_fault(spec, &shape);
    if (fault)
        return tbus_fail(err, -TBUS_EGEOMETRY, "ring '" TBUS_NAME_TEXT "': %s", spec->name, fault);
    if (!memory || bytes < shape.total_bytes || (uintptr_t)memory % 64)
        return tbus_fail(err, -TBUS_EGEOMETRY,
                         "ring '%s' needs %llu bytes at a 64-byte boundary, got %zu", spec->name,
                         (unsigned long long)shape.total_bytes, bytes);

    tbus_ring_shared_t *s = (tbus_ring_shared_t *)memory;
    memset(memory, 0, shape.total_bytes);
    s->abi = TBUS_RING_ABI;
    s->kind = spec->kind;
    s->slot_bytes = spec->slot_bytes;
    s->slot_count = spec->slot_count;
    s->msg_bytes_max =
        spec->msg_bytes_max ? spec->msg_bytes_max : slot_msg_bytes_max(spec->slot_bytes, 0);
    s->subs_max = TBUS_RING_SUBS_MAX;
    s->slots_at = TBUS_RING_SLOTS_AT;
    s->total_bytes = shape.total_bytes;
    s->area_at = shape.area_at;
    s->area_bytes = shape.area_bytes;
    s->first_seq = spec->first_seq;
    s->policy = spec->policy;
    s->promise = spec->promise;
    memcpy(s->name, spec->name, TBUS_NAME_MAX - 1);
    tbus_store_relaxed_u64(&s->tail, spec->first_seq);
    tbus_store_relaxed_u64(&s->tail_seq, spec->first_seq);
    tbus_store_relaxed_u64(&s->announce, spec->first_seq);
    tbus_store_relaxed_u64(&s->head, spec->first_seq);
    tbus_store_relaxed_u64(&s->claims, tbus_ticket(spec->first_seq, 0, 0));
    tbus_store_relaxed_u64(&s->takes, tbus_ticket(spec->first_seq, 0, 0));
    /* Positions start at first_seq, so that position and sequence are equal. */
    for (uint64_t i = 0; i < spec->slot_count; i++) {
        uint64_t position = spec->first_seq + i;
        tbus_atomic_u64_t *slot =
            (tbus_atomic_u64_t *)(void *)((unsigned char *)memory + TBUS_RING_SLOTS_AT +
                                          (position & (spec->slot_count - 1)) * spec->slot_bytes);
        /* Several publishers claim a slot for its position. One publisher does not look at the slot
         * word: its slots start with a sequence older than any. */
        uint64_t seq = several_publishers(spec->kind) ? position : spec->first_seq - 1;
        tbus_store_relaxed_u64(slot, tbus_slot_word(seq, 0, 0, TBUS_SLOT_FREE));
    }
    /* I1 pairs I2 (tbus_ring_join): else a joiner sees the magic before the header and the
     * slots. */
    tbus_store_release_u64(&s->magic, TBUS_RING_MAGIC);
    return 0;
}

int tbus_ring_join(void *memory, size_t bytes, bool writable, tbus_ring_t *out_ring,
                   tbus_error_t *err)
{
    if (!memory || !out_ring || bytes < sizeof(tbus_ring_shared_t) || (uintptr_t)memory % 64)
        return tbus_fail(err, -TBUS_EGEOMETRY, "ring: %zu bytes are too few for a ring's header",
                         bytes);
    tbus_ring_shared_t *s = (tbus_ring_shared_t *)memory;
    /* I2 pairs I1 (tbus_ring_format). */
    if (tbus_load_acquire_u64(&s->magic) != TBUS_RING_MAGIC)
        return tbus_fail(err, -TBUS_EMAGIC, "ring: the memory holds no ring (wrong magic)");
    uint32_t abi = s->abi;
    if (abi != TBUS_RING_ABI)
        return tbus_fail(
            err, -TBUS_EABI,
            "ring: made by version %u of the layout, this program knows %u; restart the bus with "
            "matching binaries",
            abi, TBUS_RING_ABI);
    /* Every field is loaded once and checked, and only the copy is used from then on: a hostile
     * peer may change the original at any time. */
    uint32_t kind = s->kind;
    uint32_t policy = s->policy;
    uint32_t promise = s->promise;
    uint32_t slot_bytes = s->slot_bytes;
    uint32_t slot_count = s->slot_count;
    uint32_t msg_bytes_max = s->msg_bytes_max;
    uint64_t area_bytes = s->area_bytes;
    bool several = several_publishers((enum tbus_ring_kind)kind);
    shape_t shape;
    const char *fault = geometry_fault(kind, policy, promise, slot_bytes, slot_count);
    if (!fault && !msg_bytes_max)
        fault = "msg_bytes_max is 0";
    if (!fault)
        fault = find_shape(several, slot_bytes, slot_count, msg_bytes_max, area_bytes, &shape);
    if (fault)
        return tbus_fail(err, -TBUS_EGEOMETRY, "ring: %s", fault);
    if (s->subs_max != TBUS_RING_SUBS_MAX || s->slots_at != TBUS_RING_SLOTS_AT ||
        shape.area_bytes != area_bytes || s->area_at != shape.area_at ||
        s->total_bytes != shape.total_bytes || shape.total_bytes > bytes)
        return tbus_fail(err, -TBUS_EGEOMETRY,
                         "ring: %u slots of %u bytes and %llu bytes for long messages do not fit "
                         "the header or the %zu bytes mapped",
                         slot_count, slot_bytes, (unsigned long long)area_bytes, bytes);
    *out_ring = (tbus_ring_t){
        .shared = s,
        .slots = (unsigned char *)memory + TBUS_RING_SLOTS_AT,
        .mask = slot_count - 1,
        .slot_count = slot_count,
        .slot_bytes = slot_bytes,
        .payload_bytes = slot_bytes - TBUS_SLOT_WORD_BYTES,
        .msg_bytes_max = msg_bytes_max,
        .first_seq = s->first_seq,
        .kind = (enum tbus_ring_kind)kind,
        .policy = (enum tbus_policy)policy,
        .slot_msg_bytes_max = slot_msg_bytes_max(slot_bytes, msg_bytes_max),
        .area = shape.area_bytes ? (unsigned char *)memory + shape.area_at : NULL,
        .area_bytes = shape.area_bytes,
        .cell_bytes = shape.cell_bytes,
        .several_publishers = several,
        .competing = kind == TBUS_MPMC,
        .redelivers = promise == TBUS_AT_LEAST_ONCE,
        .writable = writable,
    };
    return 0;
}

uint64_t tbus_ring_published(const tbus_ring_t *ring)
{
    const tbus_ring_shared_t *s = ring->shared;
    /* hint: a count; nothing is read because of it. */
    return (ring->several_publishers ? tbus_ring_claimed(ring)
                                     : tbus_load_relaxed_u64(&s->tail_seq)) -
           ring->first_seq;
}

bool tbus_ring_end(const tbus_ring_t *ring, uint64_t *out_position, uint64_t *out_seq)
{
    const tbus_ring_shared_t *s = ring->shared;
    if (ring->several_publishers) {
        *out_position = *out_seq = tbus_ring_claimed(ring);
        return true;
    }
    /* The publisher stores the two every so many messages, which takes a few ns. */
    for (unsigned turns = 0; turns < 1000; turns++) {
        /* T4 pairs T3 (store_tail): this version's position and sequence are both there. */
        uint64_t before = tbus_load_acquire_u64(&s->tail_version);
        /* T2 pairs T1 (store_tail): if we read one of a newer version, the version has changed at
         * our second look. Else a new position is paired with an old sequence. */
        *out_position = tbus_load_acquire_u64(&s->tail); /* T2 */
        *out_seq = tbus_load_acquire_u64(&s->tail_seq);  /* T2 */
        tbus_fence_acquire();                            /* T2 */
        if (!(before & 1) && tbus_load_relaxed_u64(&s->tail_version) == before)
            return true;
        tbus_pause();
    }
    return false;
}
