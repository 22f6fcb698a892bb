/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/run/stamps.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define COLUMN_ALIGN ((uint64_t)4096)

static uint64_t rows_of(const tbus_stamps_spec_t *spec, unsigned column)
{
    const uint32_t optional =
        1u << TBUS_STAMP_WAITED | 1u << TBUS_STAMP_RECORDED | 1u << TBUS_STAMP_SERVED;
    if (column >= TBUS_STAMP_MESSAGE_COLUMNS)
        return spec->answers;
    return (optional & ~spec->optional) >> column & 1 ? 0 : spec->messages;
}

static uint64_t padded(uint64_t bytes)
{
    return (bytes + COLUMN_ALIGN - 1) / COLUMN_ALIGN * COLUMN_ALIGN;
}

int tbus_stamps_create(const tbus_stamps_spec_t *spec, tbus_stamps_t *out_stamps, tbus_error_t *err)
{
    tbus_stamps_t s = {.ticks = spec->ticks, .streams = spec->streams};
    snprintf(s.topic, sizeof s.topic, "%s", spec->topic ? spec->topic : "");
    const uint64_t rows_max = UINT64_C(1) << 40;
    if (spec->messages == 0 || spec->streams == 0 || spec->messages > rows_max ||
        spec->answers > rows_max)
        return tbus_fail(err, -EINVAL, "stamps of %llu messages, of %u streams of answers",
                         (unsigned long long)spec->messages, spec->streams);
    uint64_t bytes = padded(sizeof *s.shared);
    for (unsigned i = 0; i < TBUS_STAMP_COLUMNS; i++) {
        s.rows[i] = rows_of(spec, i);
        bytes += padded(s.rows[i] * sizeof(tbus_atomic_u64_t));
    }
    void *mapping = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED)
        return tbus_fail(err, -errno, "no memory for the stamps of %llu messages (%llu MiB): %s",
                         (unsigned long long)spec->messages, (unsigned long long)bytes >> 20,
                         tbus_strerror(-errno));
    (void)madvise(mapping, bytes, MADV_HUGEPAGE); /* fewer misses of the TLB; as it can */
    s.mapping = mapping;
    s.mapping_bytes = bytes;
    s.shared = mapping;
    uint64_t at = padded(sizeof *s.shared);
    for (unsigned i = 0; i < TBUS_STAMP_COLUMNS; i++) {
        s.columns[i] = (tbus_atomic_u64_t *)(void *)((unsigned char *)mapping + at);
        at += padded(s.rows[i] * sizeof(tbus_atomic_u64_t));
    }
    *out_stamps = s;
    return 0;
}

void tbus_stamps_destroy(tbus_stamps_t *s)
{
    if (s->mapping)
        munmap(s->mapping, s->mapping_bytes);
    *s = (tbus_stamps_t){0};
}

void tbus_stamps_touch(const tbus_stamps_t *s)
{
    /* Where the kernel does not know the advice (before 5.14) the faults come while it runs. */
    (void)madvise(s->mapping, s->mapping_bytes, MADV_POPULATE_WRITE);
}
