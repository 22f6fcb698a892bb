/* SPDX-License-Identifier: Apache-2.0 */
/* bounded.c - main of test_fuzz_X: a bounded number of inputs, the same every time.
 *
 *    test_fuzz_X [COUNT]           its seeds, then COUNT mutations of them (5,000); TICKBUS_SEED:
 *                                  from another random seed than 1
 *    test_fuzz_X --input N         only the N-th of these: the one that failed
 *    test_fuzz_X --file FILE...    inputs from files: what libFuzzer left behind
 *    test_fuzz_X --seeds DIR       write the seeds there, a corpus for libFuzzer to begin with
 *
 * The inputs are run in a child, so that the number of one that crashes is told. Exit code 0:
 * nothing found. */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

#define SEEDS_MAX   64u
#define INPUT_MAX   65536u
#define INPUTS      5000u
#define CHANGES_MAX 6u

static struct {
    uint8_t *bytes;
    size_t count;
} seeds[SEEDS_MAX];
static size_t seeds_count;

static void keep_seed(const void *input, size_t bytes)
{
    if (seeds_count == SEEDS_MAX || bytes > INPUT_MAX)
        abort();
    seeds[seeds_count].bytes = malloc(bytes + 1);
    memcpy(seeds[seeds_count].bytes, input, bytes);
    seeds[seeds_count++].count = bytes;
}

static uint64_t draw(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* One change at a random place: a byte, a bit, some bytes out, doubled, or from another seed. */
static size_t change(uint8_t *input, size_t count, uint64_t *random)
{
    static const uint8_t edges[] = {0, 1, 0x7f, 0x80, 0xff};
    uint64_t r = draw(random);
    size_t at = count ? (r >> 8) % count : 0;
    size_t span = 1 + (r >> 40) % 16;
    if (span > count - at)
        span = count - at;
    switch (r % 6) {
    case 0:
        if (count)
            input[at] = (uint8_t)(r >> 56);
        return count;
    case 1:
        if (count)
            input[at] ^= (uint8_t)(1u << (r >> 56) % 8);
        return count;
    case 2:
        if (count)
            input[at] = edges[(r >> 56) % sizeof edges];
        return count;
    case 3:
        memmove(input + at, input + at + span, count - at - span);
        return count - span;
    case 4:
        if (count + span > INPUT_MAX)
            return count;
        memmove(input + at + span, input + at, count - at);
        return count + span;
    default: {
        const uint8_t *other = seeds[(r >> 56) % seeds_count].bytes;
        size_t other_count = seeds[(r >> 56) % seeds_count].count;
        if (at < other_count)
            memcpy(input + at, other + at, span < other_count - at ? span : other_count - at);
        return count;
    }
    }
}

/* Input `number`: a seed as it is, or a mutation of one. */
static size_t make_input(uint64_t number, uint64_t seed, uint8_t *input)
{
    size_t which = number % seeds_count;
    size_t count = seeds[which].count;
    memcpy(input, seeds[which].bytes, count);
    if (number < seeds_count)
        return count;
    uint64_t random = seed << 32 ^ number;
    for (uint64_t changes = 1 + draw(&random) % CHANGES_MAX; changes; changes--)
        count = change(input, count, &random);
    return count;
}

static void run_one(uint64_t number, uint64_t seed)
{
    static uint8_t input[INPUT_MAX];
    size_t count = make_input(number, seed, input);
    uint8_t *exact = malloc(count ? count : 1); /* so that a read beyond it is seen */
    if (!exact)
        abort();
    memcpy(exact, input, count);
    LLVMFuzzerTestOneInput(exact, count);
    free(exact);
}

static int run_bounded(const char *program, uint64_t first, uint64_t count, uint64_t seed)
{
    uint64_t *at =
        mmap(NULL, sizeof *at, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = -1;
    pid_t child = at == MAP_FAILED ? -1 : fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (*at = first; *at < first + count; ++*at)
            run_one(*at, seed);
        exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) < 0 || status) {
        fprintf(
            stderr,
            "%s: input %llu of TICKBUS_SEED=%llu failed (status 0x%x); again: %s --input %llu\n",
            program, child < 0 ? 0ull : (unsigned long long)*at, (unsigned long long)seed,
            (unsigned)status, program, child < 0 ? 0ull : (unsigned long long)*at);
        return 1;
    }
    printf("%llu inputs, %zu of them seeds, TICKBUS_SEED=%llu: nothing found\n",
           (unsigned long long)count, seeds_count, (unsigned long long)seed);
    return 0;
}

static int run_file(const char *path)
{
    static uint8_t input[INPUT_MAX];
    FILE *f = fopen(path, "re");
    if (!f) {
        perror(path);
        return 1;
    }
    size_t count = fread(input, 1, sizeof input, f);
    fclose(f);
    LLVMFuzzerTestOneInput(input, count);
    return 0;
}

static int write_seeds(const char *directory)
{
    for (size_t i = 0; i < seeds_count; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/seed-%02zu", directory, i);
        FILE *f = fopen(path, "we");
        if (!f || fwrite(seeds[i].bytes, 1, seeds[i].count, f) != seeds[i].count ||
            fclose(f) != 0) {
            perror(path);
            return 1;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    const char *seed_text = getenv("TICKBUS_SEED");
    uint64_t seed = seed_text ? strtoull(seed_text, NULL, 0) : 1;
    int code = 0;
    fuzz_seeds(keep_seed);
    if (argc > 2 && !strcmp(argv[1], "--seeds"))
        code = write_seeds(argv[2]);
    else if (argc > 2 && !strcmp(argv[1], "--input"))
        run_one(strtoull(argv[2], NULL, 0), seed);
    else if (argc > 2 && !strcmp(argv[1], "--file"))
        for (int i = 2; i < argc; i++)
            code |= run_file(argv[i]);
    else
        code = run_bounded(argv[0], 0,
                           seeds_count + (argc > 1 ? strtoull(argv[1], NULL, 0) : INPUTS), seed);
    for (size_t i = 0; i < seeds_count; i++)
        free(seeds[i].bytes);
    return code;
}
