/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tickbus/atomic.h>
#include <tickbus/clock.h>
#include <tickbus/journal.h>

#include "feedsim/gateway/stage.h"

#include "tools/show/outcome.h"
#include "tools/verbs.h"

static const char help[] =
    "usage: busctl serve-journal DIR --gateway ADDRESS:PORT [OPTION...]\n"
    "\n"
    "Serve what was recorded in DIR to remote consumers, as the gateway of a running\n"
    "pipeline does: md as ITCH 5.0 over SoupBinTCP, under the name of the recorded\n"
    "session. A client gets the messages from where it asks, then the end of the\n"
    "session; a journal that is still written is followed. Says on stdout where it\n"
    "listens, and serves until Ctrl-C. SIGHUP reads the file of gateway.users again.\n"
    "\n"
    "  --gateway ADDRESS:PORT\n"
    "                   where md is served; port 0: any that is free\n"
    "  --topic TOPIC=ADDRESS:PORT\n"
    "                   a further topic (bbo, orders, judged, reports), at a port of\n"
    "                   its own; any number of times\n"
    "  --set gateway.KEY=VALUE\n"
    "                   any key of the section gateway (`busctl config show`), such\n"
    "                   as gateway.users=FILE\n"
    "  --json           where it listens as a JSON object\n"
    "\n"
    "example: busctl serve-journal /tmp/session --gateway 127.0.0.1:9000\n";

enum { OPT_GATEWAY = 256, OPT_TOPIC, OPT_SET, OPT_JSON };
static const struct option options[] = {
    {"gateway", required_argument, NULL, OPT_GATEWAY},
    {"topic", required_argument, NULL, OPT_TOPIC},
    {"set", required_argument, NULL, OPT_SET},
    {"json", no_argument, NULL, OPT_JSON},
    {"help", no_argument, NULL, 'h'},
    {0},
};

#define SLEEP_NS UINT64_C(50000000) /* between two looks for signals */

typedef struct serve {
    const char *verb;
    const char *directory;
    bool json;
    bool help;
    gateway_values_t values;
    char topics[GATEWAY_PORTS_MAX][TBUS_NAME_MAX];
    gateway_options_t gateway;
    char session[TBUS_JOURNAL_SESSION_NAME + 1];
} serve_t;

/* 1: a signal asked for the end; to read the users again. Written by the handlers. */
static tbus_atomic_u32_t interrupted;
static tbus_atomic_u32_t hung_up;

static void on_signal(int number)
{
    (void)number;
    tbus_store_relaxed_u32(&interrupted, 1); /* hint: one thread, and nothing goes with it */
}

static void on_hangup(int number)
{
    (void)number;
    tbus_store_relaxed_u32(&hung_up, 1); /* hint: as above */
}

