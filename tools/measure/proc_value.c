/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/measure/proc_value.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

long long proc_value(const char *path, int field)
{
    char text[256];
    FILE *file = fopen(path, "re");
    if (!file)
        return -1;
    char *at = fgets(text, sizeof text, file);
    fclose(file);
    for (; at; field--) {
        char *end;
        unsigned long long value = strtoull(at, &end, 10);
        if (end == at)
            return -1;
        if (field == 0)
            return value > LLONG_MAX ? LLONG_MAX : (long long)value;
        at = end;
    }
    return -1;
}
