/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/journal/why_life.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bus/journal/reader_index.h"
#include "risk/order_form.h"

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

bool why_places_of(const why_session_t *session, const why_entry_t *entry, why_places_t *out_places)
{
    why_places_t places = {.order_id = entry->order_id,
                           .sent = entry->sent,
                           .judged = entry->judged,
                           .cancel = entry->cancel,
                           .cancel_judged = entry->cancel_judged,
                           .tick = entry->tick,
                           .reports_count = entry->reports_count};
    places.reports = malloc((places.reports_count + 1) * sizeof *places.reports);
    if (!places.reports)
        return false;
    for (uint32_t i = 0; i < places.reports_count; i++)
        places.reports[i] = session->reports[session->reports_of[entry->reports_first + i]].place;
    *out_places = places;
    return true;
}

void why_places_clear(why_places_t *places)
{
    free(places->reports);
    *places = (why_places_t){0};
}

/* ---- records */

/* A record of that topic at that place. */
static int read_at(tbus_journal_reader_t *reader, const char *topic, why_place_t place,
                   tbus_journal_record_t *out_record, tbus_error_t *err)
{
    int look = tbus_journal_reader_record_at(reader, (uint32_t)(place >> 32), (uint32_t)place,
                                             out_record, err);
    if (look < 0)
        return look;
    if (look == TBUS_JOURNAL_FOUND && out_record->topic == tbus_journal_reader_topic(reader, topic))
        return 0;
    return tbus_fail(err, -TBUS_ECORRUPT, "a message of '%s' is not where it was recorded", topic);
}

static int read_order(tbus_journal_reader_t *reader, const char *topic, const why_life_t *life,
                      why_place_t place, why_order_t *out_order, tbus_error_t *err)
{
    tbus_journal_record_t record;
    if (place == 0)
        return 0;
    int code = read_at(reader, topic, place, &record, err);
    if (code < 0)
        return code;
    out_order->there = true;
    out_order->seq = record.seq;
    out_order->recorded_ns = record.time_ns;
    (void)order_copy(&out_order->order, record.payload, record.bytes);
    return out_order->order.order_id == life->order_id
               ? 0
               : tbus_fail(err, -TBUS_ECORRUPT, "another order stands where it was recorded");
}

static int read_report(tbus_journal_reader_t *reader, why_life_t *life, why_place_t place,
                       tbus_error_t *err)
{
    tbus_journal_record_t record;
    int code = read_at(reader, "reports", place, &record, err);
    if (code < 0)
        return code;
    why_report_t *r = &life->reports[life->reports_count];
    bool fits = record.bytes == sizeof r->report;
    if (fits) {
        *r = (why_report_t){.seq = record.seq, .recorded_ns = record.time_ns};
        memcpy(&r->report, record.payload, sizeof r->report);
    }
    if (!fits || r->report.order_id != life->order_id)
        return tbus_fail(err, -TBUS_ECORRUPT, "another report stands where it was recorded");
    life->reports_count++;
    return 0;
}

static int read_reports(tbus_journal_reader_t *reader, const why_places_t *places, why_life_t *life,
                        tbus_error_t *err)
{
    int code = 0;
    life->reports = malloc((places->reports_count + 1) * sizeof *life->reports);
    if (!life->reports)
        return tbus_fail(err, -ENOMEM, "no memory for the reports of an order");
    for (uint32_t i = 0; code == 0 && i < places->reports_count; i++)
        code = read_report(reader, life, places->reports[i], err);
    return code;
}

/* ---- the tick */

/* The record of `md` with that sequence. 1; 0: there is none; negative. */
static int find_tick(tbus_journal_reader_t *reader, why_place_t place, uint64_t seq,
                     tbus_journal_record_t *out_record, tbus_error_t *err)
{
    int topic = tbus_journal_reader_topic(reader, "md");
    if (place != WHY_PLACE_UNKNOWN) {
        int code = read_at(reader, "md", place, out_record, err);
        return code == 0 && out_record->seq == seq
                   ? 1
                   : tbus_fail(err, code < 0 ? code : -TBUS_ECORRUPT,
                               "another tick stands where it was recorded");
    }
    if (topic < 0)
        return 0;
    int code = tbus_journal_reader_seek_seq(reader, (uint16_t)topic, seq, err);
    if (code > 0)
        code = tbus_journal_reader_next(reader, out_record, err);
    return code > 0 && out_record->seq != seq ? 0 : code;
}

static int read_tick(tbus_journal_reader_t *reader, const why_places_t *places, why_life_t *life,
                     tbus_error_t *err)
{
    tbus_journal_record_t record;
    uint64_t seq = life->sent.there ? life->sent.order.md_seq : life->judged.order.md_seq;
    if (seq == 0)
        return 0;
    int code = find_tick(reader, places->tick, seq, &record, err);
    if (code <= 0)
        return code;
    life->tick.message = aligned_alloc(8, (record.bytes + 8) & ~(size_t)7);
    if (!life->tick.message)
        return tbus_fail(err, -ENOMEM, "no memory for a tick");
    memcpy(life->tick.message, record.payload, record.bytes);
    life->tick.bytes = record.bytes;
    life->tick.seq = seq;
    life->tick.recorded_ns = record.time_ns;
    life->tick.there = true;
    return 0;
}

/* ---- all of it */

int why_life_read(tbus_journal_reader_t *reader, const why_places_t *places, why_life_t *life,
                  tbus_error_t *err)
{
    *life = (why_life_t){.order_id = places->order_id};
    int code = read_order(reader, "orders", life, places->sent, &life->sent, err);
    if (code == 0)
        code = read_order(reader, "judged", life, places->judged, &life->judged, err);
    if (code == 0)
        code = read_order(reader, "orders", life, places->cancel, &life->cancel, err);
    if (code == 0)
        code = read_order(reader, "judged", life, places->cancel_judged, &life->cancel_judged, err);
    if (code == 0)
        code = read_reports(reader, places, life, err);
    return code == 0 ? read_tick(reader, places, life, err) : code;
}

void why_life_clear(why_life_t *life)
{
    free(life->tick.message);
    free(life->reports);
    *life = (why_life_t){0};
}
