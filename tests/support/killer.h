/* SPDX-License-Identifier: Apache-2.0 */
/* killer.h - kill -9 after the k-th instruction of an operation: a child is single-stepped (ptrace) through it and killed for real. */
#ifndef TICKBUS_TESTS_SUPPORT_KILLER_H
#define TICKBUS_TESTS_SUPPORT_KILLER_H

#include <stdbool.h>
#include <stdint.h>

/* Stepper and stepped share the caller's CPU from here on: handing over to another one costs several times as much. False: ptrace(2) is
 * not allowed here. */
bool killer_ready(void);

/* A child does `operation` on what it shares with the caller, and is killed after that many instructions. False: it was over before.
 * Aborts when the child ends otherwise. */
bool killer_kill(void (*operation)(void), uint64_t instructions);

#endif
