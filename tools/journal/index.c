/* SPDX-License-Identifier: Apache-2.0 */
/* busctl journal index: the files by which places and orders in a recording are found, and the
 * books at places. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include <jansson.h>

#include <tickbus/journal.h>

#include "tools/journal/arguments.h"
#include "tools/journal/books_at.h"
#include "tools/journal/order_index_make.h"
#include "tools/journal/segments.h"
#include "tools/journal/verbs.h"
#include "tools/show/outcome.h"

static const char help[] =
    "usage: busctl journal index DIR [--json]\n"
    "\n"
    "Build the index of each finished segment of the journal in DIR that has none, or\n"
    "one that is wrong: 00000001.tbi beside 00000001.tbj. With it a place, as --from\n"
    "and --to name it, is found at once. And, once the session has come to its end,\n"
    "that of its orders, orders.tbw, by which busctl why answers at once. All are\n"
    "made by themselves when they are needed; building them beforehand saves the\n"
    "first who asks the reading. Where it takes little room the books at the\n"
    "beginning of a segment are left beside it as well, 00000005.tbb, with which\n"
    "busctl replay --from begins in the middle at once.\n"
    "\n"
    "  --json    a JSON object\n"
    "\n"
    "example: busctl journal index ./session1\n";

typedef struct count {
    uint32_t made;
    uint32_t right;
    uint32_t unfinished;
    uint32_t books_made;
    uint32_t books_right;
} count_t;

static void show_progress(uint32_t done, uint32_t total)
{
    if (isatty(STDERR_FILENO) == 1)
        fprintf(stderr, "\r\033[K%" PRIu32 " of %" PRIu32 " segments", done, total);
}

static void wipe_progress(void)
{
    if (isatty(STDERR_FILENO) == 1)
        fputs("\r\033[K", stderr);
}

static int index_all(const char *verb, const char *directory, const segments_t *segments,
                     count_t *count)
{
    int result = OUTCOME_OK;
    for (uint32_t i = 0; i < segments->count; i++) {
        tbus_error_t why = {0};
        show_progress(i, segments->count);
        int code = tbus_journal_index_segment(directory, segments->numbers[i], &why);
        count->made += code == 1;
        count->right += code == 0;
        count->unfinished += code == -EBUSY;
        wipe_progress();
        if (code < 0 && code != -EBUSY)
            result = outcome_failed(verb, "%s", why.text);
    }
    return result;
}

/* *out_orders: "made", "right", or "none", and then why_none has a reason. */
static int index_orders(const char *verb, const char *directory, const char **out_orders,
                        tbus_error_t *why_none)
{
    int code = order_index_ensure(directory, why_none);
    *out_orders = code > 0 ? "made" : code == 0 ? "right" : "none";
    bool has_none = code == -EBUSY || code == -TBUS_ENOTFOUND || code == -TBUS_EABI;
    return code >= 0 || has_none ? OUTCOME_OK : outcome_failed(verb, "%s", why_none->text);
}

static int index_books(const char *verb, const char *directory, count_t *count)
{
    tbus_error_t why = {0};
    if (books_at_checkpoints(directory, &count->books_made, &count->books_right, &why) < 0)
        return outcome_failed(verb, "%s", why.text);
    return OUTCOME_OK;
}

static void print_json(const count_t *count, const char *orders, const tbus_error_t *why_none)
{
    json_t *object = json_pack(
        "{s:I,s:I,s:I,s:I,s:I,s:s,s:s?}", "made", (json_int_t)count->made, "right",
        (json_int_t)count->right, "unfinished", (json_int_t)count->unfinished, "books_made",
        (json_int_t)count->books_made, "books_right", (json_int_t)count->books_right, "orders",
        orders, "orders_none", why_none->code ? why_none->text : NULL);
    json_dumpf(object, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(object);
}

static void print_words(const count_t *count, const char *orders, const tbus_error_t *why_none)
{
    printf("made      %" PRIu32 "\nright     %" PRIu32 "\n", count->made, count->right);
    if (count->unfinished)
        printf("none      %" PRIu32 ", which are not finished\n", count->unfinished);
    if (count->books_made + count->books_right)
        printf("books     %" PRIu32 " made, %" PRIu32 " right\n", count->books_made,
               count->books_right);
    printf("orders    %s%s%s\n", orders, why_none->code ? ": " : "", why_none->text);
}

int journal_verb_index(int argc, char **argv)
{
    const char *directory, *orders = "none";
    int code;
    bool json = false;
    count_t count = {0};
    segments_t segments;
    tbus_error_t why = {0};
    if (!journal_plain_arguments(argc, argv, help, &json, &directory, &code))
        return code;
    if (segments_list(directory, &segments, &why) < 0)
        return outcome_failed(argv[0], "%s", why.text);
    if (segments.count == 0)
        return outcome_failed(argv[0], "there is no journal in %s", directory);
    code = index_all(argv[0], directory, &segments, &count);
    segments_clear(&segments);
    if (code == OUTCOME_OK)
        code = index_books(argv[0], directory, &count);
    if (code == OUTCOME_OK)
        code = index_orders(argv[0], directory, &orders, &why);
    (json ? print_json : print_words)(&count, orders, &why);
    int printed = outcome_printed(argv[0]);
    return code != OUTCOME_OK ? code : printed;
}
