/* SPDX-License-Identifier: Apache-2.0 */
/* atomic.h - the one place that spells memory orders.
 *
 * Shared integers are wrapped in a struct, so that a plain access does not compile, and every
 * access names its order. (C11's _Atomic is no choice, because the headers compile as C++ as well.)
 *
 * Each release or acquire has a label and names its partner, as R1 in publisher.h and R2 in
 * subscriber.h do. The odd number stands at the side that writes, the even number after it at the
 * side that reads. An order that no partner needs is marked as a hint. bus/README.md has the table
 * of all labels; tests/labels.pl fails for an access without a label and for a label without a
 * partner.
 */
#ifndef TICKBUS_ATOMIC_H
#define TICKBUS_ATOMIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tickbus/inline.h>

/* Stands under every shared struct, once for each field: a field that moves does not compile. */
#ifdef __cplusplus
#define TBUS_STATIC_ASSERT(c) static_assert(c, #c)
#else
#define TBUS_STATIC_ASSERT(c) _Static_assert(c, #c)
#endif

#define TBUS_LIKELY(x)   __builtin_expect(!!(x), 1)
#define TBUS_UNLIKELY(x) __builtin_expect(!!(x), 0)

typedef struct tbus_atomic_u32 {
    uint32_t tbus_value;
} tbus_atomic_u32_t;

typedef struct tbus_atomic_u64 {
    uint64_t tbus_value;
} tbus_atomic_u64_t;

/* Test builds with -DTBUS_HOOKS call this hook before every access to shared memory, and the test
 * decides what happens next: run another actor, or kill this one. All accesses go through this
 * header, so none is missed. Other builds contain nothing of it. */
#ifdef TBUS_HOOKS
enum tbus_access { TBUS_ACCESS_LOAD, TBUS_ACCESS_STORE, TBUS_ACCESS_CAS, TBUS_ACCESS_ADD };
extern void (*tbus_hook)(enum tbus_access access, const void *address);
#define TBUS_HOOK(access, address) (tbus_hook ? tbus_hook(access, address) : (void)0)
#else
#define TBUS_HOOK(access, address) ((void)0)
#endif

#define TBUS_ATOMIC_OPS_(bits)                                                                     \
    TBUS_INLINE uint##bits##_t tbus_load_relaxed_u##bits(const tbus_atomic_u##bits##_t *p)         \
    {                                                                                              \
        TBUS_HOOK(TBUS_ACCESS_LOAD, p);                                                            \
        return __atomic_load_n(&p->tbus_value, __ATOMIC_RELAXED);                                  \
    }                                                                                              \
    TBUS_INLINE uint##bits##_t tbus_load_acquire_u##bits(const tbus_atomic_u##bits##_t *p)         \
    {                                                                                              \
        TBUS_HOOK(TBUS_ACCESS_LOAD, p);                                                            \
        return __atomic_load_n(&p->tbus_value, __ATOMIC_ACQUIRE);                                  \
    }                                                                                              \
    TBUS_INLINE void tbus_store_relaxed_u##bits(tbus_atomic_u##bits##_t *p, uint##bits##_t v)      \
    {                                                                                              \
        TBUS_HOOK(TBUS_ACCESS_STORE, p);                                                           \
        __atomic_store_n(&p->tbus_value, v, __ATOMIC_RELAXED);                                     \
    }                                                                                              \
    TBUS_INLINE void tbus_store_release_u##bits(tbus_atomic_u##bits##_t *p, uint##bits##_t v)      \
    {                                                                                              \
        TBUS_HOOK(TBUS_ACCESS_STORE, p);                                                           \
        __atomic_store_n(&p->tbus_value, v, __ATOMIC_RELEASE);                                     \
    }                                                                                              \
    /* True: acquire and release. False: acquire, and *expected is the value that was found. */    \
    TBUS_INLINE bool tbus_cas_u##bits(tbus_atomic_u##bits##_t *p, uint##bits##_t *expected,        \
                                      uint##bits##_t desired)                                      \
    {                                                                                              \
        TBUS_HOOK(TBUS_ACCESS_CAS, p);                                                             \
        return __atomic_compare_exchange_n(&p->tbus_value, expected, desired, false,               \
                                           __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);                    \
    }                                                                                              \
    TBUS_INLINE uint##bits##_t tbus_fetch_add_relaxed_u##bits(tbus_atomic_u##bits##_t *p,          \
                                                              uint##bits##_t v)                    \
    {                                                                                              \
        TBUS_HOOK(TBUS_ACCESS_ADD, p);                                                             \
        return __atomic_fetch_add(&p->tbus_value, v, __ATOMIC_RELAXED);                            \
    }                                                                                              \
    TBUS_INLINE uint##bits##_t tbus_fetch_or_u##bits(tbus_atomic_u##bits##_t *p, uint##bits##_t v) \
    {                                                                                              \
        TBUS_HOOK(TBUS_ACCESS_ADD, p);                                                             \
        return __atomic_fetch_or(&p->tbus_value, v, __ATOMIC_SEQ_CST);                             \
    }                                                                                              \
    TBUS_INLINE uint##bits##_t tbus_fetch_and_u##bits(tbus_atomic_u##bits##_t *p,                  \
                                                      uint##bits##_t v)                            \
    {                                                                                              \
        TBUS_HOOK(TBUS_ACCESS_ADD, p);                                                             \
        return __atomic_fetch_and(&p->tbus_value, v, __ATOMIC_SEQ_CST);                            \
    }                                                                                              \
    /* For a word that only the caller writes: needs no locked instruction. */                     \
    TBUS_INLINE void tbus_add_own_u##bits(tbus_atomic_u##bits##_t *p, uint##bits##_t v)            \
    {                                                                                              \
        tbus_store_relaxed_u##bits(p, tbus_load_relaxed_u##bits(p) + v);                           \
    }

