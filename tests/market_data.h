/* SPDX-License-Identifier: Apache-2.0 */
/* market_data.h - where tests find recorded market data, which is no part of the repository.
 *
 * $TICKBUS_SHARED/data, else ../shared/data beside the source tree. A test that needs it and finds
 * none says so and skips.
 */
#ifndef TICKBUS_TESTS_MARKET_DATA_H
#define TICKBUS_TESTS_MARKET_DATA_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MARKET_DATA_PATH_MAX 1024

/* The path of a file of the data set; false, and one line said, when it is not there. */
static inline bool market_data_path(const char *name, char out_path[MARKET_DATA_PATH_MAX])
{
    const char *shared = getenv("TICKBUS_SHARED");
    if (shared == NULL)
        shared = TICKBUS_SOURCE_DIR "/../shared";
    snprintf(out_path, MARKET_DATA_PATH_MAX, "%s/data/%s", shared, name);
    if (access(out_path, R_OK) == 0)
        return true;
    printf("market data is missing: no %s (set TICKBUS_SHARED to the directory that holds data/)\n",
           out_path);
    return false;
}

#endif
