/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include <tickbus/error.h>

#include "feedsim/itch/itch.h"
#include "tests/market_data.h"

static const uint8_t types[] = {
#define X(type, letter, bytes, what, name) letter,
    ITCH_TYPES(X)
#undef X
};

/* Buffers of exactly the size that the functions ask for, so that the sanitizer sees a byte too
 * much. */
typedef struct buffers {
    tick_t *tick;
    uint8_t *message;
} buffers_t;

static int make_buffers(void **state)
{
    buffers_t *b = malloc(sizeof(*b));
    b->tick = aligned_alloc(8, TICK_LEN_MAX);
    b->message = malloc(ITCH_MESSAGE_MAX);
    *state = b;
    return 0;
}

static int free_buffers(void **state)
{
    buffers_t *b = *state;
    free(b->tick);
    free(b->message);
    free(b);
    return 0;
}

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void fill(uint8_t *bytes, size_t count, uint64_t *seed)
{
    for (size_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)draw(seed);
}

/* Decode a copy of the message that ends where the heap block ends, encode, compare. Returns the
 * bytes of the tick. */
static size_t assert_lossless(buffers_t *b, const uint8_t *message, size_t bytes)
{
    uint8_t *exact = malloc(bytes);
    memcpy(exact, message, bytes);
    memset(b->tick, 0xa5, TICK_LEN_MAX);
    memset(b->message, 0x5a, ITCH_MESSAGE_MAX);
    size_t tick_bytes = 0, back_bytes = 0;
    assert_int_equal(itch_decode(exact, bytes, b->tick, &tick_bytes), 0);
    assert_int_equal(itch_encode(b->tick, tick_bytes, b->message, &back_bytes), 0);
    assert_int_equal(back_bytes, bytes);
    assert_memory_equal(b->message, exact, bytes);
    assert_int_equal(itch_tick_type(b->tick, tick_bytes), exact[0]);
    assert_int_equal(itch_tick_message_bytes(b->tick, tick_bytes), bytes);
    assert_int_equal(tick_intended_ns(b->tick), 0);
    free(exact);
    return tick_bytes;
}

static size_t from_hex(const char *hex, uint8_t *out)
{
    size_t bytes = strlen(hex) / 2;
    for (size_t i = 0; i < bytes; i++) {
        unsigned value;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &value), 1);
        out[i] = (uint8_t)value;
    }
    return bytes;
}

static json_t *load_vectors(void)
{
    char path[MARKET_DATA_PATH_MAX];
    if (!market_data_path("vectors/itch50.json", path))
        skip();
    json_error_t error;
    json_t *vectors = json_load_file(path, 0, &error);
    assert_non_null(vectors);
    return vectors;
}

static uint64_t number(const json_t *fields, const char *name)
{
    const json_t *value = json_object_get(fields, name);
    assert_non_null(value);
    return (uint64_t)json_integer_value(value);
}

static void assert_text(const json_t *fields, const char *name, const void *bytes, size_t count)
{
    const char *text = json_string_value(json_object_get(fields, name));
    assert_non_null(text);
    assert_int_equal(strlen(text), count);
    assert_memory_equal(bytes, text, count);
}

/* Types whose fields a tick holds in host order; what a type does not fill must be zero. */
static bool assert_fields(const tick_t *t, const json_t *f)
{
    tick_t want = {.event = t->event, .intended = t->intended, .type = t->type};
    switch (t->type) {
    case 'A':
    case 'F':
    case 'P':
        want.order_ref = number(f, "order_ref");
        want.side = (uint8_t)json_string_value(json_object_get(f, "side"))[0];
        want.qty = (uint32_t)number(f, "shares");
        want.px_e4 = (uint32_t)number(f, "price");
        assert_text(f, "stock", t->symbol, 8);
        memcpy(want.symbol, t->symbol, 8);
        if (t->type == 'F') {
            assert_text(f, "attribution", t->mpid, 4);
            memcpy(want.mpid, t->mpid, 4);
        }
        if (t->type == 'P')
            want.match = number(f, "match_number");
        break;
    case 'C':
        want.printable = (uint8_t)json_string_value(json_object_get(f, "printable"))[0];
        want.px_e4 = (uint32_t)number(f, "execution_price");
        /* fall through */
    case 'E':
        want.order_ref = number(f, "order_ref");
        want.qty = (uint32_t)number(f, "executed_shares");
        want.match = number(f, "match_number");
        break;
    case 'X':
        want.order_ref = number(f, "order_ref");
        want.qty = (uint32_t)number(f, "cancelled_shares");
        break;
    case 'D':
        want.order_ref = number(f, "order_ref");
        break;
    case 'U':
        want.order_ref = number(f, "original_order_ref");
        want.new_ref = number(f, "new_order_ref");
        want.qty = (uint32_t)number(f, "shares");
        want.px_e4 = (uint32_t)number(f, "price");
        break;
    case 'Q':
        want.qty64 = number(f, "shares");
        want.px_e4 = (uint32_t)number(f, "cross_price");
        want.match = number(f, "match_number");
        assert_text(f, "stock", t->symbol, 8);
        memcpy(want.symbol, t->symbol, 8);
        want.aux = (uint8_t)json_string_value(json_object_get(f, "cross_type"))[0];
        break;
    case 'B':
        want.match = number(f, "match_number");
        break;
    default:
        return false;
    }
    assert_memory_equal(t, &want, sizeof(want));
    return true;
}

