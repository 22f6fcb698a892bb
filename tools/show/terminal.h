/* SPDX-License-Identifier: Apache-2.0 */
/* terminal.h - what can be done on the terminal that we were started on. */
#ifndef TICKBUS_TOOLS_SHOW_TERMINAL_H
#define TICKBUS_TOOLS_SHOW_TERMINAL_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* It can only write on, and a line that is to be written anew would fill it with escape sequences:
 * TERM is "dumb", or nobody has said what it is. */
static inline bool terminal_is_dumb(void)
{
    const char *name = getenv("TERM");
    return !name || !*name || strcmp(name, "dumb") == 0;
}

#endif
