/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/synth/synth_admin.h"

/* Where the field at an offset of the ITCH message stands in a tick that carries its body
 * verbatim. */
static uint8_t *field(tick_t *t, unsigned offset)
{
    return t->body + offset - TICK_ITCH_HEADER;
}

static void put_be32(tick_t *t, unsigned offset, uint32_t value)
{
    value = __builtin_bswap32(value);
    memcpy(field(t, offset), &value, sizeof value);
}

static void put_be64(tick_t *t, unsigned offset, uint64_t value)
{
    value = __builtin_bswap64(value);
    memcpy(field(t, offset), &value, sizeof value);
}

static void put_symbol(tick_t *t, unsigned offset, const synth_stamp_t *stamp)
{
    memcpy(field(t, offset), stamp->symbol, sizeof stamp->symbol);
}

void synth_tick(const synth_stamp_t *stamp, uint8_t type, tick_t *out)
{
    memset(out, 0, sizeof *out);
    out->event = tick_pack(stamp->event_ns, stamp->tracking);
    out->intended = tick_pack(0, stamp->locate);
    out->type = type;
}

void synth_system_event(const synth_stamp_t *stamp, char code, tick_t *out)
{
    synth_tick(stamp, 'S', out);
    *field(out, 11) = (uint8_t)code;
}

void synth_decline_levels(const synth_stamp_t *stamp, tick_t *out)
{
    synth_tick(stamp, 'V', out);
    /* 7, 13 and 20 % below an index of 5000; 8 decimals */
    put_be64(out, 11, UINT64_C(465000000000));
    put_be64(out, 19, UINT64_C(435000000000));
    put_be64(out, 27, UINT64_C(400000000000));
}

void synth_directory(const synth_stamp_t *stamp, tick_t *out)
{
    synth_tick(stamp, 'R', out);
    put_symbol(out, 11, stamp);
    *field(out, 19) = 'Q';           /* market category: NASDAQ Global Select */
    *field(out, 20) = 'N';           /* financial status: normal */
    put_be32(out, 21, 100);          /* round lot */
    *field(out, 25) = 'N';           /* round lots only */
    *field(out, 26) = 'C';           /* issue classification: common stock */
    memcpy(field(out, 27), "Z ", 2); /* issue sub-type: not applicable */
    *field(out, 29) = 'T';           /* authenticity: test */
    *field(out, 30) = 'N';           /* short sale threshold */
    *field(out, 31) = 'N';           /* IPO */
    *field(out, 32) = '1';           /* LULD tier */
    *field(out, 33) = 'N';           /* ETP */
    put_be32(out, 34, 0);            /* ETP leverage */
    *field(out, 38) = 'N';           /* inverse */
}

void synth_trading_action(const synth_stamp_t *stamp, char trading_state, tick_t *out)
{
    synth_tick(stamp, 'H', out);
    put_symbol(out, 11, stamp);
    *field(out, 19) = (uint8_t)trading_state;
    *field(out, 20) = ' ';
    memcpy(field(out, 21), "    ", 4);
}

void synth_reg_sho(const synth_stamp_t *stamp, char action, tick_t *out)
{
    synth_tick(stamp, 'Y', out);
    put_symbol(out, 11, stamp);
    *field(out, 19) = (uint8_t)action;
}

void synth_participant(const synth_stamp_t *stamp, tick_t *out)
{
    synth_tick(stamp, 'L', out);
    memcpy(field(out, 11), "SYNM", 4);
    put_symbol(out, 15, stamp);
    *field(out, 23) = 'Y'; /* primary market maker */
    *field(out, 24) = 'N'; /* mode: normal */
    *field(out, 25) = 'A'; /* state: active */
}

void synth_retail_interest(const synth_stamp_t *stamp, char flag, tick_t *out)
{
    synth_tick(stamp, 'N', out);
    put_symbol(out, 11, stamp);
    *field(out, 19) = (uint8_t)flag;
}

void synth_imbalance(const synth_stamp_t *stamp, uint32_t px_e4, uint64_t paired,
                     uint64_t imbalance, char cross, tick_t *out)
{
    synth_tick(stamp, 'I', out);
    put_be64(out, 11, paired);
    put_be64(out, 19, imbalance);
    *field(out, 27) = imbalance == 0 ? 'N' : 'B';
    put_symbol(out, 28, stamp);
    put_be32(out, 36, px_e4); /* far, near and reference price */
    put_be32(out, 40, px_e4);
    put_be32(out, 44, px_e4);
    *field(out, 48) = (uint8_t)cross;
    *field(out, 49) = 'L'; /* price variation: below 1 % */
}

void synth_cross(const synth_stamp_t *stamp, uint32_t px_e4, uint64_t shares, uint64_t match,
                 char cross, tick_t *out)
{
    synth_tick(stamp, 'Q', out);
    out->qty64 = shares;
    memcpy(out->symbol, stamp->symbol, sizeof out->symbol);
    out->px_e4 = px_e4;
    out->match = match;
    out->aux = (uint8_t)cross;
}

void synth_broken(const synth_stamp_t *stamp, uint64_t match, tick_t *out)
{
    synth_tick(stamp, 'B', out);
    out->match = match;
}
