/* SPDX-License-Identifier: Apache-2.0 */
/* A feed of MoldUDP64 as a source of ticks, from a sender and a request server of this process's
 * own, over loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <sys/prctl.h>

#include "bus/wire/mold.h"
#include "feedsim/itch/itch.h"
#include "feedsim/source/source.h"
#include "tests/support/program.h"
#include "tests/support/soup_fake.h"

#define MESSAGE_MAX 64u
#define LINES       2u
#define GROUP       "239.255.83.7"

typedef struct fixture {
    uint16_t ports[LINES];
    int sender;   /* from 127.0.0.1 */
    int stranger; /* from 127.0.0.2 */
    int server;   /* of requests */
    uint16_t server_port;
    soup_fake_t *glimpse;
    uint16_t glimpse_port;
    feed_source_t *source;
    tbus_error_t err;
    uint64_t wanted; /* the next sequence that expect() expects */
    _Alignas(8) uint8_t tick[TICK_LEN_MAX];
} fixture_t;

static struct sockaddr_in address(const char *host, uint16_t port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, host, &at.sin_addr);
    return at;
}

/* A socket bound to any free port of that address. */
static int bound(const char *host, uint16_t *out_port)
{
    struct sockaddr_in at = address(host, 0);
    socklen_t bytes = sizeof at;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &bytes), 0);
    if (out_port)
        *out_port = ntohs(at.sin_port);
    return fd;
}

static int set_up(void **state)
{
    fixture_t *f = calloc(1, sizeof *f);
    for (unsigned i = 0; i < LINES; i++)
        close(bound("127.0.0.1", &f->ports[i])); /* free, as good as sure */
    f->sender = bound("127.0.0.1", NULL);
    f->stranger = bound("127.0.0.2", NULL);
    f->server = bound("127.0.0.1", &f->server_port);
    fcntl(f->server, F_SETFL, O_NONBLOCK);
    f->wanted = 1;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture_t *f = *state;
    feed_source_close(f->source);
    soup_fake_stop(f->glimpse);
    close(f->sender);
    close(f->stranger);
    close(f->server);
    free(f);
    return 0;
}

/* ---- what is sent ---- */

/* An Order Delete (ITCH 5.0, section 1.4.4); its time and its reference are its sequence. Each
 * seventh is of a type that is not known; number 43 has no bytes, number 11 is too short for a
 * time. */
static size_t message(uint64_t sequence, void *context, uint8_t *to)
{
    (void)context;
    memset(to, 0, 19);
    to[0] = sequence % 7 == 0 ? '?' : 'D';
    for (unsigned i = 0; i < 4; i++)
        to[10 - i] = to[18 - i] = (uint8_t)(sequence >> (8 * i));
    if (sequence == 11)
        to[0] = '!';
    return sequence == 43 ? 0 : sequence == 11 ? 5 : 19;
}

static size_t packet(uint8_t *to, const char *session, uint64_t sequence, uint32_t count)
{
    uint8_t name[MOLD_SESSION_BYTES], bytes[MESSAGE_MAX];
    mold_writer_t w;
    mold_session_put(name, session);
    mold_begin(&w, to, MOLD_DATAGRAM_USUAL, name, sequence);
    if (count == MOLD_END_OF_SESSION)
        mold_put_header(to, name, sequence, MOLD_END_OF_SESSION);
    else
        for (uint32_t i = 0; i < count; i++)
            assert_true(mold_add(&w, bytes, message(sequence + i, NULL, bytes)));
    return w.bytes;
}

static void send_bytes(fixture_t *f, int fd, unsigned line, const void *bytes, size_t count)
{
    struct sockaddr_in to = address("127.0.0.1", f->ports[line]);
    assert_int_equal(sendto(fd, bytes, count, 0, (struct sockaddr *)&to, sizeof to), count);
}

static void send_from(fixture_t *f, int fd, unsigned line, const char *session, uint64_t sequence,
                      uint32_t count)
{
    uint8_t datagram[MOLD_DATAGRAM_USUAL];
    send_bytes(f, fd, line, datagram, packet(datagram, session, sequence, count));
}

static void put(fixture_t *f, unsigned line, uint64_t sequence, uint32_t count)
{
    send_from(f, f->sender, line, "DAY1", sequence, count);
}

static void end_session(fixture_t *f, unsigned line, uint64_t sequence)
{
    put(f, line, sequence, MOLD_END_OF_SESSION);
}

/* The request that has come, waiting for it with the source. Answered with up to `count` of it. */
static mold_request_t answer(fixture_t *f, uint32_t count)
{
    uint8_t bytes[64], datagram[MOLD_DATAGRAM_USUAL];
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    mold_request_t request;
    ssize_t got;
    size_t tick_bytes;
    while ((got = recvfrom(f->server, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &size)) < 0)
        assert_int_equal(feed_source_next(f->source, (tick_t *)(void *)f->tick, &tick_bytes),
                         FEED_SOURCE_LATER);
    assert_int_equal(mold_parse_request(bytes, (size_t)got, &request), MOLD_GOOD);
    assert_memory_equal(request.session, "DAY1      ", MOLD_SESSION_BYTES);
    if (count) {
        count = count < request.count ? count : request.count;
        size_t sent = packet(datagram, "DAY1", request.sequence, count);
        assert_int_equal(
            sendto(f->server, datagram, sent, 0, (struct sockaddr *)&from, sizeof from), sent);
    }
    return request;
}

/* ---- what comes ---- */

static int open_spec(fixture_t *f, const char *spec)
{
    memset(&f->err, 0, sizeof f->err);
    return feed_source_open(spec, FEED_CLOCK_MARKET, &f->source, &f->err);
}

static int open_spec_fails(fixture_t *f, const char *spec)
{
    feed_source_t *none;
    return feed_source_open(spec, FEED_CLOCK_MARKET, &none, &f->err);
}

static void open_lines(fixture_t *f, unsigned lines, const char *keys)
{
    char spec[256];
    int used = snprintf(spec, sizeof spec, "mold:127.0.0.1:%u", f->ports[0]);
    if (lines == 2)
        used += snprintf(spec + used, sizeof spec - (size_t)used, ",127.0.0.1:%u", f->ports[1]);
    snprintf(spec + used, sizeof spec - (size_t)used, "?keep_bytes=1048576%s%s", *keys ? "&" : "",
             keys);
    if (open_spec(f, spec) != 0)
        fail_msg("%s: %s", spec, f->err.text);
}

static void open_with_server(fixture_t *f, unsigned lines, const char *keys)
{
    char all[200];
    snprintf(all, sizeof all, "requests=127.0.0.1:%u%s", f->server_port, keys);
    open_lines(f, lines, all);
}

