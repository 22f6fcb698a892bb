/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/listing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <tickbus/msg/itch_types.h>

#include "feedsim/source/source.h"
#include "tools/show/line.h"
#include "tools/show/suggest.h"

#define WANTED_MAX 256u
/* More than the administrative messages of all stocks before the market opens. */
#define LOOKS_MAX 200000u

typedef struct wanted {
    char name[TBUS_PARAM_TEXT_MAX];
    bool listed;
    suggestion_t near;
} wanted_t;

static uint32_t want(wanted_t *wanted, uint32_t count, const char *name)
{
    uint32_t i = 0;
    while (i < count && strcmp(wanted[i].name, name) != 0)
        i++;
    if (i < count || count == WANTED_MAX)
        return count;
    snprintf(wanted[count].name, sizeof wanted[count].name, "%s", name);
    wanted[count].near.given = wanted[count].name;
    return count + 1;
}

static uint32_t collect(const config_t *config, wanted_t *wanted)
{
    uint32_t count = 0;
    config_stage_t stages[TBUS_INSTANCES_MAX];
    uint32_t stages_count = config_stages(config, stages);
    for (uint32_t i = 0; i < stages_count; i++) {
        tbus_variant_t variant;
        const void *values = config_variant(stages[i].instance, &variant);
        const tbus_param_t *param = values ? tbus_params_find(variant.params, "symbols") : NULL;
        if (!param || param->type != TBUS_PARAM_TEXTS)
            continue;
        for (uint32_t k = 0; k < tbus_param_items(param, values); k++) {
            char name[TBUS_PARAM_TEXT_MAX];
            tbus_param_text(param, values, k, name, sizeof name);
            count = want(wanted, count, name);
        }
    }
    return count;
}

static void see(wanted_t *wanted, uint32_t count, const tick_t *tick)
{
    char name[9] = "";
    const itch_field_t *field = itch_field_of_kind(tick->type, ITCH_FIELD_SYMBOL);
    const char *symbol = itch_field_chars(field, tick);
    memcpy(name, symbol, line_unpadded(symbol, 8));
    for (uint32_t i = 0; i < count; i++) {
        wanted[i].listed |= strcmp(wanted[i].name, name) == 0;
        suggest_consider(&wanted[i].near, name);
    }
}

/* The whole directory was read: what comes next is of an order or a trade, or there is no more. */
static bool read_directory(feed_source_t *source, wanted_t *wanted, uint32_t count)
{
    uint64_t listed = 0;
    _Alignas(64) unsigned char buffer[(TICK_LEN_MAX + 63) / 64 * 64];
    tick_t *tick = (tick_t *)(void *)buffer;
    for (unsigned looks = 0; looks < LOOKS_MAX; looks++) {
        size_t bytes;
        int code = feed_source_next(source, tick, &bytes);
        if (code == FEED_SOURCE_END)
            return listed != 0;
        if (code != FEED_SOURCE_TICK)
            return false;
        const itch_type_t *type = itch_type(tick->type);
        unsigned what = type ? type->what : ITCH_WHAT_ADMINISTRATIVE;
        if (what == ITCH_WHAT_DIRECTORY) {
            see(wanted, count, tick);
            listed++;
        } else if (what != ITCH_WHAT_ADMINISTRATIVE && what != ITCH_WHAT_TRADING_STATE) {
            return listed != 0;
        }
    }
    return false;
}

/* Can it be opened a second time? */
static bool is_read_again(const char *source)
{
    struct stat st;
    if (feed_source_is_received(source)) /* the server may have a limit, and it all takes long */
        return false;
    return strncmp(source, "itch:", 5) != 0 || (stat(source + 5, &st) == 0 && S_ISREG(st.st_mode));
}

static bool tell(const wanted_t *wanted, uint32_t count, char *out_text, size_t bytes)
{
    size_t used = 0;
    for (uint32_t i = 0; i < count && used < bytes; i++) {
        char near[SUGGEST_WORD_MAX + 32];
        if (wanted[i].listed)
            continue;
        suggest_text(&wanted[i].near, near, sizeof near);
        used += (size_t)snprintf(out_text + used, bytes - used, "%s%s%s",
                                 used ? ", " : "the feed's stock directory does not list ",
                                 wanted[i].name, near);
    }
    return used != 0;
}

bool listing_missing(const config_t *config, char *out_text, size_t bytes)
{
    feed_source_t *source = NULL;
    const char *spec = config_source(config);
    bool missing = false;
    wanted_t *wanted = calloc(WANTED_MAX, sizeof *wanted);
    uint32_t count = wanted ? collect(config, wanted) : 0;
    if (count && is_read_again(spec) &&
        feed_source_open(spec, FEED_CLOCK_MARKET, &source, NULL) == 0)
        missing = read_directory(source, wanted, count) && tell(wanted, count, out_text, bytes);
    feed_source_close(source);
    free(wanted);
    return missing;
}
