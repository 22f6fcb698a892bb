/* SPDX-License-Identifier: Apache-2.0 */
/* format.h - figures for people: three digits and a unit. */
#ifndef TICKBUS_TOOLS_MEASURE_FORMAT_H
#define TICKBUS_TOOLS_MEASURE_FORMAT_H

#include <stddef.h>

#define FIGURE_MAX 24u

typedef struct figure {
    char text[FIGURE_MAX];
} figure_t;

/* NaN is "-" in all of them. */
figure_t figure_ns(double ns);                 /* "359 ns", "12.7 us", "4.02 ms" */
figure_t figure_rate(double per_s);            /* "84.1 M", "612 k", "35.0" */
figure_t figure_ratio(double ratio);           /* "0.97", "12.4", "2,210" */
figure_t figure_percent(double part);          /* "3 %" */
figure_t figure_bytes(size_t bytes);           /* "64 B", "1 KiB" */
figure_t figure_byte_rate(double bytes_per_s); /* "14.1 MB/s", "2.41 GB/s" */

#endif
