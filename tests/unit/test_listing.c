/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <tickbus/msg/itch_types.h>

#include "feedsim/itch/binaryfile_writer.h"
#include "tests/support/program.h"
#include "tools/run/listing.h"

static char directory[SCRATCH_PATH_MAX];

static int set_up(void **state)
{
    (void)state;
    scratch_create(directory);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_remove(directory);
    return 0;
}

/* What is missing of `symbols` in `source`; "": nothing. */
static const char *missing(const char *source, const char *symbols)
{
    static char text[512];
    static config_t config;
    char yaml[512];
    tbus_error_t err = {0};
    config_defaults(&config);
    snprintf(yaml, sizeof yaml, "feed: {source: '%s'}\nstrategy: {symbols: [%s]}\n", source,
             symbols);
    if (config_read_text(&config, "test", yaml, strlen(yaml), &err) < 0)
        fail_msg("%s", err.text);
    strcpy(text, "never told");
    if (!listing_missing(&config, text, sizeof text)) {
        assert_string_equal(text, "never told");
        return "";
    }
    return text;
}

static void what_the_directory_does_not_list_is_named_with_what_is_near_it(void **state)
{
    (void)state;
    const char *synth = "synth:seed=3,symbols=4,messages=1000";
    assert_string_equal(missing(synth, ""), "");
    assert_string_equal(missing(synth, "SYN001, SYN004"), "");
    assert_string_equal(missing(synth, "SYN001, ELSE"),
                        "the feed's stock directory does not list ELSE");
    assert_string_equal(missing(synth, "SYN01, SYN002, NOTHING"),
                        "the feed's stock directory does not list SYN01; did you mean 'SYN001'?, "
                        "NOTHING");
}

/* A file of messages that hold a type, and zeros, or the symbol of a stock directory. */
static const char *file_of(const char *name, const char *types)
{
    static char source[SCRATCH_PATH_MAX + 64];
    const char *path;
    tbus_error_t err = {0};
    snprintf(source, sizeof source, "itch:%s/%s", directory, name);
    path = source + strlen("itch:");
    binaryfile_writer_t *writer = NULL;
    assert_int_equal(binaryfile_writer_open(path, &writer, &err), 0);
    for (; *types; types++) {
        uint8_t message[64] = {(uint8_t)*types};
        memcpy(message + 11, "AAPL    ", 8);
        assert_int_equal(binaryfile_writer_append(writer, message, itch_length(message[0]), &err),
                         0);
    }
    assert_int_equal(binaryfile_writer_close(writer, &err), 0);
    return source;
}

static void where_there_is_no_directory_nothing_is_said(void **state)
{
    (void)state;
    assert_string_equal(missing(file_of("whole", "SRHYA"), "AAPL"), "");
    assert_string_equal(missing(file_of("whole", "SRHYA"), "MSFT"),
                        "the feed's stock directory does not list MSFT");
    assert_string_equal(missing(file_of("only", "SR"), "MSFT"),
                        "the feed's stock directory does not list MSFT");
    assert_string_equal(missing(file_of("late", "SDR"), "MSFT"), ""); /* begins in mid-day */
    assert_string_equal(missing(file_of("none", "SA"), "MSFT"), "");
    assert_string_equal(missing("itch:/nowhere/at/all", "MSFT"), "");
}

static void a_pipe_is_not_read_beforehand(void **state)
{
    (void)state;
    char path[SCRATCH_PATH_MAX + 16], source[SCRATCH_PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/fifo", directory);
    snprintf(source, sizeof source, "itch:%s", path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_string_equal(missing(source, "MSFT"), ""); /* does not wait for a writer */
    assert_string_equal(missing("itch:-", "MSFT"), "");
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_the_directory_does_not_list_is_named_with_what_is_near_it),
        CASE(where_there_is_no_directory_nothing_is_said),
        CASE(a_pipe_is_not_read_beforehand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
