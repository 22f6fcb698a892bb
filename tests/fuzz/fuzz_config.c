/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a configuration file. Refused, it must leave everything as it was; read, it must print as
 * one that reads back to the same. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tools/config/config.h"

static char *print(const config_t *config, size_t *out_bytes)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, out_bytes);
    if (!out || config_print(config, out) < 0 || fclose(out) != 0)
        abort();
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes)
{
    static config_t before, config, again;
    tbus_error_t err = {0};
    memset(&config, 0, sizeof config);
    config_defaults(&config);
    memcpy(&before, &config, sizeof before);
    if (config_read_text(&config, "fuzz", (const char *)input, bytes, &err) < 0) {
        if (memcmp(&before, &config, sizeof before) || !err.text[0])
            abort();
        return 0;
    }
    size_t text_bytes, again_bytes;
    char *text = print(&config, &text_bytes);
    memset(&again, 0, sizeof again);
    config_defaults(&again);
    if (config_read_text(&again, "printed", text, text_bytes, &err) < 0) {
        fprintf(stderr, "%s\n%s", err.text, text);
        abort();
    }
    char *second = print(&again, &again_bytes);
    if (text_bytes != again_bytes || memcmp(text, second, text_bytes))
        abort();
    free(text);
    free(second);
    return 0;
}

void fuzz_seeds(fuzz_take_t take)
{
    static const char *const texts[] = {
        "bus:\n  name: a\n  pages: small\nfeed: {source: \"synth:seed=7\", pace: 10x}\n",
        "layout:\n  cpus: [0, 1, 3]\n  wait: park\ntopics:\n  md:\n    slots: 1024\n",
        "risk:\n  limits: &a\n    max: 1\n  more: *a\n",
        "bus: !!str x\n---\nbus: |\n  a\n  b\n...\n",
        "{bus: {name: 'x'}, \"feed\": {pace: realtime}}",
        "# nothing\n",
    };
    config_t config;
    size_t bytes;
    config_defaults(&config);
    char *text = print(&config, &bytes);
    take(text, bytes);
    free(text);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        take(texts[i], strlen(texts[i]));
}
