/* SPDX-License-Identifier: Apache-2.0 */
/* remote_feed HOST:PORT [FROM] - receives a feed of another host over SoupBinTCP, from message FROM
 * (1) on, and prints the first byte of each message: of ITCH, its type. It reconnects by itself. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tickbus/tickbus.h>

int main(int argc, char **argv)
{
    tbus_soup_options_t options;
    tbus_soup_t *soup;
    tbus_soup_event_t event;
    tbus_error_t err;
    int outcome;
    memset(&options, 0, sizeof options);
    options.from = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    if (tbus_soup_open(argc > 1 ? argv[1] : NULL, &options, &soup, &err) < 0)
        return fprintf(stderr, "%s\n", err.text), 1;
    while ((outcome = tbus_soup_next(soup, UINT64_MAX, &event, &err)) >= 0) {
        if (outcome == TBUS_SOUP_MESSAGE)
            printf("%" PRIu64 " %c\n", event.sequence, event.bytes ? event.data[0] : '-');
        else if (outcome == TBUS_SOUP_GAP)
            printf("%" PRIu64 "..%" PRIu64 " are not there any more\n", event.sequence, event.last);
        else if (outcome == TBUS_SOUP_LOST)
            fprintf(stderr, "connection lost: %s\n", event.why);
        else if (outcome == TBUS_SOUP_ENDED || outcome == TBUS_SOUP_REFUSED)
            break;
    }
    if (outcome < 0)
        fprintf(stderr, "%s\n", err.text);
    if (outcome == TBUS_SOUP_REFUSED)
        fprintf(stderr, "%s\n", event.why);
    tbus_soup_close(soup);
    return outcome == TBUS_SOUP_ENDED ? 0 : 1;
}
