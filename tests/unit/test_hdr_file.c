/* SPDX-License-Identifier: Apache-2.0 */
/* What the tools of HdrHistogram would read: by a reader of our own, written from what is said of
 * the format, and by hdr-histogram-js, where node has it (NODE_PATH names its directory). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "tests/support/program.h"
#include "tools/latency/hdr_file.h"

#define START_MS UINT64_C(1764417600123) /* 2025-11-29 12:00:00.123 UTC */
#define RATE     1000u
#define SECONDS  3u

typedef struct fixture {
    char directory[SCRATCH_PATH_MAX];
    samples_t samples;
    hdr_t expected[SECONDS], got;
} fixture_t;

static uint64_t value_of(uint64_t i)
{
    return i % 97 == 0 ? 40000000 + i * 1000 : 500 + i * i % 3001;
}

/* A second after the other, 1000 messages each; a hop that each took, and one that few did. */
static int set_up(void **state)
{
    static fixture_t f;
    const uint64_t rows = (uint64_t)RATE * SECONDS;
    scratch_create(f.directory);
    if (!samples_create(rows, &f.samples) ||
        !samples_reserve(&f.samples, HOP_TICK_TO_SEEN, rows, false) ||
        !samples_reserve(&f.samples, HOP_DECIDE, rows, true))
        return -1;
    f.samples.rows = rows;
    f.samples.first_seq = 1;
    for (unsigned i = 0; i < SECONDS; i++)
        hdr_clear(&f.expected[i]);
    for (uint64_t i = 0; i < rows; i++) {
        sample_column_t *seen = &f.samples.hops[HOP_TICK_TO_SEEN];
        sample_column_t *decide = &f.samples.hops[HOP_DECIDE];
        f.samples.intended_ns[i] = i * 1000000;
        seen->ns[seen->count++] = value_of(i);
        hdr_record(&f.expected[i / RATE], value_of(i));
        if (i % 10 == 3) {
            decide->row[decide->count] = (uint32_t)i;
            decide->ns[decide->count++] = 200;
        }
    }
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    fixture_t *f = *state;
    samples_clear(&f->samples);
    scratch_remove(f->directory);
    return 0;
}

static char *read_in(const fixture_t *f, const char *name)
{
    char path[SCRATCH_PATH_MAX + 32];
    size_t bytes;
    tbus_error_t err = {0};
    if (hdr_write_samples(&f->samples, START_MS, f->directory, &err) != 0)
        fail_msg("%s", err.text);
    snprintf(path, sizeof path, "%s/%s", f->directory, name);
    char *text = file_read(path, &bytes);
    assert_non_null(text);
    return text;
}

/* ---- a reader of the log */

static int digit_of(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* Base64, up to the end of the line. */
static size_t unpack_text(const char *text, unsigned char *out)
{
    uint32_t bits = 0, held = 0;
    size_t count = 0;
    for (int digit; (digit = digit_of(*text)) >= 0; text++) {
        bits = bits << 6 | (uint32_t)digit;
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[count++] = (unsigned char)(bits >> held);
        }
    }
    return count;
}

static uint64_t big_endian(const unsigned char *at, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value = value << 8 | at[i];
    return value;
}

