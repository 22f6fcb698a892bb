/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/latches_shown.h"

#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "risk/kill_switch.h"
#include "tools/show/fold.h"
#include "tools/show/grouped.h"
#include "tools/show/json_text.h"
#include "tools/show/outcome.h"

#define PARAGRAPH_MAX 1200
#define SINCE_MAX     64

/* When a latch was thrown, and by whom. */
static json_t *thrown(const kill_switch_state_t *state)
{
    return json_pack("{s:I, s:s, s:I, s:I}", "since_ns", (json_int_t)state->since_ns, "by",
                     kill_switch_by_text(state->by), "uid", (json_int_t)state->uid, "pid",
                     (json_int_t)state->pid);
}

static json_t *reason_of(const kill_switch_state_t *state)
{
    return state->thrown ? json_text(state->reason, sizeof state->reason) : json_null();
}

static json_t *strategies(const kill_switch_t *kill_switch)
{
    json_t *object = json_object();
    for (uint32_t left = kill_switch_latched(kill_switch); left != 0; left &= left - 1) {
        kill_switch_state_t why;
        char section[KILL_SWITCH_SECTION_MAX];
        kill_switch_look_why(kill_switch, (uint32_t)__builtin_ctz(left), section, &why);
        json_t *latch = thrown(&why);
        json_object_set_new(latch, "reason", reason_of(&why));
        json_object_set_new(object, section, latch);
    }
    return object;
}

void latches_shown_add(json_t *risk, const tbus_bus_t *bus)
{
    kill_switch_t *kill_switch = NULL;
    kill_switch_state_t halt = {0}, reduction = {0};
    if (kill_switch_find(bus, &kill_switch, NULL) == 0) {
        kill_switch_look(kill_switch, &halt);
        kill_switch_look_reduction(kill_switch, &reduction);
    }
    json_t *details = halt.thrown ? thrown(&halt) : json_null();
    if (halt.thrown) {
        json_int_t cancelled = halt.answered ? (json_int_t)halt.cancelled : 0;
        json_object_set_new(details, "answered", json_boolean(halt.answered));
        json_object_set_new(details, "cancelled", json_integer(cancelled));
        json_object_set_new(details, "unconfirmed", json_integer((json_int_t)halt.unconfirmed));
    }
    json_object_set_new(risk, "halted", json_boolean(halt.thrown));
    json_object_set_new(risk, "halt_reason", reason_of(&halt));
    json_object_set_new(risk, "halt", details);
    json_object_set_new(risk, "reducing", json_boolean(reduction.thrown));
    json_object_set_new(risk, "reduce_reason", reason_of(&reduction));
    json_object_set_new(risk, "reduce", reduction.thrown ? thrown(&reduction) : json_null());
    json_object_set_new(risk, "strategies_latched",
                        kill_switch ? strategies(kill_switch) : json_object());
}

/* ---- for people */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static int64_t integer(const json_t *object, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(object, key));
}

__attribute__((format(printf, 4, 5))) static void paragraph(FILE *out, const char *label,
                                                            int indent, const char *format, ...)
{
    char text[PARAGRAPH_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fold(out, label, indent, text);
}

/* "since 2026-11-29 23:15:01 UTC, by an operator". */
static void print_origin(FILE *out, int indent, const json_t *latch, const char *more)
{
    char since[SINCE_MAX] = "?";
    time_t seconds = (time_t)(integer(latch, "since_ns") / INT64_C(1000000000));
    struct tm utc;
    if (gmtime_r(&seconds, &utc))
        strftime(since, sizeof since, "%Y-%m-%d %H:%M:%S UTC", &utc);
    paragraph(out, "", indent, "since %s, by %s%s; `%s resume` ends it", since,
              text_of(latch, "by"), more, outcome_program());
}

static void print_halt(FILE *out, const json_t *risk, int indent)
{
    const json_t *halt = json_object_get(risk, "halt");
    const char *reason = text_of(risk, "halt_reason");
    bool answered = json_is_true(json_object_get(halt, "answered"));
    bool confirmed = answered && integer(halt, "unconfirmed") == 0;
    char cancelled[GROUPED_MAX], unconfirmed[GROUPED_MAX], answer[2 * GROUPED_MAX + 64];
    paragraph(out, "  HALTED", indent, "%sno order passes risk%s%s",
              confirmed ? "" : "UNCONFIRMED: ", *reason ? ": " : "", reason);
    if (answered)
        snprintf(answer, sizeof answer, "; %s orders cancelled, %s unconfirmed",
                 grouped(integer(halt, "cancelled"), cancelled),
                 grouped(integer(halt, "unconfirmed"), unconfirmed));
    else
        snprintf(answer, sizeof answer, "; the executor has not answered");
    print_origin(out, indent, halt, answer);
}

void latches_shown_print(FILE *out, const json_t *risk, int indent)
{
    const char *section;
    json_t *latch;
    if (json_is_true(json_object_get(risk, "halted")))
        print_halt(out, risk, indent);
    if (json_is_true(json_object_get(risk, "reducing"))) {
        paragraph(out, "  REDUCING", indent, "only closing orders pass risk: %s",
                  text_of(risk, "reduce_reason"));
        print_origin(out, indent, json_object_get(risk, "reduce"), "");
    }
    json_object_foreach(json_object_get(risk, "strategies_latched"), section, latch)
    {
        paragraph(out, "  REDUCING", indent, "of %s only its own closing orders pass risk: %s",
                  section, text_of(latch, "reason"));
        print_origin(out, indent, latch, "");
    }
}
