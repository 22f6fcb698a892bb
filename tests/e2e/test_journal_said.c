/* SPDX-License-Identifier: Apache-2.0 */
/* What `busctl journal` says of what it did, as JSON; and what to do where it cannot go on. */
#include "tests/e2e/why_journals.h"

static json_t *said(const fixture_t *f)
{
    json_t *object = json_loads(f->start.out, 0, NULL);
    if (!object)
        fail_msg("no JSON: %s%s", f->start.out, f->start.err);
    return object;
}

static void assert_said(const json_t *object, const char *key, json_int_t value)
{
    assert_int_equal(json_integer_value(json_object_get(object, key)), value);
}

static void prune_says_what_went_and_what_there_is(void **state)
{
    fixture_t *f = *state;
    char journal[PATH_BYTES];
    record_segments(f, journal);
    const char *argv[] = {TICKBUS_BUSCTL, "journal", "prune", journal, "--keep-segments", "2",
                          "--dry-run",    "--json",  NULL};
    program_clear(&f->start);
    f->start = (program_t){.argv = argv};
    assert_int_equal(program_run(&f->start), 0);
    json_t *object = said(f);
    assert_true(json_is_true(json_object_get(object, "dry_run")));
    assert_said(object, "removed", 1);
    assert_said(object, "segments", 3);
    json_decref(object);
    assert_int_equal(journal_verb(f, "prune", journal, "--keep-segments=2", "--json"), 0);
    object = said(f);
    assert_true(json_is_false(json_object_get(object, "dry_run")));
    assert_said(object, "removed", 1);
    assert_said(object, "segments", 2);
    assert_true(json_integer_value(json_object_get(object, "bytes")) > 524288);
    json_decref(object);
    scratch_remove(journal);
}

static void repair_says_what_it_wrote_and_what_was_lost(void **state)
{
    fixture_t *f = *state;
    char journal[PATH_BYTES], into[PATH_BYTES], path[FILE_BYTES];
    record_segments(f, journal);
    path_in(f, "journal.repaired", into);
    assert_int_equal(journal_verb(f, "repair", journal, "--json", NULL), 0);
    json_t *object = said(f);
    assert_true(json_is_false(json_object_get(object, "written")));
    assert_true(json_is_null(json_object_get(object, "damaged")));
    assert_string_equal(json_string_value(json_object_get(object, "journal")), journal);
    json_decref(object);
    file_in(journal, "00000003.tbj", path);
    assert_int_equal(unlink(path), 0);
    flip(journal, "00000001.tbj", 300000);
    assert_int_equal(journal_verb(f, "repair", journal, "--json", NULL), 0);
    object = said(f);
    assert_true(json_is_true(json_object_get(object, "written")));
    assert_true(json_is_true(json_object_get(object, "end_unknown")));
    assert_true(json_integer_value(json_object_get(object, "records")) > 1000);
    assert_int_equal(json_array_size(json_object_get(object, "lost")), 1);
    const json_t *lost = json_array_get(json_object_get(object, "lost"), 0);
    assert_non_null(json_string_value(json_object_get(lost, "topic")));
    assert_int_equal(json_integer_value(json_object_get(lost, "from")),
                     json_integer_value(json_object_get(lost, "to")));
    assert_string_equal(json_string_value(json_object_get(object, "journal")), into);
    assert_string_equal(json_string_value(json_object_get(object, "damaged")), journal);
    json_decref(object);
    scratch_remove(journal);
    scratch_remove(into);
}

static void dump_and_export_name_the_way_past_a_damage(void **state)
{
    static const struct {
        const char *name;
        off_t offset; /* of the segment's header, and of a record */
    } places[] = {{"00000002.tbj", 200}, {"00000002.tbj", 300000}};
    fixture_t *f = *state;
    char journal[PATH_BYTES];
    record_segments(f, journal);
    for (unsigned i = 0; i < 2; i++) {
        flip(journal, places[i].name, places[i].offset);
        assert_int_equal(journal_verb(f, "dump", journal, "--topic=md", NULL), 1);
        assert_non_null(strstr(f->start.err, "--skip-damage goes on behind"));
        assert_int_equal(journal_verb(f, "dump", journal, "--topic=md", "--skip-damage"), 0);
        assert_non_null(strstr(f->start.out, " md "));
        assert_non_null(strstr(f->start.err, "00000002.tbj"));
        assert_null(strstr(f->start.err, "--skip-damage"));
        assert_int_equal(journal_verb(f, "export", journal, "--topic=md", NULL), 1);
        assert_non_null(strstr(f->start.err, "--skip-damage goes on"));
        assert_int_equal(journal_verb(f, "export", journal, "--topic=md", "--skip-damage"), 0);
        flip(journal, places[i].name, places[i].offset);
    }
    /* what is not there is no damage */
    assert_int_equal(journal_verb(f, "dump", f->runtime, "--topic=md", NULL), 1);
    assert_null(strstr(f->start.err, "--skip-damage"));
    scratch_remove(journal);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(prune_says_what_went_and_what_there_is),
        TEST(repair_says_what_it_wrote_and_what_was_lost),
        TEST(dump_and_export_name_the_way_past_a_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
