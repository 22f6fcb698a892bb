/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/show/grouped.h"

#include <inttypes.h>
#include <stdio.h>

const char *grouped(int64_t value, char out_text[GROUPED_MAX])
{
    char digits[GROUPED_MAX];
    int length =
        snprintf(digits, sizeof digits, "%" PRIu64, value < 0 ? -(uint64_t)value : (uint64_t)value);
    char *to = out_text;
    if (value < 0)
        *to++ = '-';
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = 0;
    return out_text;
}
