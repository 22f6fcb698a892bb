/* SPDX-License-Identifier: Apache-2.0 */
/* start_options.h - the command line of `busctl start` and `busctl replay`, made into a
 * configuration.
 *
 * Defaults, then the file of -c, then the flags, whatever their order on the line. Most flags are
 * short names of configuration keys; --set reaches all of them.
 */
#ifndef TICKBUS_TOOLS_CONFIG_START_OPTIONS_H
#define TICKBUS_TOOLS_CONFIG_START_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/config/config.h"
#include "tools/show/span.h"

/* For the help of both verbs; --pace, which they default differently, is in their own. */
#define START_OPTIONS_HELP                                                                         \
    "  --journal DIR    record every topic in DIR, which must be new or empty\n"                   \
    "  --strategy NAME  quote (default), script (sends the orders of a file:\n"                    \
    "                   --set strategy.file=FILE) or null (sends nothing, for\n"                   \
    "                   measuring)\n"                                                              \
    "  --layout MODE    split (a process a stage), fused (few processes), auto\n"                  \
    "                   (default: by the CPUs)\n"                                                  \
    "  --wait MODE      spin, yield, park, auto (default: by the CPUs)\n"                          \
    "  --pages KIND     hugetlb, thp, small, auto (default: the best there is)\n"                  \
    "  --gateway ADDRESS:PORT\n"                                                                   \
    "                   serve md as ITCH 5.0 over SoupBinTCP; port 0: any free one\n"              \
    "  --glimpse ADDRESS:PORT\n"                                                                   \
    "                   serve the books as they are to those who join late\n"                      \
    "  --mold GROUP:PORT|ADDRESS:PORT\n"                                                           \
    "                   send md as ITCH 5.0 by MoldUDP64, to a group or to one\n"                  \
    "  --mold-requests ADDRESS:PORT\n"                                                             \
    "                   answer those who have lost packets and ask for them\n"                     \
    "  --bridge nats://HOST:PORT\n"                                                                \
    "                   publish topics to NATS JetStream, for other machines\n"                    \
    "  --bridge-topics TOPIC[,TOPIC...]\n"                                                         \
    "                   which ones: md (default), bbo, orders, reports ...\n"                      \
    "  --bridge-symbols yes|no\n"                                                                  \
    "                   a subject for each symbol of md and bbo (default no)\n"                    \
    "  --name NAME      of the bus, default tickbus; buses of different names run\n"               \
    "                   side by side\n"                                                            \
    "  --hold           when the source has ended, go on serving clients until\n"                  \
    "                   stopped\n"                                                                 \
    "  --for DURATION   end after 10s, 500ms, 2m ..., default: when the source ends\n"             \
    "  -c, --config FILE\n"                                                                        \
    "                   read a configuration; `busctl config show` prints one\n"                   \
    "  --set KEY=VALUE  set any key of the configuration, as topics.md.slots=65536\n"              \
    "  --json           print the summary as a JSON object (feed.bytes: of messages,\n"            \
    "                   without framing)\n"

/* Likewise, what goes with a pace. */
#define PACE_OPTIONS_HELP                                                                          \
    "  --from PLACE     begin at HH:MM[:SS] of the market, or at seq:N of md (of a\n"              \
    "                   journal also -5m, before its end); what comes before goes\n"               \
    "                   out at once, so that the books are right, and no strategy\n"               \
    "                   acts on it\n"                                                              \
    "  --to PLACE       end before it\n"                                                           \
    "  --skip-gaps DURATION\n"                                                                     \
    "                   shorten longer gaps between messages to it\n"                              \
    "  --symbol SYMBOL[,SYMBOL...]\n"                                                              \
    "                   only what belongs to these symbols, and to none\n"

#define START_FLAGS_MAX 64

typedef struct start_options {
    config_t config;
    const char *file; /* of -c; NULL: none. It and the settings point into the command line */
    config_file_keys_t file_keys; /* those that the file had at the start */
    unsigned settings_count;
    struct {
        const char *key;
        const char *value;
    } settings[START_FLAGS_MAX + 4]; /* in their order; four are left for the verb */
    uint64_t for_ns;                 /* 0: not given */
    bool json;
    bool verify;           /* replay: are the decisions those that were recorded? */
    const char *continues; /* start: the session whose latches hold, "none"; NULL: the last one */
    const char *against;   /* replay: another recording to be compared with; NULL: none */
    span_point_t from;     /* of a replay, when it is no time of day, which is a key */
    span_point_t to;
    bool help;        /* --help: nothing else counts */
    const char *rest; /* the argument that is no option, or NULL */
} start_options_t;

/* Parse; messages go to stderr. `feed_flag`: is --feed one of the options? Returns OUTCOME_OK,
 * OUTCOME_USAGE, or OUTCOME_FAILED (the file of -c). */
int start_options_parse(int argc, char **argv, bool feed_flag, start_options_t *out_options);

/* Set a key as a flag does that comes last. `key` and `value` must live as long as the options. */
int start_options_set(start_options_t *given, const char *key, const char *value,
                      tbus_error_t *err);

/* The configuration anew, with `text` (YAML or JSON; `name` stands for it in messages) in the place
 * of the defaults: then the file of -c, then the flags. Errors of config_read_text,
 * config_read_file and config_set. */
int start_options_base(start_options_t *given, const char *name, const char *text, size_t bytes,
                       tbus_error_t *err);

/* The configuration anew: the file as it is now, whose keys were `keys`, and the same flags over
 * it. Errors are those of config_reread_file and config_set; then nothing is changed. */
int start_options_reload(const start_options_t *given, config_file_keys_t *keys,
                         config_t *out_config, tbus_error_t *err);

/* "10s", "1.5s", "500ms", "2m", "1h" in nanoseconds; false: not a duration, or 0, or more than a
 * year. */
bool start_options_duration(const char *text, uint64_t *out_ns);

#endif
