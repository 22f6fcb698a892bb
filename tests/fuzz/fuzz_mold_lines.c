/* SPDX-License-Identifier: Apache-2.0 */
/* Input: one byte of how the receiver is made, then steps of five bytes each:
 *
 *    what 1   bits 0-1: line A, line B, a reply, or time alone; bits 2-3: data, heartbeat, end, or
 *             bytes that are none; bits 4-5: which of four sessions; bit 6: a far sequence
 *    sequence 2, count 1, time 1
 *
 * Whatever comes: each session is told from its beginning on without a jump, as messages that have
 * their own bytes and gaps, and ends once; after every step something is due later, or never. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/wire/mold_receiver.h"
#include "tests/fuzz/fuzz.h"

#define STEP_BYTES 5u

static void must(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}

/* What was told so far. */
typedef struct teller {
    bool begun, ended;
    uint64_t next;
} teller_t;

static void check_event(teller_t *t, const mold_event_t *event)
{
    if (event->kind == MOLD_EVENT_SESSION) {
        *t = (teller_t){.begun = true, .next = event->sequence};
        return;
    }
    must(t->begun && !t->ended && event->sequence == t->next, "a jump, or told after the end");
    if (event->kind == MOLD_EVENT_END) {
        t->ended = true;
    } else if (event->kind == MOLD_EVENT_GAP) {
        must(event->last >= event->sequence, "a gap of nothing");
        t->next = event->last + 1;
    } else {
        must(event->bytes == event->sequence % 5, "another message's length");
        for (size_t i = 0; i < event->bytes; i++)
            must(event->data[i] == (uint8_t)event->sequence, "another message's bytes");
        t->next++;
    }
}

static void drain(mold_receiver_t *r, teller_t *t)
{
    mold_event_t event;
    while (mold_receiver_next(r, &event))
        check_event(t, &event);
}

static size_t make_packet(uint8_t *to, size_t room, const uint8_t *step)
{
    static const char *const sessions[] = {"A", "B", "C", "A B"};
    uint64_t sequence = (uint64_t)step[1] << 8 | step[2];
    sequence = step[0] & 0x40 ? UINT64_MAX - sequence : sequence;
    uint8_t session[MOLD_SESSION_BYTES], message[5];
    mold_session_put(session, sessions[step[0] >> 4 & 3]);
    mold_writer_t w;
    mold_begin(&w, to, room, session, sequence);
    unsigned kind = step[0] >> 2 & 3;
    if (kind == 2)
        mold_put_header(to, session, sequence, MOLD_END_OF_SESSION);
    for (unsigned i = 0; kind == 0 && i < step[3]; i++) {
        memset(message, (int)(uint8_t)(sequence + i), sizeof message);
        mold_add(&w, message, (sequence + i) % 5);
    }
    return kind == 3 ? w.bytes - 1 : w.bytes;
}

static void take_step(mold_receiver_t *r, const uint8_t *step, uint64_t now_ns)
{
    static uint8_t room[4096];
    if ((step[0] & 3) == 3) {
        mold_receiver_tick(r, now_ns);
        return;
    }
    size_t bytes = make_packet(room, sizeof room, step);
    mold_receiver_take(r, step[0] & 3, room, bytes, now_ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes)
{
    static _Alignas(64) uint8_t memory[1 << 19];
    mold_receiver_config_t config = MOLD_RECEIVER_USUAL;
    uint8_t request[MOLD_HEADER_BYTES];
    teller_t t = {.begun = false};
    uint64_t now_ns = 1;
    if (bytes == 0)
        return 0;
    config.lines = 2;
    config.window_messages = 16u << (input[0] >> 6);
    config.store_bytes = MOLD_STORE_BYTES_MIN;
    config.reorder_packets = 1 + (input[0] >> 4 & 3);
    config.tries = input[0] & 3;
    config.first = input[0] >> 2 & 1;
    config.wait = input[0] >> 3 & 1;
    config.silent_ns = 500;
    config.hold_ns = 100;
    must(mold_receiver_footprint(&config) <= sizeof memory, "more memory than was thought");
    mold_receiver_t *r = mold_receiver_format(memory, &config);
    bool waits = config.wait;
    for (size_t at = 1; at + STEP_BYTES <= bytes; at += STEP_BYTES) {
        now_ns += input[at + 4];
        take_step(r, input + at, now_ns);
        drain(r, &t);
        if (waits && at > bytes / 2) { /* the snapshot has come */
            uint64_t from = 1 + input[at + 3];
            mold_receiver_begin(r, from, now_ns);
            t.next = from;
            waits = false;
            drain(r, &t);
        }
        while (mold_receiver_request(r, now_ns, request))
            ;
        must(mold_receiver_deadline(r) > now_ns, "something is due and is not done");
    }
    mold_receiver_flush(r);
    drain(r, &t);
    must(waits || !mold_receiver_behind(r), "something was neither told nor given up");
    return 0;
}

static void put_step(uint8_t *to, uint8_t what, uint16_t sequence, uint8_t count, uint8_t time)
{
    to[0] = what;
    to[1] = (uint8_t)(sequence >> 8);
    to[2] = (uint8_t)sequence;
    to[3] = count;
    to[4] = time;
}

void fuzz_seeds(fuzz_take_t take)
{
    static const uint8_t kinds[] = {0x04, 0x05, 0x37, 0x0c, 0xc6};
    uint8_t script[1 + 40 * STEP_BYTES];
    for (size_t i = 0; i < sizeof kinds; i++) {
        script[0] = kinds[i];
        uint16_t sequence = 1;
        for (unsigned step = 0; step < 40; step++) {
            uint8_t *to = script + 1 + step * STEP_BYTES;
            if (step == 30)
                put_step(to, 2 << 2, sequence, 0, 9);
            else if (step % 7 == 3)
                put_step(to, 1 << 2, sequence, 0, 5);
            else if (step % 11 == 5)
                put_step(to, 3, 0, 0, 99);
            else
                put_step(to, (uint8_t)((step % 2) | (step > 30 ? 1 << 4 : 0)),
                         step == 31 ? 1 : sequence, 4, 1);
            sequence = (uint16_t)(step == 31 ? 5 : sequence + (step % 3 ? 4 : 2));
        }
        take(script, sizeof script);
    }
}
