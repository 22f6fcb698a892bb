/* SPDX-License-Identifier: Apache-2.0 */
/* nats_server.h - real NATS servers with JetStream for tests: one on loopback, or a cluster of
 * three, each in a network namespace of its own.
 *
 *    one       test --127.0.0.1:PORT--> nats-server
 *
 *    cluster   test's own network namespace        namespaces of the nodes
 *                bridge 10.84.17.254 --- node1 ---- 10.84.17.1:4222   nats-server
 *                                   \-- node2 ---- 10.84.17.2:4222   nats-server
 *                                    \- node3 ---- 10.84.17.3:4222   nats-server
 *
 * A server keeps everything in a scratch directory: configuration, log and store. It can be stopped
 * in order, killed, paused, and started again on the same store and at the same port. Nothing
 * outlives the test, whatever becomes of it: servers die with the process that started them, and
 * network namespaces have no names, so that the kernel removes them with their last process. Only
 * the scratch directory of a test that is killed stays.
 *
 * A test without the package nats-server, and one of a cluster without root, says so and is
 * skipped. One thread.
 */
#ifndef TICKBUS_TESTS_SUPPORT_NATS_SERVER_H
#define TICKBUS_TESTS_SUPPORT_NATS_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/support/program.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nats_server {
    char directory[SCRATCH_PATH_MAX];
    char address[16];
    uint16_t port; /* the same for all of its life */
    char url[48];  /* nats://ADDRESS:PORT */
    char config[SCRATCH_PATH_MAX + 16];
    int namespace_fd; /* it runs in there; -1: where the test does */
    const char *argv[4];
    program_t program;
} nats_server_t;

/* Is there a nats-server to be run? */
bool nats_server_there(void);

/* A server on loopback at a free port, once JetStream serves. `lines`: more of its configuration
 * (an authorization block, limits), or NULL. False: it has not come up in 30 seconds, which was
 * said on stderr with the end of its log; it is to be cleared all the same. */
bool nats_server_start(nats_server_t *s, const char *lines);
/* Start it again after its end, on the same store. */
bool nats_server_again(nats_server_t *s);
/* Does it answer, JetStream included? A cluster has to have a leader for that. */
bool nats_server_serves(const nats_server_t *s);

void nats_server_stop(nats_server_t *s); /* SIGTERM, and wait for its end */
void nats_server_kill(nats_server_t *s); /* SIGKILL, likewise */
void nats_server_pause(const nats_server_t *s);
void nats_server_continue(const nats_server_t *s);

/* Kill it and remove its directory. Accepts one that is all zeros. */
void nats_server_clear(nats_server_t *s);

#define NATS_NODES 3u

typedef struct nats_cluster {
    nats_server_t nodes[NATS_NODES];
    pid_t holders[NATS_NODES];      /* keep the namespaces while no server runs in them */
    char urls[NATS_NODES * 48 + 4]; /* of all, with commas between */
} nats_cluster_t;

/* Can there be one: root, ip(8), nats-server? Else why not, for people. */
bool nats_cluster_there(const char **out_why);

/* Three nodes that have found one another and elected a leader. From then on this process and its
 * children live in a network namespace of their own, which has the bridge and a loopback: call it
 * before there are threads. False as above. */
bool nats_cluster_start(nats_cluster_t *c);
/* Take the link of a node down, or up again. */
bool nats_cluster_cut(const nats_cluster_t *c, unsigned node);
bool nats_cluster_mend(const nats_cluster_t *c, unsigned node);
/* Accepts one that is all zeros. */
void nats_cluster_clear(nats_cluster_t *c);

#ifdef __cplusplus
}
#endif
#endif
