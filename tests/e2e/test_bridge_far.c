/* SPDX-License-Identifier: Apache-2.0 */
/* Two buses with NATS JetStream between them: the bridge of the first writes a stream, the second
 * is fed from it. What the second has recorded of md is what the first has, byte for byte and under
 * the same numbers, and what is decided there is the same.
 *
 * TICKBUS_BRIDGE_MESSAGES=200000: the long form. */
#include "tests/e2e/two_runs.h"

#include <inttypes.h>

#include "feedsim/nats/jetstream/connection.h"
#include "tests/support/nats_server.h"
#include "tests/support/nats_wire.h"

/* The near bus has this name, and the stream has it as well. */
#define STREAM_OF(w) ((w)->runs.near->bus)

typedef struct world {
    two_runs_t runs;
    nats_server_t server;
    char source[64], pace[32], feed[256];
    unsigned messages;
    json_t *near_end, *far_end; /* summaries */
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
    json_decref(w->near_end);
    json_decref(w->far_end);
    program_clear(&w->runs.far.start);
    remove_standing(&w->runs.far);
    int code = two_runs_end(&w->runs);
    nats_server_clear(&w->server);
    free(w);
    return code;
}

static void skip_without(bool there, const char *why)
{
    if (there && nats_available())
        return;
    print_message("no NATS here: %s\n", there ? "the build has no libnats-dev" : why);
    skip();
}

/* So many messages in so many seconds, or as many as the environment says in as many. */
static void choose_feed(world_t *w, unsigned usual, unsigned seconds)
{
    const char *text = getenv("TICKBUS_BRIDGE_MESSAGES");
    w->messages = text ? (unsigned)strtoul(text, NULL, 10) : usual;
    snprintf(w->source, sizeof w->source, "synth:seed=9,messages=%u", w->messages);
    snprintf(w->pace, sizeof w->pace, "%u/s", w->messages / seconds);
}

#define NEAR(w, urls, replicas)                                                                    \
    launch((w)->runs.near, "--feed", (w)->source, "--pace", (w)->pace, "--wait", "park",           \
           "--journal", (w)->runs.journal_near, "--bridge", urls, "--set", replicas, "--set",      \
           "bus.drain_s_max=120", "--json", NULL)

/* The far bus can begin when there is the stream. */
static void begin_far(world_t *w, const nats_server_t *server, const char *urls, const char *keys)
{
    char subject[96];
    nats_wire_t *wire = nats_wire_open(server);
    snprintf(subject, sizeof subject, "$JS.API.STREAM.INFO.%s", STREAM_OF(w));
    for (const char *answer;
         !(answer = nats_wire_try(wire, subject, "")) || strstr(answer, "\"error\"");)
        if (program_ended(&w->runs.near->start))
            fail_msg("the bus with the bridge has ended: %s", w->runs.near->start.err);
    nats_wire_close(wire);
    snprintf(w->feed, sizeof w->feed, "%s/%s%s", urls, STREAM_OF(w), keys);
    launch(&w->runs.far, "--feed", w->feed, "--wait", "park", "--journal", w->runs.journal_far,
           "--json", NULL);
}

static void expect_ends(world_t *w)
{
    assert_ended_with(w->runs.near, 0);
    assert_ended_with(&w->runs.far, 0);
    w->near_end = final_object(w->runs.near);
    w->far_end = final_object(&w->runs.far);
    assert_complete(w->far_end);
}

/* What `busctl journal info` says of md. */
static json_t *md_of(const char *journal)
{
    const char *const argv[] = {TICKBUS_BUSCTL, "journal", "info", journal, "--json", NULL};
    program_t info = {.argv = argv};
    assert_int_equal(program_run(&info), 0);
    json_t *object = json_loads(info.out, 0, NULL);
    json_t *md = json_incref(json_object_get(json_object_get(object, "topics"), "md"));
    json_decref(object);
    program_clear(&info);
    assert_non_null(md);
    return md;
}

static void digest_of(world_t *w, const char *journal, char out_hex[SHA256_TEXT])
{
    const char *const argv[] = {TICKBUS_BUSCTL, "journal", "export", journal,     "--topic", "md",
                                "--format",     "itch",    "-o",     w->runs.out, NULL};
    program_t export = {.argv = argv};
    if (program_run(&export) != 0)
        fail_msg("%s", export.err);
    program_clear(&export);
    file_sha256(w->runs.out, out_hex);
    unlink(w->runs.out);
}

static void assert_both_have_the_same(world_t *w)
{
    char near[SHA256_TEXT], far[SHA256_TEXT];
    static const char *const keys[] = {"first_seq", "last_seq", "records", "payload_bytes"};
    digest_of(w, w->runs.journal_near, near);
    digest_of(w, w->runs.journal_far, far);
    assert_string_equal(far, near);
    json_t *near_md = md_of(w->runs.journal_near), *far_md = md_of(w->runs.journal_far);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        assert_int_equal(json_integer_value(json_object_get(far_md, keys[i])),
                         json_integer_value(json_object_get(near_md, keys[i])));
    json_decref(near_md);
    json_decref(far_md);
    assert_int_equal(number(w->far_end, "feed", "messages"), w->messages);
    assert_int_equal(number(w->far_end, "feed", "gaps"), 0);
    /* Results belong to the market. */
    if (!json_equal(json_object_get(w->far_end, "digests"),
                    json_object_get(w->near_end, "digests")))
        fail_msg("decided near: %s, far: %s",
                 json_dumps(json_object_get(w->near_end, "digests"), JSON_COMPACT),
                 json_dumps(json_object_get(w->far_end, "digests"), JSON_COMPACT));
}

/* A program that knows the layout of the stream and the NATS library alone. */
static void assert_a_stranger_reads_it(world_t *w)
{
    const char *const argv[] = {TICKBUS_EXAMPLES "/nats_reader", w->server.url, STREAM_OF(w), "md",
                                NULL};
    program_t reader = {.argv = argv};
    if (program_run(&reader) != 0)
        fail_msg("%s", reader.err);
    json_t *md = md_of(w->runs.journal_near);
    json_int_t lines = 0, sequence = 0;
    for (const char *at = reader.out; *at; at = strchr(at, '\n') + 1) {
        assert_int_equal(sscanf(at, "%" JSON_INTEGER_FORMAT " tick ", &sequence), 1);
        lines++;
    }
    assert_int_equal(lines, json_integer_value(json_object_get(md, "records")));
    assert_int_equal(sequence, json_integer_value(json_object_get(md, "last_seq")));
    json_decref(md);
    program_clear(&reader);
}

static void what_one_bus_bridges_another_is_fed_with_and_decides_the_same(void **state)
{
    world_t *w = *state;
    skip_without(nats_server_there(), "no nats-server, of the package of that name");
    assert_true(nats_server_start(&w->server, NULL));
    choose_feed(w, 6000, 1);
    NEAR(w, w->server.url, "bridge.replicas=1");
    begin_far(w, &w->server, w->server.url, "");
    expect_ends(w);
    assert_both_have_the_same(w);
    assert_a_stranger_reads_it(w);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, begin_world, end_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_one_bus_bridges_another_is_fed_with_and_decides_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
