/* SPDX-License-Identifier: Apache-2.0 */
#include <tickbus/segment.h>

#include "bus/run/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <numa.h>
#include <numaif.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

#define SMALL_PAGE ((size_t)4096)
#define HUGE_PAGE  ((size_t)2 << 20)
#define SEALS      (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

const char *tbus_pages_name(enum tbus_pages pages)
{
    switch (pages) {
    case TBUS_PAGES_AUTO:
        return "auto";
    case TBUS_PAGES_HUGETLB:
        return "hugetlb-2M";
    case TBUS_PAGES_THP:
        return "thp-2M";
    case TBUS_PAGES_SMALL:
        return "4K";
    }
    return "?";
}

static size_t round_up(size_t bytes, size_t page)
{
    return (bytes + page - 1) & ~(page - 1);
}

/* False: it cannot be asked. No /proc, a container's own and empty one, or no descriptor left. */
static bool read_meminfo(const char *key, unsigned long long *out_value)
{
    FILE *f = fopen("/proc/meminfo", "re");
    if (!f)
        return false;
    char line[128];
    bool found = false;
    size_t key_length = strlen(key);
    while (fgets(line, sizeof line, f))
        if (!strncmp(line, key, key_length) && line[key_length] == ':') {
            found = sscanf(line + key_length + 1, "%llu", out_value) == 1;
            break;
        }
    fclose(f);
    return found;
}

static unsigned long long meminfo_value(const char *key)
{
    unsigned long long value;
    return read_meminfo(key, &value) ? value : 0;
}

bool tbus_memory_is_there(size_t bytes, char *why, size_t why_bytes)
{
    unsigned long long host_kib;
    if (read_meminfo("MemAvailable", &host_kib) && bytes / 1024 >= host_kib) {
        snprintf(why, why_bytes, "%llu KiB are available", host_kib);
        return false;
    }
    /* Page tables and the file's index are charged to the group, too: each about 1/500 of 4 KiB
     * pages. */
    tbus_cgroup_room_t group = tbus_cgroup_memory("/proc/self");
    if (bytes + bytes / 128 < group.bytes)
        return true;
    snprintf(why, why_bytes, "the control group leaves %llu KiB (%s)",
             (unsigned long long)(group.bytes / 1024), group.limit);
    return false;
}

/* Memory that cannot be had must be an error here and now, not a SIGBUS later. */
static int populate(void *base, size_t bytes)
{
    if (madvise(base, bytes, MADV_POPULATE_WRITE) == 0)
        return 0;
    return -errno; /* EINVAL on kernels before 5.14 is handled by the caller's fallocate */
}

/* May we have memory of this node? Without NUMA there is one, number 0. */
static bool node_is_there(int node)
{
    if (numa_available() < 0)
        return node == 0;
    return node <= numa_max_node() && numa_bitmask_isbitset(numa_all_nodes_ptr, (unsigned)node);
}

static void bind_to_node(void *base, size_t bytes, int node)
{
    if (node < 0 || numa_available() < 0)
        return;
    struct bitmask *mask = numa_allocate_nodemask();
    numa_bitmask_setbit(mask, (unsigned)node);
    /* Preferred, not bound: a full node shall cost latency, not the run. */
    mbind(base, bytes, MPOL_PREFERRED, mask->maskp, mask->size + 1, 0);
    numa_free_nodemask(mask);
}

/* How much of a mapping is really backed by huge pages: "ShmemPmdMapped" of its entry in smaps. */
static bool mapped_by_pmd(const void *base)
{
    FILE *f = fopen("/proc/self/smaps", "re");
    if (!f)
        return false;
    char line[256];
    char start[32];
    snprintf(start, sizeof start, "%lx-", (unsigned long)base);
    bool here = false;
    unsigned long kib = 0;
    while (fgets(line, sizeof line, f)) {
        if (!strncmp(line, start, strlen(start)))
            here = true;
        else if (here && sscanf(line, "ShmemPmdMapped: %lu kB", &kib) == 1)
            break;
    }
    fclose(f);
    return kib > 0;
}