static void every_vector_decodes_to_its_fields_and_back_to_its_bytes(void **state)
{
    buffers_t *b = *state;
    json_t *vectors = load_vectors();
    size_t index;
    json_t *vector;
    bool seen[256] = {false};
    json_array_foreach(vectors, index, vector)
    {
        uint8_t message[64];
        size_t bytes = from_hex(json_string_value(json_object_get(vector, "hex")), message);
        assert_int_equal(bytes, number(vector, "length"));
        assert_int_equal(itch_length(message[0]), bytes);
        assert_int_equal(assert_lossless(b, message, bytes), sizeof(tick_t));
        const json_t *fields = json_object_get(vector, "fields");
        assert_int_equal(b->tick->type,
                         (uint8_t)json_string_value(json_object_get(vector, "type"))[0]);
        assert_int_equal(tick_event_ns(b->tick), number(fields, "timestamp"));
        assert_int_equal(tick_tracking(b->tick), number(fields, "tracking_number"));
        assert_int_equal(tick_locate(b->tick), number(fields, "stock_locate"));
        if (!assert_fields(b->tick, fields)) {
            uint8_t body[TICK_BODY_MAX] = {0};
            memcpy(body, message + TICK_ITCH_HEADER, bytes - TICK_ITCH_HEADER);
            assert_memory_equal(b->tick->body, body, sizeof(body));
        }
        seen[message[0]] = true;
    }
    for (size_t i = 0; i < sizeof(types); i++)
        assert_true(seen[types[i]]);
    json_decref(vectors);
}

static void a_known_type_with_any_other_length_is_refused(void **state)
{
    buffers_t *b = *state;
    uint8_t message[128] = {0};
    for (size_t i = 0; i < sizeof(types); i++) {
        message[0] = types[i];
        for (size_t bytes = 1; bytes <= sizeof(message); bytes++) {
            size_t tick_bytes = 12345;
            int rc = itch_decode(message, bytes, b->tick, &tick_bytes);
            if (bytes == itch_length(types[i])) {
                assert_int_equal(rc, 0);
            } else {
                assert_int_equal(rc, -TBUS_EFORMAT);
                assert_int_equal(tick_bytes, 12345);
            }
        }
    }
}

static void a_message_without_bytes_is_a_runt_and_no_end_mark(void **state)
{
    buffers_t *b = *state;
    size_t tick_bytes, bytes = 1;
    uint8_t *nothing = calloc(0, 1);
    assert_int_equal(itch_decode(nothing, 0, b->tick, &tick_bytes), 0);
    assert_int_equal(b->tick->type, TICK_RUNT);
    assert_int_equal(tick_bytes, TICK_BODY_OFFSET);
    assert_false(tick_is_mark(b->tick));
    assert_int_equal(itch_tick_type(b->tick, tick_bytes), TICK_RUNT);
    assert_int_equal(itch_encode(b->tick, tick_bytes, b->message, &bytes), 0);
    assert_int_equal(bytes, 0);
    free(nothing);
}

static void too_many_bytes_are_refused(void **state)
{
    buffers_t *b = *state;
    size_t tick_bytes;
    uint8_t *message = calloc(1, ITCH_MESSAGE_MAX + 1);
    message[0] = 'z';
    assert_int_equal(itch_decode(message, ITCH_MESSAGE_MAX + 1, b->tick, &tick_bytes),
                     -TBUS_ETOOBIG);
    free(message);
}

