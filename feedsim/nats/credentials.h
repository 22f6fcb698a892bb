/* SPDX-License-Identifier: Apache-2.0 */
/* credentials.h - who we are to NATS, from a file, in one of three forms:
 *
 *    user=NAME              token=TEXT             what `nsc generate creds` writes, with
 *    password=TEXT                                 "-----BEGIN NATS USER JWT-----" in it
 *
 * Lines that are empty or begin with # do not count. The file must not be readable by others than
 * its owner and its group. Pure but for the file. */
#ifndef TICKBUS_FEEDSIM_NATS_CREDENTIALS_H
#define TICKBUS_FEEDSIM_NATS_CREDENTIALS_H

#include <tickbus/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NATS_CREDENTIAL_MAX 512u

enum nats_credentials_kind {
    NATS_CREDENTIALS_NONE = 0,
    NATS_CREDENTIALS_USER = 1,
    NATS_CREDENTIALS_TOKEN = 2,
    NATS_CREDENTIALS_CREDS = 3 /* the library reads the file itself */
};

typedef struct nats_credentials {
    enum nats_credentials_kind kind;
    char user[NATS_CREDENTIAL_MAX];
    char secret[NATS_CREDENTIAL_MAX]; /* password, or token */
} nats_credentials_t;

/* `path` "" or NULL: NONE. -errno; -TBUS_ECONFIG: it is in none of the forms, or others may read
 * it. Errors name the file and no secret. */
int nats_credentials_read(const char *path, nats_credentials_t *out_credentials, tbus_error_t *err);

#ifdef __cplusplus
}
#endif
#endif
