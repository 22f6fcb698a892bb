/* SPDX-License-Identifier: Apache-2.0 */
/* A remote feed as a source of ticks, from a server of this process's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "feedsim/itch/itch.h"
#include "feedsim/source/source.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/soup_fake.h"

typedef struct fixture {
    soup_fake_t *fake;
    fault_proxy_t *proxy;
    uint16_t port;
    feed_source_t *source;
    tbus_error_t err;
    _Alignas(8) uint8_t tick[TICK_LEN_MAX];
} fixture_t;

static int set_up(void **state)
{
    *state = calloc(1, sizeof(fixture_t));
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    fixture_t *f = *state;
    feed_source_close(f->source);
    fault_proxy_stop(f->proxy);
    soup_fake_stop(f->fake);
    free(f);
    return 0;
}

/* An Order Delete (ITCH 5.0, section 1.4.4); its time and its reference are its sequence. Number 7
 * is of a type that is not known, number 9 has no bytes, number 11 is too short to have a time. */
static size_t message(uint64_t sequence, void *context, uint8_t *to)
{
    (void)context;
    memset(to, 0, 19);
    to[0] = sequence == 7 ? '?' : 'D';
    to[10] = to[18] = (uint8_t)sequence;
    to[9] = to[17] = (uint8_t)(sequence >> 8);
    if (sequence == 11)
        to[0] = '!';
    return sequence == 9 ? 0 : sequence == 11 ? 5 : 19;
}

static size_t wrong_message(uint64_t sequence, void *context, uint8_t *to)
{
    return message(sequence, context, to) - (sequence == 3);
}

static const soup_fake_script_t usual = {
    .session = "DAY0000001", .user = "trader", .messages = 1000, .ends = true, .message = message};

static void start(fixture_t *f, const soup_fake_script_t *script)
{
    f->fake = soup_fake_start(script, f->port, &f->port);
    assert_non_null(f->fake);
}

static int open_source(fixture_t *f, const char *keys)
{
    char spec[200];
    snprintf(spec, sizeof spec, "soup:127.0.0.1:%u?user=trader%s", f->port, keys);
    memset(&f->err, 0, sizeof f->err);
    return feed_source_open(spec, FEED_CLOCK_MARKET, &f->source, &f->err);
}

/* The next tick; nothing yet is waited for. */
static int next(fixture_t *f, size_t *out_bytes)
{
    int code;
    while ((code = feed_source_next(f->source, (tick_t *)(void *)f->tick, out_bytes)) ==
           FEED_SOURCE_LATER)
        usleep(100);
    return code;
}

/* Ticks from..to come, and encode to what the server has. */
static void expect(fixture_t *f, uint64_t from, uint64_t to)
{
    uint8_t wanted[SOUP_FAKE_MESSAGE_MAX], got[ITCH_MESSAGE_MAX];
    size_t bytes, got_bytes;
    for (uint64_t sequence = from; sequence <= to; sequence++) {
        assert_int_equal(next(f, &bytes), FEED_SOURCE_TICK);
        assert_int_equal(f->source->seq, sequence);
        assert_int_equal(itch_encode((tick_t *)(void *)f->tick, bytes, got, &got_bytes), 0);
        assert_int_equal(got_bytes, message(sequence, NULL, wanted));
        assert_memory_equal(got, wanted, got_bytes);
        assert_int_equal(f->source->tick_message_bytes, got_bytes);
        if (sequence == 9 || sequence == 11)
            assert_true(f->source->time_ns == FEED_TIME_NONE);
        else
            assert_int_equal(f->source->time_ns, sequence);
        assert_false(f->source->tick_is_mark);
    }
}

static void reset_often(unsigned number, void *context, fault_plan_t *plan)
{
    (void)context;
    plan->down.piece_bytes = 100 + 33 * number;
    if (number < 5)
        plan->down.reset_at = 1000 + 333 * number;
}

static void a_session_is_handed_out_tick_by_tick_over_broken_connections(void **state)
{
    fixture_t *f = *state;
    size_t bytes;
    start(f, &usual);
    f->proxy = fault_proxy_start(f->port, reset_often, NULL, &f->port);
    assert_non_null(f->proxy);
    assert_int_equal(open_source(f, ""), 0);
    assert_true(f->source->daily);
    expect(f, 1, 1000);
    assert_int_equal(f->source->messages, 1000);
    assert_int_equal(next(f, &bytes), FEED_SOURCE_END);
    assert_int_equal(next(f, &bytes), FEED_SOURCE_END);
    assert_true(soup_fake_logins(f->fake) >= 6);
}

/* A gap that another tickbus tells of is the third; the fourth has its type without its sign. */
static size_t marked_message(uint64_t sequence, void *context, uint8_t *to)
{
    tick_t mark;
    size_t bytes;
    if (sequence != 3 && sequence != 4)
        return message(sequence, context, to);
    tick_gap_put(&mark, 2, &(tick_gap_t){.from = 70, .to = 71, .policy = TICK_GAP_BLOCK});
    if (itch_encode(&mark, TICK_GAP_BYTES, to, &bytes) < 0)
        return 0;
    to[TICK_ITCH_HEADER] ^= sequence == 4;
    return bytes;
}

