/* SPDX-License-Identifier: Apache-2.0 */
/* What `busctl journal export --format pcapng` writes, read back by hand and by tshark. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tickbus/journal.h>
#include <tickbus/msg/tick.h>
#include "feedsim/itch/itch.h"
#include "tests/support/program.h"
#include "tools/show/export.h"
#include "tools/show/pcapng.h"

#define STARTED_NS UINT64_C(1700000000123456789)
#define ODD_BYTES  1500u /* of a message that no packet of the usual size holds */

typedef struct fixture {
    char root[SCRATCH_PATH_MAX];
    char journal[128];
    char output[128];
    tbus_journal_writer_t *writer;
    uint8_t *file;
    size_t bytes;
} fixture_t;

enum { MD, ODD };

static int set_up(void **state)
{
    fixture_t *f = calloc(1, sizeof *f);
    scratch_create(f->root);
    snprintf(f->journal, sizeof f->journal, "%s/journal", f->root);
    snprintf(f->output, sizeof f->output, "%s/output", f->root);
    tbus_journal_spec_t spec = {
        .directory = f->journal,
        .bus_name = "hand",
        .started_realtime_ns = STARTED_NS,
        .segment_bytes = 1u << 20,
        .topics_count = 2,
        .topics = {{"md", "tick", 1, TICK_VERSION, TBUS_BROADCAST, 0},
                   {"odd", "something", 7, 0, 0, 0}},
    };
    *state = f;
    return tbus_journal_writer_open(&spec, &f->writer, NULL);
}

static int tear_down(void **state)
{
    fixture_t *f = *state;
    tbus_journal_writer_close(f->writer, NULL);
    scratch_remove(f->root);
    free(f->file);
    free(f);
    return 0;
}

/* A system event, of 12 bytes. */
static void append_tick(const fixture_t *f, uint64_t seq, uint64_t time_ns)
{
    const uint8_t message[12] = {'S', 0, 0, 0, 0, 0, 0, 0, 0, 0, (uint8_t)seq, 'O'};
    tick_t tick;
    size_t bytes;
    assert_int_equal(itch_decode(message, sizeof message, &tick, &bytes), 0);
    assert_int_equal(tbus_journal_writer_append(f->writer, MD, seq, time_ns, &tick, bytes), 0);
}

static void append_end_mark(const fixture_t *f, uint64_t seq, uint64_t time_ns)
{
    tick_t tick;
    size_t bytes;
    itch_end_mark(seq, &tick, &bytes);
    assert_int_equal(tbus_journal_writer_append(f->writer, MD, seq, time_ns, &tick, bytes), 0);
}

static void finish(fixture_t *f)
{
    assert_int_equal(tbus_journal_writer_close(f->writer, NULL), 0);
    f->writer = NULL;
}

static void export(fixture_t *f, const char *topic, const char *to)
{
    export_result_t result;
    tbus_error_t err = {0};
    export_request_t request = {
        .directory = f->journal, .topic = topic, .format = EXPORT_PCAPNG, .output = f->output};
    assert_int_equal(to ? span_parse(to, &request.to, &err) : 0, 0);
    if (export_topic(&request, &result, &err) != 0)
        fail_msg("%s", err.text);
    free(f->file);
    f->file = (uint8_t *)file_read(f->output, &f->bytes);
    assert_non_null(f->file);
}

/* ---- reading it */

static uint32_t host_u32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static uint64_t be(const uint8_t *at, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | at[i];
    return value;
}

static uint64_t words(const uint8_t *at, size_t bytes)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < bytes; i++)
        sum += (uint64_t)at[i] << (i % 2 ? 0 : 8);
    return sum;
}

/* A sum over what includes its checksum is all ones (RFC 1071). */
static bool sums_up(uint64_t sum)
{
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum == 0xffff;
}

typedef struct packet {
    uint64_t time_ns;
    uint64_t seq;
    uint32_t count;
    const uint8_t *messages;
    size_t bytes;
} packet_t;

