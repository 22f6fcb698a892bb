/* SPDX-License-Identifier: Apache-2.0 */
/* Two runs: the first sends its md by MoldUDP64, the second is fed by it, and between them is a
 * proxy that loses, doubles and reorders. What the second has recorded is what the first has, byte
 * for byte, or has a mark for each message that is missing. */
#include "tests/e2e/two_runs.h"

#include "tests/support/datagram_proxy.h"
#include "tests/support/free_port.h"

#define MESSAGES 6000u
#define FEED     "synth:seed=3,messages=6000"
#define GROUP    "239.255.84.67"

typedef struct world {
    two_runs_t runs;
    datagram_proxy_t *proxies[2];
    char requests[32];      /* where the sender answers; "": nowhere */
    json_t *status;         /* of the receiver, at its end */
    char namespaces[2][16]; /* "": none */
} world_t;

static int begin_world(void **state)
{
    world_t *w = calloc(1, sizeof *w);
    if (!w || two_runs_begin(&w->runs) < 0)
        return -1;
    *state = w;
    return 0;
}

static int ip(const char *const *argv)
{
    program_t program = {.argv = argv};
    int code = program_run(&program);
    program_clear(&program);
    return code;
}

#define IP(...) ip((const char *const[]){"ip", __VA_ARGS__, NULL})

static int end_world(void **state)
{
    world_t *w = *state;
    json_decref(w->status);
    int code = two_runs_end(&w->runs);
    for (unsigned i = 0; i < 2; i++)
        datagram_proxy_stop(w->proxies[i]);
    for (unsigned i = 0; i < 2; i++)
        if (w->namespaces[i][0])
            IP("netns", "del", w->namespaces[i]);
    free(w);
    return code;
}

/* The receiver, listening; `lines` and keys as in its spec. */
static void begin_receiver(world_t *w, const char *lines, const char *keys)
{
    char feed[256];
    snprintf(feed, sizeof feed, "mold:%s?keep_bytes=4194304%s", lines, keys);
    json_decref(begin(&w->runs.far, 0, "--feed", feed, "--wait", "park", "--journal",
                      w->runs.journal_far, "--json", NULL));
}

/* The sender, until both are at their ends. Its packets are small, so that there are many; the end
 * of the session is repeated so often that one of them comes. */
static void send_all(world_t *w, const char *to, bool loses_much)
{
    const char *end_ms = loses_much ? "mold.end_ms=1500" : "mold.end_ms=600";
    launch(w->runs.near, "--feed", FEED, "--pace", "50000/s", "--wait", "park", "--journal",
           w->runs.journal_near, "--mold", to, "--set", "mold.interface=lo", "--set", end_ms,
           "--set", "mold.payload_max=128", "--json", *w->requests ? "--mold-requests" : NULL,
           w->requests, NULL);
    assert_ended_with(w->runs.near, 0);
    assert_ended_with(&w->runs.far, 0);
    w->status = final_object(&w->runs.far);
}

/* One line, through a proxy. */
static void run_through(world_t *w, const datagram_plan_t *plan, const char *keys)
{
    char line[32], to[32];
    uint16_t in = free_port(SOCK_DGRAM), port;
    snprintf(line, sizeof line, "127.0.0.1:%u", in);
    begin_receiver(w, line, keys);
    w->proxies[0] = datagram_proxy_start(plan, NULL, in, &port);
    assert_non_null(w->proxies[0]);
    snprintf(to, sizeof to, "127.0.0.1:%u", port);
    send_all(w, to, plan->lose_ppm >= 100000);
}

/* What a journal has of md, as a BinaryFILE. To be freed. */
static uint8_t *export_md(world_t *w, const char *journal, size_t *out_bytes)
{
    const char *const argv[] = {TICKBUS_BUSCTL, "journal", "export", journal,     "--topic", "md",
                                "--format",     "itch",    "-o",     w->runs.out, NULL};
    program_t export = {.argv = argv};
    if (program_run(&export) != 0)
        fail_msg("%s", export.err);
    program_clear(&export);
    char *out = file_read(w->runs.out, out_bytes);
    assert_non_null(out);
    unlink(w->runs.out);
    return (uint8_t *)out;
}

static const json_t *line_of(const world_t *w, size_t i)
{
    return json_array_get(json_object_get(json_object_get(w->status, "feed"), "lines"), i);
}

static uint64_t counted(const json_t *object, const char *key)
{
    assert_true(json_is_integer(json_object_get(object, key)));
    return (uint64_t)json_integer_value(json_object_get(object, key));
}