static void marks_of_another_tickbus_are_marks_and_those_of_a_stranger_are_messages(void **state)
{
    fixture_t *f = *state;
    soup_fake_script_t script = usual;
    const tick_t *tick = (const tick_t *)(const void *)f->tick;
    size_t bytes;
    tick_gap_t gap;
    script.message = marked_message;
    start(f, &script);
    assert_int_equal(open_source(f, ""), 0);
    expect(f, 1, 2);
    assert_int_equal(next(f, &bytes), FEED_SOURCE_TICK);
    assert_int_equal(tick_gap_get(tick, bytes, &gap), 1);
    assert_int_equal(gap.from, 70);
    assert_int_equal(gap.to, 71);
    assert_int_equal(f->source->seq, 3);
    assert_true(f->source->tick_is_mark);
    assert_int_equal(next(f, &bytes), FEED_SOURCE_TICK);
    assert_int_equal(tick->type, TICK_RUNT);
    assert_int_equal(f->source->tick_type, TICK_GAP);
    assert_false(f->source->tick_is_mark);
    expect(f, 5, 1000);
    assert_int_equal(f->source->messages, 999);
    assert_int_equal(next(f, &bytes), FEED_SOURCE_END);
}

static void a_message_without_bytes_is_the_end_mark_if_the_session_ends_behind_it(void **state)
{
    fixture_t *f = *state;
    soup_fake_script_t script = usual;
    const tick_t *tick = (const tick_t *)(const void *)f->tick;
    size_t bytes;
    script.messages = 9;
    start(f, &script);
    assert_int_equal(open_source(f, ""), 0);
    expect(f, 1, 8);
    assert_int_equal(next(f, &bytes), FEED_SOURCE_TICK);
    assert_int_equal(tick->type, TICK_END_MARK);
    assert_int_equal(tick_event_ns(tick), 8);
    assert_int_equal(f->source->seq, 9);
    assert_int_equal(f->source->messages, 8);
    assert_int_equal(next(f, &bytes), FEED_SOURCE_END);
    assert_int_equal(next(f, &bytes), FEED_SOURCE_END);
}

static void a_message_without_bytes_before_a_loss_is_a_message(void **state)
{
    fixture_t *f = *state;
    soup_fake_script_t script = usual;
    size_t bytes;
    script.messages = 9;
    script.ends = false;
    start(f, &script);
    assert_int_equal(open_source(f, "&lost=50ms"), 0);
    expect(f, 1, 8);
    assert_int_equal(feed_source_next(f->source, (tick_t *)(void *)f->tick, &bytes),
                     FEED_SOURCE_LATER);
    soup_fake_stop(f->fake);
    f->fake = NULL;
    expect(f, 9, 9);
    assert_int_equal(next(f, &bytes), -ETIMEDOUT);
}

static void it_begins_where_it_is_told_to(void **state)
{
    fixture_t *f = *state;
    soup_fake_script_t script = usual;
    size_t bytes;
    script.ends = false;
    start(f, &script);
    assert_int_equal(open_source(f, "&from=999&session=DAY0000001"), 0);
    expect(f, 999, 1000);
    assert_int_equal(feed_source_next(f->source, (tick_t *)(void *)f->tick, &bytes),
                     FEED_SOURCE_LATER);
    soup_fake_add(f->fake, 2, true);
    expect(f, 1001, 1002);
    assert_int_equal(next(f, &bytes), FEED_SOURCE_END);
}

static void what_is_no_itch_is_a_gap_of_its_own_and_the_feed_goes_on(void **state)
{
    fixture_t *f = *state;
    soup_fake_script_t script = usual;
    size_t bytes;
    tick_gap_t gap;
    uint32_t count;
    script.message = wrong_message;
    start(f, &script);
    assert_int_equal(open_source(f, ""), 0);
    expect(f, 1, 2);
    assert_int_equal(next(f, &bytes), FEED_SOURCE_TICK);
    assert_int_equal(tick_gap_get((tick_t *)(void *)f->tick, bytes, &gap), 1);
    assert_int_equal(gap.from, 3);
    assert_int_equal(gap.to, 3);
    assert_int_equal(f->source->seq, 3);
    expect(f, 4, 1000);
    assert_int_equal(next(f, &bytes), FEED_SOURCE_END);
    const feed_source_counter_t *rows = feed_source_counters(f->source, &count);
    assert_int_equal(count, 1);
    assert_string_equal(rows[0].name, "fault.itch_length");
    assert_int_equal(*rows[0].value, 1);
    assert_string_equal(f->source->note.text,
                        "1 message is no ITCH 5.0 and a gap: 3, of type 0x44 with 18 bytes");
}

static size_t other_protocol(uint64_t sequence, void *context, uint8_t *to)
{
    return message(sequence, context, to) - 1;
}

