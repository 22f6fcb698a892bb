/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/nats_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SERVER        "nats-server"
#define SERVES_S      30
#define ANSWER_MS     1000
#define LINE_MAX      4096u
#define CLIENT_PORT   4222u
#define CLUSTER_NET   "10.84.17."
#define CLUSTER_CONF  512u
#define CONFIG_MAX    4096u
#define LOOK_AGAIN_NS 5000000

/* ---- programs ---- */

static int run(const char *const *argv, void (*in_child)(void))
{
    program_t program = {.argv = argv, .in_child = in_child};
    int code = program_run(&program);
    program_clear(&program);
    return code;
}

bool nats_server_there(void)
{
    const char *const argv[] = {SERVER, "--version", NULL};
    return run(argv, NULL) == 0;
}

static void pause_ns(long ns)
{
    (void)nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
}

/* ---- does it serve? Asked in its own protocol, so that no client library is needed ---- */

static int connect_to(const nats_server_t *s)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(s->port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    int error = 0;
    socklen_t bytes = sizeof error;
    inet_pton(AF_INET, s->address, &at.sin_addr);
    (void)connect(fd, (struct sockaddr *)&at, sizeof at);
    if (poll(&ready, 1, ANSWER_MS) == 1 &&
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &bytes) == 0 && error == 0)
        return fd;
    close(fd);
    return -1;
}

/* Read until `part` has come, and the end of its line. */
static bool expect(int fd, const char *part, char text[LINE_MAX])
{
    size_t got = 0;
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    while (got < LINE_MAX - 1 && poll(&ready, 1, ANSWER_MS) == 1) {
        ssize_t n = recv(fd, text + got, LINE_MAX - 1 - got, 0);
        if (n <= 0)
            return false;
        got += (size_t)n;
        text[got] = 0;
        const char *at = strstr(text, part);
        if (at && strstr(at, "\r\n"))
            return true;
    }
    return false;
}

bool nats_server_serves(const nats_server_t *s)
{
    static const char ask[] = "CONNECT {\"verbose\":false}\r\n"
                              "SUB _INBOX.tickbus.test 1\r\n"
                              "PUB $JS.API.INFO _INBOX.tickbus.test 0\r\n\r\n";
    char text[LINE_MAX];
    int fd = connect_to(s);
    if (fd < 0)
        return false;
    bool serves = expect(fd, "INFO ", text) && strstr(text, "\"jetstream\":true");
    if (serves && !strstr(text, "\"auth_required\":true") && !strstr(text, "\"tls_required\":true"))
        serves = send(fd, ask, sizeof ask - 1, MSG_NOSIGNAL) == (ssize_t)(sizeof ask - 1) &&
                 expect(fd, "account_info_response", text) && !strstr(text, "\"error\"");
    close(fd);
    return serves;
}

/* ---- one server ---- */

static int entered_fd = -1; /* of the program that is started next */

static void enter(void)
{
    if (setns(entered_fd, CLONE_NEWNET) != 0)
        _exit(127);
}

/* It must have ended, or what it said on stderr is not at hand. */
static void say_why(const nats_server_t *s)
{
    char path[SCRATCH_PATH_MAX + 8];
    size_t bytes;
    snprintf(path, sizeof path, "%s/log", s->directory);
    char *log = file_read(path, &bytes);
    fprintf(stderr, "%s with %s does not serve: %s%s\n", SERVER, s->config,
            s->program.err ? s->program.err : "",
            log ? log + (bytes > 2000 ? bytes - 2000 : 0) : "");
    free(log);
}

/* The port that it has chosen, from the file that it writes once it listens. */
static bool read_port(nats_server_t *s)
{
    char path[SCRATCH_PATH_MAX + 48];
    snprintf(path, sizeof path, "%s/%s_%d.ports", s->directory, SERVER, (int)s->program.pid);
    char *text = file_read(path, NULL);
    const char *at = text && strchr(text, ']') ? strstr(text, s->address) : NULL;
    if (at)
        s->port = (uint16_t)atoi(at + strlen(s->address) + 1);
    free(text);
    return s->port != 0;
}

