/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tickbus/bus.h>
#include <tickbus/observer.h>

#include "tools/control/client.h"
#include "tools/control/protocol.h"
#include "tools/show/message_text.h"
#include "tools/show/outcome.h"
#include "tools/show/symbols.h"
#include "tools/verbs.h"

static const char help[] =
    "usage: busctl tap TOPIC [OPTION...]\n"
    "\n"
    "Follow the messages of a topic (md, bbo, orders, reports ...), one line\n"
    "each, until the bus ends. The tap only looks: it holds nobody up. When it is\n"
    "too slow, it says on stderr how many messages it lost (and with --json as a\n"
    "line {\"lost\":N} where they are missing).\n"
    "\n"
    "  --name NAME      of the bus; may be left out when only one is running\n"
    "  --json           a JSON object a line\n"
    "  --count N        end after N messages\n"
    "  --from WHERE     now (default), or oldest: what is still on the ring\n"
    "  --fifo PATH      write to the named pipe PATH, which is made if it is not\n"
    "                   there, once somebody reads it\n"
    "\n"
    "example: busctl tap orders --json | jq -r .symbol | sort | uniq -c\n";

#define IDLE_MS 2
#define BURST   1024u /* messages between two looks at whether anybody still reads */

typedef struct tap {
    const char *verb;
    const char *name;
    const char *topic;
    bool json;
    uint64_t count;   /* 0: no end */
    const char *fifo; /* NULL: stdout */
    enum tbus_observe_from from;
} tap_t;

/* Why following ended. */
enum tap_end {
    TAP_GOES_ON,
    TAP_COUNTED,
    TAP_BUS_ENDED,
    TAP_BUS_DIED,
    TAP_OUTPUT_ENDED,
    TAP_CORRUPT
};

typedef struct tapping {
    const tap_t *tap;
    tbus_bus_t bus;
    int control_fd;
    tbus_observer_t observer;
    const char *type;
    void *message; /* room for the longest of the topic */
    void *other;   /* ... and of any other */
    uint64_t seen;
    /* where the topic's messages lack their symbol: those that say it, on the other topics */
    symbols_t *symbols;
    tbus_observer_t tellers[TBUS_TOPICS_MAX];
    const char *teller_types[TBUS_TOPICS_MAX];
    uint32_t tellers_count;
} tapping_t;

static void tell_lost(const tapping_t *t, uint64_t lost)
{
    if (t->tap->json)
        printf("{\"lost\":%" PRIu64 "}\n", lost);
    fprintf(stderr, "%s: lost %" PRIu64 " messages before %" PRIu64 "\n", t->tap->verb, lost,
            t->observer.seq);
}

/* What came on the other topics since the last look. A symbol's bbo is published before the order
 * that it leads to, so it is there. */
static void learn_symbols(tapping_t *t)
{
    size_t bytes;
    uint64_t seq, lost;
    for (uint32_t i = 0; i < t->tellers_count; i++)
        while (tbus_observe(&t->tellers[i], t->other, &bytes, &seq, &lost) > 0)
            symbols_learn(t->symbols, t->teller_types[i], t->other, bytes);
}

static void print_message(tapping_t *t, uint64_t seq, size_t bytes)
{
    if (t->symbols && symbols_miss(t->symbols, t->type, t->message, bytes))
        learn_symbols(t);
    (t->tap->json ? message_text_json : message_text_words)(stdout, t->type, seq, t->message, bytes,
                                                            t->symbols);
}

/* What is there, up to a burst. */
static enum tap_end print_burst(tapping_t *t, uint32_t *out_printed)
{
    for (*out_printed = 0; *out_printed < BURST; ++*out_printed) {
        size_t bytes;
        uint64_t seq, lost;
        int got = tbus_observe(&t->observer, t->message, &bytes, &seq, &lost);
        if (got < 0)
            return TAP_CORRUPT;
        if (lost)
            tell_lost(t, lost);
        if (got == 0)
            return TAP_GOES_ON;
        print_message(t, seq, bytes);
        if (++t->seen == t->tap->count)
            return TAP_COUNTED;
    }
    return TAP_GOES_ON;
}

