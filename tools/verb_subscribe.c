/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tickbus/atomic.h>
#include <tickbus/clock.h>
#include <tickbus/soup.h>

#include "bus/wire/soup_audit.h"
#include "bus/wire/soup_proof.h"
#include "feedsim/itch/binaryfile_writer.h"
#include "feedsim/itch/itch.h"

#include "tools/config/start_options.h"
#include "tools/show/line.h"
#include "tools/show/message_text.h"
#include "tools/show/outcome.h"
#include "tools/verbs.h"

static const char help[] =
    "usage: busctl subscribe HOST:PORT [OPTION...]\n"
    "\n"
    "Receive a feed over SoupBinTCP, from a tickbus gateway or any other server, and\n"
    "print its messages (ITCH 5.0) as `busctl tap md` does, one line each, until the\n"
    "session ends. A lost connection is made again, and goes on with the next\n"
    "message. At the end it says how many came, which, and how often it connected\n"
    "anew: on stderr, or on stdout where no messages go there. Exit code 1 when\n"
    "anything is missing.\n"
    "\n"
    "  --from SEQ           the first message wanted: 1 (default) is the first of the\n"
    "                       session, 0 what comes from now on\n"
    "  --count N            end after N messages\n"
    "  --for DURATION       end after that time: 10s, 5m\n"
    "  --json               a JSON object a line, and the result as the last\n"
    "  --raw FILE           write the messages to FILE as they are, in BinaryFILE\n"
    "                       framing (- is stdout), and do not print them\n"
    "  --prove              compare digests with the gateway, and end with\n"
    "                       \"complete: 1..N, digest equal\", or with what is missing,\n"
    "                       differs, or could not be compared\n"
    "  --user USER          at most 6 characters\n"
    "  --password-file FILE its first line, at most 10 characters\n"
    "  --session SESSION    instead of the current one\n"
    "\n"
    "example: busctl subscribe 10.1.2.3:9001 --raw day.itch --prove\n";

#define WAIT_NS      UINT64_C(200000000)   /* between two looks at the time, and at signals */
#define PROOF_NS     UINT64_C(10000000000) /* after --count, until the digest is offered */
#define PASSWORD_MAX 64u

typedef struct subscribe {
    const char *verb;
    const char *server;
    tbus_soup_options_t options;
    char password[PASSWORD_MAX];
    const char *raw; /* NULL: messages are printed */
    bool json, prove;
    uint64_t from;
    uint64_t count;  /* 0: no end */
    uint64_t for_ns; /* 0: no end */
    /* while it runs: */
    tbus_soup_t *soup;
    binaryfile_writer_t *file;
    soup_audit_t *audit;
    uint64_t first, last; /* messages that were handed on; 0: none */
    uint64_t received;
    uint64_t empty_seq;        /* of a message without bytes that may be the last; 0 */
    uint64_t left_out;         /* of the file: messages without bytes that are not its end */
    uint64_t gap_from, gap_to; /* the first gap; 0: none */
    uint64_t enough_ns;        /* when the last one of --count came */
    bool ended;                /* the session has */
    bool terminal;             /* stderr is one: progress is shown */
    uint64_t shown_ns;
    tbus_error_t error;
} subscribe_t;

/* 1: a signal asked for the end. Written by the handler. */
static tbus_atomic_u32_t interrupted;

static void on_signal(int number)
{
    (void)number;
    tbus_store_relaxed_u32(&interrupted, 1); /* hint: one thread, and nothing goes with it */
}

/* The first signal ends it in good order, the second one at once (a reader of ours may be stuck).
 * One that was ignored when we were started, as of jobs in the background, stays so. */
