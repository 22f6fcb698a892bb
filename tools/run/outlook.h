/* SPDX-License-Identifier: Apache-2.0 */
/* outlook.h - what is still to come of a run: how far the feed has come, how long the rest will
 * take, and when the message is due that the feed waits with. From the feed's own counters
 * (feedsim/feed.h), for the progress line and `busctl status`.
 */
#ifndef TICKBUS_TOOLS_RUN_OUTLOOK_H
#define TICKBUS_TOOLS_RUN_OUTLOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tickbus/bus.h>

#define OUTLOOK_TEXT_MAX 32u

typedef struct outlook {
    double done;   /* of the input, or of the time that was given: 0 to 1; below 0: not known */
    double left_s; /* if it goes on as so far; below 0: not known */
    double next_s; /* until the next message is due; below 0: the feed does not wait */
    bool limited;  /* the time that was given ends before the input */
    char next_at[OUTLOOK_TEXT_MAX]; /* its time of day on the feed's clock, "09:30:00.000"; or "" */
} outlook_t;

/* `running_ns`: since the start. `for_ns`: how long the run may last, 0: as long as the input. */
outlook_t outlook_of(const tbus_bus_t *bus, uint64_t running_ns, uint64_t for_ns);

/* "45 s", "12 min 5 s", "3 h 20 min". */
const char *outlook_duration(double seconds, char out_text[OUTLOOK_TEXT_MAX]);

#endif
