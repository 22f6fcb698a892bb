/* SPDX-License-Identifier: Apache-2.0 */
/* A bus that is fed from a stream of NATS JetStream, with a real server. The stream is written by
 * the test, by the layout that a bridge keeps. What the bus has recorded is what was put there,
 * byte for byte and with the same sequences. */
#include "tests/e2e/running_bus.h"

#include <inttypes.h>

#include "feedsim/itch/itch.h"
#include "feedsim/nats/layout.h"
#include "feedsim/source/source.h"
#include "tests/support/nats_server.h"
#include "tests/support/nats_wire.h"

#define STREAM   "lab"
#define SESSION  "DAY0000001"
#define MESSAGES 5000u

typedef struct world {
    fixture_t *bus;
    nats_server_t server;
    nats_wire_t *wire;
    char root[SCRATCH_PATH_MAX], journal[96], fed[96], out[96], feed[160];
    json_t *status; /* of the bus, at its end */
} world_t;

static struct {
    uint8_t *file; /* a BinaryFILE */
    size_t bytes;
    size_t *at; /* where message i begins, from 1 */
    unsigned messages;
} day;

static int begin_world(void **state)
{
    world_t *w = calloc(1, sizeof *w);
    if (!w || set_up((void **)&w->bus) < 0)
        return -1;
    scratch_create(w->root);
    snprintf(w->journal, sizeof w->journal, "%s/journal", w->root);
    snprintf(w->fed, sizeof w->fed, "%s/fed.itch", w->root);
    snprintf(w->out, sizeof w->out, "%s/out.itch", w->root);
    *state = w;
    return 0;
}

static int end_world(void **state)
{
    world_t *w = *state;
    json_decref(w->status);
    nats_wire_close(w->wire);
    int code = tear_down((void **)&w->bus);
    nats_server_clear(&w->server);
    scratch_remove(w->root);
    free(w);
    return code;
}

static bool run_busctl(const char *const *argv)
{
    program_t program = {.argv = argv};
    bool worked = program_run(&program) == 0;
    if (!worked)
        print_error("%s", program.err);
    program_clear(&program);
    return worked;
}

#define BUSCTL(...) run_busctl((const char *const[]){TICKBUS_BUSCTL, __VA_ARGS__, NULL})

/* What there is to be put on the stream: a day of a synthetic market. Made once. */
static int make_file(void **state)
{
    feed_source_t *source;
    size_t bytes, message_bytes;
    char spec[64];
    _Alignas(8) static uint8_t tick[TICK_LEN_MAX], message[ITCH_MESSAGE_MAX];
    (void)state;
    snprintf(spec, sizeof spec, "synth:seed=5,messages=%u", MESSAGES);
    if (feed_source_open(spec, FEED_CLOCK_MARKET, &source, NULL) < 0)
        return -1;
    day.file = malloc(64 * MESSAGES);
    day.at = calloc(2 * MESSAGES, sizeof *day.at);
    while (feed_source_next(source, (tick_t *)(void *)tick, &bytes) == FEED_SOURCE_TICK) {
        if (itch_encode((const tick_t *)(const void *)tick, bytes, message, &message_bytes) < 0)
            return -1;
        day.at[++day.messages] = day.bytes;
        day.file[day.bytes++] = (uint8_t)(message_bytes >> 8);
        day.file[day.bytes++] = (uint8_t)message_bytes;
        memcpy(day.file + day.bytes, message, message_bytes);
        day.bytes += message_bytes;
    }
    day.at[day.messages + 1] = day.bytes;
    feed_source_close(source);
    return 0;
}

static int free_file(void **state)
{
    (void)state;
    free(day.file);
    free(day.at);
    return 0;
}

/* A server with a stream, and the messages that are to be on it. */
static void begin_stream(world_t *w)
{
    if (!nats_server_there()) {
        print_message("there is no nats-server here, of the package of that name\n");
        skip();
    }
    assert_true(nats_server_start(&w->server, NULL));
    w->wire = nats_wire_open(&w->server);
    assert_true(nats_wire_make_stream(w->wire, STREAM, SESSION, ""));
}

static void put_one(world_t *w, const char *symbol, uint64_t seq)
{
    nats_wire_tick(w->wire, STREAM, SESSION, symbol, seq, "", day.file + day.at[seq] + 2,
                   day.at[seq + 1] - day.at[seq] - 2);
}

static void put(world_t *w, uint64_t from, uint64_t to)
{
    for (uint64_t seq = from; seq <= to; seq++)
        put_one(w, NULL, seq);
    assert_int_equal(nats_wire_flush(w->wire), 0);
}

