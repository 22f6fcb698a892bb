/* SPDX-License-Identifier: Apache-2.0 */
/* Every trial has a process of its own, which opens the contestant, starts its sides and checks the
 * sums: what a contestant leaves behind or breaks in its process is gone with it. */
#include "bench/contest.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "tools/measure/host.h"
#include "tools/measure/sides.h"

uint64_t contest_large[CONTEST_LARGE_MAX / 8];

#define SECOND_NS UINT64_C(1000000000)

typedef struct contest {
    const contest_peer_t *peer;
    contest_trial_t *trial;
    void *shared; /* what open returned */
    uint64_t limit_ns;
} contest_t;

/* Of this process: where contest_fail leaves the reason. */
static side_t *self;

void contest_fail(const char *what, const char *why)
{
    sides_fail(self, -EIO, "%s: %s", what, why);
    _exit(1);
}

void contest_must(int status, const char *what, const char *why)
{
    if (status < 0)
        contest_fail(what, why);
}

static unsigned sides_count(const contest_trial_t *trial)
{
    return trial->senders + trial->takers;
}

void contest_meet(contest_trial_t *trial)
{
    sides_meet_at(&trial->met, sides_count(trial));
}

contest_lanes_t contest_lanes_of(const contest_trial_t *trial, unsigned index)
{
    contest_lanes_t lanes = {.outs = 1};
    if (trial->task == CONTEST_ROUND_TRIP) {
        lanes.out[0] = index;
        lanes.in = 1 - index;
    } else if (trial->kind == CONTEST_BROADCAST) {
        lanes.outs = trial->takers;
        for (unsigned i = 0; i < trial->takers; i++)
            lanes.out[i] = i;
        lanes.in = index < trial->senders ? 0 : index - trial->senders;
    }
    return lanes;
}

/* ---- the sides, as threads or as processes */

typedef struct thread {
    const contest_t *contest;
    unsigned index;
    pthread_t id;
} thread_t;

static void *run_thread(void *context)
{
    const thread_t *thread = context;
    const contest_t *c = thread->contest;
    contest_must(host_pin(c->trial->cpus[thread->index]), "thread", "it cannot run on its CPU");
    c->peer->side(c->trial, c->shared, thread->index);
    return NULL;
}

static int run_threads(const contest_t *c)
{
    thread_t threads[CONTEST_SIDES_MAX];
    unsigned count = sides_count(c->trial);
    for (unsigned i = 0; i < count; i++) {
        threads[i] = (thread_t){.contest = c, .index = i};
        int code = pthread_create(&threads[i].id, NULL, run_thread, &threads[i]);
        contest_must(-code, "thread", strerror(code));
    }
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i].id, NULL);
    return 0;
}

static int run_process(side_t *me, void *context)
{
    const contest_t *c = context;
    self = me;
    c->peer->side(c->trial, c->shared, me->index);
    return 0;
}

static int run_processes(contest_t *c, side_t *me)
{
    tbus_error_t err;
    sides_spec_t spec = {.count = sides_count(c->trial), .run = run_process, .context = c};
    for (unsigned i = 0; i < spec.count; i++)
        spec.cpus[i] = c->trial->cpus[i];
    int code = sides_run(&spec, c->limit_ns, &err);
    return code < 0 ? sides_fail(me, code, "%s", err.text) : 0;
}

static bool sums_agree(const contest_trial_t *trial)
{
    if (trial->task != CONTEST_STREAM)
        return true;
    uint64_t total = (uint64_t)trial->warm_up + trial->count, expected = 0, sum = 0;
    for (uint64_t n = 1; n <= total; n++)
        expected += contest_sum_of(trial->bytes, n);
    for (unsigned i = 0; i < trial->takers; i++)
        sum += trial->sides[trial->senders + i].sum;
    /* Competing: as many messages in all, each sender numbering its own; senders and takers are
     * equally many. */
    return sum == expected * trial->takers;
}

static int hold(side_t *me, void *context)
{
    contest_t *c = context;
    self = me;
    c->shared = c->peer->open ? c->peer->open(c->trial) : NULL;
    int code = c->peer->threads ? run_threads(c) : run_processes(c, me);
    if (c->peer->close)
        c->peer->close(c->trial, c->shared);
    if (code == 0 && !sums_agree(c->trial))
        code = sides_fail(me, -EBADMSG, "messages were lost, doubled or damaged");
    return code;
}

int contest_run(const contest_peer_t *peer, contest_trial_t *trial, unsigned seconds,
                const char **out_why)
{
    tbus_error_t err;
    contest_t contest = {.peer = peer, .trial = trial, .limit_ns = seconds * SECOND_NS};
    sides_spec_t spec = {
        .what = peer->name, .count = 1, .cpus = {SIDES_ANYWHERE}, .run = hold, .context = &contest};
    tbus_store_relaxed_u32(&trial->met, 0);
    memset(trial->sides, 0, sizeof trial->sides);
    /* The sides first: they know more. */
    int code = sides_run(&spec, contest.limit_ns + SECOND_NS, &err);
    if (code == 0 || code == -EINTR)
        return code;
    fprintf(stderr, "bench: %s\n", err.text);
    *out_why = code == -ETIMEDOUT || code == -ECHILD ? "killed or out of time" : "failed";
    return code;
}
