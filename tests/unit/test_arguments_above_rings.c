/* SPDX-License-Identifier: Apache-2.0 */
/* The table of bad calls of test_arguments.c, for what stands on the rings: joining from outside,
 * parameters, kinds, outlets, segments, the journal, messages and books. tests/arguments.pl sees to
 * it that every public function has a row here or there, or is one of these:
 *
 * Hot calls, which check nothing, as their headers say:
 * unchecked: market_apply
 * unchecked: market_build
 * unchecked: market_build_all
 * unchecked: market_build_none
 * unchecked: market_builds_none
 * unchecked: market_build_on_demand
 * unchecked: market_clock_step
 * unchecked: market_end_warm_up
 * unchecked: market_fetch_far
 * unchecked: market_fetch_near
 * unchecked: market_limit_text
 * unchecked: market_day
 * unchecked: market_is_open
 * unchecked: market_number
 * unchecked: market_seq
 * unchecked: market_stats
 * unchecked: market_symbol
 * unchecked: market_touch
 * unchecked: market_wire_locate
 * unchecked: position_unrealised_e4
 * unchecked: tbus_advance_other
 * unchecked: tbus_history_counts
 * unchecked: tbus_horizon_wake
 * unchecked: tbus_journal_writer_append
 * unchecked: tbus_journal_writer_append_try
 * unchecked: tbus_journal_writer_append_session
 * unchecked: tbus_loop_run
 * unchecked: tbus_observe
 * unchecked: tbus_observe_some
 * unchecked: tbus_outlet_flush
 * unchecked: tbus_outlet_front
 * unchecked: tbus_outlet_keep
 * unchecked: tbus_outlet_retry
 * unchecked: tbus_peek_other
 * unchecked: tbus_peek_slow
 * unchecked: tbus_publish_other
 * unchecked: tbus_publisher_flush
 * unchecked: tbus_publisher_refresh
 * unchecked: tbus_publisher_room_again
 * unchecked: tbus_ring_claimer
 * unchecked: tbus_ring_end
 * unchecked: tbus_ring_look_again
 * unchecked: tbus_ring_nudge
 * unchecked: tbus_ring_published
 * unchecked: tbus_ring_wake
 * unchecked: tbus_ring_wake_publishers
 * unchecked: tbus_subscriber_catch_up
 * unchecked: tbus_subscriber_need_no_fences
 * unchecked: tbus_waiter_heal
 * unchecked: tbus_waiter_idle
 * unchecked: tbus_waiter_init
 * unchecked: tbus_waiter_park
 * unchecked: tbus_waiter_stay_awake
 *
 * Every argument is right, or there is none:
 * unchecked: tbus_clock_ns
 * unchecked: tbus_clock_realtime_ns
 * unchecked: tbus_fail
 * unchecked: tbus_journal_writer_on_sigbus
 * unchecked: tbus_layout
 * unchecked: tbus_membarrier_register
 *
 * They ask what only a successful open gives:
 * unchecked: itch_field_chars
 * unchecked: itch_field_is_number
 * unchecked: itch_field_number
 * unchecked: tbus_crc32c
 * unchecked: tbus_journal_reader_broken
 * unchecked: tbus_soup_next
 * unchecked: tbus_soup_status
 * unchecked: tbus_journal_reader_check_seals
 * unchecked: tbus_journal_reader_damage
 * unchecked: tbus_journal_reader_end
 * unchecked: tbus_journal_reader_info
 * unchecked: tbus_journal_reader_missed
 * unchecked: tbus_journal_reader_seals
 * unchecked: tbus_journal_reader_show_session
 * unchecked: tbus_journal_reader_skip_damage
 * unchecked: tbus_journal_reader_torn_bytes
 * unchecked: tbus_journal_writer_bytes
 * unchecked: tbus_journal_writer_durable
 * unchecked: tbus_journal_writer_error
 * unchecked: tbus_journal_writer_has_room
 * unchecked: tbus_journal_writer_missed
 * unchecked: tbus_journal_writer_records
 * unchecked: tbus_journal_writer_waits
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <tickbus/bus.h>
#include <tickbus/history.h>
#include <tickbus/journal.h>
#include <tickbus/kind.h>
#include <tickbus/market/market.h>
#include <tickbus/market/position.h>
#include <tickbus/msg/itch_types.h>
#include <tickbus/open.h>
#include <tickbus/outlet.h>
#include <tickbus/param.h>
#include <tickbus/soup.h>
#include <tickbus/stage.h>
#include <tickbus/wait.h>

#include "tests/support/bus_fixture.h"

#define ROW(expected, ...)                                                                         \
    do {                                                                                           \
        long long got_ = (long long)(__VA_ARGS__);                                                 \
        if (got_ != (long long)(expected))                                                         \
            fail_msg("%s: returned %lld, not %lld", #__VA_ARGS__, got_, (long long)(expected));    \
    } while (0)

/* A bus that somebody made, no bus, and one that is not joined. */
typedef struct things {
    tbus_bus_t bus, none;
    tbus_publisher_t p;
    tbus_subscriber_t s;
    tbus_observer_t o;
    void *place;
    unsigned char bytes[256] __attribute__((aligned(64)));
    tbus_error_t err;
} things_t;

