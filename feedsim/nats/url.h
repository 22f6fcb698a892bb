/* SPDX-License-Identifier: Apache-2.0 */
/* url.h - where NATS is: nats://HOST:PORT or tls://HOST:PORT, several of one cluster with commas
 * between them. Names and passwords do not belong there, where every `ps` shows them: they come
 * from a file (feedsim/nats/jetstream/connection.h). Pure. */
#ifndef TICKBUS_FEEDSIM_NATS_URL_H
#define TICKBUS_FEEDSIM_NATS_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tickbus/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NATS_SERVERS_MAX 16u
#define NATS_URL_MAX     300u /* of one server */

/* Are all servers of `text` such? -TBUS_ECONFIG: which is not, and what was expected. */
int nats_url_check(const char *text, tbus_error_t *err);

/* Take them apart. Returns how many there are, or as nats_url_check. */
int nats_url_split(const char *text, char out_servers[NATS_SERVERS_MAX][NATS_URL_MAX],
                   tbus_error_t *err);

#ifdef __cplusplus
}
#endif
#endif
