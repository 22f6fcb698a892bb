/* SPDX-License-Identifier: Apache-2.0 */
/* What a user can get wrong, and what a host can lack, through busctl: each refused or survived in
 * the way that the message says. The ITCH files are made here; recorded data is needed only where a
 * real file of another protocol must be refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/market_data.h"
#include "tests/support/program.h"

#define PATH_BYTES     (SCRATCH_PATH_MAX + 32)
#define FILE_BYTES_MAX 65536u

/* ---- a BinaryFILE of ITCH messages, built by hand (ITCH 5.0 section 1.3; protocols of the framing
 * in feedsim/itch/binaryfile.h) */

typedef struct file {
    uint8_t bytes[FILE_BYTES_MAX];
    size_t count;
    unsigned messages;
} file_t;

static void put(file_t *file, uint64_t value, unsigned bytes)
{
    for (unsigned i = bytes; i-- > 0;)
        file->bytes[file->count++] = (uint8_t)(value >> (8 * i));
}

static void put_header(file_t *file, unsigned length, char type)
{
    put(file, length, 2);
    put(file, (uint8_t)type, 1);
    put(file, 1, 2); /* stock locate */
    put(file, 0, 2); /* tracking number */
    put(file, UINT64_C(34200000000000) + file->messages, 6);
    file->messages++;
}

#define ADD_ORDER_BYTES 36u
#define FRAME_BYTES     (2u + ADD_ORDER_BYTES)

static void put_add_order(file_t *file)
{
    uint64_t reference = file->messages + 1;
    bool buy = reference % 2;
    put_header(file, ADD_ORDER_BYTES, 'A');
    put(file, reference, 8);
    put(file, buy ? 'B' : 'S', 1);
    put(file, 100 + reference, 4);
    memcpy(file->bytes + file->count, "TEST    ", 8);
    file->count += 8;
    put(file, buy ? 1000000 - 100 * reference : 1000100 + 100 * reference, 4);
}

/* `body` bytes after the header, counting up. */
static void put_unknown(file_t *file, char type, unsigned body)
{
    put_header(file, 11 + body, type);
    for (unsigned i = 0; i < body; i++)
        put(file, i & 0xff, 1);
}

static void put_add_orders(file_t *file, unsigned count)
{
    while (count-- > 0)
        put_add_order(file);
}

/* ---- running busctl on it */

typedef struct fixture {
    char scratch[SCRATCH_PATH_MAX];
    char input[PATH_BYTES];
    char feed[PATH_BYTES + 8];
    char journal[PATH_BYTES];
    char name[32];
    file_t file;
    program_t program;
    program_t other; /* one that runs meanwhile */
    json_t *summary;
} fixture_t;

static int setup(void **state)
{
    fixture_t *f = calloc(1, sizeof *f);
    assert_non_null(f);
    scratch_create_runtime(f->scratch);
    snprintf(f->input, sizeof f->input, "%s/input.itch", f->scratch);
    snprintf(f->feed, sizeof f->feed, "itch:%s", f->input);
    snprintf(f->journal, sizeof f->journal, "%s/journal", f->scratch);
    snprintf(f->name, sizeof f->name, "bad-%d", (int)getpid());
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture_t *f = *state;
    program_clear(&f->program);
    program_clear(&f->other);
    json_decref(f->summary);
    chmod(f->journal, 0700);
    unsigned left = scratch_remove_runtime(f->scratch);
    free(f);
    if (left)
        print_error("left behind in the run directory: %u files\n", left);
    return left ? -1 : 0;
}

/* `busctl start` on `feed`, with small books and parked waiting: there are many of these runs, and
 * spinning would only get in the way of whatever else runs on this machine. What it printed and its
 * summary, if any, stay in the fixture. Returns the exit code. */
