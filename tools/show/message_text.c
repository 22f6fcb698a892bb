/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/show/message_text.h"

#include <stdbool.h>
#include <string.h>

#include <tickbus/msg/bbo.h>
#include <tickbus/msg/event.h>
#include <tickbus/msg/itch_types.h>
#include <tickbus/msg/order.h>
#include <tickbus/msg/report.h>
#include <tickbus/msg/tick.h>
#include "bus/msg/message_type.h"
#include "tools/show/line.h"

const char *message_text_order_kind(unsigned kind)
{
    return kind == ORDER_NEW       ? "new"
           : kind == ORDER_CANCEL  ? "cancel"
           : kind == ORDER_REPLACE ? "replace"
                                   : "?";
}

const char *message_text_tif(unsigned tif)
{
    return tif == ORDER_TIF_DAY ? "day" : tif == ORDER_TIF_IOC ? "ioc" : "?";
}

/* --- JSON --- */

static void json_i64(line_t *line, const char *name, int64_t value)
{
    line_text(line, ",\"");
    line_text(line, name);
    line_text(line, "\":");
    line_i64(line, value);
}

static void json_u64(line_t *line, const char *name, uint64_t value)
{
    line_text(line, ",\"");
    line_text(line, name);
    line_text(line, "\":");
    line_u64(line, value);
}

static void json_chars(line_t *line, const char *name, const char *chars, size_t count)
{
    line_text(line, ",\"");
    line_text(line, name);
    line_text(line, "\":");
    line_json_chars(line, chars, count);
}

static void json_char(line_t *line, const char *name, uint8_t c)
{
    char one = (char)c;
    json_chars(line, name, &one, 1);
}

static void json_text(line_t *line, const char *name, const char *text)
{
    json_chars(line, name, text, strlen(text));
}

static void json_symbol(line_t *line, const char *symbol)
{
    json_chars(line, "symbol", symbol, line_unpadded(symbol, 8));
}

/* Of a message that carries the locate alone: null when nothing said which symbol that is. */
static void json_locate(line_t *line, uint16_t locate, uint64_t md_seq, const symbols_t *symbols)
{
    const char *symbol = symbols_of(symbols, locate, md_seq);
    json_u64(line, "locate", locate);
    if (symbol)
        json_symbol(line, symbol);
    else
        line_text(line, ",\"symbol\":null");
}

static void json_hex(line_t *line, const char *name, const void *bytes, size_t count)
{
    line_text(line, ",\"");
    line_text(line, name);
    line_text(line, "\":\"");
    line_hex(line, bytes, count);
    line_char(line, '"');
}

/* How many characters of a field are shown: those that do not pad it. */
static size_t shown_bytes(const itch_field_t *field, const tick_t *tick)
{
    bool padded = field->kind == ITCH_FIELD_CHARS || field->kind == ITCH_FIELD_SYMBOL;
    return padded ? line_unpadded(itch_field_chars(field, tick), field->bytes) : field->bytes;
}

/* `body`: all bytes after the type; for a long unknown message they go on past the tick. */
static void json_tick_body(line_t *line, const tick_t *tick, const unsigned char *body,
                           size_t body_bytes)
{
    unsigned count;
    const itch_field_t *field = itch_fields(tick->type, &count);
    tick_gap_t gap;
    if (tick_gap_get(tick, TICK_BODY_OFFSET + body_bytes, &gap)) {
        json_u64(line, "from", gap.from);
        json_u64(line, "to", gap.to);
        json_text(line, "policy", gap.policy == TICK_GAP_WARN ? "warn" : "block");
        return;
    }
    if (!field)
        json_hex(line, "body", body, body_bytes);
    for (; count; field++, count--) {
        if (itch_field_is_number(field))
            json_u64(line, field->name, itch_field_number(field, tick));
        else
            json_chars(line, field->name, itch_field_chars(field, tick), shown_bytes(field, tick));
    }
}

const char *message_text_mark(uint8_t type)
{
    switch (type) {
    case TICK_END_MARK:
        return "end";
    case TICK_RUNT:
        return "runt";
    case TICK_GAP:
        return "gap";
    case TICK_RESTORE:
        return "restore";
    default:
        return NULL;
    }
}

static void json_tick(line_t *line, const tick_t *tick, const unsigned char *body,
                      size_t body_bytes)
{
    const char *mark = message_text_mark(tick->type);
    if (mark)
        json_text(line, "type", mark);
    else
        json_char(line, "type", tick->type);
    json_u64(line, "locate", tick_locate(tick));
    json_u64(line, "tracking", tick_tracking(tick));
    json_u64(line, "ts_event_ns", tick_event_ns(tick));
    if (tick_is_warm_up(tick)) /* wanted at no time */
        json_text(line, "intended_ns", "warm-up");
    else
        json_u64(line, "intended_ns", tick_intended_ns(tick));
    if (tick->type != TICK_END_MARK)
        json_tick_body(line, tick, body, body_bytes);
}

