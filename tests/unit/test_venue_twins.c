/* SPDX-License-Identifier: Apache-2.0 */
/* Does the venue model flatter? A twin of ours stands right behind every N-th displayed order of a
 * stream, and is cancelled with it, at zero latency. It is flattered when it was filled though its
 * original was not: nobody came so far. What was executed of both is printed for each stream.
 *
 * In recorded streams nobody is flattered, whether prints through our limit fill (executor.prints)
 * or not. In a stream that is not of a market with price and time priority a twin can be: by a
 * trade at a worse price than its own, by a print at one, or by an order of the other side that
 * displays its price, each of which leaves its original standing. The artificial stream of the data
 * set has all three, for its messages are drawn at random. What filled a flattered twin is looked
 * up in the stream (lives.h): it must be one of these.
 *
 * TICKBUS_TWINS=all takes all messages of the streams, instead of the first 40,000 of each.
 */
#include "tests/unit/lives.h"
#include "tests/unit/venue_world.h"

#define TICKS_BRIEF 40000u
#define TICKS_MAX   (1u << 18)
#define OPEN_MAX    4096u

/* What fills a twin before anything was executed of its original. */
enum cause {
    BY_PRINT,   /* P, or C at another price than the displayed one, at a worse price than its own */
    BY_THROUGH, /* E, or C at the displayed price, of an order of its side at a worse price */
    BY_REACH,   /* the other side displays its price */
    BY_QUEUE,   /* anything else */
    CAUSES
};

typedef struct twin {
    uint32_t order; /* the original */
    uint32_t px_e4;
    uint32_t original_filled;
    uint8_t side;
    bool early[CAUSES]; /* it was filled by that while nothing of the original had been */
} twin_t;

typedef struct sum {
    uint64_t twins, flattered, shares, original_shares;
    uint64_t by[CAUSES]; /* of the flattered */
} sum_t;

static uint32_t every; /* N */
static bool prints;
static sum_t sums[2]; /* of recorded streams, of others */

/* ---- one stream */

typedef struct run {
    world_t *w;
    lives_t lives;
    twin_t *twins;  /* by count of our order */
    uint64_t *open; /* those whose original is displayed; few at a time */
    uint32_t open_count;
} run_t;

/* The place in `open` of the twin of an order; open_count: it has none. */
static uint32_t find_open(const run_t *run, uint32_t order)
{
    uint32_t i = 0;
    while (i < run->open_count && run->twins[run->open[i]].order != order)
        i++;
    return i;
}

static bool worse(const twin_t *twin, uint32_t px_e4)
{
    return twin->side == 'B' ? px_e4 < twin->px_e4 : px_e4 > twin->px_e4;
}

/* Message `i` filled the twin. */
static enum cause cause_of(const run_t *run, const twin_t *twin, uint32_t i)
{
    const tick_t *t = &run->lives.stream->ticks[i];
    const life_t *life = &run->lives.at[i];
    if (t->type == 'P')
        return worse(twin, t->px_e4) ? BY_PRINT : BY_QUEUE;
    if (life->qty != 0 && life->side != twin->side)
        return life->px_e4 == twin->px_e4 || worse(twin, life->px_e4) ? BY_REACH : BY_QUEUE;
    if (life->of == LIVES_NONE || (t->type != 'E' && t->type != 'C'))
        return BY_QUEUE;
    const life_t *order = &run->lives.at[life->of];
    bool print = t->type == 'C' && t->px_e4 != order->px_e4;
    if (order->side != twin->side || !worse(twin, print ? t->px_e4 : order->px_e4))
        return BY_QUEUE;
    return print ? BY_PRINT : BY_THROUGH;
}

static void follow_original(run_t *run, uint32_t i)
{
    const tick_t *t = &run->lives.stream->ticks[i];
    const life_t *life = &run->lives.at[i];
    uint32_t at = life->of != LIVES_NONE ? find_open(run, life->of) : run->open_count;
    if (at == run->open_count)
        return;
    uint64_t count = run->open[at];
    bool executed = t->type == 'E' || t->type == 'C';
    if (executed)
        run->twins[count].original_filled += life->off;
    if (life->off != life->left)
        return;
    if (!executed)
        world_cancel(run->w, count, tick_locate(t)); /* else it is the next, and stays */
    run->open[at] = run->open[--run->open_count];
}

