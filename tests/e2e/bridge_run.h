/* SPDX-License-Identifier: Apache-2.0 */
/* bridge_run.h - for tests of a run that publishes to NATS JetStream: the run, the stream that it
 * has written, and whether that is whole. For a build with the client library of NATS.
 */
#ifndef TICKBUS_TESTS_BRIDGE_RUN_H
#define TICKBUS_TESTS_BRIDGE_RUN_H

#include "tests/e2e/running_bus.h"

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

static inline unsigned long messages_wanted(unsigned long usual)
{
    const char *text = getenv("TICKBUS_BRIDGE_MESSAGES");
    return text ? strtoul(text, NULL, 10) : usual;
}

/* "synth:seed=3,messages=N". */
static inline const char *feed(unsigned long messages)
{
    static char text[64];
    snprintf(text, sizeof text, "synth:seed=3,messages=%lu", messages_wanted(messages));
    return text;
}

/* --- reading a stream --- */

static inline uint64_t header(natsMsg *msg, const char *key)
{
    const char *text = NULL;
    uint64_t number = 0;
    if (natsMsgHeader_Get(msg, key, &text) != NATS_OK || !nats_number_read(text, &number))
        fail_msg("no number in the header %s", key);
    return number;
}

static inline void add_to_md(stream_t *s, const void *data, size_t bytes)
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
static inline void check_symbol(stream_t *s, const char *symbol, const uint8_t *message,
                                size_t bytes)
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
static inline void take(stream_t *s, const char *name, natsMsg *msg)
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

static inline jsCtx *open_server(natsConnection **out_connection)
{
    jsCtx *js = NULL;
    assert_int_equal(natsConnection_ConnectTo(out_connection, server.url), NATS_OK);
    assert_int_equal(natsConnection_JetStream(&js, *out_connection, NULL), NATS_OK);
    return js;
}

static inline void close_server(natsConnection *connection, jsCtx *js)
{
    jsCtx_Destroy(js);
    natsConnection_Destroy(connection);
}

static inline stream_t read_stream_as(const char *name, stream_t s)
{
    natsConnection *connection = NULL;
    natsSubscription *subscription = NULL;
    jsStreamInfo *info = NULL;
    jsSubOptions options;
    char all[NATS_SUBJECT_MAX];
    jsCtx *js = open_server(&connection);
    assert_int_equal(js_GetStreamInfo(&info, js, name, NULL, NULL), NATS_OK);
    uint64_t last = info->State.LastSeq;
    jsStreamInfo_Destroy(info);
    assert_true(nats_subject_all(name, all));
    jsSubOptions_Init(&options);
    options.Ordered = true;
    options.Stream = name;
    assert_int_equal(js_SubscribeSync(&subscription, js, all, NULL, &options, NULL), NATS_OK);
    /* The library reads on while we compare. */
    assert_int_equal(natsSubscription_SetPendingLimits(subscription, -1, -1), NATS_OK);
    while (s.messages < last) {
        natsMsg *msg = NULL;
        assert_int_equal(natsSubscription_NextMsg(&msg, subscription, 20000), NATS_OK);
        take(&s, name, msg);
        natsMsg_Destroy(msg);
    }
    nats_connection_silence(connection);
    natsSubscription_Destroy(subscription);
    close_server(connection, js);
    return s;
}

static inline stream_t read_stream(const char *name)
{
    return read_stream_as(name, (stream_t){0});
}

/* Messages of one subject alone: they are that many. */
static inline void assert_subject_has(const char *name, const char *symbol, uint64_t count)
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
static inline void lift_limit(const char *name)
{
    natsConnection *connection = NULL;
    jsStreamInfo *info = NULL;
    jsCtx *js = open_server(&connection);
    assert_int_equal(js_GetStreamInfo(&info, js, name, NULL, NULL), NATS_OK);
    info->Config->MaxMsgs = -1;
    assert_int_equal(js_UpdateStream(NULL, js, info->Config, NULL, NULL), NATS_OK);
    jsStreamInfo_Destroy(info);
    close_server(connection, js);
}

/* --- what is looked at in each test --- */

static inline void journal_of(const fixture_t *f, char path[SCRATCH_PATH_MAX + 16])
{
    snprintf(path, SCRATCH_PATH_MAX + 16, "%s/journal", f->runtime);
}

static inline uint64_t total(const json_t *summary, const char *key)
{
    return number(json_object_get(summary, "bridge"), "totals", key);
}

static inline uint64_t published(const json_t *summary, const char *topic)
{
    return number(json_object_get(summary, "topics"), topic, "published");
}

/* The stream has all topics whole, and md is what the journal has of it. */
static inline void assert_stream_is_whole(const fixture_t *f, const char *name,
                                          const json_t *summary)
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
static inline json_t *assert_ended_whole(fixture_t *f)
{
    assert_ended_with(f, 0);
    json_t *summary = final_object(f);
    assert_int_equal(number(summary, "bridge", "lag_messages"), 0);
    assert_int_equal(total(summary, "lost"), 0);
    assert_stream_is_whole(f, f->bus, summary);
    return summary;
}

/* Wait until the bridge's total has come so far. To be json_decref'ed. */
static inline json_t *wait_total(fixture_t *f, const char *key, uint64_t least)
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

/* Slow enough for a test that kills or stops somebody in the middle, who is looked for by `busctl
 * status`: with a sanitizer that alone takes longer than a run of half a second. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define BRIDGE_PACE "1000/s"
#else
#define BRIDGE_PACE "10000/s"
#endif

static inline void begin_paced(fixture_t *f, const char *topics, const char *extra)
{
    char journal[SCRATCH_PATH_MAX + 16];
    journal_of(f, journal);
    launch(f, "--feed", feed(5000), "--pace", BRIDGE_PACE, "--wait", "park", "--journal", journal,
           "--bridge", server.url, "--bridge-topics", topics, "--json", "--set", extra, NULL);
}

#define NOTHING_MORE "bridge.replicas=1"

/* --- the server of all tests of a program --- */

/* True, and said: the program has nothing to run on. */
static inline bool has_no_server(void)
{
    if (nats_server_there())
        return false;
    fprintf(stderr, "skipped: there is no nats-server, of the package of that name\n");
    return true;
}

static inline int start_server(void **state)
{
    (void)state;
    return nats_server_start(&server, NULL) ? 0 : -1;
}

static inline int stop_server(void **state)
{
    (void)state;
    nats_server_clear(&server);
    nats_Close();
    return 0;
}

/* The server's configuration with `line` in the place of the one that begins with `key`, or at the
 * end. What it was before is to be freed. */
static inline char *change_config(const char *key, const char *line)
{
    size_t bytes;
    char *before = file_read(server.config, &bytes), changed[8192];
    assert_non_null(before);
    const char *at = strstr(before, key);
    const char *rest = at ? strchr(at, '\n') : before + bytes;
    int length = snprintf(changed, sizeof changed, "%.*s%s%s",
                          (int)(at ? at - before : (long)bytes), before, line, rest);
    assert_true(length > 0 && length < (int)sizeof changed);
    assert_true(file_write(server.config, changed, (size_t)length));
    return before;
}

static inline void restore_config(char *before)
{
    assert_true(file_write(server.config, before, strlen(before)));
    free(before);
}

#endif
