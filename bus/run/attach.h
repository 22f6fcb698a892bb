/* SPDX-License-Identifier: Apache-2.0 */
/* attach.h - attaching with the rights that the descriptors carry. Private to bus/run. */
#ifndef TICKBUS_BUS_RUN_ATTACH_H
#define TICKBUS_BUS_RUN_ATTACH_H

#include <stdbool.h>
#include <stddef.h>

#include <tickbus/bus.h>

/* As tbus_bus_attach; `as_given`: what came as a descriptor for reading and writing is mapped so,
 * and a topic of which there is none (-1) is left out: its ring has no `shared`. */
int tbus_bus_attach_as(bool as_given, const int *fds, size_t fds_count, tbus_bus_t *out_bus,
                       tbus_error_t *err);

#endif
