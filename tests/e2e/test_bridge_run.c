/* SPDX-License-Identifier: Apache-2.0 */
/* A run that publishes to NATS JetStream, with a real server: whatever is killed, stopped or full,
 * the stream has every message of every topic once and in order, and md byte for byte. Skipped
 * where there is no nats-server, or the build has no client library. */
#include "tests/e2e/running_bus.h"

#if __has_include(<nats/nats.h>)

#include <nats/nats.h>

#include "feedsim/nats/jetstream/connection.h"
#include "feedsim/nats/layout.h"
#include "tests/support/nats_server.h"

#define TOPICS_MAX 3u

/* What a stream has. */
typedef struct stream {
    uint64_t messages;
    struct {
        char name[NATS_TOPIC_MAX];
        uint64_t next, lost, marks; /* sequence that comes next; in how many marks */
        bool ended;
    } topics[TOPICS_MAX];
    uint32_t topics_count;
    char session[NATS_SESSION_MAX];
    uint8_t *md; /* as a BinaryFILE */
    size_t md_bytes;
    char (*names)[9];  /* by locate: what md has called it so far; NULL: subjects have no symbols */
    uint64_t named[2]; /* messages of md with a symbol in the subject, and of those of `chosen` */
    char chosen[9];    /* the first symbol */
} stream_t;

static nats_server_t server;

static unsigned long messages_wanted(unsigned long usual)
{
    const char *text = getenv("TICKBUS_BRIDGE_MESSAGES");
    return text ? strtoul(text, NULL, 10) : usual;
}

/* "synth:seed=3,messages=N". */
static const char *feed(unsigned long messages)
{
    static char text[64];
    snprintf(text, sizeof text, "synth:seed=3,messages=%lu", messages_wanted(messages));
    return text;
}

/* --- reading a stream --- */

static uint64_t header(natsMsg *msg, const char *key)
{
    const char *text = NULL;
    uint64_t number = 0;
    if (natsMsgHeader_Get(msg, key, &text) != NATS_OK || !nats_number_read(text, &number))
        fail_msg("no number in the header %s", key);
    return number;
}

static void add_to_md(stream_t *s, const void *data, size_t bytes)
{
    s->md = realloc(s->md, s->md_bytes + bytes + 2);
    assert_non_null(s->md);
    s->md[s->md_bytes] = (uint8_t)(bytes >> 8);
    s->md[s->md_bytes + 1] = (uint8_t)bytes;
    if (bytes)
        memcpy(s->md + s->md_bytes + 2, data, bytes);
    s->md_bytes += bytes + 2;
}

/* The symbol in the subject of a message of md is the one that it names, or its locate has. */
static void check_symbol(stream_t *s, const char *symbol, const uint8_t *message, size_t bytes)
{
    if (bytes < 11)
        return;
    char *name = s->names[message[1] << 8 | message[2]];
    size_t at = strchr("RH", message[0]) ? 11 : strchr("AFP", message[0]) ? 24 : 0;
    if (at)
        snprintf(name, 9, "%.*s", (int)strcspn((const char *)message + at, " "), message + at);
    assert_string_equal(symbol, name);
    if (!s->chosen[0])
        memcpy(s->chosen, name, sizeof s->chosen);
    s->named[0] += *name != 0;
    s->named[1] += *name != 0 && strcmp(name, s->chosen) == 0;
}

