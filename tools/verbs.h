/* SPDX-License-Identifier: Apache-2.0 */
/* verbs.h - what busctl can do, one function a verb, each in a file of its own (verb_NAME.c).
 *
 * A verb gets its own command line: argv[0] is "busctl VERB", for messages; its options follow. It parses
 * them with getopt_long(3), writes its data on stdout and everything else on stderr, and returns the exit
 * code of the process. `--help` of a verb says what it does and shows an example.
 */
#ifndef TICKBUS_TOOLS_VERBS_H
#define TICKBUS_TOOLS_VERBS_H

#include <stdbool.h>

/* FAILED: it was understood, and it failed. USAGE: the command line is wrong. Either way stderr says what and
 * why. */
enum verb_exit { VERB_OK = 0, VERB_FAILED = 1, VERB_USAGE = 2 };

int verb_start(int argc, char **argv);
int verb_replay(int argc, char **argv);
int verb_stop(int argc, char **argv);
int verb_halt(int argc, char **argv);
int verb_resume(int argc, char **argv); /* verb_halt.c */
int verb_status(int argc, char **argv);
int verb_tap(int argc, char **argv);
int verb_journal(int argc, char **argv);
int verb_config(int argc, char **argv);
int verb_ipc(int argc, char **argv); /* tools/ipc/verb_ipc.c */

/* A wrong command line: prints "VERB: <what>" and where help is. `verb` is the verb's argv[0]. Returns
 * VERB_USAGE. */
int verb_usage(const char *verb, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same when getopt_long(3) has said what: where help is. */
int verb_hint(const char *verb);

/* A failure: prints "VERB: <what>". Returns VERB_FAILED. */
int verb_failed(const char *verb, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for a run that never began; with `json` also as an object on stdout (summary_print_refusal). */
int verb_refused(const char *verb, bool json, const char *why);

/* All data is on stdout: flush it. VERB_OK, also when its reader has gone, as in `busctl tap md | head`; VERB_FAILED and a
 * sentence when it could not be written. */
int verb_printed(const char *verb);

/* Print `text` on stdout, as --help does, and verb_printed. */
int verb_help(const char *verb, const char *text);

#endif
