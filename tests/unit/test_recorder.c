/* SPDX-License-Identifier: Apache-2.0 */
/* The recorder stage on real rings of every kind, against the journal that comes out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/journal/recorder.h"
#include "tests/support/program.h"
#include "tests/unit/journal_gate.h"

enum { MD, ORDERS, APPROVED, REPORTS, LONG, TOPICS };

#define LONG_BYTES_MAX 100000u
#define MD_SLOTS       1024u

typedef struct fixture {
    char root[SCRATCH_PATH_MAX];
    char journal[128];
    tbus_bus_t bus;
    uint32_t owner; /* of the recorder */
    tbus_publisher_t out[TOPICS];
    tbus_subscriber_t consumer; /* of orders */
    tbus_stage_t *stage;        /* NULL: not made, or destroyed */
} fixture_t;

static const struct {
    tbus_ring_spec_t spec;
    const char *type;
} topics[TOPICS] = {
    [MD] = {{.name = "md",
             .kind = TBUS_BROADCAST,
             .slot_bytes = 64,
             .slot_count = MD_SLOTS,
             .first_seq = 1},
            "tick"},
    [ORDERS] =
        {{.name = "orders", .kind = TBUS_MPMC, .slot_bytes = 64, .slot_count = 256, .first_seq = 1},
         "order"},
    [APPROVED] = {{.name = "approved",
                   .kind = TBUS_SPSC,
                   .slot_bytes = 64,
                   .slot_count = 256,
                   .first_seq = 1},
                  "order"},
    [REPORTS] = {{.name = "reports",
                  .kind = TBUS_BROADCAST_MP,
                  .slot_bytes = 64,
                  .slot_count = 256,
                  .first_seq = 5},
                 "report"},
    [LONG] = {{.name = "long",
               .kind = TBUS_BROADCAST,
               .slot_bytes = 64,
               .slot_count = 8192,
               .msg_bytes_max = LONG_BYTES_MAX,
               .first_seq = 1},
              "something"},
};

static int set_up(void **state)
{
    fixture_t *f = calloc(1, sizeof *f);
    *state = f;
    scratch_create(f->root);
    snprintf(f->journal, sizeof f->journal, "%s/journal", f->root);
    int code = tbus_bus_create("recorded", &f->bus, NULL);
    for (unsigned i = 0; code == 0 && i < TOPICS; i++) {
        int index = tbus_bus_add_topic(&f->bus, &topics[i].spec, topics[i].type, TBUS_PAGES_SMALL,
                                       -1, NULL);
        if (index != (int)i ||
            tbus_ring_reserve(&f->bus.rings[i], TBUS_RECORDER_NAME, TBUS_FOLLOWER, NULL) < 0)
            return -1;
        f->bus.directory->topics[i].type_version = i + 1;
        code = tbus_publisher_join(&f->bus.rings[i], 7, &f->out[i], NULL);
    }
    if (code != 0 || tbus_ring_reserve(&f->bus.rings[ORDERS], "risk", TBUS_CONSUMER, NULL) < 0)
        return -1;
    int owner = tbus_participant_add(&f->bus, "recorder", NULL);
    f->owner = (uint32_t)owner;
    code = tbus_subscriber_join(&f->bus.rings[ORDERS], "risk", 8, &f->consumer, NULL);
    return owner > 0 ? code : -1;
}

static int tear_down(void **state)
{
    fixture_t *f = *state;
    gate_open(0);
    if (f->stage)
        f->stage->ops->destroy(f->stage);
    tbus_subscriber_leave(&f->consumer);
    tbus_bus_close(&f->bus);
    scratch_remove(f->root);
    free(f);
    return 0;
}

static void start(fixture_t *f, uint64_t segment_bytes)
{
    recorder_params_t params = {.directory = f->journal, .segment_bytes = segment_bytes};
    tbus_error_t err = {0};
    if (tbus_recorder_create(&f->bus, f->owner, &params, &f->stage, &err) != 0)
        fail_msg("%s", err.text);
}

static void finish(fixture_t *f)
{
    assert_int_equal(f->stage->ops->finish(f->stage), 0);
    f->stage->ops->destroy(f->stage);
    f->stage = NULL;
}

