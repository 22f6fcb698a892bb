/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/show/message_csv.h"

#include <tickbus/msg/bbo.h>
#include <tickbus/msg/event.h>
#include <tickbus/msg/itch_types.h>
#include <tickbus/msg/order.h>
#include <tickbus/msg/report.h>
#include <tickbus/msg/tick.h>
#include "bus/msg/message_type.h"
#include "tools/show/line.h"
#include "tools/show/message_text.h"

/* Every field but the first comes after a comma. */
#define TICK_COLUMNS                                                                               \
    "seq,type,locate,tracking,symbol,ts_event_ns,side,order_ref,new_ref,qty,px_e4,match"
#define ORDER_COLUMNS "seq,order_id,strategy,kind,locate,side,qty,px_e4,tif,md_seq,report_seq"
#define REPORT_COLUMNS                                                                             \
    "seq,order_id,strategy,kind,reason,locate,side,qty,px_e4,leaves,liquidity,exec_id,md_seq"
/* Columns that came later stand at the end: those before keep their places. */
#define TICK_LATER   ",from,to"
#define ORDER_LATER  ",symbol,at_ns,replaces,flags,reason"
#define REPORT_LATER ",symbol,seen_ns,flags,fee_e4"
#define EVENT_COLUMNS                                                                              \
    "seq,kind,from,by,number,time_ns,uid,pid,position,md_seq,ts_event_ns,more,text"

static void field_u64(line_t *line, uint64_t value)
{
    line_char(line, ',');
    line_u64(line, value);
}

static void field_i64(line_t *line, int64_t value)
{
    line_char(line, ',');
    line_i64(line, value);
}

static void field_chars(line_t *line, const char *chars, size_t count)
{
    line_char(line, ',');
    line_csv_chars(line, chars, line_unpadded(chars, count));
}

static void field_text(line_t *line, const char *text)
{
    line_char(line, ',');
    line_text(line, text);
}

static void row_bbo(line_t *line, const bbo_t *bbo)
{
    line_u64(line, bbo->md_seq);
    field_u64(line, bbo_locate(bbo));
    field_chars(line, bbo->symbol, sizeof bbo->symbol);
    field_u64(line, bbo->event & TICK_NS_MASK);
    field_u64(line, bbo->bid_px_e4);
    field_u64(line, bbo->bid_qty);
    field_u64(line, bbo->ask_px_e4);
    field_u64(line, bbo->ask_qty);
}

/* A field of a tick, or nothing where it has none of that kind (NULL). */
static void field_of_tick(line_t *line, const itch_field_t *field, const tick_t *tick)
{
    if (!field)
        line_char(line, ',');
    else if (itch_field_is_number(field))
        field_u64(line, itch_field_number(field, tick));
    else
        field_chars(line, itch_field_chars(field, tick), field->bytes);
}

static void field_tick_type(line_t *line, const tick_t *tick)
{
    char type = (char)tick->type;
    const char *mark = message_text_mark(tick->type);
    if (mark)
        field_text(line, mark);
    else
        field_chars(line, &type, 1);
}

static void row_tick(line_t *line, uint64_t seq, const tick_t *tick, size_t bytes, bool stamps)
{
    unsigned count;
    tick_gap_t gap;
    const itch_field_t *of_kind[ITCH_FIELD_KINDS] = {NULL};
    const itch_field_t *field = itch_fields(tick->type, &count);
    for (; count; field++, count--)
        of_kind[field->kind] = field;
    line_u64(line, seq);
    field_tick_type(line, tick);
    field_u64(line, tick_locate(tick));
    field_u64(line, tick_tracking(tick));
    field_of_tick(line, of_kind[ITCH_FIELD_SYMBOL], tick);
    field_u64(line, tick_event_ns(tick));
    field_of_tick(line, of_kind[ITCH_FIELD_SIDE], tick);
    field_of_tick(line, of_kind[ITCH_FIELD_ORDER_REF], tick);
    field_of_tick(line, of_kind[ITCH_FIELD_NEW_REF], tick);
    field_of_tick(line, of_kind[ITCH_FIELD_QTY], tick);
    field_of_tick(line, of_kind[ITCH_FIELD_PX], tick);
    field_of_tick(line, of_kind[ITCH_FIELD_MATCH], tick);
    if (stamps)
        field_u64(line, tick_intended_ns(tick));
    if (tick_gap_get(tick, bytes, &gap)) {
        field_u64(line, gap.from);
        field_u64(line, gap.to);
    } else {
        field_text(line, "");
        field_text(line, "");
    }
}

/* The last column, whatever else there is: it came after the others. */
static void field_symbol(line_t *line, uint16_t locate, uint64_t md_seq, const symbols_t *symbols)
{
    const char *symbol = symbols_of(symbols, locate, md_seq);
    if (symbol)
        field_chars(line, symbol, 8);
    else
        line_char(line, ',');
}