/* The next tick; nothing yet is waited for. */
static int next(fixture_t *f, size_t *out_bytes)
{
    int code;
    while ((code = feed_source_next(f->source, (tick_t *)(void *)f->tick, out_bytes)) ==
           FEED_SOURCE_LATER)
        feed_source_wait(f->source, UINT64_MAX >> 1);
    return code;
}

static void is_message(fixture_t *f, uint64_t sequence, size_t bytes)
{
    uint8_t wanted[MESSAGE_MAX], got[ITCH_MESSAGE_MAX];
    size_t got_bytes;
    assert_int_equal(itch_encode((tick_t *)(void *)f->tick, bytes, got, &got_bytes), 0);
    assert_int_equal(got_bytes, message(sequence, NULL, wanted));
    assert_memory_equal(got, wanted, got_bytes);
}

/* Messages come from the one that is wanted on, up to `to`. */
static void expect(fixture_t *f, uint64_t to)
{
    size_t bytes;
    for (; f->wanted <= to; f->wanted++) {
        assert_int_equal(next(f, &bytes), FEED_SOURCE_TICK);
        assert_int_equal(f->source->seq, f->wanted);
        is_message(f, f->wanted, bytes);
        assert_false(f->source->warm_up);
        assert_false(f->source->tick_is_mark);
        if (f->wanted == 43 || f->wanted == 11)
            assert_true(f->source->time_ns == UINT64_MAX);
        else
            assert_int_equal(f->source->time_ns, f->wanted);
    }
}

static void expect_gap(fixture_t *f, uint64_t to)
{
    tick_gap_t gap;
    size_t bytes;
    assert_int_equal(next(f, &bytes), FEED_SOURCE_TICK);
    assert_int_equal(tick_gap_get((tick_t *)(void *)f->tick, bytes, &gap), 1);
    assert_int_equal(gap.from, f->wanted);
    assert_int_equal(gap.to, to);
    f->wanted = to + 1;
}

static void expect_end(fixture_t *f)
{
    size_t bytes;
    assert_int_equal(next(f, &bytes), FEED_SOURCE_END);
    assert_int_equal(next(f, &bytes), FEED_SOURCE_END);
}

/* What has come is gone through, and nothing is told. */
static void expect_nothing(fixture_t *f)
{
    size_t bytes;
    assert_int_equal(feed_source_next(f->source, (tick_t *)(void *)f->tick, &bytes),
                     FEED_SOURCE_LATER);
}

static uint64_t counted(fixture_t *f, const char *name)
{
    uint32_t count;
    const feed_source_counter_t *rows = feed_source_counters(f->source, &count);
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(rows[i].name, name) == 0)
            return *rows[i].value;
    fail_msg("no counter %s", name);
    return 0;
}

/* ---- tests ---- */

static void a_line_is_handed_out_tick_by_tick_until_the_session_ends(void **state)
{
    fixture_t *f = *state;
    open_lines(f, 1, "");
    assert_true(f->source->daily);
    expect_nothing(f);
    for (uint64_t at = 1; at <= 981; at += 20)
        put(f, 0, at, 20);
    put(f, 0, 1001, 0); /* a heartbeat */
    end_session(f, 0, 1001);
    end_session(f, 0, 1001);
    expect(f, 1000);
    assert_int_equal(f->source->messages, 1000);
    expect_end(f);
    assert_string_equal(f->source->note.text, "");
    assert_int_equal(counted(f, "line.0.packets"), 50);
    assert_int_equal(counted(f, "line.0.heartbeats"), 1);
    assert_int_equal(counted(f, "line.0.messages"), 1000);
    assert_int_equal(counted(f, "line.0.lost"), 0);
    assert_int_equal(counted(f, "received.gaps"), 0);
    assert_true(counted(f, "line.0.receive_bytes") >= 65536);
}

static void expect_end_mark(fixture_t *f)
{
    const tick_t *tick = (const tick_t *)(const void *)f->tick;
    size_t bytes;
    assert_int_equal(next(f, &bytes), FEED_SOURCE_TICK);
    assert_int_equal(tick->type, TICK_END_MARK);
    assert_int_equal(f->source->seq, f->wanted++);
    assert_true(f->source->tick_is_mark);
}

static void a_message_without_bytes_is_the_end_mark_if_the_session_ends_behind_it(void **state)
{
    fixture_t *f = *state;
    open_lines(f, 1, "");
    put(f, 0, 1, 43);
    expect(f, 42);
    expect_nothing(f); /* it may be the last */
    put(f, 0, 44, 0);
    expect_nothing(f);
    end_session(f, 0, 44);
    expect_end_mark(f);
    expect_end(f);
    assert_int_equal(f->source->messages, 42);
}

static void a_message_without_bytes_before_another_a_gap_or_a_loss_is_a_message(void **state)
{
    fixture_t *f = *state;
    size_t bytes;
    tick_t ticks[8];
    uint64_t message_bytes;
    open_lines(f, 1, "lost=20ms");
    put(f, 0, 1, 43);
    expect(f, 42);
    expect_nothing(f);
    put(f, 0, 44, 1);
    assert_int_equal(feed_source_next_batch(f->source, ticks, 8, &message_bytes), 0);
    expect(f, 44);
    feed_source_close(f->source);

    f->wanted = 1;
    open_lines(f, 1, "reorder=1&lost=20ms");
    put(f, 0, 1, 43);
    put(f, 0, 46, 1);
    expect(f, 43);
    expect_gap(f, 45);
    expect(f, 46);
    feed_source_close(f->source);

    f->wanted = 1;
    open_lines(f, 1, "lost=20ms");
    put(f, 0, 1, 43);
    expect(f, 42);
    int code;
    while ((code = feed_source_next(f->source, (tick_t *)(void *)f->tick, &bytes)) ==
           FEED_SOURCE_LATER)
        continue; /* nothing wakes who waits */
    assert_int_equal(code, FEED_SOURCE_TICK);
    is_message(f, 43, bytes);
    assert_int_equal(f->source->messages, 43);
    assert_int_equal(next(f, &bytes), -ETIMEDOUT);
}

