/* SPDX-License-Identifier: Apache-2.0 */
/* crc32c.h - the steps of a CRC-32C, for loops that do something else with the same bytes. Private
 * to bus/journal. (tbus_crc32c, <tickbus/journal.h>, is for bytes that lie in memory.)
 *
 * A CRC in the middle of its steps is inverted, and lies in 64 bits, of which the upper half is 0,
 * since the instruction takes and gives it so: begin with tbus_crc_begin, end with tbus_crc_end.
 * Functions that take steps are compiled for CPUs that have the instruction (TBUS_CRC_TARGET) and
 * may be called only where tbus_crc32c_cpu_has says so. Where no instruction is known to us
 * TBUS_CRC_TARGET is not defined, and there are no steps.
 */
#ifndef TICKBUS_JOURNAL_CRC32C_H
#define TICKBUS_JOURNAL_CRC32C_H

#include <string.h>

#include "bus/journal/format.h"

#if defined(TBUS_CRC_BY_TABLE) /* a test, of what other CPUs do */
#elif defined(__x86_64__)
#include <nmmintrin.h>
#define TBUS_CRC_TARGET __attribute__((target("sse4.2")))
TBUS_CRC_TARGET static inline uint64_t tbus_crc_step_8(uint64_t crc, uint64_t word)
{
    return _mm_crc32_u64(crc, word);
}
TBUS_CRC_TARGET static inline uint64_t tbus_crc_step_1(uint64_t crc, uint8_t byte)
{
    return _mm_crc32_u8((uint32_t)crc, byte);
}
static inline bool tbus_crc32c_cpu_has(void)
{
    return __builtin_cpu_supports("sse4.2");
}
#elif defined(__aarch64__)
#include <sys/auxv.h>
#define TBUS_CRC_TARGET
/* In assembly, since compilers disagree on how to name the extension for one function. */
static inline uint64_t tbus_crc_step_8(uint64_t crc, uint64_t word)
{
    uint32_t low = (uint32_t)crc;
    __asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(low) : "r"(word));
    return low;
}
static inline uint64_t tbus_crc_step_1(uint64_t crc, uint8_t byte)
{
    uint32_t low = (uint32_t)crc;
    __asm__(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1" : "+r"(low) : "r"((uint32_t)byte));
    return low;
}
static inline bool tbus_crc32c_cpu_has(void)
{
    enum { UNKNOWN, YES, NO, HWCAP = 1ul << 7 /* HWCAP_CRC32 of <asm/hwcap.h> */ };
    static tbus_atomic_u32_t known; /* everybody finds the same answer: relaxed is enough */
    uint32_t answer = tbus_load_relaxed_u32(&known);
    if (TBUS_UNLIKELY(answer == UNKNOWN)) {
        answer = getauxval(AT_HWCAP) & HWCAP ? YES : NO;
        tbus_store_relaxed_u32(&known, answer);
    }
    return answer == YES;
}
#endif
#ifndef TBUS_CRC_TARGET
static inline bool tbus_crc32c_cpu_has(void)
{
    return false;
}
#endif

static inline uint64_t tbus_crc_begin(uint32_t crc)
{
    return (uint32_t)~crc;
}

static inline uint32_t tbus_crc_end(uint64_t steps)
{
    return ~(uint32_t)steps;
}

/* The next eight bytes, of whatever alignment. */
static inline uint64_t tbus_crc_word(const void *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

/* The two ways of tbus_crc32c, declared for tests, which compare them. `_by_cpu` requires
 * `_cpu_has`. */
uint32_t tbus_crc32c_by_table(uint32_t crc, const void *data, size_t bytes);
uint32_t tbus_crc32c_by_cpu(uint32_t crc, const void *data, size_t bytes);

#endif
