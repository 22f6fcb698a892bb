/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/journal/order_index.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/journal/cache_file.h"
#include "bus/journal/reader_index.h"
#include "tools/measure/provenance.h"

#define PIECE_BYTES (UINT64_C(1) << 20)

/* ---- which journal */

int order_index_about(tbus_journal_reader_t *reader, order_index_about_t *out_about,
                      tbus_error_t *err)
{
    const tbus_journal_info_t *info = tbus_journal_reader_info(reader);
    order_index_about_t about = {.first_segment = info->first_segment,
                                 .last_segment = info->first_segment + info->segments - 1};
    int look = tbus_journal_reader_go_to(reader, about.last_segment, err);
    if (look != TBUS_JOURNAL_FOUND)
        return look < 0 ? look : TBUS_JOURNAL_NOTHING;
    const tbus_journal_header_t *last = &reader->segment.header;
    uint64_t end;
    if (tbus_journal_segment_closed_bytes(&reader->segment) <= 0 ||
        tbus_journal_segment_session_end(&reader->segment, &end) < 0)
        return TBUS_JOURNAL_NOTHING;
    memcpy(about.session_id, last->session_id, sizeof about.session_id);
    about.closed = tbus_load_relaxed_u64(&last->closed);
    about.session_end = end;
    about.seal_crc32c = last->seal.crc32c;
    snprintf(about.build, sizeof about.build, "%s", provenance_version());
    *out_about = about;
    return about.closed ? TBUS_JOURNAL_FOUND : TBUS_JOURNAL_NOTHING;
}

uint32_t order_index_entry_crc(const order_index_about_t *about, uint64_t number,
                               const order_index_entry_t *entry)
{
    uint32_t crc = tbus_crc32c(0, about->session_id, sizeof about->session_id);
    crc = tbus_crc32c(crc, &number, sizeof number);
    return tbus_crc32c(crc, entry, offsetof(order_index_entry_t, crc32c));
}

/* ---- the file */

/* The parts that the header names follow one another and fill the file. */
static bool fits(const order_index_header_t *h)
{
    uint64_t symbols_bytes = (uint64_t)h->symbols_count * sizeof(order_index_symbol_t);
    uint64_t entries_bytes = (uint64_t)h->entries_count * sizeof(order_index_entry_t);
    return h->ids_count <= WHY_STRATEGIES_MAX && h->symbols_offset >= sizeof *h &&
           h->entries_offset >= h->symbols_offset && h->bytes >= h->entries_offset &&
           h->entries_offset - h->symbols_offset == symbols_bytes &&
           h->bytes - h->entries_offset == entries_bytes &&
           memchr(h->failure, 0, sizeof h->failure) != NULL;
}

static bool is_about(const order_index_header_t *h, const order_index_about_t *about, int fd)
{
    struct stat is;
    return h->magic == ORDER_INDEX_MAGIC && h->version == ORDER_INDEX_VERSION &&
           h->header_crc32c == tbus_crc32c(0, h, offsetof(order_index_header_t, header_crc32c)) &&
           memcmp(&h->about, about, sizeof *about) == 0 && fits(h) && fstat(fd, &is) == 0 &&
           (uint64_t)is.st_size == h->bytes;
}

int order_index_open(tbus_journal_reader_t *reader, order_index_t *out_index)
{
    order_index_about_t about;
    order_index_t index;
    index.fd = tbus_journal_cache_open(reader->directory.fd, ORDER_INDEX_NAME);
    if (index.fd < 0)
        return TBUS_JOURNAL_NOTHING;
    if (order_index_about(reader, &about, NULL) != TBUS_JOURNAL_FOUND ||
        !tbus_journal_cache_read(index.fd, &index.header, sizeof index.header, 0) ||
        !is_about(&index.header, &about, index.fd)) {
        close(index.fd);
        return TBUS_JOURNAL_NOTHING;
    }
    *out_index = index;
    return TBUS_JOURNAL_FOUND;
}

