/* SPDX-License-Identifier: Apache-2.0 */
/* itch_types.h - the 23 message types of ITCH 5.0, and every field of every type: where it stands
 * in the message, and where in a tick.
 *
 * This is the one place that knows. Whatever shows, exports, checks or applies messages reads these
 * tables; hot code expands them at compile time. Only the codec (feedsim/itch/itch.h) has the
 * offsets a second time, written out for speed, and a test compares it with the tables.
 *
 * Source: "Nasdaq TotalView-ITCH 5.0", sections 1.1 (S), 1.2 (R H Y L V W K J h), 1.3 (A F), 1.4
 * (E C X D U), 1.5 (P Q B), 1.6 (I), 1.7 (N) and 1.8 (O). Every message starts with type 1, stock
 * locate 2, tracking number 2 and timestamp 6 bytes (ns since midnight); the fields follow one
 * another from byte 11 on without a gap. Integers are big endian in the message.
 *
 * Names are the specification's, with the unit behind: _e4 and _e8 are prices with 4 and 8
 * decimals, _ns and _s times since midnight.
 */
#ifndef TICKBUS_MSG_ITCH_TYPES_H
#define TICKBUS_MSG_ITCH_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tickbus/inline.h>
#include <tickbus/msg/tick.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a message of a type is. */
enum itch_what {
    ITCH_WHAT_ADMINISTRATIVE = 0, /* nothing of the below; neither book nor trades change */
    ITCH_WHAT_DIRECTORY = 1,      /* names the stock of a locate */
    ITCH_WHAT_TRADING_STATE = 2,  /* halts a stock or lets it trade */
    ITCH_WHAT_ADD = 3,            /* an order comes on the book */
    ITCH_WHAT_EXECUTE = 4,        /* an order trades, in part or whole */
    ITCH_WHAT_CANCEL = 5,         /* shares of an order are taken off */
    ITCH_WHAT_DELETE = 6,         /* all of an order is taken off */
    ITCH_WHAT_REPLACE = 7,        /* an order goes, another one comes */
    ITCH_WHAT_TRADE = 8,          /* against an order that was not displayed */
    ITCH_WHAT_CROSS = 9,          /* the bulk print of a cross */
    ITCH_WHAT_BREAK = 10          /* an execution is undone */
};

/* What a field is. */
enum itch_field_kind {
    ITCH_FIELD_CHARS = 0,  /* ASCII, padded with spaces */
    ITCH_FIELD_CHAR = 1,   /* one character; a space is a value like any other */
    ITCH_FIELD_NUMBER = 2, /* 4 or 8 bytes */
    ITCH_FIELD_SYMBOL = 3, /* the stock that the message is about: 8 characters, padded */
    ITCH_FIELD_SIDE = 4,   /* 'B' or 'S' */
    /* numbers with a meaning that several types share: */
    ITCH_FIELD_ORDER_REF = 5, /* the order that the message is about */
    ITCH_FIELD_NEW_REF = 6,   /* the order that replaces it */
    ITCH_FIELD_QTY = 7,       /* shares added, taken off or traded */
    ITCH_FIELD_PX = 8,        /* the price of an order or trade, in 1/10000 */
    ITCH_FIELD_MATCH = 9,     /* the match number of a trade */
    ITCH_FIELD_KINDS = 10     /* how many there are */
};

/* The tables, in the order of the specification.
 *
 *    TYPE(type, letter, bytes of the message, what, name)
 *    BODY(type, name, offset in the message, bytes, kind)
 *        a field that a tick carries verbatim, in `body`
 *    FIELD(type, name, offset in the message, bytes, kind, member of tick_t)
 *        a field that a tick holds in a member, an integer in host byte order
 *
 * A type has fields of one sort only. They stand in the order in which they are shown. That is the
 * order of the message, except that the price of ORDER_EXECUTED_WITH_PRICE stands where all others
 * have theirs. */
