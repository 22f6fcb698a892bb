/* SPDX-License-Identifier: Apache-2.0 */
/* atomic.h - the one place that spells memory orders.
 *
 * Shared integers are wrapped in a struct, so that a plain access does not compile; every access
 * names its order. (C11's _Atomic is no choice: the headers compile as C++ as well.) Call sites of
 * acquire and release carry a label and the partner it pairs with, as R1 in publisher.h and A1 in
 * subscriber.h.
 */
#ifndef TICKBUS_ATOMIC_H
#define TICKBUS_ATOMIC_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/inline.h>

/* Stands under every shared struct, once for each field: a field that moves does not compile. */
#ifdef __cplusplus
#define TBUS_STATIC_ASSERT(c) static_assert(c, #c)
#else
#define TBUS_STATIC_ASSERT(c) _Static_assert(c, #c)
#endif

typedef struct tbus_atomic_u32 {
    uint32_t tbus_value;
} tbus_atomic_u32_t;

typedef struct tbus_atomic_u64 {
    uint64_t tbus_value;
} tbus_atomic_u64_t;

/* Test builds with -DTBUS_HOOKS stop before every access to shared memory and let the test decide
 * what comes next: run another actor, kill this one. Accesses are spelled nowhere else, so none is
 * missed. Other builds hold no trace of it. */
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
    /* Success: acquire and release. Failure: acquire, and *expected is what was there. */         \
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
    /* For a word with a single writer: no locked instruction. */                                  \
    TBUS_INLINE void tbus_add_own_u##bits(tbus_atomic_u##bits##_t *p, uint##bits##_t v)            \
    {                                                                                              \
        tbus_store_relaxed_u##bits(p, tbus_load_relaxed_u##bits(p) + v);                           \
    }

TBUS_ATOMIC_OPS_(32)
TBUS_ATOMIC_OPS_(64)
#undef TBUS_ATOMIC_OPS_

/* A loop around a CAS ends after so many turns: others may win on the same word some times in a
 * row, but so often only somebody who scribbles on it does. */
#define TBUS_CAS_TURNS 1000u

/* ThreadSanitizer does not model fences: code that needs one has a second form for it, chosen by
 * this. */
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
/* Only the compiler is held back; the CPU's side is paid by somebody else's membarrier(2). */
TBUS_INLINE void tbus_compiler_barrier(void)
{
    __asm__ __volatile__("" ::: "memory");
}

/* Tell the core that this is a polling loop. */
TBUS_INLINE void tbus_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    /* yield is a no-op on most cores; isb costs about as much as PAUSE */
    __asm__ __volatile__("isb" ::: "memory");
#endif
}

/* x86-64: __builtin_prefetch asks for a line that may be written only where the build is told that
 * there is such an instruction. */
TBUS_INLINE void tbus_prefetch_for_write(const void *line)
{
#if defined(__x86_64__)
    __asm__ __volatile__("prefetchw %0" ::"m"(*(const char *)line));
#else
    __builtin_prefetch(line, 1, 3);
#endif
}

#define TBUS_LIKELY(x)   __builtin_expect(!!(x), 1)
#define TBUS_UNLIKELY(x) __builtin_expect(!!(x), 0)

#endif
