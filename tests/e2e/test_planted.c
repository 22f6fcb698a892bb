/* SPDX-License-Identifier: Apache-2.0 */
/* Strategies that break the rule that the same inputs give the same orders, each in a way of its
 * own: they read a clock, an address, memory that nobody has written, miss a timer. `busctl replay
 * --verify` must name each, with the very first order that differs: the strategy writes down
 * beside the run what it sends, and so the test knows which one that is.
 *
 * PLANTED=all plants all twenty instead of four. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include <tickbus/clock.h>
#include <tickbus/strategy.h>

#include "tests/support/program.h"
#include "tools/verbs.h"

#define SOUND_ORDERS 10u /* that every strategy sends before its fault shows */
#define BBOS_A_ORDER 25u
#define ATTEMPTS     8u /* two runs may come upon the same values */

/* ---- what the strategies go by that they must not */

static uint64_t nothing(void)
{
    return 0;
}
static uint64_t steady_clock(void)
{
    return tbus_clock_ns() / 64;
}
static uint64_t wall_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_nsec / 1024;
}
static uint64_t process(void)
{
    return (uint64_t)getpid();
}
static uint64_t thread(void)
{
    return (uint64_t)syscall(SYS_gettid) / 2;
}
static uint64_t parent(void)
{
    return (uint64_t)getppid();
}
static uint64_t heap_address(void)
{
    void *block = malloc(64);
    uint64_t address = (uintptr_t)block >> 12;
    free(block);
    return address;
}
static uint64_t stack_address(void)
{
    volatile char here = 0;
    return ((uintptr_t)&here >> 4) + (uint64_t)here;
}
static uint64_t kernel_random(void)
{
    uint64_t value = 0;
    (void)!getrandom(&value, sizeof value, 0);
    return value;
}
/* A word of a buffer that its user has not written: what the user before kept there, an address. */
static uint64_t unwritten_word(void)
{
    static uint64_t buffer[64];
    if (buffer[40] == 0)
        for (unsigned i = 0; i < 64; i++)
            buffer[i] = heap_address();
    memset(buffer, 0, 16 * sizeof *buffer); /* all that the next user writes */
    return buffer[40];
}
/* Which of eight objects comes first in a table that is ordered by a hash of their addresses. */
static uint64_t order_by_address(void)
{
    void *objects[8];
    uint64_t first = 0, least = UINT64_MAX;
    for (unsigned i = 0; i < 8; i++) {
        objects[i] = malloc(4096);
        uint64_t hash = (uintptr_t)objects[i] * UINT64_C(0x9e3779b97f4a7c15);
        if (hash < least) {
            least = hash;
            first = i;
        }
    }
    for (unsigned i = 0; i < 8; i++)
        free(objects[i]);
    return first;
}
static uint64_t page_faults(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)usage.ru_minflt;
}
static uint64_t switches(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)(usage.ru_nvcsw + usage.ru_nivcsw);
}
static uint64_t cpu_time(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_nsec / 256;
}
static uint64_t of_file(const char *path)
{
    char text[256] = "";
    uint64_t sum = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t bytes = fd < 0 ? 0 : read(fd, text, sizeof text);
    for (ssize_t i = 0; i < bytes; i++)
        sum = sum * 31 + (unsigned char)text[i];
    if (fd >= 0)
        close(fd);
    return sum;
}
static uint64_t uptime(void)
{
    return of_file("/proc/uptime");
}
static uint64_t own_status(void)
{
    return of_file("/proc/self/stat");
}
static uint64_t load(void)
{
    return of_file("/proc/loadavg");
}
static uint64_t new_file(void)
{
    struct stat is = {0};
    FILE *file = tmpfile();
    if (file)
        fstat(fileno(file), &is);
    if (file)
        fclose(file);
    return (uint64_t)is.st_ino;
}
static uint64_t clock_ticks(void)
{
    struct tms unused;
    return (uint64_t)times(&unused);
}

/* `misses`: not the quantity of an order depends on it, but whether a timer is heeded. */
static const struct fault {
    const char *name;
    uint64_t (*value)(void);
    bool misses;
    bool by_schedule; /* it goes by the host's time at which a tick was wanted */
} faults[] = {
    {"none", nothing, false, false},
    {"the steady clock", steady_clock, false, false},
    {"a word that nobody has written", unwritten_word, false, false},
    {"the order of a table by addresses", order_by_address, false, false},
    {"a timer that is missed", steady_clock, true, false},
    {"the wall clock", wall_clock, false, false},
    {"the process", process, false, false},
    {"the thread", thread, false, false},
    {"the parent", parent, false, false},
    {"an address on the heap", heap_address, false, false},
    {"an address on the stack", stack_address, false, false},
    {"random numbers of the kernel", kernel_random, false, false},
    {"page faults", page_faults, false, false},
    {"context switches", switches, false, false},
    {"time on a CPU", cpu_time, false, false},
    {"the uptime", uptime, false, false},
    {"its own status", own_status, false, false},
    {"the load", load, false, false},
    {"the inode of a new file", new_file, false, false},
    {"clock ticks", clock_ticks, false, false},
    {"when a tick was wanted", nothing, false, true},
};
#define FAULTS       (sizeof faults / sizeof *faults)
#define FAULTS_QUICK 5u

