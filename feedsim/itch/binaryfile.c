/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/itch/binaryfile.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "feedsim/itch/bytestream.h"
#include "feedsim/itch/foreign.h"
#include "feedsim/itch/itch.h"

#define LENGTH_BYTES 2u
#define FRAME_MAX    (LENGTH_BYTES + BINARYFILE_MESSAGE_MAX)
#define BUFFER_BYTES (1u << 20)
#define LOOK_FRAMES  32u
#define LOOK_BYTES   256u /* for foreign formats */

_Static_assert(LENGTH_BYTES == 2, "binaryfile_next reads two bytes");
_Static_assert(BUFFER_BYTES >= 2 * FRAME_MAX,
               "an incomplete frame always leaves room to read more of it");

enum look_end { LOOK_ENOUGH, LOOK_INCOMPLETE, LOOK_ZERO, LOOK_WRONG_LENGTH };

typedef struct look {
    uint32_t frames; /* complete frames seen */
    uint32_t known;  /* how many of them have a known type, and its length */
    enum look_end end;
    uint64_t offset; /* of the frame at which it ended */
} look_t;

struct binaryfile {
    binaryfile_head_t head; /* first: binaryfile_next looks at it */
    uint64_t end_offset;    /* of `end` in the uncompressed file */
    bytestream_t *stream;
    enum binaryfile_expect expect;
    look_t look;
    bool stream_over; /* no bytes will come after those in the buffer */
    bool end_marked;
    int stream_rc;      /* with stream_over: 0, or the stream's fault */
    bool over;          /* the end or an error was returned */
    tbus_error_t error; /* with `over`: that error; code 0 for the end */
    char *path;
    uint8_t *buffer;
};

