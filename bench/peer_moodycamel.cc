// SPDX-License-Identifier: Apache-2.0
// peer_moodycamel.cc - moodycamel::ConcurrentQueue, with a token for each producer and consumer,
// and room made beforehand.
#include "bench/contest.h"

#if BENCH_HAS_MOODYCAMEL
#include <concurrentqueue/concurrentqueue.h>

namespace
{

struct line {
    unsigned char bytes[56];
};
using queue = moodycamel::ConcurrentQueue<line>;

struct queue_side {
    line message;
    queue *out, *in;
    moodycamel::ProducerToken producer;
    moodycamel::ConsumerToken consumer;
};

bool can(const contest_trial_t *t)
{
    return t->bytes == sizeof(line) && t->kind != CONTEST_BROADCAST && t->burst == 1 &&
           t->poll != CONTEST_SLEEPING && t->task != CONTEST_PUBLISH;
}
void *open(contest_trial_t *t)
{
    auto **queues = new queue *[2];
    for (unsigned i = 0; i < 2; i++)
        queues[i] = new queue(t->slots, t->senders, 0);
    return queues;
}
// It knows no bound of its own; try_enqueue fails when the room made beforehand is used up.
CONTEST_INLINE bool put(void *side, const void *m, size_t)
{
    auto *s = static_cast<queue_side *>(side);
    return s->out->try_enqueue(s->producer, *static_cast<const line *>(m));
}
CONTEST_INLINE const void *get(void *side, size_t)
{
    auto *s = static_cast<queue_side *>(side);
    return s->in->try_dequeue(s->consumer, s->message) ? &s->message : nullptr;
}
void run(contest_trial_t *t, void *shared, unsigned index)
{
    auto **queues = static_cast<queue **>(shared);
    contest_lanes_t mine = contest_lanes_of(t, index);
    queue *out = queues[mine.out[0]], *in = queues[mine.in];
    queue_side side{{}, out, in, moodycamel::ProducerToken(*out), moodycamel::ConsumerToken(*in)};
    contest_loops_sized(t, index, &side, sizeof(line), put, get, contest_done_nothing);
}

} // namespace

const contest_peer_t peer_moodycamel = {
    "moodycamel", "libconcurrentqueue-dev", true, false, 4, can, open, run, nullptr, false};
#else
const contest_peer_t peer_moodycamel = {
    "moodycamel", "libconcurrentqueue-dev", true, false, 1, nullptr, nullptr, nullptr, nullptr,
    false};
#endif
