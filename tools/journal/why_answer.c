/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/journal/why_answer.h"

#include <errno.h>
#include <string.h>

#include "tools/journal/order_index.h"
#include "tools/journal/order_index_make.h"
#include "tools/journal/why_setup.h"

/* ---- by the index */

static int take_found(const order_index_t *index, tbus_journal_reader_t *reader,
                      const order_index_found_t *found, why_answer_t *answer)
{
    answer->symbols = symbols_create();
    if (!answer->symbols)
        return -ENOMEM;
    int look = order_index_symbols(index, answer->symbols);
    if (look != TBUS_JOURNAL_FOUND)
        return look;
    if (why_life_read(reader, &found->places, &answer->life, NULL) < 0)
        return TBUS_JOURNAL_BAD;
    answer->there = true;
    answer->has_verdict = found->has_verdict;
    answer->verdict = found->verdict;
    if (answer->life.judged.there && !found->has_verdict)
        tbus_fail(&answer->no_verdict, -TBUS_ENOTFOUND, "%s", index->header.failure);
    return TBUS_JOURNAL_FOUND;
}

/* FOUND: it has answered. */
static int ask_index(const order_index_t *index, tbus_journal_reader_t *reader, uint64_t order_id,
                     why_answer_t *answer)
{
    order_index_found_t found;
    int look = order_index_find(index, order_id, &found);
    if (look == TBUS_JOURNAL_FOUND) {
        look = take_found(index, reader, &found, answer);
        why_places_clear(&found.places);
    } else if (look == TBUS_JOURNAL_NOTHING) {
        look = TBUS_JOURNAL_FOUND;
    }
    answer->ids_count = index->header.ids_count;
    memcpy(answer->ids, index->header.ids, sizeof answer->ids);
    answer->begins = index->header.about.first_segment == 1;
    answer->indexed = true;
    return look;
}

static bool by_index(const char *directory, uint64_t order_id, why_answer_t *answer)
{
    tbus_journal_reader_t *reader;
    order_index_t index;
    if (tbus_journal_reader_open(directory, &reader, NULL) < 0)
        return false;
    int look = order_index_open(reader, &index);
    if (look == TBUS_JOURNAL_FOUND) {
        look = ask_index(&index, reader, order_id, answer);
        order_index_close(&index);
    }
    tbus_journal_reader_close(reader);
    if (look == TBUS_JOURNAL_FOUND)
        return true;
    why_answer_clear(answer);
    return false;
}

/* ---- by reading the journal */

static int keep_verdict(void *context, const why_entry_t *entry, const why_verdict_t *verdict)
{
    (void)entry;
    why_answer_t *answer = context;
    answer->verdict = *verdict;
    answer->has_verdict = true;
    return 0;
}

static void judge_again(const char *directory, why_session_t *session, const why_entry_t *entry,
                        why_answer_t *answer)
{
    why_setup_t setup;
    tbus_error_t *why = &answer->no_verdict;
    if (why_setup_read(directory, &setup, why) < 0)
        return;
    if (why_gate_run(directory, &setup, session, entry, keep_verdict, answer, why) == 0)
        *why = (tbus_error_t){0};
}

/* Its records, where they stand. */
static int read_life(const char *directory, const why_session_t *session, const why_entry_t *entry,
                     why_answer_t *answer, tbus_error_t *err)
{
    tbus_journal_reader_t *reader;
    why_places_t places;
    int code = tbus_journal_reader_open(directory, &reader, err);
    if (code < 0)
        return code;
    code = why_places_of(session, entry, &places)
               ? 0
               : tbus_fail(err, -ENOMEM, "no memory for the records of an order");
    if (code == 0) {
        code = why_life_read(reader, &places, &answer->life, err);
        why_places_clear(&places);
    }
    tbus_journal_reader_close(reader);
    return code;
}

static int from_session(const char *directory, why_session_t *session, uint64_t order_id,
                        why_answer_t *answer, tbus_error_t *err)
{
    const why_entry_t *entry = why_session_find(session, order_id);
    answer->begins = session->begins;
    answer->ids_count = session->ids_count;
    memcpy(answer->ids, session->ids, sizeof answer->ids);
    if (!entry)
        return 0;
    if (entry->judged)
        judge_again(directory, session, entry, answer);
    int code = read_life(directory, session, entry, answer, err);
    answer->there = answer->life.sent.there || answer->life.judged.there;
    answer->symbols = session->symbols;
    session->symbols = NULL;
    return code;
}

/* The journal is read, and an index made of it, if it can have one. */
static int by_reading(const char *directory, uint64_t order_id, why_answer_t *answer,
                      tbus_error_t *err)
{
    why_session_t session;
    int code = why_session_read(directory, &session, err);
    bool made = code == 0 && order_index_make(directory, &session, NULL) == 0;
    if (made && by_index(directory, order_id, answer)) {
        answer->made = true;
    } else {
        int read = from_session(directory, &session, order_id, answer, code < 0 ? NULL : err);
        code = code < 0 ? code : read;
    }
    why_session_clear(&session);
    return code;
}

int why_answer(const char *directory, uint64_t order_id, why_answer_t *out_answer,
               tbus_error_t *err)
{
    tbus_journal_reader_t *holder;
    *out_answer = (why_answer_t){0};
    if (by_index(directory, order_id, out_answer))
        return 0;
    /* A reader at the front: no segment is removed (retention) between the readings. */
    int code = tbus_journal_reader_open(directory, &holder, err);
    if (code < 0)
        return code;
    code = by_reading(directory, order_id, out_answer, err);
    tbus_journal_reader_close(holder);
    return code;
}

void why_answer_clear(why_answer_t *answer)
{
    why_life_clear(&answer->life);
    symbols_destroy(answer->symbols);
    *answer = (why_answer_t){0};
}
