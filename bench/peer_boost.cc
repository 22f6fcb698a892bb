// SPDX-License-Identifier: Apache-2.0
// peer_boost.cc - boost::lockfree: spsc_queue one to one (alone, or ranges of 32) and one for each
// taker of a broadcast; queue, of fixed size and so without allocation, competing. Their memory is
// the trial's, in the same pages as that of all contestants.
#include "bench/contest.h"

#if BENCH_HAS_BOOST
#include <new>

#include <boost/lockfree/queue.hpp>
#include <boost/lockfree/spsc_queue.hpp>

namespace
{

struct bump {
    unsigned char *at, *end;
};
bump memory;

template <class T> struct trial_allocator {
    using value_type = T;
    template <class U> struct rebind {
        using other = trial_allocator<U>;
    };
    trial_allocator() = default;
    template <class U> trial_allocator(const trial_allocator<U> &) {}
    T *allocate(size_t n)
    {
        size_t bytes = (n * sizeof(T) + 127) & ~size_t(127);
        if (bytes > size_t(memory.end - memory.at))
            contest_fail("boost::lockfree", "the trial's memory is too small");
        void *got = memory.at;
        memory.at += bytes;
        return static_cast<T *>(got);
    }
    void deallocate(T *, size_t) {}
    bool operator==(const trial_allocator &) const { return true; }
    bool operator!=(const trial_allocator &) const { return false; }
};

template <size_t N> struct message {
    unsigned char bytes[N];
};

void start(contest_trial_t *t)
{
    memory.at = static_cast<unsigned char *>(t->memory);
    memory.end = memory.at + CONTEST_MEMORY_BYTES;
}

// ---- spsc_queue ----

template <size_t N>
using spsc = boost::lockfree::spsc_queue<message<N>,
                                         boost::lockfree::allocator<trial_allocator<message<N>>>>;

template <size_t N> struct spsc_side {
    message<N> burst[CONTEST_BURST] __attribute__((aligned(64)));
    spsc<N> *out[CONTEST_SIDES_MAX], *in;
    uint32_t outs, next; // broadcast: queues, and which has this message next
    uint32_t filled, at; // bursts
};

template <size_t N> CONTEST_INLINE bool spsc_put(void *side, const void *m, size_t)
{
    auto *s = static_cast<spsc_side<N> *>(side);
    for (; s->next < s->outs; s->next++)
        if (!s->out[s->next]->push(*static_cast<const message<N> *>(m)))
            return false;
    s->next = 0;
    return true;
}
template <size_t N> CONTEST_INLINE const void *spsc_get(void *side, size_t)
{
    auto *s = static_cast<spsc_side<N> *>(side);
    return s->in->pop(s->burst[0]) ? &s->burst[0] : nullptr;
}
// Sends what is left of a burst; true: all of it went.
template <size_t N> CONTEST_INLINE bool spsc_flush(spsc_side<N> *s)
{
    s->at += static_cast<uint32_t>(s->out[0]->push(s->burst + s->at, s->filled - s->at));
    if (s->at < s->filled)
        return false;
    s->at = s->filled = 0;
    return true;
}
template <size_t N> CONTEST_INLINE bool spsc_put_burst(void *side, const void *m, size_t)
{
    auto *s = static_cast<spsc_side<N> *>(side);
    if (s->filled == CONTEST_BURST && !spsc_flush(s))
        return false;
    s->burst[s->filled++] = *static_cast<const message<N> *>(m);
    if (s->filled == CONTEST_BURST)
        spsc_flush(s);
    return true;
}
template <size_t N> CONTEST_INLINE const void *spsc_get_burst(void *side, size_t)
{
    auto *s = static_cast<spsc_side<N> *>(side);
    if (s->at == s->filled) {
        s->at = 0;
        s->filled = static_cast<uint32_t>(s->in->pop(s->burst, CONTEST_BURST));
        if (!s->filled)
            return nullptr;
    }
    return &s->burst[s->at];
}
template <size_t N> CONTEST_INLINE void spsc_done_burst(void *side)
{
    static_cast<spsc_side<N> *>(side)->at++;
}

template <size_t N> void *spsc_open_sized(contest_trial_t *t)
{
    unsigned count = t->task == CONTEST_ROUND_TRIP ? 2 : t->takers;
    auto **queues = new spsc<N> *[CONTEST_SIDES_MAX] {};
    for (unsigned i = 0; i < count; i++)
        queues[i] = new spsc<N>(t->slots);
    return queues;
}

template <size_t N> void spsc_side_sized(contest_trial_t *t, void *shared, unsigned index)
{
    auto **queues = static_cast<spsc<N> **>(shared);
    contest_lanes_t mine = contest_lanes_of(t, index);
    spsc_side<N> side{};
    side.outs = mine.outs;
    side.in = queues[mine.in];
    for (unsigned i = 0; i < mine.outs; i++)
        side.out[i] = queues[mine.out[i]];
    if (t->burst > 1) {
        contest_loops_sized(t, index, &side, N, spsc_put_burst<N>, spsc_get_burst<N>,
                            spsc_done_burst<N>);
        while (index < t->senders && side.filled && !spsc_flush(&side))
            tbus_pause();
    } else {
        contest_loops_sized(t, index, &side, N, spsc_put<N>, spsc_get<N>, contest_done_nothing);
    }
}

bool spsc_can(const contest_trial_t *t)
{
    return t->kind != CONTEST_COMPETING && t->poll != CONTEST_SLEEPING &&
           t->task != CONTEST_PUBLISH && (t->burst == 1 || t->kind == CONTEST_PAIR);
}
void *spsc_open(contest_trial_t *t)
{
    start(t);
    switch (t->bytes) {
    case 32:
        return spsc_open_sized<32>(t);
    case 56:
        return spsc_open_sized<56>(t);
    case 64:
        return spsc_open_sized<64>(t);
    case 256:
        return spsc_open_sized<256>(t);
    case 1024:
        return spsc_open_sized<1024>(t);
    default:
        return spsc_open_sized<4096>(t);
    }
}
void spsc_run(contest_trial_t *t, void *shared, unsigned index)
{
    switch (t->bytes) {
    case 32:
        return spsc_side_sized<32>(t, shared, index);
    case 56:
        return spsc_side_sized<56>(t, shared, index);
    case 64:
        return spsc_side_sized<64>(t, shared, index);
    case 256:
        return spsc_side_sized<256>(t, shared, index);
    case 1024:
        return spsc_side_sized<1024>(t, shared, index);
    default:
        return spsc_side_sized<4096>(t, shared, index);
    }
}

// ---- queue ----

using line = message<56>;
using queue = boost::lockfree::queue<line, boost::lockfree::fixed_sized<true>,
                                     boost::lockfree::allocator<trial_allocator<line>>>;

struct queue_side {
    line message;
    queue *out, *in;
};

bool queue_can(const contest_trial_t *t)
{
    return t->kind == CONTEST_COMPETING && t->bytes == sizeof(line) && t->burst == 1 &&
           t->poll != CONTEST_SLEEPING && t->task != CONTEST_PUBLISH;
}
void *queue_open(contest_trial_t *t)
{
    start(t);
    auto **queues = new queue *[2];
    queues[0] = new queue(t->slots);
    queues[1] = new queue(t->slots);
    return queues;
}
CONTEST_INLINE bool queue_put(void *side, const void *m, size_t)
{
    return static_cast<queue_side *>(side)->out->bounded_push(*static_cast<const line *>(m));
}
CONTEST_INLINE const void *queue_get(void *side, size_t)
{
    auto *s = static_cast<queue_side *>(side);
    return s->in->pop(s->message) ? &s->message : nullptr;
}
void queue_run(contest_trial_t *t, void *shared, unsigned index)
{
    auto **queues = static_cast<queue **>(shared);
    contest_lanes_t mine = contest_lanes_of(t, index);
    queue_side side{{}, queues[mine.out[0]], queues[mine.in]};
    contest_loops_sized(t, index, &side, sizeof(line), queue_put, queue_get, contest_done_nothing);
}

} // namespace

const contest_peer_t peer_boost_spsc = {
    "boost spsc_queue", "libboost-dev", true,     false,   2,
    spsc_can,           spsc_open,      spsc_run, nullptr, false};
const contest_peer_t peer_boost_queue = {"boost queue", "libboost-dev", true,      false,   4,
                                         queue_can,     queue_open,     queue_run, nullptr, false};
#else
const contest_peer_t peer_boost_spsc = {
    "boost spsc_queue", "libboost-dev", true, false, 1, nullptr, nullptr, nullptr, nullptr, false};
const contest_peer_t peer_boost_queue = {"boost queue", "libboost-dev", true,    false,   1,
                                         nullptr,       nullptr,        nullptr, nullptr, false};
#endif
