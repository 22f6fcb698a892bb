/* SPDX-License-Identifier: Apache-2.0 */
/* journal_gate.h - a journal whose helper thread is held back where it allocates the next segment,
 * until the test lets it go on, or has the allocation fail. In the one program that includes this:
 * the static library is linked against its posix_fallocate. */
#ifndef TICKBUS_TESTS_UNIT_JOURNAL_GATE_H
#define TICKBUS_TESTS_UNIT_JOURNAL_GATE_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    bool shut;
    bool held; /* the helper has come to it */
    int fail;  /* what is let through fails with this; 0: it does not */
} gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, false, 0};

/* What comes from now on waits. */
static void gate_shut(void)
{
    pthread_mutex_lock(&gate.lock);
    gate.shut = true;
    gate.held = false;
    gate.fail = 0;
    pthread_mutex_unlock(&gate.lock);
}

/* Does the helper wait? Then it does nothing else either. */
static bool gate_holds(void)
{
    pthread_mutex_lock(&gate.lock);
    bool held = gate.held;
    pthread_mutex_unlock(&gate.lock);
    return held;
}

static void gate_open(int fail)
{
    pthread_mutex_lock(&gate.lock);
    gate.shut = false;
    gate.fail = fail;
    pthread_cond_broadcast(&gate.moved);
    pthread_mutex_unlock(&gate.lock);
}

int posix_fallocate(int fd, off_t offset, off_t bytes)
{
    pthread_mutex_lock(&gate.lock);
    while (gate.shut) {
        gate.held = true;
        pthread_cond_wait(&gate.moved, &gate.lock);
    }
    int fail = gate.fail;
    pthread_mutex_unlock(&gate.lock);
    if (fail)
        return fail;
    return syscall(SYS_fallocate, fd, 0, offset, bytes) == 0 ? 0 : errno;
}

#endif
