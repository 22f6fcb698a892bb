/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/itch/bytestream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

#define INPUT_BYTES  (256u << 10)
#define GZIP_MAGIC_0 0x1f
#define GZIP_MAGIC_1 0x8b
#define GZIP_ONLY    (15 + 16) /* inflateInit2: largest window, gzip wrapper */

enum form { FORM_UNKNOWN, FORM_PLAIN, FORM_GZIP };

struct bytestream {
    int fd;
    bool is_pipe;
    bool input_ended; /* read(2) has returned the end */
    bool inside;      /* gzip: a member has begun and not ended */
    enum form form;
    uint64_t file_bytes; /* of the whole file, when it was opened; 0: a pipe */
    uint64_t taken;      /* how many of them read(2) has returned */
    int fault;           /* 0, or what bytestream_read returns from now on */
    char fault_text[160];
    size_t input_at; /* bytes of `input` from here to input_end are not used yet */
    size_t input_end;
    z_stream inflater; /* set up when form is FORM_GZIP */
    uint8_t input[INPUT_BYTES];
};

static int open_checked(const char *path, bool *out_is_pipe, uint64_t *out_bytes, tbus_error_t *err)
{
    /* Without O_NONBLOCK, opening a FIFO waits until somebody opens it for writing. On a file the
     * flag has no effect. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        int code = -errno;
        return tbus_fail(err, code, "cannot open %s: %s", path, strerror(-code));
    }
    struct stat st;
    int code = fstat(fd, &st) == 0 ? 0 : -errno;
    if (code != 0)
        tbus_fail(err, code, "cannot look at %s: %s", path, strerror(-code));
    else if (S_ISDIR(st.st_mode))
        code = tbus_fail(err, -EISDIR, "%s is a directory: name a file in it", path);
    else if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode))
        code = tbus_fail(err, -TBUS_EFORMAT, "%s is neither a file nor a pipe", path);
    if (code != 0) {
        close(fd);
        return code;
    }
    *out_is_pipe = S_ISFIFO(st.st_mode);
    *out_bytes = *out_is_pipe ? 0 : (uint64_t)st.st_size;
    return fd;
}

int bytestream_open(const char *path, bytestream_t **out_stream, tbus_error_t *err)
{
    bool is_pipe = false;
    uint64_t file_bytes = 0;
    int fd = open_checked(path, &is_pipe, &file_bytes, err);
    if (fd < 0)
        return fd;
    bytestream_t *s = calloc(1, sizeof *s);
    if (!s) {
        close(fd);
        return tbus_fail(err, -ENOMEM, "no memory to read %s", path);
    }
    s->fd = fd;
    s->is_pipe = is_pipe;
    s->file_bytes = file_bytes;
    if (!is_pipe)
        posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL); /* advice: it may fail */
    *out_stream = s;
    return 0;
}

void bytestream_close(bytestream_t *s)
{
    if (!s)
        return;
    if (s->form == FORM_GZIP)
        inflateEnd(&s->inflater);
    close(s->fd);
    free(s);
}

const char *bytestream_fault(const bytestream_t *s)
{
    return s->fault_text;
}

bool bytestream_is_pipe(const bytestream_t *s)
{
    return s->is_pipe;
}

void bytestream_progress(const bytestream_t *s, size_t held, uint64_t *out_done,
                         uint64_t *out_total)
{
    /* How many bytes a packed byte unpacks to is not known beforehand, so for gzip the figure is
     * exact to a buffer. */
    uint64_t ahead = s->input_end - s->input_at + (s->form == FORM_PLAIN ? held : 0);
    *out_done = s->taken > ahead ? s->taken - ahead : 0;
    *out_total = s->file_bytes;
}

static int fail(bytestream_t *s, int code, const char *text, const char *detail)
{
    s->fault = code;
    snprintf(s->fault_text, sizeof s->fault_text, "%s%s%s", text, detail ? ": " : "",
             detail ? detail : "");
    return code;
}

/* An empty pipe without a writer has ended if it ever had one (POLLHUP); otherwise its writer has
 * not come yet. */
static bool pipe_has_ended(const bytestream_t *s)
{
    struct pollfd pfd = {.fd = s->fd, .events = POLLIN};
    return poll(&pfd, 1, 0) == 1 && (pfd.revents & (POLLHUP | POLLIN)) == POLLHUP;
}

