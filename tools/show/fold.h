/* SPDX-License-Identifier: Apache-2.0 */
/* fold.h - text in lines that a terminal of 80 columns shows whole. */
#ifndef TICKBUS_TOOLS_SHOW_FOLD_H
#define TICKBUS_TOOLS_SHOW_FOLD_H

#include <stdio.h>

#define FOLD_COLUMNS 80

/* Print `label`, and from column `indent` on the words of `text`, as many on a line as fit. A label
 * that reaches `indent` has a line of its own, an empty one has none. A word that is longer than a
 * line stays whole. */
void fold(FILE *out, const char *label, int indent, const char *text);

#endif
