/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/gateway/guard.h"

#include <string.h>

#include "feedsim/gateway/users.h"

static bool is_v4(const uint8_t address[16])
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(address, prefix, sizeof prefix) == 0;
}

/* Their place; GATEWAY_GUARD_PLACES: they have none. */
static uint32_t find(gateway_guard_t *g, const uint8_t address[16], uint32_t user, uint64_t now_ns)
{
    for (uint32_t i = 0; i < GATEWAY_GUARD_PLACES; i++) {
        if (!g->places[i].failures || g->places[i].user != user ||
            memcmp(g->places[i].network, address, 8) != 0 ||
            (is_v4(address) && memcmp(g->places[i].rest, address + 8, 8) != 0))
            continue;
        if (now_ns - g->places[i].seen_ns > GATEWAY_GUARD_FORGETS)
            g->places[i].failures = 0;
        return g->places[i].failures ? i : GATEWAY_GUARD_PLACES;
    }
    return GATEWAY_GUARD_PLACES;
}

bool gateway_guard_lets(gateway_guard_t *g, const uint8_t address[16], uint32_t user,
                        uint64_t now_ns)
{
    uint32_t i = find(g, address, user, now_ns);
    return i == GATEWAY_GUARD_PLACES || now_ns >= g->places[i].until_ns;
}

static uint32_t take_place(gateway_guard_t *g, const uint8_t address[16], uint32_t user)
{
    uint32_t oldest = 0;
    for (uint32_t i = 0; i < GATEWAY_GUARD_PLACES; i++) {
        if (!g->places[i].failures) {
            oldest = i;
            break;
        }
        if (g->places[i].seen_ns < g->places[oldest].seen_ns)
            oldest = i;
    }
    memcpy(g->places[oldest].network, address, 8);
    memcpy(g->places[oldest].rest, address + 8, 8);
    g->places[oldest].user = user;
    g->places[oldest].failures = 0;
    g->places[oldest].until_ns = 0;
    return oldest;
}

void gateway_guard_tell(gateway_guard_t *g, const uint8_t address[16], uint32_t user, bool right,
                        uint64_t now_ns)
{
    uint32_t i = find(g, address, user, now_ns);
    if (right) {
        if (i != GATEWAY_GUARD_PLACES)
            g->places[i].failures = 0;
        return;
    }
    if (i == GATEWAY_GUARD_PLACES)
        i = take_place(g, address, user);
    uint32_t failures = ++g->places[i].failures;
    g->places[i].seen_ns = now_ns;
    if (failures < GATEWAY_GUARD_TRIES)
        return;
    uint64_t wait_ns = UINT64_C(1000000000);
    for (uint32_t n = GATEWAY_GUARD_TRIES; n < failures && wait_ns < GATEWAY_GUARD_NS_MAX; n++)
        wait_ns *= 2;
    g->places[i].until_ns =
        now_ns + (wait_ns < GATEWAY_GUARD_NS_MAX ? wait_ns : GATEWAY_GUARD_NS_MAX);
}

void gateway_guard_renumber(gateway_guard_t *g, const uint32_t *numbers, uint32_t count)
{
    for (uint32_t i = 0; i < GATEWAY_GUARD_PLACES; i++) {
        uint32_t user = g->places[i].user;
        if (!g->places[i].failures || user == GATEWAY_NO_USER)
            continue;
        g->places[i].user = user < count ? numbers[user] : GATEWAY_NO_USER;
        if (g->places[i].user == GATEWAY_NO_USER)
            g->places[i].failures = 0;
    }
}
