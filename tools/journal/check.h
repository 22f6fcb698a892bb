/* SPDX-License-Identifier: Apache-2.0 */
/* check.h - all of a journal read and checked, and every place that is wrong.
 *
 * What is checked: every record's CRC, place and session; the headers; the seals of finished
 * segments, and that each was sealed behind the one before it; that a finished segment holds
 * nothing behind its end, and that what lies behind the end of an unfinished one is zeros (but see
 * below); that the sequences of each topic go up, and that none is missing where none may be.
 *
 * What is no damage:
 *
 *    torn     The recorder was killed, the journal ends there. It may have left one record that it
 *             had begun: with the header of the record that was to come next, or the first words of
 *             that, and without a length; or the beginning of the next segment's header. A finished
 *             segment that it had not yet cut has its full length still, and zeros behind its end:
 *             anything else there is damage.
 *    live     Its writer is alive, and more may come. The part that it still writes to is not
 *             looked at behind the last record.
 *    holes    Sequences that a session record names as not recorded (TBUS_JOURNAL_HOLE).
 *    tombs    Sequences that are missing on a topic with several publishers: one died in a claim.
 *             The recorder does not say which those are. So a record of such a topic that somebody
 *             took out of a segment, with the CRCs made right again, is found by the seal of the
 *             segment and not by its sequence; in the last segment of a torn journal, which has no
 *             seal, it is taken for a tomb.
 *
 * What no check can find by itself, since seals have no key: that somebody sealed all segments anew
 * from one that was changed on to the last, or took the last seals off. The SHA-256 of the last
 * segment, or how many are sealed, is then another than was told when the recording had ended. The
 * last segment of a torn journal has no seal.
 *
 * Sequences that are missing because of a damage are told as lost beside it, and are no place of
 * their own.
 *
 * Finished segments are scanned (bus/journal/scan.h) on all CPUs, ahead of the reader, which goes
 * record by record only through those that are not whole.
 */
#ifndef TICKBUS_TOOLS_JOURNAL_CHECK_H
#define TICKBUS_TOOLS_JOURNAL_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/journal.h>

#define CHECK_TOPICS_MAX (TBUS_JOURNAL_TOPICS_MAX + 1) /* the last: session records */

typedef struct check_topic {
    uint64_t records;
    uint64_t first_seq;
    uint64_t last_seq;
    uint64_t payload_bytes_max; /* of one record */
    uint64_t tombs;
    uint32_t damage_seen; /* places that had been passed over at its last record */
} check_topic_t;

/* Why sequences are missing. */
enum check_gap_kind { CHECK_UNEXPLAINED = 0, CHECK_LOST, CHECK_TOMB, CHECK_HOLE };

typedef struct check_gap {
    enum check_gap_kind kind;
    uint16_t topic;
    uint64_t from, to; /* both are missing */
    uint32_t segment;  /* where the record behind it is */
    uint64_t offset;
} check_gap_t;

typedef struct check {
    tbus_journal_reader_t *reader; /* owned; NULL: it could not be opened */
    const tbus_journal_info_t *info;
    check_topic_t topics[CHECK_TOPICS_MAX];
    uint64_t records; /* messages, without session records */
    uint64_t last_time_ns;
    enum tbus_journal_end end;
    tbus_journal_damage_t *damage; /* owned; in the order of segments and offsets */
    uint32_t damage_count;
    uint32_t damage_room;
    check_gap_t *gaps; /* owned; but for tombs */
    uint32_t gaps_count;
    uint32_t gaps_room;
    check_gap_t *holes; /* owned; as session records name them */
    uint32_t holes_count;
    uint32_t holes_room;
    uint64_t *ends; /* owned; of each segment from the first on: where its records end; 0: none */
    uint32_t ends_count;
} check_t;

/* 0: it was checked, whatever was found, and check_ok says whether it is whole. Negative: it could
 * not be: there is no journal, it cannot be read, no memory. `what`: for the progress line. To be
 * cleared in any case. Cold. */
int check_journal(const char *directory, const char *what, check_t *out_check, tbus_error_t *err);

/* The same with whole segments scanned on so many threads; 0: none is, and every record is taken in
 * its turn. What is found is the same. (check_journal: as many as there are CPUs for this
 * process.) For tests and benches. */
int check_journal_on(const char *directory, const char *what, uint32_t cpus, check_t *out_check,
                     tbus_error_t *err);

static inline bool check_ok(const check_t *c)
{
    return c->damage_count == 0;
}

/* The name of a topic in a gap. */
const char *check_topic_name(const check_t *c, uint16_t topic);

void check_clear(check_t *c);

#endif
