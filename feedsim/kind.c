/* SPDX-License-Identifier: Apache-2.0 */
/* The kind of stage that brings market data in. */
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tickbus/msg/tick.h>

#include "bus/market/places.h"
#include "feedsim/arrivals.h"
#include "feedsim/feed.h"
#include "feedsim/pace.h"
#include "feedsim/source/prepared.h"
#include "feedsim/source/source.h"
#include "feedsim/timeline.h"

#define PREPARE_MAX INT64_C(100000000)
#define PLACES_MAX  (INT64_C(1) << 28)

/* What can be known without looking at files, which belongs to the run: the kind, and the keys of
 * synth. */
static int check_source(const char *text, tbus_error_t *err)
{
    feed_source_t *source;
    if (strncmp(text, "itch:", 5) == 0 || strncmp(text, "journal:", 8) == 0 ||
        strcmp(text, "synth") == 0)
        return 0;
    if (strncmp(text, "soup:", 5) == 0)
        return feed_source_check_soup(text + 5, err);
    if (strncmp(text, "mold:", 5) == 0)
        return feed_source_check_mold(text + 5, err);
    if (strncmp(text, "pcap:", 5) == 0)
        return feed_source_check_pcap(text + 5, err);
    if (feed_source_is_nats(text))
        return feed_source_check_nats(text, err);
    int code = feed_source_open(text, FEED_CLOCK_MARKET, &source, err);
    if (code == 0)
        feed_source_close(source);
    return code;
}

static int check_pace(const char *text, tbus_error_t *err)
{
    feed_pace_t pace;
    if (strcmp(text, "auto") == 0)
        return 0;
    return feed_pace_parse(text, &pace, err);
}

/* A rate is asked for when the pace is known; a file, when the feed is made. */
static int check_arrivals(const char *text, tbus_error_t *err)
{
    char spec[TBUS_PARAM_TEXT_MAX + 8];
    feed_pace_t pace;
    bool named;
    int code = feed_arrivals_named(text, spec, sizeof spec, &named, err);
    if (code != 0 || named)
        return code;
    code = feed_pace_parse("1/s", &pace, err);
    return code != 0 ? code : feed_pace_set_arrivals(&pace, text, err);
}

static int check_place(const char *text, tbus_error_t *err)
{
    uint64_t ns, seq;
    return feed_place_parse(text, &ns, &seq, err);
}

static int check_duration(const char *text, tbus_error_t *err)
{
    uint64_t ns;
    return feed_duration_parse(text, &ns, err);
}