/* The n-th message of a topic, n from 0: 8 bytes that say which it is. */
static uint64_t content(unsigned topic, uint64_t n)
{
    return (uint64_t)(topic + 1) << 32 | n;
}

static void publish(fixture_t *f, unsigned topic, uint64_t n)
{
    uint64_t message = content(topic, n);
    assert_int_equal(tbus_publish_try(&f->out[topic], &message, sizeof message), TBUS_PUBLISHED);
}

static int poll_all(fixture_t *f, uint32_t budget)
{
    int total = 0;
    int count;
    while ((count = f->stage->ops->poll(f->stage, budget)) > 0 || f->stage->stalled)
        total += count;
    assert_int_equal(count, 0);
    return total;
}

static void everything_on_every_topic_is_recorded_in_its_order(void **state)
{
    fixture_t *f = *state;
    start(f, 64u << 10);
    uint64_t published[TOPICS] = {0};
    int recorded = 0;
    for (unsigned round = 0; round < 300; round++) {
        for (unsigned k = 0; k < 11; k++)
            publish(f, MD, published[MD]++);
        for (unsigned topic = ORDERS; topic < TOPICS; topic++)
            for (unsigned k = 0; k < (round + topic) % 3; k++)
                publish(f, topic, published[topic]++);
        recorded += poll_all(f, 1);
        /* The follower takes nothing away from who competes, but both have to be done with a
         * slot. */
        size_t bytes;
        while (tbus_peek(&f->consumer, &bytes))
            tbus_advance(&f->consumer);
    }
    assert_int_equal(tbus_subscriber_consumed(&f->consumer), published[ORDERS]);
    finish(f);

    tbus_journal_reader_t *r;
    tbus_journal_record_t record;
    tbus_error_t err;
    uint64_t read[TOPICS] = {0};
    uint64_t time_ns = 0;
    assert_int_equal(tbus_journal_reader_open(f->journal, &r, &err), 0);
    const tbus_journal_info_t *info = tbus_journal_reader_info(r);
    assert_string_equal(info->bus_name, "recorded");
    assert_int_equal(info->started_realtime_ns, f->bus.directory->started_realtime_ns);
    assert_int_equal(info->topics_count, TOPICS);
    assert_string_equal(info->topics[REPORTS].name, "reports");
    assert_string_equal(info->topics[REPORTS].type, "report");
    assert_int_equal(info->topics[REPORTS].first_seq, 5);
    for (unsigned topic = 0; topic < TOPICS; topic++) {
        assert_int_equal(info->topics[topic].ring_kind, topics[topic].spec.kind);
        assert_int_equal(info->topics[topic].type_version, topic + 1);
    }
    while (tbus_journal_reader_next(r, &record, &err) == 1) {
        assert_int_equal(record.bytes, 8);
        uint64_t expected = content(record.topic, read[record.topic]);
        assert_memory_equal(record.payload, &expected, 8);
        assert_int_equal(record.seq, topics[record.topic].spec.first_seq + read[record.topic]);
        assert_true(record.time_ns >= time_ns);
        time_ns = record.time_ns;
        read[record.topic]++;
    }
    assert_int_equal(tbus_journal_reader_end(r), TBUS_JOURNAL_CLOSED);
    uint64_t sum = 0;
    for (unsigned topic = 0; topic < TOPICS; topic++) {
        assert_int_equal(read[topic], published[topic]);
        sum += published[topic];
    }
    assert_int_equal(recorded, sum);
    assert_true(time_ns <= tbus_bus_now_ns(&f->bus));
    assert_true(info->segments > 2);
    assert_int_equal(tbus_counter_value(&f->bus, "journal.records"), sum);
    assert_int_equal(tbus_counter_value(&f->bus, "journal.bytes"), sum * 40);
    tbus_journal_reader_close(r);
}

