/* SPDX-License-Identifier: Apache-2.0 */
/* quote.h - what the strategy `quote` can be told. Its behaviour stands in quote.c. */
#ifndef TICKBUS_STRATEGY_QUOTE_H
#define TICKBUS_STRATEGY_QUOTE_H

#include <stdint.h>

#include <tickbus/param.h>

#define QUOTE_SYMBOLS_MAX 64

/* In the order of the configuration's choices. */
enum quote_post_only { QUOTE_REJECTED, QUOTE_SLIDES, QUOTE_TAKES };

typedef struct quote_params {
    uint32_t symbols_count; /* 0: the first `symbols_auto` symbols that get a two-sided touch */
    char symbols[QUOTE_SYMBOLS_MAX][9]; /* names without padding, terminated */
    uint32_t symbols_auto;
    uint32_t order_qty;      /* shares per quote */
    uint32_t position_max;   /* shares; a side that would go beyond is not quoted */
    uint32_t post_only;      /* enum quote_post_only: what becomes of a quote that would take */
    uint64_t requote_ns_min; /* event time between two quotes of one side of one symbol */
} quote_params_t;

extern const tbus_params_t quote_params;

#endif
