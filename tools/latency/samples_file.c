/* SPDX-License-Identifier: Apache-2.0 */
/* DIR/samples.bin (samples.h). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <tickbus/journal.h>

#include "tools/latency/samples.h"
#include "tools/show/output_file.h"

#define FILE_NAME       "samples.bin"
#define FILE_VERSION    3u
#define WITHOUT_TOUCHED 1u /* the versions before */
#define WITHOUT_CRC     2u
#define PATH_BYTES      4096

static const char magic[8] = {'t', 'b', 's', 'a', 'm', 'p', 'l', 'e'};

typedef struct file_header {
    char magic[8];
    uint32_t version;
    uint32_t hops;
    uint64_t first_seq;
    uint64_t start_ns;
    uint64_t rows;
} file_header_t;

_Static_assert(sizeof(file_header_t) == 40, "as samples.h says");

typedef struct column_header {
    uint64_t count;
    uint64_t sparse;
} column_header_t;

static int path_of(const char *directory, char out_path[PATH_BYTES], tbus_error_t *err)
{
    int bytes = snprintf(out_path, PATH_BYTES, "%s/" FILE_NAME, directory);
    if (bytes > 0 && bytes < PATH_BYTES)
        return 0;
    return tbus_fail(err, -ENAMETOOLONG, "the name of the directory %.80s... is too long",
                     directory);
}

static uint64_t padded(uint64_t bytes)
{
    return (bytes + 7) / 8 * 8;
}

typedef struct writing {
    FILE *out; /* whether all of it was written, its commit finds */
    uint32_t crc;
} writing_t;

static void put(writing_t *w, const void *data, uint64_t bytes)
{
    w->crc = tbus_crc32c(w->crc, data, bytes);
    (void)fwrite(data, 1, bytes, w->out);
}

static void put_padded(writing_t *w, const void *data, uint64_t bytes)
{
    static const char zeros[8];
    put(w, data, bytes);
    put(w, zeros, padded(bytes) - bytes);
}

static void put_column(writing_t *w, const sample_column_t *column)
{
    column_header_t header = {column->count, column->row != NULL};
    put(w, &header, sizeof header);
    if (column->row)
        put_padded(w, column->row, column->count * sizeof *column->row);
    put(w, column->ns, column->count * sizeof *column->ns);
}

int samples_write(const samples_t *s, const char *directory, tbus_error_t *err)
{
    char path[PATH_BYTES];
    output_file_t file;
    int code = path_of(directory, path, err);
    if (code == 0)
        code = output_file_open(path, &file, err);
    if (code < 0)
        return code;
    file_header_t header = {.version = FILE_VERSION,
                            .hops = HOP_COUNT,
                            .first_seq = s->first_seq,
                            .start_ns = s->start_ns,
                            .rows = s->rows};
    memcpy(header.magic, magic, sizeof magic);
    writing_t w = {.out = file.stream};
    put(&w, &header, sizeof header);
    put(&w, s->intended_ns, s->rows * sizeof *s->intended_ns);
    for (int i = 0; i < HOP_COUNT; i++)
        put_column(&w, &s->hops[i]);
    uint64_t touched = s->touched ? s->rows : 0;
    put(&w, &touched, sizeof touched);
    if (touched)
        put_padded(&w, s->touched, touched);
    uint64_t crc = w.crc;
    put(&w, &crc, sizeof crc);
    return output_file_commit(&file, err);
}

/* ---- reading */

typedef struct reading {
    FILE *in;
    uint64_t left; /* bytes of the file: no count in it can ask for more memory than that */
    uint32_t crc;  /* of what was read */
} reading_t;

static bool take(reading_t *r, void *out, uint64_t size, uint64_t count)
{
    uint64_t bytes;
    if (__builtin_mul_overflow(size, count, &bytes) || bytes > r->left)
        return false;
    r->left -= bytes;
    if (fread(out, size, count, r->in) != count)
        return false;
    r->crc = tbus_crc32c(r->crc, out, bytes);
    return true;
}

