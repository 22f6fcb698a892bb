/* SPDX-License-Identifier: Apache-2.0 */
/* Input: one byte of how it is cut (bit 0: what a server sends, else what a client sends; the rest:
 * how many bytes a piece has, 0: all at once), then the stream. The events must be the same ones,
 * at the same bytes, as without any cut; and both sides must know when something is due next. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/wire/soup_client.h"
#include "bus/wire/soup_proof.h"
#include "bus/wire/soup_server.h"
#include "tests/fuzz/fuzz.h"

#define EVENTS_MAX 64u

/* Of the events up to EVENTS_MAX: what, and where. A fault counts as seen with the bytes that were
 * there when it was; those differ. */
typedef struct record {
    int kind[EVENTS_MAX];
    size_t at[EVENTS_MAX];
    size_t count;
} record_t;

static void note(record_t *r, int kind, size_t at)
{
    if (r->count == EVENTS_MAX)
        return;
    r->kind[r->count] = kind;
    r->at[r->count++] = at;
}

static void must(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}

static void check_server(const soup_server_t *s)
{
    uint64_t deadline_ns = soup_server_deadline(s);
    must(deadline_ns == UINT64_MAX || (soup_server_due(s, deadline_ns) != SOUP_DUE_NOTHING &&
                                       soup_server_due(s, deadline_ns - 1) == SOUP_DUE_NOTHING),
         "the server's deadline is not when something is due");
}

static record_t run_server(const uint8_t *bytes, size_t count, size_t cut)
{
    record_t r = {.count = 0};
    soup_server_t s;
    soup_server_event_t event;
    uint8_t answer[SOUP_ACCEPTED_BYTES];
    soup_server_begin(&s, NULL, 1000);
    for (size_t at = 0; at < count;) {
        size_t some = count - at < cut ? count - at : cut;
        size_t used = soup_server_take(&s, bytes + at, some, 2000, &event);
        must(used > 0 && used <= some, "the server took none, or more than there was");
        must(used == some || event.kind != SOUP_SERVER_NOTHING, "the server stopped for nothing");
        at += used;
        check_server(&s);
        if (event.kind == SOUP_SERVER_NOTHING)
            continue;
        note(&r, (int)event.kind << 8 | (int)event.fault, at);
        if (event.kind == SOUP_SERVER_LOGIN && event.login.sequence % 7 == 0)
            soup_server_reject(&s, SOUP_NOT_AUTHORIZED, 2000, answer);
        else if (event.kind == SOUP_SERVER_LOGIN)
            soup_server_accept(&s, &(soup_accepted_t){"S", event.login.sequence}, 2000, answer);
    }
    return r;
}

/* What is read as an offer of a digest is written again as the very same text, but for leading
 * zeros of its numbers. */
static void check_text(const uint8_t *text, size_t bytes)
{
    uint8_t again[SOUP_PROOF_PACKET_MAX];
    soup_proof_offer_t offer, same;
    if (!soup_proof_parse_offer(text, bytes, &offer))
        return;
    size_t count = soup_proof_put_offer(again, &offer) - SOUP_HEADER_BYTES;
    must(count <= bytes, "an offer is longer when it is written again");
    must(soup_proof_parse_offer(again + SOUP_HEADER_BYTES, count, &same) &&
             same.block == offer.block && same.count == offer.count &&
             !memcmp(same.digest, offer.digest, SOUP_PROOF_BYTES),
         "an offer is another one when it is written and read again");
}

static record_t run_client(const uint8_t *bytes, size_t count, size_t cut)
{
    record_t r = {.count = 0};
    soup_client_t c;
    soup_client_event_t event;
    size_t at = 0, end = 0;
    uint64_t next = 0;
    soup_client_begin(&c, NULL, 1000);
    while (end < count) {
        end = cut < count - end ? end + cut : count;
        for (size_t used; (used = soup_client_take(&c, bytes + at, end - at, &event)); at += used) {
            must(used <= end - at, "the client took more than there was");
            if (event.kind == SOUP_CLIENT_ACCEPTED)
                next = event.accepted.sequence;
            if (event.kind == SOUP_CLIENT_MESSAGE) {
                must(event.sequence == next++, "a sequence was left out");
                must(event.data == bytes + at + 3 && event.bytes == used - 3, "no whole message");
            }
            if (event.kind == SOUP_CLIENT_TEXT)
                check_text(event.data, event.bytes);
            if (event.kind != SOUP_CLIENT_NOTHING)
                note(&r, (int)event.kind, at);
        }
        if (event.kind == SOUP_CLIENT_FAULT)
            note(&r, (int)event.kind, at);
        uint64_t deadline_ns = soup_client_deadline(&c);
        must(deadline_ns == UINT64_MAX ||
                 (soup_client_due(&c, deadline_ns) != SOUP_CLIENT_DUE_NOTHING &&
                  soup_client_due(&c, deadline_ns - 1) == SOUP_CLIENT_DUE_NOTHING),
             "the client's deadline is not when something is due");
    }
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes)
{
    if (!bytes)
        return 0;
    size_t cut = input[0] >> 1 ? input[0] >> 1 : SIZE_MAX;
    record_t (*run)(const uint8_t *, size_t, size_t) = input[0] & 1 ? run_client : run_server;
    record_t whole = run(input + 1, bytes - 1, SIZE_MAX), cuts = run(input + 1, bytes - 1, cut);
    must(whole.count == cuts.count, "a cut makes a difference");
    for (size_t i = 0; i < whole.count; i++)
        must(whole.kind[i] == cuts.kind[i] && whole.at[i] == cuts.at[i],
             "a cut makes an event differ");
    return 0;
}

static size_t add(uint8_t *to, char type, size_t payload)
{
    memset(to + SOUP_HEADER_BYTES, 'x', payload);
    return soup_put_header(to, (enum soup_type)type, payload);
}

static size_t add_text(uint8_t *to, const char *types)
{
    size_t used = 0;
    for (; *types; types++)
        used += add(to + used, *types, strchr("SU+", *types) ? (size_t)(*types % 7) * 9 : 0);
    return used;
}

void fuzz_seeds(fuzz_take_t take)
{
    static const uint8_t cuts[] = {0, 2, 6, 40, 100};
    static const char *const client[] = {"RRO", "UR+U", "O", ""};
    static const char *const server[] = {"SSHSZ", "S+U", "Z", ""};
    soup_login_t login = {.user = "USER01", .password = "secret", .sequence = 1};
    uint8_t stream[2048];
    for (size_t i = 0; i < sizeof cuts; i++)
        for (size_t script = 0; script < 4; script++) {
            stream[0] = cuts[i];
            login.heartbeat_timeout_ms = script % 2 ? 15000 : 0;
            size_t used = 1 + soup_put_login(stream + 1, &login);
            take(stream, used + add_text(stream + used, client[script]));
            stream[0] = cuts[i] | 1;
            used = 1 + soup_put_accepted(stream + 1, &(soup_accepted_t){"DAY1", 7});
            take(stream, used + add_text(stream + used, server[script]));
        }
    soup_proof_offer_t offer = {.block = 3, .count = 65536};
    stream[0] = 1;
    take(stream, 1 + soup_proof_put_offer(stream + 1, &offer));
    stream[0] = 3;
    take(stream, 1 + soup_put_rejected(stream + 1, SOUP_SESSION_NOT_AVAILABLE));
}