/* A moment's rest, cut short when the bus hangs up or nobody reads our output any more. */
static enum tap_end rest(const tapping_t *t, bool *bus_gone, int timeout_ms)
{
    struct pollfd fds[2] = {{.fd = *bus_gone ? -1 : t->control_fd, .events = POLLIN},
                            {.fd = STDOUT_FILENO, .events = 0}};
    poll(fds, 2, timeout_ms);
    if (fds[1].revents & (POLLERR | POLLNVAL))
        return TAP_OUTPUT_ENDED;
    *bus_gone |= (fds[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0;
    return TAP_GOES_ON;
}

static enum tap_end follow(tapping_t *t)
{
    bool bus_gone = false;
    for (;;) {
        /* O4 pairs O3 (run_pipeline): looked at before the ring, so that what was published before
         * the end is seen. */
        bool ended = tbus_load_acquire_u32(&t->bus.directory->ended) != 0;
        bool gone = bus_gone;
        uint32_t printed;
        enum tap_end end = print_burst(t, &printed);
        if (end != TAP_GOES_ON)
            return end;
        if (printed == 0 && (ended || gone))
            return ended ? TAP_BUS_ENDED : TAP_BUS_DIED;
        if ((printed < BURST && fflush(stdout) != 0) || ferror(stdout))
            return TAP_OUTPUT_ENDED;
        end = rest(t, &bus_gone, printed ? 0 : IDLE_MS);
        if (end != TAP_GOES_ON)
            return end;
    }
}

static int end_of(const tapping_t *t, enum tap_end end)
{
    int code = outcome_printed(t->tap->verb);
    if (end == TAP_BUS_DIED)
        return outcome_failed(t->tap->verb,
                              "the supervisor of the bus is gone; this is all there was");
    if (end == TAP_CORRUPT)
        return outcome_failed(t->tap->verb,
                              "topic '%s' holds what no publisher writes; it cannot be followed",
                              t->tap->topic);
    return code;
}

static int list_topics(const tapping_t *t)
{
    char names[TBUS_TOPICS_MAX * (TBUS_NAME_MAX + 2)] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < t->bus.topics_count; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%.*s", i ? ", " : "",
                                 (int)TBUS_NAME_MAX - 1, t->bus.directory->topics[i].name);
    return outcome_failed(t->tap->verb, "there is no topic '%s'; there are: %s", t->tap->topic,
                          names);
}

static void *make_room(uint32_t msg_bytes_max)
{
    return aligned_alloc(64, (msg_bytes_max + 127u) & ~63u);
}

/* False: no memory. A topic that cannot be observed tells no symbols. */
static bool open_tellers(tapping_t *t)
{
    uint32_t longest = 0;
    if (!symbols_lacked_by(t->type))
        return true;
    for (uint32_t i = 0; i < t->bus.topics_count; i++) {
        const char *type = t->bus.directory->topics[i].type;
        if (!symbols_told_by(type) || tbus_observer_join(&t->bus.rings[i], TBUS_FROM_OLDEST,
                                                         &t->tellers[t->tellers_count], NULL) < 0)
            continue;
        t->teller_types[t->tellers_count++] = type;
        if (t->bus.rings[i].msg_bytes_max > longest)
            longest = t->bus.rings[i].msg_bytes_max;
    }
    t->symbols = symbols_create();
    t->other = make_room(longest);
    return t->symbols && t->other;
}

static int tap_bus(tapping_t *t)
{
    tbus_error_t why = {0};
    const tbus_ring_t *ring = tbus_bus_ring(&t->bus, t->tap->topic);
    if (!ring)
        return list_topics(t);
    t->type = t->bus.directory->topics[tbus_bus_topic_index(&t->bus, t->tap->topic)].type;
    if (tbus_observer_join(ring, t->tap->from, &t->observer, &why) < 0)
        return outcome_failed(t->tap->verb, "%s", why.text);
    t->message = make_room(ring->msg_bytes_max);
    int code = t->message && open_tellers(t) ? end_of(t, follow(t))
                                             : outcome_failed(t->tap->verb, "no memory");
    free(t->message);
    free(t->other);
    symbols_destroy(t->symbols);
    return code;
}

static int attach_and_tap(const tap_t *tap)
{
    client_t client;
    control_answer_t answer;
    tbus_error_t why = {0};
    if (client_ask(tap->name, "attach", NULL, &client, &answer, &why) < 0)
        return outcome_failed(tap->verb, "%s", why.text);
    json_decref(answer.result);
    tapping_t t = {.tap = tap, .control_fd = client.fd};
    int code = tbus_bus_attach(answer.fds, answer.fds_count, &t.bus, &why);
    if (code < 0) {
        code = outcome_failed(tap->verb, "%s", why.text);
    } else {
        code = tap_bus(&t);
        tbus_bus_close(&t.bus);
    }
    client_close(&client);
    return code;
}

/* stdout becomes the named pipe. Waits for a reader. *out_made: it was not there before. */
static int open_fifo(const tap_t *tap, bool *out_made)
{
    struct stat st;
    *out_made = mkfifo(tap->fifo, 0600) == 0;
    if (!*out_made && errno != EEXIST)
        return outcome_failed(tap->verb, "cannot make the named pipe %s: %s", tap->fifo,
                              strerror(errno));
    int fd = open(tap->fifo, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENXIO) {
        fprintf(stderr, "%s: waiting for somebody to read %s\n", tap->verb, tap->fifo);
        fd = open(tap->fifo, O_WRONLY | O_CLOEXEC);
    } else if (fd >= 0) {
        fcntl(fd, F_SETFL, 0); /* somebody reads: from here on it may wait for room */
    }
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode)) {
        int code = outcome_failed(tap->verb, "%s: %s", tap->fifo,
                                  fd < 0 ? strerror(errno) : "not a named pipe");
        if (fd >= 0)
            close(fd);
        return code;
    }
    dup2(fd, STDOUT_FILENO);
    close(fd);
    return OUTCOME_OK;
}

