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

#include "tools/ipc/mechanism.h"
#include "tools/measure/proc_value.h"
#include "tools/ipc/stamp_ring.h"

#define FILE_NAME "mapped-file"

typedef struct mmap_file {
    unsigned char *block;
    size_t ring_bytes;
    ipc_stamp_ring_t in;
    ipc_stamp_ring_t out;
} mmap_file_t;

static int map(mmap_file_t *m, const char *path, tbus_error_t *err)
{
    size_t bytes = 2 * m->ring_bytes;
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
    m->block = (unsigned char *)block;
    return 0;
}

static int mmap_file_setup(ipc_session_t *s, tbus_error_t *err)
{
    char path[128];
    mmap_file_t *m = (mmap_file_t *)calloc(1, sizeof *m);
    if (!m || !ipc_leftovers_path(s->leftovers, FILE_NAME, path, sizeof path)) {
        free(m);
        return tbus_fail(err, -ENOMEM, "mmap_file: no memory");
    }
    s->state = m;
    m->ring_bytes = ipc_stamp_ring_bytes(s->message_bytes);
    return map(m, path, err);
}

static int mmap_file_open(ipc_session_t *s, tbus_error_t *err)
{
    (void)err;
    mmap_file_t *m = (mmap_file_t *)s->state;
    /* The first store to a page of a file is a fault, in each process, and fork(2) hands on no page
     * table: now, not in the measurement. */
    madvise(m->block, 2 * m->ring_bytes, MADV_POPULATE_WRITE);
    m->in = ipc_stamp_ring_join(m->block + s->role * m->ring_bytes, s->message_bytes);
    m->out = ipc_stamp_ring_join(m->block + !s->role * m->ring_bytes, s->message_bytes);
    return 0;
}

static int mmap_file_send(ipc_session_t *s, const void *message)
{
    ipc_stamp_ring_send(&((mmap_file_t *)s->state)->out, message);
    return 0;
}

static int mmap_file_receive(ipc_session_t *s, const void **out_message)
{
    *out_message = ipc_stamp_ring_receive(&((mmap_file_t *)s->state)->in);
    return 0;
}

static void mmap_file_cleanup(ipc_session_t *s)
{
    mmap_file_t *m = (mmap_file_t *)s->state;
    if (!m)
        return;
    char path[128];
    if (m->block)
        munmap(m->block, 2 * m->ring_bytes);
    if (ipc_leftovers_path(s->leftovers, FILE_NAME, path, sizeof path))
        unlink(path);
    free(m);
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
    .send = mmap_file_send,
    .receive = mmap_file_receive,
    .cleanup = mmap_file_cleanup,
    .limits = mmap_file_limits,
};
