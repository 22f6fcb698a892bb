/* SPDX-License-Identifier: Apache-2.0 */
/* format.h - figures for people: three digits and a unit. */
#ifndef TICKBUS_TOOLS_MEASURE_FORMAT_H
#define TICKBUS_TOOLS_MEASURE_FORMAT_H

#include <stddef.h>

#define IPC_FIGURE_MAX 24u

typedef struct ipc_figure {
    char text[IPC_FIGURE_MAX];
} ipc_figure_t;

/* NaN is "-" in all of them. */
ipc_figure_t ipc_figure_ns(double ns);                 /* "359 ns", "12.7 us", "4.02 ms" */
ipc_figure_t ipc_figure_rate(double per_s);            /* "84.1 M", "612 k", "35.0" */
ipc_figure_t ipc_figure_ratio(double ratio);           /* "0.97", "12.4", "2,210" */
ipc_figure_t ipc_figure_percent(double part);          /* "3 %" */
ipc_figure_t ipc_figure_bytes(size_t bytes);           /* "64 B", "1 KiB" */
ipc_figure_t ipc_figure_byte_rate(double bytes_per_s); /* "14.1 MB/s", "2.41 GB/s" */

#endif
