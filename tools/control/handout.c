/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/control/handout.h"

#include <stdio.h>
#include <unistd.h>

bool handout_admits(const tbus_bus_t *bus)
{
    for (uint32_t i = 0; i < bus->topics_count; i++)
        if (bus->directory->topics[i].rights)
            return true;
    return false;
}

/* From now on somebody may read it. Once: publishers look at that line with each message. */
static void let_be_read(tbus_topic_t *topic)
{
    /* hint: we alone write it, and nobody is promised which message is the first. Whoever has the
     * descriptor finds on the ring what was published since its publisher saw this. */
    if (tbus_load_relaxed_u32(&topic->left_out))
        tbus_store_relaxed_u32(&topic->left_out, 0);
}

bool handout(const tbus_bus_t *bus, enum handout to, control_reply_t *reply)
{
    bool writes = to == HANDOUT_PARTICIPANT;
    for (uint32_t i = 0; i < bus->topics_count; i++)
        let_be_read(&bus->directory->topics[i]);
    int fd = tbus_segment_reopen(&bus->directory_segment, writes && handout_admits(bus));
    for (uint32_t i = 0; fd >= 0; i++) {
        reply->fds[reply->fds_count++] = fd;
        if (i == bus->topics_count)
            return true;
        fd = tbus_segment_reopen(&bus->topic_segments[i],
                                 writes && bus->directory->topics[i].rights);
    }
    while (reply->fds_count)
        close(reply->fds[--reply->fds_count]);
    reply->error = CONTROL_FAILED;
    snprintf(reply->error_text, sizeof reply->error_text, "%s", tbus_segment_reopen_why(fd));
    return false;
}
