/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/show/outcome.h"
#include "tools/show/session.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/show/fold.h"
#include "tools/show/message_text.h"

bool session_begin(session_t *out_session)
{
    session_t s = {.event_objects = json_array()};
    *out_session = s;
    out_session->words = open_memstream(&out_session->event_words, &out_session->words_bytes);
    return s.event_objects && out_session->words;
}

static bool take_piece(session_object_t *object, const tbus_journal_piece_t *piece)
{
    if (object->whole) { /* a second one: the last counts */
        object->bytes = 0;
        object->whole = false;
    }
    if (object->bytes + piece->bytes > SESSION_OBJECT_BYTES_MAX)
        return true; /* and so it is never whole */
    char *text = realloc(object->text, object->bytes + piece->bytes + 1);
    if (!text)
        return false;
    memcpy(text + object->bytes, piece->data, piece->bytes);
    object->text = text;
    object->bytes += piece->bytes;
    object->text[object->bytes] = 0;
    object->whole = !piece->more;
    return true;
}

static bool take_session_record(session_t *s, const tbus_journal_record_t *record)
{
    tbus_journal_piece_t piece;
    if (!tbus_journal_record_piece(record, &piece)) {
        s->unknown++;
        return true;
    }
    switch (piece.kind) {
    case TBUS_JOURNAL_PROVENANCE:
        return take_piece(&s->provenance, &piece);
    case TBUS_JOURNAL_CONFIGURATION:
        return take_piece(&s->configuration, &piece);
    default:
        s->unknown++;
        return true;
    }
}

bool session_take(session_t *s, const char *type, const tbus_journal_record_t *record)
{
    if (record->topic == TBUS_JOURNAL_SESSION_TOPIC)
        return take_session_record(s, record);
    if (strcmp(type, "event") != 0 || s->events++ >= SESSION_EVENTS_MAX)
        return true;
    char *line = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&line, &bytes);
    if (!out)
        return false;
    message_text_json(out, type, record->seq, record->payload, record->bytes, NULL);
    bool fine =
        fclose(out) == 0 && json_array_append_new(s->event_objects, json_loads(line, 0, NULL)) == 0;
    free(line);
    message_text_words(s->words, type, record->seq, record->payload, record->bytes, NULL);
    return fine;
}

void session_end(session_t *s)
{
    if (s->words)
        fclose(s->words);
    s->words = NULL;
}

static json_t *object_json(const session_object_t *object)
{
    json_t *json = object->whole ? json_loadb(object->text, object->bytes, 0, NULL) : NULL;
    return json ? json : json_null();
}

void session_add_json(const session_t *s, json_t *object)
{
    json_object_set_new(object, "provenance", object_json(&s->provenance));
    json_object_set_new(object, "configuration", object_json(&s->configuration));
    json_object_set(object, "events", s->event_objects);
    json_object_set_new(object, "events_count", json_integer((json_int_t)s->events));
    json_object_set_new(object, "unknown_session_records", json_integer((json_int_t)s->unknown));
}

#define KEY_COLUMNS 10

/* Control characters, which JSON allows in strings, become '?'. */
static void put_plain(FILE *out, const char *text)
{
    for (; *text; text++)
        fputc((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text, out);
}

/* A string, or the words of an array. */
static void print_field(FILE *out, const json_t *object, const char *key)
{
    size_t i, bytes;
    const json_t *word, *value = json_object_get(object, key);
    char *text = NULL;
    FILE *plain = value ? open_memstream(&text, &bytes) : NULL;
    if (!plain)
        return;
    if (json_is_string(value))
        put_plain(plain, json_string_value(value));
    json_array_foreach(value, i, word)
    {
        fputs(i ? " " : "", plain);
        put_plain(plain, json_is_string(word) ? json_string_value(word) : "?");
    }
    if (fclose(plain) == 0 && *text)
        fold(out, key, KEY_COLUMNS, text);
    free(text);
}

/* A line for each, which goes on below where it is long. */
static void print_events(FILE *out, const char *words)
{
    char *copy = strdup(words), *rest = copy;
    fprintf(out, "\nevents\n");
    for (char *line; (line = strsep(&rest, "\n")) != NULL && *line;) {
        const char *seq = strsep(&line, " ");
        fold(out, seq, KEY_COLUMNS, line ? line : "");
    }
    free(copy);
}

void session_print(const session_t *s, FILE *out)
{
    json_t *object = object_json(&s->provenance);
    print_field(out, object, "version");
    print_field(out, object, "command");
    print_field(out, object, "source");
    print_field(out, object, "pace");
    print_field(out, object, "layout");
    json_decref(object);
    if (s->configuration.whole)
        fprintf(out, "config    %zu bytes (%s journal config DIR)\n", s->configuration.bytes,
                outcome_program());
    if (s->unknown)
        fprintf(out, "skipped   %" PRIu64 " session records of a later tickbus\n", s->unknown);
    if (s->events)
        print_events(out, s->event_words);
    if (s->events > SESSION_EVENTS_MAX)
        fprintf(out, "and %" PRIu64 " more\n", s->events - SESSION_EVENTS_MAX);
}

void session_clear(session_t *s)
{
    session_end(s);
    free(s->event_words);
    free(s->provenance.text);
    free(s->configuration.text);
    json_decref(s->event_objects);
    *s = (session_t){0};
}
