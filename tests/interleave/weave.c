/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/interleave/weave.h"

#include <assert.h>
#include <errno.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <tickbus/atomic.h>

#define STACK_BYTES (64u << 10)
#define STEPS_MAX   4096u
#define CRASH       0x80u /* in a choice: kill this actor instead of letting it go on */

enum actor_state { ELIGIBLE, ASLEEP, FINISHED, DEAD };

typedef struct actor {
    enum actor_state state;
    bool started;
    const void *asleep_on;
    jmp_buf resume;
    ucontext_t birth;
    unsigned char *stack;
} actor_t;

static struct {
    const weave_case_t *current;
    actor_t actors[WEAVE_ACTORS_MAX];
    int running; /* index of the actor that has the processor, -1: the weaver */
    jmp_buf weaver;
    uint64_t sleeps;
    uint64_t random;
    uint8_t choice[STEPS_MAX];  /* what was chosen at each step */
    uint8_t options[STEPS_MAX]; /* how many choices there were */
    uint8_t picked[STEPS_MAX];  /* index of the choice among them */
    uint32_t prefix;            /* steps that are replayed */
} weave;

void (*tbus_hook)(enum tbus_access access, const void *address);

/* Back to the weaver; returns when this actor is chosen again. */
static void yield_to_weaver(void)
{
    if (!_setjmp(weave.actors[weave.running].resume))
        _longjmp(weave.weaver, 1);
}

static void on_access(enum tbus_access access, const void *address)
{
    (void)access;
    if (weave.running >= 0 && weave.current->interesting(address))
        yield_to_weaver();
}

static void actor_main(void)
{
    unsigned self = (unsigned)weave.running;
    weave.current->actor[self]();
    weave.actors[self].state = FINISHED;
    _longjmp(weave.weaver, 1);
}

/* ---- the two system calls that the code under test makes ---- */

static long simulated_futex(const uint32_t *word, int operation, uint32_t value)
{
    if (operation == FUTEX_WAIT) {
        yield_to_weaver();
        if (__atomic_load_n(word, __ATOMIC_SEQ_CST) != value) {
            errno = EAGAIN;
            return -1;
        }
        actor_t *self = &weave.actors[weave.running];
        self->state = ASLEEP;
        self->asleep_on = word;
        weave.sleeps++;
        yield_to_weaver();
        return 0;
    }
    if (weave.running >= 0)
        yield_to_weaver();
    long woken = 0;
    for (unsigned i = 0; i < weave.current->actors && woken < (long)value; i++)
        if (weave.actors[i].state == ASLEEP && weave.actors[i].asleep_on == word) {
            weave.actors[i].state = ELIGIBLE;
            woken++;
        }
    return woken;
}

long syscall(long number, ...)
{
    va_list args;
    va_start(args, number);
    const uint32_t *word = va_arg(args, const uint32_t *);
    int operation = va_arg(args, int);
    uint32_t value = va_arg(args, uint32_t);
    va_end(args);
    if (number == SYS_futex)
        return simulated_futex(word, operation, value);
    if (number == SYS_membarrier)
        return 0;   /* memory is sequentially consistent in here */
    errno = ENOSYS; /* no futex_waitv: the code sleeps on its first bell */
    return -1;
}

/* ---- one schedule ---- */

