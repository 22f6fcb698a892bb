/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/market/standing.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include <tickbus/msg/itch_types.h>

/* A tick of type 0 has not been heard of. */
struct standing {
    tick_t of_session[STANDING_OF_SESSION];
    uint32_t locates; /* the highest row in use, plus one; 0: none */
    /* R, K and J by wire locate, the others by number of the symbol */
    tick_t of_locate[65536][STANDING_OF_LOCATE];
};

int standing_create(standing_t **out_standing, tbus_error_t *err)
{
    standing_t *s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (s == MAP_FAILED)
        return tbus_fail(err, -ENOMEM, "no memory for the administrative messages: %s",
                         strerror(errno));
    *out_standing = s;
    return 0;
}

void standing_destroy(standing_t *s)
{
    if (s)
        munmap(s, sizeof *s);
}

/* Places in of_locate, in the order in which they are handed on. */
enum { PLACE_R, PLACE_H, PLACE_HALT_Q, PLACE_HALT_B, PLACE_HALT_X, PLACE_HALT_OTHER, PLACE_Y };
enum { PLACE_K = PLACE_Y + 1, PLACE_J, PLACES };
_Static_assert(PLACES == STANDING_OF_LOCATE, "each kind has its place");

static int place_of_halt(const tick_t *tick)
{
    uint8_t action = tick->body[ITCH_BODY_AT(OPERATIONAL_HALT, operational_halt_action)];
    if (action != 'H' && action != 'T')
        return -1;
    switch (tick->body[ITCH_BODY_AT(OPERATIONAL_HALT, market_code)]) {
    case 'Q':
        return PLACE_HALT_Q;
    case 'B':
        return PLACE_HALT_B;
    case 'X':
        return PLACE_HALT_X;
    default:
        return PLACE_HALT_OTHER;
    }
}

static int place_of_action(const tick_t *tick)
{
    uint8_t state = tick->body[ITCH_BODY_AT(STOCK_TRADING_ACTION, trading_state)];
    return state == 'T' || state == 'H' || state == 'P' || state == 'Q' ? PLACE_H : -1;
}

static int place_of_restriction(const tick_t *tick)
{
    uint8_t action = tick->body[ITCH_BODY_AT(REG_SHO_RESTRICTION, reg_sho_action)];
    return action >= '0' && action <= '2' ? PLACE_Y : -1;
}

/* -1: it is not kept. */
static int place_of(const tick_t *tick)
{
    switch (tick->type) {
    case ITCH_STOCK_DIRECTORY:
        return PLACE_R;
    case ITCH_STOCK_TRADING_ACTION:
        return place_of_action(tick);
    case ITCH_OPERATIONAL_HALT:
        return place_of_halt(tick);
    case ITCH_REG_SHO_RESTRICTION:
        return place_of_restriction(tick);
    case ITCH_QUOTING_PERIOD_UPDATE:
        return PLACE_K;
    default:
        return PLACE_J;
    }
}

static void keep(tick_t *place, const tick_t *tick)
{
    *place = *tick;
    place->intended = tick_pack(0, tick_locate(tick));
}

/* Of what holds for the session, in the order in which it is handed on. */
enum { SESSION_START, SESSION_PHASE, SESSION_LEVELS, SESSION_BREAKER };

static void keep_system_event(standing_t *s, const market_event_t *event, const tick_t *tick)
{
    if (event->new_day) {
        memset(s->of_session, 0, sizeof s->of_session);
        memset(s->of_locate, 0, s->locates * sizeof *s->of_locate);
        s->locates = 0;
        keep(&s->of_session[SESSION_START], tick);
    } else if (event->new_phase) {
        keep(&s->of_session[SESSION_PHASE], tick);
    }
}

void standing_keep_tick(standing_t *s, const market_event_t *event, const tick_t *tick)
{
    switch (tick->type) {
    case ITCH_SYSTEM_EVENT:
        keep_system_event(s, event, tick);
        return;
    case ITCH_MWCB_DECLINE_LEVEL:
        keep(&s->of_session[SESSION_LEVELS], tick);
        return;
    case ITCH_MWCB_STATUS:
        keep(&s->of_session[SESSION_BREAKER], tick);
        return;
    default:
        break;
    }
    int place = event->foreign ? -1 : place_of(tick);
    if (place < 0)
        return;
    bool of_symbol = place >= PLACE_H && place <= PLACE_Y;
    uint32_t locate = of_symbol ? event->locate : tick_locate(tick);
    if (s->locates <= locate)
        s->locates = locate + 1;
    keep(&s->of_locate[locate][place], tick);
}

static uint32_t copy(const tick_t *from, uint32_t count, tick_t *out_ticks)
{
    uint32_t copied = 0;
    for (uint32_t i = 0; i < count; i++)
        if (from[i].type != 0)
            out_ticks[copied++] = from[i];
    return copied;
}

uint32_t standing_copy_start(const standing_t *s, tick_t *out_ticks)
{
    return copy(&s->of_session[SESSION_START], 1, out_ticks);
}

uint32_t standing_copy_session(const standing_t *s, tick_t *out_ticks)
{
    return copy(&s->of_session[SESSION_PHASE], STANDING_OF_SESSION - 1, out_ticks);
}

uint32_t standing_copy_directory(const standing_t *s, uint16_t wire_locate, tick_t *out_ticks)
{
    return wire_locate < s->locates ? copy(&s->of_locate[wire_locate][PLACE_R], 1, out_ticks) : 0;
}

uint32_t standing_copy_states(const standing_t *s, uint16_t index, tick_t *out_ticks)
{
    if (index >= s->locates)
        return 0;
    return copy(&s->of_locate[index][PLACE_R + 1], STANDING_OF_LOCATE - 1, out_ticks);
}
