/* SPDX-License-Identifier: Apache-2.0 */
/* What a loss of power, or whoever cleans up after it, leaves of a journal: everything that was
 * synced is read, and it is called closed only when it is whole.
 *
 * The disk is a model. The calls by which the journal's writer asks for something to be on the disk
 * are intercepted by definitions of the same names in this program, which the static library is
 * linked against. They note what is on the disk from then on. Of everything else any sector of 512
 * bytes, any length and any name in the directory is either as it was when it was last synced or as
 * it is now. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bus/journal/format.h"
#include "tests/support/program.h"
#include "tests/unit/journal_scratch.h"

#define SEGMENT_BYTES (64u << 10)
#define SECTOR_BYTES  512u
#define FILES_MAX     8u
#define DISKS_QUICK   3000u /* TICKBUS_DISKS: another number */

/* --- the disk --- */

typedef struct synced {
    bool named;     /* its name is on the disk */
    bool finished;  /* and all that it will ever hold */
    uint64_t bytes; /* its length there */
    unsigned char data[SEGMENT_BYTES];
} synced_t;

static synced_t disk[FILES_MAX + 1]; /* by segment; under the lock, like what follows */
static pthread_mutex_t disk_lock = PTHREAD_MUTEX_INITIALIZER;
static char disk_watches[PATH_BYTES]; /* the journal's directory; "": nothing is noted */

/* The segment that a descriptor or a mapped address belongs to; 0: none that is watched. */
static uint32_t watched(const char *path)
{
    size_t prefix = strlen(disk_watches);
    if (!prefix || strncmp(path, disk_watches, prefix) != 0 || path[prefix] != '/')
        return 0;
    unsigned long number = strtoul(path + prefix + 1, NULL, 10);
    return number <= FILES_MAX ? (uint32_t)number : 0;
}

static uint32_t watched_fd(int fd)
{
    char link[64];
    char path[256];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t bytes = readlink(link, path, sizeof path - 1);
    path[bytes > 0 ? bytes : 0] = 0;
    return watched(path);
}

static void note_names(void)
{
    char path[PATH_BYTES + 16];
    for (uint32_t n = 1; n <= FILES_MAX; n++) {
        segment_path(disk_watches, n, path);
        disk[n].named = access(path, F_OK) == 0;
    }
}

static void note_data(uint32_t number, uint64_t limit)
{
    char path[PATH_BYTES + 16];
    segment_path(disk_watches, number, path);
    int fd = open(path, O_RDONLY);
    struct stat is;
    if (fd < 0 || fstat(fd, &is) < 0)
        abort();
    disk[number].bytes = (uint64_t)is.st_size;
    if (pread(fd, disk[number].data, limit, 0) < 0)
        abort();
    close(fd);
    /* the writer's own word for it, now on the disk */
    uint64_t closed = 0;
    memcpy(&closed, disk[number].data + offsetof(tbus_journal_header_t, closed), sizeof closed);
    disk[number].finished = closed != 0;
}

int fdatasync(int fd)
{
    int code = (int)syscall(SYS_fdatasync, fd);
    pthread_mutex_lock(&disk_lock);
    uint32_t number = watched_fd(fd);
    if (number)
        note_data(number, SEGMENT_BYTES);
    pthread_mutex_unlock(&disk_lock);
    return code;
}

int fsync(int fd)
{
    int code = (int)syscall(SYS_fsync, fd);
    pthread_mutex_lock(&disk_lock);
    if (disk_watches[0])
        note_names();
    pthread_mutex_unlock(&disk_lock);
    return code;
}

int msync(void *address, size_t bytes, int flags)
{
    const tbus_journal_header_t *header = address;
    int code = (int)syscall(SYS_msync, address, bytes, flags);
    pthread_mutex_lock(&disk_lock);
    if (disk_watches[0] && header->segment <= FILES_MAX)
        note_data(header->segment, bytes);
    pthread_mutex_unlock(&disk_lock);
    return code;
}

static void watch(const char *directory)
{
    pthread_mutex_lock(&disk_lock);
    memset(disk, 0, sizeof disk);
    snprintf(disk_watches, sizeof disk_watches, "%s", directory);
    pthread_mutex_unlock(&disk_lock);
}

static uint64_t random_next(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> 33;
}

/* Each sector as it was synced or as it is: how many of 8 are as they are differs from disk to
 * disk. */
