/* SPDX-License-Identifier: Apache-2.0 */
/* The UDP datagram in a captured frame. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "feedsim/capture/frame.h"
#include "tests/support/capture_file.h"

static uint8_t frame[CAPTURE_FRAME_MAX];

static enum frame_kind parse(size_t captured, size_t length, frame_datagram_t *d)
{
    uint8_t *exact = malloc(captured ? captured : 1); /* so that a read beyond it is seen */
    memcpy(exact, frame, captured);
    enum frame_kind kind = frame_parse(FRAME_LINK_ETHERNET, exact, captured, length, d);
    if (kind == FRAME_DATAGRAM) /* what it points to goes with the copy */
        d->payload = frame + (d->payload - exact);
    free(exact);
    return kind;
}

static void check_to(const frame_datagram_t *d, const char *expected)
{
    char text[FRAME_ENDPOINT_TEXT];
    frame_endpoint_text(&d->to, text);
    assert_string_equal(text, expected);
}

static void a_datagram_is_found_behind_tags_and_before_trailing_bytes(void **state)
{
    (void)state;
    frame_datagram_t d;
    for (unsigned tags = 0; tags <= 3; tags++)
        for (unsigned trailing = 0; trailing < 20; trailing += 6)
            for (unsigned six = 0; six < 2; six++) {
                capture_frame_t is = {.vlan_tags = tags,
                                      .trailing = trailing,
                                      .ipv6 = six,
                                      .group = 111,
                                      .port = 26477};
                size_t bytes = capture_make_frame(frame, &is, "payload", 7);
                assert_int_equal(parse(bytes, bytes, &d), FRAME_DATAGRAM);
                assert_int_equal(d.bytes, 7);
                assert_memory_equal(d.payload, "payload", 7);
                check_to(&d, six ? "[ff15::6f]:26477" : "233.54.12.111:26477");
            }
}

/* At every byte: what was cut by the capture is told from what contradicts itself. */
static void what_is_cut_is_told_from_what_is_wrong(void **state)
{
    (void)state;
    frame_datagram_t d;
    for (unsigned six = 0; six < 2; six++) {
        capture_frame_t is = {.vlan_tags = 1, .ipv6 = six, .group = 1, .port = 1};
        size_t bytes = capture_make_frame(frame, &is, "payload", 7);
        for (size_t captured = 0; captured < bytes; captured++) {
            bool whole_link = captured >= 18;
            enum frame_kind cut = parse(captured, bytes, &d);
            enum frame_kind wrong = parse(captured, captured, &d);
            assert_int_equal(cut, whole_link ? FRAME_CUT : FRAME_OTHER);
            assert_int_equal(wrong, whole_link ? FRAME_MALFORMED : FRAME_OTHER);
        }
        assert_int_equal(parse(bytes, bytes, &d), FRAME_DATAGRAM);
    }
}

static void lengths_that_contradict_each_other_are_refused(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint8_t value;
    } changes[] = {
        {14, 0x55},    /* IPv5 */
        {14, 0x44},    /* a header of 16 bytes */
        {17, 19},      /* a total length shorter than the header */
        {16, 0x7f},    /* and longer than the frame */
        {14 + 25, 7},  /* a UDP length shorter than its header */
        {14 + 25, 16}, /* and longer than IP's */
        {14 + 24, 1},
    };
    frame_datagram_t d = {.bytes = 4711};
    capture_frame_t is = {.group = 1, .port = 1};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        size_t bytes = capture_make_frame(frame, &is, "payload", 7);
        frame[changes[i].at] = changes[i].value;
        assert_int_equal(parse(bytes, bytes, &d), FRAME_MALFORMED);
        assert_int_equal(d.bytes, 4711);
    }
}

static void fragments_are_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        uint16_t field;
        enum frame_kind kind;
    } cases[] = {{0, FRAME_DATAGRAM},
                 {0x4000, FRAME_DATAGRAM}, /* must not be fragmented */
                 {0x2000, FRAME_FRAGMENT}, /* the first of several */
                 {0x2010, FRAME_FRAGMENT},
                 {0x0010, FRAME_FRAGMENT}}; /* the last one */
    frame_datagram_t d;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        capture_frame_t is = {.group = 1, .port = 1, .fragment = cases[i].field};
        size_t bytes = capture_make_frame(frame, &is, "payload", 7);
        assert_int_equal(parse(bytes, bytes, &d), cases[i].kind);
    }
    assert_non_null(strstr(frame_kind_text(FRAME_FRAGMENT), "fragment"));
}

/* Eight bytes put in behind the IPv6 header. */
static size_t make_extended(uint8_t header, const uint8_t extension[8])
{
    capture_frame_t is = {.ipv6 = true, .group = 1, .port = 9};
    size_t bytes = capture_make_frame(frame, &is, "payload", 7);
    memmove(frame + 54 + 8, frame + 54, bytes - 54);
    memcpy(frame + 54, extension, 8);
    frame[20] = header;
    frame[19] = (uint8_t)(frame[19] + 8);
    return bytes + 8;
}

