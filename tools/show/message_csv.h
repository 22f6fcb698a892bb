/* SPDX-License-Identifier: Apache-2.0 */
/* message_csv.h - the messages of a topic as rows of a CSV file (RFC 4180, with a header row).
 *
 *    type     columns
 *    bbo      md_seq,locate,symbol,ts_event_ns,bid_px_e4,bid_qty,ask_px_e4,ask_qty
 *    tick     seq,type,locate,tracking,symbol,ts_event_ns,side,order_ref,new_ref,qty,px_e4,match,
 *             from,to (of a gap)
 *    order    seq,order_id,strategy,kind,locate,side,qty,px_e4,tif,md_seq,report_seq,symbol
 *    report   seq,order_id,strategy,kind,reason,locate,side,qty,px_e4,leaves,liquidity,exec_id,
 *             md_seq,symbol
 *    event    seq,kind,from,by,number,time_ns,uid,pid,position,md_seq,ts_event_ns,more,
 *             text
 *
 * With `stamps` the host's own clock follows: intended_ns of ticks before from, sent_ns of events
 * in the last column; in orders and reports intended_ns,sent_ns stand before the symbol. Without,
 * two runs that did the same give the same file, but for events, which tell when somebody acted.
 *
 * Prices are integers in 1/10000, times ns since midnight (ts_event_ns) or since the bus epoch;
 * symbols come without the spaces that pad them. An empty side of a bbo is all zeros; a field that
 * a message does not have is empty.
 */
#ifndef TICKBUS_TOOLS_SHOW_MESSAGE_CSV_H
#define TICKBUS_TOOLS_SHOW_MESSAGE_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "tools/show/symbols.h"

/* The columns, without a newline; NULL: messages of this type have no rows. */
const char *message_csv_columns(const char *type, bool stamps);

/* Write one row. `message`: 8-byte aligned. `symbols`: what is known of them (orders and reports
 * carry a locate alone); may be NULL. False, and nothing is written: it has no length of its
 * type. Errors are the stream's. */
bool message_csv_row(FILE *out, const char *type, uint64_t seq, const void *message, size_t bytes,
                     bool stamps, const symbols_t *symbols);

#endif
