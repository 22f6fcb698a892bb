/* SPDX-License-Identifier: Apache-2.0 */
/* window.h - the messages of a stream in order, out of answers that come in any order, from any
 * replica, twice or not at all. "The first message at or behind a position" is asked for several
 * positions at once:
 *
 *    position     next           asked          What is at `next` is taken first. Its answer names
 *       |----------|==============|--------     the message behind which the next position is; the
 *         taken      asked for                  answers to those in between were the same one.
 *
 * A replica may lag behind the others, and then has nothing there, though the stream has. So it is
 * asked again from `next` on, whatever others have answered to later positions: nothing is skipped.
 * One position is asked for then, and twice as many after each message.
 *
 * Pure. On the data path: the stream -> feedsim/nats/jetstream/direct.h, which asks -> here ->
 * feedsim/nats/jetstream/tail.h.
 */
#ifndef TICKBUS_FEEDSIM_NATS_WINDOW_H
#define TICKBUS_FEEDSIM_NATS_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NATS_WINDOW_MAX 256u /* a power of two */

typedef struct nats_window_answer {
    void *message;       /* NULL: no answer yet, or there is nothing */
    uint64_t stream_seq; /* where it is; 0: there is nothing */
    bool there;          /* the answer */
} nats_window_answer_t;

typedef struct nats_window {
    uint64_t next;  /* position */
    uint64_t asked; /* behind the last one */
    uint32_t size;  /* positions at once, now */
    void (*drop)(void *message);
    nats_window_answer_t answers[NATS_WINDOW_MAX]; /* by position */
} nats_window_t;

enum nats_window_outcome {
    NATS_WINDOW_LATER = 0,   /* its answer has not come */
    NATS_WINDOW_MESSAGE = 1, /* taken: it is the caller's */
    NATS_WINDOW_NOTHING = 2, /* whoever was asked has nothing there: ask again, after a while */
    NATS_WINDOW_WRONG = 3    /* the answer is from before the position */
};

/* From a position on. `drop`: what becomes of messages that nobody takes. */
void nats_window_begin(nats_window_t *w, uint64_t position, void (*drop)(void *message));
/* Is there another position to be asked for? It counts as asked for. */
bool nats_window_ask(nats_window_t *w, uint64_t *out_position);
/* The first position at or behind *position that was asked for and has no answer yet: to be asked
 * for again, of another replica, as it may be. False: there is none. */
bool nats_window_lacks(const nats_window_t *w, uint64_t *position);
/* An answer to a position: a message and where it is, or NULL and 0: nothing. It is dropped when
 * nobody waits for it. */
void nats_window_put(nats_window_t *w, uint64_t position, void *message, uint64_t stream_seq);
enum nats_window_outcome nats_window_take(nats_window_t *w, void **out_message,
                                          uint64_t *out_stream_seq);
/* All is to be asked for again. Drops what has come. */
void nats_window_again(nats_window_t *w);

#ifdef __cplusplus
}
#endif
#endif
