/* SPDX-License-Identifier: Apache-2.0 */
/* nats_fed_bus.h - a bus that is fed from a stream of NATS JetStream, with a real server, and the
 * day of a synthetic market that is put on the stream, by the layout that a bridge keeps: for tests
 * that compare what the bus has recorded with that.
 */
#ifndef TICKBUS_TESTS_NATS_FED_BUS_H
#define TICKBUS_TESTS_NATS_FED_BUS_H

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

static inline int begin_world(void **state)
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

static inline int end_world(void **state)
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

static inline bool run_busctl(const char *const *argv)
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
static inline int make_file(void **state)
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

static inline int free_file(void **state)
{
    (void)state;
    free(day.file);
    free(day.at);
    return 0;
}

static inline void begin_server(world_t *w)
{
    if (!nats_server_there()) {
        print_message("there is no nats-server here, of the package of that name\n");
        skip();
    }
    assert_true(nats_server_start(&w->server, NULL));
    w->wire = nats_wire_open(&w->server);
}

/* The same with a stream that nothing is on. */
static inline void begin_stream(world_t *w)
{
    begin_server(w);
    assert_true(nats_wire_make_stream(w->wire, STREAM, SESSION, ""));
}

static inline void put_one(world_t *w, const char *symbol, uint64_t seq)
{
    nats_wire_tick(w->wire, STREAM, SESSION, symbol, seq, "", day.file + day.at[seq] + 2,
                   day.at[seq + 1] - day.at[seq] - 2);
}

static inline void put(world_t *w, uint64_t from, uint64_t to)
{
    for (uint64_t seq = from; seq <= to; seq++)
        put_one(w, NULL, seq);
    assert_int_equal(nats_wire_flush(w->wire), 0);
}

static inline const char *feed_of(world_t *w, const char *keys)
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

static inline void expect_end(world_t *w)
{
    assert_ended_with(w->bus, 0);
    w->status = final_object(w->bus);
    assert_complete(w->status);
}

/* What was recorded of md is messages `from` to the last, byte for byte, under the same numbers. */
static inline void assert_recorded_from(world_t *w, uint64_t from)
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

/* The stream has nothing yet. Whatever way it is read, it is fed as `keys` say, from message `from`
 * on: what is of another topic is left with the server. */
static inline void assert_other_topics_are_left(world_t *w, const char *keys, uint64_t from)
{
    for (uint64_t seq = 1; seq <= day.messages; seq++) {
        put_one(w, NULL, seq);
        if (seq % 3 == 0)
            nats_wire_publish(w->wire, "tickbus." STREAM ".bbo",
                              "Nats-Msg-Id: none\r\nTickbus-Type: of no concern\r\n", "x", 1);
    }
    nats_wire_end(w->wire, STREAM, SESSION, day.messages);
    LAUNCH(w, keys);
    expect_end(w);
    assert_recorded_from(w, from);
}

/* Likewise, with a bridge that was started again with bridge.symbols set while it is read. */
static inline void assert_symbols_that_begin_are_found(world_t *w)
{
    put(w, 1, 1000);
    BEGIN(w, 1000, "");
    for (uint64_t seq = 1001; seq <= 2000; seq++) /* nothing else says that they are there */
        put_one(w, "AAPL    ", seq);
    assert_int_equal(nats_wire_flush(w->wire), 0);
    json_decref(wait_for(w->bus, 2000));
    for (uint64_t seq = 2001; seq <= day.messages; seq++)
        put_one(w, seq % 9 ? "AAPL    " : NULL, seq);
    nats_wire_end(w->wire, STREAM, SESSION, day.messages);
    expect_end(w);
    assert_recorded_from(w, 1);
    assert_int_equal(number(w->status, "feed", "gaps"), 0);
}

/* A server that is killed is on its store again. */
static inline void kill_and_start_again(world_t *w)
{
    nats_wire_close(w->wire);
    nats_server_kill(&w->server);
    assert_true(nats_server_again(&w->server));
    w->wire = nats_wire_open(&w->server);
}

static inline void expect_refusal(world_t *w, const char *keys, int code, const char *says)
{
    const char *stream = keys[0] == '/' ? keys : "";
    char feed[160];
    snprintf(feed, sizeof feed, "%s%s%s", w->server.url, *stream ? "" : "/" STREAM, keys);
    assert_int_equal(run(w->bus, "start", "--feed", feed, "--wait", "park", NULL), code);
    assert_text_holds(w->bus->start.err, says);
}

/* It ends with an error, and what came before is recorded. */
static inline void expect_error(world_t *w, const char *says)
{
    assert_ended_with(w->bus, 1);
    assert_text_holds(w->bus->start.err, says);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, begin_world, end_world)

#endif
