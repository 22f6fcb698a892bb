/* SPDX-License-Identifier: Apache-2.0 */
/* orphans.h - what became of processes whose supervisor had died: a line for each, in the file
 * NAME.orphans of the run directory (rundir.h), since nobody was there to say it to. The next start
 * under that name shows them and removes the file.
 */
#ifndef TICKBUS_TOOLS_CONTROL_ORPHANS_H
#define TICKBUS_TOOLS_CONTROL_ORPHANS_H

#include <stddef.h>

#include "bus/run/rundir.h"

/* Append "TIME: text". Any process, also several at a time: each line is one write. Nothing is said
 * when it fails: there is nobody to say it to. */
void orphans_note(const char *bus_name, const char *text);

/* Call `line` for each line of the file, which is removed. Longer files than a dead bus leaves are
 * cut. Requires the name's lock. */
void orphans_take(const tbus_rundir_t *dir, const char *bus_name,
                  void (*line)(void *context, const char *text), void *context);

#endif
