/* SPDX-License-Identifier: Apache-2.0 */
/* The counters and histograms of a bus, by name. */
#include <tickbus/bus.h>

#include <errno.h>
#include <string.h>

#include "bus/run/entry.h"

static tbus_entries_t counters(const tbus_bus_t *bus)
{
    return (tbus_entries_t){.first = (unsigned char *)bus->directory->counters,
                            .entry_bytes = sizeof(tbus_counter_t),
                            .count = TBUS_COUNTERS_MAX,
                            .word_at = offsetof(tbus_counter_t, word),
                            .text_at = offsetof(tbus_counter_t, name),
                            .name_bytes = TBUS_COUNTER_NAME_MAX,
                            .text_bytes = TBUS_COUNTER_NAME_MAX + TBUS_COUNTER_UNIT_MAX};
}

static tbus_entries_t histograms(const tbus_bus_t *bus)
{
    return (tbus_entries_t){.first = (unsigned char *)bus->directory->histograms,
                            .entry_bytes = sizeof(tbus_histogram_entry_t),
                            .count = TBUS_HISTOGRAMS_MAX,
                            .word_at = offsetof(tbus_histogram_entry_t, word),
                            .text_at = offsetof(tbus_histogram_entry_t, name),
                            .name_bytes = TBUS_NAME_MAX,
                            .text_bytes = TBUS_NAME_MAX};
}

/* Not empty, and with its zero no longer than `bytes`. */
static bool fits(const char *text, size_t bytes)
{
    return text && *text && strnlen(text, bytes) < bytes;
}

/* --- counters */

static int add_counter(tbus_bus_t *bus, uint32_t owner, const char *name, const char *unit,
                       tbus_error_t *err)
{
    char text[TBUS_ENTRY_TEXT_MAX] = {0};
    if (!fits(name, TBUS_COUNTER_NAME_MAX) || !fits(unit, TBUS_COUNTER_UNIT_MAX))
        return tbus_fail(err, -EINVAL,
                         "counter '%.80s' in '%.80s': a name has 1 to %u bytes, a unit 1 to %u",
                         name ? name : "", unit ? unit : "", TBUS_COUNTER_NAME_MAX - 1,
                         TBUS_COUNTER_UNIT_MAX - 1);
    if (owner > TBUS_OWNERS_MAX)
        return tbus_fail(err, -EINVAL, "counter '%s': owner %u; the largest is %u", name, owner,
                         TBUS_OWNERS_MAX);
    strcpy(text, name);
    strcpy(text + TBUS_COUNTER_NAME_MAX, unit);
    tbus_entries_t entries = counters(bus);
    int index = tbus_entry_add(&entries, owner, name, text);
    return index < 0 ? tbus_fail(err, index, "counter '%s': a bus has at most %u counters", name,
                                 TBUS_COUNTERS_MAX)
                     : index;
}

int tbus_counter_add(tbus_bus_t *bus, uint32_t owner, const char *name, const char *unit,
                     tbus_atomic_u64_t **out_value, tbus_error_t *err)
{
    if (!bus || !bus->directory || !out_value)
        return tbus_fail(err, -EINVAL, "counter: there is no bus, or nowhere to put it");
    if (!bus->directory_segment.writable)
        return tbus_fail(err, -TBUS_EKIND, "the bus is mapped read-only: no counter can be added");
    int index = add_counter(bus, owner, name, unit, err);
    if (index < 0) {
        tbus_fetch_add_relaxed_u32(&bus->directory->counters_refused, 1);
        return index;
    }
    *out_value = &bus->directory->counters[index].value;
    return 0;
}

tbus_atomic_u64_t *tbus_counter(tbus_bus_t *bus, uint32_t owner, const char *name, const char *unit)
{
    static tbus_atomic_u64_t nobody;
    tbus_atomic_u64_t *value = &nobody;
    (void)tbus_counter_add(bus, owner, name, unit, &value, NULL);
    return value;
}

