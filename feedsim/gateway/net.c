/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/gateway/net.h"

#include <unistd.h>

#include "feedsim/gateway/net_way.h"

int gateway_net_create(enum gateway_io io, uint32_t slots_max, const gateway_net_events_t *events,
                       gateway_net_t **out_net, tbus_error_t *err)
{
    const gateway_net_way_t *way = io == GATEWAY_IO_URING ? &gateway_net_uring : &gateway_net_epoll;
    return way->create(slots_max, events, out_net, err);
}

void gateway_net_destroy(gateway_net_t *net)
{
    if (net)
        net->way->destroy(net);
}

const char *gateway_net_name(const gateway_net_t *net)
{
    return net->way->name;
}

int gateway_net_listen(gateway_net_t *net, int fd, tbus_error_t *err)
{
    uint32_t index = net->listeners_count;
    if (index == GATEWAY_LISTENERS_MAX) {
        close(fd);
        return tbus_fail(err, -TBUS_EFULL, "a gateway listens on at most %u ports",
                         GATEWAY_LISTENERS_MAX);
    }
    net->listeners[index] = fd;
    int code = net->way->listen(net, index);
    if (code < 0) {
        close(fd);
        return tbus_fail(err, code, "cannot wait for connections: %s", tbus_strerror(code));
    }
    net->listeners_count = index + 1;
    return 0;
}

void gateway_net_pause(gateway_net_t *net, bool paused)
{
    if (net->paused == paused)
        return;
    net->paused = paused;
    int code = net->way->pause(net);
    if (code < 0) /* to go on: some listeners may have, others not */
        gateway_net_cannot_accept(net, code);
}

void gateway_net_close_listeners(gateway_net_t *net)
{
    net->way->close_listeners(net);
}

bool gateway_net_poll(gateway_net_t *net, uint64_t wait_ns)
{
    return net->way->poll(net, wait_ns);
}

void gateway_net_send(gateway_net_t *net, uint32_t slot, const uint8_t *bytes, size_t count)
{
    net->way->send(net, slot, bytes, count);
}

void gateway_net_flush(gateway_net_t *net)
{
    net->way->flush(net);
}

void gateway_net_shutdown(gateway_net_t *net, uint32_t slot)
{
    net->way->shutdown(net, slot);
}

void gateway_net_close(gateway_net_t *net, uint32_t slot)
{
    net->way->close(net, slot);
}
