/* SPDX-License-Identifier: Apache-2.0 */
/* Two runs: the first sends its md by MoldUDP64 and serves its books by GLIMPSE, the second is fed
 * by it and loses a burst between them. It has no request server: the books are healed by a
 * snapshot. At the end they are those of the first, and what was decided meanwhile is decided again
 * in every layout. */
#include "tests/e2e/two_runs.h"

#include "tests/support/datagram_proxy.h"
#include "tests/support/free_port.h"

#define LOST_DATAGRAMS 40u
#define SYMBOLS_MAX    64u
#define ROW_MAX        128u

typedef struct world {
    two_runs_t runs;
    datagram_proxy_t *proxy;
} world_t;

static int begin_world(void **state)
{
    world_t *w = calloc(1, sizeof *w);
    if (!w || two_runs_begin(&w->runs) < 0)
        return -1;
    *state = w;
    return 0;
}

static int end_world(void **state)
{
    world_t *w = *state;
    int code = two_runs_end(&w->runs);
    datagram_proxy_stop(w->proxy);
    free(w);
    return code;
}

static json_int_t received(const json_t *status, const char *key)
{
    const json_t *feed = json_object_get(status, "feed");
    return json_integer_value(json_object_get(json_object_get(feed, "received"), key));
}

/* The sender, and where it serves its books. */
static int begin_near(world_t *w, const char *to)
{
    json_t *status = begin(w->runs.near, 500, "--feed", "synth:seed=3,messages=1000000", "--pace",
                           "5000/s", "--wait", "park", "--journal", w->runs.journal_near, "--mold",
                           to, "--set", "mold.payload_max=256", "--set", "mold.end_ms=600",
                           "--gateway", "127.0.0.1:0", "--glimpse", "127.0.0.1:0", "--json", NULL);
    for (unsigned messages = 501;; messages++) {
        const json_t *listen = json_object_get(json_object_get(status, "glimpse"), "listen");
        int port = (int)json_integer_value(json_object_get(listen, "md"));
        json_decref(status);
        if (port)
            return port;
        status = wait_for(w->runs.near, messages);
    }
}

/* Wait until the receiver's books are healed, and so many messages have come since. */
static void wait_healed(world_t *w, uint64_t more)
{
    uint64_t messages = 0;
    for (unsigned turns = 0; messages == 0; turns++) {
        json_t *status = wait_for(&w->runs.far, 1);
        if (received(status, "snapshots") == 1)
            messages = number(status, "feed", "messages");
        json_decref(status);
        if (turns == 10000)
            fail_msg("no snapshot has come");
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    json_decref(wait_for(&w->runs.far, (unsigned)(messages + more)));
}

/* The last best prices of each symbol, from `locate` on, as rows of CSV. Returns how many. */
static unsigned last_prices(world_t *w, const char *journal, char rows[SYMBOLS_MAX][ROW_MAX])
{
    const char *const argv[] = {TICKBUS_BUSCTL, "journal", "export", journal,     "--topic", "bbo",
                                "--format",     "csv",     "-o",     w->runs.out, NULL};
    program_t export = {.argv = argv};
    unsigned count = 0;
    size_t bytes;
    if (program_run(&export) != 0)
        fail_msg("%s", export.err);
    program_clear(&export);
    char *text = file_read(w->runs.out, &bytes), *rest = text, *line;
    assert_non_null(text);
    unlink(w->runs.out);
    strsep(&rest, "\n"); /* the header */
    while ((line = strsep(&rest, "\n")) && *line) {
        const char *row = strchr(line, ',') + 1; /* whose md_seq is the journal's own */
        int locate = atoi(row);
        assert_in_range(locate, 0, SYMBOLS_MAX - 1);
        count += rows[locate][0] == 0;
        snprintf(rows[locate], ROW_MAX, "%s", row);
    }
    free(text);
    return count;
}

static void assert_same_prices(world_t *w)
{
    static char near[SYMBOLS_MAX][ROW_MAX], far[SYMBOLS_MAX][ROW_MAX];
    unsigned count = last_prices(w, w->runs.journal_near, near);
    assert_true(count > 1);
    assert_int_equal(last_prices(w, w->runs.journal_far, far), count);
    for (unsigned i = 0; i < SYMBOLS_MAX; i++)
        assert_string_equal(far[i], near[i]);
}

/* What was decided is decided again. */
static void assert_replay_equals(world_t *w, const char *layout, const json_t *live)
{
    char setting[32];
    snprintf(setting, sizeof setting, "layout.mode=%s", layout);
    assert_int_equal(run(&w->runs.far, "replay", w->runs.journal_far, "--json", "--wait", "park",
                         "--set", setting, NULL),
                     0);
    json_t *again = final_object(&w->runs.far);
    const json_t *digests = json_object_get(live, "digests");
    assert_true(json_object_size(digests) > 2);
    if (!json_equal(json_object_get(again, "digests"), digests))
        fail_msg("%s: %s", layout, w->runs.far.start.out);
    assert_int_equal(number(again, "feed", "messages"), number(live, "feed", "messages"));
    assert_int_equal(number(again, "feed", "lost"), number(live, "feed", "lost"));
    assert_true(json_equal(json_object_get(json_object_get(again, "feed"), "gaps"),
                           json_object_get(json_object_get(live, "feed"), "gaps")));
    json_decref(again);
}

static void a_gap_is_healed_by_a_snapshot_and_the_books_at_the_end_are_the_senders(void **state)
{
    world_t *w = *state;
    const datagram_plan_t no_faults = {.seed = 1};
    char to[32], feed[128];
    uint16_t in = free_port(SOCK_DGRAM), port;
    w->proxy = datagram_proxy_start(&no_faults, NULL, in, &port);
    assert_non_null(w->proxy);
    snprintf(to, sizeof to, "127.0.0.1:%u", port);
    int glimpse = begin_near(w, to);
    snprintf(feed, sizeof feed,
             "mold:127.0.0.1:%u?reorder=4&keep_bytes=4194304&glimpse=127.0.0.1:%d", in, glimpse);
    json_decref(begin(&w->runs.far, 500, "--feed", feed, "--wait", "park", "--journal",
                      w->runs.journal_far, "--json", NULL));
    datagram_proxy_lose(w->proxy, LOST_DATAGRAMS);
    wait_healed(w, 3000);
    json_decref(ask(w->runs.near, "stop", NULL));
    assert_ended_with(w->runs.near, 0);
    assert_ended_with(&w->runs.far, 0);

    json_t *near = final_object(w->runs.near), *far = final_object(&w->runs.far);
    const json_t *gaps = json_object_get(json_object_get(far, "feed"), "gaps");
    const json_t *gap = json_array_get(gaps, 0);
    json_int_t from = json_integer_value(json_object_get(gap, "from"));
    json_int_t to_seq = json_integer_value(json_object_get(gap, "to"));
    assert_int_equal(datagram_proxy_counts(w->proxy).lost, LOST_DATAGRAMS);
    assert_true(from > 1 && to_seq - from + 1 >= LOST_DATAGRAMS);
    assert_int_equal(received(far, "lost"), to_seq - from + 1); /* and nothing else */
    assert_int_equal(number(far, "books", "live_orders"), number(near, "books", "live_orders"));
    assert_same_prices(w);
    assert_replay_equals(w, "fused", far);
    assert_replay_equals(w, "split", far);
    json_decref(near);
    json_decref(far);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_gap_is_healed_by_a_snapshot_and_the_books_at_the_end_are_the_senders, begin_world,
            end_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
