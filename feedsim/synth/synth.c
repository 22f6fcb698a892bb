/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/synth/synth.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "feedsim/synth/synth_admin.h"
#include "feedsim/synth/synth_flow.h"

_Static_assert(SYNTH_ORDERS_MAX == LADDER_ORDERS_MAX, "what the header promises");

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

struct synth {
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
static void make_frame(synth_t *s, synth_symbol_t *symbol, tick_t *out)
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
        synth_directory(&stamp, out);
        break;
    case TRADING_STATE:
        synth_trading_action(&stamp, 'T', out);
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

uint64_t synth_messages_min(uint32_t symbols)
{
    uint64_t messages = 0;
    for (int phase = 0; phase < PHASES; phase++)
        messages += fixed_messages((enum phase)phase, symbols);
    return messages;
}

int synth_next(synth_t *s, tick_t *out)
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

static int check(const synth_params_t *p, tbus_error_t *err)
{
    if (p->symbols < 1 || p->symbols > SYNTH_SYMBOLS_MAX)
        return tbus_fail(err, -TBUS_ECONFIG, "synth: symbols=%" PRIu32 " is out of range: 1 to %u",
                         p->symbols, SYNTH_SYMBOLS_MAX);
    uint64_t least = synth_messages_min(p->symbols);
    if (p->messages != 0 && p->messages < least)
        return tbus_fail(err, -TBUS_ECONFIG,
                         "synth: messages=%" PRIu64 " is too few: a session with %" PRIu32
                         " symbols takes at least %" PRIu64 ", and 0 means no end",
                         p->messages, p->symbols, least);
    return 0;
}

int synth_create(const synth_params_t *params, synth_t **out_synth, tbus_error_t *err)
{
    int rc = check(params, err);
    if (rc != 0)
        return rc;
    synth_t *s = calloc(1, sizeof *s + params->symbols * sizeof s->symbols[0]);
    if (!s)
        return tbus_fail(err, -ENOMEM, "no memory for %" PRIu32 " synthetic symbols",
                         params->symbols);
    synth_flow_init(&s->flow, params->seed);
    s->symbols_count = params->symbols;
    s->trading =
        params->messages == 0 ? UINT64_MAX : params->messages - synth_messages_min(params->symbols);
    s->left = fixed_messages(START_OF_MESSAGES, params->symbols);
    for (uint32_t i = 0; i < params->symbols; i++)
        synth_symbol_init(&s->symbols[i], &s->flow, (uint16_t)(i + 1));
    *out_synth = s;
    return 0;
}

void synth_destroy(synth_t *s)
{
    free(s);
}
