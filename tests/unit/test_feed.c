/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <tickbus/bus.h>
#include <tickbus/market/clock.h>
#include <tickbus/stage.h>
#include <tickbus/subscriber.h>

#include "feedsim/itch/binaryfile_writer.h"
#include <tickbus/journal.h>

#include "feedsim/feed.h"
#include "feedsim/itch/itch.h"
#include "feedsim/source/source.h"
#include "tests/market_data.h"

#define FAR_NS UINT64_C(1000000000000) /* a time that no test lives to see */

/* A bus with the topic `md` and one subscriber of it, a feed, and what was fed. */
typedef struct rig {
    tbus_bus_t bus;
    tbus_subscriber_t md;
    tbus_stage_t *feed;
    tbus_error_t err;
    uint32_t owner;
    uint64_t taken;
    uint64_t intended_last;
    char directory[64];
    char path[96];
} rig_t;

static int open_rig(void **state)
{
    rig_t *r = calloc(1, sizeof(*r));
    *state = r;
    strcpy(r->directory, "/tmp/test_feed.XXXXXX");
    if (mkdtemp(r->directory) == NULL)
        return -1;
    snprintf(r->path, sizeof(r->path), "%s/input", r->directory);
    return 0;
}

static int close_rig(void **state)
{
    rig_t *r = *state;
    if (r->feed != NULL)
        r->feed->ops->destroy(r->feed);
    tbus_subscriber_leave(&r->md);
    tbus_bus_close(&r->bus);
    unlink(r->path);
    rmdir(r->directory);
    free(r);
    return 0;
}

static void must(const rig_t *r, int rc)
{
    if (rc < 0)
        fail_msg("%s", r->err.text);
}

static void make_bus(rig_t *r, uint32_t slots, uint32_t msg_bytes_max)
{
    must(r, tbus_bus_create("test_feed", &r->bus, &r->err));
    tbus_ring_spec_t spec = {.name = "md",
                             .kind = TBUS_BROADCAST,
                             .slot_bytes = 64,
                             .slot_count = slots,
                             .msg_bytes_max = msg_bytes_max,
                             .first_seq = 1};
    must(r, tbus_bus_add_topic(&r->bus, &spec, "tick", TBUS_PAGES_SMALL, -1, &r->err));
    int owner = tbus_participant_add(&r->bus, "feed", &r->err);
    must(r, owner);
    r->owner = (uint32_t)owner;
    int other = tbus_participant_add(&r->bus, "reader", &r->err);
    must(r, other);
    must(r, tbus_ring_reserve(tbus_bus_ring(&r->bus, "md"), "reader", TBUS_SUBSCRIBER, &r->err));
    must(r, tbus_subscriber_join(tbus_bus_ring(&r->bus, "md"), "reader", (uint32_t)other, &r->md,
                                 &r->err));
}

static void make_feed(rig_t *r, const char *source, const char *pace, uint64_t for_ns)
{
    feed_params_t params = {.source = source, .pace = pace, .for_ns = for_ns};
    must(r, feed_stage_create(&r->bus, r->owner, &params, &r->feed, &r->err));
}

static int poll_feed(rig_t *r, uint32_t budget)
{
    return r->feed->ops->poll(r->feed, budget);
}

/* The next tick on md, copied; its bytes, 0: none. Sequences count up from 1. */
static size_t take(rig_t *r, tick_t *out)
{
    size_t bytes = 0;
    const void *message = tbus_peek(&r->md, &bytes);
    if (message == NULL)
        return 0;
    assert_int_equal(r->md.seq, r->taken + 1);
    r->taken++;
    memset(out, 0, sizeof(*out));
    memcpy(out, message, bytes < sizeof(*out) ? bytes : sizeof(*out));
    tbus_advance(&r->md);
    return bytes;
}

