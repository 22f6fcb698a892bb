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
    void (*pause)(gateway_net_t *net); /* or go on, as `paused` says now */
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

/* Is this error of accept(2) one of want, which passes, and not one of the connection? */
static inline bool gateway_net_wants(int error)
{
    return error == -EMFILE || error == -ENFILE || error == -ENOBUFS || error == -ENOMEM;
}

#endif
