/* SPDX-License-Identifier: Apache-2.0 */
/* listing.h - symbols that are to be traded and that the feed does not list: a typing error, or
 * yesterday's listing. A day of ITCH begins with its stock directory, so what can be read twice (a
 * file, a journal, a synthetic feed) is asked before the run; of a pipe nobody knows.
 */
#ifndef TICKBUS_TOOLS_RUN_LISTING_H
#define TICKBUS_TOOLS_RUN_LISTING_H

#include <stdbool.h>
#include <stddef.h>

#include "tools/config/config.h"

/* A sentence that names those of the key `symbols` of all strategies. False: there are none, or the
 * feed has no directory at its beginning. Opens the feed's source and reads its directory. */
bool listing_missing(const config_t *config, char *out_text, size_t bytes);

#endif
