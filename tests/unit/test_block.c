/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tickbus/bus.h>

#include "risk/kill_switch.h"
#include "risk/limits_box.h"

static tbus_bus_t make_bus(void)
{
    tbus_bus_t bus;
    assert_int_equal(tbus_bus_create("t", &bus, NULL), 0);
    return bus;
}

static void a_block_is_found_by_name_in_every_mapping_of_the_directory(void **state)
{
    (void)state;
    tbus_bus_t bus = make_bus(), seen;
    tbus_error_t err = {0};
    void *made, *found;
    assert_int_equal(tbus_bus_add_block(&bus, "first.of.all", 1, &made, &err), 0);
    assert_int_equal(tbus_bus_add_block(&bus, "second", 300, &made, &err), 0);
    for (unsigned i = 0; i < 300; i++)
        assert_int_equal(((unsigned char *)made)[i], 0);
    memcpy(made, "hello", 6);
    assert_int_equal(tbus_bus_find_block(&bus, "second", 300, &found, &err), 0);
    assert_ptr_equal(found, made);
    pid_t child = fork();
    if (child == 0) { /* inherits the mapping, and writes what all see */
        void *block;
        if (tbus_bus_find_block(&bus, "second", 300, &block, NULL) < 0)
            _exit(1);
        memcpy(block, "Hello", 5);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    int fd = tbus_segment_reopen(&bus.directory_segment, false);
    assert_int_equal(tbus_bus_attach(&fd, 1, &seen, &err), 0);
    assert_int_equal(tbus_bus_find_block(&seen, "second", 300, &found, &err), 0);
    assert_ptr_not_equal(found, made);
    assert_string_equal((const char *)found, "Hello");
    assert_int_equal(tbus_bus_add_block(&seen, "third", 8, &found, &err), -TBUS_EKIND);
    tbus_bus_close(&seen);
    tbus_bus_close(&bus);
}

static void blocks_lie_128_bytes_apart_and_never_on_one_another(void **state)
{
    (void)state;
    tbus_bus_t bus = make_bus();
    unsigned char *end = bus.directory->arena;
    static const size_t sizes[] = {1, 127, 128, 129, 512, 4096};
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char name[8];
        void *block;
        snprintf(name, sizeof name, "b%u", i);
        assert_int_equal(tbus_bus_add_block(&bus, name, sizes[i], &block, NULL), 0);
        assert_int_equal((uintptr_t)block % 128, 0);
        assert_true((unsigned char *)block >= end);
        end = (unsigned char *)block + sizes[i];
    }
    assert_true(end <= bus.directory->arena + TBUS_ARENA_BYTES);
    tbus_bus_close(&bus);
}

static void a_block_that_does_not_fit_or_is_there_already_is_refused(void **state)
{
    (void)state;
    tbus_bus_t bus = make_bus();
    tbus_error_t err = {0};
    void *block = NULL;
    char name[TBUS_BLOCK_NAME_MAX + 1] = {0};
    memset(name, 'n', TBUS_BLOCK_NAME_MAX);
    assert_int_equal(tbus_bus_add_block(&bus, name, 8, &block, &err), -EINVAL);
    assert_int_equal(tbus_bus_add_block(&bus, "", 8, &block, &err), -EINVAL);
    assert_int_equal(tbus_bus_add_block(&bus, NULL, 8, &block, &err), -EINVAL);
    assert_int_equal(tbus_bus_add_block(&bus, "empty", 0, &block, &err), -EINVAL);
    assert_int_equal(tbus_bus_add_block(&bus, "huge", SIZE_MAX, &block, &err), -TBUS_EFULL);
    assert_int_equal(tbus_bus_add_block(&bus, "large", TBUS_ARENA_BYTES + 1, &block, &err),
                     -TBUS_EFULL);
    assert_null(block);
    name[TBUS_BLOCK_NAME_MAX - 1] = 0;
    assert_int_equal(tbus_bus_add_block(&bus, name, TBUS_ARENA_BYTES - 128, &block, &err), 0);
    assert_memory_equal(bus.directory->blocks[0].name, name, TBUS_BLOCK_NAME_MAX);
    assert_int_equal(tbus_bus_add_block(&bus, name, 8, &block, &err), -TBUS_EEXISTS);
    assert_int_equal(tbus_bus_add_block(&bus, "last", 128, &block, &err), 0);
    assert_int_equal(tbus_bus_add_block(&bus, "more", 1, &block, &err), -TBUS_EFULL);
    tbus_bus_close(&bus);

    bus = make_bus();
    for (unsigned i = 0; i < TBUS_BLOCKS_MAX; i++) {
        snprintf(name, sizeof name, "b%u", i);
        assert_int_equal(tbus_bus_add_block(&bus, name, 8, &block, &err), 0);
    }
    assert_int_equal(tbus_bus_add_block(&bus, "more", 8, &block, &err), -TBUS_EFULL);
    tbus_bus_close(&bus);
}