static void watch_signal(int number)
{
    struct sigaction handler = {.sa_handler = on_signal, .sa_flags = SA_RESTART | SA_RESETHAND},
                     before;
    sigemptyset(&handler.sa_mask);
    if (sigaction(number, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
        sigaction(number, &handler, NULL);
}

/* ---- what comes ---- */

static void wipe_progress(subscribe_t *s)
{
    if (s->shown_ns)
        fputs("\r\033[K", stderr);
    s->shown_ns = 0;
}

static void show_progress(subscribe_t *s, uint64_t now_ns)
{
    if (!s->terminal || now_ns - s->shown_ns < WAIT_NS)
        return;
    tbus_soup_status_t status;
    tbus_soup_status(s->soup, &status);
    fprintf(stderr, "\r\033[K%" PRIu64 " messages, %.1f MB, next is %" PRIu64 "%s", s->received,
            (double)status.bytes / 1e6, status.next, status.connected ? "" : ", not connected");
    s->shown_ns = now_ns;
}

/* What a server says to people: nothing that would make a terminal do things. */
static void say_text(subscribe_t *s, const uint8_t *text, size_t bytes)
{
    line_t line;
    soup_proof_offer_t offer;
    if (soup_proof_parse_offer(text, bytes, &offer))
        return;
    wipe_progress(s);
    line_begin(&line, stderr);
    line_text(&line, s->verb);
    line_text(&line, ": the server says: ");
    for (size_t i = 0; i < bytes && i < 500; i++)
        line_char(&line, text[i] >= 0x20 && text[i] <= 0x7e ? (char)text[i] : '?');
    line_char(&line, '\n');
    line_end(&line);
}

static void print_tick(const subscribe_t *s, const char *type, uint64_t sequence,
                       const void *message, size_t bytes)
{
    if (!s->raw || s->json)
        (s->json ? message_text_json : message_text_words)(stdout, type, sequence, message, bytes,
                                                           NULL);
}

static void print_message(const subscribe_t *s, const tbus_soup_event_t *event)
{
    static _Alignas(8) uint8_t tick[TICK_LEN_MAX];
    size_t bytes;
    if (itch_decode_line(event->data, event->bytes, (tick_t *)(void *)tick, &bytes) < 0)
        print_tick(s, "no ITCH", event->sequence, event->data, event->bytes); /* in hex digits */
    else
        print_tick(s, "tick", event->sequence, tick, bytes);
}

/* A message without bytes that came last is the end mark of the file that is fed over there if the
 * session ends behind it, and else a message, which a file cannot have. Below 0: it cannot go
 * on. */
static int settle_empty(subscribe_t *s, bool session_ends)
{
    tbus_soup_event_t event = {.sequence = s->empty_seq, .data = (const uint8_t *)"", .bytes = 0};
    tick_t mark;
    size_t bytes;
    if (s->empty_seq == 0)
        return 0;
    s->empty_seq = 0;
    if (!session_ends) {
        s->left_out += s->file != NULL;
        print_message(s, &event);
        return 0;
    }
    itch_end_mark(0, &mark, &bytes);
    print_tick(s, "tick", event.sequence, &mark, bytes);
    return s->file ? binaryfile_writer_append(s->file, event.data, 0, &s->error) : 0;
}

static bool has_enough(const subscribe_t *s)
{
    return s->count && s->received == s->count;
}

/* Below 0: it cannot go on. */
static int on_message(subscribe_t *s, const tbus_soup_event_t *event)
{
    int code = settle_empty(s, false);
    if (code == 0 && s->audit)
        code = soup_audit_message(s->audit, event->sequence, event->data, event->bytes);
    if (code < 0)
        return tbus_fail(&s->error, code, "no memory for the digests");
    if (event->sequence < s->from || has_enough(s)) /* for the digest of its block */
        return 0;
    if (s->last && event->sequence != s->last + 1)
        return tbus_fail(&s->error, -TBUS_EFORMAT,
                         "message %" PRIu64 " came after %" PRIu64 ": the order is wrong",
                         event->sequence, s->last);
    if (event->bytes == 0)
        s->empty_seq = event->sequence;
    else
        print_message(s, event);
    if (s->file && event->bytes)
        code = binaryfile_writer_append(s->file, event->data, event->bytes, &s->error);
    if (!s->first)
        s->first = event->sequence;
    s->last = event->sequence;
    s->received++;
    return code;
}

static void on_gap(subscribe_t *s, const tbus_soup_event_t *event)
{
    wipe_progress(s);
    outcome_note(s->verb, "%" PRIu64 "..%" PRIu64 " cannot be had from this server any more",
                 event->sequence, event->last);
    if (event->last < s->from)
        return;
    if (!s->gap_to) {
        s->gap_from = event->sequence < s->from ? s->from : event->sequence;
        s->gap_to = event->last;
    }
    if (s->last)
        s->last = event->last;
}

/* False: this is the end, s->ended or s->error say which. */
static bool on_event(subscribe_t *s, int outcome, const tbus_soup_event_t *event)
{
    switch (outcome) {
    case TBUS_SOUP_MESSAGE:
        return on_message(s, event) == 0;
    case TBUS_SOUP_TEXT:
        if (!s->audit || !soup_audit_text(s->audit, event->data, event->bytes))
            say_text(s, event->data, event->bytes);
        return true;
    case TBUS_SOUP_GAP:
        on_gap(s, event);
        return true;
    case TBUS_SOUP_LOST:
        wipe_progress(s);
        outcome_note(s->verb, "the connection is lost: %s; it is made again", event->why);
        return true;
    case TBUS_SOUP_RESUMED:
        wipe_progress(s);
        outcome_note(s->verb, "connected again, going on with %" PRIu64, event->sequence);
        return true;
    case TBUS_SOUP_ENDED:
        s->ended = true;
        settle_empty(s, true);
        return false;
    case TBUS_SOUP_REFUSED:
        tbus_fail(&s->error, -TBUS_ENOTFOUND, "the connection was lost, and now %s", event->why);
        return false;
    default:
        return true;
    }
}

static bool is_proven(const subscribe_t *s)
{
    return !s->audit || !s->last ||
           soup_audit_verdict(s->audit, s->last).kind == SOUP_VERDICT_EQUAL;
}

/* After --count N, for --prove: reads on until the digest of the N-th message's block was offered;
 * it may never be. */
static bool is_done(subscribe_t *s, uint64_t now_ns)
{
    if (!has_enough(s))
        return false;
    if (!s->enough_ns)
        s->enough_ns = now_ns;
    return is_proven(s) || now_ns - s->enough_ns >= PROOF_NS;
}

static void receive(subscribe_t *s)
{
    uint64_t began_ns = tbus_clock_ns(), now_ns = began_ns;
    uint64_t wait_ns = 0; /* what is printed goes out before we wait */
    for (unsigned turn = 0; !ferror(stdout); turn++) {
        tbus_soup_event_t event;
        if (tbus_load_relaxed_u32(&interrupted)) /* hint: as at the store */
            return;
        int outcome = tbus_soup_next(s->soup, wait_ns, &event, &s->error);
        if (outcome < 0 || !on_event(s, outcome, &event))
            return;
        if (outcome == TBUS_SOUP_NOTHING && wait_ns == 0)
            fflush(stdout);
        wait_ns = outcome == TBUS_SOUP_NOTHING ? WAIT_NS : 0;
        if (outcome == TBUS_SOUP_MESSAGE && turn % 1024 && !has_enough(s))
            continue;
        now_ns = tbus_clock_ns();
        if (is_done(s, now_ns) || (s->for_ns && now_ns - began_ns >= s->for_ns))
            return;
        show_progress(s, now_ns);
    }
}

/* ---- what is said at the end ---- */

/* Everything up to this one is what is to be judged. */
static uint64_t last_wanted(const subscribe_t *s)
{
    tbus_soup_status_t status;
    tbus_soup_status(s->soup, &status);
    if (s->ended && !has_enough(s))
        return status.next ? status.next - 1 : 0;
    return s->last;
}

static const char *const proofs[] = {[SOUP_VERDICT_EQUAL] = "equal",
                                     [SOUP_VERDICT_MISSING] = "missing",
                                     [SOUP_VERDICT_DIFFERENT] = "different",
                                     [SOUP_VERDICT_UNPROVEN] = "unproven"};

static void print_verdict(FILE *out, const soup_verdict_t *v, uint64_t from)
{
    switch (v->kind) {
    case SOUP_VERDICT_EQUAL:
        if (v->to < from)
            fprintf(out, "complete: no messages\n");
        else
            fprintf(out, "complete: %" PRIu64 "..%" PRIu64 ", digest equal\n", from, v->to);
        break;
    case SOUP_VERDICT_MISSING:
        fprintf(out, "missing: %" PRIu64 "..%" PRIu64 "\n", v->from, v->to);
        break;
    case SOUP_VERDICT_DIFFERENT:
        fprintf(out, "different: %" PRIu64 "..%" PRIu64 " are not what the server has\n", v->from,
                v->to);
        break;
    case SOUP_VERDICT_UNPROVEN:
        fprintf(out, "unproven: the server has offered no digest of %" PRIu64 "..%" PRIu64 "\n",
                v->from, v->to);
        break;
    }
}

static void print_result(const subscribe_t *s, const soup_verdict_t *verdict)
{
    tbus_soup_status_t status;
    tbus_soup_status(s->soup, &status);
    if (s->json) {
        line_t line;
        line_begin(&line, stdout);
        line_text(&line, "{\"received\":");
        line_u64(&line, s->received);
        line_text(&line, ",\"from\":");
        line_u64(&line, s->first);
        line_text(&line, ",\"to\":");
        line_u64(&line, s->last);
        line_text(&line, ",\"reconnects\":");
        line_u64(&line, status.reconnects);
        line_text(&line, ",\"session\":");
        line_json_chars(&line, status.session, strlen(status.session));
        line_text(&line, s->ended ? ",\"ended\":true" : ",\"ended\":false");
        if (s->gap_to) {
            line_text(&line, ",\"missing_from\":");
            line_u64(&line, s->gap_from);
            line_text(&line, ",\"missing_to\":");
            line_u64(&line, s->gap_to);
        }
        if (verdict) {
            line_text(&line, ",\"proof\":\"");
            line_text(&line, proofs[verdict->kind]);
            line_text(&line, "\",\"proof_from\":");
            line_u64(&line, verdict->from);
            line_text(&line, ",\"proof_to\":");
            line_u64(&line, verdict->to);
        }
        line_text(&line, "}\n");
        line_end(&line);
    }
    FILE *out = s->raw && strcmp(s->raw, "-") != 0 && !s->json ? stdout : stderr;
    if (out == stderr)
        fprintf(out, "%s: ", s->verb);
    if (s->received)
        fprintf(out, "%" PRIu64 " messages, %" PRIu64 "..%" PRIu64, s->received, s->first, s->last);
    else
        fprintf(out, "no messages");
    fprintf(out, ", connected anew %" PRIu64 " times%s\n", status.reconnects,
            s->ended ? ", the session has ended" : "");
    if (verdict) {
        if (out == stderr)
            fprintf(out, "%s: ", s->verb);
        print_verdict(out, verdict, s->from);
    }
}

static int finish(subscribe_t *s)
{
    soup_verdict_t verdict = {SOUP_VERDICT_EQUAL, s->from, 0};
    uint64_t last = last_wanted(s);
    if (s->audit && last >= s->from)
        verdict = soup_audit_verdict(s->audit, last);
    wipe_progress(s);
    print_result(s, s->audit ? &verdict : NULL);
    if (s->left_out)
        outcome_note(s->verb,
                     "%" PRIu64 " messages without bytes are not in %s: in a BinaryFILE they would "
                     "be its end",
                     s->left_out, s->raw);
    int code = outcome_printed(s->verb);
    if (binaryfile_writer_close(s->file, &s->error) < 0 || s->error.code < 0)
        code = outcome_failed(s->verb, "%s", s->error.text);
    s->file = NULL;
    if (s->gap_to && code == OUTCOME_OK)
        code =
            outcome_failed(s->verb, "%" PRIu64 "..%" PRIu64 " are missing", s->gap_from, s->gap_to);
    return verdict.kind != SOUP_VERDICT_EQUAL ? OUTCOME_FAILED : code;
}

static int subscribe(subscribe_t *s)
{
    /* A digest needs all of the first block. */
    s->options.from = s->prove && s->from ? soup_proof_first(soup_proof_block(s->from)) : s->from;
    if (tbus_soup_open(s->server, &s->options, &s->soup, &s->error) < 0)
        return outcome_failed(s->verb, "%s", s->error.text);
    int code = OUTCOME_FAILED;
    if ((s->prove && soup_audit_create(s->options.from, &s->audit, &s->error) < 0) ||
        (s->raw && binaryfile_writer_open(s->raw, &s->file, &s->error) < 0)) {
        outcome_failed(s->verb, "%s", s->error.text);
    } else {
        watch_signal(SIGINT);
        watch_signal(SIGTERM);
        receive(s);
        settle_empty(s, false);
        code = finish(s);
    }
    binaryfile_writer_close(s->file, NULL);
    soup_audit_destroy(s->audit);
    tbus_soup_close(s->soup);
    return code;
}

/* ---- the command line ---- */

/* The first line of a file. */
static int read_password(subscribe_t *s, const char *path)
{
    FILE *file = fopen(path, "re");
    if (!file || !fgets(s->password, sizeof s->password, file)) {
        int code = file ? outcome_failed(s->verb, "%s: there is no password in it", path)
                        : outcome_failed(s->verb, "%s: %s", path, strerror(errno));
        if (file)
            fclose(file);
        return code;
    }
    fclose(file);
    s->password[strcspn(s->password, "\r\n")] = 0;
    s->options.password = s->password;
    return OUTCOME_OK;
}

static bool parse_number(const char *text, uint64_t min, uint64_t *out_number)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno || *end || *text < '0' || *text > '9' || number < min)
        return false;
    *out_number = number;
    return true;
}

