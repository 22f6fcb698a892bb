/* SPDX-License-Identifier: Apache-2.0 */
/* The venue model against what happened to real orders, on every recorded ITCH stream of the data
 * set, at zero latency.
 *
 * Flattery: a twin of ours right behind every 50th displayed order, cancelled with it. None may be
 * filled of which the original was not: nobody came so far. Said for each stream: what was executed
 * of both.
 *
 * Ground truth: an order is taken out of the stream and put back as ours. What was executed of it
 * is executed of the order next behind it; without one that is large enough the case is left out.
 * Its fills, their times, and at each of them what was ahead are what they had been. Left out and
 * counted, because the stream itself did not go by price and time there (size that is not displayed
 * stands before it): an order that is executed while others are displayed ahead of it, or is passed
 * over while it stands.
 *
 * TICKBUS_TRUTHS=N tries N orders in all streams together instead of some: 10,000 take minutes.
 */
#include "tests/unit/risk_market.h"

#include <glob.h>
#include <stdlib.h>

#include "feedsim/itch/binaryfile.h"
#include "feedsim/itch/itch.h"
#include "risk/venue/venue.h"
#include "tests/market_data.h"

#define TWIN_EVERY      50u
#define STREAMS         "/{itch_*/*.itch,lobster_*/*.itch.gz,cme_*/*.itch.gz}"
#define TRUTHS          200u   /* by default, of all streams together */
#define LIFE_LOOKED_AT  2000u  /* messages */
#define TICKS_BRIEF_MAX 20000u /* and of each stream so many messages */

typedef struct stream {
    const char *name;
    tick_t *ticks;
    uint32_t count;
} stream_t;

static unsigned truths_wanted(void)
{
    const char *text = getenv("TICKBUS_TRUTHS");
    return text ? (unsigned)strtoul(text, NULL, 10) : 0;
}

static stream_t stream_read(const char *path)
{
    tbus_error_t err = {0};
    binaryfile_t *file;
    uint32_t room = 1u << 18, max = truths_wanted() ? room : TICKS_BRIEF_MAX;
    stream_t s = {.name = strrchr(path, '/') + 1, .ticks = calloc(room, sizeof(tick_t))};
    const uint8_t *message;
    size_t bytes, tick_bytes;
    assert_non_null(s.ticks);
    if (binaryfile_open(path, BINARYFILE_ITCH, &file, &err) != 0)
        fail_msg("%s: %s", path, err.text);
    while (s.count < max && binaryfile_next(file, &message, &bytes, &err) > 0)
        assert_int_equal(itch_decode(message, bytes, &s.ticks[s.count++], &tick_bytes), 0);
    binaryfile_close(file);
    return s;
}