/* read(2); the end and failures are remembered. Returns > 0, 0 at the end, -EAGAIN or the fault. */
static int64_t read_input(bytestream_t *s, uint8_t *into, size_t bytes)
{
    if (s->input_ended)
        return 0;
    ssize_t got;
    do {
        got = read(s->fd, into, bytes);
    } while (got < 0 && errno == EINTR);
    if (got > 0) {
        s->taken += (uint64_t)got;
        return got;
    }
    if (got < 0)
        return errno == EAGAIN ? -EAGAIN : fail(s, -errno, "reading failed", strerror(errno));
    if (s->is_pipe && !pipe_has_ended(s))
        return -EAGAIN;
    s->input_ended = true;
    return 0;
}

/* Append to `input`, which must have room. */
static int64_t read_more_input(bytestream_t *s)
{
    int64_t got = read_input(s, s->input + s->input_end, INPUT_BYTES - s->input_end);
    if (got > 0)
        s->input_end += (size_t)got;
    return got;
}

/* Tell plain from gzip by the first two bytes. 0: `form` is set. */
static int find_form(bytestream_t *s)
{
    while (s->input_end < 2 && !s->input_ended) {
        int64_t got = read_more_input(s);
        if (got < 0)
            return (int)got;
    }
    if (s->input_end < 2 || s->input[0] != GZIP_MAGIC_0 || s->input[1] != GZIP_MAGIC_1) {
        s->form = FORM_PLAIN;
        return 0;
    }
    if (inflateInit2(&s->inflater, GZIP_ONLY) != Z_OK)
        return fail(s, -ENOMEM, "no memory to unpack gzip", NULL);
    s->form = FORM_GZIP;
    s->inside = true;
    return 0;
}

static int64_t read_plain(bytestream_t *s, uint8_t *into, size_t bytes)
{
    size_t left = s->input_end - s->input_at; /* read by find_form */
    if (left == 0)
        return read_input(s, into, bytes);
    size_t take = left < bytes ? left : bytes;
    memcpy(into, s->input + s->input_at, take);
    s->input_at += take;
    return (int64_t)take;
}

/* Get input to inflate. 1: there is some; 0: there is no more; negative as in read_input. */
static int64_t want_input(bytestream_t *s)
{
    if (s->input_at < s->input_end)
        return 1;
    s->input_at = s->input_end = 0;
    return read_more_input(s);
}

/* After a member: another one may follow, or zeros that pad the file to a block size, as tar and
 * tapes write them. */
static int start_member(bytestream_t *s)
{
    if (s->input[s->input_at] == 0) {
        s->input_at++;
        return 0;
    }
    if (s->input[s->input_at] != GZIP_MAGIC_0)
        return fail(s, -TBUS_EFORMAT, "bytes that are not gzip follow the gzip data", NULL);
    inflateReset(&s->inflater);
    s->inside = true;
    return 0;
}

static int inflate_some(bytestream_t *s)
{
    s->inflater.next_in = s->input + s->input_at;
    s->inflater.avail_in = (uInt)(s->input_end - s->input_at);
    int rc = inflate(&s->inflater, Z_NO_FLUSH);
    s->input_at = s->input_end - s->inflater.avail_in;
    if (rc == Z_STREAM_END)
        s->inside = false;
    if (rc == Z_STREAM_END || rc == Z_OK || rc == Z_BUF_ERROR)
        return 0;
    if (rc == Z_MEM_ERROR)
        return fail(s, -ENOMEM, "no memory to unpack gzip", NULL);
    return fail(s, -TBUS_EFORMAT, "the gzip data is damaged", s->inflater.msg);
}

static int64_t read_gzip(bytestream_t *s, uint8_t *into, size_t bytes)
{
    int64_t rc = 0;
    s->inflater.next_out = into;
    s->inflater.avail_out = (uInt)bytes;
    while (s->inflater.avail_out > 0) {
        rc = want_input(s);
        if (rc < 0)
            break;
        if (rc == 0) {
            if (s->inside)
                rc = fail(s, -TBUS_ETRUNCATED, "the gzip data is cut short", NULL);
            break;
        }
        rc = s->inside ? inflate_some(s) : start_member(s);
        if (rc < 0)
            break;
    }
    size_t got = bytes - s->inflater.avail_out;
    return got > 0 ? (int64_t)got : rc; /* the next call returns a fault */
}

int64_t bytestream_read(bytestream_t *s, uint8_t *into, size_t bytes)
{
    if (s->fault != 0)
        return s->fault;
    if (s->form == FORM_UNKNOWN) {
        int rc = find_form(s);
        if (rc != 0)
            return rc;
    }
    return s->form == FORM_PLAIN ? read_plain(s, into, bytes) : read_gzip(s, into, bytes);
}