static bool wait_until_it_serves(nats_server_t *s)
{
    struct timespec now, end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    do {
        if ((s->port != 0 || read_port(s)) && nats_server_serves(s))
            return true;
        pause_ns(LOOK_AGAIN_NS);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (!program_ended(&s->program) && now.tv_sec < end.tv_sec + SERVES_S);
    say_why(s);
    return false;
}

/* `port`: -1: any. */
static bool write_config(nats_server_t *s, int port, const char *lines)
{
    char text[CONFIG_MAX];
    snprintf(s->config, sizeof s->config, "%s/config", s->directory);
    int bytes =
        snprintf(text, sizeof text,
                 "host: %s\nport: %d\nports_file_dir: \"%s\"\nlog_file: \"%s/log\"\n"
                 "jetstream { store_dir: \"%s/store\" }\n%s\n",
                 s->address, port, s->directory, s->directory, s->directory, lines ? lines : "");
    return bytes < (int)sizeof text && file_write(s->config, text, (size_t)bytes);
}

static bool launch(nats_server_t *s)
{
    s->argv[0] = SERVER;
    s->argv[1] = "-c";
    s->argv[2] = s->config;
    entered_fd = s->namespace_fd;
    s->program = (program_t){.argv = s->argv, .in_child = entered_fd >= 0 ? enter : NULL};
    return program_start(&s->program);
}

static void name(nats_server_t *s)
{
    char url[sizeof s->url]; /* not in place: gcc sees an overlap where an array is indexed */
    snprintf(url, sizeof url, "nats://%s:%u", s->address, s->port);
    memcpy(s->url, url, sizeof url);
}

bool nats_server_start(nats_server_t *s, const char *lines)
{
    *s = (nats_server_t){.address = "127.0.0.1", .namespace_fd = -1};
    scratch_create(s->directory);
    if (!write_config(s, -1, lines) || !launch(s) || !wait_until_it_serves(s))
        return false;
    name(s);
    return write_config(s, s->port, lines); /* from now on at that port */
}

bool nats_server_again(nats_server_t *s)
{
    program_clear(&s->program);
    return launch(s) && wait_until_it_serves(s);
}

static void end(nats_server_t *s, int signal)
{
    if (s->program.pid <= 0)
        return;
    kill(s->program.pid, signal);
    kill(s->program.pid, SIGCONT); /* one that is paused would never end */
    program_wait(&s->program);
}

void nats_server_stop(nats_server_t *s)
{
    end(s, SIGTERM);
}

void nats_server_kill(nats_server_t *s)
{
    end(s, SIGKILL);
}

void nats_server_pause(const nats_server_t *s)
{
    kill(s->program.pid, SIGSTOP);
}

void nats_server_continue(const nats_server_t *s)
{
    kill(s->program.pid, SIGCONT);
}

void nats_server_clear(nats_server_t *s)
{
    program_clear(&s->program);
    if (s->directory[0])
        scratch_remove(s->directory);
    if (s->directory[0] && s->namespace_fd >= 0)
        close(s->namespace_fd);
    *s = (nats_server_t){.namespace_fd = -1};
}

/* ---- three of them ---- */

#define IP(...) (run((const char *const[]){"ip", __VA_ARGS__, NULL}, NULL) == 0)
#define IP_IN(fd, ...)                                                                             \
    (entered_fd = (fd), run((const char *const[]){"ip", __VA_ARGS__, NULL}, enter) == 0)

bool nats_cluster_there(const char **out_why)
{
    if (geteuid() != 0)
        *out_why = "network namespaces need root";
    else if (!IP("-V"))
        *out_why = "there is no ip(8), of the package iproute2";
    else if (!nats_server_there())
        *out_why = "there is no nats-server, of the package of that name";
    else
        return true;
    return false;
}

/* The test's own network, in a namespace without a name. Once for all of this process's life. */
static bool enter_own_network(void)
{
    static bool entered;
    if (entered)
        return true;
    entered = unshare(CLONE_NEWNET) == 0 && IP("link", "set", "lo", "up") &&
              IP("link", "add", "bridge", "type", "bridge") &&
              IP("addr", "add", CLUSTER_NET "254/24", "dev", "bridge") &&
              IP("link", "set", "bridge", "up");
    return entered;
}

/* A process that does nothing but be in a namespace of its own, and dies with us. */
static pid_t hold_namespace(void)
{
    int ready[2];
    char byte;
    if (pipe2(ready, O_CLOEXEC) != 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (unshare(CLONE_NEWNET) != 0 || write(ready[1], "", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    bool there = pid > 0 && read(ready[0], &byte, 1) == 1;
    close(ready[0]);
    return there ? pid : -1;
}

static bool link_node(nats_cluster_t *c, unsigned i)
{
    nats_server_t *node = &c->nodes[i];
    char link[16], address[24], pid[16], path[40];
    c->holders[i] = hold_namespace();
    if (c->holders[i] <= 0)
        return false;
    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)c->holders[i]);
    node->namespace_fd = open(path, O_RDONLY | O_CLOEXEC);
    snprintf(link, sizeof link, "node%u", i + 1);
    snprintf(pid, sizeof pid, "%d", (int)c->holders[i]);
    snprintf(address, sizeof address, "%s/24", node->address);
    return node->namespace_fd >= 0 &&
           IP("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", pid) &&
           IP("link", "set", link, "master", "bridge", "up") &&
           IP_IN(node->namespace_fd, "addr", "add", address, "dev", "eth0") &&
           IP_IN(node->namespace_fd, "link", "set", "eth0", "up") &&
           IP_IN(node->namespace_fd, "link", "set", "lo", "up");
}

static bool begin_node(nats_cluster_t *c, unsigned i)
{
    nats_server_t *node = &c->nodes[i];
    char lines[CLUSTER_CONF];
    scratch_create(node->directory);
    snprintf(node->address, sizeof node->address, CLUSTER_NET "%u", i + 1);
    node->port = CLIENT_PORT;
    name(node);
    snprintf(lines, sizeof lines,
             "server_name: node%u\n"
             "cluster { name: tickbus, listen: \"%s:6222\", routes: [\n"
             "  \"nats://" CLUSTER_NET "1:6222\", \"nats://" CLUSTER_NET
             "2:6222\", \"nats://" CLUSTER_NET "3:6222\" ] }\n",
             i + 1, node->address);
    return write_config(node, (int)CLIENT_PORT, lines) && link_node(c, i) && launch(node);
}

bool nats_cluster_start(nats_cluster_t *c)
{
    *c = (nats_cluster_t){0};
    for (unsigned i = 0; i < NATS_NODES; i++)
        c->nodes[i].namespace_fd = -1;
    if (!enter_own_network())
        return false;
    for (unsigned i = 0; i < NATS_NODES; i++)
        if (!begin_node(c, i))
            return false;
    for (unsigned i = 0; i < NATS_NODES; i++)
        if (!wait_until_it_serves(&c->nodes[i]))
            return false;
    snprintf(c->urls, sizeof c->urls, "%s,%s,%s", c->nodes[0].url, c->nodes[1].url,
             c->nodes[2].url);
    return true;
}

static bool set_link(unsigned node, const char *state)
{
    char link[16];
    snprintf(link, sizeof link, "node%u", node + 1);
    return IP("link", "set", link, state);
}

bool nats_cluster_cut(const nats_cluster_t *c, unsigned node)
{
    (void)c;
    return set_link(node, "down");
}

bool nats_cluster_mend(const nats_cluster_t *c, unsigned node)
{
    (void)c;
    return set_link(node, "up");
}

void nats_cluster_clear(nats_cluster_t *c)
{
    for (unsigned i = 0; i < NATS_NODES; i++) {
        nats_server_clear(&c->nodes[i]);
        if (c->holders[i] > 0) {
            kill(c->holders[i], SIGKILL);
            waitpid(c->holders[i], NULL, 0);
            c->holders[i] = 0;
        }
    }
}
