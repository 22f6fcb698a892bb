/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/journal/ending.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#include "bus/journal/lock.h"
#include "bus/journal/segment.h"

static enum tbus_journal_end end_of(const tbus_journal_segment_t *last)
{
    uint64_t word = 0;
    if (last->header.abi < 2) /* without a mark of the end: a finished last segment is one */
        return tbus_journal_segment_closed_bytes(last) > 0 ? TBUS_JOURNAL_CLOSED
                                                           : TBUS_JOURNAL_TORN;
    if (tbus_journal_segment_session_end(last, &word) < 0)
        return TBUS_JOURNAL_TORN;
    switch (word & 0xff) {
    case TBUS_JOURNAL_SESSION_CLOSED:
        return TBUS_JOURNAL_CLOSED;
    case TBUS_JOURNAL_SESSION_BROKEN:
        return TBUS_JOURNAL_BROKEN;
    default:
        return TBUS_JOURNAL_TORN;
    }
}

int journal_ending(const char *directory, const tbus_journal_info_t *info,
                   enum tbus_journal_end *out_end, tbus_error_t *err)
{
    tbus_journal_directory_t opened = {.path = (char *)(uintptr_t)directory};
    tbus_journal_segment_t last;
    uint64_t cut_bytes;
    opened.fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (opened.fd < 0)
        return tbus_fail(err, -errno, "cannot open %s: %s", directory, tbus_strerror(-errno));
    int lock_fd = tbus_journal_lock_open(&opened, info->first_segment);
    bool alive = lock_fd >= 0 && tbus_journal_lock_is_held(lock_fd);
    uint32_t number = info->first_segment + info->segments - 1;
    int look = tbus_journal_segment_open(&opened, number, NULL, &last, &cut_bytes, err);
    if (look == TBUS_JOURNAL_FOUND) {
        *out_end = alive ? TBUS_JOURNAL_LIVE : end_of(&last);
        tbus_journal_segment_close(&last);
    }
    if (lock_fd >= 0)
        close(lock_fd);
    close(opened.fd);
    if (look == TBUS_JOURNAL_NOTHING)
        return tbus_fail(err, -TBUS_ETRUNCATED, "the last segment of %s was cut", directory);
    return look < 0 ? look : 0;
}
