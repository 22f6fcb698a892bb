/* SPDX-License-Identifier: Apache-2.0 */
/* market_streams.h - for tests that go over whole streams of market data: every recorded one of the
 * data set that displays orders, and days of the synthetic market. */
#ifndef TICKBUS_TESTS_UNIT_MARKET_STREAMS_H
#define TICKBUS_TESTS_UNIT_MARKET_STREAMS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feedsim/source/source.h"
#include "tests/market_data.h"

#define STREAM_FILES "/{itch_*/*.itch,lobster_*/*.itch.gz,cme_*/*.itch.gz}"

typedef struct stream {
    char name[48];
    bool recorded; /* from a real exchange: else made up */
    tick_t *ticks;
    uint32_t count;
} stream_t;

/* At most `max` messages of it; freed by stream_free. */
static inline stream_t stream_read(const char *spec, const char *name, uint32_t max)
{
    tbus_error_t err = {0};
    feed_source_t *source;
    stream_t s = {.recorded = strncmp(spec, "itch:", 5) == 0 && !strstr(name, "artificial"),
                  .ticks = calloc(max, sizeof(tick_t))};
    _Alignas(tick_t) uint8_t buffer[TICK_LEN_MAX];
    size_t bytes;
    assert_non_null(s.ticks);
    snprintf(s.name, sizeof s.name, "%s", name);
    if (feed_source_open(spec, FEED_CLOCK_MARKET, &source, &err) != 0)
        fail_msg("%s: %s", spec, err.text);
    while (s.count < max && feed_source_next(source, (tick_t *)buffer, &bytes) == FEED_SOURCE_TICK)
        memcpy(&s.ticks[s.count++], buffer, bytes < sizeof(tick_t) ? bytes : sizeof(tick_t));
    if (source->error.code != 0)
        fail_msg("%s: %s", spec, source->error.text);
    feed_source_close(source);
    return s;
}

static inline void stream_free(stream_t *s)
{
    free(s->ticks);
}

/* The recorded ones, named by the folder that each is in; false, and one line said, when there are
 * none. The artificial one of the data set is among them. */
static inline bool streams_recorded(uint32_t max, void (*each)(const stream_t *s))
{
    char data[MARKET_DATA_PATH_MAX], pattern[MARKET_DATA_PATH_MAX + 80];
    glob_t found;
    if (!market_data_path(".", data))
        return false;
    snprintf(pattern, sizeof pattern, "%s" STREAM_FILES, data);
    assert_int_equal(glob(pattern, GLOB_BRACE, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        char spec[MARKET_DATA_PATH_MAX + 80], folder[MARKET_DATA_PATH_MAX + 80];
        snprintf(spec, sizeof spec, "itch:%s", found.gl_pathv[i]);
        snprintf(folder, sizeof folder, "%s", found.gl_pathv[i]);
        *strrchr(folder, '/') = 0;
        stream_t s = stream_read(spec, strrchr(folder, '/') + 1, max);
        each(&s);
        stream_free(&s);
    }
    globfree(&found);
    return true;
}

static inline void stream_synthetic(const char *options, uint32_t max,
                                    void (*each)(const stream_t *s))
{
    char spec[200];
    snprintf(spec, sizeof spec, "synth:%s", options);
    stream_t s = stream_read(spec, spec, max);
    each(&s);
    stream_free(&s);
}

static inline bool stream_is_add(const tick_t *t)
{
    return (t->type == 'A' || t->type == 'F') && t->qty != 0 && (t->side == 'B' || t->side == 'S');
}

#endif
