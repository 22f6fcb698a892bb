/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/lanes.h"

#include <stdio.h>
#include <stdlib.h>

#include <tickbus/publisher.h>
#include <tickbus/subscriber.h>

#include "bench/measure.h"

#define INLINE        static inline __attribute__((always_inline))
#define WORDS         7u /* of payload: 56 bytes */
#define PAUSES        8u
#define PROGRESS_EACH (LANE_SLOTS / 16)

/* A receiver that found something else than what was sent: the figures would be worth nothing. */
static void check(bool right, const char *lane)
{
    if (!right) {
        fprintf(stderr, "bench: %s: a message arrived damaged or out of order\n", lane);
        abort();
    }
}

INLINE void pause_between_looks(bool naked)
{
    if (!naked)
        for (unsigned i = 0; i < PAUSES; i++)
            tbus_pause();
}

/* The message number n is n, n + 1, ... n + 6; this is what its words add up to. */
INLINE uint64_t sum_of(uint64_t n)
{
    return WORDS * n + WORDS * (WORDS - 1) / 2;
}
INLINE void fill(uint64_t *words, uint64_t n)
{
    for (unsigned i = 0; i < WORDS; i++)
        words[i] = n + i;
}
INLINE uint64_t sum(const uint64_t *words)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < WORDS; i++)
        total += words[i];
    return total;
}

/* ---- raw: a stamp and 56 bytes in one cache line ---- */

typedef struct raw_line {
    tbus_atomic_u64_t stamp;
    tbus_atomic_u64_t words[WORDS];
} raw_line_t;
TBUS_STATIC_ASSERT(sizeof(raw_line_t) == 64);

typedef struct raw_pair {
    uint32_t at; /* index of the line there; the line back is four lines on */
} raw_pair_t;

static void raw_prepare(void *memory, unsigned repetition)
{
    /* Steps of an odd number of lines: another set in every cache, another slice of the last
     * one. */
    ((raw_pair_t *)memory)->at = 64 + repetition * 1237 % 16000;
}
INLINE raw_line_t *raw_there(void *memory)
{
    return (raw_line_t *)memory + ((raw_pair_t *)memory)->at;
}
INLINE raw_line_t *raw_back(void *memory)
{
    return raw_there(memory) + 4;
}
INLINE void raw_put(raw_line_t *line, uint64_t n)
{
    for (unsigned i = 0; i < WORDS; i++)
        tbus_store_relaxed_u64(&line->words[i], n + i);
    tbus_store_release_u64(&line->stamp, n);
}
INLINE uint64_t raw_get(const raw_line_t *line, uint64_t n, bool naked)
{
    while (tbus_load_acquire_u64(&line->stamp) != n)
        pause_between_looks(naked);
    uint64_t total = 0;
    for (unsigned i = 0; i < WORDS; i++)
        total += tbus_load_relaxed_u64(&line->words[i]);
    return total;
}

INLINE void raw_ping(void *memory, uint32_t count, uint64_t *out_ticks, bool naked)
{
    raw_line_t *there = raw_there(memory), *back = raw_back(memory);
    uint64_t before = bench_ticks();
    for (uint64_t n = 1; n <= LANE_WARM_UP + count; n++) {
        raw_put(there, n);
        check(raw_get(back, n, naked) == sum_of(n), "raw");
        uint64_t now = bench_ticks();
        if (n > LANE_WARM_UP)
            out_ticks[n - LANE_WARM_UP - 1] = now - before;
        before = now;
    }
}
INLINE void raw_pong(void *memory, uint32_t count, bool naked)
{
    raw_line_t *there = raw_there(memory), *back = raw_back(memory);
    for (uint64_t n = 1; n <= LANE_WARM_UP + count; n++) {
        check(raw_get(there, n, naked) == sum_of(n), "raw");
        raw_put(back, n);
    }
}

static void raw_naked_near(void *memory, uint32_t count, uint64_t *out_ticks)
{
    raw_ping(memory, count, out_ticks, true);
}
static void raw_naked_far(void *memory, uint32_t count)
{
    raw_pong(memory, count, true);
}
static void raw_paused_near(void *memory, uint32_t count, uint64_t *out_ticks)
{
    raw_ping(memory, count, out_ticks, false);
}
static void raw_paused_far(void *memory, uint32_t count)
{
    raw_pong(memory, count, false);
}

/* ---- raw stream: lines stored whole, the stamp last; the receiver's progress every sixteenth
 * ---- */

typedef struct raw_stream {
    tbus_atomic_u64_t progress;
    uint8_t pad[120];
    raw_line_t lines[LANE_SLOTS];
} raw_stream_t;
TBUS_STATIC_ASSERT(sizeof(raw_stream_t) <= LANE_MEMORY_BYTES);

