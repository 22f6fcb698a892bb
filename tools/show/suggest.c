/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/show/suggest.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define FAR (SUGGEST_WORD_MAX)

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned least = a < b ? a : b;
    return least < c ? least : c;
}

/* Letters to add, leave out, change, or swap with their neighbour (optimal string alignment). */
static unsigned distance(const char *a, const char *b)
{
    size_t a_length = strlen(a), b_length = strlen(b);
    unsigned rows[3][SUGGEST_WORD_MAX + 1];
    if (a_length > SUGGEST_WORD_MAX || b_length > SUGGEST_WORD_MAX)
        return FAR;
    for (unsigned k = 0; k <= b_length; k++)
        rows[0][k] = k;
    for (unsigned i = 1; i <= a_length; i++) {
        unsigned *row = rows[i % 3];
        const unsigned *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (unsigned k = 1; k <= b_length; k++) {
            row[k] = min3(above[k] + 1, row[k - 1] + 1, above[k - 1] + (a[i - 1] != b[k - 1]));
            if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1] &&
                two_above[k - 2] + 1 < row[k])
                row[k] = two_above[k - 2] + 1;
        }
    }
    return rows[a_length % 3][b_length];
}

void suggest_consider(suggestion_t *suggestion, const char *word)
{
    bool other_case =
        strcmp(suggestion->given, word) != 0 && strcasecmp(suggestion->given, word) == 0;
    unsigned letters = other_case ? 1 : distance(suggestion->given, word);
    if (letters > 2 || 3 * letters > strlen(word) ||
        (suggestion->word[0] && letters >= suggestion->distance))
        return;
    suggestion->distance = letters;
    snprintf(suggestion->word, sizeof suggestion->word, "%s", word);
}

void suggest_consider_list(suggestion_t *suggestion, const char *list)
{
    while (*list) {
        char word[SUGGEST_WORD_MAX];
        size_t length = strcspn(list, "|, ");
        snprintf(word, sizeof word, "%.*s", (int)length, list);
        if (length)
            suggest_consider(suggestion, word);
        list += length;
        list += strspn(list, "|, ");
    }
}

void suggest_text(const suggestion_t *suggestion, char *out_text, size_t bytes)
{
    out_text[0] = 0;
    if (suggestion->word[0])
        snprintf(out_text, bytes, "; did you mean '%s'?", suggestion->word);
}

void suggest_option(const char *given, const struct option *options, char *out_text, size_t bytes)
{
    char name[SUGGEST_WORD_MAX];
    out_text[0] = 0;
    if (strncmp(given, "--", 2) != 0)
        return;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(given + 2, "="), given + 2);
    suggestion_t suggestion = {.given = name};
    for (; options->name; options++)
        suggest_consider(&suggestion, options->name);
    if (suggestion.word[0] && suggestion.distance)
        snprintf(out_text, bytes, "; did you mean --%s?", suggestion.word);
}
