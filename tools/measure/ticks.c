/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/measure/ticks.h"

#define CALIBRATION_NS UINT64_C(50000000)

double ticks_per_ns(void)
{
    static double known;
    if (known == 0) {
        uint64_t ns = tbus_clock_ns(), ticks = tbus_clock_ticks(), end_ns;
        while ((end_ns = tbus_clock_ns()) - ns < CALIBRATION_NS) {
        }
        known = (double)(tbus_clock_ticks() - ticks) / (double)(end_ns - ns);
    }
    return known;
}
