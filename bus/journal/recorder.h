/* SPDX-License-Identifier: Apache-2.0 */
/* recorder.h - the recorder stage: everything that is on any topic goes into the journal.
 *
 *    every topic -- "recorder" --> journal
 *
 * It follows every topic of the bus as a gating subscriber, so nothing is lost: when the disk is
 * slower than the feed, the feed waits. (On a ring with competing consumers it is a follower and
 * takes no message away from them.) A poll takes what is there from each topic in turn, up to a
 * limit, and appends it; all that one poll takes is recorded under one time. The messages of one
 * topic are recorded in the order of the topic; those of different topics in the order in which the
 * recorder took them. The stage publishes nothing and drives nothing, so its batches may be larger
 * than the budget of a fused process.
 *
 * When the journal has no room ready (pages, the next segment: made by its helper thread), a poll
 * does not wait: the messages stay on their rings, the stage is stalled (tickbus/stage.h), and a
 * later poll goes on with the same message. A ring that fills up meanwhile holds up the feed.
 *
 * A journal that cannot be written fails the stage, and with it the run. finish records what is
 * still on the rings, waiting for room, and syncs and closes the journal; destroy closes it when
 * the run ended otherwise.
 *
 * Counters: journal.records, journal.bytes (in the segments, headers of records included);
 * journal.syncs, 1 while it syncs by itself; journal.durable.TOPIC, the last sequence of each topic
 * that is on the disk (stored by the journal's helper thread, tbus_journal_writer_durable);
 * journal.no_room, 1 while the disk is full and nothing is recorded, and journal.missed, the
 * messages that were left out so far.
 *
 * Previous on the data path: every stage. Next: tbus_journal_reader_open (tickbus/journal.h).
 */
#ifndef TICKBUS_JOURNAL_RECORDER_H
#define TICKBUS_JOURNAL_RECORDER_H

#include <tickbus/journal.h>
#include <tickbus/kind.h>

#define TBUS_RECORDER_NAME "recorder" /* of its places on the rings */

/* The values of the kind's parameters (bus/journal/kind.c). */
typedef struct recorder_values {
    char directory[TBUS_PARAM_TEXT_MAX]; /* "": nothing is recorded */
    uint64_t segment_bytes;
    char durability[32]; /* "async", "sync-batch", "periodic:MS" */
    uint32_t roll;       /* 0: when a segment is full; 1: at midnight as well */
    uint64_t keep_bytes;
    uint32_t when_full;  /* 0: stop; 1: go on */
    uint64_t lag_max_ms; /* for whoever watches the recorder, as the next; 0: nobody */
    uint32_t when_late;  /* enum recorder_late */
    char keep_age[24];   /* "0", "90m", "30d" */
    uint32_t keep_segments;
} recorder_values_t;

enum recorder_late { RECORDER_LATE_WARN = 0, RECORDER_LATE_HALT = 1 };

/* enum tbus_journal_durability of the values, and its milliseconds, 0 unless PERIODIC. */
int tbus_recorder_durability(const recorder_values_t *values, uint32_t *out_every_ms);

extern const tbus_kind_t tbus_recorder_kind;

typedef struct recorder_params {
    const char *directory;  /* as tbus_journal_spec_t has it; copied */
    uint64_t segment_bytes; /* 0: the default */
    uint32_t durability; /* this and the next as tbus_journal_spec_t has them, like the next five */
    uint32_t sync_every_ms;
    bool roll_by_day;
    bool go_on_when_full;
    tbus_journal_limits_t limits;
    /* session records (tickbus/journal.h); NULL: none */
    const char *provenance;
    const char *configuration;
} recorder_params_t;

/* A place must have been reserved for TBUS_RECORDER_NAME on every topic, as TBUS_FOLLOWER. The
 * journal is created here, and a helper thread started: call it in the process that will poll the
 * stage. Names of bus and topics, their types and first sequences, and the time of the start come
 * from the bus directory. The stage is freed by its ops->destroy. Errors: -ENOMEM, those of
 * tbus_stage_join_subscriber, tbus_journal_writer_open; no journal is then left behind. Cold. */
int tbus_recorder_create(tbus_bus_t *bus, uint32_t owner, const recorder_params_t *params,
                         tbus_stage_t **out_stage, tbus_error_t *err);

#endif
