/* SPDX-License-Identifier: Apache-2.0 */
/* A bus that is fed from a stream of NATS JetStream, with a real server. The stream is written by
 * the test, by the layout that a bridge keeps. What the bus has recorded is what was put there,
 * byte for byte and with the same sequences. */
#include "tests/e2e/nats_fed_bus.h"

static void what_a_stream_holds_is_recorded_byte_for_byte_and_its_end_is_the_end(void **state)
{
    world_t *w = *state;
    begin_stream(w);
    put(w, 1, day.messages);
    nats_wire_end(w->wire, STREAM, SESSION, day.messages);
    LAUNCH(w, "");
    expect_end(w);
    assert_recorded_from(w, 1);
    assert_int_equal(number(w->status, "feed", "messages"), day.messages);
}

static void after_its_history_comes_what_is_live_without_a_gap(void **state)
{
    world_t *w = *state;
    begin_stream(w);
    unsigned half = day.messages / 2;
    put(w, 1, half);
    BEGIN(w, half, "");
    put(w, half + 1, day.messages);
    nats_wire_end(w->wire, STREAM, SESSION, day.messages);
    expect_end(w);
    assert_recorded_from(w, 1);
}

static void a_stream_is_taken_from_a_sequence_on_under_the_same_numbers(void **state)
{
    world_t *w = *state;
    begin_stream(w);
    put(w, 1, day.messages);
    nats_wire_end(w->wire, STREAM, SESSION, day.messages);
    LAUNCH(w, "?from=3456");
    expect_end(w);
    assert_recorded_from(w, 3456);
}