/* Each message: the one before it stands where it says, and it is the next of its topic. */
static void take(stream_t *s, const char *name, natsMsg *msg)
{
    char topic[NATS_TOPIC_MAX], symbol[NATS_TOPIC_MAX];
    const char *id, *type;
    nats_id_parts_t parts;
    uint32_t i = 0;
    assert_true(nats_subject_read(name, natsMsg_GetSubject(msg), topic, symbol));
    for (; i < s->topics_count && strcmp(s->topics[i].name, topic) != 0; i++)
        ;
    assert_true(i < TOPICS_MAX);
    if (i == s->topics_count) {
        snprintf(s->topics[i].name, sizeof s->topics[i].name, "%s", topic);
        s->topics[s->topics_count++].next = 1;
    }
    assert_int_equal(natsMsgHeader_Get(msg, NATS_HEADER_ID, &id), NATS_OK);
    assert_true(nats_id_read(id, &parts));
    if (!s->session[0])
        memcpy(s->session, parts.session, sizeof s->session);
    assert_string_equal(parts.session, s->session);
    assert_string_equal(parts.topic, topic);
    assert_int_equal(header(msg, NATS_HEADER_LAST_SEQUENCE), s->messages);
    assert_int_equal(natsMsgHeader_Get(msg, NATS_HEADER_TYPE, &type), NATS_OK);
    uint64_t seq = header(msg, NATS_HEADER_SEQUENCE);
    assert_false(s->topics[i].ended);
    if (strcmp(type, NATS_TYPE_END) == 0) {
        assert_true(parts.end);
        assert_int_equal(seq, s->topics[i].next - 1);
        s->topics[i].ended = true;
    } else if (strcmp(type, NATS_TYPE_LOST) == 0) {
        uint64_t lost = header(msg, NATS_HEADER_LOST);
        assert_int_equal(seq, s->topics[i].next + lost - 1);
        s->topics[i].next = seq + 1;
        s->topics[i].lost += lost;
        s->topics[i].marks++;
    } else {
        assert_int_equal(seq, parts.seq);
        assert_int_equal(seq, s->topics[i].next++);
        if (strcmp(topic, "md") == 0) {
            assert_string_equal(type, "tick");
            add_to_md(s, natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg));
            if (s->names)
                check_symbol(s, symbol, (const uint8_t *)natsMsg_GetData(msg),
                             (size_t)natsMsg_GetDataLength(msg));
        }
    }
    s->messages++;
}

static stream_t read_stream_as(const char *name, stream_t s)
{
    natsConnection *connection = NULL;
    natsSubscription *subscription = NULL;
    jsStreamInfo *info = NULL;
    jsCtx *js = NULL;
    jsSubOptions options;
    char all[NATS_SUBJECT_MAX];
    assert_int_equal(natsConnection_ConnectTo(&connection, server.url), NATS_OK);
    assert_int_equal(natsConnection_JetStream(&js, connection, NULL), NATS_OK);
    assert_int_equal(js_GetStreamInfo(&info, js, name, NULL, NULL), NATS_OK);
    uint64_t last = info->State.LastSeq;
    jsStreamInfo_Destroy(info);
    assert_true(nats_subject_all(name, all));
    jsSubOptions_Init(&options);
    options.Ordered = true;
    options.Stream = name;
    assert_int_equal(js_SubscribeSync(&subscription, js, all, NULL, &options, NULL), NATS_OK);
    while (s.messages < last) {
        natsMsg *msg = NULL;
        assert_int_equal(natsSubscription_NextMsg(&msg, subscription, 20000), NATS_OK);
        take(&s, name, msg);
        natsMsg_Destroy(msg);
    }
    nats_connection_silence(connection);
    natsSubscription_Destroy(subscription);
    jsCtx_Destroy(js);
    natsConnection_Destroy(connection);
    return s;
}

static stream_t read_stream(const char *name)
{
    return read_stream_as(name, (stream_t){0});
}

/* Messages of one subject alone: they are that many. */
static void assert_subject_has(const char *name, const char *symbol, uint64_t count)
{
    natsConnection *connection = NULL;
    natsSubscription *subscription = NULL;
    jsCtx *js = NULL;
    jsSubOptions options;
    char subject[NATS_SUBJECT_MAX];
    assert_true(nats_subject(name, "md", symbol, subject));
    assert_int_equal(natsConnection_ConnectTo(&connection, server.url), NATS_OK);
    assert_int_equal(natsConnection_JetStream(&js, connection, NULL), NATS_OK);
    jsSubOptions_Init(&options);
    options.Ordered = true;
    options.Stream = name;
    assert_int_equal(js_SubscribeSync(&subscription, js, subject, NULL, &options, NULL), NATS_OK);
    for (uint64_t left = count; left > 0; left--) {
        jsMsgMetaData *meta = NULL;
        natsMsg *msg = NULL;
        assert_int_equal(natsSubscription_NextMsg(&msg, subscription, 20000), NATS_OK);
        assert_string_equal(natsMsg_GetSubject(msg), subject);
        assert_int_equal(natsMsg_GetMetaData(&meta, msg), NATS_OK);
        assert_int_equal(meta->NumPending, left - 1);
        jsMsgMetaData_Destroy(meta);
        natsMsg_Destroy(msg);
    }
    nats_connection_silence(connection);
    natsSubscription_Destroy(subscription);
    jsCtx_Destroy(js);
    natsConnection_Destroy(connection);
}

