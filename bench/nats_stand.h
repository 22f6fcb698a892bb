/* SPDX-License-Identifier: Apache-2.0 */
/* nats_stand.h - a NATS server of a bench's own, at a free port of loopback; it dies with us. */
#ifndef TICKBUS_BENCH_NATS_STAND_H
#define TICKBUS_BENCH_NATS_STAND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct nats_stand {
    pid_t pid;
    uint16_t port;
    char directory[64]; /* what it stores; removed with it */
} nats_stand_t;

/* `more`: lines of its configuration; "jetstream {}" stores in its directory. False: it is not
 * here (Debian: nats-server). */
bool nats_stand_start(nats_stand_t *n, const char *more);
/* Three that keep streams together, at ports of loopback; the first stream that is made waits until
 * they have a leader. */
bool nats_stand_start_cluster(nats_stand_t n[3]);
void nats_stand_stop(nats_stand_t *n);

#endif
