/* SPDX-License-Identifier: Apache-2.0 */
/* `busctl subscribe` against a server of this process's own, with a proxy in between that breaks
 * connections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/market_data.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/program.h"
#include "tests/support/soup_fake.h"

#define BLOCK 65536u

typedef struct fixture {
    char root[SCRATCH_PATH_MAX];
    char raw[128], password[128], server[64];
    soup_fake_t *fake;
    fault_proxy_t *proxy;
    program_t run;
    char *file; /* recorded messages, in BinaryFILE framing */
    size_t file_bytes;
    uint64_t file_messages;
    size_t *places; /* of each message's length in it */
} fixture_t;

static int set_up(void **state)
{
    fixture_t *f = calloc(1, sizeof *f);
    scratch_create(f->root);
    snprintf(f->raw, sizeof f->raw, "%s/raw", f->root);
    snprintf(f->password, sizeof f->password, "%s/password", f->root);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture_t *f = *state;
    program_clear(&f->run);
    fault_proxy_stop(f->proxy);
    soup_fake_stop(f->fake);
    scratch_remove(f->root);
    free(f->file);
    free(f->places);
    free(f);
    return 0;
}

/* An Add Order (ITCH 5.0, section 1.3.1) whose reference is its sequence. */
static size_t add_order(uint64_t sequence, void *context, uint8_t *to)
{
    (void)context;
    memset(to, 0, 36);
    to[0] = 'A';
    to[2] = 7; /* stock locate */
    for (unsigned i = 0; i < 8; i++)
        to[11 + i] = (uint8_t)(sequence >> (56 - 8 * i));
    to[19] = 'B';
    to[23] = 100;
    memcpy(to + 24, "TEST    ", 8);
    to[35] = 250;
    return 36;
}

static size_t from_file(uint64_t sequence, void *context, uint8_t *to)
{
    const fixture_t *f = context;
    const uint8_t *at = (const uint8_t *)f->file + f->places[sequence - 1];
    size_t bytes = (size_t)at[0] << 8 | at[1];
    memcpy(to, at + 2, bytes);
    return bytes;
}

static bool load(fixture_t *f, const char *name)
{
    char path[MARKET_DATA_PATH_MAX];
    if (!market_data_path(name, path))
        return false;
    f->file = file_read(path, &f->file_bytes);
    assert_non_null(f->file);
    f->places = malloc(f->file_bytes * sizeof *f->places);
    for (size_t at = 0; at < f->file_bytes;) {
        const uint8_t *length = (const uint8_t *)f->file + at;
        f->places[f->file_messages++] = at;
        at += 2 + ((size_t)length[0] << 8 | length[1]);
    }
    return true;
}

static const soup_fake_script_t usual = {
    .session = "DAY0000001", .messages = 100, .ends = true, .offers = true, .message = add_order};

static void start(fixture_t *f, const soup_fake_script_t *script, fault_planner_t planner)
{
    uint16_t port;
    f->fake = soup_fake_start(script, 0, &port);
    assert_non_null(f->fake);
    if (planner)
        f->proxy = fault_proxy_start(port, planner, f, &port);
    snprintf(f->server, sizeof f->server, "127.0.0.1:%u", port);
}

/* `busctl subscribe SERVER` with these options, NULL at the end. Returns the exit code. */
static int subscribe(fixture_t *f, const char *const *options)
{
    const char *argv[20] = {TICKBUS_BUSCTL, "subscribe", f->server};
    for (size_t i = 0; options[i]; i++)
        argv[3 + i] = options[i];
    program_clear(&f->run);
    f->run = (program_t){.argv = argv};
    int code = program_run(&f->run);
    f->run.argv = NULL;
    return code;
}
#define SUBSCRIBE(f, ...) subscribe(f, (const char *const[]){__VA_ARGS__, NULL})

static void assert_says(const char *text, const char *words)
{
    if (!strstr(text, words))
        fail_msg("'%s' is not in: %s", words, text);
}

static void break_often(unsigned number, void *context, fault_plan_t *plan)
{
    (void)context;
    plan->up.piece_bytes = 1;
    plan->down.piece_bytes = number % 3 ? 1000 : 333;
    plan->down.coalesce_bytes = number % 2 ? 3000 : 0;
    if (number < 8)
        plan->down.reset_at = 5000 + 3777 * number;
}

