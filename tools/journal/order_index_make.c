/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/journal/order_index_make.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/journal/cache_file.h"
#include "bus/journal/reader.h"
#include "tools/journal/order_index.h"
#include "tools/journal/why_setup.h"

#define PIECE_BYTES (UINT64_C(1) << 20) /* that are written at a time */

typedef struct making {
    why_session_t *session;
    tbus_journal_cache_file_t file;
    order_index_header_t header;
    order_index_entry_t *entries; /* owned; as session->entries. bytes 0: not written yet */
    unsigned char *piece;         /* owned; behind what is in the file */
    uint64_t piece_bytes;
    uint64_t written;    /* bytes in the file */
    unsigned char *life; /* owned */
    uint64_t life_capacity;
    int code; /* of writing, or no memory; 0: fine */
} making_t;

/* ---- writing */

static void flush(making_t *m)
{
    if (m->code == 0)
        m->code = tbus_journal_cache_write(&m->file, m->piece, m->piece_bytes, m->written);
    m->header.body_crc32c = tbus_crc32c(m->header.body_crc32c, m->piece, m->piece_bytes);
    m->written += m->piece_bytes;
    m->piece_bytes = 0;
}

static void put(making_t *m, const void *from, uint64_t bytes)
{
    const unsigned char *at = from;
    while (bytes) {
        uint64_t room = PIECE_BYTES - m->piece_bytes;
        uint64_t now = bytes < room ? bytes : room;
        memcpy(m->piece + m->piece_bytes, at, now);
        m->piece_bytes += now;
        at += now;
        bytes -= now;
        if (m->piece_bytes == PIECE_BYTES)
            flush(m);
    }
}

static uint64_t offset(const making_t *m)
{
    return m->written + m->piece_bytes;
}

/* ---- a life */

static unsigned char *put_number(unsigned char *at, uint64_t number)
{
    for (; number >= 0x80; number >>= 7)
        *at++ = (unsigned char)(number | 0x80);
    *at++ = (unsigned char)number;
    return at;
}

static uint64_t folded(uint64_t number)
{
    return number << 1 ^ (0 - (number >> 63));
}

static unsigned char *put_check(unsigned char *at, const gate_check_t *check)
{
    bool is_signed = check->form == GATE_SIGNED;
    *at++ = check->reason;
    *at++ = (unsigned char)(check->form | (check->known ? ORDER_INDEX_CHECK_KNOWN : 0) |
                            (check->passed ? ORDER_INDEX_CHECK_PASSED : 0) |
                            (check->reached ? ORDER_INDEX_CHECK_REACHED : 0) |
                            (check->of_strategy ? ORDER_INDEX_CHECK_OF_STRATEGY : 0));
    at = put_number(at, is_signed ? folded(check->value) : check->value);
    return put_number(at, is_signed ? folded(check->limit) : check->limit);
}

static order_index_life_t life_of(const why_entry_t *e, const why_verdict_t *verdict)
{
    order_index_life_t life = {.sent = e->sent,
                               .judged = e->judged,
                               .cancel = e->cancel,
                               .cancel_judged = e->cancel_judged,
                               .tick = e->tick,
                               .reports_count = e->reports_count};
    if (!verdict)
        return life;
    life.market_ns = verdict->market_ns;
    life.orders_judged = verdict->judged;
    life.orders_differ = verdict->differ;
    life.bid_px_e4 = verdict->touch.bid_px_e4;
    life.ask_px_e4 = verdict->touch.ask_px_e4;
    life.bid_qty = verdict->touch.bid_qty;
    life.ask_qty = verdict->touch.ask_qty;
    life.checks_count = (uint16_t)verdict->checks_count;
    life.flags =
        (uint16_t)(ORDER_INDEX_LIFE_VERDICT | (verdict->touch_there ? ORDER_INDEX_LIFE_TOUCH : 0));
    return life;
}

static bool reserve_life(making_t *m, uint64_t bytes)
{
    if (bytes <= m->life_capacity)
        return true;
    unsigned char *more = realloc(m->life, 2 * bytes);
    if (!more)
        return false;
    m->life = more;
    m->life_capacity = 2 * bytes;
    return true;
}

/* `verdict`: NULL when there is none. */
static int put_life(void *context, const why_entry_t *e, const why_verdict_t *verdict)
{
    making_t *m = context;
    order_index_entry_t *entry = &m->entries[e - m->session->entries];
    order_index_life_t life = life_of(e, verdict);
    if (!reserve_life(m, order_index_life_bytes_max(e->reports_count)))
        m->code = -ENOMEM;
    if (m->code < 0)
        return m->code;
    memcpy(m->life, &life, sizeof life);
    unsigned char *at = m->life + sizeof life;
    for (uint32_t i = 0; i < e->reports_count; i++, at += sizeof(why_place_t))
        memcpy(at, &m->session->reports[m->session->reports_of[e->reports_first + i]].place,
               sizeof(why_place_t));
    for (unsigned i = 0; i < life.checks_count; i++)
        at = put_check(at, &verdict->checks[i]);
    uint64_t bytes = (uint64_t)(at - m->life);
    if (bytes > UINT32_MAX)
        return m->code = -TBUS_ETOOBIG;
    *entry = (order_index_entry_t){.order_id = e->order_id,
                                   .offset = offset(m),
                                   .bytes = (uint32_t)bytes,
                                   .life_crc32c = tbus_crc32c(0, m->life, bytes)};
    put(m, m->life, bytes);
    return m->code;
}

/* ---- all of it */