static void bad_calls_from_outside(things_t *t)
{
    tbus_bus_t *bus = &t->bus, *none = &t->none;
    size_t n;
    uint64_t seq, lost;
    const void *message;
    ROW(-EINVAL, tbus_bus_open(NULL, "x", 0, none, &t->err));
    ROW(-EINVAL, tbus_bus_open("a/b", "x", 0, none, &t->err));
    ROW(-EINVAL, tbus_bus_open("abcdefghijklmnopqrstuvwx", "x", 0, none, &t->err));
    ROW(-EINVAL, tbus_bus_open("b", NULL, 0, none, &t->err));
    ROW(-EINVAL, tbus_bus_open("b", "", 0, none, &t->err));
    ROW(-EINVAL, tbus_bus_open("b", "x", 0, NULL, &t->err));
    ROW(-EINVAL, tbus_bus_join(NULL, "x", &t->err));
    ROW(-EINVAL, tbus_bus_join(none, "x", &t->err));
    ROW(-EINVAL, tbus_bus_join(bus, NULL, &t->err));
    ROW(-EINVAL, tbus_bus_join(bus, "abcdefghijklmnopqrstuvwx", &t->err));
    ROW(-EINVAL, tbus_bus_publisher(NULL, "n", &t->p, &t->err));
    ROW(-EINVAL, tbus_bus_publisher(bus, NULL, &t->p, &t->err));
    ROW(-EINVAL, tbus_bus_publisher(bus, "n", NULL, &t->err));
    ROW(-TBUS_ENOTFOUND, tbus_bus_publisher(bus, "m", &t->p, &t->err));
    ROW(-TBUS_ESTALE, tbus_bus_publisher(bus, "n", &t->p, &t->err)); /* not joined */
    ROW(-EINVAL, tbus_bus_subscriber(NULL, "n", &t->s, &t->err));
    ROW(-EINVAL, tbus_bus_subscriber(bus, NULL, &t->s, &t->err));
    ROW(-EINVAL, tbus_bus_subscriber(bus, "n", NULL, &t->err));
    ROW(-TBUS_ESTALE, tbus_bus_subscriber(bus, "n", &t->s, &t->err));
    ROW(-EINVAL, tbus_bus_follower(NULL, "n", &t->s, &t->err));
    ROW(-EINVAL, tbus_bus_follower(bus, "n", NULL, &t->err));
    ROW(-EINVAL, tbus_bus_observer(NULL, "n", TBUS_FROM_NOW, &t->o, &t->err));
    ROW(-EINVAL, tbus_bus_observer(bus, "n", (enum tbus_observe_from)7, &t->o, &t->err));
    ROW(-EINVAL, tbus_bus_observer(bus, "n", TBUS_FROM_NOW, NULL, &t->err));
    ROW(-EINVAL, tbus_publish_wait(NULL, &t->p, "x", 1, 0));
    ROW(-EINVAL, tbus_publish_wait(bus, NULL, "x", 1, 0));
    ROW(-EINVAL, tbus_publish_wait(bus, &t->p, "x", 1, 0)); /* joined no ring */
    ROW(-EINVAL, tbus_take_wait(NULL, &t->s, &message, &n, 0));
    ROW(-EINVAL, tbus_take_wait(bus, &t->s, &message, &n, 0));
    ROW(-EINVAL, tbus_take_wait(bus, &t->s, NULL, &n, 0));
    ROW(-EINVAL, tbus_observe_wait(NULL, &t->o, t->bytes, &n, &seq, &lost, 0));
    ROW(-EINVAL, tbus_observe_wait(bus, &t->o, t->bytes, &n, &seq, &lost, 0));
    ROW(-EINVAL, tbus_observe_wait(bus, &t->o, NULL, &n, &seq, &lost, 0));
    ROW(0, tbus_ring_sub_owner(NULL, 0));
    ROW(0, tbus_ring_sub_owner(&bus->rings[0], UINT32_MAX));
    ROW(TBUS_WAIT_PARK, tbus_wait_mode_resolve(TBUS_WAIT_AUTO, UINT32_MAX, 0));
    tbus_publisher_leave(NULL);
    tbus_publisher_leave(&t->p);
    tbus_stage_leave(NULL);
    tbus_stage_leave(&(tbus_stage_t){0});
}

