/* SPDX-License-Identifier: Apache-2.0 */
/* capture.h - the UDP datagrams of a capture file, one by one: pcap and pcapng, micro- and
 * nanoseconds, both byte orders, plain or gzip.
 *
 * The file formats are libpcap's (draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng), the frames
 * feedsim/capture/frame.h's. What holds no datagram is passed over and counted by what it is.
 *
 * A handle belongs to one thread. On the data path: feedsim/capture/streams.h looks at all of it
 * first, then feedsim/source/source_pcap.c reads it.
 */
#ifndef TICKBUS_FEEDSIM_CAPTURE_CAPTURE_H
#define TICKBUS_FEEDSIM_CAPTURE_CAPTURE_H

#include <stdint.h>

#include <tickbus/error.h>

#include "feedsim/capture/frame.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct capture capture_t;

typedef struct capture_counts {
    uint64_t frames;
    uint64_t kinds[FRAME_KINDS]; /* enum frame_kind */
    uint64_t first[FRAME_KINDS]; /* frame number from 1, as other tools count; 0: none */
} capture_counts_t;

enum { CAPTURE_END = 0, CAPTURE_DATAGRAM = 1 };

/* -errno; -TBUS_EFORMAT: it is no capture, or of a kind of link that is not read. Cold. */
int capture_open(const char *path, capture_t **out_capture, tbus_error_t *err);

/* The next datagram, valid until the next call, and when it was captured (ns since the epoch).
 * CAPTURE_DATAGRAM; CAPTURE_END; negative: `err` says what is wrong with the file, and where, and
 * the next call says that it has ended. */
int capture_next(capture_t *c, frame_datagram_t *out_datagram, uint64_t *out_time_ns,
                 tbus_error_t *err);

const char *capture_path(const capture_t *c);
const capture_counts_t *capture_counts(const capture_t *c);

/* Bytes of the file that were read, of how many. */
void capture_progress(const capture_t *c, uint64_t *out_done, uint64_t *out_total);

/* Accepts NULL. */
void capture_close(capture_t *c);

#ifdef __cplusplus
}
#endif
#endif
