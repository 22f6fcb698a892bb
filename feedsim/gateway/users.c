/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/gateway/users.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <crypt.h>
#include <openssl/crypto.h>

/* --- the file --- */

static int check_file(const char *path, const struct stat *st, tbus_error_t *err)
{
    if (!S_ISREG(st->st_mode))
        return tbus_fail(err, -EINVAL, "%s is no file; gateway.users names a file of users", path);
    if (st->st_uid != geteuid() && st->st_uid != 0)
        return tbus_fail(err, -EPERM,
                         "%s belongs to another user (uid %u), who could let anybody in; chown it",
                         path, (unsigned)st->st_uid);
    if (st->st_mode & 077)
        return tbus_fail(err, -EPERM,
                         "%s can be read or written by others (mode %03o), and holds hashes of "
                         "passwords; chmod 600 it",
                         path, (unsigned)st->st_mode & 0777);
    if (st->st_size > (off_t)GATEWAY_USERS_FILE_MAX)
        return tbus_fail(err, -TBUS_ETOOBIG, "%s has more than %u bytes", path,
                         GATEWAY_USERS_FILE_MAX);
    return 0;
}

/* The whole file, terminated; the caller frees. */
static int read_file(const char *path, char **out_text, tbus_error_t *err)
{
    struct stat st;
    FILE *in = NULL;
    char *text = NULL;
    /* Nonblocking, so that a FIFO in its place does not hold us. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0) {
        int code = -errno;
        if (fd >= 0)
            close(fd);
        return tbus_fail(err, code, "cannot open %s, which gateway.users names: %s", path,
                         code == -ELOOP ? "it is a link" : tbus_strerror(code));
    }
    int code = check_file(path, &st, err);
    if (code == 0 && (!(text = malloc(GATEWAY_USERS_FILE_MAX + 1)) || !(in = fdopen(fd, "re"))))
        code = tbus_fail(err, -ENOMEM, "no memory to read %s", path);
    if (code == 0) {
        size_t bytes = fread(text, 1, GATEWAY_USERS_FILE_MAX, in);
        text[bytes] = 0;
        if (ferror(in))
            code = tbus_fail(err, -EIO, "cannot read %s", path);
        else if (strlen(text) != bytes)
            code = tbus_fail(err, -TBUS_EFORMAT, "%s is no text: it holds a zero byte", path);
    }
    if (in)
        fclose(in);
    else
        close(fd);
    if (code < 0)
        free(text);
    else
        *out_text = text;
    return code;
}

static bool good_name(const char *name)
{
    size_t length = strlen(name);
    if (length == 0 || length > SOUP_USER_BYTES)
        return false;
    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '_' && *c != '-')
            return false;
    return true;
}

/* crypt(3) knows the method, and the hash is a whole one: it gives something as long. */
static bool good_hash(const char *hash)
{
    struct crypt_data *data = calloc(1, sizeof *data);
    const char *made = data ? crypt_r("x", hash, data) : NULL;
    bool good = made && made[0] != '*' && strlen(made) == strlen(hash);
    free(data);
    return good;
}

static int take_line(gateway_users_t *users, const char *path, unsigned number, char *line,
                     tbus_error_t *err)
{
    gateway_user_t *user = &users->users[users->count];
    const char *name = strsep(&line, ":");
    const char *hash = strsep(&line, ":");
    const char *topics = line ? line : "";
    if (!good_name(name))
        return tbus_fail(err, -TBUS_EFORMAT,
                         "%s, line %u: a user has 1 to %u letters, digits, '_' or '-'; a line is "
                         "user:hash or user:hash:topics",
                         path, number, SOUP_USER_BYTES);
    if (!hash || strlen(hash) >= sizeof user->hash || !good_hash(hash))
        return tbus_fail(err, -TBUS_EFORMAT,
                         "%s, line %u: user '%s' has no hash of a password that crypt(3) knows; "
                         "make one with: openssl passwd -6",
                         path, number, name);
    if (strlen(topics) >= sizeof user->topics || strchr(topics, ':'))
        return tbus_fail(err, -TBUS_EFORMAT,
                         "%s, line %u: the topics of user '%s' are a comma separated list of at "
                         "most %zu characters",
                         path, number, name, sizeof user->topics - 1);
    if (gateway_users_find(users, name) != GATEWAY_NO_USER)
        return tbus_fail(err, -TBUS_EFORMAT, "%s, line %u: user '%s' is there twice", path, number,
                         name);
    for (size_t i = 0; i <= strlen(name); i++)
        user->name[i] = (char)tolower((unsigned char)name[i]);
    snprintf(user->hash, sizeof user->hash, "%s", hash);
    snprintf(user->topics, sizeof user->topics, "%s", topics);
    users->count++;
    return 0;
}

int gateway_users_load(const char *path, gateway_users_t *out_users, tbus_error_t *err)
{
    char *text = NULL;
    gateway_users_t users = {0};
    int code = read_file(path, &text, err);
    if (code < 0)
        return code;
    users.users = calloc(GATEWAY_USERS_MAX, sizeof *users.users);
    if (!users.users)
        code = tbus_fail(err, -ENOMEM, "no memory for the users in %s", path);
    char *rest = text;
    char *line;
    for (unsigned number = 1; code == 0 && (line = strsep(&rest, "\n")) != NULL; number++) {
        size_t length = strlen(line);
        while (length && isspace((unsigned char)line[length - 1]))
            line[--length] = 0;
        if (!length || *line == '#')
            continue;
        code = users.count == GATEWAY_USERS_MAX
                   ? tbus_fail(err, -TBUS_EFULL, "%s, line %u: more than %u users", path, number,
                               GATEWAY_USERS_MAX)
                   : take_line(&users, path, number, line, err);
    }
    if (code == 0 && users.count == 0)
        code = tbus_fail(err, -TBUS_EFORMAT, "%s names no user: nobody could log in", path);
    free(text);
    if (code < 0)
        gateway_users_destroy(&users);
    else
        *out_users = users;
    return code;
}

void gateway_users_destroy(gateway_users_t *users)
{
    free(users->users);
    *users = (gateway_users_t){0};
}

/* --- asking --- */

uint32_t gateway_users_find(const gateway_users_t *users, const char *name)
{
    for (uint32_t i = 0; i < users->count; i++)
        if (strcasecmp(users->users[i].name, name) == 0)
            return i;
    return GATEWAY_NO_USER;
}

bool gateway_user_may(const gateway_user_t *user, const char *topic)
{
    size_t length = strlen(topic);
    if (!user->topics[0])
        return true;
    for (const char *at = user->topics; *at; at += *at == ',') {
        size_t item = strcspn(at, ",");
        if (item == length && memcmp(at, topic, length) == 0)
            return true;
        at += item;
    }
    return false;
}

static bool fits_as_it_is(const char *password, const char *hash, struct crypt_data *data)
{
    const char *made = crypt_r(password, hash, data);
    return made && made[0] != '*' && strlen(made) == strlen(hash) &&
           CRYPTO_memcmp(made, hash, strlen(hash)) == 0;
}

bool gateway_password_fits(const char *password, const char *hash)
{
    char upper[SOUP_PASSWORD_BYTES + 1] = {0};
    char lower[SOUP_PASSWORD_BYTES + 1] = {0};
    struct crypt_data *data = calloc(1, sizeof *data);
    if (!data || strlen(password) > SOUP_PASSWORD_BYTES) {
        free(data);
        return false;
    }
    for (size_t i = 0; password[i]; i++) {
        upper[i] = (char)toupper((unsigned char)password[i]);
        lower[i] = (char)tolower((unsigned char)password[i]);
    }
    bool fits = fits_as_it_is(password, hash, data);
    if (!fits && strcmp(upper, password) != 0)
        fits = fits_as_it_is(upper, hash, data);
    if (!fits && strcmp(lower, password) != 0)
        fits = fits_as_it_is(lower, hash, data);
    explicit_bzero(upper, sizeof upper);
    explicit_bzero(lower, sizeof lower);
    explicit_bzero(data, sizeof *data);
    free(data);
    return fits;
}
