/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/synth/synth_plain.h"

#include <stdlib.h>

#include "feedsim/synth/synth_admin.h"
#include "feedsim/synth/synth_flow.h"

/* The session, in this order. */
enum phase {
    START_OF_MESSAGES,
    DECLINE_LEVELS,
    DIRECTORY,
    TRADING_STATE,
    REG_SHO,
    START_OF_SYSTEM,
    OPENING_IMBALANCE,
    START_OF_MARKET,
    OPENING_CROSS,
    TRADING,
    END_OF_MARKET,
    CLOSING_CROSS,
    END_OF_SYSTEM,
    END_OF_MESSAGES,
    PHASES
};

struct synth_plain {
    synth_flow_t flow;
    uint64_t left;    /* messages of the current phase */
    uint64_t trading; /* messages of the trading phase, UINT64_MAX: no end */
    enum phase phase;
    uint32_t symbols_count;
    synth_symbol_t symbols[];
};

/* How many messages a phase has; TRADING has what is left over. */
static uint64_t fixed_messages(enum phase phase, uint32_t symbols)
{
    switch (phase) {
    case DIRECTORY:
    case TRADING_STATE:
    case REG_SHO:
    case OPENING_IMBALANCE:
    case OPENING_CROSS:
    case CLOSING_CROSS:
        return symbols;
    case TRADING:
        return 0;
    default:
        return 1;
    }
}

/* `symbol`: the one whose turn it is in phases that go through all of them. */
static void make_frame(synth_plain_t *s, synth_symbol_t *symbol, tick_t *out)
{
    synth_flow_t *f = &s->flow;
    if (s->phase == START_OF_MARKET && f->now_ns < SYNTH_OPEN_NS)
        f->now_ns = SYNTH_OPEN_NS;
    synth_stamp_t all = synth_flow_stamp(f, NULL), stamp = synth_flow_stamp(f, symbol);
    uint32_t px_e4 = synth_symbol_px(symbol, symbol->fair);
    switch (s->phase) {
    case START_OF_MESSAGES:
        synth_system_event(&all, 'O', out);
        break;
    case DECLINE_LEVELS:
        synth_decline_levels(&all, out);
        break;
    case DIRECTORY:
        synth_directory(&stamp, 'T', out);
        break;
    case TRADING_STATE:
        synth_trading_action(&stamp, 'T', "    ", out);
        break;
    case REG_SHO:
        synth_reg_sho(&stamp, '0', out);
        break;
    case START_OF_SYSTEM:
        synth_system_event(&all, 'S', out);
        break;
    case OPENING_IMBALANCE:
        symbol->paired = synth_flow_qty(f) * UINT64_C(100);
        synth_imbalance(&stamp, px_e4, symbol->paired, 0, 'O', out);
        break;
    case START_OF_MARKET:
        synth_system_event(&all, 'Q', out);
        break;
    case OPENING_CROSS:
    case CLOSING_CROSS:
        synth_cross(&stamp, px_e4, symbol->paired, ++f->match,
                    s->phase == OPENING_CROSS ? 'O' : 'C', out);
        symbol->paired = 0;
        break;
    case END_OF_MARKET:
        synth_system_event(&all, 'M', out);
        break;
    case END_OF_SYSTEM:
        synth_system_event(&all, 'E', out);
        break;
    default:
        synth_system_event(&all, 'C', out);
        break;
    }
}

uint64_t synth_plain_messages_min(uint32_t symbols)
{
    uint64_t messages = 0;
    for (int phase = 0; phase < PHASES; phase++)
        messages += fixed_messages((enum phase)phase, symbols);
    return messages;
}

int synth_plain_next(synth_plain_t *s, tick_t *out)
{
    while (s->left == 0) {
        if (s->phase == END_OF_MESSAGES)
            return 0;
        s->phase++;
        s->left = s->phase == TRADING ? s->trading : fixed_messages(s->phase, s->symbols_count);
    }
    if (s->phase == TRADING) {
        synth_flow_trade(&s->flow, s->symbols, s->symbols_count, out);
    } else {
        synth_flow_advance(&s->flow);
        /* A phase of one message takes the last symbol, and does not use it. */
        make_frame(s, &s->symbols[s->symbols_count - s->left], out);
    }
    if (s->left != UINT64_MAX)
        s->left--;
    return 1;
}

/* --- life --- */

synth_plain_t *synth_plain_create(uint64_t seed, uint32_t symbols, uint64_t messages)
{
    synth_plain_t *s = calloc(1, sizeof *s + symbols * sizeof s->symbols[0]);
    if (!s)
        return NULL;
    synth_flow_init(&s->flow, seed);
    s->symbols_count = symbols;
    s->trading = messages == 0 ? UINT64_MAX : messages - synth_plain_messages_min(symbols);
    s->left = fixed_messages(START_OF_MESSAGES, symbols);
    for (uint32_t i = 0; i < symbols; i++)
        synth_symbol_init(&s->symbols[i], &s->flow, (uint16_t)(i + 1));
    return s;
}

void synth_plain_destroy(synth_plain_t *s)
{
    free(s);
}
