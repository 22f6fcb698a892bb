/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/last_session.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include <tickbus/journal.h>
#include <tickbus/msg/event.h>

#include "bus/journal/lock.h"
#include "tools/journal/segments.h"
#include "tools/show/recorded.h"

#define SECOND_NS UINT64_C(1000000000)
#define ORIGIN    " (of the session in "

/* ---- what events say */

static standing_t how_of(const event_t *event, const char *text)
{
    standing_t how = {.time_ns = event->time_ns,
                      .actor = {event->uid, event->pid, 0},
                      .by = event->by == EVENT_BY_LOSS ? KILL_BY_LOSS : KILL_BY_OPERATOR};
    (void)kill_switch_reason(text, how.reason, sizeof how.reason);
    return how;
}

/* "SECTION: WHY"; in older journals "SECTION" alone of one that was latched from the beginning. */
static void take_strategy(last_session_t *last, const event_t *event, const char *text)
{
    char section[RISK_SECTION_MAX];
    snprintf(section, sizeof section, "%.*s", (int)strcspn(text, ":"), text);
    uint32_t at = 0;
    while (at < last->strategies_count && strcmp(last->strategies[at].section, section) != 0)
        at++;
    /* It becomes the name of a file. */
    if (at == RISK_STRATEGIES_MAX || strchr(section, '/') || !section[0])
        return;
    if (at == last->strategies_count)
        memcpy(last->strategies[last->strategies_count++].section, section, sizeof section);
    const char *why = strstr(text, ": ");
    why = why ? why + 2 : "it had lost what it may in a session before";
    last->strategies[at].latch = (last_latch_t){.thrown = true, .how = how_of(event, why)};
}

/* Halts of stages and of the supervisor end with the run; those of people stay. */
static void take_event(last_session_t *last, const event_t *event, const char *text)
{
    bool stays = event->by == EVENT_BY_OPERATOR || event->by == EVENT_BY_LOSS;
    if (event->from != EVENT_FROM_RISK)
        return;
    switch (event->kind) {
    case EVENT_HALT:
        if (stays)
            last->halt = (last_latch_t){.thrown = true, .how = how_of(event, text)};
        break;
    case EVENT_REDUCE:
        if (stays)
            last->reduction = (last_latch_t){.thrown = true, .how = how_of(event, text)};
        break;
    case EVENT_STRATEGY_REDUCE:
        take_strategy(last, event, text);
        break;
    case EVENT_RESUME:
        last->halt.thrown = last->reduction.thrown = false;
        last->strategies_count = 0;
        break;
    default:
        break;
    }
}

static void take_record(last_session_t *last, const tbus_journal_record_t *record, bool *goes_on)
{
    event_t event;
    char text[EVENT_TEXT_MAX + 1] = "";
    if (record->bytes < EVENT_BYTES || record->bytes > EVENT_BYTES_MAX)
        return;
    memcpy(&event, record->payload, sizeof event);
    memcpy(text, (const char *)record->payload + EVENT_BYTES, record->bytes - EVENT_BYTES);
    bool first = !goes_on[event.from];
    goes_on[event.from] = event.more != 0;
    if (first)
        take_event(last, &event, text);
}

static void know_nothing(last_session_t *last, const char *why)
{
    last->uncertain = true;
    last->halt = (last_latch_t){.thrown = true,
                                .how = {.actor = kill_switch_self(), .by = KILL_BY_OPERATOR}};
    char text[TBUS_ERROR_TEXT_MAX + 64];
    snprintf(text, sizeof text, "how the last session ended cannot be read: %s", why);
    (void)kill_switch_reason(text, last->halt.how.reason, sizeof last->halt.how.reason);
}

/* From event to event: all the rest of a journal, which may be large, is passed over. */
static void read_events(tbus_journal_reader_t *reader, last_session_t *last)
{
    tbus_journal_record_t record;
    tbus_error_t why = {0};
    bool goes_on[256] = {false};
    int topic = tbus_journal_reader_topic(reader, EVENT_TOPIC), code = 0;
    uint64_t seq = 1;
    while (topic >= 0 &&
           (code = tbus_journal_reader_seek_seq(reader, (uint16_t)topic, seq, &why)) > 0 &&
           (code = tbus_journal_reader_next(reader, &record, &why)) > 0) {
        take_record(last, &record, goes_on);
        seq = record.seq + 1;
    }
    if (code < 0)
        know_nothing(last, why.text);
}

/* ---- which session */

int last_session_read(const char *directory, const char *bus_name, last_session_t *out_last,
                      tbus_error_t *err)
{
    tbus_journal_reader_t *reader;
    tbus_error_t why = {0};
    memset(out_last, 0, sizeof *out_last);
    snprintf(out_last->directory, sizeof out_last->directory, "%s", directory);
    int code = tbus_journal_reader_open(directory, &reader, &why);
    if (code == -ENOENT || code == -ENOTDIR || code == -TBUS_ENOTFOUND)
        return tbus_fail(err, code, "%s", why.text);
    if (code < 0) {
        know_nothing(out_last, why.text);
        return 1;
    }
    code = 1;
    if (strcmp(tbus_journal_reader_info(reader)->bus_name, bus_name) == 0)
        read_events(reader, out_last);
    else
        code = tbus_fail(err, -EINVAL, "the session in %s is of the bus '%.23s', not of '%s'",
                         directory, tbus_journal_reader_info(reader)->bus_name, bus_name);
    tbus_journal_reader_close(reader);
    return code;
}