static void what_was_fed_comes_out_byte_for_byte_over_broken_connections(void **state)
{
    fixture_t *f = *state;
    if (!load(f, "itch_aapl_20200130_5k/aapl_5k.itch"))
        skip();
    soup_fake_script_t script = usual;
    script.message = from_file;
    script.context = f;
    script.messages = f->file_messages;
    start(f, &script, break_often);
    assert_int_equal(SUBSCRIBE(f, "--raw", f->raw, "--prove"), 0);
    size_t bytes;
    char *raw = file_read(f->raw, &bytes);
    assert_non_null(raw);
    assert_int_equal(bytes, f->file_bytes);
    assert_memory_equal(raw, f->file, bytes);
    free(raw);
    assert_says(f->run.out,
                "5000 messages, 1..5000, connected anew 8 times, the session has ended");
    assert_says(f->run.out, "complete: 1..5000, digest equal\n");
    assert_says(f->run.err, "the connection is lost");
}

static void messages_are_printed_as_tap_prints_them(void **state)
{
    fixture_t *f = *state;
    start(f, &usual, NULL);
    assert_int_equal(SUBSCRIBE(f, "--from", "3", "--count", "2"), 0);
    assert_string_equal(f->run.out, "3 00:00:00.000000000 A TEST buy 100 @ 0.0250 ref 3\n"
                                    "4 00:00:00.000000000 A TEST buy 100 @ 0.0250 ref 4\n");
    assert_says(f->run.err, "2 messages, 3..4, connected anew 0 times\n");

    assert_int_equal(SUBSCRIBE(f, "--from", "99", "--json"), 0);
    char *lines = f->run.out;
    for (unsigned i = 0; i < 3; i++) {
        char *end = strchr(lines, '\n');
        assert_non_null(end);
        *end = 0;
        json_t *line = json_loads(lines, 0, NULL);
        assert_non_null(line);
        if (i < 2) {
            assert_int_equal(json_integer_value(json_object_get(line, "seq")), 99 + i);
            assert_int_equal(json_integer_value(json_object_get(line, "order_ref")), 99 + i);
        } else {
            assert_int_equal(json_integer_value(json_object_get(line, "received")), 2);
            assert_int_equal(json_integer_value(json_object_get(line, "from")), 99);
            assert_int_equal(json_integer_value(json_object_get(line, "to")), 100);
            assert_true(json_is_true(json_object_get(line, "ended")));
        }
        json_decref(line);
        lines = end + 1;
    }
    assert_string_equal(lines, "");
}

static size_t odd_message(uint64_t sequence, void *context, uint8_t *to)
{
    if (sequence == 1)
        return 0; /* one without bytes, and not the last */
    if (sequence == 3)
        return add_order(sequence, context, to) - 1;
    memcpy(to, "?unknown type", 13);
    return 13;
}

static void what_is_no_itch_is_shown_all_the_same(void **state)
{
    fixture_t *f = *state;
    soup_fake_script_t script = usual;
    script.message = odd_message;
    script.messages = 3;
    script.greeting = "hello\033[2J";
    start(f, &script, NULL);
    assert_int_equal(SUBSCRIBE(f, "--json"), 0);
    assert_says(f->run.out, "\"seq\":1,\"type\":\"runt\"");
    assert_says(f->run.out, "\"seq\":2,\"type\":\"?\"");
    assert_says(f->run.out, "410007"); /* hex digits */
    assert_says(f->run.err, "the server says: hello?[2J\n");
    assert_int_equal(SUBSCRIBE(f, "--raw", "-", "--count", "2"), 0);
    assert_int_equal(f->run.out_bytes, 2 + 13); /* or the file would end before it */
    assert_memory_equal(f->run.out, "\0\x0d?unknown type", 15);
    assert_says(f->run.err, "1 messages without bytes are not in -");
}

static size_t marked_message(uint64_t sequence, void *context, uint8_t *to)
{
    return sequence == 2 ? 0 : odd_message(2, context, to);
}

static void an_end_mark_is_the_message_without_bytes_behind_which_the_session_ends(void **state)
{
    fixture_t *f = *state;
    soup_fake_script_t script = usual;
    script.message = marked_message;
    script.messages = 2;
    start(f, &script, NULL);
    assert_int_equal(SUBSCRIBE(f, "--json"), 0);
    assert_says(f->run.out, "\"seq\":2,\"type\":\"end\"");
    assert_int_equal(SUBSCRIBE(f, "--raw", "-"), 0);
    assert_int_equal(f->run.out_bytes, 2 + 13 + 2);
    assert_memory_equal(f->run.out, "\0\x0d?unknown type\0\0", 17);
}

