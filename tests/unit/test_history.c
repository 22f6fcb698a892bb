/* SPDX-License-Identifier: Apache-2.0 */
/* Following a topic from a place on, through journal and ring: each step by itself, asked for
 * message by message, and for as many as are there. Many joiners at once, beside a bus that runs:
 * tests/stress/test_history_joins.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <tickbus/history.h>
#include <tickbus/publisher.h>

#include "bus/journal/recorder.h"
#include "tests/unit/journal_messages.h"
#include "tests/unit/journal_scratch.h"

#define SLOTS 64u

#define HISTORIES 9u /* that are open at a time */

/* What a history has handed out at once, and the test has not looked at yet. */
typedef struct ahead {
    const tbus_history_t *history;
    tbus_history_batch_t batch;
    uint32_t at;
    _Alignas(8) unsigned char room[TBUS_HISTORY_BATCH_MAX * TBUS_HISTORY_STRIDE];
} ahead_t;

typedef struct fixture {
    scratch_t *scratch;
    tbus_bus_t bus;
    tbus_publisher_t out;
    tbus_stage_t *recorder; /* NULL: none */
    uint64_t next;          /* sequence to be published */
    _Alignas(8) unsigned char message[304];
    uint64_t seq;
    size_t bytes;
    uint64_t lost; /* since it was last set to 0 */
    bool together; /* messages are asked for as many as are there */
    ahead_t ahead[HISTORIES];
} fixture_t;

static int set_up(void **state)
{
    static const tbus_ring_spec_t spec = {.name = "md",
                                          .kind = TBUS_BROADCAST,
                                          .slot_bytes = 64,
                                          .slot_count = SLOTS,
                                          .first_seq = 1};
    fixture_t *f = calloc(1, sizeof *f);
    void *scratch;
    make_scratch(&scratch);
    f->scratch = scratch;
    f->next = 1;
    *state = f;
    if (tbus_bus_create("followed", &f->bus, NULL) != 0 ||
        tbus_bus_add_topic(&f->bus, &spec, "tick", TBUS_PAGES_SMALL, -1, NULL) != 0 ||
        tbus_ring_reserve(&f->bus.rings[0], TBUS_RECORDER_NAME, TBUS_FOLLOWER, NULL) < 0)
        return -1;
    return tbus_publisher_join(&f->bus.rings[0], 7, &f->out, NULL);
}

static int set_up_together(void **state)
{
    int code = set_up(state);
    ((fixture_t *)*state)->together = true;
    return code;
}

static int tear_down(void **state)
{
    fixture_t *f = *state;
    if (f->recorder)
        f->recorder->ops->destroy(f->recorder);
    tbus_bus_close(&f->bus);
    void *scratch = f->scratch;
    remove_scratch(&scratch);
    free(f);
    return 0;
}

/* Nobody records: give its place up. */
static void do_without_recorder(fixture_t *f)
{
    tbus_subscriber_t s;
    assert_int_equal(tbus_subscriber_join(&f->bus.rings[0], TBUS_RECORDER_NAME, 9, &s, NULL), 0);
    tbus_subscriber_leave(&s);
}

static void start_recorder(fixture_t *f)
{
    int owner = tbus_participant_add(&f->bus, "recorder", NULL);
    recorder_params_t params = {.directory = f->scratch->journal, .segment_bytes = SMALL_SEGMENT};
    assert_int_equal(tbus_recorder_create(&f->bus, (uint32_t)owner, &params, &f->recorder, NULL),
                     0);
}

static void record(fixture_t *f)
{
    do
        assert_true(f->recorder->ops->poll(f->recorder, 64) >= 0);
    while (f->recorder->stalled);
}

static void stop_recorder(fixture_t *f)
{
    record(f);
    assert_int_equal(f->recorder->ops->finish(f->recorder), 0);
    f->recorder->ops->destroy(f->recorder);
    f->recorder = NULL;
}

static void publish(fixture_t *f, uint64_t count)
{
    for (uint64_t until = f->next + count; f->next < until; f->next++)
        while (tbus_publish_try(&f->out, &f->next, sizeof f->next) != TBUS_PUBLISHED)
            record(f);
    tbus_publisher_flush(&f->out);
}

