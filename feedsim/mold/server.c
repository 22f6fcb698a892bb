/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/mold/server.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <tickbus/clock.h>

#include "feedsim/gateway/stream.h"
#include "feedsim/serving.h"

#define SECOND_NS    UINT64_C(1000000000)
#define HEARTBEAT_NS SECOND_NS
#define END_NS       (SECOND_NS / 4) /* between two ends of the session */
#define SHOW_NS      (SECOND_NS / 10)
/* No ring rings for an observer. So it naps: shortly while messages come, and longer when none has
 * come for a second. */
#define NAP_NS       UINT64_C(100000)
#define NAP_NS_QUIET UINT64_C(1000000)
#define GIVE_UP_NS   (10 * SECOND_NS) /* at the end, of what is left to be sent */
#define MESSAGES_MIN 256u             /* at a turn */
#define LARGE_MAX    (MOLD_DATAGRAM_MAX - MOLD_HEADER_BYTES - MOLD_LENGTH_BYTES)

struct moldout_server {
    tbus_bus_t *bus;
    const char *journal;
    moldout_options_t options;
    moldout_board_t *board;
    gateway_source_t source;
    gateway_stream_t *stream;
    moldout_packets_t packets;
    moldout_sender_t sender;
    moldout_requests_t *requests; /* NULL: nobody may ask */
    uint8_t session[MOLD_SESSION_BYTES];
    char topic[TBUS_NAME_MAX];
    bool started;
    bool ended;     /* there will be no message any more, and all of them were sent */
    int told_error; /* of the sender, that the note tells */
    uint64_t now_ns;
    uint64_t sent_ns; /* when the last packet went out, of any kind */
    uint64_t live_ns; /* when there was a message last */
    uint64_t shown_ns;
    serving_patience_t patience; /* with the topic */
    uint64_t totals[MOLDOUT_TOTALS_COUNT];
    uint64_t base[MOLDOUT_TOTALS_COUNT]; /* of those before us */
    tbus_atomic_u64_t *counters[MOLDOUT_TOTALS_COUNT];
    uint8_t large[MOLD_DATAGRAM_MAX]; /* a datagram of its own for a message that fits no other */
};

/* --- what is shown --- */

static void note(moldout_server_t *s, const char *format, ...)
{
    va_list arguments;
    if (!s->board)
        return;
    va_start(arguments, format);
    gateway_board_put_note(&s->board->note_version, s->board->note, format, arguments);
    va_end(arguments);
}

uint16_t moldout_server_requests_port(const moldout_server_t *s)
{
    return s->requests ? moldout_requests_port(s->requests) : 0;
}

static void show(moldout_server_t *s)
{
    s->shown_ns = s->now_ns;
    gateway_board_put_totals(s->counters, s->board ? s->board->totals : NULL, s->base, s->totals,
                             MOLDOUT_TOTALS_COUNT);
    if (s->board)
        tbus_store_relaxed_u64(&s->board->updated_ns, s->now_ns);
}

static void show_start(moldout_server_t *s, const char *session_name)
{
    static const char *const names[] = {
#define X(name, text) "mold." #name,
        MOLDOUT_TOTALS(X)
#undef X
    };
    moldout_board_t *b = s->board;
    s->totals[MOLDOUT_TOTAL_starts] = 1;
    gateway_board_take_totals(s->bus, names, b ? b->totals : NULL, s->counters, s->base,
                              MOLDOUT_TOTALS_COUNT);
    if (!b)
        return;
    gateway_board_put_text(b->session_name, 2, session_name);
    gateway_board_put_text(b->topic, GATEWAY_TEXT_WORDS, s->options.topic);
    gateway_board_put_text(b->to, MOLDOUT_TEXT_WORDS, s->options.way.to);
    tbus_store_relaxed_u32(&b->requests_port, moldout_server_requests_port(s));
    tbus_store_relaxed_u32(&b->pid, (uint32_t)getpid());
}

