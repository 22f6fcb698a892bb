/* SPDX-License-Identifier: Apache-2.0 */
#include "risk/id_map.h"

#include <stdlib.h>

#include "risk/table.h"

static uint32_t home(const id_map_t *map, uint64_t id)
{
    return (uint32_t)(seeded_hash(&map->seed, id) >> map->shift);
}

static uint32_t bits_for(uint32_t ids_max)
{
    uint32_t bits = 4;
    while ((UINT64_C(1) << bits) < UINT64_C(2) * ids_max)
        bits++;
    return bits;
}

size_t id_map_footprint(uint32_t ids_max)
{
    return ((size_t)1 << bits_for(ids_max)) * sizeof(*((id_map_t *)0)->entries);
}

bool id_map_create(id_map_t *map, uint32_t ids_max)
{
    uint32_t bits = bits_for(ids_max);
    map->entries = table_create((size_t)1 << bits, sizeof *map->entries);
    map->mask = (uint32_t)((UINT64_C(1) << bits) - 1);
    map->shift = 64 - bits;
    map->seed = hash_seed_random();
    return map->entries;
}

void id_map_destroy(id_map_t *map)
{
    free(map->entries);
    map->entries = NULL;
}

/* Where the id is, or the free entry where it would go. Ends: half of the entries are free. */
static uint32_t probe(const id_map_t *map, uint64_t id)
{
    uint32_t at = home(map, id);
    while (map->entries[at].id != 0 && map->entries[at].id != id)
        at = (at + 1) & map->mask;
    return at;
}

uint32_t id_map_find(const id_map_t *map, uint64_t id)
{
    return id == 0 ? 0 : map->entries[probe(map, id)].place;
}

void id_map_put(id_map_t *map, uint64_t id, uint32_t place)
{
    map->entries[probe(map, id)] = (id_map_entry_t){.id = id, .place = place};
}

void id_map_remove(id_map_t *map, uint64_t id)
{
    if (id == 0)
        return;
    uint32_t hole = probe(map, id);
    if (map->entries[hole].id == 0)
        return;
    /* Move up what a later probe would miss because of the hole: entries whose home is not behind
     * it. */
    uint32_t at = hole;
    for (;;) {
        at = (at + 1) & map->mask;
        if (map->entries[at].id == 0)
            break;
        uint32_t from_home = (at - home(map, map->entries[at].id)) & map->mask;
        if (from_home >= ((at - hole) & map->mask)) {
            map->entries[hole] = map->entries[at];
            hole = at;
        }
    }
    map->entries[hole] = (id_map_entry_t){0};
}
