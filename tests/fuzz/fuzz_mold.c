/* SPDX-License-Identifier: Apache-2.0 */
/* Input: one datagram. What mold_parse takes lies within it and, written again, is the very same
 * bytes; what it refuses has one reason. The same for a request. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/wire/mold.h"
#include "tests/fuzz/fuzz.h"

static const uint8_t session[MOLD_SESSION_BYTES] = "FUZZ      ";

static void must(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}

static void check_data(const mold_packet_t *packet, const uint8_t *datagram, size_t bytes)
{
    uint8_t *again = malloc(bytes);
    const uint8_t *at = packet->blocks, *message;
    mold_writer_t w;
    size_t is;
    mold_begin(&w, again, bytes, packet->session, packet->sequence);
    for (uint32_t i = 0; i < packet->count; i++) {
        at = mold_next(at, &message, &is);
        must(at <= datagram + bytes, "a message reaches beyond its packet");
        must(mold_add(&w, message, is), "a packet does not fit where it was read from");
    }
    must(at == datagram + bytes && w.bytes == bytes, "a packet was not read to its end");
    must(memcmp(again, datagram, bytes) == 0, "a packet is another one when it is written again");
    must(packet->sequence + packet->count >= packet->sequence, "a sequence wrapped");
    free(again);
}

static void check_header(const uint8_t *packet_session, uint64_t sequence, uint16_t count,
                         const uint8_t *datagram, size_t bytes)
{
    uint8_t again[MOLD_HEADER_BYTES];
    mold_put_header(again, packet_session, sequence, count);
    must(bytes == sizeof again && memcmp(again, datagram, bytes) == 0,
         "a header is another one when it is written again");
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes)
{
    mold_packet_t packet;
    mold_request_t request;
    char text[MOLD_SESSION_BYTES + 1];
    if (mold_parse(input, bytes, &packet) == MOLD_GOOD) {
        mold_session_text(packet.session, text);
        if (packet.kind == MOLD_DATA)
            check_data(&packet, input, bytes);
        else
            check_header(packet.session, packet.sequence,
                         packet.kind == MOLD_END ? MOLD_END_OF_SESSION : 0, input, bytes);
    }
    if (mold_parse_request(input, bytes, &request) == MOLD_GOOD)
        check_header(request.session, request.sequence, request.count, input, bytes);
    return 0;
}

static void seed_packet(fuzz_take_t take, uint64_t sequence, const size_t *lengths, size_t count)
{
    static const uint8_t message[64] = "message";
    uint8_t datagram[MOLD_DATAGRAM_USUAL];
    mold_writer_t w;
    mold_begin(&w, datagram, sizeof datagram, session, sequence);
    for (size_t i = 0; i < count; i++)
        mold_add(&w, message, lengths[i]);
    take(datagram, w.bytes);
}

void fuzz_seeds(fuzz_take_t take)
{
    uint8_t header[MOLD_HEADER_BYTES];
    seed_packet(take, 1, (const size_t[]){12, 0, 36, 40}, 4);
    seed_packet(take, UINT64_MAX - 2, (const size_t[]){3, 1}, 2);
    seed_packet(take, 7, (const size_t[]){0}, 1);
    static const uint16_t counts[] = {0, MOLD_END_OF_SESSION, 5};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        mold_put_header(header, session, 9, counts[i]);
        take(header, sizeof header);
    }
}
