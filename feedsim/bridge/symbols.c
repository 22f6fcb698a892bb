/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/bridge/symbols.h"

#include <string.h>

#include <tickbus/msg/bbo.h>
#include <tickbus/msg/tick.h>

#include "feedsim/selection.h"

static const char *symbol_of_tick(bridge_symbols_t *s, const tick_t *tick, size_t bytes)
{
    if (bytes < TICK_BODY_OFFSET || tick_is_mark(tick) || tick_locate(tick) == 0)
        return NULL;
    char *name = s->names[tick_locate(tick)];
    const char *named = feed_symbol_of(tick, bytes);
    if (named)
        memcpy(name, named, sizeof s->names[0]);
    return name[0] ? name : NULL;
}

const char *bridge_symbol_of(bridge_symbols_t *s, const char *type, const void *message,
                             size_t bytes)
{
    if (strcmp(type, "tick") == 0)
        return symbol_of_tick(s, message, bytes);
    return strcmp(type, "bbo") == 0 ? ((const bbo_t *)message)->symbol : NULL;
}
