/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/config_layout.h"

#define ALLOWED_MAX 1024u

/* In units of some 10 ns a message, in split layout (bench/README.md, "The whole pipeline"). Where
 * nobody sends orders risk and executor keep no books. */
static uint32_t weight_of_stage(const config_t *config, uint32_t traits)
{
    if (traits & TBUS_KIND_TRADES)
        return 5;
    if (traits & TBUS_KIND_SOURCE)
        return 4;
    return (traits & TBUS_KIND_DECIDES) && config_has_no_orders(config) ? 1 : 2;
}

void config_layout(const config_t *config, tbus_cgroup_cpu_t *out_quota, layout_t *out_layout)
{
    uint32_t allowed[ALLOWED_MAX];
    config_stage_t instances[TBUS_INSTANCES_MAX];
    layout_stage_t stages[TBUS_INSTANCES_MAX];
    uint32_t count = config_stages(config, instances);
    *out_quota = tbus_cgroup_cpu("/proc/self");
    for (uint32_t i = 0; i < count; i++) {
        const config_instance_t *instance = instances[i].instance;
        uint32_t traits = instance->kind->traits;
        stages[i] = (layout_stage_t){instance->name, traits, weight_of_stage(config, traits)};
    }
    layout_request_t request = {
        .mode = (enum layout_mode)config->layout.mode,
        .wait = (enum tbus_wait_mode)config->layout.wait,
        .stages_count = count,
        .stages = stages,
        .pin = config->layout.pin,
        .unpaced = config_unpaced(config),
        .allowed_count = layout_allowed_cpus(allowed, ALLOWED_MAX),
        .allowed = allowed,
        .quota_milli = out_quota->milli == TBUS_CGROUP_CPU_ANY ? 0 : out_quota->milli,
        .quota_file = out_quota->limit,
        .wanted_count = config->layout.cpus_count,
        .wanted = config->layout.cpus,
    };
    layout_plan(&request, out_layout);
}