static void row_order(line_t *line, uint64_t seq, const order_t *order, bool stamps,
                      const symbols_t *symbols)
{
    char side = (char)order->side;
    line_u64(line, seq);
    field_u64(line, order->order_id);
    field_u64(line, order_strategy(order));
    field_text(line, message_text_order_kind(order->kind));
    field_u64(line, order_locate(order));
    field_chars(line, &side, 1);
    field_u64(line, order->qty);
    field_u64(line, order->px_e4);
    field_text(line, message_text_tif(order->tif));
    field_u64(line, order->md_seq);
    field_u64(line, order->report_seq);
    if (stamps) {
        field_u64(line, order->intended);
        field_u64(line, order->sent);
    }
    field_symbol(line, order_locate(order), order->md_seq, symbols);
    field_u64(line, order->at);
    field_u64(line, order->kind == ORDER_REPLACE ? order_replaces(order) : 0);
    field_u64(line, order->flags);
    field_text(line, report_reason_name(order->reason));
}

static void row_report(line_t *line, uint64_t seq, const report_t *report, bool stamps,
                       const symbols_t *symbols)
{
    char side = (char)report->side;
    char liquidity = (char)report->liquidity;
    line_u64(line, seq);
    field_u64(line, report->order_id);
    field_u64(line, report_strategy(report));
    field_text(line, report_kind_name(report->kind));
    field_text(line, report_reason_name(report->reason));
    field_u64(line, report_locate(report));
    field_chars(line, &side, 1);
    field_u64(line, report->qty);
    field_u64(line, report->px_e4);
    field_u64(line, report->leaves);
    field_chars(line, &liquidity, 1);
    field_u64(line, report->exec_id);
    field_u64(line, report->md_seq);
    if (stamps) {
        line_char(line, ','); /* intended_ns: of the order, a report does not repeat it */
        field_u64(line, report->sent);
    }
    field_symbol(line, report_locate(report), report->md_seq, symbols);
    field_u64(line, report->seen);
    field_u64(line, report->flags);
    field_i64(line, report->fee_e4);
}

static void row_event(line_t *line, uint64_t seq, const event_t *event, size_t text_bytes,
                      bool stamps)
{
    line_u64(line, seq);
    field_text(line, event_kind_name(event->kind));
    field_text(line, event_from_name(event->from));
    field_text(line, event_by_name(event->by));
    field_u64(line, event->number);
    field_u64(line, event->time_ns);
    field_u64(line, event->uid);
    field_u64(line, event->pid);
    field_u64(line, event->position);
    field_u64(line, event->md_seq);
    field_u64(line, event->market_ns);
    field_u64(line, event->more);
    line_char(line, ',');
    line_csv_utf8(line, (const char *)(event + 1), text_bytes);
    if (stamps)
        field_u64(line, event->sent_ns);
}

const char *message_csv_columns(const char *type, bool stamps)
{
    const message_type_t *known = message_type(type);
    switch (known ? known->id : MESSAGE_UNKNOWN) {
    case MESSAGE_BBO:
        return "md_seq,locate,symbol,ts_event_ns,bid_px_e4,bid_qty,ask_px_e4,ask_qty";
    case MESSAGE_TICK:
        return stamps ? TICK_COLUMNS ",intended_ns" TICK_LATER : TICK_COLUMNS TICK_LATER;
    case MESSAGE_ORDER:
        return stamps ? ORDER_COLUMNS ",intended_ns,sent_ns" ORDER_LATER
                      : ORDER_COLUMNS ORDER_LATER;
    case MESSAGE_REPORT:
        return stamps ? REPORT_COLUMNS ",intended_ns,sent_ns" REPORT_LATER
                      : REPORT_COLUMNS REPORT_LATER;
    case MESSAGE_EVENT:
        return stamps ? EVENT_COLUMNS ",sent_ns" : EVENT_COLUMNS;
    default:
        return NULL;
    }
}

bool message_csv_row(FILE *out, const char *type, uint64_t seq, const void *message, size_t bytes,
                     bool stamps, const symbols_t *symbols)
{
    tick_t tick;
    line_t line;
    line_begin(&line, out);
    switch (message_identify(type, bytes)) {
    case MESSAGE_BBO:
        row_bbo(&line, message);
        break;
    case MESSAGE_TICK:
        tick = message_tick(message, bytes);
        row_tick(&line, seq, &tick, bytes, stamps);
        break;
    case MESSAGE_ORDER:
        row_order(&line, seq, message, stamps, symbols);
        break;
    case MESSAGE_REPORT:
        row_report(&line, seq, message, stamps, symbols);
        break;
    case MESSAGE_EVENT:
        row_event(&line, seq, message, bytes - EVENT_BYTES, stamps);
        break;
    default:
        return false;
    }
    line_char(&line, '\n');
    line_end(&line);
    return true;
}
