/* SPDX-License-Identifier: Apache-2.0 */
/* The index of a session's orders is a cache: whatever is wrong with the file, no answer is. */
#include "tests/e2e/why_journals.h"

#include <errno.h>

#define LOCATES 4u /* of a small session, and some more */
#define SMALL_SESSION                                                                              \
    "synth:seed=9,symbols=2,messages=350,flow=plain", "venue.clock=market", "risk.collar_bps=500"

/* ---- a file that is wrong */

static unsigned char *read_index(const char *journal, size_t *out_bytes)
{
    char path[FILE_BYTES];
    file_in(journal, ORDER_INDEX_NAME, path);
    char *bytes = file_read(path, out_bytes);
    assert_non_null(bytes);
    return (unsigned char *)bytes;
}

static void write_index(const char *journal, const unsigned char *bytes, size_t count)
{
    char path[FILE_BYTES];
    file_in(journal, ORDER_INDEX_NAME, path);
    assert_true(file_write(path, bytes, count));
}

/* What the index itself says of an order, or that it is of no use. To be freed. `symbols`: some to
 * be filled. */
static char *index_says(const char *journal, uint64_t id, symbols_t *symbols)
{
    char *text = NULL;
    size_t bytes = 0;
    order_index_t index;
    order_index_found_t found;
    tbus_journal_reader_t *reader;
    FILE *out = open_memstream(&text, &bytes);
    for (uint16_t i = 0; i < LOCATES; i++)
        symbols_put(symbols, 0, i, "not told");
    assert_int_equal(tbus_journal_reader_open(journal, &reader, NULL), 0);
    if (order_index_open(reader, &index) != TBUS_JOURNAL_FOUND) {
        fprintf(out, "of no use");
    } else {
        int look = order_index_find(&index, id, &found);
        bool fine =
            look != TBUS_JOURNAL_BAD && order_index_symbols(&index, symbols) == TBUS_JOURNAL_FOUND;
        if (!fine)
            fprintf(out, "of no use");
        for (uint16_t i = 0; fine && i < LOCATES; i++)
            fprintf(out, "%u %.8s\n", i, symbols_of(symbols, i, UINT64_MAX));
        if (fine && look == TBUS_JOURNAL_FOUND) {
            fwrite(&found.places, offsetof(why_places_t, reports), 1, out);
            fwrite(found.places.reports, sizeof(why_place_t), found.places.reports_count, out);
            fwrite(&found.verdict, sizeof found.verdict, found.has_verdict, out);
        }
        if (look == TBUS_JOURNAL_FOUND)
            why_places_clear(&found.places);
        if (fine)
            fprintf(out, "%d %s", look, index.header.failure);
        order_index_close(&index);
    }
    tbus_journal_reader_close(reader);
    fclose(out);
    return text;
}

/* A session of some orders: the file has some thousand bytes. */
static uint32_t record_small(fixture_t *f, char out_journal[PATH_BYTES], uint64_t ids[IDS_MAX])
{
    record(f, "journal", SMALL_SESSION, out_journal);
    uint32_t ids_count = ids_of(out_journal, ids);
    ids[ids_count++] = ORDER_ID(4000, 7);
    assert_true(ids_count > 4 && ids_count < 40);
    make_index(out_journal);
    return ids_count;
}

static void a_file_with_any_byte_wrong_gives_the_same_answer_or_none(void **state)
{
    fixture_t *f = *state;
    static uint64_t ids[IDS_MAX];
    char *right[40];
    char journal[PATH_BYTES];
    symbols_t *symbols = symbols_create();
    size_t bytes;
    uint32_t ids_count = record_small(f, journal, ids);
    free(read_index(journal, &bytes));
    for (uint32_t i = 0; i < ids_count; i++)
        right[i] = index_says(journal, ids[i], symbols);
    for (size_t at = 0; at < bytes; at++) {
        bool noticed = false;
        flip(journal, ORDER_INDEX_NAME, (off_t)at);
        for (uint32_t i = 0; i < ids_count; i++) {
            char *text = index_says(journal, ids[i], symbols);
            noticed |= strcmp(text, "of no use") == 0;
            if (strcmp(text, "of no use") != 0 && strcmp(text, right[i]) != 0)
                fail_msg("with byte %zu wrong, order %lx: %s", at, (unsigned long)ids[i], text);
            free(text);
        }
        if (!noticed)
            fail_msg("nobody noticed that byte %zu was wrong", at);
        flip(journal, ORDER_INDEX_NAME, (off_t)at);
    }
    print_message("%zu bytes, %u orders\n", bytes, ids_count - 1);
    for (uint32_t i = 0; i < ids_count; i++)
        free(right[i]);
    symbols_destroy(symbols);
    scratch_remove(journal);
}

