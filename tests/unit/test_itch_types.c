/* SPDX-License-Identifier: Apache-2.0 */
/* The table of ITCH 5.0 holds together, and the codec does what it says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <tickbus/msg/itch_types.h>

#include "feedsim/itch/itch.h"
#include "feedsim/synth/random.h"

static const uint8_t letters[] = {
#define X(type, letter, bytes, what, name) letter,
    ITCH_TYPES(X)
#undef X
};

static void the_fields_of_a_type_cover_its_message_once(void **state)
{
    (void)state;
    unsigned types = 0;
    for (unsigned letter = 0; letter < 256; letter++) {
        unsigned count;
        const itch_field_t *field = itch_fields((uint8_t)letter, &count);
        const itch_type_t *type = itch_type((uint8_t)letter);
        assert_int_equal(field != NULL, type != NULL);
        assert_int_equal(count != 0, type != NULL);
        if (!type)
            continue;
        bool covered[256] = {false};
        for (unsigned i = 0; i < count; i++, field++) {
            assert_int_equal(field->type, letter);
            for (unsigned at = field->at; at < field->at + field->bytes; at++) {
                assert_in_range(at, TICK_ITCH_HEADER, type->bytes - 1);
                assert_false(covered[at]);
                covered[at] = true;
            }
        }
        for (unsigned at = TICK_ITCH_HEADER; at < type->bytes; at++)
            assert_true(covered[at]);
        types++;
    }
    assert_int_equal(types, ITCH_TYPES_COUNT);
}

static void kinds_of_fields_have_the_sizes_that_readers_count_on(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof letters; i++) {
        unsigned count;
        const itch_field_t *first = itch_fields(letters[i], &count);
        for (const itch_field_t *field = first; field < first + count; field++) {
            bool one = field->kind == ITCH_FIELD_CHAR || field->kind == ITCH_FIELD_SIDE;
            assert_true(!itch_field_is_number(field) || field->bytes == 4 || field->bytes == 8);
            assert_true(field->kind != ITCH_FIELD_SYMBOL || field->bytes == 8);
            assert_true(!one || field->bytes == 1);
            assert_int_equal(field->verbatim, first->verbatim); /* one sort only in a type */
        }
    }
}

/* What the message says: integers are big endian there. */
static uint64_t number_in(const uint8_t *message, const itch_field_t *field)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < field->bytes; i++)
        value = value << 8 | message[field->at + i];
    return value;
}

/* Every field of the tick is that of the message; all bytes of the tick that belong to none are
 * zero. */
static void check_tick(const tick_t *tick, const uint8_t *message)
{
    unsigned count;
    uint8_t rest[sizeof(tick_t)];
    memcpy(rest, tick, sizeof rest);
    memset(rest, 0, TICK_BODY_OFFSET); /* times, locate and type */
    const itch_field_t *field = itch_fields(message[0], &count);
    for (; count; field++, count--) {
        if (itch_field_is_number(field))
            assert_true(itch_field_number(field, tick) == number_in(message, field));
        else
            assert_memory_equal(itch_field_chars(field, tick), message + field->at, field->bytes);
        memset(rest + field->tick_at, 0, field->bytes);
    }
    for (size_t i = 0; i < sizeof rest; i++)
        assert_int_equal(rest[i], 0);
}

static void the_codec_puts_every_field_where_the_table_says(void **state)
{
    (void)state;
    random_state_t random;
    random_seed(&random, 50);
    for (size_t i = 0; i < sizeof letters; i++) {
        for (unsigned round = 0; round < 1000; round++) {
            uint8_t message[64], back[ITCH_MESSAGE_MAX];
            tick_t tick;
            size_t bytes = itch_length(letters[i]), tick_bytes, back_bytes;
            for (size_t k = 0; k < bytes; k++)
                message[k] = (uint8_t)random_next(&random);
            message[0] = letters[i];
            assert_int_equal(itch_decode(message, bytes, &tick, &tick_bytes), 0);
            assert_int_equal(tick_bytes, sizeof tick);
            check_tick(&tick, message);
            assert_int_equal(itch_encode(&tick, tick_bytes, back, &back_bytes), 0);
            assert_int_equal(back_bytes, bytes);
            assert_memory_equal(back, message, bytes);
        }
    }
}

static void a_field_is_found_by_what_it_is(void **state)
{
    (void)state;
    const itch_field_t *field = itch_field_of_kind(ITCH_CROSS_TRADE, ITCH_FIELD_QTY);
    assert_string_equal(field->name, "qty");
    assert_int_equal(field->bytes, 8);
    assert_null(itch_field_of_kind(ITCH_CROSS_TRADE, ITCH_FIELD_SIDE));
    assert_null(itch_field_of_kind('z', ITCH_FIELD_SYMBOL));
    assert_int_equal(ITCH_AT(OPERATIONAL_HALT, market_code), 19);
    assert_int_equal(ITCH_BODY_AT(PARTICIPANT_POSITION, symbol), 4);
}

static void types_have_names_lengths_and_labels(void **state)
{
    (void)state;
    char label[ITCH_LABEL_BYTES];
    assert_string_equal(itch_type('A')->name, "Add Order");
    assert_string_equal(itch_type('h')->name, "Operational Halt");
    assert_int_equal(itch_type('h')->what, ITCH_WHAT_TRADING_STATE);
    assert_int_equal(itch_length('h'), 21);
    assert_null(itch_type('z'));
    assert_null(itch_type(0));
    assert_int_equal(itch_length('z'), 0);
    itch_type_label('h', label);
    assert_string_equal(label, "h");
    itch_type_label(0x9c, label);
    assert_string_equal(label, "0x9C");
    itch_type_label(' ', label);
    assert_string_equal(label, "0x20");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fields_of_a_type_cover_its_message_once),
        cmocka_unit_test(kinds_of_fields_have_the_sizes_that_readers_count_on),
        cmocka_unit_test(the_codec_puts_every_field_where_the_table_says),
        cmocka_unit_test(a_field_is_found_by_what_it_is),
        cmocka_unit_test(types_have_names_lengths_and_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
