/* SPDX-License-Identifier: Apache-2.0 */
/* segment.h - a piece of shared memory: an anonymous, sealed memory file, in the largest pages the
 * host gives.
 *
 * Pages are tried in this order: 2 MiB from the hugetlb pool, transparent huge pages, 4 KiB. The
 * handle says which were used and why no larger ones. All memory is populated at creation: later a
 * store neither faults nor raises SIGBUS. A segment for which the host or our control group would
 * run out of memory is refused. On request the memory comes from one NUMA node. The file has mode
 * 0600 and is sealed against shrinking and growing. It has no name in any file system: a segment is
 * passed on as a file descriptor, and the kernel frees it when nobody uses it any more.
 */
#ifndef TICKBUS_SEGMENT_H
#define TICKBUS_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tickbus/error.h>

#ifdef __cplusplus
extern "C" {
#endif

enum tbus_pages {
    TBUS_PAGES_AUTO = 0, /* the best there is */
    TBUS_PAGES_HUGETLB,  /* 2 MiB from the pool, or fail */
    TBUS_PAGES_THP,      /* transparent huge pages, or fail */
    TBUS_PAGES_SMALL     /* 4 KiB */
};

typedef struct tbus_segment {
    void *base;            /* mapping, page aligned */
    size_t bytes;          /* mapped length, a multiple of the page size */
    int fd;                /* the memory file, close-on-exec; owned by this handle */
    enum tbus_pages pages; /* the kind it was given */
    bool writable;         /* false: an observer's mapping, PROT_READ only */
    char pages_why[256];   /* why the pages are not 2 MiB ones, and what to do about it; or "" */
} tbus_segment_t;

/* Create, populate, seal and map a segment of at least `bytes`. `node`: the NUMA node that the
 * memory should come from, or -1; when that node is full it comes from another one. `name` shows in
 * /proc/PID/maps. -ENOMEM (with needed and free pages, or what the control group leaves, in err),
 * -EINVAL: 0 bytes, no such node. Cold; system calls. */
int tbus_segment_create(const char *name, size_t bytes, enum tbus_pages want, int node,
                        tbus_segment_t *out_segment, tbus_error_t *err);

/* Map a segment from a descriptor that another process passed to us. Takes ownership of `fd`, also
 * when it fails. -TBUS_EGEOMETRY: the file is not sealed against shrinking, so that its owner could
 * kill us by truncating it. */
int tbus_segment_map(int fd, bool writable, tbus_segment_t *out_segment, tbus_error_t *err);

/* A second descriptor for the same segment, read-only if asked, with an open file description of
 * its own. Negative: -errno. */
int tbus_segment_reopen(const tbus_segment_t *segment, bool writable);
/* Why that failed, as half a sentence: there is no way to it but through /proc. */
const char *tbus_segment_reopen_why(int code);

/* Unmap and close; accepts a handle that is all zeros. */
void tbus_segment_close(tbus_segment_t *segment);

/* Are `bytes` more of memory to be had, on this host and in the control groups that we are in?
 * Whoever touches more than that wakes the OOM killer. False: `why` is half a sentence about what
 * is there. What cannot be asked (no /proc) is not held against the caller, and the answer may be
 * old when it is used. Cold; reads a dozen small files. */
bool tbus_memory_is_there(size_t bytes, char *why, size_t why_bytes);

/* "hugetlb-2M", "thp-2M", "4K". */
const char *tbus_pages_name(enum tbus_pages pages);

#ifdef __cplusplus
}
#endif
#endif
