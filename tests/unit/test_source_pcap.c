/* SPDX-License-Identifier: Apache-2.0 */
/* MoldUDP64 in captures as a source: captures made here, and recorded ones with their keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <zlib.h>

#include "bus/wire/mold.h"
#include "feedsim/itch/itch.h"
#include "feedsim/source/source.h"
#include "tests/market_data.h"
#include "tests/support/capture_file.h"
#include "tests/support/program.h"

#define T0         UINT64_C(1692711000000059094) /* 2023-08-22 13:30:00 UTC */
#define DAY_NS     UINT64_C(86400000000000)
#define PATH_MAX_  (SCRATCH_PATH_MAX + 16)
#define SPEC_MAX   (2 * MARKET_DATA_PATH_MAX + 128)
#define SYSTEM_LEN 12u /* of an S */

typedef struct fixture {
    char scratch[SCRATCH_PATH_MAX];
    char a[PATH_MAX_], b[PATH_MAX_];
    capture_file_t file;
    capture_frame_t frame;
    feed_source_t *source;
    tbus_error_t error;
    char told[8192]; /* "1 2 4-5 6": messages and gaps */
    uint64_t messages, last_ns;
    unsigned char tick[(TICK_LEN_MAX + 63) / 64 * 64] __attribute__((aligned(64)));
} fixture_t;

static int setup(void **state)
{
    fixture_t *f = aligned_alloc(64, (sizeof *f + 63) / 64 * 64);
    assert_non_null(f);
    memset(f, 0, sizeof *f);
    scratch_create(f->scratch);
    snprintf(f->a, sizeof f->a, "%s/a.pcap", f->scratch);
    snprintf(f->b, sizeof f->b, "%s/b.pcap", f->scratch);
    f->frame = (capture_frame_t){.group = 111, .port = 26477};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture_t *f = *state;
    feed_source_close(f->source);
    scratch_remove(f->scratch);
    free(f);
    return 0;
}

/* ---- making captures ---- */

/* An S whose tracking number is its sequence, at 09:30 and so many nanoseconds. */
static void put_message(uint8_t to[SYSTEM_LEN], uint64_t sequence)
{
    memset(to, 0, SYSTEM_LEN);
    to[0] = 'S';
    capture_put_net(to, 3, sequence, 2);
    capture_put_net(to, 5, UINT64_C(34200000000000) + sequence, 6);
    to[11] = 'O';
}

static size_t make_packet(uint8_t to[1400], const char *session, uint64_t sequence, uint16_t count)
{
    uint8_t padded[MOLD_SESSION_BYTES] = {0}, message[SYSTEM_LEN];
    mold_writer_t w;
    if (session)
        mold_session_put(padded, session);
    mold_begin(&w, to, 1400, padded, sequence);
    if (count == MOLD_END_OF_SESSION)
        mold_put_header(to, padded, sequence, count);
    for (uint16_t i = 0; count != MOLD_END_OF_SESSION && i < count; i++) {
        put_message(message, sequence + i);
        assert_true(mold_add(&w, message, sizeof message));
    }
    return w.bytes;
}

/* A packet, `us` microseconds after the first. */
static void add(fixture_t *f, uint64_t us, const char *session, uint64_t sequence, uint16_t count)
{
    uint8_t packet[1400], frame[CAPTURE_FRAME_MAX];
    size_t bytes = make_packet(packet, session, sequence, count);
    bytes = capture_make_frame(frame, &f->frame, packet, bytes);
    capture_add_frame(&f->file, T0 + us * 1000, frame, bytes, bytes);
}

static void save(fixture_t *f, const char *path)
{
    assert_true(file_write(path, f->file.bytes, f->file.count));
    f->file.count = 0;
}

/* ---- reading them ---- */

static int open_spec(fixture_t *f, enum feed_clock clock, const char *spec)
{
    feed_source_close(f->source);
    f->source = NULL;
    f->error = (tbus_error_t){.code = 0};
    return feed_source_open(spec, clock, &f->source, &f->error);
}

