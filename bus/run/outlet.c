/* SPDX-License-Identifier: Apache-2.0 */
#include <tickbus/outlet.h>

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH_BYTES        8u
#define BOX_ALIGNMENT       ((size_t)64)
#define MESSAGE_BYTES_LIMIT (UINT32_MAX - 2 * LENGTH_BYTES)

static unsigned char *place(const tbus_outlet_t *o, uint32_t index)
{
    return o->box + (size_t)index * o->place_bytes;
}

int tbus_outlet_create(tbus_outlet_t *out_outlet, uint32_t places, uint32_t message_bytes_max,
                       tbus_error_t *err)
{
    if (!out_outlet)
        return tbus_fail(err, -EINVAL, "an outlet has nowhere to be put");
    if (places == 0 || message_bytes_max == 0 || message_bytes_max > MESSAGE_BYTES_LIMIT)
        return tbus_fail(err, -EINVAL, "an outlet cannot keep %u messages of %u bytes", places,
                         message_bytes_max);
    uint32_t place_bytes = LENGTH_BYTES + (message_bytes_max + 7) / 8 * 8;
    size_t bytes;
    /* No object is larger than PTRDIFF_MAX; an allocator need not survive being asked for one. */
    if (__builtin_mul_overflow((size_t)places, place_bytes, &bytes) ||
        bytes > PTRDIFF_MAX - BOX_ALIGNMENT)
        bytes = 0;
    bytes = (bytes + BOX_ALIGNMENT - 1) / BOX_ALIGNMENT * BOX_ALIGNMENT;
    unsigned char *box = bytes ? aligned_alloc(BOX_ALIGNMENT, bytes) : NULL;
    if (!box)
        return tbus_fail(err, -ENOMEM, "no memory for an outlet that keeps %u messages of %u bytes",
                         places, message_bytes_max);
    memset(box, 0, bytes); /* take the page faults now */
    *out_outlet = (tbus_outlet_t){.places = places, .place_bytes = place_bytes, .box = box};
    return 0;
}

void tbus_outlet_destroy(tbus_outlet_t *o)
{
    if (!o)
        return;
    free(o->box);
    o->box = NULL;
    o->kept = o->places = 0;
}

enum tbus_outlet_result tbus_outlet_keep(tbus_outlet_t *o, const void *message, size_t bytes)
{
    if (o->publisher.error != 0)
        return TBUS_OUTLET_STALE;
    if (o->kept == o->places)
        return TBUS_OUTLET_FULL;
    assert(bytes <= o->place_bytes - LENGTH_BYTES);
    uint64_t index = (uint64_t)o->first + o->kept;
    unsigned char *at = place(o, (uint32_t)(index < o->places ? index : index - o->places));
    uint64_t length = bytes;
    memcpy(at, &length, sizeof length);
    memcpy(at + LENGTH_BYTES, message, bytes);
    o->kept++;
    return TBUS_OUTLET_KEPT;
}

void *tbus_outlet_front(tbus_outlet_t *o, size_t *out_bytes)
{
    if (o->kept == 0)
        return NULL;
    uint64_t length;
    memcpy(&length, place(o, o->first), sizeof length);
    *out_bytes = length;
    return place(o, o->first) + LENGTH_BYTES;
}

enum tbus_outlet_result tbus_outlet_retry(tbus_outlet_t *o)
{
    size_t bytes;
    const void *message = tbus_outlet_front(o, &bytes);
    assert(message);
    switch (tbus_publish_try(&o->publisher, message, bytes)) {
    case TBUS_PUBLISHED:
        o->kept--;
        o->first = o->first + 1 == o->places ? 0 : o->first + 1;
        return TBUS_OUTLET_SENT;
    case TBUS_STALE:
        return TBUS_OUTLET_STALE;
    default:
        return TBUS_OUTLET_KEPT;
    }
}

uint32_t tbus_outlet_flush(tbus_outlet_t *o)
{
    uint32_t sent = 0;
    while (o->kept != 0 && tbus_outlet_retry(o) == TBUS_OUTLET_SENT)
        sent++;
    return sent;
}