static void json_bbo(line_t *line, const bbo_t *bbo)
{
    json_u64(line, "md_seq", bbo->md_seq);
    json_u64(line, "locate", bbo_locate(bbo));
    json_symbol(line, bbo->symbol);
    json_u64(line, "ts_event_ns", bbo->event & TICK_NS_MASK);
    json_u64(line, "intended_ns", bbo->intended & TICK_NS_MASK);
    json_u64(line, "bid_px_e4", bbo->bid_px_e4);
    json_u64(line, "bid_qty", bbo->bid_qty);
    json_u64(line, "ask_px_e4", bbo->ask_px_e4);
    json_u64(line, "ask_qty", bbo->ask_qty);
}

static void json_order(line_t *line, const order_t *order, const symbols_t *symbols)
{
    json_u64(line, "order_id", order->order_id);
    json_u64(line, "strategy", order_strategy(order));
    json_text(line, "kind", message_text_order_kind(order->kind));
    json_locate(line, order_locate(order), order->md_seq, symbols);
    json_char(line, "side", order->side);
    json_u64(line, "qty", order->qty);
    json_u64(line, "px_e4", order->px_e4);
    json_text(line, "tif", message_text_tif(order->tif));
    json_u64(line, "md_seq", order->md_seq);
    json_u64(line, "report_seq", order->report_seq);
    json_u64(line, "intended_ns", order->intended);
    json_u64(line, "sent_ns", order->sent);
    json_u64(line, "at_ns", order->at);
    if (order->kind == ORDER_REPLACE)
        json_u64(line, "replaces", order_replaces(order));
    json_u64(line, "flags", order->flags);
    if (order->reason != REASON_NONE)
        json_text(line, "reason", report_reason_name(order->reason));
}

static void json_report(line_t *line, const report_t *report, const symbols_t *symbols)
{
    json_u64(line, "order_id", report->order_id);
    json_u64(line, "strategy", report_strategy(report));
    json_text(line, "kind", report_kind_name(report->kind));
    json_text(line, "reason", report_reason_name(report->reason));
    json_locate(line, report_locate(report), report->md_seq, symbols);
    json_char(line, "side", report->side);
    json_u64(line, "qty", report->qty);
    json_u64(line, "px_e4", report->px_e4);
    json_u64(line, "leaves", report->leaves);
    json_u64(line, "exec_id", report->exec_id);
    if (report->liquidity)
        json_char(line, "liquidity", report->liquidity);
    json_u64(line, "md_seq", report->md_seq);
    json_u64(line, "sent_ns", report->sent);
    json_u64(line, "seen_ns", report->seen);
    json_u64(line, "flags", report->flags);
    json_i64(line, "fee_e4", report->fee_e4);
}

/* The text behind the fields. */
static const char *event_text(const event_t *event)
{
    return (const char *)(event + 1);
}

static void json_event(line_t *line, const event_t *event, size_t text_bytes)
{
    json_text(line, "kind", event_kind_name(event->kind));
    json_text(line, "from", event_from_name(event->from));
    json_text(line, "by", event_by_name(event->by));
    json_u64(line, "number", event->number);
    json_u64(line, "more", event->more);
    json_u64(line, "time_ns", event->time_ns);
    json_u64(line, "uid", event->uid);
    json_u64(line, "pid", event->pid);
    json_u64(line, "position", event->position);
    json_u64(line, "md_seq", event->md_seq);
    json_u64(line, "ts_event_ns", event->market_ns);
    json_u64(line, "sent_ns", event->sent_ns);
    line_text(line, ",\"text\":");
    line_json_utf8(line, event_text(event), text_bytes);
}

/* --- words --- */

static void word_u64(line_t *line, const char *name, uint64_t value)
{
    line_char(line, ' ');
    line_text(line, name);
    line_char(line, ' ');
    line_u64(line, value);
}

/* Names from outside may hold anything: what is no printable ASCII shows as '?'. */
static void word_chars(line_t *line, const char *chars, size_t count)
{
    line_char(line, ' ');
    count = line_unpadded(chars, count);
    if (count == 0)
        line_char(line, '-');
    for (size_t i = 0; i < count; i++)
        line_char(line, chars[i] >= 0x20 && chars[i] <= 0x7e ? chars[i] : '?');
}

static void word_side(line_t *line, uint8_t side)
{
    line_text(line, side == 'B' ? " buy" : side == 'S' ? " sell" : " side?");
}

static void word_qty_px(line_t *line, uint64_t qty, uint32_t px_e4)
{
    line_char(line, ' ');
    line_u64(line, qty);
    line_text(line, " @ ");
    line_px(line, px_e4);
}

