/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/config/start_options.h"
#include "tools/run/supervisor.h"
#include "tools/show/outcome.h"
#include "tools/verbs.h"

static const char help[] =
    "usage: busctl bus NAME --topic TOPIC[:KIND[,SLOTS[,SLOT_BYTES]]]... [OPTION...]\n"
    "\n"
    "Keep a bus for programs of your own, which join it with tbus_bus_open\n"
    "(<tickbus/open.h>) in any order and publish and subscribe as they like. Their\n"
    "dead are buried at once. It goes on until Ctrl-C or `busctl stop`; then a\n"
    "summary is printed.\n"
    "\n"
    "  --topic TOPIC    a topic; KIND is broadcast (default), broadcast-mp, spsc,\n"
    "                   mpsc or mpmc: how many publish, and whether a message is for\n"
    "                   every subscriber or for one; SLOTS is a power of two,\n"
    "                   default 8192; SLOT_BYTES a multiple of 64, default 64, of\n"
    "                   which 8 are taken. Where one publishes, longer messages, up\n"
    "                   to 64 KiB, lie behind the slots.\n"
    "  --pages KIND     hugetlb, thp, small, auto (default: the best there is)\n"
    "  --json           print the summary as a JSON object\n"
    "\n"
    "example: busctl bus demo --topic hello --topic jobs:mpmc,1024\n";

#define SLOTS_DEFAULT  8192u
#define MESSAGE_MAX    65536u /* bytes, of topics with one publisher */
#define TOPIC_TEXT_MAX 80u

typedef struct bus_request {
    start_options_t options;
    uint32_t topics_count;
    pipeline_topic_t topics[TBUS_TOPICS_MAX];
} bus_request_t;

static bool parse_kind(const char *text, enum tbus_ring_kind *out_kind)
{
    for (int kind = TBUS_SPSC; kind <= TBUS_MPSC; kind++)
        if (strcmp(text, tbus_ring_kind_name((enum tbus_ring_kind)kind)) == 0) {
            *out_kind = (enum tbus_ring_kind)kind;
            return true;
        }
    return false;
}

static bool parse_number(const char *text, uint32_t *out_number)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || value > TBUS_SLOT_COUNT_MAX)
        return false;
    *out_number = (uint32_t)value;
    return true;
}

/* TOPIC[:KIND[,SLOTS[,SLOT_BYTES]]]. NULL, or what is wrong with it. */
static const char *parse_topic(const char *text, tbus_ring_spec_t *out_spec)
{
    char copy[TOPIC_TEXT_MAX];
    tbus_ring_spec_t spec = {.kind = TBUS_BROADCAST,
                             .slot_bytes = TBUS_SLOT_BYTES_MIN,
                             .slot_count = SLOTS_DEFAULT,
                             .first_seq = 1};
    if (strlen(text) >= sizeof copy)
        return "too long";
    memcpy(copy, text, strlen(text) + 1);
    char *rest = copy;
    const char *name = strsep(&rest, ":");
    if (!tbus_name_fits(name) || strpbrk(name, "/ ,"))
        return "a topic has a name of 1 to 23 characters, without '/', ',' and blanks";
    memcpy(spec.name, name, strlen(name));
    const char *kind = strsep(&rest, ",");
    if (kind && !parse_kind(kind, &spec.kind))
        return "the kinds are broadcast, broadcast-mp, spsc, mpsc and mpmc";
    const char *slots = strsep(&rest, ",");
    if (slots && !parse_number(slots, &spec.slot_count))
        return "the number of slots is a power of two from 16 to 16777216";
    if (rest && !parse_number(rest, &spec.slot_bytes))
        return "the bytes of a slot are a multiple of 64, up to 8192";
    /* Several publishers would need room for a long message at every slot. */
    if (spec.kind == TBUS_SPSC || spec.kind == TBUS_BROADCAST)
        spec.msg_bytes_max = MESSAGE_MAX;
    *out_spec = spec;
    return NULL;
}

/* OUTCOME_OK, or it was said what is wrong. */
static int add_topic(bus_request_t *request, const char *verb, const char *text)
{
    if (request->topics_count == TBUS_TOPICS_MAX)
        return outcome_usage(verb, "a bus has at most %u topics", TBUS_TOPICS_MAX);
    pipeline_topic_t *topic = &request->topics[request->topics_count];
    const char *wrong = parse_topic(text, &topic->spec);
    if (wrong)
        return outcome_usage(verb, "--topic %s: %s", text, wrong);
    tbus_error_t why = {0};
    if (!tbus_ring_footprint(&topic->spec)) {
        tbus_ring_format(NULL, 0, &topic->spec, &why);
        return outcome_usage(verb, "--topic %s: %s", text, why.text);
    }
    topic->rights = TBUS_MAY_PUBLISH | TBUS_MAY_GATE; /* the socket lets in our own user only */
    request->topics_count++;
    return OUTCOME_OK;
}

static int parse(int argc, char **argv, bus_request_t *out)
{
    static const struct option options[] = {{"topic", required_argument, NULL, 't'},
                                            {"pages", required_argument, NULL, 'p'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    tbus_error_t why = {0};
    config_defaults(&out->options.config);
    out->options.config.instances_count = 0;
    optind = 0;
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (option == '?')
            return outcome_hint(argv[0]);
        out->options.help |= option == 'h';
        out->options.json |= option == 'j';
        if (option == 'p' && config_set(&out->options.config, "bus.pages", optarg, &why) < 0)
            return outcome_usage(argv[0], "--pages: %s", why.text);
        int code = option == 't' ? add_topic(out, argv[0], optarg) : OUTCOME_OK;
        if (code != OUTCOME_OK)
            return code;
    }
    if (out->options.help)
        return OUTCOME_OK;
    if (argc - optind != 1)
        return outcome_usage(argv[0], argc == optind ? "the name of the bus is missing"
                                                     : "one bus at a time");
    if (config_set(&out->options.config, "bus.name", argv[optind], &why) < 0)
        return outcome_usage(argv[0], "%s", why.text);
    if (!out->topics_count)
        return outcome_usage(argv[0], "a bus needs at least one --topic");
    return OUTCOME_OK;
}

int verb_bus(int argc, char **argv)
{
    static bus_request_t bus; /* large */
    int code = parse(argc, argv, &bus);
    if (code != OUTCOME_OK)
        return code;
    if (bus.options.help)
        return outcome_help(argv[0], help);
    supervisor_request_t request = {.verb = argv[0],
                                    .options = &bus.options,
                                    .topics_count = bus.topics_count,
                                    .topics = bus.topics};
    return supervisor_run(&request);
}
