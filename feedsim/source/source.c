/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/source/source.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "feedsim/itch/itch.h"
#include "feedsim/timeline.h"

/* What follows "NAME:" in a spec, "" when the spec is just the name; NULL: another name. */
static const char *after_scheme(const char *spec, const char *name)
{
    size_t length = strlen(name);
    if (strncmp(spec, name, length) != 0)
        return NULL;
    if (spec[length] == ':')
        return spec + length + 1;
    return spec[length] == '\0' ? spec + length : NULL;
}

int feed_source_open(const char *spec, enum feed_clock clock, feed_source_t **out_source,
                     tbus_error_t *err)
{
    const char *rest;
    if ((rest = after_scheme(spec, "synth")) != NULL)
        return feed_source_open_synth(rest, out_source, err);
    if ((rest = after_scheme(spec, "itch")) != NULL) {
        if (*rest == '\0')
            return tbus_fail(err, -TBUS_ECONFIG, "the feed \"%s\" names no file: write itch:FILE",
                             spec);
        return feed_source_open_itch(strcmp(rest, "-") == 0 ? "/dev/stdin" : rest, out_source, err);
    }
    if ((rest = after_scheme(spec, "journal")) != NULL) {
        if (*rest == '\0')
            return tbus_fail(err, -TBUS_ECONFIG,
                             "the feed \"%s\" names no directory: write journal:DIR", spec);
        if (clock == FEED_CLOCK_CAPTURE)
            return tbus_fail(err, -TBUS_ECONFIG,
                             "a journal has no times of capture; write --clock recorded");
        return feed_source_open_journal(rest, clock, out_source, err);
    }
    if ((rest = after_scheme(spec, "soup")) != NULL)
        return feed_source_open_soup(rest, out_source, err);
    if ((rest = after_scheme(spec, "mold")) != NULL)
        return feed_source_open_mold(rest, out_source, err);
    if (feed_source_is_nats(spec))
        return feed_source_open_nats(spec, clock, out_source, err);
    if ((rest = after_scheme(spec, "pcap")) != NULL)
        return feed_source_open_pcap(rest, clock, out_source, err);
    return tbus_fail(err, -TBUS_ECONFIG,
                     "the feed \"%s\" is of no known kind: write itch:FILE, synth[:key=value,...], "
                     "journal:DIR, soup:HOST:PORT, mold:GROUP:PORT, nats://HOST:PORT/STREAM or "
                     "pcap:FILE[,FILE]",
                     spec);
}

bool feed_source_is_received(const char *spec)
{
    return after_scheme(spec, "soup") || after_scheme(spec, "mold") || feed_source_is_nats(spec);
}

bool feed_source_is_nats(const char *spec)
{
    return after_scheme(spec, "nats") || after_scheme(spec, "tls");
}

int feed_source_first_seq(const char *spec, uint64_t *out_seq, tbus_error_t *err)
{
    if (feed_source_is_nats(spec))
        return feed_source_first_seq_nats(spec, out_seq, err);
    *out_seq = 0;
    return 0;
}

size_t feed_source_memory_bytes(const char *spec)
{
    const char *rest = after_scheme(spec, "mold");
    if (feed_source_is_nats(spec))
        return feed_source_memory_bytes_nats(spec);
    return rest ? feed_source_memory_bytes_mold(rest) : 0;
}

int feed_source_make_tick(feed_source_t *source, uint64_t *last_event_ns, uint64_t sequence,
                          const uint8_t *data, size_t bytes, tick_t *buffer, size_t *out_bytes)
{
    source->time_ns = FEED_TIME_NONE;
    if (itch_decode_line(data, bytes, buffer, out_bytes) < 0)
        return -TBUS_EFORMAT;
    if (__builtin_expect(tick_is_mark(buffer), 0)) {
        feed_source_count_mark(source, buffer->type);
    } else {
        feed_source_count(source, itch_tick_type(buffer, *out_bytes), bytes);
        if (__builtin_expect(buffer->type != TICK_RUNT, 1))
            source->time_ns = *last_event_ns = tick_event_ns(buffer);
    }
    source->seq = sequence;
    return FEED_SOURCE_TICK;
}

