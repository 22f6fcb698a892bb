/* SPDX-License-Identifier: Apache-2.0 */
/* subscriber.h - a client of the gateway whose pipeline is measured: without one the hop `gateway`
 * has no figures. A process of its own, not pinned, that takes every message of md as it comes and
 * does nothing with it. It takes CPU time as any client on the same host does.
 *
 *    subscriber_start   before the pipeline: forks, and waits to be told where to connect
 *    subscriber_tell    while it runs, again and again: as soon as the gateway listens, where
 *    subscriber_end     after it
 */
#ifndef TICKBUS_TOOLS_LATENCY_SUBSCRIBER_H
#define TICKBUS_TOOLS_LATENCY_SUBSCRIBER_H

#include <sys/types.h>

#include <tickbus/bus.h>

#include "tools/config/config.h"

#define SUBSCRIBER_SERVER_MAX 256u

typedef struct subscriber {
    pid_t pid;                 /* 0: none */
    int fd;                    /* what it is told by; -1: it has been told */
    char stage[TBUS_NAME_MAX]; /* the gateway's */
    char host[SUBSCRIBER_SERVER_MAX - 16];
} subscriber_t;

/* 1: started. 0: there is no gateway of md, or one that asks for users, whose passwords are not
 * known here. -errno. */
int subscriber_start(const config_t *config, subscriber_t *out_subscriber, tbus_error_t *err);
void subscriber_tell(subscriber_t *s, const tbus_bus_t *bus);
/* Accepts one that is all zeros. */
void subscriber_end(subscriber_t *s);

#endif
