/* SPDX-License-Identifier: Apache-2.0 */
/* shared_block.h - a block of shared memory without a name: memfd_create(2), mapped and populated
 * in setup, inherited by both children. For a mechanism that writes on shared memory by hand. */
#ifndef TICKBUS_TOOLS_IPC_SHARED_BLOCK_H
#define TICKBUS_TOOLS_IPC_SHARED_BLOCK_H

#include "tools/ipc/mechanism.h"

/* All zeros, page aligned, in huge pages when it is large and the host has some. NULL: failed, err
 * says why. */
void *ipc_shared_block_new(const char *mechanism, size_t bytes, tbus_error_t *err);
void ipc_shared_block_free(void *block, size_t bytes);

/* In a child, before it measures: map every page now, writable. fork(2) hands a shared mapping on
 * without its page table. */
void ipc_shared_block_touch(void *block, size_t bytes);

/* SHMMAX and what is left of memory: for .limits. */
void ipc_shared_block_limits(char *text, size_t text_bytes);

#endif
