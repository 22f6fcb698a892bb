/* SPDX-License-Identifier: Apache-2.0 */
#include <tickbus/wake.h>

#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

bool tbus_membarrier_register(void)
{
    /* 0 not tried, 1 registered, 2 refused. hint: threads that race get the same answer. */
    static tbus_atomic_u32_t state;
    uint32_t known = tbus_load_relaxed_u32(&state);
    if (!known) {
        known =
            syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0) == 0 ? 1 : 2;
        tbus_store_relaxed_u32(&state, known);
    }
    return known == 1;
}

void tbus_ring_wake(tbus_ring_shared_t *shared, uint32_t sleepers)
{
    /* The process that clears a bit rings that bell; until the sleeper wakes, further messages cost
     * no system call. W6 pairs W5 (tbus_waiter_park): the sleeper read its bell before we ring
     * it. */
    sleepers &= tbus_fetch_and_u32(&shared->sleepers, ~sleepers);
    while (sleepers) {
        unsigned i = (unsigned)__builtin_ctz(sleepers);
        sleepers &= sleepers - 1;
        tbus_atomic_u32_t *bell = &shared->subs[i].bell;
        /* The kernel compares this word with the value that the sleeper read before its last look.
         * Not FUTEX_PRIVATE: the sleeper is another process. */
        tbus_fetch_add_relaxed_u32(bell, 1);
        syscall(SYS_futex, bell, FUTEX_WAKE, 1, NULL, NULL, 0);
    }
}

void tbus_ring_look_again(tbus_ring_shared_t *shared)
{
    /* W1 pairs W2 (tbus_waiter_park): our store of the slot comes before this look at `sleepers`.
     * Subscribers that want our fence call no membarrier(2) before they sleep. Else we miss its
     * bit, it misses the message, and it sleeps on. */
    tbus_fence_full();
    uint32_t sleepers = tbus_load_relaxed_u32(&shared->sleepers);
    if (sleepers)
        tbus_ring_wake(shared, sleepers);
}

void tbus_ring_wake_publishers(tbus_ring_shared_t *shared)
{
    /* W6 pairs W5 (tbus_waiter_park): as above. */
    if (!tbus_fetch_and_u32(&shared->pubs_waiting, 0))
        return;
    tbus_fetch_add_relaxed_u32(&shared->room_bell, 1);
    syscall(SYS_futex, &shared->room_bell, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

void tbus_ring_nudge(tbus_ring_t *ring)
{
    tbus_ring_look_again(ring->shared);
    tbus_ring_wake_publishers(ring->shared);
}