/* ZigZag LEB128 of up to nine bytes, of which the ninth has eight bits. */
static int64_t take_number(const unsigned char **at)
{
    uint64_t value = 0;
    for (int i = 0;; i++) {
        unsigned char byte = *(*at)++;
        if (i == 8) {
            value |= (uint64_t)byte << 56;
            break;
        }
        value |= (uint64_t)(byte & 127) << (7 * i);
        if (byte < 128)
            break;
    }
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

static void read_histogram(const char *text, hdr_t *out)
{
    static unsigned char packed[1u << 20], plain[1u << 20];
    size_t bytes = unpack_text(text, packed);
    uLongf plain_bytes = sizeof plain;
    const double one = 1;
    uint64_t one_bits;
    memcpy(&one_bits, &one, sizeof one);
    assert_int_equal(big_endian(packed, 4), 0x1c849314);
    assert_int_equal(big_endian(packed + 4, 4), bytes - 8);
    assert_int_equal(uncompress(plain, &plain_bytes, packed + 8, bytes - 8), Z_OK);
    assert_int_equal(big_endian(plain, 4), 0x1c849313);
    assert_int_equal(big_endian(plain + 4, 4), plain_bytes - 40);
    assert_int_equal(big_endian(plain + 8, 4), 0);
    assert_int_equal(big_endian(plain + 12, 4), 3);
    assert_int_equal(big_endian(plain + 16, 8), 1);
    assert_int_equal(big_endian(plain + 24, 8), UINT64_C(3600000000000));
    assert_int_equal(big_endian(plain + 32, 8), one_bits);
    hdr_clear(out);
    const unsigned char *at = plain + 40;
    for (uint64_t index = 0; at < plain + plain_bytes;) {
        int64_t number = take_number(&at);
        if (number < 0) {
            index += (uint64_t)-number;
            continue;
        }
        assert_true(index < HDR_COUNTS);
        out->counts[index++] = (uint64_t)number;
        out->count += (uint64_t)number;
    }
}

static void the_log_gives_back_each_second_of_each_hop(void **state)
{
    fixture_t *f = *state;
    char *text = read_in(f, "latency.hlog"), *rest = text;
    unsigned seconds = 0, decides = 0;
    assert_non_null(strstr(text, "#[Histogram log format version 1.3]\n"));
    assert_non_null(strstr(text, "#[StartTime: 1764417600.123 (seconds since epoch), Sat Nov 29 "
                                 "12:00:00 UTC 2025]\n"));
    for (char *line; (line = strtok_r(rest, "\n", &rest)) != NULL;) {
        char tag[32], packed_at[8];
        double from_s, length_s, max_ms;
        int used = 0;
        if (sscanf(line, "Tag=%31[^,],%lf,%lf,%lf,%4[A-Z]%n", tag, &from_s, &length_s, &max_ms,
                   packed_at, &used) != 5)
            continue;
        read_histogram(strrchr(line, ',') + 1, &f->got);
        assert_true(length_s == 1);
        if (strcmp(tag, "decide") == 0) {
            decides++;
            assert_int_equal(f->got.count, RATE / 10);
            continue;
        }
        assert_string_equal(tag, "tick_to_seen");
        const hdr_t *expected = &f->expected[seconds];
        assert_true(from_s == seconds);
        assert_true(fabs(max_ms - (double)expected->max_ns / 1e6) < 0.001);
        assert_int_equal(f->got.count, expected->count);
        assert_memory_equal(f->got.counts, expected->counts, sizeof expected->counts);
        seconds++;
    }
    assert_int_equal(seconds, SECONDS);
    assert_int_equal(decides, SECONDS);
    free(text);
}

static void numbers_of_any_size_are_written_as_they_are(void **state)
{
    fixture_t *f = *state;
    static hdr_t wide;
    char *text = NULL;
    size_t bytes;
    hdr_clear(&wide);
    for (unsigned shift = 0; shift < 62; shift++)
        wide.count += wide.counts[shift * 3 + shift % 2] = UINT64_C(1) << shift;
    FILE *out = open_memstream(&text, &bytes);
    assert_true(hdr_log_add("wide", 0, 1, &wide, out));
    fclose(out);
    read_histogram(strrchr(text, ',') + 1, &f->got);
    assert_memory_equal(f->got.counts, wide.counts, sizeof wide.counts);
    free(text);
}

/* ---- percentiles */

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void percentiles_rise_to_the_maximum_and_are_those_of_the_values(void **state)
{
    fixture_t *f = *state;
    const uint64_t rows = (uint64_t)RATE * SECONDS;
    uint64_t sorted[RATE * SECONDS];
    for (uint64_t i = 0; i < rows; i++)
        sorted[i] = value_of(i);
    qsort(sorted, rows, sizeof *sorted, by_value);
    char *text = read_in(f, "tick_to_seen.hgrm"), *rest = text;
    double last_share = -1;
    unsigned lines = 0;
    for (char *line; (line = strtok_r(rest, "\n", &rest)) != NULL;) {
        double value, share;
        uint64_t count;
        if (sscanf(line, " %lf %lf %" SCNu64, &value, &share, &count) != 3)
            continue;
        uint64_t rank = (uint64_t)ceil(share * (double)rows - 1e-6);
        double exact = (double)sorted[rank ? rank - 1 : 0];
        assert_true(share > last_share && count >= rank && count <= rows);
        assert_true(value >= exact && value <= exact * 1.001 + 1);
        last_share = share;
        lines++;
    }
    assert_true(last_share == 1);
    assert_true(lines > 20);
    free(text);
    text = read_in(f, "tick_to_seen.hgrm");
    assert_non_null(strstr(text, "Total count    =         3000]\n"));
    free(text);
}

static void a_hop_that_nobody_took_has_no_file(void **state)
{
    fixture_t *f = *state;
    char path[SCRATCH_PATH_MAX + 32];
    size_t bytes;
    free(read_in(f, "decide.hgrm"));
    snprintf(path, sizeof path, "%s/risk.hgrm", f->directory);
    assert_null(file_read(path, &bytes));
}

/* ---- the parser of others */

static const char script[] =
    "const hdr = require('hdr-histogram-js');\n"
    "const text = require('fs').readFileSync(process.argv[1], 'utf8');\n"
    "const reader = new hdr.HistogramLogReader(text);\n"
    "for (let h; (h = reader.nextIntervalHistogram()) != null;)\n"
    "  if (h.tag == 'tick_to_seen')\n"
    "    console.log(h.totalCount, h.maxValue, h.getValueAtPercentile(50),\n"
    "                h.getValueAtPercentile(99));\n";

static void hdr_histogram_js_reads_the_log(void **state)
{
    fixture_t *f = *state;
    const char *probe_argv[] = {"node", "-e", "require('hdr-histogram-js')", NULL};
    program_t probe = {.argv = probe_argv};
    bool there = program_run(&probe) == 0;
    program_clear(&probe);
    if (!there) {
        printf("no node with hdr-histogram-js (npm install hdr-histogram-js; NODE_PATH): its "
               "reader is left out\n");
        skip();
    }
    char path[SCRATCH_PATH_MAX + 32];
    free(read_in(f, "latency.hlog"));
    snprintf(path, sizeof path, "%s/latency.hlog", f->directory);
    const char *argv[] = {"node", "-e", script, path, NULL};
    program_t node = {.argv = argv};
    int code = program_run(&node);
    if (code != 0)
        print_error("%s\n", node.err);
    assert_int_equal(code, 0);
    char *rest = node.out;
    for (unsigned i = 0; i < SECONDS; i++) {
        uint64_t count = strtoull(rest, &rest, 10), max = strtoull(rest, &rest, 10);
        uint64_t p50 = strtoull(rest, &rest, 10), p99 = strtoull(rest, &rest, 10);
        assert_int_equal(count, f->expected[i].count);
        assert_int_equal(max, hdr_high_ns(hdr_index(f->expected[i].max_ns)));
        assert_int_equal(p50, hdr_percentile_ns(&f->expected[i], 0.5));
        assert_int_equal(p99, hdr_percentile_ns(&f->expected[i], 0.99));
    }
    program_clear(&node);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_log_gives_back_each_second_of_each_hop),
        TEST(numbers_of_any_size_are_written_as_they_are),
        TEST(percentiles_rise_to_the_maximum_and_are_those_of_the_values),
        TEST(a_hop_that_nobody_took_has_no_file),
        TEST(hdr_histogram_js_reads_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
