/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/market/inputs.h"

#define KEPT_MAX 64u /* while the topic has no room; the stage takes nothing until it has */

int inputs_join(inputs_t *inputs, tbus_stage_t *stage, uint8_t from, uint32_t number,
                const recorded_inputs_t *recorded, tbus_error_t *err)
{
    inputs->from = from;
    inputs->number = number;
    inputs->recorded = recorded;
    if (recorded)
        inputs->left = tbus_counter(stage->bus, stage->owner, INPUTS_LEFT, "inputs");
    if (recorded || !tbus_bus_ring(stage->bus, EVENT_INPUTS_TOPIC))
        return 0;
    int code = tbus_outlet_create(&inputs->out, KEPT_MAX, EVENT_BYTES, err);
    return code < 0
               ? code
               : tbus_stage_join_publisher(stage, EVENT_INPUTS_TOPIC, &inputs->out.publisher, err);
}

void inputs_leave(inputs_t *inputs)
{
    tbus_outlet_destroy(&inputs->out);
}

void inputs_leave_off(inputs_t *inputs)
{
    tbus_store_relaxed_u64(inputs->left, inputs->recorded->count - inputs->repeated);
}

void inputs_tell(inputs_t *inputs, const tbus_stage_t *stage, uint32_t what, uint64_t which,
                 uint64_t md_seq)
{
    if (!inputs->out.publisher.ring.shared)
        return;
    event_t event = {.sent_ns = tbus_bus_now_ns(stage->bus),
                     .position = which,
                     .md_seq = md_seq,
                     .pid = inputs->number,
                     .number = what,
                     .kind = EVENT_TAKEN,
                     .from = inputs->from};
    tbus_outlet_send(&inputs->out, &event, sizeof event);
}
