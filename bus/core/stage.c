/* SPDX-License-Identifier: Apache-2.0 */
#include <tickbus/stage.h>

int tbus_stage_subscribe(tbus_stage_t *stage, const char *topic, const char *name, tbus_subscriber_t *out,
                         tbus_error_t *err)
{
    tbus_ring_t *ring = tbus_bus_ring(stage->bus, topic);
    if (!ring)
        return tbus_fail(err, -TBUS_ENOTFOUND, "stage '%s': the bus has no topic '%s'", stage->name, topic);
    if (stage->subscribers_count == TBUS_STAGE_RINGS_MAX)
        return tbus_fail(err, -TBUS_EFULL, "stage '%s' subscribes more than %u topics", stage->name,
                         TBUS_STAGE_RINGS_MAX);
    int code = tbus_subscriber_join(ring, name, stage->owner, out, err);
    if (code == 0)
        stage->subscribers[stage->subscribers_count++] = out;
    return code;
}

int tbus_stage_publish(tbus_stage_t *stage, const char *topic, tbus_publisher_t *out, tbus_error_t *err)
{
    tbus_ring_t *ring = tbus_bus_ring(stage->bus, topic);
    if (!ring)
        return tbus_fail(err, -TBUS_ENOTFOUND, "stage '%s': the bus has no topic '%s'", stage->name, topic);
    if (stage->publishers_count == TBUS_STAGE_RINGS_MAX)
        return tbus_fail(err, -TBUS_EFULL, "stage '%s' publishes more than %u topics", stage->name,
                         TBUS_STAGE_RINGS_MAX);
    int code = tbus_publisher_join(ring, stage->owner, out, err);
    if (code == 0)
        stage->publishers[stage->publishers_count++] = out;
    return code;
}