static void in_batches_the_same_ticks_come(void **state)
{
    fixture_t *f = *state;
    tick_t ticks[64], wanted;
    uint8_t bytes[MESSAGE_MAX];
    uint64_t message_bytes, batched = 0;
    size_t tick_bytes;
    open_lines(f, 1, "");
    put(f, 0, 12, 20); /* 1..11 are lost: told first, by the mark that comes one by one */
    for (uint64_t at = 32; at < 232; at += 20)
        put(f, 0, at, 20);
    end_session(f, 0, 232);
    expect_gap(f, 11);
    while (f->wanted < 232) {
        uint32_t count = feed_source_next_batch(f->source, ticks, 64, &message_bytes);
        assert_int_equal(message_bytes * (count != 0), 19 * count * (count != 0));
        for (uint32_t i = 0; i < count; i++, f->wanted++) {
            assert_true(itch_decode_known(bytes, message(f->wanted, NULL, bytes), &wanted));
            assert_memory_equal(&ticks[i], &wanted, sizeof wanted);
        }
        batched += count;
        if (count) {
            assert_int_equal(f->source->seq, f->wanted - 1);
            assert_int_equal(f->source->time_ns, f->wanted - 1);
            continue;
        }
        assert_int_equal(next(f, &tick_bytes), FEED_SOURCE_TICK);
        is_message(f, f->wanted, tick_bytes);
        f->wanted++;
    }
    assert_true(batched > 150);
    assert_int_equal(f->source->messages, 220); /* a mark is none */
    assert_int_equal(feed_source_next_batch(f->source, ticks, 64, &message_bytes), 0);
    expect_end(f);
    assert_int_equal(feed_source_next_batch(f->source, ticks, 64, &message_bytes), 0);
}

static void what_one_line_loses_the_other_brings(void **state)
{
    fixture_t *f = *state;
    open_lines(f, 2, "");
    for (uint64_t at = 1; at < 1000; at += 10) {
        if (at % 30 != 1)
            put(f, 0, at, 10);
        if (at % 30 == 1 || at % 40 == 1)
            put(f, 1, at, 10);
    }
    put(f, 0, 1001, 0);
    put(f, 1, 1001, 0);
    expect(f, 1000);
    expect_nothing(f);
    assert_int_equal(counted(f, "line.0.packets"), 66);
    assert_int_equal(counted(f, "line.0.lost"), 340);
    assert_int_equal(counted(f, "line.1.lost"), 1000 - 10 * counted(f, "line.1.packets"));
    assert_int_equal(counted(f, "line.0.first") + counted(f, "line.1.first"), 1000);
    assert_int_equal(counted(f, "received.duplicates"),
                     10 * (counted(f, "line.0.packets") + counted(f, "line.1.packets")) - 1000);
    assert_int_equal(counted(f, "received.lost"), 0);
    end_session(f, 1, 1001);
    expect_end(f);
}

static void what_comes_twice_or_late_is_handed_out_once_and_in_order(void **state)
{
    fixture_t *f = *state;
    static const uint64_t order[] = {1, 21, 11, 11, 31, 1, 51, 41, 61};
    open_lines(f, 1, "");
    for (unsigned i = 0; i < sizeof order / sizeof order[0]; i++)
        put(f, 0, order[i], 10);
    put(f, 0, 66, 10); /* half of it is known */
    expect(f, 75);
    expect_nothing(f);
    assert_int_equal(counted(f, "received.duplicates"), 25);
    assert_int_equal(counted(f, "line.0.duplicates"), 25);
    assert_int_equal(counted(f, "received.reordered"), 20);
    assert_int_equal(counted(f, "received.cut"), 1);
    assert_int_equal(counted(f, "received.gaps"), 0);
}

static void without_requests_what_is_lost_is_a_mark_in_its_place(void **state)
{
    fixture_t *f = *state;
    open_lines(f, 1, "reorder=4&hold=never");
    put(f, 0, 1, 10);
    put(f, 0, 13, 1); /* 11 and 12 are lost */
    for (uint64_t at = 14; at < 16; at++)
        put(f, 0, at, 1);
    expect(f, 10);
    expect_nothing(f); /* it may be late */
    put(f, 0, 16, 1);
    expect_gap(f, 12);
    expect(f, 16);
    put(f, 0, 11, 2); /* too late */
    expect_nothing(f);
    end_session(f, 0, 20);
    expect_nothing(f); /* 17..19 may still be on their way */
    for (unsigned i = 0; i < 3; i++)
        end_session(f, 0, 20);
    expect_gap(f, 19);
    expect_end(f);
    assert_int_equal(counted(f, "received.lost"), 5);
    assert_non_null(strstr(f->source->note.text, "5 messages were lost for good"));
    assert_int_equal(f->source->note.code, 0);
}

static void without_requests_a_hole_that_is_old_is_given_up(void **state)
{
    fixture_t *f = *state;
    open_lines(f, 1, "hold=2ms");
    put(f, 0, 5, 1);
    expect_gap(f, 4);
    expect(f, 5);
}

static void what_is_missing_is_requested_until_all_of_it_has_come(void **state)
{
    fixture_t *f = *state;
    open_with_server(f, 1, "");
    put(f, 0, 1, 10);
    put(f, 0, 111, 10);
    expect(f, 10);
    mold_request_t request = answer(f, 0); /* which is lost */
    assert_int_equal(request.sequence, 11);
    assert_int_equal(request.count, 64);
    request = answer(f, 0); /* for the rest, before the first was answered */
    assert_int_equal(request.sequence, 75);
    assert_int_equal(request.count, 36);
    bool came[121] = {false};
    while (f->wanted <= 110) {
        request = answer(f, 30);
        for (uint64_t i = 0; i < 30 && i < request.count; i++)
            came[request.sequence + i] = true;
        uint64_t to = f->wanted;
        while (came[to])
            to++;
        expect(f, to - 1);
    }
    expect(f, 120);
    assert_true(counted(f, "requests.sent") >= 6);
    assert_true(counted(f, "requests.answers") >= 4);
    assert_true(counted(f, "requests.messages") >= 100);
    assert_int_equal(counted(f, "requests.unsent"), 0);
    assert_int_equal(counted(f, "received.gaps"), 0);
    assert_int_equal(counted(f, "line.0.lost"), 100);
}

static void what_is_not_answered_is_given_up_after_a_while(void **state)
{
    fixture_t *f = *state;
    open_with_server(f, 1, "&give_up=25ms");
    put(f, 0, 3, 2);
    put(f, 0, 9, 1);
    expect_gap(f, 2);
    expect(f, 4);
    expect_gap(f, 8);
    expect(f, 9);
    assert_true(counted(f, "requests.sent") >= 3); /* 10 ms, 20 ms; for the second hole, too */
}

static void a_server_that_nobody_runs_costs_gaps_and_no_more(void **state)
{
    fixture_t *f = *state;
    close(f->server);
    f->server = -1;
    open_with_server(f, 1, "&give_up=25ms");
    put(f, 0, 3, 2);
    expect_gap(f, 2);
    expect(f, 4);
    end_session(f, 0, 5);
    expect_end(f);
}