static const tbus_param_t table[] = {
    {"source", TBUS_PARAM_TEXT, TBUS_PARAM_FIELD(feed_values_t, source), .check = check_source,
     .fallback = "synth",
     .help = "itch:FILE (ITCH 5.0, plain or .gz; - is stdin), synth[:seed=N,...] (invented), "
             "journal:DIR (recorded), soup:HOST:PORT[?user=U&password_file=F&session=S&from=SEQ] "
             "and mold:GROUP:PORT[,GROUP:PORT][?requests=ADDR:PORT&...] (received from another "
             "host, over SoupBinTCP or MoldUDP64), nats://HOST:PORT/STREAM[?from=SEQ|TIME&...] (a "
             "stream of NATS JetStream), pcap:FILE[,FILE][?session=S&group=ADDR:PORT&"
             "from=SEQ] (MoldUDP64 in captures; two files: lines A and B)"},
    {"pace", TBUS_PARAM_TEXT, TBUS_PARAM_FIELD(feed_values_t, pace), .check = check_pace,
     .fallback = "auto",
     .help = "max, realtime, Nx (times real time), RATE/s (messages a second); auto: 250k/s for "
             "synth, else max"},
    {"clock", TBUS_PARAM_CHOICE, TBUS_PARAM_FIELD(feed_values_t, clock),
     .choices = "market|recorded|capture", .fallback = "market",
     .help = "what a journal or a capture is paced by: market, the times that its messages carry, "
             "or recorded or capture, when they were recorded or captured (UTC)"},
    {"from", TBUS_PARAM_TEXT, TBUS_PARAM_FIELD(feed_values_t, from), .check = check_place,
     .may_be_empty = true, .fallback = "",
     .help = "HH:MM[:SS[.FRACTION]] on that clock, or seq:N, a message by its number: the feed "
             "begins there; what comes before goes out at once, for the books alone"},
    {"to", TBUS_PARAM_TEXT, TBUS_PARAM_FIELD(feed_values_t, to), .check = check_place,
     .may_be_empty = true, .fallback = "",
     .help = "likewise: the feed ends before the first message at or after it"},
    {"skip_gaps", TBUS_PARAM_TEXT, TBUS_PARAM_FIELD(feed_values_t, skip_gaps),
     .check = check_duration, .may_be_empty = true, .fallback = "",
     .help = "500ms, 10s, 2m, 1h: longer gaps between messages are shortened to it (realtime and "
             "Nx)"},
    {"symbols", TBUS_PARAM_TEXTS, TBUS_PARAM_LIST(feed_values_t, symbols, symbols_count),
     .fallback = "", .help = "only what belongs to these symbols, and to none; empty: everything"},
    {"topic", TBUS_PARAM_TEXT, TBUS_PARAM_FIELD(feed_values_t, topic), .may_be_empty = true,
     .fallback = "", .help = "of a journal: the topic of ticks that is fed; empty: md"},
    {"opening", TBUS_PARAM_TEXT, TBUS_PARAM_FIELD(feed_values_t, opening), .may_be_empty = true,
     .fallback = "",
     .help = "file of ticks that go out first, for the books, instead of all that comes before the "
             "place `from`, seq:N; replay makes one"},
    {"arrivals", TBUS_PARAM_TEXT, TBUS_PARAM_FIELD(feed_values_t, arrivals),
     .check = check_arrivals, .fallback = "constant",
     .help = "how messages are spread: constant; with a rate as the pace also poisson[:SEED] or "
             "burst:N (N at once); with realtime or Nx also recorded:FILE, as far apart as those "
             "of an ITCH file, or of journal:DIR, and recorded:FILE@HH:MM, from there on"},
    {"prepare", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(feed_values_t, prepare), .min = 0,
     .max = PREPARE_MAX, .unit = "messages", .fallback = "0",
     .help = "so many are read and decoded before the first goes out, so that decoding delays "
             "none; 88 bytes each"},
    {"places", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(feed_values_t, places), .min = 0,
     .max = PLACES_MAX, .unit = "orders", .fallback = "1048576",
     .help = "ticks of orders say where the books of their readers keep the order, as long as no "
             "more are live at a time; 0, or more: each reader looks for itself"},
    {"gap_policy", TBUS_PARAM_CHOICE, TBUS_PARAM_FIELD(feed_values_t, gap_policy),
     .choices = "block|warn", .fallback = "block",
     .help = "what new orders come to after messages were lost for good, until the day ends: "
             "rejected as stale_book, or judged as always"},
};
static const tbus_params_t params_of_kind = TBUS_PARAMS(feed_values_t, table);

static const tbus_port_t ports[] = {
    {.topic = "md",
     .role = TBUS_PORT_PUBLISH,
     .type = "tick",
     .type_version = TICK_VERSION,
     .ring = TBUS_BROADCAST,
     .msg_bytes_max = TICK_LEN_MAX,
     .help = "market data, from the feed"},
};

const char *feed_values_pace(const feed_values_t *values)
{
    if (strcmp(values->pace, "auto") != 0)
        return values->pace;
    return strncmp(values->source, "synth", 5) == 0 ? "250k/s" : "max";
}

bool feed_values_unpaced(const feed_values_t *values)
{
    const char *source = values->source;
    feed_pace_t pace;
    struct stat about;
    if (feed_pace_parse(feed_values_pace(values), &pace, NULL) != 0 || pace.kind != FEED_PACE_MAX)
        return false;
    if (strncmp(source, "itch:", 5) == 0)
        return stat(source + 5, &about) == 0 && S_ISREG(about.st_mode);
    return !feed_source_is_received(source);
}

/* Gaps are between the times that messages carry, which `max` and a rate do not look at. */
static bool has_gaps(const feed_values_t *values)
{
    feed_pace_t pace;
    return feed_pace_parse(feed_values_pace(values), &pace, NULL) == 0 &&
           pace.kind == FEED_PACE_TIMED;
}