/* All that it tells, and what it ends with. */
static int read_all(fixture_t *f)
{
    tick_t *tick = (tick_t *)(void *)f->tick;
    tick_gap_t gap;
    size_t bytes, at = 0;
    int code;
    f->told[0] = 0;
    f->messages = 0;
    while ((code = feed_source_next(f->source, tick, &bytes)) == FEED_SOURCE_TICK) {
        if (at > sizeof f->told - 64) /* as many as are looked at */
            at = 0;
        const char *space = at ? " " : "";
        if (tick_gap_get(tick, bytes, &gap)) {
            at += (size_t)sprintf(f->told + at, "%s%llu-%llu", space, (unsigned long long)gap.from,
                                  (unsigned long long)gap.to);
            continue;
        }
        at += (size_t)sprintf(f->told + at, "%s%llu", space, (unsigned long long)f->source->seq);
        f->messages++;
        f->last_ns = f->source->time_ns;
    }
    return code;
}

static const char *told(fixture_t *f, const char *spec_format, const char *first,
                        const char *second)
{
    char spec[SPEC_MAX];
    snprintf(spec, sizeof spec, spec_format, first, second);
    if (open_spec(f, FEED_CLOCK_MARKET, spec) < 0)
        return f->error.text;
    int code = read_all(f);
    return code == FEED_SOURCE_END ? f->told : f->source->error.text;
}

/* 1 to 9 in packets of three, with a heartbeat and an end. */
static void make_usual(fixture_t *f, enum capture_form form, bool big)
{
    capture_begin(&f->file, form, big);
    add(f, 0, "DAY1", 1, 3);
    add(f, 10, "DAY1", 4, 3);
    add(f, 20, "DAY1", 7, 0);
    add(f, 30, "DAY1", 7, 3);
    add(f, 40, "DAY1", 10, MOLD_END_OF_SESSION);
}

static void every_form_of_file_is_read(void **state)
{
    fixture_t *f = *state;
    for (unsigned form = CAPTURE_PCAP_US; form <= CAPTURE_PCAPNG; form++)
        for (unsigned big = 0; big < 2; big++)
            for (unsigned tags = 0; tags < 3; tags++) {
                char spec[SPEC_MAX];
                f->frame.vlan_tags = tags;
                f->frame.ipv6 = tags == 1;
                f->frame.trailing = tags * 5;
                make_usual(f, (enum capture_form)form, big);
                save(f, f->a);
                assert_string_equal(told(f, "pcap:%s", f->a, ""), "1 2 3 4 5 6 7 8 9");
                assert_int_equal(f->source->note.code, 0);
                assert_int_equal(f->last_ns, UINT64_C(34200000000009)); /* the market's clock */
                snprintf(spec, sizeof spec, "pcap:%s", f->a);
                assert_int_equal(open_spec(f, FEED_CLOCK_CAPTURE, spec), 0);
                assert_int_equal(read_all(f), FEED_SOURCE_END);
                uint64_t last_ns = (T0 + 30000) % DAY_NS;
                assert_int_equal(f->last_ns,
                                 form == CAPTURE_PCAP_US ? last_ns / 1000 * 1000 : last_ns);
                assert_false(f->source->daily);
            }
}

static void a_capture_may_be_gzip(void **state)
{
    fixture_t *f = *state;
    make_usual(f, CAPTURE_PCAPNG, false);
    gzFile zip = gzopen(f->a, "wb");
    assert_int_equal(gzwrite(zip, f->file.bytes, (unsigned)f->file.count), f->file.count);
    gzclose(zip);
    assert_string_equal(told(f, "pcap:%s", f->a, ""), "1 2 3 4 5 6 7 8 9");
}

static void what_is_missing_is_a_gap_where_it_is_missing(void **state)
{
    fixture_t *f = *state;
    capture_begin(&f->file, CAPTURE_PCAP_NS, false);
    add(f, 0, "DAY1", 2, 2);
    add(f, 10, "DAY1", 7, 2); /* exchanged with the next */
    add(f, 11, "DAY1", 5, 2);
    add(f, 12, "DAY1", 5, 2); /* twice */
    add(f, 20, "DAY1", 8, 3); /* known in part */
    add(f, 40, "DAY1", 13, MOLD_END_OF_SESSION);
    save(f, f->a);
    assert_string_equal(told(f, "pcap:%s", f->a, ""), "1-1 2 3 4-4 5 6 7 8 9 10 11-12");
    assert_string_equal(told(f, "pcap:%s?from=0", f->a, ""), "2 3 4-4 5 6 7 8 9 10 11-12");
    assert_string_equal(told(f, "pcap:%s?from=6", f->a, ""), "6 7 8 9 10 11-12");
}

