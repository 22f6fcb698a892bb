/* SPDX-License-Identifier: Apache-2.0 */
/* stamp_pair.h - a stamp ring for each direction, in a block of memory that both processes map:
 * what the mechanisms shm_spin and mmap_file have in common. Their state starts with this struct.
 */
#ifndef TICKBUS_TOOLS_IPC_STAMP_PAIR_H
#define TICKBUS_TOOLS_IPC_STAMP_PAIR_H

#include "tools/ipc/mechanism.h"
#include "tools/ipc/stamp_ring.h"

typedef struct ipc_stamp_pair {
    unsigned char *block; /* made by setup: ipc_stamp_pair_bytes of zeros */
    ipc_stamp_ring_t in;
    ipc_stamp_ring_t out;
} ipc_stamp_pair_t;

size_t ipc_stamp_pair_bytes(size_t message_bytes);

/* As ipc_mechanism_t wants them. */
int ipc_stamp_pair_open(ipc_session_t *s, tbus_error_t *err);
int ipc_stamp_pair_send(ipc_session_t *s, const void *message);
int ipc_stamp_pair_receive(ipc_session_t *s, const void **out_message);

#endif
