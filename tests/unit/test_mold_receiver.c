/* SPDX-License-Identifier: Apache-2.0 */
/* The receiver of MoldUDP64, with made-up datagrams and times: each rule by itself. Whole schedules
 * against a model are in test_mold_lines.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bus/wire/mold_receiver.h"

#define MS UINT64_C(1000000)

static mold_receiver_t *receiver;
static uint8_t datagram[70000];
static uint64_t now_ns;

static mold_receiver_config_t usual(uint32_t lines)
{
    mold_receiver_config_t config = MOLD_RECEIVER_USUAL;
    config.lines = lines;
    config.window_messages = 1024;
    config.store_bytes = MOLD_STORE_BYTES_MIN;
    config.ask_window = 1;
    return config;
}

static void make(const mold_receiver_config_t *config)
{
    size_t bytes = mold_receiver_footprint(config);
    assert_true(bytes > 0);
    void *memory = aligned_alloc(64, bytes);
    receiver = mold_receiver_format(memory, config);
    assert_ptr_equal(receiver, memory);
    now_ns = 1000 * MS;
}

static int done(void **state)
{
    (void)state;
    free(receiver);
    receiver = NULL;
    return 0;
}

static enum mold_fault take(uint32_t line, const char *session, uint64_t sequence, uint32_t count)
{
    uint8_t padded[MOLD_SESSION_BYTES];
    char message[24];
    mold_writer_t w;
    mold_session_put(padded, session);
    mold_begin(&w, datagram, sizeof datagram, padded, sequence);
    if (count == MOLD_END_OF_SESSION) {
        mold_put_header(datagram, padded, sequence, MOLD_END_OF_SESSION);
        count = 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        int bytes = snprintf(message, sizeof message, "m%llu", (unsigned long long)sequence + i);
        assert_true(mold_add(&w, message, (size_t)bytes));
    }
    return mold_receiver_take(receiver, line, datagram, w.bytes, now_ns);
}

/* What is told now: "S5" a session that begins with 5, "3" a message, "4-6" a gap, "E7". */
static const char *told(void)
{
    static char text[4096];
    char expected[24];
    mold_event_t event;
    size_t at = 0;
    text[0] = 0;
    while (mold_receiver_next(receiver, &event)) {
        unsigned long long sequence = event.sequence, last = event.last;
        const char *space = at ? " " : "";
        switch (event.kind) {
        case MOLD_EVENT_SESSION:
            at += (size_t)sprintf(text + at, "%sS%llu", space, sequence);
            break;
        case MOLD_EVENT_MESSAGE:
            snprintf(expected, sizeof expected, "m%llu", sequence);
            assert_int_equal(event.bytes, strlen(expected));
            assert_memory_equal(event.data, expected, event.bytes);
            at += (size_t)sprintf(text + at, "%s%llu", space, sequence);
            break;
        case MOLD_EVENT_GAP:
            at += (size_t)sprintf(text + at, "%s%llu-%llu", space, sequence, last);
            break;
        case MOLD_EVENT_END:
            at += (size_t)sprintf(text + at, "%sE%llu", space, sequence);
            break;
        }
        assert_true(at < sizeof text - 60);
    }
    return text;
}

/* A packet of the usual session, and what is told thereupon. */
static const char *came(uint32_t line, uint64_t sequence, uint32_t count)
{
    assert_int_equal(take(line, "DAY1", sequence, count), MOLD_GOOD);
    return told();
}

static const mold_counts_t *counts(void)
{
    return mold_receiver_counts(receiver);
}

/* "from+count" of the request that is due; "": none. */
static const char *asked(void)
{
    static char text[64];
    uint8_t bytes[MOLD_HEADER_BYTES];
    mold_request_t request;
    text[0] = 0;
    if (mold_receiver_request(receiver, now_ns, bytes)) {
        assert_int_equal(mold_parse_request(bytes, sizeof bytes, &request), MOLD_GOOD);
        assert_memory_equal(request.session, "DAY1      ", 10);
        sprintf(text, "%llu+%u", (unsigned long long)request.sequence, request.count);
    }
    return text;
}

static void what_comes_in_order_is_told_in_place(void **state)
{
    (void)state;
    mold_receiver_config_t config = usual(1);
    mold_event_t event;
    make(&config);
    assert_int_equal(mold_receiver_expected(receiver), 0);
    assert_string_equal(came(0, 1, 2), "S1 1 2");
    assert_int_equal(take(0, "DAY1", 3, 1), MOLD_GOOD);
    assert_true(mold_receiver_next(receiver, &event));
    assert_true(event.data > datagram && event.data < datagram + 100); /* no copy */
    assert_int_equal(event.time_ns, now_ns);
    assert_false(mold_receiver_next(receiver, &event));
    assert_string_equal(came(0, 4, 0), "");
    assert_int_equal(mold_receiver_expected(receiver), 4);
    assert_false(mold_receiver_behind(receiver));
    assert_true(mold_receiver_deadline(receiver) == MOLD_NEVER);
    assert_int_equal(counts()->lines[0].packets, 2);
    assert_int_equal(counts()->lines[0].heartbeats, 1);
    assert_int_equal(counts()->messages, 3);
    assert_int_equal(counts()->kept_max, 0);
}

