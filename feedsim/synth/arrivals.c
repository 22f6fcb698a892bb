/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/synth/arrivals.h"

#include <string.h>

#include "feedsim/synth/exponential.h"

typedef struct kernel {
    uint64_t half_ns;
    uint64_t halvings_q48; /* per ns: 2^48 / half_ns */
    uint64_t gain_q32;
    uint64_t none_q64; /* the chance that a message has no answer: e^-gain */
    uint32_t parents;  /* how many of them are used, a power of two */
} kernel_t;

#define KERNEL(half, gain_percent, none, parents)                                                  \
    {                                                                                              \
        UINT64_C(half), (UINT64_C(1) << 48) / (half), (UINT64_C(gain_percent) << 32) / 100,        \
            UINT64_C(none), (parents)                                                              \
    }

static const kernel_t kernels[ARRIVALS_PARTS] = {
    [ARRIVALS_FAST] = KERNEL(250000, 46, 11645127846584647680, 4),
    [ARRIVALS_MEDIUM] = KERNEL(20000000, 21, 14952640135592873984, 4),
    [ARRIVALS_SLOW] = KERNEL(1500000000, 11, 16525223026307952640, 4),
    [ARRIVALS_MOOD] = KERNEL(40000000000, 8, 17028490992052086784, 4),
    [ARRIVALS_BURST] = KERNEL(2000000, 0, 18446744073709551615, 8),
};
_Static_assert(ARRIVALS_BURST_HALF_NS == 2000000, "as in the header");

static void find_next(arrivals_t *a)
{
    a->next = ARRIVALS_NONE;
    a->due_ns = UINT64_MAX;
    for (unsigned i = 0; i < ARRIVALS_PARTS; i++) {
        if (a->parts[i].due_ns < a->due_ns) {
            a->due_ns = a->parts[i].due_ns;
            a->next = i;
        }
    }
}

void arrivals_reset(arrivals_t *a, uint64_t now_ns)
{
    memset(a, 0, sizeof *a);
    a->now_ns = now_ns;
    for (unsigned k = 0; k < ARRIVALS_PARTS; k++)
        a->parts[k].due_ns = UINT64_MAX;
    find_next(a);
}

uint32_t arrivals_stock(const arrivals_t *a, unsigned part, random_state_t *random)
{
    return a->parts[part].parents[random_next(random) >> 32 & (kernels[part].parents - 1)];
}

/* Of x messages to come the first is there when an exponential variate e of the integrated
 * intensity is used up: once x has fallen to x - e. `used_q32` is below x. */
static uint64_t due_after(uint64_t expected_q32, uint64_t used_q32, const kernel_t *k,
                          uint64_t now_ns)
{
    uint64_t halvings_q32 =
        exponential_log2_q32(expected_q32) - exponential_log2_q32(expected_q32 - used_q32);
    return now_ns + (uint64_t)((unsigned __int128)halvings_q32 * k->half_ns >> 32);
}

/* If e is x or more, there is none. */
static uint64_t draw_due(uint64_t expected_q32, const kernel_t *k, uint64_t now_ns,
                         random_state_t *random)
{
    uint64_t used_q32 = exponential_of_q32(random_next(random));
    return used_q32 < expected_q32 ? due_after(expected_q32, used_q32, k, now_ns) : UINT64_MAX;
}

/* The same for what one message excites, mostly nothing. */
static uint64_t draw_answer(const kernel_t *k, uint64_t now_ns, random_state_t *random)
{
    uint64_t r = random_next(random);
    if (r <= k->none_q64)
        return UINT64_MAX;
    uint64_t used_q32 = exponential_of_q32(r);
    used_q32 = used_q32 < k->gain_q32 ? used_q32 : k->gain_q32 - 1;
    return due_after(k->gain_q32, used_q32, k, now_ns);
}

static uint64_t left_after(const arrivals_part_t *p, const kernel_t *k, uint64_t passed_ns)
{
    if (p->expected_q32 == 0 || passed_ns / 64 >= k->half_ns)
        return 0;
    return exponential_decay(p->expected_q32, passed_ns * k->halvings_q48 >> 16);
}

/* The new cause takes each place with the chance that is its share of what is expected now. */
static void remember(arrivals_part_t *p, const kernel_t *k, uint32_t stock, random_state_t *random)
{
    uint64_t r = random_next(random);
    for (uint32_t i = 0; i < k->parents; i++, r >>= 16)
        if ((r & 0xffff) * (p->expected_q32 >> 16) < k->gain_q32)
            p->parents[i] = stock;
}

void arrivals_happened(arrivals_t *a, uint64_t now_ns, unsigned part, uint32_t stock,
                       random_state_t *random)
{
    uint64_t passed_ns = now_ns - a->now_ns;
    a->now_ns = now_ns;
    for (unsigned i = 0; i < ARRIVALS_PARTS; i++) {
        arrivals_part_t *p = &a->parts[i];
        const kernel_t *k = &kernels[i];
        p->expected_q32 = left_after(p, k, passed_ns);
        if (i == part)
            p->due_ns = draw_due(p->expected_q32, k, now_ns, random);
        if (k->gain_q32 == 0)
            continue;
        /* What it excites comes beside what was excited before, and independent of it. */
        uint64_t due_ns = draw_answer(k, now_ns, random);
        p->due_ns = due_ns < p->due_ns ? due_ns : p->due_ns;
        p->expected_q32 += k->gain_q32;
        remember(p, k, stock, random);
    }
    find_next(a);
}

void arrivals_burst(arrivals_t *a, uint32_t count, const uint32_t stocks[ARRIVALS_PARENTS],
                    random_state_t *random)
{
    arrivals_part_t *p = &a->parts[ARRIVALS_BURST];
    const kernel_t *k = &kernels[ARRIVALS_BURST];
    p->expected_q32 = p->expected_q32 + ((uint64_t)count << 32);
    p->due_ns = draw_due(p->expected_q32, k, a->now_ns, random);
    memcpy(p->parents, stocks, sizeof p->parents);
    find_next(a);
}
