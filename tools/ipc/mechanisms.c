/* SPDX-License-Identifier: Apache-2.0 */
/* mechanisms.c - the list: the one place to add a line for a new mechanism. */
#include "tools/ipc/mechanism.h"

#include <string.h>

#define MECHANISMS(X)                                                                              \
    X(pipe)                                                                                        \
    X(fifo)                                                                                        \
    X(posix_mq)                                                                                    \
    X(sysv_mq)                                                                                     \
    X(shm_spin)                                                                                    \
    X(shm_posix_sem)                                                                               \
    X(shm_futex)                                                                                   \
    X(sysv_sem)                                                                                    \
    X(unix_stream)                                                                                 \
    X(unix_dgram)                                                                                  \
    X(unix_seqpacket)                                                                              \
    X(tcp)                                                                                         \
    X(tcp_nodelay)                                                                                 \
    X(udp)                                                                                         \
    X(eventfd)                                                                                     \
    X(signal)                                                                                      \
    X(mmap_file)                                                                                   \
    X(rpc_unix)                                                                                    \
    X(io_uring_msg)                                                                                \
    X(tickbus_spsc_spin)                                                                           \
    X(tickbus_spsc_park)                                                                           \
    X(tickbus_mpsc)                                                                                \
    X(tickbus_broadcast)                                                                           \
    X(tickbus_broadcast_mp)                                                                        \
    X(tickbus_mpmc)

#define X(name) extern const ipc_mechanism_t ipc_##name;
MECHANISMS(X)
#undef X

const ipc_mechanism_t *const ipc_mechanisms[] = {
#define X(name) &ipc_##name,
    MECHANISMS(X)
#undef X
        NULL,
};

const ipc_mechanism_t *ipc_mechanism_find(const char *name)
{
    for (const ipc_mechanism_t *const *m = ipc_mechanisms; *m; m++)
        if (strcmp((*m)->name, name) == 0)
            return *m;
    return strcmp(ipc_raw_line.name, name) == 0 ? &ipc_raw_line : NULL;
}

bool ipc_mechanism_remove_leftover(const char *mechanism, const char *object)
{
    const ipc_mechanism_t *m = ipc_mechanism_find(mechanism);
    return m && m->remove_leftover && m->remove_leftover(object);
}
