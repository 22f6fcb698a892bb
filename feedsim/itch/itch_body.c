/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/itch/itch_body.h"

#include <stddef.h>

/* Offsets are those of the specification, which counts from the start of the message. */
#define FIELD(type, offset, bytes, kind, name)                                                     \
    {                                                                                              \
        name, type, (offset)-TICK_ITCH_HEADER, bytes, ITCH_BODY_##kind                             \
    }

static const itch_body_field_t fields[] = {
    FIELD('S', 11, 1, CHARS, "event_code"),

    FIELD('R', 11, 8, SYMBOL, "symbol"),
    FIELD('R', 19, 1, CHARS, "market_category"),
    FIELD('R', 20, 1, CHARS, "financial_status"),
    FIELD('R', 21, 4, NUMBER, "round_lot_size"),
    FIELD('R', 25, 1, CHARS, "round_lots_only"),
    FIELD('R', 26, 1, CHARS, "issue_classification"),
    FIELD('R', 27, 2, CHARS, "issue_sub_type"),
    FIELD('R', 29, 1, CHARS, "authenticity"),
    FIELD('R', 30, 1, CHARS, "short_sale_threshold"),
    FIELD('R', 31, 1, CHARS, "ipo_flag"),
    FIELD('R', 32, 1, CHARS, "luld_tier"),
    FIELD('R', 33, 1, CHARS, "etp_flag"),
    FIELD('R', 34, 4, NUMBER, "etp_leverage_factor"),
    FIELD('R', 38, 1, CHARS, "inverse_indicator"),

    FIELD('H', 11, 8, SYMBOL, "symbol"),
    FIELD('H', 19, 1, CHARS, "trading_state"),
    FIELD('H', 20, 1, CHARS, "reserved"),
    FIELD('H', 21, 4, CHARS, "reason"),

    FIELD('Y', 11, 8, SYMBOL, "symbol"),
    FIELD('Y', 19, 1, CHARS, "reg_sho_action"),

    FIELD('L', 11, 4, CHARS, "mpid"),
    FIELD('L', 15, 8, SYMBOL, "symbol"),
    FIELD('L', 23, 1, CHARS, "primary_market_maker"),
    FIELD('L', 24, 1, CHARS, "market_maker_mode"),
    FIELD('L', 25, 1, CHARS, "participant_state"),

    FIELD('V', 11, 8, NUMBER, "level1_e8"),
    FIELD('V', 19, 8, NUMBER, "level2_e8"),
    FIELD('V', 27, 8, NUMBER, "level3_e8"),

    FIELD('W', 11, 1, CHARS, "breached_level"),

    FIELD('K', 11, 8, SYMBOL, "symbol"),
    FIELD('K', 19, 4, NUMBER, "ipo_quotation_release_s"),
    FIELD('K', 23, 1, CHARS, "ipo_quotation_release_qualifier"),
    FIELD('K', 24, 4, NUMBER, "ipo_px_e4"),

    FIELD('J', 11, 8, SYMBOL, "symbol"),
    FIELD('J', 19, 4, NUMBER, "reference_px_e4"),
    FIELD('J', 23, 4, NUMBER, "upper_px_e4"),
    FIELD('J', 27, 4, NUMBER, "lower_px_e4"),
    FIELD('J', 31, 4, NUMBER, "extension"),

    FIELD('h', 11, 8, SYMBOL, "symbol"),
    FIELD('h', 19, 1, CHARS, "market_code"),
    FIELD('h', 20, 1, CHARS, "operational_halt_action"),

    FIELD('I', 11, 8, NUMBER, "paired_shares"),
    FIELD('I', 19, 8, NUMBER, "imbalance_shares"),
    FIELD('I', 27, 1, CHARS, "imbalance_direction"),
    FIELD('I', 28, 8, SYMBOL, "symbol"),
    FIELD('I', 36, 4, NUMBER, "far_px_e4"),
    FIELD('I', 40, 4, NUMBER, "near_px_e4"),
    FIELD('I', 44, 4, NUMBER, "reference_px_e4"),
    FIELD('I', 48, 1, CHARS, "cross_type"),
    FIELD('I', 49, 1, CHARS, "price_variation"),

    FIELD('N', 11, 8, SYMBOL, "symbol"),
    FIELD('N', 19, 1, CHARS, "interest_flag"),

    FIELD('O', 11, 8, SYMBOL, "symbol"),
    FIELD('O', 19, 1, CHARS, "open_eligibility"),
    FIELD('O', 20, 4, NUMBER, "min_px_e4"),
    FIELD('O', 24, 4, NUMBER, "max_px_e4"),
    FIELD('O', 28, 4, NUMBER, "near_execution_px_e4"),
    FIELD('O', 32, 8, NUMBER, "near_execution_ns"),
    FIELD('O', 40, 4, NUMBER, "lower_collar_px_e4"),
    FIELD('O', 44, 4, NUMBER, "upper_collar_px_e4"),
};
#define FIELDS (sizeof fields / sizeof fields[0])

const itch_body_field_t *itch_body_fields(uint8_t type, unsigned *out_count)
{
    const itch_body_field_t *first = NULL;
    unsigned count = 0;
    for (size_t i = 0; i < FIELDS; i++) {
        if (fields[i].type != type)
            continue;
        if (count++ == 0)
            first = &fields[i];
    }
    *out_count = count;
    return first;
}

uint64_t itch_body_number(const itch_body_field_t *field, const tick_t *tick)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < field->bytes; i++)
        value = value << 8 | tick->body[field->at + i];
    return value;
}
