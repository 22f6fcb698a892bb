/* SPDX-License-Identifier: Apache-2.0 */
/* pcap_spec.h - what follows "pcap:" in the name of a feed:
 *
 *    FILE[,FILE][?KEY=VALUE[&KEY=VALUE...]]
 *
 *    session=S             of several sessions in the files, that one
 *    group=ADDR[:PORT][,ADDR[:PORT]]  of several groups, that one, or these two as lines A and B
 *    from=SEQ              what the capture lacks from there on is a gap: 1: of all the session;
 *                          0: of what follows the first message that it has. Default: 1 of a
 *                          capture that begins among the session's first messages, else 0
 *
 * A comma or a question mark may be in the name of a file: one that is there is that file.
 *
 * Part of feedsim/source/source_pcap.c.
 */
#ifndef TICKBUS_FEEDSIM_SOURCE_PCAP_SPEC_H
#define TICKBUS_FEEDSIM_SOURCE_PCAP_SPEC_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/error.h>

#include "feedsim/capture/streams.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PCAP_PATH_MAX 256u

typedef struct pcap_spec {
    uint32_t files_count;
    char files[STREAMS_FILES_MAX][PCAP_PATH_MAX];
    stream_choice_t choice;
    bool from_given;
    uint64_t from;
} pcap_spec_t;

/* -TBUS_ECONFIG. Cold: it asks which files there are. */
int pcap_spec_parse(const char *text, pcap_spec_t *out_spec, tbus_error_t *err);

#ifdef __cplusplus
}
#endif
#endif
