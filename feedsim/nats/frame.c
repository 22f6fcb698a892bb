/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/nats/frame.h"

#include <stdbool.h>
#include <string.h>

#include "feedsim/nats/layout.h"

#define TOKENS_MAX 6u

typedef struct token {
    const char *at;
    size_t bytes;
} token_t;

/* Words of a line, with spaces between. More than there can be: 0. */
static unsigned split(const char *at, const char *end, token_t out[TOKENS_MAX])
{
    unsigned count = 0;
    while (at < end) {
        const char *space = memchr(at, ' ', (size_t)(end - at));
        const char *to = space ? space : end;
        if (to > at) {
            if (count == TOKENS_MAX)
                return 0;
            out[count++] = (token_t){at, (size_t)(to - at)};
        }
        at = to + 1;
    }
    return count;
}

static bool number(const token_t *token, size_t *out)
{
    uint64_t value;
    if (token->bytes == 0 ||
        nats_digits_read(token->at, token->at + token->bytes, &value) != token->bytes ||
        value > NATS_FRAME_PAYLOAD_MAX)
        return false;
    *out = (size_t)value;
    return true;
}

/* MSG and HMSG, whose line is `line` bytes long with its end. */
static long read_message(const char *bytes, size_t count, size_t line, bool with_headers,
                         nats_frame_t *out)
{
    token_t tokens[TOKENS_MAX];
    unsigned words = split(bytes, bytes + line - 2, tokens);
    unsigned least = with_headers ? 5 : 4; /* one more with a reply */
    size_t headers = 0, all;
    if (words < least || words > least + 1 || !number(&tokens[words - 1], &all) ||
        (with_headers && (!number(&tokens[words - 2], &headers) || headers > all)))
        return -1;
    if (count - line < all + 2)
        return 0;
    if (memcmp(bytes + line + all, "\r\n", 2) != 0)
        return -1;
    *out = (nats_frame_t){.kind = NATS_FRAME_MESSAGE,
                          .subject = tokens[1].at,
                          .subject_bytes = tokens[1].bytes,
                          .headers = bytes + line,
                          .headers_bytes = headers,
                          .payload = bytes + line + headers,
                          .payload_bytes = all - headers};
    return (long)(line + all + 2);
}

long nats_frame_read(const char *bytes, size_t count, nats_frame_t *out_frame)
{
    static const struct {
        const char *word;
        enum nats_frame_kind kind;
    } plain[] = {{"PING", NATS_FRAME_PING},
                 {"PONG", NATS_FRAME_PONG},
                 {"+OK", NATS_FRAME_OK},
                 {"INFO ", NATS_FRAME_INFO},
                 {"-ERR ", NATS_FRAME_ERROR}};
    const char *end = memchr(bytes, '\n', count);
    if (!end)
        return 0;
    size_t line = (size_t)(end - bytes) + 1;
    if (line < 3 || end[-1] != '\r')
        return -1;
    if (line > 4 && memcmp(bytes, "MSG ", 4) == 0)
        return read_message(bytes, count, line, false, out_frame);
    if (line > 5 && memcmp(bytes, "HMSG ", 5) == 0)
        return read_message(bytes, count, line, true, out_frame);
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        size_t word = strlen(plain[i].word);
        bool texted = plain[i].kind == NATS_FRAME_INFO || plain[i].kind == NATS_FRAME_ERROR;
        if (line < word + 2 || memcmp(bytes, plain[i].word, word) != 0 ||
            (!texted && line != word + 2))
            continue;
        *out_frame = (nats_frame_t){
            .kind = plain[i].kind, .payload = bytes + word, .payload_bytes = line - 2 - word};
        return (long)line;
    }
    return -1;
}

unsigned nats_frame_status(const nats_frame_t *frame)
{
    static const char version[] = "NATS/1.0 ";
    const size_t at = sizeof version - 1;
    unsigned status = 0;
    if (frame->headers_bytes < at + 3 || memcmp(frame->headers, version, at) != 0)
        return 0;
    for (size_t i = at; i < at + 3; i++) {
        unsigned digit = (unsigned)(frame->headers[i] - '0');
        if (digit > 9)
            return 0;
        status = status * 10 + digit;
    }
    return status;
}

size_t nats_frame_bound(const nats_frame_out_t *frame)
{
    /* The words, spaces and ends of lines, and three numbers. */
    return 16 + 3 * NATS_NUMBER_MAX + strlen(frame->subject) + strlen(frame->reply) +
           frame->headers_bytes + frame->payload_bytes;
}

size_t nats_frame_put(const nats_frame_out_t *frame, char *out)
{
    char *at = mempcpy(out, "HPUB ", 5);
    at = mempcpy(at, frame->subject, strlen(frame->subject));
    *at++ = ' ';
    at = mempcpy(at, frame->reply, strlen(frame->reply));
    *at++ = '.';
    at += nats_number_put(frame->ticket, at);
    *at++ = ' ';
    at += nats_number_put(frame->headers_bytes, at);
    *at++ = ' ';
    at += nats_number_put(frame->headers_bytes + frame->payload_bytes, at);
    at = mempcpy(at, "\r\n", 2);
    at = mempcpy(at, frame->headers, frame->headers_bytes);
    if (frame->payload_bytes)
        at = mempcpy(at, frame->payload, frame->payload_bytes);
    at = mempcpy(at, "\r\n", 2);
    return (size_t)(at - out);
}
