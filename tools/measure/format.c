/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/measure/format.h"

#include <math.h>
#include <stdio.h>

/* Three significant digits. */
static int decimals(double value)
{
    return value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
}

static const figure_t none = {"-"};

static figure_t with_unit(double value, const char *unit)
{
    figure_t f;
    snprintf(f.text, sizeof f.text, "%.*f%s", decimals(value), value, unit);
    return f;
}

figure_t figure_ns(double ns)
{
    if (isnan(ns))
        return none;
    if (ns < 999.5) {
        figure_t f;
        snprintf(f.text, sizeof f.text, "%.0f ns", ns);
        return f;
    }
    return ns < 999.5e3   ? with_unit(ns / 1e3, " us")
           : ns < 999.5e6 ? with_unit(ns / 1e6, " ms")
                          : with_unit(ns / 1e9, " s");
}

figure_t figure_rate(double per_s)
{
    if (isnan(per_s))
        return none;
    return per_s < 999.5     ? with_unit(per_s, "")
           : per_s < 999.5e3 ? with_unit(per_s / 1e3, " k")
                             : with_unit(per_s / 1e6, " M");
}

figure_t figure_ratio(double ratio)
{
    figure_t f = none;
    if (isnan(ratio))
        return f;
    if (ratio > 0 && ratio < 0.005) {
        snprintf(f.text, sizeof f.text, "<0.01"); /* 0.00 would be nothing at all */
        return f;
    }
    if (ratio < 999.5)
        return with_unit(ratio, "");
    snprintf(f.text, sizeof f.text, "%.0f,%03.0f", floor(round(ratio) / 1000),
             fmod(round(ratio), 1000));
    return f;
}

figure_t figure_percent(double part)
{
    figure_t f = none;
    if (!isnan(part))
        snprintf(f.text, sizeof f.text, "%.0f %%", part * 100);
    return f;
}

figure_t figure_bytes(size_t bytes)
{
    figure_t f;
    if (bytes >= 1024 && bytes % 1024 == 0)
        snprintf(f.text, sizeof f.text, "%zu KiB", bytes / 1024);
    else
        snprintf(f.text, sizeof f.text, "%zu B", bytes);
    return f;
}

figure_t figure_byte_rate(double bytes_per_s)
{
    if (isnan(bytes_per_s))
        return none;
    return bytes_per_s < 999.5e6 ? with_unit(bytes_per_s / 1e6, " MB/s")
                                 : with_unit(bytes_per_s / 1e9, " GB/s");
}