static void a_poll_takes_a_batch_whatever_the_budget(void **state)
{
    fixture_t *f = *state;
    start(f, 0);
    for (uint64_t n = 0; n < 200; n++)
        publish(f, MD, n);
    assert_int_equal(f->stage->ops->poll(f->stage, 1), 64);
    assert_int_equal(f->stage->ops->poll(f->stage, 100), 100);
    assert_int_equal(f->stage->ops->poll(f->stage, 100), 36);
    assert_int_equal(f->stage->ops->poll(f->stage, 100), 0);
    finish(f);
}

static void publishers_wait_for_the_recorder(void **state)
{
    fixture_t *f = *state;
    start(f, 0);
    uint64_t n = 0;
    uint64_t message = 0;
    while (tbus_publish_try(&f->out[MD], &message, 8) == TBUS_PUBLISHED)
        n++;
    assert_int_equal(n, MD_SLOTS);
    assert_int_equal(poll_all(f, 1), n);
    for (unsigned k = 0; k < f->stage->subscribers_count; k++)
        tbus_subscriber_flush(f->stage->subscribers[k]);
    assert_int_equal(tbus_publish_try(&f->out[MD], &message, 8), TBUS_PUBLISHED);
    assert_int_equal(poll_all(f, 1), 1);
    finish(f);
}

/* Publish and record until the journal can take no more, because its helper is held back, and until
 * md is full. Returns the messages on md. */
static uint64_t fill_behind_the_gate(fixture_t *f)
{
    uint64_t n = 0;
    int count = 0;
    bool held;
    gate_shut();
    do {
        held = gate_holds();
        for (unsigned k = 0; k < 64 && !f->stage->stalled; k++)
            publish(f, MD, n++);
        count = f->stage->ops->poll(f->stage, 64);
        assert_in_range(count, 0, 64);
        for (unsigned k = 0; k < f->stage->subscribers_count; k++)
            tbus_subscriber_flush(f->stage->subscribers[k]);
    } while (!held || !f->stage->stalled);
    uint64_t message = content(MD, n);
    while (tbus_publish_try(&f->out[MD], &message, sizeof message) == TBUS_PUBLISHED)
        message = content(MD, ++n);
    return n;
}

static void expect_md(fixture_t *f, uint64_t messages)
{
    tbus_journal_reader_t *r;
    tbus_journal_record_t record;
    assert_int_equal(tbus_journal_reader_open(f->journal, &r, NULL), 0);
    for (uint64_t n = 0; n < messages; n++) {
        uint64_t expected = content(MD, n);
        assert_int_equal(tbus_journal_reader_next(r, &record, NULL), 1);
        assert_int_equal(record.seq, n + 1);
        assert_memory_equal(record.payload, &expected, 8);
    }
    assert_int_equal(tbus_journal_reader_next(r, &record, NULL), 0);
    assert_int_equal(tbus_journal_reader_end(r), TBUS_JOURNAL_CLOSED);
    tbus_journal_reader_close(r);
}

static void
a_poll_does_not_wait_for_the_journals_helper_and_what_it_left_is_recorded_later(void **state)
{
    fixture_t *f = *state;
    start(f, 64u << 10);
    assert_int_equal(f->stage->ops->deadline_ns(f->stage), TBUS_STAGE_NO_DEADLINE);
    uint64_t n = fill_behind_the_gate(f);
    uint64_t recorded = tbus_counter_value(&f->bus, "journal.records");
    assert_int_equal(n - recorded, MD_SLOTS);
    for (unsigned i = 0; i < 1000; i++) /* the helper waits for us meanwhile */
        assert_int_equal(f->stage->ops->poll(f->stage, 64), 0);
    assert_true(f->stage->stalled);
    assert_true(f->stage->pending); /* nobody takes it for one that is at rest */
    for (unsigned k = 0; k < f->stage->subscribers_count; k++)
        assert_true(f->stage->subscribers[k]->held_back); /* nobody wakes for them */
    uint64_t look_ns = f->stage->ops->deadline_ns(f->stage);
    assert_true(look_ns != TBUS_STAGE_NO_DEADLINE && look_ns > 0);
    assert_int_equal(tbus_counter_value(&f->bus, "journal.records"), recorded);
    gate_open(0);
    assert_int_equal(poll_all(f, 64), MD_SLOTS);
    assert_false(f->stage->stalled);
    assert_false(f->stage->pending);
    assert_int_equal(f->stage->ops->deadline_ns(f->stage), TBUS_STAGE_NO_DEADLINE);
    for (unsigned k = 0; k < f->stage->subscribers_count; k++)
        tbus_subscriber_flush(f->stage->subscribers[k]);
    publish(f, MD, n++);
    assert_int_equal(poll_all(f, 64), 1);
    finish(f);
    expect_md(f, n);
}

