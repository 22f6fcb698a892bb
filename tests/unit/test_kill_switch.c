/* SPDX-License-Identifier: Apache-2.0 */
/* The kill switch in the bus directory: who threw it, what the executor answered, and how long the
 * supervisor was silent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "risk/kill_switch.h"

static kill_switch_t fresh(void)
{
    return (kill_switch_t){0};
}

static void what_was_thrown_tells_who_and_why_and_since_when(void **state)
{
    (void)state;
    kill_switch_t k = fresh();
    kill_switch_state_t seen;
    kill_switch_look(&k, &seen);
    assert_false(seen.thrown);
    assert_int_equal(seen.by, KILL_BY_NOBODY);
    assert_int_equal(kill_switch_generation(&k), 0);

    assert_int_equal(kill_switch_throw(&k, KILL_BY_OPERATOR, "prices look wrong"), 1);
    kill_switch_look(&k, &seen);
    assert_true(seen.thrown);
    assert_string_equal(seen.reason, "prices look wrong");
    assert_int_equal(seen.pid, getpid());
    assert_int_equal(seen.uid, geteuid());
    uint64_t since_ns = seen.since_ns;
    assert_true(since_ns > 0);

    /* thrown again: a new reason and a new answer to come, but halted since the first */
    assert_int_equal(kill_switch_throw(&k, KILL_BY_SUPERVISOR, "the run cannot go on"), 2);
    kill_switch_look(&k, &seen);
    assert_int_equal(seen.since_ns, since_ns);
    assert_int_equal(seen.by, KILL_BY_SUPERVISOR);
    assert_string_equal(seen.reason, "the run cannot go on");

    kill_switch_throw_once(&k, KILL_BY_ORPHAN, "not heard");
    kill_switch_look(&k, &seen);
    assert_int_equal(seen.by, KILL_BY_SUPERVISOR);
    assert_int_equal(seen.generation, 2);

    kill_switch_release(&k, (kill_switch_actor_t){.uid = 5, .pid = 6}, "mended");
    kill_switch_release_t release;
    kill_switch_look_release(&k, &release);
    assert_int_equal(release.number, 1);
    assert_int_equal(release.uid, 5);
    assert_int_equal(release.pid, 6);
    assert_true(release.time_ns >= since_ns);
    assert_string_equal(release.reason, "mended");
    assert_int_equal(kill_switch_generation(&k), 0);
    kill_switch_throw_once(&k, KILL_BY_ORPHAN, "heard");
    kill_switch_look(&k, &seen);
    assert_string_equal(seen.reason, "heard");
    assert_int_equal(seen.generation, 3);
}

static void an_answer_counts_for_the_throw_that_it_answers_only(void **state)
{
    (void)state;
    kill_switch_t k = fresh();
    kill_switch_state_t seen;
    uint32_t first = kill_switch_throw(&k, KILL_BY_OPERATOR, "one");
    kill_switch_look(&k, &seen);
    assert_false(seen.answered);
    kill_switch_answer(&k, first, 7, 2);
    kill_switch_look(&k, &seen);
    assert_true(seen.answered);
    assert_int_equal(seen.cancelled, 7);
    assert_int_equal(seen.unconfirmed, 2);
    assert_true(seen.answered_ns >= seen.since_ns);
    uint32_t second = kill_switch_throw(&k, KILL_BY_OPERATOR, "two");
    kill_switch_look(&k, &seen);
    assert_false(seen.answered);
    kill_switch_answer(&k, second, 7, 0);
    kill_switch_look(&k, &seen);
    assert_true(seen.answered);
}

static void a_reduction_is_a_latch_of_its_own_beside_the_halt(void **state)
{
    (void)state;
    kill_switch_t k = fresh();
    kill_switch_state_t seen;
    kill_switch_reduce(&k, KILL_BY_LOSS, "too much was lost");
    assert_true(kill_switch_reduces(&k));
    assert_false(kill_switch_thrown(&k));
    assert_int_equal(kill_switch_generation(&k), 0);
    kill_switch_look_reduction(&k, &seen);
    assert_true(seen.thrown);
    assert_int_equal(seen.generation, 1);
    assert_int_equal(seen.by, KILL_BY_LOSS);
    assert_int_equal(seen.pid, getpid());
    assert_string_equal(seen.reason, "too much was lost");
    assert_int_equal(kill_switch_throw(&k, KILL_BY_OPERATOR, "and all of it"), 1);
    kill_switch_look_reduction(&k, &seen);
    assert_string_equal(seen.reason, "too much was lost");
    /* A release of the halt alone leaves it; one of both does not. */
    kill_switch_release_halt(&k, (kill_switch_actor_t){.uid = 5, .pid = 6}, "to close");
    assert_true(kill_switch_reduces(&k));
    assert_false(kill_switch_thrown(&k));
    kill_switch_throw(&k, KILL_BY_OPERATOR, "again");
    kill_switch_release(&k, (kill_switch_actor_t){.uid = 5, .pid = 6}, "mended");
    assert_false(kill_switch_reduces(&k));
    assert_false(kill_switch_thrown(&k));
    kill_switch_release_t release;
    kill_switch_look_release(&k, &release);
    assert_int_equal(release.number, 2);
    assert_string_equal(release.reason, "mended");
}

