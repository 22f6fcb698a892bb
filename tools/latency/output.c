/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/latency/output.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tickbus/error.h>

#include "tools/show/outcome.h"

/* The figures are rounded; seventeen digits would only show how a double stores that. */
#define JSON_FLAGS (JSON_INDENT(2) | JSON_REAL_PRECISION(12))
#define PATH_BYTES 4096

/* After mkdir failed. `*out_why`: errno for who is told of it. */
static bool is_directory(const char *path, int *out_why)
{
    struct stat st;
    *out_why = errno == EEXIST ? ENOTDIR : errno;
    return errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int output_directory(const char *verb, const output_t *o)
{
    int why = 0;
    if (o->directory && mkdir(o->directory, 0777) < 0 && !is_directory(o->directory, &why))
        return outcome_failed(verb, "cannot make the directory %s: %s", o->directory,
                              strerror(why));
    /* Told before a measurement of minutes, and not by its last step. */
    if (o->directory && access(o->directory, W_OK | X_OK) < 0)
        return outcome_failed(verb, "cannot write into %s: %s; name another directory with --out",
                              o->directory, strerror(errno));
    return OUTCOME_OK;
}

static int write_page(const char *path, output_page_t draw, const void *context)
{
    FILE *page = fopen(path, "w");
    if (!page)
        return -errno;
    int rc = draw(page, context);
    if (ferror(page) && rc == 0)
        rc = -EIO;
    if (fclose(page) != 0 && rc == 0)
        rc = -errno;
    return rc;
}

int output_file(const char *verb, const output_t *o, const char *name, output_page_t draw,
                const void *context)
{
    char path[PATH_BYTES];
    if (!o->directory)
        return OUTCOME_OK;
    snprintf(path, sizeof path, "%s/%s", o->directory, name);
    int rc = write_page(path, draw, context);
    if (rc < 0)
        return outcome_failed(verb, "cannot write %s: %s", path, tbus_strerror(rc));
    return OUTCOME_OK;
}

int output_files(const char *verb, const output_t *o, const json_t *report, output_page_t draw,
                 const void *context)
{
    char path[PATH_BYTES];
    if (!o->directory)
        return OUTCOME_OK;
    snprintf(path, sizeof path, "%s/report.json", o->directory);
    if (json_dump_file(report, path, JSON_FLAGS) < 0)
        return outcome_failed(verb, "cannot write %s: %s", path, strerror(errno));
    return output_file(verb, o, "report.html", draw, context);
}

int output_json(const char *verb, const json_t *report)
{
    json_dumpf(report, stdout, JSON_FLAGS);
    fputc('\n', stdout);
    return outcome_printed(verb);
}