static void bad_calls_on_the_directory(things_t *t)
{
    tbus_bus_t *bus = &t->bus, *none = &t->none;
    tbus_counter_view_t view;
    uint32_t end = UINT32_MAX, start = 0;
    ROW(-EINVAL, tbus_bus_add_block(NULL, "b", 8, &t->place, &t->err));
    ROW(-EINVAL, tbus_bus_add_block(none, "b", 8, &t->place, &t->err));
    ROW(-EINVAL, tbus_bus_add_block(bus, NULL, 8, &t->place, &t->err));
    ROW(-EINVAL, tbus_bus_add_block(bus, "b", 8, NULL, &t->err));
    ROW(-EINVAL, tbus_bus_add_block(bus, "b", 0, &t->place, &t->err));
    ROW(-TBUS_EFULL, tbus_bus_add_block(bus, "b", SIZE_MAX, &t->place, &t->err));
    ROW(-TBUS_EFULL, tbus_bus_add_block(bus, "b", SIZE_MAX - 126, &t->place, &t->err));
    ROW(-EINVAL, tbus_bus_find_block(NULL, "b", 8, &t->place, &t->err));
    ROW(-EINVAL, tbus_bus_find_block(bus, NULL, 8, &t->place, &t->err));
    ROW(-EINVAL, tbus_bus_find_block(bus, "b", 8, NULL, &t->err));
    ROW(0, tbus_bus_find_histogram(NULL, "h") != NULL);
    ROW(0, tbus_bus_find_histogram(bus, NULL) != NULL);
    ROW(1, tbus_bus_histogram(NULL, "h") != NULL); /* one that nobody sees */
    ROW(1, tbus_counter(NULL, 1, "c", "") != NULL);
    ROW(1, tbus_counter(bus, UINT32_MAX, "c", "") != NULL);
    ROW(false, tbus_counter_next(NULL, &start, &view));
    ROW(false, tbus_counter_next(bus, NULL, &view));
    ROW(false, tbus_counter_next(bus, &start, NULL));
    ROW(false, tbus_counter_next(bus, &end, &view));
    ROW(0, tbus_counter_value(NULL, "c"));
    ROW(0, tbus_counter_value(bus, NULL));
    ROW(0, tbus_counter_value_of(NULL, 1, "c"));
    ROW(0, tbus_counter_value_of(bus, UINT32_MAX, "c"));
    ROW(0, tbus_counter_value_of(bus, 1, NULL));
    ROW(0, tbus_histogram_percentile(NULL, 500000));
    ROW(0, tbus_histogram_percentile(&(tbus_histogram_t){0}, UINT32_MAX));
    ROW(tbus_histogram_value(TBUS_HISTOGRAM_BUCKETS - 1), tbus_histogram_value(UINT32_MAX));
    ROW(0, tbus_layout_of_type("no such type"));
    ROW(0, tbus_layout_of_type(NULL));
    ROW(1, tbus_strerror(INT32_MIN) != NULL);
    ROW(1, tbus_strerror(INT32_MAX) != NULL);
}

