/* SPDX-License-Identifier: Apache-2.0 */
/* The servers that other tests are built on (tests/support/nats_server.h): that a server which is
 * said to be killed, paused or cut off is, and that nothing of it is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/nats_server.h"

static nats_server_t server;
static nats_cluster_t cluster;

static int end_server(void **state)
{
    (void)state;
    nats_server_clear(&server);
    return 0;
}

static int end_cluster(void **state)
{
    (void)state;
    nats_cluster_clear(&cluster);
    return 0;
}

static void skip_without_server(void)
{
    if (nats_server_there())
        return;
    print_message("there is no nats-server here, of the package of that name\n");
    skip();
}

static void a_server_that_is_killed_or_stopped_comes_back_at_the_same_port(void **state)
{
    (void)state;
    skip_without_server();
    assert_true(nats_server_start(&server, NULL));
    uint16_t port = server.port;
    assert_true(nats_server_serves(&server));
    nats_server_kill(&server);
    assert_false(nats_server_serves(&server));
    assert_int_equal(server.program.exit_code, 128 + SIGKILL);
    assert_true(nats_server_again(&server));
    nats_server_stop(&server);
    assert_false(nats_server_serves(&server));
    assert_true(nats_server_again(&server));
    assert_int_equal(server.port, port);
    assert_true(nats_server_serves(&server));
}

static void a_server_that_is_paused_answers_nobody_until_it_is_continued(void **state)
{
    (void)state;
    skip_without_server();
    assert_true(nats_server_start(&server, "max_payload: 2097152"));
    nats_server_pause(&server);
    assert_false(nats_server_serves(&server));
    nats_server_continue(&server);
    assert_true(nats_server_serves(&server));
}

static void a_server_that_is_cleared_leaves_no_directory(void **state)
{
    (void)state;
    skip_without_server();
    assert_true(nats_server_start(&server, NULL));
    char directory[SCRATCH_PATH_MAX];
    memcpy(directory, server.directory, sizeof directory);
    assert_int_equal(access(directory, F_OK), 0);
    nats_server_clear(&server);
    assert_int_not_equal(access(directory, F_OK), 0);
}

static void a_configuration_that_is_wrong_is_told_with_the_log(void **state)
{
    (void)state;
    skip_without_server();
    assert_false(nats_server_start(&server, "no such thing"));
}

static void three_nodes_serve_and_one_that_is_cut_off_is_out_of_reach(void **state)
{
    (void)state;
    const char *why;
    if (!nats_cluster_there(&why)) {
        print_message("no cluster here: %s\n", why);
        skip();
    }
    assert_true(nats_cluster_start(&cluster));
    for (unsigned i = 0; i < NATS_NODES; i++)
        assert_true(nats_server_serves(&cluster.nodes[i]));
    assert_true(nats_cluster_cut(&cluster, 1));
    assert_false(nats_server_serves(&cluster.nodes[1]));
    assert_true(nats_cluster_mend(&cluster, 1));
    nats_server_kill(&cluster.nodes[2]);
    assert_false(nats_server_serves(&cluster.nodes[2]));
    assert_true(nats_server_again(&cluster.nodes[2]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_server_that_is_killed_or_stopped_comes_back_at_the_same_port,
                                  end_server),
        cmocka_unit_test_teardown(a_server_that_is_paused_answers_nobody_until_it_is_continued,
                                  end_server),
        cmocka_unit_test_teardown(a_server_that_is_cleared_leaves_no_directory, end_server),
        cmocka_unit_test_teardown(a_configuration_that_is_wrong_is_told_with_the_log, end_server),
        cmocka_unit_test_teardown(three_nodes_serve_and_one_that_is_cut_off_is_out_of_reach,
                                  end_cluster),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