static const char *feed_of(world_t *w, const char *keys)
{
    snprintf(w->feed, sizeof w->feed, "%s/" STREAM "%s", w->server.url, keys);
    return w->feed;
}

#define BEGIN(w, messages, keys)                                                                   \
    json_decref(begin((w)->bus, messages, "--feed", feed_of(w, keys), "--wait", "park",            \
                      "--journal", (w)->journal, "--json", NULL))
#define LAUNCH(w, keys)                                                                            \
    launch((w)->bus, "--feed", feed_of(w, keys), "--wait", "park", "--journal", (w)->journal,      \
           "--json", NULL)

static void expect_end(world_t *w)
{
    assert_ended_with(w->bus, 0);
    w->status = final_object(w->bus);
    assert_complete(w->status);
}

/* What was recorded of md is messages `from` to the last, byte for byte, under the same numbers. */
static void assert_recorded_from(world_t *w, uint64_t from)
{
    char expected[SHA256_TEXT], recorded[SHA256_TEXT];
    const char *const argv[] = {TICKBUS_BUSCTL, "journal", "info", w->journal, "--json", NULL};
    program_t info = {.argv = argv};
    assert_true(file_write(w->fed, day.file + day.at[from], day.bytes - day.at[from]));
    assert_true(
        BUSCTL("journal", "export", w->journal, "--topic", "md", "--format", "itch", "-o", w->out));
    file_sha256(w->fed, expected);
    file_sha256(w->out, recorded);
    if (strcmp(recorded, expected) != 0)
        fail_msg("not what was put on the stream was recorded:\n%s", w->bus->start.err);
    assert_int_equal(program_run(&info), 0);
    json_t *object = json_loads(info.out, 0, NULL);
    const json_t *md = json_object_get(json_object_get(object, "topics"), "md");
    assert_int_equal(json_integer_value(json_object_get(md, "first_seq")), from);
    assert_int_equal(json_integer_value(json_object_get(md, "last_seq")), day.messages);
    json_decref(object);
    program_clear(&info);
}

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
    for (uint64_t seq = 1; seq <= day.messages; seq++) {
        put_one(w, NULL, seq);
        if (seq % 3 == 0)
            nats_wire_publish(w->wire, "tickbus." STREAM ".bbo",
                              "Nats-Msg-Id: none\r\nTickbus-Type: of no concern\r\n", "x", 1);
    }
    nats_wire_end(w->wire, STREAM, SESSION, day.messages);
    LAUNCH(w, "?from=17");
    expect_end(w);
    assert_recorded_from(w, 17);
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

/* A bridge that was started again with bridge.symbols set. */
static void subjects_of_symbols_that_begin_while_it_is_read_are_found(void **state)
{
    world_t *w = *state;
    begin_stream(w);
    put(w, 1, 1000);
    BEGIN(w, 1000, "");
    for (uint64_t seq = 1001; seq <= day.messages; seq++)
        put_one(w, seq % 9 ? "AAPL    " : NULL, seq);
    nats_wire_end(w->wire, STREAM, SESSION, day.messages);
    expect_end(w);
    assert_recorded_from(w, 1);
    assert_int_equal(number(w->status, "feed", "gaps"), 0);
}

static void a_server_that_is_killed_and_started_again_is_found_again(void **state)
{
    world_t *w = *state;
    begin_stream(w);
    put(w, 1, 3000);
    BEGIN(w, 3000, "");
    nats_wire_close(w->wire);
    nats_server_kill(&w->server);
    assert_true(nats_server_again(&w->server));
    w->wire = nats_wire_open(&w->server);
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

static void expect_refusal(world_t *w, const char *keys, int code, const char *says)
{
    const char *stream = keys[0] == '/' ? keys : "";
    char feed[160];
    snprintf(feed, sizeof feed, "%s%s%s", w->server.url, *stream ? "" : "/" STREAM, keys);
    assert_int_equal(run(w->bus, "start", "--feed", feed, "--wait", "park", NULL), code);
    assert_text_holds(w->bus->start.err, says);
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
    expect_refusal(w, "", 1, "cannot connect to NATS");
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

/* It ends with an error, and what came before is recorded. */
static void expect_error(world_t *w, const char *says)
{
    assert_ended_with(w->bus, 1);
    assert_text_holds(w->bus->start.err, says);
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

#define CASE(test) cmocka_unit_test_setup_teardown(test, begin_world, end_world)

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