static void a_late_start_is_no_gap_unless_that_is_asked_for(void **state)
{
    fixture_t *f = *state;
    capture_begin(&f->file, CAPTURE_PCAP_NS, true);
    add(f, 0, "DAY1", 5002, 1);
    add(f, 1, "DAY1", 5001, 1); /* exchanged at the very beginning */
    save(f, f->a);
    assert_string_equal(told(f, "pcap:%s", f->a, ""), "5001 5002");
    assert_non_null(strstr(f->source->note.text, "it begins with message 5001"));
    assert_string_equal(told(f, "pcap:%s?from=1", f->a, ""), "1-5000 5001 5002");
}

static void two_groups_of_a_session_are_its_lines(void **state)
{
    fixture_t *f = *state;
    capture_begin(&f->file, CAPTURE_PCAP_NS, false);
    add(f, 0, "DAY1", 1, 2);
    f->frame.group = 112;
    add(f, 5, "DAY1", 1, 1); /* B cuts its packets differently */
    add(f, 6, "DAY1", 2, 3);
    f->frame.group = 111;
    add(f, 20, "DAY1", 5, 1); /* A lost 3 and 4, B 5 and both 6 */
    add(f, 21, "DAY1", 7, 1);
    f->frame.group = 112;
    add(f, 30, "DAY1", 7, 1);
    save(f, f->a);
    assert_string_equal(told(f, "pcap:%s", f->a, ""), "1 2 3 4 5 6-6 7");
    assert_string_equal(f->source->note.text,
                        "line A lost 3 messages, line B 2, and 1 were lost on both");
    assert_string_equal(told(f, "pcap:%s?group=233.54.12.112", f->a, ""), "1 2 3 4 5-6 7");
    assert_string_equal(told(f, "pcap:%s?group=233.54.12.112:26477,233.54.12.111", f->a, ""),
                        "1 2 3 4 5 6-6 7");
    assert_non_null(strstr(f->source->note.text, "line A lost 2 messages, line B 3"));
}

static void two_files_are_lines_by_the_time_of_capture(void **state)
{
    fixture_t *f = *state;
    capture_begin(&f->file, CAPTURE_PCAP_US, false);
    add(f, 0, "DAY1", 1, 1);
    add(f, 40, "DAY1", 4, 1);
    save(f, f->a);
    capture_begin(&f->file, CAPTURE_PCAPNG, true);
    add(f, 10, "DAY1", 1, 3);
    add(f, 60, "DAY1", 6, 1);
    save(f, f->b);
    assert_string_equal(told(f, "pcap:%s,%s", f->a, f->b), "1 2 3 4 5-5 6");
    assert_non_null(strstr(f->source->note.text, "line A lost 2 messages, line B 2, and 1"));
    assert_string_equal(told(f, "pcap:%s,%s?session=DAY1", f->b, f->a), "1 2 3 4 5-5 6");

    capture_begin(&f->file, CAPTURE_PCAPNG, true);
    add(f, 10, "DAY2", 1, 3);
    save(f, f->b);
    assert_non_null(strstr(told(f, "pcap:%s,%s", f->a, f->b), "several sessions"));
    assert_non_null(strstr(told(f, "pcap:%s,%s?session=DAY1", f->a, f->b), "in common"));
}

static void several_sessions_are_listed_and_one_is_chosen(void **state)
{
    fixture_t *f = *state;
    capture_begin(&f->file, CAPTURE_PCAP_NS, false);
    add(f, 0, "DAY1", 1, 2);
    add(f, 1, "DAY2", 1, 1);
    add(f, 2, "DAY2", 3, 1);
    add(f, 3, "DAY3", 1, 0); /* no message: it is not asked about */
    save(f, f->a);
    const char *error = told(f, "pcap:%s", f->a, "");
    assert_int_equal(f->error.code, -TBUS_ECONFIG);
    assert_non_null(strstr(error, "several sessions"));
    assert_non_null(strstr(error, "'DAY1' to 233.54.12.111:26477 (2 messages)"));
    assert_non_null(strstr(error, "'DAY2'"));
    assert_null(strstr(error, "'DAY3'"));
    assert_non_null(strstr(error, "?session="));
    assert_string_equal(told(f, "pcap:%s?session=DAY1", f->a, ""), "1 2");
    assert_string_equal(told(f, "pcap:%s?session=DAY2", f->a, ""), "1 2-2 3");
    assert_non_null(strstr(told(f, "pcap:%s?session=DAY4", f->a, ""), "no such session"));
    assert_int_equal(f->error.code, -TBUS_ENOTFOUND);
}

