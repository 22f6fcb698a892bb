/* SPDX-License-Identifier: Apache-2.0 */
/* proc_value.h - a limit of this host, as /proc tells it. */
#ifndef TICKBUS_TOOLS_MEASURE_PROC_VALUE_H
#define TICKBUS_TOOLS_MEASURE_PROC_VALUE_H

/* The number that the file `path` holds (its `field`th, from 0), or -1. Values beyond 2^63 - 1 are
 * given as that. */
long long proc_value(const char *path, int field);

#endif
