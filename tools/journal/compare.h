/* SPDX-License-Identifier: Apache-2.0 */
/* compare.h - did two sessions decide the same? Every order, verdict, report and best price of one
 * recording is held against those of another, in every field but the host's times.
 *
 * Compared are streams: each topic of orders, reports or bbos that both have, in its order; of a
 * topic on which several strategies publish, each strategy's messages in their own order, since how
 * they lie between one another is the host's. Sequences of the rings do not count either, nor how
 * topics lie between one another in the files.
 *
 * One message that differs makes others differ. The one that is named is the first: it was made
 * from none of those that differ as well. Which came of which is told by the messages
 * (first_cause.h), by either clock.
 *
 * A recording that is torn, broken off or still being written is compared as far as it goes: up to
 * the last tick of either in market time, and each stream up to its last message. So is one of a
 * run in which a stage or the supervisor died: up to the first decision that is not there, or, if
 * stages ended then without waiting for one another, up to where they halted.
 */
#ifndef TICKBUS_TOOLS_JOURNAL_COMPARE_H
#define TICKBUS_TOOLS_JOURNAL_COMPARE_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/error.h>
#include <tickbus/journal.h>

#define COMPARE_MESSAGE_BYTES 56u /* orders, reports and bbos have so many */

/* A message of one of the two. */
typedef struct compare_message {
    bool there;
    uint64_t seq; /* on its topic */
    _Alignas(8) unsigned char bytes[COMPARE_MESSAGE_BYTES];
} compare_message_t;

typedef struct compare_divergence {
    char topic[TBUS_NAME_MAX];
    char type[TBUS_NAME_MAX];
    uint32_t strategy;          /* of an order or a report; else 0 */
    uint64_t place;             /* the how manieth of its stream, from 1 */
    uint64_t md_seq;            /* the tick that it answers, or stands at; the lesser of the two */
    compare_message_t sides[2]; /* one may be missing */
} compare_divergence_t;

typedef struct compare_count {
    char topic[TBUS_NAME_MAX];
    uint64_t equal;  /* messages, of each stream up to its first that differs */
    uint64_t digest; /* of these (bus/msg/digest.h), of all strategies */
} compare_count_t;

/* The second recording is that of a repetition of the first: what it lacks may not be missing. */
typedef struct compare_repetition {
    /* By the clock of the host: where the first ends early it is not on record in which order its
     * last inputs were taken, so a message that the second lacks tells nothing. */
    bool of_host_clock;
    /* It came to a standstill for want of a decision: it lacks best prices of ticks that it did not
     * come to. */
    bool stood_still;
} compare_repetition_t;

typedef struct compare_result {
    bool identical;
    enum tbus_journal_end ends[2];
    bool failed[2]; /* a stage, or the supervisor, died while it was recorded */
    uint32_t counts_count;
    compare_count_t counts[TBUS_JOURNAL_TOPICS_MAX];
    /* not identical: the one that is no effect of another; of several such the earliest in market
     * time */
    compare_divergence_t first;
} compare_result_t;

/* `repetition`: NULL: it is none. 0, and *out_result; or the negative error of reading one of them,
 * which err names. -TBUS_ENOTFOUND: they have no topic to be compared by. -TBUS_EABI: a version of
 * messages that this build does not read. -TBUS_ELIMIT: more streams, or messages that lie further
 * apart in the two, than there is memory for: 2^22 of one stream. Cold: reads both journals once;
 * where best prices differ, up to there once more. Memory for what one has read ahead of the other,
 * on streams that are equal so far: in recordings of one program topics lie no further apart than
 * their rings have slots. */
int compare_recordings(const char *const directories[2], const compare_repetition_t *repetition,
                       compare_result_t *out_result, tbus_error_t *err);

#endif
