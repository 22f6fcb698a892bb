/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/journal/why_session.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bus/msg/message_type.h"
#include "risk/order_form.h"
#include "tools/journal/meter.h"

#define MESSAGES_MAX (UINT32_MAX - 1)

typedef struct sent {
    uint64_t order_id;
    why_place_t place;
    uint64_t md_seq : 48;
    uint64_t cancel : 1;
} sent_t;

typedef struct reading {
    why_session_t *session;
    tbus_journal_reader_t *reader;
    int orders, judged, reports; /* topics */
    sent_t *sent;                /* owned */
    uint64_t sent_count;
} reading_t;

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

static int fail_memory(tbus_error_t *err)
{
    return tbus_fail(err, -ENOMEM, "no memory for the orders and reports of the session");
}

/* ---- each record */

static why_place_t place_of(const tbus_journal_record_t *record)
{
    return (uint64_t)record->segment << 32 | record->offset;
}

static void count_id(why_session_t *s, const order_t *order)
{
    uint32_t i = 0;
    while (i < s->ids_count && s->ids[i].strategy != order_strategy(order))
        i++;
    if (i == WHY_STRATEGIES_MAX)
        return;
    why_ids_t *ids = &s->ids[i];
    if (i == s->ids_count) {
        s->ids_count++;
        *ids = (why_ids_t){.strategy = order_strategy(order),
                           .first = order_count(order),
                           .last = order_count(order)};
    }
    if (order_count(order) > ids->last)
        ids->last = order_count(order);
}

static bool take_order(reading_t *r, const tbus_journal_record_t *record)
{
    order_t order;
    (void)order_copy(&order, record->payload, record->bytes);
    count_id(r->session, &order);
    sent_t *kept = grow((void **)&r->sent, r->sent_count, sizeof *kept);
    if (!kept)
        return false;
    *kept = (sent_t){order.order_id, place_of(record), order.md_seq, order.kind == ORDER_CANCEL};
    r->sent_count++;
    return true;
}

static bool take_judged(why_session_t *s, const tbus_journal_record_t *record)
{
    why_judged_t *kept = grow((void **)&s->judged, s->judged_count, sizeof *kept);
    if (!kept)
        return false;
    (void)order_copy(&kept->order, record->payload, record->bytes);
    kept->place = place_of(record);
    kept->entry = WHY_NO_ENTRY;
    s->judged_count++;
    return true;
}

static bool take_report(why_session_t *s, const tbus_journal_record_t *record)
{
    if (record->bytes != sizeof(report_t))
        return true;
    why_reported_t *kept = grow((void **)&s->reports, s->reports_count, sizeof *kept);
    if (!kept)
        return false;
    memcpy(&kept->report, record->payload, sizeof kept->report);
    kept->seq = record->seq;
    kept->place = place_of(record);
    s->reports_count++;
    return true;
}

