/* SPDX-License-Identifier: Apache-2.0 */
/* slow_reader - what the policy of a topic does when a subscriber is too slow.
 *
 * A bus of this process has a topic for each policy. 20 messages are published on each, into 16
 * slots, before its subscriber takes the first. It prints how each publish ended, and what the
 * subscriber gets:
 *
 *    TBUS_BLOCK           the publisher finds no room; nothing is lost, it may try again or wait
 *    TBUS_DROP_NEWEST     what finds no room is dropped and counted; the subscriber is not told
 *    TBUS_EVICT_SLOWEST   the publisher goes on; the subscriber loses its place, is told so, and
 *                         may subscribe again, from then on
 */
#include <stdio.h>
#include <string.h>
#include <tickbus/tickbus.h>

#define MESSAGES 20
#define SLOTS    16u

static int add_topic(tbus_bus_t *bus, const char *name, enum tbus_policy policy, tbus_error_t *err)
{
    tbus_ring_spec_t spec;
    memset(&spec, 0, sizeof spec);
    snprintf(spec.name, sizeof spec.name, "%s", name);
    spec.kind = TBUS_BROADCAST;
    spec.slot_bytes = 64;
    spec.slot_count = SLOTS;
    spec.first_seq = 1;
    spec.policy = policy;
    return tbus_bus_add_topic(bus, &spec, "number", TBUS_PAGES_AUTO, -1, err);
}

/* 0, or negative. A timeout of 0 looks once: a publisher that can wait for room gives its time. */
static int publish_all(tbus_bus_t *bus, tbus_publisher_t *out, const char *name)
{
    int published = 0, full = 0, dropped = 0;
    for (int n = 1; n <= MESSAGES; n++) {
        int told = tbus_publish_wait(bus, out, &n, sizeof n, 0);
        if (told < 0)
            return told;
        published += told == TBUS_PUBLISHED;
        full += told == TBUS_FULL;
        dropped += told == TBUS_DROPPED;
    }
    printf("%s: %d published, %d found no room, %d dropped; ", name, published, full, dropped);
    return 0;
}

/* Everything that is there. TBUS_NOTHING, or why there is no going on. */
static int take_all(tbus_bus_t *bus, tbus_subscriber_t *in)
{
    const void *message;
    int told, taken = 0;
    while ((told = tbus_take_wait(bus, in, &message, NULL, 0)) == TBUS_TAKEN)
        taken++;
    printf("%d taken%s%s\n", taken, told < 0 ? ", then: " : "",
           told < 0 ? tbus_strerror(told) : "");
    return told;
}

static int try_policy(tbus_bus_t *bus, const char *name, tbus_error_t *err)
{
    tbus_publisher_t out;
    tbus_subscriber_t in;
    if (tbus_bus_publisher(bus, name, &out, err) < 0 ||
        tbus_bus_subscriber(bus, name, &in, err) < 0)
        return err->code;
    int told = publish_all(bus, &out, name);
    if (told == 0)
        told = take_all(bus, &in);
    if (told == -TBUS_EEVICTED) { /* leave, come back, and take what is published from now on */
        tbus_subscriber_leave(&in);
        if (tbus_bus_subscriber(bus, name, &in, err) < 0)
            return err->code;
        told = tbus_publish_wait(bus, &out, "again", 6, 0);
        printf("%s: after it has come back, ", name);
        if (told == TBUS_PUBLISHED)
            told = take_all(bus, &in);
    }
    tbus_subscriber_leave(&in);
    tbus_publisher_leave(&out);
    return told < 0 ? tbus_fail(err, told, "topic '%s': %s", name, tbus_strerror(told)) : 0;
}

int main(void)
{
    tbus_bus_t bus;
    tbus_error_t err;
    if (tbus_bus_create("slow_reader", &bus, &err) < 0)
        return fprintf(stderr, "slow_reader: %s\n", err.text), 1;
    int code = 0;
    if (add_topic(&bus, "block", TBUS_BLOCK, &err) < 0 ||
        add_topic(&bus, "drop-newest", TBUS_DROP_NEWEST, &err) < 0 ||
        add_topic(&bus, "evict-slowest", TBUS_EVICT_SLOWEST, &err) < 0 ||
        tbus_bus_join(&bus, "slow_reader", &err) < 0 || try_policy(&bus, "block", &err) < 0 ||
        try_policy(&bus, "drop-newest", &err) < 0 || try_policy(&bus, "evict-slowest", &err) < 0)
        code = fprintf(stderr, "slow_reader: %s\n", err.text);
    tbus_bus_close(&bus);
    return code != 0;
}