static int tap_into_fifo(const tap_t *tap)
{
    bool made;
    int code = open_fifo(tap, &made);
    if (code == OUTCOME_OK)
        code = attach_and_tap(tap);
    if (made)
        unlink(tap->fifo);
    return code;
}

int verb_tap(int argc, char **argv)
{
    static const struct option options[] = {{"name", required_argument, NULL, 'n'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"count", required_argument, NULL, 'k'},
                                            {"fifo", required_argument, NULL, 'p'},
                                            {"from", required_argument, NULL, 'f'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    tap_t tap = {.verb = argv[0]};
    char *end = "";
    optind = 0;
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (option == 'h')
            return outcome_help(argv[0], help);
        if (option == '?')
            return outcome_option(argv[0], argv[optind - 1], options);
        tap.json |= option == 'j';
        if (option == 'n')
            tap.name = optarg;
        if (option == 'p')
            tap.fifo = optarg;
        if (option == 'k' &&
            ((tap.count = strtoull(optarg, &end, 10)) == 0 || *end || *optarg == '-'))
            return outcome_usage(argv[0], "--count %s: a number from 1 was expected", optarg);
        if (option == 'f' && strcmp(optarg, "now") != 0 && strcmp(optarg, "oldest") != 0)
            return outcome_usage(argv[0], "--from %s: now or oldest was expected", optarg);
        if (option == 'f')
            tap.from = strcmp(optarg, "now") == 0 ? TBUS_FROM_NOW : TBUS_FROM_OLDEST;
    }
    if (argc - optind != 1)
        return outcome_usage(argv[0],
                             argc == optind ? "the topic is missing" : "one topic at a time");
    tap.topic = argv[optind];
    if (isatty(STDOUT_FILENO))
        setvbuf(stdout, NULL, _IOLBF, 0);
    return tap.fifo ? tap_into_fifo(&tap) : attach_and_tap(&tap);
}