static void a_server_of_another_protocol_is_an_error(void **state)
{
    fixture_t *f = *state;
    soup_fake_script_t script = usual;
    size_t bytes;
    script.message = other_protocol;
    start(f, &script);
    assert_int_equal(open_source(f, "&from=20"), 0);
    for (uint64_t i = 1; i < FEED_MALFORMED_MAX; i++)
        assert_int_equal(next(f, &bytes), FEED_SOURCE_TICK);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(next(f, &bytes), -TBUS_EFORMAT);
        assert_non_null(strstr(f->source->error.text, "100 messages are malformed, and 0 are not"));
    }
}

static void messages_that_are_gone_are_an_error(void **state)
{
    fixture_t *f = *state;
    soup_fake_script_t script = usual;
    size_t bytes;
    script.first = 100;
    start(f, &script);
    assert_int_equal(open_source(f, "&from=3"), 0);
    assert_int_equal(next(f, &bytes), -TBUS_ETRUNCATED);
    assert_non_null(strstr(f->source->error.text, "messages 3..99"));
    assert_int_equal(next(f, &bytes), -TBUS_ETRUNCATED);
}

static void a_server_that_stays_away_is_an_error_after_a_while(void **state)
{
    fixture_t *f = *state;
    soup_fake_script_t script = usual;
    size_t bytes;
    script.ends = false;
    start(f, &script);
    assert_int_equal(open_source(f, "&lost=50ms"), 0);
    expect(f, 1, 1000);
    soup_fake_stop(f->fake);
    f->fake = NULL;
    assert_int_equal(next(f, &bytes), -ETIMEDOUT);
    assert_non_null(strstr(f->source->error.text, "could not be reached"));
    assert_int_equal(next(f, &bytes), -ETIMEDOUT);
}

static void a_server_with_another_session_is_an_error(void **state)
{
    fixture_t *f = *state;
    soup_fake_script_t script = usual;
    size_t bytes;
    script.ends = false;
    start(f, &script);
    assert_int_equal(open_source(f, ""), 0);
    expect(f, 1, 1000);
    soup_fake_stop(f->fake);
    script.session = "DAY0000002";
    start(f, &script);
    assert_int_equal(next(f, &bytes), -TBUS_ENOTFOUND);
    assert_non_null(strstr(f->source->error.text, "no session 'DAY0000001'"));
}

static void a_spec_that_cannot_be_is_refused_in_words_without_connecting(void **state)
{
    (void)state;
    static const struct {
        const char *spec, *words; /* NULL: nothing is wrong with it */
    } cases[] = {
        {"host:1", NULL},
        {"host:1?user=a&password_file=/f&session=S&from=0&lost=1m", NULL},
        {"", "names no server"},
        {"?user=a", "names no server"},
        {"host:1?from=", "from= in the feed: a sequence"},
        {"host:1?from=-1", "from=-1 in the feed"},
        {"host:1?from=1x", "from=1x in the feed"},
        {"host:1?from=18446744073709551616", "a sequence was expected"},
        {"host:1?lost=soon", "soon"},
        {"host:1?usr=a", "no key 'usr'; there are: user, password_file"},
        {"host:1?", "no key ''"},
        {"host:1?user=a&", "no key ''"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tbus_error_t err = {0};
        int code = feed_source_check_soup(cases[i].spec, &err);
        assert_int_equal(code, cases[i].words ? -TBUS_ECONFIG : 0);
        if (cases[i].words && !strstr(err.text, cases[i].words))
            fail_msg("%s: %s", cases[i].spec, err.text);
    }
}

static void what_cannot_be_opened_says_why(void **state)
{
    fixture_t *f = *state;
    start(f, &usual);
    assert_int_equal(open_source(f, "&user=other"), -EACCES);
    assert_int_equal(open_source(f, "&session=other"), -TBUS_ENOTFOUND);
    assert_int_equal(open_source(f, "&password_file=/nowhere/at/all"), -ENOENT);
    assert_non_null(strstr(f->err.text, "/nowhere/at/all"));
    assert_int_equal(open_source(f, "&password_file=/dev/null"), -TBUS_ECONFIG);
    soup_fake_stop(f->fake);
    f->fake = NULL;
    assert_int_equal(open_source(f, ""), -ECONNREFUSED);
    assert_null(f->source);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_session_is_handed_out_tick_by_tick_over_broken_connections),
        TEST(marks_of_another_tickbus_are_marks_and_those_of_a_stranger_are_messages),
        TEST(a_message_without_bytes_is_the_end_mark_if_the_session_ends_behind_it),
        TEST(a_message_without_bytes_before_a_loss_is_a_message),
        TEST(it_begins_where_it_is_told_to),
        TEST(what_is_no_itch_is_a_gap_of_its_own_and_the_feed_goes_on),
        TEST(a_server_of_another_protocol_is_an_error),
        TEST(messages_that_are_gone_are_an_error),
        TEST(a_server_that_stays_away_is_an_error_after_a_while),
        TEST(a_server_with_another_session_is_an_error),
        TEST(a_spec_that_cannot_be_is_refused_in_words_without_connecting),
        TEST(what_cannot_be_opened_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
