/* SPDX-License-Identifier: Apache-2.0 */
/* exponential.h - logarithms, powers of two and exponential variates in fixed point: integers only,
 * so the same bits come from every compiler and every CPU. (A log() of libm may differ in its last
 * bit from one host to the next, and one bit changes all that follows.)
 *
 * Q32 is a number times 2^32. Tables of 64 steps with straight lines between them: errors below
 * 5e-5, continuous and monotonic, which is what waiting times need. Used by
 * feedsim/synth/arrivals.c and feedsim/synth/dayline.c.
 */
#ifndef TICKBUS_FEEDSIM_SYNTH_EXPONENTIAL_H
#define TICKBUS_FEEDSIM_SYNTH_EXPONENTIAL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* log2(x) in Q32; x above 0. */
uint64_t exponential_log2_q32(uint64_t x);

/* x times 2^-halvings; halvings in Q32. */
uint64_t exponential_decay(uint64_t x, uint64_t halvings_q32);

/* The waiting time with mean one, in Q32, that belongs to 64 random bits: -ln(r / 2^64). At most
 * 45, and the shorter the larger they are. */
uint64_t exponential_of_q32(uint64_t r);

#ifdef __cplusplus
}
#endif
#endif
