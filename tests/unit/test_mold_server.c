/* SPDX-License-Identifier: Apache-2.0 */
/* A sender of MoldUDP64 over a bus that is made here, and a receiver on a real socket, in one
 * thread: what goes out, what is answered, what a kernel that takes nothing does to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "feedsim/mold/server.h"
#include "tests/support/datagram_proxy.h"
#include "tests/support/mold_listener.h"
#include "tests/unit/gateway_rig.h"

#define SMALL 200u /* bytes of a datagram */

typedef struct sending {
    rig_t rig; /* bus, recorder, publisher; its gateway is not started */
    mold_listener_t listener;
    moldout_board_t board;
    moldout_options_t options;
    moldout_server_t *server;
    char to[32];
} sending_t;

/* The error of the next calls of sendmmsg; 0: none. */
static int kernel_error;
static unsigned kernel_errors;
/* The error whenever a packet that begins with this message is the first to be sent; 0: none. */
static uint64_t refused_seq;

int __real_sendmmsg(int fd, struct mmsghdr *headers, unsigned count, int flags);
int __wrap_sendmmsg(int fd, struct mmsghdr *headers, unsigned count, int flags);

static uint64_t first_seq(const struct mmsghdr *header)
{
    mold_packet_t packet;
    const struct iovec *part = header->msg_hdr.msg_iov;
    return mold_parse(part->iov_base, part->iov_len, &packet) == MOLD_GOOD &&
                   packet.kind == MOLD_DATA
               ? packet.sequence
               : 0;
}

int __wrap_sendmmsg(int fd, struct mmsghdr *headers, unsigned count, int flags)
{
    for (unsigned i = 0; refused_seq && i < count; i++)
        if (first_seq(&headers[i]) == refused_seq)
            count = i; /* as the kernel does: those before it go */
    if (kernel_errors == 0 && count)
        return __real_sendmmsg(fd, headers, count, flags);
    kernel_errors -= kernel_errors > 0;
    errno = kernel_error;
    return -1;
}

static void start_server(sending_t *s)
{
    tbus_error_t err = {0};
    test_succeed(moldout_server_create(&s->rig.bus, s->rig.recorder ? s->rig.journal : NULL,
                                       &s->options, &s->board, &s->server, &err),
                 "server", &err);
    test_succeed(moldout_server_start(s->server, RIG_SESSION, &err), "server", &err);
}

static sending_t *begin(bool recorded, uint32_t datagram_max)
{
    sending_t *s = calloc(1, sizeof *s);
    assert_non_null(s);
    rig_create(&s->rig, recorded);
    mold_listener_open(&s->listener);
    snprintf(s->to, sizeof s->to, "127.0.0.1:%u", s->listener.port);
    s->options = (moldout_options_t){.way = {.to = s->to, .interface = "", .ttl = 1},
                                     .topic = "md",
                                     .datagram_max = datagram_max,
                                     .window_bytes = 1,
                                     .requests = {.listen = "127.0.0.1:0",
                                                  .limits = {.requests_burst = 1},
                                                  .backfill_readers = 2,
                                                  .backfill_bytes = 1}};
    start_server(s);
    return s;
}

static void end(sending_t *s)
{
    moldout_server_destroy(s->server);
    mold_listener_close(&s->listener);
    rig_destroy(&s->rig);
    free(s);
}

static int turn(sending_t *s)
{
    tbus_error_t err = {0};
    rig_record(&s->rig);
    int done = moldout_server_turn(s->server, 256, &err);
    test_succeed(done, "turn", &err);
    mold_listener_take(&s->listener);
    return done;
}

/* Until it has nothing to do and the receiver nothing to take. */
static void settle(sending_t *s)
{
    while (turn(s) > 0 || mold_listener_take(&s->listener) > 0)
        ;
}

/* Publish, so few at a time that the ring is not lapped. */
static void publish(sending_t *s, uint64_t count)
{
    for (uint64_t some; count; count -= some) {
        some = count < 100 ? count : 100;
        rig_publish(&s->rig, some);
        settle(s);
    }
}

/* The counts, as they would be shown. */
static uint64_t total(sending_t *s, enum moldout_total which)
{
    uint64_t now_ns = tbus_clock_ns();
    do /* they are shown ten times a second */
        turn(s);
    while (tbus_load_relaxed_u64(&s->board.updated_ns) < now_ns);
    return tbus_load_relaxed_u64(&s->board.totals[which]);
}

