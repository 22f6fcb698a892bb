/* SPDX-License-Identifier: Apache-2.0 */
/* A run that sends md by MoldUDP64, as its receivers see it: every byte of the feed, to one and to
 * a group, heartbeats and the end; and a sender that is killed meanwhile. */
#include "tests/e2e/running_bus.h"

#include "tests/market_data.h"
#include "tests/support/datagram_proxy.h"
#include "tests/support/mold_listener.h"

#define GROUP "239.255.84.66"

typedef struct sent {
    char journal[SCRATCH_PATH_MAX + 16];
    char to[32];
    mold_listener_t listener;
} sent_t;

static void prepare_listener(const fixture_t *f, sent_t *s)
{
    snprintf(s->journal, sizeof s->journal, "%s/journal", f->runtime);
    mold_listener_open(&s->listener);
    snprintf(s->to, sizeof s->to, "127.0.0.1:%d", s->listener.port);
}

/* Listen until the run has ended. */
static void listen_to_the_end(fixture_t *f, sent_t *s)
{
    do {
        while (mold_listener_take(&s->listener))
            ;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    } while (!program_ended(&f->start));
    mold_listener_take(&s->listener);
    assert_ended_with(f, 0);
}

/* What was received is what the journal has of md, without a hole. */
static void assert_is_the_feed(const fixture_t *f, const sent_t *s)
{
    char exported[SCRATCH_PATH_MAX + 16];
    size_t bytes, fed_bytes;
    assert_int_equal(mold_listener_missing(&s->listener, 1), 0);
    snprintf(exported, sizeof exported, "%s/exported", f->runtime);
    const char *argv[] = {TICKBUS_BUSCTL, "journal", "export", s->journal, "--topic", "md",
                          "--format",     "itch",    "-o",     exported,   NULL};
    program_t busctl = {.argv = argv};
    assert_int_equal(program_run(&busctl), 0);
    program_clear(&busctl);
    uint8_t *got = mold_listener_file(&s->listener, &bytes);
    char *fed = file_read(exported, &fed_bytes);
    assert_non_null(fed);
    assert_int_equal(bytes, fed_bytes);
    assert_memory_equal(got, fed, bytes);
    free(got);
    free(fed);
    unlink(exported);
}

static void end(sent_t *s)
{
    mold_listener_close(&s->listener);
    scratch_remove(s->journal);
}

static uint64_t total(const json_t *summary, const char *key)
{
    return number(json_object_get(summary, "mold"), "totals", key);
}

static void what_is_fed_arrives_byte_for_byte_and_the_end_is_repeated(void **state)
{
    fixture_t *f = *state;
    sent_t s;
    prepare_listener(f, &s);
    launch(f, "--feed", "synth:seed=3,messages=20000", "--pace", "40000/s", "--wait", "park",
           "--journal", s.journal, "--mold", s.to, "--set", "mold.end_ms=600", "--json", NULL);
    listen_to_the_end(f, &s);
    assert_is_the_feed(f, &s);
    assert_int_equal(s.listener.messages, 20000);
    assert_int_equal(s.listener.copies, 0);
    assert_in_range(s.listener.ends, 2, 4);
    assert_true(s.listener.heartbeats >= 1);
    assert_true(s.listener.bytes_max <= 1400);
    json_t *summary = final_object(f);
    assert_complete(summary);
    assert_int_equal(total(summary, "messages"), 20000);
    assert_int_equal(total(summary, "packets"), s.listener.packets);
    assert_int_equal(total(summary, "heartbeats"), s.listener.heartbeats);
    assert_int_equal(total(summary, "ends"), s.listener.ends);
    assert_int_equal(total(summary, "unsent"), 0);
    assert_int_equal(total(summary, "lost"), 0);
    assert_string_equal(json_string_value(json_object_get(json_object_get(summary, "mold"), "to")),
                        s.to);
    char session[MOLD_SESSION_BYTES + 1];
    mold_session_text(s.listener.session, session);
    assert_string_equal(json_string_value(json_object_get(summary, "session")), session);
    json_decref(summary);
    end(&s);
}

static void a_recorded_feed_arrives_byte_for_byte(void **state)
{
    fixture_t *f = *state;
    char feed[MARKET_DATA_PATH_MAX + 8] = "itch:";
    sent_t s;
    if (!market_data_path("itch_aapl_20200130_5k/aapl_5k.itch", feed + 5))
        skip();
    prepare_listener(f, &s);
    launch(f, "--feed", feed, "--pace", "20000/s", "--wait", "park", "--journal", s.journal,
           "--mold", s.to, "--set", "mold.end_ms=0", "--json", NULL);
    listen_to_the_end(f, &s);
    assert_is_the_feed(f, &s);
    assert_true(s.listener.messages >= 5000);
    assert_int_equal(s.listener.ends, 1);
    end(&s);
}

static void a_group_gets_it_as_well(void **state)
{
    fixture_t *f = *state;
    sent_t s;
    prepare_listener(f, &s);
    uint16_t port = s.listener.port; /* that is free */
    mold_listener_close(&s.listener);
    mold_listener_join(&s.listener, GROUP, port);
    snprintf(s.to, sizeof s.to, GROUP ":%d", port);
    launch(f, "--feed", "synth:seed=4,messages=5000", "--pace", "20000/s", "--wait", "park",
           "--journal", s.journal, "--mold", s.to, "--set", "mold.interface=lo", "--set",
           "mold.end_ms=0", "--json", NULL);
    listen_to_the_end(f, &s);
    assert_is_the_feed(f, &s);
    end(&s);
}

