/* SPDX-License-Identifier: Apache-2.0 */
/* latches_shown.h - what holds orders back, as the summary has it (summary.h: risk): what is thrown
 * of the kill switch, and which strategies have lost what they may; since when, by whom and why. */
#ifndef TICKBUS_TOOLS_RUN_LATCHES_SHOWN_H
#define TICKBUS_TOOLS_RUN_LATCHES_SHOWN_H

#include <stdio.h>

#include <jansson.h>

#include <tickbus/bus.h>

/* Into `risk`: halted, halt, reducing, reduce, strategies_latched, ... */
void latches_shown_add(json_t *risk, const tbus_bus_t *bus);

/* The same for people: a paragraph for each that holds; `indent`: columns before its lines. */
void latches_shown_print(FILE *out, const json_t *risk, int indent);

#endif
