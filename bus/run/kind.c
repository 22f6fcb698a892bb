/* SPDX-License-Identifier: Apache-2.0 */
#include <tickbus/kind.h>

#include <errno.h>
#include <string.h>

int tbus_crew_offer(tbus_crew_t *crew, const tbus_resource_t *resource, const void *params)
{
    if (!crew || !resource)
        return -EINVAL;
    for (uint32_t i = 0; i < crew->count; i++)
        if (crew->resources[i].resource == resource)
            return 0;
    if (crew->count == TBUS_RESOURCES_MAX)
        return -TBUS_EFULL;
    crew->resources[crew->count].resource = resource;
    crew->resources[crew->count].params = params;
    crew->resources[crew->count++].made = NULL;
    return 0;
}

int tbus_crew_use(tbus_crew_t *crew, const tbus_resource_t *resource, void **out_resource,
                  tbus_error_t *err)
{
    if (!crew || !resource || !out_resource)
        return tbus_fail(err, -EINVAL,
                         "resource: there is no crew, none is named, or nowhere to put it");
    for (uint32_t i = 0; i < crew->count; i++) {
        if (crew->resources[i].resource != resource)
            continue;
        int code = crew->resources[i].made
                       ? 0
                       : resource->create(crew->resources[i].params, &crew->resources[i].made, err);
        if (code == 0)
            *out_resource = crew->resources[i].made;
        return code;
    }
    return tbus_fail(err, -TBUS_ENOTFOUND, "nobody has said how to make '%s'", resource->name);
}

void tbus_crew_disband(tbus_crew_t *crew)
{
    for (uint32_t i = 0; crew && i < crew->count; i++)
        crew->resources[i].resource->destroy(crew->resources[i].made);
    if (crew)
        crew->count = 0;
}

/* "INSTANCE.CONTROL" is the name of a block. */
#define CONTROL_MAX ((size_t)(TBUS_BLOCK_NAME_MAX - TBUS_NAME_MAX))

static const char *port_fault(const tbus_port_t *port)
{
    if (port->role > TBUS_PORT_FOLLOW)
        return "a port has an unknown role";
    if (!port->topic)
        return port->role == TBUS_PORT_FOLLOW ? NULL : "only a follower may have every topic";
    if (!tbus_name_fits(port->topic) || (port->type && !tbus_name_fits(port->type)))
        return "the name of a topic or of its type is empty or too long";
    if (port->role != TBUS_PORT_PUBLISH &&
        (port->type || port->first_only || port->may_be_left_out))
        return "only a port that publishes says what a topic is";
    return NULL;
}

int tbus_kind_check(const tbus_kind_t *kind, tbus_error_t *err)
{
    if (!kind)
        return tbus_fail(err, -EINVAL, "there is no kind of stage to check");
    if (kind->api != TBUS_KIND_API || kind->struct_bytes != sizeof *kind)
        return tbus_fail(err, -TBUS_EABI,
                         "a kind of stage was made for another version of tickbus (api %u, %u "
                         "bytes; here %u, %zu)",
                         kind->api, kind->struct_bytes, TBUS_KIND_API, sizeof *kind);
    if (!kind->name || !tbus_name_fits(kind->name) || !kind->help || !kind->create)
        return tbus_fail(err, -EINVAL, "a kind of stage lacks a name, a help or a create");
    if (kind->ports_count > TBUS_PORTS_MAX)
        return tbus_fail(err, -EINVAL, "kind '%s' has more than %u ports", kind->name,
                         TBUS_PORTS_MAX);
    uint32_t driving = 0;
    for (uint32_t i = 0; i < kind->ports_count; i++) {
        const char *fault = port_fault(&kind->ports[i]);
        if (fault)
            return tbus_fail(err, -EINVAL, "kind '%s': %s", kind->name, fault);
        driving += kind->ports[i].driving;
    }
    if (driving > 1)
        return tbus_fail(err, -EINVAL, "kind '%s' has more than one driving port", kind->name);
    if ((kind->variant != NULL) != (kind->variant_param != NULL) ||
        (kind->check_change != NULL) != (kind->change != NULL))
        return tbus_fail(err, -EINVAL, "kind '%s': a pair of functions is there in part only",
                         kind->name);
    if ((kind->may_change || kind->traits & TBUS_KIND_REREADS) && !kind->change)
        return tbus_fail(err, -EINVAL, "kind '%s' says what may change, and has no change",
                         kind->name);
    if ((kind->control != NULL) != (kind->control_bytes != 0) ||
        (kind->control && strnlen(kind->control, CONTROL_MAX) == CONTROL_MAX))
        return tbus_fail(err, -EINVAL,
                         "kind '%s': its block of control has a name of 1 to %zu bytes and a size, "
                         "or neither",
                         kind->name, CONTROL_MAX - 1);
    return 0;
}
