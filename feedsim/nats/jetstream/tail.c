/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/nats/jetstream/tail.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <tickbus/atomic.h>
#include <tickbus/clock.h>

#include "feedsim/nats/answer.h"
#include "feedsim/nats/jetstream/binding.h"
#include "feedsim/nats/jetstream/seek.h"

#define MS           UINT64_C(1000000)
#define WAIT_MS      50        /* for a message, between two looks at whether we are to end */
#define FULL_NS      (1 * MS)  /* between two looks at whether the queue has room */
#define AGAIN_NS_MIN (50 * MS) /* from one attempt to begin anew to the next, twice as long */
#define AGAIN_NS_MAX (1000 * MS)
/* A stream that is not there may be one that a cluster has not found again after an election. */
#define GONE_NS (5000 * MS)

enum { OPENING = 0, OPEN = 1, REFUSED = 2 };

struct nats_tail {
    nats_tail_options_t options;
    char *texts; /* that the options point to */
    nats_handover_t *queue;
    pthread_t thread;
    tbus_atomic_u32_t stop;
    /* The opening's outcome, for who waits for it. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int state;
    tbus_error_t why;
    /* of the thread */
    nats_binding_t binding;
    nats_follow_t follow;
    uint64_t stream_seq; /* of the last message that was dealt with */
    bool placed;         /* stream_seq says where to go on; until then the options do */
    uint64_t hole_seq;   /* read again for what is missing here; 0: nowhere */
    uint64_t heard_ns;   /* of NATS */
    /* for who watches */
    tbus_atomic_u64_t connected, reconnects, rereads, pending, passed, direct;
};

/* ---- options, with texts of our own ---- */

static int keep_options(nats_tail_t *t, const nats_tail_options_t *options, tbus_error_t *err)
{
    t->options = *options;
    const char **const texts[] = {
        &t->options.way.url, &t->options.way.credentials, &t->options.way.ca,
        &t->options.way.key, &t->options.way.certificate, &t->options.way.name,
        &t->options.stream,  &t->options.topic,           &t->options.type,
        &t->options.session};
    size_t bytes = 0, used = 0;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        bytes += *texts[i] ? strlen(*texts[i]) + 1 : 0;
    t->texts = malloc(bytes ? bytes : 1);
    if (!t->texts)
        return tbus_fail(err, -ENOMEM, "no memory to read a stream");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (!*texts[i])
            continue;
        size_t length = strlen(*texts[i]) + 1;
        memcpy(t->texts + used, *texts[i], length);
        *texts[i] = t->texts + used;
        used += length;
    }
    return 0;
}

/* ---- handing over ---- */

static bool stops(const nats_tail_t *t)
{
    return tbus_load_relaxed_u32(&t->stop) != 0; /* hint: it is looked at again */
}

static void pause_for(uint64_t ns)
{
    (void)nanosleep(&(struct timespec){.tv_sec = (time_t)(ns / (1000 * MS)),
                                       .tv_nsec = (long)(ns % (1000 * MS))},
                    NULL);
}

/* Waits for room: what we do not take the server keeps. False: we are to end. */
static bool hand_over(nats_tail_t *t, const nats_item_t *item, const void *payload)
{
    while (!nats_handover_put(t->queue, item, payload)) {
        if (stops(t))
            return false;
        pause_for(FULL_NS);
    }
    return true;
}

/* Of a stream's subjects and headers, which anybody may have written. */
static void hand_over_error(nats_tail_t *t, tbus_error_t *why)
{
    nats_words_clean(why->text);
    nats_item_t item = {.kind = NATS_ITEM_FAILED,
                        .last = (uint64_t) - (int64_t)why->code,
                        .bytes = (uint32_t)strlen(why->text) + 1};
    (void)hand_over(t, &item, why->text);
}

static bool hand_over_lost(nats_tail_t *t, uint64_t from, uint64_t last)
{
    return hand_over(t, &(nats_item_t){.kind = NATS_ITEM_LOST, .seq = from, .last = last}, NULL);
}

/* ---- one message ---- */

enum step { STEP_ON, STEP_ANEW, STEP_ENDED };

static enum step hand_over_followed(nats_tail_t *t, int outcome, const nats_followed_t *f,
                                    natsMsg *msg)
{
    nats_item_t item = {.kind = NATS_ITEM_MESSAGE,
                        .seq = f->seq,
                        .time_ns = f->time_ns,
                        .bytes = (uint32_t)natsMsg_GetDataLength(msg),
                        .warm_up = f->warm_up};
    switch (outcome) {
    case NATS_FOLLOW_MESSAGE:
        return hand_over(t, &item, natsMsg_GetData(msg)) ? STEP_ON : STEP_ENDED;
    case NATS_FOLLOW_LOST:
        return hand_over_lost(t, f->seq, f->last) ? STEP_ON : STEP_ENDED;
    case NATS_FOLLOW_END:
        (void)hand_over(t, &(nats_item_t){.kind = NATS_ITEM_END, .seq = f->seq}, NULL);
        return STEP_ENDED;
    default:
        return STEP_ON;
    }
}

