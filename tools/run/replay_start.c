/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/replay_start.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bus/market/resource.h"
#include "feedsim/feed.h"
#include "feedsim/source/source.h"
#include "feedsim/timeline.h"
#include "tools/journal/books_at.h"
#include "tools/show/grouped.h"
#include "tools/show/outcome.h"
#include "tools/show/recorded.h"
#include "tools/show/span.h"

#define TICKS_A_WRITE 1024u

/* What is known of the journal and of what is asked for. */
typedef struct plan {
    const char *verb;
    start_options_t *options;
    replay_start_t *start;
    const feed_values_t *feed;
    uint16_t topic; /* that is fed */
    bool pruned;    /* the journal's beginning is gone */
    span_point_t from;
    span_point_t to;
    tbus_error_t *err;
} plan_t;

/* ---- what is asked for */

/* The topic of the journal that is fed: md, or the one of --topic. */
static int fed_topic(const feed_values_t *feed, const tbus_journal_reader_t *reader)
{
    if (*feed->topic)
        return tbus_journal_reader_topic(reader, feed->topic);
    return span_ticks(tbus_journal_reader_info(reader));
}

/* A place is an option of the replay's own, or a key that --set and -c reach as well. */
static span_point_t point_of(const span_point_t *given, const char *key)
{
    span_point_t point = *given;
    if (point.kind == SPAN_NONE && *key)
        (void)span_parse(key, &point, NULL); /* the feed says what is wrong */
    return point;
}

static bool begins(const plan_t *p)
{
    return p->from.kind != SPAN_NONE && p->from.kind != SPAN_OLDEST;
}

static bool ends(const plan_t *p)
{
    return p->to.kind != SPAN_NONE && p->to.kind != SPAN_NOW;
}

/* ---- places */

/* feed.from and feed.to are times of day, or numbers of ticks: any other place in the journal is
 * looked up. */
static int set_place(const plan_t *p, const char *key, const span_place_t *place, char text[32])
{
    uint64_t seq;
    int code = span_seq(p->options->rest, p->topic, place, &seq, p->err);
    if (code < 0)
        return code;
    snprintf(text, 32, "seq:%" PRIu64, seq ? seq : 1);
    return start_options_set(p->options, key, text, p->err);
}

/* `all`: times of day as well, which the feed could find itself. */
static int set_places(const plan_t *p, bool all)
{
    span_t span;
    bool from = begins(p) && (all || p->from.kind != SPAN_TIME_OF_DAY);
    bool to = ends(p) && (all || p->to.kind != SPAN_TIME_OF_DAY);
    if (!from && !to)
        return 0;
    int code = span_find(p->options->rest, false, p->topic, &p->from, &p->to, &span, p->err);
    if (code == 0 && from)
        code = set_place(p, "feed.from", &span.from, p->start->from);
    if (code == 0 && to)
        code = set_place(p, "feed.to", &span.to, p->start->to);
    return code;
}

/* ---- books */

static int write_ticks(int fd, const snapshot_t *snapshot)
{
    tick_t ticks[TICKS_A_WRITE];
    uint32_t count = snapshot_count(snapshot);
    for (uint32_t done = 0; done < count;) {
        uint32_t some = count - done < TICKS_A_WRITE ? count - done : TICKS_A_WRITE;
        for (uint32_t i = 0; i < some; i++)
            snapshot_tick(snapshot, done + i, &ticks[i]);
        size_t bytes = some * sizeof(tick_t);
        ssize_t put = write(fd, ticks, bytes); /* to memory: all of it, or there is none */
        if (put != (ssize_t)bytes)
            return put < 0 ? -errno : -ENOMEM;
        done += some;
    }
    return 0;
}

/* Its processes are forked, and inherit the descriptor. */
static int hand_over(const plan_t *p, const snapshot_t *snapshot)
{
    replay_start_t *start = p->start;
    start->opening_fd = memfd_create("opening", 0);
    int code = start->opening_fd < 0 ? -errno : write_ticks(start->opening_fd, snapshot);
    if (code < 0)
        return tbus_fail(p->err, code, "no memory for the books: %s", tbus_strerror(code));
    snprintf(start->opening, sizeof start->opening, "/proc/self/fd/%d", start->opening_fd);
    return start_options_set(p->options, "feed.opening", start->opening, p->err);
}

static void say_books(const plan_t *p, const books_at_t *books)
{
    char ticks[GROUPED_MAX], read[GROUPED_MAX], seq[GROUPED_MAX], origin[64] = "the beginning";
    if (books->segment != 0)
        snprintf(origin, sizeof origin, "the checkpoint of segment %" PRIu32, books->segment);
    outcome_note(
        p->verb,
        "md begins with the books at message %s: %s messages, made from %s and %s messages "
        "behind it%s",
        grouped((int64_t)books->seq, seq), grouped((int64_t)snapshot_count(books->snapshot), ticks),
        origin, grouped((int64_t)books->ticks_read, read),
        books->segment != 0 && p->pruned
            ? " (the journal's beginning is gone, and the checkpoint stands for it)"
            : "");
}

