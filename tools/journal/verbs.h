/* SPDX-License-Identifier: Apache-2.0 */
/* verbs.h - what `busctl journal` can do, one function a verb, each in a file of its name.
 *
 * As tools/verbs.h: argv[0] is "busctl journal VERB", for messages; the verb's options follow. Each
 * parses them with getopt_long(3), writes its data on stdout and everything else on stderr, and
 * returns the exit code of the process. `--help` says what it does and shows an example.
 */
#ifndef TICKBUS_TOOLS_JOURNAL_VERBS_H
#define TICKBUS_TOOLS_JOURNAL_VERBS_H

int journal_verb_ls(int argc, char **argv);
int journal_verb_info(int argc, char **argv);
int journal_verb_config(int argc, char **argv);
int journal_verb_verify(int argc, char **argv);
int journal_verb_repair(int argc, char **argv);
int journal_verb_index(int argc, char **argv);
int journal_verb_prune(int argc, char **argv);
int journal_verb_dump(int argc, char **argv);
int journal_verb_export(int argc, char **argv);

#endif
