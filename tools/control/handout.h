/* SPDX-License-Identifier: Apache-2.0 */
/* handout.h - which descriptors of a bus a client gets: the whole of what the supervisor does to
 * say who may write where.
 *
 * An onlooker gets all of them for reading. A participant from outside gets those of topics on
 * which it may publish or gate (tbus_topic_t.rights) for reading and writing, and then that of the
 * directory as well, where it takes a number. Each is an open file description of its own. (A
 * process of the same user could open its own /proc/self/fd again for writing: one user is one
 * domain of trust, and this keeps honest programs from mistakes.)
 *
 * It is also how a publisher learns that somebody may read it: an observer leaves no trace on a
 * ring, but reads none that was not handed out here (`left_out` of tbus_topic_t).
 */
#ifndef TICKBUS_TOOLS_CONTROL_HANDOUT_H
#define TICKBUS_TOOLS_CONTROL_HANDOUT_H

#include <tickbus/bus.h>

#include "tools/control/protocol.h"

enum handout { HANDOUT_ONLOOKER, HANDOUT_PARTICIPANT };

/* Does anybody from outside get to write anywhere? */
bool handout_admits(const tbus_bus_t *bus);

/* Put the descriptors into the reply: the directory first, then the topics in order. False: the
 * reply says why not. */
bool handout(const tbus_bus_t *bus, enum handout to, control_reply_t *reply);

#endif