/* Messages are missing. They may have gone to subjects of symbols, which we did not read; so all is
 * read again from behind the last one that we have, once. What is missing then is lost. */
static enum step take_hole(nats_tail_t *t, const nats_followed_t *hole)
{
    if (t->hole_seq != hole->seq) {
        t->hole_seq = hole->seq;
        tbus_add_own_u64(&t->rereads, 1);
        return STEP_ANEW;
    }
    nats_follow_skip(&t->follow, hole->last + 1);
    return hand_over_lost(t, hole->seq, hole->last) ? STEP_ON : STEP_ENDED;
}

static enum step take(nats_tail_t *t, const nats_coming_t *coming)
{
    nats_arrival_t arrival;
    nats_followed_t followed;
    tbus_error_t why = {0};
    nats_binding_read(coming->msg, coming->subject, &arrival);
    for (;;) {
        int outcome = nats_follow_take(&t->follow, &arrival, &followed, &why);
        enum step step = STEP_ENDED;
        if (outcome < 0)
            hand_over_error(t, &why);
        else if (outcome == NATS_FOLLOW_HOLE)
            step = take_hole(t, &followed);
        else
            step = hand_over_followed(t, outcome, &followed, coming->msg);
        if (outcome == NATS_FOLLOW_HOLE && step == STEP_ON)
            continue; /* the message behind the hole */
        if (step == STEP_ON) {
            t->stream_seq = coming->stream_seq;
            tbus_add_own_u64(&t->direct, coming->direct);
            tbus_store_relaxed_u64(&t->passed, t->follow.passed);
            tbus_store_relaxed_u64(&t->pending, coming->pending);
        }
        return step;
    }
}

/* ---- beginning, and beginning anew ---- */

/* The sequence of the message that the options begin with; of a place that nothing has come to,
 * that of the message that comes next. */
static int seq_of(nats_binding_t *b, uint64_t *out_seq, tbus_error_t *err)
{
    const nats_tail_options_t *options = b->options;
    nats_found_t found = {0};
    uint64_t last = 0;
    if (options->from == NATS_TAIL_SEQ) {
        *out_seq = options->from_seq;
        return 0;
    }
    /* First: what comes while the place is looked for stands behind the last. */
    int code = nats_seek_last(b, &last, err);
    if (code == 0 && options->from == NATS_TAIL_FIRST)
        code = nats_seek_seq(b, 0, &found, err);
    else if (code == 0 && options->from == NATS_TAIL_TIME)
        code = nats_seek_time(b, options->from_ns, &found, err);
    if (code == 0)
        *out_seq = found.there ? found.first : last + 1;
    return code;
}

/* Where the options say. */
static int place_first(nats_tail_t *t, tbus_error_t *err)
{
    uint64_t seq, stream_seq;
    int code = seq_of(&t->binding, &seq, err);
    if (code == 0)
        code = nats_seek_locate(&t->binding, seq, &stream_seq, err);
    if (code == 0) {
        t->follow.next = seq;
        t->stream_seq = stream_seq - 1;
        t->placed = true;
    }
    return code;
}

/* Connect and have a consumer, from where the last one had come to. */
static int bind(nats_tail_t *t, tbus_error_t *err)
{
    nats_binding_t *b = &t->binding;
    *b = (nats_binding_t){.options = &t->options};
    int code = nats_binding_open(b, err);
    if (code < 0)
        return code;
    if (t->follow.session[0] == 0)
        nats_binding_follow(b, &t->follow);
    if (strcmp(t->follow.session, b->description.session) != 0)
        return tbus_fail(err, -TBUS_EABI,
                         "the stream %s was of session %s and is of session %s now: another bus "
                         "has been started; what came before was delivered, start again",
                         t->options.stream, t->follow.session, b->description.session);
    if (!t->placed)
        code = place_first(t, err);
    if (code < 0)
        return code;
    /* A server that has lost its newest messages numbers those anew that come then; what we have
     * of them is left out by its sequence. */
    uint64_t behind = t->stream_seq < b->last_seq ? t->stream_seq : b->last_seq;
    code = nats_binding_consume(b, behind + 1, err);
    if (code == 0) {
        t->heard_ns = tbus_clock_ns();
        tbus_store_relaxed_u64(&t->connected, 1);
    }
    return code;
}

