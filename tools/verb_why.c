/* SPDX-License-Identifier: Apache-2.0 */
/* busctl why: the life of one order of a recorded session. */
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include <tickbus/clock.h>

#include "risk/order_form.h"
#include "tools/journal/order_index.h"
#include "tools/journal/why_answer.h"
#include "tools/journal/why_show.h"
#include "tools/show/outcome.h"
#include "tools/verbs.h"

#define LONG_NS UINT64_C(1000000000) /* who waited so long is told what for */

static const char help[] =
    "usage: busctl why ORDER_ID DIR [--json]\n"
    "\n"
    "The life of one order of the session in DIR: the tick that it answers and the\n"
    "touch after it, the order, each check of risk with its value and the limit in\n"
    "force, every report, and the host's time of each hop. The values of the checks\n"
    "are made out again, by the same gate, from all that was recorded before. The\n"
    "first who asks a finished session has that done for all of its orders, and kept\n"
    "beside the segments (orders.tbw); then every order is found at once.\n"
    "\n"
    "  ORDER_ID         as it is printed anywhere (281474976710657), hexadecimal\n"
    "                   (0x1000000000001), or strategy and count (1/1)\n"
    "  --json           a JSON object\n"
    "\n"
    "example: busctl why 1/17 ./session1\n";

static int fail_unknown(const char *verb, const char *text, const char *directory,
                        const why_answer_t *answer)
{
    outcome_failed(verb, "the journal in %s has no order %s; it has%s", directory, text,
                   answer->ids_count ? ":" : " none");
    for (uint32_t i = 0; i < answer->ids_count; i++) {
        const why_ids_t *ids = &answer->ids[i];
        fprintf(stderr,
                "  of strategy %" PRIu32 ": %" PRIu32 "/%" PRIu64 " to %" PRIu32 "/%" PRIu64
                " (%" PRIu64 " to %" PRIu64 ")\n",
                ids->strategy, ids->strategy, ids->first, ids->strategy, ids->last,
                (uint64_t)ORDER_ID(ids->strategy, ids->first),
                (uint64_t)ORDER_ID(ids->strategy, ids->last));
    }
    return OUTCOME_FAILED;
}

static void show(const char *verb, const why_answer_t *answer, bool as_json)
{
    if (answer->life.judged.there && !answer->has_verdict)
        outcome_note(verb, "the checks of risk cannot be made out: %s", answer->no_verdict.text);
    if (!as_json) {
        why_print(answer, stdout);
        return;
    }
    json_t *object = why_json(answer);
    json_dumpf(object, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(object);
}

static void tell_made(const char *verb, uint64_t started_ns)
{
    uint64_t took_ns = tbus_clock_ns() - started_ns;
    if (isatty(STDERR_FILENO) == 1 || took_ns >= LONG_NS)
        outcome_note(verb,
                     "made the index of its orders, %s, in %.1f s; the next answer is at hand",
                     ORDER_INDEX_NAME, (double)took_ns / 1e9);
}

static int find_and_show(const char *verb, const char *id_text, const char *directory, bool json)
{
    why_answer_t answer;
    tbus_error_t why = {0};
    uint64_t id, started_ns = tbus_clock_ns();
    if (!why_parse_id(id_text, &id))
        return outcome_usage(verb,
                             "'%s' is no order id: 281474976710657, 0x1000000000001 or 1/1 was "
                             "expected",
                             id_text);
    int code = why_answer(directory, id, &answer, &why);
    int outcome = OUTCOME_OK;
    if (answer.made)
        tell_made(verb, started_ns);
    if (code < 0 && answer.there)
        outcome_note(verb, "%s", why.text);
    if (answer.there)
        show(verb, &answer, json);
    else if (answer.ids_count || (code == 0 && answer.begins))
        outcome = fail_unknown(verb, id_text, directory, &answer);
    else
        outcome = outcome_failed(verb, "%s", code < 0 ? why.text : "no order has that id");
    why_answer_clear(&answer);
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
