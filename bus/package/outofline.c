/* SPDX-License-Identifier: Apache-2.0 */
/* What the public headers define inline, once more as ordinary functions of the same names: for
 * languages that bind to the symbols of libtickbus and cannot compile its headers. A C or C++
 * program never calls these.
 *
 * This file also is the list of the public headers: what they declare is what the shared library
 * exports (exports.cmake). */
#define TBUS_INLINE
#define TBUS_HOT
#pragma GCC diagnostic ignored "-Wmissing-prototypes" /* an inline function needs none */

#include <tickbus/tickbus.h>

#include <tickbus/market/clock.h>
#include <tickbus/market/market.h>
#include <tickbus/market/position.h>
#include <tickbus/msg/bbo.h>
#include <tickbus/msg/event.h>
#include <tickbus/msg/itch_types.h>
#include <tickbus/msg/order.h>
#include <tickbus/msg/report.h>
#include <tickbus/msg/tick.h>
#include <tickbus/strategy.h>
