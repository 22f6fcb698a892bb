/* SPDX-License-Identifier: Apache-2.0 */
/* number.h - numbers as people write them in a feed's options: 250, 1.5M, 200k. Exact, to a
 * thousandth. */
#ifndef TICKBUS_FEEDSIM_NUMBER_H
#define TICKBUS_FEEDSIM_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The first `length` bytes of `text`: digits, optionally a point and digits, optionally k, M or G
 * (10^3, 10^6, 10^9). The value in thousandths. False: anything else, no exact number of
 * thousandths, or more than 64 bits hold. */
bool number_parse_milli(const char *text, size_t length, uint64_t *out_milli);

#ifdef __cplusplus
}
#endif
#endif
