/* SPDX-License-Identifier: Apache-2.0 */
/* Each kind of damage in the first, the middle and the last of three segments: which place is
 * named, with which words, and what can still be had. Everything outside the damaged records is
 * exported past the damage; the md of a segment (466, 465 and 269 messages) is lost only where the
 * segment as such is. */
#include "tests/e2e/hand_journal.h"

static void in_header(const fixture_t *f, unsigned segment)
{
    flip(f, segment, 3000);
}

static void in_magic(const fixture_t *f, unsigned segment)
{
    flip(f, segment, 2);
}

/* Of the header nothing is left. */
static void whole_header(const fixture_t *f, unsigned segment)
{
    static const unsigned char zeros[TBUS_JOURNAL_HEADER_BYTES];
    write_at(f, segment, 0, zeros, sizeof zeros);
}

static void header_and_first_record(const fixture_t *f, unsigned segment)
{
    flip(f, segment, 3000);
    flip(f, segment, place_of(0) + 40);
}

/* The third; it is one of orders in the first and in the last segment. */
static void a_record(const fixture_t *f, unsigned segment)
{
    flip(f, segment, place_of(2) + 40);
}

static void in_seal(const fixture_t *f, unsigned segment)
{
    flip(f, segment, offsetof(tbus_journal_header_t, seal) + 40);
}

static void in_closed(const fixture_t *f, unsigned segment)
{
    flip(f, segment, offsetof(tbus_journal_header_t, closed));
}

static void path_in(const fixture_t *f, unsigned segment, char out_path[PATH_BYTES + 16])
{
    segment_path(f->journal, segment, out_path);
}

static void missing(const fixture_t *f, unsigned segment)
{
    char path[PATH_BYTES + 16];
    path_in(f, segment, path);
    assert_int_equal(unlink(path), 0);
}

static void renamed(const fixture_t *f, unsigned segment)
{
    char from[PATH_BYTES + 16], to[PATH_BYTES + 16];
    path_in(f, segment, from);
    path_in(f, 4, to);
    assert_int_equal(rename(from, to), 0);
}

static void foreign(const fixture_t *f, unsigned segment)
{
    char from[PATH_BYTES + 16], to[PATH_BYTES + 16];
    segment_path(f->other, segment, from);
    path_in(f, segment, to);
    copy(from, to);
}

/* A second time, as the fourth. */
static void duplicated(const fixture_t *f, unsigned segment)
{
    char from[PATH_BYTES + 16], to[PATH_BYTES + 16];
    path_in(f, segment, from);
    path_in(f, 4, to);
    copy(from, to);
}

/* With the next one; the last with the first. */
static void swapped(const fixture_t *f, unsigned segment)
{
    char one[PATH_BYTES + 16], other[PATH_BYTES + 16], kept[PATH_BYTES + 16];
    path_in(f, segment, one);
    path_in(f, segment % 3 + 1, other);
    snprintf(kept, sizeof kept, "%s/kept", f->journal);
    assert_int_equal(rename(one, kept), 0);
    assert_int_equal(rename(other, one), 0);
    assert_int_equal(rename(kept, other), 0);
}

#define NO_RECORD    "what is there is no record, and there are more behind it"
#define NO_END       "its end cannot be told, since what its header says of it does not fit its CRC"
#define RENAMED      "its header says that it is another segment: it was renamed"
#define FOREIGN      "it is from another session"
#define NEXT_FOREIGN "the next segment is from another session"
#define HEADER       "its header is damaged"

/* A first segment that is missing was removed by retention, a last one was cut: that is no damage.
 * The first one says which session it is. */