/* `busctl replay`, `busctl latency`: what was done there was done to no market. */
static bool is_rehearsal(const char *directory)
{
    json_t *provenance = recorded_provenance(directory);
    const char *verb = json_string_value(json_array_get(json_object_get(provenance, "command"), 1));
    bool rehearsal = verb && (strcmp(verb, "replay") == 0 || strcmp(verb, "latency") == 0);
    json_decref(provenance);
    return rehearsal;
}

typedef struct search {
    const char *bus_name;
    char newest[PATH_MAX]; /* "": none yet */
    uint64_t started_ns;
    char unknown[PATH_MAX]; /* the newest that does not say whose it is */
    uint64_t unknown_ns;
} search_t;

/* By a writer that lives: it is of another bus, since the name of ours is taken, and may have begun
 * so recently that its first segment has no header yet. */
static bool is_being_written(const char *directory)
{
    char path[PATH_MAX + sizeof TBUS_JOURNAL_LOCK_NAME];
    snprintf(path, sizeof path, "%s/%s", directory, TBUS_JOURNAL_LOCK_NAME);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    bool held = fd >= 0 && tbus_journal_lock_is_held(fd);
    if (fd >= 0)
        close(fd);
    return held;
}

/* `directory` holds segments. */
static void look_at(search_t *s, const char *directory)
{
    tbus_journal_reader_t *reader;
    struct stat st;
    if (tbus_journal_reader_open(directory, &reader, NULL) == 0 ||
        tbus_journal_reader_open_damaged(directory, &reader, NULL) == 0) {
        const tbus_journal_info_t *info = tbus_journal_reader_info(reader);
        uint64_t started_ns = info->started_realtime_ns;
        bool ours = strcmp(info->bus_name, s->bus_name) == 0;
        tbus_journal_reader_close(reader);
        if (!ours || (*s->newest && started_ns <= s->started_ns) || is_rehearsal(directory))
            return;
        s->started_ns = started_ns;
        snprintf(s->newest, sizeof s->newest, "%s", directory);
    } else if (stat(directory, &st) == 0 && !is_being_written(directory)) {
        uint64_t changed_ns =
            (uint64_t)st.st_mtim.tv_sec * SECOND_NS + (uint64_t)st.st_mtim.tv_nsec;
        if (changed_ns <= s->unknown_ns)
            return;
        s->unknown_ns = changed_ns;
        snprintf(s->unknown, sizeof s->unknown, "%s", directory);
    }
}

/* What is nobody's session, or another user's and closed to us, is passed over. */
static void visit(search_t *s, const char *path)
{
    segments_t segments;
    struct stat st;
    if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode))
        return;
    int code = segments_list(path, &segments, NULL);
    bool closed_to_us = code == -EACCES && st.st_uid == geteuid();
    if (closed_to_us || (code == 0 && segments.count > 0))
        look_at(s, path);
    if (code == 0)
        segments_clear(&segments);
}

/* The directory that `path` lies in. */
static void parent_of(const char *path, char out_parent[PATH_MAX])
{
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    while (length > 0 && path[length - 1] != '/')
        length--;
    if (length == 0)
        snprintf(out_parent, PATH_MAX, ".");
    else
        snprintf(out_parent, PATH_MAX, "%.*s", (int)(length > 1 ? length - 1 : 1), path);
}

int last_session_find(const char *journal, const char *bus_name, last_session_t *out_last,
                      tbus_error_t *err)
{
    char root[PATH_MAX], path[PATH_MAX], why[PATH_MAX + 96];
    search_t s = {.bus_name = bus_name};
    parent_of(journal, root);
    DIR *list = opendir(root);
    bool closed = !list && errno == EACCES;
    for (struct dirent *entry; list && (entry = readdir(list)) != NULL;)
        if (entry->d_name[0] != '.' &&
            snprintf(path, sizeof path, "%s/%s", root, entry->d_name) < PATH_MAX)
            visit(&s, path);
    if (list)
        closedir(list);
    bool unknown = closed || (*s.unknown && (!*s.newest || s.unknown_ns > s.started_ns));
    if (!unknown)
        return *s.newest ? last_session_read(s.newest, bus_name, out_last, err) : 0;
    memset(out_last, 0, sizeof *out_last);
    snprintf(out_last->directory, sizeof out_last->directory, "%s", closed ? root : s.unknown);
    snprintf(why, sizeof why,
             closed ? "no permission to look into %s" : "%s does not even say of which bus it is",
             out_last->directory);
    know_nothing(out_last, why);
    return 1;
}

void last_session_reason(const last_session_t *last, standing_t *standing)
{
    char text[KILL_SWITCH_REASON_MAX + PATH_MAX + 32];
    const char *had = strstr(standing->reason, ORIGIN); /* of a session before that one */
    if (last->uncertain || had)
        return;
    snprintf(text, sizeof text, "%.120s" ORIGIN "%s)", standing->reason, last->directory);
    (void)kill_switch_reason(text, standing->reason, sizeof standing->reason);
}