static void at_its_end_what_was_left_on_the_rings_is_recorded(void **state)
{
    fixture_t *f = *state;
    start(f, 64u << 10);
    uint64_t n = fill_behind_the_gate(f);
    gate_open(0);
    finish(f);
    expect_md(f, n);
}

/* A tick that is left on its ring comes before what was published later on another: whoever reads
 * the journal sees causes first. */
static void while_a_message_is_left_no_other_topic_is_recorded(void **state)
{
    fixture_t *f = *state;
    start(f, 64u << 10);
    uint64_t n = fill_behind_the_gate(f);
    uint64_t recorded = tbus_counter_value(&f->bus, "journal.records");
    publish(f, REPORTS, 0);
    assert_int_equal(f->stage->ops->poll(f->stage, 64), 0);
    assert_int_equal(tbus_counter_value(&f->bus, "journal.records"), recorded);
    gate_open(0);
    assert_int_equal(poll_all(f, MD_SLOTS), MD_SLOTS + 1);
    finish(f);
    tbus_journal_reader_t *r;
    tbus_journal_record_t record;
    assert_int_equal(tbus_journal_reader_open(f->journal, &r, NULL), 0);
    for (uint64_t i = 0; i < n; i++) {
        assert_int_equal(tbus_journal_reader_next(r, &record, NULL), 1);
        if (record.topic != MD) { /* not before what was on md when it came */
            assert_true(i > recorded);
            assert_int_equal(tbus_journal_reader_next(r, &record, NULL), 1);
        }
        assert_int_equal(record.seq, i + 1);
    }
    tbus_journal_reader_close(r);
}

static void a_tomb_leaves_a_gap_in_the_sequence_and_no_record(void **state)
{
    fixture_t *f = *state;
    start(f, 0);
    publish(f, REPORTS, 0);
    assert_non_null(tbus_claim_try(&f->out[REPORTS]));
    tbus_abort(&f->out[REPORTS]);
    publish(f, REPORTS, 2);
    assert_int_equal(poll_all(f, 1), 2);
    finish(f);
    tbus_journal_reader_t *r;
    tbus_journal_record_t record;
    assert_int_equal(tbus_journal_reader_open(f->journal, &r, NULL), 0);
    assert_int_equal(tbus_journal_reader_next(r, &record, NULL), 1);
    assert_int_equal(record.seq, 5);
    assert_int_equal(tbus_journal_reader_next(r, &record, NULL), 1);
    assert_int_equal(record.seq, 7);
    assert_int_equal(tbus_journal_reader_next(r, &record, NULL), 0);
    tbus_journal_reader_close(r);
}

static void a_message_of_many_slots_is_recorded_whole(void **state)
{
    fixture_t *f = *state;
    start(f, 1u << 20);
    uint8_t *message = malloc(LONG_BYTES_MAX);
    for (unsigned i = 0; i < LONG_BYTES_MAX; i++)
        message[i] = (uint8_t)(i * 7 + i / 251);
    const size_t lengths[] = {0, 1, 56, 57, 254, 255, 4000, LONG_BYTES_MAX};
    enum { COUNT = sizeof lengths / sizeof lengths[0] };
    for (unsigned i = 0; i < COUNT; i++)
        assert_int_equal(tbus_publish_try(&f->out[LONG], message, lengths[i]), TBUS_PUBLISHED);
    assert_int_equal(poll_all(f, 1), COUNT);
    finish(f);
    tbus_journal_reader_t *r;
    tbus_journal_record_t record;
    assert_int_equal(tbus_journal_reader_open(f->journal, &r, NULL), 0);
    for (unsigned i = 0; i < COUNT; i++) {
        assert_int_equal(tbus_journal_reader_next(r, &record, NULL), 1);
        assert_int_equal(record.bytes, lengths[i]);
        assert_memory_equal(record.payload, message, lengths[i]);
    }
    assert_int_equal(tbus_journal_reader_next(r, &record, NULL), 0);
    tbus_journal_reader_close(r);
    free(message);
}

