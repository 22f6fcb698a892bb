/* SPDX-License-Identifier: Apache-2.0 */
/* golden.h - text that must be what a file of tests/golden has, byte for byte. With
 * TICKBUS_GOLDEN=write the file is written instead, for a change that is meant. Include after
 * cmocka.h. */
#ifndef TICKBUS_TESTS_SUPPORT_GOLDEN_H
#define TICKBUS_TESTS_SUPPORT_GOLDEN_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void golden_compare(const char *name, const char *text, size_t bytes)
{
    char path[256];
    snprintf(path, sizeof path, "%s/tests/golden/%s", TICKBUS_SOURCE_DIR, name);
    const char *mode = getenv("TICKBUS_GOLDEN");
    bool writes = mode != NULL && strcmp(mode, "write") == 0;
    FILE *file = fopen(path, writes ? "wb" : "rb");
    if (file == NULL)
        fail_msg("cannot open %s", path);
    if (writes) {
        assert_int_equal(fwrite(text, 1, bytes, file), bytes);
        assert_int_equal(fclose(file), 0);
        return;
    }
    char *golden = malloc(bytes + 1);
    size_t golden_bytes = fread(golden, 1, bytes + 1, file);
    fclose(file);
    unsigned line = 1;
    for (size_t i = 0; i < bytes && i < golden_bytes; line += text[i++] == '\n')
        if (text[i] != golden[i])
            fail_msg("%s line %u: differs at byte %zu", path, line, i);
    assert_int_equal(golden_bytes, bytes);
    free(golden);
}

#endif
