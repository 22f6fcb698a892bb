/* SPDX-License-Identifier: Apache-2.0 */
/* busctl journal export: a topic of a recording in a format that others read. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/journal/arguments.h"
#include "tools/journal/damage_failed.h"
#include "tools/journal/verbs.h"
#include "tools/show/export.h"
#include "tools/show/grouped.h"
#include "tools/show/outcome.h"

static const char help[] =
    "usage: busctl journal export DIR --topic TOPIC\n"
    "                             [--format itch|csv|jsonl|pcapng]\n"
    "                             [--from PLACE] [--to PLACE] [--skip-damage]\n"
    "                             [--stamps] [-o FILE]\n"
    "\n"
    "Write one topic of the journal in DIR to FILE, which appears when it is\n"
    "complete or not at all.\n"
    "\n"
    "  --topic TOPIC      md, bbo, orders, judged, approved, reports, events, inputs\n"
    "  --format FORMAT    itch: ITCH 5.0 in BinaryFILE framing, the very bytes that\n"
    "                     were fed (topics of ticks only)\n"
    "                     csv: a header and a row for each message (default)\n"
    "                     jsonl: a JSON object a line\n"
    "                     pcapng: packets of MoldUDP64 (tshark), at the times of\n"
    "                     recording; UDP port 26477\n" SPAN_OPTIONS_HELP
    "  --skip-damage      go on behind what is damaged; each hole is named on stderr.\n"
    "                     Without it a damage ends the export, with exit code 1\n"
    "  --stamps           csv: the host's own clock as well (intended_ns, sent_ns);\n"
    "                     without, two runs that did the same give the same file\n"
    "  -o FILE            - is stdout (default)\n"
    "\n"
    "example: busctl journal export ./session1 --topic md --format itch -o fed.itch\n"
    "         busctl journal export ./session1 --topic bbo --format csv | head\n";

static bool parse_format(const char *text, enum export_format *out_format)
{
    static const char *const names[] = {[EXPORT_ITCH] = "itch",
                                        [EXPORT_CSV] = "csv",
                                        [EXPORT_JSONL] = "jsonl",
                                        [EXPORT_PCAPNG] = "pcapng"};
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(text, names[i]) == 0) {
            *out_format = (enum export_format)i;
            return true;
        }
    return false;
}

static void tell_hole(void *context, const char *text)
{
    fprintf(stderr, "%s: %s\n", (const char *)context, text);
}

static int export_and_tell(const char *verb, const export_request_t *request)
{
    export_result_t result = {0};
    char number[GROUPED_MAX];
    tbus_error_t err = {0};
    int code = export_topic(request, &result, &err);
    if (code == -EPIPE)
        return OUTCOME_OK; /* `| head` has seen enough */
    if (code < 0 && result.messages)
        fprintf(stderr,
                "%s: note: the %s messages before the damage were exported; --skip-damage goes on\n"
                "behind it\n",
                verb, grouped((int64_t)result.messages, number));
    if (code < 0)
        return damage_failed(verb, code, &err, request->skip_damage || result.messages);
    if (result.end == TBUS_JOURNAL_TORN)
        fprintf(stderr,
                "%s: note: the recorder was killed; this is what it had recorded (%" PRIu64
                " bytes behind the last whole record were cut off)\n",
                verb, result.torn_bytes);
    if (result.end == TBUS_JOURNAL_BROKEN)
        fprintf(stderr, "%s: note: the recording broke off with an error; this is what it had\n",
                verb);
    if (result.end == TBUS_JOURNAL_LIVE)
        fprintf(stderr, "%s: note: the journal is being written; this is as far as it had come\n",
                verb);
    if (result.left_out)
        fprintf(stderr,
                "%s: note: %s messages that an ITCH file cannot have were left out: those\n"
                "without bytes, marks of what the feed had lost, and snapshots after it; csv,\n"
                "jsonl and pcapng have them\n",
                verb, grouped((int64_t)result.left_out, number));
    if (strcmp(request->output, "-") != 0)
        fprintf(stderr, "%s: %s messages of '%s' in %s\n", verb,
                grouped((int64_t)result.messages, number), request->topic, request->output);
    return OUTCOME_OK;
}

int journal_verb_export(int argc, char **argv)
{
    static const struct option options[] = {{"topic", required_argument, NULL, 't'},
                                            {"format", required_argument, NULL, 'f'},
                                            {"output", required_argument, NULL, 'o'},
                                            {"stamps", no_argument, NULL, 's'},
                                            {"from", required_argument, NULL, 'a'},
                                            {"to", required_argument, NULL, 'z'},
                                            {"skip-damage", no_argument, NULL, 'd'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    export_request_t request = {
        .format = EXPORT_CSV, .output = "-", .tell = tell_hole, .context = argv[0]};
    tbus_error_t why = {0};
    optind = 0;
    for (int option; (option = getopt_long(argc, argv, "ho:", options, NULL)) != -1;) {
        if (option == 'h')
            return outcome_help(argv[0], help);
        if (option == '?')
            return outcome_option(argv[0], argv[optind - 1], options);
        if (option == 't')
            request.topic = optarg;
        if (option == 'o')
            request.output = optarg;
        if (option == 's')
            request.stamps = true;
        request.skip_damage |= option == 'd';
        if ((option == 'a' && span_parse(optarg, &request.from, &why) < 0) ||
            (option == 'z' && span_parse(optarg, &request.to, &why) < 0))
            return outcome_usage(argv[0], "%s", why.text);
        if (option == 'f' && !parse_format(optarg, &request.format))
            return outcome_usage(argv[0], "--format %s: itch, csv, jsonl or pcapng was expected",
                                 optarg);
    }
    int code = journal_directory_argument(argc, argv, &request.directory);
    if (code != OUTCOME_OK)
        return code;
    if (!request.topic)
        return outcome_usage(
            argv[0],
            "which topic? Say --topic md, bbo, orders, judged, approved, reports, events or "
            "inputs");
    bool binary = request.format == EXPORT_ITCH || request.format == EXPORT_PCAPNG;
    if (binary && strcmp(request.output, "-") == 0 && isatty(STDOUT_FILENO))
        return outcome_usage(argv[0], "that is binary and no sight for a terminal: say -o FILE");
    return export_and_tell(argv[0], &request);
}
