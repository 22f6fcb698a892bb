/* SPDX-License-Identifier: Apache-2.0 */
/* script - sends the orders and cancels of a file (script_file.h), and says what became of them: a
 * way to try risk and the venue, by hand or from a test.
 *
 * Lines run in their order. What is due is sent from the callback that finds it due: a tick, or the
 * timer. A line that cannot be sent is skipped, since what comes later has a time of its own.
 *
 * Each report, and each line that was not sent, is one JSON object on a line of its own:
 *
 *    {"ts_event_ns":34200000100000,"md_seq":17,"line":3,"order":"bid","kind":"accepted",
 *     "reason":"none","symbol":"SYN001","side":"B","qty":100,"px_e4":999800,"leaves":100,
 *     "exec_id":0,"liquidity":"","fee_e4":0}
 *    {"ts_event_ns":34201000000000,"md_seq":20,"line":4,"order":"bid","kind":"not_sent",
 *     "reason":"the order is gone"}
 *
 * `ts_event_ns`: event time at which it was seen, or should have been sent. `line`: that which sent
 * the order, or was not sent. `md_seq`, `kind`, `reason`, `exec_id`, `liquidity`: those of the
 * report (tickbus/msg/report.h); of a line that was not sent, `md_seq` is the last tick taken. No
 * time of the host is in them, so that two runs may be compared byte for byte.
 *
 * They are written with a system call each: this strategy is for looking at, not for measuring.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tickbus/strategy.h>

#include "strategy/script_file.h"

#define PATH_BYTES   512u
#define SYMBOLS_KEPT 256u /* a power of two */
#define LINE_BYTES   640u

typedef struct script_params {
    char file[PATH_BYTES];
    char reports[PATH_BYTES];
} script_params_t;

enum order_state { ORDER_NOT_SENT = 0, ORDER_OPEN, ORDER_LEAVING, ORDER_GONE };

/* What became of the order that a step sends. */
typedef struct scripted {
    uint64_t order_id; /* 0: not sent */
    uint8_t state;
} scripted_t;

typedef struct script_run {
    script_t script;
    scripted_t *orders; /* by step */
    uint32_t *sent;     /* steps whose orders were sent, so in the order of their ids */
    uint32_t sent_count;
    uint32_t next; /* the step that is to run */
    uint64_t md_seq;
    uint64_t timer_ns; /* asked for, 0: none */
    int fd;
    int write_error;  /* errno of the first report that could not be written */
    uint32_t unsent;  /* steps that were due and could not be sent */
    uint32_t unknown; /* of these: symbols that the market has not named */
    const script_step_t *unknown_first;
    const script_step_t *left; /* the first that was not due when the run ended; NULL: none */
    char reports[PATH_BYTES];
    uint16_t locates[SYMBOLS_KEPT]; /* by a hash of the symbol: where it was found last */
} script_run_t;

/* ---- saying it */

/* All of it or, on an error, what the file takes. */
static void write_line(script_run_t *s, const char *text, size_t bytes)
{
    while (bytes && !s->write_error) {
        ssize_t written = write(s->fd, text, bytes);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0) {
            s->write_error = errno;
            return;
        }
        text += written;
        bytes -= (size_t)written;
    }
}

static int symbol_bytes(const script_step_t *step)
{
    int bytes = (int)sizeof step->symbol;
    while (bytes > 0 && step->symbol[bytes - 1] == ' ')
        bytes--;
    return bytes;
}

