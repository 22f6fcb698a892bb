/* SPDX-License-Identifier: Apache-2.0 */
/* span.h - which part of a journal: what `--from` and `--to` say, and where that is.
 *
 *    oldest             where the journal begins
 *    now                where it ends, as far as it has come
 *    seq:N              the message N of the topic that is asked for
 *    -5m                so long before the end, by the time of recording (500ms, 10s, 1.5h)
 *    HH:MM[:SS[.FRAC]]  where the market first reaches that time of day: the first tick of `md`
 *                       with it. Hours from 24 on are of the days that follow. In a journal without
 *                       ticks it is the time of recording, UTC
 *
 * A span begins with the first record at or behind `from`, of whatever topic, and ends before the
 * first at or behind `to`. Topics lie in a journal in the order of recording, so a place on one of
 * them is a place for all.
 *
 * Places are found by seeking: some hundred seeks for a time of day, whatever the size of the
 * journal, since ticks are not quite in the order of their times and a journal may hold several
 * days.
 */
#ifndef TICKBUS_TOOLS_SHOW_SPAN_H
#define TICKBUS_TOOLS_SHOW_SPAN_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/error.h>
#include <tickbus/journal.h>

/* For the help of verbs that have both options. */
#define SPAN_OPTIONS_HELP                                                                          \
    "  --from PLACE       begin there: oldest, now, seq:N (of the topic), -5m (before\n"           \
    "                     the end of the recording), or HH:MM[:SS[.FRACTION]], where\n"            \
    "                     the market reaches that time of day\n"                                   \
    "  --to PLACE         end before it\n"

enum span_kind {
    SPAN_NONE = 0, /* not given: the beginning or the end */
    SPAN_OLDEST,
    SPAN_NOW,
    SPAN_SEQ,         /* value: the sequence */
    SPAN_BEFORE_END,  /* value: ns */
    SPAN_TIME_OF_DAY, /* value: ns since midnight */
};

typedef struct span_point {
    enum span_kind kind;
    uint64_t value;
} span_point_t;

/* -TBUS_ECONFIG: none of the forms above. */
int span_parse(const char *text, span_point_t *out_point, tbus_error_t *err);

/* A place in a journal. */
enum span_at {
    SPAN_AT_START = 0,
    SPAN_AT_END,
    SPAN_AT_SEQ,  /* the first record of `topic` with a sequence of at least `value` */
    SPAN_AT_TIME, /* the first record of any topic that was recorded at `value` or later */
};
typedef struct span_place {
    enum span_at at;
    uint16_t topic;
    uint64_t value;
} span_place_t;

typedef struct span {
    span_place_t from;
    span_place_t to;
} span_t;

/* Find both points in the journal in `directory`, with a reader of its own. `damaged`: it may be
 * damaged, and what is not whole is passed over. `topic`: whose sequences seq:N means. 0, or the
 * negative error of opening and reading. -TBUS_ECONFIG: `to` lies before `from`, as far as that can
 * be seen. Cold. */
int span_find(const char *directory, bool damaged, uint16_t topic, const span_point_t *from,
              const span_point_t *to, span_t *out_span, tbus_error_t *err);

/* The topic of ticks: `md` where several are. -1: none, or none that this tickbus reads. */
int span_ticks(const tbus_journal_info_t *info);

/* Move a reader that has read nothing to where the span begins. 1, or 0: there is nothing behind
 * that; or the negative error. */
int span_begin(const span_t *span, tbus_journal_reader_t *reader, tbus_error_t *err);

/* The first message of `topic` in the journal that lies at the place or behind it; UINT64_MAX: none
 * does. 0, or the negative error. Cold. */
int span_seq(const char *directory, uint16_t topic, const span_place_t *place, uint64_t *out_seq,
             tbus_error_t *err);

/* Is this record at the place or behind it? */
static inline bool span_place_reached(const span_place_t *place,
                                      const tbus_journal_record_t *record)
{
    switch (place->at) {
    case SPAN_AT_SEQ:
        return record->topic == place->topic && record->seq >= place->value;
    case SPAN_AT_TIME:
        return record->time_ns >= place->value;
    default:
        return place->at == SPAN_AT_START;
    }
}

#endif
