/* SPDX-License-Identifier: Apache-2.0 */
/* replay_start.h - where a replay begins and ends, and with which books.
 *
 * Places are looked up in the journal and become numbers of ticks. Where a replay begins in the
 * middle, the books at that place are made beforehand (tools/journal/books_at.h), and the feed is
 * given them as its opening (feedsim/opening.h): they go onto md right before the first tick of the
 * range, which so keeps the sequence that it was recorded with. Where that cannot be done, all that
 * comes before goes onto md instead, and it is said why. What is decided is the same either way.
 */
#ifndef TICKBUS_TOOLS_RUN_REPLAY_START_H
#define TICKBUS_TOOLS_RUN_REPLAY_START_H

#include <stdint.h>

#include <tickbus/error.h>

#include "tools/config/start_options.h"

typedef struct replay_start {
    uint64_t md_first_seq; /* of the ring */
    int opening_fd;        /* owned; -1: none */
    char from[32];         /* what the options are given; they point here */
    char to[32];
    char opening[32];
} replay_start_t;

/* Of the journal that the options name (`rest`): set feed.from, feed.to and feed.opening. Notes go
 * to stderr, in the name of `verb`. `start` must live as long as the options. 0, or the negative
 * error of looking the places up. Cold. */
int replay_start_prepare(const char *verb, start_options_t *options, replay_start_t *start,
                         tbus_error_t *err);

/* The sequence with which md begins in a journal that is replayed as a whole: of its first tick; 1
 * when it has none, or cannot be read, of which the feed tells more. Cold. */
uint64_t replay_start_first_seq(const char *directory);

void replay_start_clear(replay_start_t *start);

#endif
