/* SPDX-License-Identifier: Apache-2.0 */
/* feed.h - the feed stage: reads a source, keeps a schedule, publishes ticks on the topic `md`.
 *
 *    source --tick, time--> timeline --time--> pace --intended time--> md
 *
 * The schedule is open-loop: when a message should go out depends on the pace alone, never on how
 * fast the pipeline is. A message that cannot go out in time because `md` is full keeps its
 * intended time, and what is measured from there shows the delay.
 *
 * The times of another file (arrivals.h) are gone through in laps.
 *
 * What comes before `from` is not left out, or the books would lack its orders: it goes out at
 * once, for the books alone (TICK_WARM_UP, tickbus/msg/tick.h), and the schedule begins with the
 * first message at or after `from`. `to` ends the source. Where somebody has made the books at that
 * place, their orders go out instead (opening.h), and what comes before is not read.
 *
 * The first message on `md` is that of the file; a tick's sequence on `md` is the index of its
 * message in the file plus one, of a journal the one that was recorded (whoever makes the ring lets
 * it begin there). When the source ends, so does the feed (source_done). When it
 * fails, what came before is published, then the feed ends the same way, with stage->error holding
 * what was wrong and the counter feed.errors at 1: bad input never takes the pipeline down. With
 * feed.errors at 0 what stage->error holds is a note: the source ended in order, and there is
 * something to know about it (a journal that was torn).
 *
 * Messages that the source has lost for good are a mark on `md` (TICK_GAP) where they are missing,
 * with this feed's policy; their range goes onto the gap board (gap_board.h). A recorded mark goes
 * out again like a message.
 *
 * The tick of an order tells readers where their books keep it (bus/market/places.h), which is no
 * part of the message.
 *
 * Counters: feed.messages and feed.bytes (of messages, without framing and marks), feed.by_type.X
 * for each type X seen, by its ITCH letter or as 0xNN, feed.gaps and feed.lost (once there is a
 * gap: how many, and how many messages they speak of), feed.errors, feed.ended (1: there was no
 * more of what was asked for; 0 when the time that was given ended first), feed.unprepared (of
 * `prepare`: messages that were decoded only when they were to go out). For who watches: feed.done
 * and feed.total, how far the input is read, in units of the source (total 0: not known);
 * feed.due_ns, when the message that the feed waits with is due (CLOCK_MONOTONIC; in the past: it
 * does not wait), and feed.due_time_ns, the time that this message carries.
 *
 * Previous on the data path: feedsim/source/source.h, feedsim/timeline.h, feedsim/pace.h. Next: the
 * ring `md`, then strategy/stage.c.
 */
#ifndef TICKBUS_FEEDSIM_FEED_H
#define TICKBUS_FEEDSIM_FEED_H

#include <stdint.h>

#include <tickbus/kind.h>

#include "feedsim/gap_board.h"
#include "feedsim/selection.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What orders come to on books that lack messages (tickbus/msg/tick.h). */
enum feed_gaps { FEED_GAPS_BLOCK = 0, FEED_GAPS_WARN = 1 };

/* The values of the kind's parameters (feedsim/kind.c). */
typedef struct feed_values {
    char source[TBUS_PARAM_TEXT_MAX];
    char pace[32];
    uint32_t clock; /* enum feed_clock */
    char from[32];  /* places and durations as timeline.h reads them; "": none */
    char to[32];
    char skip_gaps[32];
    char topic[TBUS_NAME_MAX]; /* of a journal; "": md */
    char opening[TBUS_PARAM_TEXT_MAX];
    char arrivals[TBUS_PARAM_TEXT_MAX];
    uint64_t prepare;
    uint64_t places;
    uint32_t gap_policy; /* enum feed_gaps */
    uint32_t symbols_count;
    char symbols[FEED_SYMBOLS_MAX][FEED_SYMBOL_BYTES];
} feed_values_t;

extern const tbus_kind_t feed_kind;

/* Its pace with `auto` resolved: what is invented comes at a rate that leaves the pipeline time, so
 * that latencies are its own; everything else comes as fast as it is taken. */
const char *feed_values_pace(const feed_values_t *values);
/* Nothing but room on `md` is waited for: the pace is `max`, and the source is a file, a journal or
 * made up, not a pipe or a connection. */
bool feed_values_unpaced(const feed_values_t *values);

typedef struct feed_params {
    /* as feed_source_open takes it: "itch:FILE", "synth:seed=7", "journal:DIR" */
    const char *source;
    const char *pace; /* as feed_pace_parse takes it: "max", "realtime", "10x", "200k/s" */
    uint32_t clock;   /* enum feed_clock */
    /* as feed_place_parse and feed_duration_parse take them; NULL or "": none */
    const char *from;
    const char *to;
    const char *skip_gaps; /* of the market's time, before the pace makes it faster or slower */
    const char *topic;     /* of a journal: which of its topics of ticks; NULL or "": md */
    const char *opening;   /* as feed_opening_read takes it; `from` is a number; NULL or "": none */
    /* as feed_pace_set_arrivals and feed_arrivals_named take them; NULL or "": constant */
    const char *arrivals;
    uint64_t prepare;       /* so many ticks are read and decoded before the first goes out */
    uint64_t places;        /* as places_create takes it (bus/market/places.h); 0: none are told */
    uint32_t gap_policy;    /* enum feed_gaps */
    feed_gap_board_t *gaps; /* where each is told; NULL: nowhere */
    const char (*symbols)[FEED_SYMBOL_BYTES]; /* only these; selection.h */
    uint32_t symbols_count;                   /* 0: all */
    /* end this long after the first poll, with what was due until then; 0: when the source ends */
    uint64_t for_ns;
} feed_params_t;

/* Open the source, parse the pace, join `md` as its publisher. Nothing in `params` is needed
 * afterwards. Errors: of feed_source_open and feed_pace_parse, -TBUS_ENOTFOUND without a topic
 * `md`, -ENOMEM. Cold. The stage is freed by its ops->destroy. */
int feed_stage_create(tbus_bus_t *bus, uint32_t owner, const feed_params_t *params,
                      tbus_stage_t **out_stage, tbus_error_t *err);

#ifdef __cplusplus
}
#endif
#endif
