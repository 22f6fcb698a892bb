/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "tools/config/kinds.h"

static int create_nothing(const tbus_stage_request_t *request, tbus_stage_t **out_stage,
                          tbus_error_t *err)
{
    (void)request;
    (void)out_stage;
    return tbus_fail(err, -ENOSYS, "no stage of this kind can be made");
}

static const tbus_port_t ports[] = {{.topic = "md", .role = TBUS_PORT_SUBSCRIBE, .driving = true}};

static tbus_kind_t sound_kind(void)
{
    return (tbus_kind_t){.api = TBUS_KIND_API,
                         .struct_bytes = sizeof(tbus_kind_t),
                         .name = "sound",
                         .help = "A kind that is as it should be.",
                         .rank = 50,
                         .ports_count = 1,
                         .ports = ports,
                         .create = create_nothing};
}

static void every_kind_that_is_built_in_is_sound(void **state)
{
    (void)state;
    const tbus_kind_t *kind;
    uint32_t count = 0;
    for (; (kind = kinds_at(count)) != NULL; count++) {
        tbus_error_t err = {0};
        if (tbus_kind_check(kind, &err) < 0)
            fail_msg("%s: %s", kind->name, err.text);
        assert_ptr_equal(kinds_find(kind->name), kind);
    }
    assert_true(count >= 5);
}

static void a_kind_that_is_not_sound_is_refused(void **state)
{
    (void)state;
    static const tbus_port_t every[] = {{.topic = NULL, .role = TBUS_PORT_SUBSCRIBE}};
    static const tbus_port_t twice[] = {
        {.topic = "md", .role = TBUS_PORT_SUBSCRIBE, .driving = true},
        {.topic = "bbo", .role = TBUS_PORT_SUBSCRIBE, .driving = true}};
    static const tbus_port_t typed[] = {
        {.topic = "md", .role = TBUS_PORT_SUBSCRIBE, .type = "tick"}};
    static const tbus_port_t omitting[] = {
        {.topic = "md", .role = TBUS_PORT_SUBSCRIBE, .may_be_left_out = true}};
    static const tbus_port_t nameless[] = {{.topic = "", .role = TBUS_PORT_PUBLISH}};
    tbus_kind_t kind = sound_kind();
    tbus_error_t err;
    assert_int_equal(tbus_kind_check(&kind, &err), 0);
    kind.api++;
    assert_int_equal(tbus_kind_check(&kind, &err), -TBUS_EABI);
    kind = sound_kind();
    kind.struct_bytes--;
    assert_int_equal(tbus_kind_check(&kind, &err), -TBUS_EABI);
#define REFUSED(...)                                                                               \
    do {                                                                                           \
        kind = sound_kind();                                                                       \
        __VA_ARGS__;                                                                               \
        assert_int_equal(tbus_kind_check(&kind, &err), -EINVAL);                                   \
    } while (0)
    REFUSED(kind.name = NULL);
    REFUSED(kind.name = "");
    REFUSED(kind.create = NULL);
    REFUSED(kind.ports_count = TBUS_PORTS_MAX + 1);
    REFUSED(kind.ports = every);
    REFUSED(kind.ports = typed);
    REFUSED(kind.ports = omitting);
    REFUSED(kind.ports = nameless);
    REFUSED(kind.ports = twice, kind.ports_count = 2);
    REFUSED(kind.variant_param = "name");
    REFUSED(kind.control_bytes = 8);
    REFUSED(kind.control = "limits");
    REFUSED(kind.control = "longer than it may be", kind.control_bytes = 8);
}

static void two_kinds_of_one_name_cannot_be(void **state)
{
    (void)state;
    static tbus_kind_t first, second;
    tbus_error_t err = {0};
    first = sound_kind();
    first.name = "one_of_a_kind";
    second = first;
    assert_int_equal(kinds_add(&first, &err), 0);
    assert_ptr_equal(kinds_find("one_of_a_kind"), &first);
    assert_int_equal(kinds_add(&second, &err), -TBUS_EEXISTS);
    second.name = "feed";
    assert_int_equal(kinds_add(&second, &err), -TBUS_EEXISTS);
}

static void each_topic_is_known_once_by_the_first_port_that_says_what_it_is(void **state)
{
    (void)state;
    static const char *const names[] = {"md",       "bbo",    "orders", "judged",
                                        "approved", "events", "inputs", "reports"};
    for (uint32_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_string_equal(kinds_topic_at(i)->topic, names[i]);
    assert_null(kinds_topic_at(8));
}

/* --- resources */

static int made, destroyed;

static int make_resource(const void *params, void **out_resource, tbus_error_t *err)
{
    if (!params)
        return tbus_fail(err, -EINVAL, "no parameters");
    made++;
    *out_resource = (void *)(uintptr_t)params;
    return 0;
}

static void destroy_resource(void *resource)
{
    destroyed += resource != NULL;
}

static const tbus_resource_t resource = {
    .name = "thing", .create = make_resource, .destroy = destroy_resource};

static void a_resource_is_made_once_for_all_stages_of_a_process(void **state)
{
    (void)state;
    tbus_crew_t crew = {0};
    tbus_error_t err = {0};
    int params = 1;
    void *first, *second;
    assert_int_equal(tbus_crew_use(&crew, &resource, &first, &err), -TBUS_ENOTFOUND);
    assert_int_equal(tbus_crew_offer(&crew, &resource, &params), 0);
    assert_int_equal(tbus_crew_offer(&crew, &resource, &params), 0); /* the next stage's */
    assert_int_equal(made, 0);
    assert_int_equal(tbus_crew_use(&crew, &resource, &first, &err), 0);
    assert_int_equal(tbus_crew_use(&crew, &resource, &second, &err), 0);
    assert_ptr_equal(first, second);
    assert_int_equal(made, 1);
    tbus_crew_disband(&crew);
    assert_int_equal(destroyed, 1);

    static tbus_resource_t others[TBUS_RESOURCES_MAX];
    for (unsigned i = 0; i < TBUS_RESOURCES_MAX; i++) {
        others[i] = resource;
        assert_int_equal(tbus_crew_offer(&crew, &others[i], NULL), 0);
    }
    assert_int_equal(tbus_crew_offer(&crew, &resource, NULL), -TBUS_EFULL);
    assert_int_equal(tbus_crew_use(&crew, &others[0], &first, &err), -EINVAL);
    tbus_crew_disband(&crew); /* nothing was made of them */
    assert_int_equal(destroyed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_that_is_built_in_is_sound),
        cmocka_unit_test(a_kind_that_is_not_sound_is_refused),
        cmocka_unit_test(each_topic_is_known_once_by_the_first_port_that_says_what_it_is),
        cmocka_unit_test(two_kinds_of_one_name_cannot_be),
        cmocka_unit_test(a_resource_is_made_once_for_all_stages_of_a_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