/* Does it come of the recorded session, and will again? */
static bool is_of_session(int code)
{
    return code == -TBUS_ENOTFOUND || code == -TBUS_ECONFIG || code == -TBUS_ELIMIT ||
           code == -TBUS_EFULL;
}

/* Lives with verdicts, in the order of judging; where the gate cannot go on, the reason. */
static int put_judged(making_t *m, const char *directory, tbus_error_t *err)
{
    why_setup_t setup;
    tbus_error_t why = {0};
    int code = why_setup_read(directory, &setup, &why);
    if (code == 0)
        code = why_gate_run(directory, &setup, m->session, NULL, put_life, m, &why);
    if (m->code == 0 && is_of_session(code)) {
        snprintf(m->header.failure, sizeof m->header.failure, "%s", why.text);
        return 0;
    }
    return m->code == 0 && code < 0 ? tbus_fail(err, code, "%s", why.text) : m->code;
}

static void put_symbol(void *context, uint64_t md_seq, uint16_t locate, const char name[8])
{
    making_t *m = context;
    order_index_symbol_t symbol = {.md_seq = md_seq, .locate = locate};
    memcpy(symbol.name, name, sizeof symbol.name);
    put(m, &symbol, sizeof symbol);
    m->header.symbols_crc32c = tbus_crc32c(m->header.symbols_crc32c, &symbol, sizeof symbol);
    m->header.symbols_count++;
}

static void put_symbols(making_t *m)
{
    m->header.symbols_offset = offset(m);
    symbols_each(m->session->symbols, m, put_symbol);
}

static void put_entries(making_t *m)
{
    m->header.entries_offset = offset(m);
    m->header.entries_count = m->session->entries_count;
    for (uint32_t i = 0; i < m->session->entries_count; i++)
        m->entries[i].crc32c = order_index_entry_crc(&m->header.about, i, &m->entries[i]);
    put(m, m->entries, m->session->entries_count * sizeof *m->entries);
}

static int put_all(making_t *m, const char *directory, tbus_error_t *err)
{
    int code = put_judged(m, directory, err);
    for (uint32_t i = 0; code == 0 && i < m->session->entries_count; i++)
        if (m->entries[i].bytes == 0)
            code = put_life(m, &m->session->entries[i], NULL);
    if (code < 0)
        return code;
    put_symbols(m);
    put_entries(m);
    flush(m);
    order_index_header_t *h = &m->header;
    h->bytes = m->written;
    h->ids_count = m->session->ids_count;
    memcpy(h->ids, m->session->ids, sizeof h->ids);
    h->header_crc32c = tbus_crc32c(0, h, offsetof(order_index_header_t, header_crc32c));
    return m->code == 0 ? tbus_journal_cache_write(&m->file, h, sizeof *h, 0) : m->code;
}

/* `reader`: of the journal; it tells which one it is. */
static int make(const char *directory, tbus_journal_reader_t *reader, why_session_t *session,
                tbus_error_t *err)
{
    making_t m = {.session = session,
                  .header = {.magic = ORDER_INDEX_MAGIC, .version = ORDER_INDEX_VERSION},
                  .written = sizeof(order_index_header_t)};
    int look = order_index_about(reader, &m.header.about, err);
    if (look < 0)
        return look;
    if (look != TBUS_JOURNAL_FOUND || !session->final)
        return tbus_fail(err, -EBUSY, "the recording has not come to its end");
    int code = tbus_journal_cache_begin(reader->directory.fd, ORDER_INDEX_NAME, &m.file);
    if (code < 0)
        return tbus_fail(err, code, "cannot write %s of the journal in %s: %s; %s",
                         ORDER_INDEX_NAME, directory, tbus_strerror(code),
                         tbus_journal_advice(code));
    m.entries = calloc((size_t)session->entries_count + 1, sizeof *m.entries);
    m.piece = malloc(PIECE_BYTES);
    tbus_error_t why = {0};
    code = m.entries && m.piece ? put_all(&m, directory, &why) : -ENOMEM;
    code = tbus_journal_cache_end(&m.file, code);
    free(m.entries);
    free(m.piece);
    free(m.life);
    return code < 0
               ? tbus_fail(err, code, "cannot make %s of the journal in %s: %s", ORDER_INDEX_NAME,
                           directory, *why.text ? why.text : tbus_strerror(code))
               : 0;
}

int order_index_make(const char *directory, why_session_t *session, tbus_error_t *err)
{
    tbus_journal_reader_t *reader;
    int code = tbus_journal_reader_open(directory, &reader, err);
    if (code < 0)
        return code;
    code = make(directory, reader, session, err);
    tbus_journal_reader_close(reader);
    return code;
}

/* Is there one that is right? 1, 0, or the error of opening the journal. */
static int is_there(const char *directory, tbus_error_t *err)
{
    tbus_journal_reader_t *reader;
    order_index_t index;
    int code = tbus_journal_reader_open(directory, &reader, err);
    if (code < 0)
        return code;
    bool there = order_index_open(reader, &index) == TBUS_JOURNAL_FOUND;
    if (there) {
        code = order_index_check(&index);
        order_index_close(&index);
    }
    tbus_journal_reader_close(reader);
    return there ? code : 0;
}

int order_index_ensure(const char *directory, tbus_error_t *err)
{
    why_session_t session;
    int code = is_there(directory, err);
    if (code != 0)
        return code < 0 ? code : 0;
    code = why_session_read(directory, &session, err);
    if (code == 0)
        code = order_index_make(directory, &session, err);
    why_session_clear(&session);
    return code < 0 ? code : 1;
}
