/* SPDX-License-Identifier: Apache-2.0 */
/* busctl journal repair: what is whole of a recording as a new recording. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "tools/journal/arguments.h"
#include "tools/journal/check.h"
#include "tools/journal/describe.h"
#include "tools/journal/rewrite.h"
#include "tools/journal/verbs.h"
#include "tools/show/grouped.h"
#include "tools/show/json_text.h"
#include "tools/show/outcome.h"

static const char help[] =
    "usage: busctl journal repair DIR [--into NEWDIR | --in-place] [--json]\n"
    "\n"
    "Write what is whole of the journal in DIR into a new journal: the same topics,\n"
    "messages, sequences and times of recording, and what the session says of itself.\n"
    "What was lost stands in it as a hole, and is printed here. DIR is not changed. A\n"
    "journal that is whole needs no repair, and none is made.\n"
    "\n"
    "  --into NEWDIR    default: DIR.repaired\n"
    "  --in-place       the new journal takes the place of DIR, which is kept as\n"
    "                   DIR.damaged\n"
    "  --json           a JSON object\n"
    "\n"
    "example: busctl journal repair ./session1 --into ./session1-repaired\n";

typedef struct repair {
    const char *verb;
    const char *directory; /* absolute */
    char into[PATH_MAX];
    bool in_place;
    bool json;
} repair_t;

static bool ends_unknown(const check_t *c)
{
    return c->end == TBUS_JOURNAL_TORN || c->end == TBUS_JOURNAL_BROKEN;
}

static void print_lost(const check_t *c)
{
    char texts[2][GROUPED_MAX];
    for (uint32_t i = 0; i < c->gaps_count; i++) {
        const check_gap_t *gap = &c->gaps[i];
        if (gap->kind == CHECK_HOLE)
            continue;
        printf("lost      %s %s to %s\n", check_topic_name(c, gap->topic),
               grouped((int64_t)gap->from, texts[0]), grouped((int64_t)gap->to, texts[1]));
    }
    if (ends_unknown(c))
        printf("lost      what came after the end: nobody knows how much\n");
}

/* What was written must be whole and hold what it was to hold. */
static int check_result(const repair_t *r, const rewrite_result_t *result)
{
    check_t check;
    tbus_error_t why = {0};
    bool fine = check_journal(r->into, "checked again", &check, &why) == 0 && check_ok(&check) &&
                check.end == TBUS_JOURNAL_CLOSED && check.records == result->records;
    if (!fine && !why.code)
        snprintf(why.text, sizeof why.text, "what was written to %.200s is not whole: %.180s",
                 r->into, check.damage_count ? check.damage[0].what : describe_end(check.end));
    check_clear(&check);
    return fine ? OUTCOME_OK : outcome_failed(r->verb, "%s", why.text);
}

/* NEW takes the name of DIR, which becomes DIR.damaged: at every moment there is a journal of that
 * name. */
static int exchange(const repair_t *r, char out_kept[PATH_MAX])
{
    if (snprintf(out_kept, PATH_MAX, "%s.damaged", r->directory) >= PATH_MAX ||
        access(out_kept, F_OK) == 0)
        return outcome_failed(r->verb, "%s is in the way; the repaired journal is in %s", out_kept,
                              r->into);
    if (renameat2(AT_FDCWD, r->into, AT_FDCWD, r->directory, RENAME_EXCHANGE) < 0 ||
        rename(r->into, out_kept) < 0)
        return outcome_failed(r->verb, "cannot put %s in the place of %s: %s", r->into,
                              r->directory, strerror(errno));
    return OUTCOME_OK;
}

/* `kept`: where the damaged one is now. */
static void print_words(const repair_t *r, const check_t *found, const rewrite_result_t *result,
                        const char *kept)
{
    char texts[2][GROUPED_MAX];
    printf("written   %s messages, %s bytes\n", grouped((int64_t)result->records, texts[0]),
           grouped((int64_t)result->bytes, texts[1]));
    print_lost(found);
    if (result->dropped)
        printf("dropped   %s records that were out of order\n",
               grouped((int64_t)result->dropped, texts[0]));
    if (result->cut_objects)
        printf("dropped   %" PRIu64 " objects of the session that were not whole\n",
               result->cut_objects);
    printf("journal   %s\n", r->in_place ? r->directory : r->into);
    if (r->in_place)
        printf("damaged   %s\n", kept);
}

