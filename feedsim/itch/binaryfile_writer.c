/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/itch/binaryfile_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "feedsim/itch/binaryfile.h"

#define STDIO_BYTES (256u << 10)

struct binaryfile_writer {
    FILE *file;
    char *path;
    int failed; /* 0 or the first -errno */
};

int binaryfile_writer_open(const char *path, binaryfile_writer_t **out_writer, tbus_error_t *err)
{
    binaryfile_writer_t *w = calloc(1, sizeof *w);
    char *copy = strdup(path);
    if (!w || !copy) {
        free(w);
        free(copy);
        return tbus_fail(err, -ENOMEM, "no memory to write %s", path);
    }
    w->path = copy;
    int fd = strcmp(path, "-") == 0 ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0)
                                    : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    w->file = fd < 0 ? NULL : fdopen(fd, "wb");
    if (!w->file) {
        int code = -errno;
        if (fd >= 0)
            close(fd);
        free(copy);
        free(w);
        return tbus_fail(err, code, "cannot create %s: %s", path, strerror(-code));
    }
    setvbuf(w->file, NULL, _IOFBF, STDIO_BYTES);
    *out_writer = w;
    return 0;
}

static int fail_write(binaryfile_writer_t *w, tbus_error_t *err)
{
    if (w->failed == 0)
        w->failed = errno ? -errno : -EIO;
    return tbus_fail(err, w->failed, "cannot write %s: %s", w->path, strerror(-w->failed));
}

int binaryfile_writer_append(binaryfile_writer_t *w, const uint8_t *message, size_t bytes,
                             tbus_error_t *err)
{
    if (bytes > BINARYFILE_MESSAGE_MAX)
        return tbus_fail(err, -TBUS_ETOOBIG,
                         "cannot write %s: a message of %zu bytes does not fit a 2-byte length",
                         w->path, bytes);
    const uint8_t length[2] = {(uint8_t)(bytes >> 8), (uint8_t)bytes};
    errno = 0;
    if (fwrite(length, 1, sizeof length, w->file) != sizeof length ||
        fwrite(message, 1, bytes, w->file) != bytes)
        return fail_write(w, err);
    return 0;
}

int binaryfile_writer_close(binaryfile_writer_t *w, tbus_error_t *err)
{
    if (!w)
        return 0;
    int code = w->failed;
    errno = 0;
    if (fclose(w->file) != 0 || code != 0)
        code = fail_write(w, err);
    free(w->path);
    free(w);
    return code;
}