static void of_two_lines_the_first_copy_is_told(void **state)
{
    (void)state;
    mold_receiver_config_t config = usual(2);
    make(&config);
    assert_string_equal(came(1, 1, 2), "S1 1 2");
    assert_string_equal(came(0, 1, 2), "");
    assert_string_equal(came(0, 3, 2), "3 4");
    assert_string_equal(came(1, 5, 1), "5"); /* B has lost 3 and 4, A brought them */
    assert_string_equal(came(0, 5, 1), "");
    assert_int_equal(counts()->duplicates, 3);
    assert_int_equal(counts()->lines[0].first, 2);
    assert_int_equal(counts()->lines[1].first, 3);
    assert_int_equal(counts()->lines[0].lost, 0);
    assert_int_equal(counts()->lines[1].lost, 2);
    assert_int_equal(counts()->lines[0].duplicates, 0);
    assert_int_equal(counts()->lost, 0);
    assert_string_equal(came(1, 3, 1), ""); /* late, not lost */
    assert_int_equal(counts()->lines[1].lost, 1);
    assert_string_equal(came(1, 3, 1), ""); /* and twice */
    assert_int_equal(counts()->lines[1].lost, 1);
    assert_int_equal(counts()->lines[1].duplicates, 1);
}

static void of_a_packet_that_is_known_in_part_the_rest_is_told(void **state)
{
    (void)state;
    mold_receiver_config_t config = usual(2);
    make(&config);
    assert_string_equal(came(0, 1, 4), "S1 1 2 3 4");
    assert_string_equal(came(1, 3, 4), "5 6");
    assert_int_equal(counts()->cut, 1);
    assert_int_equal(counts()->duplicates, 2);
    assert_string_equal(came(0, 9, 2), ""); /* 7 and 8 are missing; 9 and 10 are kept */
    assert_string_equal(came(1, 8, 4), ""); /* 8 and 11 of it are new */
    assert_int_equal(counts()->cut, 2);
    assert_int_equal(counts()->duplicates, 4);
    assert_string_equal(came(0, 6, 2), "7 8 9 10 11");
    assert_int_equal(counts()->cut, 3);
    assert_int_equal(counts()->kept_max, 4);
    assert_int_equal(counts()->reordered, 2); /* 7 and 8 */
}

static void what_comes_out_of_order_waits_for_what_is_before_it(void **state)
{
    (void)state;
    mold_receiver_config_t config = usual(1);
    make(&config);
    assert_string_equal(came(0, 1, 1), "S1 1");
    assert_string_equal(came(0, 4, 1), "");
    assert_string_equal(came(0, 3, 1), "");
    assert_true(mold_receiver_behind(receiver));
    now_ns += 3;
    assert_string_equal(came(0, 2, 1), "2 3 4");
    assert_int_equal(counts()->reordered, 2);
    assert_int_equal(counts()->gaps, 0);
    assert_int_equal(counts()->lines[0].lost, 0);
    assert_false(mold_receiver_behind(receiver));
}

static void a_hole_is_given_up_when_every_line_is_past_it(void **state)
{
    (void)state;
    mold_receiver_config_t config = usual(2);
    config.reorder_packets = 3;
    make(&config);
    assert_string_equal(came(0, 1, 1), "S1 1");
    assert_string_equal(came(1, 1, 1), "");
    assert_string_equal(came(0, 4, 1), ""); /* 2 and 3 are missing */
    assert_string_equal(came(0, 5, 1), "");
    assert_string_equal(came(0, 6, 1), "");
    assert_string_equal(came(0, 7, 1), ""); /* A is past it; B may bring it */
    assert_string_equal(came(1, 4, 1), "");
    assert_string_equal(came(1, 5, 1), "");
    assert_string_equal(came(1, 6, 1), "2-3 4 5 6 7");
    assert_int_equal(counts()->gaps, 1);
    assert_int_equal(counts()->lost, 2);
    assert_string_equal(came(1, 2, 2), ""); /* too late: nothing is told twice */
}

static void a_hole_is_given_up_when_it_is_old(void **state)
{
    (void)state;
    mold_receiver_config_t config = usual(1);
    config.hold_ns = 5 * MS;
    make(&config);
    assert_string_equal(came(0, 1, 1), "S1 1");
    assert_string_equal(came(0, 3, 1), "");
    assert_true(mold_receiver_deadline(receiver) == now_ns + 5 * MS);
    now_ns += 5 * MS - 1;
    mold_receiver_tick(receiver, now_ns);
    assert_string_equal(told(), "");
    now_ns++;
    mold_receiver_tick(receiver, now_ns);
    assert_string_equal(told(), "2-2 3");
    assert_true(mold_receiver_deadline(receiver) == MOLD_NEVER);
}

static void a_heartbeat_shows_what_was_lost_before_it(void **state)
{
    (void)state;
    mold_receiver_config_t config = usual(1);
    make(&config);
    assert_string_equal(came(0, 1, 1), "S1 1");
    assert_string_equal(came(0, 4, 0), "");
    assert_true(mold_receiver_behind(receiver));
    assert_int_equal(counts()->lines[0].lost, 2);
    now_ns += 50 * MS;
    mold_receiver_tick(receiver, now_ns);
    assert_string_equal(told(), "2-3");
    assert_string_equal(came(0, 2, 0), ""); /* one that is late shows nothing */
    assert_string_equal(came(0, 4, 1), "4");
}

