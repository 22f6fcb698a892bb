/* SPDX-License-Identifier: Apache-2.0 */
/* provenance.h - where a JSON output comes from: the keys that every object of figures has, so that
 * it can be read without the terminal that it was printed on.
 *
 *    schema     of the object, a number that is raised when a key changes its meaning or goes
 *    version    of tickbus, "0.1.0 (a1b2c3d)"
 *    command    the command line, a list of words
 *    host       kernel cpu cpus
 */
#ifndef TICKBUS_TOOLS_MEASURE_PROVENANCE_H
#define TICKBUS_TOOLS_MEASURE_PROVENANCE_H

#include <jansson.h>

/* The command line of this process, for later; what argv points to must live as long. */
void provenance_know(int argc, char **argv);

/* "0.1.0 (a1b2c3d)": the version, and the commit that it was built from where it is known. */
const char *provenance_version(void);

/* Set the keys above in `object`. */
void provenance_add(json_t *object, int schema);

#endif