static json_t *lost_json(const check_t *c)
{
    json_t *lost = json_array();
    for (uint32_t i = 0; i < c->gaps_count; i++) {
        const check_gap_t *gap = &c->gaps[i];
        if (gap->kind != CHECK_HOLE)
            json_array_append_new(
                lost, json_pack("{s:o, s:I, s:I}", "topic",
                                json_text(check_topic_name(c, gap->topic), TBUS_NAME_MAX), "from",
                                (json_int_t)gap->from, "to", (json_int_t)gap->to));
    }
    return lost;
}

/* `result`: NULL when nothing needed to be written. */
static void print_json(const repair_t *r, const check_t *found, const rewrite_result_t *result,
                       const char *kept)
{
    static const rewrite_result_t none;
    const rewrite_result_t *w = result ? result : &none;
    json_t *object =
        json_pack("{s:b, s:I, s:I, s:o, s:b, s:I, s:I}", "written", result != NULL, "records",
                  (json_int_t)w->records, "bytes", (json_int_t)w->bytes, "lost", lost_json(found),
                  "end_unknown", ends_unknown(found), "dropped_records", (json_int_t)w->dropped,
                  "dropped_objects", (json_int_t)w->cut_objects);
    bool moved = result && r->in_place;
    json_object_set_new(object, "journal",
                        json_text(result && !moved ? r->into : r->directory, PATH_MAX));
    json_object_set_new(object, "damaged",
                        result ? json_text(moved ? kept : r->directory, PATH_MAX) : json_null());
    json_dumpf(object, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(object);
}

static int write_new(const repair_t *r, const check_t *found)
{
    rewrite_result_t result;
    tbus_error_t why = {0};
    char kept[PATH_MAX];
    if (rewrite_journal(r->directory, r->into, found, &result, &why) < 0)
        return outcome_failed(r->verb, "%s", why.text);
    int code = check_result(r, &result);
    if (code == OUTCOME_OK && r->in_place)
        code = exchange(r, kept);
    if (code != OUTCOME_OK)
        return code;
    (r->json ? print_json : print_words)(r, found, &result, kept);
    return outcome_printed(r->verb);
}

static int repair(const repair_t *r)
{
    check_t found;
    tbus_error_t why = {0};
    int code;
    if (check_journal(r->directory, "checked", &found, &why) < 0)
        code = outcome_failed(r->verb, "%s", why.text);
    else if (!found.reader)
        code = outcome_failed(r->verb, "%s", found.damage[0].what);
    else if (found.end == TBUS_JOURNAL_LIVE)
        code = outcome_failed(r->verb, "the journal in %s is being written; stop its bus first",
                              r->directory);
    else if (found.end == TBUS_JOURNAL_CLOSED && check_ok(&found)) {
        outcome_note(r->verb, "the journal in %s is whole; nothing was written", r->directory);
        if (r->json)
            print_json(r, &found, NULL, NULL);
        code = r->json ? outcome_printed(r->verb) : OUTCOME_OK;
    } else
        code = write_new(r, &found);
    check_clear(&found);
    return code;
}

int journal_verb_repair(int argc, char **argv)
{
    static const struct option options[] = {{"into", required_argument, NULL, 'i'},
                                            {"in-place", no_argument, NULL, 'p'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    repair_t r = {.verb = argv[0]};
    const char *into = NULL, *given;
    char directory[PATH_MAX];
    optind = 0;
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (option == 'h')
            return outcome_help(argv[0], help);
        if (option == '?')
            return outcome_option(argv[0], argv[optind - 1], options);
        if (option == 'i')
            into = optarg;
        r.in_place |= option == 'p';
        r.json |= option == 'j';
    }
    int code = journal_directory_argument(argc, argv, &given);
    if (code != OUTCOME_OK)
        return code;
    if (into && r.in_place)
        return outcome_usage(argv[0], "either --into NEWDIR or --in-place");
    if (!realpath(given, directory))
        return outcome_failed(argv[0], "cannot open the journal in %s: %s", given, strerror(errno));
    r.directory = directory;
    int length =
        snprintf(r.into, sizeof r.into, "%s%s", into ? into : directory, into ? "" : ".repaired");
    if (length >= (int)sizeof r.into)
        return outcome_failed(argv[0], "%s: the name is too long", given);
    return repair(&r);
}
