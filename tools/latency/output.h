/* SPDX-License-Identifier: Apache-2.0 */
/* output.h - where a report goes: to stdout, as text or JSON, and into a directory. */
#ifndef TICKBUS_TOOLS_LATENCY_OUTPUT_H
#define TICKBUS_TOOLS_LATENCY_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

typedef struct output {
    bool json;
    const char *directory; /* of --out; NULL: none. Made if it is missing */
} output_t;

/* Draw a page or a picture: 0, or -errno. */
typedef int (*output_page_t)(FILE *page, const void *context);

/* Make the directory, if it is missing, and see that files can be made in it: to be called before
 * anything is measured. Nothing where there is none. These return OUTCOME_OK or, when stderr has
 * been told why, OUTCOME_FAILED. */
int output_directory(const char *verb, const output_t *o);

/* DIR/report.json and DIR/report.html. Nothing where there is no directory. */
int output_files(const char *verb, const output_t *o, const json_t *report, output_page_t draw,
                 const void *context);

/* DIR/`name`. Nothing where there is no directory. */
int output_file(const char *verb, const output_t *o, const char *name, output_page_t draw,
                const void *context);

/* The object on stdout, as JSON; then outcome_printed. */
int output_json(const char *verb, const json_t *report);

#endif