#define ITCH_TABLE(TYPE, BODY, FIELD)                                                              \
    TYPE(SYSTEM_EVENT, 'S', 12, ADMINISTRATIVE, "System Event")                                    \
    BODY(SYSTEM_EVENT, event_code, 11, 1, CHARS)                                                   \
                                                                                                   \
    TYPE(STOCK_DIRECTORY, 'R', 39, DIRECTORY, "Stock Directory")                                   \
    BODY(STOCK_DIRECTORY, symbol, 11, 8, SYMBOL)                                                   \
    BODY(STOCK_DIRECTORY, market_category, 19, 1, CHARS)                                           \
    BODY(STOCK_DIRECTORY, financial_status, 20, 1, CHARS)                                          \
    BODY(STOCK_DIRECTORY, round_lot_size, 21, 4, NUMBER)                                           \
    BODY(STOCK_DIRECTORY, round_lots_only, 25, 1, CHARS)                                           \
    BODY(STOCK_DIRECTORY, issue_classification, 26, 1, CHARS)                                      \
    BODY(STOCK_DIRECTORY, issue_sub_type, 27, 2, CHARS)                                            \
    BODY(STOCK_DIRECTORY, authenticity, 29, 1, CHARS)                                              \
    BODY(STOCK_DIRECTORY, short_sale_threshold, 30, 1, CHARS)                                      \
    BODY(STOCK_DIRECTORY, ipo_flag, 31, 1, CHARS)                                                  \
    BODY(STOCK_DIRECTORY, luld_tier, 32, 1, CHARS)                                                 \
    BODY(STOCK_DIRECTORY, etp_flag, 33, 1, CHARS)                                                  \
    BODY(STOCK_DIRECTORY, etp_leverage_factor, 34, 4, NUMBER)                                      \
    BODY(STOCK_DIRECTORY, inverse_indicator, 38, 1, CHARS)                                         \
                                                                                                   \
    TYPE(STOCK_TRADING_ACTION, 'H', 25, TRADING_STATE, "Stock Trading Action")                     \
    BODY(STOCK_TRADING_ACTION, symbol, 11, 8, SYMBOL)                                              \
    BODY(STOCK_TRADING_ACTION, trading_state, 19, 1, CHARS)                                        \
    BODY(STOCK_TRADING_ACTION, reserved, 20, 1, CHARS)                                             \
    BODY(STOCK_TRADING_ACTION, reason, 21, 4, CHARS)                                               \
                                                                                                   \
    TYPE(REG_SHO_RESTRICTION, 'Y', 20, ADMINISTRATIVE, "Reg SHO Restriction")                      \
    BODY(REG_SHO_RESTRICTION, symbol, 11, 8, SYMBOL)                                               \
    BODY(REG_SHO_RESTRICTION, reg_sho_action, 19, 1, CHARS)                                        \
                                                                                                   \
    TYPE(PARTICIPANT_POSITION, 'L', 26, ADMINISTRATIVE, "Market Participant Position")             \
    BODY(PARTICIPANT_POSITION, mpid, 11, 4, CHARS)                                                 \
    BODY(PARTICIPANT_POSITION, symbol, 15, 8, SYMBOL)                                              \
    BODY(PARTICIPANT_POSITION, primary_market_maker, 23, 1, CHARS)                                 \
    BODY(PARTICIPANT_POSITION, market_maker_mode, 24, 1, CHARS)                                    \
    BODY(PARTICIPANT_POSITION, participant_state, 25, 1, CHARS)                                    \
                                                                                                   \
    TYPE(MWCB_DECLINE_LEVEL, 'V', 35, ADMINISTRATIVE, "MWCB Decline Level")                        \
    BODY(MWCB_DECLINE_LEVEL, level1_e8, 11, 8, NUMBER)                                             \
    BODY(MWCB_DECLINE_LEVEL, level2_e8, 19, 8, NUMBER)                                             \
    BODY(MWCB_DECLINE_LEVEL, level3_e8, 27, 8, NUMBER)                                             \
                                                                                                   \
    TYPE(MWCB_STATUS, 'W', 12, ADMINISTRATIVE, "MWCB Status")                                      \
    BODY(MWCB_STATUS, breached_level, 11, 1, CHARS)                                                \
                                                                                                   \
    TYPE(QUOTING_PERIOD_UPDATE, 'K', 28, ADMINISTRATIVE, "Quoting Period Update")                  \
    BODY(QUOTING_PERIOD_UPDATE, symbol, 11, 8, SYMBOL)                                             \
    BODY(QUOTING_PERIOD_UPDATE, ipo_quotation_release_s, 19, 4, NUMBER)                            \
    BODY(QUOTING_PERIOD_UPDATE, ipo_quotation_release_qualifier, 23, 1, CHARS)                     \
    BODY(QUOTING_PERIOD_UPDATE, ipo_px_e4, 24, 4, NUMBER)                                          \
                                                                                                   \
    TYPE(LULD_AUCTION_COLLAR, 'J', 35, ADMINISTRATIVE, "LULD Auction Collar")                      \
    BODY(LULD_AUCTION_COLLAR, symbol, 11, 8, SYMBOL)                                               \
    BODY(LULD_AUCTION_COLLAR, reference_px_e4, 19, 4, NUMBER)                                      \
    BODY(LULD_AUCTION_COLLAR, upper_px_e4, 23, 4, NUMBER)                                          \
    BODY(LULD_AUCTION_COLLAR, lower_px_e4, 27, 4, NUMBER)                                          \
    BODY(LULD_AUCTION_COLLAR, extension, 31, 4, NUMBER)                                            \
                                                                                                   \
    TYPE(OPERATIONAL_HALT, 'h', 21, TRADING_STATE, "Operational Halt")                             \
    BODY(OPERATIONAL_HALT, symbol, 11, 8, SYMBOL)                                                  \
    BODY(OPERATIONAL_HALT, market_code, 19, 1, CHARS)                                              \
    BODY(OPERATIONAL_HALT, operational_halt_action, 20, 1, CHARS)                                  \
                                                                                                   \
    TYPE(ADD_ORDER, 'A', 36, ADD, "Add Order")                                                     \
    FIELD(ADD_ORDER, order_ref, 11, 8, ORDER_REF, order_ref)                                       \
    FIELD(ADD_ORDER, side, 19, 1, SIDE, side)                                                      \
    FIELD(ADD_ORDER, qty, 20, 4, QTY, qty)                                                         \
    FIELD(ADD_ORDER, symbol, 24, 8, SYMBOL, symbol)                                                \
    FIELD(ADD_ORDER, px_e4, 32, 4, PX, px_e4)                                                      \
                                                                                                   \
    TYPE(ADD_ORDER_MPID, 'F', 40, ADD, "Add Order with MPID")                                      \
    FIELD(ADD_ORDER_MPID, order_ref, 11, 8, ORDER_REF, order_ref)                                  \
    FIELD(ADD_ORDER_MPID, side, 19, 1, SIDE, side)                                                 \
    FIELD(ADD_ORDER_MPID, qty, 20, 4, QTY, qty)                                                    \
    FIELD(ADD_ORDER_MPID, symbol, 24, 8, SYMBOL, symbol)                                           \
    FIELD(ADD_ORDER_MPID, px_e4, 32, 4, PX, px_e4)                                                 \
    FIELD(ADD_ORDER_MPID, mpid, 36, 4, CHARS, mpid)                                                \
                                                                                                   \
    TYPE(ORDER_EXECUTED, 'E', 31, EXECUTE, "Order Executed")                                       \
    FIELD(ORDER_EXECUTED, order_ref, 11, 8, ORDER_REF, order_ref)                                  \
    FIELD(ORDER_EXECUTED, qty, 19, 4, QTY, qty)                                                    \
    FIELD(ORDER_EXECUTED, match, 23, 8, MATCH, match)                                              \
                                                                                                   \
    TYPE(ORDER_EXECUTED_WITH_PRICE, 'C', 36, EXECUTE, "Order Executed with Price")                 \
    FIELD(ORDER_EXECUTED_WITH_PRICE, order_ref, 11, 8, ORDER_REF, order_ref)                       \
    FIELD(ORDER_EXECUTED_WITH_PRICE, qty, 19, 4, QTY, qty)                                         \
    FIELD(ORDER_EXECUTED_WITH_PRICE, px_e4, 32, 4, PX, px_e4)                                      \
    FIELD(ORDER_EXECUTED_WITH_PRICE, match, 23, 8, MATCH, match)                                   \
    FIELD(ORDER_EXECUTED_WITH_PRICE, printable, 31, 1, CHAR, printable)                            \
                                                                                                   \
    TYPE(ORDER_CANCEL, 'X', 23, CANCEL, "Order Cancel")                                            \
    FIELD(ORDER_CANCEL, order_ref, 11, 8, ORDER_REF, order_ref)                                    \
    FIELD(ORDER_CANCEL, qty, 19, 4, QTY, qty)                                                      \
                                                                                                   \
    TYPE(ORDER_DELETE, 'D', 19, DELETE, "Order Delete")                                            \
    FIELD(ORDER_DELETE, order_ref, 11, 8, ORDER_REF, order_ref)                                    \
                                                                                                   \
    TYPE(ORDER_REPLACE, 'U', 35, REPLACE, "Order Replace")                                         \
    FIELD(ORDER_REPLACE, order_ref, 11, 8, ORDER_REF, order_ref)                                   \
    FIELD(ORDER_REPLACE, new_ref, 19, 8, NEW_REF, new_ref)                                         \
    FIELD(ORDER_REPLACE, qty, 27, 4, QTY, qty)                                                     \
    FIELD(ORDER_REPLACE, px_e4, 31, 4, PX, px_e4)                                                  \
                                                                                                   \
    TYPE(TRADE, 'P', 44, TRADE, "Trade")                                                           \
    FIELD(TRADE, order_ref, 11, 8, ORDER_REF, order_ref)                                           \
    FIELD(TRADE, side, 19, 1, SIDE, side)                                                          \
    FIELD(TRADE, qty, 20, 4, QTY, qty)                                                             \
    FIELD(TRADE, symbol, 24, 8, SYMBOL, symbol)                                                    \
    FIELD(TRADE, px_e4, 32, 4, PX, px_e4)                                                          \
    FIELD(TRADE, match, 36, 8, MATCH, match)                                                       \
                                                                                                   \
    TYPE(CROSS_TRADE, 'Q', 40, CROSS, "Cross Trade")                                               \
    FIELD(CROSS_TRADE, qty, 11, 8, QTY, qty64)                                                     \
    FIELD(CROSS_TRADE, symbol, 19, 8, SYMBOL, symbol)                                              \
    FIELD(CROSS_TRADE, px_e4, 27, 4, PX, px_e4)                                                    \
    FIELD(CROSS_TRADE, match, 31, 8, MATCH, match)                                                 \
    FIELD(CROSS_TRADE, cross_type, 39, 1, CHAR, aux)                                               \
                                                                                                   \
    TYPE(BROKEN_TRADE, 'B', 19, BREAK, "Broken Trade")                                             \
    FIELD(BROKEN_TRADE, match, 11, 8, MATCH, match)                                                \
                                                                                                   \
    TYPE(ORDER_IMBALANCE, 'I', 50, ADMINISTRATIVE, "Net Order Imbalance Indicator")                \
    BODY(ORDER_IMBALANCE, paired_shares, 11, 8, NUMBER)                                            \
    BODY(ORDER_IMBALANCE, imbalance_shares, 19, 8, NUMBER)                                         \
    BODY(ORDER_IMBALANCE, imbalance_direction, 27, 1, CHARS)                                       \
    BODY(ORDER_IMBALANCE, symbol, 28, 8, SYMBOL)                                                   \
    BODY(ORDER_IMBALANCE, far_px_e4, 36, 4, NUMBER)                                                \
    BODY(ORDER_IMBALANCE, near_px_e4, 40, 4, NUMBER)                                               \
    BODY(ORDER_IMBALANCE, reference_px_e4, 44, 4, NUMBER)                                          \
    BODY(ORDER_IMBALANCE, cross_type, 48, 1, CHARS)                                                \
    BODY(ORDER_IMBALANCE, price_variation, 49, 1, CHARS)                                           \
                                                                                                   \
    TYPE(RETAIL_INTEREST, 'N', 20, ADMINISTRATIVE, "Retail Price Improvement Indicator")           \
    BODY(RETAIL_INTEREST, symbol, 11, 8, SYMBOL)                                                   \
    BODY(RETAIL_INTEREST, interest_flag, 19, 1, CHARS)                                             \
                                                                                                   \
    TYPE(DIRECT_LISTING, 'O', 48, ADMINISTRATIVE, "Direct Listing with Capital Raise")             \
    BODY(DIRECT_LISTING, symbol, 11, 8, SYMBOL)                                                    \
    BODY(DIRECT_LISTING, open_eligibility, 19, 1, CHARS)                                           \
    BODY(DIRECT_LISTING, min_px_e4, 20, 4, NUMBER)                                                 \
    BODY(DIRECT_LISTING, max_px_e4, 24, 4, NUMBER)                                                 \
    BODY(DIRECT_LISTING, near_execution_px_e4, 28, 4, NUMBER)                                      \
    BODY(DIRECT_LISTING, near_execution_ns, 32, 8, NUMBER)                                         \
    BODY(DIRECT_LISTING, lower_collar_px_e4, 40, 4, NUMBER)                                        \
    BODY(DIRECT_LISTING, upper_collar_px_e4, 44, 4, NUMBER)

