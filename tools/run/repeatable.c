/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/repeatable.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include <tickbus/journal.h>
#include <tickbus/msg/event.h>
#include <tickbus/msg/order.h>

#include "bus/market/session.h"
#include "bus/msg/message_type.h"

typedef struct look {
    const char *directory;
    tbus_journal_reader_t *reader;
    int md;
    int orders;
    int events;
    int inputs;
    uint64_t next_tick;
    uint64_t orders_count;
    uint64_t inputs_count;
    uint32_t strategies; /* numbers from 1 */
    uint32_t limits;     /* changes that are on record */
    bool goes_on;        /* the next message of the supervisor continues a text */
} look_t;

static int fail_outsider(const look_t *l, const order_t *order, uint64_t seq, tbus_error_t *err)
{
    return tbus_fail(err, -TBUS_ECONFIG,
                     "the session in %s cannot be repeated: order %" PRIu64
                     " of strategy %u (message %" PRIu64 " of 'orders') came from a participant "
                     "from outside, which is not in its configuration, and with which strategies "
                     "risk and the executor were shared",
                     l->directory, order->order_id, order_strategy(order), seq);
}

static int look_at_order(look_t *l, const tbus_journal_record_t *record, tbus_error_t *err)
{
    order_t order;
    if (record->bytes != sizeof order)
        return 0;
    memcpy(&order, record->payload, sizeof order);
    l->orders_count++;
    unsigned number = order_strategy(&order);
    return number >= 1 && number <= l->strategies ? 0 : fail_outsider(l, &order, record->seq, err);
}

static int look_at_event(look_t *l, const tbus_journal_record_t *record, tbus_error_t *err)
{
    event_t event;
    if (record->bytes < EVENT_BYTES)
        return 0;
    memcpy(&event, record->payload, sizeof event);
    if (event.from == EVENT_FROM_SUPERVISOR) {
        bool first = !l->goes_on;
        l->goes_on = event.more != 0;
        if (event.kind == EVENT_LIMITS && first && event.number == l->limits + 1)
            l->limits++;
        return 0;
    }
    if (event.kind != EVENT_LIMITS || event.number <= l->limits)
        return 0;
    return tbus_fail(err, -TBUS_ECONFIG,
                     "the session in %s cannot be repeated: risk took change %" PRIu32
                     " of its limits behind order %" PRIu64
                     ", and what was changed is not on the topic '%s'",
                     l->directory, event.number, event.position, EVENT_TOPIC);
}

static int look_at_tick(look_t *l, const tbus_journal_record_t *record, tbus_error_t *err)
{
    if (record->seq != l->next_tick)
        return tbus_fail(err, -TBUS_ECONFIG,
                         "the session in %s cannot be repeated: ticks %" PRIu64 " to %" PRIu64
                         " are not in the recording; `busctl journal verify` says why",
                         l->directory, l->next_tick, record->seq - 1);
    l->next_tick++;
    return 0;
}

static int look_at_session(const look_t *l, const tbus_journal_record_t *record, tbus_error_t *err)
{
    tbus_journal_piece_t piece;
    if (!tbus_journal_record_piece(record, &piece) || piece.kind != TBUS_JOURNAL_HOLE)
        return 0;
    return tbus_fail(err, -TBUS_ECONFIG,
                     "the session in %s cannot be repeated: not all of it was recorded; "
                     "`busctl journal verify` names what is missing",
                     l->directory);
}

static int look_at_records(look_t *l, tbus_error_t *err)
{
    tbus_journal_record_t record;
    int got, code = 0;
    while (code == 0 && (got = tbus_journal_reader_next(l->reader, &record, err)) == 1) {
        if (record.topic == TBUS_JOURNAL_SESSION_TOPIC)
            code = look_at_session(l, &record, err);
        else if (record.topic == l->md)
            code = look_at_tick(l, &record, err);
        else if (record.topic == l->orders)
            code = look_at_order(l, &record, err);
        else if (record.topic == l->events)
            code = look_at_event(l, &record, err);
        else if (record.topic == l->inputs)
            l->inputs_count++;
    }
    return code < 0 ? code : got;
}

static int look_at_inputs(const look_t *l, const config_t *config, tbus_error_t *err)
{
    const session_values_t *venue = config_resource_values(config, &session_resource);
    if (!venue || venue->clock != SESSION_CLOCK_HOST || l->inputs_count != 0 ||
        l->orders_count == 0)
        return 0;
    return tbus_fail(err, -TBUS_ECONFIG,
                     "the session in %s cannot be repeated with venue.clock host: in which order "
                     "its stages took what came is not on record (topic '%s')",
                     l->directory, EVENT_INPUTS_TOPIC);
}

static int look_at_versions(const look_t *l, const tbus_journal_info_t *info, tbus_error_t *err)
{
    for (uint32_t i = 0; i < info->topics_count; i++) {
        const tbus_journal_topic_t *topic = &info->topics[i];
        const message_type_t *type = message_type(topic->type);
        bool market = type && type->id == MESSAGE_TICK;
        if (!type || (market && message_type_reads(type, topic->type_version)) ||
            topic->type_version == type->version)
            continue;
        return tbus_fail(err, -TBUS_EABI,
                         "the session in %s cannot be repeated: topic '%.31s' has messages of type "
                         "'%s' of version %" PRIu32 ", and this tickbus has version %" PRIu32
                         "; use the tickbus that recorded it",
                         l->directory, topic->name, type->name, topic->type_version, type->version);
    }
    return 0;
}

static int look_at_topics(look_t *l, tbus_error_t *err)
{
    const tbus_journal_info_t *info = tbus_journal_reader_info(l->reader);
    l->md = tbus_journal_reader_topic(l->reader, "md");
    l->orders = tbus_journal_reader_topic(l->reader, "orders");
    l->events = tbus_journal_reader_topic(l->reader, EVENT_TOPIC);
    l->inputs = tbus_journal_reader_topic(l->reader, EVENT_INPUTS_TOPIC);
    if (l->md < 0 || l->events < 0)
        return tbus_fail(err, -TBUS_ECONFIG,
                         "the session in %s cannot be repeated: the recording has no topic '%s'",
                         l->directory, l->md < 0 ? "md" : EVENT_TOPIC);
    l->next_tick = info->topics[l->md].first_seq;
    return look_at_versions(l, info, err);
}

static uint32_t count_strategies(const config_t *config)
{
    config_stage_t stages[TBUS_INSTANCES_MAX];
    uint32_t count = config_stages(config, stages), strategies = 0;
    for (uint32_t i = 0; i < count; i++)
        strategies += (stages[i].instance->kind->traits & TBUS_KIND_TRADES) != 0;
    return strategies;
}

int repeatable_check(const char *directory, const config_t *config, tbus_error_t *err)
{
    look_t l = {.directory = directory, .strategies = count_strategies(config)};
    int code = tbus_journal_reader_open(directory, &l.reader, err);
    if (code < 0)
        return code;
    tbus_journal_reader_show_session(l.reader);
    code = look_at_topics(&l, err);
    if (code == 0)
        code = look_at_records(&l, err);
    if (code == 0)
        code = look_at_inputs(&l, config, err);
    tbus_journal_reader_close(l.reader);
    return code;
}
