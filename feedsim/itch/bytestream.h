/* SPDX-License-Identifier: Apache-2.0 */
/* bytestream.h - the bytes of a file or a pipe, unpacked when they are gzip (RFC 1952; several
 * members in a row are one stream).
 *
 * Knows nothing of what the bytes mean. Never seeks and never waits: a pipe whose writer is slow,
 * or has not come yet, says "later". What could be read before damage is always handed out before
 * the damage is told.
 *
 * On the data path: a file of the user's -> here -> feedsim/itch/binaryfile.h. A handle belongs to
 * one thread.
 */
#ifndef TICKBUS_FEEDSIM_ITCH_BYTESTREAM_H
#define TICKBUS_FEEDSIM_ITCH_BYTESTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tickbus/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bytestream bytestream_t;

/* Open a file or a FIFO for reading. -ENOENT and the like from open(2), -EISDIR, -TBUS_EFORMAT:
 * neither a file nor a pipe. Cold. */
int bytestream_open(const char *path, bytestream_t **out_stream, tbus_error_t *err);

/* Read up to `bytes` bytes. > 0: how many; 0: the end; -EAGAIN: a pipe has nothing now; otherwise
 * the stream has ended early and bytestream_fault tells how: -TBUS_ETRUNCATED (gzip data is cut
 * short), -TBUS_EFORMAT (gzip data is damaged), -errno of read(2). The end and faults are final.
 * Enters the kernel about once per 256 KiB. */
int64_t bytestream_read(bytestream_t *s, uint8_t *into, size_t bytes);

/* Half a sentence, such as "the gzip data is cut short"; "" while there is no fault. Lives as long
 * as the stream. */
const char *bytestream_fault(const bytestream_t *s);

bool bytestream_is_pipe(const bytestream_t *s);

/* Bytes of the file that were used, of how many it had when it was opened, while the reader still
 * holds `held` unpacked bytes. *out_total 0: a pipe. No system call. */
void bytestream_progress(const bytestream_t *s, size_t held, uint64_t *out_done,
                         uint64_t *out_total);

/* Accepts NULL. */
void bytestream_close(bytestream_t *s);

#ifdef __cplusplus
}
#endif
#endif
