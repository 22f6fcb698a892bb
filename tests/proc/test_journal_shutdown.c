/* SPDX-License-Identifier: Apache-2.0 */
/* A file system that goes from one moment to the next, as when the power does: ext4 on a loop
 * device is shut down under a writer (EXT4_IOC_SHUTDOWN: what is not on the disk is dropped),
 * mounted again, and the journal read. Everything that was synced is there, and only a session that
 * is whole is called closed.
 *
 * Needs root, a loop device and mkfs.ext4; says so where they are missing. Mounts are made in a
 * mount namespace of the test's own, and go with it. TICKBUS_POWER_ROUNDS: how often; TICKBUS_SEED:
 * which moments, as far as the scheduler lets them be the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bus/journal/format.h"
#include "tests/support/program.h"

#define ROUNDS_QUICK  6u
#define RECORDS_MAX   3000u
#define SEGMENT_BYTES (64u << 10)
#define IMAGE_BYTES   (24 << 20)
/* linux/fs/ext4/ext4.h, which is no header for programs */
#define SHUTDOWN          _IOR('X', 125, uint32_t)
#define SHUTDOWN_LOGFLUSH 1u /* the file system's own journal is written out */
#define SHUTDOWN_DROP     2u /* nothing is */

/* What the writer has told before it died. */
typedef struct told {
    tbus_atomic_u64_t appended;
    tbus_atomic_u64_t target; /* of the round: about here it is shut down */
    tbus_atomic_u32_t closed; /* the session, without an error */
} told_t;

typedef struct tally {
    uint64_t rounds, closed, torn, nothing, records, synced, lost;
} tally_t;

static uint64_t seed = 1;

static uint64_t draw(uint64_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (seed >> 33) % below;
}

static size_t fill(uint64_t seq, unsigned char payload[256])
{
    size_t bytes = seq * 2654435761u % 200;
    for (size_t k = 0; k < bytes; k++)
        payload[k] = (unsigned char)(seq * 31 + k);
    return bytes;
}

static bool command(const char *const argv[])
{
    program_t p = {.argv = argv};
    bool fine = program_run(&p) == 0;
    program_clear(&p);
    return fine;
}

