/* SPDX-License-Identifier: Apache-2.0 */
#include <tickbus/error.h>

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *tbus_strerror(int code)
{
    int number = code == INT_MIN ? INT_MAX : -code; /* it has no positive counterpart */
    switch (number) {
    case 0:
        return "success";
#define X(name, value, text)                                                                       \
    case name:                                                                                     \
        return text;
        TBUS_ERRORS(X)
#undef X
    case EMFILE: /* wherever it happens, the same helps */
        return "Too many open files; raise the limit of open files (ulimit -n)";
    default: {
        const char *text = strerrordesc_np(number);
        return text ? text : "unknown error";
    }
    }
}

int tbus_fail(tbus_error_t *err, int code, const char *format, ...)
{
    if (err) {
        va_list args;
        va_start(args, format);
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
        err->code = code;
    }
    return code;
}
