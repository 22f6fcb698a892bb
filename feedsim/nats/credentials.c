/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/nats/credentials.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define LINE_MAX_BYTES (NATS_CREDENTIAL_MAX + 16u)

static bool take(const char *line, const char *key, char out[NATS_CREDENTIAL_MAX])
{
    size_t bytes = strlen(key);
    if (strncmp(line, key, bytes) != 0 || line[bytes] == 0 ||
        strlen(line + bytes) >= NATS_CREDENTIAL_MAX)
        return false;
    snprintf(out, NATS_CREDENTIAL_MAX, "%s", line + bytes);
    return true;
}

/* False: the line is none that is known. */
static bool take_line(const char *line, nats_credentials_t *c)
{
    if (*line == 0 || *line == '#')
        return true;
    if (take(line, "token=", c->secret)) {
        c->kind = NATS_CREDENTIALS_TOKEN;
        return c->user[0] == 0;
    }
    if (take(line, "user=", c->user))
        return c->kind != NATS_CREDENTIALS_TOKEN;
    if (take(line, "password=", c->secret)) {
        bool token = c->kind == NATS_CREDENTIALS_TOKEN;
        c->kind = NATS_CREDENTIALS_USER;
        return !token;
    }
    return false;
}

static int read_lines(FILE *file, const char *path, nats_credentials_t *c, tbus_error_t *err)
{
    char line[LINE_MAX_BYTES];
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\r\n")] = 0;
        if (strncmp(line, "-----BEGIN NATS USER JWT", 24) == 0) {
            *c = (nats_credentials_t){.kind = NATS_CREDENTIALS_CREDS};
            return 0;
        }
        if (!take_line(line, c))
            return tbus_fail(err, -TBUS_ECONFIG,
                             "%s: lines of user=NAME and password=TEXT were expected, or one of "
                             "token=TEXT, or a file of `nsc generate creds`",
                             path);
    }
    if (ferror(file))
        return tbus_fail(err, -EIO, "cannot read %s", path);
    if (c->kind == NATS_CREDENTIALS_NONE || (c->kind == NATS_CREDENTIALS_USER && c->user[0] == 0))
        return tbus_fail(err, -TBUS_ECONFIG,
                         "%s says neither user=NAME and password=TEXT, nor token=TEXT", path);
    return 0;
}

int nats_credentials_read(const char *path, nats_credentials_t *out_credentials, tbus_error_t *err)
{
    nats_credentials_t c = {0};
    struct stat status;
    if (!path || !*path) {
        *out_credentials = c;
        return 0;
    }
    FILE *file = fopen(path, "re");
    if (!file) {
        int code = -errno;
        return tbus_fail(err, code, "credentials for NATS, %s: %s", path, tbus_strerror(code));
    }
    int code = 0;
    if (fstat(fileno(file), &status) == 0 && (status.st_mode & (S_IROTH | S_IWOTH)))
        code = tbus_fail(err, -TBUS_ECONFIG, "%s can be read or written by everybody: chmod 600 %s",
                         path, path);
    if (code == 0)
        code = read_lines(file, path, &c, err);
    fclose(file);
    if (code == 0)
        *out_credentials = c;
    return code;
}