/* One that was ignored when we were started, as of jobs in the background, stays so. */
static void watch_signal(int number, void (*does)(int), int flags)
{
    struct sigaction handler = {.sa_handler = does, .sa_flags = flags}, before;
    sigemptyset(&handler.sa_mask);
    if (sigaction(number, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
        sigaction(number, &handler, NULL);
}

/* The name of the session. Journals that have none are older: the beginning of its id. */
static int find_session(serve_t *s, tbus_error_t *err)
{
    tbus_journal_reader_t *reader;
    int code = tbus_journal_reader_open(s->directory, &reader, err);
    if (code < 0)
        return code;
    const tbus_journal_info_t *info = tbus_journal_reader_info(reader);
    snprintf(s->session, sizeof s->session, "%s", info->session_name);
    for (unsigned i = 0; i < 5 && !info->session_name[0]; i++)
        snprintf(s->session + 2 * i, 3, "%02X", info->session_id[i]);
    tbus_journal_reader_close(reader);
    return 0;
}

static void say_where(const serve_t *s, const gateway_server_t *server)
{
    const char *separator = "";
    if (s->json)
        printf("{\"session\":\"%s\",\"ports\":{", s->session);
    for (uint32_t i = 0; i < s->gateway.channels_count; i++) {
        const char *topic = s->gateway.channels[i].topic;
        const char *address = s->gateway.channels[i].address;
        unsigned port = gateway_server_port(server, i);
        if (s->json)
            printf("%s\"%s\":%u", separator, topic, port);
        else
            printf("%s of session %s at %.*s:%u\n", topic, s->session,
                   (int)(strrchr(address, ':') - address), address, port);
        separator = ",";
    }
    if (s->json)
        printf("}}\n");
}

/* The limits are those of the command line, and stay. */
static void read_users_again(const serve_t *s, gateway_server_t *server)
{
    tbus_error_t why = {0};
    gateway_limits_t limits = gateway_options_limits(&s->gateway);
    if (gateway_server_reload(server, &limits, &why) < 0)
        outcome_note(s->verb, "users stay as they are: %s", why.text);
    else
        outcome_note(s->verb, "users were read again");
}

static int serve(serve_t *s)
{
    gateway_server_t *server = NULL;
    tbus_error_t why = {0};
    int done = find_session(s, &why);
    if (done == 0)
        done = gateway_server_create(NULL, s->directory, &s->gateway, NULL, &server, &why);
    if (done == 0)
        done = gateway_server_start(server, s->session, &why);
    int code = OUTCOME_OK;
    if (done == 0) {
        watch_signal(SIGINT, on_signal, SA_RESETHAND);
        watch_signal(SIGTERM, on_signal, SA_RESETHAND);
        if (s->gateway.users) /* else it ends us, as when a terminal goes */
            watch_signal(SIGHUP, on_hangup, 0);
        if (*gateway_server_remark(server))
            outcome_note(s->verb, "%s", gateway_server_remark(server));
        say_where(s, server);
        code = outcome_printed(s->verb);
    }
    while (done >= 0 && code == OUTCOME_OK && !tbus_load_relaxed_u32(&interrupted)) {
        if (tbus_load_relaxed_u32(&hung_up)) {
            tbus_store_relaxed_u32(&hung_up, 0); /* hint: before the file is read */
            read_users_again(s, server);
        }
        done = gateway_server_turn(server, 0, &why);
        if (done == 0)
            gateway_server_sleep(server, tbus_clock_ns() + SLEEP_NS);
    }
    if (done < 0)
        code = outcome_failed(s->verb, "%s", why.text);
    else
        gateway_server_finish(server);
    gateway_server_destroy(server);
    return code;
}

/* ---- the command line ---- */

/* A key of the section, or one more item of a list. */
static int set(serve_t *s, const char *key, const char *value, bool append)
{
    tbus_error_t why = {0};
    char path[80];
    const tbus_param_t *param = tbus_params_find(gateway_kind.params, key);
    if (!param)
        return outcome_usage(s->verb, "there is no key gateway.%s", key);
    snprintf(path, sizeof path, "gateway.%s", key);
    int code = append ? tbus_param_append(param, path, &s->values, value, &why)
                      : tbus_param_set(param, path, &s->values, value, &why);
    return code < 0 ? outcome_usage(s->verb, "%s", why.text) : OUTCOME_OK;
}

static int set_key(serve_t *s, const char *text)
{
    static const char section[] = "gateway.";
    char key[64];
    const char *equals = strchr(text, '=');
    if (strncmp(text, section, sizeof section - 1) != 0 || !equals || equals - text > 60)
        return outcome_usage(s->verb, "--set: '%s' is not gateway.KEY=VALUE", text);
    text += sizeof section - 1;
    snprintf(key, sizeof key, "%.*s", (int)(equals - text), text);
    return set(s, key, equals + 1, false);
}

static int parse(serve_t *s, int argc, char **argv)
{
    int option, code = OUTCOME_OK;
    s->verb = argv[0];
    tbus_params_defaults(gateway_kind.params, &s->values);
    while (code == OUTCOME_OK && (option = getopt_long(argc, argv, ":h", options, NULL)) != -1)
        switch (option) {
        case OPT_GATEWAY:
            code = set(s, "listen", optarg, false);
            break;
        case OPT_TOPIC:
            code = set(s, "ports", optarg, true);
            break;
        case OPT_SET:
            code = set_key(s, optarg);
            break;
        case OPT_JSON:
            s->json = true;
            break;
        case 'h':
            s->help = true;
            return OUTCOME_OK;
        case ':':
            return outcome_usage(s->verb, "%s needs a value", argv[optind - 1]);
        default:
            return outcome_option(s->verb, argv[optind - 1], options);
        }
    if (code != OUTCOME_OK)
        return code;
    if (argc - optind != 1)
        return outcome_usage(s->verb, optind == argc ? "the directory of the journal is missing"
                                                     : "one directory only");
    s->directory = argv[optind];
    if (!gateway_kind.wanted(&s->values))
        return outcome_usage(s->verb, "--gateway ADDRESS:PORT is missing");
    gateway_values_options(&s->values, s->topics, &s->gateway);
    s->gateway.linger_ns = 0; /* whoever reads a journal can come again */
    return OUTCOME_OK;
}

int verb_serve_journal(int argc, char **argv)
{
    static serve_t s; /* large, and one is enough */
    int code = parse(&s, argc, argv);
    if (code != OUTCOME_OK)
        return code;
    return s.help ? outcome_help(argv[0], help) : serve(&s);
}