static tbus_history_t *follow(fixture_t *f, tbus_bus_t *bus, const char *journal, const char *topic,
                              enum tbus_history_origin origin, uint64_t seq)
{
    tbus_history_t *h = NULL;
    tbus_error_t err = {0};
    tbus_history_from_t from = {origin, seq};
    if (tbus_history_open(bus, journal, topic, &from, &h, &err) != 0)
        fail_msg("%s", err.text);
    f->lost = 0;
    for (unsigned i = 0; i < HISTORIES; i++)
        if (f->ahead[i].history == h)
            f->ahead[i].history = NULL; /* of one that was closed, in the same memory */
    return h;
}

static ahead_t *ahead_of(fixture_t *f, const tbus_history_t *h)
{
    for (unsigned i = 0; i < HISTORIES; i++) {
        ahead_t *a = &f->ahead[i];
        if (!a->history) {
            a->history = h;
            a->batch = (tbus_history_batch_t){.into = a->room, .capacity = sizeof a->room};
            a->at = 0;
        }
        if (a->history == h)
            return a;
    }
    fail_msg("too many histories");
    return NULL;
}

/* The next of those that were handed out together. As tbus_history_next. */
static int next_together(fixture_t *f, tbus_history_t *h, uint64_t *out_lost)
{
    ahead_t *a = ahead_of(f, h);
    int outcome = TBUS_HISTORY_MESSAGE;
    if (a->at == a->batch.count) {
        a->at = 0;
        outcome = tbus_history_next_batch(h, &a->batch, NULL);
        assert_true(outcome == TBUS_HISTORY_MESSAGE ? a->batch.count >= 1 : a->batch.count == 0);
        *out_lost = a->batch.lost;
    }
    if (outcome != TBUS_HISTORY_MESSAGE)
        return outcome;
    f->seq = a->batch.first_seq + a->at;
    f->bytes = a->batch.bytes[a->at];
    assert_true(f->bytes <= TBUS_HISTORY_STRIDE || a->batch.count == 1);
    memcpy(f->message, a->room + (size_t)a->at * TBUS_HISTORY_STRIDE, f->bytes);
    a->at++;
    return outcome;
}

static int next(fixture_t *f, tbus_history_t *h)
{
    uint64_t lost = 0;
    int outcome;
    do {
        outcome = f->together ? next_together(f, h, &lost)
                              : tbus_history_next(h, f->message, sizeof f->message, &f->bytes,
                                                  &f->seq, &lost, NULL);
        f->lost += outcome >= 0 ? lost : 0;
    } while (outcome == TBUS_HISTORY_BUSY);
    return outcome;
}

/* Messages `from` .. `to - 1` of the bus come, and then none for now. */
static void expect(fixture_t *f, tbus_history_t *h, uint64_t from, uint64_t to)
{
    for (uint64_t seq = from; seq < to; seq++) {
        uint64_t content;
        assert_int_equal(next(f, h), TBUS_HISTORY_MESSAGE);
        assert_int_equal(f->seq, seq);
        memcpy(&content, f->message, sizeof content);
        assert_int_equal(f->bytes, sizeof content);
        assert_int_equal(content, seq);
    }
    assert_int_equal(next(f, h), TBUS_HISTORY_NOTHING);
}

static bool is_live(const tbus_history_t *h)
{
    tbus_history_counts_t counts;
    tbus_history_counts(h, &counts);
    return counts.live;
}

static void the_past_comes_from_the_journal_and_the_rest_from_the_ring(void **state)
{
    fixture_t *f = *state;
    start_recorder(f);
    publish(f, 1000);
    record(f);
    const uint64_t places[] = {0, 1, 2, 500, 930, 990, 1000, 1001, 1200};
    tbus_history_t *h[9];
    for (unsigned i = 0; i < 9; i++) {
        h[i] = follow(f, &f->bus, f->scratch->journal, "md", TBUS_HISTORY_SEQ, places[i]);
        expect(f, h[i], places[i] ? places[i] : 1, places[i] > 1001 ? places[i] : 1001);
        assert_true(is_live(h[i]));
    }
    publish(f, 50); /* less than a lap: they stay on the ring */
    for (unsigned i = 0; i < 8; i++)
        expect(f, h[i], 1001, 1051);
    expect(f, h[8], 1200, 1200);
    publish(f, 300); /* several laps: they go back, and come again */
    record(f);
    for (unsigned i = 0; i < 8; i++)
        expect(f, h[i], 1051, 1351);
    expect(f, h[8], 1200, 1351);
    for (unsigned i = 0; i < 9; i++) {
        tbus_history_counts_t counts;
        tbus_history_counts(h[i], &counts);
        assert_true(counts.live);
        assert_int_equal(counts.laps, 1);
        assert_int_equal(counts.lost, 0);
        tbus_history_close(h[i]);
    }
    assert_int_equal(f->lost, 0);
}

