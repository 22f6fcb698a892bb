/* SPDX-License-Identifier: Apache-2.0 */
#include <tickbus/open.h>

#include "bus/run/member.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define RETRY_TURNS 1000 /* in all a second for a publisher that is in the middle of something */
#define RETRY_NS    1000000

static int no_such_topic(const tbus_bus_t *bus, const char *topic, tbus_error_t *err)
{
    char names[TBUS_TOPICS_MAX * (TBUS_NAME_MAX + 2)] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < bus->topics_count && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s" TBUS_NAME_TEXT,
                                 i ? ", " : "", bus->directory->topics[i].name);
    return tbus_fail(err, -TBUS_ENOTFOUND,
                     "bus '" TBUS_NAME_TEXT "' has no topic '%.40s'; it has: %s",
                     bus->directory->name, topic, names);
}

/* The topic's index. */
static int find_topic(const tbus_bus_t *bus, const char *topic, const void *out, tbus_error_t *err)
{
    if (!bus || !bus->directory || !topic || !out)
        return tbus_fail(err, -EINVAL, "topic '%.40s': no bus, no name, or nowhere to put it",
                         topic ? topic : "");
    int index = tbus_bus_topic_index(bus, topic);
    return index >= 0 && bus->rings[index].shared ? index : no_such_topic(bus, topic, err);
}

/* The topic's index, if we may do there what needs `right`. */
static int find_allowed(const tbus_bus_t *bus, const char *topic, enum tbus_rights right,
                        const void *out, tbus_error_t *err)
{
    int index = find_topic(bus, topic, out, err);
    if (index < 0)
        return index;
    const tbus_topic_t *entry = &bus->directory->topics[index];
    const char *what = right == TBUS_MAY_PUBLISH ? "publish" : "gate";
    if (bus->attached && (!bus->rings[index].writable || !(entry->rights & right)))
        return tbus_fail(err, -EACCES,
                         "topic '" TBUS_NAME_TEXT "' of bus '" TBUS_NAME_TEXT
                         "': participants from outside may observe it, not %s; its configuration "
                         "says who may (topics." TBUS_NAME_TEXT ".%s)",
                         entry->name, bus->directory->name,
                         right == TBUS_MAY_PUBLISH ? "publish there" : "subscribe to it",
                         entry->name, what);
    if (!bus->rings[index].writable)
        return tbus_fail(err, -TBUS_EKIND,
                         "topic '" TBUS_NAME_TEXT
                         "' is mapped read-only: only observing is possible",
                         entry->name);
    if (!tbus_bus_is_member(bus))
        return tbus_fail(err, -TBUS_ESTALE,
                         "topic '" TBUS_NAME_TEXT
                         "': this process has not joined the bus; tbus_bus_join comes first",
                         entry->name);
    return index;
}

int tbus_bus_publisher(tbus_bus_t *bus, const char *topic, tbus_publisher_t *out_publisher,
                       tbus_error_t *err)
{
    int index = find_allowed(bus, topic, TBUS_MAY_PUBLISH, out_publisher, err);
    if (index < 0)
        return index;
    if (bus->publishing >> index & 1)
        return tbus_fail(err, -EBUSY,
                         "topic '%s': this participant publishes there already; a second publisher "
                         "needs a number, and a handle, of its own",
                         topic);
    int code = tbus_participant_take_topic(bus, bus->owner, (uint32_t)index, err);
    if (code == 0)
        code = tbus_publisher_join(&bus->rings[index], bus->owner, out_publisher, err);
    if (code == 0)
        bus->publishing |= UINT32_C(1) << index;
    return code;
}

/* Where something was reserved for us, nothing that was published since then is missing. */
static int take_place(tbus_bus_t *bus, uint32_t index, enum tbus_sub_role role,
                      tbus_subscriber_t *out_subscriber, tbus_error_t *err)
{
    const tbus_ring_t *ring = &bus->rings[index];
    char name[TBUS_NAME_MAX] = "";
    tbus_words_load(name, tbus_participant(bus, bus->owner)->name, sizeof name);
    name[TBUS_NAME_MAX - 1] = 0;
    int code = tbus_subscriber_join(ring, name, bus->owner, out_subscriber, err);
    return code == -TBUS_ENOTFOUND
               ? tbus_subscriber_join_late(ring, name, role, bus->owner, out_subscriber, err)
               : code;
}

/* The publisher is in the middle of saying how far it is: put it right if it has died over it. */
static void wait_for_end(tbus_bus_t *bus, uint32_t index)
{
    bool may_mend =
        tbus_bus_is_member(bus) && bus->rings[index].writable && !(bus->publishing >> index & 1);
    if (!may_mend || !tbus_topic_mend_end(bus, bus->owner, index))
        nanosleep(&(struct timespec){.tv_nsec = RETRY_NS}, NULL);
}

static int subscribe(tbus_bus_t *bus, const char *topic, enum tbus_sub_role role,
                     tbus_subscriber_t *out_subscriber, tbus_error_t *err)
{
    int found = find_allowed(bus, topic, TBUS_MAY_GATE, out_subscriber, err);
    if (found < 0)
        return found;
    uint32_t index = (uint32_t)found;
    if (role == TBUS_SUBSCRIBER && bus->rings[index].competing)
        role = TBUS_CONSUMER;
    int code = take_place(bus, index, role, out_subscriber, err);
    /* What is in the way may have been left by the dead. */
    if (code < 0 && tbus_bus_heal(bus) > 0)
        code = take_place(bus, index, role, out_subscriber, err);
    for (unsigned turns = 0; code == -EAGAIN && turns < RETRY_TURNS; turns++) {
        code = take_place(bus, index, role, out_subscriber, err);
        if (code == -EAGAIN)
            wait_for_end(bus, index);
    }
    if (code == 0)
        bus->told[0][index] = 0;
    return code;
}

int tbus_bus_subscriber(tbus_bus_t *bus, const char *topic, tbus_subscriber_t *out_subscriber,
                        tbus_error_t *err)
{
    return subscribe(bus, topic, TBUS_SUBSCRIBER, out_subscriber, err);
}

int tbus_bus_follower(tbus_bus_t *bus, const char *topic, tbus_subscriber_t *out_subscriber,
                      tbus_error_t *err)
{
    return subscribe(bus, topic, TBUS_FOLLOWER, out_subscriber, err);
}

int tbus_bus_observer(tbus_bus_t *bus, const char *topic, enum tbus_observe_from from,
                      tbus_observer_t *out_observer, tbus_error_t *err)
{
    int index = find_topic(bus, topic, out_observer, err);
    if (index < 0)
        return index;
    if (from != TBUS_FROM_NOW && from != TBUS_FROM_OLDEST)
        return tbus_fail(err, -EINVAL, "topic '%s': observe from %d: no such place", topic,
                         (int)from);
    bus->told[1][index] = 0;
    int code = -EAGAIN;
    for (unsigned turns = 0; code == -EAGAIN && turns < RETRY_TURNS; turns++) {
        code = tbus_observer_join(&bus->rings[index], from, out_observer, err);
        if (code == -EAGAIN)
            wait_for_end(bus, (uint32_t)index);
    }
    return code;
}