static uint16_t requests_port(const sending_t *s)
{
    return moldout_server_requests_port(s->server);
}

/* Message `seq` was received, and is what was published. */
static void assert_has(const sending_t *s, uint64_t seq)
{
    uint8_t expected[1024];
    const uint8_t *message;
    size_t bytes, expected_bytes = rig_message(&s->rig, seq, expected);
    if (seq >= s->listener.room || !s->listener.message[seq])
        fail_msg("message %llu is missing", (unsigned long long)seq);
    mold_next(s->listener.message[seq], &message, &bytes);
    assert_int_equal(bytes, expected_bytes);
    assert_memory_equal(message, expected, bytes);
}

static void assert_has_all(const sending_t *s, uint64_t from, uint64_t to)
{
    for (uint64_t seq = from; seq <= to; seq++)
        assert_has(s, seq);
}

/* Forget what was received, so that answers alone are seen. */
static void forget(sending_t *s)
{
    for (uint64_t seq = 0; seq < s->listener.room; seq++) {
        free(s->listener.message[seq]);
        s->listener.message[seq] = NULL;
    }
    s->listener.messages = 0;
}

static void ask(sending_t *s, uint64_t seq, uint16_t count)
{
    uint64_t before = s->listener.packets;
    mold_listener_ask(&s->listener, requests_port(s), seq, count);
    while (s->listener.packets == before)
        turn(s);
}

/* --- what goes out --- */

static void every_message_arrives_in_packets_that_are_as_full_as_they_can_be(void **state)
{
    (void)state;
    sending_t *s = begin(false, SMALL);
    publish(s, 5000);
    assert_has_all(s, 1, 5000);
    assert_int_equal(s->listener.next, 5001);
    assert_int_equal(s->listener.copies, 0);
    assert_true(s->listener.bytes_max <= SMALL);
    assert_true(s->listener.heartbeats >= 1); /* when it was started */
    assert_int_equal(total(s, MOLDOUT_TOTAL_messages), 5000);
    assert_int_equal(total(s, MOLDOUT_TOTAL_packets), s->listener.packets);
    assert_int_equal(tbus_load_relaxed_u64(&s->board.next_seq), 5001);
    end(s);
}

static void one_message_goes_out_at_once(void **state)
{
    (void)state;
    sending_t *s = begin(false, MOLD_DATAGRAM_USUAL);
    for (uint64_t seq = 1; seq <= 20; seq++) {
        rig_publish(&s->rig, 1);
        turn(s);
        mold_listener_take(&s->listener);
        assert_int_equal(s->listener.messages, seq);
        assert_int_equal(s->listener.packets, seq);
    }
    end(s);
}

static void a_message_that_fits_no_packet_goes_alone_and_can_be_asked_for(void **state)
{
    (void)state;
    sending_t *s = begin(true, SMALL);
    s->rig.is_big = true; /* of 900 bytes */
    publish(s, 30);
    assert_has_all(s, 1, 30);
    assert_int_equal(s->listener.packets, 30);
    forget(s);
    ask(s, 12, 5);
    assert_has(s, 12);
    assert_int_equal(s->listener.messages, 1);
    end(s);
}

static void a_sender_started_again_goes_on_with_the_next_message(void **state)
{
    (void)state;
    sending_t *s = begin(true, SMALL);
    publish(s, 1000);
    uint16_t port = requests_port(s);
    assert_int_equal(total(s, MOLDOUT_TOTAL_messages), 1000);
    moldout_server_destroy(s->server);
    rig_publish(&s->rig, 700); /* the ring goes round meanwhile */
    start_server(s);
    assert_int_equal(requests_port(s), port);
    publish(s, 300);
    assert_has_all(s, 1, 2000);
    assert_int_equal(s->listener.copies, 0);
    assert_int_equal(total(s, MOLDOUT_TOTAL_starts), 2);
    assert_int_equal(total(s, MOLDOUT_TOTAL_messages), 2000);
    ask(s, 5, 1);
    end(s);
}

