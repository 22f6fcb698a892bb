/* SPDX-License-Identifier: Apache-2.0 */
/* reader.h - what a journal's reader holds. Private to bus/journal.
 *
 *    reader_open.c      the session: all headers are checked, one segment is entered
 *    reader.c           the records of one segment
 *    reader_end.c       where a segment has no more: the next one, the end, or damage
 *    reader_seek.c      going to a place
 *    reader_index.c     what it needs for that: indexes of the segments
 *    reader_damage.c    going on behind damage
 *
 * Who checks all of a journal has its segments scanned (scan.h), and leaps over those that are
 * whole.
 */
#ifndef TICKBUS_JOURNAL_READER_H
#define TICKBUS_JOURNAL_READER_H

#include "bus/journal/index.h"
#include "bus/journal/scan.h"
#include "bus/journal/segment.h"

/* What the buffer has from the start: reading allocates only for a record that is longer. A
 * multiple of 64. */
#define TBUS_JOURNAL_BUFFER_BYTES (UINT64_C(256) << 10)

/* What is known of a segment that nobody writes any more. */
typedef struct tbus_journal_summary {
    enum {
        TBUS_JOURNAL_UNKNOWN = 0,
        TBUS_JOURNAL_WHOLE = 1,
        TBUS_JOURNAL_IN_PART = 2 /* what comes before damage, or the end of a torn one */
    } state;
    tbus_journal_index_header_t holds;
} tbus_journal_summary_t;

struct tbus_journal_reader {
    tbus_journal_directory_t directory;
    int lock_fd; /* to ask whether the writer lives (lock.h) */
    tbus_journal_info_t info;

    tbus_journal_segment_t segment; /* the one that is being read */
    uint64_t position;              /* in it */
    uint64_t records; /* of the session that lie before the position, those about itself included */
    /* How many is not known, since the position was reached by a jump into the segment: the next
     * segment is not asked to go on with that number. */
    bool uncounted;
    uint64_t missed; /* records whose segments were removed before they were read */

    /* Bytes [buffer_at, buffer_at + buffer_bytes) of the segment; buffer_at is a multiple of 8. */
    unsigned char *buffer;
    uint64_t buffer_capacity;
    uint64_t buffer_at;
    uint64_t buffer_bytes;

    enum tbus_journal_end end;
    bool waiting; /* at the end of a live journal: the next look is at one word */
    bool shows_session;
    bool checks_seals;
    bool passed_unfinished; /* a segment was left behind that was not finished at the time */
    /* Segments `sealed - seals + 1` .. `sealed` have seals that fit; `digest` is the last one's. */
    uint32_t sealed;
    uint32_t seals;
    uint8_t digest[32];
    bool link_unknown; /* what comes next need not be sealed behind `digest` */
    /* What a scan has found for the segment that was leapt over; segment 0: none. */
    struct {
        uint32_t segment;
        uint64_t end;
        uint8_t previous[32];
        uint8_t digest[32];
    } scanned;
    bool ended; /* for good: nobody writes, and the end was judged */
    uint64_t torn_bytes;
    /* A segment that is not finished, with a finished one behind it: 0, none. The writer finishes
     * them in order, so the sync of this one failed. */
    uint32_t unsynced;
    uint32_t unsynced_at_open; /* such a one as of opening, for a reader that jumps over it */
    tbus_error_t broken;       /* with the end BROKEN: why */
    tbus_error_t failure;      /* damage: said again at every later call */

    /* For going to a place. */
    tbus_journal_range_t range;        /* of segments, as of the last time */
    tbus_journal_index_t index;        /* of one segment */
    tbus_journal_summary_t *summaries; /* from info.first_segment on; owned */
    uint32_t summaries_count;

    bool skips_damage;
    bool has_jumped;                                     /* and may come to the same damage again */
    char what[sizeof((tbus_journal_damage_t *)0)->what]; /* of the last damage */
    tbus_journal_damage_t *damage;                       /* what was skipped; owned */
    uint32_t damage_count;
    uint32_t damage_capacity;
};

/* One that has no segment yet. Takes the directory, also when it fails: NULL, no memory. */
tbus_journal_reader_t *tbus_journal_reader_new(const tbus_journal_directory_t *directory);

/* Read this segment from now on, from its first record on, instead of the one before. Takes what is
 * open, and holds it against retention as long as it is read. */
void tbus_journal_reader_enter(tbus_journal_reader_t *r, const tbus_journal_segment_t *segment);

/* Let go of the segment that is read, for retention, until the next seek, which must come before
 * the next look. */
void tbus_journal_reader_rest(tbus_journal_reader_t *r);

/* The record that next gave is the first of its segment, and a scan found that segment whole: go to
 * its end. So what next gives then is what it would give after all of its records; and when the
 * seal is checked, the digest that the scan has is taken for the one that would be computed. */
void tbus_journal_reader_leap(tbus_journal_reader_t *r, const tbus_journal_scan_t *scan);

/* Look at the record at the position, as far as the buffer goes, fresh from the file where it ends.
 * FOUND: the position is behind it; NOTHING, BAD; or -errno. */
int tbus_journal_reader_look(tbus_journal_reader_t *r, tbus_journal_record_t *out_record);

/* The same, but from what the file holds now. A follower asks this again and again: a look at the
 * length comes first. */
int tbus_journal_reader_look_again(tbus_journal_reader_t *r, tbus_journal_record_t *out_record);

/* Nothing (more) to read at the position, as far as the buffer knew. FOUND after all; MOVED;
 * NOTHING, and r->end says why; or the negative error. */
int tbus_journal_reader_after_last(tbus_journal_reader_t *r, tbus_journal_record_t *out_record,
                                   tbus_error_t *err);

/* After damage at the position: remember it and go on behind it. MOVED: look again; NOTHING: there
 * is nothing behind it, r->end says why; or -errno. */
int tbus_journal_reader_pass_damage(tbus_journal_reader_t *r, tbus_error_t *err);

/* Damage is passed over, and reading has ended: is there something further on that can be read, in
 * this segment or a later one? Go there, and remember the place. MOVED;
 * NOTHING: no, and all is as it was; or -errno. */
int tbus_journal_reader_pass_end(tbus_journal_reader_t *r, tbus_error_t *err);

/* Why this segment, which was asked for by its number, is passed over, or (`reads_on`) only its
 * header is. `look`: what opening it found. 0 or -ENOMEM. */
int tbus_journal_reader_note_segment(tbus_journal_reader_t *r, uint32_t number, int look,
                                     bool reads_on);

/* Open a segment that this reader, if it passes over damage, goes on in, though opening it came to
 * `look`: its header is damaged, or it has another name. FOUND, NOTHING or -errno. */
int tbus_journal_reader_open_anyhow(tbus_journal_reader_t *r, uint32_t number, int look,
                                    tbus_journal_segment_t *out_segment);

/* Is it what damage comes to, and not an error of the system? */
static inline bool tbus_journal_code_is_damage(int code)
{
    return code == -TBUS_ECORRUPT || code == -TBUS_EMAGIC || code == -TBUS_EABI ||
           code == -TBUS_ETRUNCATED;
}

/* Judge how the session ended, from its last segment, which was read to the end. `cut_bytes`: what
 * is left of the header of a segment behind it. NOTHING, or the negative error. */
int tbus_journal_reader_judge_session_end(tbus_journal_reader_t *r, uint64_t cut_bytes,
                                          tbus_error_t *err);

/* "cannot read segment ... at offset ...", as the error `code` (-errno). Returns it. */
int tbus_journal_reader_fail_reading(const tbus_journal_reader_t *r, int code, tbus_error_t *err);

#endif