static void assert_both_have_the_same(world_t *w)
{
    size_t sent_bytes, got_bytes;
    uint8_t *sent = export_md(w, w->runs.journal_near, &sent_bytes);
    uint8_t *got = export_md(w, w->runs.journal_far, &got_bytes);
    assert_int_equal(got_bytes, sent_bytes);
    assert_memory_equal(got, sent, sent_bytes);
    assert_int_equal(number(w->status, "feed", "messages"), MESSAGES);
    assert_int_equal(number(w->status, "feed", "lost"), 0);
    assert_int_equal(json_array_size(json_object_get(json_object_get(w->status, "feed"), "gaps")),
                     0);
    free(sent);
    free(got);
}

static size_t block_bytes(const uint8_t *at)
{
    return 2 + ((size_t)at[0] << 8 | at[1]);
}

/* The ticks of md as JSON, one a line. To be freed. */
static char *export_lines(world_t *w, const char *journal)
{
    size_t bytes;
    const char *const argv[] = {TICKBUS_BUSCTL, "journal", "export", journal,     "--topic", "md",
                                "--format",     "jsonl",   "-o",     w->runs.out, NULL};
    program_t export = {.argv = argv};
    if (program_run(&export) != 0)
        fail_msg("%s", export.err);
    program_clear(&export);
    char *out = file_read(w->runs.out, &bytes);
    assert_non_null(out);
    unlink(w->runs.out);
    return out;
}

/* Every message is there in its place, or lies within a mark, which an ITCH file has not. Returns
 * how many lie within one. */
static uint64_t assert_each_is_there_or_told(world_t *w)
{
    size_t sent_bytes, got_bytes, s = 0, g = 0;
    uint64_t seq = 1, lost = 0, gaps = 0;
    uint8_t *sent = export_md(w, w->runs.journal_near, &sent_bytes);
    uint8_t *got = export_md(w, w->runs.journal_far, &got_bytes);
    char *lines = export_lines(w, w->runs.journal_far), *rest = lines, *line;
    const json_t *told = json_object_get(json_object_get(w->status, "feed"), "gaps");
    while ((line = strsep(&rest, "\n")) && *line) {
        if (!strstr(line, "\"type\":\"gap\"")) {
            assert_true(s < sent_bytes && g < got_bytes);
            assert_memory_equal(got + g, sent + s, block_bytes(sent + s));
            s += block_bytes(sent + s);
            g += block_bytes(got + g);
            seq++;
            continue;
        }
        json_t *mark = json_loads(line, 0, NULL);
        uint64_t from = counted(mark, "from"), to = counted(mark, "to");
        json_decref(mark);
        assert_int_equal(from, seq);
        assert_true(to >= from);
        const json_t *gap = json_array_get(told, gaps++);
        if (gap) { /* it has room for some */
            assert_int_equal(counted(gap, "from"), from);
            assert_int_equal(counted(gap, "to"), to);
        }
        for (; seq <= to; seq++, lost++) {
            assert_true(s < sent_bytes);
            s += block_bytes(sent + s);
        }
    }
    assert_int_equal(s, sent_bytes);
    assert_int_equal(g, got_bytes);
    assert_int_equal(seq, MESSAGES + 1);
    assert_int_equal(number(w->status, "feed", "lost"), lost);
    assert_int_equal(number(w->status, "feed", "gaps_count"), gaps);
    free(sent);
    free(got);
    free(lines);
    return lost;
}

/* With requests switched off, after a plan that loses. */
static void lose_and_tell(world_t *w, const datagram_plan_t *plan)
{
    run_through(w, plan, "");
    uint64_t lost = assert_each_is_there_or_told(w);
    datagram_counts_t counts = datagram_proxy_counts(w->proxies[0]);
    const json_t *line = line_of(w, 0);
    assert_true(counts.lost > 0);
    assert_true(lost > 0);
    if (plan->reorder_ppm == 0) /* what comes after it was given up is no loss of the line */
        assert_int_equal(counted(line, "lost"), lost);
    assert_true(counted(line, "packets") + counted(line, "heartbeats") <= counts.passed);
    assert_int_equal(counted(line, "refused"), 0);
}

/* With requests, of which each packet that was lost needs one at least. */
static void lose_and_ask(world_t *w, const datagram_plan_t *plan)
{
    char keys[64];
    snprintf(w->requests, sizeof w->requests, "127.0.0.1:%u", free_port(SOCK_DGRAM));
    snprintf(keys, sizeof keys, "&give_up=10s&requests=%s", w->requests);
    run_through(w, plan, keys);
    assert_true(datagram_proxy_counts(w->proxies[0]).lost > 0);
    assert_both_have_the_same(w);
    const json_t *requests = json_object_get(json_object_get(w->status, "feed"), "requests");
    assert_true(counted(requests, "answers") > 0);
    assert_true(counted(requests, "messages") >= counted(line_of(w, 0), "lost"));
}

