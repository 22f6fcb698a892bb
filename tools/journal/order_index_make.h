/* SPDX-License-Identifier: Apache-2.0 */
/* order_index_make.h - makes the index of a session's orders (order_index.h): reads the journal
 * once for its orders (why_session.h), and judges all of them again (why_gate.h).
 *
 * Memory: that of the session, 64 bytes more for each order, and a gate with its books; lives are
 * written as they come.
 */
#ifndef TICKBUS_TOOLS_JOURNAL_ORDER_INDEX_MAKE_H
#define TICKBUS_TOOLS_JOURNAL_ORDER_INDEX_MAKE_H

#include <tickbus/error.h>

#include "tools/journal/why_session.h"

/* Of a session that was read without an error. 0: it is there. -EBUSY: the recording has not come
 * to its end, or the journal is torn; -EAGAIN: somebody else is making it; -EACCES, -EROFS,
 * -ENOSPC and the like; -ENOMEM; errors of reading. Where it fails, nothing is left behind; ticks
 * and touches may be set in the session. */
int order_index_make(const char *directory, why_session_t *session, tbus_error_t *err);

/* Have the index of the journal in that directory, right in every byte: 1: made; 0: it was there;
 * negative as above, and as why_session_read. */
int order_index_ensure(const char *directory, tbus_error_t *err);

#endif
