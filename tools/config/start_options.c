/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/config/start_options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "bus/market/resource.h"
#include "feedsim/source/source.h"
#include "tools/show/outcome.h"

#define YEAR_NS (UINT64_C(366) * 24 * 3600 * 1000000000)

enum {
    OPT_FEED = 256,
    OPT_PACE,
    OPT_JOURNAL,
    OPT_STRATEGY,
    OPT_LAYOUT,
    OPT_WAIT,
    OPT_PAGES,
    OPT_CLOCK,
    OPT_FROM,
    OPT_TO,
    OPT_SKIP_GAPS,
    OPT_SYMBOL,
    OPT_TOPIC,
    OPT_GATEWAY,
    OPT_GLIMPSE,
    OPT_MOLD,
    OPT_MOLD_REQUESTS,
    OPT_BRIDGE,
    OPT_BRIDGE_TOPICS,
    OPT_BRIDGE_SYMBOLS,
    OPT_NAME,
    OPT_FOR,
    OPT_SET,
    OPT_HOLD,
    OPT_JSON,
    OPT_VERIFY,
    OPT_AGAINST,
    OPT_CONTINUE
};

static const struct option options[] = {
    {"feed", required_argument, NULL, OPT_FEED},
    {"pace", required_argument, NULL, OPT_PACE},
    {"journal", required_argument, NULL, OPT_JOURNAL},
    {"strategy", required_argument, NULL, OPT_STRATEGY},
    {"layout", required_argument, NULL, OPT_LAYOUT},
    {"wait", required_argument, NULL, OPT_WAIT},
    {"pages", required_argument, NULL, OPT_PAGES},
    {"clock", required_argument, NULL, OPT_CLOCK},
    {"from", required_argument, NULL, OPT_FROM},
    {"to", required_argument, NULL, OPT_TO},
    {"skip-gaps", required_argument, NULL, OPT_SKIP_GAPS},
    {"symbol", required_argument, NULL, OPT_SYMBOL},
    {"topic", required_argument, NULL, OPT_TOPIC},
    {"gateway", required_argument, NULL, OPT_GATEWAY},
    {"glimpse", required_argument, NULL, OPT_GLIMPSE},
    {"mold", required_argument, NULL, OPT_MOLD},
    {"mold-requests", required_argument, NULL, OPT_MOLD_REQUESTS},
    {"bridge", required_argument, NULL, OPT_BRIDGE},
    {"bridge-topics", required_argument, NULL, OPT_BRIDGE_TOPICS},
    {"bridge-symbols", required_argument, NULL, OPT_BRIDGE_SYMBOLS},
    {"name", required_argument, NULL, OPT_NAME},
    {"for", required_argument, NULL, OPT_FOR},
    {"set", required_argument, NULL, OPT_SET},
    {"hold", no_argument, NULL, OPT_HOLD},
    {"config", required_argument, NULL, 'c'},
    {"json", no_argument, NULL, OPT_JSON},
    {"verify", no_argument, NULL, OPT_VERIFY},
    {"against", required_argument, NULL, OPT_AGAINST},
    {"continue", required_argument, NULL, OPT_CONTINUE},
    {"help", no_argument, NULL, 'h'},
    {0},
};

/* The key that a flag stands for; NULL: none. */
static const char *key_of(int option)
{
    static const char *const keys[] = {
        [OPT_FEED - OPT_FEED] = "feed.source",
        [OPT_PACE - OPT_FEED] = "feed.pace",
        [OPT_JOURNAL - OPT_FEED] = "journal.directory",
        [OPT_STRATEGY - OPT_FEED] = "strategy.name",
        [OPT_LAYOUT - OPT_FEED] = "layout.mode",
        [OPT_WAIT - OPT_FEED] = "layout.wait",
        [OPT_CLOCK - OPT_FEED] = "feed.clock",
        [OPT_FROM - OPT_FEED] = "feed.from",
        [OPT_TO - OPT_FEED] = "feed.to",
        [OPT_SKIP_GAPS - OPT_FEED] = "feed.skip_gaps",
        [OPT_PAGES - OPT_FEED] = "bus.pages",
        [OPT_SYMBOL - OPT_FEED] = "feed.symbols",
        [OPT_TOPIC - OPT_FEED] = "feed.topic",
        [OPT_GATEWAY - OPT_FEED] = "gateway.listen",
        [OPT_GLIMPSE - OPT_FEED] = "glimpse.listen",
        [OPT_MOLD - OPT_FEED] = "mold.to",
        [OPT_MOLD_REQUESTS - OPT_FEED] = "mold.requests",
        [OPT_BRIDGE - OPT_FEED] = "bridge.url",
        [OPT_BRIDGE_TOPICS - OPT_FEED] = "bridge.topics",
        [OPT_BRIDGE_SYMBOLS - OPT_FEED] = "bridge.symbols",
        [OPT_NAME - OPT_FEED] = "bus.name",
    };
    return option >= OPT_FEED && option <= OPT_NAME ? keys[option - OPT_FEED] : NULL;
}

bool start_options_duration(const char *text, uint64_t *out_ns)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
    size_t digits = strspn(text, "0123456789.");
    char number[32];
    if (!digits || digits >= sizeof number || text[0] == '.' || text[digits - 1] == '.')
        return false;
    memcpy(number, text, digits);
    number[digits] = 0;
    char *end;
    double value = strtod(number, &end);
    if (*end)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        double ns = value * units[i].ns;
        if (strcmp(text + digits, units[i].name) != 0)
            continue;
        if (ns < 1 || ns > (double)YEAR_NS)
            return false;
        *out_ns = (uint64_t)ns;
        return true;
    }
    return false;
}

