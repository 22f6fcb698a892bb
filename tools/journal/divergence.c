/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/journal/divergence.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <tickbus/msg/bbo.h>
#include <tickbus/msg/order.h>
#include <tickbus/msg/report.h>

#include "tools/show/grouped.h"
#include "tools/show/message_text.h"

/* ---- messages as objects */

/* NULL: it is missing. A new reference. */
static json_t *message_json(const compare_divergence_t *d, unsigned side)
{
    char *text = NULL;
    size_t bytes = 0;
    const compare_message_t *m = &d->sides[side];
    FILE *out = m->there ? open_memstream(&text, &bytes) : NULL;
    if (!out)
        return NULL;
    message_text_json(out, d->type, m->seq, m->bytes, COMPARE_MESSAGE_BYTES, NULL);
    json_t *object = fclose(out) == 0 ? json_loadb(text, bytes, 0, NULL) : NULL;
    free(text);
    return object;
}

/* What is not compared. */
static bool is_of_host(const char *key)
{
    return strcmp(key, "seq") == 0 || strcmp(key, "intended_ns") == 0 ||
           strcmp(key, "sent_ns") == 0;
}

/* The names of the fields that differ. A new reference. */
static json_t *fields_that_differ(json_t *a, json_t *b)
{
    const char *key;
    json_t *value, *names = json_array();
    json_object_foreach(a, key, value) if (b && !is_of_host(key) &&
                                           !json_equal(value, json_object_get(b, key)))
        json_array_append_new(names, json_string(key));
    json_object_foreach(b, key, value) if (a && !json_object_get(a, key))
        json_array_append_new(names, json_string(key));
    return names;
}

/* ---- what came before */

typedef struct taken {
    uint64_t tick;
    uint64_t report; /* 0: not told by such a message */
} taken_t;

static taken_t taken_before(const compare_divergence_t *d, unsigned side)
{
    order_t order;
    report_t report;
    bbo_t bbo;
    const unsigned char *bytes = d->sides[side].bytes;
    if (strcmp(d->type, "order") == 0) {
        memcpy(&order, bytes, sizeof order);
        return (taken_t){order.md_seq, order.report_seq};
    }
    if (strcmp(d->type, "report") == 0) {
        memcpy(&report, bytes, sizeof report);
        return (taken_t){report.md_seq, 0};
    }
    memcpy(&bbo, bytes, sizeof bbo);
    return (taken_t){bbo.md_seq, 0};
}

static bool find_message(tbus_journal_reader_t *reader, uint16_t topic, uint64_t seq,
                         tbus_journal_record_t *out_record)
{
    return tbus_journal_reader_seek_seq(reader, topic, seq, NULL) == 1 &&
           tbus_journal_reader_next(reader, out_record, NULL) == 1 && out_record->topic == topic &&
           out_record->seq == seq;
}

/* The messages that were taken last, as their recording has them. `print` gets each. */
static void find_taken(const char *directory, taken_t taken, FILE *out, bool json)
{
    tbus_journal_reader_t *reader;
    tbus_journal_record_t record;
    if (tbus_journal_reader_open(directory, &reader, NULL) < 0)
        return;
    const struct {
        const char *topic;
        uint64_t seq;
    } wanted[] = {{"md", taken.tick}, {"reports", taken.report}};
    for (unsigned i = 0; i < 2; i++) {
        int topic = tbus_journal_reader_topic(reader, wanted[i].topic);
        if (topic < 0 || wanted[i].seq == 0 ||
            !find_message(reader, (uint16_t)topic, wanted[i].seq, &record))
            continue;
        const char *type = tbus_journal_reader_info(reader)->topics[topic].type;
        if (json)
            message_text_json(out, type, record.seq, record.payload, record.bytes, NULL);
        else
            message_text_words(out, type, record.seq, record.payload, record.bytes, NULL);
    }
    tbus_journal_reader_close(reader);
}

/* ---- in words */

static void print_side(const divergence_request_t *request, unsigned side, FILE *out)
{
    const compare_divergence_t *d = &request->result->first;
    const compare_message_t *m = &d->sides[side];
    fprintf(out, "  %-9s ", request->names[side]);
    if (!m->there) {
        fputs("nothing: there it is the end of the topic\n", out);
        return;
    }
    message_text_words(out, d->type, m->seq, m->bytes, COMPARE_MESSAGE_BYTES, NULL);
}