static void who_starts_late_requests_the_past_from_the_place_that_is_wanted(void **state)
{
    fixture_t *f = *state;
    open_with_server(f, 1, "&from=30");
    put(f, 0, 61, 10);
    expect_nothing(f);
    mold_request_t request = answer(f, 31);
    assert_int_equal(request.sequence, 30);
    assert_int_equal(request.count, 31);
    f->wanted = 30;
    expect(f, 70);
    end_session(f, 0, 71);
    expect_end(f);
}

static void from_0_begins_with_the_first_that_comes(void **state)
{
    fixture_t *f = *state;
    open_lines(f, 1, "from=0");
    put(f, 0, 61, 10);
    f->wanted = 61;
    expect(f, 70);
    assert_int_equal(counted(f, "received.gaps"), 0);
}

static void another_session_on_the_line_is_counted_and_not_taken(void **state)
{
    fixture_t *f = *state;
    open_lines(f, 1, "session=DAY1");
    send_from(f, f->sender, 0, "DAY0", 7, 10);
    put(f, 0, 1, 10);
    send_from(f, f->sender, 0, "DAY2", 11, 10);
    send_from(f, f->sender, 0, "DAY2", 21, MOLD_END_OF_SESSION);
    put(f, 0, 11, 10);
    end_session(f, 0, 21);
    expect(f, 20);
    expect_end(f);
    assert_int_equal(counted(f, "received.foreign"), 3);
    assert_non_null(strstr(f->source->note.text, "3 packets of another session"));
}

static void hostile_packets_are_counted_by_their_fault_and_not_taken(void **state)
{
    fixture_t *f = *state;
    uint8_t good[MOLD_DATAGRAM_USUAL], bad[MOLD_DATAGRAM_USUAL];
    open_lines(f, 1, "");
    size_t bytes = packet(good, "DAY1", 1, 3);
    send_bytes(f, f->sender, 0, good, 0);
    send_bytes(f, f->sender, 0, good, 19);
    send_bytes(f, f->sender, 0, good, bytes - 1);
    memcpy(bad, good, bytes);
    send_bytes(f, f->sender, 0, bad, bytes + 1); /* whatever byte that is */
    bad[19] = 4;
    send_bytes(f, f->sender, 0, bad, bytes);
    memcpy(bad, good, bytes);
    memset(bad + 10, 0, 8);
    send_bytes(f, f->sender, 0, bad, bytes);
    memset(bad + 10, 0xff, 8);
    send_bytes(f, f->sender, 0, bad, bytes);
    send_bytes(f, f->sender, 0, good, bytes);
    end_session(f, 0, 4);
    expect(f, 3);
    expect_end(f);
    assert_int_equal(counted(f, "fault.short"), 2);
    assert_int_equal(counted(f, "fault.overrun"), 1);
    assert_int_equal(counted(f, "fault.trailing"), 1);
    assert_int_equal(counted(f, "fault.missing"), 1);
    assert_int_equal(counted(f, "fault.sequence_zero"), 1);
    assert_int_equal(counted(f, "fault.sequence_overflow"), 1);
    assert_int_equal(counted(f, "line.0.refused"), 7);
    assert_non_null(strstr(f->source->note.text, "7 packets were no good MoldUDP64"));
}

/* Message `sequence`, an Order Delete that lacks its last byte. */
static void put_malformed(fixture_t *f, uint64_t sequence)
{
    uint8_t datagram[MOLD_DATAGRAM_USUAL], name[MOLD_SESSION_BYTES], bytes[MESSAGE_MAX];
    mold_writer_t w;
    mold_session_put(name, "DAY1");
    mold_begin(&w, datagram, sizeof datagram, name, sequence);
    memset(bytes, 0, sizeof bytes);
    bytes[0] = 'D';
    assert_true(mold_add(&w, bytes, 18));
    send_bytes(f, f->sender, 0, datagram, w.bytes);
}

static void a_message_that_is_no_itch_is_a_gap_of_its_own_and_the_feed_goes_on(void **state)
{
    fixture_t *f = *state;
    tick_t ticks[64];
    uint64_t message_bytes;
    open_lines(f, 1, "");
    put(f, 0, 1, 3);
    put_malformed(f, 4);
    put(f, 0, 5, 10);
    put_malformed(f, 15);
    put(f, 0, 16, 5);
    end_session(f, 0, 21);
    expect(f, 3);
    assert_int_equal(feed_source_next_batch(f->source, ticks, 64, &message_bytes), 0);
    expect_gap(f, 4);
    assert_int_equal(f->source->seq, 4);
    expect(f, 14);
    expect_gap(f, 15);
    expect(f, 20);
    expect_end(f);
    assert_int_equal(counted(f, "fault.itch_length"), 2);
    assert_int_equal(counted(f, "received.lost"), 0); /* it came */
    assert_string_equal(f->source->note.text, "2 messages are no ITCH 5.0 and gaps: the first is "
                                              "4, of type 0x44 with 18 bytes");
}

static void another_protocol_within_the_packets_is_an_error(void **state)
{
    fixture_t *f = *state;
    size_t bytes;
    open_lines(f, 1, "");
    put(f, 0, 1, 2);
    for (uint64_t at = 3; at < 110; at++)
        put_malformed(f, at);
    expect(f, 2);
    for (; f->wanted < 2 + FEED_MALFORMED_MAX;)
        expect_gap(f, f->wanted);
    assert_int_equal(next(f, &bytes), -TBUS_EFORMAT);
    assert_non_null(strstr(f->source->error.text, "no ITCH 5.0: 100 messages are malformed"));
    assert_int_equal(next(f, &bytes), -TBUS_EFORMAT);
}

static void who_is_not_the_sender_of_a_line_is_not_listened_to(void **state)
{
    fixture_t *f = *state;
    open_lines(f, 1, "");
    send_bytes(f, f->stranger, 0, "x", 1); /* what is no good makes nobody the sender */
    put(f, 0, 1, 5);
    send_from(f, f->stranger, 0, "DAY1", 6, 5);
    expect(f, 5);
    expect_nothing(f);
    assert_int_equal(counted(f, "line.0.other_senders"), 1);
    put(f, 0, 6, 5);
    expect(f, 10);
}

static void another_sender_takes_the_place_of_one_that_is_silent(void **state)
{
    fixture_t *f = *state;
    open_lines(f, 1, "silent=1ms");
    put(f, 0, 1, 5);
    expect(f, 5);
    while (counted(f, "line.0.silent") == 0)
        expect_nothing(f);
    assert_int_equal(counted(f, "line.0.silences"), 1);
    send_from(f, f->stranger, 0, "DAY1", 6, 5);
    expect(f, 10);
    assert_int_equal(counted(f, "line.0.other_senders"), 0);
}

