/* SPDX-License-Identifier: Apache-2.0 */
/* hdr_file.h - histograms as the tools of HdrHistogram read them (github.com/HdrHistogram: the Java
 * sources of AbstractHistogram and HistogramLogWriter are what there is of a specification).
 *
 *    .hgrm   text: value, percentile, count so far, 1 / (1 - percentile); for the plotters
 *    .hlog   text: one line an interval, with its histogram in the compressed encoding V2
 *
 * V2, integers big-endian: cookie 0x1c849313, bytes of counts, normalizing index offset 0,
 * significant digits (32 bits each); lowest and highest value (64 bits each); ratio to doubles 1.0
 * (64 bits); counts, as numbers in ZigZag LEB128 of at most 9 bytes, where a negative one is as
 * many counts of 0. Compressed: cookie 0x1c849314, bytes that follow, then the same by zlib; in a
 * log as base64.
 */
#ifndef TICKBUS_TOOLS_LATENCY_HDR_FILE_H
#define TICKBUS_TOOLS_LATENCY_HDR_FILE_H

#include <stdint.h>
#include <stdio.h>

#include "tools/latency/hdr.h"
#include "tools/latency/samples.h"

/* One line of a log: what was recorded under `tag` from `from_s` after its beginning, for
 * `length_s`. False: no memory. Here for tests. */
bool hdr_log_add(const char *tag, double from_s, double length_s, const hdr_t *h, FILE *out);

/* Of each hop that was measured DIR/HOP.hgrm; and DIR/latency.hlog, with a line for each second and
 * hop, by the time at which messages were intended. `start_ms`: when the schedule began, after
 * 1970. -errno, -ENOMEM. */
int hdr_write_samples(const samples_t *s, uint64_t start_ms, const char *directory,
                      tbus_error_t *err);

#endif
