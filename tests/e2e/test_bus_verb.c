/* SPDX-License-Identifier: Apache-2.0 */
/* `busctl bus`: a bus without stages, kept for programs that join it; and the examples, which
 * do. */
#include "tests/e2e/running_bus.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <tickbus/msg/bbo.h>
#include <tickbus/open.h>

/* `busctl bus BUS ...` in the background, until it answers. The arguments end with NULL. */
static void keep_bus(fixture_t *f, ...)
{
    unsigned count = 0;
    va_list arguments;
    program_clear(&f->start);
    f->argv[count++] = TICKBUS_BUSCTL;
    f->argv[count++] = "bus";
    f->argv[count++] = f->bus;
    va_start(arguments, f);
    for (const char *argument; (argument = va_arg(arguments, const char *)) != NULL;)
        f->argv[count++] = argument;
    va_end(arguments);
    f->argv[count] = NULL;
    f->start = (program_t){.argv = f->argv};
    assert_true(program_start(&f->start));
    for (json_t *summary = NULL; !summary; json_decref(summary)) {
        summary = ask(f, "status", NULL);
        if (!summary && program_ended(&f->start))
            fail_msg("it ended: %s", f->start.err);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

static void stop_bus(fixture_t *f)
{
    const char *const argv[] = {TICKBUS_BUSCTL, "stop", "--name", f->bus, NULL};
    program_t stop = {.argv = argv};
    assert_int_equal(program_run(&stop), 0);
    program_clear(&stop);
}

static pid_t in_child(const fixture_t *f, void (*act)(tbus_bus_t *bus))
{
    int ready[2];
    char x;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        tbus_bus_t bus;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (tbus_bus_open(f->bus, "guest", TBUS_FOREVER, &bus, NULL) < 0)
            _exit(1);
        act(&bus);
        if (write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &x, 1), 1);
    close(ready[0]);
    return child;
}

static void publish_and_subscribe(tbus_bus_t *bus)
{
    static tbus_publisher_t out;
    static tbus_subscriber_t in;
    if (tbus_bus_publisher(bus, "hello", &out, NULL) < 0 ||
        tbus_bus_subscriber(bus, "jobs", &in, NULL) < 0 ||
        tbus_publish_wait(bus, &out, "x", 1, 0) != TBUS_PUBLISHED)
        _exit(1);
}

/* Nobody else joins, so that nobody but the supervisor can bury it. */
static void the_supervisor_learns_of_a_death_by_itself_and_buries_the_dead(void **state)
{
    fixture_t *f = *state;
    keep_bus(f, "--topic", "hello", "--topic", "jobs:mpmc,64", NULL);
    pid_t guest = in_child(f, publish_and_subscribe);
    json_t *summary = ask(f, "status", NULL);
    const json_t *joined = json_array_get(json_object_get(summary, "participants"), 0);
    assert_string_equal(json_string_value(json_object_get(joined, "name")), "guest");
    assert_int_equal(json_integer_value(json_object_get(joined, "pid")), guest);
    assert_string_equal(json_string_value(json_array_get(json_object_get(joined, "publishes"), 0)),
                        "hello");
    assert_string_equal(json_string_value(json_array_get(json_object_get(joined, "subscribes"), 0)),
                        "jobs");
    assert_int_equal(number(json_object_get(summary, "topics"), "hello", "published"), 1);
    json_decref(summary);
    kill(guest, SIGKILL);
    assert_int_equal(waitpid(guest, NULL, 0), guest);
    for (bool buried = false; !buried;) {
        summary = ask(f, "status", NULL);
        const json_t *jobs = json_object_get(json_object_get(summary, "topics"), "jobs");
        buried = json_array_size(json_object_get(summary, "participants")) == 0 &&
                 json_array_size(json_object_get(jobs, "subscribers")) == 0;
        json_decref(summary);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    kill(f->start.pid, SIGTERM);
    assert_ended_with(f, 0);
}

static void a_bus_without_stages_says_how_it_went_in_words_and_as_json(void **state)
{
    fixture_t *f = *state;
    keep_bus(f, "--topic", "hello", "--topic", "jobs:mpmc,64,128", "--json", NULL);
    assert_null(ask(f, "risk.halt", json_pack("{s:s}", "reason", "no orders here")));
    stop_bus(f);
    assert_ended_with(f, 0);
    json_t *summary = final_object(f);
    const json_t *topics = json_object_get(summary, "topics");
    assert_string_equal(json_string_value(json_object_get(summary, "name")), f->bus);
    assert_string_equal(json_string_value(json_object_get(summary, "state")), "ended");
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(topics, "hello"), "kind")), "broadcast");
    assert_string_equal(json_string_value(json_object_get(json_object_get(topics, "jobs"), "kind")),
                        "mpmc");
    assert_int_equal(number(topics, "jobs", "slots"), 64);
    assert_null(json_object_get(summary, "feed"));
    json_decref(summary);
    keep_bus(f, "--topic", "hello:spsc", NULL);
    kill(f->start.pid, SIGINT);
    assert_ended_with(f, 0);
    assert_text_holds(f->start.out, "ran for");
    assert_text_holds(f->start.out, "spsc");
}

