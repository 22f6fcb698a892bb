/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/contest.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

void contest_fail(const char *what, const char *why)
{
    fprintf(stderr, "bench: %s: %s\n", what, why);
    _exit(1);
}

static unsigned sides_count(const contest_trial_t *trial)
{
    return trial->senders + trial->takers;
}

void contest_meet(contest_trial_t *trial)
{
    uint32_t sides = sides_count(trial);
    uint32_t all = (tbus_fetch_add_relaxed_u32(&trial->met, 1) / sides + 1) * sides;
    while (tbus_load_acquire_u32(&trial->met) < all)
        sched_yield();
}

typedef struct side {
    const contest_peer_t *peer;
    contest_trial_t *trial;
    void *shared;
    unsigned index;
    pthread_t thread;
} side_t;

static void *run_side(void *context)
{
    side_t *side = context;
    bench_pin(side->trial->cpus[side->index]);
    side->peer->side(side->trial, side->shared, side->index);
    return NULL;
}

static void run_threads(side_t *sides, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (pthread_create(&sides[i].thread, NULL, run_side, &sides[i]) != 0)
            contest_fail("thread", strerror(errno));
    for (unsigned i = 0; i < count; i++)
        pthread_join(sides[i].thread, NULL);
}

/* No process of a trial outlives the one that started it, nor its time. */
static void bind_life(unsigned seconds)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(seconds);
}

static void run_processes(side_t *sides, unsigned count, unsigned seconds)
{
    pid_t children[CONTEST_SIDES_MAX];
    for (unsigned i = 0; i < count; i++) {
        children[i] = fork();
        if (children[i] < 0)
            contest_fail("fork", strerror(errno));
        if (children[i] == 0) {
            bind_life(seconds);
            run_side(&sides[i]);
            _exit(0);
        }
    }
    for (unsigned i = 0; i < count; i++) {
        int status;
        if (waitpid(-1, &status, 0) < 0 || status != 0)
            _exit(WIFEXITED(status) ? 1 : 2); /* the others die with us */
    }
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

static void host(const contest_peer_t *peer, contest_trial_t *trial, unsigned seconds)
{
    side_t sides[CONTEST_SIDES_MAX];
    void *shared = peer->open(trial);
    for (unsigned i = 0; i < sides_count(trial); i++)
        sides[i] = (side_t){.peer = peer, .trial = trial, .shared = shared, .index = i};
    if (peer->threads)
        run_threads(sides, sides_count(trial));
    else
        run_processes(sides, sides_count(trial), seconds);
    if (peer->close)
        peer->close(trial, shared);
    if (!sums_agree(trial))
        contest_fail(peer->name, "messages were lost, doubled or damaged");
}

bool contest_run(const contest_peer_t *peer, contest_trial_t *trial, unsigned seconds,
                 const char **out_why)
{
    tbus_store_relaxed_u32(&trial->met, 0);
    memset(trial->sides, 0, sizeof trial->sides);
    fflush(NULL);
    pid_t child = fork();
    bench_must(child, "fork", strerror(errno));
    if (child == 0) {
        bind_life(seconds + 1); /* the sides first: they know more */
        host(peer, trial, seconds);
        _exit(0);
    }
    int status;
    bench_must(waitpid(child, &status, 0), "waitpid", strerror(errno));
    if (status == 0)
        return true;
    *out_why = WIFSIGNALED(status) || (WIFEXITED(status) && WEXITSTATUS(status) == 2)
                   ? "killed or out of time"
                   : "failed";
    return false;
}