/* Another build has another idea of it, or somebody scribbled over the table. */
static void a_block_of_another_size_or_outside_the_arena_is_not_handed_out(void **state)
{
    (void)state;
    tbus_bus_t bus = make_bus();
    tbus_error_t err = {0};
    void *block, *found = NULL;
    assert_int_equal(tbus_bus_add_block(&bus, "b", 256, &block, &err), 0);
    assert_int_equal(tbus_bus_find_block(&bus, "b", 255, &found, &err), -TBUS_EGEOMETRY);
    assert_int_equal(tbus_bus_find_block(&bus, "c", 256, &found, &err), -TBUS_ENOTFOUND);
    assert_int_equal(tbus_bus_find_block(&bus, "", 256, &found, &err), -EINVAL);
    static const uint32_t offsets[] = {1, TBUS_ARENA_BYTES, TBUS_ARENA_BYTES - 128, 0x80000000u,
                                       UINT32_MAX - 127};
    for (unsigned i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
        bus.directory->blocks[0].offset = offsets[i];
        assert_int_equal(tbus_bus_find_block(&bus, "b", 256, &found, &err), -TBUS_EGEOMETRY);
    }
    bus.directory->blocks[0].offset = TBUS_ARENA_BYTES - 256;
    assert_int_equal(tbus_bus_find_block(&bus, "b", 256, &found, &err), 0);
    tbus_store_relaxed_u32(&bus.directory->blocks_count, UINT32_MAX);
    assert_int_equal(tbus_bus_find_block(&bus, "c", 256, &found, &err), -TBUS_ENOTFOUND);
    tbus_bus_close(&bus);
}

static void the_kill_switch_is_thrown_and_released_for_all(void **state)
{
    (void)state;
    tbus_bus_t bus = make_bus(), seen;
    kill_switch_t *ours, *theirs;
    tbus_error_t err = {0};
    assert_int_equal(kill_switch_find(&bus, &ours, &err), -TBUS_ENOTFOUND);
    assert_int_equal(kill_switch_add(&bus, &ours, &err), 0);
    int fd = tbus_segment_reopen(&bus.directory_segment, false);
    assert_int_equal(tbus_bus_attach(&fd, 1, &seen, &err), 0);
    assert_int_equal(kill_switch_find(&seen, &theirs, &err), 0);
    assert_false(kill_switch_thrown(theirs));
    kill_switch_throw(ours, KILL_BY_OPERATOR, "a test");
    kill_switch_throw(ours, KILL_BY_OPERATOR, "a test");
    assert_true(kill_switch_thrown(theirs));
    kill_switch_release(ours, (kill_switch_actor_t){0}, "a test");
    assert_false(kill_switch_thrown(theirs));
    tbus_bus_close(&seen);
    tbus_bus_close(&bus);
}

/* Once more what kill_switch.h and limits_box.h assert, written by hand. */
static void the_blocks_of_risk_lie_where_their_headers_say(void **state)
{
    (void)state;
    assert_int_equal(sizeof(kill_switch_latch_t), 384);
    assert_int_equal(offsetof(kill_switch_latch_t, thrown), 0);
    assert_int_equal(offsetof(kill_switch_latch_t, thrown_ns), 32);
    assert_int_equal(offsetof(kill_switch_latch_t, reason), 128);
    assert_int_equal(sizeof(kill_switch_strategy_t), 512);
    assert_int_equal(offsetof(kill_switch_strategy_t, section), 384);
    assert_int_equal(sizeof(kill_switch_t), 18048);
    assert_int_equal(offsetof(kill_switch_t, halt), 0);
    assert_int_equal(offsetof(kill_switch_t, reduction), 384);
    assert_int_equal(offsetof(kill_switch_t, releases), 768);
    assert_int_equal(offsetof(kill_switch_t, released_ns), 784);
    assert_int_equal(offsetof(kill_switch_t, released_reason), 896);
    assert_int_equal(offsetof(kill_switch_t, beat_ns), 1152);
    assert_int_equal(offsetof(kill_switch_t, answered), 1280);
    assert_int_equal(offsetof(kill_switch_t, answered_ns), 1296);
    assert_int_equal(offsetof(kill_switch_t, strategies_before), 1408);
    assert_int_equal(offsetof(kill_switch_t, strategies), 1536);
    assert_int_equal(offsetof(kill_switch_t, strategies_why), 1664);
    assert_int_equal(sizeof(limits_box_t), 104);
    assert_int_equal(offsetof(limits_box_t, version), 0);
    assert_int_equal(offsetof(limits_box_t, words), 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_is_found_by_name_in_every_mapping_of_the_directory),
        cmocka_unit_test(blocks_lie_128_bytes_apart_and_never_on_one_another),
        cmocka_unit_test(a_block_that_does_not_fit_or_is_there_already_is_refused),
        cmocka_unit_test(a_block_of_another_size_or_outside_the_arena_is_not_handed_out),
        cmocka_unit_test(the_kill_switch_is_thrown_and_released_for_all),
        cmocka_unit_test(the_blocks_of_risk_lie_where_their_headers_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
