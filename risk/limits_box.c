/* SPDX-License-Identifier: Apache-2.0 */
#include "risk/limits_box.h"

void limits_box_put(limits_box_t *box, const risk_limits_t *limits)
{
    const uint64_t words[LIMITS_BOX_WORDS] = {
        limits->max_order_qty,     limits->max_order_notional_e4, limits->collar_bps,
        limits->collar_e4,         limits->position_max,          limits->gross_notional_max_e4,
        limits->orders_per_second, limits->open_orders_max,       limits->messages_per_second,
        limits->reference_qty,     limits->loss_max_e4,           limits->test_symbols,
    };
    uint64_t version = tbus_load_relaxed_u64(&box->version);
    tbus_store_relaxed_u64(&box->version, version + 1);
    for (unsigned i = 0; i < LIMITS_BOX_WORDS; i++)
        /* B1 pairs B2: else a reader has a new figure, and not yet seen that the set is being
         * written. */
        tbus_store_release_u64(&box->words[i], words[i]);
    /* B3 pairs B4: else a reader sees the set complete, and has some of its figures still to
     * come. */
    tbus_store_release_u64(&box->version, version + 2);
}

bool limits_box_take(const limits_box_t *box, uint64_t *seen, risk_limits_t *out_limits)
{
    uint64_t words[LIMITS_BOX_WORDS];
    uint64_t version = tbus_load_acquire_u64(&box->version); /* B4 pairs B3 (limits_box_put) */
    if (TBUS_LIKELY(version == *seen) || version % 2)
        return false;
    for (unsigned i = 0; i < LIMITS_BOX_WORDS; i++)
        words[i] = tbus_load_acquire_u64(&box->words[i]); /* B2 pairs B1 (limits_box_put) */
    if (tbus_load_relaxed_u64(&box->version) != version)
        return false;
    *out_limits = (risk_limits_t){
        .max_order_qty = (uint32_t)words[0],
        .max_order_notional_e4 = words[1],
        .collar_bps = (uint32_t)words[2],
        .collar_e4 = (uint32_t)words[3],
        .position_max = words[4],
        .gross_notional_max_e4 = words[5],
        .orders_per_second = (uint32_t)words[6],
        .open_orders_max = (uint32_t)words[7],
        .messages_per_second = (uint32_t)words[8],
        .reference_qty = (uint32_t)words[9],
        .loss_max_e4 = words[10],
        .test_symbols = (uint32_t)words[11],
    };
    *seen = version;
    return true;
}