static void what_is_nowhere_any_more_is_left_out_and_counted(void **state)
{
    (void)state;
    sending_t *s = begin(false, SMALL);
    publish(s, 100);
    rig_publish(&s->rig, 3 * RIG_SLOTS); /* not recorded */
    settle(s);
    uint64_t first = mold_listener_missing(&s->listener, 1);
    assert_int_equal(first, 101);
    uint64_t lost = total(s, MOLDOUT_TOTAL_lost);
    assert_in_range(lost, 1, 3 * RIG_SLOTS);
    assert_has_all(s, first + lost, 100 + 3 * RIG_SLOTS);
    assert_int_equal(s->listener.messages + lost, 100 + 3 * RIG_SLOTS);
    char note[8 * GATEWAY_NOTE_WORDS];
    gateway_board_get_note(&s->board.note_version, s->board.note, note);
    assert_non_null(strstr(note, "receivers see a gap"));
    mold_listener_ask(&s->listener, requests_port(s), first, 10);
    assert_int_equal(total(s, MOLDOUT_TOTAL_requests), 1);
    while (total(s, MOLDOUT_TOTAL_gone) == 0)
        ;
    end(s);
}

static void at_the_end_the_session_is_over_and_the_rest_was_sent(void **state)
{
    (void)state;
    sending_t *s = begin(false, SMALL);
    rig_publish(&s->rig, 200);
    moldout_server_finish(s->server);
    mold_listener_take(&s->listener);
    assert_has_all(s, 1, 200);
    assert_int_equal(s->listener.ends, 1);
    assert_int_equal(s->listener.next, 201);
    end(s);
}

/* --- requests --- */

static void a_request_is_answered_from_what_was_sent(void **state)
{
    (void)state;
    sending_t *s = begin(false, SMALL);
    publish(s, 300);
    forget(s);
    for (uint64_t seq = 1; seq <= 300;) { /* as a receiver does: the whole hole, and the rest */
        ask(s, seq, (uint16_t)(301 - seq));
        seq = mold_listener_missing(&s->listener, 1);
        if (seq == 0)
            break;
    }
    assert_has_all(s, 1, 300);
    assert_int_equal(s->listener.copies, 0);
    assert_int_equal(total(s, MOLDOUT_TOTAL_answer_messages), 300);
    assert_int_equal(total(s, MOLDOUT_TOTAL_backfill_messages), 0);
    forget(s);
    ask(s, 300, 65535); /* never too large */
    assert_has(s, 300);
    assert_int_equal(s->listener.messages, 1);
    end(s);
}

static void a_request_is_answered_from_the_journal_when_all_else_has_gone_round(void **state)
{
    (void)state;
    sending_t *s = begin(true, SMALL);
    publish(s, 20000);
    forget(s);
    ask(s, 1, 3);
    assert_int_equal(s->listener.messages, 3);
    while (s->listener.messages < 3000)
        ask(s, mold_listener_missing(&s->listener, 1), 65535);
    assert_has_all(s, 1, 3000);
    assert_true(total(s, MOLDOUT_TOTAL_backfill_messages) >= 3000);
    ask(s, 19990, 65535); /* and those that are kept */
    assert_has(s, 19990);
    end(s);
}

static void send_raw(const sending_t *s, const void *bytes, size_t count)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(requests_port(s)),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    must(sendto(s->listener.fd, bytes, count, 0, (struct sockaddr *)&to, sizeof to) ==
         (ssize_t)count);
}

static void faulty_requests_are_counted_by_fault_and_not_answered(void **state)
{
    (void)state;
    sending_t *s = begin(true, SMALL);
    uint8_t request[2000] = {0};
    publish(s, 100);
    forget(s);
    for (size_t bytes = 0; bytes < sizeof request; bytes += bytes < 40 ? 1 : 490)
        if (bytes != MOLD_HEADER_BYTES)
            send_raw(s, request, bytes);
    uint64_t lengths = 39 + 4;
    mold_put_header(request, (const uint8_t *)"JIHGFEDCBA", 1, 1);
    send_raw(s, request, MOLD_HEADER_BYTES);
    mold_put_header(request, (const uint8_t *)RIG_SESSION, 0, 1);
    send_raw(s, request, MOLD_HEADER_BYTES);
    mold_put_header(request, (const uint8_t *)RIG_SESSION, 101, 1);
    send_raw(s, request, MOLD_HEADER_BYTES);
    mold_put_header(request, (const uint8_t *)RIG_SESSION, UINT64_MAX, 65535);
    send_raw(s, request, MOLD_HEADER_BYTES);
    mold_put_header(request, (const uint8_t *)RIG_SESSION, 1, 0);
    send_raw(s, request, MOLD_HEADER_BYTES);
    while (total(s, MOLDOUT_TOTAL_requests) < lengths + 5)
        ;
    assert_int_equal(total(s, MOLDOUT_TOTAL_fault_length), lengths);
    assert_int_equal(total(s, MOLDOUT_TOTAL_fault_session), 1);
    assert_int_equal(total(s, MOLDOUT_TOTAL_fault_sequence), 3);
    assert_int_equal(total(s, MOLDOUT_TOTAL_fault_count), 1);
    assert_int_equal(total(s, MOLDOUT_TOTAL_answers), 0);
    assert_int_equal(s->listener.messages, 0);
    ask(s, 100, 1); /* and it goes on answering */
    assert_has(s, 100);
    end(s);
}

