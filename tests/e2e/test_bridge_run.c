/* SPDX-License-Identifier: Apache-2.0 */
/* A run that publishes to NATS JetStream, with a real server: whatever is killed, stopped or full,
 * the stream has every message of every topic once and in order, and md byte for byte. Skipped
 * where there is no nats-server, or the build has no client library. */
#if __has_include(<nats/nats.h>)

#include "tests/e2e/bridge_run.h"

/* --- tests --- */

/* Nobody allocates on the way but the bridge, whose library does. */
static void assert_nothing_was_allocated(const json_t *summary)
{
    json_t *stage;
    size_t i;
    json_array_foreach(json_object_get(summary, "stages"), i, stage)
    {
        if (strcmp(json_string_value(json_object_get(stage, "name")), "bridge") != 0)
            assert_int_equal(json_integer_value(json_object_get(stage, "hot_allocations")), 0);
    }
}

static void topics_arrive_once_and_in_order_and_md_byte_for_byte(void **state)
{
    fixture_t *f = *state;
    begin_paced(f, "md,bbo,reports", NOTHING_MORE);
    json_t *summary = assert_ended_whole(f);
    assert_nothing_was_allocated(summary);
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(summary, "bridge"), "stream")), f->bus);
    /* All, and the ends of three topics. */
    assert_int_equal(total(summary, "acknowledged"), published(summary, "md") +
                                                         published(summary, "bbo") +
                                                         published(summary, "reports") + 3);
    assert_int_equal(total(summary, "resent"), 0);
    assert_int_equal(number(summary, "bridge", "stream_messages"), total(summary, "acknowledged"));
    json_decref(summary);
}

static void a_bridge_that_is_killed_goes_on_behind_the_last_message_of_each_topic(void **state)
{
    fixture_t *f = *state;
    begin_paced(f, "md,bbo", NOTHING_MORE);
    for (uint64_t i = 1; i <= 3; i++) {
        json_t *status = wait_total(f, "acknowledged", 1000 * i);
        while (total(status, "starts") < i || !process_of(status, "bridge")) {
            json_decref(status);
            status = wait_total(f, "starts", i);
        }
        assert_int_equal(kill(process_of(status, "bridge"), SIGKILL), 0);
        json_decref(status);
    }
    json_t *summary = assert_ended_whole(f);
    assert_int_equal(total(summary, "starts"), 4);
    json_decref(summary);
}

/* Killed, too: the next one has to learn what locates are called. */
static void with_symbols_each_message_has_its_own_in_the_subject(void **state)
{
    fixture_t *f = *state;
    begin_paced(f, "md,bbo", "bridge.symbols=yes");
    json_t *status = wait_total(f, "acknowledged", 1500);
    assert_int_equal(kill(process_of(status, "bridge"), SIGKILL), 0);
    json_decref(status);
    status = assert_ended_whole(f);
    assert_int_equal(total(status, "starts"), 2);
    json_decref(status);
    stream_t s = read_stream_as(f->bus, (stream_t){.names = calloc(65536, sizeof *s.names)});
    assert_true(s.named[1] > 0);
    assert_true(s.named[0] > s.named[1]);
    assert_subject_has(f->bus, s.chosen, s.named[1]);
    free(s.names);
    free(s.md);
}

static void a_server_that_is_killed_and_started_again_has_all_of_it(void **state)
{
    fixture_t *f = *state;
    begin_paced(f, "md,bbo", NOTHING_MORE);
    json_decref(wait_total(f, "acknowledged", 1000));
    nats_server_kill(&server);
    json_decref(wait_total(f, "disconnects", 1));
    assert_true(nats_server_again(&server));
    json_t *summary = assert_ended_whole(f);
    assert_true(total(summary, "connects") >= 2);
    json_decref(summary);
}

static void a_paused_server_holds_nobody_up_and_has_all_of_it_later(void **state)
{
    fixture_t *f = *state;
    begin_paced(f, "md,bbo", NOTHING_MORE);
    json_decref(wait_total(f, "acknowledged", 500));
    nats_server_pause(&server);
    json_decref(wait_for(f, (unsigned)messages_wanted(5000) * 4 / 5)); /* the feed goes on */
    nats_server_continue(&server);
    json_decref(assert_ended_whole(f));
}

