/* SPDX-License-Identifier: Apache-2.0 */
/* frame.h - what clients and servers of NATS say to one another, as bytes: messages with headers to
 * a server, whatever comes from it. Pure; the bytes of a server are checked.
 *
 *    HPUB SUBJECT REPLY HEADER_BYTES ALL_BYTES\r\n HEADERS PAYLOAD \r\n        nats_frame_put
 *    MSG SUBJECT SID [REPLY] BYTES\r\n PAYLOAD \r\n                            nats_frame_read
 *    HMSG SUBJECT SID [REPLY] HEADER_BYTES ALL_BYTES\r\n HEADERS PAYLOAD \r\n
 *    PING\r\n  PONG\r\n  +OK\r\n  -ERR 'TEXT'\r\n  INFO {...}\r\n
 *
 * (NATS client protocol, docs.nats.io/reference/reference-protocols/nats-protocol.)
 */
#ifndef TICKBUS_FEEDSIM_NATS_FRAME_H
#define TICKBUS_FEEDSIM_NATS_FRAME_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum nats_frame_kind {
    NATS_FRAME_MESSAGE = 0,
    NATS_FRAME_PING = 1,
    NATS_FRAME_PONG = 2,
    NATS_FRAME_OK = 3,
    NATS_FRAME_INFO = 4,
    NATS_FRAME_ERROR = 5 /* the payload is the text, with its quotes */
};

/* Points into what was read. */
typedef struct nats_frame {
    enum nats_frame_kind kind;
    const char *subject;
    size_t subject_bytes;
    const char *headers; /* "NATS/1.0 ...\r\n\r\n" */
    size_t headers_bytes;
    const char *payload;
    size_t payload_bytes;
} nats_frame_t;

#define NATS_FRAME_PAYLOAD_MAX (UINT32_C(1) << 30)

/* The frame that `bytes` begin with: its bytes (> 0); 0: it is not whole yet; -1: it is none. */
long nats_frame_read(const char *bytes, size_t count, nats_frame_t *out_frame);

/* What the headers say instead of a message: "NATS/1.0 503" is 503. 0: nothing of that kind. */
unsigned nats_frame_status(const nats_frame_t *frame);

/* A message, answered to at REPLY.TICKET. */
typedef struct nats_frame_out {
    const char *subject;
    const char *reply;
    uint64_t ticket;
    const char *headers;
    size_t headers_bytes;
    const void *payload;
    size_t payload_bytes;
} nats_frame_out_t;

/* No frame has more bytes than that. */
size_t nats_frame_bound(const nats_frame_out_t *frame);
/* Write it to `out`, which has nats_frame_bound. Its bytes. Hot. */
size_t nats_frame_put(const nats_frame_out_t *frame, char *out);

#ifdef __cplusplus
}
#endif
#endif