static void what_the_recorder_has_not_taken_yet_is_read_from_the_ring(void **state)
{
    fixture_t *f = *state;
    start_recorder(f);
    publish(f, 200);
    record(f);
    publish(f, SLOTS); /* as far behind as it can fall */
    assert_int_not_equal(tbus_publish_try(&f->out, &f->next, 8), TBUS_PUBLISHED);
    tbus_history_t *h = follow(f, &f->bus, f->scratch->journal, "md", TBUS_HISTORY_SEQ, 1);
    expect(f, h, 1, 201 + SLOTS);
    assert_int_equal(f->lost, 0);
    tbus_history_close(h);
}

static void without_a_journal_a_lap_is_told_as_the_exact_number(void **state)
{
    fixture_t *f = *state;
    do_without_recorder(f);
    publish(f, 10);
    tbus_history_t *h = follow(f, &f->bus, NULL, "md", TBUS_HISTORY_OLDEST, 0);
    expect(f, h, 1, 11);
    publish(f, 500);
    assert_int_equal(next(f, h), TBUS_HISTORY_MESSAGE);
    assert_true(f->lost > 0);
    assert_int_equal(f->seq, 11 + f->lost);
    uint64_t lost = f->lost;
    expect(f, h, f->seq + 1, 511);
    assert_int_equal(f->lost, lost);
    tbus_history_close(h);
    /* from a sequence that is gone */
    h = follow(f, &f->bus, NULL, "md", TBUS_HISTORY_SEQ, 5);
    assert_int_equal(next(f, h), TBUS_HISTORY_MESSAGE);
    assert_int_equal(f->seq, 5 + f->lost);
    tbus_history_close(h);
}

static void from_now_on_nothing_old_comes(void **state)
{
    fixture_t *f = *state;
    start_recorder(f);
    publish(f, 300);
    tbus_history_t *h = follow(f, &f->bus, f->scratch->journal, "md", TBUS_HISTORY_NOW, 0);
    expect(f, h, 301, 301);
    publish(f, 400);
    record(f);
    expect(f, h, 301, 701);
    assert_int_equal(f->lost, 0);
    tbus_history_close(h);
}

static void it_ends_when_bus_and_ring_have_ended(void **state)
{
    fixture_t *f = *state;
    start_recorder(f);
    publish(f, 300);
    stop_recorder(f);
    tbus_history_t *h = follow(f, &f->bus, f->scratch->journal, "md", TBUS_HISTORY_OLDEST, 0);
    expect(f, h, 1, 301);
    tbus_store_release_u32(&f->bus.directory->ended, 1);
    assert_int_equal(next(f, h), TBUS_HISTORY_ENDED);
    tbus_history_close(h);
}

static void what_comes_after_the_recorders_end_and_is_lapped_is_lost(void **state)
{
    fixture_t *f = *state;
    start_recorder(f);
    publish(f, 300);
    stop_recorder(f);
    tbus_history_t *h = follow(f, &f->bus, f->scratch->journal, "md", TBUS_HISTORY_SEQ, 290);
    publish(f, 500);
    for (uint64_t seq = 290; seq <= 300; seq++) {
        assert_int_equal(next(f, h), TBUS_HISTORY_MESSAGE);
        assert_int_equal(f->seq, seq);
    }
    assert_int_equal(f->lost, 0);
    assert_int_equal(next(f, h), TBUS_HISTORY_MESSAGE);
    assert_true(f->lost > 0);
    assert_int_equal(f->seq, 301 + f->lost);
    expect(f, h, f->seq + 1, 801);
    tbus_history_close(h);
}

