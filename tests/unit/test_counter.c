/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tickbus/bus.h>

#include "bus/run/entry.h"
#include "strategy/ledger.h"
#include "tests/support/ticks.h"

static tbus_bus_t make_bus(void)
{
    tbus_bus_t bus;
    assert_int_equal(tbus_bus_create("t", &bus, NULL), 0);
    return bus;
}

static uint32_t named(const tbus_bus_t *bus)
{
    uint32_t count = 0;
    tbus_counter_view_t view;
    for (uint32_t cursor = 0; tbus_counter_next(bus, &cursor, &view);)
        count++;
    return count;
}

static uint32_t refused(const tbus_bus_t *bus)
{
    return tbus_load_relaxed_u32(&bus->directory->counters_refused);
}

static void counters_are_found_by_name_and_owner_and_a_full_table_harms_nobody(void **state)
{
    (void)state;
    tbus_bus_t bus = make_bus();
    tbus_error_t err = {0};
    tbus_atomic_u64_t *a = tbus_counter(&bus, 1, "x.y", "messages");
    tbus_atomic_u64_t *b = tbus_counter(&bus, 2, "x.y", "messages");
    assert_ptr_not_equal(a, b);
    assert_ptr_equal(tbus_counter(&bus, 1, "x.y", "messages"), a);
    tbus_add_own_u64(a, 3);
    tbus_add_own_u64(b, 4);
    assert_int_equal(tbus_counter_value(&bus, "x.y"), 7);
    assert_int_equal(tbus_counter_value_of(&bus, 2, "x.y"), 4);
    assert_int_equal(tbus_counter_value_of(&bus, 3, "x.y"), 0);
    assert_int_equal(tbus_counter_value(&bus, "nothing"), 0);
    for (unsigned i = 0; i < TBUS_COUNTERS_MAX + 10; i++) {
        char name[24];
        snprintf(name, sizeof name, "n%u", i);
        tbus_add_own_u64(tbus_counter(&bus, 1, name, "n"), 1);
    }
    assert_int_equal(named(&bus), TBUS_COUNTERS_MAX);
    assert_int_equal(refused(&bus), 12); /* the last ten, and as many as had been there before */
    assert_int_equal(tbus_counter_value(&bus, "n5"), 1);
    assert_int_equal(tbus_counter_value(&bus, "x.y"), 7);
    tbus_atomic_u64_t *untouched = a;
    assert_int_equal(tbus_counter_add(&bus, 3, "x.y", "messages", &untouched, &err), -TBUS_EFULL);
    assert_ptr_equal(untouched, a);
    assert_non_null(strstr(err.text, "counter 'x.y': a bus has at most 8192 counters"));
    tbus_bus_close(&bus);
}

static void counters_are_told_in_the_order_in_which_they_came_with_unit_and_owner(void **state)
{
    (void)state;
    tbus_bus_t bus = make_bus();
    tbus_store_relaxed_u64(tbus_counter(&bus, 7, "second.after", "shares"), 5);
    tbus_store_relaxed_u64(tbus_counter(&bus, 255, "first.after", "messages"), 6);
    uint32_t cursor = 0;
    tbus_counter_view_t view;
    assert_true(tbus_counter_next(&bus, &cursor, &view));
    assert_string_equal(view.name, "second.after");
    assert_string_equal(view.unit, "shares");
    assert_int_equal(view.owner, 7);
    assert_int_equal(view.value, 5);
    assert_true(tbus_counter_next(&bus, &cursor, &view));
    assert_string_equal(view.name, "first.after");
    assert_int_equal(view.owner, 255);
    assert_false(tbus_counter_next(&bus, &cursor, &view));
    tbus_bus_close(&bus);
}