static void unknown_types_of_any_length_are_carried_verbatim(void **state)
{
    buffers_t *b = *state;
    static const size_t sizes[] = {1,  2,  5,  10,  11,   12,    17,   40,
                                   49, 50, 51, 200, 4096, 65534, 65535};
    uint8_t *message = malloc(ITCH_MESSAGE_MAX);
    uint64_t seed = 7;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        size_t bytes = sizes[i];
        fill(message, bytes, &seed);
        message[0] = 'z';
        size_t tick_bytes = assert_lossless(b, message, bytes);
        if (bytes < TICK_ITCH_HEADER) {
            assert_int_equal(b->tick->type, TICK_RUNT);
            assert_int_equal(b->tick->event, 0);
            assert_int_equal(b->tick->intended, 0);
            assert_int_equal(tick_bytes, TICK_BODY_OFFSET + bytes);
        } else {
            assert_int_equal(b->tick->type, 'z');
            assert_int_equal(tick_locate(b->tick), message[1] << 8 | message[2]);
            assert_int_equal(tick_bytes, TICK_BODY_OFFSET + bytes - TICK_ITCH_HEADER);
        }
        const uint8_t *tick = (const uint8_t *)b->tick;
        for (size_t at = tick_bytes; at < sizeof(tick_t); at++)
            assert_int_equal(tick[at], 0);
    }
    free(message);
}

static void a_message_whose_type_is_one_of_our_marks_is_not_taken_for_the_mark(void **state)
{
    buffers_t *b = *state;
    uint8_t *message = malloc(ITCH_MESSAGE_MAX);
    uint64_t seed = 8;
    static const uint8_t marks[] = {TICK_END_MARK, TICK_RUNT, TICK_GAP, TICK_RESTORE};
    static const size_t sizes[] = {1, 11, 36, 65535};
    for (size_t m = 0; m < 4; m++) {
        for (size_t i = 0; i < 4; i++) {
            fill(message, sizes[i], &seed);
            message[0] = marks[m];
            size_t tick_bytes = assert_lossless(b, message, sizes[i]);
            assert_int_equal(b->tick->type, TICK_RUNT);
            assert_in_range(tick_bytes, TICK_BODY_OFFSET, TICK_LEN_MAX);
            assert_int_equal(itch_decode_line(message, sizes[i], b->tick, &tick_bytes), 0);
            assert_int_equal(b->tick->type, TICK_RUNT);
        }
    }
    free(message);
}

