/* SPDX-License-Identifier: Apache-2.0 */
/* posix_mq.c - POSIX message queues, one for each direction. A message longer than the queue's
 * limit goes as several. */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/measure/proc_value.h"
#include "tools/ipc/mechanism.h"

#define MSG_MAX     "/proc/sys/fs/mqueue/msg_max"
#define MSGSIZE_MAX "/proc/sys/fs/mqueue/msgsize_max"
#define CHUNK_MAX   8192 /* the default of MSGSIZE_MAX */

typedef struct posix_mq {
    mqd_t queues[2]; /* by reader */
    char names[2][64];
    size_t chunk_bytes;
} posix_mq_t;

static bool posix_mq_available(char *why_not, size_t why_not_bytes)
{
    mqd_t q = mq_open("/busctl-ipc.probe", O_RDONLY);
    if (q != (mqd_t)-1)
        mq_close(q);
    else if (errno == ENOSYS) {
        snprintf(why_not, why_not_bytes, "this kernel has no POSIX message queues");
        return false;
    }
    return true;
}

/* Limits of an unprivileged queue; the defaults where /proc does not tell. */
static long limit(const char *path, long otherwise)
{
    long long value = proc_value(path, 0);
    return value > 0 ? (long)value : otherwise;
}

static int posix_mq_setup(ipc_session_t *s, tbus_error_t *err)
{
    posix_mq_t *m = (posix_mq_t *)calloc(1, sizeof *m);
    if (!m)
        return tbus_fail(err, -ENOMEM, "posix_mq: no memory");
    m->queues[0] = m->queues[1] = (mqd_t)-1;
    s->state = m;
    long msgsize_max = limit(MSGSIZE_MAX, CHUNK_MAX);
    m->chunk_bytes = msgsize_max < CHUNK_MAX ? (size_t)msgsize_max : CHUNK_MAX;
    if (s->message_bytes < m->chunk_bytes)
        m->chunk_bytes = s->message_bytes;
    struct mq_attr attributes = {.mq_maxmsg = limit(MSG_MAX, 10),
                                 .mq_msgsize = (long)m->chunk_bytes};
    /* "/busctl-ipc.XXXXXX": unique on this host */
    const char *run = strrchr(s->leftovers->directory, '/');
    for (int reader = 0; reader < 2; reader++) {
        snprintf(m->names[reader], sizeof m->names[reader], "%s.%d", run, reader);
        int code = ipc_leftovers_record(s->leftovers, "posix_mq", m->names[reader], err);
        if (code < 0)
            return code;
        m->queues[reader] =
            mq_open(m->names[reader], O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &attributes);
        if (m->queues[reader] == (mqd_t)-1)
            return tbus_fail(err, -errno,
                             "cannot make the message queue %s: %s; see ulimit -q and " MSG_MAX,
                             m->names[reader], strerror(errno));
    }
    return 0;
}

static int posix_mq_open(ipc_session_t *s, tbus_error_t *err)
{
    (void)s;
    (void)err;
    return 0; /* inherited */
}

static int posix_mq_send(ipc_session_t *s, const void *message)
{
    const posix_mq_t *m = (const posix_mq_t *)s->state;
    const char *from = (const char *)message;
    for (size_t left = s->message_bytes; left;) {
        size_t bytes = left < m->chunk_bytes ? left : m->chunk_bytes;
        if (ipc_call(s, mq_send(m->queues[!s->role], from, bytes, 0)) < 0)
            return -errno;
        from += bytes;
        left -= bytes;
    }
    return 0;
}

static int posix_mq_receive(ipc_session_t *s, const void **out_message)
{
    const posix_mq_t *m = (const posix_mq_t *)s->state;
    /* mq_receive insists on room for the longest message, also for the rest of ours */
    char last[CHUNK_MAX];
    for (size_t done = 0; done < s->message_bytes;) {
        char *into = (char *)s->buffer + done;
        size_t left = s->message_bytes - done;
        bool fits = left >= m->chunk_bytes;
        ssize_t n =
            ipc_call(s, mq_receive(m->queues[s->role], fits ? into : last, m->chunk_bytes, NULL));
        if (n < 0)
            return -errno;
        if ((size_t)n > left)
            return -EMSGSIZE;
        if (!fits)
            memcpy(into, last, (size_t)n);
        done += (size_t)n;
    }
    *out_message = s->buffer;
    return 0;
}

static void posix_mq_cleanup(ipc_session_t *s)
{
    posix_mq_t *m = (posix_mq_t *)s->state;
    if (!m)
        return;
    for (int reader = 0; reader < 2; reader++) {
        if (m->queues[reader] == (mqd_t)-1)
            continue;
        mq_close(m->queues[reader]);
        mq_unlink(m->names[reader]);
    }
    free(m);
    s->state = NULL;
}

static bool posix_mq_remove_leftover(const char *object)
{
    return mq_unlink(object) == 0;
}

static void posix_mq_limits(char *text, size_t text_bytes)
{
    snprintf(text, text_bytes, "%ld messages of %ld B a queue, %lld queues (/proc/sys/fs/mqueue)",
             limit(MSG_MAX, 10), limit(MSGSIZE_MAX, CHUNK_MAX),
             proc_value("/proc/sys/fs/mqueue/queues_max", 0));
}

const ipc_mechanism_t ipc_posix_mq = {
    .name = "posix_mq",
    .what = "POSIX message queue, mq_send and mq_receive",
    .family = "message queue",
    .scope = "host",
    .bound = "mq_maxmsg messages",
    .persistence = "until mq_unlink or reboot",
    .typical_use = "small messages with priorities between processes",
    .in_tickbus = "a yardstick: the orders ring does its work",
    .transfers_data = true,
    .sleeps = true,
    .synchronises = true,
    .available = posix_mq_available,
    .setup = posix_mq_setup,
    .open = posix_mq_open,
    .send = posix_mq_send,
    .receive = posix_mq_receive,
    .cleanup = posix_mq_cleanup,
    .remove_leftover = posix_mq_remove_leftover,
    .limits = posix_mq_limits,
};