static void senders_that_are_named_are_taken_alone(void **state)
{
    fixture_t *f = *state;
    open_lines(f, 1, "source=127.0.0.9,127.0.0.2&silent=1us");
    put(f, 0, 1, 5);
    send_from(f, f->stranger, 0, "DAY1", 1, 5);
    put(f, 0, 6, 5);
    expect(f, 5);
    expect_nothing(f);
    assert_int_equal(counted(f, "line.0.other_senders"), 2);
}

static void a_feed_that_falls_silent_is_an_error_after_what_has_come(void **state)
{
    fixture_t *f = *state;
    size_t bytes;
    open_with_server(f, 1, "&lost=20ms&give_up=1h");
    put(f, 0, 1, 5);
    put(f, 0, 8, 1);
    expect(f, 5);
    expect_gap(f, 7);
    expect(f, 8);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(next(f, &bytes), -ETIMEDOUT);
        assert_non_null(strstr(f->source->error.text, "before message 9"));
    }
}

static void packets_that_the_kernel_has_dropped_are_counted_and_their_messages_told(void **state)
{
    fixture_t *f = *state;
    const uint64_t packets = 2000;
    open_lines(f, 1, "receive_bytes=65536");
    for (uint64_t i = 0; i < packets; i++)
        put(f, 0, 1 + i * 10, 10);
    uint64_t came = 0;
    size_t bytes;
    while (feed_source_next(f->source, (tick_t *)(void *)f->tick, &bytes) == FEED_SOURCE_TICK) {
        f->wanted++;
        came++;
    }
    assert_true(came > 0 && came < packets * 10);
    end_session(f, 0, 1 + packets * 10); /* now there is room */
    expect_gap(f, packets * 10);
    expect_end(f);
    assert_int_equal(counted(f, "line.0.kernel_drops"), packets - came / 10);
    assert_int_equal(counted(f, "line.0.packets"), came / 10);
    assert_non_null(strstr(f->source->note.text, "found no room in the kernel's buffer"));
}

/* The books of the first 100 messages as five, and G. */
static size_t snapshot(uint64_t sequence, void *context, uint8_t *to)
{
    if (sequence <= 5)
        return message(100 + sequence, context, to);
    memcpy(to, context, 21);
    return 21;
}

/* From now on, at the same port. */
static void serve_session(fixture_t *f, const char *session, const char *last, uint64_t messages,
                          bool ends)
{
    soup_fake_script_t script = {.session = session,
                                 .messages = messages,
                                 .ends = ends,
                                 .message = snapshot,
                                 .context = (void *)(uintptr_t)last};
    soup_fake_stop(f->glimpse);
    f->glimpse = soup_fake_start(&script, f->glimpse_port, &f->glimpse_port);
    assert_non_null(f->glimpse);
}

static void serve_snapshot(fixture_t *f, const char *last, uint64_t messages)
{
    serve_session(f, "DAY1", last, messages, true);
}

static void open_glimpse_with(fixture_t *f, const char *last, uint64_t messages, const char *more)
{
    char keys[100];
    if (last)
        serve_snapshot(f, last, messages);
    snprintf(keys, sizeof keys, "&glimpse=127.0.0.1:%u%s", f->glimpse_port, more);
    close(f->sender);
    f->sender = bound("127.0.0.1", NULL);
    int early = bound("127.0.0.1", NULL); /* something comes before the snapshot is asked for */
    struct sockaddr_in to = address("127.0.0.1", f->ports[0]);
    uint8_t datagram[MOLD_DATAGRAM_USUAL];
    pid_t child = fork();
    if (child == 0) { /* until it is taken away: there may be nobody yet */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        size_t bytes = packet(datagram, "DAY1", 91, 10);
        for (;;) {
            (void)!sendto(early, datagram, bytes, 0, (struct sockaddr *)&to, sizeof to);
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        }
    }
    open_with_server(f, 1, keys);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(early);
}

static void open_glimpse(fixture_t *f, const char *last, uint64_t messages)
{
    open_glimpse_with(f, last, messages, "");
}

static void expect_snapshot(fixture_t *f)
{
    size_t bytes;
    for (uint64_t i = 1; i <= 5; i++) {
        assert_int_equal(next(f, &bytes), FEED_SOURCE_TICK);
        assert_true(f->source->warm_up);
        is_message(f, 100 + i, bytes);
    }
}

static void a_late_start_begins_with_a_snapshot_and_goes_on_behind_it(void **state)
{
    fixture_t *f = *state;
    open_glimpse(f, "G                 106", 6);
    put(f, 0, 101, 10); /* 101..105 are in it */
    put(f, 0, 111, 10);
    expect_snapshot(f);
    f->wanted = 106;
    expect(f, 120);
    end_session(f, 0, 121);
    expect_end(f);
    assert_true(counted(f, "received.before") >= 15);
    assert_int_equal(counted(f, "line.0.lost"), 0);
    assert_int_equal(counted(f, "received.gaps"), 0);
}

static void what_lies_between_a_snapshot_and_the_line_is_requested(void **state)
{
    fixture_t *f = *state;
    open_glimpse(f, "G81                  ", 6);
    put(f, 0, 101, 10);
    expect_snapshot(f);
    expect_nothing(f);
    mold_request_t request = answer(f, 10);
    assert_int_equal(request.sequence, 81);
    assert_int_equal(request.count, 10);
    f->wanted = 81;
    expect(f, 110);
}

static void a_snapshot_that_is_cut_off_is_an_error(void **state)
{
    fixture_t *f = *state;
    size_t bytes;
    open_glimpse(f, "G                   1", 5);
    expect_snapshot(f);
    assert_int_equal(next(f, &bytes), -TBUS_ETRUNCATED);
    assert_non_null(strstr(f->source->error.text, "cut off after 5 messages"));
}

static void a_snapshot_that_ends_in_nonsense_is_an_error(void **state)
{
    fixture_t *f = *state;
    size_t bytes;
    open_glimpse(f, "G                 1x6", 6);
    expect_snapshot(f);
    assert_int_equal(next(f, &bytes), -TBUS_EFORMAT);
    assert_non_null(strstr(f->source->error.text, "names no sequence"));
}