TBUS_ATOMIC_OPS_(32)
TBUS_ATOMIC_OPS_(64)
#undef TBUS_ATOMIC_OPS_

/* Marks the word's page as written and leaves the word as it is: an atomic "or" of nothing cannot
 * undo a store that another thread makes at the same time. ThreadSanitizer does not see that
 * nothing changes. */
__attribute__((no_sanitize("thread"))) TBUS_INLINE void tbus_touch_u64(tbus_atomic_u64_t *p)
{
    __atomic_fetch_or(&p->tbus_value, 0, __ATOMIC_RELAXED);
}

/* Limit of a loop around a CAS. Other processes may win on the same word several times in a row.
 * They fail us this often only if one of them writes garbage there. */
#define TBUS_CAS_TURNS 1000u

/* ThreadSanitizer does not model fences. In its builds they are left out, and the stores and loads
 * around them carry release and acquire themselves. */
#if defined(__SANITIZE_THREAD__)
#define TBUS_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TBUS_TSAN 1
#endif
#endif
#ifndef TBUS_TSAN
#define TBUS_TSAN 0
#endif

/* Two neighbouring words in one store, where the build allows it. `to` is 16-byte aligned. Each
 * half is written whole, on x86-64 and on aarch64; the two halves may become visible one after the
 * other, as two relaxed stores do. */
#if !TBUS_TSAN && !defined(TBUS_HOOKS) && (defined(__x86_64__) || defined(__aarch64__))
#define TBUS_WORD_PAIRS 1
/* What the rest of the program is compiled to: mixing the two costs on some CPUs. */
#ifdef __AVX__
#define TBUS_MOVDQA "vmovdqa"
#else
#define TBUS_MOVDQA "movdqa"
#endif
typedef uint64_t tbus_word_pair_t __attribute__((vector_size(16), may_alias));
TBUS_HOT void tbus_store_relaxed_pair(tbus_atomic_u64_t *to, tbus_word_pair_t pair)
{
    *(volatile tbus_word_pair_t *)(void *)to = pair;
}
#else
#define TBUS_WORD_PAIRS 0
#endif

/* Many words that nobody may rely on yet, from and to whole words. On x86-64 a string instruction
 * writes lines without fetching them first, which the reader's cache has: 4 KiB go twice as fast.
 * Its stores become visible in any order among themselves, but after all earlier and before all
 * later stores of the program (Intel SDM volume 3A, "Memory-Ordering Model for String Operations on
 * Write-Back (WB) Memory"), so that the store which says that they are there is a plain one. Its
 * start costs as much as some 100 stores. */