static void mix(unsigned char *bytes, const synced_t *old, uint64_t length, uint64_t *seed)
{
    uint64_t odds = random_next(seed) % 9;
    for (uint64_t at = 0; at < length; at += SECTOR_BYTES)
        if (random_next(seed) % 8 >= odds)
            memcpy(bytes + at, old->data + at, SECTOR_BYTES);
}

/* The power goes now. Requires that nobody appends. What is left is laid out in `left`. */
static void lose_power(const char *left, uint64_t *seed)
{
    static unsigned char bytes[SEGMENT_BYTES];
    assert_int_equal(mkdir(left, 0700), 0);
    pthread_mutex_lock(&disk_lock);
    for (uint32_t n = 1; n <= FILES_MAX; n++) {
        char path[PATH_BYTES + 16];
        const synced_t *old = &disk[n];
        segment_path(disk_watches, n, path);
        struct stat is;
        int fd = open(path, O_RDONLY);
        bool there = fd >= 0 && fstat(fd, &is) == 0;
        memset(bytes, 0, sizeof bytes);
        assert_true(!there || pread(fd, bytes, sizeof bytes, 0) >= 0);
        if (fd >= 0)
            close(fd);
        /* A name that is gone and not synced is there or not; what it names then is as synced. */
        bool named = there && old->named   ? true
                     : there || old->named ? random_next(seed) % 2
                                           : false;
        if (!named)
            continue;
        uint64_t length = there && random_next(seed) % 2 ? (uint64_t)is.st_size : old->bytes;
        mix(bytes, old, sizeof bytes, seed);
        segment_path(left, n, path);
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
        assert_true(fd >= 0 && ftruncate(fd, (off_t)length) == 0);
        assert_int_equal(pwrite(fd, bytes, length, 0), length);
        close(fd);
    }
    pthread_mutex_unlock(&disk_lock);
}

/* --- sessions --- */

static size_t fill(uint64_t seq, unsigned char payload[256])
{
    size_t bytes = seq * 2654435761u % 200;
    for (size_t k = 0; k < bytes; k++)
        payload[k] = (unsigned char)(seq * 31 + k);
    return bytes;
}

static tbus_journal_writer_t *start(const char *directory)
{
    tbus_journal_spec_t spec = {.directory = directory,
                                .bus_name = "power",
                                .segment_bytes = SEGMENT_BYTES,
                                .topics_count = 1,
                                .topics = {{"md", "tick", 1, 1, TBUS_BROADCAST, 0}}};
    tbus_journal_writer_t *w = NULL;
    tbus_error_t err = {0};
    if (tbus_journal_writer_open(&spec, &w, &err) < 0)
        fail_msg("%s", err.text);
    return w;
}

static void append(tbus_journal_writer_t *w, uint64_t seq)
{
    unsigned char payload[256];
    size_t bytes = fill(seq, payload);
    assert_int_equal(tbus_journal_writer_append(w, 0, seq, seq, payload, bytes), 0);
}

/* `records` records, closed. Returns how many segments that took. */
static uint32_t record(const char *directory, uint64_t records)
{
    char path[PATH_BYTES + 16];
    uint32_t segments = 0;
    tbus_journal_writer_t *w = start(directory);
    for (uint64_t seq = 1; seq <= records; seq++)
        append(w, seq);
    assert_int_equal(tbus_journal_writer_close(w, NULL), 0);
    do {
        segment_path(directory, segments + 1, path);
    } while (access(path, F_OK) == 0 && ++segments);
    return segments;
}

typedef struct outcome {
    int code;         /* 0, or what refused */
    uint64_t records; /* read until then, and right */
    enum tbus_journal_end end;
    tbus_error_t err;
} outcome_t;

static outcome_t read_journal(const char *directory)
{
    outcome_t o = {0};
    tbus_journal_reader_t *r = NULL;
    tbus_journal_record_t record;
    o.code = tbus_journal_reader_open(directory, &r, &o.err);
    if (o.code < 0)
        return o;
    while ((o.code = tbus_journal_reader_next(r, &record, &o.err)) == 1) {
        unsigned char payload[256];
        size_t bytes = fill(++o.records, payload);
        assert_int_equal(record.seq, o.records);
        assert_int_equal(record.bytes, bytes);
        assert_memory_equal(record.payload, payload, bytes);
    }
    o.end = tbus_journal_reader_end(r);
    tbus_journal_reader_close(r);
    return o;
}

static void check_torn(const char *directory, uint64_t least, uint64_t most)
{
    outcome_t o = read_journal(directory);
    if (o.code != 0)
        fail_msg("%s", o.err.text);
    assert_int_equal(o.end, TBUS_JOURNAL_TORN);
    assert_in_range(o.records, least, most);
}

