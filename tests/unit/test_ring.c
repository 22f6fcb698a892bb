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

#include <tickbus/observer.h>
#include <tickbus/publisher.h>
#include <tickbus/repair.h>
#include <tickbus/subscriber.h>

#include "tests/support/ring_fixture.h"

static tbus_ring_t make_ring(enum tbus_ring_kind kind, uint32_t slots, uint32_t slot_bytes,
                             uint32_t msg_max, uint64_t first_seq)
{
    return test_ring_create((tbus_ring_spec_t){.kind = kind,
                                               .slot_bytes = slot_bytes,
                                               .slot_count = slots,
                                               .msg_bytes_max = msg_max,
                                               .first_seq = first_seq});
}

typedef struct message {
    uint64_t number;
    uint64_t filler[5];
    uint64_t check;
} message_t;

static message_t numbered(uint64_t number)
{
    message_t m = {.number = number, .check = ~number};
    for (unsigned i = 0; i < 5; i++)
        m.filler[i] = number * (i + 3);
    return m;
}

static void expect(tbus_subscriber_t *s, uint64_t seq, uint64_t number)
{
    size_t bytes = 0;
    const message_t *m = tbus_peek(s, &bytes);
    assert_non_null(m);
    assert_int_equal(bytes, sizeof *m);
    assert_int_equal(s->seq, seq);
    message_t want = numbered(number);
    assert_memory_equal(m, &want, sizeof want);
    tbus_advance(s);
}

static void expect_none(tbus_subscriber_t *s)
{
    size_t bytes;
    assert_null(tbus_peek(s, &bytes));
    assert_int_equal(s->error, 0);
}

static void every_kind_delivers_in_order_and_says_full_across_every_wrap(void **state)
{
    (void)state;
    for (unsigned k = 0; k < TEST_KINDS; k++)
        for (unsigned w = 0; w < TEST_STARTS; w++) {
            tbus_ring_t ring = make_ring(test_kinds[k], 16, 64, 0, test_starts[w]);
            tbus_subscriber_t s = test_subscriber(&ring, "s", test_taker(test_kinds[k]), 2);
            tbus_publisher_t p = test_publisher(&ring, 1);
            uint64_t sent = 0, taken = 0;
            for (unsigned round = 0; round < 20; round++) {
                expect_none(&s);
                for (unsigned i = 0; i < 16; i++, sent++) {
                    message_t m = numbered(sent);
                    assert_int_equal(tbus_publish_try(&p, &m, sizeof m), TBUS_PUBLISHED);
                }
                message_t m = numbered(sent);
                assert_int_equal(tbus_publish_try(&p, &m, sizeof m), TBUS_FULL);
                for (unsigned i = 0; i < 16; i++, taken++)
                    expect(&s, test_starts[w] + taken, taken);
                tbus_subscriber_flush(&s);
            }
            tbus_publisher_flush(&p);
            assert_int_equal(tbus_ring_published(&ring), sent);
            tbus_subscriber_leave(&s);
            test_ring_destroy(&ring);
        }
}

static void broadcast_waits_for_the_slowest_and_names_it(void **state)
{
    (void)state;
    tbus_ring_t ring = make_ring(TBUS_BROADCAST, 16, 64, 0, 1);
    tbus_subscriber_t quick = test_subscriber(&ring, "quick", TBUS_SUBSCRIBER, 2);
    tbus_subscriber_t slow = test_subscriber(&ring, "slow", TBUS_SUBSCRIBER, 3);
    tbus_publisher_t p = test_publisher(&ring, 1);
    for (uint64_t i = 0; i < 16; i++) {
        message_t m = numbered(i);
        assert_int_equal(tbus_publish_try(&p, &m, sizeof m), TBUS_PUBLISHED);
        expect(&quick, i + 1, i);
    }
    message_t m = numbered(16);
    assert_int_equal(tbus_publish_try(&p, &m, sizeof m), TBUS_FULL);
    assert_true(p.blocked);
    uint64_t lag = 0;
    int slowest = tbus_ring_slowest(&ring, &lag);
    assert_true(slowest >= 0);
    assert_string_equal(ring.shared->subs[slowest].name, "slow");
    assert_int_equal(lag, 16);
    expect(&slow, 1, 0);
    tbus_subscriber_flush(&slow);
    assert_int_equal(tbus_publish_try(&p, &m, sizeof m), TBUS_PUBLISHED);
    tbus_subscriber_leave(&slow);
    tbus_subscriber_leave(&quick);
    test_ring_destroy(&ring);
}