/* KEY=VALUE, split in place. */
static bool split_setting(char *text, const char **out_key, const char **out_value)
{
    char *equals = strchr(text, '=');
    if (!equals)
        return false;
    *equals = 0;
    *out_key = text;
    *out_value = equals + 1;
    return true;
}

/* A place in the journal that a replay is of, and no time of day: the verb looks it up. False: it
 * is a key like any other, and what is wrong with it is said when that is set. */
static bool take_place(int option, const char *text, start_options_t *out)
{
    span_point_t point;
    if ((option != OPT_FROM && option != OPT_TO) || span_parse(text, &point, NULL) < 0 ||
        point.kind == SPAN_TIME_OF_DAY || point.kind == SPAN_SEQ)
        return false;
    *(option == OPT_FROM ? &out->from : &out->to) = point;
    return true;
}

static int read_line(int argc, char **argv, bool feed_flag, start_options_t *out)
{
    const char *verb = argv[0];
    optind = 0;
    for (int option; (option = getopt_long(argc, argv, "c:h", options, NULL)) != -1;) {
        const char *key = key_of(option);
        const char *value = optarg;
        if (option == '?')
            return outcome_option(verb, argv[optind - 1], options);
        if (option == 'h') {
            out->help = true;
            return OUTCOME_OK;
        }
        if (option == OPT_FEED && !feed_flag)
            return outcome_usage(verb, "the feed is the journal; --feed is an option of `%s start`",
                                 outcome_program());
        if ((option == OPT_VERIFY || option == OPT_AGAINST) && feed_flag)
            return outcome_usage(verb, "a recording is verified and compared by `%s replay`",
                                 outcome_program());
        if (option == OPT_CONTINUE && !feed_flag)
            return outcome_usage(verb, "what was halted is continued by `%s start`",
                                 outcome_program());
        if (option == OPT_HOLD) {
            key = "bus.hold";
            value = "true";
        }
        if (option == OPT_SET && !split_setting(optarg, &key, &value))
            return outcome_usage(verb, "--set %s: KEY=VALUE was expected", optarg);
        if (option == OPT_FOR && !start_options_duration(optarg, &out->for_ns))
            return outcome_usage(verb, "--for %s: a duration was expected, as 10s, 500ms or 2m",
                                 optarg);
        if (key && out->settings_count == START_FLAGS_MAX)
            return outcome_usage(verb,
                                 "more than %d options; put them into a file and give it with -c",
                                 START_FLAGS_MAX);
        out->json |= option == OPT_JSON;
        out->verify |= option == OPT_VERIFY;
        if (option == OPT_AGAINST)
            out->against = optarg;
        if (option == OPT_CONTINUE)
            out->continues = optarg;
        if (option == 'c')
            out->file = optarg;
        if (key && !feed_flag && take_place(option, value, out))
            key = NULL;
        if (key) {
            out->settings[out->settings_count].key = key;
            out->settings[out->settings_count++].value = value;
        }
    }
    if (argc - optind > 1)
        return outcome_usage(verb, "'%s': one argument too many", argv[optind + 1]);
    out->rest = argv[optind];
    return OUTCOME_OK;
}

int start_options_set(start_options_t *given, const char *key, const char *value, tbus_error_t *err)
{
    int code = config_set(&given->config, key, value, err);
    if (code < 0)
        return code;
    given->settings[given->settings_count].key = key;
    given->settings[given->settings_count++].value = value;
    return 0;
}

/* Who feeds flow=plain, the bytes of which never change, asks for its symbols to be traded. */
static int choose_test_issues(config_t *config, tbus_error_t *err)
{
    const market_limits_t *books = config_resource_values(config, &market_resource);
    if (!books || books->tests != MARKET_TESTS_AUTO)
        return 0;
    bool plain = feed_source_tests_alone(config_source(config));
    return config_set(config, "books.test_issues", plain ? "live" : "apart", err);
}

/* What the command line sets, over all the rest; then what follows from the whole. */
static int apply_settings(const start_options_t *given, config_t *config, tbus_error_t *err)
{
    int code = 0;
    for (unsigned i = 0; code == 0 && i < given->settings_count; i++)
        code = config_set(config, given->settings[i].key, given->settings[i].value, err);
    return code < 0 ? code : choose_test_issues(config, err);
}

int start_options_base(start_options_t *given, const char *name, const char *text, size_t bytes,
                       tbus_error_t *err)
{
    config_defaults(&given->config);
    int code = config_read_text(&given->config, name, text, bytes, err);
    if (code == 0 && given->file)
        code = config_read_file(&given->config, given->file, &given->file_keys, err);
    return code < 0 ? code : apply_settings(given, &given->config, err);
}

int start_options_reload(const start_options_t *given, config_file_keys_t *keys,
                         config_t *out_config, tbus_error_t *err)
{
    config_t config;
    config_file_keys_t now = *keys;
    config_defaults(&config);
    int code = given->file ? config_reread_file(&config, given->file, &now, err) : 0;
    if (code == 0)
        code = apply_settings(given, &config, err);
    if (code < 0)
        return code;
    *out_config = config;
    *keys = now;
    return 0;
}

int start_options_parse(int argc, char **argv, bool feed_flag, start_options_t *out_options)
{
    tbus_error_t why = {0};
    *out_options = (start_options_t){0};
    int code = read_line(argc, argv, feed_flag, out_options);
    if (code != OUTCOME_OK || out_options->help)
        return code;
    config_defaults(&out_options->config);
    if (out_options->file && config_read_file(&out_options->config, out_options->file,
                                              &out_options->file_keys, &why) < 0)
        return outcome_refused(argv[0], out_options->json, why.text);
    if (apply_settings(out_options, &out_options->config, &why) < 0)
        return outcome_usage(argv[0], "%s", why.text);
    return OUTCOME_OK;
}
