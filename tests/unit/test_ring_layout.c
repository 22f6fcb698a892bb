/* SPDX-License-Identifier: Apache-2.0 */
/* The offsets and sizes of a ring's header and of a subscriber's place a second time, written by
 * hand. Whoever moves a field changes ring.h and this file, and so knows that processes with the
 * old layout cannot share a ring with the new one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <tickbus/ring.h>

#include "tests/support/layout_field.h"

/* Every field at its offset, and together they fill the struct: none is missing here. */
static void check(const layout_field_t *fields, size_t count, size_t bytes)
{
    size_t end = 0;
    for (size_t i = 0; i < count; i++) {
        const layout_field_t *f = &fields[i];
        assert_lies_as_wanted(f);
        if (f->offset != end)
            fail_msg("%s: bytes %zu to %zu are not checked", f->name, end, f->offset);
        end = f->offset + f->bytes;
    }
    assert_int_equal(end, bytes);
}
#define CHECK(fields, type) check(fields, sizeof(fields) / sizeof(*fields), sizeof(type))

static void a_subscribers_place_lies_as_it_always_did(void **state)
{
    (void)state;
    static const layout_field_t fields[] = {
        FIELD(tbus_ring_sub_t, progress, 0, 8),   FIELD(tbus_ring_sub_t, consumed, 8, 8),
        FIELD(tbus_ring_sub_t, tombs, 16, 8),     FIELD(tbus_ring_sub_t, state, 24, 4),
        FIELD(tbus_ring_sub_t, owner, 28, 4),     FIELD(tbus_ring_sub_t, role, 32, 4),
        FIELD(tbus_ring_sub_t, pad0, 36, 4),      FIELD(tbus_ring_sub_t, name, 40, 24),
        FIELD(tbus_ring_sub_t, bell, 64, 4),      FIELD(tbus_ring_sub_t, pad1, 68, 4),
        FIELD(tbus_ring_sub_t, first_seq, 72, 8), FIELD(tbus_ring_sub_t, pad2, 80, 48),
    };
    CHECK(fields, tbus_ring_sub_t);
    assert_int_equal(sizeof(tbus_ring_sub_t), 128);
}

static void a_rings_header_lies_as_it_always_did(void **state)
{
    (void)state;
    static const layout_field_t fields[] = {
        FIELD(tbus_ring_shared_t, magic, 0, 8),
        FIELD(tbus_ring_shared_t, abi, 8, 4),
        FIELD(tbus_ring_shared_t, kind, 12, 4),
        FIELD(tbus_ring_shared_t, slot_bytes, 16, 4),
        FIELD(tbus_ring_shared_t, slot_count, 20, 4),
        FIELD(tbus_ring_shared_t, msg_bytes_max, 24, 4),
        FIELD(tbus_ring_shared_t, subs_max, 28, 4),
        FIELD(tbus_ring_shared_t, slots_at, 32, 8),
        FIELD(tbus_ring_shared_t, total_bytes, 40, 8),
        FIELD(tbus_ring_shared_t, first_seq, 48, 8),
        FIELD(tbus_ring_shared_t, name, 56, 24),
        FIELD(tbus_ring_shared_t, policy, 80, 4),
        FIELD(tbus_ring_shared_t, promise, 84, 4),
        FIELD(tbus_ring_shared_t, area_at, 88, 8),
        FIELD(tbus_ring_shared_t, area_bytes, 96, 8),
        FIELD(tbus_ring_shared_t, pad0, 104, 24),
        FIELD(tbus_ring_shared_t, tail, 128, 8),
        FIELD(tbus_ring_shared_t, tail_seq, 136, 8),
        FIELD(tbus_ring_shared_t, tail_version, 144, 8),
        FIELD(tbus_ring_shared_t, announce, 152, 8),
        FIELD(tbus_ring_shared_t, claims, 160, 8),
        FIELD(tbus_ring_shared_t, area_announce, 168, 8),
        FIELD(tbus_ring_shared_t, pad1, 176, 80),
        FIELD(tbus_ring_shared_t, head, 256, 8),
        FIELD(tbus_ring_shared_t, takes, 264, 8),
        FIELD(tbus_ring_shared_t, again, 272, 8),
        FIELD(tbus_ring_shared_t, pad2, 280, 104),
        FIELD(tbus_ring_shared_t, sleepers, 384, 4),
        FIELD(tbus_ring_shared_t, pubs_waiting, 388, 4),
        FIELD(tbus_ring_shared_t, room_bell, 392, 4),
        FIELD(tbus_ring_shared_t, fences_wanted, 396, 4),
        FIELD(tbus_ring_shared_t, pad3, 400, 112),
        FIELD(tbus_ring_shared_t, tombs, 512, 8),
        FIELD(tbus_ring_shared_t, in_doubt, 520, 8),
        FIELD(tbus_ring_shared_t, dropped, 528, 8),
        FIELD(tbus_ring_shared_t, evicted, 536, 8),
        FIELD(tbus_ring_shared_t, redelivered, 544, 8),
        FIELD(tbus_ring_shared_t, pad4, 552, 3544),
        FIELD(tbus_ring_shared_t, subs, 4096, 32 * 128),
    };
    CHECK(fields, tbus_ring_shared_t);
    assert_int_equal(sizeof(tbus_ring_shared_t), 8192);
    assert_int_equal(TBUS_RING_SLOTS_AT, 8192);
}

static void a_slot_word_has_its_fields_where_it_always_did(void **state)
{
    (void)state;
    assert_int_equal(tbus_slot_word(1, 0, 0, (enum tbus_slot_state)0), UINT64_C(1) << 19);
    assert_int_equal(tbus_slot_word(0, 1, 0, (enum tbus_slot_state)0), UINT64_C(1) << 11);
    assert_int_equal(tbus_slot_word(0, 0, 1, (enum tbus_slot_state)0), UINT64_C(1) << 3);
    static const struct {
        enum tbus_slot_state state;
        unsigned value;
    } states[] = {
        {TBUS_SLOT_FREE, 0},  {TBUS_SLOT_CLAIMED, 1}, {TBUS_SLOT_READY, 2},
        {TBUS_SLOT_TAKEN, 3}, {TBUS_SLOT_TOMB, 4},    {TBUS_SLOT_AGAIN, 7},
    };
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        assert_int_equal(tbus_slot_word(0, 0, 0, states[i].state), states[i].value);
    assert_int_equal(TBUS_LENGTH_TOMB, 255);
    assert_int_equal(TBUS_LENGTH_LONG, 254);
    assert_int_equal(TBUS_SLOT_LENGTH_MAX, 253);
    assert_int_equal(TBUS_IN_AREA, UINT64_C(1) << 63);
    assert_int_equal(tbus_ticket(3, 2, 1), (UINT64_C(3) << 19) + (2 << 11) + (1 << 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_subscribers_place_lies_as_it_always_did),
        cmocka_unit_test(a_rings_header_lies_as_it_always_did),
        cmocka_unit_test(a_slot_word_has_its_fields_where_it_always_did),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
