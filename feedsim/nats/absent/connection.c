/* SPDX-License-Identifier: Apache-2.0 */
/* In the place of feedsim/nats/jetstream/connection.c where there is no NATS client library. */
#include "feedsim/nats/jetstream/connection.h"

#include <errno.h>
#include <stddef.h>

bool nats_available(void)
{
    return false;
}

int nats_missing(const char *what, tbus_error_t *err)
{
    return tbus_fail(err, -TBUS_ECONFIG,
                     "%s needs the NATS client library, which this build does not have: install "
                     "libnats-dev (3.4 or later), remove the build directory's CMakeCache.txt and "
                     "build again",
                     what);
}

int nats_connection_open(const nats_way_t *way, struct __natsConnection **out_connection,
                         tbus_error_t *err)
{
    (void)way;
    (void)out_connection;
    return nats_missing("a connection to NATS", err);
}

void nats_connection_close(struct __natsConnection *connection)
{
    (void)connection;
}

void nats_connection_silence(struct __natsConnection *connection)
{
    (void)connection;
}

int nats_status_fail(int status, const char *what, tbus_error_t *err)
{
    return tbus_fail(err, -EIO, "%s: status %d of NATS", what, status);
}
