/* SPDX-License-Identifier: Apache-2.0 */
/* cpu.h - what the rings want to know of the CPU. Internal to bus/ring. */
#ifndef TICKBUS_BUS_RING_CPU_H
#define TICKBUS_BUS_RING_CPU_H

#include <stdbool.h>

/* True: a store of 16 bytes to an aligned address of ordinary memory becomes visible at once
 * (tbus_store_release_pair_u64 in atomic.h has the sources). False: nobody promises that here, and
 * publishers store a slot's word by itself, last. Asks the CPU the first time, which is dear in a
 * virtual machine. Any thread. */
bool tbus_cpu_stores_pairs(void);

#endif
