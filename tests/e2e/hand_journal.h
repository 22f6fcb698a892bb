/* SPDX-License-Identifier: Apache-2.0 */
/* hand_journal.h - journals of three segments made by hand, copies of them that are damaged, and
 * what `busctl journal verify` says of those. */
#ifndef TICKBUS_TESTS_HAND_JOURNAL_H
#define TICKBUS_TESTS_HAND_JOURNAL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tickbus/journal.h>
#include <tickbus/msg/tick.h>

#include "bus/journal/format.h"
#include "tests/support/program.h"

#define PATH_BYTES   128
#define RECORD_BYTES (TBUS_JOURNAL_RECORD_HEADER + sizeof(tick_t)) /* 88 */
#define A_SEGMENT    698u                                          /* records of it in 64 KiB */
#define RECORDS      1800u                                         /* so three segments */

enum { MD, ORDERS };

typedef struct fixture {
    char root[SCRATCH_PATH_MAX];
    char closed[PATH_BYTES];  /* a journal that ended in order, */
    char torn[PATH_BYTES];    /* one whose recorder was killed, */
    char live[PATH_BYTES];    /* one that is being written, */
    char other[PATH_BYTES];   /* and another session that ended in order */
    char journal[PATH_BYTES]; /* the one that a test damages */
    char repaired[PATH_BYTES];
    tbus_journal_writer_t *writer;
} fixture_t;

/* --- journals by hand --- */

static inline tbus_journal_writer_t *begin_journal_of(const char *directory, uint64_t segment_bytes)
{
    tbus_journal_writer_t *writer;
    tbus_journal_spec_t spec = {
        .directory = directory,
        .bus_name = "hand",
        .started_realtime_ns = UINT64_C(1700000000123456789),
        .segment_bytes = segment_bytes,
        .topics_count = 2,
        .topics = {{"md", "tick", 1, TICK_VERSION, TBUS_BROADCAST, 0},
                   {"orders", "tick", 1, TICK_VERSION, TBUS_MPMC, 0}},
    };
    return tbus_journal_writer_open(&spec, &writer, NULL) == 0 ? writer : NULL;
}

static inline tbus_journal_writer_t *begin_journal(const char *directory)
{
    return begin_journal_of(directory, TBUS_JOURNAL_SEGMENT_BYTES_MIN);
}

/* A message; its tick is a second of the market later than the one before. */
static inline void append(tbus_journal_writer_t *writer, uint16_t topic, uint64_t seq,
                          uint64_t time_ns)
{
    tick_t tick = {.event = tick_pack((9 * 3600 + seq) * UINT64_C(1000000000), 1),
                   .intended = tick_pack(0, 13),
                   .type = 'D'};
    tick.order_ref = seq;
    assert_int_equal(tbus_journal_writer_append(writer, topic, seq, time_ns, &tick, sizeof tick),
                     0);
}

/* Of three messages two are of md. */
static inline void append_all(tbus_journal_writer_t *writer)
{
    for (uint64_t i = 0; i < RECORDS; i++)
        append(writer, i % 3 == 2 ? ORDERS : MD, i % 3 == 2 ? i / 3 + 1 : i / 3 * 2 + i % 3 + 1,
               (i + 1) * 1000);
}

static inline void copy(const char *from, const char *to)
{
    const char *const argv[] = {"cp", "-r", from, to, NULL};
    program_t p = {.argv = argv};
    assert_int_equal(program_run(&p), 0);
    program_clear(&p);
}

static inline void make_closed(const char *directory)
{
    tbus_journal_writer_t *writer = begin_journal(directory);
    assert_non_null(writer);
    append_all(writer);
    assert_int_equal(tbus_journal_writer_close(writer, NULL), 0);
}

static inline int make_journals(void **state)
{
    fixture_t *f = calloc(1, sizeof *f);
    *state = f;
    scratch_create(f->root);
    snprintf(f->closed, PATH_BYTES, "%s/closed", f->root);
    snprintf(f->torn, PATH_BYTES, "%s/torn", f->root);
    snprintf(f->live, PATH_BYTES, "%s/live", f->root);
    snprintf(f->other, PATH_BYTES, "%s/other", f->root);
    snprintf(f->journal, PATH_BYTES, "%s/journal", f->root);
    snprintf(f->repaired, PATH_BYTES, "%s/repaired", f->root);
    make_closed(f->closed);
    make_closed(f->other);
    f->writer = begin_journal(f->live);
    append_all(f->writer);
    copy(f->live, f->torn); /* nobody holds its lock */
    return 0;
}

static inline int remove_journals(void **state)
{
    fixture_t *f = *state;
    tbus_journal_writer_close(f->writer, NULL);
    scratch_remove(f->root);
    free(f);
    return 0;
}

static inline int remove_copies(void **state)
{
    const fixture_t *f = *state;
    scratch_remove(f->journal);
    scratch_remove(f->repaired);
    return 0;
}

/* --- damage --- */

static inline void segment_path(const char *journal, unsigned segment,
                                char out_path[PATH_BYTES + 16])
{
    snprintf(out_path, PATH_BYTES + 16, "%s/%08u.tbj", journal, segment);
}

static inline void write_at(const fixture_t *f, unsigned segment, uint64_t offset,
                            const void *bytes, size_t count)
{
    char path[PATH_BYTES + 16];
    segment_path(f->journal, segment, path);
    int fd = open(path, O_RDWR);
    assert_int_equal(pwrite(fd, bytes, count, (off_t)offset), count);
    close(fd);
}

static inline void flip(const fixture_t *f, unsigned segment, uint64_t offset)
{
    char path[PATH_BYTES + 16];
    unsigned char byte;
    segment_path(f->journal, segment, path);
    int fd = open(path, O_RDONLY);
    assert_int_equal(pread(fd, &byte, 1, (off_t)offset), 1);
    close(fd);
    byte ^= 0x10;
    write_at(f, segment, offset, &byte, 1);
}

static inline void cut(const fixture_t *f, unsigned segment, uint64_t bytes)
{
    char path[PATH_BYTES + 16];
    segment_path(f->journal, segment, path);
    assert_int_equal(truncate(path, (off_t)bytes), 0);
}

static inline uint64_t place_of(unsigned record)
{
    return TBUS_JOURNAL_HEADER_BYTES + record % A_SEGMENT * RECORD_BYTES;
}

/* busctl journal verify: what it says, without what differs from run to run. The caller frees. */
static inline json_t *verify(const char *journal)
{
    static const char *const keys[] = {"ok", "records", "segments", "end", "damage", "lost"};
    const char *const argv[] = {TICKBUS_BUSCTL, "journal", "verify", journal, "--json", NULL};
    program_t p = {.argv = argv};
    program_run(&p);
    json_t *all = json_loads(p.out, JSON_REJECT_DUPLICATES, NULL);
    if (!all)
        fail_msg("%s: no JSON: %s%s", journal, p.out, p.err);
    assert_int_equal(p.exit_code, json_is_true(json_object_get(all, "ok")) ? 0 : 1);
    json_t *some = json_object();
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        json_object_set(some, keys[i], json_object_get(all, keys[i]));
    json_decref(all);
    program_clear(&p);
    return some;
}

static inline int run(program_t *p, const char *const *argv)
{
    *p = (program_t){.argv = argv};
    return program_run(p);
}

#endif
