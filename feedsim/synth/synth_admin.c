/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/synth/synth_admin.h"

#include <tickbus/msg/itch_types.h>

/* Where the field at an offset of the ITCH message stands in a tick that carries its body
 * verbatim. */
static uint8_t *field(tick_t *t, unsigned offset)
{
    return &t->body[offset - TICK_ITCH_HEADER];
}

static void put_char(tick_t *t, unsigned offset, char value)
{
    *field(t, offset) = (uint8_t)value;
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
    synth_tick(stamp, ITCH_SYSTEM_EVENT, out);
    put_char(out, ITCH_AT(SYSTEM_EVENT, event_code), code);
}

void synth_decline_levels(const synth_stamp_t *stamp, tick_t *out)
{
    synth_tick(stamp, ITCH_MWCB_DECLINE_LEVEL, out);
    /* 7, 13 and 20 % below an index of 5000; 8 decimals */
    put_be64(out, ITCH_AT(MWCB_DECLINE_LEVEL, level1_e8), UINT64_C(465000000000));
    put_be64(out, ITCH_AT(MWCB_DECLINE_LEVEL, level2_e8), UINT64_C(435000000000));
    put_be64(out, ITCH_AT(MWCB_DECLINE_LEVEL, level3_e8), UINT64_C(400000000000));
}

void synth_directory(const synth_stamp_t *stamp, char authenticity, tick_t *out)
{
    synth_tick(stamp, ITCH_STOCK_DIRECTORY, out);
    put_symbol(out, ITCH_AT(STOCK_DIRECTORY, symbol), stamp);
    put_char(out, ITCH_AT(STOCK_DIRECTORY, market_category), 'Q');  /* NASDAQ Global Select */
    put_char(out, ITCH_AT(STOCK_DIRECTORY, financial_status), 'N'); /* normal */
    put_be32(out, ITCH_AT(STOCK_DIRECTORY, round_lot_size), 100);
    put_char(out, ITCH_AT(STOCK_DIRECTORY, round_lots_only), 'N');
    put_char(out, ITCH_AT(STOCK_DIRECTORY, issue_classification), 'C');    /* common stock */
    memcpy(field(out, ITCH_AT(STOCK_DIRECTORY, issue_sub_type)), "Z ", 2); /* not applicable */
    put_char(out, ITCH_AT(STOCK_DIRECTORY, authenticity), authenticity);
    put_char(out, ITCH_AT(STOCK_DIRECTORY, short_sale_threshold), 'N');
    put_char(out, ITCH_AT(STOCK_DIRECTORY, ipo_flag), 'N');
    put_char(out, ITCH_AT(STOCK_DIRECTORY, luld_tier), '1');
    put_char(out, ITCH_AT(STOCK_DIRECTORY, etp_flag), 'N');
    put_be32(out, ITCH_AT(STOCK_DIRECTORY, etp_leverage_factor), 0);
    put_char(out, ITCH_AT(STOCK_DIRECTORY, inverse_indicator), 'N');
}

void synth_trading_action(const synth_stamp_t *stamp, char trading_state, const char *reason,
                          tick_t *out)
{
    synth_tick(stamp, ITCH_STOCK_TRADING_ACTION, out);
    put_symbol(out, ITCH_AT(STOCK_TRADING_ACTION, symbol), stamp);
    put_char(out, ITCH_AT(STOCK_TRADING_ACTION, trading_state), trading_state);
    put_char(out, ITCH_AT(STOCK_TRADING_ACTION, reserved), ' ');
    memcpy(field(out, ITCH_AT(STOCK_TRADING_ACTION, reason)), reason, 4);
}

