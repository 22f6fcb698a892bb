/* SPDX-License-Identifier: Apache-2.0 */
/* layout_field.h - where a field of shared memory lies, as it was compiled and as a test has it
 * written by hand. */
#ifndef TICKBUS_TESTS_LAYOUT_FIELD_H
#define TICKBUS_TESTS_LAYOUT_FIELD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

typedef struct layout_field {
    const char *name;
    size_t offset, bytes;               /* as compiled */
    size_t wanted_offset, wanted_bytes; /* as written in the test */
} layout_field_t;

#define FIELD(type, member, at, size)                                                              \
    {                                                                                              \
#type "." #member, offsetof(type, member), sizeof(((type *)0)->member), at, size           \
    }

static inline void assert_lies_as_wanted(const layout_field_t *f)
{
    if (f->offset != f->wanted_offset || f->bytes != f->wanted_bytes)
        fail_msg("%s: %zu bytes at %zu, wanted %zu at %zu", f->name, f->bytes, f->offset,
                 f->wanted_bytes, f->wanted_offset);
}

#endif
