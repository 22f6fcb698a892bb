/* SPDX-License-Identifier: Apache-2.0 */
/* layout.h - what the bus looks like on NATS JetStream. This is a public layout: whoever has a NATS
 * client library reads the stream by it, tickbus or not. Layout 1.
 *
 *    stream     NAME, the name of the bus, escaped as in subjects, or NAME-SESSION for a later
 *               session of that name, or what bridge.stream says. One stream holds one session, and
 *               is written by one bridge at a time. Its description says so:
 *                   "tickbus layout=1 session=SESSION bus=BUS"
 *               A bridge makes it with allow_direct, so that its messages can be read from any
 *               replica without a consumer ($JS.API.DIRECT.GET).
 *    subject    tickbus.NAME.TOPIC, or with `bridge.symbols` tickbus.NAME.TOPIC.SYMBOL for
 *               messages of md and bbo whose symbol is known. Readers take both. NAME is that of
 *               the stream, as it is. In the others, bytes outside A-Z a-z 0-9 _ - are written %XX,
 *               in capital digits: "BRK.B" is "BRK%2EB".
 *    payload    one message, as a gateway sends it (feedsim/gateway/topic_wire.h): ITCH 5.0, the
 *               very bytes that were fed, for topics of ticks; the layouts of topic_wire.h for the
 *               others. Empty: the end mark of an ITCH file, which has no bytes.
 *    headers
 *       Nats-Msg-Id                    SESSION.TOPIC.SEQ, TOPIC escaped as in subjects
 *       Nats-Expected-Last-Sequence    the sequence, in the stream, of the message before this one;
 *                                      for the server, which refuses any other: the fence, with
 *                                      the next one, or without it (feedsim/bridge/flight.h)
 *       Nats-Expected-Last-Msg-Id      the id of that message
 *       Tickbus-Sequence               the message's sequence on its topic, from the bus, decimal.
 *                                      They go up by one from message to message of a topic
 *       Tickbus-Type                   what the payload is:
 *            tick bbo order report     that type of message
 *            void                      nothing: the topic has no message of that sequence, its
 *                                      publisher died before it was complete; empty payload
 *            lost                      nothing: messages up to Tickbus-Sequence could not be read
 *                                      any more. Tickbus-Lost says how many; payload: why, in words
 *            end                       the topic has ended: Tickbus-Sequence is that of its last
 *                                      message once more (0: it had none). Msg-Id SESSION.TOPIC.end
 *       Tickbus-Time                   tick and bbo: when the schedule wanted it published; order
 *                                      and report: when it was sent; ns since 1970, CLOCK_REALTIME
 *                                      of the host of the bus. Not there: the message has no time
 *       Tickbus-Warm-Up                "1", on ticks that are there for books alone, and nobody is
 *                                      to act on; else not there
 *       Tickbus-Lost                   with Tickbus-Type: lost
 *
 * Messages of one topic stand in the order of their sequences, each once. Those of different topics
 * stand in the order in which the bridge came upon them, which is none to rely on; md_seq and
 * report_seq in the payloads say what depends on what. A reader ignores headers that it does not
 * know, and refuses a stream of another layout.
 *
 * Pure functions, no library of NATS behind them. Written by: feedsim/bridge; read by:
 * feedsim/source/source_nats.c.
 */
#ifndef TICKBUS_FEEDSIM_NATS_LAYOUT_H
#define TICKBUS_FEEDSIM_NATS_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NATS_LAYOUT 1u

#define NATS_HEADER_ID            "Nats-Msg-Id"
#define NATS_HEADER_LAST_SEQUENCE "Nats-Expected-Last-Sequence"
#define NATS_HEADER_LAST_ID       "Nats-Expected-Last-Msg-Id"
#define NATS_HEADER_SEQUENCE      "Tickbus-Sequence"
#define NATS_HEADER_TYPE          "Tickbus-Type"
#define NATS_HEADER_TIME          "Tickbus-Time"
#define NATS_HEADER_WARM_UP       "Tickbus-Warm-Up"
#define NATS_HEADER_LOST          "Tickbus-Lost"

