/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/config/kinds.h"

#include <stdio.h>
#include <string.h>

#include "bus/journal/recorder.h"
#include "feedsim/bridge/kind.h"
#include "feedsim/feed.h"
#include "feedsim/gateway/stage.h"
#include "feedsim/mold/stage.h"
#include "risk/stage.h"
#include "risk/venue/executor.h"
#include "strategy/stage.h"

static const tbus_kind_t *kinds[KINDS_MAX] = {
    &feed_kind,    &strategy_kind, &risk_kind,   &executor_kind,      &gateway_kind,
    &glimpse_kind, &moldout_kind,  &bridge_kind, &tbus_recorder_kind,
};

const tbus_kind_t *kinds_at(uint32_t index)
{
    return index < KINDS_MAX ? kinds[index] : NULL;
}

const tbus_kind_t *kinds_find(const char *name)
{
    const tbus_kind_t *kind;
    for (uint32_t i = 0; (kind = kinds_at(i)) != NULL; i++)
        if (strcmp(kind->name, name) == 0)
            return kind;
    return NULL;
}

void kinds_names(char *out_text, size_t bytes)
{
    size_t used = 0;
    const tbus_kind_t *kind;
    out_text[0] = 0;
    for (uint32_t i = 0; (kind = kinds_at(i)) != NULL && used < bytes; i++)
        used += (size_t)snprintf(out_text + used, bytes - used, "%s%s", i ? ", " : "", kind->name);
}

int kinds_add(const tbus_kind_t *kind, tbus_error_t *err)
{
    int code = tbus_kind_check(kind, err);
    if (code < 0)
        return code;
    if (kinds_find(kind->name))
        return tbus_fail(err, -TBUS_EEXISTS, "there is a kind '%s' already", kind->name);
    for (uint32_t i = 0; i < KINDS_MAX; i++)
        if (!kinds[i]) {
            kinds[i] = kind;
            return 0;
        }
    return tbus_fail(err, -TBUS_EFULL, "kind '%s': there can be at most %u kinds", kind->name,
                     KINDS_MAX);
}

/* Does this port say what its topic is, and is it the first that does? */
static bool names_topic(const tbus_kind_t *kind, uint32_t kinds_before, uint32_t index)
{
    const tbus_port_t *port = &kind->ports[index];
    if (port->role != TBUS_PORT_PUBLISH || !port->type)
        return false;
    for (uint32_t k = 0; k <= kinds_before; k++)
        for (uint32_t i = 0; i < kinds[k]->ports_count; i++) {
            const tbus_port_t *earlier = &kinds[k]->ports[i];
            if (earlier == port)
                return true;
            if (earlier->role == TBUS_PORT_PUBLISH && earlier->type &&
                strcmp(earlier->topic, port->topic) == 0)
                return false;
        }
    return true;
}

bool kinds_publish(const tbus_kind_t *kind, const char *topic)
{
    for (uint32_t k = 0; k < kind->ports_count; k++)
        if (kind->ports[k].role == TBUS_PORT_PUBLISH && strcmp(kind->ports[k].topic, topic) == 0)
            return true;
    return false;
}

const tbus_port_t *kinds_topic_at(uint32_t index)
{
    const tbus_kind_t *kind;
    for (uint32_t k = 0; (kind = kinds_at(k)) != NULL; k++)
        for (uint32_t i = 0; i < kind->ports_count; i++)
            if (names_topic(kind, k, i) && index-- == 0)
                return &kind->ports[i];
    return NULL;
}
