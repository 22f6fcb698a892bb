/* SPDX-License-Identifier: Apache-2.0 */
/* nats_spec.h - what the spec of a source on NATS JetStream says, without a look at the network:
 *
 *    nats://HOST:PORT[,nats://HOST:PORT...]/STREAM[?KEY=VALUE[&...]]
 *
 * Servers as feedsim/nats/url.h takes them, also tls://. The keys are in source.h. Of a key that
 * stands there twice the last one holds. Cold. */
#ifndef TICKBUS_FEEDSIM_SOURCE_NATS_SPEC_H
#define TICKBUS_FEEDSIM_SOURCE_NATS_SPEC_H

#include <stdint.h>

#include <tickbus/error.h>

#include "feedsim/nats/jetstream/tail.h"
#include "feedsim/nats/layout.h"
#include "feedsim/source/source_keys.h"

#ifdef __cplusplus
extern "C" {
#endif

#define NATS_SPEC_SERVERS_MAX 1024u

typedef struct nats_spec {
    char servers[NATS_SPEC_SERVERS_MAX];
    char stream[NATS_STREAM_MAX];
    char from_text[SOURCE_TEXT_MAX];
    enum nats_tail_from from;
    uint64_t from_seq;
    uint64_t from_ns; /* since 1970 */
    char session[SOURCE_TEXT_MAX];
    char credentials[SOURCE_TEXT_MAX]; /* files, as the next */
    char ca[SOURCE_TEXT_MAX];
    char certificate[SOURCE_TEXT_MAX];
    char key[SOURCE_TEXT_MAX];
    uint64_t lost_ns; /* UINT64_MAX: never */
    uint64_t keep_bytes;
} nats_spec_t;

/* `spec`: all of it. -TBUS_ECONFIG. */
int nats_spec_parse(const char *spec, nats_spec_t *out_spec, tbus_error_t *err);

/* Of the topic md. Its texts are those of `spec`. */
void nats_spec_options(const nats_spec_t *spec, nats_tail_options_t *out_options);

#ifdef __cplusplus
}
#endif
#endif