static void names_and_units_that_are_too_long_are_refused_and_counted_not_cut(void **state)
{
    (void)state;
    tbus_bus_t bus = make_bus();
    tbus_error_t err = {0};
    tbus_atomic_u64_t *value = NULL;
    tbus_histogram_t *histogram = NULL;
    char name[TBUS_COUNTER_NAME_MAX + 1] = {0}, unit[TBUS_COUNTER_UNIT_MAX + 1] = {0};
    memset(name, 'n', TBUS_COUNTER_NAME_MAX);
    memset(unit, 'u', TBUS_COUNTER_UNIT_MAX);
    assert_int_equal(tbus_counter_add(&bus, 1, name, "u", &value, &err), -EINVAL);
    assert_int_equal(tbus_counter_add(&bus, 1, "n", unit, &value, &err), -EINVAL);
    assert_int_equal(tbus_counter_add(&bus, 1, "", "u", &value, &err), -EINVAL);
    assert_int_equal(tbus_counter_add(&bus, 1, NULL, "u", &value, &err), -EINVAL);
    assert_int_equal(tbus_counter_add(&bus, 256, "n", "u", &value, &err), -EINVAL);
    assert_null(value);
    assert_int_equal(named(&bus), 0);
    assert_int_equal(refused(&bus), 5);
    name[TBUS_COUNTER_NAME_MAX - 1] = unit[TBUS_COUNTER_UNIT_MAX - 1] = 0;
    assert_int_equal(tbus_counter_add(&bus, 255, name, unit, &value, &err), 0);
    tbus_store_relaxed_u64(value, 9);
    assert_int_equal(tbus_counter_value(&bus, name), 9);
    uint32_t cursor = 0;
    tbus_counter_view_t view;
    assert_true(tbus_counter_next(&bus, &cursor, &view));
    assert_string_equal(view.name, name);
    assert_string_equal(view.unit, unit);

    assert_int_equal(tbus_bus_add_histogram(&bus, name, &histogram, &err), -EINVAL);
    assert_int_equal(tbus_load_relaxed_u32(&bus.directory->histograms_refused), 1);
    name[TBUS_NAME_MAX] = 0;
    assert_int_equal(tbus_bus_add_histogram(&bus, name, &histogram, &err), -EINVAL);
    assert_int_equal(tbus_load_relaxed_u32(&bus.directory->histograms_refused), 2);
    name[TBUS_NAME_MAX - 1] = 0;
    assert_int_equal(tbus_bus_add_histogram(&bus, name, &histogram, &err), 0);
    assert_memory_equal(bus.directory->histograms[0].name, name, TBUS_NAME_MAX);
    assert_ptr_equal(tbus_bus_find_histogram(&bus, name), histogram);
    for (unsigned i = 1; i < TBUS_HISTOGRAMS_MAX; i++) {
        char of[TBUS_NAME_MAX];
        snprintf(of, sizeof of, "h%u", i);
        assert_int_equal(tbus_bus_add_histogram(&bus, of, &histogram, &err), 0);
        assert_ptr_equal(tbus_bus_find_histogram(&bus, of), histogram);
    }
    assert_int_equal(tbus_bus_add_histogram(&bus, "more", &histogram, &err), -TBUS_EFULL);
    assert_int_equal(tbus_load_relaxed_u32(&bus.directory->histograms_refused), 3);
    tbus_histogram_record(tbus_bus_histogram(&bus, "more"), 1); /* nobody's, and no harm */
    assert_null(tbus_bus_find_histogram(&bus, "more"));
    tbus_bus_close(&bus);
}

static void a_reader_can_add_nothing_and_find_everything(void **state)
{
    (void)state;
    tbus_bus_t bus = make_bus(), seen;
    tbus_error_t err = {0};
    tbus_atomic_u64_t *value = NULL;
    tbus_store_relaxed_u64(tbus_counter(&bus, 1, "n", "u"), 3);
    int fd = tbus_segment_reopen(&bus.directory_segment, false);
    assert_int_equal(tbus_bus_attach(&fd, 1, &seen, &err), 0);
    assert_int_equal(tbus_counter_value(&seen, "n"), 3);
    assert_int_equal(tbus_counter_add(&seen, 1, "m", "u", &value, &err), -TBUS_EKIND);
    tbus_add_own_u64(tbus_counter(&seen, 1, "m", "u"), 1);
    tbus_histogram_record(tbus_bus_histogram(&seen, "h"), 1);
    assert_int_equal(named(&bus), 1);
    tbus_bus_close(&seen);
    tbus_bus_close(&bus);
}

/* Each of the processes adds the same names, beginning elsewhere and in another order, and counts
 * in what it got. (Their sums are right only if nobody got an entry of its own, as the increments
 * are atomic here.) */