/* The packet at *at, which is moved behind it; everything around the messages is checked. */
static packet_t take_packet(const fixture_t *f, size_t *at)
{
    const uint8_t *block = f->file + *at;
    assert_true(*at + 32 <= f->bytes);
    assert_int_equal(host_u32(block), 6);
    uint32_t length = host_u32(block + 4), captured = host_u32(block + 20);
    assert_int_equal(length, 32 + (captured + 3) / 4 * 4);
    assert_int_equal(host_u32(block + length - 4), length);
    assert_int_equal(host_u32(block + 24), captured);
    const uint8_t *ip = block + 28 + 14, *udp = ip + 20, *mold = udp + 8;
    size_t ip_bytes = captured - 14;
    assert_int_equal(be(ip - 2, 2), 0x0800);
    assert_int_equal(ip[0], 0x45);
    assert_int_equal(be(ip + 2, 2), ip_bytes);
    assert_int_equal(ip[9], 17);
    assert_true(sums_up(words(ip, 20)));
    assert_int_equal(be(udp + 2, 2), PCAPNG_PORT);
    assert_int_equal(be(udp + 4, 2), ip_bytes - 20);
    assert_true(sums_up(words(ip + 12, 8) + 17 + (ip_bytes - 20) + words(udp, ip_bytes - 20)));
    *at += length;
    return (packet_t){.time_ns = ((uint64_t)host_u32(block + 12) << 32 | host_u32(block + 16)),
                      .seq = be(mold + 10, 8),
                      .count = (uint32_t)be(mold + 18, 2),
                      .messages = mold + 20,
                      .bytes = ip_bytes - 48};
}

/* Behind the section header and the interface, whose options say nanoseconds. */
static size_t first_packet(const fixture_t *f)
{
    static const uint8_t nanoseconds[8] = {9, 0, 1, 0, 9, 0, 0, 0};
    assert_int_equal(host_u32(f->file), 0x0a0d0d0a);
    assert_int_equal(host_u32(f->file + 8), 0x1a2b3c4d);
    size_t at = host_u32(f->file + 4);
    assert_int_equal(host_u32(f->file + at - 4), at);
    assert_int_equal(host_u32(f->file + at), 1);
    uint32_t length = host_u32(f->file + at + 4);
    assert_non_null(memmem(f->file + at, length, nanoseconds, sizeof nanoseconds));
    return at + length;
}

static void check_packet(const packet_t *p, uint64_t time_ns, uint64_t seq, uint32_t count)
{
    assert_int_equal(p->time_ns, STARTED_NS + time_ns);
    assert_int_equal(p->seq, seq);
    assert_int_equal(p->count, count);
}

/* ---- tests */

static void messages_of_one_time_share_a_packet_and_the_end_is_told(void **state)
{
    fixture_t *f = *state;
    static const uint8_t first[14] = {0, 12, 'S', 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 'O'};
    append_tick(f, 1, 1000);
    append_tick(f, 2, 1000);
    append_tick(f, 3, 2001);
    append_end_mark(f, 4, 2001);
    finish(f);
    export(f, "md", NULL);
    size_t at = first_packet(f);
    packet_t p = take_packet(f, &at);
    check_packet(&p, 1000, 1, 2);
    assert_int_equal(p.bytes, 28);
    assert_memory_equal(p.messages, first, sizeof first);
    p = take_packet(f, &at);
    check_packet(&p, 2001, 3, 2);
    assert_int_equal(p.bytes, 16); /* the end mark has no bytes */
    p = take_packet(f, &at);
    check_packet(&p, 2001, 5, 0xffff);
    assert_int_equal(p.bytes, 0);
    assert_int_equal(at, f->bytes);
}

static void a_part_of_a_session_does_not_say_that_the_session_ended(void **state)
{
    fixture_t *f = *state;
    for (uint64_t seq = 1; seq <= 5; seq++)
        append_tick(f, seq, seq);
    finish(f);
    export(f, "md", "seq:3");
    size_t at = first_packet(f), packets = 0;
    for (; at < f->bytes; packets++)
        assert_int_equal(take_packet(f, &at).count, 1);
    assert_in_range(packets, 2, 3);
}

