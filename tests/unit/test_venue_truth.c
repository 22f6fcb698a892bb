/* SPDX-License-Identifier: Apache-2.0 */
/* The venue model against what happened to real orders, at zero latency: an order is taken out of
 * its stream and put back as ours. What was executed of it is executed of the order next behind it
 * instead; without one that is large enough the case is left out. After every message its fills,
 * their price, what is left of it and what is ahead of it must be what they had been.
 *
 * What had been is known from the stream alone (lives.h), and so is why a case is left out: the
 * model under test has no say in that, and up to the message that does it everything has to be
 * right, too. A case is left out from where the stream shows that it was not all price and time
 * there, so that size that is not displayed, or another rule, had a part in what happened:
 *
 *    crossed, halted   it arrives at a price that the other side displays, or in a halt
 *    not its turn      it is executed while others stand ahead of it
 *    passed over       one behind it, or at a worse price, is executed while it stands
 *    printed through   a trade is printed at a worse price than its own while it stands
 *    reached           the other side displays its price while it stands
 *    other price       it is executed at a price that is not its own
 *    cross             its stock is halted, or a cross takes place in it
 *    nobody behind     what was executed of it cannot be executed of another
 *
 * TICKBUS_TRUTHS=N tries about N orders of all messages of the recorded streams instead of 1,500 of
 * the first 20,000 of each, and as many of more synthetic days. Of 20,000 some 11,000 are real ones
 * that are not left out; they take ten seconds.
 */
#include "tests/unit/lives.h"
#include "tests/unit/venue_world.h"

#include "risk/venue/venue_parts.h"

#define TRUTHS_BRIEF 1500u
#define TICKS_BRIEF  20000u
#define TICKS_MAX    (1u << 18)
#define BEHIND_MAX   4096u

enum outcome {
    RIGHT,
    CROSSED,
    NOT_ITS_TURN,
    PASSED_OVER,
    PRINTED_THROUGH,
    REACHED,
    OTHER_PRICE,
    IN_CROSS,
    NOBODY_BEHIND,
    OUTCOMES
};

typedef struct counts {
    uint64_t orders; /* that the streams display */
    uint64_t of[OUTCOMES];
    uint64_t executed; /* of those that are right: with executions */
    uint64_t fills, shares;
    uint64_t checks; /* messages after which everything was compared */
} counts_t;

static counts_t recorded, artificial, synthetic;
static double share_wanted[2]; /* of all orders: of those not executed, and of those executed */

/* An order behind ours at its price: those that came later. */
typedef struct behind {
    uint32_t order;
    uint32_t left; /* less what was executed of it instead of ours */
} behind_t;

typedef struct truth {
    world_t *world;
    const lives_t *lives;
    counts_t *counts;
    uint32_t order; /* the message that displayed the original */
    uint16_t locate;
    uint8_t side;
    uint32_t px_e4;
    uint32_t left; /* of the original */
    uint32_t executed;
    uint64_t ahead; /* displayed at its price and earlier */
    behind_t behind[BEHIND_MAX];
    uint32_t behind_count;
} truth_t;

static bool better(uint8_t side, uint32_t px_e4, uint32_t than_px_e4)
{
    return side == 'B' ? px_e4 > than_px_e4 : px_e4 < than_px_e4;
}

static bool at_our_level(const truth_t *truth, const life_t *order)
{
    return order->locate == truth->locate && order->side == truth->side &&
           order->px_e4 == truth->px_e4;
}

/* ---- from the stream alone */

/* Does message `i`, that is not about our order, show that price and time did not rule? */
static enum outcome judge_trade(const truth_t *truth, uint32_t i)
{
    const tick_t *t = &truth->lives->stream->ticks[i];
    const life_t *life = &truth->lives->at[i];
    if (t->type == 'P')
        return better(truth->side, truth->px_e4, t->px_e4) ? PRINTED_THROUGH : RIGHT;
    if (t->type == 'Q')
        return t->qty64 != 0 ? IN_CROSS : RIGHT;
    if (t->type == 'C' && t->printable == 'N')
        return IN_CROSS;
    if (life->of == LIVES_NONE || (t->type != 'E' && t->type != 'C'))
        return RIGHT;
    const life_t *order = &truth->lives->at[life->of];
    if (order->side != truth->side)
        return RIGHT;
    if (t->type == 'C' && t->px_e4 != order->px_e4)
        return better(truth->side, truth->px_e4, t->px_e4) ? PRINTED_THROUGH : RIGHT;
    bool stood_before = better(truth->side, order->px_e4, truth->px_e4) ||
                        (order->px_e4 == truth->px_e4 && life->of < truth->order);
    return stood_before ? RIGHT : PASSED_OVER;
}

