/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/journal/segments.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS 8u

/* "00000012.tbj" -> 12; 0: another name. */
static uint32_t number_of(const char *name)
{
    if (strspn(name, "0123456789") != DIGITS || strcmp(name + DIGITS, ".tbj") != 0)
        return 0;
    return (uint32_t)strtoul(name, NULL, 10);
}

static int ascending(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return a < b ? -1 : a > b;
}

static bool put(segments_t *segments, uint32_t number)
{
    uint32_t *more = realloc(segments->numbers, (segments->count + 1) * sizeof *more);
    if (!more)
        return false;
    segments->numbers = more;
    segments->numbers[segments->count++] = number;
    return true;
}

int segments_list(const char *directory, segments_t *out_segments, tbus_error_t *err)
{
    segments_t segments = {0};
    bool fine = true;
    DIR *stream = opendir(directory);
    if (!stream)
        return tbus_fail(err, -errno, "cannot open directory %s: %s", directory,
                         tbus_strerror(-errno));
    for (struct dirent *entry; fine && (entry = readdir(stream)) != NULL;) {
        uint32_t number = number_of(entry->d_name);
        fine = number == 0 || put(&segments, number);
    }
    closedir(stream);
    if (!fine) {
        segments_clear(&segments);
        return tbus_fail(err, -ENOMEM, "no memory to list the journal in %s", directory);
    }
    if (segments.count)
        qsort(segments.numbers, segments.count, sizeof *segments.numbers, ascending);
    *out_segments = segments;
    return 0;
}

void segments_clear(segments_t *segments)
{
    free(segments->numbers);
    *segments = (segments_t){0};
}