static void processes_that_ask_for_one_name_at_once_get_one_counter(void **state)
{
    (void)state;
    enum { PROCESSES = 4, NAMES = 97, ROUNDS = 20 };
    for (unsigned round = 0; round < ROUNDS; round++) {
        tbus_bus_t bus = make_bus();
        pid_t children[PROCESSES];
        tbus_atomic_u32_t *go = &bus.directory->ended;
        for (unsigned p = 0; p < PROCESSES; p++) {
            children[p] = fork();
            assert_true(children[p] >= 0);
            if (children[p])
                continue;
            while (!tbus_load_acquire_u32(go))
                ;
            for (unsigned i = 0; i < NAMES; i++) {
                char name[32];
                unsigned which = (p < 2 ? i : i * 31 + p * 7 + round) % NAMES;
                snprintf(name, sizeof name, "name.of.counter.%u", which);
                tbus_fetch_add_relaxed_u64(tbus_counter(&bus, which % 3, name, "things"), 1);
                snprintf(name, sizeof name, "h%u", which % TBUS_HISTOGRAMS_MAX);
                tbus_fetch_add_relaxed_u64(&tbus_bus_histogram(&bus, name)->count, 1);
            }
            _exit(0);
        }
        tbus_store_release_u32(go, 1);
        for (unsigned p = 0; p < PROCESSES; p++) {
            int status;
            assert_int_equal(waitpid(children[p], &status, 0), children[p]);
            assert_int_equal(status, 0);
        }
        assert_int_equal(named(&bus), NAMES);
        assert_int_equal(refused(&bus), 0);
        tbus_counter_view_t view;
        for (uint32_t cursor = 0; tbus_counter_next(&bus, &cursor, &view);) {
            assert_int_equal(view.value, PROCESSES);
            assert_string_equal(view.unit, "things");
        }
        uint64_t recorded = 0;
        for (unsigned i = 0; i < TBUS_HISTOGRAMS_MAX; i++) {
            char name[8];
            snprintf(name, sizeof name, "h%u", i);
            recorded += tbus_load_relaxed_u64(&tbus_bus_find_histogram(&bus, name)->count);
        }
        assert_int_equal(recorded, PROCESSES * NAMES);
        tbus_bus_close(&bus);
    }
}

/* The word alone is there: that is what a process killed between its CAS and its last store leaves,
 * and what one that is stopped there shows to the others. */
static void a_process_that_dies_while_it_adds_a_counter_holds_nobody_up(void **state)
{
    (void)state;
    tbus_bus_t bus = make_bus();
    tbus_counter_t *entries = bus.directory->counters;
    tbus_store_relaxed_u64(&entries[0].word, tbus_entry_word(1, "wanted", TBUS_ENTRY_RESERVED));
    tbus_store_relaxed_u64(&entries[1].word, tbus_entry_word(1, "forgotten", TBUS_ENTRY_RESERVED));
    memcpy(entries[1].name, "forg", 4);
    assert_int_equal(named(&bus), 0);
    assert_int_equal(tbus_counter_value(&bus, "wanted"), 0);
    assert_ptr_equal(tbus_counter(&bus, 1, "other", "u"), &entries[2].value);
    assert_ptr_equal(tbus_counter(&bus, 1, "wanted", "u"), &entries[0].value);
    tbus_counter_view_t view;
    uint32_t cursor = 0;
    assert_true(tbus_counter_next(&bus, &cursor, &view));
    assert_string_equal(view.name, "wanted");
    assert_string_equal(view.unit, "u");
    assert_true(tbus_counter_next(&bus, &cursor, &view));
    assert_string_equal(view.name, "other");
    assert_int_equal(named(&bus), 2);
    tbus_bus_close(&bus);
}

static void names_with_the_same_hash_have_counters_of_their_own(void **state)
{
    (void)state;
    tbus_bus_t bus = make_bus();
    tbus_counter_t *entries = bus.directory->counters;
    (void)tbus_counter(&bus, 1, "one", "u");
    /* as if "two" had the hash of "one" */
    tbus_store_relaxed_u64(&entries[0].word, tbus_entry_word(1, "two", TBUS_ENTRY_NAMED));
    assert_ptr_equal(tbus_counter(&bus, 1, "two", "u"), &entries[1].value);
    tbus_store_relaxed_u64(&entries[0].value, 1);
    tbus_store_relaxed_u64(&entries[1].value, 2);
    assert_int_equal(tbus_counter_value(&bus, "two"), 2);
    assert_int_equal(tbus_counter_value_of(&bus, 1, "two"), 2);
    tbus_bus_close(&bus);
}

