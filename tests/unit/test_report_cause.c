/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "tools/latency/report_cause.h"

#define SECOND UINT64_C(1000000000)

/* One process, whose table of stalls is full after 80 s. */
static evidence_t full_table(uint64_t lost)
{
    evidence_t evidence = {0};
    assert_int_equal(tbus_gaps_create(1, &evidence.gaps, NULL), 0);
    tbus_gaps_table_t *table = evidence.gaps.tables;
    table->pid = 1;
    table->begin_ns = SECOND;
    table->stages_count = 1;
    strcpy(table->stages[0], "feed");
    table->count = TBUS_GAPS_MAX;
    table->gaps[TBUS_GAPS_MAX - 1].end_ns = 81 * SECOND;
    table->lost = lost;
    return evidence;
}

static json_t *notes_of(uint64_t lost)
{
    evidence_t evidence = full_table(lost);
    samples_t samples;
    json_t *report = json_pack("{s:[]}", "notes");
    assert_true(samples_create(1, &samples));
    assert_int_equal(report_add_causes(report, &evidence, &samples), 0);
    json_t *notes = json_incref(json_object_get(report, "notes"));
    json_decref(report);
    samples_clear(&samples);
    tbus_gaps_destroy(&evidence.gaps);
    return notes;
}

static void stalls_that_were_not_noted_are_told(void **state)
{
    (void)state;
    json_t *notes = notes_of(3);
    assert_int_equal(json_array_size(notes), 1);
    assert_string_equal(json_string_value(json_array_get(notes, 0)),
                        "feed: only the first 262144 stalls were noted, those of 80.0 s; what 3 "
                        "later ones delayed is unexplained");
    json_decref(notes);
}

static void a_table_with_room_is_not_mentioned(void **state)
{
    (void)state;
    json_t *notes = notes_of(0);
    assert_int_equal(json_array_size(notes), 0);
    json_decref(notes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stalls_that_were_not_noted_are_told),
        cmocka_unit_test(a_table_with_room_is_not_mentioned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
