/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/nats/window.h"

#include <stddef.h>

_Static_assert((NATS_WINDOW_MAX & (NATS_WINDOW_MAX - 1)) == 0, "positions are masked");

static nats_window_answer_t *answer_to(nats_window_t *w, uint64_t position)
{
    return &w->answers[position & (NATS_WINDOW_MAX - 1)];
}

static void forget(nats_window_t *w, uint64_t position)
{
    nats_window_answer_t *a = answer_to(w, position);
    if (a->message)
        w->drop(a->message);
    *a = (nats_window_answer_t){0};
}

void nats_window_begin(nats_window_t *w, uint64_t position, void (*drop)(void *message))
{
    *w = (nats_window_t){.next = position, .asked = position, .size = 1, .drop = drop};
}

bool nats_window_ask(nats_window_t *w, uint64_t *out_position)
{
    if (w->asked - w->next >= w->size)
        return false;
    *out_position = w->asked++;
    return true;
}

bool nats_window_lacks(const nats_window_t *w, uint64_t *position)
{
    uint64_t at = *position > w->next ? *position : w->next;
    while (at < w->asked && w->answers[at & (NATS_WINDOW_MAX - 1)].there)
        at++;
    *position = at;
    return at < w->asked;
}

void nats_window_put(nats_window_t *w, uint64_t position, void *message, uint64_t stream_seq)
{
    bool wanted = position >= w->next && position < w->asked && !answer_to(w, position)->there;
    if (wanted)
        *answer_to(w, position) = (nats_window_answer_t){
            .message = message, .stream_seq = message ? stream_seq : 0, .there = true};
    else if (message)
        w->drop(message);
}

void nats_window_again(nats_window_t *w)
{
    for (uint64_t position = w->next; position < w->asked; position++)
        forget(w, position);
    w->asked = w->next;
    w->size = 1;
}

enum nats_window_outcome nats_window_take(nats_window_t *w, void **out_message,
                                          uint64_t *out_stream_seq)
{
    nats_window_answer_t first = *answer_to(w, w->next);
    if (w->asked == w->next || !first.there)
        return NATS_WINDOW_LATER;
    if (!first.message || first.stream_seq < w->next || first.stream_seq == UINT64_MAX) {
        nats_window_again(w);
        return first.message ? NATS_WINDOW_WRONG : NATS_WINDOW_NOTHING;
    }
    *answer_to(w, w->next) = (nats_window_answer_t){0};
    while (++w->next <= first.stream_seq && w->next < w->asked)
        forget(w, w->next);
    w->next = first.stream_seq + 1;
    w->asked = w->asked > w->next ? w->asked : w->next;
    w->size = 2 * w->size < NATS_WINDOW_MAX ? 2 * w->size : NATS_WINDOW_MAX;
    *out_message = first.message;
    *out_stream_seq = first.stream_seq;
    return NATS_WINDOW_MESSAGE;
}
