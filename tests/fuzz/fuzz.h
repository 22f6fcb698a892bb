/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz.h - what reads bytes that others wrote, fed with any bytes. Each target is one file:
 *
 *    fuzz_join         the header of a ring, and what is done with one whose header was believed
 *    fuzz_live         operations on a live ring and corruptions of it (tests/hostile/hostile.h)
 *    fuzz_binaryfile   a feed file, plain or gzip, and each of its ITCH messages to a tick and back
 *    fuzz_journal      a segment of a journal, with its checksums put right where the input says so
 *    fuzz_config       a configuration in YAML
 *    fuzz_control      what a client sends to the control socket
 *    fuzz_soup         what a client and what a server sends over SoupBinTCP
 *    fuzz_capture      a captured frame, and a capture file as a feed
 *    fuzz_mold         a datagram of MoldUDP64
 *    fuzz_mold_lines   what two lines and a re-request server of MoldUDP64 send, and when
 *
 * and is built twice: as test_fuzz_X, a plain program (bounded.c) that feeds it its seeds and
 * mutations of them from a fixed random seed, every day, under every compiler and sanitizer; and
 * with -DTICKBUS_FUZZ=ON as fuzz_X for libFuzzer, which tests/fuzz/run.sh runs for as long as one
 * likes. A target that finds something wrong calls abort; the sanitizers do the rest. */
#ifndef TICKBUS_TESTS_FUZZ_H
#define TICKBUS_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes);

/* Hands out inputs that are right, or nearly so, to begin with. Valid during the call only. */
typedef void (*fuzz_take_t)(const void *input, size_t bytes);
void fuzz_seeds(fuzz_take_t take);

#endif