static void the_end_is_told_once_and_after_all_that_was_lost_before_it(void **state)
{
    (void)state;
    mold_receiver_config_t config = usual(1);
    config.reorder_packets = 3;
    make(&config);
    assert_string_equal(came(0, 1, 2), "S1 1 2");
    assert_string_equal(came(0, 5, MOLD_END_OF_SESSION), "");
    assert_string_equal(came(0, 5, MOLD_END_OF_SESSION), "");
    assert_string_equal(came(0, 5, MOLD_END_OF_SESSION), "3-4 E5");
    assert_string_equal(came(0, 5, MOLD_END_OF_SESSION), "");
    assert_int_equal(counts()->ends, 4);
    /* and what contradicts it is refused */
    assert_int_equal(take(0, "DAY1", 5, 1), MOLD_AFTER_END);
    assert_int_equal(take(0, "DAY1", 6, 0), MOLD_AFTER_END);
    assert_int_equal(take(0, "DAY1", 4, MOLD_END_OF_SESSION), MOLD_AFTER_END);
    assert_int_equal(take(0, "DAY1", 6, MOLD_END_OF_SESSION), MOLD_AFTER_END);
    assert_int_equal(counts()->faults[MOLD_AFTER_END], 4);
    assert_int_equal(counts()->lines[0].refused, 4);
    assert_string_equal(told(), "");
}

static void an_end_before_what_was_sent_is_refused(void **state)
{
    (void)state;
    mold_receiver_config_t config = usual(1);
    make(&config);
    assert_string_equal(came(0, 1, 5), "S1 1 2 3 4 5");
    assert_int_equal(take(0, "DAY1", 3, MOLD_END_OF_SESSION), MOLD_AFTER_END);
    assert_string_equal(told(), "");
    assert_string_equal(came(0, 6, 1), "6");
}

static void an_end_alone_is_a_session_of_nothing_or_of_one_gap(void **state)
{
    (void)state;
    mold_receiver_config_t config = usual(1);
    config.first = 0;
    make(&config);
    assert_string_equal(came(0, 7, MOLD_END_OF_SESSION), "S7 E7");
    done(NULL);
    config.first = 1;
    make(&config);
    assert_string_equal(came(0, 7, MOLD_END_OF_SESSION), "S1");
    mold_receiver_flush(receiver);
    assert_string_equal(told(), "1-6 E7");
}

static void another_session_begins_after_the_end(void **state)
{
    (void)state;
    mold_receiver_config_t config = usual(1);
    make(&config);
    assert_string_equal(came(0, 1, 1), "S1 1");
    assert_int_equal(take(0, "DAY2", 1, 1), MOLD_GOOD); /* it has not ended: foreign */
    assert_string_equal(told(), "");
    assert_int_equal(counts()->foreign, 1);
    assert_string_equal(came(0, 4, 1), "");
    assert_string_equal(came(0, 5, MOLD_END_OF_SESSION), "");
    /* what is left of the old one comes first, and the new one's own loss stays its own */
    assert_int_equal(take(0, "DAY2", 2, 2), MOLD_GOOD);
    assert_string_equal(told(), "2-3 4 E5 S1");
    assert_int_equal(take(0, "DAY2", 1, 1), MOLD_GOOD);
    assert_string_equal(told(), "1 2 3");
    /* a line that is behind still brings the old one */
    assert_int_equal(take(0, "DAY1", 5, MOLD_END_OF_SESSION), MOLD_GOOD);
    assert_string_equal(told(), "");
    assert_int_equal(counts()->foreign, 2);
    assert_int_equal(counts()->lines[0].lost, 2);
}

static void another_session_begins_after_a_silence(void **state)
{
    (void)state;
    mold_receiver_config_t config = usual(1);
    config.silent_ns = 10 * MS;
    make(&config);
    assert_string_equal(came(0, 1, 1), "S1 1");
    now_ns += 10 * MS - 1;
    assert_int_equal(take(0, "DAY2", 1, 1), MOLD_GOOD);
    assert_string_equal(told(), "");
    now_ns++;
    assert_int_equal(take(0, "DAY2", 1, 1), MOLD_GOOD);
    assert_string_equal(told(), "S1 1");
}

static void a_session_that_is_given_is_taken_alone(void **state)
{
    (void)state;
    mold_receiver_config_t config = usual(1);
    config.session_given = true;
    mold_session_put(config.session, "DAY1");
    make(&config);
    assert_int_equal(take(0, "DAY0", 1, 1), MOLD_GOOD);
    assert_string_equal(told(), "");
    assert_string_equal(came(0, 1, 1), "S1 1");
    assert_string_equal(came(0, 2, MOLD_END_OF_SESSION), "E2");
    assert_int_equal(take(0, "DAY2", 1, 1), MOLD_GOOD);
    assert_string_equal(told(), "");
    assert_int_equal(counts()->foreign, 2);
}

static void a_late_start_begins_where_it_is_told_to(void **state)
{
    (void)state;
    mold_receiver_config_t config = usual(1);
    config.first = 0; /* with what comes */
    make(&config);
    assert_string_equal(came(0, 19000000, 1), "S19000000 19000000");
    done(NULL);
    config.first = 5; /* what is before is not wanted, what is missing from there on is a hole */
    make(&config);
    assert_string_equal(came(0, 1, 2), "S5");
    assert_string_equal(came(0, 3, 4), "5 6");
    assert_int_equal(counts()->before, 4);
    assert_int_equal(counts()->duplicates, 0);
    assert_int_equal(counts()->lines[0].lost, 0);
    done(NULL);
    config.first = 1; /* and more is missing than the window holds */
    make(&config);
    assert_string_equal(came(0, 19000000, 1), "S1 1-18999999 19000000");
    assert_int_equal(counts()->lost, 18999999);
    assert_int_equal(counts()->lines[0].lost, 18999999);
}

