/* SPDX-License-Identifier: Apache-2.0 */
#include <tickbus/horizon.h>

#include <linux/futex.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

void tbus_horizon_wake(tbus_horizon_t *horizon)
{
    /* A3 pairs A4 (tbus_waiter_park): our store comes before this look at `waiting`. */
    tbus_fence_full();
    if (!tbus_load_relaxed_u32(&horizon->waiting))
        return;
    /* W6 pairs W5 (tbus_waiter_park): a sleeper reads the bell before it sets the bit. */
    if (!tbus_fetch_and_u32(&horizon->waiting, 0))
        return;
    tbus_fetch_add_relaxed_u32(&horizon->bell, 1);
    syscall(SYS_futex, &horizon->bell, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}