/* Let a stream have any number of messages. */
static void lift_limit(const char *name)
{
    natsConnection *connection = NULL;
    jsStreamInfo *info = NULL;
    jsCtx *js = NULL;
    assert_int_equal(natsConnection_ConnectTo(&connection, server.url), NATS_OK);
    assert_int_equal(natsConnection_JetStream(&js, connection, NULL), NATS_OK);
    assert_int_equal(js_GetStreamInfo(&info, js, name, NULL, NULL), NATS_OK);
    info->Config->MaxMsgs = -1;
    assert_int_equal(js_UpdateStream(NULL, js, info->Config, NULL, NULL), NATS_OK);
    jsStreamInfo_Destroy(info);
    jsCtx_Destroy(js);
    natsConnection_Destroy(connection);
}

/* --- what is looked at in each test --- */

static void journal_of(const fixture_t *f, char path[SCRATCH_PATH_MAX + 16])
{
    snprintf(path, SCRATCH_PATH_MAX + 16, "%s/journal", f->runtime);
}

static uint64_t total(const json_t *summary, const char *key)
{
    return number(json_object_get(summary, "bridge"), "totals", key);
}

static uint64_t published(const json_t *summary, const char *topic)
{
    return number(json_object_get(summary, "topics"), topic, "published");
}

/* The stream has all topics whole, and md is what the journal has of it. */
static void assert_stream_is_whole(const fixture_t *f, const char *name, const json_t *summary)
{
    char journal[SCRATCH_PATH_MAX + 16], exported[SCRATCH_PATH_MAX + 16];
    size_t bytes;
    journal_of(f, journal);
    snprintf(exported, sizeof exported, "%s/exported", f->runtime);
    const char *argv[] = {TICKBUS_BUSCTL, "journal", "export", journal,  "--topic", "md",
                          "--format",     "itch",    "-o",     exported, NULL};
    program_t busctl = {.argv = argv};
    assert_int_equal(program_run(&busctl), 0);
    program_clear(&busctl);
    stream_t s = read_stream(name);
    for (uint32_t i = 0; i < s.topics_count; i++) {
        assert_true(s.topics[i].ended);
        assert_int_equal(s.topics[i].lost, 0);
        assert_int_equal(s.topics[i].next - 1, published(summary, s.topics[i].name));
    }
    char *fed = file_read(exported, &bytes);
    assert_non_null(fed);
    assert_int_equal(s.md_bytes, bytes);
    assert_memory_equal(s.md, fed, bytes);
    free(fed);
    free(s.md);
    unlink(exported);
    scratch_remove(journal);
}

/* The run has ended well, and with it the stream. To be json_decref'ed. */
static json_t *assert_ended_whole(fixture_t *f)
{
    assert_ended_with(f, 0);
    json_t *summary = final_object(f);
    assert_int_equal(number(summary, "bridge", "lag_messages"), 0);
    assert_int_equal(total(summary, "lost"), 0);
    assert_stream_is_whole(f, f->bus, summary);
    return summary;
}

