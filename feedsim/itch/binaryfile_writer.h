/* SPDX-License-Identifier: Apache-2.0 */
/* binaryfile_writer.h - writing BinaryFILE: a 2-byte big-endian length and the message, again and
 * again. What feedsim/itch/binaryfile.h reads.
 *
 * Buffered; errors of the disk may show only at close. A handle belongs to one thread.
 */
#ifndef TICKBUS_FEEDSIM_ITCH_BINARYFILE_WRITER_H
#define TICKBUS_FEEDSIM_ITCH_BINARYFILE_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include <tickbus/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct binaryfile_writer binaryfile_writer_t;

/* Create the file, or empty the one that is there; "-" is stdout. Errors of open(2). */
int binaryfile_writer_open(const char *path, binaryfile_writer_t **out_writer, tbus_error_t *err);

/* Append a message of 1..65535 bytes. 0 bytes: the end-of-session marker, which comes last (as
 * itch_encode gives for an end mark). -TBUS_ETOOBIG, -errno. */
int binaryfile_writer_append(binaryfile_writer_t *w, const uint8_t *message, size_t bytes,
                             tbus_error_t *err);

/* Write out, close and free. 0 or the first -errno; the file is then not complete. Accepts NULL. */
int binaryfile_writer_close(binaryfile_writer_t *w, tbus_error_t *err);

#ifdef __cplusplus
}
#endif
#endif
