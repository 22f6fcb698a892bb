/* SPDX-License-Identifier: Apache-2.0 */
/* What an address may have of a re-request server: requests, and bytes of answers. */
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

static void begin(moldout_limiter_t *l, moldout_limits_t limits)
{
    assert_int_equal(moldout_limiter_create(&limits, l, NULL), 0);
}

/* How many of `tries` requests of that receiver at that time are let through. */
static unsigned takes_at(moldout_limiter_t *l, uint32_t number, uint16_t port, uint64_t now_ns,
                         unsigned tries)
{
    uint8_t address[16];
    unsigned taken = 0;
    address_of(number, address);
    for (unsigned i = 0; i < tries; i++)
        taken += moldout_limiter_take(l, address, port, now_ns) == MOLDOUT_ALLOWED;
    return taken;
}

/* The same of an address that has more receivers than its limit has requests. */
static unsigned takes(moldout_limiter_t *l, uint32_t number, uint64_t now_ns, unsigned tries)
{
    unsigned taken = 0;
    for (unsigned i = 0; i < tries; i++)
        taken += takes_at(l, number, (uint16_t)(i + 1), now_ns, 1);
    return taken;
}

/* Bytes that come of as many requests as are let through, each answered with 1,400. */
static uint64_t gets(moldout_limiter_t *l, const uint8_t address[16], uint16_t port,
                     uint64_t now_ns)
{
    uint64_t bytes = 0;
    for (unsigned i = 0; i < 100000; i++) {
        if (moldout_limiter_take(l, address, port, now_ns) != MOLDOUT_ALLOWED)
            break;
        moldout_limiter_charge(l, address, port, 1400, now_ns);
        bytes += 1400;
    }
    return bytes;
}

static void an_address_has_its_burst_at_once_and_its_rate_from_then_on(void **state)
{
    (void)state;
    moldout_limiter_t l;
    begin(&l, (moldout_limits_t){.requests_rate = 1000, .requests_burst = 10});
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
    begin(&l, (moldout_limits_t){.requests_rate = 10, .requests_burst = 4});
    for (uint32_t i = 0; i < 100000; i++)
        assert_int_equal(takes(&l, i, 1000 * MS + i, 6), 4);
    moldout_limiter_destroy(&l);
}

static void who_is_furthest_from_full_is_kept_when_places_are_taken(void **state)
{
    (void)state;
    moldout_limiter_t l;
    begin(&l, (moldout_limits_t){.requests_rate = 1, .requests_burst = 100});
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
    uint8_t address[16];
    address_of(1, address);
    begin(&l, (moldout_limits_t){.requests_burst = 1});
    assert_int_equal(takes_at(&l, 1, 1, 1, 100000), 100000);
    assert_int_equal(gets(&l, address, 1, 1), 1400u * 100000);
    moldout_limiter_destroy(&l);
}

static void of_two_receivers_behind_one_address_the_greedy_one_leaves_half(void **state)
{
    (void)state;
    moldout_limiter_t l;
    uint8_t address[16];
    address_of(1, address);
    begin(&l, (moldout_limits_t){.requests_rate = 1000,
                                 .requests_burst = 100,
                                 .bytes_rate = 140000,
                                 .bytes_burst = 140000});
    assert_int_equal(takes_at(&l, 1, 5001, 1000 * MS, 1000), 50);
    assert_int_equal(takes_at(&l, 1, 5002, 1000 * MS, 10), 10);
    uint64_t greedy = 0, modest = 0;
    for (uint64_t ms = 2000; ms < 12000; ms++) {
        greedy += gets(&l, address, 5001, ms * MS);
        if (ms % 25 == 0) /* 40 requests a second, of 50 that there are for it */
            modest += takes_at(&l, 1, 5002, ms * MS, 1);
    }
    assert_int_equal(modest, 400);
    assert_in_range(greedy, 10 * 70000, 10 * 70000 + 70000 + 1400); /* half, and half the burst */
    moldout_limiter_destroy(&l);
}

