/* SPDX-License-Identifier: Apache-2.0 */
/* durable.h - how far a journal is on the disk: a position in its segments, and for each topic the
 * last sequence before that position.
 *
 * Whoever syncs looks first how far records go (`look`), syncs that stretch, and then says so
 * (`take`). The recording thread has no part in it: the records themselves tell where they end. So
 * durability costs nothing on the hot path.
 *
 *    file    | header | records ... | records ... | zeros
 *                                   ^ position    ^ end of the stretch
 *
 * After a sync that failed nothing more is called durable: what the kernel has of those pages is no
 * longer what the disk has, whatever a later sync returns.
 *
 * Private to bus/journal. Written by: the writer's helper thread, after its end whoever closes the
 * journal; `seqs` are read by anybody.
 */
#ifndef TICKBUS_JOURNAL_DURABLE_H
#define TICKBUS_JOURNAL_DURABLE_H

#include "bus/journal/segment_file.h"

typedef struct tbus_journal_durable {
    uint32_t segment;  /* all before it are on the disk */
    uint64_t position; /* and of this one all before that */
    bool frozen;       /* a sync has failed */
    uint32_t topics_count;
    tbus_atomic_u64_t *seqs[TBUS_JOURNAL_TOPICS_MAX]; /* 0: nothing of the topic */
    tbus_atomic_u64_t own[TBUS_JOURNAL_TOPICS_MAX];   /* where nobody brought a place for it */
} tbus_journal_durable_t;

/* Records that are to be synced: [from, to) of a segment. */
typedef struct tbus_journal_stretch {
    uint32_t segment;
    uint64_t from; /* 0: its header is among it */
    uint64_t to;
    uint64_t seqs[TBUS_JOURNAL_TOPICS_MAX]; /* the last of each topic; 0: none */
} tbus_journal_stretch_t;

/* `places`: where the sequences go, by topic; NULL: kept inside. They become 0. */
void tbus_journal_durable_init(tbus_journal_durable_t *d, uint32_t topics_count,
                               tbus_atomic_u64_t *const *places);

/* What there is in `file` behind the position. Reads the mapping, beside the thread that stores.
 * Cost: a look at each record's header. False: nothing new. */
bool tbus_journal_durable_look(const tbus_journal_durable_t *d, const tbus_journal_file_t *file,
                               tbus_journal_stretch_t *out_stretch);

/* That stretch was synced. */
void tbus_journal_durable_take(tbus_journal_durable_t *d, const tbus_journal_stretch_t *stretch);

/* All of that segment was, and nothing follows in it. */
void tbus_journal_durable_pass(tbus_journal_durable_t *d, uint32_t segment);

#endif
