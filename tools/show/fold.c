/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/show/fold.h"

#include <string.h>

void fold(FILE *out, const char *label, int indent, const char *text)
{
    int column = (int)strlen(label);
    fputs(label, out);
    if (column >= indent && column > 0) {
        fputc('\n', out);
        column = 0;
    }
    fprintf(out, "%*s", indent - column, "");
    column = indent;
    for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
        int length = (int)strcspn(text, " ");
        if (column > indent && column + 1 + length > FOLD_COLUMNS) {
            fprintf(out, "\n%*s", indent, "");
            column = indent;
        }
        column += fprintf(out, "%s%.*s", column > indent ? " " : "", length, text);
        text += length;
    }
    fputc('\n', out);
}
