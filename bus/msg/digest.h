/* SPDX-License-Identifier: Apache-2.0 */
/* digest.h - one number for all that was decided: a running digest of the messages of a stream, in
 * their order, with the host's times left out. Two runs with equal digests took the same decisions.
 *
 * Not a secret's guard: it finds differences, not forgeries. A topic on which several strategies
 * publish has one digest for each of them, and digest_join puts these together.
 */
#ifndef TICKBUS_MSG_DIGEST_H
#define TICKBUS_MSG_DIGEST_H

#include <stdint.h>
#include <string.h>

#include <tickbus/msg/bbo.h>
#include <tickbus/msg/order.h>
#include <tickbus/msg/report.h>

typedef uint64_t digest_t; /* 0: of no message */

#define DIGEST_WORDS     7u
#define DIGEST_HOST_TIME TICK_NS_MASK /* the bits of a word that hold one */

/* The two halves of a 128-bit product folded into one: each bit of `a` reaches most bits. */
static inline uint64_t digest_fold(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline digest_t digest_words(digest_t before, const uint64_t w[DIGEST_WORDS])
{
    /* Odd constants from the digits of pi. */
    uint64_t d = digest_fold(w[0] ^ UINT64_C(0x243f6a8885a308d3), w[1] ^ before);
    d = digest_fold(w[2] ^ UINT64_C(0x13198a2e03707345), w[3] ^ d ^ UINT64_C(0xa4093822299f31d1));
    d = digest_fold(w[4] ^ UINT64_C(0x082efa98ec4e6c89), w[5] ^ d ^ UINT64_C(0x452821e638d01377));
    d = digest_fold(w[6] ^ UINT64_C(0xbe5466cf34e90c6d), d ^ before ^ UINT64_C(0xc0ac29b7c97c50dd));
    return d ? d : 1;
}

/* `hosts`: bit i is set when word i holds a time of the host. Inlined with a constant, so that each
 * word costs a load and, at most, a mask. */
static inline uint64_t digest_word(const void *message, unsigned i, unsigned hosts)
{
    uint64_t word;
    memcpy(&word, (const char *)message + i * sizeof word, sizeof word);
    return hosts >> i & 1 ? word & ~DIGEST_HOST_TIME : word;
}

static inline digest_t digest_message(digest_t before, const void *message, unsigned hosts)
{
    uint64_t words[DIGEST_WORDS] = {
        digest_word(message, 0, hosts), digest_word(message, 1, hosts),
        digest_word(message, 2, hosts), digest_word(message, 3, hosts),
        digest_word(message, 4, hosts), digest_word(message, 5, hosts),
        digest_word(message, 6, hosts),
    };
    return digest_words(before, words);
}

/* Words that hold a time of the host: intended and sent; sent; intended. */
#define DIGEST_ORDER_HOSTS  (1u << 2 | 1u << 3)
#define DIGEST_REPORT_HOSTS (1u << 3)
#define DIGEST_BBO_HOSTS    (1u << 2)

static inline void digest_order(digest_t *digest, const order_t *order)
{
    *digest = digest_message(*digest, order, DIGEST_ORDER_HOSTS);
}
static inline void digest_report(digest_t *digest, const report_t *report)
{
    *digest = digest_message(*digest, report, DIGEST_REPORT_HOSTS);
}
static inline void digest_bbo(digest_t *digest, const bbo_t *bbo)
{
    *digest = digest_message(*digest, bbo, DIGEST_BBO_HOSTS);
}

/* The digest of several streams, in the order of their numbers. */
static inline digest_t digest_join(digest_t joined, digest_t stream)
{
    return joined == 0 ? stream : digest_fold(joined, stream ^ UINT64_C(0x9216d5d98979fb1b));
}

#endif
