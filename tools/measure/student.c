/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/measure/student.h"

#include <math.h>

/* Bisection of the complementary error function: a cold path, and exact. */
static double normal_reach(double level)
{
    double low = 0, high = 40;
    for (int i = 0; i < 100; i++) {
        double middle = (low + high) / 2;
        if (erfc(middle / sqrt(2)) > 1 - level)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* The expansion of Cornish and Fisher (Abramowitz and Stegun, 26.7.5). */
double student_reach(double level, double freedom)
{
    double z = normal_reach(level);
    if (isinf(freedom))
        return z;
    double z2 = z * z, v = freedom;
    double g1 = z * (z2 + 1) / 4;
    double g2 = z * ((5 * z2 + 16) * z2 + 3) / 96;
    double g3 = z * (((3 * z2 + 19) * z2 + 17) * z2 - 15) / 384;
    double g4 = z * ((((79 * z2 + 776) * z2 + 1482) * z2 - 1920) * z2 - 945) / 92160;
    return z + (g1 + (g2 + (g3 + g4 / v) / v) / v) / v;
}
