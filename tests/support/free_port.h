/* SPDX-License-Identifier: Apache-2.0 */
/* free_port.h - a port for a server of a test. For tests, whose asserts it uses. */
#ifndef TICKBUS_TESTS_SUPPORT_FREE_PORT_H
#define TICKBUS_TESTS_SUPPORT_FREE_PORT_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

/* A port of loopback that nobody has: as good as sure, until somebody takes it. `type`: SOCK_DGRAM
 * or SOCK_STREAM. */
static inline uint16_t free_port(int type)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof at;
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &bytes), 0);
    close(fd);
    return ntohs(at.sin_port);
}

#endif