/* 1: the feed has its opening; 0: there is nothing before the place; negative: it cannot be had. */
static int open_with_books(const plan_t *p, uint64_t seq)
{
    books_at_t books;
    books_at_request_t request = {.directory = p->options->rest,
                                  .topic = p->topic,
                                  .seq = seq,
                                  .limits = *(const market_limits_t *)config_resource_values(
                                      &p->options->config, &market_resource)};
    int code = books_at_make(&request, &books, p->err);
    if (code <= 0)
        return code;
    uint32_t count = snapshot_count(books.snapshot);
    if (!books.complete)
        outcome_note(p->verb, "the journal's beginning is gone and no checkpoint stands for it: "
                              "the books lack the orders that it had");
    if (count == 0 || count >= books.seq) {
        books_at_clear(&books);
        return 0;
    }
    code = hand_over(p, books.snapshot);
    if (code == 0) {
        p->start->md_first_seq = books.seq - count;
        say_books(p, &books);
    }
    books_at_clear(&books);
    return code < 0 ? code : 1;
}

/* Why all that comes before must go onto md; NULL: it need not. */
static const char *why_in_full(const plan_t *p)
{
    bool by_day = p->from.kind == SPAN_TIME_OF_DAY || p->to.kind == SPAN_TIME_OF_DAY;
    if (p->feed->symbols_count != 0)
        return "only some symbols are fed (--symbol)";
    if (p->feed->clock == FEED_CLOCK_RECORDED && by_day)
        return "the place is a time of recording (--clock recorded)";
    return NULL;
}

static int begin_in_the_middle(plan_t *p)
{
    uint64_t ns_none, seq = 0;
    const char *in_full = why_in_full(p);
    int code = set_places(p, in_full == NULL);
    if (code < 0)
        return code;
    if (!in_full && *p->start->from)
        (void)feed_place_parse(p->start->from, &ns_none, &seq, NULL);
    if (!in_full && open_with_books(p, seq) < 0)
        in_full = p->err->text;
    if (in_full)
        outcome_note(p->verb, "all messages before the place go onto md, for the books: %s",
                     in_full);
    *p->err = (tbus_error_t){0};
    return 0;
}

/* ---- what was recorded */

/* What orders come to behind a gap is for whoever recorded it to say, unless the file of -c or an
 * option says something else. A recording without its configuration says nothing. */
static int take_gap_policy(start_options_t *options, tbus_error_t *err)
{
    json_t *recorded = recorded_configuration(options->rest);
    const json_t *policy = json_object_get(json_object_get(recorded, "feed"), "gap_policy");
    int code = 0;
    if (json_is_string(policy)) {
        char text[64];
        int bytes = snprintf(text, sizeof text, "{\"feed\": {\"gap_policy\": \"%.16s\"}}",
                             json_string_value(policy));
        code = start_options_base(options, "the recorded configuration", text, (size_t)bytes, err);
    }
    json_decref(recorded);
    return code;
}

/* ---- all of it */

static uint64_t first_seq(const char *directory, uint16_t topic)
{
    uint64_t seq;
    return books_at_first(directory, topic, &seq, NULL) > 0 && seq != 0 ? seq : 1;
}

uint64_t replay_start_first_seq(const char *directory)
{
    tbus_journal_reader_t *reader;
    if (tbus_journal_reader_open(directory, &reader, NULL) < 0)
        return 1;
    int topic = span_ticks(tbus_journal_reader_info(reader));
    tbus_journal_reader_close(reader);
    return topic < 0 ? 1 : first_seq(directory, (uint16_t)topic);
}

int replay_start_prepare(const char *verb, start_options_t *options, replay_start_t *start,
                         tbus_error_t *err)
{
    *start = (replay_start_t){.md_first_seq = 1, .opening_fd = -1};
    int code = take_gap_policy(options, err);
    if (code < 0)
        return code;
    plan_t p = {.verb = verb,
                .options = options,
                .start = start,
                .feed = config_feed(&options->config),
                .err = err};
    tbus_journal_reader_t *reader;
    if (tbus_journal_reader_open(options->rest, &reader, NULL) < 0)
        return 0; /* the feed says what is wrong, and reads what can be read */
    int topic = fed_topic(p.feed, reader);
    p.topic = (uint16_t)topic;
    p.pruned = tbus_journal_reader_info(reader)->first_segment > 1;
    tbus_journal_reader_close(reader);
    if (topic < 0)
        return 0;
    p.from = point_of(&options->from, p.feed->from);
    p.to = point_of(&options->to, p.feed->to);
    uint64_t first = first_seq(options->rest, p.topic);
    if (p.feed->symbols_count == 0)
        start->md_first_seq = first;
    if (p.pruned && !begins(&p)) /* whatever stands for its beginning goes first */
        p.from = (span_point_t){.kind = SPAN_SEQ, .value = first};
    return begins(&p) ? begin_in_the_middle(&p) : set_places(&p, false);
}

void replay_start_clear(replay_start_t *start)
{
    if (start->opening_fd >= 0)
        close(start->opening_fd);
    start->opening_fd = -1;
}