static void beyond_its_rate_an_address_is_not_answered(void **state)
{
    (void)state;
    sending_t *s = begin(true, SMALL);
    moldout_server_destroy(s->server);
    s->options.requests.limits.requests_rate = 1;
    s->options.requests.limits.requests_burst = 10; /* half of them for one receiver */
    start_server(s);
    publish(s, 100);
    forget(s);
    for (uint64_t seq = 1; seq <= 50; seq++)
        mold_listener_ask(&s->listener, requests_port(s), seq, 1);
    while (total(s, MOLDOUT_TOTAL_requests) < 50)
        ;
    uint64_t answers = total(s, MOLDOUT_TOTAL_answers);
    assert_in_range(answers, 5, 49); /* one more for each second that it took */
    assert_int_equal(answers + total(s, MOLDOUT_TOTAL_limited), 50);
    assert_int_equal(s->listener.messages, answers);
    end(s);
}

static void a_burst_of_requests_of_the_past_is_answered_or_counted(void **state)
{
    (void)state;
    sending_t *s = begin(true, SMALL);
    publish(s, 20000);
    forget(s);
    for (uint64_t seq = 1; seq <= 1000; seq++) { /* so many at once as any socket keeps */
        mold_listener_ask(&s->listener, requests_port(s), seq, 1);
        while (seq % 100 == 0 && total(s, MOLDOUT_TOTAL_requests) < seq)
            ;
    }
    while (total(s, MOLDOUT_TOTAL_answers) + total(s, MOLDOUT_TOTAL_busy) < 1000)
        ;
    settle(s);
    assert_true(total(s, MOLDOUT_TOTAL_answers) >= 64);
    assert_int_equal(s->listener.messages, total(s, MOLDOUT_TOTAL_answers));
    end(s);
}

/* Of two receivers behind one address the one that asks for everything at once leaves the other one
 * a place in the line, and an answer. */
static void a_receiver_that_asks_for_all_at_once_leaves_others_their_place(void **state)
{
    (void)state;
    sending_t *s = begin(true, SMALL);
    mold_listener_t modest;
    publish(s, 20000);
    total(s, MOLDOUT_TOTAL_messages);
    forget(s);
    mold_listener_open(&modest);
    memcpy(modest.session, s->listener.session, sizeof modest.session);
    for (uint64_t round = 0; round < 10; round++) {
        for (uint64_t i = 0; i < 150; i++) /* each in another place of the journal */
            mold_listener_ask(&s->listener, requests_port(s), 1 + (round + i * 1777) % 14000, 1);
        mold_listener_ask(&modest, requests_port(s), 15000 + round, 1);
        uint64_t before = modest.messages;
        while (modest.messages == before) { /* for ever, if it had no place */
            turn(s);
            mold_listener_take(&modest);
        }
    }
    settle(s);
    assert_true(total(s, MOLDOUT_TOTAL_busy) > 0);
    assert_int_equal(modest.messages, 10);
    mold_listener_close(&modest);
    end(s);
}

/* --- a kernel that takes nothing --- */

static void what_the_kernel_has_no_room_for_is_sent_when_it_has_some(void **state)
{
    (void)state;
    static const int errors[] = {EAGAIN, ENOBUFS, ENOMEM, EINTR, ECONNREFUSED};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        sending_t *s = begin(false, SMALL);
        publish(s, 50);
        kernel_error = errors[i];
        kernel_errors = 3;
        publish(s, 50);
        while (s->listener.messages < 100)
            turn(s);
        assert_has_all(s, 1, 100);
        assert_int_equal(s->listener.copies, 0);
        assert_int_equal(total(s, MOLDOUT_TOTAL_unsent), 0);
        end(s);
    }
}