/* A field under its name. */
static void word_field(line_t *line, const itch_field_t *field, const tick_t *tick)
{
    if (itch_field_is_number(field)) {
        word_u64(line, field->name, itch_field_number(field, tick));
    } else {
        line_char(line, ' ');
        line_text(line, field->name);
        word_chars(line, itch_field_chars(field, tick), field->bytes);
    }
}

/* An order or a trade reads like a line of a blotter: "AAPL buy 300 @ 320.8000 ref 17". */
static void words_blotter(line_t *line, const tick_t *tick)
{
    static const struct {
        enum itch_field_kind kind;
        const char *word;
    } numbers[] = {{ITCH_FIELD_ORDER_REF, "ref"},
                   {ITCH_FIELD_NEW_REF, "new ref"},
                   {ITCH_FIELD_MATCH, "match"}};
    const itch_field_t *qty = itch_field_of_kind(tick->type, ITCH_FIELD_QTY);
    if (itch_field_of_kind(tick->type, ITCH_FIELD_SIDE))
        word_side(line, tick->side);
    if (qty && itch_field_of_kind(tick->type, ITCH_FIELD_PX))
        word_qty_px(line, itch_field_number(qty, tick), tick->px_e4);
    else if (qty)
        word_u64(line, "qty", itch_field_number(qty, tick));
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        const itch_field_t *field = itch_field_of_kind(tick->type, numbers[i].kind);
        if (field)
            word_u64(line, numbers[i].word, itch_field_number(field, tick));
    }
}

static void words_tick_body(line_t *line, const tick_t *tick, const unsigned char *body,
                            size_t body_bytes)
{
    unsigned count;
    const itch_field_t *field = itch_fields(tick->type, &count);
    const itch_field_t *symbol = itch_field_of_kind(tick->type, ITCH_FIELD_SYMBOL);
    if (symbol) /* first, whatever the message */
        word_chars(line, itch_field_chars(symbol, tick), symbol->bytes);
    if (field && !field->verbatim) {
        words_blotter(line, tick);
        return;
    }
    for (; count; field++, count--)
        if (field != symbol)
            word_field(line, field, tick);
    tick_gap_t gap;
    if (tick_gap_get(tick, TICK_BODY_OFFSET + body_bytes, &gap)) {
        line_text(line, " LOST");
        word_u64(line, "from", gap.from);
        word_u64(line, "to", gap.to);
        return;
    }
    if (!field && body_bytes) {
        line_char(line, ' ');
        line_hex(line, body, body_bytes);
    }
}

static void words_tick(line_t *line, const tick_t *tick, const unsigned char *body,
                       size_t body_bytes)
{
    line_char(line, ' ');
    line_time_of_day(line, tick_event_ns(tick));
    if (tick->type == TICK_END_MARK) {
        line_text(line, " end of session");
        return;
    }
    const char *mark = message_text_mark(tick->type);
    if (mark)
        word_chars(line, mark, strlen(mark));
    else
        word_chars(line, (const char *)&tick->type, 1);
    words_tick_body(line, tick, body, body_bytes);
}

static void words_bbo(line_t *line, const bbo_t *bbo)
{
    line_char(line, ' ');
    line_time_of_day(line, bbo->event & TICK_NS_MASK);
    word_chars(line, bbo->symbol, 8);
    word_qty_px(line, bbo->bid_qty, bbo->bid_px_e4);
    line_text(line, " |");
    word_qty_px(line, bbo->ask_qty, bbo->ask_px_e4);
    word_u64(line, "md", bbo->md_seq);
}

/* The id as JSON and CSV have it, so that an order is found in any of them; and its symbol. */
static void word_order(line_t *line, uint64_t order_id, uint16_t locate, uint64_t md_seq,
                       const symbols_t *symbols)
{
    const char *symbol = symbols_of(symbols, locate, md_seq);
    word_u64(line, "order", order_id);
    if (symbol)
        word_chars(line, symbol, 8);
    else
        word_u64(line, "locate", locate);
}

static void words_order(line_t *line, const order_t *order, const symbols_t *symbols)
{
    line_char(line, ' ');
    line_text(line, message_text_order_kind(order->kind));
    word_order(line, order->order_id, order_locate(order), order->md_seq, symbols);
    if (order->kind != ORDER_CANCEL) {
        word_side(line, order->side);
        word_qty_px(line, order->qty, order->px_e4);
        line_char(line, ' ');
        line_text(line, message_text_tif(order->tif));
    }
    if (order->kind == ORDER_REPLACE)
        word_u64(line, "for", order_replaces(order));
    if (order->reason != REASON_NONE) {
        line_text(line, " rejected because ");
        line_text(line, report_reason_name(order->reason));
    }
    word_u64(line, "md", order->md_seq);
    word_u64(line, "report", order->report_seq);
}

