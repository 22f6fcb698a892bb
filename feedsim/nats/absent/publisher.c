/* SPDX-License-Identifier: Apache-2.0 */
/* In the place of feedsim/nats/jetstream/publisher.c where there is no NATS client library. */
#include "feedsim/nats/jetstream/publisher.h"

int nats_publisher_create(const nats_way_t *way, const nats_stream_wish_t *wish,
                          nats_publisher_t **out_publisher, tbus_error_t *err)
{
    (void)way;
    (void)wish;
    (void)out_publisher;
    return nats_missing("a bridge", err);
}

void nats_publisher_destroy(nats_publisher_t *p)
{
    (void)p;
}

int nats_publisher_connect(nats_publisher_t *p, tbus_error_t *err)
{
    (void)p;
    return nats_missing("a bridge", err);
}

void nats_publisher_disconnect(nats_publisher_t *p)
{
    (void)p;
}

bool nats_publisher_connected(const nats_publisher_t *p, tbus_error_t *err)
{
    (void)p;
    (void)nats_missing("a bridge", err);
    return false;
}

const char *nats_publisher_stream(const nats_publisher_t *p)
{
    (void)p;
    return "";
}

const char *nats_publisher_server(const nats_publisher_t *p)
{
    (void)p;
    return "";
}

int nats_publisher_ask(nats_publisher_t *p, const char *const *topics, uint32_t count,
                       nats_stream_last_t *out_stream, nats_topic_last_t *out_lasts,
                       tbus_error_t *err)
{
    (void)p;
    (void)topics;
    (void)count;
    (void)out_stream;
    (void)out_lasts;
    return nats_missing("a bridge", err);
}

int nats_publisher_put(nats_publisher_t *p, const nats_outgoing_t *message, tbus_error_t *err)
{
    (void)p;
    (void)message;
    return nats_missing("a bridge", err);
}

uint32_t nats_publisher_answers(nats_publisher_t *p, nats_incoming_answer_t *out, uint32_t max)
{
    (void)p;
    (void)out;
    (void)max;
    return 0;
}

bool nats_publisher_is_choked(const nats_publisher_t *p)
{
    (void)p;
    return true;
}

void nats_publisher_turn(nats_publisher_t *p, uint64_t now_ns)
{
    (void)p;
    (void)now_ns;
}

void nats_publisher_wait(nats_publisher_t *p, uint64_t ns)
{
    (void)p;
    (void)ns;
}
