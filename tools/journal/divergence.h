/* SPDX-License-Identifier: Apache-2.0 */
/* divergence.h - what a comparison of two recordings came to, for people and programs: that they
 * are identical and of how many messages, or the first message that differs: both versions, the
 * fields that differ, and what whoever sent it had taken before. */
#ifndef TICKBUS_TOOLS_JOURNAL_DIVERGENCE_H
#define TICKBUS_TOOLS_JOURNAL_DIVERGENCE_H

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

#include "tools/journal/compare.h"

typedef struct divergence_request {
    const compare_result_t *result;
    const char *directories[2];
    const char *names[2]; /* of the two: "recorded", "replayed" */
} divergence_request_t;

/* In words, some lines. */
void divergence_print(const divergence_request_t *request, FILE *out);
/* identical, whole (both come to their end, and nobody died), orders, reports, digests.TOPIC,
 * counts.TOPIC, divergence (null: none; topic, strategy, place, md_seq, fields[], NAME.{seq and the
 * message, or null}, taken.{tick,report}). A new reference. */
json_t *divergence_json(const divergence_request_t *request);

#endif