static void what_is_known_of_a_strategy_that_is_latched_is_that_of_the_last_time(void **state)
{
    (void)state;
    kill_switch_t k = fresh();
    kill_switch_state_t seen;
    char section[KILL_SWITCH_SECTION_MAX];
    /* As it begins: of another process, at another time. */
    kill_switch_tell_why(&k, 31, "stages.a", (kill_switch_actor_t){5, 6, 700}, "lost 1");
    assert_int_equal(kill_switch_latched(&k), 0);
    kill_switch_tell_latched(&k, UINT32_C(1) << 31, 0);
    assert_int_equal(kill_switch_latched(&k), UINT32_C(1) << 31);
    kill_switch_look_why(&k, 31, section, &seen);
    assert_string_equal(section, "stages.a");
    assert_string_equal(seen.reason, "lost 1");
    assert_int_equal(seen.by, KILL_BY_LOSS);
    assert_int_equal(seen.uid, 5);
    assert_int_equal(seen.pid, 6);
    assert_int_equal(seen.since_ns, 700);
    /* It is released, and loses again: since now. */
    kill_switch_release(&k, kill_switch_self(), "mended");
    assert_int_equal(kill_switch_latched(&k), 0);
    kill_switch_tell_why(&k, 31, "stages.a", kill_switch_self(), "lost 2");
    kill_switch_tell_latched(&k, UINT32_C(1) << 31, 1);
    kill_switch_look_why(&k, 31, section, &seen);
    assert_string_equal(seen.reason, "lost 2");
    assert_int_equal(seen.pid, getpid());
    assert_true(seen.since_ns > 700);
    /* The bus itself, thrown again as it was in a run before. */
    kill_switch_throw_as(&k, KILL_BY_OPERATOR, (kill_switch_actor_t){5, 6, 700}, "as before");
    kill_switch_look(&k, &seen);
    assert_int_equal(seen.since_ns, 700);
    assert_int_equal(seen.thrown_ns, 700);
}

static void silence_begins_with_the_first_heartbeat(void **state)
{
    (void)state;
    kill_switch_t k = fresh();
    assert_int_equal(kill_switch_silence_ns(&k, UINT64_MAX), 0);
    kill_switch_beat(&k, 1000);
    assert_int_equal(kill_switch_silence_ns(&k, 1000), 0);
    assert_int_equal(kill_switch_silence_ns(&k, 900), 0); /* read before the beat */
    assert_int_equal(kill_switch_silence_ns(&k, 3500), 2500);
}

/* `given` becomes `kept`; whether it was changed. */
static void expect(const char *given, const char *kept, bool changed)
{
    char text[16];
    memset(text, 'x', sizeof text);
    assert_int_equal(kill_switch_reason(given, text, sizeof text), changed);
    assert_string_equal(text, kept);
}

static void any_text_becomes_a_reason_on_one_line(void **state)
{
    (void)state;
    expect("limit breached", "limit breached", false);
    expect("", "", false);
    expect("two\nlines\n", "two lines", true);
    expect("\033[2J!", " [2J!", true);
    expect("caf\xc3\xa9", "caf\xc3\xa9", false);
    expect("caf\xe9", "caf?", true);          /* ISO 8859-1 */
    expect("\xc0\xaf", "??", true);           /* longer than it need be */
    expect("\xed\xa0\x80", "???", true);      /* half of a pair */
    expect("\xf4\x90\x80\x80", "????", true); /* beyond U+10FFFF */
    expect("a\xc2\x9b"
           "b",
           "a b", true);                                 /* a control character of two bytes */
    expect("\xe2\x82", "??", true);                      /* ends in the middle */
    expect("123456789012345", "123456789012345", false); /* fits to the byte */
    expect("1234567890123456", "123456789012345", true);
    expect("12345678901234\xc3\xa9", "12345678901234", true); /* cut at a character */
}

static void everybody_who_can_throw_it_has_a_name_of_its_own(void **state)
{
    (void)state;
    static const struct {
        enum kill_switch_by by;
        const char *text;
    } rows[] = {{KILL_BY_NOBODY, "nobody"},
                {KILL_BY_OPERATOR, "an operator"},
                {KILL_BY_SUPERVISOR, "the supervisor"},
                {KILL_BY_ORPHAN, "the stages, as their supervisor has died"},
                {KILL_BY_SILENCE, "the stages, as nothing was heard of their supervisor"},
                {KILL_BY_LOSS, "risk, as the loss limit was reached"},
                {(enum kill_switch_by)99, "?"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(kill_switch_by_text(rows[i].by), rows[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_thrown_tells_who_and_why_and_since_when),
        cmocka_unit_test(an_answer_counts_for_the_throw_that_it_answers_only),
        cmocka_unit_test(a_reduction_is_a_latch_of_its_own_beside_the_halt),
        cmocka_unit_test(what_is_known_of_a_strategy_that_is_latched_is_that_of_the_last_time),
        cmocka_unit_test(silence_begins_with_the_first_heartbeat),
        cmocka_unit_test(everybody_who_can_throw_it_has_a_name_of_its_own),
        cmocka_unit_test(any_text_becomes_a_reason_on_one_line),
    };
    return cmocka_run_group_tests_name("kill_switch", tests, NULL, NULL);
}
