/* SPDX-License-Identifier: Apache-2.0 */
/* Input: one byte that says what follows: a frame of some kind of link (even), or a capture file
 * (odd), which is read as a feed. A datagram lies within its frame; a feed hands out ticks that are
 * ticks and gaps that go forward, ends, and says the same again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/mman.h>
#include <unistd.h>

#include "bus/wire/mold.h"
#include "feedsim/capture/frame.h"
#include "feedsim/itch/itch.h"
#include "feedsim/source/source.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/capture_file.h"

static void must(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}

static void run_frame(enum frame_link link, const uint8_t *frame, size_t bytes, size_t more)
{
    frame_datagram_t d;
    char text[FRAME_ENDPOINT_TEXT];
    if (frame_parse(link, frame, bytes, bytes + more, &d) != FRAME_DATAGRAM)
        return;
    must(d.payload >= frame && d.payload + d.bytes <= frame + bytes,
         "a datagram lies outside of its frame");
    frame_endpoint_text(&d.to, text);
    bool any_port;
    frame_endpoint_t again;
    must(frame_endpoint_parse(text, strlen(text), &again, &any_port) && !any_port &&
             frame_endpoint_same(&again, &d.to),
         "an address is another one when it is written and read again");
}

static void check_tick(const feed_source_t *source, const tick_t *tick, size_t bytes,
                       uint64_t *next_seq)
{
    tick_gap_t gap;
    if (tick_gap_get(tick, bytes, &gap)) {
        must(gap.from >= *next_seq && gap.to >= gap.from, "a gap goes back");
    } else {
        must(source->seq >= *next_seq, "a sequence goes back");
        must(itch_tick_valid(tick, bytes), "a tick that is none");
    }
    *next_seq = source->seq + 1;
}

static void run_file(enum feed_clock clock, const uint8_t *file, size_t bytes)
{
    static unsigned char buffer[(TICK_LEN_MAX + 63) / 64 * 64] __attribute__((aligned(64)));
    tick_t *tick = (tick_t *)(void *)buffer;
    feed_source_t *source;
    tbus_error_t error = {.code = 0};
    char spec[64];
    int fd = memfd_create("capture", MFD_CLOEXEC), code;
    must(fd >= 0 && write(fd, file, bytes) == (ssize_t)bytes, "no memory for a file");
    snprintf(spec, sizeof spec, "pcap:/proc/self/fd/%d", fd);
    code = feed_source_open(spec, clock, &source, &error);
    close(fd);
    if (code < 0) {
        must(error.code == code && error.text[0], "a refusal without a reason");
        return;
    }
    uint64_t next_seq = 0;
    size_t tick_bytes;
    while ((code = feed_source_next(source, tick, &tick_bytes)) == FEED_SOURCE_TICK)
        check_tick(source, tick, tick_bytes, &next_seq);
    must(code <= 0 && feed_source_next(source, tick, &tick_bytes) == code, "an end that is none");
    feed_source_close(source);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes)
{
    if (bytes == 0)
        return 0;
    unsigned how = input[0] >> 1;
    if (input[0] & 1)
        run_file(how % 2 ? FEED_CLOCK_CAPTURE : FEED_CLOCK_MARKET, input + 1, bytes - 1);
    else
        run_frame((enum frame_link)(how % 5), input + 1, bytes - 1, how / 5);
    return 0;
}

static uint64_t add_packet(capture_file_t *f, const capture_frame_t *is, uint64_t time_ns,
                           uint64_t sequence, uint16_t count)
{
    static const uint8_t session[MOLD_SESSION_BYTES] = "CAPTURE   ";
    uint8_t packet[400], frame[CAPTURE_FRAME_MAX], message[12] = {'S', [11] = 'O'};
    mold_writer_t w;
    mold_begin(&w, packet, sizeof packet, session, sequence);
    for (uint16_t i = 0; i < count; i++)
        mold_add(&w, message, sizeof message);
    size_t bytes = capture_make_frame(frame, is, packet, w.bytes);
    capture_add_frame(f, time_ns, frame, bytes, bytes);
    return sequence + count;
}

void fuzz_seeds(fuzz_take_t take)
{
    static capture_file_t file;
    static uint8_t input[1 + CAPTURE_FILE_MAX];
    capture_frame_t is = {.group = 111, .port = 26477, .trailing = 3};
    for (unsigned i = 0; i < 6; i++) {
        uint64_t sequence = 1;
        capture_begin(&file, (enum capture_form)(i % 3), i >= 3);
        for (unsigned packet = 0; packet < 8; packet++) {
            is.vlan_tags = packet % 3;
            is.group = packet % 4 == 3 ? 112 : 111;
            sequence = add_packet(&file, &is, 1000000000 + packet * 1000, sequence + (packet == 5),
                                  (uint16_t)(packet % 3));
        }
        input[0] = (uint8_t)(1 | i << 1);
        memcpy(input + 1, file.bytes, file.count);
        take(input, 1 + file.count);
    }
    for (unsigned i = 0; i < 6; i++) {
        is = (capture_frame_t){
            .vlan_tags = i % 3, .ipv6 = i % 2, .group = 1, .port = 9, .fragment = i == 4};
        input[0] = (uint8_t)(i == 5 ? 2 : 0);
        size_t bytes = capture_make_frame(input + 1, &is, "payload", 7);
        take(input, 1 + bytes);
    }
}