static void a_mark_of_another_tickbus_is_known_by_its_sign_and_taken_from_a_line_alone(void **state)
{
    buffers_t *b = *state;
    tick_t marks[2];
    static const size_t sizes[] = {TICK_GAP_BYTES, TICK_RESTORE_BYTES};
    tick_gap_put(&marks[0], 1234, &(tick_gap_t){.from = 5, .to = 9, .policy = TICK_GAP_WARN});
    tick_restore_put(&marks[1], 1235, TICK_RESTORE_ENDS);
    for (unsigned i = 0; i < 2; i++) {
        size_t bytes, tick_bytes;
        assert_int_equal(itch_encode(&marks[i], sizes[i], b->message, &bytes), 0);
        assert_int_equal(bytes, itch_tick_message_bytes(&marks[i], sizes[i]));
        assert_int_equal(bytes,
                         TICK_ITCH_HEADER + ITCH_MARK_SIGN_BYTES + sizes[i] - TICK_BODY_OFFSET);
        assert_int_equal(itch_decode_line(b->message, bytes, b->tick, &tick_bytes), 0);
        assert_int_equal(tick_bytes, sizes[i]);
        assert_memory_equal(b->tick, &marks[i], tick_bytes);
        assert_int_equal(itch_decode(b->message, bytes, b->tick, &tick_bytes), 0); /* of a file */
        assert_int_equal(b->tick->type, TICK_RUNT);
        /* Any bit of the sign, and any other length, is no mark. */
        for (size_t bit = 0; bit < 8 * ITCH_MARK_SIGN_BYTES; bit++) {
            b->message[TICK_ITCH_HEADER + bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_int_equal(itch_decode_line(b->message, bytes, b->tick, &tick_bytes), 0);
            assert_int_equal(b->tick->type, TICK_RUNT);
            b->message[TICK_ITCH_HEADER + bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        for (size_t other = 0; other < 2 * bytes; other++) {
            assert_int_equal(itch_decode_line(b->message, other, b->tick, &tick_bytes), 0);
            assert_int_equal(b->tick->type, other == bytes ? marks[i].type : TICK_RUNT);
        }
    }
    size_t bytes, tick_bytes;
    tick_restore_put(&marks[1], 0, TICK_RESTORE_FAILED + 1); /* which means nothing */
    assert_int_equal(itch_encode(&marks[1], sizes[1], b->message, &bytes), 0);
    assert_int_equal(itch_decode_line(b->message, bytes, b->tick, &tick_bytes), 0);
    assert_int_equal(b->tick->type, TICK_RUNT);
}

static void whatever_decode_accepts_comes_back_unchanged(void **state)
{
    buffers_t *b = *state;
    uint64_t seed = UINT64_C(0x5eed);
    uint8_t message[300];
    unsigned accepted = 0;
    for (unsigned round = 0; round < 300000; round++) {
        size_t bytes = 1 + draw(&seed) % sizeof(message);
        fill(message, bytes < 64 ? bytes : 64, &seed);
        if (round % 2 == 0) { /* half of them of a known type with its own length */
            message[0] = types[draw(&seed) % sizeof(types)];
            bytes = itch_length(message[0]);
        }
        size_t tick_bytes;
        if (itch_decode(message, bytes, b->tick, &tick_bytes) == 0) {
            assert_lossless(b, message, bytes);
            accepted++;
        }
    }
    assert_in_range(accepted, 150000, 300000);
}

static void the_end_mark_has_no_message_bytes(void **state)
{
    buffers_t *b = *state;
    size_t tick_bytes, bytes = 1;
    itch_end_mark(34200000000000, b->tick, &tick_bytes);
    assert_int_equal(b->tick->type, TICK_END_MARK);
    assert_int_equal(tick_event_ns(b->tick), 34200000000000);
    assert_int_equal(itch_encode(b->tick, tick_bytes, b->message, &bytes), 0);
    assert_int_equal(bytes, 0);
    assert_int_equal(itch_tick_message_bytes(b->tick, tick_bytes), 0);
}

static void a_tick_that_no_message_decodes_to_is_not_encoded(void **state)
{
    buffers_t *b = *state;
    static const struct {
        uint8_t type;
        size_t bytes;
    } wrong[] = {
        {'A', 55},
        {'A', 57},
        {'A', 17},
        {'S', 18},
        {'z', 16},
        {'z', 0},
        {'z', TICK_BODY_OFFSET + ITCH_MESSAGE_MAX - TICK_ITCH_HEADER + 1},
        {TICK_RUNT, 16},
        {TICK_RUNT, TICK_BODY_OFFSET + ITCH_MESSAGE_MAX + 1},
        {TICK_END_MARK, 18},
        {TICK_END_MARK, 56},
    };
    memset(b->tick, 0, TICK_LEN_MAX);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        size_t bytes = 12345;
        b->tick->type = wrong[i].type;
        assert_int_equal(itch_encode(b->tick, wrong[i].bytes, b->message, &bytes), -TBUS_EFORMAT);
        assert_int_equal(bytes, 12345);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_vector_decodes_to_its_fields_and_back_to_its_bytes),
        cmocka_unit_test(a_known_type_with_any_other_length_is_refused),
        cmocka_unit_test(a_message_without_bytes_is_a_runt_and_no_end_mark),
        cmocka_unit_test(too_many_bytes_are_refused),
        cmocka_unit_test(unknown_types_of_any_length_are_carried_verbatim),
        cmocka_unit_test(a_message_whose_type_is_one_of_our_marks_is_not_taken_for_the_mark),
        cmocka_unit_test(
            a_mark_of_another_tickbus_is_known_by_its_sign_and_taken_from_a_line_alone),
        cmocka_unit_test(whatever_decode_accepts_comes_back_unchanged),
        cmocka_unit_test(the_end_mark_has_no_message_bytes),
        cmocka_unit_test(a_tick_that_no_message_decodes_to_is_not_encoded),
    };
    return cmocka_run_group_tests_name("itch", tests, make_buffers, free_buffers);
}
