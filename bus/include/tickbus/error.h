/* SPDX-License-Identifier: Apache-2.0 */
/* error.h - how a library call says that it failed, on what, and what to do about it.
 *
 * Calls return 0 or a count when they succeed and a negative number when they fail: -errno for the
 * system's errors, -TBUS_E... for ours. Cold calls that can fail in many ways take a tbus_error_t
 * as well (NULL: not wanted) and write one sentence into it, for main() to print once. Libraries
 * never print, log or exit.
 */
#ifndef TICKBUS_ERROR_H
#define TICKBUS_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

#define TBUS_ERRORS(X)                                                                             \
    X(TBUS_EMAGIC, 5001, "not a tickbus segment or file")                                          \
    X(TBUS_EABI, 5002, "made by an incompatible version of tickbus")                               \
    X(TBUS_EGEOMETRY, 5003, "sizes or offsets in the header do not fit each other or the mapping") \
    X(TBUS_EKIND, 5004, "the ring is of another kind than the call needs")                         \
    X(TBUS_ETOOBIG, 5005, "message longer than the topic's limit")                                 \
    X(TBUS_EFULL, 5006, "no free entry left in a table of fixed size")                             \
    X(TBUS_EEXISTS, 5007, "the name is taken")                                                     \
    X(TBUS_ENOTFOUND, 5008, "no such name")                                                        \
    X(TBUS_ECORRUPT, 5009, "shared memory or file holds what no correct peer writes")              \
    X(TBUS_ESTALE, 5010, "the participant was declared dead and must join again")                  \
    X(TBUS_EFORMAT, 5011, "input is not in the expected format")                                   \
    X(TBUS_ETRUNCATED, 5012, "input ends in the middle of a message")                              \
    X(TBUS_ELIMIT, 5013, "a configured limit is reached")                                          \
    X(TBUS_ENOTEMPTY, 5014, "the directory already holds a session")                               \
    X(TBUS_ESTOPPED, 5015, "the bus has stopped")                                                  \
    X(TBUS_ECONFIG, 5016, "the configuration is wrong")                                            \
    X(TBUS_EEVICTED, 5017, "the subscriber was too slow and lost its place; join again")           \
    X(TBUS_EBUILD, 5018, "made by another build of tickbus")

enum {
#define X(name, value, text) name = value,
    TBUS_ERRORS(X)
#undef X
};

#define TBUS_ERROR_TEXT_MAX 480

typedef struct tbus_error {
    int code; /* the negative number that the call returned; 0: no error */
    /* one sentence: what failed, on what, what to do; always terminated */
    char text[TBUS_ERROR_TEXT_MAX];
} tbus_error_t;

/* Text for a negative return code of any call, ours or the system's. Never NULL, never freed. Any
 * thread. */
const char *tbus_strerror(int code);

/* Fill *err (if not NULL) with the code and a formatted sentence, and return the code: `return
 * tbus_fail(err, -EIO, ...)`. */
int tbus_fail(tbus_error_t *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#ifdef __cplusplus
}
#endif
#endif