static void for_each_stream(void (*check)(const stream_t *s, unsigned streams))
{
    char data[MARKET_DATA_PATH_MAX], pattern[MARKET_DATA_PATH_MAX + 80];
    glob_t found;
    if (!market_data_path(".", data))
        skip();
    snprintf(pattern, sizeof pattern, "%s" STREAMS, data);
    assert_int_equal(glob(pattern, GLOB_BRACE, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        stream_t s = stream_read(found.gl_pathv[i]);
        check(&s, (unsigned)found.gl_pathc);
        free(s.ticks);
    }
    globfree(&found);
}

/* ---- a market and a venue, and what it has reported of our orders */

typedef struct own {
    uint64_t ref; /* of the original */
    uint32_t filled;
    uint32_t original_filled;
    uint32_t left; /* of the original */
    bool open;
} own_t;

typedef struct world {
    market_t *market;
    venue_t *venue;
    own_t *owns; /* by count */
    uint64_t count;
    uint32_t filled_now; /* since it was set to 0 */
    uint32_t px_now;
} world_t;

static void on_report(void *context, const report_t *r, uint64_t intended)
{
    world_t *w = context;
    own_t *own = &w->owns[r->order_id & TICK_NS_MASK];
    (void)intended;
    if (r->kind == REPORT_ACCEPTED)
        own->open = true;
    if (r->kind == REPORT_FILLED || r->kind == REPORT_CANCELLED)
        own->open = false;
    if (r->kind != REPORT_FILLED && r->kind != REPORT_PARTIAL)
        return;
    own->filled += r->qty;
    w->filled_now += r->qty;
    w->px_now = r->px_e4;
}

static world_t world_open(uint64_t orders)
{
    world_t w = {.owns = calloc(orders + 2, sizeof(own_t))};
    tbus_error_t err = {0};
    market_limits_t books = {.orders_max = 1u << 16, .levels_max = 1u << 15};
    if (market_create(&books, &w.market, &err) != 0)
        fail_msg("%s", err.text);
    return w;
}

/* The venue reports to the world where it stands. */
static void world_begin(world_t *w)
{
    venue_limits_t limits;
    tbus_params_defaults(&venue_limits_params, &limits);
    limits.breakable_max = 0;
    assert_int_equal(venue_create(&limits, w->market, on_report, w, &w->venue, NULL), 0);
}

static void world_close(world_t *w)
{
    venue_destroy(w->venue);
    market_destroy(w->market);
    free(w->owns);
}

static const market_event_t *world_tick(world_t *w, const tick_t *tick)
{
    const market_event_t *event;
    if (market_apply(w->market, market_seq(w->market) + 1, tick, sizeof *tick, &event) != 0)
        fail_msg("%s", market_limit_text(w->market));
    if (w->venue)
        venue_on_market(w->venue, event, tick);
    return event;
}

/* Ours, beside or instead of a displayed order. */
static void send_like(world_t *w, const tick_t *added)
{
    order_t order = order_new(++w->count, added->side, added->qty, added->px_e4, ORDER_TIF_DAY);
    order.locate = tick_locate(added);
    order.flags = ORDER_POST_ONLY;
    w->owns[w->count] = (own_t){.ref = added->order_ref, .left = added->qty};
    venue_order(w->venue, &order);
}

static void send_cancel(world_t *w, uint64_t count, const tick_t *tick)
{
    order_t cancel = order_cancel(count);
    cancel.locate = tick_locate(tick);
    if (w->owns[count].open)
        venue_order(w->venue, &cancel);
}

static bool is_add(const tick_t *t)
{
    return (t->type == 'A' || t->type == 'F') && t->qty != 0 && (t->side == 'B' || t->side == 'S');
}
static bool is_execution(const tick_t *t)
{
    return t->type == 'E' || t->type == 'C';
}

/* ---- flattery */

typedef struct flattery {
    uint64_t twins, flattered, by_prints;
    uint64_t shares, original_shares;
} flattery_t;

/* The twin of an order that still has one: its count, 0: none. Few are open at a time. */
static uint64_t twin_of(const world_t *w, const uint64_t *open, uint32_t open_count, uint64_t ref,
                        uint32_t *out_at)
{
    for (uint32_t i = 0; i < open_count; i++)
        if (w->owns[open[i]].ref == ref) {
            *out_at = i;
            return open[i];
        }
    return 0;
}

static void follow_original(world_t *w, uint64_t *open, uint32_t *open_count, const tick_t *t)
{
    uint32_t at;
    uint64_t count = twin_of(w, open, *open_count, t->order_ref, &at);
    if (count == 0 || is_add(t))
        return;
    own_t *twin = &w->owns[count];
    uint32_t off = t->type == 'D' || t->type == 'U' || t->qty > twin->left ? twin->left : t->qty;
    if (is_execution(t))
        twin->original_filled += off;
    twin->left -= off;
    if (twin->left != 0)
        return;
    if (!is_execution(t))
        send_cancel(w, count, t); /* else it is the next, and stays */
    open[at] = open[--*open_count];
}

static void check_flattery(const stream_t *s, unsigned streams)
{
    uint64_t adds = 0;
    uint32_t open_count = 0;
    flattery_t sum = {0};
    world_t w = world_open(s->count / TWIN_EVERY);
    uint64_t *open = calloc(s->count / TWIN_EVERY + 1, sizeof *open);
    (void)streams;
    world_begin(&w);
    for (uint32_t i = 0; i < s->count; i++) {
        const tick_t *t = &s->ticks[i];
        world_tick(&w, t);
        if (strchr("ECXDU", t->type))
            follow_original(&w, open, &open_count, t);
        if (is_add(t) && ++adds % TWIN_EVERY == 0) {
            send_like(&w, t);
            if (w.owns[w.count].open)
                open[open_count++] = w.count;
        }
    }
    for (uint64_t i = 1; i <= w.count; i++) {
        const own_t *twin = &w.owns[i];
        sum.twins++;
        sum.shares += twin->filled;
        sum.original_shares += twin->original_filled;
        sum.flattered += twin->filled != 0 && twin->original_filled == 0;
    }
    print_message("%-16s %6llu twins: %8llu shares executed, of the originals %8llu; flattered: "
                  "%llu\n",
                  s->name, (unsigned long long)sum.twins, (unsigned long long)sum.shares,
                  (unsigned long long)sum.original_shares, (unsigned long long)sum.flattered);
    bool recorded = strstr(s->name, "ritch") == NULL; /* its trades are drawn at random */
    if (recorded)
        assert_int_equal(sum.flattered, 0);
    free(open);
    world_close(&w);
}

static void no_twin_is_filled_of_which_the_original_was_not(void **state)
{
    (void)state;
    for_each_stream(check_flattery);
}

/* ---- ground truth */

enum outcome { RIGHT, OUT_OF_TIME_ORDER, NOBODY_BEHIND, NOT_PLACED, OUTCOMES };

typedef struct truth {
    const tick_t *added;
    uint64_t seq;      /* market sequence before it arrived */
    uint32_t left;     /* of the original */
    uint32_t executed; /* of it */
} truth_t;

/* What is displayed at our price and came before us. */
static uint64_t ahead_of(const world_t *w, const truth_t *truth)
{
    uint64_t ahead = 0;
    market_order_t order;
    uint32_t at = market_first_order(w->market, tick_locate(truth->added), truth->added->side,
                                     truth->added->px_e4);
    for (; at != 0; ahead += order.qty) {
        at = market_order_behind(w->market, at, &order);
        if (order.added_seq > truth->seq)
            break;
    }
    return ahead;
}

/* The reference of the first order behind ours that shows `qty` shares. The books do not tell
 * references: `refs` has them by sequence. */
static bool find_behind(const world_t *w, const truth_t *truth, const uint64_t *refs, uint32_t qty,
                        uint64_t *out_ref)
{
    market_order_t order;
    uint32_t at = market_first_order(w->market, tick_locate(truth->added), truth->added->side,
                                     truth->added->px_e4);
    while (at != 0) {
        at = market_order_behind(w->market, at, &order);
        if (order.added_seq <= truth->seq)
            continue;
        *out_ref = refs[order.added_seq];
        return order.qty >= qty;
    }
    return false;
}

/* The original was executed by tick `t`: so must ours be, now. */
static enum outcome execute(world_t *w, truth_t *truth, const uint64_t *refs, const tick_t *t)
{
    tick_t instead = *t;
    uint32_t qty = t->qty < truth->left ? t->qty : truth->left;
    if (ahead_of(w, truth) != 0)
        return OUT_OF_TIME_ORDER;
    uint64_t ref;
    if (!find_behind(w, truth, refs, qty, &ref))
        return NOBODY_BEHIND;
    instead.order_ref = ref;
    instead.qty = qty;
    w->filled_now = 0;
    world_tick(w, &instead);
    truth->left -= qty;
    truth->executed += qty;
    assert_int_equal(w->filled_now, qty);
    assert_int_equal(w->px_now, truth->added->px_e4);
    assert_int_equal(w->owns[w->count].filled, truth->executed);
    assert_int_equal(w->owns[w->count].open, truth->left != 0);
    return RIGHT;
}

/* A part of the original was cancelled: ours is replaced by one that only asks for less. */
static void reduce(world_t *w, truth_t *truth, const tick_t *t)
{
    truth->left -= t->qty < truth->left ? t->qty : truth->left;
    if (truth->left == 0) {
        send_cancel(w, w->count, t);
        return;
    }
    order_t order = order_new(w->count + 1, truth->added->side, truth->left + truth->executed,
                              truth->added->px_e4, ORDER_TIF_DAY);
    order.kind = ORDER_REPLACE;
    order.replaces = 1;
    order.locate = tick_locate(truth->added);
    w->owns[w->count + 1] = w->owns[w->count];
    w->count++;
    venue_order(w->venue, &order);
    assert_true(w->owns[w->count].open);
}

/* From the tick that added it to the one that ended it. */
static enum outcome live(world_t *w, truth_t *truth, uint64_t *refs, const stream_t *s, uint32_t i)
{
    for (; i < s->count && truth->left != 0; i++) {
        const tick_t *t = &s->ticks[i];
        bool ours = strchr("ECXDU", t->type) && t->order_ref == truth->added->order_ref;
        refs[market_seq(w->market) + 1] = t->type == 'U' ? t->new_ref : t->order_ref;
        if (ours && t->type == 'C')
            return OUT_OF_TIME_ORDER; /* at a price of its own */
        if (ours && t->type == 'E') {
            enum outcome outcome = execute(w, truth, refs, t);
            if (outcome != RIGHT)
                return outcome;
        } else if (ours && t->type == 'X') {
            reduce(w, truth, t);
        } else if (ours) {
            send_cancel(w, w->count, t);
            assert_false(w->owns[w->count].open);
            return RIGHT;
        } else {
            w->filled_now = 0;
            world_tick(w, t);
            if (w->filled_now != 0)
                return OUT_OF_TIME_ORDER; /* somebody behind it or worse was executed, it stood */
        }
    }
    return RIGHT;
}

static uint64_t outcomes[OUTCOMES], executed_cases, executed_shares;

static void check_truth(const stream_t *s, uint32_t at, uint64_t *refs)
{
    world_t w = world_open(s->count);
    truth_t truth = {.added = &s->ticks[at], .left = s->ticks[at].qty};
    for (uint32_t i = 0; i < at; i++) {
        const tick_t *t = &s->ticks[i];
        refs[i + 1] = t->type == 'U' ? t->new_ref : t->order_ref;
        world_tick(&w, t);
    }
    world_begin(&w);
    truth.seq = market_seq(w.market);
    send_like(&w, truth.added);
    enum outcome outcome = NOT_PLACED; /* it would have taken: the stream is crossed */
    if (w.owns[1].open)
        outcome = live(&w, &truth, refs, s, at + 1);
    outcomes[outcome]++;
    executed_cases += outcome == RIGHT && truth.executed != 0;
    executed_shares += outcome == RIGHT ? truth.executed : 0;
    world_close(&w);
}

/* Is anything of the order executed that tick `at` adds? */
static bool gets_executed(const stream_t *s, uint32_t at)
{
    for (uint32_t i = at + 1; i < s->count && i - at < LIFE_LOOKED_AT; i++)
        if (strchr("ECDU", s->ticks[i].type) && s->ticks[i].order_ref == s->ticks[at].order_ref)
            return s->ticks[i].type == 'E';
    return false;
}

/* Two halves: any orders, and such as get executed, evenly over the stream. */
static void check_truths(const stream_t *s, unsigned streams)
{
    uint32_t wanted = truths_wanted() ? truths_wanted() : TRUTHS;
    uint32_t adds[2] = {0}, nth[2] = {0}, every[2];
    uint64_t *refs = calloc((size_t)s->count + 2, sizeof *refs);
    assert_non_null(refs);
    for (uint32_t i = 0; i < s->count; i++)
        if (is_add(&s->ticks[i]))
            adds[gets_executed(s, i)]++;
    for (unsigned i = 0; i < 2; i++)
        every[i] = adds[i] / (wanted / streams / 2 + 1) + 1;
    for (uint32_t i = 0; i < s->count; i++) {
        bool is_one = is_add(&s->ticks[i]), executed = is_one && gets_executed(s, i);
        if (is_one && ++nth[executed] % every[executed] == 0)
            check_truth(s, i, refs);
    }
    free(refs);
}

static void real_orders_put_back_as_ours_get_what_they_got(void **state)
{
    (void)state;
    for_each_stream(check_truths);
    print_message(
        "%llu orders as it was (%llu of them executed, %llu shares); left out: %llu out of "
        "price and time, %llu with nobody behind, %llu into a crossed book\n",
        (unsigned long long)outcomes[RIGHT], (unsigned long long)executed_cases,
        (unsigned long long)executed_shares, (unsigned long long)outcomes[OUT_OF_TIME_ORDER],
        (unsigned long long)outcomes[NOBODY_BEHIND], (unsigned long long)outcomes[NOT_PLACED]);
    assert_true(outcomes[RIGHT] > 0 && executed_cases > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_twin_is_filled_of_which_the_original_was_not),
        cmocka_unit_test(real_orders_put_back_as_ours_get_what_they_got),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
