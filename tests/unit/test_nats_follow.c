/* SPDX-License-Identifier: Apache-2.0 */
/* What a reader makes of the messages of a stream, whatever they say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feedsim/nats/follow.h"

#define SESSION "DAY0000001"

typedef struct fixture {
    nats_follow_t follow;
    nats_followed_t got;
    tbus_error_t err;
    nats_arrival_t arrival;
    char id[NATS_ID_MAX], seq[24], lost[24];
} fixture_t;

static int set_up(void **state)
{
    fixture_t *f = calloc(1, sizeof *f);
    if (!f)
        return -1;
    f->follow = (nats_follow_t){
        .stream = "lab", .session = SESSION, .topic = "md", .type = "tick", .bytes_max = 65535};
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

static void header(fixture_t *f, enum nats_follow_header which, const char *value)
{
    f->arrival.values[which] = value;
    f->arrival.counts[which] = value != NULL;
}

/* A message as a bridge writes it. */
static void make(fixture_t *f, const char *type, uint64_t seq)
{
    f->arrival = (nats_arrival_t){.subject = "tickbus.lab.md", .bytes = 36};
    memset(&f->err, 0, sizeof f->err);
    assert_true(nats_id(SESSION, "md", seq, strcmp(type, NATS_TYPE_END) == 0, f->id));
    snprintf(f->seq, sizeof f->seq, "%" PRIu64, seq);
    header(f, NATS_FOLLOW_ID, f->id);
    header(f, NATS_FOLLOW_SEQUENCE, f->seq);
    header(f, NATS_FOLLOW_TYPE, type);
}

static int take_made(fixture_t *f)
{
    return nats_follow_take(&f->follow, &f->arrival, &f->got, &f->err);
}

static int take(fixture_t *f, const char *type, uint64_t seq)
{
    make(f, type, seq);
    return take_made(f);
}

static int take_lost(fixture_t *f, uint64_t seq, uint64_t count)
{
    make(f, NATS_TYPE_LOST, seq);
    snprintf(f->lost, sizeof f->lost, "%" PRIu64, count);
    header(f, NATS_FOLLOW_LOST_COUNT, f->lost);
    return take_made(f);
}

static void messages_follow_one_another_from_whatever_the_first_is(void **state)
{
    fixture_t *f = *state;
    for (uint64_t seq = 41; seq < 45; seq++) {
        assert_int_equal(take(f, "tick", seq), NATS_FOLLOW_MESSAGE);
        assert_int_equal(f->got.seq, seq);
        assert_int_equal(f->got.time_ns, 0);
        assert_false(f->got.warm_up);
    }
}

static void time_and_warm_up_come_with_their_message(void **state)
{
    fixture_t *f = *state;
    make(f, "tick", 1);
    header(f, NATS_FOLLOW_TIME, "1700000000000000001");
    header(f, NATS_FOLLOW_WARM_UP, "1");
    assert_int_equal(take_made(f), NATS_FOLLOW_MESSAGE);
    assert_int_equal(f->got.time_ns, UINT64_C(1700000000000000001));
    assert_true(f->got.warm_up);
}

static void what_was_taken_is_passed_over_when_it_comes_again_or_out_of_order(void **state)
{
    fixture_t *f = *state;
    assert_int_equal(take(f, "tick", 7), NATS_FOLLOW_MESSAGE);
    assert_int_equal(take(f, "tick", 7), NATS_FOLLOW_PASSED);
    assert_int_equal(take(f, "tick", 3), NATS_FOLLOW_PASSED);
    assert_int_equal(take_lost(f, 5, 5), NATS_FOLLOW_PASSED);
    assert_int_equal(take(f, NATS_TYPE_VOID, 7), NATS_FOLLOW_PASSED);
    assert_int_equal(f->follow.passed, 4);
    assert_int_equal(take(f, "tick", 8), NATS_FOLLOW_MESSAGE);
}

static void what_is_missing_is_told_before_the_message_behind_it_is_taken(void **state)
{
    fixture_t *f = *state;
    assert_int_equal(take(f, "tick", 7), NATS_FOLLOW_MESSAGE);
    for (unsigned i = 0; i < 2; i++) { /* and nothing has changed */
        assert_int_equal(take(f, "tick", 10), NATS_FOLLOW_HOLE);
        assert_int_equal(f->got.seq, 8);
        assert_int_equal(f->got.last, 9);
    }
    nats_follow_skip(&f->follow, 10);
    assert_int_equal(take(f, "tick", 10), NATS_FOLLOW_MESSAGE);
    assert_int_equal(take_lost(f, 20, 5), NATS_FOLLOW_HOLE);
    assert_int_equal(f->got.seq, 11);
    assert_int_equal(f->got.last, 15);
    assert_int_equal(take(f, NATS_TYPE_END, 12), NATS_FOLLOW_HOLE);
    assert_int_equal(f->got.seq, 11);
    assert_int_equal(f->got.last, 12);
}

