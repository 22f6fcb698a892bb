/* SPDX-License-Identifier: Apache-2.0 */
/* recorded.h - the configuration that a session was recorded with, from the beginning of its
 * journal: what `busctl journal config` prints, without reading all of the journal. */
#ifndef TICKBUS_TOOLS_SHOW_RECORDED_H
#define TICKBUS_TOOLS_SHOW_RECORDED_H

#include <jansson.h>

/* A new reference. NULL: there is no journal, it says nothing of a configuration, or what it says
 * is no JSON. */
json_t *recorded_configuration(const char *directory);

/* Likewise what was run: version, command, source, stages (tools/run/supervisor_events.c). */
json_t *recorded_provenance(const char *directory);

#endif
