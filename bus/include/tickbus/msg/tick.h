/* SPDX-License-Identifier: Apache-2.0 */
/* tick.h - one market data event, as it travels on the topic `md`.
 *
 * A tick is one ITCH 5.0 message in host byte order: normalised where a book needs it, verbatim
 * elsewhere, and lossless throughout: feedsim/itch/itch.h turns a tick back into the very bytes it
 * came from. It fits the 56 payload bytes of a one-line slot, so that a tick and its slot word
 * share one cache line.
 *
 *    0        8        16   17   18    19   20    24          32     36     40       48      56
 *    +--------+--------+----+----+-----+----+-----+-----------+------+------+--------+-------+
 *    |event_ns|intended|type|side|print|aux | qty | order_ref |px_e4 | mpid |symbol/ | match | 1
 *    |tracking| locate |    |    |able |    |     |           |      |      |new_ref |       |
 *    +--------+--------+----+----+-----+----+-----+-----------+------+------+--------+-------+
 *    |  same  |  same  |type| body: the ITCH message after its 11-byte header, verbatim ...  | 2
 *    +--------+--------+----+----------------------------------------------------------------+
 *    1: orders and trades   2: all other messages
 *
 * Which members a type fills, or that it carries its bytes in `body`, is said by the table in
 * tickbus/msg/itch_types.h. Members that a type does not fill are zero, but for a hint: in two of
 * them the tick of an order (A F E C X D U) may say where the books of its readers keep that order
 * (tick_place_put). It is no part of the message; whoever keeps no such books passes over it.
 *
 * Types that ITCH 5.0 does not know carry their bytes after the header in `body`. An unknown
 * message longer than TICK_BODY_MAX bytes makes a tick longer than sizeof(tick_t): the body just
 * goes on, and the length that came with the message (from the ring or the journal) tells where it
 * ends. Unused bytes are zero.
 *
 * Previous on the data path: feedsim/itch/itch.h. Next: tickbus/market/market.h.
 */
#ifndef TICKBUS_MSG_TICK_H
#define TICKBUS_MSG_TICK_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <tickbus/inline.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Version of the layout below, which a journal names beside the type "tick". Raised when a field
 * changes. */
#define TICK_VERSION 1u

#define TICK_BODY_OFFSET 17u
/* Bytes of `body` inside the fixed 56. */
#define TICK_BODY_MAX 39u
/* Type, locate, tracking number, timestamp: every ITCH message starts with these. */
#define TICK_ITCH_HEADER 11u
/* The longest tick: TICK_BODY_OFFSET + (65535 - TICK_ITCH_HEADER), rounded up. */
#define TICK_LEN_MAX 65568u
#define TICK_NS_MASK ((UINT64_C(1) << 48) - 1)

/* The feed's own marks, in `type` (ITCH types are printable letters). A mark is a message of its
 * own on `md`.
 * END_MARK: the file ended with BinaryFILE's zero-length end-of-session marker.
 * RUNT: an unknown message shorter than the ITCH header, if only by having no bytes; body = all its
 * bytes. It is a message, and none of the feed's words. */
#define TICK_END_MARK 0x01u
#define TICK_RUNT     0x02u

/* And two that go on to other hosts, between messages and signed (feedsim/itch/itch.h):
 * GAP: messages of the source are lost here for good (tick_gap_put).
 * RESTORE: the books are made anew. Between one that begins and one that ends it stand the messages
 * of a snapshot: all orders that there are, and no others. They and the marks are for the books
 * alone, as for warming up. At the end the books lack nothing (tick_restore_put); a GAP with
 * sequences in between tells of messages that the snapshot stands for. */
#define TICK_GAP     0x03u
#define TICK_RESTORE 0x04u

/* What orders on books that lack messages come to: feed.gap_policy of whoever fed them. */
enum tick_gap_policy {
    TICK_GAP_UNSAID = 0, /* of a mark that came from elsewhere: as BLOCK */
    TICK_GAP_WARN = 1,   /* they are told of, and may be traded on */
    TICK_GAP_BLOCK = 2   /* risk lets no new order through */
};