static void bad_calls_on_segments(things_t *t)
{
    tbus_segment_t segment = {0};
    char why[8] = "";
    ROW(-EINVAL, tbus_segment_create(NULL, 4096, TBUS_PAGES_SMALL, -1, &segment, &t->err));
    ROW(-EINVAL, tbus_segment_create("s", 4096, TBUS_PAGES_SMALL, -1, NULL, &t->err));
    ROW(-EINVAL, tbus_segment_create("s", 0, TBUS_PAGES_SMALL, -1, &segment, &t->err));
    ROW(-EINVAL, tbus_segment_create("s", 4096, TBUS_PAGES_SMALL, 9999, &segment, &t->err));
    ROW(-ENOMEM, tbus_segment_create("s", SIZE_MAX, TBUS_PAGES_SMALL, -1, &segment, &t->err));
    ROW(-EBADF, tbus_segment_map(-1, false, &segment, &t->err));
    ROW(-EINVAL, tbus_segment_map(-1, false, NULL, &t->err));
    int pipe_ends[2];
    assert_int_equal(pipe(pipe_ends), 0);
    ROW(-TBUS_EGEOMETRY, tbus_segment_map(pipe_ends[0], false, &segment, &t->err));
    close(pipe_ends[1]);
    ROW(-TBUS_EGEOMETRY, tbus_segment_map(open("/dev/zero", O_RDWR), true, &segment, &t->err));
    ROW(-EINVAL, tbus_segment_reopen(NULL, false));
    ROW(-EINVAL, tbus_segment_reopen(&segment, false));
    ROW(1, tbus_segment_reopen_why(-ENOENT) != NULL);
    tbus_segment_close(NULL);
    tbus_segment_close(&segment);
    ROW(false, tbus_memory_is_there(SIZE_MAX / 2, why, sizeof why));
    ROW(0, why[sizeof why - 1]);
    ROW('?', *tbus_pages_name((enum tbus_pages)99));
}

typedef struct values {
    uint32_t number, count, choice;
    uint32_t list[2];
    char text[8];
} values_t;

static const tbus_param_t table[] = {
    {.name = "number",
     .type = TBUS_PARAM_NUMBER,
     TBUS_PARAM_FIELD(values_t, number),
     .max = 9,
     .fallback = "1"},
    {.name = "list",
     .type = TBUS_PARAM_NUMBERS,
     TBUS_PARAM_LIST(values_t, list, count),
     .max = 9,
     .fallback = "1"},
    {.name = "choice",
     .type = TBUS_PARAM_CHOICE,
     TBUS_PARAM_FIELD(values_t, choice),
     .choices = "a|b",
     .fallback = "a"},
};
enum { NUMBER, LIST, CHOICE };

