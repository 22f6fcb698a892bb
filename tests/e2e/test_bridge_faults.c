/* SPDX-License-Identifier: Apache-2.0 */
/* A run that publishes to NATS JetStream, and what operators and networks do to it: the stream
 * removed, JetStream off for a while, a link that is cut without a word or reset, a server that
 * takes no message so long. Skipped where there is no nats-server, or the build has no client
 * library. */
#if __has_include(<nats/nats.h>)

#include "tests/e2e/bridge_run.h"

#include <sys/stat.h>

#include "tests/support/fault_proxy.h"

static void a_stream_that_is_removed_is_made_again_and_has_all_of_it(void **state)
{
    fixture_t *f = *state;
    natsConnection *connection = NULL;
    begin_paced(f, "md,bbo", NOTHING_MORE);
    json_decref(wait_total(f, "acknowledged", 1000));
    jsCtx *js = open_server(&connection);
    assert_int_equal(js_DeleteStream(js, f->bus, NULL, NULL), NATS_OK);
    close_server(connection, js);
    json_t *summary = assert_ended_whole(f);
    assert_true(total(summary, "resent") > 0);
    json_decref(summary);
}

/* Wait until the note of the bridge has that part. */
static void wait_note(fixture_t *f, const char *part)
{
    for (bool said = false; !said;) {
        json_t *status = ask(f, "status", NULL);
        const char *note =
            json_string_value(json_object_get(json_object_get(status, "bridge"), "note"));
        said = note && strstr(note, part);
        json_decref(status);
        if (program_ended(&f->start))
            fail_msg("it ended early: %s", f->start.err);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
}

/* The server again, without JetStream. What its configuration was. */
static char *drop_streams(void)
{
    nats_server_stop(&server);
    char *before = change_config("jetstream {", "");
    program_clear(&server.program);
    assert_true(program_start(&server.program));
    return before;
}

static void serve_streams(char *before)
{
    nats_server_stop(&server);
    restore_config(before);
    assert_true(nats_server_again(&server));
}

static void while_a_server_keeps_no_streams_it_is_asked_again_and_then_has_all_of_it(void **state)
{
    fixture_t *f = *state;
    begin_paced(f, "md,bbo", NOTHING_MORE);
    json_decref(wait_total(f, "acknowledged", 1000));
    char *before = drop_streams();
    wait_note(f, "does not serve JetStream");
    serve_streams(before);
    json_decref(assert_ended_whole(f));
}

/* As a cluster that has just begun, and still elects. */
static void a_start_waits_a_while_for_a_server_that_keeps_no_streams_yet(void **state)
{
    fixture_t *f = *state;
    natsConnection *connection = NULL;
    char *before = drop_streams();
    while (natsConnection_ConnectTo(&connection, server.url) != NATS_OK)
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    natsConnection_Destroy(connection);
    begin_paced(f, "md", NOTHING_MORE);
    nanosleep(&(struct timespec){.tv_sec = 2}, NULL); /* it has asked for its stream by then */
    serve_streams(before);
    json_decref(assert_ended_whole(f));
}

/* 200 kB are some hundred messages; the first connection may be one for questions alone. */
static void cut_the_first(unsigned number, void *context, fault_plan_t *plan)
{
    if (number < 2 && *(const bool *)context)
        plan->up.reset_at = 200000;
    else if (number < 2)
        plan->up.stall_at = plan->down.stall_at = 200000;
}

static void a_link_that_breaks_costs_a_connection_and_nothing_else(void **state)
{
    fixture_t *f = *state;
    char url[48], journal[SCRATCH_PATH_MAX + 16];
    for (int resets = 1; resets >= 0; resets--) {
        bool is_reset = resets;
        uint16_t port;
        fault_proxy_t *proxy = fault_proxy_start(server.port, cut_the_first, &is_reset, &port);
        assert_non_null(proxy);
        snprintf(url, sizeof url, "nats://127.0.0.1:%u", port);
        journal_of(f, journal);
        launch(f, "--feed", feed(5000), "--pace", BRIDGE_PACE, "--wait", "park", "--journal",
               journal, "--bridge", url, "--bridge-topics", "md,bbo", "--json", "--set",
               resets ? "bridge.stream=reset" : "bridge.stream=stalled", NULL);
        assert_ended_with(f, 0);
        json_t *summary = final_object(f);
        assert_int_equal(total(summary, "disconnects"), 1);
        assert_int_equal(total(summary, "lost"), 0);
        assert_stream_is_whole(f, resets ? "reset" : "stalled", summary);
        json_decref(summary);
        fault_proxy_stop(proxy);
    }
}

/* --- what cannot be --- */

static void a_message_that_is_more_than_the_server_takes_is_an_error_that_says_so(void **state)
{
    fixture_t *f = *state;
    char journal[SCRATCH_PATH_MAX + 16];
    begin_paced(f, "md", "bus.drain_s_max=1");
    json_decref(wait_total(f, "acknowledged", 500));
    nats_server_stop(&server);
    char *before = change_config("max_payload", "max_payload: 128\n");
    assert_true(nats_server_again(&server));
    assert_ended_with(f, 1);
    assert_text_holds(f->start.err, "raise max_payload in the server's configuration");
    nats_server_stop(&server);
    restore_config(before);
    assert_true(nats_server_again(&server));
    journal_of(f, journal);
    scratch_remove(journal);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_stream_that_is_removed_is_made_again_and_has_all_of_it),
        TEST(while_a_server_keeps_no_streams_it_is_asked_again_and_then_has_all_of_it),
        TEST(a_start_waits_a_while_for_a_server_that_keeps_no_streams_yet),
        TEST(a_link_that_breaks_costs_a_connection_and_nothing_else),
        TEST(a_message_that_is_more_than_the_server_takes_is_an_error_that_says_so),
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