static int start_with(fixture_t *f, const char *feed, const char *setting, void (*in_child)(void))
{
    const char *const argv[] = {TICKBUS_BUSCTL,
                                "start",
                                "--json",
                                "--feed",
                                feed,
                                "--pace",
                                "max",
                                "--journal",
                                f->journal,
                                "--name",
                                f->name,
                                "--strategy",
                                "null",
                                "--wait",
                                "park",
                                "--set",
                                "books.orders_max=4096",
                                "--set",
                                "books.levels_max=4096",
                                "--set",
                                setting,
                                NULL};
    program_clear(&f->program);
    json_decref(f->summary);
    f->program = (program_t){.argv = argv, .in_child = in_child};
    program_run(&f->program);
    f->program.argv = NULL;
    f->summary = json_loads(f->program.out, 0, NULL);
    return f->program.exit_code;
}

static int start(fixture_t *f, const char *feed, void (*in_child)(void))
{
    return start_with(f, feed, "bus.pages=auto", in_child);
}

static int start_on_file(fixture_t *f)
{
    assert_true(file_write(f->input, f->file.bytes, f->file.count));
    return start(f, f->feed, NULL);
}

static void assert_says(const fixture_t *f, const char *text)
{
    if (!strstr(f->program.err, text)) {
        print_error("\"%s\" is not in what busctl said: %s\n", text, f->program.err);
        fail();
    }
}

static void assert_says_number(const fixture_t *f, const char *before, unsigned long long number)
{
    char text[64];
    snprintf(text, sizeof text, "%s %llu", before, number);
    assert_says(f, text);
}

static uint64_t delivered(const fixture_t *f)
{
    return (uint64_t)json_integer_value(
        json_object_get(json_object_get(f->summary, "feed"), "messages"));
}

/* The journal gives back the first `bytes` bytes of the input. */
static void assert_recorded(const fixture_t *f, size_t bytes)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/export.itch", f->scratch);
    const char *const argv[] = {TICKBUS_BUSCTL, "journal", "export", f->journal, "--topic", "md",
                                "--format",     "itch",    "-o",     path,       NULL};
    program_t p = {.argv = argv};
    if (program_run(&p) != 0)
        print_error("export failed: %s\n", p.err);
    assert_int_equal(p.exit_code, 0);
    program_clear(&p);
    size_t exported_bytes = 0;
    char *exported = file_read(path, &exported_bytes);
    assert_non_null(exported);
    remove(path);
    assert_int_equal(exported_bytes, bytes);
    assert_memory_equal(exported, f->file.bytes, bytes);
    free(exported);
}

/* Refused before anything ran: exit code 1, one clear line, nothing delivered. */
static void assert_refused(fixture_t *f, const char *feed, const char *says)
{
    assert_int_equal(start(f, feed, NULL), 1);
    assert_says(f, says);
    assert_int_equal(delivered(f), 0);
}

/* ---- input */

static void a_missing_file_is_refused_by_name(void **state)
{
    fixture_t *f = *state;
    assert_refused(f, f->feed, f->input);
    assert_says(f, "No such file");
}

static void an_empty_file_is_refused(void **state)
{
    fixture_t *f = *state;
    assert_true(file_write(f->input, "", 0));
    assert_refused(f, f->feed, "empty");
    assert_says(f, f->input);
}

static void a_directory_is_refused(void **state)
{
    fixture_t *f = *state;
    char feed[PATH_BYTES];
    snprintf(feed, sizeof feed, "itch:%s", f->scratch);
    assert_refused(f, feed, f->scratch);
}

static void a_file_cut_at_any_byte_of_its_last_message_delivers_all_before_it(void **state)
{
    fixture_t *f = *state;
    put_add_orders(&f->file, 20);
    size_t whole = f->file.count, last = whole - FRAME_BYTES;
    for (f->file.count = last + 1; f->file.count < whole; f->file.count++) {
        assert_int_equal(start_on_file(f), 1);
        assert_says_number(f, "byte", last);
        assert_says_number(f, "message", 19);
        assert_int_equal(delivered(f), 19);
        assert_recorded(f, last);
        scratch_remove(f->journal);
    }
}

