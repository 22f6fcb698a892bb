/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/latency/evidence.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/latency/stamp_clock.h"
#include "tools/measure/ticks.h"
#include "tools/run/layout.h"

#define Q32 4294967296.0

/* The first stage of the configuration whose kind has one of these traits; or that name. */
static void find_stages(const config_t *config, evidence_t *e)
{
    static const struct {
        enum sample_hop hop;
        const char *kind;
    } of[] = {{HOP_PUBLISH, "feed"}, {HOP_SEEN, "strategy"},    {HOP_DECIDE, "strategy"},
              {HOP_RISK, "risk"},    {HOP_EXECUTE, "executor"}, {HOP_REPORT, "strategy"}};
    config_stage_t stages[TBUS_INSTANCES_MAX];
    uint32_t count = config_stages(config, stages);
    for (size_t k = 0; k < sizeof of / sizeof *of; k++)
        for (uint32_t i = count; i-- > 0;)
            if (strcmp(stages[i].instance->kind->name, of[k].kind) == 0)
                snprintf(e->stage_of[of[k].hop], TBUS_NAME_MAX, TBUS_NAME_TEXT,
                         stages[i].instance->name);
}

int evidence_begin(const config_t *config, evidence_t *out_evidence, tbus_error_t *err)
{
    uint32_t allowed[SWITCHES_CPUS_MAX];
    int cpus[SWITCHES_CPUS_MAX];
    *out_evidence = (evidence_t){0};
    int code = tbus_gaps_create(TBUS_GAPS_PROCESSES, &out_evidence->gaps, err);
    if (code < 0)
        return code;
    if (stamp_clock_trusts_counter())
        out_evidence->gaps.ns_per_tick_q32 = (uint64_t)(Q32 / ticks_per_ns());
    find_stages(config, out_evidence);
    uint32_t count = layout_allowed_cpus(allowed, SWITCHES_CPUS_MAX);
    for (uint32_t i = 0; i < count; i++)
        cpus[i] = (int)allowed[i];
    (void)switches_begin(cpus, count, &out_evidence->switches, &out_evidence->unnamed);
    return 0;
}

int evidence_end(evidence_t *evidence)
{
    switches_add_ours(&evidence->switches, (int32_t)getpid());
    for (uint32_t p = 0; p < evidence->gaps.processes; p++)
        if (evidence->gaps.tables[p].pid)
            switches_add_ours(&evidence->switches, evidence->gaps.tables[p].pid);
    return switches_end(&evidence->switches);
}

void evidence_clear(evidence_t *evidence)
{
    tbus_gaps_destroy(&evidence->gaps);
    switches_clear(&evidence->switches);
}

int evidence_source(const evidence_t *evidence, cause_source_t *out_source)
{
    const char *stage_of[HOP_PATH];
    for (uint32_t hop = 0; hop < HOP_PATH; hop++)
        stage_of[hop] = evidence->stage_of[hop];
    int code = cause_source_create(&evidence->gaps, stage_of, out_source);
    if (code == 0)
        out_source->witness = (cause_witness_t){switches_who, switches_others, &evidence->switches};
    return code;
}
