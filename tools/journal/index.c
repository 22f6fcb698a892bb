/* SPDX-License-Identifier: Apache-2.0 */
/* busctl journal index: the files by which places in a recording are found. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include <tickbus/journal.h>

#include "tools/journal/arguments.h"
#include "tools/journal/segments.h"
#include "tools/journal/verbs.h"
#include "tools/show/outcome.h"

static const char help[] =
    "usage: busctl journal index DIR\n"
    "\n"
    "Build the index of each finished segment of the journal in DIR that has none, or\n"
    "one that is wrong: 00000001.tbi beside 00000001.tbj. With it a place, as --from\n"
    "and --to name it, is found at once. It is made by itself when it is needed; who\n"
    "builds it beforehand saves the first who asks the reading.\n"
    "\n"
    "example: busctl journal index ./session1\n";

typedef struct count {
    uint32_t made;
    uint32_t right;
    uint32_t unfinished;
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

int journal_verb_index(int argc, char **argv)
{
    const char *directory;
    int code;
    count_t count = {0};
    segments_t segments;
    tbus_error_t why = {0};
    if (!journal_plain_arguments(argc, argv, help, NULL, &directory, &code))
        return code;
    if (segments_list(directory, &segments, &why) < 0)
        return outcome_failed(argv[0], "%s", why.text);
    if (segments.count == 0)
        return outcome_failed(argv[0], "there is no journal in %s", directory);
    code = index_all(argv[0], directory, &segments, &count);
    segments_clear(&segments);
    printf("made      %" PRIu32 "\nright     %" PRIu32 "\n", count.made, count.right);
    if (count.unfinished)
        printf("none      %" PRIu32 ", which are not finished\n", count.unfinished);
    int printed = outcome_printed(argv[0]);
    return code != OUTCOME_OK ? code : printed;
}
