/* SPDX-License-Identifier: Apache-2.0 */
/* order_index.h - all orders of a finished session, each with what `busctl why` says of it: a cache
 * beside the segments.
 *
 *    orders.tbw       0  header: which journal it is about, by which build it was made, where the
 *                        rest is; its CRC
 *                  1280  lives, one for each order, one after another: where its records stand,
 *                        and what risk found
 *                     .  symbols: locate and name, from which tick on
 *                     .  entries, one for each order, by id: where its life is; the CRCs of both
 *
 *    life             0  places (why_session.h) of order, judged, cancel, its judged, tick: u64
 *                    40  market_ns, judged, differ of the verdict: 3 x u64
 *                    64  touch: bid price, ask price: 2 x u32; bid and ask quantity: 2 x u64
 *                    88  reports u32: how many; checks u16: how many; flags u16: LIFE_...
 *                    96  places of the reports: u64 each
 *                     .  checks, one after another: reason u8; form in the lower 3 bits and
 *                        ORDER_INDEX_CHECK_... u8; value, limit: 7 bits in a byte, the lowest
 *                        first, bit 7 when more follow; of form GATE_SIGNED (v << 1) ^ (v >> 63)
 *
 * The messages themselves are read from the journal, by their places: each record has its CRC. An
 * order is found by binary search, so with a few reads, and what is read has a CRC of its own: a
 * file that is wrong in a byte gives no wrong answer. It is about one journal, as that ended: the
 * session, its first and last segment, and what that says of its end and its SHA-256. It holds what
 * this build's gate found, and is not used by another one.
 *
 * Little-endian, as journals are. A journal that is being written, is torn or damaged has none.
 * Made by order_index_make.h.
 */
#ifndef TICKBUS_TOOLS_JOURNAL_ORDER_INDEX_H
#define TICKBUS_TOOLS_JOURNAL_ORDER_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/error.h>
#include <tickbus/inline.h>
#include <tickbus/journal.h>

#include "bus/journal/segment.h"
#include "tools/journal/why_gate.h"
#include "tools/journal/why_life.h"

#define ORDER_INDEX_NAME    "orders.tbw"
#define ORDER_INDEX_MAGIC   UINT64_C(0x0000315944524f54) /* "TORDY1\0\0" in memory order */
#define ORDER_INDEX_VERSION 2u

/* Which journal an index is about: what stays the same once its recording has come to its end. */
typedef struct order_index_about {
    uint8_t session_id[16]; /*  0 */
    uint32_t first_segment; /* 16 number */
    uint32_t last_segment;  /* 20 */
    uint64_t closed;        /* 24 as the header of the last one has it, */
    uint64_t session_end;   /* 32 and this */
    uint32_t seal_crc32c;   /* 40 and that of its seal, which stands for all segments */
    uint32_t pad;           /* 44 */
    char build[64];         /* 48 of tickbus, by which it was made */
} order_index_about_t;

typedef struct order_index_header {
    uint64_t magic;                    /*    0 */
    uint32_t version;                  /*    8 */
    uint32_t ids_count;                /*   12 */
    order_index_about_t about;         /*   16 */
    uint64_t symbols_offset;           /*  128 */
    uint64_t entries_offset;           /*  136 */
    uint64_t bytes;                    /*  144 of the file */
    uint32_t symbols_count;            /*  152 */
    uint32_t symbols_crc32c;           /*  156 */
    uint32_t entries_count;            /*  160 */
    uint32_t body_crc32c;              /*  164 of all behind this header */
    why_ids_t ids[WHY_STRATEGIES_MAX]; /* 168 */
    /* 552 why orders that were judged have no verdict here; "": all have one */
    char failure[TBUS_ERROR_TEXT_MAX];
    uint8_t pad[244];       /* 1032 */
    uint32_t header_crc32c; /* 1276 of all before it */
} order_index_header_t;

