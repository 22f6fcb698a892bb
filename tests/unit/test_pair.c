/* SPDX-License-Identifier: Apache-2.0 */
/* How a slot is written, in both ways: its word and the first word of the payload in one store, and
 * one after the other (tbus_store_release_pair_u64). And several messages at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <tickbus/wait.h>

#include "bus/ring/cpu.h"
#include "tests/support/ring_fixture.h"

#define WAYS 2u

/* What the kernel says of the first CPU. */
static bool cpuinfo_says(const char *key, const char *word)
{
    char line[8192], padded[64];
    bool found = false;
    FILE *file = fopen("/proc/cpuinfo", "re");
    assert_non_null(file);
    snprintf(padded, sizeof padded, " %s ", word);
    while (!found && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        strncat(line, " ", sizeof line - strlen(line) - 1);
        found = !strncmp(line, key, strlen(key)) && strstr(line, padded);
    }
    fclose(file);
    return found;
}

static void whole_pairs_are_used_where_the_maker_of_the_cpu_promises_them(void **state)
{
    (void)state;
#if defined(__x86_64__)
    bool promised = cpuinfo_says("flags", "avx") && (cpuinfo_says("vendor_id", "GenuineIntel") ||
                                                     cpuinfo_says("vendor_id", "AuthenticAMD"));
#elif defined(__aarch64__)
    bool promised = cpuinfo_says("Features", "uscat");
#else
    bool promised = false;
#endif
    assert_int_equal(tbus_cpu_stores_pairs(), promised);
    tbus_ring_t ring = test_ring_create((tbus_ring_spec_t){.kind = TBUS_SPSC});
    tbus_publisher_t p = test_publisher(&ring, 1);
    assert_int_equal(p.whole_pairs, promised);
    test_ring_destroy(&ring);
}

static void fill(unsigned char *message, size_t bytes, unsigned seed)
{
    for (size_t i = 0; i < bytes; i++)
        message[i] = (unsigned char)(seed * 31 + i * 7 + 1);
}

static void expect_next(tbus_subscriber_t *s, const unsigned char *message, size_t bytes)
{
    size_t got;
    const void *taken = tbus_peek(s, &got);
    assert_non_null(taken);
    assert_int_equal(got, bytes);
    assert_memory_equal(taken, message, bytes);
    tbus_advance(s);
    tbus_subscriber_flush(s);
}

static void a_message_of_any_length_arrives_whole_however_it_is_written(void **state)
{
    (void)state;
    static const uint32_t slot_bytes[] = {64, 128, 256, 512};
    static unsigned char memory[600];
    for (unsigned way = 0; way < WAYS; way++)
        for (unsigned k = 0; k < sizeof slot_bytes / sizeof *slot_bytes; k++) {
            tbus_ring_t ring = test_ring_create((tbus_ring_spec_t){.kind = TBUS_SPSC,
                                                                   .slot_bytes = slot_bytes[k],
                                                                   .slot_count = 64,
                                                                   .msg_bytes_max = 520});
            tbus_subscriber_t s = test_subscriber(&ring, "s", TBUS_SUBSCRIBER, 2);
            tbus_publisher_t p = test_publisher(&ring, 1);
            p.whole_pairs = p.whole_pairs && way == 0;
            for (size_t bytes = 0; bytes <= 520; bytes++) {
                unsigned char *message = memory + bytes % 9; /* at any address */
                fill(message, bytes, way + k);
                assert_int_equal(tbus_publish_try(&p, message, bytes), TBUS_PUBLISHED);
                expect_next(&s, message, bytes);
            }
            /* Lengths that the compiler knows. */
            fill(memory, sizeof memory, 9);
            assert_int_equal(tbus_publish_try(&p, memory, 3), TBUS_PUBLISHED);
            assert_int_equal(tbus_publish_try(&p, memory + 1, 56), TBUS_PUBLISHED);
            assert_int_equal(tbus_publish_try(&p, memory + 2, 300), TBUS_PUBLISHED);
            expect_next(&s, memory, 3);
            expect_next(&s, memory + 1, 56);
            expect_next(&s, memory + 2, 300);
            tbus_subscriber_leave(&s);
            test_ring_destroy(&ring);
        }
}

static void the_messages_of_a_batch_come_in_order_as_far_as_there_is_room(void **state)
{
    (void)state;
    for (unsigned k = 0; k < TEST_KINDS; k++)
        for (unsigned way = 0; way < WAYS; way++) {
            tbus_ring_t ring = test_ring_create((tbus_ring_spec_t){.kind = test_kinds[k]});
            tbus_subscriber_t s = test_subscriber(&ring, "s", test_taker(test_kinds[k]), 2);
            tbus_publisher_t p = test_publisher(&ring, 1);
            p.whole_pairs = p.whole_pairs && way == 0;
            uint64_t messages[24][3], expected = 0;
            for (uint64_t i = 0; i < 24; i++)
                messages[i][0] = i, messages[i][1] = ~i, messages[i][2] = i * i;
            for (uint32_t done = 0, round = 0; done < 24; round++) {
                assert_in_range(round, 0, 1);
                uint32_t got = tbus_publish_batch(&p, messages[done], sizeof *messages, 24 - done);
                assert_int_equal(got, round == 0 ? 16 : 8); /* slots in the ring */
                assert_int_equal(tbus_publish_batch(&p, messages, sizeof *messages, 0), 0);
                done += got;
                for (uint32_t i = 0; i < got; i++, expected++)
                    expect_next(&s, (const unsigned char *)messages[expected], sizeof *messages);
            }
            size_t bytes;
            assert_null(tbus_peek(&s, &bytes));
            tbus_subscriber_leave(&s);
            tbus_publisher_leave(&p);
            test_ring_destroy(&ring);
        }
}

/* Also when not all of it found room: who sleeps is who makes room. */
static void a_batch_wakes_who_sleeps_once_and_also_when_the_ring_is_full(void **state)
{
    (void)state;
    for (uint32_t count = 3; count <= 24; count += 21) {
        tbus_ring_t ring = test_ring_create((tbus_ring_spec_t){.kind = TBUS_BROADCAST});
        tbus_subscriber_t s = test_subscriber(&ring, "s", TBUS_SUBSCRIBER, 2);
        tbus_publisher_t p = test_publisher(&ring, 1);
        uint64_t messages[24] = {0};
        tbus_fetch_or_u32(&ring.shared->sleepers, UINT32_C(1) << s.index); /* it sleeps */
        assert_int_equal(tbus_publish_batch(&p, messages, 8, count), count > 16 ? 16 : count);
        assert_int_equal(tbus_load_relaxed_u32(&ring.shared->sleepers), 0);
        assert_int_equal(tbus_load_relaxed_u32(&ring.shared->subs[s.index].bell), 1);
        tbus_subscriber_leave(&s);
        test_ring_destroy(&ring);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_pairs_are_used_where_the_maker_of_the_cpu_promises_them),
        cmocka_unit_test(a_message_of_any_length_arrives_whole_however_it_is_written),
        cmocka_unit_test(the_messages_of_a_batch_come_in_order_as_far_as_there_is_room),
        cmocka_unit_test(a_batch_wakes_who_sleeps_once_and_also_when_the_ring_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
