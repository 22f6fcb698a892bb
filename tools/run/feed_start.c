/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/feed_start.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tickbus/kind.h>

#include "feedsim/source/source.h"

#define TOLD_MS 2000 /* so long nothing is said of waiting */

/* What the child has found, in one write. */
typedef struct found {
    int code;
    uint64_t seq;
    tbus_error_t why;
} found_t;

static _Noreturn void find(const char *source, int fd, pid_t parent)
{
    found_t found = {0};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    found.code = feed_source_first_seq(source, &found.seq, &found.why);
    _exit(write(fd, &found, sizeof found) != (ssize_t)sizeof found);
}

static bool read_all(int fd, void *to, size_t bytes)
{
    size_t got = 0;
    while (got < bytes) {
        ssize_t n = read(fd, (char *)to + got, bytes - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        got += (size_t)n;
    }
    return true;
}

/* Somebody may sit there and see nothing happen. */
static void tell_that_it_waits(int fd, const char *source)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    if (poll(&ready, 1, TOLD_MS) == 0)
        fprintf(stderr, "waiting for %.*s, or for the time at which to begin there\n",
                (int)strcspn(source, "?"), source);
}

static int ask(const char *source, uint64_t *out_seq, tbus_error_t *err)
{
    int ends[2];
    found_t found = {0};
    if (pipe2(ends, O_CLOEXEC) < 0)
        return tbus_fail(err, -errno, "no pipe: %s", tbus_strerror(-errno));
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        find(source, ends[1], parent);
    close(ends[1]);
    int code = pid < 0 ? -errno : 0;
    if (pid > 0)
        tell_that_it_waits(ends[0], source);
    bool told = pid > 0 && read_all(ends[0], &found, sizeof found);
    close(ends[0]);
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    if (code < 0 || !told)
        return tbus_fail(err, code < 0 ? code : -EIO,
                         "the process that looks where the feed begins %s",
                         code < 0 ? "cannot be started" : "was killed");
    if (found.code < 0) {
        *err = found.why;
        return found.code;
    }
    *out_seq = found.seq;
    return 0;
}

int feed_start_prepare(start_options_t *options, uint64_t *out_md_first_seq, tbus_error_t *err)
{
    char source[TBUS_PARAM_TEXT_MAX + 32];
    const char *named = config_source(&options->config);
    uint64_t seq = 0;
    *out_md_first_seq = 0;
    if (!feed_source_is_nats(named))
        return 0;
    int code = ask(named, &seq, err);
    if (code < 0)
        return code;
    /* The last of two keys of a name holds. */
    snprintf(source, sizeof source, "%s%cfrom=%" PRIu64, named, strchr(named, '?') ? '&' : '?',
             seq);
    code = start_options_set(options, "feed.source", source, err);
    if (code == 0)
        *out_md_first_seq = seq;
    return code;
}