static void bad_calls_on_parameters(things_t *t)
{
    const tbus_params_t params = TBUS_PARAMS(values_t, table);
    values_t v = {0};
    char text[16] = "";
    tbus_params_defaults(NULL, &v);
    tbus_params_defaults(&params, NULL);
    tbus_params_defaults(&params, &v);
    ROW(0, tbus_params_find(NULL, "x") != NULL);
    ROW(0, tbus_params_find(&params, NULL) != NULL);
    ROW(-EINVAL, tbus_param_set(NULL, "x", &v, "1", &t->err));
    ROW(-EINVAL, tbus_param_set(&table[NUMBER], "x", NULL, "1", &t->err));
    ROW(-EINVAL, tbus_param_set(&table[NUMBER], "x", &v, NULL, &t->err));
    ROW(-TBUS_ECONFIG, tbus_param_set(&table[NUMBER], NULL, &v, "10", &t->err));
    ROW(-EINVAL, tbus_param_append(NULL, "x", &v, "1", &t->err));
    ROW(-EINVAL, tbus_param_append(&table[LIST], "x", &v, NULL, &t->err));
    ROW(-EINVAL, tbus_param_append(&table[NUMBER], "x", &v, "1", &t->err)); /* no list */
    v.count = UINT32_MAX;
    ROW(-TBUS_ECONFIG, tbus_param_append(&table[LIST], "x", &v, "1", &t->err));
    v.count = 1;
    tbus_param_clear(NULL, &v);
    tbus_param_clear(&table[LIST], NULL);
    tbus_param_clear(&table[NUMBER], &v); /* no list: nothing to empty */
    ROW(1, v.number == 1 && v.count == 1);
    ROW(0, tbus_param_items(NULL, &v));
    ROW(0, tbus_param_items(&table[LIST], NULL));
    tbus_param_text(&table[NUMBER], &v, 0, NULL, 16);
    tbus_param_text(&table[NUMBER], &v, 0, text, 0);
    tbus_param_text(&table[LIST], &v, 1, text, sizeof text); /* past the last item */
    assert_string_equal(text, "");
    v.choice = UINT32_MAX;
    tbus_param_text(&table[CHOICE], &v, 0, text, sizeof text);
    assert_string_equal(text, "");
    ROW(false, tbus_param_equal(&table[LIST], NULL, &v));
    ROW(false, tbus_param_equal(&table[LIST], &v, NULL));
    tbus_param_allowed(&table[NUMBER], NULL, 16);
    tbus_param_allowed(NULL, text, sizeof text);
    assert_string_equal(text, "");
}

static void bad_calls_on_kinds_and_outlets(things_t *t)
{
    tbus_crew_t crew = {0};
    const tbus_resource_t resource = {.name = "r"};
    tbus_outlet_t outlet = {0};
    ROW(-EINVAL, tbus_crew_offer(NULL, &resource, NULL));
    ROW(-EINVAL, tbus_crew_offer(&crew, NULL, NULL));
    ROW(-EINVAL, tbus_crew_use(NULL, &resource, &t->place, &t->err));
    ROW(-EINVAL, tbus_crew_use(&crew, NULL, &t->place, &t->err));
    ROW(-EINVAL, tbus_crew_use(&crew, &resource, NULL, &t->err));
    ROW(-TBUS_ENOTFOUND, tbus_crew_use(&crew, &resource, &t->place, &t->err));
    tbus_crew_disband(NULL);
    tbus_crew_disband(&crew);
    ROW(-EINVAL, tbus_kind_check(NULL, &t->err));
    ROW(-TBUS_EABI, tbus_kind_check(&(tbus_kind_t){0}, &t->err));
    ROW(-EINVAL, tbus_outlet_create(NULL, 1, 1, &t->err));
    ROW(-EINVAL, tbus_outlet_create(&outlet, 0, 1, &t->err));
    ROW(-EINVAL, tbus_outlet_create(&outlet, 1, 0, &t->err));
    ROW(-EINVAL, tbus_outlet_create(&outlet, 1, UINT32_MAX, &t->err));
    ROW(-ENOMEM, tbus_outlet_create(&outlet, UINT32_MAX, UINT32_MAX - 16, &t->err));
    tbus_outlet_destroy(NULL);
    tbus_outlet_destroy(&outlet);
}