/* Half a line at a time from registers: nothing faster is known for filling a line that another CPU
 * has. */
typedef uint64_t half_line_t __attribute__((vector_size(32)));

static void stream_prepare(void *memory, unsigned repetition)
{
    (void)memory, (void)repetition;
}

INLINE void stream_send(raw_stream_t *stream, uint64_t total)
{
    uint64_t room_end = 1;
    for (uint64_t n = 1; n <= total; n++) {
        while (n == room_end) {
            room_end = tbus_load_acquire_u64(&stream->progress) + LANE_SLOTS + 1;
            if (n == room_end)
                tbus_pause();
        }
        raw_line_t *line = &stream->lines[n % LANE_SLOTS];
        uint64_t old = n > LANE_SLOTS ? n - LANE_SLOTS : 0;
        ((half_line_t *)(void *)line)[0] = (half_line_t){old, n, n + 1, n + 2};
        ((half_line_t *)(void *)line)[1] = (half_line_t){n + 3, n + 4, n + 5, n + 6};
        tbus_store_release_u64(&line->stamp, n);
    }
}
static void stream_send_plain(raw_stream_t *stream, uint64_t total)
{
    stream_send(stream, total);
}
#if defined(__x86_64__)
__attribute__((target("avx"))) static void stream_send_avx(raw_stream_t *stream, uint64_t total)
{
    stream_send(stream, total);
}
#endif

static void stream_far(void *memory, uint32_t count)
{
    uint64_t total = count / 16 + (uint64_t)count;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx")) {
        stream_send_avx(memory, total);
        return;
    }
#endif
    stream_send_plain(memory, total);
}

static void stream_near(void *memory, uint32_t count, uint64_t *out_ticks)
{
    raw_stream_t *stream = memory;
    uint64_t warm_up = count / 16, total = warm_up + count, began = 0, sums = 0, expected = 0;
    for (uint64_t n = 1; n <= total; n++) {
        sums += raw_get(&stream->lines[n % LANE_SLOTS], n, false);
        expected += sum_of(n);
        if (n % PROGRESS_EACH == 0)
            tbus_store_release_u64(&stream->progress, n);
        if (n == warm_up)
            began = bench_ticks();
    }
    *out_ticks = bench_ticks() - began;
    check(sums == expected, "raw stream");
}

/* ---- tickbus: a ring there, for round trips another one back ---- */

#define RING_BACK_AT (LANE_MEMORY_BYTES / 2)

static void ring_prepare(void *memory, enum tbus_ring_kind kind)
{
    tbus_error_t err;
    enum tbus_sub_role role = kind == TBUS_MPMC ? TBUS_CONSUMER : TBUS_SUBSCRIBER;
    tbus_ring_spec_t spec = {
        .name = "lane", .kind = kind, .slot_bytes = 64, .slot_count = LANE_SLOTS, .first_seq = 1};
    for (unsigned i = 0; i < 2; i++) {
        tbus_ring_t ring;
        void *at = (unsigned char *)memory + i * RING_BACK_AT;
        bench_must(tbus_ring_format(at, RING_BACK_AT, &spec, &err), "format", err.text);
        bench_must(tbus_ring_join(at, RING_BACK_AT, true, &ring, &err), "join", err.text);
        bench_must(tbus_ring_reserve(&ring, "taker", role, &err), "reserve", err.text);
    }
}
static void spsc_prepare(void *memory, unsigned repetition)
{
    (void)repetition;
    ring_prepare(memory, TBUS_SPSC);
}
static void broadcast_prepare(void *memory, unsigned repetition)
{
    (void)repetition;
    ring_prepare(memory, TBUS_BROADCAST);
}
static void mpmc_prepare(void *memory, unsigned repetition)
{
    (void)repetition;
    ring_prepare(memory, TBUS_MPMC);
}

static tbus_publisher_t ring_publisher(void *memory, unsigned direction)
{
    tbus_error_t err;
    tbus_ring_t ring;
    tbus_publisher_t publisher;
    void *at = (unsigned char *)memory + direction * RING_BACK_AT;
    bench_must(tbus_ring_join(at, RING_BACK_AT, true, &ring, &err), "join", err.text);
    bench_must(tbus_publisher_join(&ring, 1 + direction, &publisher, &err), "publisher", err.text);
    return publisher;
}
static tbus_subscriber_t ring_subscriber(void *memory, unsigned direction)
{
    tbus_error_t err;
    tbus_ring_t ring;
    tbus_subscriber_t subscriber;
    void *at = (unsigned char *)memory + direction * RING_BACK_AT;
    bench_must(tbus_ring_join(at, RING_BACK_AT, true, &ring, &err), "join", err.text);
    bench_must(tbus_subscriber_join(&ring, "taker", 2 - direction, &subscriber, &err), "subscriber",
               err.text);
    return subscriber;
}