static void tell_report(script_run_t *s, const strat_context_t *ctx, const script_step_t *step,
                        const report_t *r)
{
    char text[LINE_BYTES];
    int bytes =
        snprintf(text, sizeof text,
                 "{\"ts_event_ns\":%" PRIu64 ",\"md_seq\":%" PRIu64 ",\"line\":%u,\"order\":\"%s\","
                 "\"kind\":\"%s\",\"reason\":\"%s\",\"symbol\":\"%.*s\",\"side\":\"%c\",\"qty\":%u,"
                 "\"px_e4\":%u,\"leaves\":%u,\"exec_id\":%" PRIu64 ",\"liquidity\":\"%.*s\","
                 "\"fee_e4\":%d}\n",
                 strat_event_ns(ctx), (uint64_t)r->md_seq, step->line, step->name,
                 report_kind_name(r->kind), report_reason_name(r->reason), symbol_bytes(step),
                 step->symbol, step->side, r->qty, r->px_e4, r->leaves, (uint64_t)r->exec_id,
                 r->liquidity != 0, (const char[]){(char)r->liquidity, 0}, r->fee_e4);
    write_line(s, text, (size_t)bytes);
}

static void tell_unsent(script_run_t *s, const strat_context_t *ctx, const script_step_t *step,
                        const char *why)
{
    char text[LINE_BYTES];
    s->unsent++;
    int bytes = snprintf(text, sizeof text,
                         "{\"ts_event_ns\":%" PRIu64 ",\"md_seq\":%" PRIu64 ",\"line\":%u,"
                         "\"order\":\"%s\",\"kind\":\"not_sent\",\"reason\":\"%s\"}\n",
                         strat_event_ns(ctx), s->md_seq, step->line, step->name, why);
    write_line(s, text, (size_t)bytes);
}

/* One sentence for all that the user should know. */
static void note(const script_run_t *s, strat_context_t *ctx)
{
    char text[TBUS_ERROR_TEXT_MAX];
    size_t used = 0;
    if (s->unsent)
        used += (size_t)snprintf(text + used, sizeof text - used, "; %u %s not sent", s->unsent,
                                 s->unsent == 1 ? "line was" : "lines were");
    if (s->unknown)
        used += (size_t)snprintf(text + used, sizeof text - used,
                                 "; %u for a symbol that was not seen, as '%.*s' in line %u",
                                 s->unknown, symbol_bytes(s->unknown_first),
                                 s->unknown_first->symbol, s->unknown_first->line);
    if (s->left)
        used += (size_t)snprintf(text + used, sizeof text - used,
                                 "; the run ended before line %u was due", s->left->line);
    if (s->write_error)
        used += (size_t)snprintf(text + used, sizeof text - used,
                                 "; reports are missing in '%.200s': %s", s->reports,
                                 tbus_strerror(-s->write_error));
    if (used)
        strat_note(ctx, "%s", text + 2);
}

/* ---- doing it */

static bool is_at(const strat_context_t *ctx, uint16_t locate, const char symbol[8])
{
    return memcmp(market_symbol(strat_market(ctx), locate)->name, symbol, 8) == 0;
}

/* Where a symbol is in this market, as far as it has named its symbols. The one found last is asked
 * first, and only asked: on another day it can be another's. */
static bool find_symbol(script_run_t *s, const strat_context_t *ctx, const char symbol[8],
                        uint16_t *out_locate)
{
    uint64_t bits;
    memcpy(&bits, symbol, sizeof bits);
    uint16_t *kept = &s->locates[(bits * UINT64_C(0x9e3779b97f4a7c15)) >> 56];
    for (uint32_t locate = 0; !is_at(ctx, *kept, symbol); locate++) {
        if (locate == MARKET_LOCATES)
            return false;
        if (is_at(ctx, (uint16_t)locate, symbol))
            *kept = (uint16_t)locate;
    }
    *out_locate = *kept;
    return true;
}

static void keep_sent(script_run_t *s, uint32_t index, uint64_t order_id)
{
    s->orders[index] = (scripted_t){order_id, ORDER_OPEN};
    s->sent[s->sent_count++] = index;
}

/* Why nothing can be asked of an order that an earlier line was to send; NULL: it can. */
static const char *unavailable(const scripted_t *order)
{
    switch (order->state) {
    case ORDER_OPEN:
        return NULL;
    case ORDER_LEAVING:
        return "a cancel of the order is on its way";
    case ORDER_GONE:
        return "the order is gone";
    default:
        return "the order was not sent";
    }
}