static const struct row {
    const char *name;
    void (*make)(const fixture_t *f, unsigned segment);
    unsigned segment;
    /* verify: how many records, the end, and "SEGMENT@OFFSET+BYTES WHAT; ..." */
    unsigned records;
    const char *end, *places; /* "": it is whole */
    unsigned md;              /* messages that are exported with --skip-damage, which ends with 0 */
    int refused; /* exit code of an export without; 0: it is as when the recorder was killed, or
                  * the power went before a header was on the disk */
} rows[] = {
    {"in header", in_header, 1, 1800, "closed", "1@0+4096 " HEADER, 1200, 1},
    {"in header", in_header, 2, 1800, "closed", "2@0+4096 " HEADER, 1200, 1},
    {"in header", in_header, 3, 1800, "closed", "3@0+4096 " HEADER, 1200, 1},
    {"in magic", in_magic, 1, 1800, "closed", "1@0+4096 it is no journal segment", 1200, 1},
    {"in magic", in_magic, 2, 1800, "closed", "2@0+4096 it is no journal segment", 1200, 1},
    {"in magic", in_magic, 3, 1800, "closed", "3@0+4096 it is no journal segment", 1200, 1},
    {"whole header", whole_header, 1, 1800, "closed", "1@0+4096 " HEADER, 1200, 1},
    {"whole header", whole_header, 2, 1800, "closed", "2@0+4096 it holds no header", 1200, 1},
    {"whole header", whole_header, 3, 1800, "torn", "3@0+4096 it holds no header", 1200, 0},
    {"header and first record", header_and_first_record, 1, 1799, "closed",
     "1@0+4096 " HEADER "; 1@4096+88 " NO_RECORD, 1199, 1},
    {"header and first record", header_and_first_record, 2, 1799, "closed",
     "2@0+4096 " HEADER "; 2@4096+88 " NO_RECORD, 1200, 1},
    {"header and first record", header_and_first_record, 3, 1799, "closed",
     "3@0+4096 " HEADER "; 3@4096+88 " NO_RECORD, 1199, 1},
    {"a record", a_record, 1, 1799, "closed", "1@4272+88 " NO_RECORD, 1200, 1},
    {"a record", a_record, 2, 1799, "closed", "2@4272+88 " NO_RECORD, 1199, 1},
    {"a record", a_record, 3, 1799, "closed", "3@4272+88 " NO_RECORD, 1199, 1},
    {"in seal", in_seal, 1, 1800, "closed", "1@65520+0 " NO_END, 1200, 1},
    {"in seal", in_seal, 2, 1800, "closed", "2@65520+0 " NO_END, 1200, 1},
    {"in seal", in_seal, 3, 1800, "closed", "3@39648+0 " NO_END, 1200, 1},
    {"in closed", in_closed, 1, 1800, "closed", "1@65520+0 " NO_END, 1200, 1},
    {"in closed", in_closed, 2, 1800, "closed", "2@65520+0 " NO_END, 1200, 1},
    {"in closed", in_closed, 3, 1800, "closed", "3@39648+0 " NO_END, 1200, 1},
    {"missing", missing, 1, 1102, "closed", "", 734, 0},
    {"missing", missing, 2, 1102, "closed", "2@0+0 it is missing", 735, 1},
    {"missing", missing, 3, 1396, "torn", "", 931, 0},
    {"renamed", renamed, 1, 1102, "closed", "4@0+65520 " RENAMED, 734, 1},
    {"renamed", renamed, 2, 1800, "closed", "2@0+0 it is missing; 4@0+65520 " RENAMED, 1200, 1},
    {"renamed", renamed, 3, 1800, "closed", "3@0+0 it is missing; 4@0+39648 " RENAMED, 1200, 1},
    {"foreign", foreign, 1, 698, "torn",
     "1@65520+0 " NEXT_FOREIGN "; 2@0+65520 " FOREIGN "; 3@0+39648 " FOREIGN, 466, 1},
    {"foreign", foreign, 2, 1102, "closed", "1@65520+0 " NEXT_FOREIGN "; 2@0+65520 " FOREIGN, 735,
     1},
    {"foreign", foreign, 3, 1396, "torn", "2@65520+0 " NEXT_FOREIGN "; 3@0+39648 " FOREIGN, 931, 1},
    {"duplicated", duplicated, 1, 1800, "closed", "4@0+65520 " RENAMED, 1200, 1},
    {"duplicated", duplicated, 2, 1800, "closed", "4@0+65520 " RENAMED, 1200, 1},
    {"duplicated", duplicated, 3, 1800, "closed", "4@0+39648 " RENAMED, 1200, 1},
    {"swapped", swapped, 1, 1800, "closed", "1@0+4096 " RENAMED "; 2@0+4096 " RENAMED, 1200, 1},
    {"swapped", swapped, 2, 1800, "closed", "2@0+4096 " RENAMED "; 3@0+4096 " RENAMED, 1200, 1},
    {"swapped", swapped, 3, 1800, "closed", "1@0+4096 " RENAMED "; 3@0+4096 " RENAMED, 1200, 1},
};

static void describe(const json_t *said, char *out_text, size_t bytes)
{
    size_t i, used = 0;
    json_t *place;
    out_text[0] = 0;
    json_array_foreach(json_object_get(said, "damage"), i, place)
    {
        used +=
            (size_t)snprintf(out_text + used, bytes - used, "%s%lld@%lld+%lld %s", i ? "; " : "",
                             json_integer_value(json_object_get(place, "segment")),
                             json_integer_value(json_object_get(place, "offset")),
                             json_integer_value(json_object_get(place, "bytes")),
                             json_string_value(json_object_get(place, "what")));
        assert_true(used < bytes);
    }
}

/* How many messages of md come out; the exit code must be that. */
static unsigned export_md(const fixture_t *f, bool past, int exit_code)
{
    program_t p;
    const char *const argv[] = {TICKBUS_BUSCTL,
                                "journal",
                                "export",
                                f->journal,
                                "--topic",
                                "md",
                                "--format",
                                "jsonl",
                                past ? "--skip-damage" : NULL,
                                NULL};
    unsigned lines = 0;
    if (run(&p, argv) != exit_code)
        fail_msg("export: exit code %d instead of %d: %s", p.exit_code, exit_code, p.err);
    for (const char *at = p.out; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    program_clear(&p);
    return lines;
}

static bool is_as_told(const fixture_t *f, const struct row *row)
{
    char places[1024];
    json_t *said = verify(f->journal); /* exit code 1: it is not whole */
    const char *end = json_string_value(json_object_get(said, "end"));
    unsigned records = (unsigned)json_integer_value(json_object_get(said, "records"));
    describe(said, places, sizeof places);
    unsigned md = export_md(f, true, 0);
    (void)export_md(f, false, row->refused); /* it ends at the damage, and says so */
    bool right = records == row->records && strcmp(end, row->end) == 0 &&
                 strcmp(places, row->places) == 0 && md == row->md;
    if (!right)
        print_error("{\"%s\", %s, %u, %u, \"%s\",\n \"%s\", %u},\n", row->name, row->name,
                    row->segment, records, end, places, md);
    json_decref(said);
    return right;
}

static void every_damage_is_told_wherever_it_is_and_the_rest_can_be_had(void **state)
{
    const fixture_t *f = *state;
    unsigned wrong = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        copy(f->closed, f->journal);
        rows[i].make(f, rows[i].segment);
        wrong += !is_as_told(f, &rows[i]);
        scratch_remove(f->journal);
    }
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(every_damage_is_told_wherever_it_is_and_the_rest_can_be_had,
                                  remove_copies),
    };
    return cmocka_run_group_tests(tests, make_journals, remove_journals);
}
