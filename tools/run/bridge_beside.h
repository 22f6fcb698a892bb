/* SPDX-License-Identifier: Apache-2.0 */
/* bridge_beside.h - a bridge to NATS JetStream beside a bus that runs already: an observer that
 * attached itself, in the process of `busctl bridge`.
 *
 * It has what the bridge that is a stage has (feedsim/bridge), but for a place in the directory of
 * the bus: its board is a file of the run directory, NAME.bridge, which it keeps locked while it
 * lives. So a second one on this host is refused, and one that comes after it goes on. A bridge on
 * another host, or under another run directory, is told apart by the stream alone, which refuses
 * what does not follow: see feedsim/bridge/flight.h.
 */
#ifndef TICKBUS_TOOLS_RUN_BRIDGE_BESIDE_H
#define TICKBUS_TOOLS_RUN_BRIDGE_BESIDE_H

#include <tickbus/bus.h>

#include "feedsim/bridge/kind.h"

#include "tools/control/client.h"

/* What one that runs, or ran, beside the bus has on its board; NULL: there was none in this session
 * of the bus. For bridge_beside_forget. */
const bridge_board_t *bridge_beside_look(const tbus_rundir_t *dir, const char *name,
                                         const char *session);
void bridge_beside_forget(const bridge_board_t *board); /* accepts NULL */

/* Publish to the stream of `values` until the bus has ended and all is acknowledged. 0;
 * -TBUS_EEXISTS: there is a bridge already; -TBUS_ESTOPPED: the supervisor is gone, or all was not
 * acknowledged in `drain_ns`; else as bridge_create, _start and _turn. *out_board: what it had on
 * its board at the end, also with an error, if it came so far (out_board->pid is not 0). */
int bridge_beside_run(client_t *client, tbus_bus_t *bus, const bridge_values_t *values,
                      uint64_t drain_ns, bridge_board_t *out_board, tbus_error_t *err);

#endif
