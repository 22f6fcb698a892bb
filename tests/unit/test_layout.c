/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sched.h>
#include <string.h>

#include "tools/run/config_layout.h"
#include "tools/run/layout.h"

static const uint32_t host[] = {2, 3, 5, 7, 8, 9, 10, 11};

static const layout_stage_t usual[] = {{"feed", TBUS_KIND_SOURCE, 4},
                                       {"strategy", TBUS_KIND_DECIDES, 5},
                                       {"risk", TBUS_KIND_DECIDES, 2},
                                       {"executor", TBUS_KIND_DECIDES, 2},
                                       {"recorder", TBUS_KIND_RECORDS, 2}};
#define RECORDED     5u /* of those: with the recorder */
#define NOT_RECORDED 4u

/* A plan for the first `cpus` CPUs above, as text. */
static layout_t plan(enum layout_mode mode, uint32_t cpus, bool recorder, char out_text[400])
{
    layout_request_t request = {.mode = mode,
                                .stages_count = recorder ? RECORDED : NOT_RECORDED,
                                .stages = usual,
                                .pin = true,
                                .allowed_count = cpus,
                                .allowed = host};
    layout_t layout;
    layout_plan(&request, &layout);
    layout_text(&layout, out_text, 400);
    return layout;
}

/* With a stage behind the executor that serves clients. */
static void who_serves_has_a_process_of_its_own_and_spins_only_where_a_cpu_is_left(void **state)
{
    (void)state;
    static const layout_stage_t stages[] = {{"feed", TBUS_KIND_SOURCE, 1},
                                            {"strategy", TBUS_KIND_DECIDES, 1},
                                            {"gateway", TBUS_KIND_SERVES, 1},
                                            {"recorder", TBUS_KIND_RECORDS, 1}};
    static const struct {
        enum layout_mode mode;
        uint32_t cpus;
        enum tbus_wait_mode wait;
        const char *text;
    } cases[] = {
        {LAYOUT_FUSED, 1, TBUS_WAIT_AUTO,
         "fused on 1 CPU: [feed strategy recorder] cpu 2, [gateway] (waiting: park); waiting: "
         "spin"},
        {LAYOUT_AUTO, 2, TBUS_WAIT_AUTO,
         "fused on 2 CPUs: [feed recorder] cpu 2, [strategy] cpu 3, [gateway] (waiting: park); "
         "waiting: spin"},
        {LAYOUT_AUTO, 3, TBUS_WAIT_AUTO,
         "fused on 3 CPUs: [feed recorder] cpu 2, [strategy] cpu 3, [gateway] cpu 5; waiting: "
         "spin"},
        {LAYOUT_SPLIT, 2, TBUS_WAIT_AUTO,
         "split on 2 CPUs: [feed], [strategy], [recorder], [gateway]; waiting: park"},
        {LAYOUT_SPLIT, 3, TBUS_WAIT_SPIN,
         "split on 3 CPUs: [feed] cpu 2, [strategy] cpu 3, [recorder] cpu 5, [gateway] (waiting: "
         "park); waiting: spin"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        layout_request_t request = {.mode = cases[i].mode,
                                    .wait = cases[i].wait,
                                    .stages_count = 4,
                                    .stages = stages,
                                    .pin = true,
                                    .allowed_count = cases[i].cpus,
                                    .allowed = host};
        layout_t layout;
        char text[400];
        layout_plan(&request, &layout);
        layout_text(&layout, text, sizeof text);
        assert_string_equal(text, cases[i].text);
    }
}

static void each_host_gets_the_layout_that_suits_it(void **state)
{
    (void)state;
    static const struct {
        enum layout_mode mode;
        uint32_t cpus;
        bool recorder;
        const char *text;
    } cases[] = {
        {LAYOUT_AUTO, 1, false,
         "fused on 1 CPU: [feed strategy risk executor] cpu 2; waiting: spin"},
        {LAYOUT_AUTO, 1, true,
         "fused on 1 CPU: [feed strategy risk executor recorder] cpu 2; waiting: spin"},
        {LAYOUT_AUTO, 2, false,
         "fused on 2 CPUs: [feed] cpu 2, [strategy risk executor] cpu 3; waiting: spin"},
        {LAYOUT_AUTO, 2, true,
         "fused on 2 CPUs: [feed recorder] cpu 2, [strategy risk executor] cpu 3; waiting: spin"},
        {LAYOUT_AUTO, 4, false,
         "fused on 4 CPUs: [feed] cpu 2, [strategy risk executor] cpu 3; waiting: spin"},
        {LAYOUT_AUTO, 5, false,
         "split on 5 CPUs: [feed] cpu 2, [strategy] cpu 3, [risk] cpu 5, [executor] cpu 7; "
         "waiting: spin"},
        {LAYOUT_AUTO, 5, true,
         "fused on 5 CPUs: [feed recorder] cpu 2, [strategy risk executor] cpu 3; waiting: spin"},
        {LAYOUT_AUTO, 6, true,
         "split on 6 CPUs: [feed] cpu 2, [strategy] cpu 3, [risk] cpu 5, [executor] cpu 7, "
         "[recorder] cpu 8; "
         "waiting: spin"},
        {LAYOUT_SPLIT, 2, true,
         "split on 2 CPUs: [feed], [strategy], [risk], [executor], [recorder]; waiting: park"},
        {LAYOUT_SPLIT, 4, false,
         "split on 4 CPUs: [feed] cpu 2, [strategy] cpu 3, [risk] cpu 5, [executor] cpu 7; "
         "waiting: spin"},
        {LAYOUT_FUSED, 8, true,
         "fused on 8 CPUs: [feed recorder] cpu 2, [strategy risk executor] cpu 3; waiting: spin"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[400];
        layout_t layout = plan(cases[i].mode, cases[i].cpus, cases[i].recorder, text);
        assert_string_equal(text, cases[i].text);
        assert_string_equal(layout.warning, "");
    }
}

static void every_stage_runs_in_exactly_one_process(void **state)
{
    (void)state;
    for (uint32_t cpus = 1; cpus <= 8; cpus++)
        for (int recorder = 0; recorder < 2; recorder++)
            for (enum layout_mode mode = LAYOUT_AUTO; mode <= LAYOUT_FUSED; mode++) {
                char text[400];
                unsigned seen[RECORDED] = {0};
                layout_t layout = plan(mode, cpus, recorder != 0, text);
                for (uint32_t i = 0; i < layout.processes_count; i++)
                    for (uint32_t k = 0; k < layout.processes[i].stages_count; k++) {
                        seen[layout.processes[i].stages[k]]++;
                        assert_true(k == 0 || layout.processes[i].stages[k] >
                                                  layout.processes[i].stages[k - 1]);
                    }
                for (uint32_t i = 0; i < RECORDED; i++)
                    assert_int_equal(seen[i], i < NOT_RECORDED || recorder);
            }
}

static void stages_of_any_kind_find_their_process(void **state)
{
    (void)state;
    static const layout_stage_t stages[] = {{"feed", TBUS_KIND_SOURCE, 1},
                                            {"strategy", TBUS_KIND_DECIDES, 1},
                                            {"strategy2", TBUS_KIND_DECIDES, 1},
                                            {"counter", 0, 1}};
    layout_request_t request = {.mode = LAYOUT_FUSED,
                                .stages_count = 4,
                                .stages = stages,
                                .pin = true,
                                .allowed_count = 2,
                                .allowed = host};
    char text[400];
    layout_t layout;
    layout_plan(&request, &layout);
    layout_text(&layout, text, sizeof text);
    assert_string_equal(text, "fused on 2 CPUs: [feed counter] cpu 2, [strategy strategy2] cpu 3; "
                              "waiting: spin");
    assert_int_equal(layout.processes[1].stages_count, 2);
    request.stages_count = 1; /* no process without a stage */
    layout_plan(&request, &layout);
    assert_int_equal(layout.processes_count, 1);
    assert_int_equal(layout.processes[0].stages_count, 1);
}

static void wanted_cpus_are_taken_in_the_order_given(void **state)
{
    (void)state;
    static const uint32_t wanted[] = {9, 3, 9};
    layout_request_t request = {.mode = LAYOUT_FUSED,
                                .stages_count = NOT_RECORDED,
                                .stages = usual,
                                .pin = true,
                                .allowed_count = 8,
                                .allowed = host,
                                .wanted_count = 3,
                                .wanted = wanted};
    layout_t layout;
    layout_plan(&request, &layout);
    assert_int_equal(layout.cpus_count, 2);
    assert_int_equal(layout.processes[0].cpu, 9);
    assert_int_equal(layout.processes[1].cpu, 3);
}

static void cpus_that_may_not_be_used_are_left_out_with_a_warning(void **state)
{
    (void)state;
    static const uint32_t wanted[] = {0, 3};
    layout_request_t request = {.stages_count = NOT_RECORDED,
                                .stages = usual,
                                .pin = true,
                                .allowed_count = 8,
                                .allowed = host,
                                .wanted_count = 2,
                                .wanted = wanted};
    layout_t layout;
    layout_plan(&request, &layout);
    assert_int_equal(layout.cpus_count, 1);
    assert_int_equal(layout.processes[0].cpu, 3);
    assert_non_null(strstr(layout.warning, "CPU 0"));

    request.wanted_count = 1; /* none of those wanted: all that are allowed */
    layout_plan(&request, &layout);
    assert_int_equal(layout.cpus_count, 8);
    assert_non_null(strstr(layout.warning, "CPU 0"));
}

static void nobody_is_pinned_when_told_not_to_or_when_it_is_crowded(void **state)
{
    (void)state;
    layout_request_t request = {.mode = LAYOUT_FUSED,
                                .stages_count = NOT_RECORDED,
                                .stages = usual,
                                .allowed_count = 8,
                                .allowed = host};
    layout_t layout;
    layout_plan(&request, &layout);
    assert_int_equal(layout.processes[0].cpu, -1);

    request = (layout_request_t){.mode = LAYOUT_SPLIT,
                                 .stages_count = NOT_RECORDED,
                                 .stages = usual,
                                 .wait = TBUS_WAIT_SPIN,
                                 .pin = true,
                                 .allowed_count = 2,
                                 .allowed = host};
    layout_plan(&request, &layout);
    for (uint32_t i = 0; i < layout.processes_count; i++)
        assert_int_equal(layout.processes[i].cpu, -1);
    assert_int_equal(layout.wait, TBUS_WAIT_SPIN);
    assert_non_null(strstr(layout.warning, "4 processes spin on 2 CPUs"));
}

/* Yielding to one another, all of them look busy: who shares a CPU with whom is said beforehand. */
static void
at_full_pace_those_that_outnumber_the_cpus_are_dealt_out_by_what_they_have_to_do(void **state)
{
    (void)state;
    layout_request_t request = {.mode = LAYOUT_SPLIT,
                                .stages_count = RECORDED,
                                .stages = usual,
                                .pin = true,
                                .unpaced = true,
                                .allowed_count = 2,
                                .allowed = host};
    layout_t layout;
    char text[400];
    layout_plan(&request, &layout);
    layout_text(&layout, text, sizeof text);
    assert_string_equal(text, "split on 2 CPUs: [feed] cpu 2, [strategy] cpu 3, [risk] cpu 2, "
                              "[executor] cpu 3, [recorder] cpu 2; waiting: park");

    layout_stage_t light[NOT_RECORDED];
    memcpy(light, usual, sizeof light);
    light[2].weight = light[3].weight = 1;
    request.stages = light;
    request.stages_count = NOT_RECORDED;
    layout_plan(&request, &layout);
    layout_text(&layout, text, sizeof text);
    assert_string_equal(text, "split on 2 CPUs: [feed] cpu 2, [strategy] cpu 3, [risk] cpu 2, "
                              "[executor] cpu 2; waiting: park");

    request.allowed_count = 1; /* where there is one, nothing is gained by saying so */
    layout_plan(&request, &layout);
    assert_int_equal(layout.processes[0].cpu, -1);
    request.allowed_count = 2;
    request.wait = TBUS_WAIT_PARK; /* they sleep, and the scheduler sees who does not */
    layout_plan(&request, &layout);
    assert_int_equal(layout.processes[0].cpu, -1);
    request.wait = TBUS_WAIT_AUTO;
    request.pin = false;
    layout_plan(&request, &layout);
    assert_int_equal(layout.processes[0].cpu, -1);
}

/* Of the stages that a configuration has, in the order of the data path. */
static void expect_weights(const char *strategy, const uint32_t *weights)
{
    static config_t config;
    static layout_t layout;
    tbus_cgroup_cpu_t quota;
    tbus_error_t err = {0};
    config_defaults(&config);
    assert_int_equal(config_set(&config, "strategy.name", strategy, &err), 0);
    config_layout(&config, &quota, &layout);
    assert_int_equal(layout.stages_count, NOT_RECORDED);
    for (uint32_t i = 0; i < layout.stages_count; i++)
        assert_int_equal(layout.stages[i].weight, weights[i]);
}

static void risk_and_executor_are_light_where_nobody_sends_orders(void **state)
{
    (void)state;
    expect_weights("quote", (const uint32_t[]){4, 5, 2, 2});
    expect_weights("null", (const uint32_t[]){4, 5, 1, 1});
}

static layout_t plan_with_quota(uint32_t cpus, uint32_t quota_milli, bool unpaced,
                                char out_text[400])
{
    layout_request_t request = {.stages_count = NOT_RECORDED,
                                .stages = usual,
                                .pin = true,
                                .unpaced = unpaced,
                                .allowed_count = cpus,
                                .allowed = host,
                                .quota_milli = quota_milli,
                                .quota_file = "/g/cpu.max"};
    layout_t layout;
    layout_plan(&request, &layout);
    layout_text(&layout, out_text, 400);
    return layout;
}

static void a_quota_of_cpu_time_counts_as_fewer_cpus_and_is_told(void **state)
{
    (void)state;
    static const struct {
        uint32_t cpus, quota_milli;
        const char *text;
    } cases[] = {
        {2, 200,
         "fused on 2 CPUs, the time of 0.2 allowed (/g/cpu.max): [feed strategy risk executor]; "
         "waiting: park"},
        {2, 1000, /* spinning would use up all of it */
         "fused on 2 CPUs, the time of 1 allowed (/g/cpu.max): [feed strategy risk executor]; "
         "waiting: park"},
        {2, 1500,
         "fused on 2 CPUs, the time of 1.5 allowed (/g/cpu.max): [feed strategy risk executor] cpu "
         "2; waiting: spin"},
        {8, 2500,
         "fused on 8 CPUs, the time of 2.5 allowed (/g/cpu.max): [feed] cpu 2, [strategy risk "
         "executor] cpu 3; waiting: spin"},
        {8, 4500,
         "fused on 8 CPUs, the time of 4.5 allowed (/g/cpu.max): [feed] cpu 2, [strategy risk "
         "executor] cpu 3; waiting: spin"},
        {2, 2000, /* no more than there is */
         "fused on 2 CPUs: [feed] cpu 2, [strategy risk executor] cpu 3; waiting: spin"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[400];
        for (unsigned unpaced = 0; unpaced < 2; unpaced++) {
            plan_with_quota(cases[i].cpus, cases[i].quota_milli, unpaced != 0, text);
            assert_string_equal(text, cases[i].text);
        }
    }
    char text[400];
    assert_int_equal(plan_with_quota(8, 5000, false, text).mode, LAYOUT_SPLIT);
}

static void who_spins_under_a_quota_is_warned(void **state)
{
    (void)state;
    layout_request_t request = {.mode = LAYOUT_FUSED,
                                .wait = TBUS_WAIT_SPIN,
                                .stages_count = NOT_RECORDED,
                                .stages = usual,
                                .allowed_count = 8,
                                .allowed = host,
                                .quota_milli = 500,
                                .quota_file = "/g/cpu.max"};
    layout_t layout;
    layout_plan(&request, &layout);
    assert_int_equal(layout.wait, TBUS_WAIT_SPIN);
    assert_non_null(strstr(layout.warning, "1 process spins"));
    assert_non_null(strstr(layout.warning, "the time of 0.5 CPUs (/g/cpu.max)"));
}

static void the_cpus_of_this_process_are_those_of_its_affinity_mask(void **state)
{
    (void)state;
    cpu_set_t before, one;
    uint32_t cpus[1024];
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    assert_int_equal(layout_allowed_cpus(cpus, 1024), CPU_COUNT(&before));
    for (int i = 0; i < CPU_COUNT(&before); i++)
        assert_true(CPU_ISSET(cpus[i], &before));
    CPU_ZERO(&one);
    CPU_SET(cpus[0], &one);
    uint32_t first = cpus[0];
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(layout_allowed_cpus(cpus, 1024), 1);
    assert_int_equal(cpus[0], first);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_serves_has_a_process_of_its_own_and_spins_only_where_a_cpu_is_left),
        cmocka_unit_test(each_host_gets_the_layout_that_suits_it),
        cmocka_unit_test(every_stage_runs_in_exactly_one_process),
        cmocka_unit_test(stages_of_any_kind_find_their_process),
        cmocka_unit_test(wanted_cpus_are_taken_in_the_order_given),
        cmocka_unit_test(cpus_that_may_not_be_used_are_left_out_with_a_warning),
        cmocka_unit_test(nobody_is_pinned_when_told_not_to_or_when_it_is_crowded),
        cmocka_unit_test(
            at_full_pace_those_that_outnumber_the_cpus_are_dealt_out_by_what_they_have_to_do),
        cmocka_unit_test(risk_and_executor_are_light_where_nobody_sends_orders),
        cmocka_unit_test(a_quota_of_cpu_time_counts_as_fewer_cpus_and_is_told),
        cmocka_unit_test(who_spins_under_a_quota_is_warned),
        cmocka_unit_test(the_cpus_of_this_process_are_those_of_its_affinity_mask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
