/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>
#include <zlib.h>

#include "feedsim/itch/binaryfile.h"
#include "feedsim/itch/binaryfile_writer.h"
#include "tests/market_data.h"

#define BIG (8u << 20)

typedef struct scratch {
    char directory[64];
    char file[96];  /* the one file that a test makes */
    uint8_t *bytes; /* its contents */
    size_t count;
} scratch_t;

static int make_scratch(void **state)
{
    scratch_t *s = calloc(1, sizeof(*s));
    strcpy(s->directory, "/tmp/test_binaryfile.XXXXXX");
    if (mkdtemp(s->directory) == NULL)
        return -1;
    snprintf(s->file, sizeof(s->file), "%s/input", s->directory);
    s->bytes = malloc(BIG);
    *state = s;
    return 0;
}

static int remove_scratch(void **state)
{
    scratch_t *s = *state;
    unlink(s->file);
    rmdir(s->directory);
    free(s->bytes);
    free(s);
    return 0;
}

static void save(const scratch_t *s, const void *bytes, size_t count)
{
    FILE *file = fopen(s->file, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    assert_int_equal(fclose(file), 0);
}

/* gzip `count` bytes into `into`, as one member. */
static size_t pack(const void *bytes, size_t count, uint8_t *into, size_t room)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)bytes;
    z.avail_in = (uInt)count;
    z.next_out = into;
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t packed = room - z.avail_out;
    deflateEnd(&z);
    return packed;
}

static void load(scratch_t *s, const char *name)
{
    char path[MARKET_DATA_PATH_MAX];
    if (!market_data_path(name, path))
        skip();
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    s->count = fread(s->bytes, 1, BIG, file);
    assert_int_equal(fclose(file), 0);
    assert_in_range(s->count, 1, BIG - 1);
}

typedef struct outcome {
    int rc; /* of the open, or the last next */
    uint64_t messages;
    uint64_t bytes; /* delivered, framing included */
    bool end_marked;
    tbus_error_t error;
} outcome_t;

/* Read all; what is delivered must be the beginning of `want` (framed, uncompressed), if given. */
static outcome_t read_all(const char *path, enum binaryfile_expect expect, const uint8_t *want)
{
    outcome_t o = {0};
    binaryfile_t *f;
    o.rc = binaryfile_open(path, expect, &f, &o.error);
    if (o.rc < 0)
        return o;
    const uint8_t *message;
    size_t bytes;
    while ((o.rc = binaryfile_next(f, &message, &bytes, &o.error)) == BINARYFILE_MESSAGE) {
        if (want) {
            assert_int_equal(want[o.bytes] << 8 | want[o.bytes + 1], bytes);
            assert_memory_equal(message, want + o.bytes + 2, bytes);
        }
        o.messages++;
        o.bytes += 2 + bytes;
    }
    assert_int_equal(binaryfile_messages(f), o.messages);
    o.end_marked = binaryfile_end_marked(f);
    tbus_error_t again;
    assert_int_equal(binaryfile_next(f, &message, &bytes, &again), o.rc);
    if (o.rc < 0)
        assert_string_equal(again.text, o.error.text);
    binaryfile_close(f);
    return o;
}

