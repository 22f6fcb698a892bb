/* SPDX-License-Identifier: Apache-2.0 */
/* open.h - the front door: how a program joins a bus, gets its ends of topics, and waits on them.
 *
 *    tbus_bus_open("demo", "writer", TBUS_FOREVER, &bus, &err)     a bus that `busctl` keeps
 *    tbus_bus_create(...), tbus_bus_add_topic(...), fork, tbus_bus_join(&bus, "writer", &err)
 *                                                      a bus of this process and its children
 *
 *    tbus_bus_publisher(&bus, "hello", &out, &err)      ->  tbus_publish_wait, tbus_publish_try
 *    tbus_bus_subscriber(&bus, "hello", &in, &err)      ->  tbus_take_wait, tbus_peek, tbus_advance
 *    tbus_bus_observer(&bus, "md", TBUS_FROM_NOW, ...)  ->  tbus_observe_wait, tbus_observe
 *    tbus_bus_close(&bus)
 *
 * Opening connects to the supervisor of the bus, whose control socket lies in $XDG_RUNTIME_DIR, or
 * /run/tickbus for root, or /tmp/tickbus-UID, and gets one memory file for the directory and one
 * for each topic. The supervisor decides what may be written: a topic on which participants from
 * outside may neither publish nor gate comes as a descriptor for reading only, and everything but
 * observing is refused with an error that says so. The supervisor is not needed after that: its
 * death ends no one.
 *
 * A participant has a number in the directory for as long as its process lives; a lock that the
 * kernel drops proves its death. Whoever meets what a dead participant left behind repairs it (the
 * waiting forms do; so does `busctl`, within milliseconds), and then its number is free again. A
 * participant that comes back under the same name takes its old number up.
 *
 * A handle and its ends belong to one thread at a time, and to the process that opened or joined: a
 * child made by fork(2) joins again, or opens a bus of its own. All calls check what they are given
 * and return an error; none of them prints or exits. Examples: bus/examples.
 */
#ifndef TICKBUS_OPEN_H
#define TICKBUS_OPEN_H

#include <tickbus/bus.h>
#include <tickbus/observer.h>
#include <tickbus/wait.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Timeouts are in ns; 0 looks once and does not wait. */
#define TBUS_FOREVER UINT64_MAX

/* Open the bus named `bus_name` as the participant `name`. Waits up to `timeout_ns` for a bus of
 * that name to be started; once there is one, its supervisor has 5 s to answer.
 *
 * 0 and *out_bus, which tbus_bus_close gives back. It has a participant number (out_bus->owner)
 * unless the supervisor lets nobody from outside publish or gate anywhere: then it is 0, and the
 * bus can be observed. -EINVAL: a name is empty, too long, or no name for a file; -TBUS_ENOTFOUND:
 * no such bus in that time; -TBUS_EEXISTS: somebody alive has the name; -TBUS_EFULL: the bus has
 * TBUS_PARTICIPANTS_MAX; -EAGAIN: a namesake is being buried, or is joining, and does not get on
 * with it; -TBUS_ESTOPPED: the supervisor refused, err has its words; -ETIMEDOUT: it did not
 * answer; -TBUS_EABI, -TBUS_EBUILD: it is of another version; -errno. Any thread. Cold. */
int tbus_bus_open(const char *bus_name, const char *name, uint64_t timeout_ns, tbus_bus_t *out_bus,
                  tbus_error_t *err);

/* Join a bus that this process or its parent made with tbus_bus_create, as the participant `name`,
 * from this process on. A participant of that name that was added with tbus_participant_add and
 * that nobody is yet, or whose holder is dead, is taken. Returns the participant number. -EINVAL,
 * -TBUS_EEXISTS (somebody alive has the name; or this handle has joined already), -TBUS_EFULL,
 * -TBUS_EKIND (mapped read-only), -EAGAIN, as above. Cold. */
int tbus_bus_join(tbus_bus_t *bus, const char *name, tbus_error_t *err);

