/* SPDX-License-Identifier: Apache-2.0 */
/* The files of the strategy `script`: what each line means, and what is said about a wrong one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tickbus/msg/order.h>

#include "strategy/script_file.h"
#include "tests/support/program.h"

typedef struct fixture {
    char scratch[SCRATCH_PATH_MAX];
    char path[SCRATCH_PATH_MAX + 16];
    script_t script;
    tbus_error_t err;
} fixture_t;

static int setup(void **state)
{
    static fixture_t f;
    f = (fixture_t){0};
    scratch_create(f.scratch);
    snprintf(f.path, sizeof f.path, "%s/script", f.scratch);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    fixture_t *f = *state;
    script_free(&f->script);
    scratch_remove(f->scratch);
    return 0;
}

static int read_text(fixture_t *f, const char *text, size_t bytes)
{
    assert_true(file_write(f->path, text, bytes));
    script_free(&f->script);
    f->err = (tbus_error_t){0};
    return script_read(f->path, &f->script, &f->err);
}

static void assert_right(fixture_t *f, const char *text)
{
    if (read_text(f, text, strlen(text)) != 0)
        fail_msg("'%s': %s", text, f->err.text);
}

/* "when at kind side qty px tif symbol name of_step" of one step. */
static void assert_step(const fixture_t *f, uint32_t index, const char *expected)
{
    static const char *const when[] = {"next", "tick", "time"};
    static const char *const kind[] = {"?", "new", "cancel", "replace"};
    char text[200];
    assert_true(index < f->script.count);
    const script_step_t *s = &f->script.steps[index];
    snprintf(text, sizeof text, "%s %llu %s %c %u %u %s '%.8s' %s %d", when[s->when],
             (unsigned long long)s->at, kind[s->kind], s->side, s->qty, s->px_e4,
             s->tif == ORDER_TIF_IOC ? "ioc" : "day", s->symbol, s->name, (int)s->of_step);
    assert_string_equal(text, expected);
}

static void every_form_of_a_line_means_what_it_says(void **state)
{
    static const struct {
        const char *line;
        const char *step;
    } table[] = {
        {"7 B 100 1.5 day AAPL a", "tick 7 new B 100 15000 day 'AAPL    ' a -1"},
        {"7 buy 0 0 ioc AAPL a", "tick 7 new B 0 0 ioc 'AAPL    ' a -1"},
        {"7 S 4294967295 429496.7295 ioc ABCDEFGH 1",
         "tick 7 new S 4294967295 4294967295 ioc 'ABCDEFGH' 1 -1"},
        {"  7\tsell 1 0.0001 day A.B#+ x_-.9 \r", "tick 7 new S 1 1 day 'A.B#+   ' x_-.9 -1"},
        {"7 B 1 2 day A day # a comment", "tick 7 new B 1 20000 day 'A       ' day -1"},
        {"7 B 1 2 day A a#b", NULL}, /* a '#' within a word begins no comment */
        {"09:30:00 B 1 2 day A a", "time 34200000000000 new B 1 20000 day 'A       ' a -1"},
        {"09:30:00.25 B 1 2 day A a", "time 34200250000000 new B 1 20000 day 'A       ' a -1"},
        {"00:00:00.000000001 B 1 2 day A a", "time 1 new B 1 20000 day 'A       ' a -1"},
        {"23:59:59.999999999 B 1 2 day A a",
         "time 86399999999999 new B 1 20000 day 'A       ' a -1"},
        {"281474976710655 B 1 2 day A a", "tick 281474976710655 new B 1 20000 day 'A       ' a -1"},
    };
    fixture_t *f = *state;
    for (unsigned i = 0; i < sizeof table / sizeof *table; i++) {
        if (!table[i].step) {
            assert_int_equal(read_text(f, table[i].line, strlen(table[i].line)), -TBUS_ECONFIG);
            continue;
        }
        assert_right(f, table[i].line);
        assert_int_equal(f->script.count, 1);
        assert_step(f, 0, table[i].step);
    }
}

static void a_script_is_read_in_its_order_with_comments_and_empty_lines(void **state)
{
    fixture_t *f = *state;
    assert_right(f, "# orders\n"
                    "\n"
                    "3 B 100 10 day AAPL a\n"
                    "sell 50 11 day MSFT b\n"
                    "09:30:00 cancel a   # leave\n"
                    "   \t \n"
                    "4 replace b 60 12 ioc c\n"
                    "replace c S 70 13 day d\n"
                    "cancel d"); /* without an end of line */
    assert_int_equal(f->script.count, 6);
    assert_step(f, 0, "tick 3 new B 100 100000 day 'AAPL    ' a -1");
    assert_step(f, 1, "next 0 new S 50 110000 day 'MSFT    ' b -1");
    assert_step(f, 2, "time 34200000000000 cancel B 0 0 day 'AAPL    ' a 0");
    assert_step(f, 3, "tick 4 replace S 60 120000 ioc 'MSFT    ' c 1");
    assert_step(f, 4, "next 0 replace S 70 130000 day 'MSFT    ' d 3");
    assert_step(f, 5, "next 0 cancel S 0 0 day 'MSFT    ' d 4");
    assert_int_equal(f->script.steps[0].line, 3);
    assert_int_equal(f->script.steps[5].line, 9);
    assert_right(f, "");
    assert_int_equal(f->script.count, 0);
    assert_right(f, "# nothing\n\n");
    assert_int_equal(f->script.count, 0);
}

