/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/journal/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail_segment(const tbus_journal_reader_t *r, uint32_t number, int code, const char *what,
                        tbus_error_t *err)
{
    return tbus_fail(err, code, "segment %08u.tbj of the journal in %s %s", number, r->path, what);
}

static int fail_system(const tbus_journal_reader_t *r, uint32_t number, int code, tbus_error_t *err)
{
    return tbus_fail(err, code, "cannot read segment %08u.tbj of the journal in %s: %s", number,
                     r->path, tbus_strerror(code));
}

static bool names_end(const tbus_journal_header_t *h)
{
    bool end = memchr(h->bus_name, 0, sizeof h->bus_name) != NULL;
    for (uint32_t i = 0; i < TBUS_JOURNAL_TOPICS_MAX; i++)
        end = end && memchr(h->topics[i].name, 0, TBUS_NAME_MAX) &&
              memchr(h->topics[i].type, 0, TBUS_NAME_MAX);
    return end;
}

/* Check a header that says that it is one, field by field. `h` is a private copy. */
static int check_header(const tbus_journal_reader_t *r, uint32_t number,
                        const tbus_journal_header_t *h, tbus_error_t *err)
{
    tbus_journal_header_t copy = *h;
    if (tbus_load_relaxed_u64(&h->magic) != TBUS_JOURNAL_MAGIC)
        return fail_segment(r, number, -TBUS_EMAGIC,
                            "is no journal segment: it does not begin with TBJRNL1", err);
    if (h->abi != TBUS_JOURNAL_ABI)
        return tbus_fail(
            err, -TBUS_EABI,
            "segment %08u.tbj of the journal in %s has format %u, and this tickbus reads format %u",
            number, r->path, h->abi, TBUS_JOURNAL_ABI);
    if (tbus_journal_header_crc(&copy) != h->header_crc32c)
        return fail_segment(r, number, -TBUS_ECORRUPT,
                            "is damaged: the CRC of its header does not fit (offset 0)", err);
    if (h->header_bytes != TBUS_JOURNAL_HEADER_BYTES || h->topics_count > TBUS_JOURNAL_TOPICS_MAX ||
        !names_end(h) || h->segment_bytes < TBUS_JOURNAL_SEGMENT_BYTES_MIN ||
        h->segment_bytes > TBUS_JOURNAL_SEGMENT_BYTES_MAX)
        return fail_segment(r, number, -TBUS_ECORRUPT, "has a header that no writer makes", err);
    if (h->segment != number)
        return tbus_fail(
            err, -TBUS_ECORRUPT,
            "segment %08u.tbj of the journal in %s is number %u by its header: it was renamed",
            number, r->path, h->segment);
    return 0;
}

tbus_journal_header_t tbus_journal_identity(const tbus_journal_header_t *header)
{
    tbus_journal_header_t identity = *header;
    identity.segment = 0;
    identity.first_record = 0;
    tbus_journal_header_crc(&identity);
    return identity;
}

bool tbus_journal_all_zeros(const void *bytes, uint64_t count)
{
    const unsigned char *at = bytes;
    return count == 0 || (at[0] == 0 && memcmp(at, at + 1, count - 1) == 0);
}

static int look_at_file(const tbus_journal_reader_t *r, uint32_t number, int fd,
                        tbus_journal_header_t *out_header, uint64_t *out_cut_bytes,
                        tbus_error_t *err)
{
    uint64_t first_record = 0;
    int64_t got = tbus_journal_read(fd, out_header, sizeof *out_header, 0);
    if (got < 0)
        return fail_system(r, number, (int)got, err);
    if (got < (int64_t)sizeof *out_header) {
        *out_cut_bytes = tbus_journal_all_zeros(out_header, (uint64_t)got) ? 0 : (uint64_t)got;
        return TBUS_JOURNAL_NOTHING;
    }
    if (tbus_load_relaxed_u64(&out_header->magic) == 0) {
        /* Never begun, or a crash came between its first word and its last; but then it has no
         * records. */
        got = tbus_journal_read(fd, &first_record, sizeof first_record, TBUS_JOURNAL_HEADER_BYTES);
        if (got < 0)
            return fail_system(r, number, (int)got, err);
        if (first_record == 0)
            return TBUS_JOURNAL_NOTHING;
    }
    /* J2 pairs J1 (begin_segment): the first read saw the magic, or a record behind it; this one
     * has all that was stored before. */
    tbus_fence_acquire();
    got = tbus_journal_read(fd, out_header, sizeof *out_header, 0);
    if (got < 0)
        return fail_system(r, number, (int)got, err);
    if (got < (int64_t)sizeof *out_header)
        return fail_segment(r, number, -TBUS_ECORRUPT, "is being cut by somebody", err);
    if (first_record && tbus_load_relaxed_u64(&out_header->magic) == 0)
        return fail_segment(r, number, -TBUS_ECORRUPT,
                            "is damaged: it holds records and has no header (offset 0)", err);
    int code = check_header(r, number, out_header, err);
    return code < 0 ? code : TBUS_JOURNAL_FOUND;
}