void synth_collar(const synth_stamp_t *stamp, uint32_t reference_px_e4, tick_t *out)
{
    uint32_t width_e4 = reference_px_e4 / 2000 * 100; /* whole cents */
    synth_tick(stamp, ITCH_LULD_AUCTION_COLLAR, out);
    put_symbol(out, ITCH_AT(LULD_AUCTION_COLLAR, symbol), stamp);
    put_be32(out, ITCH_AT(LULD_AUCTION_COLLAR, reference_px_e4), reference_px_e4);
    put_be32(out, ITCH_AT(LULD_AUCTION_COLLAR, upper_px_e4), reference_px_e4 + width_e4);
    put_be32(out, ITCH_AT(LULD_AUCTION_COLLAR, lower_px_e4), reference_px_e4 - width_e4);
    put_be32(out, ITCH_AT(LULD_AUCTION_COLLAR, extension), 0);
}

void synth_reg_sho(const synth_stamp_t *stamp, char action, tick_t *out)
{
    synth_tick(stamp, ITCH_REG_SHO_RESTRICTION, out);
    put_symbol(out, ITCH_AT(REG_SHO_RESTRICTION, symbol), stamp);
    put_char(out, ITCH_AT(REG_SHO_RESTRICTION, reg_sho_action), action);
}

void synth_participant(const synth_stamp_t *stamp, tick_t *out)
{
    synth_tick(stamp, ITCH_PARTICIPANT_POSITION, out);
    memcpy(field(out, ITCH_AT(PARTICIPANT_POSITION, mpid)), "SYNM", 4);
    put_symbol(out, ITCH_AT(PARTICIPANT_POSITION, symbol), stamp);
    put_char(out, ITCH_AT(PARTICIPANT_POSITION, primary_market_maker), 'Y');
    put_char(out, ITCH_AT(PARTICIPANT_POSITION, market_maker_mode), 'N'); /* normal */
    put_char(out, ITCH_AT(PARTICIPANT_POSITION, participant_state), 'A'); /* active */
}

void synth_retail_interest(const synth_stamp_t *stamp, char flag, tick_t *out)
{
    synth_tick(stamp, ITCH_RETAIL_INTEREST, out);
    put_symbol(out, ITCH_AT(RETAIL_INTEREST, symbol), stamp);
    put_char(out, ITCH_AT(RETAIL_INTEREST, interest_flag), flag);
}

void synth_imbalance(const synth_stamp_t *stamp, uint32_t px_e4, uint64_t paired,
                     uint64_t imbalance, char cross, tick_t *out)
{
    synth_tick(stamp, ITCH_ORDER_IMBALANCE, out);
    put_be64(out, ITCH_AT(ORDER_IMBALANCE, paired_shares), paired);
    put_be64(out, ITCH_AT(ORDER_IMBALANCE, imbalance_shares), imbalance);
    put_char(out, ITCH_AT(ORDER_IMBALANCE, imbalance_direction), imbalance == 0 ? 'N' : 'B');
    put_symbol(out, ITCH_AT(ORDER_IMBALANCE, symbol), stamp);
    put_be32(out, ITCH_AT(ORDER_IMBALANCE, far_px_e4), px_e4);
    put_be32(out, ITCH_AT(ORDER_IMBALANCE, near_px_e4), px_e4);
    put_be32(out, ITCH_AT(ORDER_IMBALANCE, reference_px_e4), px_e4);
    put_char(out, ITCH_AT(ORDER_IMBALANCE, cross_type), cross);
    put_char(out, ITCH_AT(ORDER_IMBALANCE, price_variation), 'L'); /* below 1 % */
}

void synth_cross(const synth_stamp_t *stamp, uint32_t px_e4, uint64_t shares, uint64_t match,
                 char cross, tick_t *out)
{
    synth_tick(stamp, ITCH_CROSS_TRADE, out);
    out->qty64 = shares;
    memcpy(out->symbol, stamp->symbol, sizeof out->symbol);
    out->px_e4 = px_e4;
    out->match = match;
    out->aux = (uint8_t)cross;
}

void synth_broken(const synth_stamp_t *stamp, uint64_t match, tick_t *out)
{
    synth_tick(stamp, ITCH_BROKEN_TRADE, out);
    out->match = match;
}