/* A memory file of `bytes`, mapped, populated and sealed; or nothing at all. */
static int make(const char *name, size_t bytes, unsigned memfd_flags, bool ask_thp, int node,
                tbus_segment_t *out)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | memfd_flags);
    if (fd < 0)
        return -errno;
    void *base = MAP_FAILED;
    int code;
    if (fchmod(fd, 0600) < 0 || ftruncate(fd, (off_t)bytes) < 0)
        goto system_error;
    base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED)
        goto system_error;
    bind_to_node(base, bytes, node);
    if (ask_thp)
        madvise(base, bytes, MADV_HUGEPAGE);
    code = populate(base, bytes);
    /* no MADV_POPULATE_WRITE: allocate the file instead; the first touch of each page then cannot
     * fail */
    if (code == -EINVAL)
        code = fallocate(fd, 0, 0, (off_t)bytes) < 0 ? -errno : 0;
    if (code < 0)
        goto fail;
    if (fcntl(fd, F_ADD_SEALS, SEALS) < 0)
        goto system_error;
    *out = (tbus_segment_t){.base = base, .bytes = bytes, .fd = fd, .writable = true};
    return 0;
system_error:
    code = -errno;
fail:
    if (base != MAP_FAILED)
        munmap(base, bytes);
    close(fd);
    return code;
}

static int make_hugetlb(const char *name, size_t bytes, int node, tbus_segment_t *out, char *why,
                        size_t why_bytes)
{
    size_t rounded = round_up(bytes, HUGE_PAGE);
    int code = make(name, rounded, MFD_HUGETLB | MFD_HUGE_2MB, false, node, out);
    if (code == 0) {
        out->pages = TBUS_PAGES_HUGETLB;
        return 0;
    }
    unsigned long long free_pages;
    bool counted = read_meminfo("HugePages_Free", &free_pages);
    unsigned long long total_pages = meminfo_value("HugePages_Total");
    unsigned long long needed = rounded / HUGE_PAGE;
    tbus_cgroup_room_t group = tbus_cgroup_huge_pages("/proc/self");
    if (code == -EMFILE || code == -ENFILE) {
        snprintf(why, why_bytes, "no descriptor is left: %s", tbus_strerror(code));
    } else if (counted && free_pages < needed) {
        snprintf(why, why_bytes, "needs %llu huge pages, %llu free: sysctl vm.nr_hugepages=%llu",
                 needed, free_pages, total_pages + needed - free_pages);
    } else if (group.bytes < rounded) {
        code = -ENOMEM; /* the kernel says EFAULT where a store would have been SIGBUS */
        snprintf(why, why_bytes, "needs %llu huge pages, the control group leaves %llu: raise %s",
                 needed, (unsigned long long)(group.bytes / HUGE_PAGE), group.limit);
    } else {
        snprintf(why, why_bytes, "no huge pages: %s", tbus_strerror(code));
    }
    return code;
}

static int make_thp(const char *name, size_t bytes, int node, tbus_segment_t *out, char *why,
                    size_t why_bytes)
{
    char missing[192];
    if (!tbus_memory_is_there(bytes, missing, sizeof missing)) {
        snprintf(why, why_bytes, "%zu bytes of shared memory cannot be had: %s", bytes, missing);
        return -ENOMEM;
    }
    int code = make(name, round_up(bytes, HUGE_PAGE), 0, true, node, out);
    if (code < 0) {
        snprintf(why, why_bytes, "no transparent huge pages: %s", tbus_strerror(code));
        return code;
    }
    if (mapped_by_pmd(out->base)) {
        out->pages = TBUS_PAGES_THP;
        return 0;
    }
    tbus_segment_close(out);
    snprintf(why, why_bytes,
             "no transparent huge pages for shared memory: "
             "echo advise > /sys/kernel/mm/transparent_hugepage/shmem_enabled");
    return -ENOTSUP;
}

/* What to do about it, where the system's own words do not say. */
static const char *remedy(int code)
{
    return code == -EFBIG ? ": raise the file size limit (ulimit -f)" : "";
}