static void take(run_t *run, uint32_t at)
{
    uint32_t before[OPEN_MAX];
    run->w->filled_now = 0;
    assert_true(run->open_count < OPEN_MAX);
    for (uint32_t i = 0; i < run->open_count; i++)
        before[i] = run->w->owns[run->open[i]].filled;
    world_tick(run->w, &run->lives.stream->ticks[at]);
    for (uint32_t i = 0; i < run->open_count && run->w->filled_now != 0; i++) {
        twin_t *twin = &run->twins[run->open[i]];
        if (run->w->owns[run->open[i]].filled != before[i] && twin->original_filled == 0)
            twin->early[cause_of(run, twin, at)] = true;
    }
}

static void add_twin(run_t *run, uint32_t order)
{
    const tick_t *t = &run->lives.stream->ticks[order];
    world_send(run->w, tick_locate(t), t->side, t->qty, t->px_e4);
    run->twins[run->w->count] = (twin_t){.order = order, .px_e4 = t->px_e4, .side = t->side};
    if (run->w->owns[run->w->count].open)
        run->open[run->open_count++] = run->w->count;
}

static void sum_up(const run_t *run, sum_t *sum)
{
    for (uint64_t i = 1; i <= run->w->count; i++) {
        const twin_t *twin = &run->twins[i];
        uint32_t filled = run->w->owns[i].filled;
        sum->twins++;
        sum->shares += filled;
        sum->original_shares += twin->original_filled;
        if (filled == 0 || twin->original_filled != 0)
            continue;
        sum->flattered++;
        for (unsigned cause = 0; cause < CAUSES; cause++)
            sum->by[cause] += twin->early[cause];
    }
}

static void check_stream(const stream_t *s)
{
    uint64_t adds = 0, most = s->count / every + 1;
    sum_t sum = {0}, *all = &sums[!s->recorded];
    run_t run = {.w = world_open(most, prints),
                 .lives = lives_of(s),
                 .twins = calloc(most + 1, sizeof(twin_t)),
                 .open = calloc(most + 1, sizeof(uint64_t))};
    assert_true(run.twins && run.open);
    for (uint32_t i = 0; i < s->count; i++) {
        take(&run, i);
        follow_original(&run, i);
        if (stream_is_add(&s->ticks[i]) && ++adds % every == 0)
            add_twin(&run, i);
    }
    sum_up(&run, &sum);
    print_message("| %-45s | %-5s | %5u | %6llu | %9llu | %9llu | %4llu | %4llu | %4llu | %4llu | "
                  "%4llu |\n",
                  s->name, prints ? "yes" : "no", every, (unsigned long long)sum.twins,
                  (unsigned long long)sum.shares, (unsigned long long)sum.original_shares,
                  (unsigned long long)sum.flattered, (unsigned long long)sum.by[BY_PRINT],
                  (unsigned long long)sum.by[BY_THROUGH], (unsigned long long)sum.by[BY_REACH],
                  (unsigned long long)sum.by[BY_QUEUE]);
    all->twins += sum.twins;
    all->flattered += sum.flattered;
    for (unsigned cause = 0; cause < CAUSES; cause++)
        all->by[cause] += sum.by[cause];
    free(run.twins);
    free(run.open);
    lives_free(&run.lives);
    world_close(run.w);
}

/* ---- all of them */

static void check_streams(bool with_prints)
{
    const char *text = getenv("TICKBUS_TWINS");
    uint32_t max = text && strcmp(text, "all") == 0 ? TICKS_MAX : TICKS_BRIEF;
    memset(sums, 0, sizeof sums);
    prints = with_prints;
    print_message("| %-45s | print | every |  twins |    shares | originals | flat | by P | thru | "
                  "rech | queu |\n",
                  "stream");
    for (every = 10; every <= 50; every += 40) {
        if (!streams_recorded(max, check_stream))
            skip();
        stream_synthetic("seed=5,symbols=3,messages=40000,speed=1", max, check_stream);
    }
    assert_true(sums[0].twins > 500 && sums[1].twins > 500);
    assert_int_equal(sums[0].flattered, 0);
    assert_int_equal(sums[1].by[BY_QUEUE], 0);
}

static void no_twin_is_filled_of_which_the_original_was_not(void **state)
{
    (void)state;
    check_streams(false);
    assert_int_equal(sums[1].by[BY_PRINT], 0);
}

static void with_prints_only_what_trades_through_a_twin_or_reaches_it_flatters_it(void **state)
{
    (void)state;
    check_streams(true);
    assert_true(sums[1].by[BY_PRINT] > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_twin_is_filled_of_which_the_original_was_not),
        cmocka_unit_test(with_prints_only_what_trades_through_a_twin_or_reaches_it_flatters_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
