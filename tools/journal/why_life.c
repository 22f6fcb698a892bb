/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/journal/why_life.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bus/msg/message_type.h"
#include "risk/order_form.h"
#include "tools/journal/meter.h"

bool why_parse_id(const char *text, uint64_t *out_id)
{
    char *end, *rest;
    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    uint64_t first = strtoull(text, &end, strncmp(text, "0x", 2) == 0 ? 16 : 10);
    if (errno == 0 && *end == 0) {
        *out_id = first;
        return true;
    }
    if (errno != 0 || !strchr("/:-", *end) || end[1] < '0' || end[1] > '9' || first > UINT16_MAX)
        return false;
    uint64_t count = strtoull(end + 1, &rest, 10);
    *out_id = ORDER_ID(first, count);
    return errno == 0 && *rest == 0 && count <= TICK_NS_MASK;
}

/* Room for one more behind `count` of them. */
static void *grow(void **items, uint64_t count, size_t bytes)
{
    if (count == 0 || (count & (count - 1)) == 0) { /* at each power of two */
        void *more = realloc(*items, (count ? 2 * count : 1) * bytes);
        if (!more)
            return NULL;
        *items = more;
    }
    return (char *)*items + count * bytes;
}

/* ---- each record */

typedef struct topics {
    int md, orders, judged, reports;
} topics_t;

static void count_id(why_life_t *life, const order_t *order)
{
    uint32_t i = 0;
    while (i < life->ids_count && life->ids[i].strategy != order_strategy(order))
        i++;
    if (i == WHY_STRATEGIES_MAX)
        return;
    why_ids_t *ids = &life->ids[i];
    if (i == life->ids_count) {
        life->ids_count++;
        *ids = (why_ids_t){order_strategy(order), order_count(order), order_count(order)};
    }
    if (order_count(order) > ids->last)
        ids->last = order_count(order);
}

static void keep(why_order_t *place, const order_t *order, const tbus_journal_record_t *record)
{
    if (!place->there)
        *place = (why_order_t){true, record->seq, record->time_ns, *order};
}

static void take_order(why_life_t *life, const tbus_journal_record_t *record)
{
    order_t order;
    (void)order_copy(&order, record->payload, record->bytes);
    count_id(life, &order);
    if (order.order_id == life->order_id)
        keep(order.kind == ORDER_CANCEL ? &life->cancel : &life->sent, &order, record);
}

static bool take_judged(why_life_t *life, const tbus_journal_record_t *record)
{
    order_t order;
    (void)order_copy(&order, record->payload, record->bytes);
    if (!life->judged.there) {
        order_t *kept = grow((void **)&life->orders, life->orders_count, sizeof *kept);
        if (!kept)
            return false;
        *kept = order;
        life->orders_count++;
    }
    if (order.order_id == life->order_id)
        keep(order.kind == ORDER_CANCEL ? &life->cancel_judged : &life->judged, &order, record);
    return true;
}

static bool take_report(why_life_t *life, const tbus_journal_record_t *record)
{
    if (record->bytes != sizeof(report_t))
        return true;
    why_report_t *kept = grow((void **)&life->reports, life->reports_count, sizeof *kept);
    if (!kept)
        return false;
    kept->seq = record->seq;
    kept->recorded_ns = record->time_ns;
    memcpy(&kept->report, record->payload, sizeof kept->report);
    life->reports_count++;
    return true;
}

static bool take(why_life_t *life, const topics_t *topics, const tbus_journal_topic_t *table,
                 const tbus_journal_record_t *record)
{
    symbols_learn(life->symbols, table[record->topic].type, record->payload, record->bytes);
    if (record->topic == topics->orders)
        take_order(life, record);
    if (record->topic == topics->judged)
        return take_judged(life, record);
    return record->topic != topics->reports || take_report(life, record);
}

/* ---- all of them */