static bool run_cancel(script_run_t *s, strat_context_t *ctx, const script_step_t *step,
                       uint16_t locate)
{
    scripted_t *order = &s->orders[step->of_step];
    if (!strat_cancel(ctx, locate, order->order_id))
        return false;
    order->state = ORDER_LEAVING;
    return true;
}

static bool run_order(script_run_t *s, strat_context_t *ctx, const script_step_t *step,
                      uint16_t locate)
{
    strat_order_t wanted = {.locate = locate,
                            .side = step->side,
                            .tif = step->tif,
                            .flags = step->flags,
                            .qty = step->qty,
                            .px_e4 = step->px_e4};
    uint64_t id = step->kind == ORDER_REPLACE
                      ? strat_replace(ctx, s->orders[step->of_step].order_id, &wanted)
                      : strat_send_order(ctx, &wanted);
    if (id == 0)
        return false;
    keep_sent(s, (uint32_t)(step - s->script.steps), id);
    return true;
}

/* NULL, or why it could not be sent. */
static const char *run_step(script_run_t *s, strat_context_t *ctx, const script_step_t *step)
{
    uint16_t locate;
    const char *why = step->kind == ORDER_NEW ? NULL : unavailable(&s->orders[step->of_step]);
    if (why)
        return why;
    if (!find_symbol(s, ctx, step->symbol, &locate)) {
        if (s->unknown++ == 0)
            s->unknown_first = step;
        return "no such symbol was seen";
    }
    if (step->kind == ORDER_CANCEL)
        return run_cancel(s, ctx, step, locate) ? NULL : "the symbol is at another locate by now";
    return run_order(s, ctx, step, locate) ? NULL : "strategy.open_orders_max orders are open";
}

/* Run what is due; for the next step that waits for a time, ask to be called then. */
static void run_due(script_run_t *s, strat_context_t *ctx)
{
    for (; s->next < s->script.count; s->next++) {
        const script_step_t *step = &s->script.steps[s->next];
        if (step->when == SCRIPT_MD_SEQ && s->md_seq < step->at)
            return;
        if (step->when == SCRIPT_EVENT_NS && strat_event_ns(ctx) < step->at) {
            if (s->timer_ns != step->at)
                strat_timer_at(ctx, step->at);
            s->timer_ns = step->at;
            return;
        }
        const char *why = run_step(s, ctx, step);
        if (why)
            tell_unsent(s, ctx, step, why);
    }
}

/* ---- callbacks */

static int check_file(const char *path, tbus_error_t *err)
{
    script_t script;
    int code = script_read(path, &script, err);
    if (code == 0)
        script_free(&script);
    return code;
}

static const tbus_param_t script_table[] = {
    {"file", TBUS_PARAM_TEXT, TBUS_PARAM_FIELD(script_params_t, file), .may_be_empty = true,
     .check = check_file, .fallback = "",
     .help =
         "of script: the file with its orders, one a line: [TICK|HH:MM:SS] SIDE QTY PX TIF SYMBOL "
         "NAME, cancel NAME, or replace NAME QTY PX TIF NEW"},
    {"reports", TBUS_PARAM_TEXT, TBUS_PARAM_FIELD(script_params_t, reports), .may_be_empty = true,
     .fallback = "",
     .help = "of script: file that gets what became of each order, one JSON object a line; empty: "
             "stderr"},
};

static void script_destroy(void *self)
{
    script_run_t *s = self;
    if (s->fd > STDERR_FILENO)
        close(s->fd);
    script_free(&s->script);
    free(s->orders);
    free(s->sent);
    free(s);
}

static int open_reports(script_run_t *s, tbus_error_t *err)
{
    s->fd = STDERR_FILENO;
    if (!s->reports[0])
        return 0;
    s->fd = open(s->reports, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);
    return s->fd < 0 ? tbus_fail(err, -errno, "strategy.reports '%s' cannot be written: %s",
                                 s->reports, tbus_strerror(-errno))
                     : 0;
}