static void assert_says(const tbus_error_t *error, int code, const char *words)
{
    assert_int_equal(error->code, code);
    if (strstr(error->text, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error->text, words);
}

static uint64_t value(const rig_t *r, const char *counter)
{
    return tbus_counter_value(&r->bus, counter);
}

static void every_tick_of_the_source_goes_out_once_and_in_order(void **state)
{
    rig_t *r = *state;
    make_bus(r, 256, 0);
    make_feed(r, "synth:seed=9,messages=20000", "max", 0);
    feed_source_t *source;
    must(r, feed_source_open("synth:seed=9,messages=20000", FEED_CLOCK_MARKET, &source, &r->err));
    tick_t *expected = aligned_alloc(8, TICK_LEN_MAX), tick;
    size_t expected_bytes, bytes;
    uint64_t last_ns = 0, message_bytes = 0, adds = 0;
    while (!r->feed->source_done || r->taken < 20000) {
        int sent = poll_feed(r, 100);
        assert_in_range(sent, 0, 100);
        for (int i = 0; i < sent; i++) {
            bytes = take(r, &tick);
            assert_int_equal(feed_source_next(source, expected, &expected_bytes), FEED_SOURCE_TICK);
            assert_int_equal(bytes, expected_bytes);
            assert_true(tick_intended_ns(&tick) >= last_ns &&
                        tick_intended_ns(&tick) <= tbus_bus_now_ns(&r->bus));
            last_ns = tick_intended_ns(&tick);
            tick.intended = tick_pack(0, tick_locate(&tick));
            assert_memory_equal(&tick, expected, bytes);
            message_bytes += source->tick_message_bytes;
            adds += source->tick_type == 'A';
        }
        assert_int_equal(take(r, &tick), 0);
    }
    assert_int_equal(r->feed->error.code, 0);
    assert_int_equal(poll_feed(r, 100), 0);
    assert_int_equal(value(r, "feed.messages"), 20000);
    assert_int_equal(value(r, "feed.bytes"), message_bytes);
    assert_int_equal(value(r, "feed.errors"), 0);
    assert_int_equal(value(r, "feed.by_type.A"), adds);
    assert_int_equal(value(r, "feed.by_type.R"), 8);
    feed_source_close(source);
    free(expected);
}

static void a_full_ring_keeps_the_tick_and_loses_none(void **state)
{
    rig_t *r = *state;
    make_bus(r, 16, 0);
    make_feed(r, "synth:messages=1000", "max", 0);
    int sent = poll_feed(r, 100);
    assert_in_range(sent, 8, 16);
    assert_true(r->feed->pending);
    assert_int_equal(poll_feed(r, 100), 0);
    assert_true(r->feed->pending);
    assert_true(r->feed->ops->deadline_ns(r->feed) == TBUS_STAGE_NO_DEADLINE);
    tick_t tick;
    while (r->taken < 1000) {
        while (take(r, &tick) > 0)
            ;
        tbus_subscriber_flush(&r->md);
        poll_feed(r, 100);
    }
    while (!r->feed->source_done)
        poll_feed(r, 1);
    assert_false(r->feed->pending);
    assert_int_equal(take(r, &tick), 0);
    assert_int_equal(value(r, "feed.messages"), 1000);
}

static void a_rate_gives_each_message_its_own_intended_time_and_a_deadline(void **state)
{
    rig_t *r = *state;
    make_bus(r, 256, 0);
    make_feed(r, "synth:messages=1000", "1/s", 0);
    assert_int_equal(poll_feed(r, 100), 1); /* the first is due at once, the second in a second */
    tick_t tick;
    assert_int_equal(take(r, &tick), sizeof(tick_t));
    uint64_t first_ns = r->bus.directory->epoch_ns + tick_intended_ns(&tick);
    assert_int_equal(r->feed->ops->deadline_ns(r->feed), first_ns + 1000000000);
    assert_false(r->feed->pending);
    assert_int_equal(take(r, &tick), 0);
}

static void messages_that_are_late_keep_the_time_that_they_were_meant_for(void **state)
{
    rig_t *r = *state;
    make_bus(r, 1024, 0);
    make_feed(r, "synth:messages=500", "100M/s", 0);
    uint64_t first_ns = 0;
    tick_t tick;
    while (r->taken < 500) {
        poll_feed(r, 7);
        while (take(r, &tick) > 0) {
            if (r->taken == 1)
                first_ns = tick_intended_ns(&tick);
            assert_int_equal(tick_intended_ns(&tick), first_ns + (r->taken - 1) * 10);
        }
    }
}

static void realtime_schedules_by_event_time(void **state)
{
    rig_t *r = *state;
    make_bus(r, 1024, 0);
    make_feed(r, "synth:seed=4,messages=600,flow=plain", "1000000x", 0);
    uint64_t first_intended = 0, first_event = 0;
    tick_t tick;
    while (r->taken < 600) {
        poll_feed(r, 16);
        while (take(r, &tick) > 0) {
            if (r->taken == 1) {
                first_intended = tick_intended_ns(&tick);
                first_event = tick_event_ns(&tick);
            }
            assert_int_equal(tick_intended_ns(&tick) - first_intended,
                             (tick_event_ns(&tick) - first_event) / 1000000);
        }
    }
}

static uint64_t told_ns(rig_t *r)
{
    return tbus_load_relaxed_u64(&tbus_participant(&r->bus, r->owner)->horizon.at);
}

/* Market time of message `number` of a source. */
static uint64_t market_ns(const char *text, unsigned number)
{
    feed_source_t *source;
    tick_t tick;
    size_t bytes;
    market_clock_t clock = {0};
    assert_int_equal(feed_source_open(text, FEED_CLOCK_MARKET, &source, NULL), 0);
    for (unsigned i = 0; i < number; i++) {
        assert_int_equal(feed_source_next(source, &tick, &bytes), 1);
        clock = market_clock_at(clock, &tick, bytes);
    }
    feed_source_close(source);
    return clock.now_ns;
}

static void what_is_known_of_the_pause_after_a_tick_is_told_with_the_tick(void **state)
{
    rig_t *r = *state;
    const char *source = "synth:seed=4,messages=600";
    make_bus(r, 1024, 0);
    make_feed(r, source, "1/s", 0);
    assert_int_equal(told_ns(r), 0);
    assert_int_equal(poll_feed(r, 100), 1);
    assert_int_equal(told_ns(r), market_ns(source, 2));
}

/* So that its process does nothing else then (tbus_stage_t.imminent). */
static void a_paced_feed_says_whether_its_next_tick_is_imminent(void **state)
{
    rig_t *r = *state;
    make_bus(r, 16, 0);
    make_feed(r, "synth:messages=100", "1000000/s", 0);
    tick_t tick;
    uint32_t kept = 0;
    while (!r->feed->source_done) { /* it has a microsecond between two ticks */
        int sent = poll_feed(r, 1);
        bool waits = sent == 0 && !r->feed->pending && !r->feed->source_done;
        assert_int_equal(r->feed->imminent, waits);
        kept += r->feed->pending;
        while (r->taken < 50 + kept && take(r, &tick) != 0)
            ; /* once it finds no room */
    }
    assert_true(kept > 0);
    assert_false(r->feed->imminent);
    poll_feed(r, 1);
    assert_false(r->feed->imminent); /* nothing comes any more */
    r->feed->ops->destroy(r->feed);
    make_feed(r, "synth:messages=100", "1/s", 0);
    while (take(r, &tick) != 0)
        ;
    assert_int_equal(poll_feed(r, 8), 1);
    assert_int_equal(poll_feed(r, 8), 0);
    assert_false(r->feed->imminent);
}

static void market_time_is_told_a_millisecond_ahead_of_the_pace_and_no_more(void **state)
{
    rig_t *r = *state;
    const char *source = "synth:seed=4,messages=600,flow=plain";
    make_bus(r, 1024, 0);
    make_feed(r, source, "0.001x", 0);
    assert_true(poll_feed(r, 100) >= 1);
    tick_t tick;
    assert_true(take(r, &tick) > 0);
    uint64_t first_ns = r->bus.directory->epoch_ns + tick_intended_ns(&tick);
    while (take(r, &tick) > 0)
        ;
    unsigned taken = (unsigned)r->taken;
    assert_true(market_ns(source, taken + 1) > market_ns(source, taken) + 1000);
    assert_true(told_ns(r) >= market_ns(source, taken));
    assert_true(told_ns(r) <= market_ns(source, 1) + (tbus_clock_ns() - first_ns + 1000000) / 1000);
}

static void the_time_limit_ends_the_feed_and_drops_what_was_not_due(void **state)
{
    rig_t *r = *state;
    make_bus(r, 256, 0);
    make_feed(r, "synth:messages=0", "1/s", 1);
    assert_int_equal(poll_feed(r, 1), 1);
    while (!r->feed->source_done)
        assert_int_equal(poll_feed(r, 1), 0);
    assert_int_equal(r->feed->error.code, 0);
    assert_int_equal(value(r, "feed.messages"), 1);
    assert_true(r->feed->ops->deadline_ns(r->feed) == TBUS_STAGE_NO_DEADLINE);
}

/* Else what a stall at the end held up would be in no figure. If this process is held up for as
 * long as a feed may catch up, the try says nothing. */
static void what_was_due_before_the_time_was_over_goes_out_after_it(void **state)
{
    rig_t *r = *state;
    uint64_t end_ns, sent;
    make_bus(r, 256, 0);
    do {
        tick_t tick;
        make_feed(r, "synth:messages=0", "1000/s", 20000000);
        end_ns = tbus_clock_ns() + 20000000;
        sent = (uint64_t)poll_feed(r, 1);
        while (tbus_clock_ns() < end_ns + 1000000)
            ;
        while (!r->feed->source_done || r->feed->pending)
            sent += (uint64_t)poll_feed(r, 7);
        while (take(r, &tick) > 0)
            ;
        tbus_subscriber_flush(&r->md);
        if (tbus_clock_ns() < end_ns + 100000000)
            break;
        r->feed->ops->destroy(r->feed);
    } while (true);
    assert_int_equal(sent, 20); /* at 0, 1, ... 19 ms */
}

static void winding_down_takes_no_more_but_publishes_what_was_due(void **state)
{
    rig_t *r = *state;
    make_bus(r, 16, 0);
    make_feed(r, "synth:messages=0", "max", FAR_NS);
    uint64_t sent = (uint64_t)poll_feed(r, 100);
    assert_true(r->feed->pending);
    r->feed->ops->wind_down(r->feed);
    assert_true(r->feed->source_done);
    assert_int_equal(poll_feed(r, 100), 0);
    tick_t tick;
    while (take(r, &tick) > 0)
        ;
    tbus_subscriber_flush(&r->md);
    assert_int_equal(poll_feed(r, 100), 1);
    assert_int_equal(poll_feed(r, 100), 0);
    assert_int_equal(take(r, &tick), sizeof(tick_t));
    assert_int_equal(r->taken, sent + 1);
    assert_int_equal(value(r, "feed.messages"), r->taken);
}

static void write_messages(rig_t *r, const char *types, const size_t *bytes, size_t count)
{
    binaryfile_writer_t *w;
    must(r, binaryfile_writer_open(r->path, &w, &r->err));
    uint8_t *message = calloc(1, ITCH_MESSAGE_MAX);
    for (size_t i = 0; i < count; i++) {
        message[0] = (uint8_t)types[i];
        must(r, binaryfile_writer_append(w, message, bytes[i], &r->err));
    }
    free(message);
    must(r, binaryfile_writer_close(w, &r->err));
}

static void make_file_feed(rig_t *r)
{
    char spec[128];
    snprintf(spec, sizeof(spec), "itch:%s", r->path);
    make_feed(r, spec, "max", 0);
}

static void
bad_input_ends_the_feed_after_what_came_before_and_is_no_failure_of_the_stage(void **state)
{
    rig_t *r = *state;
    make_bus(r, 256, 0);
    static const size_t bytes[] = {12, 36, 35, 36};
    write_messages(r, "SAAA", bytes, 4);
    make_file_feed(r);
    assert_int_equal(poll_feed(r, 100), 2);
    assert_true(r->feed->source_done);
    assert_says(&r->feed->error, -TBUS_EFORMAT, "message 2 at byte 52");
    assert_int_equal(value(r, "feed.errors"), 1);
    assert_int_equal(poll_feed(r, 100), 0);
    assert_int_equal(value(r, "feed.errors"), 1);
    assert_int_equal(value(r, "feed.messages"), 2);
    tick_t tick;
    assert_int_equal(take(r, &tick), sizeof(tick_t));
    assert_int_equal(take(r, &tick), sizeof(tick_t));
    assert_int_equal(take(r, &tick), 0);
}

static void unknown_types_short_and_long_and_the_end_mark_go_through(void **state)
{
    rig_t *r = *state;
    make_bus(r, 8192, TICK_LEN_MAX);
    static const size_t bytes[] = {12, 5, 36, 65535, 19, 0};
    write_messages(r,
                   "SzA\xfe"
                   "D.",
                   bytes, 6);
    make_file_feed(r);
    assert_int_equal(poll_feed(r, 100), 6);
    static const size_t expected[] = {56, 22, 56, TICK_BODY_OFFSET + 65524, 56, TICK_BODY_OFFSET};
    tick_t tick;
    for (int i = 0; i < 6; i++)
        assert_int_equal(take(r, &tick), expected[i]);
    assert_int_equal(tick.type, TICK_END_MARK);
    while (!r->feed->source_done)
        poll_feed(r, 1);
    assert_int_equal(value(r, "feed.messages"), 5);
    assert_int_equal(value(r, "feed.bytes"), 12 + 5 + 36 + 65535 + 19);
    assert_int_equal(value(r, "feed.by_type.z"), 1);
    assert_int_equal(value(r, "feed.by_type.0xFE"), 1);
    assert_int_equal(value(r, "feed.by_type.A"), 1);
}

static void a_message_longer_than_md_carries_is_told_not_published(void **state)
{
    rig_t *r = *state;
    make_bus(r, 256, 0);
    static const size_t bytes[] = {12, 50, 51, 36};
    write_messages(r, "SzzA", bytes, 2);
    make_file_feed(r);
    assert_int_equal(poll_feed(r, 100), 2);
    assert_int_equal(r->feed->error.code, 0);
    r->feed->ops->destroy(r->feed);
    write_messages(r, "SAzA", (const size_t[]){12, 36, 51, 36}, 4);
    make_file_feed(r);
    assert_int_equal(poll_feed(r, 100), 2);
    assert_true(r->feed->source_done);
    assert_says(&r->feed->error, -TBUS_ETOOBIG, "message 2");
    assert_int_equal(value(r, "feed.errors"), 1);
}

static void a_pipe_with_nothing_to_say_holds_nobody_up(void **state)
{
    rig_t *r = *state;
    make_bus(r, 256, 0);
    assert_int_equal(mkfifo(r->path, 0600), 0);
    make_file_feed(r);
    assert_int_equal(poll_feed(r, 100), 0); /* nobody writes yet */
    uint64_t at_ns = r->feed->ops->deadline_ns(r->feed);
    assert_true(at_ns > 0 && at_ns < tbus_clock_ns() + FAR_NS);
    int fd = open(r->path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    static const uint8_t message[2 + 12] = {0, 12, 'S'};
    for (int i = 0; i < 40; i++)
        assert_int_equal(write(fd, message, sizeof(message)), sizeof(message));
    tick_t tick;
    while (r->taken < 40) {
        poll_feed(r, 100);
        while (take(r, &tick) > 0)
            ;
    }
    assert_false(r->feed->source_done);
    close(fd);
    while (!r->feed->source_done)
        assert_int_equal(poll_feed(r, 100), 0);
    assert_int_equal(r->feed->error.code, 0);
}

#define LOOK_NS_MIN UINT64_C(1000) /* as in feed.c */
#define LOOK_NS_MAX UINT64_C(1000000)

/* Polls once the feed wants to be; returns how far its next look is from now at most. */
static uint64_t look_in_vain(rig_t *r, uint64_t *out_at_least_ns)
{
    while (tbus_clock_ns() < r->feed->ops->deadline_ns(r->feed))
        ;
    uint64_t before_ns = tbus_clock_ns();
    assert_int_equal(poll_feed(r, 100), 0);
    uint64_t deadline_ns = r->feed->ops->deadline_ns(r->feed), after_ns = tbus_clock_ns();
    *out_at_least_ns = deadline_ns > after_ns ? deadline_ns - after_ns : 0;
    return deadline_ns - before_ns;
}

static void a_pipe_is_looked_at_more_rarely_the_longer_it_is_silent(void **state)
{
    rig_t *r = *state;
    uint64_t least_ns;
    tick_t tick;
    make_bus(r, 256, 0);
    assert_int_equal(mkfifo(r->path, 0600), 0);
    make_file_feed(r);
    int fd = open(r->path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    static const uint8_t message[2 + 12] = {0, 12, 'S'};
    for (int burst = 0; burst < 2; burst++) {
        look_in_vain(r, &least_ns);
        assert_true(least_ns <= LOOK_NS_MIN);
        /* From 32 us of silence on, each look makes it longer by a 32nd at least. */
        unsigned looks = 0;
        for (uint64_t step_ns = 0; step_ns < LOOK_NS_MAX; looks++) {
            step_ns = look_in_vain(r, &least_ns);
            assert_true(step_ns >= LOOK_NS_MIN);
            assert_true(least_ns <= LOOK_NS_MAX);
        }
        assert_true(looks <= 300);
        for (int look = 0; look < 3; look++)
            assert_true(look_in_vain(r, &least_ns) >= LOOK_NS_MAX);
        assert_int_equal(write(fd, message, sizeof(message)), sizeof(message));
        while (take(r, &tick) == 0)
            poll_feed(r, 1);
    }
    close(fd);
}

static void from_a_pipe_each_message_is_intended_for_when_it_came(void **state)
{
    rig_t *r = *state;
    make_bus(r, 256, 0);
    assert_int_equal(mkfifo(r->path, 0600), 0);
    make_file_feed(r);
    int fd = open(r->path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    static const uint8_t message[2 + 12] = {0, 12, 'S'};
    for (int i = 0; i < 5; i++) {
        tick_t tick;
        uint64_t before_ns = tbus_bus_now_ns(&r->bus);
        assert_int_equal(write(fd, message, sizeof(message)), sizeof(message));
        while (take(r, &tick) == 0)
            poll_feed(r, 100);
        assert_true(tick_intended_ns(&tick) >= before_ns);
    }
    assert_false(r->feed->source_done);
    close(fd);
}

static void what_comes_before_from_goes_out_at_once_and_is_wanted_at_no_time(void **state)
{
    rig_t *r = *state;
    make_bus(r, 1024, 0);
    feed_params_t params = {.source = "synth:messages=500", .pace = "1/s", .from = "seq:300"};
    must(r, feed_stage_create(&r->bus, r->owner, &params, &r->feed, &r->err));
    assert_int_equal(poll_feed(r, 500), 300); /* the next is due in a second */
    tick_t tick;
    while (take(r, &tick) > 0)
        assert_int_equal(tick_is_warm_up(&tick), r->taken < 300);
    assert_int_equal(r->taken, 300);
    assert_true(tick_intended_ns(&tick) <= tbus_bus_now_ns(&r->bus));
}

/* A journal with the first ticks of `spec`. */
static void record_ticks(const char *directory, const char *spec, uint32_t count)
{
    tbus_journal_spec_t session = {.directory = directory,
                                   .bus_name = "test",
                                   .segment_bytes = 1 << 20,
                                   .topics_count = 1,
                                   .topics = {{"md", "tick", 1, TICK_VERSION, 0, 0}}};
    tbus_journal_writer_t *w;
    feed_source_t *source;
    tick_t *tick = aligned_alloc(8, TICK_LEN_MAX);
    size_t bytes;
    tbus_error_t err;
    assert_int_equal(tbus_journal_writer_open(&session, &w, &err), 0);
    assert_int_equal(feed_source_open(spec, FEED_CLOCK_MARKET, &source, &err), 0);
    for (uint64_t seq = 1; seq <= count; seq++) {
        assert_int_equal(feed_source_next(source, tick, &bytes), FEED_SOURCE_TICK);
        assert_int_equal(tbus_journal_writer_append(w, 0, seq, seq, tick, bytes), 0);
    }
    feed_source_close(source);
    free(tick);
    assert_int_equal(tbus_journal_writer_close(w, &err), 0);
}

static void remove_journal(const char *directory)
{
    static const char *const names[] = {"00000001.tbj", "00000001.tbi", "writer.lock"};
    char path[256];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(directory), 0);
}

static void an_opening_goes_out_in_the_place_of_what_comes_before_from(void **state)
{
    rig_t *r = *state;
    char journal[200], spec[220];
    tick_t opening[3] = {{.type = 'S'}, {.type = 'R'}, {.type = 'A'}}, tick;
    snprintf(journal, sizeof journal, "%s/journal", r->directory);
    snprintf(spec, sizeof spec, "journal:%s", journal);
    record_ticks(journal, "synth:messages=500", 500);
    make_bus(r, 1024, 0);
    int fd = open(r->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, opening, sizeof opening), sizeof opening);
    feed_params_t params = {.source = spec, .pace = "max", .from = "seq:400", .opening = r->path};
    feed_params_t no_place = params, no_journal = params;
    no_place.from = "09:30";
    no_journal.source = "synth:messages=500";
    assert_int_equal(feed_stage_create(&r->bus, r->owner, &no_place, &r->feed, &r->err),
                     -TBUS_ECONFIG);
    assert_int_equal(feed_stage_create(&r->bus, r->owner, &no_journal, &r->feed, &r->err),
                     -TBUS_ECONFIG);
    must(r, feed_stage_create(&r->bus, r->owner, &params, &r->feed, &r->err));
    assert_int_equal(poll_feed(r, 500), 3 + 101);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(take(r, &tick), sizeof tick);
        assert_int_equal(tick.type, opening[i].type);
        assert_true(tick_is_warm_up(&tick));
    }
    while (take(r, &tick) > 0)
        assert_false(tick_is_warm_up(&tick));
    assert_int_equal(r->taken, 3 + 101);
    assert_int_equal(value(r, "feed.messages"), 3 + 101);
    r->feed->ops->destroy(r->feed);
    r->feed = NULL;
    assert_int_equal(write(fd, opening, 17), 17); /* not whole */
    close(fd);
    assert_int_equal(feed_stage_create(&r->bus, r->owner, &params, &r->feed, &r->err),
                     -TBUS_EFORMAT);
    remove_journal(journal);
}

static void what_cannot_run_is_refused_at_creation(void **state)
{
    rig_t *r = *state;
    make_bus(r, 256, 0);
    static const feed_params_t wrong[] = {{.source = "synth", .pace = "fast"},
                                          {.source = "nonsense", .pace = "max"},
                                          {.source = "itch:/tmp", .pace = "max"}};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_true(feed_stage_create(&r->bus, r->owner, &wrong[i], &r->feed, &r->err) < 0);
    assert_null(r->feed);
    tbus_bus_t empty;
    must(r, tbus_bus_create("test_feed_empty", &empty, &r->err));
    feed_params_t params = {.source = "synth", .pace = "max"};
    assert_int_equal(feed_stage_create(&empty, 1, &params, &r->feed, &r->err), -TBUS_ENOTFOUND);
    tbus_bus_close(&empty);
}

static void a_real_file_goes_through_byte_for_byte(void **state)
{
    rig_t *r = *state;
    char path[MARKET_DATA_PATH_MAX], spec[MARKET_DATA_PATH_MAX + 8];
    if (!market_data_path("cme_es_mbo_20240508/esm4.itch.gz", path))
        skip();
    make_bus(r, 1024, 0);
    snprintf(spec, sizeof(spec), "itch:%s", path);
    make_feed(r, spec, "max", 0);
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    tick_t tick;
    uint8_t message[64];
    size_t bytes, message_bytes;
    while (!r->feed->source_done) {
        poll_feed(r, 64);
        while ((bytes = take(r, &tick)) > 0) {
            assert_int_equal(itch_encode(&tick, bytes, message, &message_bytes), 0);
            for (size_t i = 0; i < message_bytes; i++)
                hash = (hash ^ message[i]) * UINT64_C(0x100000001b3);
        }
    }
    assert_int_equal(r->taken, 13793);
    assert_true(hash == UINT64_C(0x9fbc48f18c443f2c)); /* of the key file */
}

static void a_gap_that_the_pace_does_not_know_is_told_to_have_no_effect(void **state)
{
    (void)state;
    static const struct {
        const char *pace, *skip_gaps, *text;
    } rows[] = {
        {"realtime", "10s", "synth at pace realtime, no gap above 10s"},
        {"10x", "10s", "synth at pace 10x, no gap above 10s"},
        {"max", "10s",
         "synth at pace max, no gap above 10s (no effect: there are no gaps at this pace)"},
        {"50k/s", "1m",
         "synth at pace 50k/s, no gap above 1m (no effect: there are no gaps at this pace)"},
        {"auto", "1m",
         "synth at pace 250k/s, no gap above 1m (no effect: there are no gaps at this pace)"},
        {"max", "", "synth at pace max"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        feed_values_t values;
        char text[200];
        tbus_params_defaults(feed_kind.params, &values);
        snprintf(values.pace, sizeof values.pace, "%s", rows[i].pace);
        snprintf(values.skip_gaps, sizeof values.skip_gaps, "%s", rows[i].skip_gaps);
        feed_kind.describe(&values, text, sizeof text);
        assert_string_equal(text, rows[i].text);
    }
}

static void only_what_waits_for_nothing_but_room_is_unpaced(void **state)
{
    (void)state;
    char file[] = "/tmp/tickbus-unpaced-XXXXXX", itch[64];
    int fd = mkstemp(file);
    assert_true(fd >= 0);
    snprintf(itch, sizeof itch, "itch:%s", file);
    const struct {
        const char *source, *pace;
        bool unpaced;
    } rows[] = {
        {itch, "max", true},
        {itch, "auto", true},
        {itch, "realtime", false},
        {itch, "1M/s", false},
        {"itch:-", "max", false},
        {"itch:/dev/null", "max", false}, /* no more a file than a FIFO is */
        {"journal:/tmp", "max", true},
        {"synth", "max", true},
        {"synth", "auto", false},
        {"soup:localhost:1", "max", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        feed_values_t values;
        tbus_params_defaults(feed_kind.params, &values);
        snprintf(values.source, sizeof values.source, "%s", rows[i].source);
        snprintf(values.pace, sizeof values.pace, "%s", rows[i].pace);
        assert_int_equal(feed_values_unpaced(&values), rows[i].unpaced);
    }
    close(fd);
    unlink(file);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, open_rig, close_rig)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(every_tick_of_the_source_goes_out_once_and_in_order),
        CASE(a_full_ring_keeps_the_tick_and_loses_none),
        CASE(a_rate_gives_each_message_its_own_intended_time_and_a_deadline),
        CASE(messages_that_are_late_keep_the_time_that_they_were_meant_for),
        CASE(realtime_schedules_by_event_time),
        CASE(what_is_known_of_the_pause_after_a_tick_is_told_with_the_tick),
        CASE(a_paced_feed_says_whether_its_next_tick_is_imminent),
        CASE(market_time_is_told_a_millisecond_ahead_of_the_pace_and_no_more),
        CASE(the_time_limit_ends_the_feed_and_drops_what_was_not_due),
        CASE(what_was_due_before_the_time_was_over_goes_out_after_it),
        CASE(winding_down_takes_no_more_but_publishes_what_was_due),
        CASE(bad_input_ends_the_feed_after_what_came_before_and_is_no_failure_of_the_stage),
        CASE(unknown_types_short_and_long_and_the_end_mark_go_through),
        CASE(a_message_longer_than_md_carries_is_told_not_published),
        CASE(a_pipe_with_nothing_to_say_holds_nobody_up),
        CASE(a_pipe_is_looked_at_more_rarely_the_longer_it_is_silent),
        CASE(from_a_pipe_each_message_is_intended_for_when_it_came),
        cmocka_unit_test(a_gap_that_the_pace_does_not_know_is_told_to_have_no_effect),
        cmocka_unit_test(only_what_waits_for_nothing_but_room_is_unpaced),
        CASE(what_comes_before_from_goes_out_at_once_and_is_wanted_at_no_time),
        CASE(an_opening_goes_out_in_the_place_of_what_comes_before_from),
        CASE(what_cannot_run_is_refused_at_creation),
        CASE(a_real_file_goes_through_byte_for_byte),
    };
    return cmocka_run_group_tests_name("feed", tests, NULL, NULL);
}
