/* SPDX-License-Identifier: Apache-2.0 */
/* suggest.h - the word that was probably meant, when the one that was given is not known. */
#ifndef TICKBUS_TOOLS_SHOW_SUGGEST_H
#define TICKBUS_TOOLS_SHOW_SUGGEST_H

#include <getopt.h>
#include <stddef.h>

#define SUGGEST_WORD_MAX 96u

/* The known word that is nearest so far; all zeros but `given` at first. */
typedef struct suggestion {
    const char *given;
    unsigned distance; /* of `word`; meaningless while that is empty */
    char word[SUGGEST_WORD_MAX];
} suggestion_t;

/* Take a known word into account. A word counts as near when at most two letters were added, left
 * out, changed or swapped with their neighbour, and at most a third of them; or when only the case
 * differs. */
void suggest_consider(suggestion_t *suggestion, const char *word);

/* Take the words of a list into account, "auto|split|fused" or "bus, layout, feed". */
void suggest_consider_list(suggestion_t *suggestion, const char *list);

/* "; did you mean 'start'?", or "" when nothing is near. */
void suggest_text(const suggestion_t *suggestion, char *out_text, size_t bytes);

/* What getopt_long(3) did not know: "; did you mean --feed?", or "". `given` is the argument. */
void suggest_option(const char *given, const struct option *options, char *out_text, size_t bytes);

#endif