static void a_sender_that_is_killed_goes_on_where_it_was(void **state)
{
    fixture_t *f = *state;
    sent_t s;
    unsigned killed = 0;
    prepare_listener(f, &s);
    launch(f, "--feed", "synth:seed=5,messages=20000", "--pace", "20000/s", "--wait", "park",
           "--journal", s.journal, "--mold", s.to, "--set", "mold.end_ms=0", "--json", NULL);
    while (killed < 2) {
        while (mold_listener_take(&s.listener))
            ;
        if (s.listener.messages < 5000 * (uint64_t)(killed + 1))
            continue;
        json_t *status = ask(f, "status", NULL);
        if (status && total(status, "starts") == killed + 1 && process_of(status, "mold"))
            killed += kill(process_of(status, "mold"), SIGKILL) == 0;
        json_decref(status);
    }
    listen_to_the_end(f, &s);
    assert_is_the_feed(f, &s);
    json_t *summary = final_object(f);
    assert_int_equal(total(summary, "starts"), 3);
    assert_int_equal(total(summary, "lost"), 0);
    json_decref(summary);
    end(&s);
}

/* The status once the feed has ended and all was sent. To be json_decref'ed. */
static json_t *wait_sent(fixture_t *f, sent_t *s, uint64_t messages)
{
    for (;;) {
        mold_listener_take(&s->listener);
        json_t *status = ask(f, "status", NULL);
        const char *state = json_string_value(json_object_get(status, "state"));
        if (state && strcmp(state, "holding") == 0 &&
            number(status, "mold", "next_sequence") == messages + 1)
            return status;
        json_decref(status);
        if (program_ended(&f->start))
            fail_msg("it ended early: %s", f->start.err);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
}

static void
what_is_lost_on_the_way_is_had_by_requests_also_after_the_ring_has_gone_round(void **state)
{
    fixture_t *f = *state;
    static const datagram_plan_t plan = {
        .seed = 9, .lose_ppm = 100000, .double_ppm = 20000, .burst_at = 100, .burst_count = 500};
    sent_t s;
    uint16_t port;
    prepare_listener(f, &s);
    datagram_proxy_t *proxy = datagram_proxy_start(&plan, NULL, s.listener.port, &port);
    assert_non_null(proxy);
    snprintf(s.to, sizeof s.to, "127.0.0.1:%d", port);
    launch(f, "--feed", "synth:seed=7,messages=30000", "--pace", "60000/s", "--wait", "park",
           "--journal", s.journal, "--mold", s.to, "--mold-requests", "127.0.0.1:0", "--set",
           "mold.end_ms=0", "--set", "mold.window_bytes=262144", "--set", "topics.md.slots=4096",
           "--hold", "--json", NULL);
    json_t *status = wait_sent(f, &s, 30000);
    uint16_t requests = (uint16_t)number(status, "mold", "requests_port");
    json_decref(status);
    while (s.listener.next < 30001) /* a heartbeat says so at the latest */
        mold_listener_take(&s.listener);
    for (uint64_t seq = 1; (seq = mold_listener_missing(&s.listener, seq)) != 0;) {
        uint64_t before = s.listener.messages;
        mold_listener_ask(&s.listener, requests, seq, 65535);
        while (s.listener.messages == before)
            mold_listener_take(&s.listener);
    }
    json_decref(ask(f, "stop", NULL));
    assert_ended_with(f, 0);
    assert_true(datagram_proxy_counts(proxy).lost > 500);
    datagram_proxy_stop(proxy);
    assert_is_the_feed(f, &s);
    json_t *summary = final_object(f);
    assert_complete(summary); /* and nothing was allocated for what was read again */
    assert_true(total(summary, "backfill_messages") > 0);
    assert_int_equal(total(summary, "answers"), total(summary, "requests"));
    json_decref(summary);
    end(&s);
}

static void nobody_there_holds_nobody_up_and_is_told(void **state)
{
    fixture_t *f = *state;
    sent_t s;
    prepare_listener(f, &s);
    mold_listener_close(&s.listener);
    launch(f, "--feed", "synth:seed=6,messages=5000", "--pace", "max", "--wait", "park",
           "--journal", s.journal, "--mold", s.to, "--set", "mold.end_ms=0", "--json", NULL);
    assert_ended_with(f, 0);
    json_t *summary = final_object(f);
    assert_complete(summary);
    assert_true(total(summary, "refused") > 0);
    assert_int_equal(total(summary, "messages") + total(summary, "unsent_messages"), 5000);
    json_decref(summary);
    end(&s);
}

static void what_cannot_be_sent_to_is_refused_by_name(void **state)
{
    fixture_t *f = *state;
    assert_int_equal(run(f, "start", "--mold", "127.0.0.1", NULL), 2);
    assert_text_holds(f->start.err, "mold.to");
    assert_int_equal(run(f, "start", "--mold", "127.0.0.1:0", NULL), 2);
    assert_text_holds(f->start.err, "packets cannot be sent to port 0");
    assert_int_equal(run(f, "start", SHORT_FEED, "--mold-requests", "127.0.0.1:0", NULL), 1);
    assert_text_holds(f->start.err, "set mold.to, too");
    assert_int_equal(
        run(f, "start", SHORT_FEED, "--mold", GROUP ":9000", "--set", "mold.interface=none0", NULL),
        1);
    assert_text_holds(f->start.err, "there is no interface 'none0' here");
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_is_fed_arrives_byte_for_byte_and_the_end_is_repeated),
        CASE(a_recorded_feed_arrives_byte_for_byte),
        CASE(a_group_gets_it_as_well),
        CASE(a_sender_that_is_killed_goes_on_where_it_was),
        CASE(what_is_lost_on_the_way_is_had_by_requests_also_after_the_ring_has_gone_round),
        CASE(nobody_there_holds_nobody_up_and_is_told),
        CASE(what_cannot_be_sent_to_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