/* Errors that pass when one tries again. */
static bool passes(const nats_tail_t *t, int code, uint64_t now_ns)
{
    switch (code) {
    case -TBUS_ECONFIG:
    case -TBUS_EABI:
    case -EACCES:
    case -ENOMEM:
        return false;
    case -TBUS_ENOTFOUND:
        return now_ns - t->heard_ns < GONE_NS;
    default:
        return true;
    }
}

static void unbind(nats_tail_t *t)
{
    tbus_store_relaxed_u64(&t->connected, 0);
    nats_binding_close(&t->binding);
}

/* The same when it is opened: a server that is not there yet, and a cluster that elects, are waited
 * for like a loss later; a stream that is not there is an error at once. */
static bool passes_at_first(const nats_tail_options_t *options, int code, uint64_t since_ns)
{
    bool passes = code == -ETIMEDOUT || code == -EIO || code == -ECONNREFUSED;
    return passes && tbus_clock_ns() - since_ns < options->lost_ns;
}

/* The last reason, and how long it was tried. */
static int give_up(const nats_tail_options_t *options, int code, uint64_t since_ns,
                   const tbus_error_t *why, tbus_error_t *err)
{
    uint64_t waited_ns = tbus_clock_ns() - since_ns;
    if (waited_ns < options->lost_ns)
        return tbus_fail(err, code, "%s", why->text);
    return tbus_fail(err, code, "%.380s; tried for %" PRIu64 ".%" PRIu64 " s (lost=)", why->text,
                     waited_ns / (1000 * MS), waited_ns / (100 * MS) % 10);
}

/* Until it is bound, or never will be. False: we are to end. */
static bool bind_anew(nats_tail_t *t)
{
    tbus_error_t why = {0};
    for (uint64_t again_ns = AGAIN_NS_MIN; !stops(t);
         again_ns = 2 * again_ns < AGAIN_NS_MAX ? 2 * again_ns : AGAIN_NS_MAX) {
        int code = bind(t, &why);
        if (code == 0)
            return true;
        unbind(t);
        uint64_t now_ns = tbus_clock_ns();
        if (!passes(t, code, now_ns)) {
            hand_over_error(t, &why);
            return false;
        }
        if (t->options.lost_ns != UINT64_MAX && now_ns - t->heard_ns >= t->options.lost_ns) {
            tbus_error_t lost = {0};
            tbus_fail(
                &lost, -ETIMEDOUT,
                "nothing was heard of the stream %s for %" PRIu64
                " s (lost=); what came before message %" PRIu64 " was delivered. At last: %.200s",
                t->options.stream, t->options.lost_ns / (1000 * MS), t->follow.next, why.text);
            hand_over_error(t, &lost);
            return false;
        }
        pause_for(again_ns);
    }
    return false;
}

/* ---- the thread ---- */

/* Take messages until the binding breaks. STEP_ON: it is to be made anew. */
static enum step follow(nats_tail_t *t)
{
    while (!stops(t)) {
        nats_coming_t coming;
        enum nats_binding_outcome outcome = nats_binding_next(&t->binding, WAIT_MS, &coming);
        t->heard_ns = t->binding.heard_ns;
        if (outcome == NATS_BINDING_SILENT)
            tbus_add_own_u64(&t->reconnects, 1);
        if (outcome == NATS_BINDING_NOTHING || outcome == NATS_BINDING_SILENT)
            continue;
        if (outcome != NATS_BINDING_MESSAGE) {
            tbus_add_own_u64(outcome == NATS_BINDING_MISSED ? &t->rereads : &t->reconnects, 1);
            return STEP_ANEW;
        }
        enum step step = take(t, &coming);
        natsMsg_Destroy(coming.msg);
        if (step != STEP_ON)
            return step;
    }
    return STEP_ENDED;
}

