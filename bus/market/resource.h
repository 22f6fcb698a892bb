/* SPDX-License-Identifier: Apache-2.0 */
/* resource.h - the market view as what the stages of a process share (kind.h): whoever takes ticks
 * asks its crew for it, and all of one process get the same.
 */
#ifndef TICKBUS_BUS_MARKET_RESOURCE_H
#define TICKBUS_BUS_MARKET_RESOURCE_H

#include <tickbus/kind.h>

#include <tickbus/market/market.h>

/* "books": its parameters are a market_limits_t, what it makes is a market_t. */
extern const tbus_resource_t market_resource;

#endif
