/* SPDX-License-Identifier: Apache-2.0 */
/* busctl journal ls: the recordings in a directory and below it. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "tools/journal/arguments.h"
#include "tools/journal/describe.h"
#include "tools/journal/ending.h"
#include "tools/journal/segments.h"
#include "tools/journal/verbs.h"
#include "tools/measure/provenance.h"
#include "tools/show/grouped.h"
#include "tools/show/json_text.h"
#include "tools/show/outcome.h"

static const char help[] =
    "usage: busctl journal ls DIR [--json]\n"
    "\n"
    "The sessions that were recorded in DIR and up to four directories below it, the\n"
    "oldest first. Only headers are read; whether a journal is whole says\n"
    "`busctl journal verify`.\n"
    "\n"
    "  --json    one JSON object: sessions, an array of directory, session, name,\n"
    "            bus, started_realtime_ns, end (closed, live, torn, broken, or\n"
    "            damaged with an error), segments, bytes\n"
    "\n"
    "example: busctl journal ls /var/lib/tickbus\n";

#define SCHEMA    1 /* provenance.h */
#define DEPTH_MAX 4

typedef struct row {
    char *directory; /* owned */
    tbus_journal_info_t info;
    const char *end;
    tbus_error_t error; /* code 0, or why it cannot be opened */
} row_t;

typedef struct listing {
    row_t *rows; /* owned */
    uint32_t count;
    uint32_t unreadable; /* directories */
} listing_t;

static void read_row(row_t *row)
{
    tbus_journal_reader_t *reader;
    enum tbus_journal_end end;
    row->end = "damaged";
    if (tbus_journal_reader_open(row->directory, &reader, &row->error) < 0 &&
        tbus_journal_reader_open_damaged(row->directory, &reader, NULL) < 0)
        return;
    row->info = *tbus_journal_reader_info(reader);
    tbus_journal_reader_close(reader);
    if (row->error.code == 0 && journal_ending(row->directory, &row->info, &end, &row->error) == 0)
        row->end = describe_end(end);
}

static bool add_row(listing_t *l, const char *directory)
{
    row_t *more = realloc(l->rows, (l->count + 1) * sizeof *more);
    if (!more)
        return false;
    l->rows = more;
    row_t *row = &l->rows[l->count];
    *row = (row_t){.directory = strdup(directory)};
    if (!row->directory)
        return false;
    l->count++;
    read_row(row);
    return true;
}

static bool is_directory(const char *path)
{
    struct stat is;
    return lstat(path, &is) == 0 && S_ISDIR(is.st_mode);
}

/* A directory with segments is a session, and nothing below it is looked at. False: no memory. */
static bool visit(listing_t *l, const char *directory, unsigned depth)
{
    segments_t segments;
    bool fine = true;
    if (segments_list(directory, &segments, NULL) < 0) {
        l->unreadable++;
        return true;
    }
    bool session = segments.count > 0;
    segments_clear(&segments);
    if (session)
        return add_row(l, directory);
    DIR *stream = depth < DEPTH_MAX ? opendir(directory) : NULL;
    for (struct dirent *entry; fine && stream && (entry = readdir(stream)) != NULL;) {
        char path[PATH_MAX];
        if (entry->d_name[0] == '.' ||
            snprintf(path, sizeof path, "%s/%s", directory, entry->d_name) >= PATH_MAX ||
            !is_directory(path))
            continue;
        fine = visit(l, path, depth + 1);
    }
    if (stream)
        closedir(stream);
    return fine;
}

static int by_start(const void *left, const void *right)
{
    const row_t *a = left, *b = right;
    if (a->info.started_realtime_ns != b->info.started_realtime_ns)
        return a->info.started_realtime_ns < b->info.started_realtime_ns ? -1 : 1;
    return strcmp(a->directory, b->directory);
}

static void print_json(const listing_t *l)
{
    json_t *sessions = json_array();
    for (uint32_t i = 0; i < l->count; i++) {
        const row_t *row = &l->rows[i];
        char id[DESCRIBE_ID_MAX];
        json_t *session = json_pack(
            "{s:o, s:s, s:s, s:o, s:I, s:s, s:I, s:I}", "directory",
            json_text(row->directory, PATH_MAX), "session", describe_id(&row->info, id), "name",
            row->info.session_name, "bus", json_text(row->info.bus_name, sizeof row->info.bus_name),
            "started_realtime_ns", (json_int_t)row->info.started_realtime_ns, "end", row->end,
            "segments", (json_int_t)row->info.segments, "bytes", (json_int_t)row->info.bytes);
        if (session && row->error.code)
            json_object_set_new(session, "error",
                                json_text(row->error.text, sizeof row->error.text));
        json_array_append_new(sessions, session);
    }
    json_t *object = json_pack("{s:o}", "sessions", sessions);
    if (object)
        provenance_add(object, SCHEMA);
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(object);
}

#define WIDTH_BEFORE_PATH 63 /* of a row */

static void print_table(const listing_t *l)
{
    char started[DESCRIBE_TIME_MAX], bytes[GROUPED_MAX];
    if (l->count)
        printf("%-10s %-19s %-7s %8s %14s %s\n", "session", "started (UTC)", "end", "segments",
               "bytes", "directory");
    for (uint32_t i = 0; i < l->count; i++) {
        const row_t *row = &l->rows[i];
        bool fits = WIDTH_BEFORE_PATH + strlen(row->directory) <= 80;
        describe_time(row->info.started_realtime_ns, started);
        printf("%-10s %-19.19s %-7s %8" PRIu32 " %14s%s%s\n",
               row->info.session_name[0] ? row->info.session_name : "-",
               row->info.started_realtime_ns ? started : "-", row->end, row->info.segments,
               grouped((int64_t)row->info.bytes, bytes), fits ? " " : "\n  ", row->directory);
    }
}

static void tell_trouble(const char *verb, const listing_t *l)
{
    for (uint32_t i = 0; i < l->count; i++)
        if (l->rows[i].error.code)
            fprintf(stderr, "%s: %s\n", verb, l->rows[i].error.text);
    if (l->unreadable)
        fprintf(stderr, "%s: note: %" PRIu32 " director%s could not be read\n", verb, l->unreadable,
                l->unreadable == 1 ? "y" : "ies");
}

static void clear(listing_t *l)
{
    for (uint32_t i = 0; i < l->count; i++)
        free(l->rows[i].directory);
    free(l->rows);
}

static int list(const char *verb, const char *directory, bool json)
{
    listing_t l = {0};
    struct stat is;
    if (stat(directory, &is) < 0 || (!S_ISDIR(is.st_mode) && (errno = ENOTDIR)))
        return outcome_failed(verb, "cannot list %s: %s", directory, strerror(errno));
    bool fine = visit(&l, directory, 0);
    if (l.count)
        qsort(l.rows, l.count, sizeof *l.rows, by_start);
    if (fine) {
        (json ? print_json : print_table)(&l);
        tell_trouble(verb, &l);
        if (l.count == 0 && !json)
            fprintf(stderr, "%s: no session was recorded in %s or below it\n", verb, directory);
    }
    clear(&l);
    int printed = outcome_printed(verb);
    return fine ? printed : outcome_failed(verb, "no memory");
}

int journal_verb_ls(int argc, char **argv)
{
    const char *directory;
    bool json = false;
    int code;
    if (!journal_plain_arguments(argc, argv, help, &json, &directory, &code))
        return code;
    return list(argv[0], directory, json);
}