static void a_receiver_that_waits_for_a_snapshot_keeps_what_comes(void **state)
{
    (void)state;
    mold_receiver_config_t config = usual(1);
    config.first = 0;
    config.wait = true;
    make(&config);
    assert_string_equal(came(0, 10, 3), "S10");
    assert_string_equal(came(0, 14, 2), "");
    mold_receiver_begin(receiver, 12, now_ns); /* in the middle */
    assert_string_equal(told(), "12");
    assert_string_equal(came(0, 13, 1), "13 14 15");
    assert_int_equal(counts()->before, 2);
    done(NULL);

    make(&config);
    assert_string_equal(came(0, 10, 3), "S10");
    mold_receiver_begin(receiver, 8, now_ns); /* the snapshot is older than what was kept */
    assert_string_equal(told(), "");
    assert_string_equal(came(0, 8, 2), "8 9 10 11 12");
    done(NULL);

    make(&config);
    assert_string_equal(came(0, 10, 3), "S10");
    mold_receiver_begin(receiver, 20, now_ns); /* it is newer */
    assert_string_equal(came(0, 13, 8), "20");
    done(NULL);

    make(&config);
    mold_receiver_begin(receiver, 7, now_ns); /* nothing has come before it */
    assert_string_equal(came(0, 5, 3), "S7 7");
    done(NULL);

    config.window_messages = 16; /* the oldest goes when there is no room */
    make(&config);
    assert_string_equal(came(0, 1, 8), "S1");
    assert_string_equal(came(0, 9, 8), "");
    assert_string_equal(came(0, 17, 4), "");
    mold_receiver_begin(receiver, 4, now_ns);
    assert_string_equal(told(), "");
    assert_string_equal(came(0, 4, 1), "4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20");
    done(NULL);

    make(&config); /* a packet larger than the window */
    assert_string_equal(came(0, 1, 40), "S1");
    assert_int_equal(mold_receiver_expected(receiver), 41);
    assert_string_equal(came(0, 41, 1), "");
    mold_receiver_begin(receiver, 41, now_ns);
    assert_string_equal(told(), "41");
    done(NULL);

    config.silent_ns = 10 * MS; /* another session begins meanwhile */
    make(&config);
    assert_string_equal(came(0, 5, 2), "S5");
    assert_string_equal(came(0, 9, 1), "");
    now_ns += 10 * MS;
    assert_int_equal(take(0, "DAY2", 3, 1), MOLD_GOOD);
    assert_string_equal(told(), "S1");
    mold_receiver_begin(receiver, 3, now_ns);
    assert_string_equal(told(), "3");
}

static void what_is_missing_is_asked_for_again_and_again_less_often(void **state)
{
    (void)state;
    mold_receiver_config_t config = usual(1);
    config.tries = 4;
    config.ask_ns = 1 * MS;
    config.retry_ns = 10 * MS;
    config.retry_ns_max = 25 * MS;
    config.reorder_packets = 1000;
    make(&config);
    assert_string_equal(came(0, 1, 1), "S1 1");
    assert_string_equal(came(0, 5, 1), "");
    assert_string_equal(asked(), "");
    static const unsigned after_ms[] = {1, 10, 20, 25};
    for (unsigned i = 0; i < 4; i++) {
        assert_true(mold_receiver_deadline(receiver) == now_ns + after_ms[i] * MS);
        now_ns += after_ms[i] * MS - 1;
        assert_string_equal(asked(), "");
        now_ns++;
        assert_string_equal(asked(), "2+3");
        assert_string_equal(asked(), "");
        assert_string_equal(told(), "");
    }
    assert_true(mold_receiver_deadline(receiver) == now_ns + 25 * MS);
    now_ns += 25 * MS;
    mold_receiver_tick(receiver, now_ns);
    assert_string_equal(told(), "2-4 5");
    assert_int_equal(counts()->requests, 4);
}

static void of_an_answer_that_holds_a_part_the_rest_is_asked_for(void **state)
{
    (void)state;
    mold_receiver_config_t config = usual(1);
    config.tries = 2;
    config.ask_ns = 1 * MS;
    make(&config);
    assert_string_equal(came(0, 1, 1), "S1 1");
    assert_string_equal(came(0, 8, 1), "");
    now_ns += 1 * MS;
    assert_string_equal(asked(), "2+6");
    assert_string_equal(came(MOLD_REPLIES, 2, 3), "2 3 4");
    assert_string_equal(asked(), ""); /* more of the answer may be on its way */
    now_ns += 1 * MS;
    assert_string_equal(asked(), "5+3");
    assert_string_equal(came(MOLD_REPLIES, 6, 1), ""); /* in the middle: two holes are left */
    now_ns += 1 * MS;
    assert_string_equal(asked(), "5+1");
    assert_string_equal(asked(), "7+1");
    assert_string_equal(came(MOLD_REPLIES, 7, 1), "");
    assert_string_equal(came(MOLD_REPLIES, 5, 1), "5 6 7 8");
    assert_int_equal(counts()->lines[MOLD_REPLIES].first, 6);
    assert_int_equal(counts()->lines[0].lost, 6); /* the line has lost them all the same */
    assert_int_equal(counts()->lost, 0);
}

static void a_hole_that_every_line_is_past_is_asked_for_at_once(void **state)
{
    (void)state;
    mold_receiver_config_t config = usual(1);
    config.tries = 2;
    config.ask_ns = 1000 * MS;
    config.reorder_packets = 2;
    make(&config);
    assert_string_equal(came(0, 1, 1), "S1 1");
    assert_string_equal(came(0, 3, 1), "");
    assert_string_equal(asked(), "");
    assert_string_equal(came(0, 4, 1), "");
    assert_string_equal(asked(), "2+1");
    assert_string_equal(asked(), "");
    assert_string_equal(came(0, 5, 1), ""); /* it is not given up: the answer is on its way */
}