/* It is not used, every order is answered all the same, and it is made anew as it was. */
static void assert_made_anew(const char *journal, uint64_t id, const char *right,
                             const unsigned char *whole, size_t bytes)
{
    why_answer_t answer;
    assert_int_equal(why_answer(journal, id, &answer, NULL), 0);
    assert_true(answer.made && answer.indexed);
    why_answer_clear(&answer);
    char *text = text_of(journal, id, true);
    assert_string_equal(text, right);
    free(text);
    size_t now_bytes;
    unsigned char *now = read_index(journal, &now_bytes);
    assert_int_equal(now_bytes, bytes);
    assert_memory_equal(now, whole, bytes);
    free(now);
}

static void a_file_that_is_cut_or_of_another_session_or_build_is_made_anew(void **state)
{
    fixture_t *f = *state;
    static uint64_t ids[IDS_MAX];
    char journal[PATH_BYTES], other[PATH_BYTES];
    size_t bytes, other_bytes;
    record_small(f, journal, ids);
    record(f, "other", SMALL_SESSION, other);
    make_index(other);
    unsigned char *whole = read_index(journal, &bytes), *foreign = read_index(other, &other_bytes);
    char *right = text_of(journal, ids[0], true);
    for (size_t cut = 0; cut < bytes; cut += bytes / 7) {
        write_index(journal, whole, cut);
        assert_made_anew(journal, ids[0], right, whole, bytes);
    }
    write_index(journal, foreign, other_bytes);
    assert_made_anew(journal, ids[0], right, whole, bytes);
    order_index_header_t header;
    memcpy(&header, whole, sizeof header);
    snprintf(header.about.build, sizeof header.about.build, "0.0.1 (another)");
    header.header_crc32c = tbus_crc32c(0, &header, offsetof(order_index_header_t, header_crc32c));
    memcpy(foreign, &header, sizeof header);
    memcpy(foreign + sizeof header, whole + sizeof header,
           other_bytes < bytes ? other_bytes - sizeof header : bytes - sizeof header);
    write_index(journal, foreign, bytes < other_bytes ? bytes : other_bytes);
    assert_made_anew(journal, ids[0], right, whole, bytes);
    free(right);
    free(whole);
    free(foreign);
    scratch_remove(journal);
    scratch_remove(other);
}

static void busctl_journal_index_makes_it_and_mends_a_byte_that_nobody_asked_for(void **state)
{
    fixture_t *f = *state;
    static uint64_t ids[IDS_MAX];
    char journal[PATH_BYTES];
    size_t bytes, now_bytes;
    record_small(f, journal, ids);
    unsigned char *whole = read_index(journal, &bytes);
    assert_int_equal(journal_verb(f, "index", journal, NULL, NULL), 0);
    assert_string_equal(f->start.out, "made      1\nright     0\norders    right\n");
    whole[bytes / 2] ^= 1;
    write_index(journal, whole, bytes);
    whole[bytes / 2] ^= 1;
    assert_int_equal(journal_verb(f, "index", journal, "--json", NULL), 0);
    json_t *said = json_loads(f->start.out, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(said, "orders")), "made");
    assert_int_equal(json_integer_value(json_object_get(said, "right")), 1);
    assert_true(json_is_null(json_object_get(said, "orders_none")));
    json_decref(said);
    unsigned char *now = read_index(journal, &now_bytes);
    assert_int_equal(now_bytes, bytes);
    assert_memory_equal(now, whole, bytes);
    free(now);
    free(whole);
    scratch_remove(journal);
}

/* ---- journals that change, or have no end */