static void at_1_percent_of_loss_what_is_asked_for_again_arrives_byte_for_byte(void **state)
{
    lose_and_ask(*state, &(datagram_plan_t){.seed = 6, .lose_ppm = 10000});
}

static void at_10_percent_of_loss_what_is_asked_for_again_arrives_byte_for_byte(void **state)
{
    lose_and_ask(*state, &(datagram_plan_t){.seed = 7,
                                            .lose_ppm = 100000,
                                            .double_ppm = 50000,
                                            .reorder_ppm = 50000,
                                            .reorder_by = 5});
}

static void a_burst_of_1000_packets_that_is_asked_for_again_arrives_byte_for_byte(void **state)
{
    lose_and_ask(*state, &(datagram_plan_t){.seed = 8, .burst_at = 100, .burst_count = 1000});
}

static void at_1_percent_of_loss_every_message_that_is_missing_is_told(void **state)
{
    lose_and_tell(*state, &(datagram_plan_t){.seed = 1, .lose_ppm = 10000});
}

static void at_10_percent_of_loss_every_message_that_is_missing_is_told(void **state)
{
    lose_and_tell(*state, &(datagram_plan_t){.seed = 2, .lose_ppm = 100000});
}

static void a_burst_of_1000_packets_that_are_lost_is_told(void **state)
{
    lose_and_tell(*state, &(datagram_plan_t){.seed = 3, .burst_at = 100, .burst_count = 1000});
}

static void what_is_lost_doubled_and_reordered_is_told_in_its_place(void **state)
{
    lose_and_tell(*state, &(datagram_plan_t){.seed = 4,
                                             .lose_ppm = 20000,
                                             .double_ppm = 50000,
                                             .reorder_ppm = 50000,
                                             .reorder_by = 5});
}

static void what_is_doubled_and_reordered_arrives_byte_for_byte(void **state)
{
    world_t *w = *state;
    run_through(
        w,
        &(datagram_plan_t){.seed = 5, .double_ppm = 100000, .reorder_ppm = 100000, .reorder_by = 9},
        "&reorder=1000&hold=1h");
    datagram_counts_t counts = datagram_proxy_counts(w->proxies[0]);
    assert_true(counts.doubled > 0 && counts.reordered > 0 && counts.lost == 0);
    assert_both_have_the_same(w);
    assert_true(counted(line_of(w, 0), "duplicates") > 0);
}

static void two_lines_that_lose_different_packets_bring_all_of_them(void **state)
{
    world_t *w = *state;
    /* Bursts that never overlap, and nothing else: what one loses the other has. */
    const datagram_plan_t plans[] = {{.burst_at = 0, .burst_count = 10, .burst_every = 30},
                                     {.burst_at = 15, .burst_count = 10, .burst_every = 30}};
    char lines[64], to[40];
    uint16_t ports[2] = {free_port(SOCK_DGRAM), free_port(SOCK_DGRAM)},
             port = free_port(SOCK_DGRAM);
    snprintf(lines, sizeof lines, "127.0.0.1:%u,127.0.0.1:%u", ports[0], ports[1]);
    begin_receiver(w, lines, "&reorder=1000&hold=1h");
    for (unsigned i = 0; i < 2; i++) {
        w->proxies[i] = datagram_proxy_start(&plans[i], GROUP, ports[i], &port);
        if (!w->proxies[i]) {
            print_message("this host joins no group on its loopback interface\n");
            kill(w->runs.far.start.pid, SIGTERM);
            assert_ended_with(&w->runs.far, 0);
            skip();
        }
    }
    snprintf(to, sizeof to, GROUP ":%u", port);
    send_all(w, to, false);
    assert_both_have_the_same(w);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(datagram_proxy_counts(w->proxies[i]).lost > 0);
        assert_true(counted(line_of(w, i), "lost") > 0);
        assert_true(counted(line_of(w, i), "first") > 0);
    }
}

/* ---- between two network namespaces, which need root and ip(8) */

/* A link between two of them; `names` has "N1" and "N2" for both namespaces and both ends. */
static bool link_namespaces(char names[2][16])
{
    bool linked = IP("netns", "add", names[0]) == 0 && IP("netns", "add", names[1]) == 0 &&
                  IP("link", "add", names[0], "netns", names[0], "type", "veth", "peer", "name",
                     names[1], "netns", names[1]) == 0;
    for (unsigned i = 0; linked && i < 2; i++)
        linked = IP("-n", names[i], "addr", "add", i == 0 ? "10.213.7.1/24" : "10.213.7.2/24",
                    "dev", names[i]) == 0 &&
                 IP("-n", names[i], "link", "set", names[i], "up") == 0 &&
                 IP("-n", names[i], "link", "set", "lo", "up") == 0;
    return linked;
}