static void more_than_two_groups_are_listed(void **state)
{
    fixture_t *f = *state;
    capture_begin(&f->file, CAPTURE_PCAP_NS, false);
    for (uint8_t group = 1; group <= 3; group++) {
        f->frame.group = group;
        add(f, group, "DAY1", 1, group);
    }
    save(f, f->a);
    assert_non_null(strstr(told(f, "pcap:%s", f->a, ""), "?group="));
    assert_non_null(strstr(f->error.text, "233.54.12.3:26477 (3 messages)"));
    assert_string_equal(told(f, "pcap:%s?group=233.54.12.2,233.54.12.1", f->a, ""), "1 2");
}

static void packets_without_sequences_are_taken_as_they_come(void **state)
{
    fixture_t *f = *state;
    capture_begin(&f->file, CAPTURE_PCAP_NS, false);
    for (unsigned i = 0; i < 3; i++)
        add(f, i, NULL, 0, 1);
    save(f, f->a);
    assert_string_equal(told(f, "pcap:%s", f->a, ""), "1 2 3");
    assert_non_null(strstr(f->source->note.text, "no sequences"));
    capture_begin(&f->file, CAPTURE_PCAP_NS, false);
    add(f, 0, "DAY1", 1, 1);
    add(f, 1, "DAY1", 0, 1); /* but among others one is wrong */
    add(f, 2, "DAY1", 2, 1);
    save(f, f->a);
    assert_string_equal(told(f, "pcap:%s", f->a, ""), "1 2");
    assert_non_null(strstr(f->source->note.text, "1 packet refused: its sequence is 0"));
}

static void fragments_and_cut_frames_are_named(void **state)
{
    fixture_t *f = *state;
    uint8_t packet[1400], frame[CAPTURE_FRAME_MAX];
    capture_begin(&f->file, CAPTURE_PCAP_NS, false);
    add(f, 0, "DAY1", 1, 1);
    f->frame.fragment = 0x2000;
    add(f, 1, "DAY1", 2, 1);
    f->frame.fragment = 0x0010;
    add(f, 1, "DAY1", 2, 1);
    f->frame.fragment = 0;
    size_t bytes = make_packet(packet, "DAY1", 3, 1);
    bytes = capture_make_frame(frame, &f->frame, packet, bytes);
    capture_add_frame(&f->file, T0 + 2000, frame, bytes, bytes - 4);
    add(f, 3, "DAY1", 4, 1);
    save(f, f->a);
    assert_string_equal(told(f, "pcap:%s", f->a, ""), "1 2-3 4");
    const char *note = f->source->note.text;
    assert_non_null(strstr(note, "left out 2 fragments of IP datagrams"));
    assert_non_null(strstr(note, "(the first is frame 2)"));
    assert_non_null(strstr(note, "left out 1 datagrams that the capture's snap length has cut"));
    assert_non_null(strstr(note, "(the first is frame 4)"));

    capture_begin(&f->file, CAPTURE_PCAP_NS, false); /* and nothing else */
    f->frame.fragment = 0x2000;
    add(f, 1, "DAY1", 2, 1);
    save(f, f->a);
    assert_non_null(strstr(told(f, "pcap:%s", f->a, ""), "1 fragments of IP datagrams"));
    assert_int_equal(f->error.code, -TBUS_EFORMAT);
}