static void losses_of_the_bridge_are_a_range_less_what_was_taken(void **state)
{
    fixture_t *f = *state;
    assert_int_equal(take(f, "tick", 7), NATS_FOLLOW_MESSAGE);
    assert_int_equal(take_lost(f, 10, 3), NATS_FOLLOW_LOST);
    assert_int_equal(f->got.seq, 8);
    assert_int_equal(f->got.last, 10);
    assert_int_equal(take_lost(f, 12, 12), NATS_FOLLOW_LOST);
    assert_int_equal(f->got.seq, 11);
    assert_int_equal(f->got.last, 12);
    assert_int_equal(take(f, NATS_TYPE_VOID, 13), NATS_FOLLOW_LOST);
    assert_int_equal(f->got.seq, 13);
    assert_int_equal(f->got.last, 13);
    assert_int_equal(take(f, NATS_TYPE_END, 13), NATS_FOLLOW_END);
    assert_int_equal(f->got.seq, 13);
}

static void a_topic_without_a_message_can_end(void **state)
{
    fixture_t *f = *state;
    f->follow.next = 1;
    assert_int_equal(take(f, NATS_TYPE_END, 0), NATS_FOLLOW_END);
}

static void other_topics_are_passed_over_whatever_they_say(void **state)
{
    fixture_t *f = *state;
    f->arrival = (nats_arrival_t){.subject = "tickbus.lab.bbo"};
    assert_int_equal(take_made(f), NATS_FOLLOW_PASSED);
    make(f, "tick", 1);
    f->arrival.subject = "tickbus.lab.md.BRK%2EB";
    assert_int_equal(take_made(f), NATS_FOLLOW_MESSAGE);
    static const char *const foreign[] = {"tickbus.lab.",       "tickbus.lab",
                                          "tickbus.other.md",   "",
                                          "tickbus.lab.md.a.b", "tickbus.lab.md.%zz"};
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        make(f, "tick", 2);
        f->arrival.subject = foreign[i];
        assert_int_equal(take_made(f), -TBUS_EFORMAT);
    }
}

/* Each with what the error must name. */
static void headers_that_are_missing_doubled_or_wrong_are_refused_and_nothing_changes(void **state)
{
    fixture_t *f = *state;
    static const struct {
        enum nats_follow_header header;
        const char *value;
        uint32_t count;
    } wrong[] = {
        {NATS_FOLLOW_ID, NULL, 0},
        {NATS_FOLLOW_ID, SESSION ".md.8", 1},
        {NATS_FOLLOW_ID, SESSION ".bbo.7", 1},
        {NATS_FOLLOW_ID, SESSION ".md.end", 1},
        {NATS_FOLLOW_ID, "md", 1},
        {NATS_FOLLOW_ID, "..", 1},
        {NATS_FOLLOW_ID, SESSION ".md.7", 2},
        {NATS_FOLLOW_SEQUENCE, NULL, 0},
        {NATS_FOLLOW_SEQUENCE, "", 1},
        {NATS_FOLLOW_SEQUENCE, "-7", 1},
        {NATS_FOLLOW_SEQUENCE, "+7", 1},
        {NATS_FOLLOW_SEQUENCE, " 7", 1},
        {NATS_FOLLOW_SEQUENCE, "7x", 1},
        {NATS_FOLLOW_SEQUENCE, "18446744073709551616", 1},
        {NATS_FOLLOW_SEQUENCE, "7", 2},
        {NATS_FOLLOW_TYPE, NULL, 0},
        {NATS_FOLLOW_TYPE, "tick", 3},
        {NATS_FOLLOW_TIME, "soon", 1},
        {NATS_FOLLOW_TIME, "1", 2},
        {NATS_FOLLOW_WARM_UP, "0", 1},
        {NATS_FOLLOW_WARM_UP, "1", 2},
        {NATS_FOLLOW_LOST_COUNT, "many", 1},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        make(f, "tick", 7);
        f->arrival.values[wrong[i].header] = wrong[i].value;
        f->arrival.counts[wrong[i].header] = wrong[i].count;
        if (take_made(f) != -TBUS_EFORMAT)
            fail_msg("%s: %s is taken", nats_follow_headers[wrong[i].header], wrong[i].value);
        assert_non_null(strstr(f->err.text, nats_follow_headers[wrong[i].header]));
        assert_int_equal(f->follow.next, 0);
    }
}