/* That packets are not taken, or are again, once. */
static void tell_unsent(moldout_server_t *s)
{
    int before = s->told_error, error = s->sender.error;
    if (error == before)
        return;
    s->told_error = error;
    if (error == EMSGSIZE)
        note(s,
             "message %" PRIu64 ": its packet of %u bytes is more than the kernel lets out: set "
             "mold.%s",
             s->sender.error_seq, s->sender.error_bytes,
             s->sender.error_bytes > s->options.datagram_max ? "send_buffer_bytes higher"
                                                             : "payload_max lower");
    else if (error)
        note(s, "packets to %s are not sent, from message %" PRIu64 " on: %s", s->options.way.to,
             s->sender.error_seq, tbus_strerror(-error));
    else if (before != EMSGSIZE) /* that tells of one packet, and others were sent all the time */
        note(s, "packets to %s are sent again", s->options.way.to);
}

/* --- made --- */

int moldout_server_create(tbus_bus_t *bus, const char *journal, const moldout_options_t *options,
                          moldout_board_t *board, moldout_server_t **out_server, tbus_error_t *err)
{
    moldout_server_t *s = calloc(1, sizeof *s);
    if (!s)
        return tbus_fail(err, -ENOMEM, "no memory to send MoldUDP64");
    s->bus = bus;
    s->journal = journal;
    s->options = *options;
    s->board = board;
    s->sender.fd = -1;
    snprintf(s->topic, sizeof s->topic, "%s", options->topic);
    moldout_requests_options_t asked = options->requests;
    asked.port_before = board ? (uint16_t)tbus_load_relaxed_u32(&board->requests_port) : 0;
    int code = moldout_sender_create(&options->way, s->totals, &s->sender, err);
    if (code == 0 && asked.listen)
        code = moldout_requests_create(&asked, s->totals, &s->requests, err);
    if (code < 0) {
        moldout_server_destroy(s);
        return code;
    }
    *out_server = s;
    return 0;
}

void moldout_server_destroy(moldout_server_t *s)
{
    if (!s)
        return;
    moldout_requests_destroy(s->requests);
    gateway_stream_close(s->stream);
    moldout_packets_destroy(&s->packets);
    moldout_sender_destroy(&s->sender);
    free(s);
}

/* --- sending --- */

/* The next sequence that was not sent, and not given up. */
static uint64_t next_seq(const moldout_server_t *s)
{
    const moldout_packets_t *p = &s->packets;
    if (moldout_packets_waiting(p) || p->open)
        return moldout_packet(p, p->sent)->first_seq;
    return gateway_stream_next_seq(s->stream);
}

static void flush(moldout_server_t *s)
{
    if (moldout_packets_waiting(&s->packets) == 0)
        return;
    uint32_t done = moldout_sender_flush(&s->sender, &s->packets, s->now_ns);
    tell_unsent(s);
    if (!done)
        return;
    s->sent_ns = s->now_ns;
    /* Behind the send: whoever comes after us sends some messages twice rather than none. */
    if (s->board)
        tbus_store_relaxed_u64(&s->board->next_seq, next_seq(s));
}

/* A packet without messages: a heartbeat, or the end of the session. */
static void put_header(moldout_server_t *s, uint16_t count, enum moldout_total total)
{
    uint8_t header[MOLD_HEADER_BYTES];
    mold_put_header(header, s->session, next_seq(s), count);
    s->totals[total] +=
        moldout_sender_put(&s->sender, header, sizeof header, next_seq(s), s->now_ns);
    tell_unsent(s);
    s->sent_ns = s->now_ns; /* also when it was not taken: the next one is due in a second */
}

/* A message that fits no packet of the usual size goes alone, in one that IP has to cut. */
static void put_large(moldout_server_t *s, uint64_t seq, const uint8_t *message, size_t bytes)
{
    mold_writer_t w;
    moldout_packets_seal(&s->packets);
    flush(s);
    if (bytes > LARGE_MAX) {
        s->totals[MOLDOUT_TOTAL_lost]++;
        note(s, "message %" PRIu64 " has %zu bytes, more than a datagram can have: it is left out",
             seq, bytes);
        return;
    }
    mold_begin(&w, s->large, sizeof s->large, s->session, seq);
    (void)mold_add(&w, message, bytes);
    bool sent = moldout_sender_put(&s->sender, s->large, w.bytes, seq, s->now_ns);
    s->totals[sent ? MOLDOUT_TOTAL_packets : MOLDOUT_TOTAL_unsent]++;
    s->totals[sent ? MOLDOUT_TOTAL_messages : MOLDOUT_TOTAL_unsent_messages]++;
    s->totals[MOLDOUT_TOTAL_bytes] += sent ? w.bytes : 0;
    s->sent_ns = s->now_ns;
    tell_unsent(s);
}

