/* SPDX-License-Identifier: Apache-2.0 */
/* arguments.h - what the command lines of `busctl journal VERB` have in common. */
#ifndef TICKBUS_TOOLS_JOURNAL_ARGUMENTS_H
#define TICKBUS_TOOLS_JOURNAL_ARGUMENTS_H

#include <stdbool.h>

/* getopt_long(3) has taken the options: one argument must be left, the journal's directory.
 * OUTCOME_OK, or OUTCOME_USAGE with a sentence on stderr. */
int journal_directory_argument(int argc, char **argv, const char **out_directory);

/* The command line of a verb that knows no options but --json (where `out_json` is not NULL) and
 * --help. True: *out_directory is set. False: it ends here with *out_code. */
bool journal_plain_arguments(int argc, char **argv, const char *help, bool *out_json,
                             const char **out_directory, int *out_code);

#endif
