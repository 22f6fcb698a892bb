/* SPDX-License-Identifier: Apache-2.0 */
/* mechanism.h - what a mechanism of inter-process communication must be able to do to be measured.
 *
 * The harness knows nothing of any of them: a mechanism is one file in mechanisms/ with one struct
 * of this type, and one line in mechanisms.c. For every trial the harness does, in three processes,
 *
 *    parent                          client (forked)              server (forked)
 *    setup     objects, by name      open   its ends              open   its ends
 *      or inherited                  send, receive ...            receive, send ...
 *    release   what only the         close                        close
 *      children need
 *    cleanup   (both are gone)
 *
 * and kills either child whenever it likes; cleanup must leave nothing behind even so. All messages
 * of a session have the same size. Whatever has a name outside this process (a queue, a key) is
 * recorded in the leftovers *before* it is made, so that the next run can remove it should this one
 * be killed; files go into the directory of the leftovers and need no record.
 *
 * Read next: trial.h (who calls all this), mechanisms/pipe.c (the simplest one).
 */
#ifndef TICKBUS_TOOLS_IPC_MECHANISM_H
#define TICKBUS_TOOLS_IPC_MECHANISM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tickbus/error.h>

#include "tools/ipc/leftovers.h"

enum ipc_role { IPC_CLIENT = 0, IPC_SERVER = 1 };

/* A receive met the orderly end of the stream: no error, and no message. */
#define IPC_END_OF_FILE (-4099)

/* One pair of processes. Copied into both children by fork(2). */
typedef struct ipc_session {
    size_t message_bytes;
    enum ipc_role role;         /* set before open */
    bool one_way;               /* the client only sends, the server only receives */
    ipc_leftovers_t *leftovers; /* parent only; not owned */
    /* message_bytes, 64-byte aligned, for receive; owned by the harness */
    unsigned char *buffer;
    uint64_t syscalls; /* made by this side since open, but for those of open itself */
    void *state;       /* the mechanism's own: made by setup, freed by cleanup */
} ipc_session_t;

/* Count a system call on the way: `n = ipc_call(s, read(fd, ...))`. Leaves errno alone. */
static inline long ipc_call(ipc_session_t *s, long result)
{
    s->syscalls++;
    return result;
}

typedef struct ipc_mechanism {
    const char *name;        /* as --only and the JSON spell it */
    const char *what;        /* how it is done here, in one line */
    const char *family;      /* groups rows that work alike */
    const char *scope;       /* who can meet over it: "related processes", "host", "network" */
    const char *bound;       /* what limits the messages under way, or NULL: nothing does */
    const char *persistence; /* how long unread messages live */
    const char *typical_use;
    const char *in_tickbus; /* where the product itself uses it */
    /* Should it be faster than tickbus somewhere: what it leaves out. NULL: nothing to say. */
    const char *why_ahead;
    /* false: it tells that something happened, and carries no payload */
    bool transfers_data;
    bool synchronises;             /* a receiver can wait by its own means, not by polling memory */
    bool sleeps;                   /* whoever waits uses no CPU */
    bool durable;                  /* messages are in a file */
    size_t message_bytes_max;      /* longest message; 0: any */
    const char *message_bytes_why; /* why not longer */

    /* Does the host have it? If not, says why in `why_not`. NULL: every Linux does. */
    bool (*available)(char *why_not, size_t why_not_bytes);

    /* Make the objects and `state`. On failure `cleanup` follows, and must cope with what is half
     * made (state may be NULL). */
    int (*setup)(ipc_session_t *s, tbus_error_t *err);

    /* In a child: take this role's ends, give up the other's (else nobody would notice that the
     * peer is gone). May wait for the peer. */
    int (*open)(ipc_session_t *s, tbus_error_t *err);

    /* In the parent, after the forks: give up both roles' ends. NULL: nothing to give up. */
    void (*release)(ipc_session_t *s);

    /* Send or receive one message of s->message_bytes. Both wait as long as it takes. 0, or -errno,
     * or IPC_END_OF_FILE. `*out_message` stays valid until the next call on the session; it may
     * point into shared memory. Mechanisms that transfer no data ignore the message, and leave
     * *out_message alone. */
    int (*send)(ipc_session_t *s, const void *message);
    int (*receive)(ipc_session_t *s, const void **out_message);

    /* In a child, at the end. NULL: exiting does it. */
    void (*close)(ipc_session_t *s);

    /* In the parent, when both children are gone: remove every object, free the state. */
    void (*cleanup)(ipc_session_t *s);

    /* Remove an object that a killed run recorded. True: it was there. NULL: this mechanism records
     * none. */
    bool (*remove_leftover)(const char *object);

    /* One line: the limits that this host sets. NULL: none to speak of. */
    void (*limits)(char *text, size_t text_bytes);
} ipc_mechanism_t;

/* All of them, in the order of the classic textbooks, ended by NULL; and the yardstick that
 * everything is compared with. */
extern const ipc_mechanism_t *const ipc_mechanisms[];
extern const ipc_mechanism_t ipc_raw_line;

/* By name, the yardstick included; NULL: there is none. */
const ipc_mechanism_t *ipc_mechanism_find(const char *name);

/* For ipc_leftovers_sweep. */
bool ipc_mechanism_remove_leftover(const char *mechanism, const char *object);

#endif
