/* SPDX-License-Identifier: Apache-2.0 */
/* odd_flow.h - market data that no exchange would send, drawn at random: days, phases, states,
 * crosses, gaps, and a directory that lies, over a few names, locates and references, so that all
 * of them meet. For tests. */
#ifndef TICKBUS_TESTS_ODD_FLOW_H
#define TICKBUS_TESTS_ODD_FLOW_H

#include <stdbool.h>
#include <string.h>

#include <tickbus/msg/itch_types.h>
#include <tickbus/msg/tick.h>

#define ODD_NAMES   5u /* the first is no name: spaces */
#define ODD_LOCATES 7u /* 0 is one of them */
#define ODD_REFS    40u
#define ODD_PRICES  6u

static const char odd_names[ODD_NAMES][9] = {"        ", "AAA     ", "BBB     ", "CCC     ",
                                             "DDD     "};

typedef struct odd_flow {
    uint64_t random; /* not 0 */
    /* of 1,000 messages about a stock: how many name one that is drawn, and not their locate's */
    uint32_t lies;
} odd_flow_t;

/* xorshift64*: the same numbers on every host. */
static inline uint32_t odd_below(odd_flow_t *f, uint32_t limit)
{
    f->random ^= f->random >> 12;
    f->random ^= f->random << 25;
    f->random ^= f->random >> 27;
    return (uint32_t)((f->random * UINT64_C(2685821657736338717)) >> 33) % limit;
}

static inline const char *odd_name(odd_flow_t *f, uint32_t locate)
{
    if (odd_below(f, 1000) < f->lies)
        return odd_names[odd_below(f, ODD_NAMES)];
    return odd_names[locate == 0 ? 1 : 1 + (locate - 1) % (ODD_NAMES - 1)];
}

/* S is rare, and O rarer: between two there is time for a day. */
static inline tick_t odd_system_event(odd_flow_t *f)
{
    static const char codes[] = "OSSQQQMME?";
    tick_t t = {.type = ITCH_SYSTEM_EVENT};
    t.body[0] = (uint8_t)codes[odd_below(f, sizeof codes - 1)];
    return t;
}

static inline tick_t odd_state(odd_flow_t *f, uint8_t type, const char *name)
{
    static const char values[][5] = {"HPQT", "QBX?", "012?", "PT P"};
    tick_t t = {.type = type};
    memcpy(t.body, name, 8);
    unsigned of = type == 'H' ? 0 : type == 'h' ? 1 : type == 'Y' ? 2 : 3;
    t.body[type == 'R' ? ITCH_BODY_AT(STOCK_DIRECTORY, authenticity) : 8] =
        (uint8_t)values[of][odd_below(f, 4)];
    if (type == 'h')
        t.body[ITCH_BODY_AT(OPERATIONAL_HALT, operational_halt_action)] =
            (uint8_t) "HTT?"[odd_below(f, 4)];
    return t;
}

static inline tick_t odd_order(odd_flow_t *f, uint8_t type, const char *name)
{
    tick_t t = {.type = type};
    t.order_ref = 1 + odd_below(f, ODD_REFS);
    t.qty = odd_below(f, 50) == 0 ? 0 : 1 + odd_below(f, 200);
    t.px_e4 = 10000 + 100 * odd_below(f, ODD_PRICES);
    if (type == 'U') {
        t.new_ref = 1 + odd_below(f, ODD_REFS);
        return t;
    }
    t.side = (uint8_t) "BS"[odd_below(f, 2)];
    if (type == 'A' && odd_below(f, 60) == 0)
        t.side = 'x';
    if (type == 'C')
        t.printable = odd_below(f, 3) ? 'Y' : 'N';
    if (type == 'Q')
        t.qty64 = odd_below(f, 1000);
    if (type == 'A' || type == 'P' || type == 'Q')
        memcpy(t.symbol, name, 8);
    return t;
}

/* The next message. */
static inline tick_t odd_next(odd_flow_t *f)
{
    static const char types[] = "AAAAAAAAAEEECCXXDDDUUPQRRHHhY";
    uint32_t locate = odd_below(f, 25) == 0 ? 0 : 1 + odd_below(f, ODD_LOCATES - 1);
    const char *name = odd_name(f, locate);
    uint8_t type = (uint8_t)types[odd_below(f, sizeof types - 1)];
    tick_t t;
    if (odd_below(f, 120) == 0) {
        t = odd_system_event(f);
        locate = 0;
    } else if (odd_below(f, 500) == 0) {
        tick_gap_put(&t, 0, &(tick_gap_t){.policy = (uint8_t)odd_below(f, 3)});
        locate = 0;
    } else if (type == 'R' || type == 'H' || type == 'h' || type == 'Y') {
        t = odd_state(f, type, name);
    } else {
        t = odd_order(f, type, name);
    }
    t.intended = tick_pack(0, (uint16_t)locate);
    return t;
}

/* Does it name no stock, where the others of its type say whose a locate is? */
static inline bool odd_names_nobody(const tick_t *t)
{
    const char *name = t->type == 'A' ? t->symbol : (const char *)t->body;
    return memchr("ARHhY", t->type, 5) && memcmp(odd_names[0], name, 8) == 0;
}

#endif
