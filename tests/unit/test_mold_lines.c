/* SPDX-License-Identifier: Apache-2.0 */
/* Whole schedules of one or two lines of MoldUDP64 that lose, double and exchange packets, from a
 * random seed, against a plain model: an array of what has come.
 *
 *    SCHEDULES=N   instead of 400 of each kind; TICKBUS_SEED=N: from another seed than 1 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bus/wire/mold_receiver.h"

#define MESSAGES_MAX 600u
#define PACKETS_MAX  4000u
#define MS           UINT64_C(1000000)

static const uint8_t session[MOLD_SESSION_BYTES] = "SCHEDULE  ";

typedef struct shot {
    uint64_t at; /* when it arrives */
    uint32_t line;
    uint16_t count; /* 0: a heartbeat; MOLD_END_OF_SESSION */
    uint64_t sequence;
} shot_t;

/* What a schedule is made of. */
typedef struct world {
    mold_receiver_config_t config;
    uint32_t messages;
    uint32_t loss, doubles, late; /* of 1,000 packets */
    uint32_t late_packets_max;    /* how far one may fall back */
    uint32_t burst;               /* of 1,000: so many packets in a row are lost */
    uint32_t replies_lost;        /* of 1,000 */
} world_t;

static uint64_t state_of_random;
static shot_t shots[PACKETS_MAX];
static size_t shots_count;

/* The model: what has come, and what was told of it. */
static struct {
    bool came[MESSAGES_MAX + 2];
    bool line_came[MOLD_LINES_MAX][MESSAGES_MAX + 2];
    uint64_t line_shown[MOLD_LINES_MAX];
    uint64_t next;
    uint64_t shown; /* one more than the highest that anything has shown */
    uint64_t offered;
    uint64_t told, lost, gaps;
    bool ended;
    bool lost_message[MESSAGES_MAX + 2];
} model;

