/* SPDX-License-Identifier: Apache-2.0 */
/* inputs.h - the ITCH 5.0 files that benches of whole flows run on: uncompressed, in a directory of
 * our own, which goes when the program ends.
 *
 * A file that is too short is repeated: each lap comes under stock locates and order references of
 * its own, so that every book starts empty, as it did in the first.
 */
#ifndef TICKBUS_BENCH_INPUTS_H
#define TICKBUS_BENCH_INPUTS_H

#include <stdint.h>

/* `what`: name and number of messages of the file at `path`, which is there until this returns. */
typedef void (*inputs_use_t)(const char *what, const char *path, void *context);

/* The file that is given; or, NULL, a synthetic one (flow=plain) and one of real order flow, where
 * it is found. Each of at least so many messages. Once in a program. */
void inputs_each(const char *file, uint64_t messages_min, inputs_use_t use, void *context);

#endif