/* Wait until the bridge's total has come so far. To be json_decref'ed. */
static json_t *wait_total(fixture_t *f, const char *key, uint64_t least)
{
    for (;;) {
        json_t *status = ask(f, "status", NULL);
        if (json_object_get(status, "bridge") && total(status, key) >= least)
            return status;
        json_decref(status);
        if (program_ended(&f->start))
            fail_msg("it ended early: %s", f->start.err);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
}

static void begin_paced(fixture_t *f, const char *topics, const char *extra)
{
    char journal[SCRATCH_PATH_MAX + 16];
    journal_of(f, journal);
    launch(f, "--feed", feed(5000), "--pace", "10000/s", "--wait", "park", "--journal", journal,
           "--bridge", server.url, "--bridge-topics", topics, "--json", "--set", extra, NULL);
}

#define NOTHING_MORE "bridge.replicas=1"

/* --- tests --- */

/* Nobody allocates on the way but the bridge, whose library does. */
static void assert_nothing_was_allocated(const json_t *summary)
{
    json_t *stage;
    size_t i;
    json_array_foreach(json_object_get(summary, "stages"), i, stage)
    {
        if (strcmp(json_string_value(json_object_get(stage, "name")), "bridge") != 0)
            assert_int_equal(json_integer_value(json_object_get(stage, "hot_allocations")), 0);
    }
}

static void topics_arrive_once_and_in_order_and_md_byte_for_byte(void **state)
{
    fixture_t *f = *state;
    begin_paced(f, "md,bbo,reports", NOTHING_MORE);
    json_t *summary = assert_ended_whole(f);
    assert_nothing_was_allocated(summary);
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(summary, "bridge"), "stream")), f->bus);
    /* All, and the ends of three topics. */
    assert_int_equal(total(summary, "acknowledged"), published(summary, "md") +
                                                         published(summary, "bbo") +
                                                         published(summary, "reports") + 3);
    assert_int_equal(total(summary, "resent"), 0);
    assert_int_equal(number(summary, "bridge", "stream_messages"), total(summary, "acknowledged"));
    json_decref(summary);
}

static void a_bridge_that_is_killed_goes_on_behind_the_last_message_of_each_topic(void **state)
{
    fixture_t *f = *state;
    begin_paced(f, "md,bbo", NOTHING_MORE);
    for (uint64_t i = 1; i <= 3; i++) {
        json_t *status = wait_total(f, "acknowledged", 1000 * i);
        while (total(status, "starts") < i || !process_of(status, "bridge")) {
            json_decref(status);
            status = wait_total(f, "starts", i);
        }
        assert_int_equal(kill(process_of(status, "bridge"), SIGKILL), 0);
        json_decref(status);
    }
    json_t *summary = assert_ended_whole(f);
    assert_int_equal(total(summary, "starts"), 4);
    json_decref(summary);
}

/* Killed, too: the next one has to learn what locates are called. */
static void with_symbols_each_message_has_its_own_in_the_subject(void **state)
{
    fixture_t *f = *state;
    begin_paced(f, "md,bbo", "bridge.symbols=yes");
    json_t *status = wait_total(f, "acknowledged", 1500);
    assert_int_equal(kill(process_of(status, "bridge"), SIGKILL), 0);
    json_decref(status);
    status = assert_ended_whole(f);
    assert_int_equal(total(status, "starts"), 2);
    json_decref(status);
    stream_t s = read_stream_as(f->bus, (stream_t){.names = calloc(65536, sizeof *s.names)});
    assert_true(s.named[1] > 0);
    assert_true(s.named[0] > s.named[1]);
    assert_subject_has(f->bus, s.chosen, s.named[1]);
    free(s.names);
    free(s.md);
}

static void a_server_that_is_killed_and_started_again_has_all_of_it(void **state)
{
    fixture_t *f = *state;
    begin_paced(f, "md,bbo", NOTHING_MORE);
    json_decref(wait_total(f, "acknowledged", 1000));
    nats_server_kill(&server);
    json_decref(wait_total(f, "disconnects", 1));
    assert_true(nats_server_again(&server));
    json_t *summary = assert_ended_whole(f);
    assert_true(total(summary, "connects") >= 2);
    json_decref(summary);
}

static void a_paused_server_holds_nobody_up_and_has_all_of_it_later(void **state)
{
    fixture_t *f = *state;
    begin_paced(f, "md,bbo", NOTHING_MORE);
    json_decref(wait_total(f, "acknowledged", 500));
    nats_server_pause(&server);
    json_decref(wait_for(f, (unsigned)messages_wanted(5000) * 4 / 5)); /* the feed goes on */
    nats_server_continue(&server);
    json_decref(assert_ended_whole(f));
}

static void a_full_stream_takes_the_rest_once_there_is_room(void **state)
{
    fixture_t *f = *state;
    begin_paced(f, "md,bbo", "bridge.max_messages=1500");
    json_t *status = wait_total(f, "refusals", 2);
    assert_int_equal(number(status, "bridge", "stream_sequence"), 1500);
    assert_text_holds(json_string_value(json_object_get(json_object_get(status, "bridge"), "note")),
                      "maximum messages exceeded");
    json_decref(status);
    lift_limit(f->bus);
    json_decref(assert_ended_whole(f));
}

