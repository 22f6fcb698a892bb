/* SPDX-License-Identifier: Apache-2.0 */
/* The stage around a server for who is outside, and how long it bears with a topic that cannot be
 * read: feedsim/serving.h over a server that is made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "feedsim/serving.h"

#define MS UINT64_C(1000000)

typedef struct params {
    int number;
} params_t;

/* What a server has when it is made: the values and room behind them. */
typedef struct values {
    params_t params;
    char room[8];
} values_t;

static struct {
    int create_code;
    int turn_code;
    char journal[64];
    char session[16];
    unsigned destroyed;
    unsigned finished;
} fake;
static char a_server;

static int make(const tbus_stage_request_t *request, const char *journal, void *values,
                void **out_server, tbus_error_t *err)
{
    values_t *v = values;
    assert_int_equal(request->owner, 3);
    assert_int_equal(v->params.number, 17);
    assert_int_equal(v->room[0], 0);
    snprintf(fake.journal, sizeof fake.journal, "%s", journal ? journal : "none");
    if (fake.create_code < 0)
        return tbus_fail(err, fake.create_code, "this port is taken");
    snprintf(err->text, sizeof err->text, "a note");
    *out_server = &a_server;
    return 0;
}

static int start(void *server, const char *session_name, tbus_error_t *err)
{
    (void)err;
    assert_ptr_equal(server, &a_server);
    snprintf(fake.session, sizeof fake.session, "%s", session_name);
    return 0;
}

static int turn(void *server, uint32_t messages, tbus_error_t *err)
{
    assert_ptr_equal(server, &a_server);
    return fake.turn_code < 0 ? tbus_fail(err, fake.turn_code, "it goes no further")
                              : (int)messages;
}

static void sleep_until(void *server, uint64_t until_ns)
{
    (void)until_ns;
    assert_ptr_equal(server, &a_server);
}

static int finish(void *server, tbus_error_t *err)
{
    (void)err;
    assert_ptr_equal(server, &a_server);
    fake.finished++;
    return 0;
}

static void destroy(void *server)
{
    fake.destroyed += server == &a_server;
}

static const serving_ops_t ops = {
    .start = start, .turn = turn, .sleep = sleep_until, .finish = finish, .destroy = destroy};
static const serving_kind_t kind = {.ops = &ops,
                                    .create = make,
                                    .params_bytes = sizeof(params_t),
                                    .values_bytes = sizeof(values_t)};

static void a_server_is_turned_by_its_stage_and_goes_with_it(void **state)
{
    (void)state;
    static tbus_directory_t directory = {.session_name = "SESSION001"};
    tbus_bus_t bus = {.directory = &directory};
    params_t params = {17};
    char journal[] = "/a/journal";
    tbus_stage_request_t request = {
        .bus = &bus, .owner = 3, .name = "out", .params = &params, .journal = journal};
    tbus_stage_t *stage;
    tbus_error_t err = {0};
    memset(&fake, 0, sizeof fake);
    assert_int_equal(serving_stage_create(&kind, &request, &stage, &err), 0);
    memset(journal, 'x', sizeof journal - 1); /* neither that nor the values are needed any more */
    params.number = 0;
    assert_string_equal(fake.journal, "/a/journal");
    assert_string_equal(stage->name, "out");
    assert_int_equal(stage->error.code, 0);
    assert_string_equal(stage->error.text, "a note");
    assert_int_equal(stage->ops->start(stage), 0);
    assert_string_equal(fake.session, "SESSION001");
    assert_int_equal(stage->ops->poll(stage, 7), 7);
    fake.turn_code = -EIO;
    assert_int_equal(stage->ops->poll(stage, 7), -EIO);
    assert_string_equal(stage->error.text, "it goes no further");
    assert_int_equal(stage->ops->finish(stage), 0);
    assert_int_equal(fake.finished, 1);
    stage->ops->destroy(stage);
    assert_int_equal(fake.destroyed, 1);
}

static void what_a_server_is_refused_for_is_the_error_of_its_stage(void **state)
{
    (void)state;
    params_t params = {17};
    char journal[8192];
    tbus_stage_request_t request = {.owner = 3, .name = "out", .params = &params, .journal = ""};
    tbus_stage_t *stage;
    tbus_error_t err = {0};
    memset(&fake, 0, sizeof fake);
    fake.create_code = -EADDRINUSE;
    assert_int_equal(serving_stage_create(&kind, &request, &stage, &err), -EADDRINUSE);
    assert_string_equal(fake.journal, "none");
    assert_string_equal(err.text, "this port is taken");
    assert_int_equal(err.code, -EADDRINUSE);
    memset(journal, 'j', sizeof journal - 1);
    journal[sizeof journal - 1] = 0;
    request.journal = journal;
    assert_int_equal(serving_stage_create(&kind, &request, &stage, &err), -ENAMETOOLONG);
    assert_int_equal(fake.destroyed, 0);
}

static void a_topic_that_cannot_be_read_is_tried_again_for_ten_seconds(void **state)
{
    (void)state;
    serving_patience_t p = {0};
    uint64_t now_ns = 1000 * MS;
    assert_false(serving_waits(&p, now_ns));
    for (; now_ns < 11000 * MS; now_ns += 100 * MS) {
        assert_true(serving_bears(&p, -EMFILE, now_ns));
        assert_true(serving_waits(&p, now_ns + 99 * MS));
        assert_false(serving_waits(&p, now_ns + 100 * MS));
    }
    assert_false(serving_bears(&p, -EMFILE, now_ns));
    serving_goes_on(&p);
    assert_false(serving_waits(&p, now_ns));
    assert_true(serving_bears(&p, -EMFILE, now_ns)); /* once it was read, the ten begin again */
}

static void what_is_corrupt_is_not_tried_again(void **state)
{
    (void)state;
    serving_patience_t p = {0};
    assert_false(serving_bears(&p, -TBUS_ECORRUPT, 1000 * MS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_is_turned_by_its_stage_and_goes_with_it),
        cmocka_unit_test(what_a_server_is_refused_for_is_the_error_of_its_stage),
        cmocka_unit_test(a_topic_that_cannot_be_read_is_tried_again_for_ten_seconds),
        cmocka_unit_test(what_is_corrupt_is_not_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