static void an_address_gets_no_more_bytes_than_its_rate_and_burst_whatever_it_asks(void **state)
{
    (void)state;
    moldout_limiter_t l;
    uint8_t address[16];
    address_of(1, address);
    begin(&l, (moldout_limits_t){.bytes_rate = 1000000, .bytes_burst = 500000});
    uint64_t bytes = 0;
    for (uint64_t ms = 1000; ms < 11000; ms++) /* by a new port each time */
        bytes += gets(&l, address, (uint16_t)ms, ms * MS);
    assert_in_range(bytes, 9990000, 10500000 + 1400);
    /* one large answer is a debt, which is waited for */
    uint64_t later_ns = 60000 * MS;
    assert_int_equal(moldout_limiter_take(&l, address, 1, later_ns), MOLDOUT_ALLOWED);
    for (unsigned i = 0; i < 20; i++) /* twenty that had waited for the past */
        moldout_limiter_charge(&l, address, 1, 50000, later_ns);
    assert_int_equal(moldout_limiter_take(&l, address, 2, later_ns), MOLDOUT_LIMITED);
    assert_int_equal(moldout_limiter_take(&l, address, 2, later_ns + 499 * MS), MOLDOUT_LIMITED);
    assert_int_equal(moldout_limiter_take(&l, address, 2, later_ns + 501 * MS), MOLDOUT_ALLOWED);
    moldout_limiter_destroy(&l);
}

static void all_addresses_together_get_no_more_than_the_total(void **state)
{
    (void)state;
    moldout_limiter_t l;
    uint8_t address[16];
    begin(&l,
          (moldout_limits_t){.bytes_rate = 100000, .bytes_burst = 100000, .total_rate = 1000000});
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < 10000; i++) { /* in five seconds */
        address_of(i, address);
        bytes += gets(&l, address, 1, 1000 * MS + i * MS / 2);
    }
    assert_in_range(bytes, 5000000, 6000000 + 1400);
    address_of(77777, address);
    assert_int_equal(moldout_limiter_take(&l, address, 1, 6000 * MS), MOLDOUT_LIMITED_ALL);
    assert_int_equal(moldout_limiter_take(&l, address, 1, 7000 * MS), MOLDOUT_ALLOWED);
    moldout_limiter_destroy(&l);
}

static void what_comes_from_this_host_itself_has_no_limit_of_bytes(void **state)
{
    (void)state;
    moldout_limiter_t l;
    static const uint8_t addresses[][16] = {{[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1},
                                            {[15] = 1},
                                            {[10] = 0xff, [11] = 0xff, [12] = 126, [15] = 1},
                                            {[15] = 2}};
    begin(&l, (moldout_limits_t){.bytes_rate = 1000, .bytes_burst = 1000, .total_rate = 1000000});
    for (unsigned i = 0; i < 4; i++) {
        uint64_t bytes = gets(&l, addresses[i], 1, 1000 * MS);
        if (i < 2)
            assert_int_equal(bytes, 1400u * 100000);
        else
            assert_int_equal(bytes, 1400);
    }
    moldout_limiter_destroy(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_has_its_burst_at_once_and_its_rate_from_then_on),
        cmocka_unit_test(a_flood_of_addresses_takes_no_request_from_who_comes_new),
        cmocka_unit_test(who_is_furthest_from_full_is_kept_when_places_are_taken),
        cmocka_unit_test(without_a_rate_there_is_no_limit),
        cmocka_unit_test(of_two_receivers_behind_one_address_the_greedy_one_leaves_half),
        cmocka_unit_test(an_address_gets_no_more_bytes_than_its_rate_and_burst_whatever_it_asks),
        cmocka_unit_test(all_addresses_together_get_no_more_than_the_total),
        cmocka_unit_test(what_comes_from_this_host_itself_has_no_limit_of_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
