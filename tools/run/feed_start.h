/* SPDX-License-Identifier: Apache-2.0 */
/* feed_start.h - where a feed from a stream of NATS begins, found out before the bus is made: the
 * ring md begins with the sequence that its first message has at its source, so that each message
 * has the same one here as there. */
#ifndef TICKBUS_TOOLS_RUN_FEED_START_H
#define TICKBUS_TOOLS_RUN_FEED_START_H

#include <stdint.h>

#include <tickbus/error.h>

#include "tools/config/start_options.h"

/* Of the source that the options name: *out_md_first_seq, 0 where the source has no say; and a
 * place that is a time or "now" becomes a sequence in feed.source. A process of its own asks the
 * server, as the client library's threads would not come along to the stages. 0; errors of opening
 * the source. Cold: it waits for the server. */
int feed_start_prepare(start_options_t *options, uint64_t *out_md_first_seq, tbus_error_t *err);

#endif