static void a_directory_that_is_in_use_is_refused_with_its_name(void **state)
{
    fixture_t *f = *state;
    assert_int_equal(mkdir(f->journal, 0755), 0);
    char path[160];
    snprintf(path, sizeof path, "%s/precious", f->journal);
    fclose(fopen(path, "w"));
    recorder_params_t params = {.directory = f->journal};
    tbus_error_t err = {0};
    assert_int_equal(tbus_recorder_create(&f->bus, f->owner, &params, &f->stage, &err),
                     -TBUS_ENOTEMPTY);
    assert_null(f->stage);
    assert_non_null(strstr(err.text, "precious"));
    assert_int_equal(access(path, F_OK), 0);
}

static void
a_topic_without_a_place_for_the_recorder_is_refused_before_anything_is_made(void **state)
{
    fixture_t *f = *state;
    tbus_ring_spec_t spec = {
        .name = "bbo", .kind = TBUS_BROADCAST, .slot_bytes = 64, .slot_count = 64, .first_seq = 1};
    assert_int_equal(tbus_bus_add_topic(&f->bus, &spec, "bbo", TBUS_PAGES_SMALL, -1, NULL), TOPICS);
    recorder_params_t params = {.directory = f->journal};
    tbus_error_t err = {0};
    assert_int_equal(tbus_recorder_create(&f->bus, f->owner, &params, &f->stage, &err),
                     -TBUS_ENOTFOUND);
    assert_non_null(strstr(err.text, "bbo"));
    assert_int_equal(access(f->journal, F_OK), -1);
}

static void a_journal_that_cannot_go_on_fails_the_stage_and_keeps_what_it_has(void **state)
{
    fixture_t *f = *state;
    start(f, 64u << 10); /* too small for the longest message */
    uint8_t *message = calloc(1, LONG_BYTES_MAX);
    publish(f, MD, 0);
    assert_int_equal(tbus_publish_try(&f->out[LONG], message, LONG_BYTES_MAX), TBUS_PUBLISHED);
    free(message);
    assert_int_equal(f->stage->ops->poll(f->stage, 1), -TBUS_ETOOBIG);
    assert_int_equal(f->stage->error.code, -TBUS_ETOOBIG);
    assert_non_null(strstr(f->stage->error.text, "'long'"));
    /* The run ends without finish: destroy saves the journal. */
    f->stage->ops->destroy(f->stage);
    f->stage = NULL;
    tbus_journal_reader_t *r;
    tbus_journal_record_t record;
    assert_int_equal(tbus_journal_reader_open(f->journal, &r, NULL), 0);
    assert_int_equal(tbus_journal_reader_next(r, &record, NULL), 1);
    assert_int_equal(record.topic, MD);
    assert_int_equal(tbus_journal_reader_next(r, &record, NULL), 0);
    assert_int_equal(tbus_journal_reader_end(r), TBUS_JOURNAL_BROKEN);
    tbus_journal_reader_close(r);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(everything_on_every_topic_is_recorded_in_its_order),
        TEST(a_poll_takes_a_batch_whatever_the_budget),
        TEST(publishers_wait_for_the_recorder),
        TEST(a_poll_does_not_wait_for_the_journals_helper_and_what_it_left_is_recorded_later),
        TEST(at_its_end_what_was_left_on_the_rings_is_recorded),
        TEST(while_a_message_is_left_no_other_topic_is_recorded),
        TEST(a_tomb_leaves_a_gap_in_the_sequence_and_no_record),
        TEST(a_message_of_many_slots_is_recorded_whole),
        TEST(a_directory_that_is_in_use_is_refused_with_its_name),
        TEST(a_topic_without_a_place_for_the_recorder_is_refused_before_anything_is_made),
        TEST(a_journal_that_cannot_go_on_fails_the_stage_and_keeps_what_it_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
