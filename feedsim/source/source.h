/* SPDX-License-Identifier: Apache-2.0 */
/* source.h - where a feed's ticks come from: one interface, seven kinds.
 *
 *    itch:FILE              a BinaryFILE of ITCH 5.0 messages, plain or gzip; also a FIFO
 *                           (source_itch.c)
 *    synth[:key=value,...]  an order flow made up from a seed, see feedsim/synth/synth.h; keys:
 *                           seed, symbols, messages, days, speed, flow=market|plain
 *                           (source_synth.c)
 *    journal:DIR            the ticks of a recorded session, one by one (source_journal.c)
 *    soup:HOST:PORT[?KEY=VALUE[&...]]  what a SoupBinTCP server sends, ITCH 5.0, as a tickbus
 *                           gateway does of its md; keys: user, password_file (its first line),
 *                           session, from (a sequence; 1), lost (how long the connection may be
 *                           away, 30s). The end of the session is the end; messages that the
 *                           server does not have any more are an error (source_soup.c)
 *
 *    mold:GROUP:PORT[,GROUP:PORT][?KEY=VALUE[&...]]  what comes over one or two lines of MoldUDP64,
 *                           ITCH 5.0; groups to join or addresses of this host. Keys:
 *                           requests=ADDR:PORT (of the server that is asked for what is missing),
 *                           session, from (a sequence; 1), glimpse=HOST:PORT (a snapshot, for a
 *                           late start, and after gaps), user, password_file, glimpse_session,
 *                           glimpse_within (60s) (there), interface=NAME[,NAME] (for all lines,
 *                           or one for each), source=ADDR[,ADDR] (senders), receive_bytes (8 MiB,
 *                           the kernel's buffer), keep_bytes (64 MiB, for what comes behind what is
 *                           missing); when to give up: reorder (packets, 16) and hold (50ms)
 *                           without requests, give_up (2s) with them; when a line is silent (5s),
 *                           and the feed lost (30s). The end of the session is the end. What is
 *                           missing for good is a mark (source_mold.c)
 *    nats://HOST:PORT[,nats://...]/STREAM[?KEY=VALUE[&...]]  the topic md of a bus on another host,
 *                           from a stream of NATS JetStream that its bridge writes; also tls://.
 *                           Keys: from (a sequence, 0 for what comes from now on, or when the
 *                           server stored it, 2026-11-30T09:30:00Z; without: the first that the
 *                           stream has), session, credentials (a file), ca, certificate, key
 *                           (files, of TLS), lost (how long NATS may be away, 30s), keep_bytes
 *                           (4 MiB, for what has come and is not taken). The end of the session is
 *                           the end. What is missing in the stream is a mark (source_nats.c)
 *    pcap:FILE[,FILE][?KEY=VALUE[&...]]  MoldUDP64 with ITCH 5.0 in one or two captures, pcap or
 *                           pcapng, plain or gzip: one line or the lines A and B; keys
 *                           (pcap_spec.h): session, group, from. What is missing on all lines is a
 *                           gap (source_pcap.c)
 *
 * A source hands out ticks one by one, in order, each with the time that paces it; some also hand
 * out several at a time, to who does not need that. All ticks that it could read before an error
 * are handed out before the error is. A handle belongs to one thread.
 *
 * On the data path: feedsim/itch/binaryfile.h -> feedsim/itch/itch.h -> here ->
 * feedsim/timeline.h -> feedsim/pace.h -> feedsim/feed.h.
 */
#ifndef TICKBUS_FEEDSIM_SOURCE_SOURCE_H
#define TICKBUS_FEEDSIM_SOURCE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tickbus/error.h>

#include <tickbus/msg/itch_types.h>
#include <tickbus/msg/tick.h>
#include "feedsim/pace.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whose clock paces what was recorded: that of the market, or of the host that recorded it; of a
 * capture that is the time of capture, and the two names say the same. */
enum feed_clock { FEED_CLOCK_MARKET = 0, FEED_CLOCK_RECORDED = 1, FEED_CLOCK_CAPTURE = 2 };

enum { FEED_SOURCE_END = 0, FEED_SOURCE_TICK = 1, FEED_SOURCE_LATER = 2 };

typedef struct feed_source feed_source_t;

