/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "tools/config/start_options.h"
#include "tools/run/repeat.h"
#include "tools/run/supervisor.h"
#include "tools/show/outcome.h"
#include "tools/show/span.h"
#include "tools/verbs.h"

static const char help[] =
    "usage: busctl replay DIR [OPTION...]\n"
    "\n"
    "Put the market data that was recorded in DIR back on the rings, for the same\n"
    "stages as `busctl start`.\n"
    "\n"
    "  --verify         run strategies, risk and executor over the recorded session\n"
    "                   with its configuration (--set overrides a key on purpose),\n"
    "                   halts and changes of limits where they were, and compare\n"
    "                   every order, verdict, report and best price with what was\n"
    "                   recorded; exit code 1 if one differs\n"
    "  --against DIR2   compare with what was recorded in DIR2, without running\n"
    "                   anything\n"
    "  --topic TOPIC    the topic of ticks that is fed, default md\n"
    "  --pace PACE      max (default), realtime, Nx (N times real time), RATE/s\n"
    "                   (messages a second)\n"
    "  --clock CLOCK    what realtime and Nx go by: market (default), the times that\n"
    "                   the messages carry, or recorded, when they were\n"
    "                   recorded\n" PACE_OPTIONS_HELP START_OPTIONS_HELP "\n"
    "example: busctl replay /tmp/session --pace realtime --strategy quote\n";

/* feed.from and feed.to are times of day, or numbers of ticks: any other place in the journal is
 * looked up. `text` must live as long as the options. */
static int set_place(start_options_t *options, const char *key, uint16_t ticks,
                     const span_place_t *place, char text[32], tbus_error_t *err)
{
    uint64_t seq;
    int code = span_seq(options->rest, ticks, place, &seq, err);
    if (code < 0)
        return code;
    snprintf(text, 32, "seq:%" PRIu64, seq ? seq : 1);
    return start_options_set(options, key, text, err);
}

/* The topic of the journal that is fed: md, or the one of --topic. */
static int fed_topic(const start_options_t *options, const tbus_journal_reader_t *reader)
{
    for (unsigned i = options->settings_count; i-- > 0;)
        if (strcmp(options->settings[i].key, "feed.topic") == 0 && *options->settings[i].value)
            return tbus_journal_reader_topic(reader, options->settings[i].value);
    return span_ticks(tbus_journal_reader_info(reader));
}

static int set_places(start_options_t *options, tbus_error_t *err)
{
    static char from[32], to[32];
    tbus_journal_reader_t *reader;
    span_t span;
    bool begins = options->from.kind != SPAN_NONE && options->from.kind != SPAN_OLDEST;
    bool ends = options->to.kind != SPAN_NONE && options->to.kind != SPAN_NOW;
    if (!begins && !ends)
        return 0;
    int code = tbus_journal_reader_open(options->rest, &reader, err);
    if (code < 0)
        return code;
    int ticks = fed_topic(options, reader);
    tbus_journal_reader_close(reader);
    if (ticks < 0)
        return 0; /* the feed says what is wrong */
    code =
        span_find(options->rest, false, (uint16_t)ticks, &options->from, &options->to, &span, err);
    if (code == 0 && begins)
        code = set_place(options, "feed.from", (uint16_t)ticks, &span.from, from, err);
    if (code == 0 && ends)
        code = set_place(options, "feed.to", (uint16_t)ticks, &span.to, to, err);
    return code;
}

int verb_replay(int argc, char **argv)
{
    static start_options_t options; /* large, and one is enough */
    int code = start_options_parse(argc, argv, false, &options);
    if (code != OUTCOME_OK)
        return code;
    if (options.help)
        return outcome_help(argv[0], help);
    if (!options.rest)
        return outcome_usage(argv[0], "the directory of the journal is missing");
    if (options.against)
        return repeat_compare(argv[0], &options);
    if (options.verify)
        return repeat_and_compare(argv[0], &options);
    char source[CONFIG_SOURCE_MAX + 16];
    tbus_error_t why = {0};
    snprintf(source, sizeof source, "journal:%s", options.rest);
    if (start_options_set(&options, "feed.source", source, &why) < 0)
        return outcome_usage(argv[0], "%s", why.text);
    if (set_places(&options, &why) < 0)
        return outcome_refused(argv[0], options.json, why.text);
    supervisor_request_t request = {.verb = argv[0], .options = &options};
    return supervisor_run(&request);
}
