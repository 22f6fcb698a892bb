/* SPDX-License-Identifier: Apache-2.0 */
/* guard.h - who failed to log in too often waits before a password of his is looked at again.
 *
 * By address (of IPv6 the network, 64 bits) and user: after GATEWAY_GUARD_TRIES failures in a row
 * such logins are rejected without a look for a second, then for two, four, up to a minute. A login
 * that succeeds ends it, as does an hour without any. All users that there are not count as one. So
 * nobody tries passwords at will, nobody locks out the users of another address, nor all users of
 * an address (behind stunnel everybody has the same one).
 *
 * It remembers GATEWAY_GUARD_PLACES of them; the one that was seen least recently is forgotten for
 * a new one. Time is an argument. One thread; no allocation.
 */
#ifndef TICKBUS_FEEDSIM_GATEWAY_GUARD_H
#define TICKBUS_FEEDSIM_GATEWAY_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GATEWAY_GUARD_TRIES   5u
#define GATEWAY_GUARD_PLACES  256u
#define GATEWAY_GUARD_NS_MAX  UINT64_C(60000000000)
#define GATEWAY_GUARD_FORGETS UINT64_C(3600000000000)

typedef struct gateway_guard {
    struct {
        uint8_t network[8];
        uint8_t rest[8];
        uint32_t user;     /* index; that of an unknown one is GATEWAY_NO_USER */
        uint32_t failures; /* 0: the place is free */
        uint64_t seen_ns;
        uint64_t until_ns; /* not before */
    } places[GATEWAY_GUARD_PLACES];
} gateway_guard_t; /* all zeros at first */

/* May that user log in from that address (gateway_peer_address) now? */
bool gateway_guard_lets(gateway_guard_t *g, const uint8_t address[16], uint32_t user,
                        uint64_t now_ns);

/* What became of a login whose password was looked at. */
void gateway_guard_tell(gateway_guard_t *g, const uint8_t address[16], uint32_t user, bool right,
                        uint64_t now_ns);

/* Users have other numbers now: that of user `n` is `numbers[n]`, of `count`; GATEWAY_NO_USER: it
 * is gone, and its failures are forgotten. */
void gateway_guard_renumber(gateway_guard_t *g, const uint32_t *numbers, uint32_t count);

#ifdef __cplusplus
}
#endif
#endif
