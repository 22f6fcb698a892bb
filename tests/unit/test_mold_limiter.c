/* SPDX-License-Identifier: Apache-2.0 */
/* How many requests an address may make. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "feedsim/mold/limiter.h"

#define MS UINT64_C(1000000)

static void address_of(uint32_t number, uint8_t out[16])
{
    memset(out, 0, 16);
    memcpy(out + 12, &number, sizeof number);
}

/* How many of `tries` requests at that time are let through. */
static unsigned takes(moldout_limiter_t *l, uint32_t number, uint64_t now_ns, unsigned tries)
{
    uint8_t address[16];
    unsigned taken = 0;
    address_of(number, address);
    for (unsigned i = 0; i < tries; i++)
        taken += moldout_limiter_take(l, address, now_ns);
    return taken;
}

static void an_address_has_its_burst_at_once_and_its_rate_from_then_on(void **state)
{
    (void)state;
    moldout_limiter_t l;
    assert_int_equal(moldout_limiter_create(1000, 10, &l, NULL), 0);
    assert_int_equal(takes(&l, 1, 1000 * MS, 50), 10);
    assert_int_equal(takes(&l, 1, 1000 * MS, 50), 0);
    assert_int_equal(takes(&l, 1, 1001 * MS - 1, 50), 0);
    assert_int_equal(takes(&l, 1, 1001 * MS, 50), 1);
    assert_int_equal(takes(&l, 1, 1005 * MS, 50), 4);
    assert_int_equal(takes(&l, 2, 1005 * MS, 50), 10); /* another is not the first one's business */
    assert_int_equal(takes(&l, 1, 9000 * MS, 50), 10); /* no more than the burst is saved up */
    unsigned taken = 0;
    for (uint64_t ms = 9001; ms < 10001; ms++)
        taken += takes(&l, 1, ms * MS, 3);
    assert_int_equal(taken, 1000);
    moldout_limiter_destroy(&l);
}

static void a_flood_of_addresses_takes_no_request_from_who_comes_new(void **state)
{
    (void)state;
    moldout_limiter_t l;
    assert_int_equal(moldout_limiter_create(10, 4, &l, NULL), 0);
    for (uint32_t i = 0; i < 100000; i++)
        assert_int_equal(takes(&l, i, 1000 * MS + i, 6), 4);
    moldout_limiter_destroy(&l);
}

static void who_is_furthest_from_full_is_kept_when_places_are_taken(void **state)
{
    (void)state;
    moldout_limiter_t l;
    assert_int_equal(moldout_limiter_create(1, 100, &l, NULL), 0);
    assert_int_equal(takes(&l, 7, 1000 * MS, 200), 100);
    for (uint32_t i = 1000; i < 101000; i++)
        assert_int_equal(takes(&l, i, 1000 * MS, 1), 1);
    assert_int_equal(takes(&l, 7, 1000 * MS, 200), 0); /* it did not get a second burst by them */
    moldout_limiter_destroy(&l);
}

static void without_a_rate_there_is_no_limit(void **state)
{
    (void)state;
    moldout_limiter_t l;
    assert_int_equal(moldout_limiter_create(0, 1, &l, NULL), 0);
    assert_int_equal(takes(&l, 1, 1, 100000), 100000);
    moldout_limiter_destroy(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_has_its_burst_at_once_and_its_rate_from_then_on),
        cmocka_unit_test(a_flood_of_addresses_takes_no_request_from_who_comes_new),
        cmocka_unit_test(who_is_furthest_from_full_is_kept_when_places_are_taken),
        cmocka_unit_test(without_a_rate_there_is_no_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