/* Our end of a topic, under our own number and name. Each is the caller's memory and must not
 * outlive the handle; tbus_bus_close gives up the right to publish and the place of a subscriber
 * (and tbus_subscriber_leave does that earlier, and frees what a subscriber of messages longer than
 * a slot has allocated).
 *
 * publisher: -EBUSY: a single-publisher topic has its publisher, or this participant publishes
 * there already. It goes on where a dead predecessor stopped.
 *
 * subscriber: publishers wait for it; on a TBUS_MPMC topic it competes with others. follower: sees
 * every message beside those whom they are for, and publishers wait for it too. A place that was
 * reserved under our name (tbus_ring_reserve) is taken, with all that was published since then;
 * otherwise a new place is set up. out->seq is the sequence from which on it has every message;
 * what was published before that was not kept for it. -TBUS_EEXISTS: it has subscribed there
 * already; -TBUS_EKIND: the topic is for one subscriber, and has it; -TBUS_EFULL: all
 * TBUS_RING_SUBS_MAX places are taken; -TBUS_EEVICTED: the reserved place was given up; -EAGAIN:
 * the publisher is stopped in the middle of saying how far it is; -ENOMEM.
 *
 * observer: looks, holds nobody back, may lose messages and is told how many; out->seq is the
 * sequence that it sees first.
 *
 * All: -TBUS_ENOTFOUND: no such topic; -EACCES: that is not allowed to participants from outside;
 * -TBUS_ESTALE: another process joined with this handle; -EINVAL. Cold; system calls. */
int tbus_bus_publisher(tbus_bus_t *bus, const char *topic, tbus_publisher_t *out_publisher,
                       tbus_error_t *err);
int tbus_bus_subscriber(tbus_bus_t *bus, const char *topic, tbus_subscriber_t *out_subscriber,
                        tbus_error_t *err);
int tbus_bus_follower(tbus_bus_t *bus, const char *topic, tbus_subscriber_t *out_subscriber,
                      tbus_error_t *err);
int tbus_bus_observer(tbus_bus_t *bus, const char *topic, enum tbus_observe_from from,
                      tbus_observer_t *out_observer, tbus_error_t *err);

/* How waiting ended, beside what enum tbus_publish says. Negative: there is no going on. */
enum tbus_waited {
    TBUS_NOTHING = 0, /* the time is up */
    TBUS_TAKEN = 1,   /* there is a message */
    TBUS_NOBODY = 8,  /* nobody is left at the other end; told once, the next call waits on */
};

/* Publish a copy of `bytes` bytes by the topic's policy, and wait up to `timeout_ns` for room.
 * TBUS_PUBLISHED; TBUS_FULL: no room in that time; TBUS_DROPPED: on a TBUS_DROP_NEWEST topic;
 * TBUS_NOBODY: it was full, and its last subscriber died or left while we waited: not published,
 * the next call tries again. Negative: -TBUS_ESTOPPED: the bus has ended, nobody takes anything any
 * more; -TBUS_ETOOBIG: longer than the topic's messages; -TBUS_ESTALE: we were declared dead;
 * -EINVAL.
 *
 * Waits as bus->wait_mode says: TBUS_WAIT_PARK (default) spins for about as long as a wake-up costs
 * and then sleeps; TBUS_WAIT_SPIN has the lowest latency and needs a CPU of its own. Where there is
 * room it costs a few ns more than tbus_publish_try: the count of published messages is made exact
 * for onlookers each time. */
int tbus_publish_wait(tbus_bus_t *bus, tbus_publisher_t *p, const void *message, size_t bytes,
                      uint64_t timeout_ns);

/* Wait up to `timeout_ns` for the next message. TBUS_TAKEN: it is at *out_message, 8-byte aligned
 * and *out_bytes long (NULL: not wanted), s->seq is its sequence; it stays there until the next
 * call, which advances over it, or until tbus_advance(s). Otherwise *out_message is NULL.
 * TBUS_NOTHING: none in that time. TBUS_NOBODY: everything is read, and whoever published there has
 * died or left; told once for each time, and not before somebody has published there, so that
 * subscribers may come first. Negative: -TBUS_ESTOPPED: everything is read and the bus has been
 * stopped; or its supervisor is gone as well as every publisher, and no other can come; s->error
 * (-TBUS_ECORRUPT, -TBUS_EEVICTED, -TBUS_ESTALE); -EINVAL.
 *
 * Where a message is there it costs no more than tbus_peek. Where none is, progress is told, and a
 * timeout of 0 costs some system calls; tbus_peek looks without one. */
int tbus_take_wait(tbus_bus_t *bus, tbus_subscriber_t *s, const void **out_message,
                   size_t *out_bytes, uint64_t timeout_ns);

/* The same for an observer: the next message is copied into `into`, which has room for
 * msg_bytes_max of the topic and is 8-byte aligned. *out_seq: its sequence; *out_lost: messages
 * lost just before it, or, with TBUS_NOTHING, before what comes next. Nobody rings for an observer:
 * in between it naps for 100 us (TBUS_WAIT_SPIN: it spins). */
int tbus_observe_wait(tbus_bus_t *bus, tbus_observer_t *o, void *into, size_t *out_bytes,
                      uint64_t *out_seq, uint64_t *out_lost, uint64_t timeout_ns);

#ifdef __cplusplus
}
#endif
#endif