static void a_stream_is_taken_from_a_time_on(void **state)
{
    world_t *w = *state;
    struct timespec now;
    struct tm utc;
    char keys[64];
    begin_stream(w);
    put(w, 1, 2000);
    /* Stored before and after it: all of the first part is acknowledged. */
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t used = strftime(keys, sizeof keys, "?from=%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(keys + used, sizeof keys - used, ".%09ldZ", now.tv_nsec);
    put(w, 2001, day.messages);
    nats_wire_end(w->wire, STREAM, SESSION, day.messages);
    LAUNCH(w, keys);
    expect_end(w);
    assert_recorded_from(w, 2001);
}

static void from_now_on_is_what_comes_after_the_start(void **state)
{
    world_t *w = *state;
    begin_stream(w);
    put(w, 1, 1000);
    BEGIN(w, 0, "?from=0");
    put(w, 1001, day.messages);
    nats_wire_end(w->wire, STREAM, SESSION, day.messages);
    expect_end(w);
    assert_recorded_from(w, 1001);
}

static void topics_that_are_not_md_are_left_with_the_server(void **state)
{
    world_t *w = *state;
    begin_stream(w);
    assert_other_topics_are_left(w, "?from=17", 17);
}

static void subjects_of_symbols_are_merged_in_the_order_of_their_sequences(void **state)
{
    world_t *w = *state;
    static const char *const symbols[] = {"AAPL    ", "BRK.B   ", NULL, "Z*>     "};
    begin_stream(w);
    for (uint64_t seq = 1; seq <= day.messages; seq++) {
        put_one(w, symbols[seq * 7 / 5 % 4], seq);
        if (seq % 5 == 0)
            nats_wire_publish(w->wire, "tickbus." STREAM ".bbo.AAPL",
                              "Nats-Msg-Id: none\r\nTickbus-Type: of no concern\r\n", "x", 1);
    }
    nats_wire_end(w->wire, STREAM, SESSION, day.messages);
    LAUNCH(w, "?from=1234");
    expect_end(w);
    assert_recorded_from(w, 1234);
}

static void subjects_of_symbols_that_begin_while_it_is_read_are_found(void **state)
{
    world_t *w = *state;
    begin_stream(w);
    assert_symbols_that_begin_are_found(w);
}

static void a_server_that_is_killed_and_started_again_is_found_again(void **state)
{
    world_t *w = *state;
    begin_stream(w);
    put(w, 1, 3000);
    BEGIN(w, 3000, "");
    kill_and_start_again(w);
    put(w, 3001, day.messages);
    nats_wire_end(w->wire, STREAM, SESSION, day.messages);
    expect_end(w);
    assert_recorded_from(w, 1);
}

static void a_server_that_stands_still_delays_and_loses_nothing(void **state)
{
    world_t *w = *state;
    begin_stream(w);
    put(w, 1, 3000);
    BEGIN(w, 3000, "");
    nats_server_pause(&w->server);
    nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
    nats_server_continue(&w->server);
    put(w, 3001, day.messages);
    nats_wire_end(w->wire, STREAM, SESSION, day.messages);
    expect_end(w);
    assert_recorded_from(w, 1);
}

static void what_a_bridge_has_lost_and_what_was_deleted_are_marks(void **state)
{
    world_t *w = *state;
    begin_stream(w);
    put(w, 1, 100);
    nats_wire_publish(w->wire, "tickbus." STREAM ".md",
                      "Nats-Msg-Id: " SESSION ".md.150\r\nTickbus-Sequence: 150\r\n"
                      "Tickbus-Type: lost\r\nTickbus-Lost: 50\r\n",
                      "lapped", 6);
    put(w, 151, 200);
    nats_wire_publish(w->wire, "tickbus." STREAM ".md",
                      "Nats-Msg-Id: " SESSION ".md.201\r\nTickbus-Sequence: 201\r\n"
                      "Tickbus-Type: void\r\n",
                      NULL, 0);
    put(w, 210, 300); /* and nobody tells of 202 to 209 */
    nats_wire_end(w->wire, STREAM, SESSION, 300);
    LAUNCH(w, "");
    expect_end(w);
    const json_t *feed = json_object_get(w->status, "feed");
    const json_t *gaps = json_object_get(feed, "gaps");
    static const uint64_t expected[][2] = {{101, 150}, {201, 201}, {202, 209}};
    assert_int_equal(json_array_size(gaps), 3);
    for (size_t i = 0; i < 3; i++) {
        const json_t *gap = json_array_get(gaps, i);
        assert_int_equal(json_integer_value(json_object_get(gap, "from")), expected[i][0]);
        assert_int_equal(json_integer_value(json_object_get(gap, "to")), expected[i][1]);
    }
    assert_int_equal(number(w->status, "feed", "lost"), 59);
    assert_int_equal(number(w->status, "feed", "messages"), 300 - 59);
}

static void what_cannot_be_fed_is_refused_with_its_reason(void **state)
{
    world_t *w = *state;
    begin_stream(w);
    put(w, 1, 100);
    expect_refusal(w, "/other", 1, "there is no stream other");
    expect_refusal(w, "?session=DAY0000002", 1, "is of session DAY0000001");
    expect_refusal(w, "?from=102", 1, "has come to message 100 of md");
    expect_refusal(w, "?from=monday", 2, "from=monday");
    expect_refusal(w, "/a.b", 2, "no name of a stream");
    const char *made = nats_wire_request(w->wire, "$JS.API.STREAM.CREATE.foreign",
                                         "{\"name\":\"foreign\",\"subjects\":[\"x\"]}");
    assert_null(strstr(made, "\"error\""));
    expect_refusal(w, "/foreign", 1, "none that a bridge writes");
    made = nats_wire_request(w->wire, "$JS.API.STREAM.CREATE.newer",
                             "{\"name\":\"newer\",\"subjects\":[\"y\"],\"description\":"
                             "\"tickbus layout=2 session=S bus=b\"}");
    assert_null(strstr(made, "\"error\""));
    expect_refusal(w, "/newer", 1, "has layout 2");
    nats_server_stop(&w->server);
    expect_refusal(w, "?lost=300ms", 1, "cannot connect to NATS");
    assert_text_holds(w->bus->start.err, "s (lost=)");
}

static void messages_that_a_stream_has_discarded_are_named(void **state)
{
    world_t *w = *state;
    begin_stream(w);
    put(w, 1, day.messages);
    nats_wire_end(w->wire, STREAM, SESSION, day.messages);
    assert_null(strstr(nats_wire_request(w->wire, "$JS.API.STREAM.PURGE." STREAM, "{\"seq\":4001}"),
                       "\"error\""));
    expect_refusal(w, "?from=4000", 1, "does not have message 4000 of md any more: there is 4001");
    LAUNCH(w, "");
    expect_end(w);
    assert_recorded_from(w, 4001);
}

static void a_stream_that_becomes_another_sessions_is_refused_and_not_mixed_up(void **state)
{
    world_t *w = *state;
    begin_stream(w);
    put(w, 1, 1000);
    BEGIN(w, 1000, "");
    assert_true(nats_wire_delete_stream(w->wire, STREAM));
    assert_true(nats_wire_make_stream(w->wire, STREAM, "DAY0000002", ""));
    nats_wire_tick(w->wire, STREAM, "DAY0000002", NULL, 1001, "", day.file + day.at[1001] + 2,
                   day.at[1002] - day.at[1001] - 2);
    assert_int_equal(nats_wire_flush(w->wire), 0);
    expect_error(w, "is of session DAY0000002 now");
}

static void a_message_of_another_session_on_the_stream_is_refused(void **state)
{
    world_t *w = *state;
    begin_stream(w);
    put(w, 1, 1000);
    nats_wire_tick(w->wire, STREAM, "DAY0000002", NULL, 1001, "", day.file + day.at[1001] + 2,
                   day.at[1002] - day.at[1001] - 2);
    assert_int_equal(nats_wire_flush(w->wire), 0);
    LAUNCH(w, "");
    expect_error(w, "somebody else writes to it");
}

static void a_server_that_stays_away_ends_the_feed_after_the_time_for_that(void **state)
{
    world_t *w = *state;
    begin_stream(w);
    put(w, 1, 1000);
    BEGIN(w, 1000, "?lost=300ms");
    nats_wire_close(w->wire);
    w->wire = NULL;
    nats_server_kill(&w->server);
    expect_error(w, "nothing was heard of the stream lab");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_a_stream_holds_is_recorded_byte_for_byte_and_its_end_is_the_end),
        CASE(after_its_history_comes_what_is_live_without_a_gap),
        CASE(a_stream_is_taken_from_a_sequence_on_under_the_same_numbers),
        CASE(a_stream_is_taken_from_a_time_on),
        CASE(from_now_on_is_what_comes_after_the_start),
        CASE(topics_that_are_not_md_are_left_with_the_server),
        CASE(subjects_of_symbols_are_merged_in_the_order_of_their_sequences),
        CASE(subjects_of_symbols_that_begin_while_it_is_read_are_found),
        CASE(a_server_that_is_killed_and_started_again_is_found_again),
        CASE(a_server_that_stands_still_delays_and_loses_nothing),
        CASE(what_a_bridge_has_lost_and_what_was_deleted_are_marks),
        CASE(what_cannot_be_fed_is_refused_with_its_reason),
        CASE(messages_that_a_stream_has_discarded_are_named),
        CASE(a_stream_that_becomes_another_sessions_is_refused_and_not_mixed_up),
        CASE(a_message_of_another_session_on_the_stream_is_refused),
        CASE(a_server_that_stays_away_ends_the_feed_after_the_time_for_that),
    };
    return cmocka_run_group_tests(tests, make_file, free_file);
}
