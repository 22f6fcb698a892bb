/* SPDX-License-Identifier: Apache-2.0 */
/* kind.h - the bridge to NATS JetStream as a kind of stage, and the values of its parameters, which
 * `busctl bridge` beside a bus takes as well.
 *
 * It follows its topics as an observer and holds nobody up. It is a stage that serves
 * (TBUS_KIND_SERVES): it has a process of its own, in which the threads of the NATS library live,
 * and when that dies it is started again and goes on behind the last message that the stream has.
 * All of the work is done by feedsim/bridge/bridge.h.
 */
#ifndef TICKBUS_FEEDSIM_BRIDGE_KIND_H
#define TICKBUS_FEEDSIM_BRIDGE_KIND_H

#include <tickbus/kind.h>

#include "feedsim/bridge/bridge.h"

#ifdef __cplusplus
extern "C" {
#endif

#define BRIDGE_UNFINISHED                                                                          \
    "bridge.unfinished" /* counter: 1 when the stream lacks messages at the end */

/* Section `bridge`. */
typedef struct bridge_values {
    char url[400]; /* "": nothing is published */
    uint32_t topics_count;
    char topics[BRIDGE_TOPICS_MAX][TBUS_NAME_MAX];
    char stream[128];
    char credentials[256];
    char ca[256];
    char certificate[256];
    char key[256];
    uint32_t in_flight;
    uint64_t in_flight_bytes;
    uint32_t timeout_ms;
    uint64_t max_bytes;
    uint64_t max_messages;
    uint64_t max_age_s;
    uint32_t discard;
    uint32_t storage;
    uint32_t replicas;
    uint32_t duplicates_ms;
    uint32_t symbols;
} bridge_values_t;

extern const tbus_kind_t bridge_kind;

/* What a bridge of these values is. The options point into the values. */
bridge_options_t bridge_options_of(const bridge_values_t *values);

#ifdef __cplusplus
}
#endif
#endif
