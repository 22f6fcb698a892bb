/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/source/source.h"

#include <string.h>

/* What follows "NAME:" in a spec, "" when the spec is just the name; NULL: another name. */
static const char *after_scheme(const char *spec, const char *name)
{
    size_t length = strlen(name);
    if (strncmp(spec, name, length) != 0)
        return NULL;
    if (spec[length] == ':')
        return spec + length + 1;
    return spec[length] == '\0' ? spec + length : NULL;
}

int feed_source_open(const char *spec, enum feed_clock clock, feed_source_t **out_source,
                     tbus_error_t *err)
{
    const char *rest;
    if ((rest = after_scheme(spec, "synth")) != NULL)
        return feed_source_open_synth(rest, out_source, err);
    if ((rest = after_scheme(spec, "itch")) != NULL) {
        if (*rest == '\0')
            return tbus_fail(err, -TBUS_ECONFIG, "the feed \"%s\" names no file: write itch:FILE",
                             spec);
        return feed_source_open_itch(strcmp(rest, "-") == 0 ? "/dev/stdin" : rest, out_source, err);
    }
    if ((rest = after_scheme(spec, "journal")) != NULL) {
        if (*rest == '\0')
            return tbus_fail(err, -TBUS_ECONFIG,
                             "the feed \"%s\" names no directory: write journal:DIR", spec);
        return feed_source_open_journal(rest, clock, out_source, err);
    }
    if ((rest = after_scheme(spec, "soup")) != NULL)
        return feed_source_open_soup(rest, out_source, err);
    return tbus_fail(err, -TBUS_ECONFIG,
                     "the feed \"%s\" is of no known kind: write itch:FILE, synth[:key=value,...], "
                     "journal:DIR or soup:HOST:PORT",
                     spec);
}

bool feed_source_tests_alone(const char *spec)
{
    const char *rest = after_scheme(spec, "synth");
    return rest && strstr(rest, "flow=plain");
}

void feed_source_progress(const feed_source_t *source, uint64_t *out_done, uint64_t *out_total)
{
    *out_done = *out_total = 0;
    if (source->ops->progress)
        source->ops->progress(source, out_done, out_total);
}

void feed_source_close(feed_source_t *source)
{
    if (source)
        source->ops->close(source);
}

int feed_source_choose(feed_source_t *source, const char *topic, tbus_error_t *err)
{
    if (!topic || !*topic)
        return 0;
    if (!source->ops->choose)
        return tbus_fail(err, -TBUS_ENOTFOUND,
                         "feed.topic is '%s', and only a journal has topics; leave it empty",
                         topic);
    return source->ops->choose(source, topic, err);
}

int feed_source_begin_at(feed_source_t *source, uint64_t seq, tbus_error_t *err)
{
    if (!source->ops->begin_at)
        return tbus_fail(err, -TBUS_ECONFIG,
                         "feed.opening stands for what comes before a place of a journal, and the "
                         "source of the feed is none; leave it empty");
    return source->ops->begin_at(source, seq, err);
}
