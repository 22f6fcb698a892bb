/* SPDX-License-Identifier: Apache-2.0 */
/* What a journal says of a session's outside and inputs, and two of them compared, with messages of
 * any bytes: nothing that is read is trusted. Under sanitizers an access too far shows.
 *
 * TICKBUS_SEED=N is the first seed; TICKBUS_RECORDINGS=N more than 24 of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tickbus/msg/bbo.h>
#include <tickbus/msg/event.h>
#include <tickbus/msg/order.h>
#include <tickbus/msg/report.h>

#include "bus/market/recorded.h"
#include "risk/limits.h"
#include "tests/unit/journal_scratch.h"
#include "tools/journal/compare.h"
#include "tools/journal/divergence.h"
#include "tools/run/repeatable.h"

enum { MD, BBO, ORDERS, JUDGED, APPROVED, REPORTS, EVENTS, INPUTS, TOPICS };

#define MESSAGES 400u

static uint64_t number_of(const char *name, uint64_t fallback)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : fallback;
}

/* xorshift64* (Vigna, 2016) */
static uint64_t draw(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

/* A number as they are found at the edges of fields, or a small one. */
static uint64_t wild(uint64_t *state)
{
    static const uint64_t edges[] = {0,
                                     1,
                                     UINT64_MAX,
                                     UINT64_MAX - 1,
                                     INT64_MAX,
                                     UINT32_MAX,
                                     UINT64_C(1) << 48,
                                     UINT64_C(1) << 56,
                                     UINT64_C(1) << 40};
    uint64_t which = draw(state);
    return which % 3 == 0 ? edges[which / 3 % (sizeof edges / sizeof *edges)] : which / 3 % 40;
}

static size_t make_event(uint64_t *state, uint8_t *payload)
{
    static const char *const texts[] = {
        "",
        "risk.position_max from 1 to 2",
        "risk.position_max from  to , ,",
        "risk. from to",
        "risk.orders_per_second from 1 to 99999999999999999999, risk.collar_bps from 1 to x",
        "from to risk"};
    event_t event = {.position = wild(state),
                     .md_seq = wild(state),
                     .market_ns = wild(state),
                     .pid = (uint32_t)wild(state),
                     .number = (uint32_t)wild(state),
                     .kind = (uint8_t)(draw(state) % 12),
                     .from = (uint8_t)(draw(state) % 7),
                     .more = draw(state) % 4 == 0};
    const char *text = texts[draw(state) % (sizeof texts / sizeof *texts)];
    memcpy(payload, &event, sizeof event);
    memcpy(payload + sizeof event, text, strlen(text));
    return sizeof event + strlen(text);
}

static size_t make_decision(uint64_t *state, uint8_t *payload)
{
    uint64_t words[7];
    for (unsigned i = 0; i < 7; i++)
        words[i] = draw(state) % 2 ? wild(state) : wild(state) << 48 | wild(state);
    if (draw(state) % 2)
        words[0] = ORDER_ID(1 + draw(state) % 3, draw(state) % 5);
    memcpy(payload, words, sizeof words);
    return sizeof words;
}

static tbus_journal_writer_t *begin(const char *directory)
{
    tbus_journal_writer_t *writer = NULL;
    tbus_journal_spec_t spec = {
        .directory = directory,
        .bus_name = "wild",
        .segment_bytes = TBUS_JOURNAL_SEGMENT_BYTES_MIN,
        .topics_count = TOPICS,
        .topics = {{"md", "tick", 1, TICK_VERSION, TBUS_BROADCAST, 0},
                   {"bbo", "bbo", 1, BBO_VERSION, TBUS_BROADCAST, 0},
                   {"orders", "order", 1, ORDER_VERSION, TBUS_MPSC, 0},
                   {"judged", "order", 1, ORDER_VERSION, TBUS_SPSC, 0},
                   {"approved", "order", 1, ORDER_VERSION, TBUS_SPSC, 0},
                   {"reports", "report", 1, REPORT_VERSION, TBUS_BROADCAST, 0},
                   {EVENT_TOPIC, "event", 1, EVENT_VERSION, TBUS_MPSC, 0},
                   {EVENT_INPUTS_TOPIC, "event", 1, EVENT_VERSION, TBUS_MPSC, 0}}};
    assert_int_equal(tbus_journal_writer_open(&spec, &writer, NULL), 0);
    return writer;
}

/* Two recordings from equal seeds part behind `same` messages. */
static void record(const char *directory, uint64_t seed, unsigned same, uint64_t other)
{
    uint64_t state = seed, seqs[TOPICS] = {0};
    tbus_journal_writer_t *writer = begin(directory);
    for (unsigned i = 0; i < MESSAGES; i++) {
        _Alignas(8) uint8_t payload[512] = {0};
        if (i == same)
            state ^= other;
        uint16_t topic = (uint16_t)(draw(&state) % TOPICS);
        size_t bytes =
            topic >= EVENTS ? make_event(&state, payload) : make_decision(&state, payload);
        if (draw(&state) % 16 == 0) /* of a length that its type does not have */
            bytes = draw(&state) % sizeof payload;
        seqs[topic] += 1 + (draw(&state) % 32 == 0);
        assert_int_equal(
            tbus_journal_writer_append(writer, topic, seqs[topic], 1000 + i, payload, bytes), 0);
    }
    assert_int_equal(tbus_journal_writer_close(writer, NULL), 0);
}

static void look_at(const char *directory)
{
    recorded_t *recorded = NULL;
    config_t config;
    assert_int_equal(recorded_open(directory, &recorded, NULL), 0);
    for (uint64_t seq = 0; seq < 50; seq++)
        for (uint32_t strategy = 0; strategy < 4; strategy++)
            (void)recorded_late_ns(recorded, strategy, seq ? seq : UINT64_MAX);
    for (uint32_t i = 0; i < recorded->streams_count; i++) {
        const recorded_inputs_t *s = &recorded->streams[i];
        assert_ptr_equal(recorded_inputs(recorded, s->from, s->number), s);
        assert_true(s->count > 0);
    }
    for (uint32_t i = 0; i < recorded->limits_count; i++) {
        risk_limit_set_t limits = {.strategies_count = 0};
        tbus_params_defaults(&risk_limits_params, &limits.bus);
        risk_limit_set_repeat(&limits, recorded->limits[i].text);
        assert_int_equal(risk_limits_check(&limits.bus, NULL), 0);
    }
    recorded_close(recorded);
    config_defaults(&config);
    (void)repeatable_check(directory, &config, NULL);
}

static void print(const compare_result_t *result, const char *const directories[2])
{
    char *text = NULL;
    size_t bytes = 0;
    divergence_request_t request = {.result = result,
                                    .directories = {directories[0], directories[1]},
                                    .names = {"recorded", "replayed"}};
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    divergence_print(&request, out);
    json_t *object = divergence_json(&request);
    assert_int_equal(json_dumpf(object, out, 0), 0);
    assert_int_equal(json_is_object(json_object_get(object, "divergence")), !result->identical);
    json_decref(object);
    assert_int_equal(fclose(out), 0);
    free(text);
}

static void whatever_a_recording_holds_it_is_read_and_compared(void **state)
{
    const scratch_t *s = *state;
    const char *const same[2] = {s->journal, s->journal};
    const char *const both[2] = {s->journal, s->other};
    uint64_t seed = number_of("TICKBUS_SEED", 1);
    for (uint64_t i = 0; i < number_of("TICKBUS_RECORDINGS", 24); i++, seed++) {
        compare_result_t result;
        uint64_t first = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
        unsigned equal = (unsigned)(first >> 33) % MESSAGES;
        record(s->journal, first, MESSAGES, 0);
        record(s->other, first, equal, first >> 3 | 1);
        look_at(s->journal);
        assert_int_equal(compare_recordings(same, NULL, &result, NULL), 0);
        if (!result.identical)
            fail_msg("seed %llu: it differs from itself", (unsigned long long)seed);
        for (unsigned how = 0; how < 5; how++) {
            compare_repetition_t repetition = {.of_host_clock = how & 1, .stood_still = how & 2};
            assert_int_equal(compare_recordings(both, how < 4 ? &repetition : NULL, &result, NULL),
                             0);
            print(&result, both);
        }
        scratch_remove(s->journal);
        scratch_remove(s->other);
    }
}

static void more_strategies_than_can_be_compared_are_refused_by_name(void **state)
{
    const scratch_t *s = *state;
    const char *const same[2] = {s->journal, s->journal};
    compare_result_t result;
    tbus_error_t why = {0};
    tbus_journal_writer_t *writer = begin(s->journal);
    for (unsigned i = 1; i <= 300; i++) {
        order_t order = {.order_id = ORDER_ID(i, 1), .kind = ORDER_NEW};
        assert_int_equal(tbus_journal_writer_append(writer, ORDERS, i, 1000, &order, sizeof order),
                         0);
    }
    assert_int_equal(tbus_journal_writer_close(writer, NULL), 0);
    assert_int_equal(compare_recordings(same, NULL, &result, &why), -TBUS_ELIMIT);
    assert_non_null(strstr(why.text, "more strategies than can be compared"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, remove_scratch)
    const struct CMUnitTest tests[] = {
        TEST(whatever_a_recording_holds_it_is_read_and_compared),
        TEST(more_strategies_than_can_be_compared_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
