/* SPDX-License-Identifier: Apache-2.0 */
/* handover.h - messages from the thread that receives them to the stage that wants them: a queue of
 * bytes between two threads of one process, allocated once.
 *
 *    +--------------------+---------+------+--------------------+---------+------
 *    | item 40            | payload | rest | item               | payload | ...
 *    +--------------------+---------+------+--------------------+---------+------
 *    multiples of 64; what does not fit before the end of the buffer begins at its start
 *
 * One thread puts and one takes. Taking never enters the kernel, takes no lock and allocates
 * nothing; it sleeps only where nats_handover_wait is called. Putting does not wait either: who
 * finds no room tries again later, and so holds up nobody but the sender.
 *
 * On the data path: feedsim/nats/jetstream/tail.h -> here -> feedsim/source/source_nats.c.
 */
#ifndef TICKBUS_FEEDSIM_NATS_HANDOVER_H
#define TICKBUS_FEEDSIM_NATS_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tickbus/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NATS_HANDOVER_BYTES_MIN (UINT64_C(1) << 20)
#define NATS_HANDOVER_BYTES_MAX (UINT64_C(1) << 32)

enum nats_item_kind {
    NATS_ITEM_SKIP = 0, /* the queue's own: go on at the start of the buffer */
    NATS_ITEM_MESSAGE = 1,
    NATS_ITEM_LOST = 2, /* messages seq..last are lost */
    NATS_ITEM_END = 3,
    NATS_ITEM_FAILED = 4 /* payload: the words, terminated; `last`: the code, negated */
};

typedef struct nats_item {
    uint64_t seq;
    uint64_t last;
    uint64_t time_ns;
    uint32_t kind;
    uint32_t bytes; /* of the payload, which follows */
    uint32_t warm_up;
    uint32_t pad;
} nats_item_t;

static inline const uint8_t *nats_item_payload(const nats_item_t *item)
{
    return (const uint8_t *)(item + 1);
}

typedef struct nats_handover nats_handover_t;

/* `bytes`: MIN to MAX; made up to a power of two. The memory is touched. -ENOMEM. Cold. */
int nats_handover_create(uint64_t bytes, nats_handover_t **out_queue, tbus_error_t *err);
void nats_handover_destroy(nats_handover_t *q); /* accepts NULL */

/* By the one that puts. At most half of MIN with its payload. False: there is no room now. */
bool nats_handover_put(nats_handover_t *q, const nats_item_t *item, const void *payload);

/* By the one that takes: the next item, valid until it is popped; NULL: there is none now. */
const nats_item_t *nats_handover_front(nats_handover_t *q);
void nats_handover_pop(nats_handover_t *q, const nats_item_t *item);
/* Sleep until there is one, or until that time of CLOCK_MONOTONIC. */
void nats_handover_wait(nats_handover_t *q, uint64_t until_ns);

#ifdef __cplusplus
}
#endif
#endif
