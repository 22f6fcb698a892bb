/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/number.h"

/* value * 10 + digit, or false when it does not fit. */
static bool append_digit(uint64_t *value, char digit)
{
    return !__builtin_mul_overflow(*value, 10, value) &&
           !__builtin_add_overflow(*value, (uint64_t)(digit - '0'), value);
}

static int power_of_suffix(char c)
{
    switch (c) {
    case 'k':
        return 3;
    case 'M':
        return 6;
    case 'G':
        return 9;
    default:
        return 0;
    }
}

bool number_parse_milli(const char *text, size_t length, uint64_t *out_milli)
{
    int power = 3; /* of ten, that still has to be multiplied in */
    if (length > 0) {
        int suffix = power_of_suffix(text[length - 1]);
        power += suffix;
        length -= suffix != 0;
    }
    uint64_t value = 0;
    size_t digits = 0;
    bool point = false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '.' && !point && digits > 0 && i + 1 < length) {
            point = true;
            continue;
        }
        if (text[i] < '0' || text[i] > '9' || !append_digit(&value, text[i]))
            return false;
        digits++;
        power -= point;
    }
    for (; power < 0 && value % 10 == 0; power++)
        value /= 10;
    for (; power > 0; power--)
        if (!append_digit(&value, '0'))
            return false;
    if (digits == 0 || power < 0)
        return false;
    *out_milli = value;
    return true;
}