static void print_first(const divergence_request_t *request, FILE *out)
{
    const compare_divergence_t *d = &request->result->first;
    char number[GROUPED_MAX];
    fprintf(out, "the first that differs: message %s of '%s'", grouped((int64_t)d->place, number),
            d->topic);
    if (d->strategy)
        fprintf(out, ", strategy %" PRIu32, d->strategy);
    fprintf(out, ", at tick %s\n", grouped((int64_t)d->md_seq, number));
    for (unsigned side = 0; side < 2; side++)
        print_side(request, side, out);
    json_t *a = message_json(d, 0), *b = message_json(d, 1), *fields = fields_that_differ(a, b);
    for (size_t i = 0; i < json_array_size(fields); i++) {
        const char *key = json_string_value(json_array_get(fields, i));
        char *mine = json_dumps(json_object_get(a, key), JSON_ENCODE_ANY);
        char *other = json_dumps(json_object_get(b, key), JSON_ENCODE_ANY);
        fprintf(out, "  %s: %s, and %s\n", key, mine ? mine : "none", other ? other : "none");
        free(mine);
        free(other);
    }
    json_decref(a);
    json_decref(b);
    json_decref(fields);
    if (d->sides[0].there) {
        fprintf(out, "what had been taken before it, as %s:\n", request->names[0]);
        find_taken(request->directories[0], taken_before(d, 0), out, false);
    }
}

void divergence_print(const divergence_request_t *request, FILE *out)
{
    const compare_result_t *r = request->result;
    char number[GROUPED_MAX];
    fputs(r->identical ? "identical:" : "different; up to there identical:", out);
    for (uint32_t i = 0; i < r->counts_count; i++)
        fprintf(out, "%s %s %s", i ? "," : "", grouped((int64_t)r->counts[i].equal, number),
                r->counts[i].topic);
    fputc('\n', out);
    for (uint32_t i = 0; i < r->counts_count; i++)
        fprintf(out, "  %-9s digest %016" PRIx64 "\n", r->counts[i].topic, r->counts[i].digest);
    for (unsigned side = 0; side < 2; side++)
        if (r->failed[side] && r->identical)
            fprintf(out, "  (%s, in %s: a stage or the supervisor died: compared up to there)\n",
                    request->names[side], request->directories[side]);
        else if (r->ends[side] != TBUS_JOURNAL_CLOSED && r->identical)
            fprintf(out, "  (%s does not come to its end in %s: compared as far as it goes)\n",
                    request->names[side], request->directories[side]);
    if (!r->identical)
        print_first(request, out);
}

/* ---- as an object */

/* Lines of JSON, one for each topic that was found. */
static json_t *taken_json(const divergence_request_t *request)
{
    char *text = NULL, *line, *rest = NULL;
    size_t bytes = 0;
    const compare_divergence_t *d = &request->result->first;
    unsigned side = d->sides[0].there ? 0 : 1;
    taken_t taken = taken_before(d, side);
    json_t *object = json_pack("{s:I}", "tick", (json_int_t)taken.tick);
    if (taken.report)
        json_object_set_new(object, "report", json_integer((json_int_t)taken.report));
    FILE *out = open_memstream(&text, &bytes);
    if (!out)
        return object;
    find_taken(request->directories[side], taken, out, true);
    json_t *messages = json_array();
    if (fclose(out) == 0)
        for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
            json_array_append_new(messages, json_loads(line, 0, NULL));
    free(text);
    json_object_set_new(object, "messages", messages);
    return object;
}

static json_t *first_json(const divergence_request_t *request)
{
    const compare_divergence_t *d = &request->result->first;
    json_t *a = message_json(d, 0), *b = message_json(d, 1);
    json_t *object = json_pack("{s:s, s:I, s:I, s:I, s:o}", "topic", d->topic, "strategy",
                               (json_int_t)d->strategy, "place", (json_int_t)d->place, "md_seq",
                               (json_int_t)d->md_seq, "fields", fields_that_differ(a, b));
    json_object_set_new(object, "seq",
                        json_integer((json_int_t)d->sides[d->sides[0].there ? 0 : 1].seq));
    json_object_set_new(object, request->names[0], a ? a : json_null());
    json_object_set_new(object, request->names[1], b ? b : json_null());
    json_object_set_new(object, "taken", taken_json(request));
    return object;
}

json_t *divergence_json(const divergence_request_t *request)
{
    const compare_result_t *r = request->result;
    json_t *counts = json_object(), *digests = json_object();
    bool whole = true;
    for (unsigned side = 0; side < 2; side++)
        whole &= r->ends[side] == TBUS_JOURNAL_CLOSED && !r->failed[side];
    json_t *object = json_pack("{s:b, s:b}", "identical", r->identical, "whole", whole);
    for (uint32_t i = 0; i < r->counts_count; i++) {
        char digest[17];
        snprintf(digest, sizeof digest, "%016" PRIx64, r->counts[i].digest);
        json_object_set_new(counts, r->counts[i].topic,
                            json_integer((json_int_t)r->counts[i].equal));
        json_object_set_new(digests, r->counts[i].topic, json_string(digest));
    }
    json_t *orders = json_object_get(counts, "orders"),
           *reports = json_object_get(counts, "reports");
    json_object_set(object, "orders", orders ? orders : json_integer(0));
    json_object_set(object, "reports", reports ? reports : json_integer(0));
    json_object_set_new(object, "counts", counts);
    json_object_set_new(object, "digests", digests);
    json_object_set_new(object, "divergence", r->identical ? json_null() : first_json(request));
    return object;
}