static void tell_opened(nats_tail_t *t, int state, const tbus_error_t *why)
{
    pthread_mutex_lock(&t->lock);
    t->state = state;
    t->why = *why;
    pthread_cond_signal(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

/* The stage that takes may be pinned to one CPU; we, and the threads of the library, which are
 * started by us, are not to share it when there are others. */
static void unpin(void)
{
    cpu_set_t all;
    memset(&all, 0xff, sizeof all);
    (void)sched_setaffinity(0, sizeof all, &all);
}

static void *run(void *context)
{
    nats_tail_t *t = context;
    tbus_error_t why = {0};
    uint64_t since_ns = tbus_clock_ns();
    unpin();
    int code = bind(t, &why);
    while (code < 0 && !stops(t) && passes_at_first(&t->options, code, since_ns)) {
        unbind(t);
        pause_for(AGAIN_NS_MIN);
        code = bind(t, &why);
    }
    if (code < 0) {
        tbus_error_t last = why;
        give_up(&t->options, code, since_ns, &last, &why);
    }
    tell_opened(t, code < 0 ? REFUSED : OPEN, &why);
    while (code == 0 && follow(t) == STEP_ANEW) {
        unbind(t);
        code = bind_anew(t) ? 0 : -1;
    }
    unbind(t);
    return NULL;
}

static int start_thread(nats_tail_t *t, tbus_error_t *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the process's own thread */
    int code = -pthread_create(&t->thread, NULL, run, t);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code < 0)
        return tbus_fail(err, code, "no thread to read the stream %s with: %s", t->options.stream,
                         tbus_strerror(code));
    pthread_setname_np(t->thread, "tbus-nats");
    pthread_mutex_lock(&t->lock);
    while (t->state == OPENING)
        pthread_cond_wait(&t->changed, &t->lock);
    pthread_mutex_unlock(&t->lock);
    if (t->state == OPEN)
        return 0;
    pthread_join(t->thread, NULL);
    if (err)
        *err = t->why;
    return t->why.code;
}

static void destroy(nats_tail_t *t)
{
    nats_handover_destroy(t->queue);
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->lock);
    free(t->texts);
    free(t);
}

int nats_tail_open(const nats_tail_options_t *options, nats_tail_t **out_tail, tbus_error_t *err)
{
    nats_tail_t *t = calloc(1, sizeof *t);
    if (!t)
        return tbus_fail(err, -ENOMEM, "no memory to read a stream");
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->changed, NULL);
    int code = keep_options(t, options, err);
    if (code == 0)
        code = nats_handover_create(options->queue_bytes, &t->queue, err);
    if (code == 0)
        code = start_thread(t, err);
    if (code < 0) {
        destroy(t);
        return code;
    }
    *out_tail = t;
    return 0;
}

void nats_tail_close(nats_tail_t *t)
{
    if (!t)
        return;
    tbus_store_relaxed_u32(&t->stop, 1);
    pthread_join(t->thread, NULL);
    destroy(t);
}

nats_handover_t *nats_tail_queue(nats_tail_t *t)
{
    return t->queue;
}

void nats_tail_counts(const nats_tail_t *t, nats_tail_counts_t *out_counts)
{
    *out_counts = (nats_tail_counts_t){.connected = tbus_load_relaxed_u64(&t->connected),
                                       .reconnects = tbus_load_relaxed_u64(&t->reconnects),
                                       .rereads = tbus_load_relaxed_u64(&t->rereads),
                                       .pending = tbus_load_relaxed_u64(&t->pending),
                                       .passed = tbus_load_relaxed_u64(&t->passed),
                                       .direct = tbus_load_relaxed_u64(&t->direct)};
}

static int first_seq(nats_binding_t *b, uint64_t *out_seq, tbus_error_t *err)
{
    uint64_t seq, stream_seq;
    int code = nats_binding_open(b, err);
    if (code == 0)
        code = seq_of(b, &seq, err);
    if (code == 0)
        code = nats_seek_locate(b, seq, &stream_seq, err);
    if (code == 0)
        *out_seq = seq;
    return code;
}

/* A time that is not there yet: nothing that is stored until then is wanted. */
static void await_time(const nats_tail_options_t *options)
{
    struct timespec now;
    while (options->from == NATS_TAIL_TIME) {
        clock_gettime(CLOCK_REALTIME, &now);
        uint64_t now_ns = (uint64_t)now.tv_sec * 1000 * MS + (uint64_t)now.tv_nsec;
        if (now_ns >= options->from_ns)
            break;
        uint64_t left_ns = options->from_ns - now_ns; /* the clock may be set meanwhile */
        pause_for(left_ns < AGAIN_NS_MAX ? left_ns : AGAIN_NS_MAX);
    }
}

int nats_tail_first_seq(const nats_tail_options_t *options, uint64_t *out_seq, tbus_error_t *err)
{
    nats_binding_t binding = {.options = options};
    await_time(options);
    uint64_t since_ns = tbus_clock_ns();
    for (;;) {
        tbus_error_t why = {0};
        int code = first_seq(&binding, out_seq, &why);
        bool again = code < 0 && passes_at_first(options, code, since_ns);
        nats_binding_close(&binding);
        if (!again)
            return code < 0 ? give_up(options, code, since_ns, &why, err) : 0;
        pause_for(AGAIN_NS_MIN);
    }
}
