/* SPDX-License-Identifier: Apache-2.0 */
#include <tickbus/stage.h>

#include <errno.h>
#include <unistd.h>

/* What a stage needs to join `topic`. A child that a participant forked is not that participant:
 * its life lock stays with the parent, so what the child claims would never be repaired, or be
 * repaired under its hands. */
static int find_ring(const tbus_stage_t *stage, const char *topic, uint32_t joined,
                     tbus_ring_t **out_ring, tbus_error_t *err)
{
    if (!stage || !stage->bus)
        return tbus_fail(err, -EINVAL, "there is no stage to join topics, or it has no bus");
    if (!topic || stage->owner > TBUS_PARTICIPANTS_MAX)
        return tbus_fail(err, -EINVAL, "stage '" TBUS_NAME_TEXT "': no topic, or no participant",
                         stage->name);
    tbus_ring_t *ring = tbus_bus_ring(stage->bus, topic);
    if (!ring)
        return tbus_fail(err, -TBUS_ENOTFOUND, "stage '%s': the bus has no topic '%s'", stage->name,
                         topic);
    if (joined == TBUS_STAGE_RINGS_MAX)
        return tbus_fail(err, -TBUS_EFULL, "stage '%s' joins more than %u topics", stage->name,
                         TBUS_STAGE_RINGS_MAX);
    uint32_t pid = stage->owner ? tbus_participant(stage->bus, stage->owner)->pid : 0;
    if (pid && pid != (uint32_t)getpid())
        return tbus_fail(
            err, -TBUS_ESTALE,
            "stage '%s': its participant lives in process %u, this is a child or a stranger; "
            "tbus_participant_live comes first",
            stage->name, pid);
    *out_ring = ring;
    return 0;
}

int tbus_stage_join_subscriber(tbus_stage_t *stage, const char *topic, const char *name,
                               tbus_subscriber_t *out, tbus_error_t *err)
{
    tbus_ring_t *ring = NULL;
    int code = find_ring(stage, topic, stage ? stage->subscribers_count : 0, &ring, err);
    if (code == 0)
        code = tbus_subscriber_join(ring, name, stage->owner, out, err);
    if (code == 0)
        stage->subscribers[stage->subscribers_count++] = out;
    return code;
}

int tbus_stage_join_publisher(tbus_stage_t *stage, const char *topic, tbus_publisher_t *out,
                              tbus_error_t *err)
{
    tbus_ring_t *ring = NULL;
    int code = find_ring(stage, topic, stage ? stage->publishers_count : 0, &ring, err);
    if (code == 0)
        code = tbus_participant_take_topic(stage->bus, stage->owner,
                                           (uint32_t)(ring - stage->bus->rings), err);
    if (code == 0)
        code = tbus_publisher_join(ring, stage->owner, out, err);
    if (code == 0)
        stage->publishers[stage->publishers_count++] = out;
    return code;
}

void tbus_stage_leave(tbus_stage_t *stage)
{
    if (!stage)
        return;
    while (stage->subscribers_count)
        tbus_subscriber_leave(stage->subscribers[--stage->subscribers_count]);
    while (stage->publishers_count)
        tbus_publisher_leave(stage->publishers[--stage->publishers_count]);
}

tbus_horizon_t *tbus_stage_keep_horizon(tbus_stage_t *stage, const char *topic, uint32_t stream)
{
    tbus_ring_t *ring = stage ? tbus_bus_ring(stage->bus, topic) : NULL;
    if (!ring || stage->owner < 1 || stage->owner > TBUS_PARTICIPANTS_MAX)
        return NULL;
    tbus_participant_t *p = tbus_participant(stage->bus, stage->owner);
    p->stream = stream;
    p->horizon_topics |= UINT32_C(1) << (ring - stage->bus->rings);
    return &p->horizon;
}

uint32_t tbus_stage_next_with_horizon(const tbus_stage_t *stage, const char *topic, uint32_t after)
{
    const tbus_ring_t *ring = stage ? tbus_bus_ring(stage->bus, topic) : NULL;
    if (!ring || after >= TBUS_PARTICIPANTS_MAX)
        return 0;
    for (uint32_t owner = after + 1; owner <= TBUS_PARTICIPANTS_MAX; owner++)
        if (stage->bus->directory->participants[owner - 1].horizon_topics >>
                (ring - stage->bus->rings) &
            1)
            return owner;
    return 0;
}

int tbus_stage_watch_horizon(tbus_stage_t *stage, uint32_t owner, tbus_horizon_view_t *view)
{
    if (!stage || !stage->bus || !view || owner < 1 || owner > TBUS_PARTICIPANTS_MAX)
        return -EINVAL;
    if (stage->horizons_count == TBUS_STAGE_HORIZONS_MAX)
        return tbus_fail(&stage->error, -TBUS_EFULL, "stage '%s' waits for more than %u others",
                         stage->name, TBUS_STAGE_HORIZONS_MAX);
    view->shared = &tbus_participant(stage->bus, owner)->horizon;
    stage->horizons[stage->horizons_count++] = view;
    return 0;
}
