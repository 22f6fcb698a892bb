/* SPDX-License-Identifier: Apache-2.0 */
/* work_queue - jobs that may be done twice without harm, among workers that may die over them.
 *
 *    boss --> [jobs] mpmc, at least once --> workers --> [results] mpsc --> boss
 *
 * A job is for one worker. The first worker kills itself with a job in hand; because the topic
 * promises TBUS_AT_LEAST_ONCE, the second gets that job too, under its old sequence. (Without the
 * promise it would be counted in doubt and not delivered again: right for orders, see ring.h.) A
 * worker that dies between publishing a result and taking the next job makes a result come twice,
 * so the boss counts each job once.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <tickbus/tickbus.h>
#include <unistd.h>

#define JOBS        8u
#define PATIENCE_NS UINT64_C(10000000000)

static int add_topic(tbus_bus_t *bus, const char *name, enum tbus_ring_kind kind,
                     enum tbus_promise promise, tbus_error_t *err)
{
    tbus_ring_spec_t spec;
    memset(&spec, 0, sizeof spec);
    snprintf(spec.name, sizeof spec.name, "%s", name);
    spec.kind = kind;
    spec.slot_bytes = 64;
    spec.slot_count = 64;
    spec.first_seq = 1;
    spec.promise = promise;
    return tbus_bus_add_topic(bus, &spec, "number", TBUS_PAGES_AUTO, -1, err);
}

/* Square numbers, until no boss is left. Returns the exit code. */
static int work(tbus_bus_t *bus, const char *name, bool dies)
{
    tbus_publisher_t results;
    tbus_subscriber_t jobs;
    tbus_error_t err;
    const void *message;
    if (tbus_bus_join(bus, name, &err) < 0 ||
        tbus_bus_publisher(bus, "results", &results, &err) < 0 ||
        tbus_bus_subscriber(bus, "jobs", &jobs, &err) < 0)
        return fprintf(stderr, "work_queue, %s: %s\n", name, err.text), 1;
    while (tbus_take_wait(bus, &jobs, &message, NULL, TBUS_FOREVER) == TBUS_TAKEN) {
        uint64_t result[2];
        memcpy(&result[0], message, sizeof result[0]);
        if (dies)
            raise(SIGKILL);
        result[1] = result[0] * result[0];
        if (tbus_publish_wait(bus, &results, result, sizeof result, TBUS_FOREVER) < 0)
            break;
    }
    tbus_bus_close(bus);
    return 0;
}

static pid_t start_worker(tbus_bus_t *bus, const char *name, bool dies)
{
    pid_t worker = fork();
    if (worker == 0)
        _exit(work(bus, name, dies));
    return worker;
}

/* A result for every job. 0, or why there is no going on. */
static int collect(tbus_bus_t *bus, tbus_subscriber_t *results)
{
    uint64_t squares[JOBS + 1] = {0};
    unsigned done = 0;
    while (done < JOBS) {
        uint64_t result[2];
        const void *message;
        int told = tbus_take_wait(bus, results, &message, NULL, PATIENCE_NS);
        if (told == TBUS_NOBODY) /* the first worker has died, the second is on its way */
            continue;
        if (told != TBUS_TAKEN)
            return told < 0 ? told : -ETIMEDOUT;
        memcpy(result, message, sizeof result);
        done += squares[result[0]] == 0;
        squares[result[0]] = result[1];
    }
    for (unsigned n = 1; n <= JOBS; n++)
        printf("%s%" PRIu64, n == 1 ? "" : " ", squares[n]);
    printf("\n%" PRIu64 " job was left by a worker that died, and done by another\n",
           tbus_load_relaxed_u64(&tbus_bus_ring(bus, "jobs")->shared->redelivered));
    return 0;
}

static int run(tbus_bus_t *bus, tbus_error_t *err)
{
    tbus_publisher_t jobs;
    tbus_subscriber_t results;
    if (add_topic(bus, "jobs", TBUS_MPMC, TBUS_AT_LEAST_ONCE, err) < 0 ||
        add_topic(bus, "results", TBUS_MPSC, TBUS_AT_MOST_ONCE, err) < 0 ||
        tbus_bus_join(bus, "boss", err) < 0 || tbus_bus_publisher(bus, "jobs", &jobs, err) < 0 ||
        tbus_bus_subscriber(bus, "results", &results, err) < 0)
        return err->code;
    for (uint64_t n = 1; n <= JOBS; n++)
        if (tbus_publish_wait(bus, &jobs, &n, sizeof n, 0) != TBUS_PUBLISHED)
            return tbus_fail(err, -TBUS_EFULL, "no room for %u jobs", JOBS);
    pid_t clumsy = start_worker(bus, "clumsy", true);
    if (clumsy > 0)
        waitpid(clumsy, NULL, 0);
    pid_t careful = clumsy > 0 ? start_worker(bus, "careful", false) : -1;
    if (careful < 0)
        return tbus_fail(err, -errno, "no worker: %s", strerror(errno));
    int told = collect(bus, &results);
    tbus_bus_close(bus); /* the worker is told that nobody is left to give it work */
    waitpid(careful, NULL, 0);
    return told < 0 ? tbus_fail(err, told, "no result: %s", tbus_strerror(told)) : 0;
}

int main(void)
{
    tbus_bus_t bus;
    tbus_error_t err;
    if (tbus_bus_create("work_queue", &bus, &err) < 0)
        return fprintf(stderr, "work_queue: %s\n", err.text), 1;
    int code = run(&bus, &err);
    if (code < 0)
        fprintf(stderr, "work_queue: %s\n", err.text);
    tbus_bus_close(&bus);
    return code < 0;
}
