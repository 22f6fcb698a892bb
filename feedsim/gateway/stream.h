/* SPDX-License-Identifier: Apache-2.0 */
/* stream.h - the messages of a topic as they go out: from a sequence on, encoded, none left out.
 *
 *    ring, journal -- tbus_history --> message -- topic_wire --> bytes for one packet
 *
 * Sequences on the wire count from 1: 1 is the first message that the topic ever had. A client
 * counts the messages that it gets, so a sequence that never had a message (its publisher died
 * before it was complete, which only topics of several publishers have) is given out as an empty
 * message. A sequence that is lost is never passed over in silence: it is an outcome of its own.
 *
 * Nobody is held up by a stream (tickbus/history.h). One thread. On the data path:
 * feedsim/gateway/topic_wire.h -> here -> feedsim/gateway/block.h.
 */
#ifndef TICKBUS_FEEDSIM_GATEWAY_STREAM_H
#define TICKBUS_FEEDSIM_GATEWAY_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/history.h>

#include "feedsim/gateway/topic_wire.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where the messages of one topic come from. Nothing in it is owned; must outlive its streams. */
typedef struct gateway_source {
    tbus_bus_t *bus;     /* NULL: only what was recorded */
    const char *journal; /* directory; NULL: only what the ring has */
    const char *topic;
    const topic_wire_t *wire;
    uint64_t first_seq; /* of the topic: what is 1 on the wire */
    /* of a message on the ring or in the journal: what a buffer for one needs */
    size_t message_bytes_max;
} gateway_source_t;

/* Find out what the topic is. `journal` and `bus` as for tbus_history_open; the texts stay the
 * caller's. -TBUS_ENOTFOUND: there is no such topic; -TBUS_EKIND: no codec knows its messages; else
 * as tbus_journal_reader_open. Cold. */
int gateway_source_find(tbus_bus_t *bus, const char *journal, const char *topic,
                        gateway_source_t *out_source, tbus_error_t *err);

/* The sequence on the wire of the next message that there will be, as of now. Cold: some searches
 * in the journal where there is no bus. */
int gateway_source_next_seq(const gateway_source_t *source, uint64_t *out_seq, tbus_error_t *err);

typedef struct gateway_stream gateway_stream_t;

/* From `seq` on, which may be yet to come. Errors of tbus_history_open. Cold. */
int gateway_stream_open(const gateway_source_t *source, uint64_t seq, gateway_stream_t **out_stream,
                        tbus_error_t *err);

/* To another place, as if it had been opened there; nothing is allocated. After an error of
 * tbus_history_seek it is to be closed, or to go to a place. Cold. */
int gateway_stream_seek(gateway_stream_t *s, uint64_t seq, tbus_error_t *err);

enum gateway_stream_outcome {
    GATEWAY_STREAM_NOTHING = 0, /* none yet: ask again later */
    GATEWAY_STREAM_MESSAGE = 1,
    GATEWAY_STREAM_ENDED = 2, /* there will be none any more */
    GATEWAY_STREAM_BUSY = 3,  /* none so far, ask again now */
    /* The sequences from the next one up to the one that is next now cannot be had:
     * gateway_stream_why. What follows them comes with the next call. */
    GATEWAY_STREAM_LOST = 4
};

/* Look at the next message, whose sequence is gateway_stream_next_seq: *out_message, *out_bytes (0:
 * an empty message), valid until the next call. With MESSAGE it comes again until it is advanced
 * over. Negative: -errno of reading the journal, in err; asked again, it is tried again. Warm. */
int gateway_stream_peek(gateway_stream_t *s, const uint8_t **out_message, size_t *out_bytes,
                        tbus_error_t *err);

/* After MESSAGE: the same message as it is on the ring, valid as long; NULL: the sequence never had
 * one. */
const void *gateway_stream_message(const gateway_stream_t *s, size_t *out_bytes);

/* After MESSAGE: on to the one behind it. */
void gateway_stream_advance(gateway_stream_t *s);

/* The same for who encodes by itself, some at once: messages as they lie on the ring, of which the
 * first is the next one. Message i is at `messages` + i * TBUS_HISTORY_STRIDE; valid until the next
 * call. With MESSAGE `count` may be 0: then it is one to be looked at. Hot. */
typedef struct gateway_stream_run {
    const unsigned char *messages;
    const uint32_t *bytes;
    uint32_t count;
} gateway_stream_run_t;
int gateway_stream_run(gateway_stream_t *s, gateway_stream_run_t *out_run, tbus_error_t *err);
/* On to the one behind `count` of them. */
void gateway_stream_pass(gateway_stream_t *s, uint32_t count);

uint64_t gateway_stream_next_seq(const gateway_stream_t *s);

/* After LOST: why, as the end of a sentence: "were not recorded". Never NULL. */
const char *gateway_stream_why(const gateway_stream_t *s);

void gateway_stream_close(gateway_stream_t *s); /* accepts NULL */

#ifdef __cplusplus
}
#endif
#endif
