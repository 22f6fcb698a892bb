/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/itch/itch.h"

#include <tickbus/error.h>

/* Ticks are put together as seven 64-bit words and stored word by word: the publisher reads them
 * back as words at once, which the store buffer forwards only to loads that a single earlier store
 * covers. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "fields of a tick are packed into words, low byte first");

#define TICK_WORDS (sizeof(tick_t) / 8)

static const uint8_t lengths[256] = {
#define X(type, letter, bytes, what, name) [letter] = bytes,
    ITCH_TYPES(X)
#undef X
};

static inline uint16_t load_be16(const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return __builtin_bswap16(v);
}

static inline uint32_t load_be32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return __builtin_bswap32(v);
}

static inline uint64_t load_be64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return __builtin_bswap64(v);
}

static inline uint64_t load_text8(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void store_be32(uint8_t *p, uint32_t v)
{
    v = __builtin_bswap32(v);
    memcpy(p, &v, sizeof v);
}

static inline void store_be64(uint8_t *p, uint64_t v)
{
    v = __builtin_bswap64(v);
    memcpy(p, &v, sizeof v);
}

_Static_assert(sizeof ITCH_MARK_SIGN - 1 == ITCH_MARK_SIGN_BYTES, "as said");
_Static_assert(TICK_END_MARK == 1 && TICK_RUNT == 2 && TICK_GAP == 3 && TICK_RESTORE == 4,
               "one behind the other");

/* Is it no type of a message, but one that a tick alone has? */
static inline bool is_own(uint8_t type)
{
    return (uint8_t)(type - TICK_END_MARK) <= TICK_RESTORE - TICK_END_MARK;
}

/* A mark that is sent on. */
static inline bool is_sent(uint8_t type)
{
    return type == TICK_GAP || type == TICK_RESTORE;
}

/* What a message has before the bytes that a tick has in its body. */
static inline size_t bytes_before_body(uint8_t type)
{
    return !is_own(type)   ? TICK_ITCH_HEADER
           : is_sent(type) ? TICK_ITCH_HEADER + ITCH_MARK_SIGN_BYTES
                           : 0;
}

static inline uint64_t *tick_words(tick_t *t)
{
    return (uint64_t *)(void *)t;
}

/* Word 2: type, side, printable, aux, qty. */
static inline uint64_t word2(uint8_t type, uint8_t side, uint8_t printable, uint8_t aux,
                             uint32_t qty)
{
    return (uint64_t)type | (uint64_t)side << 8 | (uint64_t)printable << 16 | (uint64_t)aux << 24 |
           (uint64_t)qty << 32;
}

static inline void put_fields(tick_t *out, uint64_t two, uint64_t order_ref, uint64_t px_mpid,
                              uint64_t symbol, uint64_t match)
{
    uint64_t *w = tick_words(out);
    w[2] = two;
    w[3] = order_ref;
    w[4] = px_mpid;
    w[5] = symbol;
    w[6] = match;
}

/* Bytes 3..10 of every message are tracking number and time: as one big-endian word, just what
 * tick->event holds. */
static inline void put_header(tick_t *out, const uint8_t *m)
{
    uint64_t *w = tick_words(out);
    w[0] = load_be64(m + 3);
    w[1] = (uint64_t)load_be16(m + 1) << 48;
}

static inline void put_body(tick_t *out, uint8_t type, const uint8_t *body, size_t bytes)
{
    put_fields(out, type, 0, 0, 0, 0);
    /* Through a plain pointer: an unknown message may go on past the member. */
    memcpy((uint8_t *)out + TICK_BODY_OFFSET, body, bytes);
}

static int decode_unknown(const uint8_t *m, size_t bytes, tick_t *out, size_t *out_bytes)
{
    if (bytes != 0 && lengths[m[0]] != 0)
        return -TBUS_EFORMAT;
    if (bytes > ITCH_MESSAGE_MAX)
        return -TBUS_ETOOBIG;
    if (bytes < TICK_ITCH_HEADER || is_own(m[0])) {
        tick_words(out)[0] = 0;
        tick_words(out)[1] = 0;
        put_body(out, TICK_RUNT, m, bytes);
        *out_bytes = TICK_BODY_OFFSET + bytes;
        return 0;
    }
    put_header(out, m);
    put_body(out, m[0], m + TICK_ITCH_HEADER, bytes - TICK_ITCH_HEADER);
    *out_bytes = TICK_BODY_OFFSET + bytes - TICK_ITCH_HEADER;
    return 0;
}