/* --- positions, which live in counters */

/* Locate 7 is "S7", and so on. */
static market_t *named_market(uint16_t symbols)
{
    market_t *m = NULL;
    const market_event_t *event;
    market_limits_t limits = {.orders_max = 4096, .levels_max = 4096};
    assert_int_equal(market_create(&limits, &m, NULL), 0);
    for (uint16_t locate = 1; locate <= symbols; locate++) {
        tick_t tick = tick_add(locate, locate, 'B', 100, 10000);
        char name[9];
        snprintf(name, sizeof name, "S%-7u", locate);
        memcpy(tick.symbol, name, sizeof tick.symbol);
        assert_int_equal(market_apply(m, locate, &tick, sizeof tick, &event), 0);
    }
    return m;
}

static int execute(ledger_t *ledger, const market_t *market, uint16_t locate, uint8_t side,
                   uint32_t qty)
{
    report_t report = {.side = side, .qty = qty, .px_e4 = 10000, .kind = REPORT_FILLED};
    return ledger_execute(ledger, market, locate, &report, NULL);
}

static void positions_in_2048_symbols_of_two_strategies_all_have_a_counter(void **state)
{
    (void)state;
    enum { SYMBOLS = 2048, BUY_QTY = 3 };
    tbus_bus_t bus = make_bus();
    tbus_error_t err = {0};
    market_t *market = named_market(SYMBOLS);
    ledger_t ledgers[2];
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(ledger_create(&ledgers[i], &bus, i + 1, &marks_default, &err), 0);
        for (uint16_t locate = 1; locate <= SYMBOLS; locate++) {
            assert_int_equal(execute(&ledgers[i], market, locate, 'B', BUY_QTY + i), 0);
        }
    }
    assert_int_equal(tbus_counter_value(&bus, "position.S2048"), 2 * BUY_QTY + 1);
    for (uint32_t i = 0; i < 2; i++)
        ledger_publish(&ledgers[i]);
    assert_int_equal(tbus_counter_value_of(&bus, 1, "symbols.S3.volume"), BUY_QTY);
    /* Half of the table holds a symbol's other counters, and positions had to fit as well. */
    assert_in_range(tbus_counter_value_of(&bus, 1, "pnl.symbols_left_out"), 1, SYMBOLS - 400);
    assert_int_equal(tbus_counter_value_of(&bus, 2, "position.S1"), BUY_QTY + 1);
    assert_int_equal(refused(&bus), 0);
    for (uint32_t i = 0; i < 2; i++)
        ledger_destroy(&ledgers[i]);
    market_destroy(market);
    tbus_bus_close(&bus);
}

static void a_position_that_no_counter_could_show_is_an_error(void **state)
{
    (void)state;
    tbus_bus_t bus = make_bus();
    tbus_error_t err = {0};
    ledger_t ledger, late;
    market_t *market = named_market(2);
    assert_int_equal(ledger_create(&ledger, &bus, 1, &marks_default, &err), 0);
    assert_int_equal(execute(&ledger, market, 1, 'B', 100), 0);
    for (unsigned i = 0; named(&bus) < TBUS_COUNTERS_MAX; i++) {
        char name[24];
        snprintf(name, sizeof name, "n%u", i);
        (void)tbus_counter(&bus, 2, name, "n");
    }
    assert_int_equal(execute(&ledger, market, 1, 'S', 40), 0);
    report_t more = {.side = 'B', .qty = 100, .px_e4 = 10000, .kind = REPORT_FILLED};
    assert_int_equal(ledger_execute(&ledger, market, 2, &more, &err), -TBUS_EFULL);
    assert_non_null(strstr(err.text, "position.S2"));
    assert_int_equal(ledger_position(&ledger, 2)->qty, 0); /* nothing is booked */
    assert_int_equal(tbus_counter_value(&bus, "position.S1"), 60);
    assert_int_equal(ledger_create(&late, &bus, 2, &marks_default, &err), -TBUS_EFULL);
    ledger_destroy(&ledger);
    market_destroy(market);
    tbus_bus_close(&bus);
}

