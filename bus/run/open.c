/* SPDX-License-Identifier: Apache-2.0 */
#include <tickbus/open.h>

#include "bus/run/attach.h"
#include "bus/run/exchange.h"
#include "bus/run/member.h"
#include "bus/run/rundir.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define LOOK_NS       5000000 /* between two looks for a bus that is not there yet */
#define ANSWER_NS     UINT64_C(5000000000)
#define ANSWER_MAX    4096u /* bytes; the answer to this request is shorter */
#define REQUEST       "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"join\"}\n"
#define ERROR_MESSAGE "\"message\":\""

typedef struct answer {
    char text[ANSWER_MAX + 1]; /* terminated */
    size_t fds_count;
    int fds[TBUS_EXCHANGE_FDS_MAX];
} answer_t;

/* Cut the supervisor's own words out of {"error":{"message":"..."}}; NULL: there are none. */
static const char *error_message(answer_t *answer)
{
    char *words = strstr(answer->text, ERROR_MESSAGE);
    if (!words)
        return NULL;
    words += strlen(ERROR_MESSAGE);
    char *to = words;
    for (const char *from = words; *from && *from != '"'; from++) {
        if (*from == '\\' && from[1])
            from++;
        *to++ = *from;
    }
    *to = 0;
    return words;
}

/* Ask the bus of that name, if there is one. */
static int knock(const char *bus_name, answer_t *answer, tbus_error_t *err)
{
    tbus_rundir_t dir;
    int code = tbus_rundir_open(false, &dir, err);
    if (code == -ENOENT) /* nobody has ever run one */
        return tbus_fail(err, -TBUS_ENOTFOUND,
                         "no bus '%s' is running; `busctl bus %s --topic TOPIC` keeps one, `busctl "
                         "start` runs a pipeline on one (installed, the command is tickbus)",
                         bus_name, bus_name);
    if (code < 0)
        return code;
    int fd = tbus_rundir_connect(&dir, bus_name, err);
    tbus_rundir_close(&dir);
    if (fd < 0)
        return fd;
    *answer = (answer_t){0};
    ssize_t bytes = -ECONNRESET;
    if (tbus_exchange_send(fd, REQUEST, sizeof REQUEST - 1) == 0)
        bytes = tbus_exchange_receive(fd, tbus_clock_ns() + ANSWER_NS, answer->text, ANSWER_MAX,
                                      answer->fds, &answer->fds_count);
    close(fd);
    code = bytes < 0 ? (int)bytes : 0;
    if (code == 0 && answer->fds_count)
        return 0;
    if (code == -ECONNRESET) /* it ended just now; there may be another one soon */
        return tbus_fail(err, -TBUS_ENOTFOUND, "bus '%s' went away before it had answered",
                         bus_name);
    if (code == -EMFILE)
        return tbus_fail(err, code,
                         "bus '%s': no room for its descriptors in this process; raise ulimit -n",
                         bus_name);
    if (code == -ETIMEDOUT)
        return tbus_fail(err, code,
                         "bus '%s' did not answer within %u s: is its supervisor stopped?",
                         bus_name, (unsigned)(ANSWER_NS / 1000000000));
    const char *words = code == 0 ? error_message(answer) : NULL;
    if (words)
        return tbus_fail(err, -TBUS_ESTOPPED, "bus '%s' refused: %s", bus_name, words);
    return tbus_fail(err, -EPROTO, "bus '%s' gave an answer that this version does not understand",
                     bus_name);
}

static void close_fds(answer_t *answer)
{
    while (answer->fds_count)
        close(answer->fds[--answer->fds_count]);
}

/* Touch the memory now, so that the first messages need not. */
static void populate(const tbus_segment_t *segment)
{
    if (segment->base)
        madvise(segment->base, segment->bytes,
                segment->writable ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
}

static bool is_bus_name(const char *name)
{
    return name && tbus_name_fits(name) && !strchr(name, '/');
}

int tbus_bus_open(const char *bus_name, const char *name, uint64_t timeout_ns, tbus_bus_t *out_bus,
                  tbus_error_t *err)
{
    if (!out_bus || !is_bus_name(bus_name))
        return tbus_fail(err, -EINVAL, "'%.40s' is no name of a bus: 1 to %u characters, no slash",
                         bus_name ? bus_name : "", TBUS_NAME_MAX - 1);
    if (!name || !tbus_name_fits(name))
        return tbus_fail(err, -EINVAL,
                         "bus '%s': participant name '%.40s' is empty or longer than %u", bus_name,
                         name ? name : "", TBUS_NAME_MAX - 1);
    uint64_t began_ns = tbus_clock_ns();
    answer_t answer = {0};
    int code;
    while ((code = knock(bus_name, &answer, err)) == -TBUS_ENOTFOUND &&
           tbus_clock_ns() - began_ns < timeout_ns) {
        close_fds(&answer);
        nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
    }
    if (code < 0) {
        close_fds(&answer);
        return code;
    }
    tbus_bus_t bus;
    code = tbus_bus_attach_as(true, answer.fds, answer.fds_count, &bus, err);
    if (code < 0)
        return code;
    populate(&bus.directory_segment);
    for (uint32_t i = 0; i < bus.topics_count; i++)
        populate(&bus.topic_segments[i]);
    if (bus.directory_segment.writable)
        code = tbus_bus_join(&bus, name, err);
    if (code < 0) {
        tbus_bus_close(&bus);
        return code;
    }
    *out_bus = bus;
    return 0;
}