/* In the place of the time in `intended`: the tick was not wanted at any time. It is on `md` for
 * the books alone, which need what came before the place where a feed was told to begin, or a
 * snapshot after a gap: whoever keeps books applies it, and nobody acts on it. Market time does not
 * go on with it. */
#define TICK_WARM_UP TICK_NS_MASK

/* __extension__: anonymous structs are an extension of C++, in gcc and clang alike. */
__extension__ typedef struct tick {
    /* bits 0-47 exchange time, ns since midnight; bits 48-63 ITCH tracking number */
    uint64_t event;
    /* bits 0-47 when the schedule wanted it sent, ns since the bus epoch, or TICK_WARM_UP; 48-63
     * stock locate */
    uint64_t intended;
    uint8_t type; /* ITCH message type letter, or a TICK_ mark */
    union {
        uint8_t body[TICK_BODY_MAX];
        struct {
            uint8_t side;      /* 'B' buy, 'S' sell, as received */
            uint8_t printable; /* C: 'Y' / 'N', as received */
            uint8_t aux;       /* Q: cross type; of an order: TICK_PLACED, or 0 */
            uint32_t qty;      /* shares */
            union {
                uint64_t order_ref; /* day-unique order reference */
                uint64_t qty64;     /* Q: shares of a cross */
            };
            uint32_t px_e4;  /* price in 1/10000 */
            uint8_t mpid[4]; /* F: attribution, ASCII; of other orders: the hint */
            union {
                char symbol[8];   /* ASCII, padded with spaces */
                uint64_t new_ref; /* U: the reference that replaces order_ref */
            };
            uint64_t match; /* match number; F: the hint */
        } __attribute__((packed));
    };
} __attribute__((packed, aligned(8))) tick_t;

#ifdef __cplusplus
#define TICK_ASSERT_(c, m) static_assert(c, m)
#else
#define TICK_ASSERT_(c, m) _Static_assert(c, m)
#endif
TICK_ASSERT_(sizeof(tick_t) == 56, "a tick and its slot word share one 64-byte line");
TICK_ASSERT_(offsetof(tick_t, type) == 16, "layout");
TICK_ASSERT_(offsetof(tick_t, body) == 17, "layout");
TICK_ASSERT_(offsetof(tick_t, qty) == 20, "layout");
TICK_ASSERT_(offsetof(tick_t, order_ref) == 24, "layout");
TICK_ASSERT_(offsetof(tick_t, px_e4) == 32, "layout");
TICK_ASSERT_(offsetof(tick_t, symbol) == 40, "layout");
TICK_ASSERT_(offsetof(tick_t, match) == 48, "layout");

TBUS_INLINE uint64_t tick_event_ns(const tick_t *t)
{
    return t->event & TICK_NS_MASK;
}
TBUS_INLINE uint16_t tick_tracking(const tick_t *t)
{
    return (uint16_t)(t->event >> 48);
}
TBUS_INLINE uint64_t tick_intended_ns(const tick_t *t)
{
    return t->intended & TICK_NS_MASK;
}
TBUS_INLINE int tick_is_warm_up(const tick_t *t)
{
    return (t->intended & TICK_NS_MASK) == TICK_WARM_UP;
}
TBUS_INLINE uint16_t tick_locate(const tick_t *t)
{
    return (uint16_t)(t->intended >> 48);
}
TBUS_INLINE uint64_t tick_pack(uint64_t ns, uint16_t high)
{
    return (ns & TICK_NS_MASK) | ((uint64_t)high << 48);
}

/* In `aux` of the tick of an order: it has a place. */
#define TICK_PLACED 1u

/* The feed's hint of such a tick: the place of its order among those of a reader's books, 0: there
 * is no order of that reference. It stands in `mpid`; of F, whose attribution is there, in
 * `match`. */