TBUS_STATIC_ASSERT(sizeof(order_index_about_t) == 112);
TBUS_STATIC_ASSERT(offsetof(order_index_about_t, session_id) == 0);
TBUS_STATIC_ASSERT(offsetof(order_index_about_t, first_segment) == 16);
TBUS_STATIC_ASSERT(offsetof(order_index_about_t, last_segment) == 20);
TBUS_STATIC_ASSERT(offsetof(order_index_about_t, closed) == 24);
TBUS_STATIC_ASSERT(offsetof(order_index_about_t, session_end) == 32);
TBUS_STATIC_ASSERT(offsetof(order_index_about_t, seal_crc32c) == 40);
TBUS_STATIC_ASSERT(offsetof(order_index_about_t, pad) == 44);
TBUS_STATIC_ASSERT(offsetof(order_index_about_t, build) == 48);
TBUS_STATIC_ASSERT(sizeof(why_ids_t) == 24);
TBUS_STATIC_ASSERT(sizeof(order_index_header_t) == 1280);
TBUS_STATIC_ASSERT(offsetof(order_index_header_t, magic) == 0);
TBUS_STATIC_ASSERT(offsetof(order_index_header_t, version) == 8);
TBUS_STATIC_ASSERT(offsetof(order_index_header_t, ids_count) == 12);
TBUS_STATIC_ASSERT(offsetof(order_index_header_t, about) == 16);
TBUS_STATIC_ASSERT(offsetof(order_index_header_t, symbols_offset) == 128);
TBUS_STATIC_ASSERT(offsetof(order_index_header_t, entries_offset) == 136);
TBUS_STATIC_ASSERT(offsetof(order_index_header_t, bytes) == 144);
TBUS_STATIC_ASSERT(offsetof(order_index_header_t, symbols_count) == 152);
TBUS_STATIC_ASSERT(offsetof(order_index_header_t, symbols_crc32c) == 156);
TBUS_STATIC_ASSERT(offsetof(order_index_header_t, entries_count) == 160);
TBUS_STATIC_ASSERT(offsetof(order_index_header_t, body_crc32c) == 164);
TBUS_STATIC_ASSERT(offsetof(order_index_header_t, ids) == 168);
TBUS_STATIC_ASSERT(offsetof(order_index_header_t, failure) == 552);
TBUS_STATIC_ASSERT(offsetof(order_index_header_t, pad) == 1032);
TBUS_STATIC_ASSERT(offsetof(order_index_header_t, header_crc32c) == 1276);

typedef struct order_index_entry {
    uint64_t order_id;    /*  0 */
    uint64_t offset;      /*  8 of its life in the file */
    uint32_t bytes;       /* 16 */
    uint32_t life_crc32c; /* 20 */
    uint32_t pad;         /* 24 */
    uint32_t crc32c;      /* 28 over session, its number among the entries, and all before it */
} order_index_entry_t;

TBUS_STATIC_ASSERT(sizeof(order_index_entry_t) == 32);
TBUS_STATIC_ASSERT(offsetof(order_index_entry_t, order_id) == 0);
TBUS_STATIC_ASSERT(offsetof(order_index_entry_t, offset) == 8);
TBUS_STATIC_ASSERT(offsetof(order_index_entry_t, bytes) == 16);
TBUS_STATIC_ASSERT(offsetof(order_index_entry_t, life_crc32c) == 20);
TBUS_STATIC_ASSERT(offsetof(order_index_entry_t, pad) == 24);
TBUS_STATIC_ASSERT(offsetof(order_index_entry_t, crc32c) == 28);

typedef struct order_index_symbol {
    uint64_t md_seq; /*  0 from which on */
    char name[8];    /*  8 */
    uint32_t locate; /* 16 */
    uint32_t pad;    /* 20 zero */
} order_index_symbol_t;

TBUS_STATIC_ASSERT(sizeof(order_index_symbol_t) == 24);
TBUS_STATIC_ASSERT(offsetof(order_index_symbol_t, md_seq) == 0);
TBUS_STATIC_ASSERT(offsetof(order_index_symbol_t, name) == 8);
TBUS_STATIC_ASSERT(offsetof(order_index_symbol_t, locate) == 16);
TBUS_STATIC_ASSERT(offsetof(order_index_symbol_t, pad) == 20);

enum { ORDER_INDEX_LIFE_VERDICT = 1, ORDER_INDEX_LIFE_TOUCH = 2 };
enum {
    ORDER_INDEX_CHECK_KNOWN = 8,
    ORDER_INDEX_CHECK_PASSED = 16,
    ORDER_INDEX_CHECK_REACHED = 32,
    ORDER_INDEX_CHECK_OF_STRATEGY = 64
};