void order_index_close(order_index_t *index)
{
    close(index->fd);
    index->fd = -1;
}

void order_index_remove(const char *directory)
{
    int fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)unlinkat(fd, ORDER_INDEX_NAME, 0);
    close(fd);
}

bool order_index_check(const order_index_t *index)
{
    unsigned char *piece = malloc(PIECE_BYTES);
    uint32_t crc = 0;
    bool fine = piece != NULL;
    for (uint64_t at = sizeof index->header; fine && at < index->header.bytes;) {
        uint64_t left = index->header.bytes - at;
        uint64_t bytes = left < PIECE_BYTES ? left : PIECE_BYTES;
        fine = tbus_journal_cache_read(index->fd, piece, bytes, at);
        if (fine)
            crc = tbus_crc32c(crc, piece, bytes);
        at += bytes;
    }
    free(piece);
    return fine && crc == index->header.body_crc32c;
}

int order_index_symbols(const order_index_t *index, symbols_t *symbols)
{
    const order_index_header_t *h = &index->header;
    uint64_t bytes = h->entries_offset - h->symbols_offset;
    order_index_symbol_t *all = malloc(bytes + 1);
    if (!all)
        return -ENOMEM;
    bool fine = tbus_journal_cache_read(index->fd, all, bytes, h->symbols_offset) &&
                tbus_crc32c(0, all, bytes) == h->symbols_crc32c;
    for (uint32_t i = 0; fine && i < h->symbols_count; i++)
        symbols_put(symbols, all[i].md_seq, (uint16_t)all[i].locate, all[i].name);
    free(all);
    return fine ? TBUS_JOURNAL_FOUND : TBUS_JOURNAL_BAD;
}

/* ---- a life */

/* What is left of its bytes. */
typedef struct rest {
    const unsigned char *at;
    const unsigned char *end;
} rest_t;

static bool take_bytes(rest_t *rest, void *into, size_t bytes)
{
    if ((size_t)(rest->end - rest->at) < bytes)
        return false;
    memcpy(into, rest->at, bytes);
    rest->at += bytes;
    return true;
}

static bool take_number(rest_t *rest, uint64_t *out_number)
{
    uint64_t number = 0;
    unsigned char byte = 0x80;
    for (unsigned shift = 0; byte & 0x80; shift += 7) {
        if (shift > 63 || !take_bytes(rest, &byte, 1))
            return false;
        number |= (uint64_t)(byte & 0x7f) << shift;
    }
    *out_number = number;
    return true;
}

static uint64_t unfold(uint64_t folded)
{
    return (folded >> 1) ^ (0 - (folded & 1));
}

static bool take_check(rest_t *rest, gate_check_t *out_check)
{
    unsigned char bytes[2];
    gate_check_t check = {0};
    if (!take_bytes(rest, bytes, sizeof bytes) || !take_number(rest, &check.value) ||
        !take_number(rest, &check.limit))
        return false;
    check.reason = bytes[0];
    check.form = bytes[1] & 7;
    check.known = (bytes[1] & ORDER_INDEX_CHECK_KNOWN) != 0;
    check.passed = (bytes[1] & ORDER_INDEX_CHECK_PASSED) != 0;
    check.reached = (bytes[1] & ORDER_INDEX_CHECK_REACHED) != 0;
    check.of_strategy = (bytes[1] & ORDER_INDEX_CHECK_OF_STRATEGY) != 0;
    if (check.form == GATE_SIGNED) {
        check.value = unfold(check.value);
        check.limit = unfold(check.limit);
    }
    *out_check = check;
    return check.form <= GATE_SIGNED;
}