#if TBUS_WORD_PAIRS && defined(__x86_64__)
#define TBUS_STRING_WORDS_MIN 128u
TBUS_HOT void tbus_store_relaxed_string(tbus_atomic_u64_t *to, const void *from, size_t words)
{
    __asm__ __volatile__("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
}
#endif

/* Two neighbouring words, of which readers look at the first one with acquire: whoever sees it sees
 * the second one as well, and all that was stored before. `to` is 16-byte aligned.
 *
 * `whole` (tbus_cpu_stores_pairs, bus/ring/cpu.h): this CPU makes an aligned store of 16 bytes
 * visible at once. Then one store does it. C11 has no such store: its atomics of 16 bytes may be a
 * lock, or a compare-and-swap that also writes where it only reads. So it is spelt in assembly:
 *
 *    x86-64   stores become visible in program order, so any store is a release. MOVDQA of an
 *             aligned address is one access on every CPU of Intel and AMD that has AVX (Intel SDM
 *             volume 3A, 9.1.1 "Guaranteed Atomic Operations"; AMD APM volume 2, 7.3.2 "Access
 *             Atomicity").
 *    aarch64  STP of two 64-bit registers to an aligned address is one access with FEAT_LSE2 (Arm
 *             ARM, B2.2.1 "Requirements for single-copy atomicity"). It is no release, so a barrier
 *             stands before it.
 *
 * A reader needs no load of 16 bytes. The two words are one write, which is visible to it in whole
 * or not at all. Its load of the second word comes after that of the first one, which is an
 * acquire, so it cannot find what was there before the write whose first word it has seen.
 *
 * Otherwise, and under ThreadSanitizer, which sees no assembly: the second word, and then the first
 * one as a release. */
TBUS_HOT void tbus_store_release_pair_u64(tbus_atomic_u64_t *to, uint64_t first, uint64_t second,
                                          bool whole)
{
#if TBUS_WORD_PAIRS
    if (TBUS_LIKELY(whole)) {
#if defined(__x86_64__)
        tbus_word_pair_t pair = {first, second};
        __asm__ __volatile__(TBUS_MOVDQA " %1, %0"
                             : "=m"(*(tbus_word_pair_t *)(void *)to)
                             : "x"(pair)
                             : "memory");
#else
        __asm__ __volatile__("dmb ish\n\tstp %1, %2, %0"
                             : "=Q"(*(tbus_word_pair_t *)(void *)to)
                             : "r"(first), "r"(second)
                             : "memory");
#endif
        return;
    }
#elif defined(TBUS_HOOKS)
    if (whole) { /* one step of an actor: nobody comes between the two */
        TBUS_HOOK(TBUS_ACCESS_STORE, to);
        __atomic_store_n(&to[1].tbus_value, second, __ATOMIC_RELAXED);
        __atomic_store_n(&to->tbus_value, first, __ATOMIC_RELEASE);
        return;
    }
#else
    (void)whole;
#endif
    tbus_store_relaxed_u64(to + 1, second);
    tbus_store_release_u64(to, first);
}

TBUS_INLINE void tbus_fence_release(void)
{
#if !TBUS_TSAN
    __atomic_thread_fence(__ATOMIC_RELEASE);
#endif
}
TBUS_INLINE void tbus_fence_acquire(void)
{
#if !TBUS_TSAN
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
#endif
}
TBUS_INLINE void tbus_fence_full(void)
{
#if !TBUS_TSAN
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}
/* What was stored before comes before all that is stored later, also by a memcpy that uses stores
 * which pass the cache: on x86-64 these are weakly ordered, and a release fence is no instruction.
 * SFENCE waits for nothing. */
TBUS_INLINE void tbus_fence_stores(void)
{
#if defined(__x86_64__) && !TBUS_TSAN
    __asm__ __volatile__("sfence" ::: "memory");
#else
    tbus_fence_release();
#endif
}
/* Stops the compiler from moving accesses across this point. The CPU is stopped by the
 * membarrier(2) of the process on the other side. */
TBUS_INLINE void tbus_compiler_barrier(void)
{
    __asm__ __volatile__("" ::: "memory");
}

/* Tells the core that this is a polling loop. */
TBUS_INLINE void tbus_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    /* yield does nothing on most cores; isb takes about as long as PAUSE */
    __asm__ __volatile__("isb" ::: "memory");
#endif
}

/* On x86-64 __builtin_prefetch fetches a line for writing only if the compiler is told that the CPU
 * has the instruction. */
TBUS_INLINE void tbus_prefetch_for_write(const void *line)
{
#if defined(__x86_64__)
    __asm__ __volatile__("prefetchw %0" ::"m"(*(const char *)line));
#else
    __builtin_prefetch(line, 1, 3);
#endif
}

#endif