static void a_large_hole_is_asked_for_in_as_much_as_a_request_can_say(void **state)
{
    (void)state;
    mold_receiver_config_t config = usual(1);
    config.tries = 1;
    config.ask_ns = 0;
    make(&config);
    assert_string_equal(came(0, 1, 1), "S1 1");
    assert_string_equal(came(0, 100000, 0), "");
    assert_string_equal(asked(), "2+65534");
}

/* 2..1001 are missing, and asked for with a window. */
static mold_receiver_config_t make_window(uint32_t window, uint32_t tries)
{
    mold_receiver_config_t config = usual(1);
    config.tries = tries;
    config.ask_window = window;
    config.ask_ns = 0;
    make(&config);
    assert_string_equal(came(0, 1, 1), "S1 1");
    assert_string_equal(came(0, 1002, 1), "");
    return config;
}

static void a_large_hole_is_asked_for_in_pieces_and_more_of_them_with_each_answer(void **state)
{
    (void)state;
    mold_receiver_config_t config = make_window(8, 3);
    assert_string_equal(asked(), "2+64");
    assert_string_equal(asked(), "66+64");
    assert_string_equal(asked(), ""); /* a quarter of the window, at first */
    assert_true(mold_receiver_deadline(receiver) == now_ns + config.retry_ns); /* and no sooner */
    assert_int_equal(take(MOLD_REPLIES, "DAY1", 2, 30), MOLD_GOOD); /* a packet has so many */
    assert_string_equal(told() + strlen(told()), "");
    assert_int_equal(mold_receiver_expected(receiver), 32);
    /* Two may wait beside that: what is left of the first, when no more of its answer comes. */
    assert_string_equal(asked(), "130+30");
    assert_string_equal(asked(), "160+30");
    assert_string_equal(asked(), "");
    now_ns += config.ask_on_ns;
    assert_int_equal(take(MOLD_REPLIES, "DAY1", 66, 64), MOLD_GOOD); /* one answer, two packets */
    told();
    assert_string_equal(asked(), "32+34"); /* a packet has room for 60, it seems */
    assert_string_equal(asked(), "190+60");
    assert_string_equal(asked(), "");
    /* Answers twice and in any order are harmless. */
    assert_int_equal(take(MOLD_REPLIES, "DAY1", 160, 30), MOLD_GOOD);
    told();
    assert_int_equal(take(MOLD_REPLIES, "DAY1", 160, 30), MOLD_GOOD);
    told();
    assert_int_equal(take(MOLD_REPLIES, "DAY1", 32, 34), MOLD_GOOD);
    told();
    assert_int_equal(mold_receiver_expected(receiver), 130);
    assert_int_equal(counts()->duplicates, 30);
}

static void all_of_a_large_hole_comes_with_few_round_trips(void **state)
{
    (void)state;
    make_window(16, 3);
    unsigned rounds = 0;
    for (; mold_receiver_behind(receiver) && rounds < 100; rounds++) {
        char requests[16][32];
        unsigned count = 0;
        while (count < 16 && *strcpy(requests[count], asked()))
            count++;
        assert_true(count > 0);
        for (unsigned i = 0; i < count; i++) { /* as many as a packet has room for: 20 */
            unsigned long long from, messages;
            assert_int_equal(sscanf(requests[i], "%llu+%llu", &from, &messages), 2);
            messages = messages < 20 ? messages : 20;
            assert_int_equal(take(MOLD_REPLIES, "DAY1", from, (uint32_t)messages), MOLD_GOOD);
            told();
        }
        now_ns += 100000; /* there and back */
    }
    assert_int_equal(mold_receiver_expected(receiver), 1003);
    assert_int_equal(counts()->lost, 0);
    assert_in_range(rounds, 4, 12); /* one after the other would be 50 */
}

static void without_answers_fewer_are_asked_for_and_all_is_given_up_together(void **state)
{
    (void)state;
    mold_receiver_config_t config = make_window(16, 2);
    for (unsigned i = 0; i < 4; i++)
        assert_string_not_equal(asked(), "");
    assert_string_equal(asked(), "");
    now_ns += config.retry_ns;
    for (unsigned i = 0; i < 4; i++)
        assert_string_not_equal(asked(), ""); /* again, and nothing else */
    assert_string_equal(asked(), "");
    assert_string_equal(told(), "");
    now_ns += 2 * config.retry_ns;
    mold_receiver_tick(receiver, now_ns);
    assert_string_equal(told(), "2-1001 1002");
    assert_int_equal(counts()->requests, 8);
    assert_string_equal(came(0, 2003, 1), "");
    for (unsigned i = 0; i < 2; i++) /* half of what it was */
        assert_string_not_equal(asked(), "");
    assert_string_equal(asked(), "");
}

static void a_piece_that_nobody_has_is_given_up_alone(void **state)
{
    (void)state;
    mold_receiver_config_t config = make_window(16, 2);
    for (unsigned i = 0; i < 4; i++)
        assert_string_not_equal(asked(), "");
    now_ns++;
    assert_int_equal(take(MOLD_REPLIES, "DAY1", 66, 64), MOLD_GOOD);
    assert_string_equal(told(), "");
    now_ns += config.retry_ns;
    while (*asked())
        continue;
    now_ns += 2 * config.retry_ns;
    mold_receiver_tick(receiver, now_ns);
    mold_event_t event;
    assert_true(mold_receiver_next(receiver, &event));
    assert_int_equal(event.kind, MOLD_EVENT_GAP);
    assert_int_equal(event.sequence, 2);
    assert_int_equal(event.last, 65);
}

