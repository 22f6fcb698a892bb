/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/journal/why_setup.h"

#include <stdlib.h>
#include <string.h>

#include "bus/market/resource.h"
#include "bus/market/session.h"
#include "risk/stage.h"
#include "tools/config/config.h"
#include "tools/show/recorded.h"

/* Else the name of a section is written beyond the room for it. */
TBUS_STATIC_ASSERT(CONFIG_PATH_MAX <= RISK_SECTION_MAX);

/* Their limits, numbered as the run had numbered them. */
static void take_strategies(const config_t *config, risk_limit_set_t *set)
{
    config_stage_t stages[TBUS_INSTANCES_MAX];
    uint32_t count = config_stages(config, stages);
    for (uint32_t i = 0; i < count; i++) {
        const config_instance_t *instance = stages[i].instance;
        if (!(instance->kind->traits & TBUS_KIND_TRADES))
            continue;
        risk_strategy_t *strategy = &set->strategies[set->strategies_count++];
        strategy->number = stages[i].number;
        strategy->limits =
            strategy_limits_of(instance->kind->params, config_instance_values(instance));
        config_instance_section(instance, strategy->section);
    }
}

/* What matters here of the recorded configuration. */
static int take(const config_t *config, why_setup_t *out_setup, tbus_error_t *err)
{
    const market_limits_t *books = config_resource_values(config, &market_resource);
    const session_values_t *venue = config_resource_values(config, &session_resource);
    const marks_t *marks = config_resource_values(config, &marks_resource);
    const config_instance_t *risk = NULL;
    for (uint32_t i = 0; i < config->instances_count; i++)
        if (config->instances[i].kind == &risk_kind)
            risk = &config->instances[i];
    if (!risk || !books || !venue || !marks)
        return tbus_fail(err, -TBUS_ENOTFOUND, "the recorded configuration has no risk");
    *out_setup = (why_setup_t){.limits.bus = *(const risk_limits_t *)config_instance_values(risk),
                               .rules = {.marks = *marks, .self_match = venue->self_match},
                               .books = *books,
                               .by_market = venue->clock == SESSION_CLOCK_MARKET};
    take_strategies(config, &out_setup->limits);
    return 0;
}

int why_setup_read(const char *directory, why_setup_t *out_setup, tbus_error_t *err)
{
    static config_t config; /* large, and one is enough */
    json_t *recorded = recorded_configuration(directory);
    char *text = recorded ? json_dumps(recorded, 0) : NULL;
    json_decref(recorded);
    if (!text)
        return tbus_fail(err, -TBUS_ENOTFOUND,
                         "the journal does not say with which configuration it was recorded");
    config_defaults(&config);
    int code = config_read_text(&config, "the recorded configuration", text, strlen(text), err);
    free(text);
    return code < 0 ? code : take(&config, out_setup, err);
}
