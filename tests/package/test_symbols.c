/* SPDX-License-Identifier: Apache-2.0 */
/* libtickbus.so as another language has it: loaded with dlopen(3), its functions found by name. The
 * headers give types only; this program is not linked with the library, so that a call which is
 * compiled in, or resolved by the linker, cannot stand in for a missing symbol. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include <tickbus/tickbus.h>

#include <tickbus/market/market.h>
#include <tickbus/msg/order.h>
#include <tickbus/msg/report.h>
#include <tickbus/msg/tick.h>

#define SLOTS 16u

static void *library;

/* The library's function of that name, as a pointer of the type that the headers give it. */
#define SYMBOL(name) ((__typeof__(&name))symbol(#name))

static void *symbol(const char *name)
{
    void *address = dlsym(library, name);
    if (!address)
        fail_msg("%s", dlerror());
    return address;
}

/* ---- a ring in this process's memory, made and joined through the library */

typedef struct ring_world {
    void *memory;
    tbus_ring_t ring;
    tbus_publisher_t publisher;
    tbus_subscriber_t subscriber;
} ring_world_t;

static int make_ring(void **state)
{
    static ring_world_t w;
    const tbus_ring_spec_t spec = {.name = "hello",
                                   .kind = TBUS_BROADCAST,
                                   .slot_bytes = 64,
                                   .slot_count = SLOTS,
                                   .first_seq = 1};
    tbus_error_t err;
    size_t bytes = SYMBOL(tbus_ring_footprint)(&spec);
    w.memory = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    assert_non_null(w.memory);
    assert_int_equal(SYMBOL(tbus_ring_format)(w.memory, bytes, &spec, &err), 0);
    assert_int_equal(SYMBOL(tbus_ring_join)(w.memory, bytes, true, &w.ring, &err), 0);
    assert_true(SYMBOL(tbus_ring_reserve)(&w.ring, "reader", TBUS_SUBSCRIBER, &err) >= 0);
    assert_int_equal(SYMBOL(tbus_subscriber_join)(&w.ring, "reader", 2, &w.subscriber, &err), 0);
    assert_int_equal(SYMBOL(tbus_publisher_join)(&w.ring, 1, &w.publisher, &err), 0);
    *state = &w;
    return 0;
}

static int free_ring(void **state)
{
    ring_world_t *w = *state;
    SYMBOL(tbus_subscriber_leave)(&w->subscriber);
    free(w->memory);
    return 0;
}

static void a_message_published_through_the_symbols_is_taken_through_the_symbols(void **state)
{
    ring_world_t *w = *state;
    __typeof__(&tbus_publish_try) publish = SYMBOL(tbus_publish_try);
    __typeof__(&tbus_peek) peek = SYMBOL(tbus_peek);
    __typeof__(&tbus_advance) advance = SYMBOL(tbus_advance);
    size_t bytes;

    assert_null(peek(&w->subscriber, &bytes));
    for (uint64_t lap = 0; lap < 3; lap++) {
        char text[24] = "hello, number ";
        for (unsigned i = 0; i < SLOTS; i++) {
            text[14] = (char)('a' + i);
            assert_int_equal(publish(&w->publisher, text, sizeof text), TBUS_PUBLISHED);
        }
        assert_int_equal(publish(&w->publisher, text, sizeof text), TBUS_FULL);
        for (unsigned i = 0; i < SLOTS; i++) {
            const char *message = peek(&w->subscriber, &bytes);
            assert_non_null(message);
            assert_int_equal(bytes, sizeof text);
            assert_int_equal(w->subscriber.seq, 1 + lap * SLOTS + i);
            text[14] = (char)('a' + i);
            assert_string_equal(message, text);
            advance(&w->subscriber);
        }
        assert_null(peek(&w->subscriber, &bytes));
        SYMBOL(tbus_subscriber_flush)(&w->subscriber);
    }
}

static bool add_up(void *context, uint64_t seq, const void *message, size_t bytes)
{
    uint64_t *sum = context;
    uint64_t number;
    assert_int_equal(bytes, sizeof number);
    memcpy(&number, message, sizeof number);
    *sum += number * seq;
    return true;
}

