/* SPDX-License-Identifier: Apache-2.0 */
/* Two pipelines: the gateway of the first feeds the second, and is killed in the middle of it. */
#include "tests/e2e/running_bus.h"

#include <signal.h>
#include <sys/stat.h>

#include <tickbus/soup.h>

#include "tests/market_data.h"
#include "tests/support/free_port.h"

#define FOREVER UINT64_MAX

typedef struct world {
    fixture_t *one; /* feeds from a named pipe, and serves */
    fixture_t two;  /* receives */
    char root[SCRATCH_PATH_MAX];
    char pipe[96], journal_one[96], journal_two[96], out[96];
    int pipe_fd;
    uint16_t port;
    tbus_soup_t *soup; /* another client */
    char *file;
    size_t file_bytes, half_bytes;
    unsigned messages, half;
} world_t;

static int begin_world(void **state)
{
    static unsigned number;
    world_t *w = calloc(1, sizeof *w);
    if (!w || set_up((void **)&w->one) < 0)
        return -1;
    scratch_create(w->root);
    w->two = *w->one;
    snprintf(w->two.bus, sizeof w->two.bus, "far-%d-%u", (int)getpid(), number++);
    snprintf(w->pipe, sizeof w->pipe, "%s/pipe", w->root);
    snprintf(w->journal_one, sizeof w->journal_one, "%s/one", w->root);
    snprintf(w->journal_two, sizeof w->journal_two, "%s/two", w->root);
    snprintf(w->out, sizeof w->out, "%s/out", w->root);
    w->pipe_fd = -1;
    *state = w;
    return mkfifo(w->pipe, 0600);
}

static int end_world(void **state)
{
    world_t *w = *state;
    if (w->pipe_fd >= 0)
        close(w->pipe_fd);
    tbus_soup_close(w->soup);
    program_clear(&w->two.start);
    int code = processes_of(w->two.bus) ? -1 : 0;
    if (tear_down((void **)&w->one) < 0)
        code = -1;
    scratch_remove(w->root);
    free(w->file);
    free(w);
    return code;
}

static bool load(world_t *w, const char *name)
{
    char path[MARKET_DATA_PATH_MAX];
    if (!market_data_path(name, path))
        return false;
    w->file = file_read(path, &w->file_bytes);
    assert_non_null(w->file);
    const uint8_t *bytes = (const uint8_t *)w->file;
    for (size_t at = 0; at < w->file_bytes; at += 2 + ((size_t)bytes[at] << 8 | bytes[at + 1])) {
        if (at < w->file_bytes / 2) {
            w->half_bytes = at;
            w->half = w->messages;
        }
        w->messages++;
    }
    return true;
}

/* The first pipeline, with half of the file in it; and what was begun when that is through. */
static json_t *begin_one(world_t *w)
{
    char feed[128], listen[64];
    w->port = free_port(SOCK_STREAM);
    snprintf(feed, sizeof feed, "itch:%s", w->pipe);
    snprintf(listen, sizeof listen, "gateway.listen=127.0.0.1:%u", w->port);
    w->pipe_fd = open(w->pipe, O_RDWR | O_CLOEXEC); /* does not wait for the reader */
    assert_true(w->pipe_fd >= 0);
    fcntl(w->pipe_fd, F_SETPIPE_SZ, 1 << 20);
    assert_int_equal(write(w->pipe_fd, w->file, w->half_bytes), w->half_bytes);
    return begin(w->one, w->half, "--feed", feed, "--wait", "park", "--journal", w->journal_one,
                 "--set", listen, NULL);
}

/* The gateway is started after the others and binds when it can. */
static void open_client(world_t *w)
{
    tbus_soup_options_t options = {.from = 1};
    char server[32];
    snprintf(server, sizeof server, "127.0.0.1:%u", w->port);
    while (tbus_soup_open(server, &options, &w->soup, NULL) < 0)
        assert_false(program_ended(&w->one->start));
}

static void expect(world_t *w, uint64_t from, uint64_t to)
{
    tbus_soup_event_t event;
    for (uint64_t sequence = from; sequence <= to; sequence++) {
        int outcome;
        do
            outcome = tbus_soup_next(w->soup, FOREVER, &event, NULL);
        while (outcome == TBUS_SOUP_LOST || outcome == TBUS_SOUP_RESUMED ||
               outcome == TBUS_SOUP_TEXT);
        assert_int_equal(outcome, TBUS_SOUP_MESSAGE);
        assert_int_equal(event.sequence, sequence);
    }
}

static void assert_exports_what_was_fed(world_t *w, const char *journal)
{
    size_t bytes;
    const char *const argv[] = {TICKBUS_BUSCTL, "journal", "export", journal, "--topic", "md",
                                "--format",     "itch",    "-o",     w->out,  NULL};
    program_t export = {.argv = argv};
    assert_int_equal(program_run(&export), 0);
    program_clear(&export);
    char *out = file_read(w->out, &bytes);
    assert_non_null(out);
    assert_int_equal(bytes, w->file_bytes);
    assert_memory_equal(out, w->file, bytes);
    free(out);
}

static void a_feed_over_tcp_is_complete_though_the_gateway_is_killed_in_between(void **state)
{
    world_t *w = *state;
    char feed[64];
    if (!load(w, "itch_aapl_20200130_5k/aapl_5k.itch"))
        skip();
    json_t *status = begin_one(w);
    open_client(w);
    expect(w, 1, w->half);
    snprintf(feed, sizeof feed, "soup:127.0.0.1:%u", w->port);
    json_decref(begin(&w->two, w->half, "--feed", feed, "--wait", "park", "--journal",
                      w->journal_two, NULL));

    pid_t gateway = process_of(status, "gateway");
    json_decref(status);
    assert_true(gateway > 0);
    assert_int_equal(kill(gateway, SIGKILL), 0);
    size_t rest = w->file_bytes - w->half_bytes;
    assert_int_equal(write(w->pipe_fd, w->file + w->half_bytes, rest), rest);
    expect(w, w->half + 1, w->messages);
    json_decref(wait_for(&w->two, w->messages));
    close(w->pipe_fd); /* the end of the feed, and so of the session */
    w->pipe_fd = -1;

    tbus_soup_event_t event;
    int outcome;
    do
        outcome = tbus_soup_next(w->soup, FOREVER, &event, NULL);
    while (outcome == TBUS_SOUP_TEXT);
    assert_int_equal(outcome, TBUS_SOUP_ENDED);
    assert_int_equal(event.sequence, w->messages);
    program_wait(&w->two.start);
    assert_int_equal(w->two.start.exit_code, 0);
    program_wait(&w->one->start);
    assert_exports_what_was_fed(w, w->journal_one);
    assert_exports_what_was_fed(w, w->journal_two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_feed_over_tcp_is_complete_though_the_gateway_is_killed_in_between, begin_world,
            end_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