static enum outcome judge_others(const truth_t *truth, uint32_t i)
{
    const life_t *life = &truth->lives->at[i];
    if (tick_locate(&truth->lives->stream->ticks[i]) != truth->locate)
        return RIGHT;
    if (life->halted)
        return IN_CROSS;
    if (life->qty != 0 && life->side != truth->side &&
        !better(truth->side, life->px_e4, truth->px_e4))
        return REACHED;
    return judge_trade(truth, i);
}

/* The first order behind ours that displays something. */
static behind_t *first_behind(truth_t *truth)
{
    for (uint32_t k = 0; k < truth->behind_count; k++)
        if (truth->behind[k].left != 0)
            return &truth->behind[k];
    return NULL;
}

/* Likewise message `i`, that is about our order. */
static enum outcome judge_own(truth_t *truth, uint32_t i)
{
    const tick_t *t = &truth->lives->stream->ticks[i];
    if (truth->lives->at[i].halted || (t->type == 'C' && t->printable == 'N'))
        return IN_CROSS;
    if (t->type == 'C' && t->px_e4 != truth->px_e4)
        return OTHER_PRICE;
    if (t->type != 'E' && t->type != 'C')
        return RIGHT;
    if (truth->ahead != 0)
        return NOT_ITS_TURN;
    const behind_t *next = first_behind(truth);
    return next && next->left >= truth->lives->at[i].off ? RIGHT : NOBODY_BEHIND;
}

/* What message `i`, not about our order, changes at its level. */
static void follow_others(truth_t *truth, uint32_t i)
{
    const life_t *life = &truth->lives->at[i];
    if (life->of != LIVES_NONE && at_our_level(truth, &truth->lives->at[life->of])) {
        if (life->of < truth->order)
            truth->ahead -= life->off;
        bool gone = life->off == life->left;
        for (behind_t *b = truth->behind; b < truth->behind + truth->behind_count; b++)
            if (b->order == life->of)
                b->left = gone || life->off >= b->left ? 0 : b->left - life->off;
    }
    if (life->qty != 0 && at_our_level(truth, life)) {
        assert_true(truth->behind_count < BEHIND_MAX);
        truth->behind[truth->behind_count++] = (behind_t){i, life->qty};
    }
}

/* ---- the venue model beside it */

static void check(truth_t *truth, uint32_t i, uint32_t filled)
{
    world_t *w = truth->world;
    uint32_t place = resting_find(&w->venue->resting, ORDER_ID(STRATEGY, w->count));
    const resting_order_t *ours = &w->venue->resting.orders[place];
    truth->counts->checks++;
    if (w->filled_now != filled || (filled != 0 && w->px_now != truth->px_e4) ||
        w->owns[w->count].filled != truth->executed || ours->leaves != truth->left ||
        ours->ahead != (truth->left != 0 ? truth->ahead : 0) ||
        w->owns[w->count].open != (truth->left != 0))
        fail_msg("%s, the order of message %u, after message %u: filled %u of %u, %u in all of %u; "
                 "left %u of %u; ahead %llu of %llu",
                 truth->lives->stream->name, truth->order + 1, i + 1, w->filled_now, filled,
                 w->owns[w->count].filled, truth->executed, ours->leaves, truth->left,
                 (unsigned long long)ours->ahead, (unsigned long long)truth->ahead);
}

/* Books as they were before the order came, without the rest of the market. */
static void set_up(truth_t *truth)
{
    const lives_t *l = truth->lives;
    uint32_t first = LIVES_NONE;
    for (uint32_t k = l->last[truth->locate]; k != LIVES_NONE; k = l->at[k].before)
        first = k;
    for (uint32_t k = first; k != LIVES_NONE; k = l->at[k].after) {
        tick_t add =
            tick_add(truth->locate, lives_ref(l, k), l->at[k].side, l->at[k].now, l->at[k].px_e4);
        if (k == truth->order)
            continue;
        world_tick(truth->world, &add);
        if (at_our_level(truth, &l->at[k]))
            truth->ahead += l->at[k].now;
    }
}

static void clear_order(truth_t *truth, uint32_t order)
{
    tick_t t = tick_delete(truth->locate, lives_ref(truth->lives, order));
    world_tick(truth->world, &t);
}