/* What a kind of source counts for itself: shown as feed.NAME. */
typedef struct feed_source_counter {
    const char *name; /* static, as the next */
    const char *unit;
    const uint64_t *value;
} feed_source_counter_t;

typedef struct feed_source_ops {
    /* The next tick into `buffer` (TICK_LEN_MAX bytes), with `intended` holding the locate and time
     * 0. FEED_SOURCE_TICK; FEED_SOURCE_END; FEED_SOURCE_LATER (a pipe, a connection: nothing now);
     * negative: self->error says what is wrong. The end and errors are final. Enters the kernel
     * only to read on, if at all. */
    int (*next)(feed_source_t *self, tick_t *buffer, size_t *out_bytes);
    /* Up to `count` (at least 1) of the next ticks one behind the other into `ticks`, as `next`
     * would hand them out. It stops before what is no message of a known type (so each is of
     * sizeof(tick_t)), is for warming up, or takes the kernel. Returns how many; 0: ask `next`.
     * *out_message_bytes: of all their messages; what is told of the last tick is told of the last
     * of these. NULL: they come one by one alone. */
    uint32_t (*next_batch)(feed_source_t *self, tick_t *ticks, uint32_t count,
                           uint64_t *out_message_bytes);
    /* Take the ticks of that topic. NULL: it has no topics. */
    int (*choose)(feed_source_t *self, const char *topic, tbus_error_t *err);
    /* Begin with the first tick from `seq` on. NULL: it cannot. */
    int (*begin_at)(feed_source_t *self, uint64_t seq, tbus_error_t *err);
    /* How far it has come, and how far it goes, in units of its own. NULL: nobody knows. */
    void (*progress)(const feed_source_t *self, uint64_t *out_done, uint64_t *out_total);
    /* Sleep until there may be more, or until that time of CLOCK_MONOTONIC. NULL: nothing wakes
     * who waits for it. */
    void (*wait)(feed_source_t *self, uint64_t until_ns);
    /* Valid as long as the source. NULL: it has none. */
    const feed_source_counter_t *(*counters)(const feed_source_t *self, uint32_t *out_count);
    void (*close)(feed_source_t *self);
} feed_source_ops_t;

/* Messages that cannot be ITCH 5.0, a known type of another length, in a framing that does not
 * depend on what a message holds (SoupBinTCP, MoldUDP64): each is a gap of its own sequence, and
 * what follows it is read as ever. */
typedef struct feed_source_malformed {
    uint64_t count;
    uint64_t first; /* the sequence of the first, */
    size_t bytes;   /*    how long it was, */
    uint8_t type;   /*    and its type */
} feed_source_malformed_t;

/* The first member of every source's own struct. */
struct feed_source {
    const feed_source_ops_t *ops;
    bool daily; /* its times are of day, and start anew at midnight */
    /* Of the last tick handed out: */
    /* ns since a midnight, on the market's clock or the recording host's (UTC); FEED_TIME_NONE */
    uint64_t time_ns;
    bool tick_is_mark;           /* of a feed, and no message (tick_is_mark) */
    uint32_t tick_message_bytes; /* of the message that it carries, without framing; a mark: 0 */
    uint8_t tick_type;           /* the first byte of that message, or the mark's */
    bool warm_up;                /* recorded as TICK_WARM_UP: it was there for the books alone */
    uint64_t messages;           /* handed out so far; a mark is not one */
    /* of the last tick: as it was recorded in a journal, as the server numbers it, or from 1 */
    uint64_t seq;
    uint64_t empty_seq; /* of a message without bytes that is held (feed_source_hold_empty); 0 */
    feed_source_malformed_t malformed;
    tbus_error_t error;
    /* with FEED_SOURCE_END: code 0, or why there is no more than that, which is no error */
    tbus_error_t note;
};

/* Open what `spec` names; `clock` is for journals and captures, all else knows the market's alone.
 * -TBUS_ECONFIG: unknown kind or key, bad number; else errors of opening the thing. Cold; of soup:
 * it waits for the server. */
int feed_source_open(const char *spec, enum feed_clock clock, feed_source_t **out_source,
                     tbus_error_t *err);

/* Are all its symbols test issues (R, authenticity T), as those of synth:flow=plain are? */
bool feed_source_tests_alone(const char *spec);

