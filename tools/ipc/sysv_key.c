/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ipc/sysv_key.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

int ipc_sysv_key(ipc_leftovers_t *leftovers, const char *mechanism, key_t *out_key,
                 tbus_error_t *err)
{
    uint32_t random;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        return tbus_fail(err, -errno, "getrandom: %s", strerror(errno));
    key_t key = (key_t)(random >> 1 | 1);
    char object[16];
    snprintf(object, sizeof object, "%d", key);
    int code = ipc_leftovers_record(leftovers, mechanism, object, err);
    if (code == 0)
        *out_key = key;
    return code;
}

key_t ipc_sysv_key_of(const char *object)
{
    long key = strtol(object, NULL, 10);
    return key > 0 && key <= INT32_MAX ? (key_t)key : (key_t)INT32_MAX;
}

bool ipc_sysv_is_ours(const struct ipc_perm *permissions)
{
    return permissions->cuid == geteuid();
}