static void an_index_of_a_journal_that_has_lost_segments_is_not_used(void **state)
{
    fixture_t *f = *state;
    static uint64_t ids[IDS_MAX];
    char journal[PATH_BYTES], path[FILE_BYTES];
    why_answer_t answer;
    tbus_error_t err = {0};
    record_segments(f, journal);
    file_in(journal, "00000001.tbj", path);
    assert_int_equal(unlink(path), 0);
    uint32_t ids_count = ids_of(journal, ids);
    assert_int_equal(why_answer(journal, ids[ids_count - 1], &answer, NULL), 0);
    assert_true(answer.made && !answer.has_verdict && !answer.begins);
    why_answer_clear(&answer);
    /* without its last segment it is torn */
    file_in(journal, "00000003.tbj", path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(order_index_ensure(journal, &err), -EBUSY);
    assert_int_equal(why_answer(journal, ids[0], &answer, NULL), 0);
    assert_true(answer.there && !answer.indexed);
    why_answer_clear(&answer);
    scratch_remove(journal);
}

static void a_record_that_was_damaged_after_the_index_was_made_is_not_believed(void **state)
{
    fixture_t *f = *state;
    char journal[PATH_BYTES], name[TBUS_JOURNAL_FILE_NAME_MAX], path[FILE_BYTES];
    why_session_t session;
    why_answer_t answer;
    tbus_error_t err = {0};
    record_segments(f, journal);
    assert_int_equal(why_session_read(journal, &session, &err), 0);
    const why_entry_t *last = &session.entries[session.entries_count - 1];
    uint64_t last_id = last->order_id;
    why_place_t place = last->judged;
    why_session_clear(&session);
    assert_true(place >> 32 > 1);
    tbus_journal_segment_name((uint32_t)(place >> 32), name);
    flip(journal, name, (off_t)(uint32_t)place + 40);
    assert_int_equal(why_answer(journal, last_id, &answer, &err), -TBUS_ECORRUPT);
    assert_true(!answer.indexed && !answer.life.judged.there); /* what can be read of it */
    why_answer_clear(&answer);
    assert_int_equal(why_answer(journal, ORDER_ID(1, 1), &answer, &err), 0);
    assert_true(answer.there && answer.indexed); /* its records are whole */
    why_answer_clear(&answer);
    assert_int_equal(order_index_ensure(journal, &err), 0);
    file_in(journal, ORDER_INDEX_NAME, path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(order_index_ensure(journal, &err), -TBUS_ECORRUPT);
    assert_int_equal(why_answer(journal, ORDER_ID(1, 1), &answer, &err), -TBUS_ECORRUPT);
    assert_true(answer.there && answer.has_verdict && !answer.indexed);
    why_answer_clear(&answer);
    scratch_remove(journal);
}

static void a_journal_that_is_being_written_has_no_index_and_is_answered(void **state)
{
    fixture_t *f = *state;
    char journal[PATH_BYTES], path[FILE_BYTES];
    why_answer_t answer;
    tbus_error_t err = {0};
    path_in(f, "journal", journal);
    file_in(journal, ORDER_INDEX_NAME, path);
    json_decref(begin(f, 3000, ENDLESS_FEED, "--journal", journal, "--json", NULL));
    assert_int_equal(order_index_ensure(journal, &err), -EBUSY);
    do {
        assert_int_equal(why_answer(journal, ORDER_ID(1, 1), &answer, &err), 0);
        bool there = answer.there;
        assert_false(answer.indexed);
        why_answer_clear(&answer);
        if (there)
            break;
    } while (!program_ended(&f->start));
    assert_int_equal(access(path, F_OK), -1);
    json_decref(ask(f, "stop", NULL));
    program_wait(&f->start);
    make_index(journal);
    scratch_remove(journal);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_with_any_byte_wrong_gives_the_same_answer_or_none),
        TEST(a_file_that_is_cut_or_of_another_session_or_build_is_made_anew),
        TEST(busctl_journal_index_makes_it_and_mends_a_byte_that_nobody_asked_for),
        TEST(an_index_of_a_journal_that_has_lost_segments_is_not_used),
        TEST(a_record_that_was_damaged_after_the_index_was_made_is_not_believed),
        TEST(a_journal_that_is_being_written_has_no_index_and_is_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