static bool rises(const uint32_t *row, uint64_t count, uint64_t rows)
{
    for (uint64_t i = 0; i < count; i++)
        if (row[i] >= rows || (i > 0 && row[i] <= row[i - 1]))
            return false;
    return true;
}

static bool take_column(reading_t *r, samples_t *s, enum sample_hop hop)
{
    column_header_t header;
    unsigned char padding[8];
    sample_column_t *column = &s->hops[hop];
    if (!take(r, &header, sizeof header, 1) || header.count > s->rows || header.sparse > 1 ||
        (!header.sparse && header.count != 0 && header.count != s->rows) ||
        header.count > r->left / sizeof *column->ns ||
        !samples_reserve(s, hop, header.count, header.sparse == 1))
        return false;
    column->count = header.count;
    if (header.sparse) {
        uint64_t bytes = header.count * sizeof *column->row, pad = padded(bytes) - bytes;
        if (!take(r, column->row, sizeof *column->row, header.count) || !take(r, padding, 1, pad) ||
            !rises(column->row, header.count, s->rows))
            return false;
    }
    return take(r, column->ns, sizeof *column->ns, header.count);
}

static bool take_touched(reading_t *r, samples_t *s)
{
    unsigned char padding[8];
    uint64_t count, others = 0;
    if (!take(r, &count, sizeof count, 1) || (count != 0 && count != s->rows))
        return false;
    if (count == 0)
        return true;
    if (count > r->left || !(s->touched = malloc(count)) || !take(r, s->touched, 1, count) ||
        !take(r, padding, 1, padded(count) - count))
        return false;
    for (uint64_t i = 0; i < count; i++)
        others += s->touched[i] > 1;
    return others == 0;
}

static bool never_falls(const uint64_t *ns, uint64_t rows)
{
    for (uint64_t i = 1; i < rows; i++)
        if (ns[i] < ns[i - 1])
            return false;
    return true;
}

static bool take_all(reading_t *r, samples_t *s)
{
    file_header_t header;
    if (!take(r, &header, sizeof header, 1) || memcmp(header.magic, magic, sizeof magic) != 0 ||
        header.version < WITHOUT_TOUCHED || header.version > FILE_VERSION ||
        header.hops != HOP_COUNT || header.rows > SAMPLES_ROWS_MAX ||
        header.rows > r->left / sizeof *s->intended_ns || !samples_create(header.rows, s))
        return false;
    s->rows = header.rows;
    s->first_seq = header.first_seq;
    s->start_ns = header.start_ns;
    if (!take(r, s->intended_ns, sizeof *s->intended_ns, s->rows) ||
        !never_falls(s->intended_ns, s->rows))
        return false;
    for (int i = 0; i < HOP_COUNT; i++)
        if (!take_column(r, s, (enum sample_hop)i))
            return false;
    if (header.version != WITHOUT_TOUCHED && !take_touched(r, s))
        return false;
    uint64_t expected = r->crc, crc = expected;
    if (header.version > WITHOUT_CRC && !take(r, &crc, sizeof crc, 1))
        return false;
    return r->left == 0 && crc == expected;
}

int samples_read(const char *directory, samples_t *out_samples, tbus_error_t *err)
{
    char path[PATH_BYTES];
    struct stat st;
    samples_t s = {0};
    int code = path_of(directory, path, err);
    if (code < 0)
        return code;
    FILE *in = fopen(path, "re");
    if (!in || fstat(fileno(in), &st) < 0) {
        code = -errno;
        if (in)
            fclose(in);
        return tbus_fail(err, code, "%s: %s; `busctl latency --out DIR` writes it", path,
                         tbus_strerror(code));
    }
    reading_t r = {.in = in, .left = (uint64_t)st.st_size};
    bool good = take_all(&r, &s);
    fclose(in);
    if (!good) {
        samples_clear(&s);
        return tbus_fail(err, -TBUS_EFORMAT,
                         "%s: not the samples of a run, or damaged: make it anew with `busctl "
                         "latency --out DIR`",
                         path);
    }
    *out_samples = s;
    return 0;
}