int tbus_journal_segment_look(const tbus_journal_reader_t *r, uint32_t number, int *out_fd,
                              tbus_journal_header_t *out_header, uint64_t *out_cut_bytes,
                              tbus_error_t *err)
{
    char name[TBUS_JOURNAL_FILE_NAME_MAX];
    tbus_journal_header_t header;
    tbus_journal_file_name(number, name);
    *out_cut_bytes = 0;
    int fd = openat(r->directory_fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? TBUS_JOURNAL_NOTHING : fail_system(r, number, -errno, err);
    int look = look_at_file(r, number, fd, &header, out_cut_bytes, err);
    if (look != TBUS_JOURNAL_FOUND) {
        close(fd);
        return look;
    }
    *out_fd = fd;
    *out_header = header;
    return look;
}

void tbus_journal_segment_enter(tbus_journal_reader_t *r, int fd,
                                const tbus_journal_header_t *header)
{
    if (r->fd >= 0)
        close(r->fd);
    r->fd = fd;
    r->segment = header->segment;
    r->seed = tbus_journal_seed(header->session_id, header->segment);
    r->position = TBUS_JOURNAL_HEADER_BYTES;
    r->buffer_bytes = 0;
    if (r->info.segments < header->segment)
        r->info.segments = header->segment;
}

/* --- the session --- */

static void keep_info(tbus_journal_reader_t *r, const tbus_journal_header_t *first)
{
    r->identity = tbus_journal_identity(first);
    memcpy(r->info.bus_name, first->bus_name, sizeof r->info.bus_name);
    memcpy(r->info.session_id, first->session_id, sizeof r->info.session_id);
    r->info.started_realtime_ns = first->started_realtime_ns;
    r->info.segment_bytes = first->segment_bytes;
    r->info.topics_count = first->topics_count;
    memcpy(r->info.topics, first->topics, sizeof r->info.topics);
}

/* The first segment: there is no journal without it. */
static int enter_first(tbus_journal_reader_t *r, tbus_error_t *err)
{
    int fd;
    uint64_t cut_bytes;
    tbus_journal_header_t header;
    int look = tbus_journal_segment_look(r, 1, &fd, &header, &cut_bytes, err);
    if (look == TBUS_JOURNAL_NOTHING)
        return fail_segment(r, 1, -TBUS_ETRUNCATED,
                            "holds no header: the recording never began, or the file was cut", err);
    if (look < 0)
        return look;
    keep_info(r, &header);
    tbus_journal_segment_enter(r, fd, &header);
    r->lock_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return r->lock_fd < 0 ? fail_system(r, 1, -errno, err) : 0;
}

/* A segment's size into the sum, if it is part of the journal. The last one need not be yet. */
static int check_segment(tbus_journal_reader_t *r, uint32_t number, bool is_last, tbus_error_t *err)
{
    int fd;
    uint64_t cut_bytes;
    struct stat file;
    tbus_journal_header_t header;
    int look = tbus_journal_segment_look(r, number, &fd, &header, &cut_bytes, err);
    if (look < 0)
        return look;
    if (look == TBUS_JOURNAL_NOTHING)
        return is_last ? 0
                       : fail_segment(r, number, -TBUS_ECORRUPT,
                                      "holds no header, and others follow it", err);
    tbus_journal_header_t identity = tbus_journal_identity(&header);
    int code = 0;
    if (memcmp(&identity, &r->identity, sizeof identity) != 0)
        code = fail_segment(r, number, -TBUS_ECORRUPT, "is from another session than the first one",
                            err);
    else if (fstat(fd, &file) < 0)
        code = fail_system(r, number, -errno, err);
    close(fd);
    if (code < 0)
        return code;
    r->info.segments = number;
    r->info.bytes += (uint64_t)file.st_size;
    return 0;
}

int tbus_journal_reader_open(const char *directory, tbus_journal_reader_t **out_reader,
                             tbus_error_t *err)
{
    int directory_fd;
    uint32_t segments;
    int code = tbus_journal_directory_open(directory, &directory_fd, &segments, err);
    if (code < 0)
        return code;
    tbus_journal_reader_t *r = calloc(1, sizeof *r);
    char *path = strdup(directory);
    unsigned char *buffer = aligned_alloc(64, TBUS_JOURNAL_BUFFER_BYTES);
    if (!r || !path || !buffer) {
        free(r);
        free(path);
        free(buffer);
        close(directory_fd);
        return tbus_fail(err, -ENOMEM, "no memory to read the journal in %s", directory);
    }
    *r = (tbus_journal_reader_t){.path = path,
                                 .directory_fd = directory_fd,
                                 .lock_fd = -1,
                                 .fd = -1,
                                 .buffer = buffer,
                                 .buffer_capacity = TBUS_JOURNAL_BUFFER_BYTES};
    code = enter_first(r, err);
    for (uint32_t number = 1; code == 0 && number <= segments; number++)
        code = check_segment(r, number, number == segments, err);
    if (code < 0) {
        tbus_journal_reader_close(r);
        return code;
    }
    *out_reader = r;
    return 0;
}

const tbus_journal_info_t *tbus_journal_reader_info(const tbus_journal_reader_t *r)
{
    return &r->info;
}

int tbus_journal_reader_topic(const tbus_journal_reader_t *r, const char *name)
{
    for (uint32_t i = 0; i < r->info.topics_count; i++)
        if (strcmp(r->info.topics[i].name, name) == 0)
            return (int)i;
    return -TBUS_ENOTFOUND;
}

void tbus_journal_reader_close(tbus_journal_reader_t *r)
{
    if (!r)
        return;
    const int fds[] = {r->fd, r->lock_fd, r->directory_fd};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    free(r->buffer);
    free(r->path);
    free(r);
}
