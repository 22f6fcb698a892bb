/* SPDX-License-Identifier: Apache-2.0 */
/* Recorded captures through busctl: what was framed in them comes out of the journal byte for byte,
 * and what is missing stands in the summary, range by range. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <unistd.h>

#include "tests/market_data.h"
#include "tests/support/program.h"

#define SPEC_MAX (MARKET_DATA_PATH_MAX + 64)
#define PATHS    (SCRATCH_PATH_MAX + 32)

typedef struct fixture {
    char scratch[SCRATCH_PATH_MAX];
    char journal[PATHS], itch[PATHS];
    program_t program;
    json_t *summary;
} fixture_t;

static int setup(void **state)
{
    fixture_t *f = calloc(1, sizeof *f);
    assert_non_null(f);
    scratch_create_runtime(f->scratch);
    snprintf(f->journal, sizeof f->journal, "%s/journal", f->scratch);
    snprintf(f->itch, sizeof f->itch, "%s/out.itch", f->scratch);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture_t *f = *state;
    program_clear(&f->program);
    json_decref(f->summary);
    unsigned left = scratch_remove_runtime(f->scratch);
    free(f);
    return left ? -1 : 0;
}

static void run(fixture_t *f, const char *const *argv)
{
    program_clear(&f->program);
    f->program = (program_t){.argv = argv};
    if (program_run(&f->program) != 0)
        fail_msg("%s %s: %s", argv[0], argv[1], f->program.err);
}

static void feed(fixture_t *f, const char *file, const char *clock)
{
    char path[MARKET_DATA_PATH_MAX], spec[SPEC_MAX], name[32];
    if (!market_data_path(file, path))
        skip();
    snprintf(spec, sizeof spec, "pcap:%s", path);
    snprintf(name, sizeof name, "captures-%d", (int)getpid());
    run(f, (const char *const[]){TICKBUS_BUSCTL,
                                 "start",
                                 "--json",
                                 "--name",
                                 name,
                                 "--feed",
                                 spec,
                                 "--clock",
                                 clock,
                                 "--pace",
                                 "max",
                                 "--journal",
                                 f->journal,
                                 "--strategy",
                                 "null",
                                 "--wait",
                                 "park",
                                 "--set",
                                 "books.orders_max=16384",
                                 NULL});
    f->summary = json_loads(f->program.out, 0, NULL);
    assert_non_null(f->summary);
}

static void what_was_framed_comes_out_byte_for_byte(void **state)
{
    fixture_t *f = *state;
    char source[MARKET_DATA_PATH_MAX], expected[SHA256_TEXT], got[SHA256_TEXT];
    feed(f, "mold_aapl_5k/clean.pcapng.pcapng", "capture");
    assert_true(market_data_path("itch_aapl_20200130_5k/aapl_5k.itch", source));
    run(f, (const char *const[]){TICKBUS_BUSCTL, "journal", "export", f->journal, "--topic", "md",
                                 "--format", "itch", "-o", f->itch, NULL});
    file_sha256(source, expected);
    file_sha256(f->itch, got);
    assert_string_equal(got, expected);
    assert_int_equal(json_array_size(json_object_get(json_object_get(f->summary, "feed"), "gaps")),
                     0);
}

static void every_gap_stands_in_the_summary(void **state)
{
    fixture_t *f = *state;
    char path[MARKET_DATA_PATH_MAX];
    feed(f, "mold_esm4_14k/faulty.pcap", "market");
    assert_true(market_data_path("mold_esm4_14k/key.json", path));
    json_t *key = json_load_file(path, 0, NULL), *range;
    json_t *faulty = json_object_get(json_object_get(key, "files"), "faulty.pcap");
    json_t *missing = json_object_get(faulty, "missing");
    json_t *told = json_object_get(f->summary, "feed"), *gaps = json_object_get(told, "gaps");
    size_t i;
    assert_true(json_array_size(missing) > 100);
    assert_int_equal(json_array_size(gaps), json_array_size(missing));
    assert_int_equal(json_integer_value(json_object_get(told, "gaps_count")),
                     json_array_size(missing));
    assert_int_equal(json_integer_value(json_object_get(told, "lost")),
                     json_integer_value(json_object_get(faulty, "messages_missing")));
    assert_int_equal(json_integer_value(json_object_get(told, "messages")),
                     json_integer_value(json_object_get(faulty, "messages_received")));
    json_array_foreach(missing, i, range)
    {
        json_int_t from = json_integer_value(json_array_get(range, 0));
        json_int_t to = from + json_integer_value(json_array_get(range, 1)) - 1;
        json_t *gap = json_array_get(gaps, i);
        assert_int_equal(json_integer_value(json_object_get(gap, "from")), from);
        assert_int_equal(json_integer_value(json_object_get(gap, "to")), to);
    }
    json_decref(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_framed_comes_out_byte_for_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(every_gap_stands_in_the_summary, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
