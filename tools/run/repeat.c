/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/repeat.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bus/market/session.h"
#include "tools/journal/compare.h"
#include "tools/journal/divergence.h"
#include "tools/run/repeatable.h"
#include "tools/run/replay_start.h"
#include "tools/run/supervisor.h"
#include "tools/show/outcome.h"
#include "tools/show/recorded.h"

/* ---- comparing */

static int compare_and_print(const char *verb, const divergence_request_t *names,
                             const compare_repetition_t *repetition, uint64_t left, bool json)
{
    compare_result_t result;
    tbus_error_t why = {0};
    if (compare_recordings(names->directories, repetition, &result, &why) < 0)
        return outcome_failed(verb, "%s", why.text);
    if (result.identical && left != 0 && result.ends[0] == TBUS_JOURNAL_CLOSED && !result.failed[0])
        return outcome_failed(
            verb,
            "the session in %s cannot be repeated to its end: it says that stages "
            "took %" PRIu64 " inputs that nobody has sent, though all that was "
            "decided until then is the same; `busctl journal verify` finds "
            "what was changed in the recording",
            names->directories[0], left);
    divergence_request_t request = *names;
    request.result = &result;
    if (json) {
        json_t *object = divergence_json(&request);
        json_dumpf(object, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(object);
    } else {
        divergence_print(&request, stdout);
    }
    int printed = outcome_printed(verb);
    return printed != OUTCOME_OK ? printed : result.identical ? OUTCOME_OK : OUTCOME_FAILED;
}

int repeat_compare(const char *verb, const start_options_t *options)
{
    divergence_request_t names = {.directories = {options->rest, options->against},
                                  .names = {"first", "second"}};
    return compare_and_print(verb, &names, NULL, 0, options->json);
}

/* ---- the configuration */

static int set(start_options_t *options, const char *key, const char *value, tbus_error_t *err)
{
    return config_set(&options->config, key, value, err);
}

/* Whatever the instance is called. */
static int set_of_section(start_options_t *options, const char *section, const char *name,
                          const char *value, tbus_error_t *err)
{
    config_key_t key;
    int code = 0;
    for (size_t i = 0; code == 0 && config_key_at(&options->config, i, &key); i++)
        if (key.instance >= 0 && !key.of_variant && strcmp(key.param->name, name) == 0 &&
            strcmp(options->config.instances[key.instance].kind->section, section) == 0)
            code = set(options, key.path, value, err);
    return code;
}

/* What it cost the host to keep the session: its repetition is there for a while, and none of it is
 * to go before it was compared. */
static int keep_simply(start_options_t *options, tbus_error_t *err)
{
    static const struct {
        const char *section, *name, *value;
    } keys[] = {
        {"journal", "durability", "async"}, {"journal", "roll", "size"},
        {"journal", "when_full", "stop"},   {"journal", "when_late", "warn"},
        {"journal", "keep_bytes", "0"},     {"journal", "keep_age", "0"},
        {"journal", "keep_segments", "0"},  {"executor", "durable", "false"},
    };
    int code = 0;
    for (unsigned i = 0; code == 0 && i < sizeof keys / sizeof *keys; i++)
        code = set_of_section(options, keys[i].section, keys[i].name, keys[i].value, err);
    return code;
}

/* Nobody outside is served with what was decided once before. */
static void leave_out_servers(config_t *config)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < config->instances_count; i++)
        if (!(config->instances[i].kind->traits & TBUS_KIND_SERVES))
            config->instances[kept++] = config->instances[i];
    config->instances_count = kept;
}

/* Files that the session wrote beside its journal must not be written again. */
static int silence_files(start_options_t *options, tbus_error_t *err)
{
    config_key_t key;
    int code = 0;
    for (size_t i = 0; code == 0 && config_key_at(&options->config, i, &key); i++) {
        const char *last = strrchr(key.path, '.');
        if (key.of_variant && last && strcmp(last, ".reports") == 0)
            code = set(options, key.path, "/dev/null", err);
    }
    return code;
}

static bool is_given(const start_options_t *options, const char *key)
{
    for (unsigned i = 0; i < options->settings_count; i++)
        if (strcmp(options->settings[i].key, key) == 0)
            return true;
    return false;
}

