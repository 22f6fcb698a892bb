/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/nats_stand.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "bench/program.h"

static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t bytes = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bench_must(bind(fd, (struct sockaddr *)&address, bytes), "bind", "an address");
    getsockname(fd, (struct sockaddr *)&address, &bytes);
    close(fd);
    return ntohs(address.sin_port);
}

static bool listens_at(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool listens = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return listens;
}

bool nats_stand_start(nats_stand_t *n, const char *more)
{
    char path[96], port[16];
    n->port = free_port();
    snprintf(n->directory, sizeof n->directory, "/tmp/tickbus-bench-XXXXXX");
    bench_must(mkdtemp(n->directory) ? 0 : -errno, "make", "a directory");
    snprintf(path, sizeof path, "%s/conf", n->directory);
    snprintf(port, sizeof port, "%u", n->port);
    FILE *conf = fopen(path, "w");
    bench_must(conf ? 0 : -errno, "write", path);
    fprintf(conf, "host: 127.0.0.1\nport: %s\nmax_connections: 4096\nmax_pending: 4GB\n%s\n", port,
            more);
    fclose(conf);
    char store[128];
    snprintf(store, sizeof store, "%s/store", n->directory);
    n->pid = fork();
    if (n->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execlp("nats-server", "nats-server", "-c", path, "-sd", store, "-l", "/dev/null",
               (char *)NULL);
        execl("/usr/sbin/nats-server", "nats-server", "-c", path, "-sd", store, "-l", "/dev/null",
              (char *)NULL);
        _exit(127);
    }
    bool runs = true;
    for (unsigned looks = 0; runs && looks < 5000 && !listens_at(n->port); looks++) {
        runs = waitpid(n->pid, NULL, WNOHANG) == 0;
        usleep(1000);
    }
    if (!runs)
        bench_remove_directory(n->directory);
    return runs;
}

bool nats_stand_start_cluster(nats_stand_t n[3])
{
    char more[512];
    unsigned ports[3];
    for (unsigned i = 0; i < 3; i++)
        ports[i] = free_port();
    for (unsigned i = 0; i < 3; i++) {
        snprintf(more, sizeof more,
                 "jetstream {}\nserver_name: n%u\n"
                 "cluster { name: bench, listen: \"127.0.0.1:%u\", routes: [\n"
                 "  \"nats://127.0.0.1:%u\", \"nats://127.0.0.1:%u\", \"nats://127.0.0.1:%u\" ] }",
                 i, ports[i], ports[0], ports[1], ports[2]);
        if (!nats_stand_start(&n[i], more)) {
            while (i-- > 0)
                nats_stand_stop(&n[i]);
            return false;
        }
    }
    return true;
}

void nats_stand_stop(nats_stand_t *n)
{
    kill(n->pid, SIGTERM);
    waitpid(n->pid, NULL, 0);
    bench_remove_directory(n->directory);
}
