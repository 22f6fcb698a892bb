/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/ring/cpu.h"

#include <tickbus/atomic.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <string.h>

/* AVX alone promises nothing on the CPUs of other makers. */
static bool ask(void)
{
    uint32_t a, vendor[3], c, d;
    if (!__get_cpuid(0, &a, &vendor[0], &vendor[2], &vendor[1]))
        return false;
    if (memcmp(vendor, "GenuineIntel", sizeof vendor) != 0 &&
        memcmp(vendor, "AuthenticAMD", sizeof vendor) != 0)
        return false;
    uint32_t b;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_AVX);
}
#elif defined(__aarch64__)
#include <sys/auxv.h>

#define HAS_USCAT (1ul << 25) /* FEAT_LSE2; HWCAP_USCAT since Linux 4.20 */

static bool ask(void)
{
    return getauxval(AT_HWCAP) & HAS_USCAT;
}
#else
static bool ask(void)
{
    return false;
}
#endif

bool tbus_cpu_stores_pairs(void)
{
    /* 0 not asked, 1 yes, 2 no. hint: threads that race get the same answer. */
    static tbus_atomic_u32_t state;
    uint32_t known = tbus_load_relaxed_u32(&state);
    if (!known) {
        known = ask() ? 1 : 2;
        tbus_store_relaxed_u32(&state, known);
    }
    return known == 1;
}
