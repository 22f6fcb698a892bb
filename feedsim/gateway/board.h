/* SPDX-License-Identifier: Apache-2.0 */
/* board.h - what a gateway shows of itself in shared memory: where it listens, who is connected,
 * how far each of them is. It is the control block of the kind `gateway` in the directory of the
 * bus ("gateway.board"), so that `busctl gateway` and `status` need no word with the gateway
 * itself, and see the last state of one that is stuck or dead.
 *
 *    head       ports, session name, totals      words that are written again and again
 *    rows       one for each slot of a session   each with a version of its own: odd while it is
 *                                                written, 0 as long as nobody ever was there
 *    limits     what whoever supervises the gateway wants it to take, under a version
 *
 * Written by: the gateway, some ten times a second; the limits by its supervisor, when its
 * configuration is read again. A row that is torn is read again.
 */
#ifndef TICKBUS_FEEDSIM_GATEWAY_BOARD_H
#define TICKBUS_FEEDSIM_GATEWAY_BOARD_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <tickbus/bus.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GATEWAY_BOARD_BLOCK  "board" /* of the kind; in the directory "gateway.board" */
#define GATEWAY_SESSIONS_MAX 2048u
#define GATEWAY_CHANNELS_MAX 8u
#define GATEWAY_TEXT_WORDS   3u /* of a topic's name */
#define GATEWAY_NOTE_WORDS   16u
#define GATEWAY_ROW_WORDS    12u

enum gateway_session_state {
    GATEWAY_SESSION_FREE = 0,
    GATEWAY_SESSION_LOGIN = 1,  /* connected, not let in yet */
    GATEWAY_SESSION_LIVE = 2,   /* gets what comes, as it comes */
    GATEWAY_SESSION_BEHIND = 3, /* late or slow: gets the past */
    GATEWAY_SESSION_ENDING = 4  /* gets its last bytes, or has them and is to close */
};

/* One session, as readers see it. */
typedef struct gateway_row {
    uint32_t state;      /* enum gateway_session_state */
    uint32_t channel;    /* index of the topic in the head */
    char user[8];        /* "" before the login; terminated */
    uint8_t address[16]; /* IPv6; an IPv4 address as ::ffff:a.b.c.d */
    uint32_t port;
    uint32_t login;        /* number of the connection, from 1: no two have the same */
    uint64_t sequence;     /* of the next message that it is to get */
    uint64_t lag_messages; /* messages that are there and that it has not got */
    uint64_t lag_ns;       /* how long the oldest of them is there */
    uint64_t bytes;        /* sent to it */
    uint64_t connected_ns; /* CLOCK_MONOTONIC */
    uint64_t behind_count; /* how often it fell back to the past */
    uint64_t idle_ns;      /* since it took something last, while there was something to take */
} gateway_row_t;

typedef struct gateway_board_row {
    tbus_atomic_u64_t version;
    tbus_atomic_u64_t words[GATEWAY_ROW_WORDS];
} gateway_board_row_t;

TBUS_STATIC_ASSERT(sizeof(gateway_row_t) == 8 * GATEWAY_ROW_WORDS);
TBUS_STATIC_ASSERT(sizeof(gateway_board_row_t) == 104);
TBUS_STATIC_ASSERT(offsetof(gateway_board_row_t, words) == 8);

/* Counts since the gateway was started first, those of gateways that died among them. */
#define GATEWAY_TOTALS(X)                                                                          \
    X(accepted, "connections accepted")                                                            \
    X(refused, "connections refused: too many")                                                    \
    X(logins, "logins accepted")                                                                   \
    X(rejected, "logins rejected")                                                                 \
    X(late_logins, "connections without a login in time")                                          \
    X(faults, "clients that broke the protocol")                                                   \
    X(dead, "clients not heard of for too long")                                                   \
    X(cut, "sessions cut by policy")                                                               \
    X(lost, "sessions ended since messages were lost")                                             \
    X(out_of_descriptors, "times that nobody could be accepted")                                   \
    X(messages, "messages encoded")                                                                \
    X(bytes, "bytes sent")                                                                         \
    X(backfill_blocks, "blocks of the past that were read")                                        \
    X(backfill_messages, "messages of the past that were read")                                    \
    X(backfill_seeks, "times that a reader of the past went to another place")                     \
    X(backfill_errors, "attempts to read the past that failed")                                    \
    X(starts, "gateways started")                                                                  \
    X(reloads, "times that users and limits were taken anew")                                      \
    X(starved, "sends that the kernel had no memory for")

enum gateway_total {
#define X(name, text) GATEWAY_TOTAL_##name,
    GATEWAY_TOTALS(X)
#undef X
        GATEWAY_TOTALS_COUNT
};