TBUS_INLINE void tick_place_put(tick_t *t, uint32_t place)
{
    t->aux = TICK_PLACED;
    if (t->type == 'F')
        t->match = place;
    else
        memcpy(t->mpid, &place, sizeof place);
}
/* It has none: readers look for its reference. */
TBUS_INLINE void tick_place_none(tick_t *t)
{
    t->aux = 0;
    if (t->type == 'F')
        t->match = 0;
    else
        memset(t->mpid, 0, sizeof t->mpid);
}
TBUS_INLINE int tick_has_place(const tick_t *t)
{
    return t->aux == TICK_PLACED;
}
TBUS_INLINE uint32_t tick_place(const tick_t *t)
{
    uint32_t place;
    memcpy(&place, t->mpid, sizeof place);
    return t->type == 'F' ? (uint32_t)t->match : place;
}

/* Is it the feed's word, and no message of its source? */
TBUS_INLINE int tick_is_mark(const tick_t *t)
{
    return t->type == TICK_END_MARK || t->type == TICK_GAP || t->type == TICK_RESTORE;
}

/* The body of a GAP, as of a message: 8 bytes the first lost sequence of the source, 8 the last
 * one, big endian, 1 the policy. A mark has no time of its own: `event` tells that of the message
 * before it, for people. */
#define TICK_GAP_BODY  17u
#define TICK_GAP_BYTES (TICK_BODY_OFFSET + TICK_GAP_BODY)

typedef struct tick_gap {
    uint64_t from, to;
    uint8_t policy; /* enum tick_gap_policy; from elsewhere: any */
} tick_gap_t;

/* Writes all of the tick, and it is TICK_GAP_BYTES long. */
TBUS_INLINE void tick_gap_put(tick_t *t, uint64_t event_ns, const tick_gap_t *gap)
{
    memset(t, 0, sizeof *t);
    t->event = tick_pack(event_ns, 0);
    t->type = TICK_GAP;
    for (unsigned i = 0; i < 8; i++) {
        t->body[i] = (uint8_t)(gap->from >> (56 - 8 * i));
        t->body[8 + i] = (uint8_t)(gap->to >> (56 - 8 * i));
    }
    t->body[16] = gap->policy;
}

/* The body of a RESTORE: one byte. FAILED: the snapshot was cut off, or older than what is lost;
 * the books are not whole. */
enum { TICK_RESTORE_BEGINS = 1, TICK_RESTORE_ENDS = 2, TICK_RESTORE_FAILED = 3 };
#define TICK_RESTORE_BODY  1u
#define TICK_RESTORE_BYTES (TICK_BODY_OFFSET + TICK_RESTORE_BODY)

/* Writes all of the tick, and it is TICK_RESTORE_BYTES long. */
TBUS_INLINE void tick_restore_put(tick_t *t, uint64_t event_ns, uint8_t what)
{
    memset(t, 0, sizeof *t);
    t->event = tick_pack(event_ns, 0);
    t->type = TICK_RESTORE;
    t->body[0] = what;
}

/* 0: it is no GAP, or one that was cut. */
TBUS_INLINE int tick_gap_get(const tick_t *t, size_t bytes, tick_gap_t *out_gap)
{
    if (bytes < TICK_GAP_BYTES || t->type != TICK_GAP)
        return 0;
    out_gap->from = out_gap->to = 0;
    for (unsigned i = 0; i < 8; i++) {
        out_gap->from = out_gap->from << 8 | t->body[i];
        out_gap->to = out_gap->to << 8 | t->body[8 + i];
    }
    out_gap->policy = t->body[16];
    return 1;
}

/* Stamps are 48 bits wide (78 hours): a difference is taken modulo 2^48, so that any uptime
 * works. */
TBUS_INLINE uint64_t tick_ns_since(uint64_t later_ns, uint64_t earlier_ns)
{
    return (later_ns - earlier_ns) & TICK_NS_MASK;
}

#ifdef __cplusplus
}
#endif
#endif
