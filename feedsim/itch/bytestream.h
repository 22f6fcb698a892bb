/* SPDX-License-Identifier: Apache-2.0 */
/* bytestream.h - the bytes of a file or a pipe, unpacked when they are gzip (RFC 1952; several
 * members in a row are one stream).
 *
 * It does not know what the bytes mean. It never seeks and never waits: when a pipe has nothing
 * yet, it returns -EAGAIN. All bytes before a damaged place are returned before the fault is.
 *
 * On the data path: the user's file -> here -> feedsim/itch/binaryfile.h. A handle belongs to
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
 * the stream has ended early and bytestream_fault says why: -TBUS_ETRUNCATED (gzip data is cut
 * short), -TBUS_EFORMAT (gzip data is damaged), -errno of read(2). The end and faults are final.
 * Enters the kernel about once per 256 KiB. */
int64_t bytestream_read(bytestream_t *s, uint8_t *into, size_t bytes);

/* Half a sentence, such as "the gzip data is cut short"; "" while there is no fault. Lives as long
 * as the stream. */
const char *bytestream_fault(const bytestream_t *s);

bool bytestream_is_pipe(const bytestream_t *s);

/* *out_done: bytes of the file that were used, not counting `held` unpacked bytes that the reader
 * still has. *out_total: bytes of the file when it was opened; 0: a pipe. No system call. */
void bytestream_progress(const bytestream_t *s, size_t held, uint64_t *out_done,
                         uint64_t *out_total);

/* Accepts NULL. */
void bytestream_close(bytestream_t *s);

#ifdef __cplusplus
}
#endif
#endif
