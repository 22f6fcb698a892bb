/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/run/member.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <tickbus/open.h>
#include <tickbus/wake.h>

#define SETTLE_TURNS 10000 /* in all a second for another one of our name to finish joining */
#define SETTLE_NS    100000

bool tbus_bus_is_member(const tbus_bus_t *bus)
{
    return bus->owner && bus->pid == (uint32_t)getpid();
}

static bool bears(const tbus_participant_t *p, const char *name)
{
    char held[TBUS_NAME_MAX];
    tbus_words_load(held, p->name, sizeof held);
    return strncmp(held, name, sizeof held) == 0;
}

static uint32_t state_of(tbus_bus_t *bus, uint32_t owner)
{
    /* O2 pairs O1 (take_number): the name that is read next is this holder's. */
    return tbus_load_acquire_u32(&tbus_participant(bus, owner)->state);
}

/* The CPU that we are pinned to, or -1. */
static int32_t own_cpu(void)
{
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) < 0 || CPU_COUNT(&allowed) != 1)
        return -1;
    return sched_getcpu();
}

/* Whose block we may have: nobody's; the one that was added for us by whoever made the bus; that of
 * a dead one from outside, or of our own name. From outside never one of those that the supervisor
 * keeps for its own stages. */
static bool may_have(tbus_bus_t *bus, uint32_t owner, const char *name)
{
    const tbus_participant_t *p = tbus_participant(bus, owner);
    if (state_of(bus, owner) == TBUS_VACANT)
        return true;
    return p->from_outside || (!bus->attached && bears(p, name));
}

/* The life lock first: from then on nobody else takes or buries the number, and what a holder
 * before us left is repaired. Then the block, by CAS, since whoever made the bus may be adding a
 * participant of its own. The descriptor of the lock; -EBUSY: somebody else was faster. */
static int take_number(tbus_bus_t *bus, uint32_t owner, const char *name)
{
    tbus_participant_t *p = tbus_participant(bus, owner);
    int life = tbus_participant_live(bus, owner, NULL);
    if (life < 0)
        return life;
    uint32_t state = state_of(bus, owner);
    bool added = state != TBUS_VACANT && !p->from_outside;
    /* O2 pairs O1: the holder before us, or whoever added the block, has finished writing it. */
    if (!may_have(bus, owner, name) || !tbus_cas_u32(&p->state, &state, TBUS_VACANT)) {
        close(life);
        return -EBUSY;
    }
    tbus_participant_clear(bus, owner);
    char padded[TBUS_NAME_MAX] = {0};
    memcpy(padded, name, strlen(name));
    tbus_words_store(p->name, padded, sizeof padded);
    p->from_outside = !added;
    p->cpu = own_cpu();
    p->wait_mode = bus->wait_mode;
    p->reason[0] = 0;
    uint32_t vacant = TBUS_VACANT;
    /* O1 pairs O2 (state_of): else somebody takes the name of the last holder for ours. */
    if (tbus_cas_u32(&p->state, &vacant, TBUS_BOOT))
        return life;
    close(life);
    return -EBUSY;
}

/* Two that take a number each under one name at the same time: at least one sees the other. The
 * higher number gives way; the lower one waits until the other has, or has come all the way. */
static int only_one_of_that_name(tbus_bus_t *bus, uint32_t ours, const char *name)
{
    /* O5 pairs itself, in the other process: our store of the name comes before our look at the
     * others'. Else neither sees the other, and two participants have one name. */
    tbus_fence_full();
    for (uint32_t owner = 1; owner <= TBUS_PARTICIPANTS_MAX; owner++) {
        const tbus_participant_t *p = tbus_participant(bus, owner);
        unsigned turns = 0;
        while (owner != ours && state_of(bus, owner) != TBUS_VACANT && bears(p, name) &&
               tbus_participant_alive(bus, owner) == 1) {
            if (owner < ours || state_of(bus, owner) != TBUS_BOOT)
                return -TBUS_EEXISTS;
            if (++turns == SETTLE_TURNS)
                return -EAGAIN;
            nanosleep(&(struct timespec){.tv_nsec = SETTLE_NS}, NULL);
        }
    }
    return 0;
}

