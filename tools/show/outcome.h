/* SPDX-License-Identifier: Apache-2.0 */
/* outcome.h - how a command ends: its exit code, and the sentence on stderr that says why.
 *
 * `command` is the name by which the user called it, "busctl start"; a verb finds it in its
 * argv[0].
 */
#ifndef TICKBUS_TOOLS_SHOW_OUTCOME_H
#define TICKBUS_TOOLS_SHOW_OUTCOME_H

#include <getopt.h>
#include <stdbool.h>

/* FAILED: it was understood, and it failed. USAGE: the command line is wrong. Either way stderr
 * says what and why. */
enum outcome { OUTCOME_OK = 0, OUTCOME_FAILED = 1, OUTCOME_USAGE = 2 };

/* The name by which the program was called, of argv[0]: "busctl", or "tickbus" where it is
 * installed so. Texts that name the command use it. */
void outcome_called(const char *argv0);
const char *outcome_program(void);

/* A wrong command line: prints "COMMAND: <what>" and where help is. Returns
 * OUTCOME_USAGE. */
int outcome_usage(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same when getopt_long(3) has said what: where help is. */
int outcome_hint(const char *command);

/* The same for an option: says as well which one may have been meant. `given` is the argument that
 * getopt_long did not take, argv[optind - 1]. */
int outcome_option(const char *command, const char *given, const struct option *options);

/* A failure: prints "COMMAND: <what>". Returns OUTCOME_FAILED. */
int outcome_failed(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "busctl halt: note: ..." on stderr: what is no failure, and good to know. */
void outcome_note(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same for a run that never began; with `json` also as an object on stdout
 * ({"state":"refused","errors":["..."]}). */
int outcome_refused(const char *command, bool json, const char *why);

/* All data is on stdout: flush it. OUTCOME_OK, also when its reader has gone, as in `busctl tap md
 * | head`; OUTCOME_FAILED and a sentence when it could not be written. */
int outcome_printed(const char *command);

/* Print `text` on stdout, as --help does, and outcome_printed. "busctl" in it is printed as the
 * name by which the program was called. */
int outcome_help(const char *command, const char *text);

#endif
