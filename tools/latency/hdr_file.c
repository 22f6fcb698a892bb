/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/latency/hdr_file.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <zlib.h>

#include "tools/show/output_file.h"

#define COOKIE            UINT32_C(0x1c849313) /* V2, words of varying length */
#define COOKIE_COMPRESSED UINT32_C(0x1c849314)
#define HEAD_BYTES        40u
#define COUNT_BYTES_MAX   9u
#define PLAIN_BYTES_MAX   (HEAD_BYTES + HDR_COUNTS * COUNT_BYTES_MAX)
#define TICKS_PER_HALF    5u /* percentiles shown for each halving of what is left */
#define NS_PER_MS         1e6
#define INTERVAL_NS       UINT64_C(1000000000)
#define PATH_BYTES        4096

/* ---- percentiles */

/* Mean and deviation take each value for the middle of those that count alike. */
static void moments(const hdr_t *h, double *out_mean, double *out_deviation)
{
    double sum = 0, squares = 0, count = (double)h->count;
    for (uint32_t i = 0; i < HDR_COUNTS; i++) {
        double middle = ((double)hdr_low_ns(i) + (double)hdr_high_ns(i)) / 2;
        sum += middle * (double)h->counts[i];
    }
    double mean = count > 0 ? sum / count : 0;
    for (uint32_t i = 0; i < HDR_COUNTS; i++) {
        double off = ((double)hdr_low_ns(i) + (double)hdr_high_ns(i)) / 2 - mean;
        squares += off * off * (double)h->counts[i];
    }
    *out_mean = mean;
    *out_deviation = count > 0 ? sqrt(squares / count) : 0;
}

/* The share that is shown after `share`: so many steps in each half of what is left. */
static double next_share(double share)
{
    double halvings = floor(log2(1 / (1 - share)));
    double ticks = TICKS_PER_HALF * exp2(halvings + 1);
    return share + 1 / ticks;
}

static void write_percentiles(const hdr_t *h, FILE *out)
{
    double mean, deviation, share = 0;
    uint64_t seen = 0;
    fputs("       Value     Percentile TotalCount 1/(1-Percentile)\n\n", out);
    for (uint32_t i = 0; i < HDR_COUNTS && seen < h->count; i++) {
        if (h->counts[i] == 0)
            continue;
        seen += h->counts[i];
        double value = (double)hdr_high_ns(i), reached = (double)seen / (double)h->count;
        while (share <= reached && seen < h->count) {
            fprintf(out, "%12.3f %2.12f %10" PRIu64 " %14.2f\n", value, share, seen,
                    1 / (1 - share));
            share = next_share(share);
        }
        if (seen == h->count)
            fprintf(out, "%12.3f %2.12f %10" PRIu64 "\n", value, 1.0, seen);
    }
    moments(h, &mean, &deviation);
    fprintf(out,
            "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n"
            "#[Max     = %12.3f, Total count    = %12" PRIu64 "]\n"
            "#[Buckets = %12u, SubBuckets     = %12u]\n",
            mean, deviation, h->count ? (double)hdr_high_ns(hdr_index(h->max_ns)) : 0.0, h->count,
            HDR_BUCKETS, HDR_SUB_BUCKETS);
}

/* ---- the encoding */

static unsigned char *put_u32(unsigned char *at, uint32_t value)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        *at++ = (unsigned char)(value >> shift);
    return at;
}

static unsigned char *put_u64(unsigned char *at, uint64_t value)
{
    return put_u32(put_u32(at, (uint32_t)(value >> 32)), (uint32_t)value);
}

static unsigned char *put_zigzag(unsigned char *at, int64_t value)
{
    uint64_t left = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
    for (unsigned i = 1; i < COUNT_BYTES_MAX && left > 127; i++, left >>= 7)
        *at++ = (unsigned char)(left & 127) | 128;
    *at++ = (unsigned char)left; /* the ninth byte has all eight bits */
    return at;
}

static unsigned char *put_counts(unsigned char *at, const hdr_t *h)
{
    uint32_t end = HDR_COUNTS;
    while (end > 0 && h->counts[end - 1] == 0)
        end--;
    for (uint32_t i = 0; i < end;) {
        int64_t zeros = 0;
        for (; i < end && h->counts[i] == 0; i++)
            zeros++;
        at = zeros ? put_zigzag(at, -zeros) : put_zigzag(at, (int64_t)h->counts[i++]);
    }
    return at;
}

/* Returns how many bytes; `out` has PLAIN_BYTES_MAX. */
static size_t encode(const hdr_t *h, unsigned char *out)
{
    const double ratio = 1;
    uint64_t ratio_bits;
    memcpy(&ratio_bits, &ratio, sizeof ratio_bits);
    unsigned char *end = put_counts(out + HEAD_BYTES, h);
    unsigned char *at = put_u32(out, COOKIE);
    at = put_u32(at, (uint32_t)(end - out) - HEAD_BYTES);
    at = put_u32(at, 0);
    at = put_u32(at, HDR_DIGITS);
    at = put_u64(at, HDR_LOWEST_NS);
    at = put_u64(at, HDR_HIGHEST_NS);
    (void)put_u64(at, ratio_bits);
    return (size_t)(end - out);
}

static void write_base64(const unsigned char *bytes, size_t count, FILE *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < count; i += 3) {
        size_t left = count - i;
        uint32_t group = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                         (left > 2 ? bytes[i + 2] : 0);
        fputc(digits[group >> 18], out);
        fputc(digits[group >> 12 & 63], out);
        fputc(left > 1 ? digits[group >> 6 & 63] : '=', out);
        fputc(left > 2 ? digits[group & 63] : '=', out);
    }
}

