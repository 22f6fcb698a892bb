/* SPDX-License-Identifier: Apache-2.0 */
/* report.h - the measurement, for people and for machines. */
#ifndef TICKBUS_TOOLS_IPC_REPORT_H
#define TICKBUS_TOOLS_IPC_REPORT_H

#include <stdio.h>

#include <jansson.h>

#include "tools/ipc/advice.h"
#include "tools/measure/host.h"

/* The tables, a bar chart, the classic comparison with measured figures, and advice, as text.
 * (report_text.c, report_classic.c) */
void ipc_report_text(FILE *out, const ipc_measurement_t *m, const host_t *host, enum ipc_sort sort);
void ipc_report_classic(FILE *out, const ipc_measurement_t *m);

/* The same as one object (report_json.c); NULL: no memory. Members:
 *    mechanisms[]   by name and placement, in the order asked for: name, cpus[],
 *                   roundtrip_ns{p50,p99,p99_9,max,...}, messages_per_s{"64","1024","65536"} (null
 *                   where it cannot be, with messages_per_s_why), cpu_ns_per_message,
 *                   syscalls_per_message, context_switches_per_message (of a round trip's two
 *                   messages; `stream` has those of 64-byte streams), transfers_data, synchronises,
 *                   scope, available, why_not, ...
 *    raw[]          the yardstick, by placement
 *    advice[], notes[], size, rounds, elapsed_s
 *    schema, version, command, host   as in provenance.h; host.load is that before the measurement
 */
json_t *ipc_report_json(const ipc_measurement_t *m, const host_t *host, enum ipc_sort sort);

/* The charts as an SVG document of its own, light or dark as its reader prefers. (report_svg.c) */
void ipc_report_svg(FILE *out, const ipc_measurement_t *m);

/* One page with everything, needing nothing from outside. (report_html.c) */
void ipc_report_html(FILE *out, const ipc_measurement_t *m, const host_t *host, enum ipc_sort sort);

#endif
