/* SPDX-License-Identifier: Apache-2.0 */
/* why.c - how long does `busctl why` take for an order of a finished session, wherever in it that
 * is? In this process, and as a command, beside a command that does nothing (`busctl --version`).
 *
 * Orders are drawn from the session in the directory that the user names, so that one can ask it of
 * any session; the three take turns. The index of its orders is made first, if it is missing.
 */
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fcntl.h>

#include <tickbus/clock.h>

#include "bench/program.h"
#include "tools/journal/order_index_make.h"
#include "tools/journal/why_answer.h"
#include "tools/journal/why_show.h"
#include "tools/measure/rank.h"

#define ORDERS_MAX 10000u

enum way { HERE, COMMAND, NOTHING, WAYS };
static const char *const names[WAYS] = {"in_process", "command", "empty_command"};

typedef struct bench {
    const char *directory;
    uint64_t orders;
    uint64_t seed;
    bool json;
    double made_s; /* what the index took; 0: it was there */
    uint64_t session_orders;
    uint32_t *us[WAYS];
} bench_t;

static const char usage[] = "usage: bench_why [--orders N] [--seed N] [--json] DIR\n"
                            "Times of busctl why for orders drawn from the session in DIR.\n"
                            "  --orders N    1..10000 (default 50)\n"
                            "  --seed N      of the draw (default 1)\n"
                            "example: bench_why ./session1\n";

/* xorshift64 */
static uint64_t draw(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static uint32_t us_since(uint64_t started_ns)
{
    return (uint32_t)((tbus_clock_ns() - started_ns) / 1000);
}

/* Both forms of the answer, into memory. */
static uint32_t answer_here(const bench_t *b, uint64_t id)
{
    why_answer_t answer;
    tbus_error_t err = {0};
    char *text = NULL;
    size_t bytes = 0;
    uint64_t started_ns = tbus_clock_ns();
    bench_must(why_answer(b->directory, id, &answer, &err), "an order", err.text);
    FILE *out = open_memstream(&text, &bytes);
    why_print(&answer, out);
    json_t *object = why_json(&answer);
    json_dumpf(object, out, 0);
    json_decref(object);
    fclose(out);
    uint32_t us = us_since(started_ns);
    bench_must(answer.there && answer.indexed && bytes ? 0 : -1, "an order", "not by the index");
    free(text);
    why_answer_clear(&answer);
    return us;
}

static uint32_t run_command(const char *const *argv)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status = -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    uint64_t started_ns = tbus_clock_ns();
    int code = posix_spawn(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
    if (code == 0)
        waitpid(pid, &status, 0);
    uint32_t us = us_since(started_ns);
    posix_spawn_file_actions_destroy(&actions);
    bench_must(status == 0 ? 0 : -1, argv[0], "it failed");
    return us;
}

static void measure(bench_t *b, const why_session_t *session)
{
    uint64_t state = b->seed;
    char id[24];
    const char *const why[] = {TICKBUS_BUSCTL, "why", id, b->directory, NULL};
    const char *const nothing[] = {TICKBUS_BUSCTL, "--version", NULL};
    for (uint64_t i = 0; i < b->orders; i++) {
        uint64_t order_id = session->entries[draw(&state) % session->entries_count].order_id;
        snprintf(id, sizeof id, "%lu", (unsigned long)order_id);
        b->us[HERE][i] = answer_here(b, order_id);
        b->us[COMMAND][i] = run_command(why);
        b->us[NOTHING][i] = run_command(nothing);
    }
}

static void prepare(bench_t *b, why_session_t *session)
{
    tbus_error_t err = {0};
    uint64_t started_ns = tbus_clock_ns();
    int made = bench_must(order_index_ensure(b->directory, &err), "the index", err.text);
    b->made_s = made ? (double)(tbus_clock_ns() - started_ns) / 1e9 : 0;
    bench_must(why_session_read(b->directory, session, &err), "the session", err.text);
    bench_must(session->entries_count ? 0 : -1, b->directory, "it has no orders");
    b->session_orders = session->entries_count;
    for (unsigned way = 0; way < WAYS; way++) {
        b->us[way] = calloc(b->orders, sizeof *b->us[way]);
        bench_must(b->us[way] ? 0 : -1, "times", "no memory");
    }
}

static void print_json(const bench_t *b)
{
    json_t *object = json_pack("{s:o,s:I,s:I,s:f}", "host", bench_host(), "session_orders",
                               (json_int_t)b->session_orders, "orders", (json_int_t)b->orders,
                               "index_made_s", b->made_s);
    for (unsigned way = 0; way < WAYS; way++)
        json_object_set_new(object, names[way],
                            json_pack("{s:i,s:i,s:i}", "us_min",
                                      (int)rank_u32(b->us[way], b->orders, 0), "us_median",
                                      (int)rank_u32(b->us[way], b->orders, 500), "us_max",
                                      (int)rank_u32(b->us[way], b->orders, 1000)));
    json_dumpf(object, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(object);
}

static void print_words(const bench_t *b)
{
    printf("%lu of %lu orders", (unsigned long)b->orders, (unsigned long)b->session_orders);
    if (b->made_s > 0)
        printf("; their index took %.1f s", b->made_s);
    printf("\n%-14s %8s %8s %8s   us\n", "", "min", "median", "max");
    for (unsigned way = 0; way < WAYS; way++)
        printf("%-14s %8u %8u %8u\n", names[way], rank_u32(b->us[way], b->orders, 0),
               rank_u32(b->us[way], b->orders, 500), rank_u32(b->us[way], b->orders, 1000));
}

int main(int argc, char **argv)
{
    bench_t b = {.orders = 50, .seed = 1};
    const bench_option_t options[] = {{"orders", .number = &b.orders, .highest = ORDERS_MAX},
                                      {"seed", .number = &b.seed, .highest = UINT64_MAX},
                                      {"json", .flag = &b.json},
                                      {0}};
    why_session_t session;
    (void)bench_option(argc, argv, options, 1, usage); /* all of them go somewhere */
    b.directory = argv[argc - 1];
    prepare(&b, &session);
    measure(&b, &session);
    (b.json ? print_json : print_words)(&b);
    why_session_clear(&session);
    for (unsigned way = 0; way < WAYS; way++)
        free(b.us[way]);
    return 0;
}