static void extension_headers_of_ipv6_are_passed_over(void **state)
{
    (void)state;
    frame_datagram_t d;
    static const uint8_t options[8] = {17, 0}, atomic[8] = {17}, first[8] = {17, 0, 0, 1},
                         last[8] = {17, 0, 1, 0}, of_tcp[8] = {6, 0, 1, 0}, long_one[8] = {17, 9};
    size_t bytes = make_extended(60, options);
    assert_int_equal(parse(bytes, bytes, &d), FRAME_DATAGRAM);
    assert_memory_equal(d.payload, "payload", 7);
    bytes = make_extended(44, atomic); /* a fragment that is all of it */
    assert_int_equal(parse(bytes, bytes, &d), FRAME_DATAGRAM);
    bytes = make_extended(44, first);
    assert_int_equal(parse(bytes, bytes, &d), FRAME_FRAGMENT);
    bytes = make_extended(44, last);
    assert_int_equal(parse(bytes, bytes, &d), FRAME_FRAGMENT);
    bytes = make_extended(44, of_tcp);
    assert_int_equal(parse(bytes, bytes, &d), FRAME_TCP);
    bytes = make_extended(0, long_one);
    assert_int_equal(parse(bytes, bytes, &d), FRAME_MALFORMED);
}

static void what_is_no_udp_is_told_apart(void **state)
{
    (void)state;
    frame_datagram_t d;
    capture_frame_t is = {.group = 1, .port = 1};
    size_t bytes = capture_make_frame(frame, &is, "payload", 7);
    frame[23] = 6;
    assert_int_equal(parse(bytes, bytes, &d), FRAME_TCP);
    frame[23] = 1;
    assert_int_equal(parse(bytes, bytes, &d), FRAME_OTHER);
    frame[12] = 0x88; /* LLDP */
    frame[13] = 0xcc;
    assert_int_equal(parse(bytes, bytes, &d), FRAME_OTHER);
}

static void other_kinds_of_link_are_read(void **state)
{
    (void)state;
    uint8_t other[CAPTURE_FRAME_MAX] = {0};
    frame_datagram_t d;
    capture_frame_t is = {.group = 7, .port = 8};
    size_t bytes = capture_make_frame(frame, &is, "payload", 7) - 14;
    memcpy(other + 16, frame + 14, bytes); /* Linux cooked: the type at 14 */
    other[14] = 8;
    assert_int_equal(frame_parse(FRAME_LINK_COOKED, other, 16 + bytes, 16 + bytes, &d),
                     FRAME_DATAGRAM);
    check_to(&d, "233.54.12.7:8");
    memset(other, 0, 20);
    memcpy(other + 20, frame + 14, bytes); /* and its second version: at 0 */
    other[0] = 8;
    assert_int_equal(frame_parse(FRAME_LINK_COOKED_V2, other, 20 + bytes, 20 + bytes, &d),
                     FRAME_DATAGRAM);
    memcpy(other + 4, frame + 14, bytes);
    assert_int_equal(frame_parse(FRAME_LINK_LOOPBACK, other, 4 + bytes, 4 + bytes, &d),
                     FRAME_DATAGRAM);
    assert_int_equal(frame_parse(FRAME_LINK_RAW, frame + 14, bytes, bytes, &d), FRAME_DATAGRAM);
    assert_memory_equal(d.payload, "payload", 7);
    for (size_t few = 0; few < 4; few++)
        assert_int_equal(frame_parse(FRAME_LINK_LOOPBACK, other, few, 100, &d), FRAME_OTHER);
}

static void addresses_are_read_as_they_are_written(void **state)
{
    (void)state;
    static const char *const good[] = {"233.54.12.111:26477", "[ff15::6f]:26477", "0.0.0.0:0"};
    static const char *const bad[] = {
        "",         "233.54.12",  "233.54.12.111:", "1.2.3.4:x", "1.2.3.4:65536",
        "[ff15::1", "[ff15::1]x", "ff15::1",        "1.2.3.4:-1"};
    frame_endpoint_t endpoint;
    char text[FRAME_ENDPOINT_TEXT];
    bool any_port;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(frame_endpoint_parse(good[i], strlen(good[i]), &endpoint, &any_port));
        assert_false(any_port);
        frame_endpoint_text(&endpoint, text);
        assert_string_equal(text, good[i]);
    }
    assert_true(frame_endpoint_parse("233.54.12.111", 13, &endpoint, &any_port));
    assert_true(any_port);
    assert_true(frame_endpoint_parse("[ff15::6f]", 10, &endpoint, &any_port));
    assert_true(any_port);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(frame_endpoint_parse(bad[i], strlen(bad[i]), &endpoint, &any_port));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_datagram_is_found_behind_tags_and_before_trailing_bytes),
        cmocka_unit_test(what_is_cut_is_told_from_what_is_wrong),
        cmocka_unit_test(lengths_that_contradict_each_other_are_refused),
        cmocka_unit_test(fragments_are_refused_by_name),
        cmocka_unit_test(extension_headers_of_ipv6_are_passed_over),
        cmocka_unit_test(what_is_no_udp_is_told_apart),
        cmocka_unit_test(other_kinds_of_link_are_read),
        cmocka_unit_test(addresses_are_read_as_they_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