static void skip_lost(moldout_server_t *s, uint64_t first)
{
    uint64_t next = gateway_stream_next_seq(s->stream);
    moldout_packets_seal(&s->packets);
    s->totals[MOLDOUT_TOTAL_lost] += next - first;
    note(s, "messages %" PRIu64 " to %" PRIu64 " of %s %s: receivers see a gap", first, next - 1,
         s->topic, gateway_stream_why(s->stream));
}

/* A message that may not fit the open packet, or any. MESSAGE, or FULL: there is no room until
 * packets were sent. */
#define FULL 16 /* beside the outcomes of a stream */
static int put_next(moldout_server_t *s, tbus_error_t *err)
{
    const uint8_t *message;
    size_t bytes;
    uint64_t seq = gateway_stream_next_seq(s->stream);
    int outcome = gateway_stream_peek(s->stream, &message, &bytes, err);
    if (outcome != GATEWAY_STREAM_MESSAGE)
        return outcome;
    switch (moldout_packets_put(&s->packets, seq, message, bytes)) {
    case MOLDOUT_PUT:
        break;
    case MOLDOUT_PUT_FULL:
        return FULL;
    case MOLDOUT_PUT_LARGE:
        put_large(s, seq, message, bytes);
        break;
    }
    gateway_stream_advance(s->stream);
    return outcome;
}

/* The next messages, at most `most`, into one packet. *out_taken: how many, lost ones as one. */
static int take_next(moldout_server_t *s, uint32_t most, uint32_t *out_taken, tbus_error_t *err)
{
    gateway_stream_run_t run;
    uint64_t seq = gateway_stream_next_seq(s->stream);
    int outcome = gateway_stream_run(s->stream, &run, err);
    *out_taken = 0;
    if (TBUS_LIKELY(outcome == GATEWAY_STREAM_MESSAGE)) {
        run.count = run.count < most ? run.count : most;
        *out_taken = moldout_packets_encode(&s->packets, seq, s->source.wire, &run);
        gateway_stream_pass(s->stream, *out_taken);
        if (*out_taken)
            return outcome;
        outcome = put_next(s, err);
    }
    if (outcome == GATEWAY_STREAM_LOST)
        skip_lost(s, seq);
    *out_taken = outcome == GATEWAY_STREAM_MESSAGE || outcome == GATEWAY_STREAM_LOST;
    return outcome;
}

/* What has come on the topic, up to `messages`, into packets. Returns as a turn; *out_more: there
 * may be more, so that the last packet need not be sent half full. */
static int fill(moldout_server_t *s, uint32_t messages, bool *out_more, tbus_error_t *err)
{
    int outcome = GATEWAY_STREAM_MESSAGE;
    uint32_t taken = 0, some = 1;
    for (; taken < messages && some; taken += some) {
        outcome = take_next(s, messages - taken, &some, err);
        if (moldout_packets_waiting(&s->packets) >= MOLDOUT_BATCH)
            flush(s);
    }
    if (taken)
        s->live_ns = s->now_ns;
    s->ended |= outcome == GATEWAY_STREAM_ENDED;
    *out_more =
        outcome == GATEWAY_STREAM_MESSAGE || outcome == GATEWAY_STREAM_LOST || outcome == FULL;
    return outcome < 0 ? outcome : (int)taken + (outcome == GATEWAY_STREAM_BUSY);
}

/* --- started --- */

