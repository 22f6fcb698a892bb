/* SPDX-License-Identifier: Apache-2.0 */
/* Whose messages may be left out while nobody can read them, and until when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include <tickbus/bus.h>

#include "tools/config/config.h"
#include "tools/config/kinds.h"
#include "tools/control/handout.h"
#include "tools/run/config_layout.h"
#include "tools/run/pipeline.h"

static config_t config;
static layout_t layout;
static pipeline_t pipeline;

static int set_up(void **state)
{
    (void)state;
    config_defaults(&config);
    return config_set(&config, "bus.pages", "small", NULL);
}

static void create(void)
{
    tbus_cgroup_cpu_t quota;
    tbus_error_t err = {0};
    config_layout(&config, &quota, &layout);
    if (pipeline_create(&config, &layout, 0, 0, &pipeline, &err) < 0)
        fail_msg("%s", err.text);
}

static uint32_t left_out(const tbus_bus_t *bus, const char *topic)
{
    int index = tbus_bus_topic_index(bus, topic);
    if (index < 0)
        fail_msg("there is no topic %s", topic);
    return tbus_load_relaxed_u32(&bus->directory->topics[index].left_out);
}

/* Of bbo, in a pipeline with this value beside the defaults. */
static uint32_t left_out_with(const char *key, const char *value)
{
    tbus_error_t err = {0};
    config_defaults(&config);
    if (config_set(&config, "bus.pages", "small", &err) < 0 ||
        config_set(&config, key, value, &err) < 0)
        fail_msg("%s", err.text);
    create();
    uint32_t word = left_out(&pipeline.bus, "bbo");
    pipeline_close(&pipeline);
    return word;
}

static void bbo_alone_may_be_left_out_while_nobody_can_read_it(void **state)
{
    (void)state;
    create();
    for (uint32_t i = 0; i < pipeline.bus.topics_count; i++) {
        const tbus_topic_t *topic = &pipeline.bus.directory->topics[i];
        if (left_out(&pipeline.bus, topic->name) != (strcmp(topic->name, "bbo") == 0))
            fail_msg("%s is not as it should be", topic->name);
    }
    pipeline_close(&pipeline);
}

static void what_others_do_with_other_topics_changes_nothing_for_bbo(void **state)
{
    (void)state;
    assert_int_equal(left_out_with("topics.md.gate", "everybody"), 1);
    assert_int_equal(left_out_with("topics.bbo.slots", "64"), 1);
    assert_int_equal(left_out_with("layout.mode", "split"), 1);
}

static void whoever_reads_from_the_start_is_left_nothing_out(void **state)
{
    (void)state;
    static const char *const readers[][2] = {
        {"journal.directory", "/nowhere"},       {"gateway.listen", "127.0.0.1:0"},
        {"glimpse.listen", "127.0.0.1:0"},       {"mold.to", "239.1.2.3:9000"},
        {"bridge.url", "nats://127.0.0.1:4222"}, {"topics.bbo.gate", "everybody"},
        {"topics.bbo.publish", "everybody"},     {"bus.hold", "true"}};
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++)
        if (left_out_with(readers[i][0], readers[i][1]))
            fail_msg("bbo is left out with %s", readers[i][0]);
}

static int not_created(const tbus_stage_request_t *request, tbus_stage_t **out_stage,
                       tbus_error_t *err)
{
    (void)request, (void)out_stage;
    return tbus_fail(err, -TBUS_ENOTFOUND, "nobody runs this stage");
}

static void a_stage_that_subscribes_is_left_nothing_out(void **state)
{
    (void)state;
    static const tbus_port_t ports[] = {{.topic = "bbo", .role = TBUS_PORT_SUBSCRIBE}};
    static const tbus_kind_t reader = {.api = TBUS_KIND_API,
                                       .struct_bytes = sizeof(tbus_kind_t),
                                       .name = "bbo_reader",
                                       .help = "Reads bbo.",
                                       .rank = 50,
                                       .ports_count = 1,
                                       .ports = ports,
                                       .create = not_created};
    static const char text[] = "bus: {pages: small}\nstages:\n  reader: {kind: bbo_reader}\n";
    tbus_error_t err = {0};
    assert_int_equal(kinds_add(&reader, &err), 0);
    config_defaults(&config);
    if (config_read_text(&config, "f", text, strlen(text), &err) < 0)
        fail_msg("%s", err.text);
    create();
    assert_int_equal(left_out(&pipeline.bus, "bbo"), 0);
    pipeline_close(&pipeline);
}

/* With the descriptors, mapped as a client maps them. */
static void nobody_is_given_a_topic_that_may_still_be_left_out(void **state)
{
    (void)state;
    static const enum handout to[] = {HANDOUT_ONLOOKER, HANDOUT_PARTICIPANT};
    for (unsigned i = 0; i < 2; i++) {
        control_reply_t reply = {0};
        tbus_bus_t client;
        create();
        assert_int_equal(left_out(&pipeline.bus, "bbo"), 1);
        assert_true(handout(&pipeline.bus, to[i], &reply));
        assert_int_equal(left_out(&pipeline.bus, "bbo"), 0);
        assert_int_equal(tbus_bus_attach(reply.fds, reply.fds_count, &client, NULL), 0);
        for (uint32_t t = 0; t < client.topics_count; t++)
            assert_int_equal(left_out(&client, client.directory->topics[t].name), 0);
        tbus_bus_close(&client);
        pipeline_close(&pipeline);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(bbo_alone_may_be_left_out_while_nobody_can_read_it, set_up),
        cmocka_unit_test(what_others_do_with_other_topics_changes_nothing_for_bbo),
        cmocka_unit_test(whoever_reads_from_the_start_is_left_nothing_out),
        cmocka_unit_test_setup(nobody_is_given_a_topic_that_may_still_be_left_out, set_up),
        cmocka_unit_test(a_stage_that_subscribes_is_left_nothing_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
