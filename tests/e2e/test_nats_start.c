/* SPDX-License-Identifier: Apache-2.0 */
/* A feed from a stream of NATS JetStream: a server, and a time, that are not there yet are waited
 * for; at every pace, by every clock and on replay it is the same. */
#include "tests/e2e/nats_fed_bus.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#define SECOND_NS UINT64_C(1000000000)

/* In the place of the server, until the feed has tried to connect. */
static void see_it_try(world_t *w)
{
    const int on = 1;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(w->server.port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    inet_pton(AF_INET, w->server.address, &at.sin_addr);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 1), 0);
    LAUNCH(w, "");
    while (poll(&ready, 1, 50) == 0)
        if (program_ended(&w->bus->start))
            fail_msg("it did not try: %s", w->bus->start.err);
    close(accept(fd, NULL, NULL));
    close(fd);
}

static void a_server_that_is_not_there_yet_is_waited_for(void **state)
{
    world_t *w = *state;
    begin_stream(w);
    put(w, 1, day.messages);
    nats_wire_end(w->wire, STREAM, SESSION, day.messages);
    nats_wire_close(w->wire);
    w->wire = NULL;
    nats_server_stop(&w->server);
    see_it_try(w);
    assert_true(nats_server_again(&w->server));
    expect_end(w);
    assert_recorded_from(w, 1);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

static void a_time_that_is_not_there_yet_is_waited_for(void **state)
{
    world_t *w = *state;
    char keys[64];
    begin_stream(w);
    put(w, 1, 100);
    uint64_t begin_s = now_ns() / SECOND_NS + 3;
    time_t at = (time_t)begin_s;
    struct tm utc;
    gmtime_r(&at, &utc);
    strftime(keys, sizeof keys, "?from=%Y-%m-%dT%H:%M:%SZ", &utc);
    LAUNCH(w, keys);
    put(w, 101, 200);
    if (now_ns() / SECOND_NS >= begin_s) {
        print_message("it took more than 2 seconds to publish 100 messages\n");
        skip();
    }
    while (now_ns() / SECOND_NS < begin_s)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    put(w, 201, day.messages);
    nats_wire_end(w->wire, STREAM, SESSION, day.messages);
    expect_end(w);
    assert_recorded_from(w, 201);
}

/* ---- paces ---- */

/* Of the market, in message `seq`: ns since midnight. */
static uint64_t market_time(uint64_t seq)
{
    const uint8_t *at = day.file + day.at[seq] + 2 + 5;
    uint64_t ns = 0;
    for (unsigned i = 0; i < 6; i++)
        ns = ns << 8 | at[i];
    return ns;
}

/* Messages with the times at which a bus has published them, a millisecond apart, behind the last
 * `count` of the day: one second of the market. Returns the first. */
static uint64_t put_a_second(world_t *w)
{
    char more[64];
    uint64_t first = day.messages, published_ns = UINT64_C(1796031000) * SECOND_NS;
    while (first > 1 && market_time(day.messages) - market_time(first - 1) < SECOND_NS)
        first--;
    assert_true(first < day.messages - 10);
    for (uint64_t seq = first; seq <= day.messages; seq++) {
        snprintf(more, sizeof more, NATS_HEADER_TIME ": %" PRIu64 "\r\n",
                 published_ns + seq * 1000000);
        nats_wire_tick(w->wire, STREAM, SESSION, NULL, seq, more, day.file + day.at[seq] + 2,
                       day.at[seq + 1] - day.at[seq] - 2);
    }
    nats_wire_end(w->wire, STREAM, SESSION, day.messages);
    return first;
}

static void run_paced(world_t *w, const char *pace, const char *clock)
{
    snprintf(w->journal, sizeof w->journal, "%s/%s-%s", w->root, pace, clock);
    launch(w->bus, "--feed", feed_of(w, ""), "--wait", "park", "--journal", w->journal, "--pace",
           pace, "--clock", clock, "--json", NULL);
    json_decref(w->status);
    expect_end(w);
}

static void assert_decided(world_t *w, const json_t *digests)
{
    if (!json_equal(json_object_get(w->status, "digests"), digests))
        fail_msg("decided differently in %s", w->journal);
}

static void at_every_pace_and_by_every_clock_it_is_the_same(void **state)
{
    static const char *const runs[][2] = {{"realtime", "market"},
                                          {"4x", "market"},
                                          {"realtime", "recorded"},
                                          {"4x", "recorded"},
                                          {"max", "recorded"}};
    world_t *w = *state;
    begin_stream(w);
    uint64_t first = put_a_second(w);
    run_paced(w, "max", "market");
    assert_recorded_from(w, first);
    json_t *digests = json_incref(json_object_get(w->status, "digests"));
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        run_paced(w, runs[i][0], runs[i][1]);
        assert_recorded_from(w, first);
        assert_decided(w, digests);
    }
    json_decref(digests);
}

static void a_clock_of_captures_is_refused(void **state)
{
    world_t *w = *state;
    begin_stream(w);
    put(w, 1, 10);
    assert_int_equal(run(w->bus, "start", "--feed", feed_of(w, ""), "--wait", "park", "--clock",
                         "capture", NULL),
                     1);
    assert_text_holds(w->bus->start.err, "a stream has no times of capture");
}

static void what_was_recorded_is_replayed_as_it_was(void **state)
{
    world_t *w = *state;
    char journal[96];
    begin_stream(w);
    put(w, 1, 1000);
    BEGIN(w, 1000, "");
    put(w, 1001, day.messages);
    nats_wire_end(w->wire, STREAM, SESSION, day.messages);
    expect_end(w);
    assert_true(BUSCTL("replay", "--verify", w->journal));
    json_t *digests = json_incref(json_object_get(w->status, "digests"));
    snprintf(journal, sizeof journal, "%s", w->journal);
    snprintf(w->journal, sizeof w->journal, "%s/again", w->root);
    launch_verb(w->bus, "replay", journal, "--wait", "park", "--journal", w->journal, "--json",
                NULL);
    json_decref(w->status);
    expect_end(w);
    assert_recorded_from(w, 1);
    assert_decided(w, digests);
    json_decref(digests);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_server_that_is_not_there_yet_is_waited_for),
        CASE(a_time_that_is_not_there_yet_is_waited_for),
        CASE(at_every_pace_and_by_every_clock_it_is_the_same),
        CASE(a_clock_of_captures_is_refused),
        CASE(what_was_recorded_is_replayed_as_it_was),
    };
    return cmocka_run_group_tests(tests, make_file, free_file);
}