static void a_snapshot_of_another_session_is_an_error_unless_it_is_wanted(void **state)
{
    fixture_t *f = *state;
    size_t bytes;
    serve_session(f, "DAY0", "G                 106", 6, true);
    open_glimpse_with(f, NULL, 0, "");
    assert_int_equal(next(f, &bytes), -TBUS_ENOTFOUND);
    assert_non_null(strstr(f->source->error.text, "is of session 'DAY0', and the line of 'DAY1'"));
    feed_source_close(f->source);
    f->source = NULL;
    open_glimpse_with(f, NULL, 0, "&glimpse_session=DAY0");
    put(f, 0, 101, 10);
    expect_snapshot(f);
    f->wanted = 106;
    expect(f, 110);
}

static void a_snapshot_that_does_not_come_in_time_is_an_error(void **state)
{
    fixture_t *f = *state;
    int code;
    size_t bytes;
    serve_session(f, "DAY1", "", 5, false); /* without its end, and it does not end either */
    open_glimpse_with(f, NULL, 0, "&glimpse_within=50ms");
    while ((code = feed_source_next(f->source, (tick_t *)(void *)f->tick, &bytes)) >= 0)
        continue;
    assert_int_equal(code, -ETIMEDOUT);
    assert_non_null(strstr(f->source->error.text, "(glimpse_within=)"));
}

static void packets_that_bring_nothing_new_do_not_keep_a_turn_for_ever(void **state)
{
    fixture_t *f = *state;
    size_t bytes;
    open_lines(f, 1, "");
    put(f, 0, 1, 10);
    expect(f, 10);
    for (unsigned i = 0; i < 1000; i++)
        put(f, 0, 1, 10);
    assert_int_equal(feed_source_next(f->source, (tick_t *)(void *)f->tick, &bytes),
                     FEED_SOURCE_LATER);
    assert_in_range(counted(f, "line.0.packets"), 2, 200); /* there are more, for other turns */
    put(f, 0, 11, 10);
    expect(f, 20);
    assert_int_equal(counted(f, "line.0.packets"), 1002);
}

static void expect_restore(fixture_t *f, uint8_t what)
{
    const tick_t *tick = (const tick_t *)(const void *)f->tick;
    size_t bytes;
    assert_int_equal(next(f, &bytes), FEED_SOURCE_TICK);
    assert_int_equal(tick->type, TICK_RESTORE);
    assert_int_equal(tick->body[0], what);
}

/* 111..120 are lost for good, and 121..130 are there. */
static void lose_ten(fixture_t *f)
{
    open_glimpse_with(f, "G                 106", 6, "&give_up=20ms");
    put(f, 0, 101, 10);
    expect_snapshot(f);
    f->wanted = 106;
    expect(f, 110);
    put(f, 0, 121, 10);
}

static void after_a_gap_a_snapshot_comes_and_the_line_goes_on_behind_it(void **state)
{
    fixture_t *f = *state;
    lose_ten(f);
    serve_snapshot(f, "G                 126", 6);
    expect_gap(f, 120);
    expect_restore(f, TICK_RESTORE_BEGINS);
    expect_snapshot(f);
    expect_gap(f, 125); /* which are in it */
    expect_restore(f, TICK_RESTORE_ENDS);
    put(f, 0, 131, 10);
    expect(f, 140);
    assert_int_equal(counted(f, "received.snapshots"), 1);
    assert_int_equal(counted(f, "received.snapshots_failed"), 0);
    end_session(f, 0, 141);
    expect_end(f);
}

static void
after_a_gap_a_snapshot_that_begins_where_the_line_goes_on_leaves_nothing_out(void **state)
{
    fixture_t *f = *state;
    lose_ten(f);
    serve_snapshot(f, "G                 121", 6);
    expect_gap(f, 120);
    expect_restore(f, TICK_RESTORE_BEGINS);
    expect_snapshot(f);
    expect_restore(f, TICK_RESTORE_ENDS);
    expect(f, 130);
}

static void after_a_gap_a_snapshot_that_is_older_or_cut_off_has_failed(void **state)
{
    fixture_t *f = *state;
    lose_ten(f);
    serve_snapshot(f, "G                 111", 6);
    expect_gap(f, 120);
    expect_restore(f, TICK_RESTORE_BEGINS);
    expect_snapshot(f);
    expect_restore(f, TICK_RESTORE_FAILED);
    expect(f, 130);
    serve_snapshot(f, "", 5);
    expect_restore(f, TICK_RESTORE_BEGINS); /* it is tried again */
    expect_snapshot(f);
    expect_restore(f, TICK_RESTORE_FAILED);
    put(f, 0, 131, 10);
    expect(f, 140);
    assert_int_equal(counted(f, "received.snapshots_failed"), 2);
    assert_int_equal(counted(f, "received.lost"), 10);
}

static void a_message_that_is_no_itch_brings_a_snapshot_like_any_gap(void **state)
{
    fixture_t *f = *state;
    open_glimpse(f, "G                 106", 6);
    put(f, 0, 101, 10);
    expect_snapshot(f);
    f->wanted = 106;
    expect(f, 110);
    serve_snapshot(f, "G                 113", 6);
    put_malformed(f, 111);
    expect_gap(f, 111);
    expect_restore(f, TICK_RESTORE_BEGINS);
    put(f, 0, 112, 9);
    expect_snapshot(f);
    expect_gap(f, 112); /* which is in it */
    expect_restore(f, TICK_RESTORE_ENDS);
    expect(f, 120);
}

static void a_snapshot_with_a_message_that_is_no_itch_has_failed(void **state)
{
    fixture_t *f = *state;
    size_t bytes;
    lose_ten(f);
    serve_snapshot(f, "D                   1", 6); /* as long as G, and too long for a D */
    expect_gap(f, 120);
    expect_restore(f, TICK_RESTORE_BEGINS);
    expect_snapshot(f);
    expect_restore(f, TICK_RESTORE_FAILED);
    expect(f, 130);
    feed_source_close(f->source);
    open_glimpse(f, "D                   1", 6); /* at a late start there is nothing without it */
    expect_snapshot(f);
    assert_int_equal(next(f, &bytes), -TBUS_EFORMAT);
    assert_non_null(strstr(f->source->error.text, "type 0x44 with 21 bytes"));
}

static void after_a_gap_a_snapshot_of_another_session_or_too_late_has_failed(void **state)
{
    fixture_t *f = *state;
    open_glimpse_with(f, "G                 106", 6, "&give_up=20ms&glimpse_within=100ms");
    put(f, 0, 101, 10);
    expect_snapshot(f);
    f->wanted = 106;
    expect(f, 110);
    serve_session(f, "DAY2", "G                 126", 6, true);
    put(f, 0, 121, 10);
    expect_gap(f, 120);
    expect(f, 130); /* as if there were no server */
    assert_int_equal(counted(f, "received.snapshots_failed"), 1);
    serve_session(f, "DAY1", "", 5, false);
    expect_restore(f, TICK_RESTORE_BEGINS);
    expect_snapshot(f);
    expect_restore(f, TICK_RESTORE_FAILED);
    put(f, 0, 131, 10);
    expect(f, 140);
    assert_int_equal(counted(f, "received.snapshots_failed"), 2);
}

