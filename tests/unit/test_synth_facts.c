/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of real markets, measured alike in the synthetic one and in recorded days, and the
 * bands around the recorded ones in which the synthetic one must lie. It prints the table of
 * feedsim/README.md.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tickbus/market/market.h>
#include "feedsim/source/source.h"
#include "tests/market_data.h"

#define SECOND_NS UINT64_C(1000000000)
#define OPEN_NS   (34200 * SECOND_NS)
#define SECONDS   23400u /* 09:30 to 16:00 */
#define TENTHS    (SECONDS * 10)
#define ORDERS    (1u << 20) /* places of a hash table */
#define SAMPLES   (1u << 20)

enum fact {
    SHARE_ADDS,
    SHARE_CHANGES,
    SHARE_EXECUTIONS,
    GAP_P50_US,
    GAP_P99_TO_P50,
    LIFE_P50_MS,
    LIFE_P90_TO_P50,
    SPREAD_P50_BPS,
    KURTOSIS_1S,
    KURTOSIS_10S,
    ABSOLUTE_1S_LAG_1,
    ABSOLUTE_1S_LAG_5,
    RETURNS_10S_LAG_1,
    FANO_1S,
    COUNTS_1S_LAG_1,
    COUNTS_1S_LAG_5,
    IDLE_TENTHS,
    FACTS
};

/* The band: what was recorded, from the smallest divided by `times` to the largest times it, or if
 * that is 0 as far beyond as `beyond`. */
static const struct {
    const char *name;
    double times, beyond;
} facts[FACTS] = {
    [SHARE_ADDS] = {"adds (A F), share of all order messages and P", 0, 0.10},
    [SHARE_CHANGES] = {"deletes, cuts, replaces (D X U)", 0, 0.15},
    [SHARE_EXECUTIONS] = {"executions (E C P)", 0, 0.05},
    [GAP_P50_US] = {"gap between messages, p50, us", 5, 0},
    [GAP_P99_TO_P50] = {"the same, p99 / p50", 4, 0},
    [LIFE_P50_MS] = {"life of an order, p50, ms", 4, 0},
    [LIFE_P90_TO_P50] = {"the same, p90 / p50", 3, 0},
    [SPREAD_P50_BPS] = {"spread, p50, bps", 2, 0},
    [KURTOSIS_1S] = {"kurtosis of returns over 1 s (normal: 3)", 3, 0},
    [KURTOSIS_10S] = {"kurtosis of returns over 10 s", 2, 0},
    [ABSOLUTE_1S_LAG_1] = {"autocorrelation of absolute returns over 1 s, lag 1", 0, 0.10},
    [ABSOLUTE_1S_LAG_5] = {"the same, lag 5", 0, 0.05},
    [RETURNS_10S_LAG_1] = {"autocorrelation of returns over 10 s, lag 1", 0, 0.15},
    [FANO_1S] = {"messages in 1 s, variance / mean (Poisson: 1)", 3, 0},
    [COUNTS_1S_LAG_1] = {"autocorrelation of messages in 1 s, lag 1", 0, 0.15},
    [COUNTS_1S_LAG_5] = {"the same, lag 5", 0, 0.10},
    [IDLE_TENTHS] = {"tenths of a second without a message", 0, 0.10},
};

typedef struct born {
    uint64_t ref; /* 0: free */
    uint64_t time_ns;
    uint32_t qty;
} born_t;

typedef struct samples {
    uint64_t *values;
    uint32_t count;
} samples_t;

typedef struct gauge {
    market_t *market;
    uint16_t locate;
    bool recorded; /* what has a tracking number was put in to make books right */
    born_t *born;
    samples_t gaps, lives, spreads; /* ns, ns, 1/1000 bps */
    uint64_t last_ns;
    uint64_t by_type[256];
    double *mids;     /* by second; 0: none */
    uint32_t *counts; /* by tenth */
} gauge_t;

static samples_t make_samples(void)
{
    return (samples_t){malloc(SAMPLES * sizeof(uint64_t)), 0};
}

