/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/show/gapless.h"

#include "bus/msg/message_type.h"

bool topic_is_gapless(const tbus_journal_topic_t *topic)
{
    const message_type_t *type = message_type(topic->type);
    switch (topic->ring_kind) {
    case TBUS_SPSC:
    case TBUS_BROADCAST:
        return true;
    case TBUS_BROADCAST_MP:
    case TBUS_MPMC:
    case TBUS_MPSC:
        return false;
    default: /* an older journal does not say: what the topics of these types always were */
        return type && (type->id == MESSAGE_TICK || type->id == MESSAGE_BBO);
    }
}
