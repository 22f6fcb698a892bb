/* SPDX-License-Identifier: Apache-2.0 */
/* fault_proxy.h - a TCP proxy on loopback that treats connections badly, as it is told: between a
 * client and a server that know nothing of it.
 *
 *    client --> [ up: pieces, faults ] --> server
 *           <-- [ down: pieces, faults ] <--
 *
 * It runs in a thread of its own; start and stop it from one thread. */
#ifndef TICKBUS_TESTS_FAULT_PROXY_H
#define TICKBUS_TESTS_FAULT_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fault_proxy fault_proxy_t;

#define FAULT_NEVER UINT64_MAX

/* Of one direction of one connection. Bytes count from its beginning. */
typedef struct fault_way {
    size_t piece_bytes;    /* passed on in pieces of at most so many; 0: as they come */
    size_t coalesce_bytes; /* held back until there are so many, or the sender has closed; 0: not */
    uint64_t reset_at;     /* both sides get a RST after so many bytes were passed on */
    uint64_t stall_at;     /* nothing is passed on after so many, and nothing closed: half open */
} fault_way_t;

typedef struct fault_plan {
    fault_way_t up, down;
} fault_plan_t;

/* Called in the proxy's thread for connection `number`, from 0; the plan has no faults so far. */
typedef void (*fault_planner_t)(unsigned number, void *context, fault_plan_t *plan);

/* `planner` NULL: no faults. Returns NULL when there is no socket or no thread. */
fault_proxy_t *fault_proxy_start(uint16_t server_port, fault_planner_t planner, void *context,
                                 uint16_t *out_port);

/* Ends with a RST what is still open. Accepts NULL. */
void fault_proxy_stop(fault_proxy_t *proxy);

#endif
