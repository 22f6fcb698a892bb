/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/show/output_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_BYTES (256u << 10)

static int fail_file(const char *name, int code, tbus_error_t *err)
{
    return tbus_fail(err, code, "cannot write %s: %s", strcmp(name, "-") == 0 ? "to stdout" : name,
                     tbus_strerror(code));
}

static void free_names(output_file_t *file)
{
    free(file->name);
    free(file->final);
    free(file->part);
    *file = (output_file_t){0};
}

/* The names that a regular file goes by. Left NULL for what is none. */
static int choose_names(const char *name, output_file_t *file)
{
    struct stat info;
    bool exists = stat(name, &info) == 0;
    if (exists && !S_ISREG(info.st_mode))
        return S_ISDIR(info.st_mode) ? -EISDIR : 0;
    file->final = exists ? realpath(name, NULL) : strdup(name);
    if (!file->final)
        return -errno;
    return asprintf(&file->part, "%s.part", file->final) < 0 ? -ENOMEM : 0;
}

int output_file_open(const char *name, output_file_t *out_file, tbus_error_t *err)
{
    output_file_t file = {.name = strdup(name)};
    if (!file.name)
        return fail_file(name, -ENOMEM, err);
    bool to_stdout = strcmp(name, "-") == 0;
    int code = to_stdout ? 0 : choose_names(name, &file);
    if (code == 0) {
        file.stream = to_stdout ? stdout : fopen(file.part ? file.part : name, "we");
        code = file.stream ? 0 : -errno;
    }
    if (code < 0) {
        free_names(&file);
        return fail_file(name, code, err);
    }
    if (!to_stdout)
        setvbuf(file.stream, NULL, _IOFBF, BUFFER_BYTES);
    *out_file = file;
    return 0;
}

/* Flush, sync what is a file, close what is ours. 0 or the first -errno. */
static int settle(output_file_t *file)
{
    int code = ferror(file->stream) ? -EIO : 0;
    errno = 0;
    if (fflush(file->stream) != 0)
        code = errno ? -errno : -EIO;
    if (code == 0 && file->part && fsync(fileno(file->stream)) != 0)
        code = -errno;
    if (file->stream != stdout && fclose(file->stream) != 0 && code == 0)
        code = -errno;
    return code;
}

int output_file_commit(output_file_t *file, tbus_error_t *err)
{
    int code = settle(file);
    if (code == 0 && file->part && rename(file->part, file->final) != 0)
        code = -errno;
    if (code < 0) {
        if (file->part)
            unlink(file->part);
        fail_file(file->name, code, err);
    }
    free_names(file);
    return code;
}

void output_file_abandon(output_file_t *file)
{
    if (file->stream && file->stream != stdout)
        fclose(file->stream);
    if (file->part)
        unlink(file->part);
    free_names(file);
}
