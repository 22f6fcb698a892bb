/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/synth/synth_stock.h"

#include <stdio.h>
#include <string.h>

#define CENT_E4 100u

/* 16 * 2^(i/3) */
static const uint16_t sizes_q4[] = {16,  20,  25,  32,  40,  51,  64,  81,  102, 128,
                                    161, 203, 256, 323, 406, 512, 645, 813, 1024};
#define SIZES (sizeof sizes_q4 / sizeof sizes_q4[0])

int32_t synth_step_q8(int32_t scale_q8, random_state_t *random)
{
    uint64_t r = random_next(random);
    int32_t step_q8 = scale_q8 * (int32_t)sizes_q4[__builtin_ctzll(r | 1u << (SIZES - 1))] / 16;
    return r >> 63 ? step_q8 : -step_q8;
}

static uint32_t root(uint64_t x)
{
    uint64_t r = 0;
    for (uint64_t bit = UINT64_C(1) << 31; bit > 0; bit >>= 1)
        if ((r | bit) * (r | bit) <= x)
            r |= bit;
    return (uint32_t)r;
}

/* SYN001 .. SYN999, SYN1000 .. SYN65535 */
static void make_name(char name[8], uint16_t locate)
{
    char text[16];
    int length = snprintf(text, sizeof text, "SYN%03u", (unsigned)locate);
    memset(name, ' ', 8);
    memcpy(name, text, (size_t)length);
}

void synth_stock_init(synth_stock_t *s, random_state_t *random, uint16_t locate, uint64_t messages)
{
    make_name(s->name, locate);
    s->locate = locate;
    s->state = 'T';
    s->short_sale = '0';
    uint32_t cents = 1200 + random_below(random, 28000);
    s->base_px_e4 = (cents - LADDER_LEVELS / 2) * CENT_E4;
    s->own_q8 = LADDER_LEVELS / 2 * 256;
    s->opened_q8 = s->own_q8;
    /* A day of 1 %: what 3/2 of the scale in one of four messages adds up to. */
    uint64_t moves = messages < 20000 ? 20000 : messages > 1000000 ? 1000000 : messages;
    s->step_q8 = (int32_t)(cents * 256 / 100 * 4 / 3 / root(moves));
    s->step_q8 = s->step_q8 > 0 ? s->step_q8 : 1;
    /* the factor is in levels of a stock of 100.00 */
    s->factor_share_q8 = (int32_t)(cents * 256 / 10000 * (128 + random_below(random, 256)) / 256);
    s->half_spread = 1 + (int32_t)cents / 9000;
    s->trend = random_chance(random, 1, 2) ? 1 : -1;
    s->target = 80 + random_below(random, 160);
    ladder_init(&s->ladder);
}

void synth_stock_next_day(synth_stock_t *s, uint16_t locate)
{
    s->locate = locate;
    s->state = 'T';
    s->short_sale = s->short_sale == '1' ? '2' : '0';
    s->opened_q8 = s->own_q8;
    s->volume = 0;
    s->paired = 0;
    ladder_init(&s->ladder);
}

static int32_t fair_q8(const synth_stock_t *s, int32_t factor_q8)
{
    return s->own_q8 + factor_q8 * s->factor_share_q8 / 256;
}

int synth_stock_fair(const synth_stock_t *s, int32_t factor_q8)
{
    int fair = fair_q8(s, factor_q8) / 256;
    if (fair < SYNTH_FAIR_MIN)
        return SYNTH_FAIR_MIN;
    return fair > SYNTH_FAIR_MAX ? SYNTH_FAIR_MAX : fair;
}

void synth_stock_walk(synth_stock_t *s, int32_t factor_q8, random_state_t *random)
{
    if (!random_chance(random, 1, 4))
        return;
    s->own_q8 += synth_step_q8(s->step_q8, random);
    int32_t now_q8 = fair_q8(s, factor_q8);
    /* At the ends of the ladder it is thrown back. */
    if (now_q8 < SYNTH_FAIR_MIN * 256)
        s->own_q8 += (SYNTH_FAIR_MIN * 256 - now_q8) * 2;
    if (now_q8 > SYNTH_FAIR_MAX * 256)
        s->own_q8 -= (now_q8 - SYNTH_FAIR_MAX * 256) * 2;
}

uint32_t synth_stock_px(const synth_stock_t *s, int level)
{
    return s->base_px_e4 + (uint32_t)level * CENT_E4;
}

bool synth_stock_trades(const synth_stock_t *s)
{
    return s->state == 'T';
}

synth_stamp_t synth_stock_stamp(const synth_stock_t *s, uint64_t now_ns)
{
    synth_stamp_t stamp = {
        .event_ns = now_ns, .locate = s->locate, .tracking = (uint16_t)(s->locate % 4 * 2)};
    memcpy(stamp.symbol, s->name, sizeof stamp.symbol);
    return stamp;
}
