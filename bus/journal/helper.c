/* SPDX-License-Identifier: Apache-2.0 */
/* The journal writer's helper thread: whatever may enter the kernel, so that the recording thread
 * need not.
 */
#include "bus/journal/writer.h"

#include <errno.h>
#include <signal.h>

#include <tickbus/clock.h>

#include "bus/journal/retention.h"

#define STACK_BYTES (256u << 10)
/* With SYNC_BATCH, how long after it found nothing the helper looks again. Nobody wakes it for a
 * record: that would be a system call of the recording thread. */
#define LOOK_AGAIN_NS 500000u
#define TRY_AGAIN_NS  100000000u /* to make a segment that there was no room for */
/* Pieces of work. Of the small ones each takes some 10 us. */
#define SMALL_BYTES (UINT64_C(32) << 10)
#define LARGE_BYTES (UINT64_C(1) << 20)
#define WRITE_BYTES (UINT64_C(128) << 10)

/* Have a recording thread that waits, or comes back, look again. Requires the lock. */
static void announce(tbus_journal_writer_t *w)
{
    tbus_store_relaxed_u32(&w->done, tbus_load_relaxed_u32(&w->done) + 1);
    pthread_cond_broadcast(&w->ready);
}

void tbus_journal_writer_fail(tbus_journal_writer_t *w, const tbus_error_t *failure)
{
    if (!w->failure.code)
        w->failure = *failure;
    tbus_store_relaxed_u64(&w->limit, 0);
    announce(w);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static bool is_no_room(int code)
{
    return code == -ENOSPC || code == -EDQUOT || code == -ENOMEM;
}

/* The next segment, which nobody has begun, is given up. Requires the lock. */
static void drop_next(tbus_journal_writer_t *w)
{
    if (w->prepared == w->current)
        return;
    tbus_journal_file_destroy(tbus_journal_writer_file(w, w->prepared));
    w->prepared = w->current;
}

/* Something failed that was done for segment `number`: for want of room, and the recording is to go
 * on without? Then it is as if the next segment could not be made: the current one takes no more,
 * unless the failure was the next one's, and what comes is left out until another can be made. Else
 * the recording ends. Requires the lock. */
static void fail_or_leave_out(tbus_journal_writer_t *w, uint32_t number, const tbus_error_t *err)
{
    if (!w->goes_on || !is_no_room(err->code)) {
        tbus_journal_writer_fail(w, err);
        return;
    }
    drop_next(w);
    w->next_wanted = false;
    w->no_room = err->code;
    if (number <= w->current) {
        w->spent = true;
        tbus_store_relaxed_u64(&w->limit, 0);
    }
    announce(w);
}

/* A sync failed, of this segment or (0) of the directory, or of a segment that is closed by now:
 * nothing more is called durable. Requires the lock. */
static void fail_sync(tbus_journal_writer_t *w, uint32_t number, const tbus_error_t *err)
{
    if (number)
        tbus_journal_writer_file(w, number)->sync_failed = true;
    w->durable.frozen = true;
    if (!w->unsynced.code)
        w->unsynced = *err;
    fail_or_leave_out(w, number, err);
}

/* The jobs: each is called with the lock held, works without it and takes it again. */

/* One piece of the current segment: a large one when the recording thread is near, since each wakes
 * it if it waits. */
static void populate(tbus_journal_writer_t *w, uint64_t end)
{
    uint32_t number = w->current;
    tbus_journal_file_t *file = tbus_journal_writer_file(w, number);
    tbus_journal_file_t copy = *file;
    uint64_t piece_end =
        file->populated + (tbus_journal_writer_hurries(w) ? LARGE_BYTES : SMALL_BYTES);
    uint64_t to = earlier(end, piece_end);
    tbus_error_t err = {0};
    pthread_mutex_unlock(&w->lock);
    int code = tbus_journal_file_populate(&copy, to, &err);
    pthread_mutex_lock(&w->lock);
    /* still the same segment: nobody but us finishes it */
    file->zeroed = copy.zeroed;
    file->populated = copy.populated;
    if (code < 0)
        fail_or_leave_out(w, number, &err);
    announce(w);
}

/* Bytes of the next segment whose pages are there when it is taken: for its header, the record of a
 * hole that is then not waited for, and what goes on. */
static uint64_t first_pages(const tbus_journal_writer_t *w)
{
    uint64_t kept = w->segment_bytes - w->usable_bytes;
    uint64_t hole = w->goes_on ? TBUS_JOURNAL_HEADER_BYTES + TBUS_JOURNAL_HOLE_BYTES : 0;
    uint64_t few = earlier(w->piece_bytes, SMALL_BYTES);
    return (few > hole ? few : hole) + kept;
}

/* The next segment, its name on the disk and its first pages there. */
static int make_next(tbus_journal_writer_t *w, uint32_t number, tbus_journal_file_t *out_file,
                     bool *out_made, tbus_error_t *err)
{
    tbus_journal_file_t file;
    int code =
        tbus_journal_file_create(&w->directory, number, w->segment_bytes, &w->limit, &file, err);
    *out_made = code == 0;
    if (code < 0)
        return code;
    code = tbus_journal_directory_sync(&w->directory, err);
    if (code == 0)
        code = tbus_journal_file_populate(&file, first_pages(w), err);
    if (code < 0) {
        tbus_journal_file_destroy(&file);
        return code;
    }
    *out_file = file;
    return 0;
}

/* The oldest segment that was begun and whose header need not be on the disk yet. */
static void sync_header(tbus_journal_writer_t *w)
{
    uint32_t number = w->headers_synced + 1;
    tbus_journal_file_t file = *tbus_journal_writer_file(w, number);
    tbus_error_t err = {0};
    pthread_mutex_unlock(&w->lock);
    int code = tbus_journal_file_sync(&file, 0, TBUS_JOURNAL_HEADER_BYTES, &err);
    pthread_mutex_lock(&w->lock);
    w->headers_synced = number;
    if (code < 0)
        fail_sync(w, number, &err);
}

static void prepare_next(tbus_journal_writer_t *w)
{
    uint32_t number = w->current + 1;
    bool made;
    tbus_journal_file_t file;
    tbus_error_t err = {0};
    pthread_mutex_unlock(&w->lock);
    int code = make_next(w, number, &file, &made, &err);
    pthread_mutex_lock(&w->lock);
    bool goes_on = w->goes_on && is_no_room(code);
    if (code < 0 && (!made || goes_on) && !w->roll_waits) {
        /* No room (or no descriptor) now; there may be when it is needed. The recording thread asks
         * again, a piece later at the soonest. A sync that failed is another matter. */
        w->next_wanted = false;
        return;
    }
    if (code < 0) {
        fail_or_leave_out(w, number, &err);
        return;
    }
    *tbus_journal_writer_file(w, number) = file;
    w->prepared = number;
    w->front = 0;
    w->no_room = 0;
    announce(w);
}

int tbus_journal_writer_finish(tbus_journal_writer_t *w, tbus_journal_file_t *file, uint64_t used,
                               tbus_error_t *err)
{
    tbus_journal_stretch_t stretch;
    bool more = tbus_journal_durable_look(&w->durable, file, &stretch);
    int code = tbus_journal_file_finish(file, used, &w->chain, err);
    if (code < 0) {
        w->durable.frozen = true;
        return code;
    }
    if (more)
        tbus_journal_durable_take(&w->durable, &stretch);
    tbus_journal_durable_pass(&w->durable, file->number);
    return 0;
}

static void finish_oldest(tbus_journal_writer_t *w)
{
    uint32_t number = w->finished + 1;
    tbus_journal_file_t file = *tbus_journal_writer_file(w, number);
    bool told = file.sync_failed && !w->failure.code; /* and the recording went on */
    uint64_t used = w->used[number % TBUS_JOURNAL_FILES];
    tbus_error_t err = {0};
    pthread_mutex_unlock(&w->lock);
    int code = tbus_journal_writer_finish(w, &file, used, &err);
    tbus_journal_file_close(&file);
    pthread_mutex_lock(&w->lock);
    *tbus_journal_writer_file(w, number) = (tbus_journal_file_t){0};
    w->finished = number;
    if (code < 0 && !told)
        fail_sync(w, 0, &err);
    announce(w);
}

static void sync_names(tbus_journal_writer_t *w)
{
    tbus_error_t err = {0};
    int code = tbus_journal_directory_sync(&w->directory, &err);
    if (code == 0 && w->directory.created)
        code = tbus_journal_directory_sync_parent(&w->directory, &err);
    pthread_mutex_lock(&w->lock);
    if (code < 0)
        fail_sync(w, 0, &err);
    pthread_mutex_unlock(&w->lock);
}

/* Zeros to one piece of the next segment, and from there towards the disk: a piece at a time, so
 * that the syncs of the current one do not queue behind all of it. */
static void zero_next(tbus_journal_writer_t *w)
{
    uint32_t number = w->prepared;
    tbus_journal_file_t *file = tbus_journal_writer_file(w, number);
    tbus_journal_file_t copy = *file;
    uint64_t from = copy.zeroed;
    tbus_error_t err = {0};
    pthread_mutex_unlock(&w->lock);
    int code = tbus_journal_file_zero(&copy, from + TBUS_JOURNAL_ZERO_BYTES, &err);
    pthread_mutex_lock(&w->lock);
    file->zeroed = copy.zeroed;
    if (code < 0) {
        fail_or_leave_out(w, number, &err);
        return;
    }
    tbus_journal_writer_breathe(w);
    pthread_mutex_unlock(&w->lock);
    tbus_journal_file_write_back(&copy, from, copy.zeroed);
    pthread_mutex_lock(&w->lock);
}

/* As much of the next segment as is wanted ahead of the recording thread: when it begins there, the
 * helper may have to wait for the disk first, for the header and for what is full. */
static uint64_t front_wanted(const tbus_journal_writer_t *w)
{
    uint64_t kept = w->segment_bytes - w->usable_bytes;
    return earlier(w->segment_bytes, TBUS_JOURNAL_PIECES_AHEAD * w->piece_bytes + kept);
}

/* Fault in one piece of it, also where that was done: zeros that are written to the disk take pages
 * away from whoever is to store to them. So that comes first. */
static void populate_front(tbus_journal_writer_t *w)
{
    uint32_t number = w->prepared;
    tbus_journal_file_t *file = tbus_journal_writer_file(w, number);
    tbus_journal_file_t copy = *file;
    uint64_t to = earlier(front_wanted(w), w->front + SMALL_BYTES);
    tbus_error_t err = {0};
    copy.populated = w->front;
    pthread_mutex_unlock(&w->lock);
    tbus_journal_file_write_back(&copy, copy.populated, to);
    pthread_mutex_lock(&w->lock);
    tbus_journal_writer_breathe(w);
    pthread_mutex_unlock(&w->lock);
    int code = tbus_journal_file_populate(&copy, to, &err);
    pthread_mutex_lock(&w->lock);
    /* it may be the current one by now: nobody but us takes pages of it */
    w->front = to;
    if (file->populated < copy.populated)
        file->populated = copy.populated;
    if (code < 0)
        fail_or_leave_out(w, number, &err);
}

/* Have a piece of what was recorded written to the disk, which the segment's last sync waits for
 * then, instead of doing it all at once. */
static void write_back(tbus_journal_writer_t *w)
{
    tbus_journal_file_t copy = *tbus_journal_writer_file(w, w->current);
    uint64_t from = w->written_back;
    w->written_back += WRITE_BYTES;
    pthread_mutex_unlock(&w->lock);
    tbus_journal_file_write_back(&copy, from, from + WRITE_BYTES);
    pthread_mutex_lock(&w->lock);
}

/* Remove what the limits do not keep. A segment that cannot be removed fails the recording: the
 * disk would fill up unseen. For want of room it is tried again when the next one is finished. */
static void prune(tbus_journal_writer_t *w)
{
    tbus_journal_front_t front = {.first = w->first, .end = w->finished + 1, .last = w->current};
    uint64_t now_ns = w->rolled_ns;
    tbus_error_t err = {0};
    w->pruned_at = w->finished;
    pthread_mutex_unlock(&w->lock);
    int code = tbus_journal_retention_apply(&w->directory, &w->limits, now_ns, &front, &err);
    if (front.first > 1)
        tbus_journal_lock_leave_segment(&w->session_lock);
    pthread_mutex_lock(&w->lock);
    w->first = front.first;
    if (code < 0 && !(w->goes_on && is_no_room(code)))
        tbus_journal_writer_fail(w, &err);
}

/* --- what was appended, onto the disk as it comes --- */

/* Sync one stretch of records, if there is one and its time is up. True: it did, or went on to the
 * next segment. */
static bool sync_appended(tbus_journal_writer_t *w)
{
    tbus_journal_durable_t *d = &w->durable;
    if (w->durability == TBUS_JOURNAL_ASYNC || d->frozen ||
        (w->durability == TBUS_JOURNAL_PERIODIC && tbus_clock_ns() < w->next_sync_ns))
        return false;
    uint32_t number = d->segment;
    bool full = number < w->current;
    uint64_t used = w->used[number % TBUS_JOURNAL_FILES];
    tbus_journal_file_t file = *tbus_journal_writer_file(w, number);
    tbus_journal_stretch_t stretch;
    tbus_error_t err = {0};
    pthread_mutex_unlock(&w->lock);
    bool more = tbus_journal_durable_look(d, &file, &stretch);
    int code = more ? tbus_journal_file_sync(&file, stretch.from, stretch.to, &err) : 0;
    pthread_mutex_lock(&w->lock);
    if (code < 0) {
        fail_sync(w, number, &err);
        return true;
    }
    if (more)
        tbus_journal_durable_take(d, &stretch);
    bool passed = full && d->position == used;
    if (passed)
        tbus_journal_durable_pass(d, number);
    else
        w->next_sync_ns = tbus_clock_ns() + w->sync_every_ns;
    return more || passed;
}

static bool goes_forward(const tbus_journal_writer_t *w)
{
    return !w->failure.code && !w->stop;
}

/* Nothing to do: sleep until somebody rings, or until it is time for the next sync, or to try again
 * to make a segment. Requires the lock. */
static void rest(tbus_journal_writer_t *w)
{
    uint64_t until = UINT64_MAX;
    bool syncs = goes_forward(w) && !w->durable.frozen;
    if (syncs && w->durability == TBUS_JOURNAL_PERIODIC)
        until = w->next_sync_ns;
    else if (syncs && w->durability == TBUS_JOURNAL_SYNC_BATCH)
        until = tbus_clock_ns() + LOOK_AGAIN_NS;
    uint64_t again = goes_forward(w) && w->no_room ? tbus_clock_ns() + TRY_AGAIN_NS : UINT64_MAX;
    until = earlier(until, again);
    if (until == UINT64_MAX) {
        pthread_cond_wait(&w->work, &w->lock);
        return;
    }
    tbus_journal_writer_sleep(w, until);
    if (w->no_room && tbus_clock_ns() >= again)
        w->next_wanted = true;
}

/* --- one after another --- */

static bool pages_missing(tbus_journal_writer_t *w)
{
    return !w->spent && tbus_journal_writer_file(w, w->current)->populated < w->pages_wanted;
}

static bool next_missing(const tbus_journal_writer_t *w)
{
    return w->next_wanted && w->prepared == w->current &&
           w->prepared + 1 - w->finished <= TBUS_JOURNAL_FILES;
}

static bool zeros_missing(tbus_journal_writer_t *w)
{
    const tbus_journal_file_t *next = tbus_journal_writer_file(w, w->prepared);
    return w->prepared > w->current && next->zeroed < next->bytes;
}

/* A full segment waits to be synced, which takes as long as the disk likes, a second was seen, and
 * nothing is faulted in meanwhile. So all of the current segment is before, if there is time. */
static bool rest_missing(tbus_journal_writer_t *w)
{
    const tbus_journal_file_t *file = tbus_journal_writer_file(w, w->current);
    return w->finished + 1 < w->current && !w->spent && file->populated < file->bytes &&
           !tbus_journal_writer_hurries(w);
}

static bool front_missing(const tbus_journal_writer_t *w)
{
    return w->prepared > w->current && w->front < front_wanted(w);
}

static bool write_back_due(tbus_journal_writer_t *w)
{
    return w->written_back + WRITE_BYTES <= w->reached && !w->spent &&
           !tbus_journal_writer_hurries(w);
}

static bool prune_due(const tbus_journal_writer_t *w)
{
    return !w->failure.code && w->finished > w->pruned_at && tbus_journal_limits_any(&w->limits);
}

/* The most urgent job that there is. False: there is none. */
static bool do_one_job(tbus_journal_writer_t *w)
{
    bool forward = goes_forward(w);
    if (forward && pages_missing(w))
        populate(w, w->pages_wanted);
    else if (forward && w->headers_synced < w->current)
        sync_header(w);
    else if (forward && next_missing(w))
        prepare_next(w);
    else if (prune_due(w))
        prune(w);
    else if (forward && rest_missing(w))
        populate(w, w->segment_bytes);
    else if (w->finished + 1 < w->current)
        finish_oldest(w);
    else if (forward && zeros_missing(w))
        zero_next(w);
    else if (forward && front_missing(w))
        populate_front(w);
    else if (forward && write_back_due(w))
        write_back(w);
    else
        return false;
    return true;
}

void tbus_journal_helper_give_way(void *context)
{
    tbus_journal_writer_t *w = context;
    pthread_mutex_lock(&w->lock);
    while (goes_forward(w) && pages_missing(w))
        populate(w, w->pages_wanted);
    tbus_journal_writer_breathe(w);
    pthread_mutex_unlock(&w->lock);
}

static void *help(void *context)
{
    tbus_journal_writer_t *w = context;
    sync_names(w);
    pthread_mutex_lock(&w->lock);
    for (;;) {
        bool synced = goes_forward(w) && sync_appended(w);
        bool worked = do_one_job(w);
        if (!synced && !worked && w->stop)
            break;
        if (worked)
            tbus_journal_writer_breathe(w);
        if (!synced && !worked)
            rest(w);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

int tbus_journal_helper_start(tbus_journal_writer_t *w)
{
    sigset_t all;
    sigset_t before;
    pthread_attr_t attributes;
    sigfillset(&all);
    sigdelset(&all, SIGBUS); /* of a store of its own (guard.h): blocked, it kills */
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = -pthread_create(&w->helper, &attributes, help, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (code == 0)
        pthread_setname_np(w->helper, "tbus-journal");
    return code;
}

void tbus_journal_helper_stop(tbus_journal_writer_t *w)
{
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_cond_signal(&w->work);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->helper, NULL);
}