/* Of bbo and reports nothing is left whenever md has published 50 messages more. */
static void limits_that_remove_a_topics_last_message_are_no_other_bridge(void **state)
{
    fixture_t *f = *state;
    launch(f, "--feed", feed(5000), "--pace", "10000/s", "--wait", "park", "--bridge", server.url,
           "--bridge-topics", "md,bbo,reports", "--json", "--set", "bridge.max_messages=50",
           "--set", "bridge.discard=old", NULL);
    assert_ended_with(f, 0);
    json_t *summary = final_object(f);
    assert_int_equal(total(summary, "refusals"), 0);
    assert_int_equal(total(summary, "resent"), 0);
    assert_int_equal(number(summary, "bridge", "lag_messages"), 0);
    assert_int_equal(number(summary, "bridge", "stream_messages"), 50);
    assert_int_equal(number(summary, "bridge", "stream_sequence"),
                     published(summary, "md") + published(summary, "bbo") +
                         published(summary, "reports") + 3);
    json_decref(summary);
}

static void
a_bridge_that_is_killed_at_the_end_of_the_run_gives_out_the_rest_all_the_same(void **state)
{
    fixture_t *f = *state;
    begin_paced(f, "md", "bridge.max_messages=1500");
    for (uint64_t i = 1; i <= 2; i++) {
        json_t *status = wait_total(f, "starts", i);
        while (strcmp(json_string_value(json_object_get(status, "state")), "stopping") != 0 ||
               total(status, "starts") < i) {
            json_decref(status);
            status = wait_total(f, "starts", i);
        }
        kill(process_of(status, "bridge"), SIGKILL);
        json_decref(status);
    }
    json_decref(wait_total(f, "starts", 3));
    lift_limit(f->bus);
    json_decref(assert_ended_whole(f));
}

static void what_is_not_acknowledged_in_time_is_an_error_of_the_run(void **state)
{
    fixture_t *f = *state;
    char journal[SCRATCH_PATH_MAX + 16];
    begin_paced(f, "md", "bus.drain_s_max=1");
    json_decref(wait_total(f, "acknowledged", 500));
    nats_server_kill(&server);
    assert_ended_with(f, 1);
    assert_text_holds(f->start.err, "has not acknowledged; give it longer with bus.drain_s_max");
    assert_true(nats_server_again(&server));
    journal_of(f, journal);
    scratch_remove(journal);
}

static void without_a_journal_the_stream_says_what_was_lost(void **state)
{
    fixture_t *f = *state;
    launch(f, "--feed", feed(20000), "--pace", "20000/s", "--wait", "park", "--bridge", server.url,
           "--json", "--set", "topics.md.slots=1024", NULL);
    json_decref(wait_total(f, "acknowledged", 500));
    nats_server_kill(&server);
    json_decref(wait_for(f, 15000));
    assert_true(nats_server_again(&server));
    assert_ended_with(f, 0);
    json_t *summary = final_object(f);
    stream_t s = read_stream(f->bus);
    assert_true(s.topics[0].ended);
    assert_int_equal(s.topics[0].next - 1, published(summary, "md"));
    assert_true(s.topics[0].lost > 0);
    assert_int_equal(s.topics[0].lost, total(summary, "lost"));
    json_decref(summary);
    free(s.md);
}

static void a_later_session_has_a_stream_of_its_own_and_one_that_is_named_is_refused(void **state)
{
    fixture_t *f = *state;
    assert_int_equal(run(f, "start", SHORT_FEED, "--bridge", server.url, "--json", NULL), 0);
    assert_int_equal(run(f, "start", SHORT_FEED, "--bridge", server.url, "--json", NULL), 0);
    char name[64];
    json_t *summary = final_object(f);
    snprintf(name, sizeof name, "%s-%s", f->bus,
             json_string_value(json_object_get(json_object_get(summary, "bridge"), "session")));
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(summary, "bridge"), "stream")), name);
    json_decref(summary);
    snprintf(name, sizeof name, "bridge.stream=%s", f->bus);
    assert_int_equal(
        run(f, "start", SHORT_FEED, "--bridge", server.url, "--set", name, "--json", NULL), 1);
    assert_text_holds(f->start.err, "belongs to session");
}