static void after_a_gap_without_a_server_of_snapshots_messages_go_on(void **state)
{
    fixture_t *f = *state;
    lose_ten(f);
    soup_fake_stop(f->glimpse);
    f->glimpse = NULL;
    expect_gap(f, 120);
    expect(f, 130);
    assert_int_equal(counted(f, "received.snapshots_failed"), 1);
}

static void a_group_is_joined_on_the_interface_that_is_named(void **state)
{
    fixture_t *f = *state;
    char spec[100];
    uint8_t datagram[MOLD_DATAGRAM_USUAL];
    struct sockaddr_in to = address(GROUP, f->ports[0]),
                       other = address("239.255.83.8", f->ports[0]);
    struct in_addr local = {.s_addr = htonl(INADDR_LOOPBACK)};
    snprintf(spec, sizeof spec, "mold:" GROUP ":%u?interface=lo&keep_bytes=1048576", f->ports[0]);
    assert_int_equal(open_spec(f, spec), 0);
    assert_int_equal(setsockopt(f->sender, IPPROTO_IP, IP_MULTICAST_IF, &local, sizeof local), 0);
    size_t bytes = packet(datagram, "DAY1", 1, 10);
    if (sendto(f->sender, datagram, bytes, 0, (struct sockaddr *)&to, sizeof to) < 0) {
        print_message("this host sends no multicast over lo: %s\n", strerror(errno));
        skip();
    }
    expect(f, 10);
    bytes = packet(datagram, "DAY1", 11, 10);
    assert_int_equal(sendto(f->sender, datagram, bytes, 0, (struct sockaddr *)&other, sizeof other),
                     bytes);
    put(f, 0, 11, 10); /* nor what is sent to an address of this host */
    expect_nothing(f);
    feed_source_t *second; /* receivers share a group */
    assert_int_equal(feed_source_open(spec, FEED_CLOCK_MARKET, &second, &f->err), 0);
    feed_source_close(second);
}

/* ---- a network of this test's own, which needs root and ip(8) */

static int ip(const char *const *argv)
{
    program_t program = {.argv = argv};
    int code = program_run(&program);
    program_clear(&program);
    return code;
}
#define IP(...) (ip((const char *const[]){"ip", __VA_ARGS__, NULL}) == 0)

/* Two links of which nothing comes but what we send there, in a namespace that ends with this
 * thread's stay in it. Returns the one before; -1: not here. */
static int enter_own_network(void)
{
    int before = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (before < 0 || unshare(CLONE_NEWNET) < 0) {
        close(before);
        return -1;
    }
    bool made = IP("link", "set", "lo", "up") &&
                IP("link", "add", "tb0", "type", "veth", "peer", "name", "tb2") &&
                IP("link", "add", "tb1", "type", "veth", "peer", "name", "tb3") &&
                IP("addr", "add", "10.213.1.1/24", "dev", "tb0") &&
                IP("addr", "add", "10.213.1.9/24", "dev", "tb0") &&
                IP("addr", "add", "10.213.2.1/24", "dev", "tb1") &&
                IP("link", "set", "tb0", "up") && IP("link", "set", "tb1", "up") &&
                IP("link", "set", "tb2", "up") && IP("link", "set", "tb3", "up");
    if (made)
        return before;
    assert_int_equal(setns(before, CLONE_NEWNET), 0);
    close(before);
    return -1;
}

/* Messages sequence..+4 to a group, from that address of ours by its own link. */
static void put_to_group(const char *from, const char *group, uint64_t sequence)
{
    uint8_t datagram[MOLD_DATAGRAM_USUAL];
    struct sockaddr_in to = address(group, 26477);
    struct in_addr by = address(from, 0).sin_addr;
    int fd = bound(from, NULL);
    assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &by, sizeof by), 0);
    size_t bytes = packet(datagram, "DAY1", sequence, 5);
    assert_int_equal(sendto(fd, datagram, bytes, 0, (struct sockaddr *)&to, sizeof to), bytes);
    close(fd);
}

static void two_lines_come_by_two_interfaces_each_from_its_sender_alone(void **state)
{
    fixture_t *f = *state;
    int before = enter_own_network();
    if (before < 0) {
        print_message("no network namespaces here: they need root and ip(8)\n");
        skip();
    }
    assert_int_equal(open_spec(f, "mold:232.1.2.3:26477,232.1.2.4:26477?interface=tb0,tb1"
                                  "&source=10.213.1.1,10.213.2.1&keep_bytes=1048576"),
                     0);
    put_to_group("10.213.1.9", "232.1.2.3", 1); /* a stranger: the kernel does not take it */
    put_to_group("10.213.2.1", "232.1.2.3", 1); /* nor what comes by the other link */
    put_to_group("10.213.1.1", "232.1.2.3", 1);
    put_to_group("10.213.2.1", "232.1.2.4", 6);
    expect(f, 10);
    assert_int_equal(counted(f, "line.0.packets"), 1);
    assert_int_equal(counted(f, "line.1.packets"), 1);
    assert_int_equal(counted(f, "line.0.other_senders"), 0);
    assert_int_equal(open_spec_fails(f, "mold:232.1.2.3:26478?interface=tb0&source=::1"),
                     -TBUS_ECONFIG);
    feed_source_close(f->source);
    f->source = NULL;
    assert_int_equal(setns(before, CLONE_NEWNET), 0);
    close(before);
}

