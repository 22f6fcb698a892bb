/* SPDX-License-Identifier: Apache-2.0 */
/* verbs.h - what busctl can do, one function a verb, each in a file of its own (verb_NAME.c).
 *
 * A verb gets its own command line: argv[0] is "busctl VERB", for messages; its options follow. It
 * parses them with getopt_long(3), writes its data on stdout and everything else on stderr, and
 * returns the exit code of the process. `--help` of a verb says what it does and shows an example.
 */
#ifndef TICKBUS_TOOLS_VERBS_H
#define TICKBUS_TOOLS_VERBS_H

int verb_start(int argc, char **argv);
int verb_bus(int argc, char **argv);
int verb_replay(int argc, char **argv);
int verb_stop(int argc, char **argv);
int verb_halt(int argc, char **argv);
int verb_reduce(int argc, char **argv); /* verb_halt.c */
int verb_resume(int argc, char **argv); /* verb_halt.c */
int verb_status(int argc, char **argv);
int verb_tap(int argc, char **argv);
int verb_subscribe(int argc, char **argv);
int verb_bridge(int argc, char **argv);
int verb_gateway(int argc, char **argv);
int verb_serve_journal(int argc, char **argv);
int verb_journal(int argc, char **argv);
int verb_why(int argc, char **argv);
int verb_config(int argc, char **argv);
int verb_ipc(int argc, char **argv); /* tools/verb_ipc.c */
int verb_latency(int argc, char **argv);

#endif