static void a_wrong_topic_is_refused_with_what_is_allowed(void **state)
{
    static const struct {
        const char *topic;
        const char *says;
    } wrong[] = {
        {"", "1 to 23 characters"},
        {":mpmc", "1 to 23 characters"},
        {"a/b", "without '/'"},
        {"a_name_that_is_much_too_long", "1 to 23 characters"},
        {"a:ring", "the kinds are"},
        {"a:", "the kinds are"},
        {"a:mpmc,", "power of two"},
        {"a:mpmc,100", "power of two"},
        {"a:mpmc,-64", "power of two"},
        {"a:mpmc,64,100", "multiple of 64"},
        {"a:mpmc,64,x", "multiple of 64"},
        {"a:mpmc,64,64,64", "multiple of 64"},
    };
    fixture_t *f = *state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const char *const argv[] = {TICKBUS_BUSCTL, "bus", f->bus, "--topic", wrong[i].topic, NULL};
        program_t p = {.argv = argv};
        assert_int_equal(program_run(&p), 2);
        assert_text_holds(p.err, wrong[i].says);
        program_clear(&p);
    }
    const char *const lines[][6] = {
        {TICKBUS_BUSCTL, "bus", "--topic", "a", NULL},
        {TICKBUS_BUSCTL, "bus", f->bus, NULL},
        {TICKBUS_BUSCTL, "bus", "..", "--topic", "a", NULL},
        {TICKBUS_BUSCTL, "bus", f->bus, "again", "--topic=a", NULL},
        {TICKBUS_BUSCTL, "bus", f->bus, "--topic=a", "--pages=soft", NULL},
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        program_t p = {.argv = lines[i]};
        assert_int_equal(program_run(&p), 2);
        program_clear(&p);
    }
    const char *const twice[] = {TICKBUS_BUSCTL, "bus", f->bus, "--topic=a", "--topic=a", NULL};
    program_t p = {.argv = twice};
    assert_int_equal(program_run(&p), 1);
    assert_text_holds(p.err, "'a' is there already");
    program_clear(&p);
}

/* --- hello, world */

#define EXAMPLE(name) TICKBUS_EXAMPLES "/" name

static unsigned lines_of_code(const char *path)
{
    unsigned lines = 0;
    bool comment = false;
    char *text = file_read(path, NULL);
    assert_non_null(text);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        line += strspn(line, " \t");
        comment |= strncmp(line, "/*", 2) == 0;
        lines += !comment && *line && strncmp(line, "//", 2) != 0;
        comment &= !strstr(line, "*/");
    }
    free(text);
    return lines;
}

static void hello_world_takes_at_most_fifteen_lines_a_side(void **state)
{
    (void)state;
    unsigned out = lines_of_code(TICKBUS_SOURCE_DIR "/bus/examples/hello_publisher.c");
    unsigned in = lines_of_code(TICKBUS_SOURCE_DIR "/bus/examples/hello_subscriber.c");
    print_message("hello, world: %u and %u lines\n", out, in);
    assert_in_range(out, 10, 15);
    assert_in_range(in, 10, 15);
}

static const char *const say[] = {EXAMPLE("hello_publisher"), NULL};
/* What it prints is looked at while it runs. */
static const char *const hear[] = {"stdbuf", "-oL", EXAMPLE("hello_subscriber"), NULL};

static unsigned count_in(const char *text, const char *word)
{
    unsigned count = 0;
    for (const char *at = text; (at = strstr(at, word)) != NULL; at++)
        count++;
    return count;
}