static void a_wrong_line_is_named_with_its_column_and_what_is_expected_there(void **state)
{
#define WHEN    "expected the time of the first line, a number of a tick or HH:MM:SS"
#define CLOCK   "expected a time as HH:MM:SS or HH:MM:SS.FRACTION, of 9 digits at most"
#define TICK    "expected the number of a tick, from 1"
#define QTY     "expected a quantity, 0 to 4294967295 shares"
#define PX      "expected a price with 4 decimals at most, 0 to 429496.7295"
#define SYMBOL  "expected a symbol of 1 to 8 visible characters but \" and \\"
#define NAME    "expected a name of the order: 1 to 23 letters, digits, '_', '-', '.'"
#define ENDS    ", but the line ends here"
#define ORDER_A "1 B 1 2 day A a\n"
    static const struct {
        const char *text;
        const char *says;
    } table[] = {
        {"B 1 2 day A a", "line 1, column 1: " WHEN ", not 'B'"},
        {"# a\n  x", "line 2, column 3: " WHEN ", not 'x'"},
        {"9:30:00 B 1 2 day A a", "line 1, column 1: " CLOCK ", not '9:30:00'"},
        {"24:00:00 B 1 2 day A a", "line 1, column 1: " CLOCK ", not '24:00:00'"},
        {"09:60:00 B 1 2 day A a", "line 1, column 1: " CLOCK ", not '09:60:00'"},
        {"09:30 B 1 2 day A a", "line 1, column 1: " CLOCK ", not '09:30'"},
        {"09:30:00. B 1 2 day A a", "line 1, column 1: " CLOCK ", not '09:30:00.'"},
        {"09:30:00.1234567890 B", "line 1, column 1: " CLOCK ", not '09:30:00.1234567890'"},
        {"09:30:00x B 1 2 day A a", "line 1, column 1: " CLOCK ", not '09:30:00x'"},
        {"0 B 1 2 day A a", "line 1, column 1: " TICK ", not '0'"},
        {"1.5 B 1 2 day A a", "line 1, column 1: " TICK ", not '1.5'"},
        {"281474976710656 B", "line 1, column 1: " TICK ", not '281474976710656'"},
        {"5 B 1 2 day A a\n4 B 1 2 day A b",
         "line 2, column 1: that is before line 1; lines run in their order"},
        {"09:30:00 B 1 2 day A a\n9 cancel a\n09:29:59 B 1 2 day A b",
         "line 3, column 1: that is before line 1; lines run in their order"},
        {"1", "line 1, column 2: expected B, S, cancel or replace" ENDS},
        {"1 b 1 2 day A a", "line 1, column 3: expected B, S, cancel or replace, not 'b'"},
        {"1 B -1 2 day A a", "line 1, column 5: " QTY ", not '-1'"},
        {"1 B 4294967296 2 day A a", "line 1, column 5: " QTY ", not '4294967296'"},
        {"1 B", "line 1, column 4: " QTY ENDS},
        {"1 B 1 2.00001 day A a", "line 1, column 7: " PX ", not '2.00001'"},
        {"1 B 1 2. day A a", "line 1, column 7: " PX ", not '2.'"},
        {"1 B 1 .5 day A a", "line 1, column 7: " PX ", not '.5'"},
        {"1 B 1 429496.7296 day A a", "line 1, column 7: " PX ", not '429496.7296'"},
        {"1 B 1 # 2", "line 1, column 7: " PX ENDS},
        {"1 B 1 2 gtc A a",
         "line 1, column 9: expected day, ioc, market, post or slide, not 'gtc'"},
        {"1 B 1 2 day ABCDEFGHI a", "line 1, column 13: " SYMBOL ", not 'ABCDEFGHI'"},
        {"1 B 1 2 day A\"B a", "line 1, column 13: " SYMBOL ", not 'A\"B'"},
        {"1 B 1 2 day A\001B a", "line 1, column 13: " SYMBOL ", not 'A?B'"},
        {"1 B 1 2 day A", "line 1, column 14: " NAME ENDS},
        {"1 B 1 2 day A a/b", "line 1, column 15: " NAME ", not 'a/b'"},
        {"1 B 1 2 day A abcdefghijklmnopqrstuvwxyz",
         "line 1, column 15: " NAME ", not 'abcdefghijklmnopqrstuvwx...'"},
        {"1 B 1 2 day A a b", "line 1, column 17: expected the end of the line, not 'b'"},
        {ORDER_A "S 1 2 day A a",
         "line 2, column 13: 'a' is the order of line 1; expected a name of its own"},
        {ORDER_A "cancel", "line 2, column 7: " NAME ENDS},
        {ORDER_A "cancel b", "line 2, column 8: no line before this one sends an order 'b'"},
        {ORDER_A "cancel a a", "line 2, column 10: expected the end of the line, not 'a'"},
        {ORDER_A "replace b 1 2 day c",
         "line 2, column 9: no line before this one sends an order 'b'"},
        {ORDER_A "replace a S 1 2 day c",
         "line 2, column 11: expected B, the side of that order, or a quantity, not 'S'"},
        {ORDER_A "replace a 1 2 day a",
         "line 2, column 19: 'a' is the order of line 1; expected a name of its own"},
        {ORDER_A "replace a 1 2 c",
         "line 2, column 15: expected day, ioc, market, post or slide, not 'c'"},
        {ORDER_A "x\ny\n" ORDER_A,
         "line 2, column 1: expected B, S, cancel or replace, not 'x'; 2 more lines are wrong"},
        {"1 x\n2 B 1 2 day A a\ny",
         "line 1, column 3: expected B, S, cancel or replace, not 'x'; 1 more line is wrong"},
    };
    fixture_t *f = *state;
    for (unsigned i = 0; i < sizeof table / sizeof *table; i++) {
        assert_int_equal(read_text(f, table[i].text, strlen(table[i].text)), -TBUS_ECONFIG);
        if (strcmp(f->err.text, table[i].says) != 0)
            fail_msg("'%s' is told as '%s', not '%s'", table[i].text, f->err.text, table[i].says);
        assert_null(f->script.steps);
    }
}