static uint64_t next_random(void)
{
    uint64_t z = weave.random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void run_until_next_access(unsigned i)
{
    actor_t *a = &weave.actors[i];
    weave.running = (int)i;
    if (!_setjmp(weave.weaver)) {
        if (a->started)
            _longjmp(a->resume, 1);
        a->started = true;
        getcontext(&a->birth);
        a->birth.uc_stack.ss_sp = a->stack;
        a->birth.uc_stack.ss_size = STACK_BYTES;
        makecontext(&a->birth, actor_main, 0);
        setcontext(&a->birth);
    }
    weave.running = -1;
}

/* `last`: who ran before, -1 at the start; `may_preempt`: whether another may run although that one
 * could go on. */
static unsigned list_choices(bool crashed, int last, bool may_preempt, uint8_t *choices)
{
    unsigned count = 0;
    bool goes_on = last >= 0 && weave.actors[last].state == ELIGIBLE;
    for (unsigned i = 0; i < weave.current->actors; i++)
        if (weave.actors[i].state == ELIGIBLE && (!goes_on || may_preempt || (int)i == last))
            choices[count++] = (uint8_t)i;
    for (unsigned i = 0; i < weave.current->actors && !crashed; i++)
        if ((weave.actors[i].state == ELIGIBLE || weave.actors[i].state == ASLEEP) &&
            weave.actors[i].started && weave.current->may_crash >> i & 1)
            choices[count++] = (uint8_t)(i | CRASH);
    return count;
}

static bool anybody_eligible(void)
{
    for (unsigned i = 0; i < weave.current->actors; i++)
        if (weave.actors[i].state == ELIGIBLE)
            return true;
    return false;
}

/* Replay the prefix, then take first choices (or random ones) to the end. Returns the number of
 * steps; *out_dead, *out_stuck. */
static uint32_t run_schedule(unsigned *out_dead, bool *out_stuck)
{
    const weave_case_t *c = weave.current;
    for (unsigned i = 0; i < c->actors; i++) {
        weave.actors[i].state = ELIGIBLE;
        weave.actors[i].started = false;
    }
    c->prepare();
    unsigned dead = 0;
    unsigned preemptions = 0;
    int last = -1;
    uint32_t step = 0;
    while (anybody_eligible()) {
        uint8_t choices[2 * WEAVE_ACTORS_MAX];
        bool may_preempt = !c->preemptions_max || preemptions < c->preemptions_max;
        unsigned count = list_choices(dead != 0, last, may_preempt, choices);
        assert(step < STEPS_MAX);
        if (step >= weave.prefix)
            weave.picked[step] = c->random_schedules ? (uint8_t)(next_random() % count) : 0;
        weave.options[step] = (uint8_t)count;
        uint8_t choice = weave.choice[step] = choices[weave.picked[step]];
        step++;
        if (choice & CRASH) {
            weave.actors[choice & ~CRASH].state = DEAD;
            dead |= 1u << (choice & ~CRASH);
        } else {
            preemptions += last >= 0 && choice != last && weave.actors[last].state == ELIGIBLE;
            last = choice;
            run_until_next_access(choice);
        }
    }
    *out_dead = dead;
    *out_stuck = false;
    for (unsigned i = 0; i < c->actors; i++)
        *out_stuck |= weave.actors[i].state == ASLEEP;
    return step;
}

static const char *describe(const char *fault, uint32_t steps)
{
    static char text[STEPS_MAX + 256];
    int at = snprintf(text, sizeof text, "%s: %s; seed %llu, schedule ", weave.current->name, fault,
                      (unsigned long long)weave.current->seed);
    for (uint32_t i = 0; i < steps && at < (int)sizeof text - 4; i++)
        at += snprintf(text + at, sizeof text - (size_t)at, "%s%u",
                       weave.choice[i] & CRASH ? "x" : "", weave.choice[i] & ~CRASH);
    return text;
}

/* The next schedule in depth-first order: the last step that has another choice takes it. False:
 * all were run. */
static bool next_prefix(uint32_t steps)
{
    while (steps && weave.picked[steps - 1] + 1u == weave.options[steps - 1])
        steps--;
    if (!steps)
        return false;
    weave.picked[steps - 1]++;
    weave.prefix = steps;
    return true;
}

const char *weave_run(const weave_case_t *c, weave_result_t *out_result)
{
    weave_result_t result = {0};
    const char *fault = NULL;
    weave.current = c;
    weave.running = -1;
    weave.prefix = 0;
    weave.sleeps = 0;
    weave.random = c->seed;
    for (unsigned i = 0; i < c->actors; i++)
        weave.actors[i].stack = malloc(STACK_BYTES);
    tbus_hook = on_access;
    for (;;) {
        unsigned dead;
        bool stuck;
        uint32_t steps = run_schedule(&dead, &stuck);
        result.schedules++;
        result.crashes += dead != 0;
        if (steps > result.steps_max)
            result.steps_max = steps;
        fault = c->verdict(dead, stuck);
        if (fault) {
            fault = describe(fault, steps);
            break;
        }
        if (c->random_schedules ? result.schedules == c->random_schedules : !next_prefix(steps))
            break;
    }
    tbus_hook = NULL;
    for (unsigned i = 0; i < c->actors; i++)
        free(weave.actors[i].stack);
    result.sleeps = weave.sleeps;
    *out_result = result;
    return fault;
}