static void a_proof_ends_with_what_is_wrong(void **state)
{
    fixture_t *f = *state;
    static const struct {
        uint64_t first, spoiled, unoffered;
        bool offers;
        const char *from, *words;
    } cases[] = {
        {0, 0, 0, true, "1", "complete: 1..131172, digest equal\n"},
        {0, 1, 0, true, "65537", "complete: 65537..131172, digest equal\n"},
        {0, 0, 0, true, "70000", "complete: 70000..131172, digest equal\n"},
        {0, 0, 0, true, "131173", "complete: no messages\n"},
        {0, 2, 0, true, "1", "different: 65537..131072 are not what the server has\n"},
        {0, 3, 0, true, "1", "different: 131073..131172 are not what the server has\n"},
        {0, 0, 2, true, "1", "unproven: the server has offered no digest of 65537..131072\n"},
        {0, 0, 0, false, "1", "unproven: the server has offered no digest of 1..131172\n"},
        {5, 0, 0, true, "1", "missing: 1..4\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        soup_fake_script_t script = usual;
        script.messages = 2 * BLOCK + 100;
        script.first = cases[i].first;
        script.spoiled = cases[i].spoiled;
        script.unoffered = cases[i].unoffered;
        script.offers = cases[i].offers;
        start(f, &script, NULL);
        int code = SUBSCRIBE(f, "--prove", "--raw", f->raw, "--from", cases[i].from);
        assert_says(f->run.out, cases[i].words);
        assert_int_equal(code, strncmp(cases[i].words, "complete", 8) ? 1 : 0);
        soup_fake_stop(f->fake);
        f->fake = NULL;
    }
}

static void a_proof_of_a_part_reads_on_to_the_end_of_its_block(void **state)
{
    fixture_t *f = *state;
    soup_fake_script_t script = usual;
    script.messages = BLOCK + 100;
    script.ends = false;
    start(f, &script, NULL);
    assert_int_equal(SUBSCRIBE(f, "--prove", "--count", "1000", "--raw", f->raw, "--from", "11"),
                     0);
    assert_says(f->run.out, "1000 messages, 11..1010, ");
    assert_says(f->run.out, "complete: 11..1010, digest equal\n");
    size_t bytes;
    free(file_read(f->raw, &bytes));
    assert_int_equal(bytes, 1000 * 38);
}

static void a_gap_is_a_failure_without_a_proof_too(void **state)
{
    fixture_t *f = *state;
    soup_fake_script_t script = usual;
    script.first = 11;
    start(f, &script, NULL);
    assert_int_equal(SUBSCRIBE(f, "--from", "3", "--json"), 1);
    assert_says(f->run.err, "3..10 cannot be had from this server any more\n");
    assert_says(f->run.err, "3..10 are missing\n");
    assert_says(f->run.out, "\"missing_from\":3,\"missing_to\":10");
    assert_int_equal(SUBSCRIBE(f, "--from", "11", "--json"), 0);
}

static void users_and_passwords_come_from_files(void **state)
{
    fixture_t *f = *state;
    soup_fake_script_t script = usual;
    script.user = "trader";
    script.password = "secret";
    start(f, &script, NULL);
    assert_true(file_write(f->password, "secret\nsecond line", 18));
    assert_int_equal(
        SUBSCRIBE(f, "--user", "trader", "--password-file", f->password, "--raw", f->raw), 0);
    assert_int_equal(SUBSCRIBE(f, "--user", "nobody", "--password-file", f->password), 1);
    assert_says(f->run.err, "rejects the user or the password");
    assert_int_equal(SUBSCRIBE(f, "--user", "trader", "--password-file", f->raw), 1);
    assert_int_equal(SUBSCRIBE(f, "--password-file", "/nowhere/at/all"), 1);
    assert_says(f->run.err, "/nowhere/at/all: No such file");
    assert_true(file_write(f->password, "", 0));
    assert_int_equal(SUBSCRIBE(f, "--password-file", f->password), 1);
    assert_says(f->run.err, "there is no password in it");
}

static void what_cannot_be_is_refused_with_words(void **state)
{
    fixture_t *f = *state;
    start(f, &usual, NULL);
    static const struct {
        const char *options[4];
        int code;
        const char *words;
    } cases[] = {
        {{"--from", "x"}, 2, "--from x: a sequence was expected"},
        {{"--from", "-1"}, 2, "--from -1: a sequence was expected"},
        {{"--from", "99999999999999999999"}, 2, "a sequence was expected"},
        {{"--count", "0"}, 2, "--count 0: a number from 1"},
        {{"--for", "5"}, 2, "--for 5: a duration"},
        {{"--prove", "--from", "0"}, 2, "--from 1 or later"},
        {{"--json", "--raw", "-"}, 2, "both write to stdout"},
        {{"--jsn"}, 2, "--json"},
        {{"another:1"}, 2, "one server at a time"},
        {{"--session", "DAY0000002"}, 1, "no session 'DAY0000002'"},
        {{"--from", "102"}, 1, "with a sequence 102"},
        {{"--raw", "/nowhere/at/all"}, 1, "cannot create /nowhere/at/all"},
        {{"--raw", "/dev/full"}, 1, "cannot write /dev/full"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int code = subscribe(f, cases[i].options);
        assert_says(f->run.err, cases[i].words);
        assert_int_equal(code, cases[i].code);
    }
    strcpy(f->server, "127.0.0.1:1");
    assert_int_equal(SUBSCRIBE(f, "--json"), 1);
    assert_says(f->run.err, "127.0.0.1:1 cannot be reached: ");
    strcpy(f->server, "--json");
    assert_int_equal(SUBSCRIBE(f, "--json"), 2);
    assert_says(f->run.err, "the server is missing");
}

/* Whether a process has a handler for that signal, as /proc says. */
static bool handles(pid_t pid, int number)
{
    char path[64], line[256];
    unsigned long long caught = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *status = fopen(path, "re");
    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, "SigCgt: %llx", &caught) == 1)
            break;
    if (status)
        fclose(status);
    return caught >> (number - 1) & 1;
}