static void a_wrong_length_ends_the_feed_with_its_place_and_keeps_what_came_before(void **state)
{
    fixture_t *f = *state;
    put_add_orders(&f->file, 100);
    size_t at = 60 * FRAME_BYTES;
    f->file.bytes[at + 1] = ADD_ORDER_BYTES - 1;
    assert_int_equal(start_on_file(f), 1);
    assert_says_number(f, "byte", at);
    assert_says_number(f, "message", 60);
    assert_int_equal(delivered(f), 60);
    assert_recorded(f, at);
}

static void a_zero_length_in_the_middle_ends_the_feed_with_its_place(void **state)
{
    fixture_t *f = *state;
    put_add_orders(&f->file, 60);
    size_t at = f->file.count;
    put(&f->file, 0, 2);
    put_add_orders(&f->file, 40);
    assert_int_equal(start_on_file(f), 1);
    assert_says_number(f, "byte", at);
    assert_int_equal(delivered(f), 60);
    assert_recorded(f, at);
}

static void unknown_message_types_are_carried_verbatim_and_counted(void **state)
{
    fixture_t *f = *state;
    put_add_orders(&f->file, 40);
    put_unknown(&f->file, 'z', 0);
    put_unknown(&f->file, 'z', 39);
    put_unknown(&f->file, 'z', 189); /* 200 bytes in all */
    put_unknown(&f->file, 'y', 3000);
    put_add_orders(&f->file, 40);
    assert_int_equal(start_on_file(f), 0);
    assert_int_equal(delivered(f), 84);
    json_t *by_type = json_object_get(json_object_get(f->summary, "feed"), "by_type");
    assert_int_equal(json_integer_value(json_object_get(by_type, "z")), 3);
    assert_int_equal(json_integer_value(json_object_get(by_type, "y")), 1);
    assert_int_equal(json_integer_value(json_object_get(by_type, "A")), 80);
    assert_recorded(f, f->file.count);
}

static void an_end_of_session_marker_is_given_back_too(void **state)
{
    fixture_t *f = *state;
    put_add_orders(&f->file, 20);
    put(&f->file, 0, 2);
    assert_int_equal(start_on_file(f), 0);
    assert_int_equal(delivered(f), 20);
    assert_recorded(f, f->file.count);
}

static void text_is_refused_as_itch(void **state)
{
    fixture_t *f = *state;
    static const char text[] =
        "time,price,size\n34200.000000001,5859400,18\n34200.000000002,5859300,20\n";
    assert_true(file_write(f->input, text, sizeof text - 1));
    assert_refused(f, f->feed, "text");
}

static void a_pcapng_capture_of_another_protocol_is_refused_as_itch(void **state)
{
    fixture_t *f = *state;
    char path[MARKET_DATA_PATH_MAX], feed[MARKET_DATA_PATH_MAX + 8];
    if (!market_data_path("iex_tops16_pcapng/TOPS16.pcapng.gz", path))
        skip();
    snprintf(feed, sizeof feed, "itch:%s", path);
    assert_refused(f, feed, "pcapng");
}

static void a_file_of_zero_length_prefixes_is_refused_as_itch(void **state)
{
    fixture_t *f = *state;
    char path[MARKET_DATA_PATH_MAX], feed[MARKET_DATA_PATH_MAX + 8];
    if (!market_data_path("itch_ritch_artificial_12k/ritch_zero_prefix.bin", path))
        skip();
    snprintf(feed, sizeof feed, "itch:%s", path);
    assert_refused(f, feed, path);
}

/* ---- the host */

static long meminfo(const char *field)
{
    long value = -1;
    char line[128];
    FILE *file = fopen("/proc/meminfo", "re");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, field, strlen(field)) == 0)
            value = atol(line + strlen(field));
    if (file)
        fclose(file);
    return value;
}

static void pool_resize(long pages)
{
    int fd = open("/proc/sys/vm/nr_hugepages", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        dprintf(fd, "%ld\n", pages);
        close(fd);
    }
}

static long pool_before; /* huge pages that the host had; to be put back */

/* Empties the pool of huge pages, unless somebody uses them. */
static int setup_without_huge_pages(void **state)
{
    pool_before = meminfo("HugePages_Total:");
    if (pool_before > 0 && pool_before == meminfo("HugePages_Free:"))
        pool_resize(0);
    return setup(state);
}
static int teardown_without_huge_pages(void **state)
{
    if (meminfo("HugePages_Total:") != pool_before)
        pool_resize(pool_before);
    return teardown(state);
}