/* What the session was run with, but for where it comes from, where it goes and how fast. */
static int configure(start_options_t *options, const char *into, tbus_error_t *err)
{
    char source[CONFIG_SOURCE_MAX], name[TBUS_NAME_MAX];
    snprintf(source, sizeof source, "journal:%s", options->rest);
    snprintf(name, sizeof name, "verify-%d", (int)getpid());
    const struct {
        const char *key, *value;
        bool may_be_given;
    } keys[] = {{"feed.source", source, false},
                {"feed.pace", "max", true},
                {"feed.from", "", false},
                {"feed.to", "", false},
                {"feed.skip_gaps", "", false},
                {"feed.topic", "", false},
                {"feed.opening", "", false},
                {"feed.symbols", "", false},
                {"feed.arrivals", "constant", false},
                {"feed.prepare", "0", false},
                {"venue.recorded", options->rest, false},
                {"journal.directory", into, false},
                {"layout.mode", "fused", false},
                {"layout.pin", "true", true},
                {"layout.cpus", "", true},
                {"bus.name", name, true}};
    json_t *recorded = recorded_configuration(options->rest);
    char *text = recorded ? json_dumps(recorded, 0) : NULL;
    json_decref(recorded);
    if (!text)
        return tbus_fail(err, -TBUS_ENOTFOUND,
                         "the journal in %s does not say with which configuration it was recorded: "
                         "it cannot be repeated (an older tickbus recorded it, or its beginning is "
                         "gone)",
                         options->rest);
    int code = start_options_base(options, "the recorded configuration", text, strlen(text), err);
    free(text);
    for (unsigned i = 0; code == 0 && i < sizeof keys / sizeof *keys; i++)
        if (!keys[i].may_be_given || !is_given(options, keys[i].key))
            code = set(options, keys[i].key, keys[i].value, err);
    /* By the clock of the host a stage may have been behind another: each needs its own books. */
    const session_values_t *venue = config_resource_values(&options->config, &session_resource);
    if (code == 0 && venue->clock == SESSION_CLOCK_HOST)
        code = set(options, "layout.mode", "split", err);
    if (code == 0)
        code = keep_simply(options, err);
    if (code == 0)
        code = silence_files(options, err);
    leave_out_servers(&options->config);
    return code;
}

/* ---- the recording of the repetition */

/* Beside the session, where there is room for one like it; else where temporary files go. */
static bool make_directory(const char *session, char out_path[PATH_MAX])
{
    size_t length = strlen(session);
    while (length > 1 && session[length - 1] == '/')
        length--;
    snprintf(out_path, PATH_MAX, "%.*s.verify-XXXXXX", (int)length, session);
    if (mkdtemp(out_path))
        return true;
    const char *temporary = getenv("TMPDIR");
    snprintf(out_path, PATH_MAX, "%s/tickbus-verify-XXXXXX", temporary ? temporary : "/tmp");
    return mkdtemp(out_path) != NULL;
}

/* It holds files only. */
static void remove_directory(const char *path)
{
    DIR *directory = opendir(path);
    struct dirent *entry;
    while (directory && (entry = readdir(directory)))
        (void)unlinkat(dirfd(directory), entry->d_name, 0);
    if (directory)
        closedir(directory);
    (void)rmdir(path);
}

static int run_and_compare(const char *verb, start_options_t *options, const char *into)
{
    tbus_error_t why = {0};
    if (configure(options, into, &why) < 0)
        return outcome_refused(verb, options->json, why.text);
    if (repeatable_check(options->rest, &options->config, &why) < 0)
        return outcome_refused(verb, options->json, why.text);
    supervisor_repetition_t ending = {0};
    supervisor_request_t request = {.verb = verb,
                                    .rehearses = true,
                                    .options = options,
                                    .md_first_seq = replay_start_first_seq(options->rest),
                                    .no_summary = true,
                                    .repetition = &ending};
    int code = supervisor_run(&request);
    if (code != OUTCOME_OK)
        return code;
    if (ending.stopped)
        return outcome_failed(verb, "stopped, as asked: nothing was compared");
    const session_values_t *venue = config_resource_values(&options->config, &session_resource);
    compare_repetition_t repetition = {.of_host_clock = venue->clock == SESSION_CLOCK_HOST,
                                       .stood_still = ending.stood_still};
    divergence_request_t names = {.directories = {options->rest, into},
                                  .names = {"recorded", "replayed"}};
    return compare_and_print(verb, &names, &repetition, ending.left, options->json);
}

int repeat_and_compare(const char *verb, start_options_t *options)
{
    char into[PATH_MAX];
    if (!make_directory(options->rest, into))
        return outcome_refused(verb, options->json,
                               "no directory can be made for the repetition, neither beside the "
                               "journal nor in TMPDIR");
    int code = run_and_compare(verb, options, into);
    remove_directory(into);
    return code;
}