static void words_report(line_t *line, const report_t *report, const symbols_t *symbols)
{
    line_char(line, ' ');
    line_text(line, report_kind_name(report->kind));
    word_order(line, report->order_id, report_locate(report), report->md_seq, symbols);
    word_side(line, report->side);
    word_qty_px(line, report->qty, report->px_e4);
    word_u64(line, "leaves", report->leaves);
    if (report->reason != REASON_NONE) {
        line_text(line, " because ");
        line_text(line, report_reason_name(report->reason));
    }
    word_u64(line, "md", report->md_seq);
}

/* "halt 1 from risk at order 12 md 3400 09:30:01.000000000 by operator uid 0 pid 4711: TEXT" */
static void words_event(line_t *line, const event_t *event, size_t text_bytes)
{
    line_char(line, ' ');
    line_text(line, event_kind_name(event->kind));
    if (event->number) {
        line_char(line, ' ');
        line_u64(line, event->number);
    }
    line_text(line, " from ");
    line_text(line, event_from_name(event->from));
    if (event->from == EVENT_FROM_RISK || event->from == EVENT_FROM_EXECUTOR) {
        word_u64(line, "after order", event->position);
        word_u64(line, "md", event->md_seq);
        line_char(line, ' ');
        line_time_of_day(line, event->market_ns);
    }
    if (event->by != EVENT_BY_NONE) {
        line_text(line, " by ");
        line_text(line, event_by_name(event->by));
    }
    if (event->time_ns) {
        word_u64(line, "uid", event->uid);
        word_u64(line, "pid", event->pid);
    }
    line_text(line, text_bytes ? ": " : "");
    line_words_utf8(line, event_text(event), text_bytes);
    line_text(line, event->more ? " ..." : "");
}

/* --- either --- */

typedef struct dialect {
    void (*tick)(line_t *line, const tick_t *tick, const unsigned char *body, size_t body_bytes);
    void (*bbo)(line_t *line, const bbo_t *bbo);
    void (*order)(line_t *line, const order_t *order, const symbols_t *symbols);
    void (*report)(line_t *line, const report_t *report, const symbols_t *symbols);
    void (*event)(line_t *line, const event_t *event, size_t text_bytes);
} dialect_t;

static const dialect_t json = {json_tick, json_bbo, json_order, json_report, json_event};
static const dialect_t words = {words_tick, words_bbo, words_order, words_report, words_event};

/* False: not of a type, or not of a length, that we know. */
static bool put_tick(line_t *line, const dialect_t *dialect, const void *message, size_t bytes)
{
    tick_t tick = message_tick(message, bytes);
    size_t body_bytes = bytes - TICK_BODY_OFFSET;
    if (itch_length(tick.type)) /* of a known type: the rest of the tick is padding */
        body_bytes = itch_length(tick.type) - TICK_ITCH_HEADER;
    if (body_bytes > bytes - TICK_BODY_OFFSET)
        return false;
    dialect->tick(line, &tick, (const unsigned char *)message + TICK_BODY_OFFSET, body_bytes);
    return true;
}

static bool put_message(line_t *line, const dialect_t *dialect, const char *type,
                        const void *message, size_t bytes, const symbols_t *symbols)
{
    switch (message_identify(type, bytes)) {
    case MESSAGE_TICK:
        return put_tick(line, dialect, message, bytes);
    case MESSAGE_BBO:
        dialect->bbo(line, message);
        return true;
    case MESSAGE_ORDER:
        dialect->order(line, message, symbols);
        return true;
    case MESSAGE_REPORT:
        dialect->report(line, message, symbols);
        return true;
    case MESSAGE_EVENT:
        dialect->event(line, message, bytes - EVENT_BYTES);
        return true;
    default:
        return false;
    }
}

void message_text_json(FILE *out, const char *type, uint64_t seq, const void *message, size_t bytes,
                       const symbols_t *symbols)
{
    line_t line;
    line_begin(&line, out);
    line_text(&line, "{\"seq\":");
    line_u64(&line, seq);
    if (!put_message(&line, &json, type, message, bytes, symbols))
        json_hex(&line, "hex", message, bytes);
    line_text(&line, "}\n");
    line_end(&line);
}

void message_text_words(FILE *out, const char *type, uint64_t seq, const void *message,
                        size_t bytes, const symbols_t *symbols)
{
    line_t line;
    line_begin(&line, out);
    line_u64(&line, seq);
    if (!put_message(&line, &words, type, message, bytes, symbols)) {
        line_char(&line, ' ');
        line_hex(&line, message, bytes);
    }
    line_char(&line, '\n');
    line_end(&line);
}
