/* SPDX-License-Identifier: Apache-2.0 */
/* id_map.h - order id -> place in a table: a hash of fixed size, at most half full, probed
 * linearly; removal leaves no mark behind. */
#ifndef TICKBUS_RISK_ID_MAP_H
#define TICKBUS_RISK_ID_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/market/seeded_hash.h"

typedef struct id_map_entry {
    uint64_t id; /* 0: free */
    uint32_t place;
    uint32_t pad;
} id_map_entry_t;

typedef struct id_map {
    id_map_entry_t *entries; /* owned */
    uint32_t mask;
    uint32_t shift;
    hash_seed_t seed;
} id_map_t;

/* Bytes that a map of so many ids takes. */
size_t id_map_footprint(uint32_t ids_max);
/* Room for `ids_max` ids (1..2^30). False: no memory. Cold. */
bool id_map_create(id_map_t *map, uint32_t ids_max);
void id_map_destroy(id_map_t *map);

/* The place of an id; 0: it is not there. */
uint32_t id_map_find(const id_map_t *map, uint64_t id);
/* `id` is not 0 and not there yet, `place` is not 0, and fewer than ids_max are in. */
void id_map_put(id_map_t *map, uint64_t id, uint32_t place);
/* No effect when it is not there. */
void id_map_remove(id_map_t *map, uint64_t id);

#endif
