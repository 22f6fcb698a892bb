/* SPDX-License-Identifier: Apache-2.0 */
#include <tickbus/msg/itch_types.h>

#include <stdio.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "ticks are read as little-endian here"
#endif

#define NOTHING(...)

/* Where the fields of each type begin. A type's own enumerators take no place among them: the one
 * that follows it has the value of FIRST again. */
enum {
#define TYPE(type, ...)      FIRST_##type, BEFORE_##type = FIRST_##type - 1,
#define ONE(type, name, ...) INDEX_##type##_##name,
    ITCH_TABLE(TYPE, ONE, ONE) FIELDS_COUNT
#undef TYPE
#undef ONE
};

#define BODY_AT(at) ((at) + TICK_BODY_OFFSET - TICK_ITCH_HEADER)

static const itch_field_t fields[FIELDS_COUNT] = {
#define BODY(type, name, at, bytes, kind)                                                          \
    {#name, ITCH_##type, at, bytes, ITCH_FIELD_##kind, BODY_AT(at), 1, {0}},
#define FIELD(type, name, at, bytes, kind, member)                                                 \
    {#name, ITCH_##type, at, bytes, ITCH_FIELD_##kind, offsetof(tick_t, member), 0, {0}},
    ITCH_TABLE(NOTHING, BODY, FIELD)
#undef BODY
#undef FIELD
};

#define BODY(type, name, at, bytes, kind)                                                          \
    TICK_ASSERT_((at) >= TICK_ITCH_HEADER && BODY_AT(at) + (bytes) <= sizeof(tick_t), #name);
#define FIELD(type, name, at, bytes, kind, member)                                                 \
    TICK_ASSERT_(sizeof(((const tick_t *)0)->member) == (bytes), #name);
ITCH_TABLE(NOTHING, BODY, FIELD)
#undef BODY
#undef FIELD

/* The last entry is no type: it says where the fields of the last type end. */
static const itch_type_t types[] = {
#define X(type, letter, bytes, what, name) {name, letter, bytes, ITCH_WHAT_##what, 0, FIRST_##type},
    ITCH_TYPES(X)
#undef X
        {NULL, 0, 0, 0, 0, FIELDS_COUNT},
};
TICK_ASSERT_(sizeof types / sizeof types[0] == ITCH_TYPES_COUNT + 1,
             "the count goes with the table");

/* By letter: the type's place in `types`, counted from 1; 0: not one of ITCH 5.0. */
enum {
    PLACE_NONE,
#define X(type, letter, bytes, what, name) PLACE_##type,
    ITCH_TYPES(X)
#undef X
};
static const uint8_t places[256] = {
#define X(type, letter, bytes, what, name) [letter] = PLACE_##type,
    ITCH_TYPES(X)
#undef X
};

const itch_type_t *itch_type(uint8_t letter)
{
    return places[letter] == PLACE_NONE ? NULL : &types[places[letter] - 1];
}

uint32_t itch_length(uint8_t letter)
{
    const itch_type_t *type = itch_type(letter);
    return type ? type->bytes : 0;
}

const itch_field_t *itch_fields(uint8_t letter, unsigned *out_count)
{
    const itch_type_t *type = itch_type(letter);
    *out_count = type ? type[1].fields_at - type->fields_at : 0;
    return type ? &fields[type->fields_at] : NULL;
}

const itch_field_t *itch_field_of_kind(uint8_t letter, enum itch_field_kind kind)
{
    unsigned count;
    const itch_field_t *field = itch_fields(letter, &count);
    for (; count; field++, count--)
        if (field->kind == kind)
            return field;
    return NULL;
}

bool itch_field_is_number(const itch_field_t *field)
{
    return field->kind == ITCH_FIELD_NUMBER || field->kind >= ITCH_FIELD_ORDER_REF;
}

uint64_t itch_field_number(const itch_field_t *field, const tick_t *tick)
{
    const char *at = itch_field_chars(field, tick);
    if (field->bytes == 8) {
        uint64_t value;
        memcpy(&value, at, sizeof value);
        return field->verbatim ? __builtin_bswap64(value) : value;
    }
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return field->verbatim ? __builtin_bswap32(value) : value;
}

const char *itch_field_chars(const itch_field_t *field, const tick_t *tick)
{
    return (const char *)tick + field->tick_at;
}

void itch_type_label(uint8_t letter, char out_label[ITCH_LABEL_BYTES])
{
    bool printable = letter > ' ' && letter < 0x7f;
    snprintf(out_label, ITCH_LABEL_BYTES, printable ? "%c" : "0x%02X", letter);
}