static void a_signal_ends_it_with_what_has_come(void **state)
{
    fixture_t *f = *state;
    soup_fake_script_t script = usual;
    script.ends = false;
    start(f, &script, NULL);
    const char *const argv[] = {TICKBUS_BUSCTL, "subscribe", f->server, "--raw", f->raw, NULL};
    f->run = (program_t){.argv = argv};
    assert_true(program_start(&f->run));
    while (soup_fake_logins(f->fake) == 0)
        assert_false(program_ended(&f->run));
    while (access(f->raw, F_OK) != 0) /* the file is opened just before the handler is set */
        assert_false(program_ended(&f->run));
    while (!handles(f->run.pid, SIGINT))
        assert_false(program_ended(&f->run));
    assert_int_equal(kill(f->run.pid, SIGINT), 0);
    program_wait(&f->run);
    f->run.argv = NULL;
    assert_int_equal(f->run.exit_code, 0);
    assert_says(f->run.out, " messages, ");
    assert_says(f->run.out, "connected anew 0 times\n"); /* and the session has not ended */
}

/* Runs busctl with these arguments, NULL at the end. */
static void busctl(fixture_t *f, const char *const *argv)
{
    program_clear(&f->run);
    f->run = (program_t){.argv = argv};
    if (program_run(&f->run) != 0)
        fail_msg("%s %s: %s", argv[1], argv[2], f->run.err);
    f->run.argv = NULL;
}

static void a_remote_feed_on_rings_is_what_was_fed_byte_for_byte(void **state)
{
    fixture_t *f = *state;
    char runtime[SCRATCH_PATH_MAX], journal[128], feed[128];
    if (!load(f, "itch_aapl_20200130_5k/aapl_5k.itch"))
        skip();
    soup_fake_script_t script = usual;
    script.message = from_file;
    script.context = f;
    script.messages = f->file_messages;
    start(f, &script, break_often);
    scratch_create_runtime(runtime);
    snprintf(journal, sizeof journal, "%s/journal", f->root);
    snprintf(feed, sizeof feed, "soup:%s", f->server);
    busctl(f, (const char *const[]){TICKBUS_BUSCTL, "start", "--feed", feed, "--journal", journal,
                                    NULL});
    busctl(f, (const char *const[]){TICKBUS_BUSCTL, "journal", "export", journal, "--format",
                                    "itch", "--topic", "md", "-o", f->raw, NULL});
    size_t bytes;
    char *raw = file_read(f->raw, &bytes);
    assert_non_null(raw);
    assert_int_equal(bytes, f->file_bytes);
    assert_memory_equal(raw, f->file, bytes);
    free(raw);
    busctl(f, (const char *const[]){TICKBUS_BUSCTL, "journal", "export", journal, "--topic", "md",
                                    "--format", "jsonl", "--from", "seq:5000", NULL});
    assert_says(f->run.out, "\"seq\":5000,"); /* the sequences of md are those of the server */
    assert_int_equal(scratch_remove_runtime(runtime), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_fed_comes_out_byte_for_byte_over_broken_connections),
        TEST(messages_are_printed_as_tap_prints_them),
        TEST(what_is_no_itch_is_shown_all_the_same),
        TEST(an_end_mark_is_the_message_without_bytes_behind_which_the_session_ends),
        TEST(a_proof_ends_with_what_is_wrong),
        TEST(a_proof_of_a_part_reads_on_to_the_end_of_its_block),
        TEST(a_gap_is_a_failure_without_a_proof_too),
        TEST(users_and_passwords_come_from_files),
        TEST(what_cannot_be_is_refused_with_words),
        TEST(a_signal_ends_it_with_what_has_come),
        TEST(a_remote_feed_on_rings_is_what_was_fed_byte_for_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