static void messages_of_every_length_arrive_whole(void **state)
{
    (void)state;
    tbus_ring_t ring = make_ring(TBUS_BROADCAST, 64, 64, 800, 1);
    tbus_subscriber_t s = test_subscriber(&ring, "s", TBUS_SUBSCRIBER, 2);
    tbus_publisher_t p = test_publisher(&ring, 1);
    tbus_observer_t o;
    assert_int_equal(tbus_observer_join(&ring, TBUS_FROM_NOW, &o, NULL), 0);
    unsigned char message[800], copy[800];
    uint64_t seq = 1;
    for (size_t length = 0; length <= sizeof message; length++, seq++) {
        for (size_t i = 0; i < length; i++)
            message[i] = (unsigned char)(i * 7 + length);
        expect_none(&s);
        assert_int_equal(tbus_publish_try(&p, message, length), TBUS_PUBLISHED);
        size_t bytes = 0;
        const void *got = tbus_peek(&s, &bytes);
        assert_non_null(got);
        assert_int_equal(bytes, length);
        assert_int_equal(s.seq, seq);
        assert_memory_equal(got, message, length);
        tbus_advance(&s);
        tbus_subscriber_flush(&s);
        uint64_t seen = 0, lost = 0;
        assert_int_equal(tbus_observe(&o, copy, &bytes, &seen, &lost), 1);
        assert_int_equal(seen, seq);
        assert_int_equal(lost, 0);
        assert_int_equal(bytes, length);
        assert_memory_equal(copy, message, length);
    }
    tbus_subscriber_leave(&s);
    test_ring_destroy(&ring);
}

/* Of its first line, and of no other. */
static void a_short_message_leaves_nothing_of_the_one_before_it_in_its_line(void **state)
{
    (void)state;
    enum { SLOT = 128 };
    unsigned char old[SLOT - 8], message[48];
    memset(old, 0xff, sizeof old);
    memset(message, 0xee, sizeof message);
    for (size_t bytes = 0; bytes <= sizeof message; bytes++) {
        tbus_ring_t ring = make_ring(TBUS_SPSC, 16, SLOT, 0, 1);
        tbus_subscriber_t s = test_subscriber(&ring, "s", TBUS_SUBSCRIBER, 2);
        tbus_publisher_t p = test_publisher(&ring, 1);
        for (unsigned i = 0; i <= 16; i++) {
            size_t took;
            const void *to_publish = i < 16 ? old : message;
            assert_int_equal(tbus_publish(&p, to_publish, i < 16 ? sizeof old : bytes),
                             TBUS_PUBLISHED);
            const unsigned char *there = tbus_peek(&s, &took);
            assert_non_null(there);
            for (size_t at = 0; i == 16 && at < SLOT - 8; at++)
                assert_int_equal(there[at], at < bytes ? 0xee : at < 56 ? 0 : 0xff);
            tbus_advance(&s);
        }
        tbus_publisher_leave(&p);
        tbus_subscriber_leave(&s);
        test_ring_destroy(&ring);
    }
}

