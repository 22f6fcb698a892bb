/* SPDX-License-Identifier: Apache-2.0 */
/* why_journals.h - sessions whose orders are asked about, with and without an index of them. */
#ifndef TICKBUS_TESTS_WHY_JOURNALS_H
#define TICKBUS_TESTS_WHY_JOURNALS_H

#include "tests/e2e/running_bus.h"

#include <sys/stat.h>

#include "tools/journal/order_index.h"
#include "tools/journal/order_index_make.h"
#include "tools/journal/why_answer.h"
#include "tools/journal/why_show.h"

#define PATH_BYTES 256
#define FILE_BYTES (PATH_BYTES + 32)
#define IDS_MAX    4096u

static inline void path_in(const fixture_t *f, const char *name, char out_path[PATH_BYTES])
{
    snprintf(out_path, PATH_BYTES, "%s/%s", f->runtime, name);
}

static inline void file_in(const char *journal, const char *name, char out_path[FILE_BYTES])
{
    snprintf(out_path, FILE_BYTES, "%s/%s", journal, name);
}

/* What lies in the way of the file that it is written as: nobody can make an index. */
static inline void forbid_index(const char *journal)
{
    char path[FILE_BYTES];
    file_in(journal, ORDER_INDEX_NAME, path);
    unlink(path);
    file_in(journal, ORDER_INDEX_NAME ".part", path);
    assert_int_equal(mkdir(path, 0700), 0);
}

static inline void allow_index(const char *journal)
{
    char path[FILE_BYTES];
    file_in(journal, ORDER_INDEX_NAME ".part", path);
    assert_int_equal(rmdir(path), 0);
}

static inline void make_index(const char *journal)
{
    tbus_error_t err = {0};
    if (order_index_ensure(journal, &err) != 1)
        fail_msg("no index of %s: %s", journal, err.text);
}

/* Its stocks are test issues: those that are traded are named. */
#define TRADES "strategy.symbols=SYN000,SYN001,SYN002,SYN003"

static inline uint32_t ids_of(const char *journal, uint64_t ids[IDS_MAX])
{
    why_session_t session;
    tbus_error_t err = {0};
    if (why_session_read(journal, &session, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(session.entries_count > 0 && session.entries_count < IDS_MAX);
    for (uint32_t i = 0; i < session.entries_count; i++)
        ids[i] = session.entries[i].order_id;
    uint32_t count = session.entries_count;
    why_session_clear(&session);
    return count;
}

/* Both forms, and what is said on stderr. To be freed. */
static inline char *text_of(const char *journal, uint64_t id, bool indexed)
{
    char *text = NULL;
    size_t bytes = 0;
    why_answer_t answer;
    tbus_error_t err = {0};
    FILE *out = open_memstream(&text, &bytes);
    int code = why_answer(journal, id, &answer, &err);
    assert_int_equal(answer.indexed, indexed);
    fprintf(out, "%d %s\n", code, code < 0 ? err.text : "");
    for (uint32_t i = 0; i < answer.ids_count; i++)
        fprintf(out, "%u: %lu to %lu\n", answer.ids[i].strategy, (unsigned long)answer.ids[i].first,
                (unsigned long)answer.ids[i].last);
    fprintf(out, "begins: %d, there: %d\n%s\n", answer.begins, answer.there,
            answer.no_verdict.text);
    if (answer.there) {
        why_print(&answer, out);
        json_t *object = why_json(&answer);
        json_dumpf(object, out, JSON_INDENT(2));
        json_decref(object);
    }
    why_answer_clear(&answer);
    fclose(out);
    return text;
}

static inline void record(fixture_t *f, const char *name, const char *feed, const char *clock,
                          const char *limits, char out_journal[PATH_BYTES])
{
    path_in(f, name, out_journal);
    if (run(f, "start", "--feed", feed, "--pace", "max", "--wait", "park", "--set", clock, "--set",
            "risk.orders_per_second=40", "--set", "risk.open_orders_max=6", "--set",
            "risk.position_max=300", "--set", "risk.test_symbols=allow", "--set", TRADES, "--set",
            "books.orders_max=8192", "--set", "books.levels_max=4096", "--set", limits, "--journal",
            out_journal, "--json", NULL) != 0)
        fail_msg("%s", f->start.err);
}

#define FEED "synth:seed=9,symbols=8,messages=10000,flow=plain"

static inline int journal_verb(fixture_t *f, const char *verb, const char *journal, const char *one,
                               const char *two)
{
    const char *argv[] = {TICKBUS_BUSCTL, "journal", verb, journal, one, two, NULL};
    program_clear(&f->start);
    f->start = (program_t){.argv = argv};
    return program_run(&f->start);
}

/* In several segments, with an index. Paced: else the last segments hold what the recorder was
 * behind with on `md`, and no order. */
static inline void record_segments(fixture_t *f, char out_journal[PATH_BYTES])
{
    path_in(f, "journal", out_journal);
    assert_int_equal(run(f, "start", "--feed", FEED, "--pace", "10k/s", "--wait", "park", "--set",
                         "risk.test_symbols=allow", "--set", TRADES, "--set",
                         "journal.segment_bytes=524288", "--journal", out_journal, "--json", NULL),
                     0);
    make_index(out_journal);
}

/* One bit of a file. Once more, and it is right again. */
static inline void flip(const char *journal, const char *name, off_t offset)
{
    char path[FILE_BYTES];
    unsigned char byte;
    file_in(journal, name, path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(pread(fd, &byte, 1, offset), 1);
    byte ^= (unsigned char)(1u << offset % 8);
    assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
    close(fd);
}

#endif