static int name_is_taken(tbus_bus_t *bus, uint32_t owner, const char *name, tbus_error_t *err)
{
    return tbus_fail(err, -TBUS_EEXISTS,
                     "bus '" TBUS_NAME_TEXT "': there is a participant '%s' already (process %u); "
                     "take another name",
                     bus->directory->name, name, tbus_participant(bus, owner)->pid);
}

/* In this order: the number that bore our name before, one that nobody has, a dead one's. */
static int find_number(tbus_bus_t *bus, const char *name, int *out_life, tbus_error_t *err)
{
    for (uint32_t owner = 1; owner <= TBUS_PARTICIPANTS_MAX; owner++)
        if (state_of(bus, owner) != TBUS_VACANT && bears(tbus_participant(bus, owner), name)) {
            if (!may_have(bus, owner, name) || tbus_participant_alive(bus, owner) != 0)
                return name_is_taken(bus, owner, name, err);
            *out_life = take_number(bus, owner, name);
            if (*out_life >= 0)
                return (int)owner;
        }
    for (int dead = 0; dead < 2; dead++)
        for (uint32_t owner = 1; owner <= TBUS_PARTICIPANTS_MAX; owner++) {
            bool vacant = state_of(bus, owner) == TBUS_VACANT;
            if (vacant == dead || !may_have(bus, owner, name) ||
                tbus_participant_alive(bus, owner) != 0)
                continue;
            *out_life = take_number(bus, owner, name);
            if (*out_life >= 0)
                return (int)owner;
        }
    return tbus_fail(err, -TBUS_EFULL,
                     "bus '" TBUS_NAME_TEXT "', participant '%s': it has %u participants, and no "
                     "more fit",
                     bus->directory->name, name, TBUS_PARTICIPANTS_MAX);
}

int tbus_bus_join(tbus_bus_t *bus, const char *name, tbus_error_t *err)
{
    if (!bus || !bus->directory)
        return tbus_fail(err, -EINVAL, "join: there is no bus");
    if (!name || !tbus_name_fits(name))
        return tbus_fail(err, -EINVAL,
                         "bus '" TBUS_NAME_TEXT "': participant name '%s' is empty or longer than "
                         "%u",
                         bus->directory->name, name ? name : "", TBUS_NAME_MAX - 1);
    if (tbus_bus_is_member(bus))
        return tbus_fail(err, -TBUS_EEXISTS,
                         "bus '" TBUS_NAME_TEXT "': this handle has joined as participant %u; "
                         "another name needs a handle of its own",
                         bus->directory->name, bus->owner);
    if (!bus->directory_segment.writable)
        return tbus_fail(err, -TBUS_EKIND,
                         "bus '" TBUS_NAME_TEXT "' is mapped read-only: only observing is possible",
                         bus->directory->name);
    int life = -1;
    int owner = find_number(bus, name, &life, err);
    if (owner < 0)
        return owner;
    tbus_participant_t *p = tbus_participant(bus, (uint32_t)owner);
    int code = only_one_of_that_name(bus, (uint32_t)owner, name);
    if (code < 0) {
        tbus_store_release_u32(&p->state, TBUS_VACANT); /* O1 */
        close(life);
        return tbus_fail(err, code,
                         code == -EAGAIN
                             ? "bus '" TBUS_NAME_TEXT "': another participant '%s' is just joining "
                               "and does not get on with it (stopped?); try again"
                             : "bus '" TBUS_NAME_TEXT "': there is a participant '%s' already; "
                               "take another name",
                         bus->directory->name, name);
    }
    bus->owner = (uint32_t)owner;
    bus->life = life;
    bus->pid = (uint32_t)getpid();
    bus->publishing = 0;
    memset(bus->told, 0, sizeof bus->told);
    tbus_store_release_u32(&p->state, TBUS_READY); /* O1 */
    return owner;
}

void tbus_bus_leave(tbus_bus_t *bus)
{
    if (!tbus_bus_is_member(bus))
        return;
    tbus_participant_t *p = tbus_participant(bus, bus->owner);
    for (uint32_t i = 0; i < bus->topics_count; i++)
        if (bus->publishing >> i & 1)
            tbus_topic_mend_end(bus, bus->owner, i); /* what was published last counts as well */
    tbus_participant_clear(bus, bus->owner);
    p->pid = 0;
    tbus_store_release_u32(&p->state, p->from_outside ? TBUS_VACANT : TBUS_HALT); /* O1 */
    close(bus->life);
    bus->owner = 0;
}