static void packets_are_filled_to_their_size_and_sequences_that_are_missing_are_a_gap(void **state)
{
    fixture_t *f = *state;
    static uint8_t message[ODD_BYTES];
    for (uint64_t seq = 7; seq < 27; seq++)
        assert_int_equal(tbus_journal_writer_append(f->writer, ODD, seq, 5, message, 98), 0);
    tbus_journal_writer_append(f->writer, ODD, 30, 5, message, 1);
    tbus_journal_writer_append(f->writer, ODD, 31, 5, message, ODD_BYTES);
    finish(f);
    export(f, "odd", NULL);
    size_t at = first_packet(f);
    packet_t p = take_packet(f, &at);
    check_packet(&p, 5, 7, 14); /* 14 x (2 + 98) = 1400 */
    p = take_packet(f, &at);
    check_packet(&p, 5, 21, 6);
    p = take_packet(f, &at);
    check_packet(&p, 5, 30, 1);
    p = take_packet(f, &at);
    check_packet(&p, 5, 31, 1);
    assert_int_equal(p.bytes, 2 + ODD_BYTES);
    p = take_packet(f, &at);
    check_packet(&p, 5, 32, 0xffff);
    assert_int_equal(at, f->bytes);
}

static void a_session_without_messages_ends_with_its_first_sequence(void **state)
{
    fixture_t *f = *state;
    append_tick(f, 1, 1);
    finish(f);
    export(f, "odd", NULL);
    size_t at = first_packet(f);
    packet_t p = take_packet(f, &at);
    check_packet(&p, 0, 7, 0xffff);
    assert_int_equal(at, f->bytes);
}

static void a_message_that_no_packet_holds_is_refused(void **state)
{
    (void)state;
    static uint8_t message[PCAPNG_MESSAGE_MAX + 1];
    FILE *out = fopen("/dev/null", "w");
    pcapng_t *p = pcapng_create(out, "S", "md", 0, 1);
    assert_false(pcapng_put(p, 1, 1, message, sizeof message));
    assert_true(pcapng_put(p, 1, 1, message, PCAPNG_MESSAGE_MAX));
    pcapng_end_session(p);
    pcapng_destroy(p);
    fclose(out);
}

/* What tshark tells of the packets; the caller clears it. Skips where there is none. */
static void run_tshark(const fixture_t *f, const char *filter, const char *field, program_t *out)
{
    const char *const argv[] = {"tshark",
                                "-r",
                                f->output,
                                "-d",
                                "udp.port==26477,moldudp64",
                                "-o",
                                "ip.check_checksum:TRUE",
                                "-o",
                                "udp.check_checksum:TRUE",
                                "-Y",
                                filter,
                                "-T",
                                "fields",
                                "-e",
                                field,
                                NULL};
    *out = (program_t){.argv = argv};
    int code = program_run(out);
    if (code == 127) {
        program_clear(out);
        print_message("skipped: there is no tshark here\n");
        skip();
    }
    if (code != 0)
        fail_msg("tshark: exit code %d: %s", code, out->err);
}

static void tshark_finds_every_message_and_nothing_malformed(void **state)
{
    fixture_t *f = *state;
    program_t run;
    for (uint64_t seq = 1; seq <= 300; seq++)
        append_tick(f, seq, seq / 150);
    append_end_mark(f, 301, 2);
    finish(f);
    export(f, "md", NULL);
    run_tshark(f, "_ws.malformed || _ws.expert.severity >= 0x400000", "frame.number", &run);
    assert_string_equal(run.out, "");
    program_clear(&run);
    run_tshark(f, "moldudp64 && ip.checksum.status == 1 && udp.checksum.status == 1",
               "moldudp64.count", &run);
    assert_string_equal(run.out, "100\n49\n100\n50\n2\n65535\n");
    program_clear(&run);
    run_tshark(f, "frame.number == 1", "frame.time_epoch", &run);
    assert_string_equal(run.out, "1700000000.123456789\n");
    program_clear(&run);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(messages_of_one_time_share_a_packet_and_the_end_is_told),
        TEST(a_part_of_a_session_does_not_say_that_the_session_ended),
        TEST(packets_are_filled_to_their_size_and_sequences_that_are_missing_are_a_gap),
        TEST(a_session_without_messages_ends_with_its_first_sequence),
        cmocka_unit_test(a_message_that_no_packet_holds_is_refused),
        TEST(tshark_finds_every_message_and_nothing_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