/* ---- the strategy */

typedef struct planted_values {
    uint32_t fault;
    char sent[256]; /* the file that says what was sent */
} planted_values_t;

typedef struct planted {
    const struct fault *fault;
    FILE *sent;
    uint64_t bbos;
    uint64_t orders;
    uint64_t wanted_ns;
    uint32_t px_e4;
    uint16_t locate;
} planted_t;

static const tbus_param_t table[] = {
    {"fault", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(planted_values_t, fault), .min = 0,
     .max = FAULTS - 1, .fallback = "0", .help = "what it must not go by"},
    {"sent", TBUS_PARAM_TEXT, TBUS_PARAM_FIELD(planted_values_t, sent), .may_be_empty = true,
     .fallback = "", .help = "where it writes down what it sends"},
};

/* The first run writes FILE, the second FILE.again. */
static FILE *open_log(const char *path)
{
    char again[300];
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    snprintf(again, sizeof again, "%s.again", path);
    if (fd < 0)
        fd = open(again, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return fd < 0 ? NULL : fdopen(fd, "w");
}

static int planted_create(strat_context_t *ctx, const void *params, void **out_self,
                          tbus_error_t *err)
{
    const planted_values_t *values = params;
    planted_t *p = calloc(1, sizeof *p);
    (void)ctx;
    if (!p || !(p->sent = open_log(values->sent))) {
        free(p);
        return tbus_fail(err, -ENOENT, "no file for what is sent");
    }
    p->fault = &faults[values->fault];
    *out_self = p;
    return 0;
}

static void planted_destroy(void *self)
{
    planted_t *p = self;
    fclose(p->sent);
    free(p);
}

static uint64_t look(const planted_t *p)
{
    if (p->orders < SOUND_ORDERS)
        return 0;
    return (p->fault->by_schedule ? p->wanted_ns / 64 : p->fault->value()) % 61;
}

static void on_tick(void *self, strat_context_t *ctx, const tick_t *tick, uint64_t md_seq)
{
    (void)ctx;
    (void)md_seq;
    ((planted_t *)self)->wanted_ns = tick_intended_ns(tick);
}

static void on_bbo(void *self, strat_context_t *ctx, uint16_t locate, const market_touch_t *touch)
{
    planted_t *p = self;
    if (touch->ask_px_e4 == 0 || touch->bid_px_e4 == 0 || ++p->bbos % BBOS_A_ORDER != 0)
        return;
    p->locate = locate;
    p->px_e4 = touch->ask_px_e4;
    strat_timer_at(ctx, strat_event_ns(ctx) + 1000);
}

static void on_timer(void *self, strat_context_t *ctx, uint64_t event_ns)
{
    planted_t *p = self;
    uint64_t value = look(p);
    (void)event_ns;
    if (p->fault->misses && value % 2 == 1)
        return;
    uint32_t qty = 100 + (p->fault->misses ? 0 : (uint32_t)value);
    uint64_t id = strat_send(ctx, p->locate, 'B', qty, p->px_e4, ORDER_TIF_IOC);
    if (id == 0)
        return;
    p->orders++;
    fprintf(p->sent, "%u %u %llu\n", qty, p->locate, (unsigned long long)strat_event_ns(ctx));
}

static const strategy_t planted = {.api = STRATEGY_API,
                                   .struct_bytes = sizeof(strategy_t),
                                   .name = "planted",
                                   .params = TBUS_PARAMS(planted_values_t, table),
                                   .create = planted_create,
                                   .on_tick = on_tick,
                                   .on_bbo = on_bbo,
                                   .on_timer = on_timer,
                                   .destroy = planted_destroy};

/* In the place of strategy/registry.c. */
const strategy_t *strategy_at(unsigned index)
{
    return index == 0 ? &planted : NULL;
}
const strategy_t *strategy_find(const char *name)
{
    return strcmp(name, "planted") == 0 || strcmp(name, "quote") == 0 ? &planted : NULL;
}
int strategy_check(const strategy_t *strategy, tbus_error_t *err)
{
    (void)strategy;
    (void)err;
    return 0;
}

/* ---- the test */

typedef struct paths {
    char scratch[SCRATCH_PATH_MAX];
    char journal[SCRATCH_PATH_MAX + 16];
    char sent[SCRATCH_PATH_MAX + 16];
    char again[SCRATCH_PATH_MAX + 24];
    char output[SCRATCH_PATH_MAX + 16];
} paths_t;

/* A verb of busctl in a process of its own, what it prints in paths->output. */
static int run_verb(const paths_t *paths, int (*verb)(int, char **), char **argv)
{
    int argc = 0, status = 0;
    while (argv[argc])
        argc++;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int fd = open(paths->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        dup2(fd, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        int code = verb(argc, argv);
        fflush(stdout);
        _exit(code);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The first line that differs in two files, from 1; 0: none does. */
static unsigned first_difference(const char *one, const char *other)
{
    char a[128], b[128];
    FILE *first = fopen(one, "re"), *second = fopen(other, "re");
    assert_non_null(first);
    assert_non_null(second);
    unsigned line = 0;
    for (bool differs = false; !differs;) {
        bool more = fgets(a, sizeof a, first) != NULL;
        bool also = fgets(b, sizeof b, second) != NULL;
        line++;
        if (!more && !also) {
            line = 0;
            break;
        }
        differs = more != also || strcmp(a, b) != 0;
    }
    fclose(first);
    fclose(second);
    return line;
}

/* Record and verify; the place of the first order that differs, as told and as it was. */
static void try_fault(const paths_t *paths, unsigned fault, unsigned *out_told, unsigned *out_was)
{
    char number[16], bus[32], set_sent[sizeof paths->sent + 32], set_fault[48];
    snprintf(number, sizeof number, "%u", fault);
    snprintf(bus, sizeof bus, "planted-%d", (int)getpid());
    snprintf(set_sent, sizeof set_sent, "strategy.sent=%s", paths->sent);
    snprintf(set_fault, sizeof set_fault, "strategy.fault=%u", fault);
    unlink(paths->sent);
    scratch_remove(paths->journal);
    char *start[] = {"busctl start",
                     "--name",
                     bus,
                     "--feed",
                     "synth:seed=5,symbols=4,messages=4000",
                     "--pace",
                     "200k/s",
                     "--layout",
                     "split",
                     "--wait",
                     "park",
                     "--set",
                     set_sent,
                     "--set",
                     set_fault,
                     "--strategy",
                     "planted",
                     "--journal",
                     (char *)paths->journal,
                     "--json",
                     NULL};
    char *verify[] = {"busctl replay", (char *)paths->journal, "--verify", "--json", NULL};
    assert_int_equal(run_verb(paths, verb_start, start), 0);
    int code = run_verb(paths, verb_replay, verify);
    json_t *verdict = json_load_file(paths->output, 0, NULL);
    assert_non_null(verdict);
    json_t *first = json_object_get(verdict, "divergence");
    assert_int_equal(code, json_is_null(first) ? 0 : 1);
    assert_true(json_integer_value(json_object_get(verdict, "orders")) >= (int)SOUND_ORDERS);
    *out_told = (unsigned)json_integer_value(json_object_get(first, "place"));
    *out_was = first_difference(paths->sent, paths->again);
    if (json_is_object(first))
        assert_string_equal(json_string_value(json_object_get(first, "topic")), "orders");
    json_decref(verdict);
}

static void what_is_planted_is_named_with_the_first_order_that_differs(void **state)
{
    const paths_t *paths = *state;
    const char *text = getenv("PLANTED");
    unsigned count = text && strcmp(text, "all") == 0 ? FAULTS : FAULTS_QUICK;
    for (unsigned i = 0; i < count; i++) {
        unsigned told = 0, was = 0;
        for (unsigned attempt = 0; was == 0 && attempt < (i == 0 ? 1 : ATTEMPTS); attempt++) {
            try_fault(paths, i, &told, &was);
            if (told != was)
                fail_msg("%s: the first order that differs is number %u, and %u was named",
                         faults[i].name, was, told);
        }
        if ((was == 0) != (i == 0))
            fail_msg("%s: it shows in no run, or in a sound one (%u)", faults[i].name, was);
        if (count == FAULTS)
            print_message("%s: order %u, as named\n", faults[i].name, was);
    }
}

static int set_up(void **state)
{
    static paths_t paths;
    scratch_create_runtime(paths.scratch);
    snprintf(paths.journal, sizeof paths.journal, "%s/journal", paths.scratch);
    snprintf(paths.sent, sizeof paths.sent, "%s/sent", paths.scratch);
    snprintf(paths.again, sizeof paths.again, "%s/sent.again", paths.scratch);
    snprintf(paths.output, sizeof paths.output, "%s/output", paths.scratch);
    *state = &paths;
    return 0;
}

static int tear_down(void **state)
{
    const paths_t *paths = *state;
    return scratch_remove_runtime(paths->scratch) ? -1 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_planted_is_named_with_the_first_order_that_differs,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