/* `name` NULL: whichever comes next. */
static bool next_counter(const tbus_bus_t *bus, const char *name, uint32_t *cursor,
                         tbus_counter_view_t *out_view)
{
    char text[TBUS_ENTRY_TEXT_MAX];
    tbus_entries_t entries = counters(bus);
    uint64_t word = tbus_entry_next(&entries, name, cursor, text);
    if (!word)
        return false;
    text[TBUS_COUNTER_NAME_MAX - 1] = 0; /* somebody may have scribbled over it */
    text[TBUS_ENTRY_TEXT_MAX - 1] = 0;
    out_view->owner = tbus_entry_owner(word);
    out_view->value = tbus_load_relaxed_u64(&bus->directory->counters[*cursor - 1].value);
    memcpy(out_view->name, text, TBUS_COUNTER_NAME_MAX);
    memcpy(out_view->unit, text + TBUS_COUNTER_NAME_MAX, TBUS_COUNTER_UNIT_MAX);
    return true;
}

bool tbus_counter_next(const tbus_bus_t *bus, uint32_t *cursor, tbus_counter_view_t *out_view)
{
    return bus && bus->directory && cursor && out_view && next_counter(bus, NULL, cursor, out_view);
}

uint64_t tbus_counter_value(const tbus_bus_t *bus, const char *name)
{
    uint64_t sum = 0;
    tbus_counter_view_t view;
    for (uint32_t cursor = 0;
         bus && bus->directory && name && next_counter(bus, name, &cursor, &view);)
        sum += view.value;
    return sum;
}

uint64_t tbus_counter_value_of(const tbus_bus_t *bus, uint32_t owner, const char *name)
{
    if (!bus || !bus->directory || !name)
        return 0;
    tbus_entries_t entries = counters(bus);
    int index = tbus_entry_find(&entries, owner, name);
    return index < 0 ? 0 : tbus_load_relaxed_u64(&bus->directory->counters[index].value);
}

/* --- histograms */

int tbus_bus_add_histogram(tbus_bus_t *bus, const char *name, tbus_histogram_t **out_histogram,
                           tbus_error_t *err)
{
    char text[TBUS_NAME_MAX] = {0};
    if (!bus || !bus->directory || !out_histogram)
        return tbus_fail(err, -EINVAL, "histogram: there is no bus, or nowhere to put it");
    if (!bus->directory_segment.writable)
        return tbus_fail(err, -TBUS_EKIND,
                         "the bus is mapped read-only: no histogram can be added");
    int index = -EINVAL;
    if (!fits(name, TBUS_NAME_MAX)) {
        tbus_fail(err, index, "histogram '%.80s': a name has 1 to %u bytes", name ? name : "",
                  TBUS_NAME_MAX - 1);
    } else {
        strcpy(text, name);
        tbus_entries_t entries = histograms(bus);
        index = tbus_entry_add(&entries, 0, name, text);
        if (index < 0)
            tbus_fail(err, index, "histogram '%s': a bus has at most %u histograms", name,
                      TBUS_HISTOGRAMS_MAX);
    }
    if (index < 0) {
        tbus_fetch_add_relaxed_u32(&bus->directory->histograms_refused, 1);
        return index;
    }
    *out_histogram = &bus->directory->histograms[index].histogram;
    return 0;
}

tbus_histogram_t *tbus_bus_histogram(tbus_bus_t *bus, const char *name)
{
    static tbus_histogram_t nobody;
    tbus_histogram_t *histogram = &nobody;
    (void)tbus_bus_add_histogram(bus, name, &histogram, NULL);
    return histogram;
}

const tbus_histogram_t *tbus_bus_find_histogram(const tbus_bus_t *bus, const char *name)
{
    if (!bus || !bus->directory || !name)
        return NULL;
    tbus_entries_t entries = histograms(bus);
    int index = tbus_entry_find(&entries, 0, name);
    return index < 0 ? NULL : &bus->directory->histograms[index].histogram;
}
