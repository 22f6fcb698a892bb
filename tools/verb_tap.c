/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tickbus/bus.h>
#include <tickbus/history.h>
#include <tickbus/msg/tick.h>
#include <tickbus/observer.h>

#include "bus/msg/message_type.h"

#include "tools/control/client.h"
#include "tools/control/protocol.h"
#include "tools/show/message_text.h"
#include "tools/show/outcome.h"
#include "tools/show/span.h"
#include "tools/show/symbols.h"
#include "tools/verbs.h"

static const char help[] =
    "usage: busctl tap TOPIC [OPTION...]\n"
    "\n"
    "Follow the messages of a topic (md, bbo, orders, reports ...), one line\n"
    "each, until the bus ends. The tap only looks: it holds nobody up. Where the bus\n"
    "is recorded (--journal), it begins at any place of the recording and goes on\n"
    "with what comes, without a gap; and when it is too slow, it takes from there\n"
    "what it missed. Where it is not, what it is too slow for is lost: it says on\n"
    "stderr how many messages (and with --json as a line {\"lost\":N} where they are\n"
    "missing).\n"
    "\n"
    "Of a run that is not recorded and has no other reader, bbo begins when somebody\n"
    "first opens the bus: until then it is left out (not so with --hold).\n"
    "\n"
    "  --name NAME      of the bus; may be left out when only one is running\n"
    "  --json           a JSON object a line\n"
    "  --count N        end after N messages\n"
    "  --from PLACE     now (default); oldest: of the recording, else of what is\n"
    "                   still on the ring; seq:N; and in a recording -5m (before now)\n"
    "                   and HH:MM[:SS[.FRACTION]], where md reached that time of day\n"
    "  --to PLACE       end before it: now, seq:N, -5m, HH:MM; a time that is still\n"
    "                   to come is waited for on topics of ticks\n"
    "  --fifo PATH      write to the named pipe PATH, which is made if it is not\n"
    "                   there, once somebody reads it\n"
    "\n"
    "example: busctl tap orders --json | jq -r .symbol | sort | uniq -c\n";

#define IDLE_MS      2
#define TAP_PATH_MAX (PATH_MAX + 32)
#define BURST        1024u /* messages between two looks at whether anybody still reads */

typedef struct tap {
    const char *verb;
    const char *name;
    const char *topic;
    bool json;
    uint64_t count;   /* 0: no end */
    const char *fifo; /* NULL: stdout */
    span_point_t from;
    span_point_t to;
} tap_t;

/* Why following ended. */
enum tap_end {
    TAP_GOES_ON,
    TAP_COUNTED,
    TAP_REACHED, /* --to */
    TAP_BUS_ENDED,
    TAP_BUS_DIED,
    TAP_OUTPUT_ENDED,
    TAP_FAILED
};

typedef struct tapping {
    const tap_t *tap;
    tbus_bus_t bus;
    int control_fd;
    tbus_history_t *history;
    char journal[TAP_PATH_MAX]; /* "": the bus is not recorded */
    tbus_history_from_t from;
    uint64_t end_seq;  /* the tap ends before it; UINT64_MAX: it does not */
    uint64_t end_ns;   /* or before the first tick of that time of day; UINT64_MAX: none */
    uint64_t next_seq; /* behind the last message; 0: there was none */
    tbus_error_t error;
    size_t room; /* of `message` */
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
            t->next_seq + lost);
}

/* What came on the other topics since the last look: the adds on md that are still there, and each
 * bbo since the first reader came. A symbol of which there was neither has no name yet. */
static void learn_symbols(tapping_t *t)
{
    size_t bytes;
    uint64_t seq, lost;
    for (uint32_t i = 0; i < t->tellers_count; i++)
        while (tbus_observe(&t->tellers[i], t->other, &bytes, &seq, &lost) > 0)
            symbols_learn(t->symbols, t->teller_types[i], seq, t->other, bytes);
}

static void print_message(tapping_t *t, uint64_t seq, size_t bytes)
{
    if (t->symbols && symbols_miss(t->symbols, t->type, t->message, bytes))
        learn_symbols(t);
    (t->tap->json ? message_text_json : message_text_words)(stdout, t->type, seq, t->message, bytes,
                                                            t->symbols);
}