static void what_the_kernel_does_not_take_is_told_and_can_be_asked_for(void **state)
{
    (void)state;
    static const int errors[] = {ENETUNREACH, EHOSTUNREACH, ENETDOWN, EPERM,
                                 EINVAL,      EAGAIN,       ENOBUFS};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        sending_t *s = begin(false, SMALL);
        char note[8 * GATEWAY_NOTE_WORDS];
        publish(s, 50);
        kernel_error = errors[i];
        kernel_errors = UINT32_MAX;
        rig_publish(&s->rig, 50);
        while (total(s, MOLDOUT_TOTAL_unsent_messages) < 50) /* at once, or after a while */
            ;
        kernel_errors = 0;
        gateway_board_get_note(&s->board.note_version, s->board.note, note);
        assert_non_null(strstr(note, "are not sent"));
        assert_non_null(strstr(note, tbus_strerror(-errors[i])));
        publish(s, 50);
        assert_int_equal(s->listener.messages, 100);
        gateway_board_get_note(&s->board.note_version, s->board.note, note);
        assert_non_null(strstr(note, "are sent again"));
        for (uint64_t seq; (seq = mold_listener_missing(&s->listener, 1)) != 0;)
            ask(s, seq, 50);
        assert_has_all(s, 1, 150);
        end(s);
    }
}

static void a_packet_that_is_refused_takes_no_other_with_it(void **state)
{
    (void)state;
    static const int errors[] = {EMSGSIZE,     EPERM,    EACCES,        ENETUNREACH,
                                 EHOSTUNREACH, ENETDOWN, EADDRNOTAVAIL, EINVAL,
                                 EAGAIN,       ENOBUFS,  ENOMEM,        ECONNREFUSED};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        sending_t *s = begin(false, SMALL);
        char note[8 * GATEWAY_NOTE_WORDS];
        publish(s, 20);
        assert_int_equal(total(s, MOLDOUT_TOTAL_unsent), 0);
        kernel_error = errors[i];
        refused_seq = 21;
        rig_publish(&s->rig, 60); /* at once, so that others wait behind it */
        while (total(s, MOLDOUT_TOTAL_messages) + total(s, MOLDOUT_TOTAL_unsent_messages) < 80)
            ;
        settle(s);
        assert_int_equal(total(s, MOLDOUT_TOTAL_unsent), 1);
        assert_int_equal(total(s, MOLDOUT_TOTAL_too_large), errors[i] == EMSGSIZE);
        uint64_t lost = total(s, MOLDOUT_TOTAL_unsent_messages);
        assert_has_all(s, 1, 20);
        assert_has_all(s, 21 + lost, 80);
        assert_int_equal(mold_listener_missing(&s->listener, 1), 21);
        gateway_board_get_note(&s->board.note_version, s->board.note, note);
        assert_non_null(strstr(note, errors[i] == EMSGSIZE ? "message 21:" : "message 21 "));
        assert_non_null(strstr(note, errors[i] == EMSGSIZE ? "set mold.payload_max lower"
                                                           : tbus_strerror(-errors[i])));
        refused_seq = 0;
        publish(s, 20);
        gateway_board_get_note(&s->board.note_version, s->board.note, note);
        assert_non_null(
            strstr(note, errors[i] == EMSGSIZE ? "set mold.payload_max lower" : "are sent again"));
        ask(s, 21, (uint16_t)lost);
        assert_has_all(s, 1, 100);
        end(s);
    }
}

static void a_message_that_is_too_large_for_the_kernel_is_told_with_what_to_do(void **state)
{
    (void)state;
    sending_t *s = begin(true, SMALL);
    char note[8 * GATEWAY_NOTE_WORDS];
    s->rig.is_big = true; /* each in a packet of its own */
    publish(s, 10);
    kernel_error = EMSGSIZE;
    refused_seq = 11;
    publish(s, 1);
    refused_seq = 0;
    publish(s, 1);
    assert_int_equal(total(s, MOLDOUT_TOTAL_unsent), 1);
    assert_int_equal(total(s, MOLDOUT_TOTAL_too_large), 1);
    gateway_board_get_note(&s->board.note_version, s->board.note, note);
    assert_non_null(strstr(note, "message 11: its packet of 922 bytes"));
    assert_non_null(strstr(note, "set mold.send_buffer_bytes higher"));
    assert_has_all(s, 1, 10);
    assert_has_all(s, 12, 12);
    end(s);
}