int moldout_server_start(moldout_server_t *s, const char *session_name, tbus_error_t *err)
{
    uint64_t next = s->board ? tbus_load_relaxed_u64(&s->board->next_seq) : 0;
    char name[MOLD_SESSION_BYTES + 1];
    snprintf(name, sizeof name, "%s", session_name);
    mold_session_put(s->session, name);
    int code = gateway_source_find(s->bus, s->journal, s->topic, &s->source, err);
    if (code == 0)
        code = moldout_packets_create(&s->packets, s->options.window_bytes, s->options.datagram_max,
                                      s->session, err);
    if (code == 0)
        code = gateway_stream_open(&s->source, next ? next : 1, &s->stream, err);
    if (code == 0 && s->requests)
        code = moldout_requests_start(s->requests, &s->packets, &s->source, err);
    if (code < 0)
        return code;
    s->started = true;
    s->now_ns = tbus_clock_ns();
    show_start(s, name);
    put_header(s, 0, MOLDOUT_TOTAL_heartbeats); /* the session, to who listens already */
    show(s);
    return 0;
}

/* --- turned --- */

static int bear_error(moldout_server_t *s, int code, const tbus_error_t *why, tbus_error_t *err)
{
    note(s, "topic %s cannot be read for now: %s", s->topic, why->text);
    return serving_bears(&s->patience, code, s->now_ns)
               ? 0
               : tbus_fail(err, code, "MoldUDP64 cannot read topic '%s': %s", s->topic, why->text);
}

static int turn_topic(moldout_server_t *s, uint32_t messages, tbus_error_t *err)
{
    bool more = false;
    tbus_error_t why = {0};
    if (serving_waits(&s->patience, s->now_ns))
        return 0;
    int done = fill(s, messages, &more, &why);
    if (!more)
        moldout_packets_seal(&s->packets);
    flush(s);
    if (done < 0)
        return bear_error(s, done, &why, err);
    serving_goes_on(&s->patience);
    return done;
}

int moldout_server_turn(moldout_server_t *s, uint32_t messages, tbus_error_t *err)
{
    s->now_ns = tbus_clock_ns();
    int done = turn_topic(s, messages < MESSAGES_MIN ? MESSAGES_MIN : messages, err);
    if (done < 0)
        return done;
    if (s->now_ns - s->sent_ns >= HEARTBEAT_NS)
        put_header(s, 0, MOLDOUT_TOTAL_heartbeats);
    bool asked = s->requests && moldout_requests_turn(s->requests, next_seq(s), s->now_ns);
    if (s->now_ns - s->shown_ns >= SHOW_NS)
        show(s);
    return done > 0 || asked;
}

void moldout_server_sleep(moldout_server_t *s, uint64_t until_ns)
{
    uint64_t now_ns = tbus_clock_ns();
    uint64_t wait_ns = now_ns - s->live_ns > SECOND_NS ? NAP_NS_QUIET : NAP_NS;
    if (until_ns < now_ns + wait_ns)
        wait_ns = until_ns > now_ns ? until_ns - now_ns : 0;
    struct timespec wait = {.tv_nsec = (long)wait_ns};
    struct pollfd fds[2] = {
        {.fd = s->sender.fd, .events = moldout_packets_waiting(&s->packets) ? POLLOUT : 0},
        {.fd = s->requests ? moldout_requests_fd(s->requests) : -1, .events = POLLIN}};
    (void)ppoll(fds, 2, &wait, NULL);
}

/* --- ended --- */

static bool all_is_sent(const moldout_server_t *s)
{
    uint64_t next;
    bool read = s->ended || (gateway_source_next_seq(&s->source, &next, NULL) == 0 &&
                             gateway_stream_next_seq(s->stream) >= next);
    return read && moldout_packets_waiting(&s->packets) == 0 && !s->packets.open;
}

void moldout_server_finish(moldout_server_t *s)
{
    if (!s->started)
        return;
    uint64_t until_ns = tbus_clock_ns() + GIVE_UP_NS, end_ns = 0;
    for (bool over = false; !over || s->now_ns < until_ns;) {
        int done = moldout_server_turn(s, MESSAGES_MIN, NULL);
        if (!over && (done < 0 || all_is_sent(s) || s->now_ns >= until_ns)) {
            over = true;
            until_ns = s->now_ns + s->options.end_ns;
        }
        if (over && s->now_ns - end_ns >= END_NS) {
            put_header(s, MOLD_END_OF_SESSION, MOLDOUT_TOTAL_ends);
            end_ns = s->now_ns;
        }
        if (done <= 0)
            moldout_server_sleep(s, over ? end_ns + END_NS : until_ns);
    }
    show(s);
}