/* Is the message behind all that was asked for? */
static bool is_behind(const tapping_t *t, uint64_t seq, size_t bytes)
{
    if (seq >= t->end_seq)
        return true;
    if (t->end_ns == UINT64_MAX || message_identify(t->type, bytes) != MESSAGE_TICK)
        return false;
    tick_t tick = message_tick(t->message, bytes);
    return tick.type != TICK_RUNT && tick.type != TICK_END_MARK &&
           tick_event_ns(&tick) >= t->end_ns;
}

/* What there is so far was all seen, of the recording as well. */
static bool is_now(const tapping_t *t)
{
    tbus_history_counts_t counts;
    tbus_history_counts(t->history, &counts);
    return counts.live;
}

/* Take the next message, if there is one, and print it. */
static enum tap_end print_next(tapping_t *t, int *out_outcome)
{
    size_t bytes;
    uint64_t seq, lost = 0;
    *out_outcome =
        tbus_history_next(t->history, t->message, t->room, &bytes, &seq, &lost, &t->error);
    if (*out_outcome < 0)
        return TAP_FAILED;
    if (lost)
        tell_lost(t, lost);
    t->next_seq += lost;
    if (*out_outcome == TBUS_HISTORY_ENDED)
        return TAP_BUS_ENDED;
    if (*out_outcome == TBUS_HISTORY_NOTHING && t->tap->to.kind == SPAN_NOW && is_now(t))
        return TAP_REACHED;
    if (*out_outcome != TBUS_HISTORY_MESSAGE)
        return TAP_GOES_ON;
    if (is_behind(t, seq, bytes))
        return TAP_REACHED;
    print_message(t, seq, bytes);
    t->next_seq = seq + 1;
    return ++t->seen == t->tap->count ? TAP_COUNTED : TAP_GOES_ON;
}

