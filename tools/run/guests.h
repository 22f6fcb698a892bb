/* SPDX-License-Identifier: Apache-2.0 */
/* guests.h - the processes that joined the bus from outside: nobody here forked them, so nobody is
 * told by waitpid(2) when they die.
 *
 * Each is watched by a pidfd from the moment on at which it is handed its descriptors, before it
 * can hold anything; when one ends, whoever is proven dead is buried at once. A process that cannot
 * be watched (another pid namespace, more of them than fit) is looked after by turns: then the life
 * locks are asked every few ms. The pidfd says when to look, the life lock who is dead.
 */
#ifndef TICKBUS_TOOLS_RUN_GUESTS_H
#define TICKBUS_TOOLS_RUN_GUESTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <tickbus/bus.h>

#define GUESTS_MAX (2 * TBUS_PARTICIPANTS_MAX) /* processes; some come in and never join */

typedef struct guests {
    int epoll_fd;
    uint32_t count;
    pid_t pids[GUESTS_MAX];
    int pidfds[GUESTS_MAX];
    bool unwatched;     /* somebody was handed descriptors whose death no pidfd tells */
    uint64_t looked_ns; /* when the life locks were asked last */
} guests_t;

int guests_open(guests_t *out_guests, tbus_error_t *err);
void guests_close(guests_t *guests);

/* Process `pid` is about to join; 0: a process that cannot be seen from here. */
void guests_expect(guests_t *guests, pid_t pid);

/* Readable when one of them has ended. */
int guests_fd(const guests_t *guests);

/* The time that the caller may sleep, `timeout_ms` (-1: for ever) or less. */
int guests_timeout_ms(const guests_t *guests, int timeout_ms);

/* Bury those that are dead, if one has ended or it is time to look. Never waits. Returns how many
 * it were. */
uint32_t guests_bury(guests_t *guests, tbus_bus_t *bus);

#endif
