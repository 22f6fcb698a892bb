/* SPDX-License-Identifier: Apache-2.0 */
/* In the place of feedsim/nats/jetstream/tail.c where there is no NATS client library. */
#include "feedsim/nats/jetstream/tail.h"

#include <stddef.h>

int nats_tail_open(const nats_tail_options_t *options, nats_tail_t **out_tail, tbus_error_t *err)
{
    (void)options;
    (void)out_tail;
    return nats_missing("a feed of NATS JetStream", err);
}

void nats_tail_close(nats_tail_t *tail)
{
    (void)tail;
}

nats_handover_t *nats_tail_queue(nats_tail_t *tail)
{
    (void)tail;
    return NULL;
}

void nats_tail_counts(const nats_tail_t *tail, nats_tail_counts_t *out_counts)
{
    (void)tail;
    *out_counts = (nats_tail_counts_t){0};
}

int nats_tail_first_seq(const nats_tail_options_t *options, uint64_t *out_seq, tbus_error_t *err)
{
    (void)options;
    (void)out_seq;
    return nats_missing("a feed of NATS JetStream", err);
}