static void a_file_that_is_cut_gives_what_comes_before_and_says_so(void **state)
{
    fixture_t *f = *state;
    make_usual(f, CAPTURE_PCAP_NS, false);
    f->file.count -= 80;
    save(f, f->a);
    const char *error = told(f, "pcap:%s", f->a, "");
    assert_string_equal(f->told, "1 2 3 4 5 6");
    assert_non_null(strstr(error, "cannot be read behind frame 3"));
    assert_int_equal(f->source->error.code, -TBUS_ETRUNCATED);
    size_t bytes;
    assert_int_equal(feed_source_next(f->source, (tick_t *)(void *)f->tick, &bytes),
                     -TBUS_ETRUNCATED); /* and stays so */
}

static void what_is_no_capture_of_it_is_refused_by_name(void **state)
{
    fixture_t *f = *state;
    uint8_t frame[CAPTURE_FRAME_MAX];
    static const struct {
        const char *spec, *says;
    } cases[] = {{"pcap:", "names no capture"},
                 {"pcap:a,b,c", "cannot open the capture a"},
                 {"pcap:/nowhere/x.pcap", "cannot open the capture /nowhere/x.pcap"},
                 {"pcap:/dev/null", "no regular file"},
                 {"pcap:x?group=1.2.3", "group=1.2.3"},
                 {"pcap:x?group=1.2.3.4,1.2.3.5,1.2.3.6", "one or two addresses"},
                 {"pcap:x?session=12345678901", "at most 10 characters"},
                 {"pcap:x?from=-1", "a sequence was expected"},
                 {"pcap:x?form=1", "has no key 'form'"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_true(open_spec(f, FEED_CLOCK_MARKET, cases[i].spec) < 0);
        assert_non_null(strstr(f->error.text, cases[i].says));
    }
    assert_true(file_write(f->a, "not a capture", 13));
    assert_non_null(strstr(told(f, "pcap:%s", f->a, ""), "is no pcap or pcapng capture"));
    capture_begin(&f->file, CAPTURE_PCAP_US, false);
    save(f, f->a);
    assert_non_null(strstr(told(f, "pcap:%s", f->a, ""), "holds no frames"));
    capture_begin(&f->file, CAPTURE_PCAP_US, false);
    size_t bytes = capture_make_frame(frame, &f->frame, "something else", 14);
    capture_add_frame(&f->file, T0, frame, bytes, bytes);
    save(f, f->a);
    assert_non_null(strstr(told(f, "pcap:%s", f->a, ""), "none of its 1 UDP datagrams"));
    capture_begin(&f->file, CAPTURE_PCAP_US, false);
    f->file.bytes[20] = 147; /* a link type of one's own */
    save(f, f->a);
    assert_non_null(strstr(told(f, "pcap:%s", f->a, ""), "link type"));
}

static void what_is_no_itch_is_a_gap_of_its_own_and_named_at_the_end(void **state)
{
    fixture_t *f = *state;
    uint8_t packet[100], padded[MOLD_SESSION_BYTES], frame[CAPTURE_FRAME_MAX];
    mold_writer_t w;
    uint32_t count;
    capture_begin(&f->file, CAPTURE_PCAP_NS, false);
    add(f, 0, "DAY1", 1, 1);
    mold_session_put(padded, "DAY1");
    mold_begin(&w, packet, sizeof packet, padded, 2);
    assert_true(mold_add(&w, "Sxx", 3));
    size_t bytes = capture_make_frame(frame, &f->frame, packet, w.bytes);
    capture_add_frame(&f->file, T0 + 1000, frame, bytes, bytes);
    add(f, 2, "DAY1", 3, 2);
    save(f, f->a);
    assert_string_equal(told(f, "pcap:%s", f->a, ""), "1 2-2 3 4");
    assert_non_null(strstr(f->source->note.text,
                           "1 message is no ITCH 5.0 and a gap: 2, of type 0x53 with 3 bytes"));
    const feed_source_counter_t *rows = feed_source_counters(f->source, &count);
    assert_string_equal(rows[0].name, "line.0.packets");
    assert_int_equal(*rows[0].value, 3);
    assert_string_equal(rows[count - 1].name, "fault.itch_length");
    assert_int_equal(*rows[count - 1].value, 1);
}

/* Message 2 has no bytes. */
static void a_message_without_bytes_is_the_end_mark_if_the_session_ends_behind_it(void **state)
{
    fixture_t *f = *state;
    const tick_t *tick = (const tick_t *)(const void *)f->tick;
    static const uint16_t behind[] = {1, MOLD_END_OF_SESSION, 0};
    static const uint8_t types[] = {TICK_RUNT, TICK_END_MARK, TICK_RUNT};
    for (unsigned i = 0; i < 3; i++) {
        uint8_t packet[100], padded[MOLD_SESSION_BYTES], frame[CAPTURE_FRAME_MAX];
        char spec[SPEC_MAX];
        mold_writer_t w;
        size_t bytes;
        capture_begin(&f->file, CAPTURE_PCAP_NS, false);
        add(f, 0, "DAY1", 1, 1);
        mold_session_put(padded, "DAY1");
        mold_begin(&w, packet, sizeof packet, padded, 2);
        assert_true(mold_add(&w, NULL, 0));
        bytes = capture_make_frame(frame, &f->frame, packet, w.bytes);
        capture_add_frame(&f->file, T0 + 1000, frame, bytes, bytes);
        add(f, 2, "DAY1", 3, behind[i]);
        save(f, f->a);
        snprintf(spec, sizeof spec, "pcap:%s", f->a);
        assert_int_equal(open_spec(f, FEED_CLOCK_MARKET, spec), 0);
        for (uint64_t at = 1; at <= 2; at++) {
            assert_int_equal(feed_source_next(f->source, (tick_t *)(void *)f->tick, &bytes),
                             FEED_SOURCE_TICK);
            assert_int_equal(f->source->seq, at);
        }
        assert_int_equal(tick->type, types[i]);
        assert_int_equal(read_all(f), FEED_SOURCE_END);
        assert_string_equal(f->told, i == 0 ? "3" : "");
    }
}

/* ---- recorded captures ---- */

static void check_gaps(fixture_t *f, json_t *missing, uint64_t messages)
{
    tick_t *tick = (tick_t *)(void *)f->tick;
    size_t bytes, gaps = 0;
    uint64_t count = 0, lost = 0;
    int code;
    while ((code = feed_source_next(f->source, tick, &bytes)) == FEED_SOURCE_TICK) {
        tick_gap_t gap;
        if (!tick_gap_get(tick, bytes, &gap)) {
            count++;
            continue;
        }
        json_t *range = json_array_get(missing, gaps++);
        assert_int_equal(gap.from, json_integer_value(json_array_get(range, 0)));
        assert_int_equal(gap.to - gap.from + 1, json_integer_value(json_array_get(range, 1)));
        lost += gap.to - gap.from + 1;
    }
    assert_int_equal(code, FEED_SOURCE_END);
    assert_int_equal(gaps, json_array_size(missing));
    assert_int_equal(count + lost, messages);
}

static void check_recorded(fixture_t *f, const char *folder, const char *file, const char *query,
                           const char *which)
{
    char path[MARKET_DATA_PATH_MAX], name[128], spec[SPEC_MAX];
    snprintf(name, sizeof name, "%s/key.json", folder);
    if (!market_data_path(name, path))
        skip();
    json_t *key = json_load_file(path, 0, NULL);
    assert_non_null(key);
    snprintf(name, sizeof name, "%s/%s", folder, file);
    assert_true(market_data_path(name, path));
    snprintf(spec, sizeof spec, "pcap:%s%s", path, query);
    assert_int_equal(open_spec(f, FEED_CLOCK_CAPTURE, spec), 0);
    json_t *about = json_object_get(json_object_get(key, "files"), file);
    json_t *missing = json_object_get(about, which);
    assert_true(json_is_array(missing));
    check_gaps(f, missing, (uint64_t)json_integer_value(json_object_get(key, "messages")));
    json_decref(key);
}

static void the_keys_of_recorded_messages_hold(void **state)
{
    static const char a[] = "?group=233.54.12.111:26477", b[] = "?group=233.49.196.111";
    static const char *const folders[] = {"mold_aapl_5k", "mold_esm4_14k"};
    for (unsigned i = 0; i < 2; i++) {
        check_recorded(*state, folders[i], "clean.ns_le.pcap", "", "missing");
        check_recorded(*state, folders[i], "faulty.pcap", "", "missing");
        check_recorded(*state, folders[i], "ab_lines.pcap", "", "missing_on_both");
        check_recorded(*state, folders[i], "ab_lines.pcap", a, "missing_a");
        check_recorded(*state, folders[i], "ab_lines.pcap", b, "missing_b");
    }
    check_recorded(*state, folders[0], "clean.us_le.pcap", "", "missing");
    check_recorded(*state, folders[0], "clean.pcapng.pcapng", "", "missing");
}

/* Each message of an exchange's own capture, byte for byte, in the order of the key. */
static void check_messages(fixture_t *f, json_t *file)
{
    tick_t *tick = (tick_t *)(void *)f->tick;
    json_t *packet, *message;
    size_t i, j, bytes, wire;
    uint8_t itch[TICK_LEN_MAX];
    json_array_foreach(json_object_get(file, "packets"), i, packet)
    {
        json_int_t sequence = json_integer_value(json_object_get(packet, "sequence"));
        json_array_foreach(json_object_get(packet, "messages"), j, message)
        {
            char hex[2 * sizeof itch + 1];
            tick_gap_t gap;
            do
                assert_int_equal(feed_source_next(f->source, tick, &bytes), FEED_SOURCE_TICK);
            while (tick_gap_get(tick, bytes, &gap));
            if (sequence)
                assert_int_equal(f->source->seq, (uint64_t)sequence + j);
            assert_int_equal(itch_encode(tick, bytes, itch, &wire), 0);
            for (size_t b = 0; b < wire; b++)
                sprintf(hex + 2 * b, "%02x", itch[b]);
            assert_string_equal(hex, json_string_value(json_object_get(message, "hex")));
        }
    }
    assert_int_equal(feed_source_next(f->source, tick, &bytes), FEED_SOURCE_END);
}

static void an_exchanges_own_captures_hold_what_their_key_says(void **state)
{
    fixture_t *f = *state;
    char path[MARKET_DATA_PATH_MAX], name[256], spec[SPEC_MAX];
    if (!market_data_path("pcap_mold_itch_real/expected.json", path))
        skip();
    json_t *files = json_load_file(path, JSON_ALLOW_NUL, NULL), *file; /* sessions of zeros */
    size_t i;
    json_array_foreach(files, i, file)
    {
        snprintf(name, sizeof name, "pcap_mold_itch_real/%s",
                 json_string_value(json_object_get(file, "file")));
        assert_true(market_data_path(name, path));
        snprintf(spec, sizeof spec, "pcap:%s", path);
        assert_int_equal(open_spec(f, FEED_CLOCK_MARKET, spec), 0);
        check_messages(f, file);
    }
    assert_true(i >= 20);
    json_decref(files);
}

static void captures_of_other_protocols_are_refused(void **state)
{
    static const char *const names[][2] = {
        {"iex_tops16_pcapng/TOPS16.pcapng.gz", "UDP datagrams is a packet of it"},
        {"pcap_soup_ouch_real/Nasdaq.Nsm.Ouch.v5.0__EnterOrderMessage.pcap", "TCP segments"}};
    for (unsigned i = 0; i < 2; i++) {
        char path[MARKET_DATA_PATH_MAX];
        if (!market_data_path(names[i][0], path))
            skip();
        assert_non_null(strstr(told(*state, "pcap:%s", path, ""), names[i][1]));
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(every_form_of_file_is_read),
        TEST(a_capture_may_be_gzip),
        TEST(what_is_missing_is_a_gap_where_it_is_missing),
        TEST(a_late_start_is_no_gap_unless_that_is_asked_for),
        TEST(two_groups_of_a_session_are_its_lines),
        TEST(two_files_are_lines_by_the_time_of_capture),
        TEST(several_sessions_are_listed_and_one_is_chosen),
        TEST(more_than_two_groups_are_listed),
        TEST(packets_without_sequences_are_taken_as_they_come),
        TEST(fragments_and_cut_frames_are_named),
        TEST(a_file_that_is_cut_gives_what_comes_before_and_says_so),
        TEST(what_is_no_capture_of_it_is_refused_by_name),
        TEST(what_is_no_itch_is_a_gap_of_its_own_and_named_at_the_end),
        TEST(a_message_without_bytes_is_the_end_mark_if_the_session_ends_behind_it),
        TEST(the_keys_of_recorded_messages_hold),
        TEST(an_exchanges_own_captures_hold_what_their_key_says),
        TEST(captures_of_other_protocols_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
