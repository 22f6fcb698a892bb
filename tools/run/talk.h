/* SPDX-License-Identifier: Apache-2.0 */
/* talk.h - what the supervisor says on stderr, without ever waiting for whoever reads it.
 *
 * A terminal that was stopped (Ctrl-S, a stalled connection) or a pipe that nobody empties must not
 * keep the supervisor from its work: lines go into a queue of fixed size, and out of it as fast as
 * they are taken. What finds no room in the queue is dropped and counted; that is said when there
 * is room again.
 *
 * How it is written without waiting: stderr is opened once more through /proc, so that O_NONBLOCK
 * is set on a description of our own and not on the one that a shell shares with us. A regular file
 * is written to as it is: it never keeps anybody waiting for a reader, and opening it again would
 * write from its beginning. Where stderr cannot be opened again, poll(2) says whether there is room
 * for a short write.
 *
 * One thread. Not for processes that are forked: they have a pipe of their own.
 */
#ifndef TICKBUS_TOOLS_RUN_TALK_H
#define TICKBUS_TOOLS_RUN_TALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TALK_BYTES_MAX (64u << 10)
#define TALK_LINE_MAX  1024u
#define TALK_LINGER_NS UINT64_C(500000000) /* at the end: for what is still queued */

typedef struct talk {
    int fd;           /* what is written to; -1: nothing is, lines are dropped */
    bool own;         /* fd is ours to close */
    bool may_block;   /* the description is shared: ask poll(2) before each short write */
    bool is_file;     /* a regular file */
    uint64_t dropped; /* lines, since it was last said */
    uint64_t dropped_ever;
    uint32_t first, used; /* of the queue, a ring of bytes */
    char queue[TALK_BYTES_MAX];
} talk_t;

/* For the stderr that the process has. Never fails: at worst nothing can be said. */
void talk_open(talk_t *talk);
/* Write what is queued, for TALK_LINGER_NS at most, and close. */
void talk_close(talk_t *talk);

/* Queue one line (cut to TALK_LINE_MAX) and write what can be written. With `time`, the time of day
 * stands before it. */
void talk_line(talk_t *talk, bool time, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Queue text as it is: all of it or nothing. False: no room. */
bool talk_text(talk_t *talk, const char *text, size_t bytes);

/* Is anything queued? Then poll(2) for POLLOUT on talk->fd, and call talk_flush. */
static inline bool talk_waits(const talk_t *talk)
{
    return talk->used != 0;
}
void talk_flush(talk_t *talk);

#endif