static void a_full_stream_takes_the_rest_once_there_is_room(void **state)
{
    fixture_t *f = *state;
    begin_paced(f, "md,bbo", "bridge.max_messages=1500");
    json_t *status = wait_total(f, "refusals", 2);
    assert_int_equal(number(status, "bridge", "stream_sequence"), 1500);
    assert_text_holds(json_string_value(json_object_get(json_object_get(status, "bridge"), "note")),
                      "maximum messages exceeded");
    json_decref(status);
    lift_limit(f->bus);
    json_decref(assert_ended_whole(f));
}

/* Of bbo and reports nothing is left whenever md has published 50 messages more. */
static void limits_that_remove_a_topics_last_message_are_no_other_bridge(void **state)
{
    fixture_t *f = *state;
    launch(f, "--feed", feed(5000), "--pace", BRIDGE_PACE, "--wait", "park", "--bridge", server.url,
           "--bridge-topics", "md,bbo,reports", "--json", "--set", "bridge.max_messages=50",
           "--set", "bridge.discard=old", NULL);
    assert_ended_with(f, 0);
    json_t *summary = final_object(f);
    assert_int_equal(total(summary, "refusals"), 0);
    assert_int_equal(total(summary, "resent"), 0);
    assert_int_equal(number(summary, "bridge", "lag_messages"), 0);
    assert_int_equal(number(summary, "bridge", "stream_messages"), 50);
    assert_int_equal(number(summary, "bridge", "stream_sequence"),
                     published(summary, "md") + published(summary, "bbo") +
                         published(summary, "reports") + 3);
    json_decref(summary);
}

static void
a_bridge_that_is_killed_at_the_end_of_the_run_gives_out_the_rest_all_the_same(void **state)
{
    fixture_t *f = *state;
    begin_paced(f, "md", "bridge.max_messages=1500");
    for (uint64_t i = 1; i <= 2; i++) {
        json_t *status = wait_total(f, "starts", i);
        while (strcmp(json_string_value(json_object_get(status, "state")), "stopping") != 0 ||
               total(status, "starts") < i) {
            json_decref(status);
            status = wait_total(f, "starts", i);
        }
        kill(process_of(status, "bridge"), SIGKILL);
        json_decref(status);
    }
    json_decref(wait_total(f, "starts", 3));
    lift_limit(f->bus);
    json_decref(assert_ended_whole(f));
}

static void what_is_not_acknowledged_in_time_is_an_error_of_the_run(void **state)
{
    fixture_t *f = *state;
    char journal[SCRATCH_PATH_MAX + 16];
    begin_paced(f, "md", "bus.drain_s_max=1");
    json_decref(wait_total(f, "acknowledged", 500));
    nats_server_kill(&server);
    assert_ended_with(f, 1);
    assert_text_holds(f->start.err, "has not acknowledged; give it longer with bus.drain_s_max");
    assert_true(nats_server_again(&server));
    journal_of(f, journal);
    scratch_remove(journal);
}

static void without_a_journal_the_stream_says_what_was_lost(void **state)
{
    fixture_t *f = *state;
    launch(f, "--feed", feed(20000), "--pace", "20000/s", "--wait", "park", "--bridge", server.url,
           "--json", "--set", "topics.md.slots=1024", NULL);
    json_decref(wait_total(f, "acknowledged", 500));
    nats_server_kill(&server);
    json_decref(wait_for(f, 15000));
    assert_true(nats_server_again(&server));
    assert_ended_with(f, 0);
    json_t *summary = final_object(f);
    stream_t s = read_stream(f->bus);
    assert_true(s.topics[0].ended);
    assert_int_equal(s.topics[0].next - 1, published(summary, "md"));
    assert_true(s.topics[0].lost > 0);
    assert_int_equal(s.topics[0].lost, total(summary, "lost"));
    json_decref(summary);
    free(s.md);
}

static void a_later_session_has_a_stream_of_its_own_and_one_that_is_named_is_refused(void **state)
{
    fixture_t *f = *state;
    assert_int_equal(run(f, "start", SHORT_FEED, "--bridge", server.url, "--json", NULL), 0);
    assert_int_equal(run(f, "start", SHORT_FEED, "--bridge", server.url, "--json", NULL), 0);
    char name[64];
    json_t *summary = final_object(f);
    snprintf(name, sizeof name, "%s-%s", f->bus,
             json_string_value(json_object_get(json_object_get(summary, "bridge"), "session")));
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(summary, "bridge"), "stream")), name);
    json_decref(summary);
    snprintf(name, sizeof name, "bridge.stream=%s", f->bus);
    assert_int_equal(
        run(f, "start", SHORT_FEED, "--bridge", server.url, "--set", name, "--json", NULL), 1);
    assert_text_holds(f->start.err, "belongs to session");
}