/* Until a running program has printed a word so often. */
static void wait_for_words(program_t *p, const char *word, unsigned times)
{
    for (unsigned seen = 0; seen < times;) {
        char path[64];
        if (program_ended(p))
            fail_msg("it ended: %s", p->err);
        snprintf(path, sizeof path, "/proc/self/fd/%d", p->out_fd);
        char *text = file_read(path, NULL);
        seen = text ? count_in(text, word) : 0;
        free(text);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
}

/* The examples open the bus "demo": the run directory is the fixture's own. */
static void hello_world_works_in_either_order_and_survives_the_other_side(void **state)
{
    fixture_t *f = *state;
    snprintf(f->bus, sizeof f->bus, "demo");
    program_t reader = {.argv = hear}, writer = {.argv = say};
    setenv("ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0", 1); /* of stdbuf(1) */
    assert_true(program_start(&reader)); /* before there is a bus */
    keep_bus(f, "--topic", "hello", NULL);
    assert_true(program_start(&writer));
    wait_for_words(&reader, "hello, world\n", 1);

    program_clear(&writer); /* by kill -9 */
    wait_for_words(&reader, "nobody is there", 1);
    assert_true(program_start(&writer));
    wait_for_words(&reader, "hello, world\n", 2);

    program_clear(&reader);
    assert_false(program_ended(&writer));
    reader = (program_t){.argv = hear};
    assert_true(program_start(&reader)); /* after the publisher */
    wait_for_words(&reader, "hello, world\n", 1);

    stop_bus(f);
    assert_ended_with(f, 0);
    program_wait(&reader);
    program_wait(&writer);
    assert_int_equal(reader.exit_code, 0); /* they were told that it was over */
    assert_int_equal(writer.exit_code, 0);
    program_clear(&reader);
    program_clear(&writer);
}

/* --- on a pipeline */

#define SLOW_FEED                                                                                  \
    "--feed", "synth:seed=3,messages=6000,symbols=4", "--pace", "6000/s", "--wait", "park"

/* The next line of the watcher, as it must be for this row: seq,md_seq,locate,symbol,... */
static char *check_touch(char *watched, const char *row)
{
    unsigned long long md_seq, event_ns, bid_qty, ask_qty;
    unsigned bid_px, ask_px;
    char expected[200];
    const char *at = strstr(row, ",SYN002,");
    const char *locate = at;
    while (locate[-1] != ',') /* the number before the symbol */
        locate--;
    const char *seq = locate - 1;
    while (seq > row && seq[-1] != ',' && seq[-1] != '\n')
        seq--;
    md_seq = strtoull(seq, NULL, 10);
    assert_int_equal(
        sscanf(at, ",SYN002,%llu,%u,%llu,%u,%llu", &event_ns, &bid_px, &bid_qty, &ask_px, &ask_qty),
        5);
    snprintf(expected, sizeof expected, "%llu  %.9f  bid %llu at %.4f  ask %llu at %.4f\n", md_seq,
             (double)event_ns / 1e9, bid_qty, bid_px / 1e4, ask_qty, ask_px / 1e4);
    assert_memory_equal(watched, expected, strlen(expected));
    return watched + strlen(expected);
}

static void a_watcher_sees_every_change_of_the_best_that_the_pipeline_saw(void **state)
{
    fixture_t *f = *state;
    char journal[SCRATCH_PATH_MAX + 16];
    snprintf(journal, sizeof journal, "%s/journal", f->runtime);
    const char *const watch[] = {EXAMPLE("book_watcher"), "SYN002", f->bus, NULL};
    const char *const other[] = {TICKBUS_BUSCTL, "journal",  "export", journal, "--topic",
                                 "bbo",          "--format", "csv",    NULL};
    program_t watcher = {.argv = watch}, export = {.argv = other};
    assert_true(program_start(&watcher)); /* it waits for the bus */
    assert_int_equal(run(f, "start", SLOW_FEED, "--journal", journal, NULL), 0);
    program_wait(&watcher);
    if (watcher.exit_code)
        fail_msg("%s", watcher.err);
    assert_string_equal(watcher.err, ""); /* nothing lost */
    assert_int_equal(program_run(&export), 0);
    unsigned changes = 0;
    char *watched = watcher.out;
    for (char *row = strtok(export.out, "\n"); row; row = strtok(NULL, "\n"))
        if (strstr(row, ",SYN002,")) {
            watched = check_touch(watched, row);
            changes++;
        }
    assert_true(changes > 10);
    assert_int_equal(*watched, 0);
    program_clear(&watcher);
    program_clear(&export);
}

static void nobody_joins_in_on_the_topics_of_a_pipeline_unasked(void **state)
{
    fixture_t *f = *state;
    json_decref(begin(f, 100, ENDLESS_FEED, NULL));
    tbus_bus_t bus;
    tbus_error_t err = {0};
    tbus_publisher_t out;
    tbus_subscriber_t in;
    assert_int_equal(tbus_bus_open(f->bus, "stranger", 0, &bus, &err), 0);
    assert_int_equal(bus.owner, 0);
    assert_int_equal(tbus_bus_publisher(&bus, "orders", &out, &err), -EACCES);
    assert_text_holds(err.text, "topics.orders.publish");
    assert_int_equal(tbus_bus_subscriber(&bus, "md", &in, &err), -EACCES);
    tbus_bus_close(&bus);
    kill(f->start.pid, SIGINT);
    assert_ended_with(f, 0);
}

/* Reads until it is told to die. */
static void follow_bbo(tbus_bus_t *bus)
{
    tbus_subscriber_t in;
    const void *message;
    if (tbus_bus_subscriber(bus, "bbo", &in, NULL) < 0 ||
        tbus_take_wait(bus, &in, &message, NULL, TBUS_FOREVER) != TBUS_TAKEN)
        _exit(1);
}

static void who_is_let_in_gates_and_its_death_holds_the_pipeline_up_no_longer(void **state)
{
    fixture_t *f = *state;
    json_decref(begin(f, 100, ENDLESS_FEED, "--json", "--set", "topics.bbo.gate=everybody", "--set",
                      "topics.bbo.slots=64", NULL));
    tbus_bus_t bus;
    tbus_subscriber_t in;
    tbus_publisher_t out;
    const void *message;
    size_t bytes;
    assert_int_equal(tbus_bus_open(f->bus, "feed", 0, &bus, NULL), -TBUS_EEXISTS); /* a stage */
    assert_int_equal(tbus_bus_open(f->bus, "strategist", 0, &bus, NULL), 0);
    assert_int_equal(tbus_bus_subscriber(&bus, "md", &in, NULL), -EACCES);
    assert_int_equal(tbus_bus_publisher(&bus, "bbo", &out, NULL), -EACCES);
    assert_int_equal(tbus_bus_subscriber(&bus, "bbo", &in, NULL), 0);
    uint64_t expected = in.seq;
    for (unsigned i = 0; i < 500; i++) {
        assert_int_equal(tbus_take_wait(&bus, &in, &message, &bytes, TBUS_FOREVER), TBUS_TAKEN);
        assert_int_equal(in.seq, expected++);
        assert_int_equal(bytes, sizeof(bbo_t));
    }
    tbus_bus_close(&bus);
    pid_t guest = in_child(f, follow_bbo); /* with a message in hand, and then no more */
    kill(guest, SIGKILL);
    assert_int_equal(waitpid(guest, NULL, 0), guest);
    json_t *summary = ask(f, "status", NULL);
    unsigned messages = (unsigned)number(summary, "feed", "messages");
    json_decref(summary);
    json_decref(wait_for(f, messages + 5000)); /* it goes on */
    kill(f->start.pid, SIGINT);
    assert_ended_with(f, 0);
    summary = final_object(f);
    assert_int_equal(json_array_size(json_object_get(summary, "errors")), 0);
    json_decref(summary);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_supervisor_learns_of_a_death_by_itself_and_buries_the_dead),
        TEST(a_bus_without_stages_says_how_it_went_in_words_and_as_json),
        TEST(a_wrong_topic_is_refused_with_what_is_allowed),
        TEST(hello_world_takes_at_most_fifteen_lines_a_side),
        TEST(hello_world_works_in_either_order_and_survives_the_other_side),
        TEST(a_watcher_sees_every_change_of_the_best_that_the_pipeline_saw),
        TEST(nobody_joins_in_on_the_topics_of_a_pipeline_unasked),
        TEST(who_is_let_in_gates_and_its_death_holds_the_pipeline_up_no_longer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