static void a_lapped_observer_is_told_exactly_how_many_it_lost(void **state)
{
    (void)state;
    static const enum tbus_ring_kind kinds[] = {TBUS_BROADCAST, TBUS_BROADCAST_MP, TBUS_MPMC,
                                                TBUS_MPSC};
    for (unsigned k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (unsigned long_every = 0; long_every <= (kinds[k] == TBUS_BROADCAST ? 5u : 0u);
             long_every += 5) {
            tbus_ring_t ring = make_ring(kinds[k], 64, 64, kinds[k] == TBUS_BROADCAST ? 200 : 0, 1);
            tbus_subscriber_t s = test_subscriber(&ring, "s", test_taker(kinds[k]), 2);
            tbus_publisher_t p = test_publisher(&ring, 1);
            tbus_observer_t o;
            assert_int_equal(tbus_observer_join(&ring, TBUS_FROM_NOW, &o, NULL), 0);
            uint64_t seen_count = 0, lost_sum = 0, published = 0, last = 0, lost = 0, carried = 0;
            for (unsigned burst = 1; burst < 300; burst += 7) {
                for (unsigned i = 0; i < burst; i++) {
                    unsigned char text[200] = {0};
                    published++;
                    memcpy(text, &published, 8);
                    size_t length = long_every && published % long_every == 0 ? 200 : 16;
                    assert_int_equal(tbus_publish_try(&p, text, length), TBUS_PUBLISHED);
                    size_t bytes;
                    assert_non_null(tbus_peek(&s, &bytes));
                    tbus_advance(&s);
                    tbus_subscriber_flush(&s);
                }
                unsigned char copy[256];
                size_t bytes;
                uint64_t seq;
                while (tbus_observe(&o, copy, &bytes, &seq, &lost) == 1) {
                    uint64_t number;
                    memcpy(&number, copy, 8);
                    assert_int_equal(number, seq);
                    assert_int_equal(seq, last + 1 + carried + lost);
                    last = seq;
                    seen_count++;
                    lost_sum += carried + lost;
                    carried = 0;
                }
                carried += lost; /* a lap that ended where nothing new was */
            }
            assert_int_equal(last + carried, published);
            lost_sum += carried;
            assert_int_equal(seen_count + lost_sum, published);
            assert_int_equal(o.lost, lost_sum);
            assert_true(lost_sum > 0);
            tbus_subscriber_leave(&s);
            test_ring_destroy(&ring);
        }
}

static void consumers_compete_and_a_follower_still_sees_everything(void **state)
{
    (void)state;
    tbus_ring_t ring = make_ring(TBUS_MPMC, 16, 64, 0, 1);
    tbus_subscriber_t a = test_subscriber(&ring, "a", TBUS_CONSUMER, 2);
    tbus_subscriber_t c = test_subscriber(&ring, "c", TBUS_CONSUMER, 3);
    tbus_subscriber_t recorder = test_subscriber(&ring, "recorder", TBUS_FOLLOWER, 4);
    tbus_publisher_t p = test_publisher(&ring, 1), q = test_publisher(&ring, 5);
    for (uint64_t i = 0; i < 100; i += 2) {
        message_t m = numbered(i), n = numbered(i + 1);
        assert_int_equal(tbus_publish_try(&p, &m, sizeof m), TBUS_PUBLISHED);
        assert_int_equal(tbus_publish_try(&q, &n, sizeof n), TBUS_PUBLISHED);
        expect(&a, i + 1, i);

        expect(&c, i + 2, i + 1);
        expect(&recorder, i + 1, i);
        expect(&recorder, i + 2, i + 1);
        tbus_subscriber_flush(&recorder);
    }
    /* A follower that stops holds the publishers up: nothing it has not seen is overwritten. */
    for (uint64_t i = 0; i < 16; i++) {
        message_t m = numbered(i);
        assert_int_equal(tbus_publish_try(&p, &m, sizeof m), TBUS_PUBLISHED);
        expect(&a, 101 + i, i);
    }
    message_t m = numbered(0);
    assert_int_equal(tbus_publish_try(&p, &m, sizeof m), TBUS_FULL);
    tbus_subscriber_leave(&a);
    tbus_subscriber_leave(&c);
    tbus_subscriber_leave(&recorder);
    test_ring_destroy(&ring);
}

static void an_aborted_claim_is_a_tomb_that_everybody_passes(void **state)
{
    (void)state;
    static const enum tbus_ring_kind kinds[] = {TBUS_BROADCAST_MP, TBUS_MPMC, TBUS_MPSC};
    for (unsigned k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        tbus_ring_t ring = make_ring(kinds[k], 16, 64, 0, 1);
        tbus_subscriber_t s = test_subscriber(&ring, "s", test_taker(kinds[k]), 2);
        tbus_subscriber_t f = test_subscriber(&ring, "f", TBUS_FOLLOWER, 3);
        tbus_publisher_t p = test_publisher(&ring, 1);
        for (uint64_t i = 0; i < 40; i++) {
            assert_non_null(tbus_claim_try(&p));
            tbus_abort(&p);
            message_t m = numbered(i);
            void *place = tbus_claim_try(&p);
            assert_non_null(place);
            memcpy(place, &m, sizeof m);
            tbus_commit(&p, sizeof m);
            expect(&s, 2 * i + 2, i);
            expect(&f, 2 * i + 2, i);
            tbus_subscriber_flush(&s);
            tbus_subscriber_flush(&f);
        }
        assert_int_equal(tbus_load_relaxed_u64(&ring.shared->tombs), 40);
        tbus_subscriber_leave(&s);
        tbus_subscriber_leave(&f);
        test_ring_destroy(&ring);
    }
}

static void repair_buries_the_claims_of_the_dead_and_frees_what_they_took(void **state)
{
    (void)state;
    tbus_ring_t ring = make_ring(TBUS_MPMC, 16, 64, 0, 1);
    tbus_subscriber_t dead = test_subscriber(&ring, "dead", TBUS_CONSUMER, 7);
    tbus_subscriber_t alive = test_subscriber(&ring, "alive", TBUS_CONSUMER, 8);
    tbus_publisher_t doomed = test_publisher(&ring, 9), p = test_publisher(&ring, 1);
    message_t m = numbered(0), n = numbered(1);
    assert_int_equal(tbus_publish_try(&p, &m, sizeof m), TBUS_PUBLISHED); /* 1: taken by the dead */
    size_t bytes;
    assert_non_null(tbus_peek(&dead, &bytes));
    assert_non_null(tbus_claim_try(&doomed)); /* 2: claimed by the dead */
    assert_int_equal(tbus_publish_try(&p, &n, sizeof n), TBUS_PUBLISHED);
    expect_none(&alive); /* what is claimed may still come */
    assert_int_equal(tbus_ring_repair(&ring, 9), 1);
    assert_int_equal(tbus_ring_repair(&ring, 7), 2); /* what it took, and its place */
    assert_int_equal(tbus_ring_repair(&ring, 9), 0);
    expect(&alive, 3, 1);
    tbus_commit(&doomed, 8); /* a zombie: its slot is a tomb, nothing of it is seen */
    expect_none(&alive);
    assert_int_equal(doomed.error, -TBUS_ESTALE); /* and it is told, and can do no more */
    assert_int_equal(tbus_publish_try(&doomed, &m, sizeof m), TBUS_STALE);
    assert_int_equal(tbus_publish(&doomed, &m, sizeof m), TBUS_STALE);
    assert_null(tbus_claim_try(&doomed));
    tbus_advance(&dead); /* likewise a consumer that gives back what is no longer its own */
    assert_int_equal(dead.error, -TBUS_ESTALE);
    assert_null(tbus_peek(&dead, &bytes));
    assert_int_equal(tbus_load_relaxed_u64(&ring.shared->tombs), 1);
    assert_int_equal(tbus_load_relaxed_u64(&ring.shared->in_doubt), 1);
    tbus_subscriber_leave(&dead);
    tbus_subscriber_leave(&alive);
    test_ring_destroy(&ring);
}

/* What was repaired may be what a sleeper waits for: the next message, or room. */
static void a_repair_rings_for_whoever_sleeps_and_only_when_it_mended_something(void **state)
{
    (void)state;
    tbus_ring_t ring = make_ring(TBUS_MPMC, 16, 64, 0, 1);
    tbus_subscriber_t s = test_subscriber(&ring, "s", TBUS_CONSUMER, 2);
    tbus_publisher_t doomed = test_publisher(&ring, 9);
    tbus_ring_shared_t *shared = ring.shared;
    assert_non_null(tbus_claim_try(&doomed));
    for (unsigned round = 0; round < 2; round++) {
        uint32_t bell = tbus_load_relaxed_u32(&shared->subs[s.index].bell);
        uint32_t room = tbus_load_relaxed_u32(&shared->room_bell);
        tbus_store_relaxed_u32(&shared->sleepers, UINT32_C(1) << s.index);
        tbus_store_relaxed_u32(&shared->pubs_waiting, 1);
        int repaired = tbus_ring_repair(&ring, 9);
        assert_int_equal(repaired, round == 0 ? 1 : 0);
        assert_int_equal(tbus_load_relaxed_u32(&shared->subs[s.index].bell), bell + repaired);
        assert_int_equal(tbus_load_relaxed_u32(&shared->room_bell), room + repaired);
        assert_int_equal(tbus_load_relaxed_u32(&shared->sleepers), repaired ? 0 : 1u << s.index);
    }
    tbus_subscriber_leave(&s);
    test_ring_destroy(&ring);
}

static void a_publisher_goes_on_where_its_killed_predecessor_stopped(void **state)
{
    (void)state;
    for (unsigned w = 0; w < TEST_STARTS; w++) {
        tbus_ring_t ring = make_ring(TBUS_BROADCAST, 64, 64, 200, test_starts[w]);
        tbus_subscriber_t s = test_subscriber(&ring, "s", TBUS_SUBSCRIBER, 2);
        uint64_t seq = test_starts[w];
        for (unsigned generation = 0; generation < 40; generation++) {
            tbus_publisher_t p = test_publisher(&ring, 1); /* the one before has flushed nothing */
            for (unsigned i = 0; i < generation % 9; i++, seq++) {
                unsigned char text[200] = {0};
                memcpy(text, &seq, 8);
                size_t length = seq % 3 ? 16 : 200;
                assert_int_equal(tbus_publish_try(&p, text, length), TBUS_PUBLISHED);
                size_t bytes;
                const void *got = tbus_peek(&s, &bytes);
                assert_non_null(got);
                assert_int_equal(s.seq, seq);
                assert_int_equal(bytes, length);
                assert_memory_equal(got, text, length);
                tbus_advance(&s);
                tbus_subscriber_flush(&s);
            }
            expect_none(&s);
            if (generation % 4 == 1) /* killed between the two halves of the tail */
                tbus_store_relaxed_u64(&ring.shared->tail_version,
                                       tbus_load_relaxed_u64(&ring.shared->tail_version) | 1);
        }
        tbus_subscriber_leave(&s);
        test_ring_destroy(&ring);
    }
}

static void join_refuses_every_wrong_header_byte(void **state)
{
    (void)state;
    tbus_ring_t made = make_ring(TBUS_BROADCAST, 16, 64, 0, 1);
    size_t bytes = made.shared->total_bytes;
    unsigned char *header = (unsigned char *)made.shared;
    /* magic, abi, kind, slot_bytes, slot_count, subs_max, slots_at, total_bytes, area_at,
     * area_bytes; msg_bytes_max and first_seq may take other values */
    static const struct {
        unsigned from, to;
    } fields[] = {{0, 24}, {28, 48}, {88, 104}};
    for (unsigned f = 0; f < 3; f++)
        for (unsigned i = fields[f].from; i < fields[f].to; i++) {
            unsigned char good = header[i];
            static const unsigned char bad[] = {0x00, 0xff, 0x80, 0x5a};
            for (unsigned v = 0; v < sizeof bad + 1; v++) {
                header[i] = v < sizeof bad ? bad[v] : (unsigned char)(good + 1);
                tbus_ring_t ring;
                tbus_error_t err = {0};
                int code = tbus_ring_join(header, bytes, true, &ring, &err);
                if (header[i] == good || (i == 12 && header[i] >= 1 && header[i] <= 4)) {
                    assert_int_equal(code, 0);
                } else {
                    assert_true(code == -TBUS_EMAGIC || code == -TBUS_EABI ||
                                code == -TBUS_EGEOMETRY);
                    assert_true(err.text[0] != 0);
                }
            }
            header[i] = good;
        }
    tbus_ring_t ring;
    assert_int_equal(tbus_ring_join(header, bytes - 1, true, &ring, NULL), -TBUS_EGEOMETRY);
    test_ring_destroy(&made);
}

static void impossible_slot_words_end_in_corrupt_not_in_a_crash(void **state)
{
    (void)state;
    tbus_ring_t ring = make_ring(TBUS_BROADCAST, 16, 64, 200, 1);
    for (unsigned s = 0; s < 8; s++)
        for (unsigned length = 0; length < 256; length++) {
            tbus_error_t err;
            char name[16];
            snprintf(name, sizeof name, "s%u", s);
            if (length == 0)
                assert_true(tbus_ring_reserve(&ring, name, TBUS_SUBSCRIBER, &err) >= 0);
            tbus_store_relaxed_u32(&ring.shared->subs[s].state, TBUS_SUB_RESERVED);
            tbus_store_relaxed_u32(&ring.shared->subs[s].owner, 0);
            tbus_subscriber_t sub;
            assert_int_equal(tbus_subscriber_join(&ring, name, 1, &sub, &err), 0);
            tbus_atomic_u64_t *slot = tbus_ring_slot(&ring, 1);
            tbus_store_relaxed_u64(slot, tbus_slot_word(1, 0, length, (enum tbus_slot_state)s));
            tbus_store_relaxed_u64(slot + 1, UINT64_MAX - length); /* an absurd length for LONG */
            size_t bytes = 0;
            const void *got = tbus_peek(&sub, &bytes);
            assert_true(!got || bytes <= 200);
            tbus_observer_t o;
            tbus_observer_join(&ring, TBUS_FROM_OLDEST, &o, NULL);
            unsigned char copy[256];
            uint64_t seq, lost;
            int code = tbus_observe(&o, copy, &bytes, &seq, &lost);
            assert_true(code <= 0 || bytes <= 200);
            free(sub.scratch);
        }
    test_ring_destroy(&ring);
}

static void only_one_may_hold_a_place_and_places_run_out(void **state)
{
    (void)state;
    tbus_ring_t ring = make_ring(TBUS_BROADCAST, 16, 64, 0, 1);
    tbus_error_t err = {0};
    tbus_subscriber_t s, t;
    assert_int_equal(tbus_subscriber_join(&ring, "nobody", 1, &s, &err), -TBUS_ENOTFOUND);
    assert_true(tbus_ring_reserve(&ring, "x", TBUS_SUBSCRIBER, &err) >= 0);
    assert_int_equal(tbus_ring_reserve(&ring, "x", TBUS_SUBSCRIBER, &err), -TBUS_EEXISTS);
    assert_int_equal(tbus_ring_reserve(&ring, "y", TBUS_CONSUMER, &err), -TBUS_EKIND);
    assert_int_equal(tbus_subscriber_join(&ring, "x", 1, &s, &err), 0);
    assert_int_equal(tbus_subscriber_join(&ring, "x", 2, &t, &err), -TBUS_EEXISTS);
    for (unsigned i = 1; i < TBUS_RING_SUBS_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%u", i);
        assert_true(tbus_ring_reserve(&ring, name, TBUS_SUBSCRIBER, &err) >= 0);
    }
    assert_int_equal(tbus_ring_reserve(&ring, "late", TBUS_SUBSCRIBER, &err), -TBUS_EFULL);
    tbus_subscriber_leave(&s);
    test_ring_destroy(&ring);
}

/* On a ring that its process goes on using: what a publisher leaves unfinished blocks nobody. */
static void a_publisher_that_leaves_aborts_what_it_did_not_commit(void **state)
{
    (void)state;
    static const enum tbus_ring_kind several[] = {TBUS_BROADCAST_MP, TBUS_MPMC, TBUS_MPSC};
    for (unsigned k = 0; k < sizeof several / sizeof *several; k++)
        for (unsigned batch = 0; batch < 2; batch++) {
            tbus_ring_t ring = test_ring_create((tbus_ring_spec_t){.kind = several[k]});
            tbus_publisher_t goes = test_publisher(&ring, 1);
            tbus_publisher_t stays = test_publisher(&ring, 2);
            tbus_subscriber_t s = test_late_comer(&ring, "s", test_taker(several[k]), 3);
            void *places[5];
            uint64_t message = 7;
            if (batch)
                assert_int_equal(tbus_claim_batch(&goes, 5, places), 5);
            else
                assert_non_null(tbus_claim_try(&goes));
            assert_int_equal(tbus_publish_try(&stays, &message, 8), TBUS_PUBLISHED);
            size_t bytes;
            assert_null(tbus_peek(&s, &bytes));
            tbus_publisher_leave(&goes);
            assert_int_equal(tbus_load_relaxed_u64(&ring.shared->tombs), batch ? 5 : 1);
            const uint64_t *taken = tbus_peek(&s, &bytes);
            assert_non_null(taken);
            assert_int_equal(*taken, message);
            tbus_advance(&s);
            tbus_publisher_leave(&goes); /* all zeros */
            tbus_publisher_leave(&stays);
            assert_int_equal(tbus_load_relaxed_u64(&ring.shared->tombs), batch ? 5 : 1);
            tbus_subscriber_leave(&s);
            test_ring_destroy(&ring);
        }
}

static void the_one_publisher_leaves_with_its_end_told_and_nothing_claimed(void **state)
{
    (void)state;
    tbus_ring_t ring =
        test_ring_create((tbus_ring_spec_t){.kind = TBUS_BROADCAST, .slot_count = 64});
    tbus_subscriber_t s = test_late_comer(&ring, "s", TBUS_SUBSCRIBER, 3);
    tbus_publisher_t p = test_publisher(&ring, 1);
    uint64_t message = 7;
    assert_int_equal(tbus_publish_try(&p, &message, 8), TBUS_PUBLISHED);
    void *places[2];
    assert_int_equal(tbus_claim_batch(&p, 2, places), 2);
    assert_int_equal(tbus_ring_published(&ring), 0);
    tbus_publisher_leave(&p);
    assert_null(p.ring.shared);
    assert_int_equal(tbus_ring_published(&ring), 1);
    p = test_publisher(&ring, 2);
    message = 8;
    assert_int_equal(tbus_publish_try(&p, &message, 8), TBUS_PUBLISHED);
    for (uint64_t wanted = 7; wanted <= 8; wanted++) {
        size_t bytes;
        const uint64_t *taken = tbus_peek(&s, &bytes);
        assert_non_null(taken);
        assert_int_equal(*taken, wanted);
        tbus_advance(&s);
    }
    tbus_publisher_leave(&p);
    tbus_subscriber_leave(&s);
    test_ring_destroy(&ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_delivers_in_order_and_says_full_across_every_wrap),
        cmocka_unit_test(broadcast_waits_for_the_slowest_and_names_it),
        cmocka_unit_test(messages_of_every_length_arrive_whole),
        cmocka_unit_test(a_short_message_leaves_nothing_of_the_one_before_it_in_its_line),
        cmocka_unit_test(a_lapped_observer_is_told_exactly_how_many_it_lost),
        cmocka_unit_test(consumers_compete_and_a_follower_still_sees_everything),
        cmocka_unit_test(an_aborted_claim_is_a_tomb_that_everybody_passes),
        cmocka_unit_test(repair_buries_the_claims_of_the_dead_and_frees_what_they_took),
        cmocka_unit_test(a_repair_rings_for_whoever_sleeps_and_only_when_it_mended_something),
        cmocka_unit_test(a_publisher_goes_on_where_its_killed_predecessor_stopped),
        cmocka_unit_test(join_refuses_every_wrong_header_byte),
        cmocka_unit_test(impossible_slot_words_end_in_corrupt_not_in_a_crash),
        cmocka_unit_test(only_one_may_hold_a_place_and_places_run_out),
        cmocka_unit_test(a_publisher_that_leaves_aborts_what_it_did_not_commit),
        cmocka_unit_test(the_one_publisher_leaves_with_its_end_told_and_nothing_claimed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
