/* SPDX-License-Identifier: Apache-2.0 */
/* SIGHUP: the configuration is read again, and its risk limits are put in force, all of them or
 * none. */
#include "tools/run/supervisor_parts.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CHANGES_MAX 400

void supervisor_know_terminals(supervisor_t *s)
{
    for (int fd = 0; fd < STANDARD_STREAMS; fd++)
        s->terminals[fd] = isatty(fd) == 1;
}

bool supervisor_terminal_gone(const supervisor_t *s)
{
    for (int fd = 0; fd < STANDARD_STREAMS; fd++) {
        struct pollfd stream = {.fd = fd, .events = 0};
        if (s->terminals[fd] && poll(&stream, 1, 0) > 0 && (stream.revents & POLLHUP))
            return true;
    }
    return false;
}

/* "KEY from A to B, ..." of the keys below risk that differ, or the bare names of the others.
 * Returns how many. */
static unsigned list_changes(const config_t *before, const config_t *after, bool of_risk,
                             char *out_text, size_t bytes)
{
    unsigned count = 0;
    size_t used = 0;
    const config_key_t *key;
    out_text[0] = 0;
    for (size_t i = 0; (key = config_key_at(i)) != NULL; i++) {
        char old[CONFIG_SOURCE_MAX], new[CONFIG_SOURCE_MAX];
        bool differs = config_key_items(before, key) != config_key_items(after, key);
        for (uint32_t item = 0; !differs && item < config_key_items(before, key); item++) {
            config_key_text(before, key, item, old, sizeof old);
            config_key_text(after, key, item, new, sizeof new);
            differs = strcmp(old, new) != 0;
        }
        if (!differs || (strncmp(key->path, "risk.", 5) == 0) != of_risk)
            continue;
        const char *comma = count++ ? ", " : "";
        if (used >= bytes)
            continue;
        int length = of_risk ? snprintf(out_text + used, bytes - used, "%s%s from %s to %s", comma,
                                        key->path, old, new)
                             : snprintf(out_text + used, bytes - used, "%s%s", comma, key->path);
        used += (size_t)length;
    }
    return count;
}

void supervisor_reload(supervisor_t *s)
{
    char changes[CHANGES_MAX];
    config_t fresh;
    tbus_error_t why = {0};
    const start_options_t *options = s->request->options;
    if (!options->file) {
        supervisor_say(
            s, "SIGHUP: there is no file to read risk limits from (-c FILE); nothing is changed");
        return;
    }
    if (start_options_reload(options, &fresh, &why) < 0 ||
        risk_limits_check_change(&options->config.risk.limits, &fresh.risk.limits, &why) < 0) {
        supervisor_note(s, "risk limits stay as they are: %s", why.text);
        return;
    }
    if (list_changes(&s->in_force, &fresh, false, changes, sizeof changes))
        supervisor_say(
            s, "only risk limits are taken from %s while it runs, not what else has changed: %s",
            options->file, changes);
    if (list_changes(&s->in_force, &fresh, true, changes, sizeof changes) == 0) {
        supervisor_say(s, "no risk limit has changed in %s", options->file);
        return;
    }
    limits_box_put(s->pipeline.limits_box, &fresh.risk.limits);
    s->in_force.risk.limits = fresh.risk.limits;
    supervisor_note(s, "risk limits changed: %s", changes);
}
