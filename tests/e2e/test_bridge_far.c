/* SPDX-License-Identifier: Apache-2.0 */
/* Two buses with NATS JetStream between them: the bridge of the first writes a stream, the second
 * is fed from it. What the second has recorded of md is what the first has, byte for byte and under
 * the same numbers, and what is decided there is the same; whatever is killed in between, with
 * three servers, each of which has all of it in the end.
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
    nats_cluster_t cluster;
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
    nats_cluster_clear(&w->cluster);
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

/* As many as the environment says, or `usual`. */
static unsigned messages_of(unsigned usual)
{
    const char *text = getenv("TICKBUS_BRIDGE_MESSAGES");
    return text ? (unsigned)strtoul(text, NULL, 10) : usual;
}

static void choose_feed(world_t *w, unsigned messages, unsigned per_second)
{
    w->messages = messages;
    snprintf(w->source, sizeof w->source, "synth:seed=9,messages=%u", messages);
    snprintf(w->pace, sizeof w->pace, "%u/s", per_second);
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

static const char *digest(const json_t *summary, const char *topic)
{
    return json_string_value(json_object_get(json_object_get(summary, "digests"), topic));
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
    assert_string_equal(digest(w->far_end, "bbo"), digest(w->near_end, "bbo"));
}

/* Results belong to the market. (A bus that is stopped cancels its orders at the time of that,
 * which no message of md tells: the other one does at the time of the last message.) */
static void assert_both_have_decided_the_same(world_t *w)
{
    static const char *const topics[] = {"orders", "approved", "reports"};
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
        assert_string_equal(digest(w->far_end, topics[i]), digest(w->near_end, topics[i]));
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
    choose_feed(w, messages_of(6000), messages_of(6000));
    NEAR(w, w->server.url, "bridge.replicas=1");
    begin_far(w, &w->server, w->server.url, "");
    expect_ends(w);
    assert_both_have_the_same(w);
    assert_both_have_decided_the_same(w);
    assert_a_stranger_reads_it(w);
}

/* ---- three servers ---- */

#define ENDLESS  100000000u /* messages */
#define RATE_MAX 5000u      /* a second */

/* A server that is asked, of the stream. */
static nats_wire_t *open_wire(world_t *w, unsigned node)
{
    return nats_wire_open(&w->cluster.nodes[node]);
}

/* What the stream's leader says of it, once there is one. Valid until the next call. */
static const char *info_of(world_t *w, nats_wire_t *wire)
{
    char subject[96];
    const char *answer;
    snprintf(subject, sizeof subject, "$JS.API.STREAM.INFO.%s", STREAM_OF(w));
    while (!(answer = nats_wire_try(wire, subject, "")) || strstr(answer, "\"error\""))
        ;
    return answer;
}

/* Which node leads the stream. A cluster that elects has none. */
static unsigned leader_of(world_t *w, unsigned asked)
{
    unsigned node = 0;
    nats_wire_t *wire = open_wire(w, asked);
    while (node == 0) {
        const char *at = strstr(info_of(w, wire), "\"leader\":\"node");
        if (at)
            node = (unsigned)(at[strlen("\"leader\":\"node")] - '0');
    }
    nats_wire_close(wire);
    return node - 1;
}

static void kill_bridge(world_t *w)
{
    json_t *status = ask(w->runs.near, "status", NULL);
    pid_t bridge = process_of(status, "bridge");
    json_decref(status);
    assert_true(bridge > 0);
    assert_int_equal(kill(bridge, SIGKILL), 0);
}

/* Messages flow from one bus to the other: so many more than there are now. */
static void flow(world_t *w, unsigned more)
{
    json_t *status = wait_for(&w->runs.far, 0);
    unsigned there = (unsigned)number(status, "feed", "messages");
    json_decref(status);
    json_decref(wait_for(&w->runs.far, there + more));
}

/* The first is stopped; what it has sent is then on its way to the second. */
static void stop_near(world_t *w)
{
    json_decref(ask(w->runs.near, "stop", NULL));
    expect_ends(w);
    w->messages = (unsigned)number(w->near_end, "feed", "messages");
}

/* A cluster that has just elected a leader has not heard of all of its servers: wait until it can
 * place a stream on three. */
static void await_placement(world_t *w)
{
    nats_wire_t *wire = open_wire(w, 0);
    while (!nats_wire_make_stream(wire, "ready", "S", ",\"num_replicas\":3"))
        ;
    assert_true(nats_wire_delete_stream(wire, "ready"));
    nats_wire_close(wire);
}

/* Wait until the replicas have what the leader has. */
static void await_replicas(world_t *w)
{
    nats_wire_t *wire = open_wire(w, 0);
    for (unsigned current = 0; current < NATS_NODES - 1;) {
        const char *at = info_of(w, wire);
        for (current = 0; (at = strstr(at, "\"current\":true")) != NULL; at++)
            current++;
    }
    nats_wire_close(wire);
}

static void header_of(const char *answer, const char *key, char out[64])
{
    char line[64];
    snprintf(line, sizeof line, "\r\n%s: ", key);
    const char *at = strstr(answer, line);
    at = at ? at + strlen(line) : "";
    snprintf(out, 64, "%.*s", (int)strcspn(at, "\r"), at);
}

static void assert_header(const char *answer, const char *key, const char *expected)
{
    char value[64];
    header_of(answer, key, value);
    assert_string_equal(value, expected);
}

/* Message `seq` of md, as the ITCH file has it. */
static void write_message(const char *answer, size_t bytes, uint64_t seq, FILE *file)
{
    char expected[24];
    const char *payload = strstr(answer, "\r\n\r\n");
    assert_non_null(payload);
    payload += 4;
    size_t payload_bytes = bytes - (size_t)(payload - answer);
    snprintf(expected, sizeof expected, "%" PRIu64, seq);
    assert_header(answer, "Tickbus-Sequence", expected);
    assert_header(answer, "Tickbus-Type", "tick");
    fputc((int)(payload_bytes >> 8), file);
    fputc((int)(payload_bytes & 0xff), file);
    assert_int_equal(fwrite(payload, 1, payload_bytes, file), payload_bytes);
}

/* A consumer that lives on that node, and so reads its replica: the cluster places it where it
 * likes, until it is there. */
static void place_consumer(world_t *w, nats_wire_t *wire, unsigned node, char out_name[32])
{
    char subject[128], json[512], leader[32];
    snprintf(leader, sizeof leader, "\"leader\":\"node%u\"", node + 1);
    snprintf(json, sizeof json,
             "{\"stream_name\":\"%s\",\"config\":{\"ack_policy\":\"none\",\"deliver_policy\":"
             "\"all\",\"replay_policy\":\"instant\",\"num_replicas\":1,\"mem_storage\":true}}",
             STREAM_OF(w));
    for (;;) {
        snprintf(subject, sizeof subject, "$JS.API.CONSUMER.CREATE.%s", STREAM_OF(w));
        const char *answer = nats_wire_try(wire, subject, json);
        const char *name = answer ? strstr(answer, "\"name\":\"") : NULL;
        if (!name)
            continue; /* it elects */
        name += strlen("\"name\":\"");
        snprintf(out_name, 32, "%.*s", (int)strcspn(name, "\""), name);
        if (strstr(answer, leader))
            return;
        snprintf(subject, sizeof subject, "$JS.API.CONSUMER.DELETE.%s.%s", STREAM_OF(w), out_name);
        (void)nats_wire_try(wire, subject, "");
    }
}

#define AT_ONCE 200u /* messages that are asked for */

/* A node's replica has all messages in order, the end behind them, each at its place, and nothing
 * else. */
static void write_replica(world_t *w, unsigned node, FILE *file)
{
    char name[32], subject[128], json[64];
    uint64_t end = w->messages + 1;
    size_t bytes;
    nats_wire_t *wire = open_wire(w, node);
    place_consumer(w, wire, node, name);
    snprintf(subject, sizeof subject, "$JS.API.CONSUMER.MSG.NEXT.%s.%s", STREAM_OF(w), name);
    for (uint64_t seq = 1; seq <= end; seq++) {
        if (seq % AT_ONCE == 1) {
            uint64_t left = end - seq + 1;
            snprintf(json, sizeof json, "{\"batch\":%" PRIu64 "}", left < AT_ONCE ? left : AT_ONCE);
            nats_wire_ask(wire, subject, json);
        }
        const char *answer = nats_wire_next(wire, &bytes);
        if (seq < end)
            write_message(answer, bytes, seq, file);
        else
            assert_header(answer, "Tickbus-Type", "end");
    }
    snprintf(subject, sizeof subject, "$JS.API.CONSUMER.INFO.%s.%s", STREAM_OF(w), name);
    snprintf(json, sizeof json, "\"stream_seq\":%" PRIu64, end);
    const char *info = nats_wire_request(wire, subject, "");
    assert_text_holds(info, json);
    assert_text_holds(info, "\"num_pending\":0");
    nats_wire_close(wire);
}

/* Each has what the first bus has, byte for byte. */
static void assert_each_replica_is_whole(world_t *w)
{
    char near[SHA256_TEXT], replica[SHA256_TEXT];
    digest_of(w, w->runs.journal_near, near);
    await_replicas(w);
    for (unsigned node = 0; node < NATS_NODES; node++) {
        FILE *file = fopen(w->runs.out, "w");
        assert_non_null(file);
        write_replica(w, node, file);
        fclose(file);
        file_sha256(w->runs.out, replica);
        assert_string_equal(replica, near);
        unlink(w->runs.out);
    }
}

/* Neither of two; with one of them down and back again there is no leader to be elected then. */
static unsigned third(unsigned one, unsigned another)
{
    return NATS_NODES - one - another;
}

static void bridge_leader_and_another_of_three_servers_are_killed_and_each_has_all(void **state)
{
    world_t *w = *state;
    const char *why = "";
    nats_cluster_t *c = &w->cluster;
    skip_without(nats_cluster_there(&why), why);
    assert_true(nats_cluster_start(c));
    await_placement(w);
    unsigned total = messages_of(8000), part = total / 5;
    /* Until it is stopped, as an election takes what it takes; at a rate of which nothing is left
     * to be sent then. */
    choose_feed(w, ENDLESS, total / 6 < RATE_MAX ? total / 6 : RATE_MAX);
    NEAR(w, c->urls, "bridge.replicas=3");
    begin_far(w, &c->nodes[0], c->urls, "?lost=60s");
    flow(w, part);
    kill_bridge(w);
    flow(w, part);
    unsigned killed = leader_of(w, 0);
    nats_server_kill(&c->nodes[killed]);
    flow(w, part);
    unsigned leader = leader_of(w, (killed + 1) % NATS_NODES);
    assert_true(nats_server_again(&c->nodes[killed]));
    unsigned other = third(killed, leader);
    nats_server_kill(&c->nodes[other]);
    flow(w, part);
    assert_true(nats_server_again(&c->nodes[other]));
    flow(w, part);
    stop_near(w);
    print_message("%u messages\n", w->messages);
    assert_in_range(w->messages, total, ENDLESS - 1);
    assert_both_have_the_same(w);
    assert_each_replica_is_whole(w);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, begin_world, end_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_one_bus_bridges_another_is_fed_with_and_decides_the_same),
        CASE(bridge_leader_and_another_of_three_servers_are_killed_and_each_has_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