static void bad_calls_on_the_journal(things_t *t)
{
    tbus_journal_writer_t *writer = NULL;
    tbus_journal_reader_t *reader = NULL;
    tbus_journal_record_t record = {0};
    tbus_journal_piece_t piece;
    const tbus_journal_spec_t nowhere = {0};
    const tbus_journal_limits_t limits = {.keep_segments = 1};
    uint32_t removed = 0;
    tbus_journal_spec_t odd = {.directory = "/nowhere/at/all", .segment_bytes = 4097};
    ROW(-EINVAL, tbus_journal_writer_open(NULL, &writer, &t->err));
    ROW(-EINVAL, tbus_journal_writer_open(&nowhere, NULL, &t->err));
    ROW(-EINVAL, tbus_journal_writer_open(&nowhere, &writer, &t->err));
    ROW(-EINVAL, tbus_journal_writer_open(&odd, &writer, &t->err));
    odd.segment_bytes = UINT64_MAX & ~UINT64_C(4095);
    ROW(-EINVAL, tbus_journal_writer_open(&odd, &writer, &t->err));
    odd.segment_bytes = 0;
    odd.topics_count = UINT32_MAX;
    ROW(-EINVAL, tbus_journal_writer_open(&odd, &writer, &t->err));
    ROW(0, tbus_journal_writer_close(NULL, &t->err));
    ROW(-EINVAL, tbus_journal_prune(NULL, &limits, 0, &removed, &t->err));
    ROW(-EINVAL, tbus_journal_prune("/tmp", NULL, 0, &removed, &t->err));
    ROW(-EINVAL, tbus_journal_prune("/tmp", &limits, 0, NULL, &t->err));
    ROW(-ENOENT, tbus_journal_prune("/nowhere/at/all", &limits, 0, &removed, &t->err));
    ROW(-EINVAL, tbus_journal_prune_plan(NULL, &limits, 0, &removed, &t->err));
    ROW(-EINVAL, tbus_journal_prune_plan("/tmp", NULL, 0, &removed, &t->err));
    ROW(-EINVAL, tbus_journal_prune_plan("/tmp", &limits, 0, NULL, &t->err));
    ROW(-ENOENT, tbus_journal_prune_plan("/nowhere/at/all", &limits, 0, &removed, &t->err));
    ROW(-EINVAL, tbus_journal_reader_open(NULL, &reader, &t->err));
    ROW(-EINVAL, tbus_journal_reader_open("/tmp", NULL, &t->err));
    ROW(-ENOENT, tbus_journal_reader_open("/nowhere/at/all", &reader, &t->err));
    ROW(-EINVAL, tbus_journal_reader_open_damaged(NULL, &reader, &t->err));
    ROW(-EINVAL, tbus_journal_reader_open_damaged("/tmp", NULL, &t->err));
    ROW(-ENOENT, tbus_journal_reader_open_damaged("/nowhere/at/all", &reader, &t->err));
    ROW(-TBUS_ENOTFOUND, tbus_journal_reader_topic(NULL, "n"));
    ROW(-EINVAL, tbus_journal_reader_next(NULL, &record, &t->err));
    ROW(-EINVAL, tbus_journal_index_segment(NULL, 1, &t->err));
    ROW(-ENOENT, tbus_journal_index_segment("/nowhere/at/all", 1, &t->err));
    ROW(-EINVAL, tbus_journal_reader_seek_seq(NULL, 0, 1, &t->err));
    ROW(-EINVAL, tbus_journal_reader_seek_time(NULL, 1, &t->err));
    ROW(false, tbus_journal_record_piece(NULL, &piece));
    ROW(false, tbus_journal_record_piece(&record, NULL));
    ROW(false, tbus_journal_record_piece(&record, &piece));
    tbus_journal_reader_close(NULL);
    tbus_history_t *history = NULL;
    const tbus_history_from_t oldest = {TBUS_HISTORY_OLDEST, 0};
    const tbus_history_from_t odd_place = {(enum tbus_history_origin)3, 0};
    uint64_t word = 0;
    size_t bytes;
    ROW(-EINVAL, tbus_history_open(NULL, NULL, "md", &oldest, &history, &t->err));
    ROW(-EINVAL, tbus_history_open(NULL, "/tmp", NULL, &oldest, &history, &t->err));
    ROW(-EINVAL, tbus_history_open(NULL, "/tmp", "", &oldest, &history, &t->err));
    ROW(-EINVAL, tbus_history_open(NULL, "/tmp", "md", NULL, &history, &t->err));
    ROW(-EINVAL, tbus_history_open(NULL, "/tmp", "md", &odd_place, &history, &t->err));
    ROW(-EINVAL, tbus_history_open(NULL, "/tmp", "md", &oldest, NULL, &t->err));
    ROW(-ENOENT, tbus_history_open(NULL, "/nowhere/at/all", "md", &oldest, &history, &t->err));
    ROW(-EINVAL, tbus_history_next(NULL, &word, 8, &bytes, &word, &word, &t->err));
    tbus_history_batch_t batch = {.into = &word, .capacity = sizeof word};
    ROW(-EINVAL, tbus_history_next_batch(NULL, &batch, &t->err));
    ROW(-EINVAL, tbus_history_seek(NULL, 1, &t->err));
    tbus_history_close(NULL);
    tbus_soup_t *soup = NULL;
    const tbus_soup_options_t long_user = {.user = "seven77"};
    ROW(-EINVAL, tbus_soup_open(NULL, NULL, &soup, &t->err));
    ROW(-EINVAL, tbus_soup_open("localhost:1", NULL, NULL, &t->err));
    ROW(-EINVAL, tbus_soup_open("localhost", NULL, &soup, &t->err));
    ROW(-EINVAL, tbus_soup_open("localhost:1", &long_user, &soup, &t->err));
    tbus_soup_close(NULL);
    ROW(0, soup != NULL);
    ROW(0, writer != NULL || reader != NULL);
}