int tbus_segment_create(const char *name, size_t bytes, enum tbus_pages want, int node,
                        tbus_segment_t *out_segment, tbus_error_t *err)
{
    if (!name || !out_segment)
        return tbus_fail(err, -EINVAL, "segment: it has no name, or nowhere to be put");
    if (!bytes)
        return tbus_fail(err, -EINVAL, "segment '%s': a segment of 0 bytes was asked for", name);
    if (node >= 0 && !node_is_there(node))
        return tbus_fail(err, -EINVAL,
                         "segment '%s': there is no NUMA node %d that this process may use "
                         "(`numactl --show` lists those); -1 leaves it to the kernel",
                         name, node);
    tbus_segment_t made;
    char why_hugetlb[sizeof made.pages_why] = "";
    char why_thp[sizeof made.pages_why] = "";
    int code = -EINVAL;

    if (want == TBUS_PAGES_AUTO || want == TBUS_PAGES_HUGETLB) {
        code = make_hugetlb(name, bytes, node, &made, why_hugetlb, sizeof why_hugetlb);
        if (code < 0 && want == TBUS_PAGES_HUGETLB)
            return tbus_fail(err, code, "segment '%s': %s", name, why_hugetlb);
    }
    if (code < 0 && (want == TBUS_PAGES_AUTO || want == TBUS_PAGES_THP)) {
        code = make_thp(name, bytes, node, &made, why_thp, sizeof why_thp);
        if (code < 0 && want == TBUS_PAGES_THP)
            return tbus_fail(err, code, "segment '%s': %s", name, why_thp);
    }
    if (code < 0) {
        char why_none[sizeof made.pages_why] = "";
        code = -ENOMEM;
        if (tbus_memory_is_there(bytes, why_none, sizeof why_none)) {
            code = make(name, round_up(bytes, SMALL_PAGE), 0, false, node, &made);
            snprintf(why_none, sizeof why_none, "%s%s", tbus_strerror(code), remedy(code));
        }
        if (code < 0)
            return tbus_fail(err, code,
                             "segment '%s': %zu bytes of shared memory cannot be had: %s", name,
                             bytes, why_none);
        made.pages = TBUS_PAGES_SMALL;
    }
    memcpy(made.pages_why, why_hugetlb, sizeof made.pages_why);
    *out_segment = made;
    return 0;
}

static bool is_hugetlb(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && (size_t)st.st_blksize >= HUGE_PAGE;
}

int tbus_segment_map(int fd, bool writable, tbus_segment_t *out_segment, tbus_error_t *err)
{
    struct stat st;
    int code;
    if (!out_segment) {
        code = tbus_fail(err, -EINVAL, "segment: descriptor %d has nowhere to be mapped to", fd);
        goto fail;
    }
    if (fstat(fd, &st) < 0) {
        code = tbus_fail(err, -errno, "segment: descriptor %d cannot be used: %s", fd,
                         tbus_strerror(-errno));
        goto fail;
    }
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || !(seals & F_SEAL_SHRINK) || st.st_size <= 0) {
        code = tbus_fail(
            err, -TBUS_EGEOMETRY,
            "segment: descriptor %d is no sealed memory file; it could be truncated under us", fd);
        goto fail;
    }
    void *base =
        mmap(NULL, (size_t)st.st_size, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) {
        code = tbus_fail(err, -errno, "segment: mapping %lld bytes failed: %s",
                         (long long)st.st_size, tbus_strerror(-errno));
        goto fail;
    }
    *out_segment = (tbus_segment_t){.base = base,
                                    .bytes = (size_t)st.st_size,
                                    .fd = fd,
                                    .pages = is_hugetlb(fd) ? TBUS_PAGES_HUGETLB : TBUS_PAGES_SMALL,
                                    .writable = writable};
    return 0;
fail:
    if (fd >= 0)
        close(fd);
    return code;
}

int tbus_segment_reopen(const tbus_segment_t *segment, bool writable)
{
    char path[40];
    if (!segment || !segment->base)
        return -EINVAL;
    snprintf(path, sizeof path, "/proc/self/fd/%d", segment->fd);
    int fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

const char *tbus_segment_reopen_why(int code)
{
    return code == -ENOENT
               ? "memory is opened anew through /proc/self/fd, and /proc is not mounted "
                 "here (mount -t proc proc /proc)"
               : tbus_strerror(code);
}

void tbus_segment_close(tbus_segment_t *segment)
{
    if (!segment || !segment->base)
        return;
    munmap(segment->base, segment->bytes);
    close(segment->fd);
    *segment = (tbus_segment_t){0};
}
