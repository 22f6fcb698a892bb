/* SPDX-License-Identifier: Apache-2.0 */
/* outlet.h - a publisher and a bounded box for the messages that its ring had no room for.
 *
 * A stage must not wait for room on a ring, and must not lose what it has made out of its input
 * (stage.h). So it sends through an outlet, which keeps what finds the ring FULL and publishes it
 * later, in the same order:
 *
 *    send ---> is the box empty? -- yes --> room on the ring? -- yes --> SENT
 *                      | no                         | no
 *                      +----------> box <-----------+                    KEPT
 *                                    | no place free                     FULL: nothing was done
 *                                    |
 *    retry, flush <--- oldest first -+
 *
 * While anything is kept, the stage sets stage->pending and takes no input that could cause more
 * messages than the box has places left. How many those are at most is the stage's own arithmetic;
 * the box never grows.
 *
 * A message that carries the time of its publication is stamped by the caller: just before
 * tbus_outlet_send, and again, in the box (tbus_outlet_front), before each tbus_outlet_retry.
 *
 * The publisher is joined and left by the stage, the box is created and destroyed beside it. An
 * outlet belongs to one thread. The box is private memory: what is kept dies with its process.
 * On the data path: between a stage and its output ring. Previous: publisher.h.
 */
#ifndef TICKBUS_OUTLET_H
#define TICKBUS_OUTLET_H

#include <tickbus/publisher.h>

#ifdef __cplusplus
extern "C" {
#endif

enum tbus_outlet_result {
    TBUS_OUTLET_SENT = 0,  /* it is on the ring */
    TBUS_OUTLET_KEPT = 1,  /* it is in the box */
    TBUS_OUTLET_FULL = 2,  /* neither ring nor box has room; nothing was done */
    TBUS_OUTLET_STALE = 3, /* we were declared dead (TBUS_STALE): nothing goes out any more */
};

typedef struct tbus_outlet {
    uint32_t kept;        /* messages in the box */
    uint32_t places;      /* messages that the box can hold */
    uint32_t first;       /* place of the oldest message */
    uint32_t place_bytes; /* a length (8 bytes), then the message */
    unsigned char *box;   /* owned; `places` places of `place_bytes` bytes */
    tbus_publisher_t publisher;
} tbus_outlet_t;

/* An outlet whose box holds `places` messages of up to `message_bytes_max` bytes; allocates the box
 * and touches each page of it. The publisher is joined afterwards:
 *
 *    tbus_outlet_create(&outlet, 1, sizeof(report_t), err);
 *    tbus_stage_join_publisher(stage, "reports", &outlet.publisher, err);
 *
 * 0, -EINVAL (no places, no bytes, or more than fit in 32 bits), -ENOMEM. Cold. */
int tbus_outlet_create(tbus_outlet_t *out_outlet, uint32_t places, uint32_t message_bytes_max,
                       tbus_error_t *err);

/* Free the box, with what it keeps. Accepts NULL and an outlet that is all zeros. Cold. */
void tbus_outlet_destroy(tbus_outlet_t *outlet);

/* Publish a copy of the message, or keep one. `bytes`: at most message_bytes_max and what the ring
 * takes (both asserted). Never waits, never allocates. */
TBUS_HOT enum tbus_outlet_result tbus_outlet_send(tbus_outlet_t *o, const void *message,
                                                  size_t bytes);

/* The oldest message that is kept, where it lies in the box, aligned to 8 bytes: the caller may
 * change it (stamp it) before tbus_outlet_retry. Readable until the next tbus_outlet_send. NULL:
 * none is kept. */
void *tbus_outlet_front(tbus_outlet_t *o, size_t *out_bytes);

/* Publish the oldest message that is kept, of which there must be one (asserted): SENT, KEPT (there
 * is still no room) or STALE. */
enum tbus_outlet_result tbus_outlet_retry(tbus_outlet_t *o);

/* Publish what is kept, as it is, as far as there is room. Returns how many messages went out. */
uint32_t tbus_outlet_flush(tbus_outlet_t *o);

/* --- inline hot path; the rest is in bus/run/outlet.c --- */

/* Not for callers: the message cannot go out now. */
enum tbus_outlet_result tbus_outlet_keep(tbus_outlet_t *o, const void *message, size_t bytes);

TBUS_HOT enum tbus_outlet_result tbus_outlet_send(tbus_outlet_t *o, const void *message,
                                                  size_t bytes)
{
    /* Nothing may overtake what is kept. */
    if (TBUS_LIKELY(o->kept == 0) &&
        TBUS_LIKELY(tbus_publish_try(&o->publisher, message, bytes) == TBUS_PUBLISHED))
        return TBUS_OUTLET_SENT;
    return tbus_outlet_keep(o, message, bytes);
}

#ifdef __cplusplus
}
#endif
#endif