/* Is it received from another host? Then it cannot be opened a second time, and when there is more
 * of it is not for us to say. */
bool feed_source_is_received(const char *spec);

/* Memory that it takes and touches when it is opened, where that is worth to be known. */
size_t feed_source_memory_bytes(const char *spec);

/* What can be said of what follows "soup:" or "mold:" without connecting. -TBUS_ECONFIG. */
int feed_source_check_soup(const char *spec, tbus_error_t *err);
int feed_source_check_mold(const char *spec, tbus_error_t *err);
/* Of all of "nats://..." or "tls://...". */
int feed_source_check_nats(const char *spec, tbus_error_t *err);
/* The same of what follows "pcap:", without opening the files. */
int feed_source_check_pcap(const char *spec, tbus_error_t *err);

/* Is it a stream of NATS? */
bool feed_source_is_nats(const char *spec);
/* The number that its first message has at its source, so that the ring can begin with it; 0: that
 * is not for the source to say. Asks the server of a stream, and leaves threads behind: to be
 * called in a process that does nothing else. Errors as of opening it. Cold. */
int feed_source_first_seq(const char *spec, uint64_t *out_seq, tbus_error_t *err);

/* Before the first tick, of a journal: its topic of ticks that is wanted; "": `md`, or the only
 * one. -TBUS_ENOTFOUND: it has no such topic, or is no journal. Cold. */
int feed_source_choose(feed_source_t *source, const char *topic, tbus_error_t *err);

/* Before the first tick, of a journal: leave out what comes before the tick `seq`, which is found
 * by its indexes. -TBUS_ECONFIG: it is no journal; errors of reading it. Cold. */
int feed_source_begin_at(feed_source_t *source, uint64_t seq, tbus_error_t *err);

/* Accepts NULL. */
void feed_source_close(feed_source_t *source);

static inline int feed_source_next(feed_source_t *source, tick_t *buffer, size_t *out_bytes)
{
    return source->ops->next(source, buffer, out_bytes);
}

static inline uint32_t feed_source_next_batch(feed_source_t *source, tick_t *ticks, uint32_t count,
                                              uint64_t *out_message_bytes)
{
    return source->ops->next_batch(source, ticks, count, out_message_bytes);
}

/* How much of its input is behind it; *out_total 0: not known (a pipe, a journal that is being
 * written). Cold enough: no system call. */
void feed_source_progress(const feed_source_t *source, uint64_t *out_done, uint64_t *out_total);

/* Does something wake who waits for more of it? */
static inline bool feed_source_wakes(const feed_source_t *source)
{
    return source->ops->wait != NULL;
}

/* Requires feed_source_wakes. Returns also for no reason. A system call. */
static inline void feed_source_wait(feed_source_t *source, uint64_t until_ns)
{
    source->ops->wait(source, until_ns);
}

/* What it counts for itself; valid as long as it is open. */
static inline const feed_source_counter_t *feed_source_counters(const feed_source_t *source,
                                                                uint32_t *out_count)
{
    *out_count = 0;
    return source->ops->counters ? source->ops->counters(source, out_count) : NULL;
}

/* For the kinds of source. */
int feed_source_open_itch(const char *path, feed_source_t **out_source, tbus_error_t *err);
int feed_source_open_synth(const char *options, feed_source_t **out_source, tbus_error_t *err);
int feed_source_open_soup(const char *spec, feed_source_t **out_source, tbus_error_t *err);
size_t feed_source_memory_bytes_mold(const char *spec);
int feed_source_open_mold(const char *spec, feed_source_t **out_source, tbus_error_t *err);
size_t feed_source_memory_bytes_nats(const char *spec);
int feed_source_open_nats(const char *spec, enum feed_clock clock, feed_source_t **out_source,
                          tbus_error_t *err);
int feed_source_first_seq_nats(const char *spec, uint64_t *out_seq, tbus_error_t *err);
int feed_source_open_pcap(const char *spec, enum feed_clock clock, feed_source_t **out_source,
                          tbus_error_t *err);
int feed_source_open_journal(const char *directory, enum feed_clock clock,
                             feed_source_t **out_source, tbus_error_t *err);