static void describe(const void *params, char *out_text, size_t bytes)
{
    const feed_values_t *values = params;
    bool skips = *values->skip_gaps != 0;
    snprintf(out_text, bytes, "%s at pace %s%s%s%s%s%s%s%s", values->source,
             feed_values_pace(values), *values->from ? " from " : "", values->from,
             *values->to ? " to " : "", values->to, skips ? ", no gap above " : "",
             values->skip_gaps,
             skips && !has_gaps(values) ? " (no effect: there are no gaps at this pace)" : "");
}

/* The descriptor that we were started with and that the source names, as `<(zcat FILE)` does in
 * bash; or that the opening names, which goes with a journal. Those that the supervisor has opened
 * itself are all close-on-exec. */
static int inherited_fd(const void *params)
{
    static const char *const names[] = {"itch:/dev/fd/", "itch:/proc/self/fd/"};
    static const char opening_fd[] = "/proc/self/fd/";
    const char *source = ((const feed_values_t *)params)->source;
    const char *opening = ((const feed_values_t *)params)->opening;
    char *end = NULL;
    bool stdin_named = strcmp(source, "itch:/dev/stdin") == 0 || strcmp(source, "itch:-") == 0;
    long fd = stdin_named ? STDIN_FILENO : -1;
    if (strncmp(opening, opening_fd, strlen(opening_fd)) == 0)
        fd = strtol(opening + strlen(opening_fd), &end, 10);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(source, names[i], strlen(names[i])) == 0)
            fd = strtol(source + strlen(names[i]), &end, 10);
    if (fd < 0 || fd > INT_MAX || (end && *end))
        return -1;
    int flags = fcntl((int)fd, F_GETFD);
    return flags >= 0 && !(flags & FD_CLOEXEC) ? (int)fd : -1;
}

/* A file or a journal can be looked at beforehand; what is read only once, a FIFO, cannot. */
static int check(const void *params, tbus_error_t *err)
{
    const feed_values_t *values = params;
    const char *source = values->source;
    feed_source_t *opened;
    struct stat st;
    bool file = strncmp(source, "itch:", 5) == 0;
    if (strcmp(source, "itch:-") == 0)
        return 0;
    if (file && stat(source + 5, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        return 0;
    if (!file && strncmp(source, "journal:", 8) != 0 && strncmp(source, "pcap:", 5) != 0)
        return 0;
    int code = feed_source_open(source, (enum feed_clock)values->clock, &opened, err);
    if (code != 0)
        return code;
    code = feed_source_choose(opened, values->topic, err);
    feed_source_close(opened);
    return code;
}

static int create(const tbus_stage_request_t *request, tbus_stage_t **out_stage, tbus_error_t *err)
{
    const feed_values_t *values = request->params;
    feed_params_t params = {.source = values->source,
                            .pace = feed_values_pace(values),
                            .clock = values->clock,
                            .from = values->from,
                            .to = values->to,
                            .skip_gaps = values->skip_gaps,
                            .topic = values->topic,
                            .opening = values->opening,
                            .arrivals = values->arrivals,
                            .prepare = values->prepare,
                            .places = values->places,
                            .gap_policy = values->gap_policy,
                            .gaps = request->control,
                            .symbols = values->symbols,
                            .symbols_count = values->symbols_count,
                            .for_ns = request->for_ns};
    return feed_stage_create(request->bus, request->owner, &params, out_stage, err);
}

static size_t memory_bytes(const void *params)
{
    const feed_values_t *values = params;
    size_t places = values->places ? places_footprint((uint32_t)values->places) : 0;
    return values->prepare * FEED_PREPARED_BYTES + places +
           feed_source_memory_bytes(values->source);
}

const tbus_kind_t feed_kind = {
    .api = TBUS_KIND_API,
    .struct_bytes = sizeof(tbus_kind_t),
    .name = "feed",
    .help = "Where the market data comes from, and how fast.",
    .section = "feed",
    .traits = TBUS_KIND_SOURCE,
    .rank = 10,
    .instances_max = 1,
    .ports_count = sizeof ports / sizeof ports[0],
    .ports = ports,
    .params = &params_of_kind,
    .control = FEED_GAP_BLOCK,
    .control_bytes = sizeof(feed_gap_board_t),
    .errors_counter = "feed.errors",
    .check = check,
    .memory_bytes = memory_bytes,
    .memory_keys = "feed.prepare, feed.places, and keep_bytes= in feed.source",
    .inherited_fd = inherited_fd,
    .describe = describe,
    .create = create,
};
