/* SPDX-License-Identifier: Apache-2.0 */
/* session.h - what a journal says of its session: what was run, with which configuration, and what
 * was done to it while it ran. Gathered from its records, one after another.
 *
 * Text from a journal is bytes from outside: what is no JSON shows as no JSON, and a kind of
 * session record that this tickbus does not know is counted and left out.
 */
#ifndef TICKBUS_TOOLS_SHOW_SESSION_H
#define TICKBUS_TOOLS_SHOW_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include <tickbus/journal.h>

#define SESSION_OBJECT_BYTES_MAX (UINT64_C(4) << 20) /* of provenance, of configuration */
#define SESSION_EVENTS_MAX       65536u              /* kept; more are counted */

typedef struct session_object {
    char *text; /* owned; terminated */
    size_t bytes;
    bool whole;
} session_object_t;

typedef struct session {
    session_object_t provenance;
    session_object_t configuration;
    uint64_t unknown; /* session records of kinds that are not known here */
    uint64_t events;
    char *event_words; /* a line for each event that is kept, as `busctl tap` shows it; owned */
    json_t *event_objects;
    FILE *words; /* that writes event_words */
    size_t words_bytes;
} session_t;

/* False: no memory. */
bool session_begin(session_t *out_session);
/* Take a record of the session, or of a topic with messages of type `type`. False: no memory. */
bool session_take(session_t *s, const char *type, const tbus_journal_record_t *record);
/* All records were taken. */
void session_end(session_t *s);
/* "provenance", "configuration" (null: none, or not whole) and "events" into an object. */
void session_add_json(const session_t *s, json_t *object);
/* The same as text. */
void session_print(const session_t *s, FILE *out);
/* Accepts one that is all zeros. */
void session_clear(session_t *s);

#endif
