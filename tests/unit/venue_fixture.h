/* SPDX-License-Identifier: Apache-2.0 */
/* venue_fixture.h - for the tests of the venue model: one over a market that is fed by hand, whose
 * reports are kept and expected one after the other. */
#ifndef TICKBUS_TESTS_VENUE_FIXTURE_H
#define TICKBUS_TESTS_VENUE_FIXTURE_H

#include "tests/unit/risk_market.h"

#include <stdlib.h>

#include "risk/venue/venue.h"

#define REPORTS_MAX 2048u

typedef struct fixture {
    market_t *market;
    venue_t *venue;
    uint32_t count;
    uint32_t checked; /* reports that expect_ has seen */
    report_t reports[REPORTS_MAX];
    uint64_t intended[REPORTS_MAX];
} fixture_t;

static inline void collect(void *context, const report_t *report, uint64_t intended)
{
    fixture_t *f = context;
    assert_true(f->count < REPORTS_MAX);
    f->intended[f->count] = intended;
    f->reports[f->count++] = *report;
}

static inline fixture_t *open_venue_of(venue_limits_t limits)
{
    fixture_t *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->market = risk_market_create();
    tbus_error_t err = {0};
    if (venue_create(&limits, f->market, collect, f, &f->venue, &err) != 0)
        fail_msg("%s", err.text);
    return f;
}

static inline fixture_t *open_venue(void)
{
    venue_limits_t limits;
    tbus_params_defaults(&venue_limits_params, &limits);
    return open_venue_of(limits);
}

static inline void close_venue(fixture_t *f)
{
    if (f->checked != f->count)
        fail_msg("report %u of %u was not expected: %s", f->checked, f->count,
                 report_kind_name(f->reports[f->checked].kind));
    venue_destroy(f->venue);
    market_destroy(f->market);
    free(f);
}

static inline void next(fixture_t *f, tick_t tick)
{
    venue_on_market(f->venue, market_next(f->market, tick), &tick);
}

static inline void send(fixture_t *f, uint64_t count, uint8_t side, uint32_t qty, uint32_t px_e4,
                        uint8_t tif)
{
    order_t order = order_new(count, side, qty, px_e4, tif);
    venue_order(f->venue, &order);
}
static inline void send_day(fixture_t *f, uint64_t count, uint8_t side, uint32_t qty,
                            uint32_t px_e4)
{
    send(f, count, side, qty, px_e4, ORDER_TIF_DAY);
}
static inline void send_cancel(fixture_t *f, uint64_t count)
{
    order_t order = order_cancel(count);
    venue_order(f->venue, &order);
}

static inline const report_t *expect(fixture_t *f, uint8_t kind, uint64_t count, uint32_t qty,
                                     uint32_t leaves)
{
    assert_true(f->checked < f->count);
    const report_t *r = &f->reports[f->checked++];
    if (r->kind != kind)
        fail_msg("got %s (%s), wanted %s", report_kind_name(r->kind), report_reason_name(r->reason),
                 report_kind_name(kind));
    assert_int_equal(r->order_id, ORDER_ID(STRATEGY, count));
    assert_int_equal(r->qty, qty);
    assert_int_equal(r->leaves, leaves);
    assert_int_equal(r->md_seq, market_seq(f->market));
    assert_int_equal(report_strategy(r), STRATEGY);
    return r;
}
static inline void expect_accepted(fixture_t *f, uint64_t count, uint32_t qty)
{
    const report_t *r = expect(f, REPORT_ACCEPTED, count, qty, qty);
    assert_int_equal(r->reason, REASON_NONE);
    assert_int_equal(r->exec_id, 0);
}
static inline void expect_fill(fixture_t *f, uint64_t count, uint32_t qty, uint32_t leaves,
                               uint32_t px_e4, uint8_t liquidity)
{
    const report_t *r = expect(f, leaves ? REPORT_PARTIAL : REPORT_FILLED, count, qty, leaves);
    assert_int_equal(r->px_e4, px_e4);
    assert_int_equal(r->liquidity, liquidity);
    assert_int_equal(r->reason, REASON_NONE);
    assert_int_equal(report_locate(r), LOCATE);
    assert_int_equal(f->intended[f->checked - 1], 1000 + count);
}
static inline void expect_reason(fixture_t *f, uint8_t kind, uint64_t count, uint32_t qty,
                                 uint8_t reason)
{
    const report_t *r = expect(f, kind, count, qty, 0);
    if (r->reason != reason)
        fail_msg("got %s, wanted %s", report_reason_name(r->reason), report_reason_name(reason));
}
static inline void expect_nothing(const fixture_t *f)
{
    assert_int_equal(f->checked, f->count);
}

#endif