/* --- by hand --- */

#define RECORDS 1500u

static void emptied_zeroed_and_removed_last_segments_are_told(void **state)
{
    scratch_t *s = *state;
    char path[PATH_BYTES + 16];
    uint32_t segments = record(s->journal, RECORDS);
    assert_true(segments > 2);
    outcome_t whole = read_journal(s->journal);
    assert_int_equal(whole.end, TBUS_JOURNAL_CLOSED);
    assert_int_equal(whole.records, RECORDS);

    segment_path(s->journal, segments, path);
    assert_int_equal(truncate(path, 0), 0);
    check_torn(s->journal, 1, RECORDS - 1);
    assert_int_equal(truncate(path, SEGMENT_BYTES), 0);
    check_torn(s->journal, 1, RECORDS - 1);
    assert_int_equal(unlink(path), 0);
    check_torn(s->journal, 1, RECORDS - 1);
    /* Two of them: the one that was written, and the one that was made ready. */
    for (uint32_t number = segments; number <= segments + 1; number++) {
        segment_path(s->journal, number, path);
        int fd = open(path, O_WRONLY | O_CREAT, 0600);
        assert_int_equal(ftruncate(fd, number == segments ? 0 : SEGMENT_BYTES), 0);
        close(fd);
        check_torn(s->journal, 1, RECORDS - 1);
    }
}

static void a_segment_without_header_before_one_that_has_one_is_damage(void **state)
{
    scratch_t *s = *state;
    char path[PATH_BYTES + 16];
    record(s->journal, RECORDS);
    segment_path(s->journal, 2, path);
    assert_int_equal(truncate(path, 0), 0);
    outcome_t o = read_journal(s->journal);
    assert_int_equal(o.code, -TBUS_ECORRUPT);
    assert_non_null(strstr(o.err.text, "00000002.tbj"));
}

/* As a sync of the first segment leaves it that failed, when nobody took note. */
static void an_unfinished_segment_before_a_finished_one_is_a_sync_that_failed(void **state)
{
    scratch_t *s = *state;
    char path[PATH_BYTES + 16];
    uint64_t none = 0;
    record(s->journal, RECORDS);
    segment_path(s->journal, 1, path);
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, &none, sizeof none, offsetof(tbus_journal_header_t, closed)), 8);
    close(fd);
    tbus_journal_reader_t *r = NULL;
    tbus_journal_record_t record;
    uint64_t records = 0;
    assert_int_equal(tbus_journal_reader_open(s->journal, &r, NULL), 0);
    while (tbus_journal_reader_next(r, &record, NULL) == 1)
        records++;
    assert_int_equal(records, RECORDS);
    assert_int_equal(tbus_journal_reader_end(r), TBUS_JOURNAL_BROKEN);
    assert_non_null(
        strstr(tbus_journal_reader_broken(r)->text, "00000001.tbj could not be synced"));
    tbus_journal_reader_close(r);
}

static void a_journal_that_is_removed_while_it_is_written_ends_with_an_error(void **state)
{
    scratch_t *s = *state;
    tbus_error_t err = {0};
    tbus_journal_writer_t *w = start(s->journal);
    append(w, 1);
    scratch_remove(s->journal);
    assert_int_equal(tbus_journal_writer_close(w, &err), -ENOENT);
    assert_non_null(strstr(err.text, "removed by somebody else"));
}

static void a_volume_of_its_own_counts_as_empty(void **state)
{
    scratch_t *s = *state;
    char path[PATH_BYTES + 16];
    assert_int_equal(mkdir(s->journal, 0700), 0);
    snprintf(path, sizeof path, "%s/lost+found", s->journal);
    assert_int_equal(mkdir(path, 0700), 0);
    record(s->journal, 10);
    assert_int_equal(read_journal(s->journal).records, 10);

    /* a file of that name is somebody's */
    assert_int_equal(mkdir(s->other, 0700), 0);
    snprintf(path, sizeof path, "%s/lost+found", s->other);
    close(open(path, O_WRONLY | O_CREAT, 0600));
    tbus_journal_spec_t spec = {.directory = s->other, .segment_bytes = SEGMENT_BYTES};
    tbus_journal_writer_t *w = NULL;
    assert_int_equal(tbus_journal_writer_open(&spec, &w, NULL), -TBUS_ENOTEMPTY);
}

/* --- by the model --- */

/* How many records the finished segments on the disk hold, and whether the session's end is there:
 * all of that must be read. */