static int prepare(script_run_t *s, const script_params_t *params, tbus_error_t *err)
{
    tbus_error_t why = {0};
    memcpy(s->reports, params->reports, sizeof s->reports);
    int code = script_read(params->file, &s->script, &why);
    if (code < 0)
        return tbus_fail(err, code, "script '%s': %s", params->file, why.text);
    uint32_t count = s->script.count ? s->script.count : 1;
    s->orders = calloc(count, sizeof *s->orders);
    s->sent = calloc(count, sizeof *s->sent);
    if (!s->orders || !s->sent)
        return tbus_fail(err, -ENOMEM, "no memory for a script of %u lines", count);
    return open_reports(s, err);
}

static int script_create(strat_context_t *ctx, const void *values, void **out_self,
                         tbus_error_t *err)
{
    const script_params_t *params = values;
    (void)ctx;
    if (!params->file[0])
        return tbus_fail(err, -TBUS_ECONFIG,
                         "the strategy 'script' has no file: --set strategy.file=FILE");
    script_run_t *s = calloc(1, sizeof *s);
    if (!s)
        return tbus_fail(err, -ENOMEM, "no memory for the strategy 'script'");
    int code = prepare(s, params, err);
    if (code < 0) {
        script_destroy(s);
        return code;
    }
    *out_self = s;
    return 0;
}

static void script_on_tick(void *self, strat_context_t *ctx, const tick_t *tick, uint64_t md_seq)
{
    script_run_t *s = self;
    (void)tick;
    s->md_seq = md_seq;
    run_due(s, ctx);
}

/* The clock of the data may have gone back since the timer was set: then it is set again. */
static void script_on_timer(void *self, strat_context_t *ctx, uint64_t event_ns)
{
    script_run_t *s = self;
    (void)event_ns;
    s->timer_ns = 0;
    run_due(s, ctx);
}

/* The step that sent an order; ids increase in the order of sending. */
static uint32_t find_step(const script_run_t *s, uint64_t order_id)
{
    uint32_t first = 0, end = s->sent_count;
    while (end - first > 1) {
        uint32_t middle = first + (end - first) / 2;
        if (s->orders[s->sent[middle]].order_id <= order_id)
            first = middle;
        else
            end = middle;
    }
    return s->sent[first];
}

static void script_on_report(void *self, strat_context_t *ctx, const report_t *report)
{
    script_run_t *s = self;
    if (s->sent_count == 0)
        return;
    uint32_t index = find_step(s, report->order_id);
    scripted_t *order = &s->orders[index];
    if (order->order_id != report->order_id)
        return; /* the stage counts it (orders.report_mismatches) */
    if (report->kind == REPORT_REJECTED || report->kind == REPORT_FILLED ||
        report->kind == REPORT_CANCELLED)
        order->state = ORDER_GONE;
    else if (report->kind == REPORT_CANCEL_REJECTED && order->state == ORDER_LEAVING)
        order->state = ORDER_OPEN;
    bool failed_before = s->write_error != 0;
    tell_report(s, ctx, &s->script.steps[index], report);
    if (s->write_error && !failed_before)
        note(s, ctx);
}

/* From now on nothing more is sent. */
static void script_on_wind_down(void *self, strat_context_t *ctx)
{
    script_run_t *s = self;
    s->left = s->next < s->script.count ? &s->script.steps[s->next] : NULL;
    s->next = s->script.count;
    note(s, ctx);
}

const strategy_t strategy_script = {
    .api = STRATEGY_API,
    .struct_bytes = sizeof(strategy_t),
    .params = TBUS_PARAMS(script_params_t, script_table),
    .name = "script",
    .summary = "sends the orders and cancels of a file, and writes down what became of them",
    .create = script_create,
    .on_tick = script_on_tick,
    .on_report = script_on_report,
    .on_timer = script_on_timer,
    .on_wind_down = script_on_wind_down,
    .destroy = script_destroy,
};