static void assert_says(const outcome_t *o, int code, const char *words)
{
    assert_int_equal(o->rc, code);
    assert_int_equal(o->error.code, code);
    if (strstr(o->error.text, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", o->error.text, words);
}

static void the_published_vectors_are_read_as_they_say(void **state)
{
    scratch_t *s = *state;
    char path[MARKET_DATA_PATH_MAX];
    if (!market_data_path("vectors/binaryfile.json", path))
        skip();
    json_t *vectors = json_load_file(path, 0, NULL), *vector;
    assert_non_null(vectors);
    size_t index;
    json_array_foreach(vectors, index, vector)
    {
        const char *hex = json_string_value(json_object_get(vector, "hex"));
        s->count = strlen(hex) / 2;
        for (size_t i = 0; i < s->count; i++)
            assert_int_equal(sscanf(hex + 2 * i, "%2hhx", &s->bytes[i]), 1);
        save(s, s->bytes, s->count);
        outcome_t o = read_all(s->file, BINARYFILE_ANY, s->bytes);
        assert_int_equal(o.messages, json_array_size(json_object_get(vector, "messages_hex")));
        assert_int_equal(o.end_marked, json_is_true(json_object_get(vector, "end_of_session")));
        assert_int_equal(o.rc, json_is_true(json_object_get(vector, "truncated")) ? -TBUS_ETRUNCATED
                                                                                  : BINARYFILE_END);
    }
    assert_true(index > 0);
    json_decref(vectors);
}

static void a_real_file_cut_at_any_byte_of_its_last_message_is_told_to_be_cut_there(void **state)
{
    scratch_t *s = *state;
    load(s, "itch_aapl_20200130_5k/aapl_5k.itch");
    outcome_t whole = read_all((save(s, s->bytes, s->count), s->file), BINARYFILE_ITCH, s->bytes);
    assert_int_equal(whole.rc, BINARYFILE_END);
    assert_int_equal(whole.messages, 5000);
    assert_false(whole.end_marked);
    size_t last = s->count - 1;
    while (read_all((save(s, s->bytes, last), s->file), BINARYFILE_ITCH, NULL).rc != BINARYFILE_END)
        last--;
    assert_in_range(s->count - last, 14, 52);
    for (size_t cut = last + 1; cut < s->count; cut++) {
        char where[64];
        snprintf(where, sizeof(where), "message 4999 at byte %zu", last);
        save(s, s->bytes, cut);
        outcome_t o = read_all(s->file, BINARYFILE_ITCH, s->bytes);
        assert_says(&o, -TBUS_ETRUNCATED, where);
        assert_int_equal(o.messages, 4999);
    }
}

static void a_file_of_one_message_cut_anywhere_is_cut_short_not_foreign(void **state)
{
    scratch_t *s = *state;
    load(s, "itch_aapl_20200130_5k/aapl_5k.itch");
    size_t first = 2 + (size_t)s->bytes[1];
    for (size_t cut = 1; cut < first; cut++) {
        save(s, s->bytes, cut);
        outcome_t o = read_all(s->file, BINARYFILE_ITCH, s->bytes);
        assert_says(&o, -TBUS_ETRUNCATED, "message 0 at byte 0");
    }
}

static void missing_empty_and_odd_files_are_refused_by_name(void **state)
{
    scratch_t *s = *state;
    outcome_t o = read_all(s->file, BINARYFILE_ITCH, NULL);
    assert_says(&o, -ENOENT, s->file);
    o = read_all(s->directory, BINARYFILE_ITCH, NULL);
    assert_says(&o, -EISDIR, "is a directory");
    o = read_all("/dev/null", BINARYFILE_ITCH, NULL);
    assert_says(&o, -TBUS_EFORMAT, "neither a file nor a pipe");
    save(s, "", 0);
    o = read_all(s->file, BINARYFILE_ITCH, NULL);
    assert_says(&o, -TBUS_EFORMAT, "is empty");
    uint8_t packed[64];
    save(s, packed, pack("", 0, packed, sizeof(packed)));
    o = read_all(s->file, BINARYFILE_ITCH, NULL);
    assert_says(&o, -TBUS_EFORMAT, "is empty");
}

static void foreign_formats_are_named(void **state)
{
    scratch_t *s = *state;
    static const struct {
        const char *bytes;
        size_t count;
        const char *name;
    } cases[] = {
        {"\xd4\xc3\xb2\xa1\x02\x00\x04\x00", 8, "pcap"},
        {"\x4d\x3c\xb2\xa1\x02\x00\x04\x00", 8, "pcap"},
        {"\x0a\x0d\x0d\x0a\x1c\x00\x00\x00", 8, "pcapng"},
        {"\x28\xb5\x2f\xfd\x04\x00\x00\x00", 8, "Zstandard"},
        {"DBN\x01\x00\x00", 6, "Databento"},
        {"PK\x03\x04\x14\x00", 6, "zip"},
        {"TBJRNL1\0", 8, "journal:DIR"},
        {"time,type,order_id\n34200.1,1,7\n", 30, "text"},
        {"hello\n", 6, "text"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        save(s, cases[i].bytes, cases[i].count);
        outcome_t o = read_all(s->file, BINARYFILE_ITCH, NULL);
        assert_says(&o, -TBUS_EFORMAT, cases[i].name);
    }
    uint8_t once[256], twice[256];
    size_t count = pack("\0\1a", 3, once, sizeof(once));
    save(s, twice, pack(once, count, twice, sizeof(twice)));
    outcome_t o = read_all(s->file, BINARYFILE_ITCH, NULL);
    assert_says(&o, -TBUS_EFORMAT, "gzip data inside gzip data");
}

static void real_files_of_other_formats_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *word;
    } cases[] = {
        {"itch_ritch_artificial_12k/ritch_zero_prefix.bin", "zero length"},
        {"iex_tops16_pcapng/TOPS16.pcapng.gz", "it is a pcap capture"},
        {"cme_es_mbo_20240508/orderbooks_20240508.mbo.dbn.zst", "Zstandard"},
        {"mold_aapl_5k/clean.us_le.pcap", "it is a pcap capture"},
        {"mold_aapl_5k/clean.ns_le.pcap", "it is a pcap capture"},
        {"lobster_aapl_20120621_l1/LOBSTER_SampleFile_AAPL_2012-06-21_1.zip",
         "it is a zip archive"},
        {"itch_aapl_20200130_5k/aapl_5k.itch.bbo.csv", "it is text"},
        {"soup_session_nassau/server_to_client.bin", "not BinaryFILE"},
        {"binance_spot_btcusdt_20240809/binance_spot_btcusdt_20240809.gz", "it is text"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char path[MARKET_DATA_PATH_MAX];
        if (!market_data_path(cases[i].name, path))
            skip();
        outcome_t o = read_all(path, BINARYFILE_ITCH, NULL);
        assert_says(&o, -TBUS_EFORMAT, cases[i].word);
        assert_int_equal(o.messages, 0);
    }
}

static void zero_length_is_the_marker_only_at_the_very_end(void **state)
{
    scratch_t *s = *state;
    load(s, "itch_aapl_20200130_5k/aapl_5k.itch");
    memset(s->bytes + s->count, 0, 4);
    save(s, s->bytes, s->count + 2);
    outcome_t o = read_all(s->file, BINARYFILE_ITCH, s->bytes);
    assert_int_equal(o.rc, BINARYFILE_END);
    assert_int_equal(o.messages, 5000);
    assert_true(o.end_marked);
    save(s, s->bytes, s->count + 3);
    o = read_all(s->file, BINARYFILE_ITCH, s->bytes);
    assert_says(&o, -TBUS_EFORMAT, "message 5000 at byte 153309");
    assert_int_equal(o.messages, 5000);
    save(s, s->bytes, s->count + 1);
    o = read_all(s->file, BINARYFILE_ITCH, s->bytes);
    assert_says(&o, -TBUS_ETRUNCATED, "within the length of message 5000 at byte 153309");
    save(s, "\0", 2); /* nothing but the marker */
    o = read_all(s->file, BINARYFILE_ITCH, NULL);
    assert_int_equal(o.rc, BINARYFILE_END);
    assert_true(o.end_marked);
    save(s, "\0\0\0", 3);
    o = read_all(s->file, BINARYFILE_ITCH, NULL);
    assert_says(&o, -TBUS_EFORMAT, "message 0 at byte 0 has zero length");
}

/* Frames of `bytes` bytes each, types from `types` in turn. */
static size_t make_frames(uint8_t *into, const char *types, const size_t *bytes, size_t count)
{
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        memset(into + at, 1, 2 + bytes[i]);
        into[at] = (uint8_t)(bytes[i] >> 8);
        into[at + 1] = (uint8_t)bytes[i];
        into[at + 2] = (uint8_t)types[i];
        at += 2 + bytes[i];
    }
    return at;
}

static void frames_of_unknown_types_are_fine_among_known_ones_and_refused_alone(void **state)
{
    scratch_t *s = *state;
    static const size_t bytes[] = {12, 300, 19, 65535, 36, 1};
    save(s, s->bytes, make_frames(s->bytes, "SzDyAx", bytes, 6));
    outcome_t o = read_all(s->file, BINARYFILE_ITCH, s->bytes);
    assert_int_equal(o.rc, BINARYFILE_END);
    assert_int_equal(o.messages, 6);
    save(s, s->bytes, make_frames(s->bytes, "SzzyAx", bytes, 6));
    o = read_all(s->file, BINARYFILE_ITCH, s->bytes);
    assert_says(&o, -TBUS_EFORMAT, "of its first 6 messages only 2");
    save(s, s->bytes, make_frames(s->bytes, "Azzzzz", bytes, 6));
    o = read_all(s->file, BINARYFILE_ITCH, s->bytes);
    assert_says(&o, -TBUS_EFORMAT, "message 0 at byte 0 would be of type A and 12 bytes");
    /* A wrong length further in is for whoever decodes: what stands before it is good. */
    save(s, s->bytes, make_frames(s->bytes, "SzDyDx", bytes, 6));
    o = read_all(s->file, BINARYFILE_ITCH, s->bytes);
    assert_int_equal(o.messages, 6);
}

static void a_length_beyond_the_end_that_its_type_cannot_have_is_told_as_that(void **state)
{
    scratch_t *s = *state;
    static const size_t bytes[] = {12, 36, 19, 36};
    size_t count = make_frames(s->bytes, "SADA", bytes, 4);
    s->bytes[14 + 38] = 0x7f; /* the length of the D */
    save(s, s->bytes, count);
    outcome_t o = read_all(s->file, BINARYFILE_ITCH, s->bytes);
    assert_says(&o, -TBUS_EFORMAT,
                "message 2 at byte 52 is 32531 bytes long but type D (Order Delete) has 19");
    assert_int_equal(o.messages, 2);
}

static void gzip_cut_or_damaged_anywhere_still_delivers_what_came_before(void **state)
{
    scratch_t *s = *state;
    load(s, "itch_aapl_20200130_5k/aapl_5k.itch");
    uint8_t *packed = malloc(BIG);
    size_t count = pack(s->bytes, s->count, packed, BIG);
    save(s, packed, count);
    outcome_t o = read_all(s->file, BINARYFILE_ITCH, s->bytes);
    assert_int_equal(o.rc, BINARYFILE_END);
    assert_int_equal(o.messages, 5000);
    uint64_t before = 0;
    for (size_t cut = 2; cut < count; cut += cut < 64 || count - cut < 1024 ? 1 : 509) {
        save(s, packed, cut);
        o = read_all(s->file, BINARYFILE_ITCH, s->bytes);
        assert_says(&o, -TBUS_ETRUNCATED, "the gzip data is cut short");
        assert_true(o.messages >= before);
        before = o.messages;
    }
    assert_int_equal(before, 5000); /* only the checksum was missing at the last cuts */
    packed[count - 6] ^= 1;         /* of the CRC-32 */
    save(s, packed, count);
    o = read_all(s->file, BINARYFILE_ITCH, s->bytes);
    assert_says(&o, -TBUS_EFORMAT, "the gzip data is damaged: incorrect data check");
    assert_int_equal(o.messages, 5000);
    packed[count - 6] ^= 1;
    memset(packed + count / 2, 0xff, 64);
    save(s, packed, count);
    o = read_all(s->file, BINARYFILE_ITCH, NULL);
    assert_true(o.rc < 0);
    assert_in_range(o.messages, 100, 4999);
    free(packed);
}

static void gzip_members_in_a_row_are_one_file_and_what_follows_them_is_checked(void **state)
{
    scratch_t *s = *state;
    load(s, "itch_aapl_20200130_5k/aapl_5k.itch");
    uint8_t *packed = malloc(BIG);
    size_t count = pack(s->bytes, 70001, packed, BIG);
    count += pack(s->bytes + 70001, s->count - 70001, packed + count, BIG - count);
    save(s, packed, count);
    outcome_t o = read_all(s->file, BINARYFILE_ITCH, s->bytes);
    assert_int_equal(o.rc, BINARYFILE_END);
    assert_int_equal(o.messages, 5000);
    memset(packed + count, 0, 512); /* zeros pad */
    save(s, packed, count + 512);
    o = read_all(s->file, BINARYFILE_ITCH, s->bytes);
    assert_int_equal(o.rc, BINARYFILE_END);
    packed[count + 100] = 'x';
    save(s, packed, count + 512);
    o = read_all(s->file, BINARYFILE_ITCH, s->bytes);
    assert_says(&o, -TBUS_EFORMAT, "bytes that are not gzip follow");
    assert_int_equal(o.messages, 5000);
    free(packed);
}

static void files_larger_than_the_buffer_are_read_in_order_plain_and_packed(void **state)
{
    scratch_t *s = *state;
    size_t at = 0;
    uint32_t n = 0;
    while (at + 70000 < BIG) { /* lengths from 1 to 65535, contents that tell the place */
        size_t bytes = 1 + (n * 7919u) % 65535u;
        s->bytes[at] = (uint8_t)(bytes >> 8);
        s->bytes[at + 1] = (uint8_t)bytes;
        for (size_t i = 0; i < bytes; i++)
            s->bytes[at + 2 + i] = (uint8_t)(n + i * 31);
        at += 2 + bytes;
        n++;
    }
    save(s, s->bytes, at);
    outcome_t o = read_all(s->file, BINARYFILE_ANY, s->bytes);
    assert_int_equal(o.rc, BINARYFILE_END);
    assert_int_equal(o.messages, n);
    uint8_t *packed = malloc(BIG);
    save(s, packed, pack(s->bytes, at, packed, BIG));
    o = read_all(s->file, BINARYFILE_ANY, s->bytes);
    assert_int_equal(o.rc, BINARYFILE_END);
    assert_int_equal(o.messages, n);
    free(packed);
}

static void a_pipe_is_read_as_it_fills_and_never_waited_for(void **state)
{
    scratch_t *s = *state;
    load(s, "itch_aapl_20200130_5k/aapl_5k.itch");
    assert_int_equal(mkfifo(s->file, 0600), 0);
    binaryfile_t *f;
    tbus_error_t err;
    const uint8_t *message;
    size_t bytes;
    assert_int_equal(binaryfile_open(s->file, BINARYFILE_ITCH, &f, &err), 0);
    /* nobody writes yet */
    assert_int_equal(binaryfile_next(f, &message, &bytes, &err), BINARYFILE_LATER);
    int fd = open(s->file, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    uint64_t offset = 0, messages = 0;
    size_t written = 0;
    while (written < s->count) {
        size_t piece = s->count - written < 1777 ? s->count - written : 1777;
        assert_int_equal(write(fd, s->bytes + written, piece), (ssize_t)piece);
        written += piece;
        int rc;
        while ((rc = binaryfile_next(f, &message, &bytes, &err)) == BINARYFILE_MESSAGE) {
            assert_memory_equal(message, s->bytes + offset + 2, bytes);
            offset += 2 + bytes;
            messages++;
        }
        assert_int_equal(rc, BINARYFILE_LATER);
    }
    assert_int_equal(messages, 5000);
    assert_int_equal(write(fd, "\0", 2), 2); /* the marker is not one before the writer has gone */
    assert_int_equal(binaryfile_next(f, &message, &bytes, &err), BINARYFILE_LATER);
    close(fd);
    assert_int_equal(binaryfile_next(f, &message, &bytes, &err), BINARYFILE_END);
    assert_true(binaryfile_end_marked(f));
    binaryfile_close(f);
}

/* A FIFO with a reader and a writer. */
static int open_pipe(scratch_t *s, binaryfile_t **out_file)
{
    tbus_error_t err;
    assert_int_equal(mkfifo(s->file, 0600), 0);
    assert_int_equal(binaryfile_open(s->file, BINARYFILE_ITCH, out_file, &err), 0);
    int fd = open(s->file, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static int next_rc(binaryfile_t *f, tbus_error_t *err)
{
    const uint8_t *message;
    size_t bytes;
    return binaryfile_next(f, &message, &bytes, err);
}

static void a_pipe_hands_out_each_message_when_it_is_whole_from_the_first_one_on(void **state)
{
    scratch_t *s = *state;
    static const size_t bytes[] = {12, 36, 300, 19, 36};
    size_t count = make_frames(s->bytes, "SAzDA", bytes, 5), at = 0;
    binaryfile_t *f;
    tbus_error_t err = {0};
    int fd = open_pipe(s, &f);
    for (size_t i = 0; i < 5; i++) {
        size_t frame = 2 + bytes[i];
        assert_int_equal(write(fd, s->bytes + at, frame - 1), frame - 1);
        assert_int_equal(next_rc(f, &err), BINARYFILE_LATER);
        assert_int_equal(write(fd, s->bytes + at + frame - 1, 1), 1);
        assert_int_equal(next_rc(f, &err), BINARYFILE_MESSAGE);
        assert_int_equal(next_rc(f, &err), BINARYFILE_LATER);
        at += frame;
    }
    assert_int_equal(at, count);
    close(fd);
    assert_int_equal(next_rc(f, &err), BINARYFILE_END);
    binaryfile_close(f);
}

static void a_gzip_stream_hands_out_what_its_writer_has_flushed(void **state)
{
    scratch_t *s = *state;
    static const size_t bytes[] = {12, 36, 19, 36, 23};
    uint8_t packed[512];
    size_t at = 0;
    make_frames(s->bytes, "SADAX", bytes, 5);
    binaryfile_t *f;
    tbus_error_t err = {0};
    int fd = open_pipe(s, &f);
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    for (size_t i = 0; i < 5; i++) {
        z.next_in = s->bytes + at;
        z.avail_in = (uInt)(2 + bytes[i]);
        z.next_out = packed;
        z.avail_out = sizeof(packed);
        assert_int_equal(deflate(&z, Z_SYNC_FLUSH), Z_OK);
        size_t packed_bytes = sizeof(packed) - z.avail_out;
        assert_int_equal(write(fd, packed, packed_bytes), packed_bytes);
        assert_int_equal(next_rc(f, &err), BINARYFILE_MESSAGE);
        assert_int_equal(next_rc(f, &err), BINARYFILE_LATER);
        at += 2 + bytes[i];
    }
    deflateEnd(&z);
    close(fd);
    assert_int_equal(next_rc(f, &err), -TBUS_ETRUNCATED);
    binaryfile_close(f);
}

static void a_pipe_is_looked_at_on_and_refused_when_most_of_what_follows_is_unknown(void **state)
{
    scratch_t *s = *state;
    static const size_t one[] = {12}, unknown[] = {30};
    uint8_t frame[64];
    binaryfile_t *f;
    tbus_error_t err = {0};
    int fd = open_pipe(s, &f);
    /* Of an unknown type alone: nothing says yet that it is the format. */
    size_t count = make_frames(frame, "z", unknown, 1);
    assert_int_equal(write(fd, frame, count), count);
    assert_int_equal(next_rc(f, &err), BINARYFILE_LATER);
    count = make_frames(frame, "S", one, 1);
    assert_int_equal(write(fd, frame, count), count);
    assert_int_equal(next_rc(f, &err), BINARYFILE_MESSAGE);
    assert_int_equal(next_rc(f, &err), BINARYFILE_MESSAGE);
    count = make_frames(frame, "z", unknown, 1);
    for (int i = 2; i < 32; i++)
        assert_int_equal(write(fd, frame, count), count);
    assert_int_equal(next_rc(f, &err), -TBUS_EFORMAT);
    assert_non_null(strstr(err.text, "of its first 32 messages only 1"));
    close(fd);
    binaryfile_close(f);
}

static void what_the_writer_writes_the_reader_reads(void **state)
{
    scratch_t *s = *state;
    binaryfile_writer_t *w;
    tbus_error_t err;
    assert_int_equal(binaryfile_writer_open(s->file, &w, &err), 0);
    assert_int_equal(binaryfile_writer_append(w, (const uint8_t *)"abc", 3, &err), 0);
    memset(s->bytes, 'q', 65536);
    assert_int_equal(binaryfile_writer_append(w, s->bytes, 65535, &err), 0);
    assert_int_equal(binaryfile_writer_append(w, s->bytes, 65536, &err), -TBUS_ETOOBIG);
    assert_int_equal(binaryfile_writer_append(w, s->bytes, 0, &err), 0);
    assert_int_equal(binaryfile_writer_close(w, &err), 0);
    outcome_t o = read_all(s->file, BINARYFILE_ANY, NULL);
    assert_int_equal(o.rc, BINARYFILE_END);
    assert_int_equal(o.messages, 2);
    assert_int_equal(o.bytes, 2 + 3 + 2 + 65535);
    assert_true(o.end_marked);
}

static void the_writer_tells_of_a_full_disk_and_of_a_missing_directory(void **state)
{
    scratch_t *s = *state;
    binaryfile_writer_t *w;
    tbus_error_t err;
    assert_int_equal(binaryfile_writer_open("/tmp/test_binaryfile.none/output", &w, &err), -ENOENT);
    assert_non_null(strstr(err.text, "/tmp/test_binaryfile.none/output"));
    if (access("/dev/full", W_OK) != 0)
        skip();
    assert_int_equal(binaryfile_writer_open("/dev/full", &w, &err), 0);
    assert_int_equal(binaryfile_writer_append(w, s->bytes, 100, &err), 0);
    assert_int_equal(binaryfile_writer_close(w, &err), -ENOSPC);
    assert_non_null(strstr(err.text, "/dev/full"));
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, make_scratch, remove_scratch)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_published_vectors_are_read_as_they_say),
        CASE(a_real_file_cut_at_any_byte_of_its_last_message_is_told_to_be_cut_there),
        CASE(a_file_of_one_message_cut_anywhere_is_cut_short_not_foreign),
        CASE(missing_empty_and_odd_files_are_refused_by_name),
        CASE(foreign_formats_are_named),
        CASE(real_files_of_other_formats_are_refused),
        CASE(zero_length_is_the_marker_only_at_the_very_end),
        CASE(frames_of_unknown_types_are_fine_among_known_ones_and_refused_alone),
        CASE(a_length_beyond_the_end_that_its_type_cannot_have_is_told_as_that),
        CASE(gzip_cut_or_damaged_anywhere_still_delivers_what_came_before),
        CASE(gzip_members_in_a_row_are_one_file_and_what_follows_them_is_checked),
        CASE(files_larger_than_the_buffer_are_read_in_order_plain_and_packed),
        CASE(a_pipe_is_read_as_it_fills_and_never_waited_for),
        CASE(a_pipe_hands_out_each_message_when_it_is_whole_from_the_first_one_on),
        CASE(a_gzip_stream_hands_out_what_its_writer_has_flushed),
        CASE(a_pipe_is_looked_at_on_and_refused_when_most_of_what_follows_is_unknown),
        CASE(what_the_writer_writes_the_reader_reads),
        CASE(the_writer_tells_of_a_full_disk_and_of_a_missing_directory),
    };
    return cmocka_run_group_tests_name("binaryfile", tests, NULL, NULL);
}
