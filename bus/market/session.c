/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/market/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <tickbus/atomic.h>

#include "bus/market/recorded.h"

#define LATENCY_NS_MAX UINT64_C(60000000000)

const venue_session_t session_host = {.clock = SESSION_CLOCK_HOST,
                                      .entry = {1, 1},
                                      .cancel = {1, 1},
                                      .response = {1, 1},
                                      .seed = 1,
                                      .reports_max = 4096};

/* ---- latencies as text */

/* "50us" at *at, which moves behind it. What is longer than any latency is LATENCY_NS_MAX + 1. */
static bool read_duration(const char **at, uint64_t *out_ns)
{
    static const struct {
        const char *name;
        uint64_t ns;
    } units[] = {{"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}};
    size_t digits = strspn(*at, "0123456789");
    if (digits == 0)
        return false;
    uint64_t number = strtoull(*at, NULL, 10); /* UINT64_MAX: or more */
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        size_t length = strlen(units[i].name);
        const char *end = *at + digits + length;
        if (strncmp(*at + digits, units[i].name, length) == 0 &&
            (*end == 0 || *end == ',' || *end == ')' || *end == ' ')) {
            *at = end;
            bool fits = number <= LATENCY_NS_MAX / units[i].ns;
            *out_ns = fits ? number * units[i].ns : LATENCY_NS_MAX + 1;
            return true;
        }
    }
    return false;
}

int session_latency_parse(const char *text, session_latency_t *out_latency, tbus_error_t *err)
{
    const char *at = text;
    session_latency_t latency = {0};
    bool uniform = strncmp(at, "uniform(", 8) == 0, good;
    if (uniform) {
        at += 8;
        good = read_duration(&at, &latency.least_ns) && *at++ == ',';
        at += good ? strspn(at, " ") : 0;
        good = good && read_duration(&at, &latency.most_ns) && *at++ == ')';
    } else {
        good = read_duration(&at, &latency.least_ns);
        latency.most_ns = latency.least_ns;
    }
    if (!good || *at != 0 || latency.most_ns < latency.least_ns)
        return tbus_fail(err, -TBUS_ECONFIG,
                         "the latency \"%.60s\" is not understood: write 50us, 1500ns, or "
                         "uniform(20us,80us)",
                         text);
    if (latency.least_ns == 0 || latency.most_ns > LATENCY_NS_MAX)
        return tbus_fail(err, -TBUS_ECONFIG,
                         "the latency \"%.60s\" is not from 1ns to 60s; whoever wants none writes "
                         "1ns: with 0 an order would be its own cause",
                         text);
    *out_latency = latency;
    return 0;
}

/* ---- drawing one */

/* The finalizer of splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number
 * generators", 2014): each bit of the result depends on each bit of `x`. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

uint64_t session_draw(const venue_session_t *session, const session_latency_t *latency,
                      uint64_t who, uint64_t which)
{
    uint64_t span = latency->most_ns - latency->least_ns + 1;
    if (span == 1)
        return latency->least_ns;
    uint64_t random = mix(mix(mix(session->seed) + who) + which);
    __extension__ unsigned __int128 scaled = (unsigned __int128)random * span;
    return latency->least_ns + (uint64_t)(scaled >> 64);
}

/* ---- fees */

#define DOLLAR_E4 10000u

/* In 64 bits below a dollar: 1e4 x 2^32 x 1e5 < 2^63. */
_Static_assert(INT64_MAX / DOLLAR_E4 / SESSION_FEE_PPM_MAX > UINT32_MAX,
               "the dearest execution below a dollar");

/* Rounded up, towards plus infinity. */
static int64_t divide_up(int64_t amount, int64_t by)
{
    return amount / by + (amount % by > 0);
}

static int64_t rate_of(uint8_t liquidity, int32_t added, int32_t removed, int32_t cross)
{
    return liquidity == 'A' ? added : liquidity == 'R' ? removed : liquidity == 'C' ? cross : 0;
}

int32_t session_fee_e4(const session_fees_t *fees, uint8_t liquidity, uint32_t qty, uint32_t px_e4)
{
    int64_t fee_e4;
    if (TBUS_LIKELY(px_e4 >= DOLLAR_E4)) {
        int64_t rate_e6 = rate_of(liquidity, fees->added_e6_per_share, fees->removed_e6_per_share,
                                  fees->cross_e6_per_share);
        fee_e4 = divide_up(rate_e6 * qty, 100); /* below 2^63: a rate is at most 2^31 */
    } else {
        int64_t rate_ppm = rate_of(liquidity, fees->added_ppm_below_1, fees->removed_ppm_below_1,
                                   fees->cross_ppm_below_1);
        fee_e4 = divide_up(rate_ppm * ((int64_t)px_e4 * qty), 1000000);
    }
    if (fee_e4 > INT32_MAX)
        return INT32_MAX;
    return fee_e4 < -INT32_MAX ? -INT32_MAX : (int32_t)fee_e4;
}

/* ---- the resource */

static int check_latency(const char *text, tbus_error_t *err)
{
    session_latency_t latency;
    return session_latency_parse(text, &latency, err);
}

static const tbus_param_t table[] = {
    {"clock", TBUS_PARAM_CHOICE, TBUS_PARAM_FIELD(session_values_t, clock),
     .choices = "market|host", .fallback = "market",
     .help = "market: orders take effect in market time, and results depend on data, strategy, "
             "configuration and seed alone; host: at once, for measuring the host"},
    {"latency.entry", TBUS_PARAM_TEXT, TBUS_PARAM_FIELD(session_values_t, entry),
     .check = check_latency, .fallback = "50us",
     .help = "market time that a new order, or a replace, takes to the venue, 1ns to 60s: 50us, or "
             "drawn evenly for each: uniform(20us,80us)"},
    {"latency.cancel", TBUS_PARAM_TEXT, TBUS_PARAM_FIELD(session_values_t, cancel),
     .check = check_latency, .fallback = "50us", .help = "likewise a cancel"},
    {"latency.response", TBUS_PARAM_TEXT, TBUS_PARAM_FIELD(session_values_t, response),
     .check = check_latency, .fallback = "50us",
     .help = "likewise a report, from the venue to its strategy"},
    {"seed", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(session_values_t, seed), .min = 0,
     .max = INT64_MAX, .fallback = "1",
     .help = "what latencies are drawn from; the same seed draws the same"},
    {"reports_max", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(session_values_t, reports_max), .min = 1024,
     .max = 1 << 24, .power_of_two = true, .unit = "reports", .fallback = "65536",
     .help = "reports that are on their way at a time; more end the run with an error"},
    {"self_match", TBUS_PARAM_CHOICE, TBUS_PARAM_FIELD(session_values_t, self_match),
     .choices = "cancel_newest|cancel_oldest|cancel_both", .fallback = "cancel_newest",
     .help = "when an order would meet another of ours, of whatever strategy: risk rejects it; or "
             "the venue cancels those that rest, and it goes on; or cancels those and rejects it. "
             "Strategies in several processes then wait for one another more"},
    {"fees.added_e6_per_share", TBUS_PARAM_NUMBER,
     TBUS_PARAM_FIELD(session_values_t, fees.added_e6_per_share), .min = -1000000, .max = 1000000,
     .unit = "millionths of the currency", .fallback = "0",
     .help = "what a share costs that is executed at 1.0000 or above while it rests; negative: a "
             "rebate (-2000: it brings 0.0020)"},
    {"fees.removed_e6_per_share", TBUS_PARAM_NUMBER,
     TBUS_PARAM_FIELD(session_values_t, fees.removed_e6_per_share), .min = -1000000, .max = 1000000,
     .unit = "millionths of the currency", .fallback = "0",
     .help = "likewise one that takes what is displayed (3000: it costs 0.0030)"},
    {"fees.cross_e6_per_share", TBUS_PARAM_NUMBER,
     TBUS_PARAM_FIELD(session_values_t, fees.cross_e6_per_share), .min = -1000000, .max = 1000000,
     .unit = "millionths of the currency", .fallback = "0", .help = "likewise one in a cross"},
    {"fees.added_ppm_below_1", TBUS_PARAM_NUMBER,
     TBUS_PARAM_FIELD(session_values_t, fees.added_ppm_below_1), .min = -SESSION_FEE_PPM_MAX,
     .max = SESSION_FEE_PPM_MAX, .unit = "millionths of what is traded", .fallback = "0",
     .help = "what an execution below 1.0000 costs instead, by price x shares, of an order that "
             "rests; negative: a rebate"},
    {"fees.removed_ppm_below_1", TBUS_PARAM_NUMBER,
     TBUS_PARAM_FIELD(session_values_t, fees.removed_ppm_below_1), .min = -SESSION_FEE_PPM_MAX,
     .max = SESSION_FEE_PPM_MAX, .unit = "millionths of what is traded", .fallback = "0",
     .help = "likewise of one that takes what is displayed (3000: 0.30 %)"},
    {"fees.cross_ppm_below_1", TBUS_PARAM_NUMBER,
     TBUS_PARAM_FIELD(session_values_t, fees.cross_ppm_below_1), .min = -SESSION_FEE_PPM_MAX,
     .max = SESSION_FEE_PPM_MAX, .unit = "millionths of what is traded", .fallback = "0",
     .help = "likewise in a cross"},
    {"recorded", TBUS_PARAM_TEXT, TBUS_PARAM_FIELD(session_values_t, recorded),
     .may_be_empty = true, .fallback = "",
     .help = "directory of a journal whose market data is fed: halts and changes of limits are "
             "taken where they were taken there (busctl replay --verify), and none from outside"},
};

static int create(const void *params, void **out_resource, tbus_error_t *err)
{
    const session_values_t *values = params;
    venue_session_t session = {.clock = (enum session_clock)values->clock,
                               .seed = values->seed,
                               .reports_max = values->reports_max,
                               .self_match = values->self_match,
                               .fees = values->fees};
    int code = session_latency_parse(values->entry, &session.entry, err);
    if (code == 0)
        code = session_latency_parse(values->cancel, &session.cancel, err);
    if (code == 0)
        code = session_latency_parse(values->response, &session.response, err);
    if (code != 0)
        return code;
    venue_session_t *made = malloc(sizeof *made);
    if (!made)
        return tbus_fail(err, -ENOMEM, "no memory for the session with the venue");
    if (values->recorded[0])
        code = recorded_open(values->recorded, &session.recorded, err);
    if (code != 0) {
        free(made);
        return code;
    }
    *made = session;
    *out_resource = made;
    return 0;
}

/* What a strategy and risk keep of reports until they are due. */
static size_t memory_bytes(const void *params)
{
    return 2 * sizeof(uint64_t) * 8 * (size_t)((const session_values_t *)params)->reports_max;
}

static void destroy(void *resource)
{
    venue_session_t *session = resource;
    recorded_close(session->recorded);
    free(session);
}

const tbus_resource_t session_resource = {
    .name = "venue",
    .help = "The way to the venue model and back: by which clock, and how long it takes.",
    .params = TBUS_PARAMS(session_values_t, table),
    .create = create,
    .destroy = destroy,
    .memory_bytes = memory_bytes,
    .memory_keys = "venue.reports_max",
};