static bool make_file_system(const char *image)
{
    const char *const mkfs[] = {"mkfs.ext4", "-q", "-F", image, NULL};
    int fd = open(image, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool fine = fd >= 0 && ftruncate(fd, IMAGE_BYTES) == 0;
    if (fd >= 0)
        close(fd);
    return fine && command(mkfs);
}

static bool mount_image(const char *image, const char *where)
{
    const char *const argv[] = {"mount", "-o", "loop", image, where, NULL};
    return command(argv);
}

/* Until it is killed, or done. */
static _Noreturn void write_journal(const char *directory, told_t *told, uint64_t records,
                                    uint64_t pause_every)
{
    tbus_journal_spec_t spec = {.directory = directory,
                                .bus_name = "shutdown",
                                .segment_bytes = SEGMENT_BYTES,
                                .topics_count = 1,
                                .topics = {{"md", "tick", 1, 1, TBUS_BROADCAST, 0}}};
    tbus_journal_writer_t *w = NULL;
    if (tbus_journal_writer_open(&spec, &w, NULL) < 0)
        _exit(1);
    for (uint64_t seq = 1; seq <= records; seq++) {
        unsigned char payload[256];
        size_t bytes = fill(seq, payload);
        if (tbus_journal_writer_append(w, 0, seq, seq, payload, bytes) < 0)
            _exit(2);
        tbus_store_relaxed_u64(&told->appended, seq);
        if (seq % pause_every == 0)
            usleep(500);
    }
    if (tbus_journal_writer_close(w, NULL) < 0)
        _exit(3);
    tbus_store_relaxed_u32(&told->closed, 1);
    _exit(0);
}

/* Records in the segments that say that they are finished: all of them have been synced. */
static uint64_t count_synced(const char *directory)
{
    static unsigned char bytes[SEGMENT_BYTES];
    uint64_t records = 0;
    for (uint32_t number = 1;; number++) {
        char path[160];
        snprintf(path, sizeof path, "%s/%08" PRIu32 ".tbj", directory, number);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t got = fd < 0 ? 0 : pread(fd, bytes, sizeof bytes, 0);
        if (fd >= 0)
            close(fd);
        uint32_t used = 0;
        if (got >= (ssize_t)TBUS_JOURNAL_HEADER_BYTES)
            memcpy(&used, bytes + offsetof(tbus_journal_header_t, closed), sizeof used);
        if (used == 0)
            return records;
        for (uint64_t at = TBUS_JOURNAL_HEADER_BYTES; at < used;) {
            uint32_t length;
            memcpy(&length, bytes + at, sizeof length);
            at += tbus_journal_padded(length);
            records++;
        }
    }
}

/* False: something does not hold, and it was said. */
static bool judge(const char *directory, uint64_t synced, uint64_t appended, bool closed,
                  tally_t *tally)
{
    tbus_journal_reader_t *r = NULL;
    tbus_journal_record_t record;
    tbus_error_t err = {0};
    uint64_t records = 0;
    int code = tbus_journal_reader_open(directory, &r, &err);
    bool right = true;
    while (code >= 0 && (code = tbus_journal_reader_next(r, &record, &err)) == 1) {
        unsigned char payload[256];
        size_t bytes = fill(++records, payload);
        right &= record.seq == records && record.bytes == bytes &&
                 memcmp(record.payload, payload, bytes) == 0;
    }
    enum tbus_journal_end end = code == 0 ? tbus_journal_reader_end(r) : TBUS_JOURNAL_LIVE;
    tbus_journal_reader_close(r);
    tally->rounds++;
    tally->records += records;
    tally->synced += synced;
    tally->lost += appended > records ? appended - records : 0;
    tally->nothing += code < 0;
    tally->closed += code == 0 && end == TBUS_JOURNAL_CLOSED;
    tally->torn += code == 0 && end == TBUS_JOURNAL_TORN;
    right &= records >= synced && records <= appended + 1;
    right &= code == 0 || synced == 0; /* what was begun and never synced may be anything */
    right &= code != 0 || end == TBUS_JOURNAL_CLOSED || end == TBUS_JOURNAL_TORN;
    right &= end != TBUS_JOURNAL_CLOSED || records == appended;
    right &= !closed || end == TBUS_JOURNAL_CLOSED;
    if (!right)
        fprintf(stderr,
                "%" PRIu64 " synced, %" PRIu64 " appended, %s; read %" PRIu64 ", end %d: %s\n",
                synced, appended, closed ? "closed" : "not closed", records, (int)end, err.text);
    return right;
}

/* 0: it holds; 1: it does not; 77: it cannot be tried here. */
static int try_round(const char *root, told_t *told, tally_t *tally)
{
    char image[96], where[96], journal[128];
    snprintf(image, sizeof image, "%s/image", root);
    snprintf(where, sizeof where, "%s/mounted", root);
    snprintf(journal, sizeof journal, "%s/journal", where);
    mkdir(where, 0700);
    if (!make_file_system(image) || !mount_image(image, where))
        return 77;
    /* A target past the end: it may close in peace. */
    uint64_t records = 1 + draw(RECORDS_MAX), target = draw(records + records / 4);
    uint64_t pause_every = 1 + draw(200);
    uint32_t how = draw(4) ? SHUTDOWN_DROP : SHUTDOWN_LOGFLUSH;
    *told = (told_t){0};
    pid_t writer = fork();
    if (writer == 0)
        write_journal(journal, told, records, pause_every);
    bool ended = false;
    while (!ended && tbus_load_relaxed_u64(&told->appended) < target) {
        ended = waitpid(writer, NULL, WNOHANG) != 0;
        usleep(50);
    }
    int fd = open(where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool closed = tbus_load_relaxed_u32(&told->closed) != 0;
    uint64_t synced = count_synced(journal);
    int down = fd < 0 ? -1 : ioctl(fd, SHUTDOWN, &how);
    if (!ended) {
        kill(writer, SIGKILL);
        waitpid(writer, NULL, 0);
    }
    if (fd >= 0)
        close(fd);
    uint64_t appended = tbus_load_relaxed_u64(&told->appended);
    if (umount2(where, 0) < 0 || down < 0 || !mount_image(image, where))
        return 77;
    bool right = judge(journal, synced, appended, closed, tally);
    return umount2(where, 0) < 0 || !right;
}

static int try_rounds(const char *root, uint64_t rounds)
{
    tally_t tally = {0};
    told_t *told =
        mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (told == MAP_FAILED || unshare(CLONE_NEWNS) ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
        return 77;
    int code = 0;
    while (code == 0 && tally.rounds < rounds) {
        uint64_t seed_before = seed;
        code = try_round(root, told, &tally);
        if (code == 1)
            fprintf(stderr, "round %" PRIu64 ", TICKBUS_SEED=%" PRIu64 "\n", tally.rounds,
                    seed_before);
    }
    printf("%" PRIu64 " rounds: %" PRIu64 " torn, %" PRIu64 " closed, %" PRIu64
           " in which nothing was left; %" PRIu64 " records read, %" PRIu64 " were synced, %" PRIu64
           " that were not are lost\n",
           tally.rounds, tally.torn, tally.closed, tally.nothing, tally.records, tally.synced,
           tally.lost);
    fflush(stdout);
    return code;
}

static void what_was_synced_survives_a_file_system_that_is_shut_down(void **state)
{
    (void)state;
    char root[SCRATCH_PATH_MAX];
    const char *rounds = getenv("TICKBUS_POWER_ROUNDS");
    const char *given = getenv("TICKBUS_SEED");
    seed = given ? strtoull(given, NULL, 10) : 1;
    scratch_create(root);
    pid_t pid = fork();
    if (pid == 0)
        _exit(try_rounds(root, rounds ? strtoull(rounds, NULL, 10) : ROUNDS_QUICK));
    int status;
    waitpid(pid, &status, 0);
    scratch_remove(root);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        printf("ext4 on a loop device cannot be had here (root, loop device, mkfs.ext4)\n");
        skip();
    }
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_synced_survives_a_file_system_that_is_shut_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