#define ITCH_TYPES_COUNT 23u

/* The table without its fields: X(type, letter, bytes, what, name). */
#define ITCH_TYPES(X) ITCH_TABLE(X, ITCH_NOTHING_, ITCH_NOTHING_)
#define ITCH_NOTHING_(...)

/* The letters by name: ITCH_ADD_ORDER is 'A'. */
#define ITCH_LETTER_(type, letter, bytes, what, name) ITCH_##type = letter,
enum itch_letter { ITCH_TYPES(ITCH_LETTER_) };
#undef ITCH_LETTER_

/* The offset of a field in its message: ITCH_AT(OPERATIONAL_HALT, market_code) is 19. In a tick
 * that carries the message verbatim the field stands in body[ITCH_BODY_AT(...)]. */
#define ITCH_AT(type, name)      ((unsigned)ITCH_AT_##type##_##name)
#define ITCH_BODY_AT(type, name) (ITCH_AT(type, name) - TICK_ITCH_HEADER)

#define ITCH_AT_BODY_(type, name, offset, bytes, kind)          ITCH_AT_##type##_##name = offset,
#define ITCH_AT_FIELD_(type, name, offset, bytes, kind, member) ITCH_AT_##type##_##name = offset,
enum itch_offset { ITCH_TABLE(ITCH_NOTHING_, ITCH_AT_BODY_, ITCH_AT_FIELD_) };
#undef ITCH_AT_BODY_
#undef ITCH_AT_FIELD_

