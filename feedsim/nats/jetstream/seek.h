/* SPDX-License-Identifier: Apache-2.0 */
/* seek.h - where in a stream a message of the topic is: by its sequence, or by the time at which
 * the server stored it. Private to tail.h, whose thread it belongs to. Used between
 * nats_binding_open and nats_binding_consume.
 *
 * What there is, the stream's leader says; where it is, any replica does. One that lags may have
 * less: an answer that contradicts the leader is an error (-EIO), and one tries again. */
#ifndef TICKBUS_FEEDSIM_NATS_JETSTREAM_SEEK_H
#define TICKBUS_FEEDSIM_NATS_JETSTREAM_SEEK_H

#include "feedsim/nats/jetstream/binding.h"

/* The first message of the topic at or behind a place. */
typedef struct nats_found {
    bool there;
    bool end; /* of the topic: it stands for the message that never comes */
    uint64_t stream_seq;
    uint64_t time_ns; /* when the server stored it */
    uint64_t first;   /* sequences on the topic that it stands for: more than one of a loss */
    uint64_t last;
} nats_found_t;

/* The first message of the topic whose `last`, or time, is at least that; `seq` 0: the first that
 * there is. Halving finds it, as both go up with the stream's own sequence. (Not by OptStartTime:
 * libnats 3.4.1 drops the zeros that a fraction of a second begins with.) */
int nats_seek_seq(nats_binding_t *b, uint64_t seq, nats_found_t *out_found, tbus_error_t *err);
int nats_seek_time(nats_binding_t *b, uint64_t time_ns, nats_found_t *out_found, tbus_error_t *err);
/* The sequence of the topic's last message; 0: there is none. */
int nats_seek_last(nats_binding_t *b, uint64_t *out_seq, tbus_error_t *err);
/* The place in the stream of the message `seq` of the topic; of the one that comes next, the place
 * behind the end. -TBUS_ENOTFOUND: it is gone, or is further away. */
int nats_seek_locate(nats_binding_t *b, uint64_t seq, uint64_t *out_stream_seq, tbus_error_t *err);

#endif
