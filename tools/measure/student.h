/* SPDX-License-Identifier: Apache-2.0 */
/* student.h - how many standard errors an interval reaches to each side. */
#ifndef TICKBUS_TOOLS_MEASURE_STUDENT_H
#define TICKBUS_TOOLS_MEASURE_STUDENT_H

/* Of Student's distribution: between minus this and this lies the share `level` of it (0 < level <
 * 1), 0.95. `freedom`: of how many values, less one, the standard error was estimated; INFINITY:
 * it is known (then 1.96 for 0.95). Within 1 % from 5 degrees of freedom on. */
double student_reach(double level, double freedom);

#endif
