/* SPDX-License-Identifier: Apache-2.0 */
#include "risk/kill_switch.h"

int kill_switch_add(tbus_bus_t *bus, kill_switch_t **out_kill_switch, tbus_error_t *err)
{
    void *block;
    int code = tbus_bus_add_block(bus, KILL_SWITCH_BLOCK, sizeof(kill_switch_t), &block, err);
    if (code == 0)
        *out_kill_switch = block;
    return code;
}

int kill_switch_find(const tbus_bus_t *bus, kill_switch_t **out_kill_switch, tbus_error_t *err)
{
    void *block;
    int code = tbus_bus_find_block(bus, KILL_SWITCH_BLOCK, sizeof(kill_switch_t), &block, err);
    if (code == 0)
        *out_kill_switch = block;
    return code;
}

void kill_switch_throw(kill_switch_t *kill_switch)
{
    tbus_store_relaxed_u32(&kill_switch->thrown, 1);
}

void kill_switch_release(kill_switch_t *kill_switch)
{
    tbus_store_relaxed_u32(&kill_switch->thrown, 0);
}
