/* SPDX-License-Identifier: Apache-2.0 */
/* taken.h - what we took from displayed levels: venue.h has the rule. A table of fixed size, a list
 * per stock locate. */
#ifndef TICKBUS_RISK_VENUE_TAKEN_H
#define TICKBUS_RISK_VENUE_TAKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct taken_level {
    uint64_t qty;
    uint32_t px_e4;
    uint32_t next; /* 0: the last */
    uint8_t side;
    uint8_t pad[7];
} taken_level_t;

typedef struct taken {
    taken_level_t *levels; /* owned; [0] is not used */
    uint32_t *first;       /* owned; by locate, 0: none */
    uint32_t free_first;
    uint32_t free_count;
} taken_t;

/* Bytes that its tables take. */
size_t taken_footprint(uint32_t levels_max);
/* False: no memory; what was built is freed by taken_destroy. */
bool taken_create(taken_t *t, uint32_t levels_max);
void taken_destroy(taken_t *t);

/* Shares taken from a level. */
uint64_t taken_qty(const taken_t *t, uint16_t locate, uint8_t side, uint32_t px_e4);
/* Take more. Requires that the level is in the table already or free_count > 0. */
void taken_add(taken_t *t, uint16_t locate, uint8_t side, uint32_t px_e4, uint64_t qty);
/* `qty` displayed shares of the level are gone. */
void taken_reduce(taken_t *t, uint16_t locate, uint8_t side, uint32_t px_e4, uint64_t qty);

#endif