static bool take(reading_t *r, const tbus_journal_topic_t *table,
                 const tbus_journal_record_t *record)
{
    why_session_t *s = r->session;
    symbols_learn(s->symbols, table[record->topic].type, record->seq, record->payload,
                  record->bytes);
    if (record->topic == r->orders)
        return take_order(r, record);
    if (record->topic == r->judged)
        return take_judged(s, record);
    return record->topic != r->reports || take_report(s, record);
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

static int find_topics(reading_t *r, tbus_error_t *err)
{
    int md;
    int code = find_topic(r->reader, "md", &md, err);
    if (code == 0)
        code = find_topic(r->reader, "orders", &r->orders, err);
    if (code == 0)
        code = find_topic(r->reader, "judged", &r->judged, err);
    if (code == 0)
        code = find_topic(r->reader, "reports", &r->reports, err);
    return code;
}

static int read_all(reading_t *r, tbus_error_t *err)
{
    const tbus_journal_info_t *info = tbus_journal_reader_info(r->reader);
    tbus_journal_record_t record;
    meter_t meter;
    int code;
    meter_begin(&meter, "searched", info);
    while ((code = tbus_journal_reader_next(r->reader, &record, err)) > 0) {
        meter_at(&meter, &record);
        if (!take(r, info->topics, &record)) {
            code = fail_memory(err);
            break;
        }
    }
    meter_end(&meter);
    enum tbus_journal_end end = tbus_journal_reader_end(r->reader);
    r->session->final = code == 0 && (end == TBUS_JOURNAL_CLOSED || end == TBUS_JOURNAL_BROKEN);
    return code;
}

/* ---- order by order */

enum { OF_SENT, OF_JUDGED, OF_REPORTS };

/* One of the messages that carry an id. */
typedef struct key {
    uint64_t order_id;
    uint32_t index;
    uint32_t of; /* OF_..., which array */
} mention_t;

static int by_id(const void *left, const void *right)
{
    const mention_t *a = left, *b = right;
    if (a->order_id != b->order_id)
        return a->order_id < b->order_id ? -1 : 1;
    if (a->of != b->of)
        return a->of < b->of ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

static void put_keys(const reading_t *r, mention_t *keys)
{
    const why_session_t *s = r->session;
    for (uint32_t i = 0; i < r->sent_count; i++)
        *keys++ = (mention_t){r->sent[i].order_id, i, OF_SENT};
    for (uint32_t i = 0; i < s->judged_count; i++)
        *keys++ = (mention_t){s->judged[i].order.order_id, i, OF_JUDGED};
    for (uint32_t i = 0; i < s->reports_count; i++)
        *keys++ = (mention_t){s->reports[i].report.order_id, i, OF_REPORTS};
}

static void add_sent(why_entry_t *e, const sent_t *sent)
{
    why_place_t *place = sent->cancel ? &e->cancel : &e->sent;
    if (*place)
        return;
    *place = sent->place;
    if (!sent->cancel)
        e->md_seq = sent->md_seq;
}

static void add_judged(why_session_t *s, why_entry_t *e, uint32_t index)
{
    const why_judged_t *judged = &s->judged[index];
    bool cancel = judged->order.kind == ORDER_CANCEL;
    why_place_t *place = cancel ? &e->cancel_judged : &e->judged;
    if (*place)
        return;
    *place = judged->place;
    if (cancel)
        return;
    e->position = index;
    if (!e->sent)
        e->md_seq = judged->order.md_seq;
}

/* The keys from `at` on that have one id: into the entry. Returns how many. */
static uint64_t add_group(reading_t *r, const mention_t *keys, uint64_t count, uint64_t at,
                          uint64_t reports_at, why_entry_t *e)
{
    uint64_t end = at;
    *e = (why_entry_t){.order_id = keys[at].order_id,
                       .tick = WHY_PLACE_UNKNOWN,
                       .position = WHY_NEVER,
                       .reports_first = reports_at};
    for (; end < count && keys[end].order_id == e->order_id; end++) {
        uint32_t index = keys[end].index;
        if (keys[end].of == OF_SENT)
            add_sent(e, &r->sent[index]);
        else if (keys[end].of == OF_JUDGED)
            add_judged(r->session, e, index);
        else
            r->session->reports_of[reports_at + e->reports_count++] = index;
    }
    return end - at;
}

static int make_entries(reading_t *r, const mention_t *keys, uint64_t count, tbus_error_t *err)
{
    why_session_t *s = r->session;
    uint64_t reports = 0;
    s->reports_of = malloc((s->reports_count + 1) * sizeof *s->reports_of);
    if (!s->reports_of)
        return fail_memory(err);
    for (uint64_t at = 0; at < count;) {
        why_entry_t *e = grow((void **)&s->entries, s->entries_count, sizeof *e);
        if (!e)
            return fail_memory(err);
        at += add_group(r, keys, count, at, reports, e);
        if (!e->sent && !e->judged) /* cancels and reports of an order that is not there */
            continue;
        if (e->position != WHY_NEVER)
            s->judged[e->position].entry = s->entries_count;
        reports += e->reports_count;
        s->entries_count++;
    }
    return 0;
}

static int sort_out(reading_t *r, tbus_error_t *err)
{
    const why_session_t *s = r->session;
    uint64_t count = r->sent_count + s->judged_count + s->reports_count;
    if (count > MESSAGES_MAX)
        return tbus_fail(err, -TBUS_ETOOBIG,
                         "the session has more than %" PRIu32 " orders and "
                         "reports",
                         MESSAGES_MAX);
    mention_t *keys = malloc((count + 1) * sizeof *keys);
    if (!keys)
        return fail_memory(err);
    put_keys(r, keys);
    qsort(keys, count, sizeof *keys, by_id);
    int code = make_entries(r, keys, count, err);
    free(keys);
    return code;
}

int why_session_read(const char *directory, why_session_t *session, tbus_error_t *err)
{
    reading_t r = {.session = session};
    *session = (why_session_t){.symbols = symbols_create()};
    if (!session->symbols)
        return tbus_fail(err, -ENOMEM, "no memory for the names of symbols");
    int code = tbus_journal_reader_open(directory, &r.reader, err);
    if (code < 0)
        return code;
    session->begins = tbus_journal_reader_info(r.reader)->first_segment == 1;
    code = find_topics(&r, err);
    if (code == 0)
        code = read_all(&r, err);
    if (code != -ENOMEM) {
        int sorted = sort_out(&r, code < 0 ? NULL : err);
        code = code < 0 ? code : sorted;
    }
    free(r.sent);
    tbus_journal_reader_close(r.reader);
    return code;
}

void why_session_clear(why_session_t *session)
{
    symbols_destroy(session->symbols);
    free(session->judged);
    free(session->reports);
    free(session->entries);
    free(session->reports_of);
    *session = (why_session_t){0};
}

static int of_id(const void *id, const void *entry)
{
    uint64_t a = *(const uint64_t *)id, b = ((const why_entry_t *)entry)->order_id;
    return a < b ? -1 : a > b;
}

const why_entry_t *why_session_find(const why_session_t *session, uint64_t order_id)
{
    return session->entries_count ? bsearch(&order_id, session->entries, session->entries_count,
                                            sizeof *session->entries, of_id)
                                  : NULL;
}