static void post_and_slide_are_day_orders_that_must_not_take(void **state)
{
    fixture_t *f = *state;
    assert_right(f, "1 B 1 2 post A a\nS 1 2 slide A b\nreplace a 1 2 slide c\n"
                    "B 1 2 day A d\nB 1 0 market A e");
    static const uint8_t flags[] = {ORDER_POST_ONLY, ORDER_POST_ONLY | ORDER_SLIDE,
                                    ORDER_POST_ONLY | ORDER_SLIDE, 0};
    for (unsigned i = 0; i < sizeof flags; i++) {
        assert_int_equal(f->script.steps[i].tif, ORDER_TIF_DAY);
        assert_int_equal(f->script.steps[i].flags, flags[i]);
    }
    assert_int_equal(f->script.steps[4].tif, ORDER_TIF_IOC);
    assert_int_equal(f->script.steps[4].flags, ORDER_MARKET);
}

static void bytes_that_are_no_text_are_refused(void **state)
{
    static const char zeros[] = "1 B 1 2 day A\0B a\n";
    fixture_t *f = *state;
    assert_int_equal(read_text(f, zeros, sizeof zeros - 1), -TBUS_ECONFIG);
    assert_string_equal(f->err.text, "line 1, column 13: " SYMBOL ", not 'A?B'");
    assert_int_equal(read_text(f, "\0", 1), -TBUS_ECONFIG);
}

static void many_orders_find_their_names(void **state)
{
    enum { COUNT = 5000 };
    static char text[COUNT * 64];
    size_t used = 0;
    fixture_t *f = *state;
    for (unsigned i = 0; i < COUNT; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%u B 1 2 day A n%u\n", i + 1, i);
    for (unsigned i = COUNT; i-- > 0;)
        used += (size_t)snprintf(text + used, sizeof text - used, "cancel n%u\n", i);
    assert_right(f, text);
    assert_int_equal(f->script.count, 2 * COUNT);
    for (unsigned i = 0; i < COUNT; i++)
        assert_int_equal(f->script.steps[COUNT + i].of_step, COUNT - 1 - i);
}

static void what_is_no_file_to_read_is_refused(void **state)
{
    fixture_t *f = *state;
    assert_int_equal(script_read(f->path, &f->script, &f->err), -ENOENT);
    assert_non_null(strstr(f->err.text, "cannot be opened: No such file"));
    assert_int_equal(script_read(f->scratch, &f->script, &f->err), -EINVAL);
    assert_non_null(strstr(f->err.text, "no regular file"));
    assert_int_equal(mkfifo(f->path, 0600), 0);
    assert_int_equal(script_read(f->path, &f->script, &f->err), -EINVAL); /* and nobody waits */
}

static void a_file_that_is_too_large_is_refused(void **state)
{
    fixture_t *f = *state;
    assert_true(file_write(f->path, "", 0));
    assert_int_equal(truncate(f->path, (off_t)SCRIPT_BYTES_MAX + 1), 0);
    assert_int_equal(script_read(f->path, &f->script, &f->err), -EFBIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_form_of_a_line_means_what_it_says, setup, teardown),
        cmocka_unit_test_setup_teardown(a_script_is_read_in_its_order_with_comments_and_empty_lines,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_wrong_line_is_named_with_its_column_and_what_is_expected_there, setup, teardown),
        cmocka_unit_test_setup_teardown(post_and_slide_are_day_orders_that_must_not_take, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(bytes_that_are_no_text_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(many_orders_find_their_names, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_file_to_read_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_that_is_too_large_is_refused, setup, teardown),
    };
    return cmocka_run_group_tests_name("script_file", tests, NULL, NULL);
}