/* Nothing is left of the case, that ended before message `end`. */
static void clear_up(truth_t *truth, uint32_t end)
{
    const lives_t *l = truth->lives;
    world_cancel(truth->world, truth->world->count, truth->locate);
    for (uint32_t k = l->last[truth->locate]; k != LIVES_NONE; k = l->at[k].before)
        clear_order(truth, k);
    for (uint32_t k = truth->order; k < end; k++)
        if (l->at[k].qty != 0 && l->at[k].locate == truth->locate)
            clear_order(truth, k);
    assert_int_equal(market_stats(truth->world->market)->live_orders, 0);
    assert_int_equal(venue_stats(truth->world->venue).open_orders, 0);
}

/* The original was executed: so must ours be, by an execution of the next behind it. */
static uint32_t execute(truth_t *truth, uint32_t i)
{
    tick_t instead = truth->lives->stream->ticks[i];
    behind_t *next = first_behind(truth);
    uint32_t qty = truth->lives->at[i].off;
    instead.order_ref = lives_ref(truth->lives, next->order);
    instead.qty = qty;
    next->left -= qty;
    truth->left -= qty;
    truth->executed += qty;
    truth->counts->fills++;
    world_tick(truth->world, &instead);
    return qty;
}

static void reduce(truth_t *truth, uint32_t i)
{
    truth->left -= truth->lives->at[i].off;
    if (truth->left == 0)
        world_cancel(truth->world, truth->world->count, truth->locate);
    else
        world_reduce(truth->world, truth->locate, truth->side, truth->left + truth->executed,
                     truth->px_e4);
}

/* A message of the stream, with the stock's name as set_up has it. */
static void feed(truth_t *truth, uint32_t i)
{
    tick_t t = truth->lives->stream->ticks[i];
    if (strchr("AFPQ", t.type))
        tick_name(truth->locate, t.symbol);
    world_tick(truth->world, &t);
}

/* From the message that displayed the original to the one that ended it. */
static enum outcome live(truth_t *truth, uint32_t *out_end)
{
    const lives_t *l = truth->lives;
    uint32_t i = truth->order + 1;
    for (; i < l->stream->count && truth->left != 0; i++) {
        *out_end = i;
        const tick_t *t = &l->stream->ticks[i];
        if (tick_locate(t) != truth->locate)
            continue;
        bool own = l->at[i].of == truth->order;
        enum outcome outcome = own ? judge_own(truth, i) : judge_others(truth, i);
        if (outcome != RIGHT)
            return outcome;
        uint32_t filled = 0;
        truth->world->filled_now = 0;
        if (!own) {
            follow_others(truth, i);
            feed(truth, i);
        } else if (t->type == 'E' || t->type == 'C') {
            filled = execute(truth, i);
        } else {
            reduce(truth, i);
        }
        check(truth, i, filled);
    }
    *out_end = i;
    return RIGHT;
}

/* Does the other side display its price when it arrives? */
static bool arrives_crossed(const truth_t *truth)
{
    const lives_t *l = truth->lives;
    for (uint32_t k = l->last[truth->locate]; k != LIVES_NONE; k = l->at[k].before)
        if (l->at[k].side != truth->side && !better(truth->side, l->at[k].px_e4, truth->px_e4))
            return true;
    return false;
}

static enum outcome try_order(truth_t *truth)
{
    bool crossed = arrives_crossed(truth);
    uint32_t end = truth->order;
    if (truth->lives->at[truth->order].halted)
        return CROSSED;
    set_up(truth);
    world_send(truth->world, truth->locate, truth->side, truth->left, truth->px_e4);
    assert_int_equal(truth->world->owns[truth->world->count].open, !crossed);
    enum outcome outcome = CROSSED;
    if (!crossed) {
        truth->world->filled_now = 0;
        check(truth, truth->order, 0);
        outcome = live(truth, &end);
    }
    clear_up(truth, end);
    return outcome;
}

/* ---- the streams */