typedef struct itch_type {
    const char *name; /* "Add Order" */
    uint8_t letter;
    uint8_t bytes; /* of a message, header included */
    uint8_t what;  /* enum itch_what */
    uint8_t pad;
    uint32_t fields_at; /* index of its first field in the table of fields */
} itch_type_t;

typedef struct itch_field {
    const char *name;
    uint8_t type;     /* letter of the message */
    uint8_t at;       /* offset in the message */
    uint8_t bytes;    /* 1..8; the same in the tick */
    uint8_t kind;     /* enum itch_field_kind */
    uint8_t tick_at;  /* offset in tick_t */
    uint8_t verbatim; /* 1: as in the message; 0: an integer of a tick is in host byte order */
    uint8_t pad[2];
} itch_field_t;

/* Is a message of this type about a displayed order: one of A F E C X D U? Hot. */
TBUS_INLINE bool itch_is_of_an_order(uint8_t letter)
{
#define ITCH_BIT_(type) (UINT32_C(1) << (ITCH_##type - 64))
    const uint32_t letters = ITCH_BIT_(ADD_ORDER) | ITCH_BIT_(ADD_ORDER_MPID) |
                             ITCH_BIT_(ORDER_EXECUTED) | ITCH_BIT_(ORDER_EXECUTED_WITH_PRICE) |
                             ITCH_BIT_(ORDER_CANCEL) | ITCH_BIT_(ORDER_DELETE) |
                             ITCH_BIT_(ORDER_REPLACE);
#undef ITCH_BIT_
    unsigned bit = letter - 64u;
    return bit < 32 && (letters >> bit & 1) != 0;
}

/* The type of a letter; NULL: not one of ITCH 5.0. */
const itch_type_t *itch_type(uint8_t letter);

/* Bytes of a message of this type; 0: not one of ITCH 5.0. */
uint32_t itch_length(uint8_t letter);

/* The fields of a type in the order of the table; NULL and 0: not one of ITCH 5.0. */
const itch_field_t *itch_fields(uint8_t letter, unsigned *out_count);

/* The first field of this kind that messages of this type have, or NULL. */
const itch_field_t *itch_field_of_kind(uint8_t letter, enum itch_field_kind kind);

/* Is the value of the field a number? Else it is `bytes` characters. */
bool itch_field_is_number(const itch_field_t *field);

/* The value of a field in a tick of its type: of one that is a number, of one that is not. */
uint64_t itch_field_number(const itch_field_t *field, const tick_t *tick);
const char *itch_field_chars(const itch_field_t *field, const tick_t *tick);

/* A type byte for people and for counters: "A", or "0x9C" when it is no printable character. */
#define ITCH_LABEL_BYTES 8u
void itch_type_label(uint8_t letter, char out_label[ITCH_LABEL_BYTES]);

#ifdef __cplusplus
}
#endif
#endif
