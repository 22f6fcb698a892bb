/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/journal/retention.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/journal/cache_file.h"
#include "bus/journal/lock.h"
#include "bus/journal/segment.h"

bool tbus_journal_limits_any(const tbus_journal_limits_t *limits)
{
    return limits->keep_bytes || limits->keep_age_ns || limits->keep_segments;
}

static uint64_t file_bytes(const tbus_journal_directory_t *directory, uint32_t number)
{
    char name[TBUS_JOURNAL_FILE_NAME_MAX];
    struct stat is;
    tbus_journal_segment_name(number, name);
    return fstatat(directory->fd, name, &is, AT_SYMLINK_NOFOLLOW) == 0 ? (uint64_t)is.st_size : 0;
}

/* When the first record of a segment was recorded, ns since 1970; 0: it has none yet. */
static uint64_t began_at(const tbus_journal_directory_t *directory, uint32_t number)
{
    uint64_t cut_bytes;
    tbus_journal_segment_t segment;
    tbus_journal_record_header_t record;
    if (tbus_journal_segment_open(directory, number, NULL, &segment, &cut_bytes, NULL) !=
        TBUS_JOURNAL_FOUND)
        return 0;
    int64_t got =
        tbus_journal_segment_read(&segment, &record, sizeof record, TBUS_JOURNAL_HEADER_BYTES);
    bool there = got == sizeof record && tbus_load_relaxed_u32(&record.length) != 0;
    uint64_t at = there ? segment.header.started_realtime_ns + record.time_ns : 0;
    tbus_journal_segment_close(&segment);
    return at;
}

/* All that a segment holds is older than the one behind it. */
static bool is_too_old(const tbus_journal_directory_t *directory, uint32_t number,
                       uint64_t keep_age_ns, uint64_t now_ns)
{
    uint64_t ended = began_at(directory, number + 1);
    return ended && now_ns > ended && now_ns - ended > keep_age_ns;
}

static int remove_file(const tbus_journal_directory_t *directory, const char *name,
                       tbus_error_t *err)
{
    if (unlinkat(directory->fd, name, 0) == 0 || errno == ENOENT)
        return 0;
    int code = -errno;
    return tbus_fail(err, code, "cannot remove %s of the journal in %s: %s", name, directory->path,
                     tbus_strerror(code));
}

/* What lies beside it first: that is nothing without the segment. */
static int remove_segment(const tbus_journal_directory_t *directory, uint32_t number,
                          tbus_error_t *err)
{
    static const char *const beside[] = {TBUS_JOURNAL_CACHE_INDEX, TBUS_JOURNAL_CACHE_BOOKS};
    char segment[TBUS_JOURNAL_FILE_NAME_MAX];
    char cache[TBUS_JOURNAL_CACHE_NAME_MAX];
    int code = 0;
    tbus_journal_segment_name(number, segment);
    for (size_t i = 0; code == 0 && i < sizeof beside / sizeof *beside; i++) {
        snprintf(cache, sizeof cache, "%.8s.%s", segment, beside[i]);
        code = remove_file(directory, cache, err);
    }
    return code < 0 ? code : remove_file(directory, segment, err);
}

int tbus_journal_retention_apply(const tbus_journal_directory_t *directory,
                                 const tbus_journal_limits_t *limits, uint64_t now_ns,
                                 tbus_journal_front_t *front, tbus_error_t *err)
{
    uint64_t bytes = 0;
    char name[TBUS_JOURNAL_FILE_NAME_MAX];
    for (uint32_t n = front->first; limits->keep_bytes && n <= front->last; n++)
        bytes += file_bytes(directory, n);
    uint32_t before = front->first;
    int code = 0;
    while (code == 0 && front->first < front->end) {
        uint32_t number = front->first;
        bool passed =
            (limits->keep_bytes && bytes > limits->keep_bytes) ||
            (limits->keep_segments && front->last - number + 1 > limits->keep_segments) ||
            (limits->keep_age_ns && is_too_old(directory, number, limits->keep_age_ns, now_ns));
        tbus_journal_segment_name(number, name);
        if (!passed || tbus_journal_lock_reader_holds(directory, name))
            break;
        bytes -= limits->keep_bytes ? file_bytes(directory, number) : 0;
        code = front->plans ? 0 : remove_segment(directory, number, err);
        front->first += code == 0;
    }
    if (front->first > before && code == 0 && !front->plans)
        code = tbus_journal_directory_sync(directory, err);
    return code;
}

/* The last segment that was begun, so that it is not taken for one that may go when the recorder
 * was killed with another one made ready. */
static uint32_t last_begun(const tbus_journal_directory_t *directory, tbus_journal_range_t range)
{
    uint64_t cut_bytes;
    tbus_journal_segment_t segment;
    uint32_t number = range.last;
    for (; number > range.first; number--) {
        int look = tbus_journal_segment_open(directory, number, NULL, &segment, &cut_bytes, NULL);
        if (look == TBUS_JOURNAL_FOUND)
            tbus_journal_segment_close(&segment);
        if (look != TBUS_JOURNAL_NOTHING)
            break;
    }
    return number;
}

static int refuse_if_written(const tbus_journal_directory_t *directory, uint32_t first,
                             tbus_error_t *err)
{
    int fd = tbus_journal_lock_open(directory, first);
    bool held = fd >= 0 && tbus_journal_lock_is_held(fd);
    if (fd >= 0)
        close(fd);
    return held ? tbus_fail(err, -EBUSY,
                            "the journal in %s is being recorded: its recorder removes segments "
                            "itself, as journal.keep_bytes, keep_age and keep_segments say",
                            directory->path)
                : 0;
}

static int prune(const char *directory, const tbus_journal_limits_t *limits, uint64_t now_ns,
                 bool plans, uint32_t *out_removed, tbus_error_t *err)
{
    tbus_journal_directory_t opened;
    tbus_journal_range_t range;
    if (!directory || !limits || !out_removed)
        return tbus_fail(err, -EINVAL, "no journal directory, no limits, or nowhere to count");
    int code = tbus_journal_directory_open(directory, &opened, &range, err);
    if (code < 0)
        return code;
    code = refuse_if_written(&opened, range.first, err);
    if (code == 0) {
        uint32_t last = last_begun(&opened, range);
        tbus_journal_front_t front = {
            .first = range.first, .end = last, .last = last, .plans = plans};
        code = tbus_journal_retention_apply(&opened, limits, now_ns, &front, err);
        *out_removed = front.first - range.first;
    }
    tbus_journal_directory_close(&opened);
    return code;
}

int tbus_journal_prune(const char *directory, const tbus_journal_limits_t *limits, uint64_t now_ns,
                       uint32_t *out_removed, tbus_error_t *err)
{
    return prune(directory, limits, now_ns, false, out_removed, err);
}

int tbus_journal_prune_plan(const char *directory, const tbus_journal_limits_t *limits,
                            uint64_t now_ns, uint32_t *out_segments, tbus_error_t *err)
{
    return prune(directory, limits, now_ns, true, out_segments, err);
}
