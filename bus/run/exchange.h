/* SPDX-License-Identifier: Apache-2.0 */
/* exchange.h - one line over the control socket of a bus, and the line that comes back, with the
 * descriptors that it brings. What the lines say is the callers' affair. Private to bus/run and to
 * tools/control. */
#ifndef TICKBUS_BUS_RUN_EXCHANGE_H
#define TICKBUS_BUS_RUN_EXCHANGE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <tickbus/directory.h>

/* A line brings at most the directory and every topic. */
#define TBUS_EXCHANGE_FDS_MAX (1 + TBUS_TOPICS_MAX)

/* Send all of `bytes`. 0 or -errno. */
int tbus_exchange_send(int fd, const char *line, size_t bytes);

/* Wait for a line, whose end must come before `deadline_ns` (CLOCK_MONOTONIC), into `line`, which
 * has room for `room` bytes. Descriptors that come with it are close-on-exec, the caller's, and in
 * `fds` behind the *fds_count that are there; also when this fails. Returns the length of the line
 * with its '\n'; -ETIMEDOUT; -ECONNRESET: the other side went away; -EMFILE: no room for its
 * descriptors in this process; -EPROTO: it is longer than `room`. */
ssize_t tbus_exchange_receive(int fd, uint64_t deadline_ns, char *line, size_t room,
                              int fds[TBUS_EXCHANGE_FDS_MAX], size_t *fds_count);

#endif