static const market_event_t *show(market_t *m, tick_t tick)
{
    const market_event_t *event = NULL;
    assert_int_equal(market_apply(m, market_seq(m) + 1, &tick, sizeof tick, &event), 0);
    return event;
}

static void a_ledger_keeps_a_mark_until_the_new_day_shows_a_price(void **state)
{
    (void)state;
    tbus_bus_t bus = make_bus();
    tbus_error_t err = {0};
    ledger_t ledger;
    market_t *market = named_market(1);
    show(market, tick_add(1, 9, 'B', 5, 9000));
    show(market, tick_delete(1, 1));
    assert_int_equal(ledger_create(&ledger, &bus, 1, &marks_default, &err), 0);
    assert_int_equal(execute(&ledger, market, 1, 'B', 100), 0);
    show(market, tick_system('O'));
    ledger_begin_day(&ledger);
    tick_t trading = tick_trading(1, 'T'); /* names no price */
    memcpy(trading.body, "S1      ", 8);
    assert_int_equal(show(market, trading)->locate, 1);
    ledger_mark(&ledger, market, 1);
    ledger_publish(&ledger);
    assert_int_equal(tbus_counter_value(&bus, "pnl.unrealised_e4"), (uint64_t)-100000);
    show(market, tick_add(1, 9, 'B', 5, 9100));
    ledger_mark(&ledger, market, 1);
    ledger_publish(&ledger);
    assert_int_equal(tbus_counter_value(&bus, "pnl.unrealised_e4"), (uint64_t)-90000);
    ledger_destroy(&ledger);
    market_destroy(market);
    tbus_bus_close(&bus);
}

/* --- histograms */

static void percentiles_are_those_of_the_nearest_rank_within_a_bucket(void **state)
{
    (void)state;
    static tbus_histogram_t h;
    memset(&h, 0, sizeof h);
    assert_int_equal(tbus_histogram_percentile(&h, 500000), 0);
    for (uint64_t ns = 1; ns <= 100000; ns++)
        tbus_histogram_record(&h, ns);
    static const uint32_t per_million[] = {1, 10000, 500000, 990000, 999000, 999990, 1000000};
    for (unsigned i = 0; i < sizeof per_million / sizeof *per_million; i++) {
        uint64_t exact = (100000ull * per_million[i] + 999999) / 1000000;
        uint64_t got = tbus_histogram_percentile(&h, per_million[i]);
        assert_true(got >= exact);
        assert_true(got <= exact + exact / 31 + 1);
    }
    assert_int_equal(tbus_load_relaxed_u64(&h.max), 100000);
    /* Every value lies in the bucket that claims it, and buckets do not overlap. */
    for (unsigned power = 0; power < 48; power++)
        for (uint64_t offset = 0; offset < 3; offset++) {
            uint64_t ns = (UINT64_C(1) << power) + offset - 1;
            uint32_t bucket = tbus_histogram_bucket(ns);
            assert_true(ns <= tbus_histogram_value(bucket));
            assert_true(bucket == 0 || ns > tbus_histogram_value(bucket - 1));
        }
    assert_int_equal(tbus_histogram_bucket(UINT64_MAX), TBUS_HISTOGRAM_BUCKETS - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_are_found_by_name_and_owner_and_a_full_table_harms_nobody),
        cmocka_unit_test(counters_are_told_in_the_order_in_which_they_came_with_unit_and_owner),
        cmocka_unit_test(names_and_units_that_are_too_long_are_refused_and_counted_not_cut),
        cmocka_unit_test(a_reader_can_add_nothing_and_find_everything),
        cmocka_unit_test(processes_that_ask_for_one_name_at_once_get_one_counter),
        cmocka_unit_test(a_process_that_dies_while_it_adds_a_counter_holds_nobody_up),
        cmocka_unit_test(names_with_the_same_hash_have_counters_of_their_own),
        cmocka_unit_test(positions_in_2048_symbols_of_two_strategies_all_have_a_counter),
        cmocka_unit_test(a_position_that_no_counter_could_show_is_an_error),
        cmocka_unit_test(a_ledger_keeps_a_mark_until_the_new_day_shows_a_price),
        cmocka_unit_test(percentiles_are_those_of_the_nearest_rank_within_a_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
