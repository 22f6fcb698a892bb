/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/show/fold.h"

static void expect(const char *label, int indent, const char *text, const char *wanted)
{
    char *got = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&got, &bytes);
    fold(out, label, indent, text);
    fclose(out);
    assert_string_equal(got, wanted);
    free(got);
}

static void words_fill_a_line_to_its_last_column_and_go_on_below(void **state)
{
    (void)state;
    char text[200], wanted[300];
    snprintf(text, sizeof text, "%.*s %.*s", 39, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 40,
             "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb");
    snprintf(wanted, sizeof wanted, "%s\n", text);
    assert_int_equal(strlen(text), FOLD_COLUMNS);
    expect("", 0, text, wanted); /* 80 columns */
    snprintf(wanted, sizeof wanted, " %.39s\n %s\n", text, text + 40);
    expect("", 1, text, wanted); /* 81 would be one too many */
    expect("name", 8, "one  two ", "name    one two\n");
    expect("name", 8, "", "name    \n");
}

static void a_label_without_room_for_text_behind_it_has_a_line_of_its_own(void **state)
{
    (void)state;
    expect("name", 4, "one two", "name\n    one two\n");
    expect("a long name", 4, "one two", "a long name\n    one two\n");
    expect("", 4, "one two", "    one two\n");
}

static void a_word_that_is_longer_than_a_line_stays_whole(void **state)
{
    (void)state;
    char word[101], text[220], wanted[220];
    memset(word, 'w', 100);
    word[100] = 0;
    snprintf(text, sizeof text, "a %s b", word);
    snprintf(wanted, sizeof wanted, "  a\n  %s\n  b\n", word);
    expect("", 2, text, wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_fill_a_line_to_its_last_column_and_go_on_below),
        cmocka_unit_test(a_label_without_room_for_text_behind_it_has_a_line_of_its_own),
        cmocka_unit_test(a_word_that_is_longer_than_a_line_stays_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