static void the_handler_of_another_language_is_called_for_each_message(void **state)
{
    ring_world_t *w = *state;
    uint64_t sum = 0;
    for (uint64_t number = 10; number < 13; number++)
        SYMBOL(tbus_publish_try)(&w->publisher, &number, sizeof number);
    assert_true(SYMBOL(tbus_glance)(&w->subscriber));
    assert_int_equal(SYMBOL(tbus_poll)(&w->subscriber, add_up, &sum, 100), 3);
    assert_int_equal(sum, 10 * 1 + 11 * 2 + 12 * 3);
    assert_false(SYMBOL(tbus_glance)(&w->subscriber));
}

static void an_observer_sees_through_the_symbols_what_was_published(void **state)
{
    ring_world_t *w = *state;
    tbus_observer_t observer;
    uint64_t copy[8], seq, lost;
    size_t bytes;
    tbus_error_t err;
    assert_int_equal(SYMBOL(tbus_observer_join)(&w->ring, TBUS_FROM_OLDEST, &observer, &err), 0);
    SYMBOL(tbus_publish_try)(&w->publisher, "look", 5);
    assert_int_equal(SYMBOL(tbus_observe)(&observer, copy, &bytes, &seq, &lost), 1);
    assert_int_equal(bytes, 5);
    assert_int_equal(seq, 1);
    assert_int_equal(lost, 0);
    assert_string_equal((const char *)copy, "look");
}

/* ---- messages and books */

static void a_tick_packed_through_the_symbols_makes_a_book(void **state)
{
    (void)state;
    const market_limits_t limits = {.orders_max = 100, .levels_max = 100};
    const market_event_t *event;
    market_t *market;
    tbus_error_t err;
    tick_t tick = {.type = 'A', .side = 'B', .qty = 300, .order_ref = 7, .px_e4 = 1012500};
    tick.event = SYMBOL(tick_pack)(34200000000000u, 0);
    tick.intended = SYMBOL(tick_pack)(0, 42);
    assert_int_equal(SYMBOL(tick_locate)(&tick), 42);
    assert_int_equal(SYMBOL(market_create)(&limits, &market, &err), 0);
    assert_int_equal(SYMBOL(market_apply)(market, 1, &tick, sizeof tick, &event), 0);
    market_touch_t touch = SYMBOL(market_touch)(market, 42);
    assert_int_equal(touch.bid_px_e4, 1012500);
    assert_int_equal(touch.bid_qty, 300);
    SYMBOL(market_destroy)(market);
    assert_string_equal(SYMBOL(report_reason_name)(REASON_PRICE_COLLAR), "price_collar");
}

/* ---- what is there, and what is not */

static void every_kind_of_inline_function_has_a_symbol(void **state)
{
    (void)state;
    static const char *const names[] = {
        "tbus_load_acquire_u64", /* made by a macro */
        "tbus_cas_u32",          "tbus_fence_release",  "tbus_words_load", "tbus_ring_slot",
        "tbus_ring_claimed",     "tbus_publisher_wake", "tbus_peek_ahead", "tbus_waiter_found",
        "tbus_histogram_record", "tbus_bus_now_ns",     "bbo_locate",      "order_strategy",
        "report_kind_name",      "tick_ns_since",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        symbol(names[i]);
}

static void what_no_public_header_declares_is_not_exported(void **state)
{
    (void)state;
    static const char *const names[] = {
        "tbus_place_take",    /* bus/ring/place.h */
        "tbus_loop_end",      /* bus/run/loop.h */
        "tbus_journal_read",  /* bus/journal/reader.h */
        "book_find",          /* bus/market/book.h */
        "ledger_execute",     /* strategy/ledger.h */
        "tbus_crc32c_by_cpu", /* bus/journal/crc32c.c */
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_null(dlsym(library, names[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_message_published_through_the_symbols_is_taken_through_the_symbols, make_ring,
            free_ring),
        cmocka_unit_test_setup_teardown(the_handler_of_another_language_is_called_for_each_message,
                                        make_ring, free_ring),
        cmocka_unit_test_setup_teardown(an_observer_sees_through_the_symbols_what_was_published,
                                        make_ring, free_ring),
        cmocka_unit_test(a_tick_packed_through_the_symbols_makes_a_book),
        cmocka_unit_test(every_kind_of_inline_function_has_a_symbol),
        cmocka_unit_test(what_no_public_header_declares_is_not_exported),
    };
    library = dlopen(TICKBUS_SHARED_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        print_error("%s\n", dlerror());
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