/* ---- the log */

static void begin_log(uint64_t start_ms, FILE *out)
{
    time_t seconds = (time_t)(start_ms / 1000);
    struct tm utc;
    char text[64];
    gmtime_r(&seconds, &utc);
    strftime(text, sizeof text, "%a %b %d %H:%M:%S UTC %Y", &utc);
    fprintf(out,
            "#[Logged with tickbus]\n"
            "#[Histogram log format version 1.3]\n"
            "#[StartTime: %" PRIu64 ".%03u (seconds since epoch), %s]\n"
            "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\","
            "\"Interval_Compressed_Histogram\"\n",
            start_ms / 1000, (unsigned)(start_ms % 1000), text);
}

bool hdr_log_add(const char *tag, double from_s, double length_s, const hdr_t *h, FILE *out)
{
    uLong packed_max = compressBound(PLAIN_BYTES_MAX);
    unsigned char *plain = malloc(PLAIN_BYTES_MAX), *packed = malloc(8 + packed_max);
    uLongf packed_bytes = packed_max;
    bool good = plain && packed;
    good = good && compress(packed + 8, &packed_bytes, plain, encode(h, plain)) == Z_OK;
    if (good) {
        (void)put_u32(put_u32(packed, COOKIE_COMPRESSED), (uint32_t)packed_bytes);
        fprintf(out, "Tag=%s,%.3f,%.3f,%.3f,", tag, from_s, length_s,
                (double)h->max_ns / NS_PER_MS);
        write_base64(packed, 8 + packed_bytes, out);
        fputc('\n', out);
    }
    free(plain);
    free(packed);
    return good;
}

/* ---- of samples */

static int path_of(const char *directory, const char *name, const char *ending,
                   char out_path[PATH_BYTES], tbus_error_t *err)
{
    int bytes = snprintf(out_path, PATH_BYTES, "%s/%s%s", directory, name, ending);
    if (bytes > 0 && bytes < PATH_BYTES)
        return 0;
    return tbus_fail(err, -ENAMETOOLONG, "the name of the directory %.80s... is too long",
                     directory);
}

static int open_in(const char *directory, const char *name, const char *ending,
                   output_file_t *out_file, tbus_error_t *err)
{
    char path[PATH_BYTES];
    int code = path_of(directory, name, ending, path, err);
    return code < 0 ? code : output_file_open(path, out_file, err);
}

static int write_hop(const samples_t *s, enum sample_hop hop, hdr_t *h, const char *directory,
                     tbus_error_t *err)
{
    output_file_t file;
    int code = open_in(directory, samples_hop_name(hop), ".hgrm", &file, err);
    if (code < 0)
        return code;
    hdr_clear(h);
    for (uint64_t i = 0; i < s->hops[hop].count; i++)
        hdr_record(h, s->hops[hop].ns[i]);
    write_percentiles(h, file.stream);
    return output_file_commit(&file, err);
}

/* That of an earlier run in the same directory would be taken for this one's. */
static int remove_hop(enum sample_hop hop, const char *directory, tbus_error_t *err)
{
    char path[PATH_BYTES];
    int code = path_of(directory, samples_hop_name(hop), ".hgrm", path, err);
    if (code == 0 && unlink(path) < 0 && errno != ENOENT) {
        code = -errno;
        tbus_fail(err, code, "%s is of an earlier run, and cannot be removed: %s", path,
                  tbus_strerror(code));
    }
    return code;
}

/* The messages of a hop that were intended in interval `number`; *at moves behind them. */
static void fill(const samples_t *s, enum sample_hop hop, uint64_t number, uint64_t *at, hdr_t *h)
{
    hdr_clear(h);
    for (; *at < s->hops[hop].count && samples_at_ns(s, hop, *at) / INTERVAL_NS == number; ++*at)
        hdr_record(h, s->hops[hop].ns[*at]);
}

static bool log_all(const samples_t *s, hdr_t *h, FILE *out)
{
    uint64_t at[HOP_COUNT] = {0};
    uint64_t last = s->rows ? s->intended_ns[s->rows - 1] / INTERVAL_NS : 0;
    double length_s = (double)INTERVAL_NS / 1e9;
    for (uint64_t number = 0; number <= last; number++)
        for (int hop = 0; hop < HOP_COUNT; hop++) {
            fill(s, (enum sample_hop)hop, number, &at[hop], h);
            if (h->count && !hdr_log_add(samples_hop_name((enum sample_hop)hop),
                                         (double)number * length_s, length_s, h, out))
                return false;
        }
    return true;
}

static int write_log(const samples_t *s, uint64_t start_ms, hdr_t *h, const char *directory,
                     tbus_error_t *err)
{
    output_file_t file;
    int code = open_in(directory, "latency", ".hlog", &file, err);
    if (code < 0)
        return code;
    begin_log(start_ms, file.stream);
    if (log_all(s, h, file.stream))
        return output_file_commit(&file, err);
    output_file_abandon(&file);
    return tbus_fail(err, -ENOMEM, "no memory to pack a histogram");
}

int hdr_write_samples(const samples_t *s, uint64_t start_ms, const char *directory,
                      tbus_error_t *err)
{
    hdr_t *h = malloc(sizeof *h);
    int code = h ? 0 : tbus_fail(err, -ENOMEM, "no memory for a histogram");
    for (int hop = 0; code == 0 && hop < HOP_COUNT; hop++)
        code = s->hops[hop].count ? write_hop(s, (enum sample_hop)hop, h, directory, err)
                                  : remove_hop((enum sample_hop)hop, directory, err);
    if (code == 0)
        code = write_log(s, start_ms, h, directory, err);
    free(h);
    return code;
}