static uint64_t count_synced(bool *out_closed)
{
    uint64_t records = 0;
    *out_closed = false;
    pthread_mutex_lock(&disk_lock);
    for (uint32_t n = 1; n <= FILES_MAX && disk[n].named && disk[n].finished; n++) {
        uint64_t at = TBUS_JOURNAL_HEADER_BYTES;
        while (at < disk[n].bytes) {
            uint32_t length;
            memcpy(&length, disk[n].data + at, sizeof length);
            at += tbus_journal_padded(length);
            records++;
        }
        uint64_t end;
        memcpy(&end, disk[n].data + offsetof(tbus_journal_header_t, session_end), sizeof end);
        *out_closed = end != 0;
    }
    pthread_mutex_unlock(&disk_lock);
    return records;
}

typedef struct tally {
    uint64_t disks, closed, torn, refused, records, synced;
} tally_t;

static void try_disk(const scratch_t *s, uint64_t appended, uint64_t *seed, tally_t *tally)
{
    uint64_t seed_before = *seed;
    bool closed;
    uint64_t synced = count_synced(&closed);
    lose_power(s->other, seed);
    outcome_t o = read_journal(s->other);
    if (o.code != 0 && (synced || (o.code != -TBUS_ETRUNCATED && o.code != -TBUS_ENOTFOUND &&
                                   o.code != -TBUS_ECORRUPT)))
        fail_msg("seed %" PRIu64 ", %" PRIu64 " synced, %" PRIu64 " read: %s", seed_before, synced,
                 o.records, o.err.text);
    if (o.records < synced || o.records > appended)
        fail_msg("seed %" PRIu64 ": %" PRIu64 " records of %" PRIu64 ", %" PRIu64 " were synced",
                 seed_before, o.records, appended, synced);
    if (o.code == 0 && o.end == TBUS_JOURNAL_CLOSED && o.records != appended)
        fail_msg("seed %" PRIu64 ": closed, and not whole", seed_before);
    if (o.code == 0 && o.end != TBUS_JOURNAL_CLOSED && closed)
        fail_msg("seed %" PRIu64 ": closed on the disk, and read as %d", seed_before, (int)o.end);
    if (o.code == 0 && o.end != TBUS_JOURNAL_CLOSED && o.end != TBUS_JOURNAL_TORN)
        fail_msg("seed %" PRIu64 ": no error was there, and it ended as %d", seed_before,
                 (int)o.end);
    tally->disks++;
    tally->refused += o.code != 0;
    tally->closed += o.code == 0 && o.end == TBUS_JOURNAL_CLOSED;
    tally->torn += o.code == 0 && o.end == TBUS_JOURNAL_TORN;
    tally->records += o.records;
    tally->synced += synced;
    scratch_remove(s->other);
}

static void whatever_the_power_takes_what_was_synced_is_read_and_only_whole_is_closed(void **state)
{
    scratch_t *s = *state;
    const char *wanted = getenv("TICKBUS_DISKS");
    uint64_t disks = wanted ? strtoull(wanted, NULL, 10) : DISKS_QUICK;
    tally_t tally = {0};
    uint64_t seed = 1;
    while (tally.disks < disks) {
        watch(s->journal);
        tbus_journal_writer_t *w = start(s->journal);
        uint64_t records = 1 + random_next(&seed) % 2000;
        uint64_t step = 1 + random_next(&seed) % 200;
        for (uint64_t seq = 1; seq <= records; seq++) {
            append(w, seq);
            if (random_next(&seed) % step == 0)
                try_disk(s, seq, &seed, &tally);
        }
        assert_int_equal(tbus_journal_writer_close(w, NULL), 0);
        try_disk(s, records, &seed, &tally);
        watch("");
        scratch_remove(s->journal);
    }
    printf("%" PRIu64 " disks: %" PRIu64 " torn, %" PRIu64 " closed, %" PRIu64
           " refused (nothing was synced); %" PRIu64 " records read, %" PRIu64 " were synced\n",
           tally.disks, tally.torn, tally.closed, tally.refused, tally.records, tally.synced);
    assert_true(tally.torn && tally.closed && tally.synced);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, remove_scratch)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(emptied_zeroed_and_removed_last_segments_are_told),
        TEST(a_segment_without_header_before_one_that_has_one_is_damage),
        TEST(an_unfinished_segment_before_a_finished_one_is_a_sync_that_failed),
        TEST(a_journal_that_is_removed_while_it_is_written_ends_with_an_error),
        TEST(a_volume_of_its_own_counts_as_empty),
        TEST(whatever_the_power_takes_what_was_synced_is_read_and_only_whole_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
