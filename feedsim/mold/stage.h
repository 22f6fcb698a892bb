/* SPDX-License-Identifier: Apache-2.0 */
/* stage.h - MoldUDP64 out as a stage: a topic of the bus for receivers of multicast.
 *
 * It follows its topic as an observer and holds nobody up. It is a stage that serves
 * (TBUS_KIND_SERVES): it has a process of its own, and when that dies it is started again, under
 * the same session name, and goes on with the next message. All of the work is done by
 * feedsim/mold/server.h.
 */
#ifndef TICKBUS_FEEDSIM_MOLD_STAGE_H
#define TICKBUS_FEEDSIM_MOLD_STAGE_H

#include <tickbus/kind.h>

#include "feedsim/mold/server.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MOLDOUT_ADDRESS_MAX (8 * MOLDOUT_TEXT_WORDS)

/* The values of the kind's parameters: section `mold`. */
typedef struct moldout_values {
    char to[MOLDOUT_ADDRESS_MAX]; /* "": it is not sent */
    char topic[TBUS_NAME_MAX];
    char interface[32];
    uint32_t ttl;
    bool loopback;
    uint32_t payload_max;
    uint64_t window_bytes;
    uint32_t send_buffer_bytes;
    uint32_t end_ms;
    char requests[MOLDOUT_ADDRESS_MAX]; /* "": nobody may ask */
    uint32_t requests_rate;
    uint32_t requests_burst;
    uint64_t requests_bytes;
    uint64_t requests_bytes_burst;
    uint64_t requests_bytes_total;
    uint64_t backfill_bytes;
    uint32_t backfill_readers;
} moldout_values_t;

extern const tbus_kind_t moldout_kind; /* kind.c */

#ifdef __cplusplus
}
#endif
#endif