static inline uint32_t frame_length(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static inline uint64_t offset_of(const binaryfile_t *f, const uint8_t *p)
{
    return f->end_offset - (uint64_t)(f->head.end - p);
}

static int finish(binaryfile_t *f, int code)
{
    f->over = true;
    f->error.code = code;
    f->head.at = f->head.end; /* so that binaryfile_next finds no frame and calls want_frame */
    return code;
}

/* Read more bytes behind those left in the buffer. > 0: there are more; 0: the stream is over, or
 * the buffer is full; -EAGAIN. */
static int fill(binaryfile_t *f)
{
    if (f->stream_over)
        return 0;
    size_t left = (size_t)(f->head.end - f->head.at);
    if (left == BUFFER_BYTES)
        return 0;
    if (f->head.at != f->buffer)
        memmove(f->buffer, f->head.at, left);
    f->head.at = f->buffer;
    f->head.end = f->buffer + left;
    int64_t got = bytestream_read(f->stream, f->buffer + left, BUFFER_BYTES - left);
    if (got > 0) {
        f->head.end += got;
        f->end_offset += (uint64_t)got;
        return 1;
    }
    if (got == -EAGAIN)
        return -EAGAIN;
    f->stream_over = true;
    f->stream_rc = (int)got;
    return 0;
}

/* --- the first look --- */

/* Check frames from where the last look ended, as far as the buffer goes. */
static void look_further(binaryfile_t *f)
{
    look_t *look = &f->look;
    const uint8_t *at = f->head.end - (f->end_offset - look->offset);
    look->end = LOOK_ENOUGH;
    while (look->frames < LOOK_FRAMES) {
        size_t left = (size_t)(f->head.end - at);
        uint32_t bytes = left >= LENGTH_BYTES ? frame_length(at) : 0;
        if (left >= LENGTH_BYTES && bytes == 0) {
            look->end = LOOK_ZERO;
            break;
        }
        if (left < LENGTH_BYTES || left - LENGTH_BYTES < bytes) {
            look->end = LOOK_INCOMPLETE;
            break;
        }
        uint32_t expected = f->expect == BINARYFILE_ITCH ? itch_length(at[LENGTH_BYTES]) : bytes;
        if (expected != 0 && expected != bytes) {
            look->end = LOOK_WRONG_LENGTH;
            break;
        }
        look->frames++;
        look->known += expected != 0;
        at += LENGTH_BYTES + bytes;
        look->offset += LENGTH_BYTES + bytes;
    }
}

static bool mostly_known(const look_t *look)
{
    return 2 * look->known >= look->frames;
}

/* The file has no complete first frame: is it cut short, or of another format? */
static int judge_first_frame(binaryfile_t *f, const look_t *look)
{
    size_t left = (size_t)(f->head.end - f->head.at);
    if (look->end == LOOK_ZERO && left == LENGTH_BYTES)
        return 0; /* the end marker, and no message */
    if (look->end == LOOK_ZERO)
        return tbus_fail(
            &f->error, -TBUS_EFORMAT,
            "%s is not BinaryFILE: message 0 at byte 0 has zero length and more bytes follow",
            f->path);
    uint32_t bytes = left >= LENGTH_BYTES ? frame_length(f->head.at) : 0;
    if (f->expect == BINARYFILE_ANY || left <= LENGTH_BYTES ||
        itch_length(f->head.at[LENGTH_BYTES]) == bytes)
        return 0; /* cut short: binaryfile_next returns that */
    char label[ITCH_LABEL_BYTES];
    itch_type_label(f->head.at[LENGTH_BYTES], label);
    return tbus_fail(&f->error, -TBUS_EFORMAT,
                     "%s is not BinaryFILE with ITCH 5.0 messages: message 0 at byte 0 would be of "
                     "type %s and %" PRIu32 " bytes long",
                     f->path, label, bytes);
}

/* Check the beginning of the file before its first message is returned. */
static int judge_beginning(binaryfile_t *f)
{
    size_t left = (size_t)(f->head.end - f->head.at);
    if (left == 0 && f->stream_rc == 0)
        return tbus_fail(&f->error, -TBUS_EFORMAT,
                         "%s is empty: name a BinaryFILE of ITCH 5.0 messages, plain or gzip",
                         f->path);
    const char *foreign = f->expect == BINARYFILE_ITCH
                              ? foreign_format(f->head.at, left < LOOK_BYTES ? left : LOOK_BYTES)
                              : NULL;
    if (foreign)
        return tbus_fail(&f->error, -TBUS_EFORMAT,
                         "%s is not BinaryFILE with ITCH 5.0 messages: it is %s", f->path, foreign);
    return f->look.frames == 0 ? judge_first_frame(f, &f->look) : 0;
}

static int judge(binaryfile_t *f)
{
    int rc = f->head.messages == 0 ? judge_beginning(f) : 0;
    if (rc == 0 && !mostly_known(&f->look))
        rc = tbus_fail(&f->error, -TBUS_EFORMAT,
                       "%s is not BinaryFILE with ITCH 5.0 messages: of its first %" PRIu32
                       " messages only %" PRIu32 " have a type and length of ITCH 5.0",
                       f->path, f->look.frames, f->look.known);
    return rc == 0 ? 0 : finish(f, rc);
}

/* A pipe may hold fewer frames for hours. What has come is returned as long as most of it is known;
 * what comes later is checked then. */
static bool may_go_ahead(const binaryfile_t *f)
{
    return bytestream_is_pipe(f->stream) && f->look.frames > f->head.messages &&
           mostly_known(&f->look);
}

/* 0: go on; BINARYFILE_LATER; or refused. */
static int look(binaryfile_t *f)
{
    for (;;) {
        look_further(f);
        bool zero_at_end = f->look.end == LOOK_ZERO &&
                           f->look.offset + LENGTH_BYTES == f->end_offset; /* more may follow */
        if (f->look.end != LOOK_INCOMPLETE && !zero_at_end)
            break;
        if (may_go_ahead(f))
            return f->head.messages == 0 ? judge(f) : 0;
        int rc = fill(f);
        if (rc == -EAGAIN)
            return BINARYFILE_LATER;
        if (rc == 0)
            break;
    }
    f->head.looked = true;
    return judge(f);
}

/* --- message by message --- */

static int refuse_length(binaryfile_t *f, uint64_t index, uint64_t offset, uint8_t type,
                         size_t bytes)
{
    char label[ITCH_LABEL_BYTES];
    itch_type_label(type, label);
    return finish(f, tbus_fail(&f->error, -TBUS_EFORMAT,
                               "%s: message %" PRIu64 " at byte %" PRIu64
                               " is %zu bytes long but type %s (%s) has %" PRIu32
                               " in ITCH 5.0; what came before it was delivered",
                               f->path, index, offset, bytes, label, itch_type(type)->name,
                               itch_length(type)));
}

/* Return how the file ends: the stream is over and the buffer holds no complete frame. */
static int tell_end(binaryfile_t *f)
{
    size_t left = (size_t)(f->head.end - f->head.at);
    uint64_t at = offset_of(f, f->head.at);
    if (f->stream_rc != 0) {
        const char *fault = bytestream_fault(f->stream);
        return finish(f, tbus_fail(&f->error, f->stream_rc,
                                   "%s: %s at uncompressed byte %" PRIu64 ", in message %" PRIu64
                                   " at byte %" PRIu64 "; what came before it was delivered",
                                   f->path, fault, f->end_offset, f->head.messages, at));
    }
    if (left == 0)
        return finish(f, 0);
    if (left < LENGTH_BYTES)
        return finish(f, tbus_fail(&f->error, -TBUS_ETRUNCATED,
                                   "%s is cut short: it ends within the length of message %" PRIu64
                                   " at byte %" PRIu64 "; what came before it was delivered",
                                   f->path, f->head.messages, at));
    uint32_t bytes = frame_length(f->head.at);
    uint32_t expected = left > LENGTH_BYTES ? itch_length(f->head.at[LENGTH_BYTES]) : 0;
    if (f->expect == BINARYFILE_ITCH && expected != 0 && expected != bytes)
        return refuse_length(f, f->head.messages, at, f->head.at[LENGTH_BYTES], bytes);
    return finish(f, tbus_fail(&f->error, -TBUS_ETRUNCATED,
                               "%s is cut short: it ends after %zu of the %" PRIu32
                               " bytes of message %" PRIu64 " at byte %" PRIu64
                               "; what came before it was delivered",
                               f->path, left - LENGTH_BYTES, bytes, f->head.messages, at));
}

static int refuse_zero_length(binaryfile_t *f)
{
    return finish(
        f, tbus_fail(&f->error, -TBUS_EFORMAT,
                     "%s is not BinaryFILE: message %" PRIu64 " at byte %" PRIu64
                     " has zero length and more bytes follow; what came before it was delivered",
                     f->path, f->head.messages, offset_of(f, f->head.at)));
}

/* Get a complete frame into the buffer. BINARYFILE_MESSAGE, or what binaryfile_next returns
 * instead. */
static int want_frame(binaryfile_t *f)
{
    if (f->over)
        return f->error.code;
    if (!f->head.looked) {
        int rc = look(f);
        if (rc != 0)
            return rc;
    }
    for (;;) {
        size_t left = (size_t)(f->head.end - f->head.at);
        uint32_t bytes = left >= LENGTH_BYTES ? frame_length(f->head.at) : 0;
        bool zero = left >= LENGTH_BYTES && bytes == 0;
        if (zero && left > LENGTH_BYTES)
            return refuse_zero_length(f);
        if (bytes != 0 && left - LENGTH_BYTES >= bytes)
            return BINARYFILE_MESSAGE;
        int rc = fill(f);
        if (rc == -EAGAIN)
            return BINARYFILE_LATER;
        if (rc > 0)
            continue;
        if (zero && f->stream_rc == 0) {
            f->end_marked = true;
            f->head.at += LENGTH_BYTES;
        }
        return tell_end(f);
    }
}

int binaryfile_next_slowly(binaryfile_t *f, const uint8_t **out_message, size_t *out_bytes,
                           tbus_error_t *err)
{
    int rc = want_frame(f);
    if (rc != BINARYFILE_MESSAGE) {
        if (rc < 0 && err)
            *err = f->error;
        return rc;
    }
    *out_bytes = frame_length(f->head.at);
    *out_message = f->head.at + LENGTH_BYTES;
    f->head.at = *out_message + *out_bytes;
    f->head.messages++;
    return BINARYFILE_MESSAGE;
}

int binaryfile_refuse_length(binaryfile_t *f, const uint8_t *message, size_t bytes,
                             tbus_error_t *err)
{
    int rc = refuse_length(f, f->head.messages - 1, offset_of(f, message) - LENGTH_BYTES,
                           message[0], bytes);
    if (err)
        *err = f->error;
    return rc;
}

/* --- life --- */

static binaryfile_t *make(const char *path, enum binaryfile_expect expect)
{
    binaryfile_t *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->path = strdup(path);
    f->buffer = malloc(BUFFER_BYTES);
    f->head.at = f->head.end = f->buffer;
    f->expect = expect;
    if (!f->path || !f->buffer) {
        binaryfile_close(f);
        return NULL;
    }
    memset(f->buffer, 0, BUFFER_BYTES); /* take its page faults now */
    return f;
}

int binaryfile_open(const char *path, enum binaryfile_expect expect, binaryfile_t **out_file,
                    tbus_error_t *err)
{
    binaryfile_t *f = make(path, expect);
    if (!f)
        return tbus_fail(err, -ENOMEM, "no memory to read %s", path);
    int rc = bytestream_open(path, &f->stream, err);
    if (rc == 0 && !bytestream_is_pipe(f->stream)) {
        rc = look(f);
        if (rc < 0 && err)
            *err = f->error;
    }
    if (rc < 0) {
        binaryfile_close(f);
        return rc;
    }
    *out_file = f;
    return 0;
}

void binaryfile_close(binaryfile_t *f)
{
    if (!f)
        return;
    bytestream_close(f->stream);
    free(f->buffer);
    free(f->path);
    free(f);
}

bool binaryfile_end_marked(const binaryfile_t *f)
{
    return f->end_marked;
}

uint64_t binaryfile_messages(const binaryfile_t *f)
{
    return f->head.messages;
}

void binaryfile_progress(const binaryfile_t *f, uint64_t *out_done, uint64_t *out_total)
{
    bytestream_progress(f->stream, (size_t)(f->head.end - f->head.at), out_done, out_total);
}
