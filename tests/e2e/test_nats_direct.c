/* SPDX-License-Identifier: Apache-2.0 */
/* A feed from a stream that gives it no consumer, as a cluster does that has no leader: it reads
 * directly, and by a consumer as soon as there is one. And streams that do not allow to be read
 * directly. */
#include "tests/e2e/nats_fed_bus.h"

#define OCCUPANT "occupant"

/* All consumers that the stream may have are there. */
static void occupy(world_t *w)
{
    const char *answer = nats_wire_request(
        w->wire, "$JS.API.CONSUMER.DURABLE.CREATE." STREAM "." OCCUPANT,
        "{\"stream_name\":\"" STREAM "\",\"config\":{\"durable_name\":\"" OCCUPANT
        "\",\"ack_policy\":\"none\",\"deliver_policy\":\"all\",\"replay_policy\":\"instant\"}}");
    assert_null(strstr(answer, "\"error\""));
}

static void vacate(world_t *w)
{
    const char *answer =
        nats_wire_request(w->wire, "$JS.API.CONSUMER.DELETE." STREAM "." OCCUPANT, "");
    assert_null(strstr(answer, "\"error\""));
}

static void begin_occupied_stream(world_t *w)
{
    begin_server(w);
    assert_true(nats_wire_make_stream(w->wire, STREAM, SESSION, ",\"max_consumers\":1"));
    occupy(w);
}

/* Messages that were read directly, so far. */
static uint64_t direct_of(const json_t *status)
{
    const json_t *nats = json_object_get(json_object_get(status, "feed"), "nats");
    const json_t *direct = json_object_get(nats, "direct");
    if (!direct)
        fail_msg("the summary has no feed.nats.direct");
    return (uint64_t)json_integer_value(direct);
}

static void without_a_consumer_a_stream_is_read_directly_history_and_what_comes(void **state)
{
    world_t *w = *state;
    unsigned half = day.messages / 2;
    begin_occupied_stream(w);
    put(w, 1, half);
    BEGIN(w, half, "");
    put(w, half + 1, day.messages);
    nats_wire_end(w->wire, STREAM, SESSION, day.messages);
    expect_end(w);
    assert_recorded_from(w, 1);
    assert_int_equal(direct_of(w->status), day.messages);
}

static void other_topics_are_passed_over_and_a_sequence_is_found_without_a_consumer(void **state)
{
    world_t *w = *state;
    begin_occupied_stream(w);
    assert_other_topics_are_left(w, "?from=1234", 1234);
}

static void subjects_of_symbols_that_begin_are_found_without_a_consumer(void **state)
{
    world_t *w = *state;
    begin_occupied_stream(w);
    assert_symbols_that_begin_are_found(w);
}

static void losses_are_marks_and_a_server_killed_is_found_again_without_a_consumer(void **state)
{
    world_t *w = *state;
    begin_occupied_stream(w);
    put(w, 1, 1000);
    put(w, 1010, 3000); /* nobody tells of 1001 to 1009 */
    BEGIN(w, 2991, "");
    kill_and_start_again(w);
    put(w, 3001, day.messages);
    nats_wire_end(w->wire, STREAM, SESSION, day.messages);
    expect_end(w);
    const json_t *feed = json_object_get(w->status, "feed"), *gaps = json_object_get(feed, "gaps");
    assert_int_equal(json_array_size(gaps), 1);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(gaps, 0), "from")), 1001);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(gaps, 0), "to")), 1009);
    assert_int_equal(number(w->status, "feed", "messages"), day.messages - 9);
}

/* Wait until the stream has a consumer, which is none of ours. */
static void await_consumer(world_t *w)
{
    while (!strstr(nats_wire_request(w->wire, "$JS.API.STREAM.INFO." STREAM, ""),
                   "\"consumer_count\":1"))
        if (program_ended(&w->bus->start))
            fail_msg("it ended early: %s", w->bus->start.err);
}

static void as_soon_as_a_consumer_can_be_had_it_is_used_and_nothing_is_missing(void **state)
{
    world_t *w = *state;
    begin_occupied_stream(w);
    put(w, 1, 2000);
    BEGIN(w, 2000, "");
    vacate(w);
    await_consumer(w);
    put(w, 2001, day.messages);
    nats_wire_end(w->wire, STREAM, SESSION, day.messages);
    expect_end(w);
    assert_recorded_from(w, 1);
    uint64_t direct = direct_of(w->status);
    assert_in_range(direct, 2000, day.messages - 1);
}

static void a_stream_that_does_not_allow_it_is_read_by_a_consumer_alone(void **state)
{
    world_t *w = *state;
    unsigned half = day.messages / 2;
    begin_server(w);
    assert_true(nats_wire_make_stream(w->wire, STREAM, SESSION, ",\"allow_direct\":false"));
    put(w, 1, half);
    BEGIN(w, half - 99, "?from=100");
    put(w, half + 1, day.messages);
    nats_wire_end(w->wire, STREAM, SESSION, day.messages);
    expect_end(w);
    assert_recorded_from(w, 100);
    assert_int_equal(direct_of(w->status), 0);
}

/* The connection stays up, and each request is answered at once: that nobody is there for it. */
static void
when_nobody_has_the_stream_any_more_that_is_the_end_after_the_time_for_losses(void **state)
{
    world_t *w = *state;
    begin_occupied_stream(w);
    put(w, 1, 1000);
    BEGIN(w, 1000, "?lost=300ms");
    assert_true(nats_wire_delete_stream(w->wire, STREAM));
    expect_error(w, "nothing was heard of the stream " STREAM);
    assert_text_holds(w->bus->start.err, "there is no stream " STREAM);
}

static void where_neither_can_be_had_the_server_s_reason_is_said(void **state)
{
    world_t *w = *state;
    begin_server(w);
    assert_true(nats_wire_make_stream(w->wire, STREAM, SESSION,
                                      ",\"allow_direct\":false,\"max_consumers\":1"));
    put(w, 1, 100);
    occupy(w);
    expect_refusal(w, "?lost=300ms", 1, "gives us no consumer: maximum consumers limit reached");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(without_a_consumer_a_stream_is_read_directly_history_and_what_comes),
        CASE(other_topics_are_passed_over_and_a_sequence_is_found_without_a_consumer),
        CASE(subjects_of_symbols_that_begin_are_found_without_a_consumer),
        CASE(losses_are_marks_and_a_server_killed_is_found_again_without_a_consumer),
        CASE(as_soon_as_a_consumer_can_be_had_it_is_used_and_nothing_is_missing),
        CASE(a_stream_that_does_not_allow_it_is_read_by_a_consumer_alone),
        CASE(when_nobody_has_the_stream_any_more_that_is_the_end_after_the_time_for_losses),
        CASE(where_neither_can_be_had_the_server_s_reason_is_said),
    };
    return cmocka_run_group_tests(tests, make_file, free_file);
}
