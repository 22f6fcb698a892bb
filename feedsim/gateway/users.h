/* SPDX-License-Identifier: Apache-2.0 */
/* users.h - who may log in, from a file that says it with hashed passwords.
 *
 *    # comment
 *    alice:$6$salt$hash                 every topic
 *    bob:$y$j9T$salt$hash:md,bbo        these topics
 *
 * A line is `user:hash` or `user:hash:topics`. The user has 1 to 6 letters, digits, '_' or '-', and
 * no case, as SoupBinTCP has it. The hash is one of crypt(3), as `openssl passwd -6` or mkpasswd(1)
 * make it, of a password of at most 10 characters. Passwords have no case in the protocol either;
 * since a hash has, a password is right when the hash is of it as it was sent, or of it in upper or
 * lower case.
 *
 * The file must be an ordinary one, not a link, of this user or root, and nobody else may read or
 * write it: hashes of short passwords are found by trying.
 *
 * Cold. A table belongs to one thread, and does not change once it is loaded.
 */
#ifndef TICKBUS_FEEDSIM_GATEWAY_USERS_H
#define TICKBUS_FEEDSIM_GATEWAY_USERS_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/error.h>

#include "bus/wire/soup.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GATEWAY_USERS_MAX      1024u
#define GATEWAY_HASH_MAX       256u /* with the terminating zero, as the next */
#define GATEWAY_TOPICS_MAX     128u
#define GATEWAY_NO_USER        UINT32_MAX
#define GATEWAY_USERS_FILE_MAX 262144u /* bytes */

typedef struct gateway_user {
    char name[SOUP_USER_BYTES + 1]; /* in lower case */
    char hash[GATEWAY_HASH_MAX];
    char topics[GATEWAY_TOPICS_MAX]; /* comma separated; "": every one */
} gateway_user_t;

typedef struct gateway_users {
    uint32_t count;
    gateway_user_t *users; /* owned */
} gateway_users_t;

/* Read the file. Errors name it, and the line: -errno, -ELOOP for a link; -EPERM: it belongs to
 * somebody else, or others may read it; -TBUS_EFORMAT; -TBUS_EFULL. */
int gateway_users_load(const char *path, gateway_users_t *out_users, tbus_error_t *err);
void gateway_users_destroy(gateway_users_t *users); /* accepts one that is all zeros */

/* Its index, or GATEWAY_NO_USER. */
uint32_t gateway_users_find(const gateway_users_t *users, const char *name);

/* May that user have the topic? */
bool gateway_user_may(const gateway_user_t *user, const char *topic);

/* Is the password one of that hash? Takes as long as the hash was made to take: milliseconds, or
 * many. Any thread. */
bool gateway_password_fits(const char *password, const char *hash);

#ifdef __cplusplus
}
#endif
#endif