static uint64_t draw(void)
{
    uint64_t z = (state_of_random += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint32_t below(uint32_t limit)
{
    return (uint32_t)((draw() >> 32) % limit);
}

static bool of_1000(uint32_t part)
{
    return below(1000) < part;
}

static size_t message_bytes(uint64_t sequence)
{
    return (size_t)(sequence * 7 % 40); /* some have none */
}

static uint8_t message_byte(uint64_t sequence, size_t i)
{
    return (uint8_t)(sequence * 31 + i);
}

/* ---- the schedule ---- */

static int by_time(const void *a, const void *b)
{
    const shot_t *left = a, *right = b;
    if (left->at != right->at)
        return left->at < right->at ? -1 : 1;
    return left < right ? -1 : left > right;
}

static void shoot(uint64_t at, uint32_t line, uint64_t sequence, uint16_t count)
{
    assert_true(shots_count < PACKETS_MAX);
    shots[shots_count++] = (shot_t){.at = at, .line = line, .sequence = sequence, .count = count};
}

/* Both lines carry the same messages, cut into packets differently. */
static void plan_line(const world_t *w, uint32_t line)
{
    uint64_t at = line * 700, sequence = 1;
    uint32_t burst = 0;
    while (sequence <= w->messages) {
        uint32_t left = w->messages + 1 - (uint32_t)sequence;
        uint16_t count = (uint16_t)(1 + below(7));
        count = (uint16_t)(count < left ? count : left);
        at += 1000;
        if (burst == 0 && of_1000(w->burst))
            burst = 1 + below(40);
        bool lost = burst > 0 || of_1000(w->loss);
        burst -= burst > 0;
        uint64_t delay = of_1000(w->late) ? 1000 * (1 + below(w->late_packets_max)) + 1 : 0;
        if (!lost)
            shoot(at + delay, line, sequence, count);
        if (!lost && of_1000(w->doubles))
            shoot(at + delay + below(5000), line, sequence, count);
        sequence += count;
        if (of_1000(30))
            shoot(at + 1, line, sequence, 0);
    }
    for (unsigned i = 0; i < 3; i++)
        shoot(at + 100000 * (i + 1), line, sequence, i ? MOLD_END_OF_SESSION : 0);
}

static void plan(const world_t *w)
{
    shots_count = 0;
    for (uint32_t line = 0; line < w->config.lines; line++)
        plan_line(w, line);
    qsort(shots, shots_count, sizeof shots[0], by_time);
}

/* ---- the run ---- */

static size_t write_packet(uint8_t *to, size_t room, uint64_t sequence, uint16_t count)
{
    uint8_t message[64];
    mold_writer_t w;
    mold_begin(&w, to, room, session, sequence);
    if (count == MOLD_END_OF_SESSION)
        mold_put_header(to, session, sequence, count);
    for (uint64_t s = sequence; count != MOLD_END_OF_SESSION && s < sequence + count; s++) {
        for (size_t i = 0; i < message_bytes(s); i++)
            message[i] = message_byte(s, i);
        assert_true(mold_add(&w, message, message_bytes(s)));
    }
    return w.bytes;
}

static void note_came(uint32_t line, uint64_t sequence, uint16_t count)
{
    count = count == MOLD_END_OF_SESSION ? 0 : count;
    uint64_t end = sequence + count;
    model.shown = end > model.shown ? end : model.shown;
    model.offered += count;
    if (line < MOLD_LINES_MAX && end > model.line_shown[line])
        model.line_shown[line] = end;
    for (uint64_t s = sequence; s < end; s++) {
        model.came[s] = true;
        if (line < MOLD_LINES_MAX)
            model.line_came[line][s] = true;
    }
}

static void check_message(const mold_event_t *event)
{
    assert_int_equal(event->sequence, model.next++);
    assert_int_equal(event->bytes, message_bytes(event->sequence));
    for (size_t i = 0; i < event->bytes; i++)
        assert_int_equal(event->data[i], message_byte(event->sequence, i));
    assert_true(model.came[event->sequence]);
    model.told++;
}

/* Whatever is told as lost has not come until then. */
static void check_gap(const mold_event_t *event)
{
    assert_int_equal(event->sequence, model.next);
    assert_true(event->last >= event->sequence && event->last < model.shown);
    for (; model.next <= event->last; model.next++) {
        assert_false(model.came[model.next]);
        model.lost_message[model.next] = true;
        model.lost++;
    }
    model.gaps++;
}

static void drain(mold_receiver_t *r)
{
    mold_event_t event;
    while (mold_receiver_next(r, &event)) {
        assert_false(model.ended);
        if (event.kind == MOLD_EVENT_MESSAGE)
            check_message(&event);
        else if (event.kind == MOLD_EVENT_GAP)
            check_gap(&event);
        else if (event.kind == MOLD_EVENT_END)
            model.ended = true;
    }
    assert_int_equal(mold_receiver_expected(r), model.next);
    assert_false(model.next < model.shown && model.came[model.next]); /* else it would be told */
}

static void offer(mold_receiver_t *r, uint32_t line, uint64_t sequence, uint16_t count,
                  uint64_t now_ns)
{
    uint8_t room[1024];
    size_t bytes = write_packet(room, sizeof room, sequence, count);
    uint8_t *exact = malloc(bytes); /* so that a read beyond it, or after it, is seen */
    memcpy(exact, room, bytes);
    assert_int_equal(mold_receiver_take(r, line, exact, bytes, now_ns), MOLD_GOOD);
    note_came(line, sequence, count);
    drain(r);
    free(exact);
}

/* Requests that are due, and their answers, some of which are lost. */
static void answer(mold_receiver_t *r, const world_t *w, uint64_t now_ns)
{
    uint8_t bytes[MOLD_HEADER_BYTES];
    mold_request_t request;
    while (mold_receiver_request(r, now_ns, bytes)) {
        assert_int_equal(mold_parse_request(bytes, sizeof bytes, &request), MOLD_GOOD);
        assert_memory_equal(request.session, session, sizeof session);
        assert_true(request.sequence >= model.next);
        assert_true(request.sequence + request.count <= model.shown);
        assert_false(model.came[request.sequence]);
        uint16_t count = request.count < 5 ? request.count : (uint16_t)(1 + below(5));
        if (!of_1000(w->replies_lost))
            offer(r, MOLD_REPLIES, request.sequence, count, now_ns);
    }
}

/* What is due until then. */
static void let_pass(mold_receiver_t *r, const world_t *w, uint64_t until_ns)
{
    uint64_t due_ns, last_ns = 0;
    while ((due_ns = mold_receiver_deadline(r)) <= until_ns) {
        assert_true(due_ns >= last_ns); /* and it moves on, or this would never end */
        last_ns = due_ns;
        mold_receiver_tick(r, due_ns);
        drain(r);
        answer(r, w, due_ns);
        assert_true(mold_receiver_deadline(r) > due_ns);
    }
}

static void check_counts(const mold_receiver_t *r, const world_t *w)
{
    const mold_counts_t *c = mold_receiver_counts(r);
    uint64_t first = 0;
    for (uint32_t line = 0; line <= MOLD_LINES_MAX; line++)
        first += c->lines[line].first;
    for (uint32_t line = 0; line < w->config.lines; line++) {
        uint64_t lost = 0;
        for (uint64_t s = 1; s < model.line_shown[line]; s++)
            lost += !model.line_came[line][s];
        assert_int_equal(c->lines[line].lost, lost);
    }
    assert_int_equal(c->messages, model.told);
    assert_int_equal(first, model.told);
    assert_int_equal(c->lost, model.lost);
    assert_int_equal(c->gaps, model.gaps);
    assert_int_equal(c->duplicates + c->messages, model.offered);
    assert_int_equal(c->before + c->foreign, 0);
}

static void run(const world_t *w)
{
    size_t bytes = mold_receiver_footprint(&w->config);
    void *memory = aligned_alloc(64, bytes);
    mold_receiver_t *r = mold_receiver_format(memory, &w->config);
    assert_non_null(r);
    memset(&model, 0, sizeof model);
    model.next = 1;
    plan(w);
    for (size_t i = 0; i < shots_count; i++) {
        let_pass(r, w, shots[i].at);
        offer(r, shots[i].line, shots[i].sequence, shots[i].count, shots[i].at);
        answer(r, w, shots[i].at);
    }
    let_pass(r, w, shots[shots_count - 1].at + 1000000 * MS);
    mold_receiver_flush(r);
    drain(r);
    assert_int_equal(model.next, w->messages + 1);
    assert_true(model.ended);
    check_counts(r, w);
    free(memory);
}

static world_t any_world(uint32_t lines)
{
    world_t w = {.config = MOLD_RECEIVER_USUAL};
    w.config.lines = lines;
    w.config.store_bytes = MOLD_STORE_BYTES_MIN;
    w.config.window_messages = 1024;
    w.config.hold_ns = MOLD_NEVER;
    w.config.reorder_packets = 1 + below(12);
    w.messages = 1 + below(MESSAGES_MAX);
    w.loss = below(4) ? below(150) : 0;
    w.doubles = below(100);
    w.late = below(200);
    w.late_packets_max = 1 + below(12);
    w.burst = below(3) ? 0 : below(20);
    return w;
}

static uint64_t schedules(void)
{
    const char *text = getenv("SCHEDULES");
    return text ? strtoull(text, NULL, 0) : 400;
}

/* Says how to have a schedule again, should it fail. */
static void begin_schedule(const char *kind, uint64_t number)
{
    const char *text = getenv("TICKBUS_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 0) : 1;
    state_of_random = seed + (number << 20);
    if (number == 0)
        print_message("%s: TICKBUS_SEED=%llu\n", kind, (unsigned long long)seed);
}

/* Nothing is given up before the end: so what is told as lost is what never came. */
static void with_time_and_room_what_never_came_is_lost_and_nothing_else(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < schedules(); i++) {
        begin_schedule("with time and room", i);
        world_t w = any_world(1 + i % 2);
        w.config.reorder_packets = 65535;
        run(&w);
        for (uint64_t s = 1; s <= w.messages; s++)
            assert_int_equal(model.lost_message[s], !model.came[s]);
    }
}

static void whatever_the_patience_nothing_that_has_come_is_lost(void **state)
{
    (void)state;
    uint64_t late = 0;
    for (uint64_t i = 0; i < schedules(); i++) {
        begin_schedule("any patience", i);
        world_t w = any_world(1 + i % 2);
        if (below(2))
            w.config.hold_ns = 1 + below(20000);
        run(&w);
        for (uint64_t s = 1; s <= w.messages; s++)
            late += model.lost_message[s] && model.came[s];
    }
    assert_true(schedules() < 100 || late > 0); /* it does happen, or this has shown nothing */
}

static void however_small_the_window_nothing_that_has_come_is_lost(void **state)
{
    (void)state;
    uint64_t gaps = 0;
    for (uint64_t i = 0; i < schedules(); i++) {
        begin_schedule("small windows", i);
        world_t w = any_world(1);
        w.config.window_messages = 128u; /* lines are counted within it */
        w.late_packets_max = 1 + below(8);
        w.config.reorder_packets = 65535;
        run(&w);
        gaps += model.gaps;
    }
    assert_true(schedules() < 100 || gaps > 0);
}

static void what_is_answered_is_never_lost(void **state)
{
    (void)state;
    uint64_t requests = 0;
    for (uint64_t i = 0; i < schedules(); i++) {
        begin_schedule("requests", i);
        world_t w = any_world(1 + i % 2);
        w.config.ask_window = 1 + (uint32_t)below(MOLD_ASK_WINDOW_MAX);
        w.config.tries = 60; /* one half to the power of 60 are lost all the same */
        w.config.ask_ns = below(2) ? below(5000) : 0;
        w.config.retry_ns = 1000 + below(10000);
        w.config.retry_ns_max = w.config.retry_ns * (1 + below(8));
        w.replies_lost = below(500);
        run(&w);
        assert_int_equal(model.gaps, 0);
        requests += model.told == w.messages;
    }
    assert_int_equal(requests, schedules());
}

static void requests_without_an_answer_end_in_gaps(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < schedules(); i++) {
        begin_schedule("no answers", i);
        world_t w = any_world(1 + i % 2);
        w.config.ask_window = 1 + (uint32_t)below(MOLD_ASK_WINDOW_MAX);
        w.config.tries = 1 + below(3);
        w.config.ask_ns = 1000;
        w.config.retry_ns = 1000;
        w.config.retry_ns_max = 8000;
        w.replies_lost = below(3) ? 1000 : below(1000);
        run(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_time_and_room_what_never_came_is_lost_and_nothing_else),
        cmocka_unit_test(whatever_the_patience_nothing_that_has_come_is_lost),
        cmocka_unit_test(however_small_the_window_nothing_that_has_come_is_lost),
        cmocka_unit_test(what_is_answered_is_never_lost),
        cmocka_unit_test(requests_without_an_answer_end_in_gaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
