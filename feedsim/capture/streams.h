/* SPDX-License-Identifier: Apache-2.0 */
/* streams.h - which MoldUDP64 streams one or two captures hold, and which of them are the lines of
 * the feed. A stream is what has one session and goes to one address and port in one file.
 *
 * A choice takes the session and the groups that it names. What is left must be one session, on one
 * line or on two: of these the one that the choice names first, or that is seen first, is line A.
 * Streams that hold no message do not count beside those that do.
 *
 * On the data path: feedsim/capture/capture.h -> here, once, before feedsim/source/source_pcap.c
 * reads the same files.
 */
#ifndef TICKBUS_FEEDSIM_CAPTURE_STREAMS_H
#define TICKBUS_FEEDSIM_CAPTURE_STREAMS_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/error.h>

#include "bus/wire/mold.h"
#include "feedsim/capture/frame.h"

#ifdef __cplusplus
extern "C" {
#endif

#define STREAMS_MAX        64u
#define STREAMS_FILES_MAX  2u
#define STREAMS_GROUPS_MAX 2u

typedef struct stream {
    uint32_t file;
    uint8_t session[MOLD_SESSION_BYTES];
    frame_endpoint_t to;
    uint64_t packets; /* with messages */
    uint64_t messages;
    uint64_t first;      /* lowest sequence of its packets but 0; UINT64_MAX: none has one */
    uint64_t unnumbered; /* packets with messages whose sequence is 0: made anonymous */
    uint64_t first_ns;   /* when its first packet was captured */
} stream_t;

typedef struct streams {
    uint32_t count;
    stream_t at[STREAMS_MAX];
    uint64_t datagrams; /* of UDP, in all files */
    uint64_t refused;   /* of them, no MoldUDP64 */
} streams_t;

typedef struct stream_choice {
    bool session_given;
    char session[MOLD_SESSION_BYTES + 1]; /* as mold_session_text has it */
    uint32_t groups_count;
    frame_endpoint_t groups[STREAMS_GROUPS_MAX];
    bool any_port[STREAMS_GROUPS_MAX]; /* the group's address is enough */
} stream_choice_t;

/* Read all of a capture and add its streams to `streams` (zeroed at first) as those of `file`.
 * Damage at a place ends it there: that is for who reads the messages to tell. Errors of opening
 * it; -TBUS_ELIMIT: more than STREAMS_MAX; -TBUS_EFORMAT: no UDP, or none of it is MoldUDP64. Cold:
 * a pass over the file. */
int streams_look(streams_t *streams, const char *path, uint32_t file, tbus_error_t *err);

/* The one or two streams of the feed, line A first. Returns how many; -TBUS_ECONFIG: several are
 * left, and `err` lists them; -TBUS_ENOTFOUND: none is. */
int streams_choose(const streams_t *streams, const stream_choice_t *choice,
                   const stream_t *out_lines[STREAMS_GROUPS_MAX], tbus_error_t *err);

#ifdef __cplusplus
}
#endif
#endif
