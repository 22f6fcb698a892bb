/* SPDX-License-Identifier: Apache-2.0 */
/* answer.h - what JetStream answers to a message that was published, a PubAck in JSON:
 *
 *    {"stream":"lab","seq":12}            stored; with "duplicate":true it was there before
 *    {"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 11"}, ...}
 *    {"error":{"code":503,"description":"raft: not leader"}, ...}
 *
 * and an empty message with the status 503 in its headers when nobody keeps that stream now.
 * Whatever comes is an answer: what cannot be read says of its message that it is not known to be
 * stored, and who waits for it need not wait until its time is up. Pure; the bytes are those of a
 * server, checked. */
#ifndef TICKBUS_FEEDSIM_NATS_ANSWER_H
#define TICKBUS_FEEDSIM_NATS_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* err_code, of nats-server's errors.json */
enum nats_error_code {
    NATS_ERROR_ACCOUNT = 10002,       /* resources of the account */
    NATS_ERROR_NO_PEERS = 10005,      /* too few servers are up, or known, for so many replicas */
    NATS_ERROR_NOT_AVAILABLE = 10008, /* JetStream, for the time being */
    NATS_ERROR_NOT_LEADER = 10009,    /* of the cluster, or of the stream */
    NATS_ERROR_RESOURCES = 10023,     /* insufficient resources */
    NATS_ERROR_MEMORY = 10028,        /* memory of the account, or the server */
    NATS_ERROR_STORAGE = 10047,       /* storage of the account, or the server */
    NATS_ERROR_NOT_FOUND = 10059,     /* no such stream */
    NATS_ERROR_OTHER_STREAM = 10060,  /* Nats-Expected-Stream is another */
    NATS_ERROR_NAME_IN_USE = 10058,   /* by a stream of another configuration */
    NATS_ERROR_LAST_ID = 10070,       /* Nats-Expected-Last-Msg-Id is another */
    NATS_ERROR_LAST_SEQUENCE = 10071, /* Nats-Expected-Last-Sequence is another, or -Subject- */
    NATS_ERROR_STORE = 10077          /* could not be stored: limits of the stream, the disk */
};

enum nats_answer_kind {
    NATS_ANSWER_STORED = 0,
    NATS_ANSWER_DUPLICATE = 1,  /* it was there before: `sequence` says where */
    NATS_ANSWER_OTHER_LAST = 2, /* the stream's last message is another than was said */
    NATS_ANSWER_FULL = 3,       /* limits of the stream, of the account, or the disk */
    NATS_ANSWER_UNSERVED = 4,   /* nobody keeps that stream now: no leader, or no JetStream */
    NATS_ANSWER_WRONG = 5       /* all else, what is no answer as well */
};

typedef struct nats_answer {
    enum nats_answer_kind kind;
    uint32_t error_code; /* enum nats_error_code, or another; 0: stored, or there was none */
    uint64_t sequence;   /* in the stream */
    char text[96];       /* the server's words, or ours for what cannot be read; "": none */
} nats_answer_t;

/* `status`: of the message that it came in, 0: it has none. */
void nats_answer_read(unsigned status, const char *json, size_t bytes, nats_answer_t *out_answer);

/* Words of a server, which go to terminals and into JSON: what is not printable ASCII becomes '?'.
 * Accepts NULL. */
void nats_words_clean(char *text);

/* What JetStream answers when a consumer is to be made:
 *    {"stream_name":"lab","name":"kZ3xSgVd", ...}, or an error as above */
typedef struct nats_made {
    uint32_t error_code; /* 0: it is made */
    char name[64];       /* a token of a subject */
    char text[96];       /* of the error */
} nats_made_t;
/* False: it is no such answer. */
bool nats_made_read(const char *json, size_t bytes, nats_made_t *out_made);

/* What JetStream answers when a stream is looked at with a subjects_filter:
 *    {"config":{"subjects":["tickbus.lab.>"]},"state":{"subjects":{"tickbus.lab.md.A":7}}, ...}
 * Has it messages of such subjects? An error has none. */
bool nats_info_has_subjects(const char *json, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