static void a_journal_alone_is_read_to_its_end(void **state)
{
    fixture_t *f = *state;
    write_messages(f->scratch->journal, SMALL_SEGMENT, 12000);
    static const char *const names[MESSAGE_TOPICS] = {"md", "orders", "rare"};
    for (uint16_t topic = 0; topic < MESSAGE_TOPICS; topic++) {
        tbus_history_t *h =
            follow(f, NULL, f->scratch->journal, names[topic], TBUS_HISTORY_OLDEST, 0);
        uint64_t i = 0;
        for (uint64_t n = messages_of_topic(topic, 12000); n; n--, i++) {
            assert_int_equal(next(f, h), TBUS_HISTORY_MESSAGE);
            while (message_at(i).topic != topic)
                i++;
            assert_int_equal(f->seq, message_at(i).seq);
            assert_int_equal(f->bytes, message_at(i).bytes);
        }
        assert_int_equal(next(f, h), TBUS_HISTORY_ENDED);
        tbus_history_close(h);
        h = follow(f, NULL, f->scratch->journal, names[topic], TBUS_HISTORY_NOW, 0);
        assert_int_equal(next(f, h), TBUS_HISTORY_ENDED);
        tbus_history_close(h);
    }
    assert_int_equal(f->lost, 0);
}

static void a_hole_is_told_and_a_tomb_is_none(void **state)
{
    fixture_t *f = *state;
    static const char about[] = "{\"reason\": \"no room\"}";
    tbus_journal_writer_t *w;
    tbus_journal_spec_t spec = {
        .directory = f->scratch->journal,
        .bus_name = "test",
        .topics_count = 2,
        .topics = {{"orders", "order", 1, 0, TBUS_MPMC, 0}, {"md", "tick", 1, 0, TBUS_SPSC, 0}},
    };
    assert_int_equal(tbus_journal_writer_open(&spec, &w, NULL), 0);
    static const uint64_t recorded[] = {1, 2, 4, 5, 0, 9, 10, 12};
    for (unsigned i = 0; i < sizeof recorded / sizeof recorded[0]; i++) {
        if (!recorded[i])
            assert_int_equal(
                tbus_journal_writer_append_session(w, TBUS_JOURNAL_HOLE, i, about, sizeof about),
                0);
        for (uint16_t topic = 0; recorded[i] && topic < 2; topic++)
            assert_int_equal(tbus_journal_writer_append(w, topic, recorded[i], i, about, 8), 0);
    }
    assert_int_equal(tbus_journal_writer_close(w, NULL), 0);
    /* 3 and 11 may be tombs of orders; md has one publisher and no tombs */
    static const uint64_t lost[2][8] = {{0, 0, 0, 0, 0, 3, 0, 0}, {0, 0, 1, 0, 0, 3, 0, 1}};
    for (uint16_t topic = 0; topic < 2; topic++) {
        tbus_history_t *h =
            follow(f, NULL, f->scratch->journal, spec.topics[topic].name, TBUS_HISTORY_OLDEST, 0);
        for (unsigned i = 0; i < sizeof recorded / sizeof recorded[0]; i++) {
            if (!recorded[i])
                continue;
            f->lost = 0;
            assert_int_equal(next(f, h), TBUS_HISTORY_MESSAGE);
            assert_int_equal(f->seq, recorded[i]);
            assert_int_equal(f->lost, lost[topic][i]);
        }
        tbus_history_close(h);
    }
}

static void what_retention_removed_is_told_as_lost(void **state)
{
    fixture_t *f = *state;
    char path[PATH_BYTES + 16];
    write_messages(f->scratch->journal, SMALL_SEGMENT, 12000);
    tbus_history_t *h = follow(f, NULL, f->scratch->journal, "md", TBUS_HISTORY_SEQ, 1);
    for (uint32_t number = 1; number < 9; number++) {
        segment_path(f->scratch->journal, number, path);
        assert_int_equal(unlink(path), 0);
    }
    uint64_t before = 0;
    while (next(f, h) == TBUS_HISTORY_MESSAGE && f->lost == 0)
        before = f->seq;
    assert_int_equal(f->seq, before + 1 + f->lost);
    tbus_history_close(h);
    /* opened afterwards, it begins where the journal does; asked for more, it says so */
    h = follow(f, NULL, f->scratch->journal, "md", TBUS_HISTORY_OLDEST, 0);
    assert_int_equal(next(f, h), TBUS_HISTORY_MESSAGE);
    assert_int_equal(f->lost, 0);
    uint64_t first = f->seq;
    tbus_history_close(h);
    h = follow(f, NULL, f->scratch->journal, "md", TBUS_HISTORY_SEQ, 1);
    assert_int_equal(next(f, h), TBUS_HISTORY_MESSAGE);
    assert_int_equal(f->seq, first);
    assert_int_equal(f->lost, first - 1);
    tbus_history_close(h);
}

