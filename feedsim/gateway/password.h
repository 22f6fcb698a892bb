/* SPDX-License-Identifier: Apache-2.0 */
/* password.h - checks passwords beside the thread that serves: a hash is made to take long, and
 * nobody's messages are to wait for somebody else's login.
 *
 *    server --- submit ---> [ places, at most GATEWAY_PASSWORDS_MAX ] ---> helper thread: crypt(3)
 *           <--- take ----                                            <---
 *
 * The helper sleeps unless there is something to check, with all signals blocked. All calls are for
 * the one thread that made it. Passwords are wiped when they were checked. Cold.
 */
#ifndef TICKBUS_FEEDSIM_GATEWAY_PASSWORD_H
#define TICKBUS_FEEDSIM_GATEWAY_PASSWORD_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GATEWAY_PASSWORDS_MAX 64u

typedef struct gateway_passwords gateway_passwords_t;

/* -ENOMEM, -errno of the thread. Call it in the process that serves, after any fork(2). */
int gateway_passwords_create(gateway_passwords_t **out_passwords, tbus_error_t *err);
void gateway_passwords_destroy(gateway_passwords_t *p); /* waits for the check at hand; NULL too */

/* Have it checked. `ticket` comes back with the answer. The hash is copied: the table it is from
 * may be another by then. `known`: false when the user is not: then the answer is no, and comes as
 * late. False: there is no place now; ask again later. */
bool gateway_passwords_submit(gateway_passwords_t *p, uint64_t ticket, const char *password,
                              const char *hash, bool known);

/* An answer, if there is one. */
bool gateway_passwords_take(gateway_passwords_t *p, uint64_t *out_ticket, bool *out_right);

#ifdef __cplusplus
}
#endif
#endif