/* Every second message: more holes than are kept apart, and yet each is told exactly. */
static void more_holes_than_there_is_room_for_are_told_exactly(void **state)
{
    (void)state;
    mold_receiver_config_t config = usual(1);
    config.reorder_packets = 1000;
    config.hold_ns = MOLD_NEVER;
    make(&config);
    assert_string_equal(came(0, 1, 1), "S1 1");
    for (uint64_t sequence = 3; sequence < 401; sequence += 2)
        assert_string_equal(came(0, sequence, 1), "");
    assert_string_equal(came(0, 200, 1), ""); /* in the last hole, which is many by now */
    assert_string_equal(came(0, 2, 1), "2 3");
    mold_receiver_flush(receiver);
    char all[4096];
    size_t at = 0;
    for (unsigned sequence = 4; sequence < 400; sequence++)
        if (sequence == 200)
            at += (size_t)sprintf(all + at, "%s200", at ? " " : "");
        else if (sequence % 2)
            at += (size_t)sprintf(all + at, " %u", sequence);
        else
            at += (size_t)sprintf(all + at, "%s%u-%u", at ? " " : "", sequence, sequence);
    assert_string_equal(told(), all);
    assert_int_equal(counts()->lost, 197);
    assert_int_equal(counts()->lines[0].lost, 197);
}

static void without_room_to_keep_more_the_oldest_hole_is_given_up(void **state)
{
    (void)state;
    mold_receiver_config_t config = usual(1);
    config.window_messages = 8;
    config.reorder_packets = 1000;
    config.hold_ns = MOLD_NEVER;
    make(&config);
    assert_string_equal(came(0, 1, 1), "S1 1");
    assert_string_equal(came(0, 3, 2), ""); /* 2 is missing */
    assert_string_equal(came(0, 6, 4), ""); /* 5, too; 2..9 is the window */
    assert_string_equal(came(0, 10, 1), "2-2 3 4");
    assert_string_equal(came(0, 30, 1), "5-5 6 7 8 9 10 11-29 30");
    assert_int_equal(counts()->gaps, 3);
    done(NULL);

    config.window_messages = 1 << 17; /* and now the bytes are too few */
    config.store_bytes = MOLD_STORE_BYTES_MIN;
    make(&config);
    assert_string_equal(came(0, 1, 1), "S1 1");
    uint64_t sequence = 3;
    while (mold_receiver_expected(receiver) == 2) {
        mold_event_t event;
        assert_int_equal(take(0, "DAY1", sequence, 40), MOLD_GOOD);
        while (mold_receiver_next(receiver, &event))
            ;
        sequence += 40;
    }
    assert_int_equal(mold_receiver_expected(receiver), sequence);
    assert_int_equal(counts()->lost, 1);
    assert_int_equal(counts()->messages, sequence - 2);
    assert_true(counts()->kept_max > 10000);
}

static void a_run_of_messages_can_be_taken_as_one(void **state)
{
    (void)state;
    mold_receiver_config_t config = usual(1);
    mold_run_t run;
    mold_event_t event;
    const uint8_t *message;
    size_t bytes;
    make(&config);
    assert_false(mold_receiver_peek(receiver, &run));
    assert_int_equal(take(0, "DAY1", 1, 3), MOLD_GOOD);
    assert_false(mold_receiver_peek(receiver, &run)); /* that a session begins is told first */
    assert_true(mold_receiver_next(receiver, &event));
    assert_true(mold_receiver_peek(receiver, &run));
    assert_int_equal(run.sequence, 1);
    assert_int_equal(run.count, 3);
    const uint8_t *at = mold_next(run.blocks, &message, &bytes);
    assert_memory_equal(message, "m1", 2);
    mold_receiver_took(receiver, 1, at);
    assert_string_equal(told(), "2 3");
    assert_false(mold_receiver_peek(receiver, &run));
    assert_int_equal(take(0, "DAY1", 3, 2), MOLD_GOOD); /* 3 is known */
    assert_false(mold_receiver_peek(receiver, &run));
    assert_string_equal(told(), "4");
    assert_string_equal(came(0, 7, 2), ""); /* behind a hole */
    assert_int_equal(take(0, "DAY1", 5, 2), MOLD_GOOD);
    assert_false(mold_receiver_peek(receiver, &run)); /* with something kept, one by one */
    assert_string_equal(told(), "5 6 7 8");
    assert_string_equal(came(0, 11, 0), ""); /* 9 and 10 were sent */
    assert_int_equal(take(0, "DAY1", 9, 3), MOLD_GOOD);
    assert_true(mold_receiver_peek(receiver, &run));
    assert_int_equal(run.count, 3);
    mold_receiver_took(receiver, 3, run.blocks);
    assert_string_equal(told(), "");
    assert_int_equal(mold_receiver_expected(receiver), 12);
    assert_int_equal(counts()->messages, 11);
    assert_int_equal(counts()->reordered, 4); /* 5 and 6; 9 and 10 */
    assert_int_equal(counts()->lines[0].first, 11);
    assert_int_equal(counts()->cut, 1);
}

