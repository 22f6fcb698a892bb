/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/journal/why_show.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "risk/order_form.h"
#include "tools/show/fold.h"
#include "tools/show/message_text.h"

#define KEY_COLUMNS 10

typedef void (*message_writer_t)(FILE *out, const char *type, uint64_t seq, const void *message,
                                 size_t bytes, const symbols_t *symbols);

/* A message as text, without its newline; the caller frees. NULL: no memory. */
static char *as_text(message_writer_t write, const symbols_t *symbols, const char *type,
                     uint64_t seq, const void *message, size_t bytes)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (!out)
        return NULL;
    write(out, type, seq, message, bytes, symbols);
    if (fclose(out) != 0 || length == 0) {
        free(text);
        return NULL;
    }
    text[length - 1] = 0;
    return text;
}

/* What a strategy asked for, or what risk had of it, if the first was not recorded. */
static const order_t *order_of(const why_life_t *life)
{
    return life->sent.there ? &life->sent.order : &life->judged.order;
}

/* Is the value a yes or no? Then whether what the check is named after is so. */
static bool is_flag(const gate_check_t *check)
{
    return check->form == GATE_FLAG_SET || check->form == GATE_FLAG_CLEAR;
}

/* ---- JSON */

static json_t *number(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static json_t *message_json(const symbols_t *symbols, const char *type, uint64_t seq,
                            uint64_t recorded_ns, const void *message, size_t bytes)
{
    char *text = as_text(message_text_json, symbols, type, seq, message, bytes);
    json_t *object = text ? json_loads(text, 0, NULL) : NULL;
    free(text);
    if (!object)
        return json_null();
    json_object_set_new(object, "recorded_ns", number(recorded_ns));
    return object;
}

static json_t *order_json(const why_answer_t *answer, const why_order_t *o)
{
    return o->there ? message_json(answer->symbols, "order", o->seq, o->recorded_ns, &o->order,
                                   sizeof o->order)
                    : json_null();
}

static json_t *touch_json(const why_verdict_t *verdict)
{
    if (!verdict || !verdict->touch_there)
        return json_null();
    const market_touch_t *t = &verdict->touch;
    return json_pack("{s:I,s:I,s:I,s:I}", "bid_px_e4", (json_int_t)t->bid_px_e4, "bid_qty",
                     (json_int_t)t->bid_qty, "ask_px_e4", (json_int_t)t->ask_px_e4, "ask_qty",
                     (json_int_t)t->ask_qty);
}

/* Of a check that is a yes or a no: is what it is named after so? */
static bool is_so(const gate_check_t *check)
{
    return (check->form == GATE_FLAG_CLEAR) == (check->value != 0);
}

static json_t *check_json(const gate_check_t *check)
{
    json_t *value = is_flag(check) ? json_boolean(is_so(check)) : number(check->value);
    json_t *limit = is_flag(check) ? json_false() : number(check->limit);
    if (!check->known) {
        json_decref(value);
        value = json_null();
    }
    return json_pack("{s:s,s:o,s:o,s:b,s:b,s:b}", "name", report_reason_name(check->reason),
                     "value", value, "limit", limit, "passed", check->passed, "reached",
                     check->reached, "of_strategy", check->of_strategy);
}

static json_t *checks_json(const why_verdict_t *verdict)
{
    if (!verdict)
        return json_null();
    json_t *checks = json_array();
    for (unsigned i = 0; i < verdict->checks_count; i++)
        json_array_append_new(checks, check_json(&verdict->checks[i]));
    return checks;
}

static json_t *reports_json(const why_answer_t *answer)
{
    json_t *reports = json_array();
    for (uint32_t i = 0; i < answer->life.reports_count; i++) {
        const why_report_t *r = &answer->life.reports[i];
        json_array_append_new(reports, message_json(answer->symbols, "report", r->seq,
                                                    r->recorded_ns, &r->report, sizeof r->report));
    }
    return reports;
}

static void set_hop(json_t *hops, const char *name, bool there, uint64_t time_ns)
{
    json_object_set_new(hops, name, there ? number(time_ns) : json_null());
}

static json_t *hops_json(const why_life_t *life)
{
    static const why_report_t none;
    bool reported = life->reports_count != 0;
    const why_report_t *first = reported ? &life->reports[0] : &none;
    const why_report_t *last = reported ? &life->reports[life->reports_count - 1] : &none;
    const order_t *order = order_of(life);
    json_t *hops = json_object();
    set_hop(hops, "intended", order->intended != 0, order->intended);
    set_hop(hops, "tick_recorded", life->tick.there, life->tick.recorded_ns);
    set_hop(hops, "sent", true, order->sent);
    set_hop(hops, "order_recorded", life->sent.there, life->sent.recorded_ns);
    set_hop(hops, "judged_recorded", life->judged.there, life->judged.recorded_ns);
    set_hop(hops, "reported", reported, first->report.sent);
    set_hop(hops, "report_recorded", reported, first->recorded_ns);
    set_hop(hops, "last_reported", reported, last->report.sent);
    return hops;
}

json_t *why_json(const why_answer_t *answer)
{
    const why_life_t *life = &answer->life;
    const why_tick_t *tick = &life->tick;
    const why_verdict_t *verdict = answer->has_verdict ? &answer->verdict : NULL;
    json_t *object = json_object();
    json_object_set_new(object, "order", order_json(answer, &life->sent));
    json_object_set_new(object, "tick",
                        tick->there ? message_json(answer->symbols, "tick", tick->seq,
                                                   tick->recorded_ns, tick->message, tick->bytes)
                                    : json_null());
    json_object_set_new(object, "touch", touch_json(verdict));
    json_object_set_new(object, "judged", order_json(answer, &life->judged));
    json_object_set_new(object, "checks", checks_json(verdict));
    json_object_set_new(object, "cancel", order_json(answer, &life->cancel));
    json_object_set_new(object, "cancel_judged", order_json(answer, &life->cancel_judged));
    json_object_set_new(object, "reports", reports_json(answer));
    json_object_set_new(object, "hops_ns", hops_json(life));
    json_object_set_new(object, "market_ns", verdict ? number(verdict->market_ns) : json_null());
    json_object_set_new(object, "recomputed",
                        verdict ? json_pack("{s:I,s:I}", "orders", (json_int_t)verdict->judged,
                                            "differ", (json_int_t)verdict->differ)
                                : json_null());
    return object;
}

/* ---- words */

/* A line of the life; the sequence that words begin with is said behind the topic. */
static void print_message(FILE *out, const symbols_t *symbols, const char *key, const char *type,
                          uint64_t seq, const void *message, size_t bytes)
{
    char *text = as_text(message_text_words, symbols, type, seq, message, bytes);
    if (text)
        fold(out, key, KEY_COLUMNS, text);
    free(text);
}

static void print_order(FILE *out, const why_answer_t *answer, const char *key,
                        const why_order_t *o)
{
    if (o->there)
        print_message(out, answer->symbols, key, "order", o->seq, &o->order, sizeof o->order);
}

static void print_touch(FILE *out, const why_verdict_t *verdict)
{
    if (!verdict || !verdict->touch_there)
        return;
    const market_touch_t *t = &verdict->touch;
    fprintf(out, "%-*s%" PRIu64 " @ %u.%04u | %" PRIu64 " @ %u.%04u\n", KEY_COLUMNS, "touch",
            t->bid_qty, t->bid_px_e4 / 10000, t->bid_px_e4 % 10000, t->ask_qty,
            t->ask_px_e4 / 10000, t->ask_px_e4 % 10000);
}

static void print_figure(FILE *out, const gate_check_t *check, uint64_t figure)
{
    if (!check->known)
        fprintf(out, " %20s", "-");
    else if (check->form == GATE_SIGNED)
        fprintf(out, " %20" PRId64, (int64_t)figure);
    else
        fprintf(out, " %20" PRIu64, figure);
}

/* Would it have failed, had the order not been one that only closes? */
static bool passes_as_it_closes(const gate_check_t *c)
{
    bool beyond =
        c->form == GATE_FLAG_CLEAR ? c->value != 0 : c->form == GATE_AT_MOST && c->value > c->limit;
    return c->known && c->passed && beyond;
}

#define LIMIT_COLUMNS 29 /* of "at most" and a limit */

/* What is a yes or a no has no limit: "halted  no". */
static void print_check(FILE *out, const gate_check_t *c)
{
    static const char *const relations[] = {[GATE_AT_MOST] = "at most",
                                            [GATE_BELOW] = "below",
                                            [GATE_ABOVE] = "above",
                                            [GATE_SIGNED] = "up to"};
    const char *own = c->of_strategy ? " (own)" : "";
    const char *verdict = !c->passed && c->reached ? " REJECTS"
                          : !c->passed             ? " fails"
                          : passes_as_it_closes(c) ? " closes"
                                                   : "";
    fprintf(out, "%-21s", report_reason_name(c->reason));
    if (is_flag(c)) {
        fprintf(out, " %20s%*s",
                !c->known  ? "-"
                : is_so(c) ? "yes"
                           : "no",
                *verdict ? LIMIT_COLUMNS : 0, "");
    } else {
        print_figure(out, c, c->value);
        fprintf(out, " %-7s", relations[c->form]);
        print_figure(out, c, c->limit);
    }
    fprintf(out, "%s%s\n", own, verdict);
}

static void print_checks(FILE *out, const why_verdict_t *verdict)
{
    fprintf(out, "\n%-21s %20s         %20s\n", "risk: check", "value", "limit");
    for (unsigned i = 0; i < verdict->checks_count; i++)
        print_check(out, &verdict->checks[i]);
    if (verdict->differ)
        fprintf(out,
                "%" PRIu64 " of %" PRIu64
                " verdicts up to here come out otherwise than recorded: do "
                "not\ntrust these figures\n",
                verdict->differ, verdict->judged);
}

static void print_hop(FILE *out, const char *what, uint64_t time_ns, uint64_t *first_ns)
{
    fprintf(out, "%-34s %6" PRIu64 ".%09" PRIu64, what, time_ns / UINT64_C(1000000000),
            time_ns % UINT64_C(1000000000));
    if (*first_ns)
        fprintf(out, " %+15.3f us", ((double)time_ns - (double)*first_ns) / 1000);
    else
        *first_ns = time_ns;
    fprintf(out, "\n");
}

static void print_hops(FILE *out, const why_life_t *life)
{
    uint64_t first_ns = 0;
    const order_t *order = order_of(life);
    fprintf(out, "\n%-34s %16s %15s\n", "host clock, s since the bus began", "at", "since first");
    if (order->intended)
        print_hop(out, "tick was due", order->intended, &first_ns);
    if (life->tick.there)
        print_hop(out, "tick recorded", life->tick.recorded_ns, &first_ns);
    print_hop(out, "order sent", order->sent, &first_ns);
    if (life->sent.there)
        print_hop(out, "order recorded", life->sent.recorded_ns, &first_ns);
    if (life->judged.there)
        print_hop(out, "verdict of risk recorded", life->judged.recorded_ns, &first_ns);
    for (uint32_t i = 0; i < life->reports_count; i++) {
        const why_report_t *r = &life->reports[i];
        char what[40];
        snprintf(what, sizeof what, "%s, sent", report_kind_name(r->report.kind));
        print_hop(out, what, r->report.sent, &first_ns);
    }
}

void why_print(const why_answer_t *answer, FILE *out)
{
    const why_life_t *life = &answer->life;
    const why_verdict_t *verdict = answer->has_verdict ? &answer->verdict : NULL;
    const order_t *order = order_of(life);
    fprintf(out, "order %" PRIu64 ": number %" PRIu64 " of strategy %u\n\n", life->order_id,
            order_count(order), order_strategy(order));
    if (life->tick.there)
        print_message(out, answer->symbols, "md", "tick", life->tick.seq, life->tick.message,
                      life->tick.bytes);
    print_touch(out, verdict);
    print_order(out, answer, "orders", &life->sent);
    print_order(out, answer, "judged", &life->judged);
    print_order(out, answer, "orders", &life->cancel);
    for (uint32_t i = 0; i < life->reports_count; i++) {
        const why_report_t *r = &life->reports[i];
        print_message(out, answer->symbols, "reports", "report", r->seq, &r->report,
                      sizeof r->report);
    }
    if (verdict)
        print_checks(out, verdict);
    print_hops(out, life);
}