static void a_server_that_is_not_there_is_an_error_of_the_start(void **state)
{
    fixture_t *f = *state;
    assert_int_equal(run(f, "start", SHORT_FEED, "--bridge", "nats://127.0.0.1:1", "--json", NULL),
                     1);
    assert_text_holds(f->start.err, "cannot connect to NATS at nats://127.0.0.1:1");
    assert_int_equal(run(f, "start", SHORT_FEED, "--bridge", "127.0.0.1:1", NULL), 2);
}

static void a_bridge_beside_a_bus_is_one_and_goes_on_after_its_death(void **state)
{
    fixture_t *f = *state;
    char journal[SCRATCH_PATH_MAX + 16];
    journal_of(f, journal);
    json_decref(begin(f, 100, "--feed", feed(5000), "--pace", "1000/s", "--wait", "park",
                      "--journal", journal, "--json", NULL));
    const char *argv[] = {TICKBUS_BUSCTL, "bridge", server.url, f->bus,
                          "--topics",     "md,bbo", "--json",   NULL};
    const char *status[] = {TICKBUS_BUSCTL, "bridge", "--status", f->bus, "--json", NULL};
    program_t bridge = {.argv = argv}, second = {.argv = argv}, asked = {.argv = status};
    assert_true(program_start(&bridge));
    for (uint64_t acknowledged = 0; acknowledged < 500;) {
        program_clear(&asked);
        if (program_run(&asked) == 0) {
            json_t *shown = json_loads(asked.out, 0, NULL);
            acknowledged = number(shown, "totals", "acknowledged");
            json_decref(shown);
        }
        assert_false(program_ended(&bridge));
    }
    assert_int_equal(program_run(&second), 1);
    assert_text_holds(second.err, "there is a bridge beside bus");
    program_clear(&second);
    kill(bridge.pid, SIGKILL);
    program_wait(&bridge);
    program_clear(&bridge);
    assert_int_equal(program_run(&bridge), 0);
    json_t *shown = json_loads(bridge.out, 0, NULL);
    assert_int_equal(number(shown, "totals", "starts"), 2);
    json_decref(shown);
    assert_ended_with(f, 0);
    json_t *summary = final_object(f);
    assert_stream_is_whole(f, f->bus, summary);
    json_decref(summary);
    program_clear(&asked);
    program_clear(&bridge);
}

static int start_server(void **state)
{
    (void)state;
    return nats_server_start(&server, NULL) ? 0 : -1;
}

static int stop_server(void **state)
{
    (void)state;
    nats_server_clear(&server);
    nats_Close();
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(topics_arrive_once_and_in_order_and_md_byte_for_byte),
        TEST(a_bridge_that_is_killed_goes_on_behind_the_last_message_of_each_topic),
        TEST(with_symbols_each_message_has_its_own_in_the_subject),
        TEST(a_server_that_is_killed_and_started_again_has_all_of_it),
        TEST(a_paused_server_holds_nobody_up_and_has_all_of_it_later),
        TEST(a_full_stream_takes_the_rest_once_there_is_room),
        TEST(limits_that_remove_a_topics_last_message_are_no_other_bridge),
        TEST(a_bridge_that_is_killed_at_the_end_of_the_run_gives_out_the_rest_all_the_same),
        TEST(what_is_not_acknowledged_in_time_is_an_error_of_the_run),
        TEST(without_a_journal_the_stream_says_what_was_lost),
        TEST(a_later_session_has_a_stream_of_its_own_and_one_that_is_named_is_refused),
        TEST(a_server_that_is_not_there_is_an_error_of_the_start),
        TEST(a_bridge_beside_a_bus_is_one_and_goes_on_after_its_death),
    };
    if (!nats_server_there()) {
        fprintf(stderr, "skipped: there is no nats-server, of the package of that name\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, start_server, stop_server);
}

#else

int main(void)
{
    fprintf(stderr, "skipped: built without the NATS client library, of the package libnats-dev\n");
    return 77;
}

#endif