typedef struct order_index_life {
    why_place_t sent;          /*  0 */
    why_place_t judged;        /*  8 */
    why_place_t cancel;        /* 16 */
    why_place_t cancel_judged; /* 24 */
    why_place_t tick;          /* 32 */
    uint64_t market_ns;        /* 40 */
    uint64_t orders_judged;    /* 48 */
    uint64_t orders_differ;    /* 56 */
    uint32_t bid_px_e4;        /* 64 */
    uint32_t ask_px_e4;        /* 68 */
    uint64_t bid_qty;          /* 72 */
    uint64_t ask_qty;          /* 80 */
    uint32_t reports_count;    /* 88 */
    uint16_t checks_count;     /* 92 */
    uint16_t flags;            /* 94 ORDER_INDEX_LIFE_... */
} order_index_life_t;

TBUS_STATIC_ASSERT(sizeof(order_index_life_t) == 96);
TBUS_STATIC_ASSERT(offsetof(order_index_life_t, sent) == 0);
TBUS_STATIC_ASSERT(offsetof(order_index_life_t, judged) == 8);
TBUS_STATIC_ASSERT(offsetof(order_index_life_t, cancel) == 16);
TBUS_STATIC_ASSERT(offsetof(order_index_life_t, cancel_judged) == 24);
TBUS_STATIC_ASSERT(offsetof(order_index_life_t, tick) == 32);
TBUS_STATIC_ASSERT(offsetof(order_index_life_t, market_ns) == 40);
TBUS_STATIC_ASSERT(offsetof(order_index_life_t, orders_judged) == 48);
TBUS_STATIC_ASSERT(offsetof(order_index_life_t, orders_differ) == 56);
TBUS_STATIC_ASSERT(offsetof(order_index_life_t, bid_px_e4) == 64);
TBUS_STATIC_ASSERT(offsetof(order_index_life_t, ask_px_e4) == 68);
TBUS_STATIC_ASSERT(offsetof(order_index_life_t, bid_qty) == 72);
TBUS_STATIC_ASSERT(offsetof(order_index_life_t, ask_qty) == 80);
TBUS_STATIC_ASSERT(offsetof(order_index_life_t, reports_count) == 88);
TBUS_STATIC_ASSERT(offsetof(order_index_life_t, checks_count) == 92);
TBUS_STATIC_ASSERT(offsetof(order_index_life_t, flags) == 94);

/* Of a life with so many reports and all checks: no more than this. */
static inline uint64_t order_index_life_bytes_max(uint32_t reports_count)
{
    return sizeof(order_index_life_t) + (uint64_t)reports_count * sizeof(why_place_t) +
           GATE_CHECKS_MAX * (2 + 2 * 10u);
}

/* What an index of this journal, made by this build, says that it is about. Goes to the last
 * segment. FOUND; NOTHING: the recording has not come to an end that stays; -errno. */
int order_index_about(tbus_journal_reader_t *reader, order_index_about_t *out_about,
                      tbus_error_t *err);

/* The CRC of entry `number`. */
uint32_t order_index_entry_crc(const order_index_about_t *about, uint64_t number,
                               const order_index_entry_t *entry);

typedef struct order_index {
    int fd; /* owned */
    order_index_header_t header;
} order_index_t;

/* The index of the journal that `reader` reads. FOUND: *out_index is open. NOTHING: there is none
 * that can be used. */
int order_index_open(tbus_journal_reader_t *reader, order_index_t *out_index);
void order_index_close(order_index_t *index);

/* Of a journal that is another one by now: remove it, if there is one. */
void order_index_remove(const char *directory);

/* Is every byte of it as it was made? Reads all of it. */
bool order_index_check(const order_index_t *index);

/* One order, as the index has it. */
typedef struct order_index_found {
    why_places_t places; /* to be cleared */
    bool has_verdict;    /* else, if it was judged, header.failure says why not */
    why_verdict_t verdict;
} order_index_found_t;

/* FOUND; NOTHING: there is no such order; BAD: what was read is wrong, and the index of no use;
 * -ENOMEM. */
int order_index_find(const order_index_t *index, uint64_t order_id, order_index_found_t *out_found);

/* All symbols. FOUND, BAD, -ENOMEM. */
int order_index_symbols(const order_index_t *index, symbols_t *symbols);

#endif
