/* SPDX-License-Identifier: Apache-2.0 */
/* recovery.h - a producer is killed with a claim in hand; how long until the message behind it is
 * delivered?
 *
 * No supervisor takes part: the consumer, polling as any participant does (tbus_waiter_idle), finds
 * the claim in its way, asks the kernel whether its owner's life lock is still held, and buries it.
 */
#ifndef TICKBUS_BENCH_RECOVERY_H
#define TICKBUS_BENCH_RECOVERY_H

#include <tickbus/error.h>

/* out_us[0..rounds): from kill(2) to the message. The consumer on cpus[0], the victims on cpus[1];
 * every other round the consumer parks instead of spinning. 0, or a negative error; -EINTR when a
 * signal came (sides_hold_signals). */
int recovery_run(const int cpus[2], unsigned rounds, double *out_us, tbus_error_t *err);

#endif