/* What is there, up to a burst. *out_taken: how much there was, also of what was passed over. */
static enum tap_end print_burst(tapping_t *t, uint32_t *out_taken)
{
    for (*out_taken = 0; *out_taken < BURST; ++*out_taken) {
        int outcome;
        enum tap_end end = print_next(t, &outcome);
        if (end != TAP_GOES_ON || outcome == TBUS_HISTORY_NOTHING)
            return end;
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
        bool gone = bus_gone; /* before the look: what came before the end is seen */
        uint32_t taken;
        enum tap_end end = print_burst(t, &taken);
        if (end != TAP_GOES_ON)
            return end;
        if (taken == 0 && gone)
            return TAP_BUS_DIED;
        if ((taken < BURST && fflush(stdout) != 0) || ferror(stdout))
            return TAP_OUTPUT_ENDED;
        end = rest(t, &bus_gone, taken ? 0 : IDLE_MS);
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
    if (end == TAP_FAILED)
        return outcome_failed(t->tap->verb, "topic '%s' cannot be followed: %s", t->tap->topic,
                              t->error.text);
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

/* --- places --- */

/* The sequence on our topic of a place in the recording; UINT64_MAX: it does not come so far. */
static int find_seq(tapping_t *t, const span_point_t *point, uint64_t *out_seq)
{
    const span_point_t none = {0};
    tbus_journal_reader_t *reader;
    span_t span;
    if (!t->journal[0])
        return tbus_fail(&t->error, -TBUS_ENOTFOUND,
                         "the bus is not recorded (--journal), and only a recording tells where "
                         "that is; there are now, oldest and seq:N");
    int code = tbus_journal_reader_open(t->journal, &reader, &t->error);
    if (code < 0)
        return code;
    int topic = tbus_journal_reader_topic(reader, t->tap->topic);
    tbus_journal_reader_close(reader);
    if (topic < 0)
        return tbus_fail(&t->error, topic, "topic '%s' is not recorded", t->tap->topic);
    code = span_find(t->journal, false, (uint16_t)topic, point, &none, &span, &t->error);
    return code < 0 ? code : span_seq(t->journal, (uint16_t)topic, &span.from, out_seq, &t->error);
}

static int find_from(tapping_t *t)
{
    uint64_t seq;
    int code = 0;
    switch (t->tap->from.kind) {
    case SPAN_NONE:
    case SPAN_NOW:
        t->from.origin = TBUS_HISTORY_NOW;
        return 0;
    case SPAN_OLDEST:
        t->from.origin = TBUS_HISTORY_OLDEST;
        return 0;
    case SPAN_SEQ:
        t->from = (tbus_history_from_t){TBUS_HISTORY_SEQ, t->tap->from.value};
        return 0;
    default:
        code = find_seq(t, &t->tap->from, &seq);
        if (code == 0)
            t->from = seq == UINT64_MAX ? (tbus_history_from_t){.origin = TBUS_HISTORY_NOW}
                                        : (tbus_history_from_t){TBUS_HISTORY_SEQ, seq};
        return code;
    }
}

/* A time of day that is still to come is looked for in the ticks that come. */
static int find_to(tapping_t *t)
{
    const span_point_t *to = &t->tap->to;
    bool ticks = strcmp(t->type, "tick") == 0;
    t->end_seq = t->end_ns = UINT64_MAX;
    if (to->kind == SPAN_SEQ)
        t->end_seq = to->value;
    if (to->kind == SPAN_OLDEST)
        t->end_seq = 0;
    if (to->kind == SPAN_TIME_OF_DAY && ticks)
        t->end_ns = to->value;
    if (to->kind != SPAN_BEFORE_END && (to->kind != SPAN_TIME_OF_DAY || ticks))
        return 0;
    int code = find_seq(t, to, &t->end_seq);
    if (code == 0 && t->end_seq == UINT64_MAX)
        code = tbus_fail(&t->error, -TBUS_ENOTFOUND,
                         "topic '%s' has not come to the place that --to names yet; a time of day "
                         "is waited for on topics of ticks",
                         t->tap->topic);
    return code;
}

/* Who only wants what comes needs no recording, and does without one that it may not read. */
static int open_history(tapping_t *t)
{
    int code = tbus_history_open(&t->bus, t->journal[0] ? t->journal : NULL, t->tap->topic,
                                 &t->from, &t->history, &t->error);
    if (code < 0 && t->journal[0] && t->from.origin == TBUS_HISTORY_NOW)
        code = tbus_history_open(&t->bus, NULL, t->tap->topic, &t->from, &t->history, &t->error);
    return code;
}

static int tap_bus(tapping_t *t)
{
    const tbus_ring_t *ring = tbus_bus_ring(&t->bus, t->tap->topic);
    if (!ring)
        return list_topics(t);
    t->type = t->bus.directory->topics[tbus_bus_topic_index(&t->bus, t->tap->topic)].type;
    client_journal(t->tap->name, t->journal, sizeof t->journal);
    if (find_from(t) < 0 || find_to(t) < 0 || open_history(t) < 0)
        return outcome_failed(t->tap->verb, "%s", t->error.text);
    t->room = ring->msg_bytes_max;
    t->message = make_room(ring->msg_bytes_max);
    int code = t->message && open_tellers(t) ? end_of(t, follow(t))
                                             : outcome_failed(t->tap->verb, "no memory");
    tbus_history_close(t->history);
    free(t->message);
    free(t->other);
    symbols_destroy(t->symbols);
    return code;
}

static int attach_and_tap(const tap_t *tap)
{
    client_t client;
    tbus_error_t why = {0};
    tapping_t t = {.tap = tap};
    if (client_attach(tap->name, &client, &t.bus, &why) < 0)
        return outcome_failed(tap->verb, "%s", why.text);
    t.control_fd = client.fd;
    int code = tap_bus(&t);
    tbus_bus_close(&t.bus);
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
    static const struct option options[] = {
        {"name", required_argument, NULL, 'n'},  {"json", no_argument, NULL, 'j'},
        {"count", required_argument, NULL, 'k'}, {"fifo", required_argument, NULL, 'p'},
        {"from", required_argument, NULL, 'f'},  {"to", required_argument, NULL, 't'},
        {"help", no_argument, NULL, 'h'},        {0}};
    tap_t tap = {.verb = argv[0]};
    char *end = "";
    tbus_error_t why = {0};
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
        if ((option == 'f' && span_parse(optarg, &tap.from, &why) < 0) ||
            (option == 't' && span_parse(optarg, &tap.to, &why) < 0))
            return outcome_usage(argv[0], "%s", why.text);
    }
    if (argc - optind != 1)
        return outcome_usage(argv[0],
                             argc == optind ? "the topic is missing" : "one topic at a time");
    tap.topic = argv[optind];
    if (isatty(STDOUT_FILENO))
        setvbuf(stdout, NULL, _IOLBF, 0);
    return tap.fifo ? tap_into_fifo(&tap) : attach_and_tap(&tap);
}