#define NATS_TYPE_VOID "void"
#define NATS_TYPE_LOST "lost"
#define NATS_TYPE_END  "end"
#define NATS_ID_END    "end" /* in the place of SEQ */

/* With the terminating zero. A name of 255 bytes can be three times as long. */
#define NATS_SUBJECT_MAX     1024u
#define NATS_STREAM_MAX      512u
#define NATS_ID_MAX          256u
#define NATS_SESSION_MAX     16u
#define NATS_TOPIC_MAX       64u
#define NATS_DESCRIPTION_MAX 512u

/* `bytes` bytes of `text` as one token of a subject, at *used of `out`, which has `room` bytes.
 * False: it does not fit; then nothing is written. The text is ended by zero.
 * Declared for tests. */
bool nats_escape(const char *text, size_t bytes, char *out, size_t room, size_t *used);
/* Back again. False: what is not escaped is no token, or it does not fit. Declared for tests. */
bool nats_unescape(const char *token, size_t bytes, char *out, size_t room);

/* The stream of a bus; `session` NULL: of its first session. False: it does not fit. */
bool nats_stream_name(const char *bus, const char *session, char out[NATS_STREAM_MAX]);
/* Is it a token, and can so be the name of a stream? */
bool nats_stream_check(const char *stream);

/* The subject of a topic, and of a symbol of it: up to 8 bytes, padded with spaces; NULL: none.
 * False: it does not fit, or there can be no such stream. */
bool nats_subject(const char *stream, const char *topic, const char *symbol,
                  char out[NATS_SUBJECT_MAX]);
/* A symbol behind the subject of its topic, which is `used` bytes long. False: it does not fit, or
 * the symbol is all spaces; then the subject is as it was. Hot. */
bool nats_subject_add_symbol(char subject[NATS_SUBJECT_MAX], size_t used, const char *symbol);
/* All topics of a stream: "tickbus.NAME.>". */
bool nats_subject_all(const char *stream, char out[NATS_SUBJECT_MAX]);
/* All symbols of a topic: "tickbus.NAME.TOPIC.>". */
bool nats_subject_symbols(const char *stream, const char *topic, char out[NATS_SUBJECT_MAX]);

/* Which topic, and which symbol ("": none), a subject of that stream is of. False: it is none. */
bool nats_subject_read(const char *stream, const char *subject, char out_topic[NATS_TOPIC_MAX],
                       char out_symbol[NATS_TOPIC_MAX]);

/* "SESSION.TOPIC.SEQ"; `end`: "SESSION.TOPIC.end". False: it does not fit. */
bool nats_id(const char *session, const char *topic, uint64_t seq, bool end, char out[NATS_ID_MAX]);

typedef struct nats_id_parts {
    char session[NATS_SESSION_MAX];
    char topic[NATS_TOPIC_MAX];
    uint64_t seq; /* of no meaning with `end` */
    bool end;
} nats_id_parts_t;
/* False: it is no such id. */
bool nats_id_read(const char *text, nats_id_parts_t *out_parts);

#define NATS_NUMBER_MAX 20u
/* In decimal digits, without a zero behind them. How many they are. Hot. */
size_t nats_number_put(uint64_t number, char out[NATS_NUMBER_MAX]);

/* The decimal number that begins at `at`, before `end`: of how many digits it is. 0: there is none,
 * or it is beyond 64 bits. */
size_t nats_digits_read(const char *at, const char *end, uint64_t *out_number);
/* A decimal number of digits alone. False: it is none, or beyond 64 bits. */
bool nats_number_read(const char *text, uint64_t *out_number);

typedef struct nats_description {
    uint32_t layout;
    char session[NATS_SESSION_MAX];
    char bus[NATS_TOPIC_MAX];
} nats_description_t;
void nats_description_text(const nats_description_t *d, char out[NATS_DESCRIPTION_MAX]);
/* False: the stream is none of ours. */
bool nats_description_read(const char *text, nats_description_t *out_description);

#ifdef __cplusplus
}
#endif
#endif
