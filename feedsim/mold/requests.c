/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/mold/requests.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <netinet/in.h>

#include "feedsim/gateway/listen.h"

#define POLL_NS      UINT64_C(20000) /* a look at the socket takes as long as some messages */
#define RECEIVED_MAX 32u             /* requests at a turn */
#define WAITING_MAX  256u
/* Of them, so that one who asks for all at once does not keep others from waiting. */
#define WAITING_OF_ADDRESS  128u
#define WAITING_OF_RECEIVER 64u
#define WAIT_NS             UINT64_C(2000000000)
#define PAST_MAX            512u /* messages of the past that are read at a turn */
#define ANSWER_MAX          MOLD_DATAGRAM_MAX
#define ANSWERS_MAX         32u
#define AREA_BYTES          (2 * ANSWER_MAX) /* of answers that are sent together */
/* The kernel reckons some 800 bytes for a datagram of 20: room for the bursts of some receivers. */
#define RECEIVE_BYTES (4 << 20)
#define RECEIVE_ROOM  32u /* a request has 20 bytes; one byte more is too many */

_Static_assert(ANSWER_MAX > MOLD_HEADER_BYTES + MOLD_LENGTH_BYTES, "an answer has a message");
_Static_assert(RECEIVE_ROOM > MOLD_HEADER_BYTES, "a longer one is seen to be longer");

typedef struct peer {
    struct sockaddr_storage address;
    socklen_t bytes;
    uint16_t port;
    uint8_t ip[16]; /* IPv6 */
} peer_t;

/* A request that waits for the past. */
typedef struct waiting {
    peer_t peer;
    uint64_t seq;
    uint64_t since_ns;
    uint32_t count;
} waiting_t;

typedef struct answer {
    peer_t peer;
    uint32_t at; /* in the area */
    uint32_t bytes;
    uint32_t count; /* messages */
} answer_t;

struct moldout_requests {
    int fd;
    uint16_t port;
    uint64_t *totals;
    const moldout_packets_t *packets;
    gateway_past_t past;
    gateway_backfill_t *backfill;
    moldout_limiter_t limiter;
    uint64_t polled_ns;
    uint32_t waiting_count;
    uint32_t answers_count;
    uint32_t area_used;
    waiting_t waiting[WAITING_MAX];
    answer_t answers[ANSWERS_MAX];
    uint8_t area[AREA_BYTES];
};

/* --- made --- */