int feed_source_put_empty(feed_source_t *source, uint64_t *last_event_ns, bool session_ends,
                          tick_t *buffer, size_t *out_bytes)
{
    uint64_t sequence = source->empty_seq;
    source->empty_seq = 0;
    if (!session_ends)
        return feed_source_make_tick(source, last_event_ns, sequence, (const uint8_t *)"", 0,
                                     buffer, out_bytes);
    source->time_ns = FEED_TIME_NONE;
    itch_end_mark(*last_event_ns, buffer, out_bytes);
    feed_source_count_mark(source, TICK_END_MARK);
    source->seq = sequence;
    return FEED_SOURCE_TICK;
}

int feed_source_put_malformed(feed_source_t *source, const char *from, uint64_t last_event_ns,
                              uint64_t sequence, const uint8_t *data, size_t bytes, tick_t *buffer,
                              size_t *out_bytes)
{
    feed_source_malformed_t *m = &source->malformed;
    if (m->count++ == 0)
        *m = (feed_source_malformed_t){
            .count = 1, .first = sequence, .bytes = bytes, .type = data[0]};
    if (m->count >= FEED_MALFORMED_MAX && m->count >= source->messages)
        return tbus_fail(&source->error, -TBUS_EFORMAT,
                         "what %s brings is no ITCH 5.0: %" PRIu64 " messages are malformed, and "
                         "%" PRIu64 " are not; the first, %" PRIu64
                         ", has type 0x%02x and %zu bytes",
                         from, m->count, source->messages, m->first, m->type, m->bytes);
    int code = feed_source_put_gap(source, buffer, out_bytes, last_event_ns, sequence, sequence);
    source->time_ns = FEED_TIME_NONE;
    source->seq = sequence;
    return code;
}

int feed_source_put_message(feed_source_t *source, const char *from, uint64_t *last_event_ns,
                            uint64_t sequence, const uint8_t *data, size_t bytes, tick_t *buffer,
                            size_t *out_bytes)
{
    int code =
        feed_source_make_tick(source, last_event_ns, sequence, data, bytes, buffer, out_bytes);
    if (__builtin_expect(code >= 0, 1))
        return code;
    return feed_source_put_malformed(source, from, *last_event_ns, sequence, data, bytes, buffer,
                                     out_bytes);
}

void feed_source_tell_malformed(const feed_source_t *source, char *out_text, size_t bytes)
{
    const feed_source_malformed_t *m = &source->malformed;
    out_text[0] = 0;
    if (m->count)
        snprintf(out_text, bytes,
                 "%" PRIu64 " message%s no ITCH 5.0 and %s: %s%" PRIu64
                 ", of type 0x%02x with %zu bytes",
                 m->count, m->count == 1 ? " is" : "s are", m->count == 1 ? "a gap" : "gaps",
                 m->count == 1 ? "" : "the first is ", m->first, m->type, m->bytes);
}

bool feed_source_tests_alone(const char *spec)
{
    const char *rest = after_scheme(spec, "synth");
    return rest && strstr(rest, "flow=plain");
}

void feed_source_progress(const feed_source_t *source, uint64_t *out_done, uint64_t *out_total)
{
    *out_done = *out_total = 0;
    if (source->ops->progress)
        source->ops->progress(source, out_done, out_total);
}

void feed_source_close(feed_source_t *source)
{
    if (source)
        source->ops->close(source);
}

int feed_source_choose(feed_source_t *source, const char *topic, tbus_error_t *err)
{
    if (!topic || !*topic)
        return 0;
    if (!source->ops->choose)
        return tbus_fail(err, -TBUS_ENOTFOUND,
                         "feed.topic is '%s', and only a journal has topics; leave it empty",
                         topic);
    return source->ops->choose(source, topic, err);
}

int feed_source_begin_at(feed_source_t *source, uint64_t seq, tbus_error_t *err)
{
    if (!source->ops->begin_at)
        return tbus_fail(err, -TBUS_ECONFIG,
                         "feed.opening stands for what comes before a place of a journal, and the "
                         "source of the feed is none; leave it empty");
    return source->ops->begin_at(source, seq, err);
}