INLINE void ring_put(tbus_publisher_t *publisher, uint64_t n)
{
    uint64_t words[WORDS];
    fill(words, n);
    while (tbus_publish_try(publisher, words, sizeof words) == TBUS_FULL)
        tbus_pause();
}
INLINE uint64_t ring_get(tbus_subscriber_t *subscriber, bool naked)
{
    const uint64_t *words;
    size_t bytes;
    while (!(words = tbus_peek(subscriber, &bytes)))
        pause_between_looks(naked);
    uint64_t total = sum(words);
    tbus_advance(subscriber);
    return total;
}

INLINE void ring_ping(void *memory, uint32_t count, uint64_t *out_ticks, bool naked)
{
    tbus_publisher_t there = ring_publisher(memory, 0);
    tbus_subscriber_t back = ring_subscriber(memory, 1);
    uint64_t before = bench_ticks();
    for (uint64_t n = 1; n <= LANE_WARM_UP + count; n++) {
        ring_put(&there, n);
        check(ring_get(&back, naked) == sum_of(n), "ring");
        uint64_t now = bench_ticks();
        if (n > LANE_WARM_UP)
            out_ticks[n - LANE_WARM_UP - 1] = now - before;
        before = now;
    }
    tbus_subscriber_leave(&back);
}
INLINE void ring_pong(void *memory, uint32_t count, bool naked)
{
    tbus_subscriber_t there = ring_subscriber(memory, 0);
    tbus_publisher_t back = ring_publisher(memory, 1);
    for (uint64_t n = 1; n <= LANE_WARM_UP + count; n++) {
        check(ring_get(&there, naked) == sum_of(n), "ring");
        ring_put(&back, n);
    }
    tbus_subscriber_leave(&there);
}

static void ring_naked_near(void *memory, uint32_t count, uint64_t *out_ticks)
{
    ring_ping(memory, count, out_ticks, true);
}
static void ring_naked_far(void *memory, uint32_t count)
{
    ring_pong(memory, count, true);
}
static void ring_paused_near(void *memory, uint32_t count, uint64_t *out_ticks)
{
    ring_ping(memory, count, out_ticks, false);
}
static void ring_paused_far(void *memory, uint32_t count)
{
    ring_pong(memory, count, false);
}

static void ring_receive(void *memory, uint32_t count, uint64_t *out_ticks)
{
    tbus_subscriber_t subscriber = ring_subscriber(memory, 0);
    uint64_t warm_up = count / 16, total = warm_up + count, began = 0, sums = 0, expected = 0;
    for (uint64_t n = 1; n <= total; n++) {
        sums += ring_get(&subscriber, false);
        expected += sum_of(n);
        if (n == warm_up)
            began = bench_ticks();
    }
    *out_ticks = bench_ticks() - began;
    check(sums == expected, "ring stream");
    tbus_subscriber_leave(&subscriber);
}
static void ring_send(void *memory, uint32_t count)
{
    tbus_publisher_t publisher = ring_publisher(memory, 0);
    uint64_t total = count / 16 + (uint64_t)count;
    for (uint64_t n = 1; n <= total; n++)
        ring_put(&publisher, n);
}

static const lane_t lanes[] = {
    {"raw_naked", "raw line each way", false, true, raw_prepare, raw_naked_near, raw_naked_far},
    {"raw_paused", "raw line each way, 8 x PAUSE", false, true, raw_prepare, raw_paused_near,
     raw_paused_far},
    {"spsc_naked", "tickbus SPSC", false, false, spsc_prepare, ring_naked_near, ring_naked_far},
    {"spsc", "tickbus SPSC, 8 x PAUSE", false, false, spsc_prepare, ring_paused_near,
     ring_paused_far},
    {"broadcast_naked", "tickbus broadcast", false, false, broadcast_prepare, ring_naked_near,
     ring_naked_far},
    {"broadcast", "tickbus broadcast, 8 x PAUSE", false, false, broadcast_prepare, ring_paused_near,
     ring_paused_far},
    {"mpmc_naked", "tickbus MPMC", false, false, mpmc_prepare, ring_naked_near, ring_naked_far},
    {"raw_stream", "raw lines, stored whole", true, true, stream_prepare, stream_near, stream_far},
    {"spsc_stream", "tickbus SPSC", true, false, spsc_prepare, ring_receive, ring_send},
    {"broadcast_stream", "tickbus broadcast", true, false, broadcast_prepare, ring_receive,
     ring_send},
    {"mpmc_stream", "tickbus MPMC", true, false, mpmc_prepare, ring_receive, ring_send},
};

const lane_t *lane_at(unsigned index)
{
    return index < sizeof lanes / sizeof *lanes ? &lanes[index] : NULL;
}
