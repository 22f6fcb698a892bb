/* SPDX-License-Identifier: Apache-2.0 */
/* busctl why: the life of one order of a recorded session. */
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/market/resource.h"
#include "bus/market/session.h"
#include "risk/stage.h"
#include "tools/config/config.h"
#include "tools/journal/why_gate.h"
#include "tools/journal/why_life.h"
#include "tools/journal/why_show.h"
#include "tools/show/outcome.h"
#include "tools/show/recorded.h"
#include "tools/verbs.h"

static const char help[] =
    "usage: busctl why ORDER_ID DIR [--json]\n"
    "\n"
    "The life of one order of the session in DIR: the tick that it answers and the\n"
    "touch after it, the order, each check of risk with its value and the limit in\n"
    "force, every report, and the host's time of each hop. The values of the checks\n"
    "are made out again, by the same gate, from all that was recorded before.\n"
    "\n"
    "  ORDER_ID         as it is printed anywhere (281474976710657), hexadecimal\n"
    "                   (0x1000000000001), or strategy and count (1/1)\n"
    "  --json           a JSON object\n"
    "\n"
    "example: busctl why 1/17 ./session1\n";

static int fail_unknown(const char *verb, const char *text, const char *directory,
                        const why_life_t *life)
{
    outcome_failed(verb, "the journal in %s has no order %s; it has%s", directory, text,
                   life->ids_count ? ":" : " none");
    for (uint32_t i = 0; i < life->ids_count; i++)
        fprintf(stderr,
                "  of strategy %" PRIu32 ": %" PRIu32 "/%" PRIu64 " to %" PRIu32 "/%" PRIu64
                " (%" PRIu64 " to %" PRIu64 ")\n",
                life->ids[i].strategy, life->ids[i].strategy, life->ids[i].first,
                life->ids[i].strategy, life->ids[i].last,
                (uint64_t)ORDER_ID(life->ids[i].strategy, life->ids[i].first),
                (uint64_t)ORDER_ID(life->ids[i].strategy, life->ids[i].last));
    return OUTCOME_FAILED;
}

/* What matters here of the recorded configuration. */
static int take_setup(const config_t *config, why_setup_t *out_setup, tbus_error_t *err)
{
    const market_limits_t *books = config_resource_values(config, &market_resource);
    const session_values_t *venue = config_resource_values(config, &session_resource);
    const config_instance_t *risk = NULL;
    for (uint32_t i = 0; i < config->instances_count; i++)
        if (config->instances[i].kind == &risk_kind)
            risk = &config->instances[i];
    if (!risk || !books || !venue)
        return tbus_fail(err, -TBUS_ENOTFOUND, "the recorded configuration has no risk");
    *out_setup = (why_setup_t){.limits = *(const risk_limits_t *)config_instance_values(risk),
                               .books = *books,
                               .by_market = venue->clock == SESSION_CLOCK_MARKET};
    return 0;
}

static int read_setup(const char *directory, why_setup_t *out_setup, tbus_error_t *err)
{
    static config_t config; /* large, and one is enough */
    json_t *recorded = recorded_configuration(directory);
    char *text = recorded ? json_dumps(recorded, 0) : NULL;
    json_decref(recorded);
    if (!text)
        return tbus_fail(err, -TBUS_ENOTFOUND,
                         "the journal does not say with which configuration it was recorded");
    config_defaults(&config);
    int code = config_read_text(&config, "the recorded configuration", text, strlen(text), err);
    free(text);
    return code < 0 ? code : take_setup(&config, out_setup, err);
}

static void show(const char *verb, const char *directory, const why_life_t *life, bool as_json)
{
    why_verdict_t verdict;
    tbus_error_t why = {0};
    why_setup_t setup;
    bool known = life->judged.there && read_setup(directory, &setup, &why) == 0 &&
                 why_gate_run(directory, &setup, life, &verdict, &why) == 0;
    if (life->judged.there && !known)
        outcome_note(verb, "the checks of risk cannot be made out: %s", why.text);
    if (!as_json) {
        why_print(life, known ? &verdict : NULL, stdout);
        return;
    }
    json_t *object = why_json(life, known ? &verdict : NULL);
    json_dumpf(object, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(object);
}

static int find_and_show(const char *verb, const char *id_text, const char *directory, bool json)
{
    why_life_t life = {0};
    tbus_error_t why = {0};
    uint64_t id;
    if (!why_parse_id(id_text, &id))
        return outcome_usage(verb,
                             "'%s' is no order id: 281474976710657, 0x1000000000001 or 1/1 was "
                             "expected",
                             id_text);
    int code = why_life_read(directory, id, &life, &why);
    bool there = life.sent.there || life.judged.there;
    int outcome = OUTCOME_OK;
    if (code < 0 && code != -TBUS_ENOTFOUND && there)
        outcome_note(verb, "%s", why.text);
    if (there)
        show(verb, directory, &life, json);
    else if (life.ids_count || (code == -TBUS_ENOTFOUND && life.begins))
        outcome = fail_unknown(verb, id_text, directory, &life);
    else
        outcome = outcome_failed(verb, "%s", why.text);
    why_life_clear(&life);
    return outcome == OUTCOME_OK ? outcome_printed(verb) : outcome;
}

int verb_why(int argc, char **argv)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {0}};
    bool json = false;
    optind = 0;
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (option == 'h')
            return outcome_help(argv[0], help);
        if (option == '?')
            return outcome_option(argv[0], argv[optind - 1], options);
        json = true;
    }
    if (argc - optind != 2)
        return outcome_usage(argv[0], argc - optind < 2
                                          ? "an order id and the directory of a journal are needed"
                                          : "one order at a time");
    return find_and_show(argv[0], argv[optind], argv[optind + 1], json);
}