static int take_option(subscribe_t *s, int option)
{
    switch (option) {
    case 'u':
        s->options.user = optarg;
        break;
    case 'w':
        return read_password(s, optarg);
    case 's':
        s->options.session = optarg;
        break;
    case 'f':
        if (!parse_number(optarg, 0, &s->from))
            return outcome_usage(s->verb, "--from %s: a sequence was expected, or 0", optarg);
        break;
    case 'k':
        if (!parse_number(optarg, 1, &s->count))
            return outcome_usage(s->verb, "--count %s: a number from 1 was expected", optarg);
        break;
    case 'd':
        if (!start_options_duration(optarg, &s->for_ns))
            return outcome_usage(s->verb, "--for %s: a duration was expected, as 10s or 5m",
                                 optarg);
        break;
    case 'r':
        s->raw = optarg;
        break;
    default:
        s->json |= option == 'j';
        s->prove |= option == 'p';
    }
    return OUTCOME_OK;
}

int verb_subscribe(int argc, char **argv)
{
    static const struct option options[] = {{"user", required_argument, NULL, 'u'},
                                            {"password-file", required_argument, NULL, 'w'},
                                            {"session", required_argument, NULL, 's'},
                                            {"from", required_argument, NULL, 'f'},
                                            {"count", required_argument, NULL, 'k'},
                                            {"for", required_argument, NULL, 'd'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"raw", required_argument, NULL, 'r'},
                                            {"prove", no_argument, NULL, 'p'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    static subscribe_t s;
    s = (subscribe_t){.verb = argv[0], .from = 1, .terminal = isatty(STDERR_FILENO) == 1};
    optind = 0;
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (option == 'h')
            return outcome_help(argv[0], help);
        if (option == '?')
            return outcome_option(argv[0], argv[optind - 1], options);
        int code = take_option(&s, option);
        if (code != OUTCOME_OK)
            return code;
    }
    if (argc - optind != 1)
        return outcome_usage(argv[0], argc == optind ? "the server is missing: HOST:PORT"
                                                     : "one server at a time");
    if (s.prove && !s.from)
        return outcome_usage(argv[0], "--prove needs to know where to begin: --from 1 or later");
    if (s.json && s.raw && strcmp(s.raw, "-") == 0)
        return outcome_usage(argv[0], "--json and --raw - both write to stdout");
    s.server = argv[optind];
    if (isatty(STDOUT_FILENO))
        setvbuf(stdout, NULL, _IOLBF, 0);
    return subscribe(&s);
}
