/* SPDX-License-Identifier: Apache-2.0 */
/* verb_ipc.c - busctl ipc: measures, prints, and leaves nothing behind. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/ipc/columns.h"
#include "tools/ipc/options.h"
#include "tools/ipc/report.h"
#include "tools/measure/sides.h"
#include "tools/show/fold.h"
#include "tools/show/outcome.h"
#include "tools/verbs.h"

/* The figures are rounded; seventeen digits would only show how a double stores that. */
#define JSON_FLAGS (JSON_INDENT(2) | JSON_REAL_PRECISION(12))

static int list_names(const char *verb)
{
    for (const ipc_mechanism_t *const *m = ipc_mechanisms; *m; m++)
        fold(stdout, (*m)->name, IPC_NAME_COLUMNS + 1, (*m)->what);
    return fflush(stdout) == 0
               ? OUTCOME_OK
               : outcome_failed(verb, "cannot write to stdout: %s", strerror(errno));
}

static void show_progress(uint32_t done, uint32_t total, const char *mechanism)
{
    fprintf(stderr, "\r%3.0f %%  %-20s", total ? 100.0 * done / total : 100.0, mechanism);
}

static int write_file(const ipc_options_t *o, const char *name, const ipc_measurement_t *m,
                      const host_t *host)
{
    char path[4096];
    int bytes = snprintf(path, sizeof path, "%s/%s", o->directory, name);
    FILE *file = bytes > 0 && (size_t)bytes < sizeof path ? fopen(path, "we") : NULL;
    if (!file)
        return outcome_failed(o->verb, "cannot write %s: %s", path, strerror(errno));
    int code = 0;
    if (strcmp(name, "ipc.svg") == 0) {
        ipc_report_svg(file, m);
    } else if (strcmp(name, "ipc.html") == 0) {
        ipc_report_html(file, m, host, o->sort);
    } else {
        json_t *object = ipc_report_json(m, host, o->sort);
        code = object ? json_dumpf(object, file, JSON_FLAGS) : -1;
        json_decref(object);
    }
    bool written = code == 0 && !ferror(file);
    if (fclose(file) != 0 || !written)
        return outcome_failed(o->verb, "cannot write %s: %s", path, strerror(errno));
    return OUTCOME_OK;
}

static int report(const ipc_options_t *o, const ipc_measurement_t *m, const host_t *host)
{
    static const char *const files[] = {"ipc.html", "ipc.svg", "ipc.json"};
    for (size_t i = 0; o->directory && i < sizeof files / sizeof *files; i++)
        if (write_file(o, files[i], m, host) != OUTCOME_OK)
            return OUTCOME_FAILED;
    if (o->json) {
        json_t *object = ipc_report_json(m, host, o->sort);
        if (!object)
            return outcome_failed(o->verb, "no memory for the result");
        json_dumpf(object, stdout, JSON_FLAGS);
        fputc('\n', stdout);
        json_decref(object);
    } else {
        ipc_report_text(stdout, m, host, o->sort);
    }
    if (fflush(stdout) != 0 && errno != EPIPE)
        return outcome_failed(o->verb, "cannot write to stdout: %s", strerror(errno));
    int code = OUTCOME_OK;
    for (uint32_t i = 0; i < m->rows_count; i++)
        if (m->rows[i].failed)
            code = outcome_failed(o->verb, "%s", m->rows[i].why_not);
    return code;
}

static int measure(const ipc_options_t *o)
{
    ipc_plan_t plan = {.mechanisms = o->only_count ? o->only : ipc_mechanisms,
                       .message_bytes = o->message_bytes,
                       .cpus = {o->cpus[0], o->cpus[1]},
                       .cpus_count = o->cpus_count,
                       .one_cpu_why = o->one_cpu_why,
                       .duration_ns = o->duration_ns,
                       .rounds = ipc_rounds_for(o->duration_ns)};
    tbus_error_t err = {0};
    ipc_leftovers_t leftovers;
    ipc_measurement_t m = {0};
    host_t host;
    host_read(&host); /* before: its load is to be that of others */
    int swept = ipc_leftovers_sweep(ipc_mechanism_remove_leftover, &err);
    if (swept < 0 || ipc_leftovers_open(&leftovers, &err) < 0)
        return outcome_failed(o->verb, "%s", err.text);
    if (swept > 0)
        fprintf(stderr, "%s: removed what %d killed run%s had left behind\n", o->verb, swept,
                swept == 1 ? "" : "s");
    bool terminal = isatty(STDERR_FILENO);
    int code = ipc_measure(&plan, &leftovers, terminal ? show_progress : NULL, &m, &err);
    ipc_leftovers_close(&leftovers);
    if (terminal)
        fprintf(stderr, "\r%-28s\r", "");
    code = code < 0 ? outcome_failed(o->verb, "%s", err.text) : report(o, &m, &host);
    ipc_measurement_free(&m);
    return code;
}

int verb_ipc(int argc, char **argv)
{
    ipc_options_t o;
    ipc_options_default(argv[0], &o);
    int code = ipc_options_parse(argc, argv, &o);
    if (code >= 0)
        return code;
    if (o.list)
        return list_names(o.verb);
    if (o.directory && mkdir(o.directory, 0777) < 0 && errno != EEXIST)
        return outcome_failed(o.verb, "cannot make the directory %s: %s", o.directory,
                              strerror(errno));
    sides_signals_t before;
    sides_hold_signals(&before);
    code = measure(&o);
    sides_restore_signals(&before);
    return code;
}