static bool take_verdict(rest_t *rest, const order_index_life_t *life, why_verdict_t *out_verdict)
{
    bool fine = life->checks_count <= GATE_CHECKS_MAX;
    *out_verdict = (why_verdict_t){
        .checks_count = life->checks_count,
        .touch_there = (life->flags & ORDER_INDEX_LIFE_TOUCH) != 0,
        .touch = {.bid_px_e4 = life->bid_px_e4,
                  .ask_px_e4 = life->ask_px_e4,
                  .bid_qty = life->bid_qty,
                  .ask_qty = life->ask_qty},
        .market_ns = life->market_ns,
        .judged = life->orders_judged,
        .differ = life->orders_differ,
    };
    for (unsigned i = 0; fine && i < life->checks_count; i++)
        fine = take_check(rest, &out_verdict->checks[i]);
    return fine;
}

/* FOUND, BAD or -ENOMEM. */
static int take_life(uint64_t order_id, rest_t rest, order_index_found_t *out_found)
{
    order_index_life_t life;
    order_index_found_t found = {.places.order_id = order_id};
    if (!take_bytes(&rest, &life, sizeof life) ||
        life.reports_count > (size_t)(rest.end - rest.at) / sizeof(why_place_t))
        return TBUS_JOURNAL_BAD;
    found.places.sent = life.sent;
    found.places.judged = life.judged;
    found.places.cancel = life.cancel;
    found.places.cancel_judged = life.cancel_judged;
    found.places.tick = life.tick;
    found.places.reports_count = life.reports_count;
    found.places.reports = malloc((life.reports_count + 1) * sizeof(why_place_t));
    if (!found.places.reports)
        return -ENOMEM;
    found.has_verdict = (life.flags & ORDER_INDEX_LIFE_VERDICT) != 0;
    if (!take_bytes(&rest, found.places.reports, life.reports_count * sizeof(why_place_t)) ||
        !take_verdict(&rest, &life, &found.verdict) || rest.at != rest.end) {
        why_places_clear(&found.places);
        return TBUS_JOURNAL_BAD;
    }
    *out_found = found;
    return TBUS_JOURNAL_FOUND;
}

/* ---- an order */

/* Entry `number`, if it is as it was made. */
static bool read_entry(const order_index_t *index, uint64_t number, order_index_entry_t *out_entry)
{
    const order_index_header_t *h = &index->header;
    return tbus_journal_cache_read(index->fd, out_entry, sizeof *out_entry,
                                   h->entries_offset + number * sizeof *out_entry) &&
           out_entry->crc32c == order_index_entry_crc(&h->about, number, out_entry) &&
           out_entry->offset >= sizeof *h && out_entry->offset <= h->symbols_offset &&
           out_entry->bytes <= h->symbols_offset - out_entry->offset;
}

/* FOUND, NOTHING or BAD. */
static int find_entry(const order_index_t *index, uint64_t order_id, order_index_entry_t *out_entry)
{
    uint64_t low = 0, high = index->header.entries_count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (!read_entry(index, middle, out_entry))
            return TBUS_JOURNAL_BAD;
        if (out_entry->order_id == order_id)
            return TBUS_JOURNAL_FOUND;
        if (out_entry->order_id < order_id)
            low = middle + 1;
        else
            high = middle;
    }
    return TBUS_JOURNAL_NOTHING;
}

int order_index_find(const order_index_t *index, uint64_t order_id, order_index_found_t *out_found)
{
    order_index_entry_t entry;
    int look = find_entry(index, order_id, &entry);
    if (look != TBUS_JOURNAL_FOUND)
        return look;
    unsigned char *bytes = malloc((size_t)entry.bytes + 1);
    if (!bytes)
        return -ENOMEM;
    look = TBUS_JOURNAL_BAD;
    if (tbus_journal_cache_read(index->fd, bytes, entry.bytes, entry.offset) &&
        tbus_crc32c(0, bytes, entry.bytes) == entry.life_crc32c)
        look = take_life(order_id, (rest_t){bytes, bytes + entry.bytes}, out_found);
    free(bytes);
    return look;
}
