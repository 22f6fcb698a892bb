/* SPDX-License-Identifier: Apache-2.0 */
/* compare.h - did two sessions decide the same? Every order, verdict, report and best price of one
 * recording is held against those of another, in every field but the host's times.
 *
 * Compared are streams: each topic of orders, reports or bbos that both have, in its order; of a
 * topic on which several strategies publish, each strategy's messages in their own order, since how
 * they lie between one another is the host's. Sequences of the rings do not count either.
 *
 * A recording that is torn, broken off or still being written is compared as far as it goes.
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
    uint64_t md_seq;            /* the tick that it belongs to, of the earlier of the two */
    compare_message_t sides[2]; /* one may be missing */
} compare_divergence_t;

typedef struct compare_count {
    char topic[TBUS_NAME_MAX];
    uint64_t equal;  /* messages, up to the first that differs */
    uint64_t digest; /* of these (bus/msg/digest.h), of all strategies */
} compare_count_t;

typedef struct compare_result {
    bool identical;
    enum tbus_journal_end ends[2];
    uint32_t counts_count;
    compare_count_t counts[TBUS_JOURNAL_TOPICS_MAX];
    /* not identical: the first, by market data; of those at one tick the first on the data path */
    compare_divergence_t first;
} compare_result_t;

/* 0, and *out_result; or the negative error of reading one of them, which err names.
 * -TBUS_ENOTFOUND: they have no topic to be compared by. -TBUS_EABI: a version of messages that
 * this build does not read. Cold: reads both journals once; memory for what one has read ahead of
 * the other. */
int compare_recordings(const char *const directories[2], compare_result_t *out_result,
                       tbus_error_t *err);

#endif
