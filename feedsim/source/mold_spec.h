/* SPDX-License-Identifier: Apache-2.0 */
/* mold_spec.h - what the spec of a MoldUDP64 source says, without a look at the network:
 *
 *    mold:GROUP:PORT[,GROUP:PORT][?KEY=VALUE[&...]]
 *
 * GROUP is a multicast group to join or an address of this host, [ADDRESS] for IPv6. Two of them
 * are two lines that carry the same. The keys are in source.h. Cold. */
#ifndef TICKBUS_FEEDSIM_SOURCE_MOLD_SPEC_H
#define TICKBUS_FEEDSIM_SOURCE_MOLD_SPEC_H

#include <stdint.h>

#include <tickbus/error.h>

#include "bus/wire/mold_receiver.h"
#include "feedsim/source/source_keys.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mold_spec {
    uint32_t lines;
    char line[MOLD_LINES_MAX][SOURCE_TEXT_MAX]; /* GROUP:PORT */
    char requests[SOURCE_TEXT_MAX];             /* ADDRESS:PORT; "": none are made */
    char interface[SOURCE_TEXT_MAX];            /* of all lines, or with a comma one of each */
    char interfaces[MOLD_LINES_MAX]
                   [SOURCE_TEXT_MAX]; /* of each line, from that; "": as routes say */
    char source[SOURCE_TEXT_MAX];     /* addresses of senders, with commas between; "": the first */
    char session[SOURCE_TEXT_MAX];
    char glimpse[SOURCE_TEXT_MAX];         /* HOST:PORT; "": no snapshot */
    char glimpse_session[SOURCE_TEXT_MAX]; /* that it is to be of; "": the line's; "any" */
    uint64_t glimpse_within_ns;            /* from the login to its end; UINT64_MAX: never mind */
    char user[SOURCE_TEXT_MAX];            /* there, as the next */
    char password_file[SOURCE_TEXT_MAX];
    uint64_t from;
    uint64_t reorder_packets;
    uint64_t hold_ns;
    uint64_t give_up_ns;
    uint64_t silent_ns;
    uint64_t lost_ns; /* UINT64_MAX: never */
    uint64_t receive_bytes;
    uint64_t keep_bytes; /* for what comes behind what is missing */
} mold_spec_t;

/* `text`: what follows "mold:". -TBUS_ECONFIG. */
int mold_spec_parse(const char *text, mold_spec_t *out_spec, tbus_error_t *err);

/* "HOST:PORT" or "[HOST]:PORT" in two. -TBUS_ECONFIG: it is none. */
int mold_address_split(const char *text, char out_host[SOURCE_TEXT_MAX], char out_port[8],
                       tbus_error_t *err);

#ifdef __cplusplus
}
#endif
#endif