bool itch_decode_known(const uint8_t *m, size_t bytes, tick_t *out)
{
    if (__builtin_expect(bytes == 0 || bytes != lengths[m[0]], 0))
        return false;
    put_header(out, m);
    switch (m[0]) {
    case ITCH_ADD_ORDER:
        put_fields(out, word2(ITCH_ADD_ORDER, m[19], 0, 0, load_be32(m + 20)), load_be64(m + 11),
                   load_be32(m + 32), load_text8(m + 24), 0);
        return true;
    case ITCH_ORDER_DELETE:
        put_fields(out, ITCH_ORDER_DELETE, load_be64(m + 11), 0, 0, 0);
        return true;
    case ITCH_ORDER_REPLACE:
        put_fields(out, word2(ITCH_ORDER_REPLACE, 0, 0, 0, load_be32(m + 27)), load_be64(m + 11),
                   load_be32(m + 31), load_be64(m + 19), 0);
        return true;
    case ITCH_ORDER_EXECUTED:
        put_fields(out, word2(ITCH_ORDER_EXECUTED, 0, 0, 0, load_be32(m + 19)), load_be64(m + 11),
                   0, 0, load_be64(m + 23));
        return true;
    case ITCH_ORDER_CANCEL:
        put_fields(out, word2(ITCH_ORDER_CANCEL, 0, 0, 0, load_be32(m + 19)), load_be64(m + 11), 0,
                   0, 0);
        return true;
    case ITCH_ADD_ORDER_MPID: {
        uint32_t mpid;
        memcpy(&mpid, m + 36, sizeof mpid);
        put_fields(out, word2(ITCH_ADD_ORDER_MPID, m[19], 0, 0, load_be32(m + 20)),
                   load_be64(m + 11), (uint64_t)mpid << 32 | load_be32(m + 32), load_text8(m + 24),
                   0);
        return true;
    }
    case ITCH_TRADE:
        put_fields(out, word2(ITCH_TRADE, m[19], 0, 0, load_be32(m + 20)), load_be64(m + 11),
                   load_be32(m + 32), load_text8(m + 24), load_be64(m + 36));
        return true;
    case ITCH_ORDER_EXECUTED_WITH_PRICE:
        put_fields(out, word2(ITCH_ORDER_EXECUTED_WITH_PRICE, 0, m[31], 0, load_be32(m + 19)),
                   load_be64(m + 11), load_be32(m + 32), 0, load_be64(m + 23));
        return true;
    case ITCH_CROSS_TRADE:
        put_fields(out, word2(ITCH_CROSS_TRADE, 0, 0, m[39], 0), load_be64(m + 11),
                   load_be32(m + 27), load_text8(m + 19), load_be64(m + 31));
        return true;
    case ITCH_BROKEN_TRADE:
        put_fields(out, ITCH_BROKEN_TRADE, 0, 0, 0, load_be64(m + 11));
        return true;
    default:
        put_body(out, m[0], m + TICK_ITCH_HEADER, bytes - TICK_ITCH_HEADER);
        return true;
    }
}

int itch_decode(const uint8_t *m, size_t bytes, tick_t *out, size_t *out_bytes)
{
    if (__builtin_expect(!itch_decode_known(m, bytes, out), 0))
        return decode_unknown(m, bytes, out, out_bytes);
    *out_bytes = sizeof *out;
    return 0;
}

/* One that another tickbus has sent, whole and with a meaning. */
static bool decode_mark(const uint8_t *m, size_t bytes, tick_t *out, size_t *out_bytes)
{
    const size_t before = TICK_ITCH_HEADER + ITCH_MARK_SIGN_BYTES;
    if (bytes <= before || !is_sent(m[0]) ||
        bytes - before != (m[0] == TICK_GAP ? TICK_GAP_BODY : TICK_RESTORE_BODY) ||
        memcmp(m + TICK_ITCH_HEADER, ITCH_MARK_SIGN, ITCH_MARK_SIGN_BYTES) != 0 ||
        (m[0] == TICK_RESTORE &&
         (m[before] < TICK_RESTORE_BEGINS || m[before] > TICK_RESTORE_FAILED)))
        return false;
    put_header(out, m);
    put_body(out, m[0], m + before, bytes - before);
    *out_bytes = TICK_BODY_OFFSET + bytes - before;
    return true;
}

