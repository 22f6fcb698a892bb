/* SPDX-License-Identifier: Apache-2.0 */
/* tickbus.h - all of libtickbus: a market data bus over rings in shared memory. Start reading at
 * ring.h and bus.h. */
#ifndef TICKBUS_TICKBUS_H
#define TICKBUS_TICKBUS_H

#include <tickbus/bus.h>
#include <tickbus/glance.h>
#include <tickbus/history.h>
#include <tickbus/horizon.h>
#include <tickbus/journal.h>
#include <tickbus/kind.h>
#include <tickbus/observer.h>
#include <tickbus/open.h>
#include <tickbus/outlet.h>
#include <tickbus/param.h>
#include <tickbus/publisher.h>
#include <tickbus/repair.h>
#include <tickbus/soup.h>
#include <tickbus/stage.h>
#include <tickbus/subscriber.h>
#include <tickbus/wait.h>
#include <tickbus/wake.h>

#endif