static void put(samples_t *s, uint64_t value)
{
    assert_true(s->count < SAMPLES);
    s->values[s->count++] = value;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static double percentile(samples_t *s, double share)
{
    assert_true(s->count > 100);
    qsort(s->values, s->count, sizeof *s->values, by_value);
    return (double)s->values[(uint32_t)(share * s->count)];
}

/* --- one stock of a feed --- */

static born_t *find(gauge_t *g, uint64_t ref)
{
    uint64_t at = ref * UINT64_C(0x9e3779b97f4a7c15) >> 44;
    while (g->born[at].ref != 0 && g->born[at].ref != ref)
        at = (at + 1) % ORDERS;
    return &g->born[at];
}

/* Places of the dead stay taken: references are not used again. */
static void give_birth(gauge_t *g, uint64_t ref, uint32_t qty, uint64_t time_ns)
{
    *find(g, ref) = (born_t){ref, time_ns, qty};
}

/* `now_ns` 0: not as it was recorded. */
static void take_off(gauge_t *g, uint64_t ref, uint32_t qty, uint64_t now_ns)
{
    born_t *b = find(g, ref);
    if (b->ref == 0 || b->qty == 0)
        return;
    b->qty -= qty < b->qty ? qty : b->qty;
    if (b->qty == 0 && b->time_ns != 0 && now_ns != 0)
        put(&g->lives, now_ns - b->time_ns);
}

static void follow_order(gauge_t *g, const tick_t *t, uint64_t time_ns)
{
    switch (t->type) {
    case 'A':
    case 'F':
        give_birth(g, t->order_ref, t->qty, time_ns);
        break;
    case 'E':
    case 'C':
    case 'X':
        take_off(g, t->order_ref, t->qty, time_ns);
        break;
    case 'D':
        take_off(g, t->order_ref, UINT32_MAX, time_ns);
        break;
    case 'U':
        take_off(g, t->order_ref, UINT32_MAX, time_ns);
        give_birth(g, t->new_ref, t->qty, time_ns);
        break;
    default:
        break;
    }
}

static void see_touch(gauge_t *g, uint32_t second)
{
    market_touch_t touch = market_touch(g->market, market_number(g->market, g->locate));
    if (touch.bid_px_e4 == 0 || touch.ask_px_e4 <= touch.bid_px_e4)
        return;
    double mid = (touch.bid_px_e4 + (double)touch.ask_px_e4) / 2;
    g->mids[second] = mid;
    put(&g->spreads, (uint64_t)((touch.ask_px_e4 - touch.bid_px_e4) / mid * 1e7));
}

static void see(gauge_t *g, uint64_t seq, const tick_t *t, size_t bytes)
{
    const market_event_t *event;
    assert_int_equal(market_apply(g->market, seq, t, bytes, &event), 0);
    if (tick_locate(t) != g->locate || !strchr("AFECXDUP", t->type))
        return;
    uint64_t now_ns = tick_event_ns(t);
    bool trading = now_ns >= OPEN_NS && now_ns < OPEN_NS + SECONDS * SECOND_NS;
    bool counts = trading && !(g->recorded && tick_tracking(t) != 0);
    follow_order(g, t, counts ? now_ns : 0);
    if (!counts)
        return;
    g->by_type[t->type]++;
    if (g->last_ns != 0)
        put(&g->gaps, now_ns - g->last_ns);
    g->last_ns = now_ns;
    g->counts[(now_ns - OPEN_NS) / (SECOND_NS / 10)]++;
    see_touch(g, (uint32_t)((now_ns - OPEN_NS) / SECOND_NS));
}

/* --- series --- */

/* sum((x[i] - mean) * (x[i + lag] - mean)) / sum((x[i] - mean)^2) */
static double autocorrelation(const double *x, uint32_t count, uint32_t lag)
{
    double mean = 0, own = 0, with = 0;
    for (uint32_t i = 0; i < count; i++)
        mean += x[i] / count;
    for (uint32_t i = 0; i < count; i++)
        own += (x[i] - mean) * (x[i] - mean);
    for (uint32_t i = 0; i + lag < count; i++)
        with += (x[i] - mean) * (x[i + lag] - mean);
    return with / own;
}

static double kurtosis(const double *x, uint32_t count)
{
    double second = 0, fourth = 0;
    for (uint32_t i = 0; i < count; i++) {
        second += x[i] * x[i] / count;
        fourth += x[i] * x[i] * x[i] * x[i] / count;
    }
    return fourth / (second * second);
}

/* Relative changes of the mid over so many seconds; their number. */
static uint32_t returns_over(const gauge_t *g, uint32_t seconds, double *out)
{
    uint32_t count = 0, first = 0;
    while (g->mids[first] == 0)
        first++;
    double before = g->mids[first];
    for (uint32_t i = first + seconds; i < SECONDS; i += seconds) {
        out[count++] = g->mids[i] / before - 1;
        before = g->mids[i];
    }
    return count;
}

static void measure_returns(const gauge_t *g, double values[FACTS])
{
    double *x = malloc(SECONDS * sizeof *x);
    uint32_t count = returns_over(g, 10, x);
    values[KURTOSIS_10S] = kurtosis(x, count);
    values[RETURNS_10S_LAG_1] = autocorrelation(x, count, 1);
    count = returns_over(g, 1, x);
    values[KURTOSIS_1S] = kurtosis(x, count);
    for (uint32_t i = 0; i < count; i++)
        x[i] = x[i] < 0 ? -x[i] : x[i];
    values[ABSOLUTE_1S_LAG_1] = autocorrelation(x, count, 1);
    values[ABSOLUTE_1S_LAG_5] = autocorrelation(x, count, 5);
    free(x);
}

static void measure_counts(const gauge_t *g, double values[FACTS])
{
    double *x = calloc(SECONDS, sizeof *x);
    double mean = 0, variance = 0;
    uint32_t idle = 0;
    for (uint32_t i = 0; i < TENTHS; i++) {
        x[i / 10] += g->counts[i];
        idle += g->counts[i] == 0;
    }
    for (uint32_t i = 0; i < SECONDS; i++)
        mean += x[i] / SECONDS;
    for (uint32_t i = 0; i < SECONDS; i++)
        variance += (x[i] - mean) * (x[i] - mean) / SECONDS;
    values[FANO_1S] = variance / mean;
    values[COUNTS_1S_LAG_1] = autocorrelation(x, SECONDS, 1);
    values[COUNTS_1S_LAG_5] = autocorrelation(x, SECONDS, 5);
    values[IDLE_TENTHS] = (double)idle / TENTHS;
    free(x);
}

static void measure_all(gauge_t *g, double values[FACTS])
{
    double all = 0, shares[3] = {0};
    static const char *const groups[3] = {"AF", "DXU", "ECP"};
    for (unsigned i = 0; i < 3; i++)
        for (const char *type = groups[i]; *type; type++)
            shares[i] += (double)g->by_type[(uint8_t)*type];
    all = shares[0] + shares[1] + shares[2];
    for (unsigned i = 0; i < 3; i++)
        values[SHARE_ADDS + i] = shares[i] / all;
    values[GAP_P50_US] = percentile(&g->gaps, 0.5) / 1e3;
    values[GAP_P99_TO_P50] = percentile(&g->gaps, 0.99) / percentile(&g->gaps, 0.5);
    values[LIFE_P50_MS] = percentile(&g->lives, 0.5) / 1e6;
    values[LIFE_P90_TO_P50] = percentile(&g->lives, 0.9) / percentile(&g->lives, 0.5);
    values[SPREAD_P50_BPS] = percentile(&g->spreads, 0.5) / 1e3;
    /* a second without a message keeps the mid of the one before */
    for (uint32_t i = 1; i < SECONDS; i++)
        if (g->mids[i] == 0)
            g->mids[i] = g->mids[i - 1];
    measure_returns(g, values);
    measure_counts(g, values);
}

static void measure(const char *feed, uint16_t locate, bool recorded, double values[FACTS])
{
    tbus_error_t err = {0};
    feed_source_t *source;
    market_limits_t limits = {.orders_max = 1u << 16, .levels_max = 1u << 15};
    gauge_t g = {.locate = locate,
                 .recorded = recorded,
                 .born = calloc(ORDERS, sizeof(born_t)),
                 .gaps = make_samples(),
                 .lives = make_samples(),
                 .spreads = make_samples(),
                 .mids = calloc(SECONDS, sizeof(double)),
                 .counts = calloc(TENTHS, sizeof(uint32_t))};
    assert_int_equal(market_create(&limits, &g.market, &err), 0);
    if (feed_source_open(feed, FEED_CLOCK_MARKET, &source, &err) != 0)
        fail_msg("%s", err.text);
    _Alignas(tick_t) uint8_t buffer[TICK_LEN_MAX];
    const tick_t *tick = (const tick_t *)buffer;
    size_t bytes;
    for (uint64_t seq = 1; feed_source_next(source, (tick_t *)buffer, &bytes) == FEED_SOURCE_TICK;
         seq++)
        see(&g, seq, tick, bytes);
    measure_all(&g, values);
    feed_source_close(source);
    market_destroy(g.market);
    free(g.born);
    free(g.gaps.values);
    free(g.lives.values);
    free(g.spreads.values);
    free(g.mids);
    free(g.counts);
}

/* --- the comparison --- */

enum { RECORDED = 2, SYNTHETIC = 4 };

static void band_of(unsigned fact, double recorded[RECORDED][FACTS], double *out_low,
                    double *out_high)
{
    double a = recorded[0][fact], b = recorded[1][fact];
    double low = a < b ? a : b, high = a < b ? b : a;
    *out_low = facts[fact].times > 0 ? low / facts[fact].times : low - facts[fact].beyond;
    *out_high = facts[fact].times > 0 ? high * facts[fact].times : high + facts[fact].beyond;
}

static void print_value(double value)
{
    const char *format = value >= 100 || value <= -100 ? " %.0f |"
                         : value >= 10                 ? " %.1f |"
                                                       : " %.3f |";
    printf(format, value);
}

static void the_synthetic_market_has_what_is_known_of_recorded_ones(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        uint16_t locate;
    } days[RECORDED] = {{"lobster_aapl_20120621_l1/aapl_l1.itch.gz", 1},
                        {"lobster_amzn_20120621_l5/amzn_l5.itch.gz", 2}};
    static const struct {
        const char *feed;
        uint16_t locate;
    } markets[SYNTHETIC] = {{"synth:seed=1,symbols=1,messages=150000,speed=1", 1},
                            {"synth:seed=2,symbols=1,messages=150000,speed=1", 1},
                            {"synth:seed=3,symbols=1,messages=150000,speed=1", 1},
                            {"synth:seed=1,symbols=8,messages=600000,speed=1", 2}};
    double recorded[RECORDED][FACTS], synthetic[SYNTHETIC][FACTS];
    for (unsigned i = 0; i < RECORDED; i++) {
        char path[MARKET_DATA_PATH_MAX], feed[MARKET_DATA_PATH_MAX + 8];
        if (!market_data_path(days[i].file, path))
            skip();
        snprintf(feed, sizeof feed, "itch:%s", path);
        measure(feed, days[i].locate, true, recorded[i]);
    }
    for (unsigned i = 0; i < SYNTHETIC; i++)
        measure(markets[i].feed, markets[i].locate, false, synthetic[i]);
    printf("| | AAPL | AMZN | seed 1 | seed 2 | seed 3 | one of eight | from | to |\n"
           "|---|---|---|---|---|---|---|---|---|\n");
    unsigned outside = 0;
    for (unsigned fact = 0; fact < FACTS; fact++) {
        double low, high;
        band_of(fact, recorded, &low, &high);
        printf("| %s |", facts[fact].name);
        for (unsigned i = 0; i < RECORDED; i++)
            print_value(recorded[i][fact]);
        for (unsigned i = 0; i < SYNTHETIC; i++) {
            print_value(synthetic[i][fact]);
            outside += synthetic[i][fact] < low || synthetic[i][fact] > high;
        }
        print_value(low);
        print_value(high);
        printf("\n");
    }
    assert_int_equal(outside, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_synthetic_market_has_what_is_known_of_recorded_ones),
    };
    return cmocka_run_group_tests_name("synth_facts", tests, NULL, NULL);
}
