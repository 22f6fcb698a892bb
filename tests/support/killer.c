/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/killer.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(bool right)
{
    if (!right)
        abort();
}

bool killer_ready(void)
{
    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET(sched_getcpu(), &here);
    sched_setaffinity(0, sizeof here, &here);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        _exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 ? 1 : 0);
    int status = 0;
    must(child > 0 && waitpid(child, &status, 0) == child);
    must(syscall(SYS_getpid) == getpid()); /* binds syscall(2), for the children */
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Stops and exits by bare system calls: next to every instruction that is stepped through is one of
 * the operation's. */
static _Noreturn void be_the_victim(void (*operation)(void))
{
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
        _exit(3);
    syscall(SYS_kill, syscall(SYS_getpid), SIGSTOP);
    operation();
    syscall(SYS_exit_group, 0);
    abort();
}

pid_t killer_start(void (*operation)(void))
{
    fflush(stdout);
    pid_t child = fork();
    must(child >= 0);
    if (child == 0)
        be_the_victim(operation);
    int status;
    must(waitpid(child, &status, 0) == child && WIFSTOPPED(status));
    return child;
}

bool killer_step(pid_t child)
{
    int status;
    must(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) == 0);
    must(waitpid(child, &status, 0) == child);
    if (WIFSTOPPED(status))
        return true;
    must(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return false;
}

void killer_end(pid_t child)
{
    int status;
    kill(child, SIGKILL);
    must(waitpid(child, &status, 0) == child);
    must(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

bool killer_kill(void (*operation)(void), uint64_t instructions)
{
    pid_t child = killer_start(operation);
    for (uint64_t i = 0; i < instructions; i++)
        if (!killer_step(child))
            return false;
    killer_end(child);
    return true;
}
