/* SPDX-License-Identifier: Apache-2.0 */
/* journal_sessions.h - journals whose i-th record can be told beforehand, written in order or by a
 * writer that is killed, and read back. */
#ifndef TICKBUS_TESTS_UNIT_JOURNAL_SESSIONS_H
#define TICKBUS_TESTS_UNIT_JOURNAL_SESSIONS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bus/journal/format.h"
#include "tests/support/program.h"
#include "tests/unit/journal_scratch.h"

#define SMALL_SEGMENT (64u << 10)

static inline off_t size_of(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? info.st_size : -1;
}

/* --- records --- */

#define TOPICS 3u

static inline tbus_journal_spec_t spec_for(const char *directory, uint64_t segment_bytes)
{
    return (tbus_journal_spec_t){
        .directory = directory,
        .bus_name = "test",
        .started_realtime_ns = UINT64_C(1700000000000000000),
        .segment_bytes = segment_bytes,
        .topics_count = TOPICS,
        .topics = {{"md", "tick", 1, 0, 0, 0},
                   {"bbo", "bbo", 1, 0, 0, 0},
                   {"orders", "order", 7, 0, 0, 0}},
    };
}

typedef struct message {
    uint16_t topic;
    uint64_t seq;
    uint64_t time_ns;
    size_t bytes;
    uint8_t payload[400];
} message_t;

/* The i-th message, i from 0: always the same one. */
static inline message_t message_of(uint64_t i)
{
    message_t m = {.topic = (uint16_t)(i % TOPICS),
                   .seq = i / TOPICS + 1,
                   .time_ns = i * 10,
                   .bytes = i * 7919 % 301};
    for (size_t k = 0; k < m.bytes; k++)
        m.payload[k] = (uint8_t)(i * 31 + k * 7 + 1);
    return m;
}

static inline int append_message(tbus_journal_writer_t *w, uint64_t i)
{
    message_t m = message_of(i);
    return tbus_journal_writer_append(w, m.topic, m.seq, m.time_ns, m.payload, m.bytes);
}

static inline tbus_journal_writer_t *create(const char *directory, uint64_t segment_bytes)
{
    tbus_journal_spec_t spec = spec_for(directory, segment_bytes);
    tbus_journal_writer_t *w = NULL;
    tbus_error_t err = {0};
    if (tbus_journal_writer_open(&spec, &w, &err) != 0)
        fail_msg("%s", err.text);
    return w;
}

static inline void write_journal(const char *directory, uint64_t segment_bytes, uint64_t count)
{
    tbus_journal_writer_t *w = create(directory, segment_bytes);
    for (uint64_t i = 0; i < count; i++)
        assert_int_equal(append_message(w, i), 0);
    assert_int_equal(tbus_journal_writer_records(w), count);
    tbus_error_t err = {0};
    if (tbus_journal_writer_close(w, &err) != 0)
        fail_msg("%s", err.text);
}

static inline bool is_message(const tbus_journal_record_t *record, uint64_t i)
{
    message_t m = message_of(i);
    return record->topic == m.topic && record->seq == m.seq && record->time_ns == m.time_ns &&
           record->bytes == m.bytes && (uintptr_t)record->payload % 8 == 0 &&
           memcmp(record->payload, m.payload, m.bytes) == 0;
}

typedef struct outcome {
    int code; /* of open, or of the last next */
    uint64_t records;
    enum tbus_journal_end end;
    uint64_t torn_bytes;
    tbus_error_t err;
} outcome_t;

/* Read a journal to its end; every record must be the one that was appended in its place. */
static inline outcome_t read_journal(const char *directory)
{
    outcome_t o = {0};
    tbus_journal_reader_t *r = NULL;
    tbus_journal_record_t record;
    o.code = tbus_journal_reader_open(directory, &r, &o.err);
    if (o.code < 0)
        return o;
    while ((o.code = tbus_journal_reader_next(r, &record, &o.err)) == 1) {
        if (!is_message(&record, o.records))
            fail_msg("record %llu is not what was appended", (unsigned long long)o.records);
        o.records++;
    }
    o.end = tbus_journal_reader_end(r);
    o.torn_bytes = tbus_journal_reader_torn_bytes(r);
    /* It says the same again. */
    assert_int_equal(tbus_journal_reader_next(r, &record, NULL), o.code);
    tbus_journal_reader_close(r);
    return o;
}

/* A journal as a killed writer leaves it: the child writes `count` records and dies. */
static inline void write_and_be_killed(const char *directory, uint64_t segment_bytes,
                                       uint64_t count)
{
    pid_t pid = fork();
    if (pid == 0) {
        tbus_journal_spec_t spec = spec_for(directory, segment_bytes);
        tbus_journal_writer_t *w;
        if (tbus_journal_writer_open(&spec, &w, NULL) != 0)
            _exit(1);
        for (uint64_t i = 0; i < count; i++)
            if (append_message(w, i) != 0)
                _exit(2);
        raise(SIGKILL);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static inline void flip(const char *path, uint64_t bit)
{
    uint8_t byte;
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, (off_t)(bit / 8)), 1);
    byte ^= (uint8_t)(1u << (bit % 8));
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)(bit / 8)), 1);
    close(fd);
}

#endif