static int find_topic(const tbus_journal_reader_t *reader, const char *name, int *out_topic,
                      tbus_error_t *err)
{
    *out_topic = tbus_journal_reader_topic(reader, name);
    if (*out_topic < 0)
        return tbus_fail(err, -TBUS_ENOTFOUND, "the journal has no topic '%s'", name);
    const tbus_journal_topic_t *t = &tbus_journal_reader_info(reader)->topics[*out_topic];
    const message_type_t *type = message_type(t->type);
    if (type && message_type_reads(type, t->type_version))
        return 0;
    return tbus_fail(err, -TBUS_EABI,
                     "topic '%s' carries messages of type '%s' in version %" PRIu32
                     ", which this tickbus does not read",
                     name, t->type, t->type_version);
}

static int find_topics(const tbus_journal_reader_t *reader, topics_t *out_topics, tbus_error_t *err)
{
    int code = find_topic(reader, "md", &out_topics->md, err);
    if (code == 0)
        code = find_topic(reader, "orders", &out_topics->orders, err);
    if (code == 0)
        code = find_topic(reader, "judged", &out_topics->judged, err);
    if (code == 0)
        code = find_topic(reader, "reports", &out_topics->reports, err);
    return code;
}

static int read_all(why_life_t *life, tbus_journal_reader_t *reader, const topics_t *topics,
                    tbus_error_t *err)
{
    const tbus_journal_info_t *info = tbus_journal_reader_info(reader);
    tbus_journal_record_t record;
    meter_t meter;
    int code;
    meter_begin(&meter, "searched", info);
    while ((code = tbus_journal_reader_next(reader, &record, err)) > 0) {
        meter_at(&meter, &record);
        if (!take(life, topics, info->topics, &record)) {
            code = tbus_fail(err, -ENOMEM, "no memory for the orders and reports of the session");
            break;
        }
    }
    meter_end(&meter);
    return code;
}

/* The tick with that sequence, or none. */
static int read_tick(why_life_t *life, tbus_journal_reader_t *reader, const topics_t *topics,
                     uint64_t seq, tbus_error_t *err)
{
    tbus_journal_record_t record;
    if (seq == 0)
        return 0;
    int code = tbus_journal_reader_seek_seq(reader, (uint16_t)topics->md, seq, err);
    if (code > 0)
        code = tbus_journal_reader_next(reader, &record, err);
    if (code <= 0 || record.seq != seq)
        return code < 0 ? code : 0;
    life->tick.message = aligned_alloc(8, (record.bytes + 7) & ~(size_t)7);
    if (!life->tick.message)
        return tbus_fail(err, -ENOMEM, "no memory for a tick");
    memcpy(life->tick.message, record.payload, record.bytes);
    life->tick.bytes = record.bytes;
    life->tick.seq = seq;
    life->tick.recorded_ns = record.time_ns;
    life->tick.there = true;
    return 0;
}

int why_life_read(const char *directory, uint64_t order_id, why_life_t *life, tbus_error_t *err)
{
    tbus_journal_reader_t *reader;
    topics_t topics;
    *life = (why_life_t){.order_id = order_id, .symbols = symbols_create()};
    if (!life->symbols)
        return tbus_fail(err, -ENOMEM, "no memory for the names of symbols");
    int code = tbus_journal_reader_open(directory, &reader, err);
    if (code < 0)
        return code;
    life->begins = tbus_journal_reader_info(reader)->first_segment == 1;
    code = find_topics(reader, &topics, err);
    if (code == 0)
        code = read_all(life, reader, &topics, err);
    const why_order_t *order = life->sent.there ? &life->sent : &life->judged;
    if (order->there && (code == 0 || code == -TBUS_ECORRUPT))
        code = read_tick(life, reader, &topics, order->order.md_seq, err);
    else if (code == 0)
        code = tbus_fail(err, -TBUS_ENOTFOUND, "no order has that id");
    tbus_journal_reader_close(reader);
    return code;
}

void why_life_clear(why_life_t *life)
{
    symbols_destroy(life->symbols);
    free(life->tick.message);
    free(life->orders);
    free(life->reports);
    *life = (why_life_t){0};
}
