/* SPDX-License-Identifier: Apache-2.0 */
/* itch_body.h - what the messages say that a tick carries verbatim, field by field: the 13 types of
 * ITCH 5.0 that touch neither order nor trade (S R H Y L V W K J h I N O).
 *
 * Layouts: "Nasdaq TotalView-ITCH 5.0", sections 1.1 (S), 1.2 (R H Y L V W K J h), 1.6 (I), 1.7
 * (N), 1.8 (O). The fields of a type follow one another without a gap and fill its body. Names are
 * the specification's, with the unit behind: _e4 and _e8 are prices with 4 and 8 decimals, _ns and
 * _s times since midnight.
 *
 * Nothing on the data path needs them: they are for people and for exports. Used by
 * tools/show/message_text.h.
 */
#ifndef TICKBUS_FEEDSIM_ITCH_ITCH_BODY_H
#define TICKBUS_FEEDSIM_ITCH_ITCH_BODY_H

#include <stdint.h>

#include <tickbus/msg/tick.h>

#ifdef __cplusplus
extern "C" {
#endif

enum itch_body_kind {
    ITCH_BODY_CHARS = 0,  /* ASCII, padded with spaces */
    ITCH_BODY_SYMBOL = 1, /* likewise: the stock that the message is about */
    ITCH_BODY_NUMBER = 2, /* 4 or 8 bytes, big endian */
};

typedef struct itch_body_field {
    const char *name;
    uint8_t type;  /* of the message */
    uint8_t at;    /* in tick_t.body */
    uint8_t bytes; /* 1..8 */
    uint8_t kind;  /* enum itch_body_kind */
} itch_body_field_t;

/* The fields of a type in their order; NULL and 0: a type that has fields of its own in a tick, or
 * is not one of ITCH 5.0. */
const itch_body_field_t *itch_body_fields(uint8_t type, unsigned *out_count);

/* The value of a field of kind ITCH_BODY_NUMBER. */
uint64_t itch_body_number(const itch_body_field_t *field, const tick_t *tick);

#ifdef __cplusplus
}
#endif
#endif