static void without_huge_pages_it_runs_on_small_ones_and_says_so(void **state)
{
    fixture_t *f = *state;
    if (meminfo("HugePages_Free:") > 0) {
        print_message("somebody uses huge pages here, or they may not be taken away: the pool "
                      "stays as it is\n");
        skip();
    }
    put_add_orders(&f->file, 20);
    assert_int_equal(start_on_file(f), 0);
    assert_int_equal(delivered(f), 20);
    char *pages = json_dumps(json_object_get(f->summary, "pages"), JSON_ENCODE_ANY);
    assert_non_null(pages);
    assert_null(strstr(pages, "hugetlb"));
    free(pages);
    assert_says(f, "huge pages");
}

static void huge_pages_insisted_on_are_counted_for_all_rings(void **state)
{
    fixture_t *f = *state;
    if (meminfo("HugePages_Free:") > 0) {
        print_message("somebody uses huge pages here, or they may not be taken away: the pool "
                      "stays as it is\n");
        skip();
    }
    put_add_orders(&f->file, 20);
    assert_true(file_write(f->input, f->file.bytes, f->file.count));
    assert_int_equal(start_with(f, f->feed, "bus.pages=hugetlb", NULL), 1);
    assert_says(f, "need 5 huge pages of 2 MiB and 0 are free"); /* one for each topic */
    assert_says(f, "sysctl vm.nr_hugepages=5");
    assert_says(f, "--pages auto");
    assert_int_equal(json_array_size(json_object_get(f->summary, "errors")), 1);
    assert_int_not_equal(access(f->journal, F_OK), 0);
}

static void a_numa_node_that_is_not_there_is_refused(void **state)
{
    fixture_t *f = *state;
    put_add_orders(&f->file, 20);
    assert_true(file_write(f->input, f->file.bytes, f->file.count));
    assert_int_equal(start_with(f, f->feed, "bus.numa_node=1023", NULL), 1);
    assert_says(f, "no NUMA node 1023");
    assert_int_equal(json_array_size(json_object_get(f->summary, "errors")), 1);
}

static void keep_one_cpu(void)
{
    cpu_set_t all, one;
    CPU_ZERO(&one);
    sched_getaffinity(0, sizeof all, &all);
    unsigned cpu = 0;
    while (!CPU_ISSET(cpu, &all))
        cpu++;
    CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
}

static void one_cpu_is_enough(void **state)
{
    fixture_t *f = *state;
    put_add_orders(&f->file, 500);
    assert_true(file_write(f->input, f->file.bytes, f->file.count));
    assert_int_equal(start(f, f->feed, keep_one_cpu), 0);
    assert_int_equal(delivered(f), 500);
    assert_recorded(f, f->file.count);
}

/* Root may write everywhere, unless it gives up that right. */
static void obey_permissions(void)
{
    prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0);
}

static void a_journal_below_a_read_only_directory_is_refused_by_name(void **state)
{
    fixture_t *f = *state;
    put_add_orders(&f->file, 20);
    assert_true(file_write(f->input, f->file.bytes, f->file.count));
    assert_int_equal(mkdir(f->journal, 0555), 0);
    assert_int_equal(start(f, f->feed, obey_permissions), 1);
    assert_says(f, f->journal);
    assert_says(f, "Permission denied");
    assert_int_equal(delivered(f), 0);
}

static char *fingerprint(const char *directory)
{
    char command[PATH_BYTES + 128];
    snprintf(command, sizeof command,
             "cd %s && find . -printf '%%p %%s %%m %%T@\\n' | sort && find . -type f -exec "
             "sha256sum {} +",
             directory);
    const char *const argv[] = {"sh", "-c", command, NULL};
    program_t p = {.argv = argv};
    assert_int_equal(program_run(&p), 0);
    char *text = p.out;
    p.out = NULL;
    program_clear(&p);
    return text;
}

