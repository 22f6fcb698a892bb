/* SPDX-License-Identifier: Apache-2.0 */
/* mmap_file.c - a memory-mapped file: the stamp ring of shm_spin.c, in a file of the run's
 * directory. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "tools/ipc/stamp_pair.h"
#include "tools/measure/proc_value.h"

#define FILE_NAME "mapped-file"

static int map(ipc_stamp_pair_t *p, size_t bytes, const char *path, tbus_error_t *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int code = fd < 0
                   ? -errno
                   : -posix_fallocate(fd, 0, (off_t)bytes); /* no hole: no SIGBUS on a full disk */
    void *block = MAP_FAILED;
    if (code == 0) {
        block = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
        code = block == MAP_FAILED ? -errno : 0;
    }
    if (fd >= 0)
        close(fd);
    if (code < 0)
        return tbus_fail(err, code, "mmap_file: cannot map %s: %s", path, strerror(-code));
    p->block = (unsigned char *)block;
    return 0;
}

static int mmap_file_setup(ipc_session_t *s, tbus_error_t *err)
{
    char path[128];
    ipc_stamp_pair_t *p = (ipc_stamp_pair_t *)calloc(1, sizeof *p);
    if (!p || !ipc_leftovers_path(s->leftovers, FILE_NAME, path, sizeof path)) {
        free(p);
        return tbus_fail(err, -ENOMEM, "mmap_file: no memory");
    }
    s->state = p;
    return map(p, ipc_stamp_pair_bytes(s->message_bytes), path, err);
}

static int mmap_file_open(ipc_session_t *s, tbus_error_t *err)
{
    /* The first store to a page of a file is a fault, in each process, and fork(2) hands on no page
     * table: now, not in the measurement. */
    madvise(((ipc_stamp_pair_t *)s->state)->block, ipc_stamp_pair_bytes(s->message_bytes),
            MADV_POPULATE_WRITE);
    return ipc_stamp_pair_open(s, err);
}

static void mmap_file_cleanup(ipc_session_t *s)
{
    ipc_stamp_pair_t *p = (ipc_stamp_pair_t *)s->state;
    if (!p)
        return;
    char path[128];
    if (p->block)
        munmap(p->block, ipc_stamp_pair_bytes(s->message_bytes));
    if (ipc_leftovers_path(s->leftovers, FILE_NAME, path, sizeof path))
        unlink(path);
    free(p);
    s->state = NULL;
}

static void mmap_file_limits(char *text, size_t text_bytes)
{
    struct statfs tmp;
    const char *directory = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
    if (statfs(directory, &tmp) != 0)
        return;
    snprintf(
        text, text_bytes,
        "%s: %.1f GiB free, file system type 0x%lx; %lld mappings a process (vm.max_map_count)",
        directory, (double)tmp.f_bavail * (double)tmp.f_bsize / (1 << 30),
        (unsigned long)tmp.f_type, proc_value("/proc/sys/vm/max_map_count", 0));
}

const ipc_mechanism_t ipc_mmap_file = {
    .name = "mmap_file",
    .what = "memory-mapped file, the ring of shm_spin in it",
    .family = "shared memory",
    .scope = "host",
    .bound = "file size",
    .persistence = "on disk, once the kernel or msync has written it",
    .typical_use = "journals, databases, data that outlives its processes",
    .in_tickbus = "the journal",
    .why_ahead =
        "the bare ring of shm_spin: nobody can sleep on it, nobody notices a death, one consumer, "
        "one size of message",
    .transfers_data = true,
    .durable = true,
    .synchronises = false,
    .setup = mmap_file_setup,
    .open = mmap_file_open,
    .send = ipc_stamp_pair_send,
    .receive = ipc_stamp_pair_receive,
    .cleanup = mmap_file_cleanup,
    .limits = mmap_file_limits,
};