static void sequences_and_losses_that_cannot_be_are_refused(void **state)
{
    fixture_t *f = *state;
    assert_int_equal(take(f, "tick", 0), -TBUS_EFORMAT);
    assert_int_equal(take(f, "tick", UINT64_MAX), -TBUS_EFORMAT);
    assert_int_equal(take(f, NATS_TYPE_VOID, 0), -TBUS_EFORMAT);
    assert_int_equal(take(f, NATS_TYPE_LOST, 5), -TBUS_EFORMAT); /* how many? */
    assert_int_equal(take_lost(f, 5, 0), -TBUS_EFORMAT);
    assert_int_equal(take_lost(f, 5, 6), -TBUS_EFORMAT);
    assert_int_equal(take_lost(f, UINT64_MAX - 1, UINT64_MAX), -TBUS_EFORMAT);
    make(f, "tick", 1);
    f->arrival.bytes = 65536;
    assert_int_equal(take_made(f), -TBUS_EFORMAT);
    assert_int_equal(f->follow.next, 0);
}

static void other_types_and_other_sessions_are_refused(void **state)
{
    fixture_t *f = *state;
    assert_int_equal(take(f, "bbo", 1), -TBUS_EABI);
    assert_non_null(strstr(f->err.text, "type 'bbo'"));
    make(f, "tick", 1);
    header(f, NATS_FOLLOW_ID, "DAY0000002.md.1");
    assert_int_equal(take_made(f), -TBUS_ENOTFOUND);
    assert_non_null(strstr(f->err.text, "session DAY0000002"));
}

static void a_place_is_read_in_both_forms_and_nothing_else(void **state)
{
    nats_place_t place;
    (void)state;
    assert_true(nats_place_read("$JS.ACK.lab.c1.1.345.12.1700000000000000000.99", &place));
    assert_int_equal(place.stream_seq, 345);
    assert_int_equal(place.consumer_seq, 12);
    assert_int_equal(place.time_ns, UINT64_C(1700000000000000000));
    assert_int_equal(place.pending, 99);
    assert_true(nats_place_read("$JS.ACK.hub.AbCd.lab.c1.1.7.8.9.10", &place));
    assert_int_equal(place.stream_seq, 7);
    assert_int_equal(place.pending, 10);
    assert_true(nats_place_read("$JS.ACK._.AbCd.lab.c1.1.7.8.9.10.rAnD", &place));
    assert_int_equal(place.consumer_seq, 8);
    static const char *const wrong[] = {
        "",
        "$JS.ACK.",
        "$JS.ACK.lab.c1.1.345.12.17",
        "$JS.ACK.lab.c1.1.345.12.17.9.9",
        "$JS.ACK.lab.c1.1.x.12.17.9",
        "$JS.ACK.lab.c1.1..12.17.9",
        "$JS.ACK.lab.c1.1.345.12.17.-9",
        "$JS.ACK.lab.c1.1.345.12.17.99999999999999999999",
        "$JS.ACK.lab.c1.1.345.12.17.000000000000000000000000000000",
        "$JS.ACK.1.2.3.4.5.6.7.8.9.10.11.12.13",
        "_INBOX.1.2.3.4.5.6.7",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (nats_place_read(wrong[i], &place))
            fail_msg("%s is taken", wrong[i]);
    assert_false(nats_place_read(NULL, &place));
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(messages_follow_one_another_from_whatever_the_first_is),
        CASE(time_and_warm_up_come_with_their_message),
        CASE(what_was_taken_is_passed_over_when_it_comes_again_or_out_of_order),
        CASE(what_is_missing_is_told_before_the_message_behind_it_is_taken),
        CASE(losses_of_the_bridge_are_a_range_less_what_was_taken),
        CASE(a_topic_without_a_message_can_end),
        CASE(other_topics_are_passed_over_whatever_they_say),
        CASE(headers_that_are_missing_doubled_or_wrong_are_refused_and_nothing_changes),
        CASE(sequences_and_losses_that_cannot_be_are_refused),
        CASE(other_types_and_other_sessions_are_refused),
        CASE(a_place_is_read_in_both_forms_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