static void a_spec_that_cannot_be_is_refused_in_words_without_opening(void **state)
{
    (void)state;
    static const struct {
        const char *spec, *words; /* NULL: nothing is wrong with it */
    } cases[] = {
        {"233.54.12.111:26477", NULL},
        {"[ff15::1]:26477,233.54.12.111:26477", NULL},
        {"1.2.3.4:1,1.2.3.5:1?requests=1.2.3.6:18000&session=000010059B&from=0&reorder=1&hold=1s"
         "&give_up=1m&silent=1h&lost=never&receive_bytes=65536&interface=eth0&source=1.2.3.4"
         "&glimpse=h:1&user=a&password_file=/f",
         NULL},
        {"", "names no line"},
        {"?from=1", "names no line"},
        {"1.2.3.4:1,", "names no line"},
        {"1.2.3.4:1,1.2.3.5:1,1.2.3.6:1", "more than 2 lines"},
        {"1.2.3.4:1,1.2.3.4:1", "both lines"},
        {"1.2.3.4", "no address and port"},
        {"1.2.3.4:0", "no address and port"},
        {"1.2.3.4:65536", "no address and port"},
        {"1.2.3.4:1x", "no address and port"},
        {"ff15::1:26477", "no address and port"},
        {"1.2.3.4:1?requests=here", "'here' in the feed is no address and port"},
        {"1.2.3.4:1?glimpse=here", "'here' in the feed is no address and port"},
        {"1.2.3.4:1?from=x", "from=x in the feed: a sequence was expected"},
        {"1.2.3.4:1?session=12345678901", "at most 10 characters"},
        {"1.2.3.4:1?interface=0123456789abcdef", "no interface has a name as long"},
        {"1.2.3.4:1,1.2.3.5:1?interface=eth0,0123456789abcdef", "no interface has a name as long"},
        {"1.2.3.4:1,1.2.3.5:1?interface=eth0,eth1", NULL},
        {"1.2.3.4:1?interface=eth0,eth1", "one for all lines, or one for each"},
        {"1.2.3.4:1,1.2.3.5:1?interface=eth0,", "one for all lines, or one for each"},
        {"1.2.3.4:1,1.2.3.5:1?interface=a,b,c", "one for all lines, or one for each"},
        {"1.2.3.4:1?user=a", "are for glimpse="},
        {"1.2.3.4:1?give_up=never", "give_up=never"},
        {"1.2.3.4:1?reorder=0", "packets were expected"},
        {"1.2.3.4:1?receive_bytes=1", "bytes were expected"},
        {"1.2.3.4:1?hold=soon", "soon"},
        {"1.2.3.4:1?group=1", "the feed mold: has no key 'group'; there are: requests, interface"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tbus_error_t err = {0};
        int code = feed_source_check_mold(cases[i].spec, &err);
        if (code != (cases[i].words ? -TBUS_ECONFIG : 0) ||
            (cases[i].words && !strstr(err.text, cases[i].words)))
            fail_msg("%s: %d %s", cases[i].spec, code, err.text);
    }
}

static void what_cannot_be_opened_says_why(void **state)
{
    fixture_t *f = *state;
    char spec[100];
    snprintf(spec, sizeof spec, "mold:127.0.0.1:%u", f->server_port); /* which is taken */
    assert_int_equal(open_spec(f, spec), -EADDRINUSE);
    assert_non_null(strstr(f->err.text, spec + strlen("mold:")));
    assert_int_equal(open_spec(f, "mold:192.0.2.1:26477"), -EADDRNOTAVAIL);
    assert_non_null(strstr(f->err.text, "no group, and no address of this host"));
    assert_int_equal(open_spec(f, "mold:" GROUP ":26477?interface=nowhere0"), -TBUS_ECONFIG);
    assert_non_null(strstr(f->err.text, "interface=nowhere0"));
    snprintf(spec, sizeof spec, "mold:127.0.0.1:%u?glimpse=127.0.0.1:1&password_file=/nowhere",
             f->ports[0]);
    put(f, 0, 1, 1); /* to nobody */
    assert_int_equal(open_spec(f, "mold:127.0.0.1:9?source=localhost,here"), -TBUS_ECONFIG);
    assert_null(f->source);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_line_is_handed_out_tick_by_tick_until_the_session_ends),
        TEST(a_message_without_bytes_is_the_end_mark_if_the_session_ends_behind_it),
        TEST(a_message_without_bytes_before_another_a_gap_or_a_loss_is_a_message),
        TEST(in_batches_the_same_ticks_come),
        TEST(what_one_line_loses_the_other_brings),
        TEST(what_comes_twice_or_late_is_handed_out_once_and_in_order),
        TEST(without_requests_what_is_lost_is_a_mark_in_its_place),
        TEST(without_requests_a_hole_that_is_old_is_given_up),
        TEST(what_is_missing_is_requested_until_all_of_it_has_come),
        TEST(what_is_not_answered_is_given_up_after_a_while),
        TEST(a_server_that_nobody_runs_costs_gaps_and_no_more),
        TEST(who_starts_late_requests_the_past_from_the_place_that_is_wanted),
        TEST(from_0_begins_with_the_first_that_comes),
        TEST(another_session_on_the_line_is_counted_and_not_taken),
        TEST(hostile_packets_are_counted_by_their_fault_and_not_taken),
        TEST(a_message_that_is_no_itch_is_a_gap_of_its_own_and_the_feed_goes_on),
        TEST(another_protocol_within_the_packets_is_an_error),
        TEST(who_is_not_the_sender_of_a_line_is_not_listened_to),
        TEST(another_sender_takes_the_place_of_one_that_is_silent),
        TEST(senders_that_are_named_are_taken_alone),
        TEST(a_feed_that_falls_silent_is_an_error_after_what_has_come),
        TEST(packets_that_the_kernel_has_dropped_are_counted_and_their_messages_told),
        TEST(a_late_start_begins_with_a_snapshot_and_goes_on_behind_it),
        TEST(what_lies_between_a_snapshot_and_the_line_is_requested),
        TEST(a_snapshot_that_is_cut_off_is_an_error),
        TEST(a_snapshot_that_ends_in_nonsense_is_an_error),
        TEST(a_snapshot_of_another_session_is_an_error_unless_it_is_wanted),
        TEST(a_snapshot_that_does_not_come_in_time_is_an_error),
        TEST(packets_that_bring_nothing_new_do_not_keep_a_turn_for_ever),
        TEST(after_a_gap_a_snapshot_of_another_session_or_too_late_has_failed),
        TEST(after_a_gap_a_snapshot_comes_and_the_line_goes_on_behind_it),
        TEST(after_a_gap_a_snapshot_that_begins_where_the_line_goes_on_leaves_nothing_out),
        TEST(after_a_gap_a_snapshot_that_is_older_or_cut_off_has_failed),
        TEST(a_message_that_is_no_itch_brings_a_snapshot_like_any_gap),
        TEST(a_snapshot_with_a_message_that_is_no_itch_has_failed),
        TEST(after_a_gap_without_a_server_of_snapshots_messages_go_on),
        TEST(a_group_is_joined_on_the_interface_that_is_named),
        TEST(two_lines_come_by_two_interfaces_each_from_its_sender_alone),
        TEST(a_spec_that_cannot_be_is_refused_in_words_without_opening),
        TEST(what_cannot_be_opened_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
