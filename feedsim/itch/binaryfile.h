/* SPDX-License-Identifier: Apache-2.0 */
/* binaryfile.h - reading BinaryFILE, the framing of the files that NASDAQ publishes: for each
 * message a 2-byte big-endian length, then the message; no file header. Plain or gzip.
 *
 *    bytestream  --> [ 1 MiB buffer: length message length message ... ] --> message, in place
 *
 * A length of zero at the very end of the file is the end-of-session marker; anywhere else it
 * proves that the file is something else. A file may end without the marker, and NASDAQ's own do,
 * but not within a length or a message.
 *
 * Before the first message is returned, the first frames are checked (32, or as many as there are).
 * A capture, an archive, text, or anything else that does not look like the expected messages is
 * refused, with its format named where it is known. A file that is cut short or damaged further in
 * is delivered up to there. On a pipe nobody waits for 32 frames: each complete frame of a known
 * type and length is returned as it comes, and the check goes on over those that follow.
 *
 * Positions in errors: `byte` counts from 0 in the uncompressed file and is where the frame (its
 * length) starts; `message` counts from 0.
 *
 * On the data path: feedsim/itch/bytestream.h -> here -> feedsim/itch/itch.h. A handle belongs to
 * one thread.
 */
#ifndef TICKBUS_FEEDSIM_ITCH_BINARYFILE_H
#define TICKBUS_FEEDSIM_ITCH_BINARYFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tickbus/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BINARYFILE_MESSAGE_MAX 65535u

typedef struct binaryfile binaryfile_t;

enum binaryfile_expect {
    BINARYFILE_ANY = 0, /* only the framing is checked */
    BINARYFILE_ITCH = 1
};

enum { BINARYFILE_END = 0, BINARYFILE_MESSAGE = 1, BINARYFILE_LATER = 2 };

/* Open and, unless it is a pipe, check the first frames. `expect`: of which messages. Errors of
 * bytestream_open, of binaryfile_next before the first message, and -TBUS_EFORMAT: empty, or not
 * this format. Cold. */
int binaryfile_open(const char *path, enum binaryfile_expect expect, binaryfile_t **out_file,
                    tbus_error_t *err);

/* Not for callers: the beginning of a handle, and what binaryfile_next does when no whole frame is
 * in the buffer. */
typedef struct binaryfile_head {
    const uint8_t *at;  /* next frame */
    const uint8_t *end; /* of the bytes in the buffer */
    uint64_t messages;
    bool looked; /* the first frames were checked */
} binaryfile_head_t;
int binaryfile_next_slowly(binaryfile_t *f, const uint8_t **out_message, size_t *out_bytes,
                           tbus_error_t *err);

/* For who takes many messages in a loop: the head to go through them with, in registers, by
 * binaryfile_peek and binaryfile_pass, and to be given back at the end. No other call meanwhile. */
static inline binaryfile_head_t binaryfile_head(const binaryfile_t *f)
{
    return *(const binaryfile_head_t *)(const void *)f;
}
static inline void binaryfile_set_head(binaryfile_t *f, const binaryfile_head_t *head)
{
    *(binaryfile_head_t *)(void *)f = *head;
}

/* The message that binaryfile_next would return, if that is in the buffer: its length, and it is
 * still the next one. 0: binaryfile_next knows. */
static inline size_t binaryfile_peek(const binaryfile_head_t *head, const uint8_t **out_message)
{
    size_t left = (size_t)(head->end - head->at);
    size_t bytes = left > 2 ? (size_t)head->at[0] << 8 | head->at[1] : 0;
    if (__builtin_expect(!head->looked || bytes == 0 || left - 2 < bytes, 0))
        return 0;
    *out_message = head->at + 2;
    return bytes;
}

/* Step over the message that binaryfile_peek has returned. */
static inline void binaryfile_pass(binaryfile_head_t *head, size_t bytes)
{
    head->at += 2 + bytes;
    head->messages++;
}

/* The next message, in place, valid until the next call. BINARYFILE_MESSAGE; BINARYFILE_END;
 * BINARYFILE_LATER (a pipe: nothing now); -TBUS_ETRUNCATED: the file or its gzip data ends within a
 * message; -TBUS_EFORMAT: zero length before the end, damaged gzip data, not this format; -errno.
 * The end and errors are final: further calls return them again. Never waits. */
static inline int binaryfile_next(binaryfile_t *f, const uint8_t **out_message, size_t *out_bytes,
                                  tbus_error_t *err)
{
    binaryfile_head_t *head = (binaryfile_head_t *)(void *)f;
    size_t bytes = binaryfile_peek(head, out_message);
    if (__builtin_expect(bytes == 0, 0))
        return binaryfile_next_slowly(f, out_message, out_bytes, err);
    binaryfile_pass(head, bytes);
    *out_bytes = bytes;
    return BINARYFILE_MESSAGE;
}

/* For the decoder: refuse the message returned last, because its type has another length in
 * ITCH 5.0. Ends the file with -TBUS_EFORMAT, which is returned. */
int binaryfile_refuse_length(binaryfile_t *f, const uint8_t *message, size_t bytes,
                             tbus_error_t *err);

/* After the end: it was marked by a zero length. */
bool binaryfile_end_marked(const binaryfile_t *f);

/* Messages returned so far. */
uint64_t binaryfile_messages(const binaryfile_t *f);

/* *out_done: bytes of the file that were used (of a gzip file: packed bytes). *out_total: bytes of
 * the file; 0: a pipe. */
void binaryfile_progress(const binaryfile_t *f, uint64_t *out_done, uint64_t *out_total);

/* Accepts NULL. */
void binaryfile_close(binaryfile_t *f);

#ifdef __cplusplus
}
#endif
#endif