/* Limits that may change while a gateway runs; options of server.h have the same names. */
typedef struct gateway_limits {
    uint64_t sessions_per_user;
    uint64_t sessions_per_address;
    uint64_t logins_max;
    uint64_t lag_max;
    uint64_t idle_ns;
    uint64_t login_ns;
} gateway_limits_t;

#define GATEWAY_LIMITS_WORDS 6u
TBUS_STATIC_ASSERT(sizeof(gateway_limits_t) == 8 * GATEWAY_LIMITS_WORDS);

typedef struct gateway_board {
    tbus_atomic_u32_t pid;             /*   0 of the gateway that wrote last */
    tbus_atomic_u32_t channels_count;  /*   4 topics that it sends */
    tbus_atomic_u32_t rows_count;      /*   8 rows that may be in use: from the front */
    tbus_atomic_u32_t sessions;        /*  12 now */
    tbus_atomic_u64_t updated_ns;      /*  16 CLOCK_MONOTONIC of the last writing */
    tbus_atomic_u64_t session_name[2]; /* 24 10 characters, then zeros */
    tbus_atomic_u32_t uring;           /*  40 1: io_uring, else epoll */
    uint32_t pad;                      /*  44 */
    tbus_atomic_u64_t totals[20];      /*  48 enum gateway_total */
    struct {
        tbus_atomic_u64_t topic[GATEWAY_TEXT_WORDS];
        tbus_atomic_u64_t port;       /* TCP, on which it listens; 0: not yet, or no more */
        tbus_atomic_u64_t next_seq;   /* of the next message that there will be */
        tbus_atomic_u64_t oldest_seq; /* of those that are ready to be sent */
    } channels[GATEWAY_CHANNELS_MAX]; /* 208 */
    /* version, as of a row, and what happened last that somebody should know of; text */
    tbus_atomic_u64_t note_version;             /* 592 */
    tbus_atomic_u64_t note[GATEWAY_NOTE_WORDS]; /* 600 */
    tbus_atomic_u64_t taken; /* 728 version of the limits that it has looked at, or taken */
    uint8_t pad1[32];        /* 736 */
    gateway_board_row_t rows[GATEWAY_SESSIONS_MAX]; /* 768 */
    /* written by: the supervisor. gateway_limits_t, under a version as of a row; 0: those that the
     * gateway was made with. A new version says that the users are to be read again as well. */
    tbus_atomic_u64_t limits_version;               /* 213760 */
    tbus_atomic_u64_t limits[GATEWAY_LIMITS_WORDS]; /* 213768 */
    uint8_t pad2[72];                               /* 213816 */
} gateway_board_t;

TBUS_STATIC_ASSERT(GATEWAY_TOTALS_COUNT <= 20);
TBUS_STATIC_ASSERT(offsetof(gateway_board_t, pid) == 0);
TBUS_STATIC_ASSERT(offsetof(gateway_board_t, channels_count) == 4);
TBUS_STATIC_ASSERT(offsetof(gateway_board_t, rows_count) == 8);
TBUS_STATIC_ASSERT(offsetof(gateway_board_t, sessions) == 12);
TBUS_STATIC_ASSERT(offsetof(gateway_board_t, updated_ns) == 16);
TBUS_STATIC_ASSERT(offsetof(gateway_board_t, session_name) == 24);
TBUS_STATIC_ASSERT(offsetof(gateway_board_t, uring) == 40);
TBUS_STATIC_ASSERT(offsetof(gateway_board_t, totals) == 48);
TBUS_STATIC_ASSERT(offsetof(gateway_board_t, channels) == 208);
TBUS_STATIC_ASSERT(offsetof(gateway_board_t, note_version) == 592);
TBUS_STATIC_ASSERT(offsetof(gateway_board_t, note) == 600);
TBUS_STATIC_ASSERT(offsetof(gateway_board_t, taken) == 728);
TBUS_STATIC_ASSERT(offsetof(gateway_board_t, rows) == 768);
TBUS_STATIC_ASSERT(offsetof(gateway_board_t, limits_version) == 213760);
TBUS_STATIC_ASSERT(offsetof(gateway_board_t, limits) == 213768);
TBUS_STATIC_ASSERT(sizeof(gateway_board_t) == 213888);

/* --- writing: each word by the one that is named above --- */

/* Put `count` words under a version of their own. */
void gateway_board_put(tbus_atomic_u64_t *version, tbus_atomic_u64_t *words, const uint64_t *from,
                       uint32_t count);

/* Put a text into `count` words, cut if need be; a reader may find it torn while it is put. */
void gateway_board_put_text(tbus_atomic_u64_t *words, uint32_t count, const char *text);