static void what_finds_no_room_is_left_out_where_it_can_be_asked_for(void **state)
{
    (void)state;
    mold_receiver_config_t config = usual(1);
    config.window_messages = 8;
    config.tries = 3;
    make(&config);
    assert_string_equal(came(0, 101, 2), "S1"); /* begun too late: 1..100 are missing */
    assert_int_equal(counts()->left_out, 1);
    assert_string_equal(came(0, 103, 2), "");
    assert_int_equal(counts()->left_out, 2);
    assert_string_equal(asked(), ""); /* another line may bring it */
    now_ns += MS;
    assert_string_equal(asked(), "1+104"); /* what was left out, too */
    assert_string_equal(asked(), "");
    for (uint64_t at = 1; at < 93; at += 4) {
        assert_string_equal(came(0, 1001 + at, 1), ""); /* the line goes on */
        assert_int_equal(take(MOLD_REPLIES, "DAY1", at, 4), MOLD_GOOD);
        assert_string_not_equal(told(), "");
        assert_int_equal(mold_receiver_expected(receiver), at + 4);
        assert_string_equal(asked(), ""); /* the same answer may go on */
        now_ns += config.ask_on_ns;
        assert_string_not_equal(asked(), "");
    }
    assert_int_equal(counts()->gaps, 0);
    assert_int_equal(take(MOLD_REPLIES, "DAY1", 98, 2), MOLD_GOOD); /* 93..100 have room */
    assert_string_equal(told(), "");
    assert_int_equal(take(MOLD_REPLIES, "DAY1", 93, 5), MOLD_GOOD);
    assert_string_equal(told(), "93 94 95 96 97 98 99");
    assert_int_equal(counts()->lost, 0);
}

static void an_answer_that_finds_no_room_is_no_attempt_in_vain(void **state)
{
    (void)state;
    mold_receiver_config_t config = usual(1);
    config.window_messages = 8;
    config.tries = 2;
    make(&config);
    assert_string_equal(came(0, 3, 1), "S1");
    assert_string_equal(came(0, 5, 0), ""); /* 1, 2 and 4 are missing */
    for (int i = 0; i < 2; i++) {
        now_ns += 1000 * MS;
        assert_string_equal(asked(), i < 2 ? "1+2" : "");
        assert_string_equal(asked(), i ? "4+6" : "4+1");
        assert_int_equal(take(MOLD_REPLIES, "DAY1", 4, 6), MOLD_GOOD); /* 9 has no room */
        assert_string_equal(told(), "");
    }
    assert_int_equal(counts()->left_out, 2);
    now_ns += 20 * MS;
    mold_receiver_tick(receiver, now_ns);
    assert_string_equal(told(), "1-2 3"); /* 4 can be had all the same */
    assert_string_equal(asked(), "4+6");
}

static void what_is_wrong_is_refused_and_counted_by_its_name(void **state)
{
    (void)state;
    mold_receiver_config_t config = usual(2);
    make(&config);
    assert_string_equal(came(0, 1, 1), "S1 1");
    take(0, "DAY1", 2, 1);
    assert_string_equal(told(), "2");
    assert_int_equal(mold_receiver_take(receiver, 1, datagram, 19, now_ns), MOLD_SHORT);
    assert_int_equal(mold_receiver_take(receiver, 1, datagram, 22, now_ns), MOLD_OVERRUN);
    assert_int_equal(take(0, "DAY1", 0, 1), MOLD_SEQUENCE_ZERO);
    assert_int_equal(take(0, "DAY1", UINT64_MAX, 1), MOLD_SEQUENCE_OVERFLOW);
    assert_string_equal(told(), "");
    assert_int_equal(counts()->faults[MOLD_SHORT], 1);
    assert_int_equal(counts()->faults[MOLD_OVERRUN], 1);
    assert_int_equal(counts()->faults[MOLD_SEQUENCE_ZERO], 1);
    assert_int_equal(counts()->faults[MOLD_SEQUENCE_OVERFLOW], 1);
    assert_int_equal(counts()->lines[0].refused, 2);
    assert_int_equal(counts()->lines[1].refused, 2);
    assert_int_equal(take(0, "DAY1", UINT64_MAX - 1, 1), MOLD_FAR); /* until another says so */
    assert_string_equal(told(), "");
    assert_int_equal(counts()->faults[MOLD_FAR], 1);
    assert_string_equal(came(0, UINT64_MAX - 1, 1), "3-18446744073709551613 18446744073709551614");
}

/* Neither a message nor an end; what is near enough is believed at once. */
static void one_packet_that_is_far_ahead_changes_nothing(void **state)
{
    (void)state;
    mold_receiver_config_t config = usual(1);
    make(&config);
    assert_string_equal(came(0, 1, 1), "S1 1");
    assert_int_equal(take(0, "DAY1", UINT64_C(1) << 40, 1), MOLD_FAR);
    assert_int_equal(take(0, "DAY1", UINT64_C(1) << 50, MOLD_END_OF_SESSION), MOLD_FAR);
    assert_int_equal(take(0, "DAY1", UINT64_C(1) << 45, 0), MOLD_FAR);
    assert_string_equal(came(0, 2, 1), "2");
    assert_string_equal(came(0, 3 + MOLD_FAR_MESSAGES, 0), "");
    assert_string_equal(came(0, 3, 1), "3");
    assert_int_equal(counts()->gaps, 0);
}

/* An answer that is under way would be refused as foreign. */
static void a_session_whose_holes_are_asked_for_is_not_over_at_its_end(void **state)
{
    (void)state;
    mold_receiver_config_t config = usual(1);
    config.tries = 3;
    make(&config);
    assert_string_equal(came(0, 1, 1), "S1 1");
    assert_string_equal(came(0, 4, 1), "");
    assert_string_equal(came(0, 5, MOLD_END_OF_SESSION), "");
    assert_int_equal(take(0, "DAY2", 1, 1), MOLD_GOOD);
    assert_string_equal(told(), "");
    assert_string_equal(came(MOLD_REPLIES, 2, 2), "2 3 4 E5");
    assert_int_equal(take(0, "DAY2", 1, 1), MOLD_GOOD);
    assert_string_equal(told(), "S1 1");
}

