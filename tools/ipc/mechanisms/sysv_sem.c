/* SPDX-License-Identifier: Apache-2.0 */
/* sysv_sem.c - System V semaphores: one set with items and room for each direction. Tells that
 * something happened, carries nothing.
 *
 * semop(2) takes from one semaphore and gives to another in one atomic call, so that neither count
 * can run into SEMVMX.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sem.h>

#include "tools/measure/proc_value.h"
#include "tools/ipc/sysv_key.h"

#define ROOM 32000 /* below SEMVMX, 32767 */

typedef struct sysv_sem {
    int id; /* -1: none */
} sysv_sem_t;

/* semctl(2) makes its caller define it. */
union semun {
    int val;
    unsigned short *array;
    struct semid_ds *buf;
};

static unsigned short items(int reader)
{
    return (unsigned short)(2 * reader);
}
static unsigned short room(int reader)
{
    return (unsigned short)(2 * reader + 1);
}

static bool sysv_sem_available(char *why_not, size_t why_not_bytes)
{
    if (semget((key_t)0x7fffffff, 0, 0) < 0 && errno == ENOSYS) {
        snprintf(why_not, why_not_bytes, "this kernel has no System V IPC");
        return false;
    }
    return true;
}

static int sysv_sem_setup(ipc_session_t *s, tbus_error_t *err)
{
    sysv_sem_t *m = (sysv_sem_t *)malloc(sizeof *m);
    if (!m)
        return tbus_fail(err, -ENOMEM, "sysv_sem: no memory");
    m->id = -1;
    s->state = m;
    key_t key;
    int code = ipc_sysv_key(s->leftovers, "sysv_sem", &key, err);
    if (code < 0)
        return code;
    m->id = semget(key, 4, IPC_CREAT | IPC_EXCL | 0600);
    unsigned short values[4] = {0, ROOM, 0, ROOM};
    if (m->id < 0 || semctl(m->id, 0, SETALL, (union semun){.array = values}) < 0)
        return tbus_fail(err, -errno,
                         "cannot make a System V semaphore set: %s; see `ipcs -s` and kernel.sem",
                         strerror(errno));
    return 0;
}

static int sysv_sem_open(ipc_session_t *s, tbus_error_t *err)
{
    (void)s;
    (void)err;
    return 0;
}

static int move_one(ipc_session_t *s, unsigned short from, unsigned short to)
{
    struct sembuf operations[2] = {{.sem_num = from, .sem_op = -1}, {.sem_num = to, .sem_op = 1}};
    int id = ((const sysv_sem_t *)s->state)->id;
    while (ipc_call(s, semop(id, operations, 2)) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

static int sysv_sem_send(ipc_session_t *s, const void *message)
{
    (void)message;
    return move_one(s, room(!s->role), items(!s->role));
}

static int sysv_sem_receive(ipc_session_t *s, const void **out_message)
{
    (void)out_message;
    return move_one(s, items((int)s->role), room((int)s->role));
}

static void sysv_sem_cleanup(ipc_session_t *s)
{
    sysv_sem_t *m = (sysv_sem_t *)s->state;
    if (!m)
        return;
    if (m->id >= 0)
        semctl(m->id, 0, IPC_RMID);
    free(m);
    s->state = NULL;
}

static bool sysv_sem_remove_leftover(const char *object)
{
    int id = semget(ipc_sysv_key_of(object), 0, 0);
    struct semid_ds status;
    return id >= 0 && semctl(id, 0, IPC_STAT, (union semun){.buf = &status}) == 0 &&
           ipc_sysv_is_ours(&status.sem_perm) && semctl(id, 0, IPC_RMID) == 0;
}

static void sysv_sem_limits(char *text, size_t text_bytes)
{
    const char *path = "/proc/sys/kernel/sem";
    snprintf(text, text_bytes,
             "%lld a set (SEMMSL), %lld in all (SEMMNS), %lld a call (SEMOPM), %lld sets (SEMMNI), "
             "value 32767",
             proc_value(path, 0), proc_value(path, 1), proc_value(path, 2), proc_value(path, 3));
}

const ipc_mechanism_t ipc_sysv_sem = {
    .name = "sysv_sem",
    .what = "System V semaphores, semop",
    .family = "signalling",
    .scope = "host",
    .bound = "SEMVMX, 32767",
    .persistence = "until IPC_RMID or reboot",
    .typical_use = "locks that the kernel gives back when their holder dies (SEM_UNDO)",
    .in_tickbus = "a yardstick: futex words do its work",
    .transfers_data = false,
    .sleeps = true,
    .synchronises = true,
    .available = sysv_sem_available,
    .setup = sysv_sem_setup,
    .open = sysv_sem_open,
    .send = sysv_sem_send,
    .receive = sysv_sem_receive,
    .cleanup = sysv_sem_cleanup,
    .remove_leftover = sysv_sem_remove_leftover,
    .limits = sysv_sem_limits,
};
