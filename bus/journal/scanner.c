/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/journal/scanner.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#define STACK_BYTES (256u << 10)

struct tbus_journal_scanner {
    const tbus_journal_directory_t *directory;
    uint32_t last;
    uint32_t threads_count; /* that were started */
    pthread_t threads[TBUS_JOURNAL_SCANS_AHEAD];
    unsigned char *buffer; /* the reader's own */
    pthread_mutex_t lock;
    pthread_cond_t changed; /* a scan is done, or there is room for another */
    /* Under `lock`; a scan that is being made is its maker's. */
    uint32_t given; /* the lowest one that is still of use */
    uint32_t next;  /* to be scanned */
    bool stop;
    /* of segment n: n % SCANS_AHEAD. One that is `busy` with an n that nobody needs any more is not
     * given to another until that is done */
    bool busy[TBUS_JOURNAL_SCANS_AHEAD];
    bool done[TBUS_JOURNAL_SCANS_AHEAD];
    tbus_journal_scan_t scans[TBUS_JOURNAL_SCANS_AHEAD];
};

static bool may_claim(const tbus_journal_scanner_t *s)
{
    return s->next <= s->last && s->next - s->given < TBUS_JOURNAL_SCANS_AHEAD &&
           !s->busy[s->next % TBUS_JOURNAL_SCANS_AHEAD];
}

/* Scan the next one. Requires the lock, lets it go meanwhile, and that may_claim. */
static void scan_next(tbus_journal_scanner_t *s, unsigned char *buffer)
{
    uint32_t number = s->next++;
    uint32_t place = number % TBUS_JOURNAL_SCANS_AHEAD;
    s->busy[place] = true;
    s->done[place] = false;
    pthread_mutex_unlock(&s->lock);
    tbus_journal_scan_segment(s->directory, number, buffer, &s->scans[place]);
    pthread_mutex_lock(&s->lock);
    s->busy[place] = false;
    s->done[place] = true;
    pthread_cond_broadcast(&s->changed);
}

static void *help(void *context)
{
    tbus_journal_scanner_t *s = context;
    unsigned char *buffer = aligned_alloc(64, TBUS_JOURNAL_SCAN_BYTES);
    pthread_mutex_lock(&s->lock);
    while (buffer && !s->stop && s->next <= s->last) {
        if (may_claim(s))
            scan_next(s, buffer);
        else
            pthread_cond_wait(&s->changed, &s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    free(buffer);
    return NULL;
}

/* As many as can be had: without them all is scanned by whoever asks. */
static void start_threads(tbus_journal_scanner_t *s, uint32_t count)
{
    sigset_t all;
    sigset_t before;
    pthread_attr_t attributes;
    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (s->threads_count < count &&
           pthread_create(&s->threads[s->threads_count], &attributes, help, s) == 0)
        s->threads_count++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
}

tbus_journal_scanner_t *tbus_journal_scanner_new(const tbus_journal_directory_t *directory,
                                                 uint32_t first, uint32_t last, uint32_t cpus)
{
    tbus_journal_scanner_t *s = calloc(1, sizeof *s);
    unsigned char *buffer = aligned_alloc(64, TBUS_JOURNAL_SCAN_BYTES);
    if (!s || !buffer) {
        free(s);
        free(buffer);
        return NULL;
    }
    s->directory = directory;
    s->buffer = buffer;
    s->given = s->next = first;
    s->last = last;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    uint32_t others = cpus - 1;
    others = others < TBUS_JOURNAL_SCANS_AHEAD - 1 ? others : TBUS_JOURNAL_SCANS_AHEAD - 1;
    start_threads(s, others < last - first ? others : last - first);
    return s;
}

/* The reader waits for one that somebody else is at: meanwhile it scans another. */
const tbus_journal_scan_t *tbus_journal_scanner_get(tbus_journal_scanner_t *scanner,
                                                    uint32_t number)
{
    tbus_journal_scanner_t *s = scanner;
    if (number < s->given || number > s->last)
        return NULL;
    uint32_t place = number % TBUS_JOURNAL_SCANS_AHEAD;
    pthread_mutex_lock(&s->lock);
    s->given = number;
    if (s->next < number) /* nobody needs those before it any more */
        s->next = number;
    pthread_cond_broadcast(&s->changed);
    while (s->next <= number || !s->done[place]) {
        if (may_claim(s))
            scan_next(s, s->buffer);
        else
            pthread_cond_wait(&s->changed, &s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return &s->scans[place];
}

void tbus_journal_scanner_free(tbus_journal_scanner_t *scanner)
{
    tbus_journal_scanner_t *s = scanner;
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    for (uint32_t i = 0; i < s->threads_count; i++)
        pthread_join(s->threads[i], NULL);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s->buffer);
    free(s);
}