static void a_false_heartbeat_holds_nothing_up_while_messages_come(void **state)
{
    (void)state;
    mold_receiver_config_t config = usual(1);
    make(&config);
    assert_string_equal(came(0, 1, 1), "S1 1");
    assert_string_equal(came(0, MOLD_FAR_MESSAGES, 0), ""); /* so much was sent, it says */
    for (unsigned i = 0; i < 30; i++) {
        char sequence[8];
        now_ns += 20 * MS;
        sprintf(sequence, "%u", 2 + i);
        assert_string_equal(came(0, 2 + i, 1), sequence);
    }
    assert_int_equal(counts()->gaps, 0);
}

static void bad_configurations_have_no_footprint(void **state)
{
    (void)state;
    mold_receiver_config_t good = usual(2), bad;
    assert_true(mold_receiver_footprint(&good) > 0);
    bad = good, bad.lines = 0;
    assert_int_equal(mold_receiver_footprint(&bad), 0);
    bad = good, bad.lines = 3;
    assert_int_equal(mold_receiver_footprint(&bad), 0);
    bad = good, bad.window_messages = 1000;
    assert_int_equal(mold_receiver_footprint(&bad), 0);
    bad = good, bad.window_messages = 1u << 31;
    assert_int_equal(mold_receiver_footprint(&bad), 0);
    bad = good, bad.store_bytes = MOLD_STORE_BYTES_MIN - 1;
    assert_int_equal(mold_receiver_footprint(&bad), 0);
    bad = good, bad.reorder_packets = 0;
    assert_int_equal(mold_receiver_footprint(&bad), 0);
    _Alignas(64) char memory[65];
    assert_null(mold_receiver_format(memory + 1, &good));
    assert_null(mold_receiver_format(NULL, &good));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_comes_in_order_is_told_in_place, done),
        cmocka_unit_test_teardown(of_two_lines_the_first_copy_is_told, done),
        cmocka_unit_test_teardown(of_a_packet_that_is_known_in_part_the_rest_is_told, done),
        cmocka_unit_test_teardown(what_comes_out_of_order_waits_for_what_is_before_it, done),
        cmocka_unit_test_teardown(a_hole_is_given_up_when_every_line_is_past_it, done),
        cmocka_unit_test_teardown(a_hole_is_given_up_when_it_is_old, done),
        cmocka_unit_test_teardown(a_heartbeat_shows_what_was_lost_before_it, done),
        cmocka_unit_test_teardown(the_end_is_told_once_and_after_all_that_was_lost_before_it, done),
        cmocka_unit_test_teardown(an_end_before_what_was_sent_is_refused, done),
        cmocka_unit_test_teardown(an_end_alone_is_a_session_of_nothing_or_of_one_gap, done),
        cmocka_unit_test_teardown(another_session_begins_after_the_end, done),
        cmocka_unit_test_teardown(another_session_begins_after_a_silence, done),
        cmocka_unit_test_teardown(a_session_that_is_given_is_taken_alone, done),
        cmocka_unit_test_teardown(a_late_start_begins_where_it_is_told_to, done),
        cmocka_unit_test_teardown(a_receiver_that_waits_for_a_snapshot_keeps_what_comes, done),
        cmocka_unit_test_teardown(what_is_missing_is_asked_for_again_and_again_less_often, done),
        cmocka_unit_test_teardown(of_an_answer_that_holds_a_part_the_rest_is_asked_for, done),
        cmocka_unit_test_teardown(a_hole_that_every_line_is_past_is_asked_for_at_once, done),
        cmocka_unit_test_teardown(a_large_hole_is_asked_for_in_as_much_as_a_request_can_say, done),
        cmocka_unit_test_teardown(
            a_large_hole_is_asked_for_in_pieces_and_more_of_them_with_each_answer, done),
        cmocka_unit_test_teardown(all_of_a_large_hole_comes_with_few_round_trips, done),
        cmocka_unit_test_teardown(without_answers_fewer_are_asked_for_and_all_is_given_up_together,
                                  done),
        cmocka_unit_test_teardown(a_piece_that_nobody_has_is_given_up_alone, done),
        cmocka_unit_test_teardown(more_holes_than_there_is_room_for_are_told_exactly, done),
        cmocka_unit_test_teardown(without_room_to_keep_more_the_oldest_hole_is_given_up, done),
        cmocka_unit_test_teardown(a_run_of_messages_can_be_taken_as_one, done),
        cmocka_unit_test_teardown(what_finds_no_room_is_left_out_where_it_can_be_asked_for, done),
        cmocka_unit_test_teardown(an_answer_that_finds_no_room_is_no_attempt_in_vain, done),
        cmocka_unit_test_teardown(what_is_wrong_is_refused_and_counted_by_its_name, done),
        cmocka_unit_test_teardown(one_packet_that_is_far_ahead_changes_nothing, done),
        cmocka_unit_test_teardown(a_session_whose_holes_are_asked_for_is_not_over_at_its_end, done),
        cmocka_unit_test_teardown(a_false_heartbeat_holds_nothing_up_while_messages_come, done),
        cmocka_unit_test_teardown(bad_configurations_have_no_footprint, done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
