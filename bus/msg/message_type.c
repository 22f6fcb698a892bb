/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/msg/message_type.h"

#include <string.h>

#include <tickbus/msg/bbo.h>
#include <tickbus/msg/event.h>
#include <tickbus/msg/order.h>
#include <tickbus/msg/report.h>

static const message_type_t types[] = {
    {"tick", MESSAGE_TICK, TICK_VERSION, 1, TICK_BODY_OFFSET, TICK_LEN_MAX},
    {"bbo", MESSAGE_BBO, BBO_VERSION, 1, sizeof(bbo_t), sizeof(bbo_t)},
    {"order", MESSAGE_ORDER, ORDER_VERSION, 2, sizeof(order_t), sizeof(order_t)},
    {"report", MESSAGE_REPORT, REPORT_VERSION, 2, sizeof(report_t), sizeof(report_t)},
    {"event", MESSAGE_EVENT, EVENT_VERSION, 1, EVENT_BYTES, EVENT_BYTES_MAX},
};

const message_type_t *message_type(const char *name)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(types[i].name, name) == 0)
            return &types[i];
    return NULL;
}

enum message_id message_identify(const char *type_name, size_t bytes)
{
    const message_type_t *type = message_type(type_name);
    bool fits = type && bytes >= type->bytes_min && bytes <= type->bytes_max;
    return fits ? type->id : MESSAGE_UNKNOWN;
}

bool message_type_reads(const message_type_t *type, uint32_t version)
{
    uint32_t known = version ? version : 1;
    return known >= type->oldest && known <= type->version;
}

tick_t message_tick(const void *message, size_t bytes)
{
    tick_t tick = {0};
    memcpy(&tick, message, bytes < sizeof tick ? bytes : sizeof tick);
    return tick;
}
