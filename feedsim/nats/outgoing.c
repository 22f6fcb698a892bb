/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/nats/outgoing.h"

#include <string.h>

#include "feedsim/nats/layout.h"

#define TYPE_MAX 32u

/* Names as they stand in a block. */
#define NAME(header) header ": ", sizeof(header ": ") - 1

/* Two ids, seven names (of at most 36 bytes), the type, and numbers. */
_Static_assert(16 + 2 * NATS_ID_MAX + 7 * (36 + 4) + TYPE_MAX + 5 * NATS_NUMBER_MAX <=
                   NATS_HEADERS_MAX,
               "a block of headers has room");

static char *put_text(char *to, const char *name, size_t bytes, const char *value, size_t room)
{
    to = mempcpy(to, name, bytes);
    to = mempcpy(to, value, strnlen(value, room));
    return mempcpy(to, "\r\n", 2);
}

static char *put_number(char *to, const char *name, size_t bytes, uint64_t number)
{
    to = mempcpy(to, name, bytes);
    to += nats_number_put(number, to);
    return mempcpy(to, "\r\n", 2);
}

size_t nats_headers_put(const char *session, const nats_outgoing_t *m, char out[NATS_HEADERS_MAX])
{
    char id[NATS_ID_MAX];
    char *at = mempcpy(out, "NATS/1.0\r\n", 10);
    /* Those that the server looks for stand first: it searches all that is before them. */
    if (!nats_id(session, m->topic, m->seq, m->end, id))
        return 0;
    at = put_text(at, NAME(NATS_HEADER_ID), id, sizeof id);
    at = put_number(at, NAME(NATS_HEADER_LAST_SEQUENCE), m->last_sequence);
    if (m->names_message) {
        if (!nats_id(session, m->topic, m->last_seq, m->last_end, id))
            return 0;
        at = put_text(at, NAME(NATS_HEADER_LAST_ID), id, sizeof id);
    }
    at = put_number(at, NAME(NATS_HEADER_SEQUENCE), m->seq);
    at = put_text(at, NAME(NATS_HEADER_TYPE), m->type, TYPE_MAX);
    if (m->time_ns)
        at = put_number(at, NAME(NATS_HEADER_TIME), m->time_ns);
    if (m->warm_up)
        at = put_text(at, NAME(NATS_HEADER_WARM_UP), "1", 1);
    if (m->lost)
        at = put_number(at, NAME(NATS_HEADER_LOST), m->lost);
    at = mempcpy(at, "\r\n", 3); /* and the zero */
    return (size_t)(at - out) - 1;
}
