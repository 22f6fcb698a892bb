/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/recovery.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tickbus/bus.h>
#include <tickbus/publisher.h>
#include <tickbus/subscriber.h>
#include <tickbus/wait.h>

#include "bench/measure.h"

enum { CONSUMER = 1, VICTIM = 2 }; /* owner numbers */

static void heal(void *bus)
{
    tbus_bus_heal(bus);
}

/* Claims, says so, and waits for its end. */
static void be_the_victim(tbus_bus_t *bus, int cpu, int tell)
{
    tbus_publisher_t publisher;
    tbus_error_t err;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    bench_pin(cpu);
    bench_must(tbus_participant_live(bus, VICTIM, &err), "life lock", err.text);
    bench_must(tbus_publisher_join(&bus->rings[0], VICTIM, &publisher, &err), "publisher",
               err.text);
    bench_must(tbus_claim_try(&publisher) && write(tell, "x", 1) == 1 ? 0 : -1, "claim", "no room");
    for (;;)
        pause();
}

static double one_round(tbus_bus_t *bus, const int cpus[2], tbus_publisher_t *publisher,
                        tbus_subscriber_t *subscriber, enum tbus_wait_mode mode)
{
    int claimed[2];
    char byte;
    bench_must(pipe(claimed), "pipe", strerror(errno));
    pid_t victim = fork();
    bench_must(victim, "fork", strerror(errno));
    if (victim == 0)
        be_the_victim(bus, cpus[1], claimed[1]);
    bench_must(read(claimed[0], &byte, 1) == 1 ? 0 : -1, "victim", "it died too early");
    bench_must(tbus_publish_try(publisher, "behind", 6) == TBUS_PUBLISHED ? 0 : -1, "publish",
               "no room");

    tbus_waiter_t waiter;
    tbus_waiter_init(&waiter, mode);
    waiter.heal = heal;
    waiter.heal_context = bus;
    tbus_waiter_watch_subscriber(&waiter, subscriber);
    size_t bytes;
    uint64_t began_ns = tbus_clock_ns();
    kill(victim, SIGKILL);
    while (!tbus_peek(subscriber, &bytes))
        tbus_waiter_idle(&waiter, UINT64_MAX);
    double us = (double)(tbus_clock_ns() - began_ns) / 1e3;
    tbus_advance(subscriber);
    tbus_subscriber_flush(subscriber);

    waitpid(victim, NULL, 0);
    close(claimed[0]);
    close(claimed[1]);
    return us;
}

void recovery_run(const int cpus[2], unsigned rounds, double *out_us)
{
    tbus_bus_t bus;
    tbus_error_t err;
    tbus_publisher_t publisher;
    tbus_subscriber_t subscriber;
    tbus_ring_spec_t spec = {
        .name = "orders", .kind = TBUS_MPMC, .slot_bytes = 64, .slot_count = 8192, .first_seq = 1};
    bench_must(tbus_bus_create("recovery", &bus, &err), "bus", err.text);
    bench_must(tbus_bus_add_topic(&bus, &spec, "bytes", TBUS_PAGES_AUTO, -1, &err), "topic",
               err.text);
    bench_must(tbus_participant_add(&bus, "consumer", &err), "participant", err.text);
    bench_must(tbus_participant_add(&bus, "victim", &err), "participant", err.text);
    bench_must(tbus_ring_reserve(&bus.rings[0], "consumer", TBUS_CONSUMER, &err), "reserve",
               err.text);
    int life = bench_must(tbus_participant_live(&bus, CONSUMER, &err), "life lock", err.text);
    bench_must(tbus_publisher_join(&bus.rings[0], CONSUMER, &publisher, &err), "publisher",
               err.text);
    bench_must(tbus_subscriber_join(&bus.rings[0], "consumer", CONSUMER, &subscriber, &err),
               "subscriber", err.text);
    bench_pin(cpus[0]);
    for (unsigned i = 0; i < rounds; i++)
        out_us[i] =
            one_round(&bus, cpus, &publisher, &subscriber, i % 2 ? TBUS_WAIT_PARK : TBUS_WAIT_SPIN);
    tbus_subscriber_leave(&subscriber);
    close(life);
    tbus_bus_close(&bus);
}
