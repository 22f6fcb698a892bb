/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/latency/subscriber.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include <tickbus/soup.h>

#include "feedsim/gateway/stage.h"
#include "tools/show/gateway.h"

#define TOPIC "md"

/* In the child. What it says is for nobody: the figures tell whether it was there. */
static int receive(int fd)
{
    char server[SUBSCRIBER_SERVER_MAX];
    tbus_soup_options_t options = {.from = 0};
    tbus_soup_event_t event;
    tbus_soup_t *soup;
    ssize_t bytes;
    while ((bytes = read(fd, server, sizeof server - 1)) < 0 && errno == EINTR) {
    }
    if (bytes <= 0)
        return 1;
    server[bytes] = 0;
    if (tbus_soup_open(server, &options, &soup, NULL) < 0)
        return 1;
    for (;;) {
        int outcome = tbus_soup_next(soup, UINT64_MAX, &event, NULL);
        if (outcome < 0 || outcome == TBUS_SOUP_ENDED || outcome == TBUS_SOUP_REFUSED)
            return 0;
    }
}

/* Ctrl-C is for the pipeline, which drains; whoever started us ends us. */
static void run(int fd, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (getppid() != parent)
        _exit(1);
    _exit(receive(fd));
}

/* Where a client on this host finds what listens at `address` ("ADDRESS:PORT"). */
static void host_of(const char *address, char *out_host, size_t bytes)
{
    const char *colon = strrchr(address, ':');
    size_t length = colon ? (size_t)(colon - address) : 0;
    snprintf(out_host, bytes, "%.*s", (int)length, address);
    if (!*out_host || strcmp(out_host, "0.0.0.0") == 0 || strcmp(out_host, "*") == 0)
        snprintf(out_host, bytes, "127.0.0.1");
    else if (strcmp(out_host, "[::]") == 0)
        snprintf(out_host, bytes, "[::1]");
}

/* The first gateway that gives md to anybody. */
static bool find_gateway(const config_t *config, subscriber_t *s)
{
    config_stage_t stages[TBUS_INSTANCES_MAX];
    uint32_t count = config_stages(config, stages);
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(stages[i].instance->kind->name, "gateway") != 0)
            continue;
        const gateway_values_t *values = config_instance_values(stages[i].instance);
        if (!values->listen[0] || values->door.users[0])
            continue;
        snprintf(s->stage, sizeof s->stage, TBUS_NAME_TEXT, stages[i].instance->name);
        host_of(values->listen, s->host, sizeof s->host);
        return true;
    }
    return false;
}

int subscriber_start(const config_t *config, subscriber_t *out_subscriber, tbus_error_t *err)
{
    subscriber_t s = {.fd = -1};
    int fds[2];
    if (!find_gateway(config, &s)) {
        *out_subscriber = (subscriber_t){.fd = -1};
        return 0;
    }
    if (pipe2(fds, O_CLOEXEC) < 0)
        return tbus_fail(err, -errno, "no pipe to a subscriber: %s", tbus_strerror(-errno));
    pid_t parent = getpid();
    s.pid = fork();
    if (s.pid == 0) {
        close(fds[1]);
        run(fds[0], parent);
    }
    int code = s.pid < 0 ? -errno : 0;
    close(fds[0]);
    if (code < 0) {
        close(fds[1]);
        return tbus_fail(err, code, "no process for a subscriber: %s", tbus_strerror(code));
    }
    s.fd = fds[1];
    *out_subscriber = s;
    return 1;
}

void subscriber_tell(subscriber_t *s, const tbus_bus_t *bus)
{
    char server[SUBSCRIBER_SERVER_MAX];
    if (s->pid == 0 || s->fd < 0)
        return;
    json_t *gateway = gateway_json(bus, s->stage);
    int port = (int)json_integer_value(json_object_get(json_object_get(gateway, "listen"), TOPIC));
    json_decref(gateway);
    if (port == 0)
        return;
    int length = snprintf(server, sizeof server, "%s:%d", s->host, port);
    /* It fits into an empty pipe; if the process is gone the hop stays without figures. */
    (void)!write(s->fd, server, (size_t)length);
    close(s->fd);
    s->fd = -1;
}

void subscriber_end(subscriber_t *s)
{
    if (s->pid == 0)
        return;
    if (s->fd >= 0)
        close(s->fd);
    kill(s->pid, SIGKILL);
    while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    *s = (subscriber_t){.fd = -1};
}
