/* SPDX-License-Identifier: Apache-2.0 */
/* The journal writer's helper thread: whatever may enter the kernel, so that the recording thread
 * need not.
 */
#include "bus/journal/writer.h"

#include <signal.h>

#define STACK_BYTES (256u << 10)

void tbus_journal_writer_fail(tbus_journal_writer_t *w, const tbus_error_t *failure)
{
    if (!w->failure.code)
        w->failure = *failure;
    tbus_store_relaxed_u64(&w->limit, 0);
    pthread_cond_broadcast(&w->ready);
}

/* The jobs: each is called with the lock held, works without it and takes it again. */

static void populate_ahead(tbus_journal_writer_t *w)
{
    tbus_journal_file_t *file = tbus_journal_writer_file(w, w->current);
    tbus_journal_file_t copy = *file;
    uint64_t to = w->pages_wanted;
    tbus_error_t err = {0};
    pthread_mutex_unlock(&w->lock);
    int code = tbus_journal_file_populate(&copy, to, &err);
    pthread_mutex_lock(&w->lock);
    if (code < 0) {
        tbus_journal_writer_fail(w, &err);
        return;
    }
    file->populated = copy.populated; /* still the same segment: nobody but us finishes it */
    pthread_cond_broadcast(&w->ready);
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
        code = tbus_journal_file_populate(&file, w->piece_bytes, err);
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
    int code = tbus_journal_file_sync_header(&file, &err);
    pthread_mutex_lock(&w->lock);
    w->headers_synced = number;
    if (code < 0)
        tbus_journal_writer_fail(w, &err);
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
    if (code < 0 && !made && !w->roll_waits) {
        /* No room (or no descriptor) now; there may be when it is needed. The recording thread asks
         * again, a piece later at the soonest. A sync that failed is another matter. */
        w->next_wanted = false;
        return;
    }
    if (code < 0) {
        tbus_journal_writer_fail(w, &err);
        return;
    }
    *tbus_journal_writer_file(w, number) = file;
    w->prepared = number;
    pthread_cond_broadcast(&w->ready);
}

static void finish_oldest(tbus_journal_writer_t *w)
{
    uint32_t number = w->finished + 1;
    tbus_journal_file_t file = *tbus_journal_writer_file(w, number);
    uint64_t used = w->used[number % TBUS_JOURNAL_FILES];
    tbus_error_t err = {0};
    pthread_mutex_unlock(&w->lock);
    int code = tbus_journal_file_finish(&file, used, &w->chain, &err);
    tbus_journal_file_close(&file);
    pthread_mutex_lock(&w->lock);
    *tbus_journal_writer_file(w, number) = (tbus_journal_file_t){0};
    w->finished = number;
    if (code < 0)
        tbus_journal_writer_fail(w, &err);
    pthread_cond_broadcast(&w->ready);
}

static void sync_names(tbus_journal_writer_t *w)
{
    tbus_error_t err = {0};
    int code = tbus_journal_directory_sync(&w->directory, &err);
    if (code == 0 && w->directory.created)
        code = tbus_journal_directory_sync_parent(&w->directory, &err);
    pthread_mutex_lock(&w->lock);
    if (code < 0)
        tbus_journal_writer_fail(w, &err);
    pthread_mutex_unlock(&w->lock);
}

static bool pages_missing(tbus_journal_writer_t *w)
{
    return tbus_journal_writer_file(w, w->current)->populated < w->pages_wanted;
}

static bool next_missing(const tbus_journal_writer_t *w)
{
    return w->next_wanted && w->prepared == w->current &&
           w->prepared + 1 - w->finished <= TBUS_JOURNAL_FILES;
}

static void *help(void *context)
{
    tbus_journal_writer_t *w = context;
    sync_names(w);
    pthread_mutex_lock(&w->lock);
    for (;;) {
        bool forward = !w->failure.code && !w->stop;
        if (forward && pages_missing(w))
            populate_ahead(w);
        else if (forward && w->headers_synced < w->current)
            sync_header(w);
        else if (forward && next_missing(w))
            prepare_next(w);
        else if (w->finished + 1 < w->current)
            finish_oldest(w);
        else if (w->stop)
            break;
        else
            pthread_cond_wait(&w->work, &w->lock);
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