int itch_decode_line(const uint8_t *m, size_t bytes, tick_t *out, size_t *out_bytes)
{
    if (__builtin_expect(itch_decode_known(m, bytes, out), 1)) {
        *out_bytes = sizeof *out;
        return 0;
    }
    return decode_mark(m, bytes, out, out_bytes) ? 0 : decode_unknown(m, bytes, out, out_bytes);
}

/* The fields of the types that decode takes apart; false: a type that it carries verbatim. */
static bool encode_fields(const tick_t *t, uint8_t *m)
{
    switch (t->type) {
    case ITCH_ADD_ORDER_MPID:
        memcpy(m + 36, t->mpid, sizeof t->mpid);
        /* fall through */
    case ITCH_ADD_ORDER:
    case ITCH_TRADE:
        store_be64(m + 11, t->order_ref);
        m[19] = t->side;
        store_be32(m + 20, t->qty);
        memcpy(m + 24, t->symbol, sizeof t->symbol);
        store_be32(m + 32, t->px_e4);
        if (t->type == ITCH_TRADE)
            store_be64(m + 36, t->match);
        return true;
    case ITCH_ORDER_EXECUTED_WITH_PRICE:
        m[31] = t->printable;
        store_be32(m + 32, t->px_e4);
        /* fall through */
    case ITCH_ORDER_EXECUTED:
        store_be64(m + 23, t->match);
        /* fall through */
    case ITCH_ORDER_CANCEL:
        store_be32(m + 19, t->qty);
        /* fall through */
    case ITCH_ORDER_DELETE:
        store_be64(m + 11, t->order_ref);
        return true;
    case ITCH_ORDER_REPLACE:
        store_be64(m + 11, t->order_ref);
        store_be64(m + 19, t->new_ref);
        store_be32(m + 27, t->qty);
        store_be32(m + 31, t->px_e4);
        return true;
    case ITCH_CROSS_TRADE:
        store_be64(m + 11, t->qty64);
        memcpy(m + 19, t->symbol, sizeof t->symbol);
        store_be32(m + 27, t->px_e4);
        store_be64(m + 31, t->match);
        m[39] = t->aux;
        return true;
    case ITCH_BROKEN_TRADE:
        store_be64(m + 11, t->match);
        return true;
    default:
        return false;
    }
}

bool itch_tick_valid(const tick_t *t, size_t bytes)
{
    if (bytes < TICK_BODY_OFFSET)
        return false;
    size_t body = bytes - TICK_BODY_OFFSET;
    if (lengths[t->type] != 0)
        return bytes == sizeof(tick_t);
    if (t->type == TICK_END_MARK)
        return body == 0;
    return body <= ITCH_MESSAGE_MAX - bytes_before_body(t->type);
}

int itch_encode(const tick_t *t, size_t bytes, uint8_t *m, size_t *out_bytes)
{
    if (!itch_tick_valid(t, bytes))
        return -TBUS_EFORMAT;
    size_t message_bytes = itch_tick_message_bytes(t, bytes);
    const uint8_t *body = (const uint8_t *)t + TICK_BODY_OFFSET;
    *out_bytes = message_bytes;
    if (__builtin_expect(is_own(t->type) && !is_sent(t->type), 0)) {
        memcpy(m, body, message_bytes);
        return 0;
    }
    m[0] = t->type;
    uint16_t locate = __builtin_bswap16(tick_locate(t));
    memcpy(m + 1, &locate, sizeof locate);
    store_be64(m + 3, t->event);
    if (encode_fields(t, m))
        return 0;
    size_t before = bytes_before_body(t->type);
    if (is_sent(t->type))
        memcpy(m + TICK_ITCH_HEADER, ITCH_MARK_SIGN, ITCH_MARK_SIGN_BYTES);
    memcpy(m + before, body, message_bytes - before);
    return 0;
}

void itch_end_mark(uint64_t event_ns, tick_t *out, size_t *out_bytes)
{
    memset(out, 0, sizeof *out);
    out->event = tick_pack(event_ns, 0);
    out->type = TICK_END_MARK;
    *out_bytes = TICK_BODY_OFFSET;
}

uint8_t itch_tick_type(const tick_t *t, size_t bytes)
{
    return t->type == TICK_RUNT && bytes > TICK_BODY_OFFSET ? t->body[0] : t->type;
}

size_t itch_tick_message_bytes(const tick_t *t, size_t bytes)
{
    if (lengths[t->type] != 0)
        return lengths[t->type];
    return bytes - TICK_BODY_OFFSET + bytes_before_body(t->type);
}
