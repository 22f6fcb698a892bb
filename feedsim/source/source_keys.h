/* SPDX-License-Identifier: Apache-2.0 */
/* source_keys.h - what stands behind the `?` in the spec of a source that is received:
 * KEY=VALUE&KEY=VALUE..., into a struct of the source's own by a table of its keys. Cold. */
#ifndef TICKBUS_FEEDSIM_SOURCE_SOURCE_KEYS_H
#define TICKBUS_FEEDSIM_SOURCE_SOURCE_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include <tickbus/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SOURCE_TEXT_MAX 256u /* with the terminating zero */

enum source_key_type {
    SOURCE_KEY_TEXT = 0, /* char[SOURCE_TEXT_MAX] */
    SOURCE_KEY_NUMBER,   /* uint64_t */
    SOURCE_KEY_DURATION  /* uint64_t, ns; "never": UINT64_MAX */
};

typedef struct source_key {
    const char *name;
    enum source_key_type type;
    size_t offset;      /* of the field */
    uint64_t min, max;  /* of a number */
    const char *wanted; /* of a number, for who wrote none: "a sequence was expected" */
} source_key_t;

/* `text`: from the ? on, or "". Fields without a key stay as they are. `scheme`: of the source, for
 * the error. -TBUS_ECONFIG: no such key, or not such a value. */
int source_keys_parse(const char *scheme, const char *text, const source_key_t *keys,
                      uint32_t count, void *out_values, tbus_error_t *err);

/* The first line of a file, without its end. -errno, -TBUS_ECONFIG: it is empty. */
int source_password_read(const char *path, char out_password[SOURCE_TEXT_MAX], tbus_error_t *err);

#ifdef __cplusplus
}
#endif
#endif