/* Put a note of GATEWAY_NOTE_WORDS under its version: what happened last. Bytes that are not
 * printable ASCII, since names come from outside, become '?'. */
void gateway_board_put_note(tbus_atomic_u64_t *version, tbus_atomic_u64_t *words,
                            const char *format, va_list arguments);

/* Before the first time that totals are put: counters of the bus of these names (NULL: there is no
 * bus, and out_counters stays as it is), and what those before us had on the board, if we were
 * started again (NULL: there is no board). A total whose name has "bytes" in it is one of bytes.
 * Cold. */
void gateway_board_take_totals(tbus_bus_t *bus, const char *const *names,
                               const tbus_atomic_u64_t *shown, tbus_atomic_u64_t **out_counters,
                               uint64_t *out_base, uint32_t count);

/* Put `count` totals, those of predecessors (`base`) added, into counters (NULL: there is none) and
 * the board's own (NULL: there is no board). */
void gateway_board_put_totals(tbus_atomic_u64_t *const *counters, tbus_atomic_u64_t *shown,
                              const uint64_t *base, const uint64_t *totals, uint32_t count);

/* --- reading: anybody who has it mapped --- */

/* False: they were being written, or nobody ever wrote them; look again later. */
static inline bool gateway_board_get(const tbus_atomic_u64_t *version,
                                     const tbus_atomic_u64_t *words, uint64_t *to, uint32_t count)
{
    uint64_t before = tbus_load_acquire_u64(version); /* Z4 pairs Z3 (gateway_board_put) */
    if (before == 0 || before % 2)
        return false;
    for (uint32_t i = 0; i < count; i++)
        to[i] = tbus_load_acquire_u64(&words[i]); /* Z2 pairs Z1 (gateway_board_put) */
    return tbus_load_relaxed_u64(version) == before;
}

/* The session in row `index`; false: there is none. A row that is being written is looked at again
 * some times. */
static inline bool gateway_board_row(const gateway_board_t *board, uint32_t index,
                                     gateway_row_t *out_row)
{
    uint64_t words[GATEWAY_ROW_WORDS];
    for (int turn = 0; turn < 1000; turn++) {
        const gateway_board_row_t *row = &board->rows[index];
        if (!gateway_board_get(&row->version, row->words, words, GATEWAY_ROW_WORDS)) {
            if (tbus_load_relaxed_u64(&row->version) == 0)
                return false;
            continue;
        }
        memcpy(out_row, words, sizeof *out_row);
        out_row->user[sizeof out_row->user - 1] = 0;
        return out_row->state != GATEWAY_SESSION_FREE;
    }
    return false;
}

/* What happened last, by the version and the words of a note; "": nothing. Terminated. */
static inline void gateway_board_get_note(const tbus_atomic_u64_t *version,
                                          const tbus_atomic_u64_t *note,
                                          char out_text[8 * GATEWAY_NOTE_WORDS])
{
    uint64_t words[GATEWAY_NOTE_WORDS];
    out_text[0] = 0;
    if (gateway_board_get(version, note, words, GATEWAY_NOTE_WORDS)) {
        memcpy(out_text, words, sizeof words);
        out_text[8 * GATEWAY_NOTE_WORDS - 1] = 0;
    }
}

static inline void gateway_board_note(const gateway_board_t *board,
                                      char out_text[8 * GATEWAY_NOTE_WORDS])
{
    gateway_board_get_note(&board->note_version, board->note, out_text);
}

/* A text of `count` words: of 8 * count bytes, terminated. */
static inline void gateway_board_text(const tbus_atomic_u64_t *words, uint32_t count,
                                      char *out_text)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t word = tbus_load_relaxed_u64(&words[i]);
        memcpy(out_text + 8 * (size_t)i, &word, 8);
    }
    out_text[8 * (size_t)count - 1] = 0;
}

/* The name of a channel's topic, and of the session. */
static inline void gateway_board_topic(const gateway_board_t *board, uint32_t channel,
                                       char out_text[8 * GATEWAY_TEXT_WORDS])
{
    gateway_board_text(board->channels[channel].topic, GATEWAY_TEXT_WORDS, out_text);
}
static inline void gateway_board_session_name(const gateway_board_t *board, char out_text[16])
{
    gateway_board_text(board->session_name, 2, out_text);
}

/* For people and machines: "live". Never NULL. */
static inline const char *gateway_session_state_name(uint32_t state)
{
    switch (state) {
    case GATEWAY_SESSION_LOGIN:
        return "login";
    case GATEWAY_SESSION_LIVE:
        return "live";
    case GATEWAY_SESSION_BEHIND:
        return "behind";
    case GATEWAY_SESSION_ENDING:
        return "ending";
    default:
        return "free";
    }
}

#ifdef __cplusplus
}
#endif
#endif