/* More packets wait than are given up in one call, and the next ones go as soon as they can. */
static void a_network_that_is_gone_costs_a_turn_a_bounded_number_of_calls(void **state)
{
    (void)state;
    enum { MESSAGES = 200, CALLS_MAX = 64 };
    sending_t *s = begin(false, MOLD_HEADER_BYTES + MOLD_LENGTH_BYTES + 60); /* one in each */
    kernel_error = ENETUNREACH;
    kernel_errors = UINT32_MAX;
    rig_publish(&s->rig, MESSAGES);
    unsigned turns = 0;
    for (bool more = true; more; turns++) {
        unsigned before = kernel_errors;
        more = turn(s) > 0;
        /* flushes: as packets are filled, and at the end; and a heartbeat */
        assert_in_range(before - kernel_errors, 0, 3 * CALLS_MAX + 1);
    }
    assert_int_equal(total(s, MOLDOUT_TOTAL_unsent_messages), MESSAGES);
    assert_true(total(s, MOLDOUT_TOTAL_unsent) > CALLS_MAX);
    kernel_errors = 0;
    publish(s, 100);
    assert_has_all(s, MESSAGES + 1, MESSAGES + 100);
    end(s);
}

/* --- a network between --- */

static void over_a_bad_network(const datagram_plan_t *plan)
{
    uint16_t port, number;
    sending_t *s = begin(true, SMALL);
    datagram_proxy_t *proxy = datagram_proxy_start(plan, NULL, s->listener.port, &port);
    assert_non_null(proxy);
    moldout_server_destroy(s->server);
    memset(&s->board, 0, sizeof s->board); /* what went past the proxy does not count */
    snprintf(s->to, sizeof s->to, "127.0.0.1:%u", port);
    start_server(s);
    publish(s, 20000);
    number = requests_port(s);
    while (datagram_proxy_counts(proxy).received <
           total(s, MOLDOUT_TOTAL_packets) + total(s, MOLDOUT_TOTAL_heartbeats))
        ;
    datagram_proxy_stop(proxy); /* passes on what it holds */
    settle(s);
    s->listener.next = 20001; /* heartbeats would say so */
    for (uint64_t seq = 1; (seq = mold_listener_missing(&s->listener, seq)) != 0;) {
        uint64_t before = s->listener.messages;
        mold_listener_ask(&s->listener, number, seq, 65535);
        while (s->listener.messages == before)
            turn(s);
    }
    assert_has_all(s, 1, 20000);
    end(s);
}

static void what_a_bad_network_loses_is_had_by_requests(void **state)
{
    (void)state;
    over_a_bad_network(&(datagram_plan_t){.seed = 1, .lose_ppm = 10000});
    over_a_bad_network(&(datagram_plan_t){
        .seed = 2, .lose_ppm = 100000, .double_ppm = 50000, .reorder_ppm = 50000, .reorder_by = 5});
    over_a_bad_network(&(datagram_plan_t){.seed = 3, .burst_at = 500, .burst_count = 1000});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_arrives_in_packets_that_are_as_full_as_they_can_be),
        cmocka_unit_test(one_message_goes_out_at_once),
        cmocka_unit_test(a_message_that_fits_no_packet_goes_alone_and_can_be_asked_for),
        cmocka_unit_test(a_sender_started_again_goes_on_with_the_next_message),
        cmocka_unit_test(what_is_nowhere_any_more_is_left_out_and_counted),
        cmocka_unit_test(at_the_end_the_session_is_over_and_the_rest_was_sent),
        cmocka_unit_test(a_request_is_answered_from_what_was_sent),
        cmocka_unit_test(a_request_is_answered_from_the_journal_when_all_else_has_gone_round),
        cmocka_unit_test(faulty_requests_are_counted_by_fault_and_not_answered),
        cmocka_unit_test(beyond_its_rate_an_address_is_not_answered),
        cmocka_unit_test(a_burst_of_requests_of_the_past_is_answered_or_counted),
        cmocka_unit_test(a_receiver_that_asks_for_all_at_once_leaves_others_their_place),
        cmocka_unit_test(what_the_kernel_has_no_room_for_is_sent_when_it_has_some),
        cmocka_unit_test(a_packet_that_is_refused_takes_no_other_with_it),
        cmocka_unit_test(a_message_that_is_too_large_for_the_kernel_is_told_with_what_to_do),
        cmocka_unit_test(a_network_that_is_gone_costs_a_turn_a_bounded_number_of_calls),
        cmocka_unit_test(what_the_kernel_does_not_take_is_told_and_can_be_asked_for),
        cmocka_unit_test(what_a_bad_network_loses_is_had_by_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
