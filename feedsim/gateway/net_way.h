/* SPDX-License-Identifier: Apache-2.0 */
/* net_way.h - what each way to the kernel brings to net.h. For net*.c alone. */
#ifndef TICKBUS_FEEDSIM_GATEWAY_NET_WAY_H
#define TICKBUS_FEEDSIM_GATEWAY_NET_WAY_H

#include <errno.h>

#include "feedsim/gateway/net.h"

typedef struct gateway_net_way {
    const char *name;
    int (*create)(uint32_t slots_max, const gateway_net_events_t *events, gateway_net_t **out_net,
                  tbus_error_t *err);
    void (*destroy)(gateway_net_t *net);
    /* The listener `index` is new. 0 or -errno. */
    int (*listen)(gateway_net_t *net, uint32_t index);
    /* Or go on, as `paused` says now. 0, or -errno: to go on was refused; then it is called once
     * more, to pause. */
    int (*pause)(gateway_net_t *net);
    void (*close_listeners)(gateway_net_t *net);
    bool (*poll)(gateway_net_t *net, uint64_t wait_ns);
    void (*send)(gateway_net_t *net, uint32_t slot, const uint8_t *bytes, size_t count);
    void (*flush)(gateway_net_t *net);
    void (*shutdown)(gateway_net_t *net, uint32_t slot);
    void (*close)(gateway_net_t *net, uint32_t slot);
} gateway_net_way_t;

/* The first member of each way's own struct. */
struct gateway_net {
    const gateway_net_way_t *way;
    uint32_t slots_max;
    gateway_net_events_t events;
    bool paused;
    uint32_t listeners_count;
    int listeners[GATEWAY_LISTENERS_MAX];
};

extern const gateway_net_way_t gateway_net_epoll;
extern const gateway_net_way_t gateway_net_uring;

/* Is this error of accept(2) one of the connection alone, or none? The next call is as good as any:
 * accept(2) hands on what the network had said of a connection before it was taken. All others are
 * of want, or of what nobody knows: whoever asked again at once would turn for nothing. */
static inline bool gateway_net_passes(int error)
{
    switch (-error) {
    case EAGAIN:
    case EINTR:
    case ECANCELED: /* we did */
    case ECONNABORTED:
    case EPROTO:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
        return true;
    default:
        return false;
    }
}

/* Nobody can be accepted now: pause, and have whoever owns the sockets say when to go on. */
static inline void gateway_net_cannot_accept(gateway_net_t *net, int error)
{
    gateway_net_pause(net, true);
    net->events.accept_failed(net->events.context, error);
}

#endif