/* True once the receiver runs; false after ten seconds. */
static bool is_running(const world_t *w, const char *namespace)
{
    for (unsigned i = 0; i < 1000; i++, usleep(10000)) {
        const char *const argv[] = {"ip",     "netns",  "exec",          namespace, TICKBUS_BUSCTL,
                                    "status", "--name", w->runs.far.bus, "--json",  NULL};
        program_t status = {.argv = argv};
        bool runs = program_run(&status) == 0 && strstr(status.out, "\"state\": \"running\"");
        program_clear(&status);
        if (runs)
            return true;
    }
    return false;
}

static void a_group_between_two_network_namespaces_brings_all_byte_for_byte(void **state)
{
    world_t *w = *state;
    char(*names)[16] = w->namespaces, feed[128], interface[48];
    for (unsigned i = 0; i < 2; i++)
        snprintf(names[i], sizeof *names, "tb%d-%u", (int)(getpid() % 1000000), i + 1);
    if (geteuid() != 0 || !link_namespaces(names)) {
        print_message("no network namespaces here: they need root and ip(8)\n");
        skip();
    }
    snprintf(feed, sizeof feed,
             "mold:" GROUP ":27020?interface=%s&requests=10.213.7.1:27021&keep_bytes=4194304",
             names[1]);
    snprintf(interface, sizeof interface, "mold.interface=%s", names[0]);
    const char *const far[] = {"ip",           "netns", "exec",      names[1],
                               TICKBUS_BUSCTL, "start", "--name",    w->runs.far.bus,
                               "--feed",       feed,    "--wait",    "park",
                               "--pages",      "small", "--journal", w->runs.journal_far,
                               "--strategy",   "null",  "--json",    NULL};
    const char *const near[] = {"ip",
                                "netns",
                                "exec",
                                names[0],
                                TICKBUS_BUSCTL,
                                "start",
                                "--name",
                                w->runs.near->bus,
                                "--feed",
                                FEED,
                                "--pace",
                                "50000/s",
                                "--wait",
                                "park",
                                "--pages",
                                "small",
                                "--journal",
                                w->runs.journal_near,
                                "--mold",
                                GROUP ":27020",
                                "--mold-requests",
                                "10.213.7.1:27021",
                                "--set",
                                interface,
                                "--set",
                                "mold.end_ms=600",
                                "--strategy",
                                "null",
                                "--json",
                                NULL};
    program_t receiver = {.argv = far}, sender = {.argv = near};
    assert_true(program_start(&receiver));
    assert_true(is_running(w, names[1]));
    int sent = program_run(&sender);
    program_wait(&receiver);
    if (sent != 0 || receiver.exit_code != 0)
        fail_msg("%s%s", sender.err, receiver.err);
    w->status = json_loads(receiver.out, 0, NULL);
    program_clear(&receiver);
    program_clear(&sender);
    assert_both_have_the_same(w);
}

static void what_cannot_be_received_is_refused_by_name(void **state)
{
    world_t *w = *state;
    assert_int_equal(run(w->runs.near, "start", "--feed", "mold:127.0.0.1", NULL), 2);
    assert_text_holds(w->runs.near->start.err, "no address and port");
    assert_int_equal(run(w->runs.near, "start", "--feed", "mold:192.0.2.1:26477", NULL), 1);
    assert_text_holds(w->runs.near->start.err, "no address of this host");
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, begin_world, end_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(at_1_percent_of_loss_what_is_asked_for_again_arrives_byte_for_byte),
        CASE(at_10_percent_of_loss_what_is_asked_for_again_arrives_byte_for_byte),
        CASE(a_burst_of_1000_packets_that_is_asked_for_again_arrives_byte_for_byte),
        CASE(at_1_percent_of_loss_every_message_that_is_missing_is_told),
        CASE(at_10_percent_of_loss_every_message_that_is_missing_is_told),
        CASE(a_burst_of_1000_packets_that_are_lost_is_told),
        CASE(what_is_lost_doubled_and_reordered_is_told_in_its_place),
        CASE(what_is_doubled_and_reordered_arrives_byte_for_byte),
        CASE(two_lines_that_lose_different_packets_bring_all_of_them),
        CASE(a_group_between_two_network_namespaces_brings_all_byte_for_byte),
        CASE(what_cannot_be_received_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