/* For the kinds of source: keep and count what the tick just made carries: a message, or a mark. */
static inline void feed_source_count(feed_source_t *source, uint8_t type, size_t message_bytes)
{
    source->tick_type = type;
    source->tick_message_bytes = (uint32_t)message_bytes;
    source->tick_is_mark = false;
    source->messages++;
    source->seq++;
}

static inline void feed_source_count_mark(feed_source_t *source, uint8_t type)
{
    source->tick_type = type;
    source->tick_message_bytes = 0;
    source->tick_is_mark = true;
    source->seq++;
}

/* The same for the `count` ticks of a batch, of which `last` is the last. */
static inline void feed_source_count_batch(feed_source_t *source, const tick_t *last,
                                           uint32_t count)
{
    source->messages += count - 1;
    source->seq += count - 1;
    feed_source_count(source, last->type, itch_length(last->type));
    source->time_ns = tick_event_ns(last);
}

/* For the kinds of source that have numbered messages: message `sequence` as the next tick, which
 * is a mark if another tickbus has sent one (itch_decode_line).
 * `last_event_ns`: of the messages before it. FEED_SOURCE_TICK; -TBUS_EFORMAT: it is no ITCH 5.0,
 * and nothing has changed. */
int feed_source_make_tick(feed_source_t *source, uint64_t *last_event_ns, uint64_t sequence,
                          const uint8_t *data, size_t bytes, tick_t *buffer, size_t *out_bytes);

/* For the same, of a message that feed_source_make_tick has refused: it is counted, and a gap of
 * its sequence is the next tick. What `next` returns: -TBUS_EFORMAT when at least
 * FEED_MALFORMED_MAX, and no fewer than those that were good, are malformed: then it is another
 * protocol, and self->error says so of what comes from `from`. */
#define FEED_MALFORMED_MAX 100u
int feed_source_put_malformed(feed_source_t *source, const char *from, uint64_t last_event_ns,
                              uint64_t sequence, const uint8_t *data, size_t bytes, tick_t *buffer,
                              size_t *out_bytes);

/* One or the other. */
int feed_source_put_message(feed_source_t *source, const char *from, uint64_t *last_event_ns,
                            uint64_t sequence, const uint8_t *data, size_t bytes, tick_t *buffer,
                            size_t *out_bytes);

/* For the same: a message without bytes, which is the end mark of the file that is fed over there
 * if the session ends behind it, and else a message like others. So it is held until what comes
 * next is known, and put before that: requires that none is held, and that whatever comes next is
 * handed out behind feed_source_put_empty. */
static inline void feed_source_hold_empty(feed_source_t *source, uint64_t sequence)
{
    source->empty_seq = sequence;
}

/* The one that is held, as the next tick. What `next` returns. */
int feed_source_put_empty(feed_source_t *source, uint64_t *last_event_ns, bool session_ends,
                          tick_t *buffer, size_t *out_bytes);

/* How many, as it is shown. */
static inline feed_source_counter_t feed_source_malformed_counter(const feed_source_t *source)
{
    return (feed_source_counter_t){
        .name = "fault.itch_length", .unit = "messages", .value = &source->malformed.count};
}

/* For the same, at the end: what was malformed, for people, in half a sentence; "": nothing was. */
void feed_source_tell_malformed(const feed_source_t *source, char *out_text, size_t bytes);

/* For the kinds of source: a snapshot begins, ends or fails. What `next` returns. */
static inline int feed_source_put_restore(feed_source_t *source, tick_t *buffer, size_t *out_bytes,
                                          uint64_t event_ns, uint8_t what)
{
    tick_restore_put(buffer, event_ns, what);
    *out_bytes = TICK_RESTORE_BYTES;
    feed_source_count_mark(source, TICK_RESTORE);
    return FEED_SOURCE_TICK;
}

/* For the kinds of source: in the place of the next tick, messages that are lost for good. What
 * `next` returns. */
static inline int feed_source_put_gap(feed_source_t *source, tick_t *buffer, size_t *out_bytes,
                                      uint64_t event_ns, uint64_t from, uint64_t to)
{
    tick_gap_put(buffer, event_ns, &(tick_gap_t){.from = from, .to = to});
    *out_bytes = TICK_GAP_BYTES;
    feed_source_count_mark(source, TICK_GAP);
    return FEED_SOURCE_TICK;
}

#ifdef __cplusplus
}
#endif
#endif