static void check_stream(const stream_t *s)
{
    static truth_t truth;
    lives_t lives = lives_of(s);
    counts_t *counts = s->recorded                          ? &recorded
                       : strncmp(s->name, "synth:", 6) == 0 ? &synthetic
                                                            : &artificial;
    counts_t before = *counts;
    double due[2] = {0.5, 0.5};
    world_t *w = world_open(1u << 22, true);
    for (uint32_t i = 0; i < s->count; i++) {
        const life_t *order = &lives.at[i];
        lives_step(&lives, i);
        counts->orders += order->qty != 0;
        if (order->qty == 0 || (due[order->traded] += share_wanted[order->traded]) < 1)
            continue;
        due[order->traded] -= 1;
        truth.world = w;
        truth.lives = &lives;
        truth.counts = counts;
        truth.order = i;
        truth.locate = order->locate;
        truth.side = order->side;
        truth.px_e4 = order->px_e4;
        truth.left = order->qty;
        truth.executed = 0;
        truth.ahead = 0;
        truth.behind_count = 0;
        enum outcome outcome = try_order(&truth);
        counts->of[outcome]++;
        counts->executed += outcome == RIGHT && truth.executed != 0;
        counts->shares += outcome == RIGHT ? truth.executed : 0;
    }
    print_message("| %-40s | %6llu |", s->name,
                  (unsigned long long)(counts->orders - before.orders));
    for (unsigned k = 0; k < OUTCOMES; k++)
        print_message(" %5llu |", (unsigned long long)(counts->of[k] - before.of[k]));
    print_message(" %5llu | %7llu |\n", (unsigned long long)(counts->executed - before.executed),
                  (unsigned long long)(counts->shares - before.shares));
    world_close(w);
    lives_free(&lives);
}

/* Orders not executed and executed, over all streams of a group. */
static uint64_t orders_of[2];

static void count_orders(const stream_t *s)
{
    lives_t lives = lives_of(s);
    for (uint32_t i = 0; i < s->count; i++)
        if (lives.at[i].qty != 0)
            orders_of[lives.at[i].traded]++;
    lives_free(&lives);
}

/* Every so many orders, so that about `wanted` are tried, half of them such as get executed. */
static void choose(uint64_t wanted)
{
    for (unsigned k = 0; k < 2; k++) {
        double half = (double)wanted / 2, all = (double)orders_of[k];
        share_wanted[k] = all > half ? half / all : 1;
        orders_of[k] = 0;
    }
    print_message(
        "| %-40s | orders | right | cross |  turn | passd | print | reach | price |  halt "
        "| nobdy | execd |  shares |\n",
        "stream");
}

static void report(const counts_t *counts, const char *of)
{
    print_message(
        "%llu orders of %s as it was, %llu of them executed in %llu parts, compared after "
        "%llu messages\n",
        (unsigned long long)counts->of[RIGHT], of, (unsigned long long)counts->executed,
        (unsigned long long)counts->fills, (unsigned long long)counts->checks);
}

static uint64_t truths_wanted(void)
{
    const char *text = getenv("TICKBUS_TRUTHS");
    return text ? strtoull(text, NULL, 10) : 0;
}

static void real_orders_put_back_as_ours_get_what_they_got(void **state)
{
    (void)state;
    uint64_t wanted = truths_wanted() ? truths_wanted() : TRUTHS_BRIEF;
    uint32_t max = truths_wanted() ? TICKS_MAX : TICKS_BRIEF;
    if (!streams_recorded(max, count_orders))
        skip();
    choose(wanted);
    streams_recorded(max, check_stream);
    report(&recorded, "recorded streams");
    assert_true(recorded.of[RIGHT] >= wanted / 3 && recorded.executed >= wanted / 20);
}

/* Days with tails, crosses and halts. */
static void orders_of_the_synthetic_market_put_back_as_ours_get_what_they_got(void **state)
{
    (void)state;
    uint64_t wanted = truths_wanted() ? truths_wanted() : TRUTHS_BRIEF;
    uint32_t seeds = truths_wanted() ? 8 : 2;
    char options[80];
    for (unsigned pass = 0; pass < 2; pass++) {
        for (uint32_t seed = 1; seed <= seeds; seed++) {
            snprintf(options, sizeof options, "seed=%u,symbols=%u,messages=40000,speed=1", seed,
                     1 + seed % 4);
            stream_synthetic(options, TICKS_MAX, pass == 0 ? count_orders : check_stream);
        }
        if (pass == 0)
            choose(wanted);
    }
    report(&synthetic, "the synthetic market");
    assert_true(synthetic.of[RIGHT] >= wanted / 3 && synthetic.executed >= wanted / 20);
    assert_true(synthetic.of[IN_CROSS] != 0 && synthetic.of[NOT_ITS_TURN] == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_orders_put_back_as_ours_get_what_they_got),
        cmocka_unit_test(orders_of_the_synthetic_market_put_back_as_ours_get_what_they_got),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