/* A socket that is bound; or -errno. */
static int open_socket(const struct addrinfo *info)
{
    int fd = socket(info->ai_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int bytes = RECEIVE_BYTES;
    /* Beyond net.core.rmem_max only who may administer the network gets it; a smaller one does. */
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    if (fd >= 0 && bind(fd, info->ai_addr, info->ai_addrlen) == 0)
        return fd;
    int code = -errno;
    if (fd >= 0)
        close(fd);
    return code;
}

static int bind_address(moldout_requests_t *r, const moldout_requests_options_t *options,
                        tbus_error_t *err)
{
    struct addrinfo *info = NULL;
    tbus_error_t why = {0};
    int code = gateway_address_find(options->listen, SOCK_DGRAM, &info, &why);
    if (code < 0)
        return tbus_fail(err, code, "cannot take requests at %s: %s", options->listen, why.text);
    if (gateway_address_port(info->ai_addr) == 0 && options->port_before) {
        gateway_address_set_port(info->ai_addr, options->port_before);
        r->fd = open_socket(info);
        gateway_address_set_port(info->ai_addr, 0);
    }
    if (r->fd < 0)
        r->fd = open_socket(info);
    freeaddrinfo(info);
    if (r->fd < 0)
        return tbus_fail(err, r->fd, "cannot take requests at %s: %s", options->listen,
                         tbus_strerror(r->fd));
    r->port = gateway_bound_port(r->fd);
    return 0;
}

int moldout_requests_create(const moldout_requests_options_t *options,
                            uint64_t totals[MOLDOUT_TOTALS_COUNT],
                            moldout_requests_t **out_requests, tbus_error_t *err)
{
    moldout_requests_t *r = calloc(1, sizeof *r);
    if (!r)
        return tbus_fail(err, -ENOMEM, "no memory to answer requests");
    r->fd = -1;
    r->totals = totals;
    int code = moldout_limiter_create(&options->limits, &r->limiter, err);
    if (code == 0)
        code = gateway_backfill_create(options->backfill_readers, options->backfill_bytes,
                                       &r->backfill, err);
    if (code == 0)
        code = bind_address(r, options, err);
    if (code < 0) {
        moldout_requests_destroy(r);
        return code;
    }
    *out_requests = r;
    return 0;
}

void moldout_requests_destroy(moldout_requests_t *r)
{
    if (!r)
        return;
    if (r->fd >= 0)
        close(r->fd);
    gateway_backfill_destroy(r->backfill);
    moldout_limiter_destroy(&r->limiter);
    free(r);
}

int moldout_requests_start(moldout_requests_t *r, const moldout_packets_t *packets,
                           const gateway_source_t *source, tbus_error_t *err)
{
    r->packets = packets;
    r->past = (gateway_past_t){.source = source};
    return gateway_backfill_prepare(r->backfill, &r->past, err);
}

int moldout_requests_fd(const moldout_requests_t *r)
{
    return r->fd;
}

uint16_t moldout_requests_port(const moldout_requests_t *r)
{
    return r->port;
}

/* --- answers --- */

static void count_answer(moldout_requests_t *r, const answer_t *a)
{
    r->totals[MOLDOUT_TOTAL_answers]++;
    r->totals[MOLDOUT_TOTAL_answer_messages] += a->count;
    r->totals[MOLDOUT_TOTAL_answer_bytes] += a->bytes;
}

/* What the kernel does not take is asked for again. */
static void send_answers(moldout_requests_t *r)
{
    struct mmsghdr headers[ANSWERS_MAX];
    struct iovec parts[ANSWERS_MAX];
    for (uint32_t i = 0; i < r->answers_count; i++) {
        answer_t *a = &r->answers[i];
        parts[i] = (struct iovec){.iov_base = r->area + a->at, .iov_len = a->bytes};
        headers[i] = (struct mmsghdr){.msg_hdr = {.msg_name = &a->peer.address,
                                                  .msg_namelen = a->peer.bytes,
                                                  .msg_iov = &parts[i],
                                                  .msg_iovlen = 1}};
    }
    for (uint32_t i = 0; i < r->answers_count;) {
        int taken = sendmmsg(r->fd, headers + i, r->answers_count - i, MSG_DONTWAIT | MSG_NOSIGNAL);
        for (int k = 0; k < taken; k++)
            count_answer(r, &r->answers[i++]);
        if (taken <= 0 && errno != EINTR) {
            r->totals[MOLDOUT_TOTAL_answers_unsent]++;
            i++; /* the next one may be for somebody who can be reached */
        }
    }
    r->answers_count = 0;
    r->area_used = 0;
}

/* Room for an answer of that many bytes. */
static uint8_t *answer_room(moldout_requests_t *r, size_t bytes)
{
    if (r->answers_count == ANSWERS_MAX || AREA_BYTES - r->area_used < bytes)
        send_answers(r);
    return r->area + r->area_used;
}

static void put_answer(moldout_requests_t *r, const peer_t *peer, size_t bytes, uint32_t count,
                       uint64_t now_ns)
{
    moldout_limiter_charge(&r->limiter, peer->ip, peer->port, (uint32_t)bytes, now_ns);
    r->answers[r->answers_count++] =
        (answer_t){.peer = *peer, .at = r->area_used, .bytes = (uint32_t)bytes, .count = count};
    r->area_used += (uint32_t)bytes;
}

/* From what was sent and is kept. */
static bool answer_kept(moldout_requests_t *r, const peer_t *peer, uint64_t seq, uint32_t count,
                        uint64_t now_ns)
{
    uint32_t taken;
    uint8_t *to = answer_room(r, r->packets->datagram_max);
    size_t bytes = moldout_packets_copy(r->packets, seq, count, to, &taken);
    if (bytes)
        put_answer(r, peer, bytes, taken, now_ns);
    return bytes != 0;
}

/* From a block of the past, whose messages stand there as packets of SoupBinTCP. */
static void answer_past(moldout_requests_t *r, const waiting_t *w, const gateway_block_t *block,
                        uint64_t now_ns)
{
    mold_writer_t writer;
    uint32_t place = gateway_block_place(block, w->seq);
    size_t first = gateway_block_packet_bytes(block, place) - SOUP_HEADER_BYTES;
    size_t room = MOLD_HEADER_BYTES + MOLD_LENGTH_BYTES + first;
    if (room > ANSWER_MAX) {
        r->totals[MOLDOUT_TOTAL_gone]++; /* nobody ever got it */
        return;
    }
    if (room < r->packets->datagram_max)
        room = r->packets->datagram_max;
    mold_begin(&writer, answer_room(r, room), room, r->packets->session, w->seq);
    for (; place < block->used && writer.count < w->count;
         place += gateway_block_packet_bytes(block, place)) {
        size_t bytes = gateway_block_packet_bytes(block, place) - SOUP_HEADER_BYTES;
        if (!mold_add(&writer, block->data + place + SOUP_HEADER_BYTES, bytes))
            break;
    }
    put_answer(r, &w->peer, writer.bytes, writer.count, now_ns);
}

/* True: it waits no more. */
static bool serve_waiting(moldout_requests_t *r, const waiting_t *w, uint64_t now_ns)
{
    uint64_t lost_to;
    const char *why;
    const gateway_block_t *block = gateway_backfill_find(r->backfill, &r->past, w->seq, now_ns);
    if (block) {
        answer_past(r, w, block, now_ns);
        return true;
    }
    switch (gateway_backfill_want(r->backfill, &r->past, w->seq, now_ns, &lost_to, &why)) {
    case GATEWAY_BACKFILL_LOST:
        r->totals[MOLDOUT_TOTAL_gone]++;
        return true;
    case GATEWAY_BACKFILL_READY:
    case GATEWAY_BACKFILL_WAIT:
        break;
    }
    if (now_ns - w->since_ns < WAIT_NS)
        return false;
    r->totals[MOLDOUT_TOTAL_busy]++;
    return true;
}

static bool serve_past(moldout_requests_t *r, uint64_t now_ns)
{
    bool done = gateway_backfill_work(r->backfill, PAST_MAX, now_ns) > 0;
    for (uint32_t i = 0; i < r->waiting_count;) {
        if (serve_waiting(r, &r->waiting[i], now_ns)) {
            r->waiting[i] = r->waiting[--r->waiting_count];
            done = true;
        } else {
            i++;
        }
    }
    return done;
}

/* --- requests --- */

static bool line_is_full(const moldout_requests_t *r, const peer_t *peer)
{
    uint32_t of_address = 0, of_receiver = 0;
    for (uint32_t i = 0; i < r->waiting_count; i++) {
        const peer_t *other = &r->waiting[i].peer;
        bool same = memcmp(other->ip, peer->ip, sizeof other->ip) == 0;
        of_address += same;
        of_receiver += same && other->port == peer->port;
    }
    return r->waiting_count == WAITING_MAX || of_address == WAITING_OF_ADDRESS ||
           of_receiver == WAITING_OF_RECEIVER;
}

static void wait_for_past(moldout_requests_t *r, const peer_t *peer, uint64_t seq, uint32_t count,
                          uint64_t now_ns)
{
    if (line_is_full(r, peer)) {
        r->totals[MOLDOUT_TOTAL_busy]++;
        return;
    }
    r->waiting[r->waiting_count++] =
        (waiting_t){.peer = *peer, .seq = seq, .since_ns = now_ns, .count = count};
}

/* What is wrong with it; MOLDOUT_TOTALS_COUNT: nothing. */
static enum moldout_total fault_of(const moldout_requests_t *r, const uint8_t *datagram,
                                   size_t bytes, uint64_t next_seq, mold_request_t *out_request)
{
    switch (mold_parse_request(datagram, bytes, out_request)) {
    case MOLD_GOOD:
        break;
    case MOLD_SEQUENCE_ZERO:
        return MOLDOUT_TOTAL_fault_sequence;
    case MOLD_NOTHING_ASKED:
        return MOLDOUT_TOTAL_fault_count;
    default:
        return MOLDOUT_TOTAL_fault_length;
    }
    if (memcmp(out_request->session, r->packets->session, MOLD_SESSION_BYTES) != 0)
        return MOLDOUT_TOTAL_fault_session;
    return out_request->sequence < next_seq ? MOLDOUT_TOTALS_COUNT : MOLDOUT_TOTAL_fault_sequence;
}

static void take_request(moldout_requests_t *r, const peer_t *peer, const uint8_t *datagram,
                         size_t bytes, uint64_t next_seq, uint64_t now_ns)
{
    mold_request_t request = {0};
    r->totals[MOLDOUT_TOTAL_requests]++;
    enum moldout_total fault = fault_of(r, datagram, bytes, next_seq, &request);
    if (fault != MOLDOUT_TOTALS_COUNT) {
        r->totals[fault]++;
        return;
    }
    switch (moldout_limiter_take(&r->limiter, peer->ip, peer->port, now_ns)) {
    case MOLDOUT_ALLOWED:
        break;
    case MOLDOUT_LIMITED:
        r->totals[MOLDOUT_TOTAL_limited]++;
        return;
    case MOLDOUT_LIMITED_ALL:
        r->totals[MOLDOUT_TOTAL_limited_total]++;
        return;
    }
    uint64_t there = next_seq - request.sequence;
    uint32_t count = request.count < there ? request.count : (uint32_t)there;
    if (!answer_kept(r, peer, request.sequence, count, now_ns))
        wait_for_past(r, peer, request.sequence, count, now_ns);
}

static bool receive(moldout_requests_t *r, uint64_t next_seq, uint64_t now_ns)
{
    struct mmsghdr headers[RECEIVED_MAX];
    struct iovec parts[RECEIVED_MAX];
    uint8_t datagrams[RECEIVED_MAX][RECEIVE_ROOM];
    peer_t peers[RECEIVED_MAX];
    for (uint32_t i = 0; i < RECEIVED_MAX; i++) {
        parts[i] = (struct iovec){.iov_base = datagrams[i], .iov_len = RECEIVE_ROOM};
        headers[i] = (struct mmsghdr){.msg_hdr = {.msg_name = &peers[i].address,
                                                  .msg_namelen = sizeof peers[i].address,
                                                  .msg_iov = &parts[i],
                                                  .msg_iovlen = 1}};
    }
    int count = recvmmsg(r->fd, headers, RECEIVED_MAX, MSG_DONTWAIT, NULL);
    for (int i = 0; i < count; i++) {
        peers[i].bytes = headers[i].msg_hdr.msg_namelen;
        gateway_peer_address(&peers[i].address, peers[i].ip, &peers[i].port);
        take_request(r, &peers[i], datagrams[i], headers[i].msg_len, next_seq, now_ns);
    }
    return count > 0;
}

bool moldout_requests_turn(moldout_requests_t *r, uint64_t next_seq, uint64_t now_ns)
{
    bool done = false;
    if (now_ns - r->polled_ns >= POLL_NS) {
        r->polled_ns = now_ns;
        done = receive(r, next_seq, now_ns);
    }
    done |= serve_past(r, now_ns);
    if (r->answers_count)
        send_answers(r);
    gateway_backfill_counts_t past;
    gateway_backfill_counts(r->backfill, &past);
    r->totals[MOLDOUT_TOTAL_backfill_messages] = past.messages;
    r->totals[MOLDOUT_TOTAL_backfill_errors] = past.errors;
    return done;
}
