/* SPDX-License-Identifier: Apache-2.0 */
/* busctl journal prune: the oldest segments of a recording go. */
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <tickbus/journal.h>

#include "tools/journal/arguments.h"
#include "tools/journal/order_index.h"
#include "tools/journal/verbs.h"
#include "tools/show/grouped.h"
#include "tools/show/outcome.h"

static const char help[] =
    "usage: busctl journal prune DIR --keep-bytes BYTES | --keep-age AGE |\n"
    "                                --keep-segments N [--dry-run] [--json]\n"
    "\n"
    "Remove segments of the journal in DIR from its front, with their indexes, while\n"
    "it is longer, older or of more segments than is to be kept. The last one always\n"
    "stays, and so does one that somebody reads, with all behind it. What is left is\n"
    "whole: it begins later. A journal that is being recorded is pruned by its\n"
    "recorder (journal.keep_bytes, keep_age and keep_segments of the configuration).\n"
    "\n"
    "  --keep-bytes BYTES    of all segments: 500M, 20G\n"
    "  --keep-age AGE        since it was recorded: 12h, 30d\n"
    "  --keep-segments N     this many\n"
    "  --dry-run             only say what would be removed\n"
    "  --json                a JSON object\n"
    "\n"
    "example: busctl journal prune ./session1 --keep-age 30d --dry-run\n";

typedef struct unit {
    char name;
    uint64_t value;
} unit_t;

/* "20G": a whole number, with one of these units, or none where the first has no name. */
static bool parse(const char *text, const unit_t *units, uint64_t *out_value)
{
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    unsigned long long number = strtoull(text, &end, 10);
    for (const unit_t *unit = units; unit->value; unit++)
        if ((unit->name ? end[0] == unit->name && end[1] == 0 : end[0] == 0) && number)
            return !__builtin_mul_overflow((uint64_t)number, unit->value, out_value);
    return false;
}

static bool parse_bytes(const char *text, uint64_t *out_bytes)
{
    static const unit_t units[] = {{0, 1},
                                   {'K', UINT64_C(1) << 10},
                                   {'M', UINT64_C(1) << 20},
                                   {'G', UINT64_C(1) << 30},
                                   {'T', UINT64_C(1) << 40},
                                   {0, 0}};
    return parse(text, units, out_bytes);
}

static bool parse_age(const char *text, uint64_t *out_ns)
{
    static const unit_t units[] = {{'s', UINT64_C(1000000000)},
                                   {'m', 60 * UINT64_C(1000000000)},
                                   {'h', 3600 * UINT64_C(1000000000)},
                                   {'d', 86400 * UINT64_C(1000000000)},
                                   {0, 0}};
    return parse(text, units, out_ns);
}

static bool parse_count(const char *text, uint32_t *out_count)
{
    static const unit_t units[] = {{0, 1}, {0, 0}};
    uint64_t count;
    if (!parse(text, units, &count) || count > UINT32_MAX)
        return false;
    *out_count = (uint32_t)count;
    return true;
}

/* What is there, by its headers. */
static bool measure(const char *directory, tbus_journal_info_t *out_info, tbus_error_t *err)
{
    tbus_journal_reader_t *reader;
    if (tbus_journal_reader_open(directory, &reader, err) < 0)
        return false;
    *out_info = *tbus_journal_reader_info(reader);
    tbus_journal_reader_close(reader);
    return true;
}

typedef struct pruned {
    bool dry;          /* nothing was removed; */
    uint32_t removed;  /* so many would be */
    uint32_t segments; /* that there were */
    tbus_journal_info_t after;
} pruned_t;

static void print_words(const pruned_t *p)
{
    char text[GROUPED_MAX];
    printf("%s%" PRIu32 " of %" PRIu32 " segments\n", p->dry ? "would go  " : "removed   ",
           p->removed, p->segments);
    if (!p->dry)
        printf("kept      %" PRIu32 " segments, %s bytes\n", p->after.segments,
               grouped((int64_t)p->after.bytes, text));
}

/* segments and bytes: as they are now. */
static void print_json(const pruned_t *p)
{
    json_t *object =
        json_pack("{s:b, s:I, s:I, s:I}", "dry_run", p->dry, "removed", (json_int_t)p->removed,
                  "segments", (json_int_t)p->after.segments, "bytes", (json_int_t)p->after.bytes);
    json_dumpf(object, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(object);
}

static int prune(const char *verb, const char *directory, const tbus_journal_limits_t *limits,
                 bool dry, bool json)
{
    tbus_error_t why = {0};
    tbus_journal_info_t before;
    pruned_t p = {.dry = dry};
    uint64_t now_ns = tbus_clock_realtime_ns();
    if (!measure(directory, &before, &why) ||
        (dry ? tbus_journal_prune_plan : tbus_journal_prune)(directory, limits, now_ns, &p.removed,
                                                             &why) < 0 ||
        !measure(directory, &p.after, &why))
        return outcome_failed(verb, "%s", why.text);
    if (!dry && p.removed)
        order_index_remove(directory); /* it is about what the journal was before */
    p.segments = before.segments;
    (json ? print_json : print_words)(&p);
    return outcome_printed(verb);
}

int journal_verb_prune(int argc, char **argv)
{
    static const struct option options[] = {{"keep-bytes", required_argument, NULL, 'b'},
                                            {"keep-age", required_argument, NULL, 'a'},
                                            {"keep-segments", required_argument, NULL, 's'},
                                            {"dry-run", no_argument, NULL, 'n'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    tbus_journal_limits_t limits = {0};
    const char *directory;
    bool dry = false, json = false;
    optind = 0;
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (option == 'h')
            return outcome_help(argv[0], help);
        if (option == '?')
            return outcome_option(argv[0], argv[optind - 1], options);
        if (option == 'b' && !parse_bytes(optarg, &limits.keep_bytes))
            return outcome_usage(argv[0], "--keep-bytes %s: write 500M, 20G or 1T", optarg);
        if (option == 'a' && !parse_age(optarg, &limits.keep_age_ns))
            return outcome_usage(argv[0], "--keep-age %s: write 90m, 12h or 30d", optarg);
        if (option == 's' && !parse_count(optarg, &limits.keep_segments))
            return outcome_usage(argv[0], "--keep-segments %s: a number from 1 was expected",
                                 optarg);
        dry |= option == 'n';
        json |= option == 'j';
    }
    int code = journal_directory_argument(argc, argv, &directory);
    if (code != OUTCOME_OK)
        return code;
    if (!limits.keep_bytes && !limits.keep_age_ns && !limits.keep_segments)
        return outcome_usage(argv[0], "how much is to be kept? Say --keep-bytes, --keep-age or "
                                      "--keep-segments");
    return prune(argv[0], directory, &limits, dry, json);
}
