/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tickbus/msg/itch_types.h>

#include "feedsim/selection.h"

static feed_selection_t *selection_of(const char *one, const char *other)
{
    char symbols[2][FEED_SYMBOL_BYTES] = {"", ""};
    feed_selection_t *s = malloc(sizeof *s);
    strcpy(symbols[0], one);
    strcpy(symbols[1], other);
    feed_selection_init(s, symbols, other[0] ? 2 : one[0] ? 1 : 0);
    return s;
}

static tick_t tick_of(uint8_t type, uint16_t locate)
{
    tick_t tick = {.type = type};
    tick.intended = tick_pack(0, locate);
    return tick;
}

static tick_t add_of(uint16_t locate, const char *symbol)
{
    tick_t tick = tick_of(ITCH_ADD_ORDER, locate);
    memcpy(tick.symbol, symbol, sizeof tick.symbol);
    return tick;
}

static tick_t directory_of(uint16_t locate, const char *symbol)
{
    tick_t tick = tick_of(ITCH_STOCK_DIRECTORY, locate);
    memcpy(&tick.body[ITCH_BODY_AT(STOCK_DIRECTORY, symbol)], symbol, 8);
    return tick;
}

static bool takes(feed_selection_t *s, tick_t tick)
{
    return feed_selection_takes(s, &tick, sizeof tick);
}

static void what_belongs_to_a_chosen_symbol_or_to_none_passes(void **state)
{
    (void)state;
    feed_selection_t *s = selection_of("AAPL", "B");
    assert_true(takes(s, tick_of(ITCH_SYSTEM_EVENT, 0)));
    assert_true(takes(s, directory_of(7, "AAPL    ")));
    assert_false(takes(s, directory_of(8, "AAPLX   ")));
    assert_true(takes(s, directory_of(9, "B       ")));
    assert_true(takes(s, tick_of(ITCH_ORDER_DELETE, 7)));
    assert_false(takes(s, tick_of(ITCH_ORDER_DELETE, 8)));
    assert_true(takes(s, tick_of(ITCH_ORDER_DELETE, 9)));
    free(s);
}

static void
without_a_directory_an_order_tells_its_locate_and_until_then_nothing_passes(void **state)
{
    (void)state;
    feed_selection_t *s = selection_of("AAPL", "");
    assert_false(takes(s, tick_of(ITCH_ORDER_DELETE, 7)));
    assert_true(takes(s, add_of(7, "AAPL    ")));
    assert_true(takes(s, tick_of(ITCH_ORDER_DELETE, 7)));
    assert_true(takes(s, directory_of(7, "AAPL    ")));
    assert_false(takes(s, directory_of(7, "MSFT    "))); /* another day: the locate is another's */
    assert_false(takes(s, tick_of(ITCH_ORDER_DELETE, 7)));
    free(s);
}

static void nothing_chosen_chooses_all_and_what_is_no_stock_message_passes(void **state)
{
    (void)state;
    feed_selection_t *all = selection_of("", ""), *one = selection_of("AAPL", "");
    tick_t runt = tick_of('?', 5);
    assert_true(takes(all, tick_of(ITCH_ORDER_DELETE, 8)));
    assert_true(feed_selection_takes(one, &runt, 1));
    free(all);
    free(one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_belongs_to_a_chosen_symbol_or_to_none_passes),
        cmocka_unit_test(
            without_a_directory_an_order_tells_its_locate_and_until_then_nothing_passes),
        cmocka_unit_test(nothing_chosen_chooses_all_and_what_is_no_stock_message_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