static void too_little_room_is_refused_and_the_message_comes_again(void **state)
{
    fixture_t *f = *state;
    uint64_t lost;
    write_messages(f->scratch->journal, SMALL_SEGMENT, 100);
    tbus_history_t *h = follow(f, NULL, f->scratch->journal, "md", TBUS_HISTORY_SEQ, 40);
    uint64_t i = 0;
    while (message_at(i).topic != 0 || message_at(i).seq != 40)
        i++;
    for (int k = 0; k < 2; k++) {
        assert_int_equal(tbus_history_next(h, f->message, 1, &f->bytes, &f->seq, &lost, NULL),
                         -TBUS_ETOOBIG);
        assert_int_equal(f->bytes, message_at(i).bytes);
    }
    assert_int_equal(next(f, h), TBUS_HISTORY_MESSAGE);
    assert_int_equal(f->seq, 40);
    tbus_history_close(h);
}

static void go_to(fixture_t *f, tbus_history_t *h, uint64_t seq)
{
    ahead_t *a = ahead_of(f, h);
    a->at = a->batch.count = 0;
    assert_int_equal(tbus_history_seek(h, seq, NULL), 0);
    f->lost = 0;
}

static void whoever_goes_to_another_place_reads_on_from_there(void **state)
{
    fixture_t *f = *state;
    start_recorder(f);
    publish(f, 1000);
    record(f);
    tbus_history_t *h = follow(f, &f->bus, f->scratch->journal, "md", TBUS_HISTORY_SEQ, 700);
    static const uint64_t places[] = {1, 500, 0, 990, 999, 2, 1001, 700, 1000, 3};
    assert_int_equal(next(f, h), TBUS_HISTORY_MESSAGE);
    for (unsigned i = 0; i < sizeof places / sizeof *places; i++) {
        go_to(f, h, places[i]); /* from the ring to the journal, and back */
        expect(f, h, places[i] ? places[i] : 1, 1001);
        assert_true(is_live(h));
        go_to(f, h, 400); /* and away again, in the middle of it */
        for (uint64_t seq = 400; seq < 410; seq++) {
            assert_int_equal(next(f, h), TBUS_HISTORY_MESSAGE);
            assert_int_equal(f->seq, seq);
        }
    }
    publish(f, 300);
    record(f);
    expect(f, h, 410, 1301);
    assert_int_equal(f->lost, 0);
    tbus_history_close(h);
}

static void what_was_lost_before_somebody_goes_away_is_not_told_at_another_place(void **state)
{
    fixture_t *f = *state;
    do_without_recorder(f);
    publish(f, 10);
    tbus_history_t *h = follow(f, &f->bus, NULL, "md", TBUS_HISTORY_OLDEST, 0);
    expect(f, h, 1, 11);
    publish(f, 500);
    go_to(f, h, 505);
    expect(f, h, 505, 511);
    assert_int_equal(f->lost, 0);
    go_to(f, h, 5);
    assert_int_equal(next(f, h), TBUS_HISTORY_MESSAGE);
    assert_int_equal(f->seq, 5 + f->lost);
    tbus_history_close(h);
}

static void many_messages_come_together_from_the_ring_and_from_the_journal(void **state)
{
    fixture_t *f = *state;
    ahead_t a = {.batch = {.into = a.room, .capacity = sizeof a.room}};
    start_recorder(f);
    publish(f, 300);
    record(f);
    tbus_history_t *h = follow(f, &f->bus, f->scratch->journal, "md", TBUS_HISTORY_SEQ, 1);
    for (uint64_t first = 1; first <= 300; first += a.batch.count) {
        assert_int_equal(tbus_history_next_batch(h, &a.batch, NULL), TBUS_HISTORY_MESSAGE);
        assert_int_equal(a.batch.first_seq, first);
        assert_int_equal(a.batch.count, first + TBUS_HISTORY_BATCH_MAX > 300
                                            ? 301 - first
                                            : TBUS_HISTORY_BATCH_MAX);
    }
    assert_int_equal(tbus_history_next_batch(h, &a.batch, NULL), TBUS_HISTORY_NOTHING);
    assert_true(is_live(h));
    publish(f, 40);
    assert_int_equal(tbus_history_next_batch(h, &a.batch, NULL), TBUS_HISTORY_MESSAGE);
    assert_int_equal(a.batch.first_seq, 301);
    assert_int_equal(a.batch.count, 40);
    tbus_history_close(h);
}

