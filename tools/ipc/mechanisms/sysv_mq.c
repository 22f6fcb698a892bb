/* SPDX-License-Identifier: Apache-2.0 */
/* sysv_mq.c - System V message queues, one for each direction. A message longer than MSGMAX goes as
 * several. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/msg.h>

#include "tools/measure/proc_value.h"
#include "tools/ipc/sysv_key.h"

#define CHUNK_MAX 8192 /* the default of MSGMAX */

typedef struct envelope {
    long type;
    char text[CHUNK_MAX];
} envelope_t;

typedef struct sysv_mq {
    int ids[2]; /* by reader; -1: none */
    size_t chunk_bytes;
    envelope_t envelope;
} sysv_mq_t;

static bool sysv_mq_available(char *why_not, size_t why_not_bytes)
{
    if (msgget((key_t)0x7fffffff, 0) < 0 && errno == ENOSYS) {
        snprintf(why_not, why_not_bytes, "this kernel has no System V IPC");
        return false;
    }
    return true;
}

static int sysv_mq_setup(ipc_session_t *s, tbus_error_t *err)
{
    sysv_mq_t *m = (sysv_mq_t *)calloc(1, sizeof *m);
    if (!m)
        return tbus_fail(err, -ENOMEM, "sysv_mq: no memory");
    m->ids[0] = m->ids[1] = -1;
    m->envelope.type = 1;
    s->state = m;
    long long msgmax = proc_value("/proc/sys/kernel/msgmax", 0);
    m->chunk_bytes = msgmax > 0 && msgmax < CHUNK_MAX ? (size_t)msgmax : CHUNK_MAX;
    for (int reader = 0; reader < 2; reader++) {
        key_t key;
        int code = ipc_sysv_key(s->leftovers, "sysv_mq", &key, err);
        if (code < 0)
            return code;
        m->ids[reader] = msgget(key, IPC_CREAT | IPC_EXCL | 0600);
        if (m->ids[reader] < 0)
            return tbus_fail(
                err, -errno,
                "cannot make a System V message queue: %s; see `ipcs -q` and kernel.msgmni",
                strerror(errno));
    }
    return 0;
}

static int sysv_mq_open(ipc_session_t *s, tbus_error_t *err)
{
    (void)s;
    (void)err;
    return 0; /* the ids are enough */
}

static int sysv_mq_send(ipc_session_t *s, const void *message)
{
    sysv_mq_t *m = (sysv_mq_t *)s->state;
    const char *from = (const char *)message;
    for (size_t left = s->message_bytes; left;) {
        size_t bytes = left < m->chunk_bytes ? left : m->chunk_bytes;
        memcpy(m->envelope.text, from,
               bytes); /* the type must stand before the text: the interface costs a copy */
        if (ipc_call(s, msgsnd(m->ids[!s->role], &m->envelope, bytes, 0)) < 0)
            return -errno;
        from += bytes;
        left -= bytes;
    }
    return 0;
}

static int sysv_mq_receive(ipc_session_t *s, const void **out_message)
{
    sysv_mq_t *m = (sysv_mq_t *)s->state;
    for (size_t done = 0; done < s->message_bytes;) {
        ssize_t n = ipc_call(s, msgrcv(m->ids[s->role], &m->envelope, m->chunk_bytes, 0, 0));
        if (n < 0)
            return -errno;
        if (done == 0 && (size_t)n == s->message_bytes) {
            *out_message = m->envelope.text;
            return 0;
        }
        if ((size_t)n > s->message_bytes - done)
            return -EMSGSIZE;
        memcpy(s->buffer + done, m->envelope.text, (size_t)n);
        done += (size_t)n;
    }
    *out_message = s->buffer;
    return 0;
}

static void sysv_mq_cleanup(ipc_session_t *s)
{
    sysv_mq_t *m = (sysv_mq_t *)s->state;
    if (!m)
        return;
    for (int reader = 0; reader < 2; reader++)
        if (m->ids[reader] >= 0)
            msgctl(m->ids[reader], IPC_RMID, NULL);
    free(m);
    s->state = NULL;
}

static bool sysv_mq_remove_leftover(const char *object)
{
    int id = msgget(ipc_sysv_key_of(object), 0);
    struct msqid_ds status;
    return id >= 0 && msgctl(id, IPC_STAT, &status) == 0 && ipc_sysv_is_ours(&status.msg_perm) &&
           msgctl(id, IPC_RMID, NULL) == 0;
}

static void sysv_mq_limits(char *text, size_t text_bytes)
{
    snprintf(text, text_bytes,
             "message %lld B (MSGMAX), queue %lld B (MSGMNB), %lld queues (MSGMNI)",
             proc_value("/proc/sys/kernel/msgmax", 0), proc_value("/proc/sys/kernel/msgmnb", 0),
             proc_value("/proc/sys/kernel/msgmni", 0));
}

const ipc_mechanism_t ipc_sysv_mq = {
    .name = "sysv_mq",
    .what = "System V message queue, msgsnd and msgrcv",
    .family = "message queue",
    .scope = "host",
    .bound = "MSGMNB bytes",
    .persistence = "until IPC_RMID or reboot",
    .typical_use = "older systems; messages picked by type",
    .in_tickbus = "a yardstick: the orders ring does its work",
    .transfers_data = true,
    .sleeps = true,
    .synchronises = true,
    .available = sysv_mq_available,
    .setup = sysv_mq_setup,
    .open = sysv_mq_open,
    .send = sysv_mq_send,
    .receive = sysv_mq_receive,
    .cleanup = sysv_mq_cleanup,
    .remove_leftover = sysv_mq_remove_leftover,
    .limits = sysv_mq_limits,
};
