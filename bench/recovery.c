/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/recovery.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <tickbus/bus.h>
#include <tickbus/clock.h>
#include <tickbus/publisher.h>
#include <tickbus/subscriber.h>
#include <tickbus/wait.h>

#include "tools/measure/sides.h"

#define START_NS UINT64_C(10000000000) /* for the victim to claim */
#define ROUND_NS UINT64_C(1000000000)  /* on average: a hundred times what is expected */

enum { CONSUMER = 1, VICTIM = 2 }; /* owner numbers */
enum { CLAIMED = 1 };              /* the victim's stage */

typedef struct recovery {
    const int *cpus;
    unsigned rounds;
    double *us; /* shared */
    tbus_bus_t bus;
    tbus_publisher_t publisher; /* of the consumer, for the message behind the claim */
    tbus_subscriber_t subscriber;
} recovery_t;

static void heal(void *bus)
{
    tbus_bus_heal(bus);
}

/* Claims, says so, and waits for its end. */
static int be_the_victim(side_t *me, void *context)
{
    recovery_t *r = context;
    tbus_publisher_t publisher;
    tbus_error_t err;
    if (tbus_participant_live(&r->bus, VICTIM, &err) < 0 ||
        tbus_publisher_join(&r->bus.rings[0], VICTIM, &publisher, &err) < 0)
        return sides_fail(me, -EIO, "%s", err.text);
    if (!tbus_claim_try(&publisher))
        return sides_fail(me, -ENOSPC, "no room for its claim");
    sides_enter(me, CLAIMED);
    for (;;)
        pause();
}

/* What is measured starts with the kill, so everything that belongs to the victim alone is done
 * before; it is reaped after. */
static int one_round(recovery_t *r, enum tbus_wait_mode mode, double *out_us, tbus_error_t *err)
{
    sides_t victim;
    sides_spec_t spec = {
        .what = "the victim", .count = 1, .cpus = {r->cpus[1]}, .run = be_the_victim, .context = r};
    int code = sides_start(&spec, &victim, err);
    if (code < 0)
        return code;
    code = sides_await_stage(&victim, 0, CLAIMED, tbus_clock_ns() + START_NS, err);
    if (code == 0)
        code = tbus_fail(err, -ETIMEDOUT, "the victim made no claim in time");
    if (code > 0 && tbus_publish_try(&r->publisher, "behind", 6) != TBUS_PUBLISHED)
        code = tbus_fail(err, -ENOSPC, "no room behind the claim");
    if (code > 0) {
        tbus_waiter_t waiter;
        size_t bytes;
        tbus_waiter_init(&waiter, mode);
        waiter.heal = heal;
        waiter.heal_context = &r->bus;
        tbus_waiter_watch_subscriber(&waiter, &r->subscriber);
        uint64_t began_ns = tbus_clock_ns();
        sides_kill(&victim, 0);
        while (!tbus_peek(&r->subscriber, &bytes))
            tbus_waiter_idle(&waiter, UINT64_MAX);
        *out_us = (double)(tbus_clock_ns() - began_ns) / 1e3;
        tbus_advance(&r->subscriber);
        tbus_subscriber_flush(&r->subscriber);
    }
    sides_finish(&victim);
    return code < 0 ? code : 0;
}

static int make_bus(recovery_t *r, tbus_error_t *err)
{
    tbus_ring_spec_t spec = {
        .name = "orders", .kind = TBUS_MPMC, .slot_bytes = 64, .slot_count = 8192, .first_seq = 1};
    int code = tbus_bus_create("recovery", &r->bus, err);
    if (code < 0)
        return code;
    if ((code = tbus_bus_add_topic(&r->bus, &spec, "bytes", TBUS_PAGES_AUTO, -1, err)) < 0 ||
        (code = tbus_participant_add(&r->bus, "consumer", err)) < 0 ||
        (code = tbus_participant_add(&r->bus, "victim", err)) < 0 ||
        (code = tbus_ring_reserve(&r->bus.rings[0], "consumer", TBUS_CONSUMER, err)) < 0)
        tbus_bus_close(&r->bus);
    return code < 0 ? code : 0;
}

static int be_the_consumer(side_t *me, void *context)
{
    recovery_t *r = context;
    tbus_error_t err;
    int life = -1, code = make_bus(r, &err);
    if (code < 0)
        return sides_fail(me, code, "%s", err.text);
    tbus_ring_t *ring = &r->bus.rings[0];
    if ((code = life = tbus_participant_live(&r->bus, CONSUMER, &err)) >= 0 &&
        (code = tbus_publisher_join(ring, CONSUMER, &r->publisher, &err)) >= 0)
        code = tbus_subscriber_join(ring, "consumer", CONSUMER, &r->subscriber, &err);
    for (unsigned i = 0; i < r->rounds && code >= 0; i++)
        code = one_round(r, i % 2 ? TBUS_WAIT_PARK : TBUS_WAIT_SPIN, &r->us[i], &err);
    tbus_subscriber_leave(&r->subscriber);
    tbus_publisher_leave(&r->publisher);
    if (life >= 0)
        close(life);
    tbus_bus_close(&r->bus);
    return code < 0 ? sides_fail(me, code, "%s", err.text) : 0;
}

int recovery_run(const int cpus[2], unsigned rounds, double *out_us, tbus_error_t *err)
{
    size_t bytes = rounds * sizeof *out_us;
    void *us = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (us == MAP_FAILED)
        return tbus_fail(err, -ENOMEM, "recovery: no memory for %u rounds", rounds);
    recovery_t recovery = {.cpus = cpus, .rounds = rounds, .us = us};
    sides_spec_t spec = {.what = "recovery",
                         .count = 1,
                         .cpus = {cpus[0]},
                         .run = be_the_consumer,
                         .context = &recovery};
    int code = sides_run(&spec, START_NS + rounds * ROUND_NS, err);
    if (code == 0)
        memcpy(out_us, us, bytes);
    munmap(us, bytes);
    return code;
}