static void a_batch_needs_room_for_all_and_for_the_longest(void **state)
{
    fixture_t *f = *state;
    ahead_t a = {.batch = {.into = a.room, .capacity = sizeof a.room - 1}};
    do_without_recorder(f);
    publish(f, 3);
    tbus_history_t *h = follow(f, &f->bus, NULL, "md", TBUS_HISTORY_OLDEST, 0);
    assert_int_equal(tbus_history_next_batch(h, &a.batch, NULL), -EINVAL);
    a.batch.capacity++;
    a.batch.into = a.room + 4;
    assert_int_equal(tbus_history_next_batch(h, &a.batch, NULL), -EINVAL);
    assert_int_equal(tbus_history_next_batch(NULL, &a.batch, NULL), -EINVAL);
    a.batch.into = a.room;
    assert_int_equal(tbus_history_next_batch(h, &a.batch, NULL), TBUS_HISTORY_MESSAGE);
    assert_int_equal(a.batch.count, 3);
    tbus_history_close(h);
}

static void a_journal_of_another_run_and_a_topic_that_is_not_there_are_refused(void **state)
{
    fixture_t *f = *state;
    tbus_history_t *h = NULL;
    tbus_history_from_t oldest = {TBUS_HISTORY_OLDEST, 0};
    const char *journal = f->scratch->journal;
    write_messages(journal, SMALL_SEGMENT, 100);
    assert_int_equal(tbus_history_open(&f->bus, journal, "md", &oldest, &h, NULL), -EINVAL);
    assert_int_equal(tbus_history_open(NULL, journal, "none", &oldest, &h, NULL), -TBUS_ENOTFOUND);
    assert_int_equal(tbus_history_open(&f->bus, NULL, "none", &oldest, &h, NULL), -TBUS_ENOTFOUND);
    assert_int_equal(tbus_history_open(NULL, f->scratch->other, "md", &oldest, &h, NULL), -ENOENT);
}

static void a_segment_is_held_while_it_is_read_and_not_when_live(void **state)
{
    fixture_t *f = *state;
    char path[PATH_BYTES + 16];
    struct flock byte = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 1, .l_len = 1};
    start_recorder(f);
    publish(f, 300);
    record(f);
    segment_path(f->scratch->journal, 1, path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    tbus_history_t *h = follow(f, &f->bus, f->scratch->journal, "md", TBUS_HISTORY_SEQ, 1);
    assert_int_equal(next(f, h), TBUS_HISTORY_MESSAGE);
    assert_int_equal(fcntl(fd, F_OFD_SETLK, &byte), -1);
    expect(f, h, 2, 301);
    assert_true(is_live(h));
    assert_int_equal(fcntl(fd, F_OFD_SETLK, &byte), 0);
    close(fd);
    tbus_history_close(h);
}

int main(void)
{
#define ALONE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TEST(name)  ALONE(name), cmocka_unit_test_setup_teardown(name, set_up_together, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_past_comes_from_the_journal_and_the_rest_from_the_ring),
        TEST(what_the_recorder_has_not_taken_yet_is_read_from_the_ring),
        TEST(without_a_journal_a_lap_is_told_as_the_exact_number),
        TEST(from_now_on_nothing_old_comes),
        TEST(it_ends_when_bus_and_ring_have_ended),
        TEST(what_comes_after_the_recorders_end_and_is_lapped_is_lost),
        TEST(a_journal_alone_is_read_to_its_end),
        TEST(a_hole_is_told_and_a_tomb_is_none),
        TEST(what_retention_removed_is_told_as_lost),
        ALONE(too_little_room_is_refused_and_the_message_comes_again),
        ALONE(a_journal_of_another_run_and_a_topic_that_is_not_there_are_refused),
        TEST(whoever_goes_to_another_place_reads_on_from_there),
        TEST(what_was_lost_before_somebody_goes_away_is_not_told_at_another_place),
        ALONE(many_messages_come_together_from_the_ring_and_from_the_journal),
        ALONE(a_batch_needs_room_for_all_and_for_the_longest),
        TEST(a_segment_is_held_while_it_is_read_and_not_when_live),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
