/* SPDX-License-Identifier: Apache-2.0 */
/* segments.h - the segment files that lie in a directory, whatever they hold. */
#ifndef TICKBUS_TOOLS_JOURNAL_SEGMENTS_H
#define TICKBUS_TOOLS_JOURNAL_SEGMENTS_H

#include <stdint.h>

#include <tickbus/error.h>

typedef struct segments {
    uint32_t *numbers; /* owned; ascending */
    uint32_t count;
} segments_t;

/* 0, also where there are none; -ENOENT, -ENOTDIR, -EACCES, -ENOMEM. */
int segments_list(const char *directory, segments_t *out_segments, tbus_error_t *err);
void segments_clear(segments_t *segments);

#endif
