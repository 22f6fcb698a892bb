/* SPDX-License-Identifier: Apache-2.0 */
/* books_scale.h - the books of a whole market beside those of a few symbols: 11,000 symbols, 10
 * million live orders, a hundred of the books 5,000 levels deep on each side.
 *
 * Ticks are made in batches and the books are timed alone. Both markets are at their size all the
 * time: adds, deletes, executions, reductions and replaces of orders that are drawn evenly from all
 * that live (so hardly any is in a cache), two thirds of new ones within 32 levels of the touch.
 */
#ifndef TICKBUS_BENCH_BOOKS_SCALE_H
#define TICKBUS_BENCH_BOOKS_SCALE_H

#include <jansson.h>

#define BOOKS_REPETITIONS_MAX 101u

/* Rows {what, symbols, orders, levels, bytes, huge_bytes, create_s, fill_ns, ns, lowest,
 * highest, ratio_to_small}; a new reference. `repetitions`: 1..BOOKS_REPETITIONS_MAX; `quick`: a
 * thousandth of the orders. */
json_t *books_scale(unsigned repetitions, int quick);
void books_scale_print(const json_t *rows);

#endif
