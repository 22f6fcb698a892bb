/* SPDX-License-Identifier: Apache-2.0 */
/* grouped.h - whole numbers as people read them. */
#ifndef TICKBUS_TOOLS_SHOW_GROUPED_H
#define TICKBUS_TOOLS_SHOW_GROUPED_H

#include <stdint.h>

#define GROUPED_MAX 32

/* 1234567 -> "1,234,567". Returns out_text, for printf. */
const char *grouped(int64_t value, char out_text[GROUPED_MAX]);

#endif
