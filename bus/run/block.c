/* SPDX-License-Identifier: Apache-2.0 */
#include <tickbus/bus.h>

#include <errno.h>
#include <string.h>

/* No two blocks share 128 bytes, as they have different writers. */
#define BLOCK_ALIGN 128u

static size_t padded(size_t bytes)
{
    return (bytes + BLOCK_ALIGN - 1) / BLOCK_ALIGN * BLOCK_ALIGN;
}

static int check_name(const char *name, tbus_error_t *err)
{
    if (name && *name && strnlen(name, TBUS_BLOCK_NAME_MAX) < TBUS_BLOCK_NAME_MAX)
        return 0;
    return tbus_fail(err, -EINVAL, "block '%.80s': a name has 1 to %u bytes", name ? name : "",
                     TBUS_BLOCK_NAME_MAX - 1);
}

static const tbus_block_t *find(const tbus_directory_t *d, const char *name)
{
    /* X2 pairs X1: else a block is found whose name or place is not there yet. */
    uint32_t count = tbus_load_acquire_u32(&d->blocks_count);
    for (uint32_t i = 0; i < count && i < TBUS_BLOCKS_MAX; i++)
        if (strncmp(d->blocks[i].name, name, TBUS_BLOCK_NAME_MAX) == 0)
            return &d->blocks[i];
    return NULL;
}

int tbus_bus_add_block(tbus_bus_t *bus, const char *name, size_t bytes, void **out_block,
                       tbus_error_t *err)
{
    if (!bus || !bus->directory || !out_block)
        return tbus_fail(err, -EINVAL, "block: no bus, or nowhere to put it");
    tbus_directory_t *d = bus->directory;
    int code = check_name(name, err);
    if (code < 0)
        return code;
    if (!bus->directory_segment.writable || bus->attached)
        return tbus_fail(err, -TBUS_EKIND, "block '%s': only who made the bus adds blocks", name);
    if (bytes == 0)
        return tbus_fail(err, -EINVAL, "block '%s' has no bytes", name);
    if (find(d, name))
        return tbus_fail(err, -TBUS_EEXISTS, "block '%s' is there already", name);
    uint32_t count = tbus_load_relaxed_u32(&d->blocks_count);
    size_t used = count ? d->blocks[count - 1].offset + padded(d->blocks[count - 1].bytes) : 0;
    if (count == TBUS_BLOCKS_MAX || bytes > TBUS_ARENA_BYTES || used + bytes > TBUS_ARENA_BYTES)
        return tbus_fail(
            err, -TBUS_EFULL,
            "block '%s' of %zu bytes: a bus has at most %u blocks, of %u bytes together", name,
            bytes, TBUS_BLOCKS_MAX, TBUS_ARENA_BYTES);
    tbus_block_t *block = &d->blocks[count];
    memcpy(block->name, name, strlen(name));
    block->offset = (uint32_t)used;
    block->bytes = (uint32_t)bytes;
    /* X1 pairs X2 */
    tbus_store_release_u32(&d->blocks_count, count + 1);
    *out_block = d->arena + used;
    return 0;
}

int tbus_bus_find_block(const tbus_bus_t *bus, const char *name, size_t bytes, void **out_block,
                        tbus_error_t *err)
{
    if (!bus || !bus->directory || !out_block)
        return tbus_fail(err, -EINVAL, "block: no bus, or nowhere to put it");
    int code = check_name(name, err);
    if (code < 0)
        return code;
    const tbus_block_t *block = find(bus->directory, name);
    if (!block)
        return tbus_fail(err, -TBUS_ENOTFOUND, "the bus has no block '%s'", name);
    /* Copied before they are checked: whoever can write there could change them in between. */
    tbus_block_t found;
    memcpy(&found, block, sizeof found);
    if (found.bytes != bytes || found.offset % BLOCK_ALIGN || found.offset > TBUS_ARENA_BYTES ||
        found.bytes > TBUS_ARENA_BYTES - found.offset)
        return tbus_fail(err, -TBUS_EGEOMETRY,
                         "block '%s' has %u bytes at %u of the bus directory, wanted %zu: it was "
                         "made by another build",
                         name, found.bytes, found.offset, bytes);
    *out_block = bus->directory->arena + found.offset;
    return 0;
}