static void a_journal_that_holds_another_session_is_refused_and_left_alone(void **state)
{
    fixture_t *f = *state;
    put_add_orders(&f->file, 20);
    assert_int_equal(start_on_file(f), 0);
    char *before = fingerprint(f->journal);
    assert_int_equal(start_on_file(f), 1);
    assert_says(f, f->journal);
    assert_int_equal(delivered(f), 0);
    char *after = fingerprint(f->journal);
    assert_string_equal(before, after);
    free(before);
    free(after);
    assert_recorded(f, f->file.count);
}

/* ---- two of them */

static bool is_running(const fixture_t *f)
{
    const char *const argv[] = {TICKBUS_BUSCTL, "status", "--name", f->name, "--json", NULL};
    program_t p = {.argv = argv};
    program_run(&p);
    json_t *status = json_loads(p.out, 0, NULL);
    const char *state = json_string_value(json_object_get(status, "state"));
    bool running = state && strcmp(state, "running") == 0;
    json_decref(status);
    program_clear(&p);
    return running;
}

static void a_second_start_under_the_same_name_is_refused_and_the_first_goes_on(void **state)
{
    fixture_t *f = *state;
    const char *const argv[] = {TICKBUS_BUSCTL, "start",    "--feed", "synth:messages=1000000",
                                "--pace",       "2000/s",   "--name", f->name,
                                "--json",       "--layout", "split",  "--strategy",
                                "null",         NULL};
    f->other = (program_t){.argv = argv};
    assert_true(program_start(&f->other));
    while (!is_running(f))
        assert_false(program_ended(&f->other));

    put_add_orders(&f->file, 20);
    assert_int_equal(start_on_file(f), 1);
    assert_says(f, f->name);
    assert_string_equal(json_string_value(json_object_get(f->summary, "state")), "refused");
    assert_int_equal(json_array_size(json_object_get(f->summary, "errors")), 1);
    assert_int_not_equal(access(f->journal, F_OK), 0);
    assert_true(is_running(f));

    const char *const stop_argv[] = {TICKBUS_BUSCTL, "stop", "--name", f->name, NULL};
    program_clear(&f->program);
    f->program = (program_t){.argv = stop_argv};
    if (program_run(&f->program) != 0)
        fail_msg("stop: %s", f->program.err);
    program_wait(&f->other);
    if (f->other.exit_code != 0)
        fail_msg("the first ended with exit code %d: %s", f->other.exit_code, f->other.err);
    json_decref(f->summary);
    f->summary = json_loads(f->other.out, 0, NULL);
    assert_non_null(f->summary);
    assert_int_equal(json_array_size(json_object_get(f->summary, "errors")), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_missing_file_is_refused_by_name),
        TEST(an_empty_file_is_refused),
        TEST(a_directory_is_refused),
        TEST(a_file_cut_at_any_byte_of_its_last_message_delivers_all_before_it),
        TEST(a_wrong_length_ends_the_feed_with_its_place_and_keeps_what_came_before),
        TEST(a_zero_length_in_the_middle_ends_the_feed_with_its_place),
        TEST(unknown_message_types_are_carried_verbatim_and_counted),
        TEST(an_end_of_session_marker_is_given_back_too),
        TEST(text_is_refused_as_itch),
        TEST(a_pcapng_capture_of_another_protocol_is_refused_as_itch),
        TEST(a_file_of_zero_length_prefixes_is_refused_as_itch),
        cmocka_unit_test_setup_teardown(without_huge_pages_it_runs_on_small_ones_and_says_so,
                                        setup_without_huge_pages, teardown_without_huge_pages),
        cmocka_unit_test_setup_teardown(huge_pages_insisted_on_are_counted_for_all_rings,
                                        setup_without_huge_pages, teardown_without_huge_pages),
        TEST(a_numa_node_that_is_not_there_is_refused),
        TEST(one_cpu_is_enough),
        TEST(a_journal_below_a_read_only_directory_is_refused_by_name),
        TEST(a_journal_that_holds_another_session_is_refused_and_left_alone),
        TEST(a_second_start_under_the_same_name_is_refused_and_the_first_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
