/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/lines_shown.h"

#include <stdint.h>

#include "bus/wire/mold_receiver.h"
#include "tools/run/counted.h"
#include "tools/show/grouped.h"

/* The counters below `prefix`; null: there is none. */
static json_t *below_or_null(const tbus_bus_t *bus, const char *prefix)
{
    json_t *object = counted_below(bus, COUNTED_EVERYBODY, prefix);
    if (json_object_size(object) != 0)
        return object;
    json_decref(object);
    return json_null();
}

void lines_shown_add(json_t *feed, const tbus_bus_t *bus)
{
    json_t *lines = json_array();
    for (unsigned i = 0; i < MOLD_LINES_MAX; i++) {
        char prefix[TBUS_COUNTER_NAME_MAX];
        snprintf(prefix, sizeof prefix, "feed.line.%u.", i);
        json_t *line = below_or_null(bus, prefix);
        if (json_is_object(line))
            json_array_append_new(lines, line);
    }
    json_object_set_new(feed, "lines", lines);
    json_object_set_new(feed, "requests", below_or_null(bus, "feed.requests."));
    json_object_set_new(feed, "received", below_or_null(bus, "feed.received."));
    json_object_set_new(feed, "nats", below_or_null(bus, "feed.nats."));
    json_object_set_new(feed, "faults", counted_below(bus, COUNTED_EVERYBODY, "feed.fault."));
}

static int64_t value(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

/* ", 17 lost", where there are any. */
static void print_if_any(FILE *out, const json_t *object, const char *key, const char *text)
{
    char number[GROUPED_MAX];
    if (value(object, key))
        fprintf(out, ", %s %s", grouped(value(object, key), number), text);
}

static void print_line(FILE *out, const json_t *line, size_t number, int width)
{
    char packets[GROUPED_MAX], messages[GROUPED_MAX];
    fprintf(out, "%*sline %zu: %s packets, %s messages", width, "", number,
            grouped(value(line, "packets"), packets), grouped(value(line, "messages"), messages));
    print_if_any(out, line, "lost", "lost");
    print_if_any(out, line, "refused", "packets refused");
    print_if_any(out, line, "other_senders", "of other senders");
    fprintf(out, "%s\n", value(line, "silent") ? ", SILENT" : "");
    if (value(line, "kernel_drops"))
        fprintf(out, "%*s  %s packets found no room in the kernel's buffer (%s bytes)\n", width, "",
                grouped(value(line, "kernel_drops"), packets),
                grouped(value(line, "receive_bytes"), messages));
}

void lines_shown_print(FILE *out, const json_t *feed, int width)
{
    const json_t *requests = json_object_get(feed, "requests"), *line;
    char sent[GROUPED_MAX], answers[GROUPED_MAX], messages[GROUPED_MAX];
    size_t i;
    json_array_foreach(json_object_get(feed, "lines"), i, line)
    {
        print_line(out, line, i + 1, width);
    }
    if (value(requests, "sent"))
        fprintf(out, "%*s%s requests: %s answers with %s messages\n", width, "",
                grouped(value(requests, "sent"), sent),
                grouped(value(requests, "answers"), answers),
                grouped(value(requests, "messages"), messages));
    if (value(json_object_get(feed, "received"), "foreign"))
        fprintf(out, "%*s%s packets of another session\n", width, "",
                grouped(value(json_object_get(feed, "received"), "foreign"), sent));
}