static void bad_calls_on_messages_and_books(things_t *t)
{
    market_limits_t limits = {.orders_max = 10, .levels_max = 10};
    const market_limits_t none = {0}, huge = {.orders_max = UINT32_MAX, .levels_max = UINT32_MAX};
    market_t *market = NULL;
    unsigned count = 99;
    uint32_t px = 0, orders = 0;
    uint64_t qty = 0;
    char label[ITCH_LABEL_BYTES];
    position_t position = {0};
    ROW(0, market_footprint(NULL));
    ROW(-EINVAL, market_create(NULL, &market, &t->err));
    ROW(-EINVAL, market_create(&limits, NULL, &t->err));
    ROW(-EINVAL, market_create(&none, &market, &t->err));
    ROW(-EINVAL, market_create(&huge, &market, &t->err));
    market_order_t order;
    market_destroy(NULL);
    assert_int_equal(market_create(&limits, &market, &t->err), 0);
    ROW(false, market_level(market, UINT16_MAX, 'B', UINT32_MAX, &px, &qty, &orders));
    ROW(false, market_level(market, 1, 'X', 0, &px, &qty, &orders));
    ROW(0, market_qty_at(market, 1, 0, UINT32_MAX));
    ROW(0, market_first_order(market, 1, 0, UINT32_MAX));
    ROW(0, market_first_order(market, UINT16_MAX, 'B', UINT32_MAX));
    ROW(0, market_order_behind(market, UINT32_MAX, &order));
    ROW(0, order.qty);
    market_destroy(market);
    ROW(false, position_apply(&position, 0, 1, 1));
    ROW(false, position_break(&position, 'B', 1, 1));
    ROW(false, position_break(&position, 0, 0, 1));
    ROW(0, position.qty);
    for (unsigned letter = 0; letter < 256; letter++) {
        if (itch_type((uint8_t)letter))
            continue;
        ROW(0, itch_length((uint8_t)letter));
        ROW(0, itch_fields((uint8_t)letter, &count) != NULL);
        ROW(0, count);
        ROW(0, itch_field_of_kind((uint8_t)letter, ITCH_FIELD_NUMBER) != NULL);
        itch_type_label((uint8_t)letter, label);
        assert_true(strlen(label) > 0);
    }
}

static void every_cold_function_refuses_what_it_cannot_use(void **state)
{
    (void)state;
    static things_t t;
    test_bus_create(&t.bus, "arguments");
    test_topic(&t.bus, (tbus_ring_spec_t){.kind = TBUS_BROADCAST, .name = "n"}, "n");
    bad_calls_from_outside(&t);
    bad_calls_on_the_directory(&t);
    bad_calls_on_segments(&t);
    bad_calls_on_parameters(&t);
    bad_calls_on_kinds_and_outlets(&t);
    bad_calls_on_the_journal(&t);
    bad_calls_on_messages_and_books(&t);
    tbus_bus_close(&t.bus);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cold_function_refuses_what_it_cannot_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