static void a_server_that_is_not_there_is_an_error_of_the_start(void **state)
{
    fixture_t *f = *state;
    assert_int_equal(run(f, "start", SHORT_FEED, "--bridge", "nats://127.0.0.1:1", "--json", NULL),
                     1);
    assert_text_holds(f->start.err, "cannot connect to NATS at nats://127.0.0.1:1");
    assert_int_equal(run(f, "start", SHORT_FEED, "--bridge", "127.0.0.1:1", NULL), 2);
}

static void a_bridge_beside_a_bus_is_one_and_goes_on_after_its_death(void **state)
{
    fixture_t *f = *state;
    char journal[SCRATCH_PATH_MAX + 16];
    journal_of(f, journal);
    json_decref(begin(f, 100, "--feed", feed(5000), "--pace", "1000/s", "--wait", "park",
                      "--journal", journal, "--json", NULL));
    const char *argv[] = {TICKBUS_BUSCTL, "bridge", server.url, f->bus,
                          "--topics",     "md,bbo", "--json",   NULL};
    const char *status[] = {TICKBUS_BUSCTL, "bridge", "--status", f->bus, "--json", NULL};
    program_t bridge = {.argv = argv}, second = {.argv = argv}, asked = {.argv = status};
    assert_true(program_start(&bridge));
    for (uint64_t acknowledged = 0; acknowledged < 500;) {
        program_clear(&asked);
        if (program_run(&asked) == 0) {
            json_t *shown = json_loads(asked.out, 0, NULL);
            acknowledged = number(shown, "totals", "acknowledged");
            json_decref(shown);
        }
        assert_false(program_ended(&bridge));
    }
    assert_int_equal(program_run(&second), 1);
    assert_text_holds(second.err, "there is a bridge beside bus");
    program_clear(&second);
    kill(bridge.pid, SIGKILL);
    program_wait(&bridge);
    program_clear(&bridge);
    assert_int_equal(program_run(&bridge), 0);
    json_t *shown = json_loads(bridge.out, 0, NULL);
    assert_int_equal(number(shown, "totals", "starts"), 2);
    const json_t *topic;
    size_t i;
    json_array_foreach(json_object_get(shown, "topics"), i, topic)
        assert_true(json_is_true(json_object_get(topic, "ended")));
    assert_int_equal(json_integer_value(json_object_get(shown, "stream_sequence")),
                     json_integer_value(json_object_get(shown, "stream_messages")));
    json_decref(shown);
    assert_ended_with(f, 0);
    json_t *summary = final_object(f);
    assert_stream_is_whole(f, f->bus, summary);
    json_decref(summary);
    program_clear(&asked);
    program_clear(&bridge);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(topics_arrive_once_and_in_order_and_md_byte_for_byte),
        TEST(a_bridge_that_is_killed_goes_on_behind_the_last_message_of_each_topic),
        TEST(with_symbols_each_message_has_its_own_in_the_subject),
        TEST(a_server_that_is_killed_and_started_again_has_all_of_it),
        TEST(a_paused_server_holds_nobody_up_and_has_all_of_it_later),
        TEST(a_full_stream_takes_the_rest_once_there_is_room),
        TEST(limits_that_remove_a_topics_last_message_are_no_other_bridge),
        TEST(a_bridge_that_is_killed_at_the_end_of_the_run_gives_out_the_rest_all_the_same),
        TEST(what_is_not_acknowledged_in_time_is_an_error_of_the_run),
        TEST(without_a_journal_the_stream_says_what_was_lost),
        TEST(a_later_session_has_a_stream_of_its_own_and_one_that_is_named_is_refused),
        TEST(a_server_that_is_not_there_is_an_error_of_the_start),
        TEST(a_bridge_beside_a_bus_is_one_and_goes_on_after_its_death),
    };
    if (has_no_server())
        return 77;
    return cmocka_run_group_tests(tests, start_server, stop_server);
}

#else

#include <stdio.h>

int main(void)
{
    fprintf(stderr, "skipped: built without the NATS client library, of the package libnats-dev\n");
    return 77;
}

#endif
