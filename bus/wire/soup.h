/* SPDX-License-Identifier: Apache-2.0 */
/* soup.h - the packets of SoupBinTCP, and how they are read and written: bytes, sequences and text,
 * nothing of sockets, of time or of what a message means.
 *
 * Source: NASDAQ, "SoupBinTCP 3.00", sections 1 and 2; "SoupBinTCP 4.00" (a server may send
 * unsequenced data too; no layout changes); "SoupBinTCP 4.10" (the login has one field more).
 *
 *    packet       length 2   big endian: bytes that follow it, so 1 + payload; 0 is illegal
 *                 type   1   one of enum soup_type
 *                 payload    0..65534 bytes
 *
 *    L login      user 6  password 10  session 10  sequence 20  [heartbeat_timeout 5]  49, 54 bytes
 *    A accepted   session 10  sequence 20                                               33 bytes
 *    J rejected   reason 1                                                              4 bytes
 *    S, U, +      one message, or text
 *    H, R, Z, O   nothing                                                               3 bytes
 *
 * All fields are ASCII. User and password are left aligned, and compared without regard to case (by
 * whoever knows the users). The session is right aligned, the sequence too: digits with spaces in
 * front of them; some clients align it left, and both are read. A blank session is the current one.
 * Sequence 1 is the first message of a session, 0 the next one that there will be. The timeout is
 * in milliseconds.
 *
 * A sequenced message has no number of its own: the first one after `A` has the sequence that `A`
 * says, and each following one is one more.
 *
 * Pure functions, any thread. On top of it: bus/wire/soup_server.h, bus/wire/soup_client.h.
 */
#ifndef TICKBUS_WIRE_SOUP_H
#define TICKBUS_WIRE_SOUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum soup_type {
    SOUP_LOGIN = 'L',
    SOUP_ACCEPTED = 'A',
    SOUP_REJECTED = 'J',
    SOUP_SEQUENCED = 'S',
    SOUP_UNSEQUENCED = 'U',
    SOUP_SERVER_HEARTBEAT = 'H',
    SOUP_CLIENT_HEARTBEAT = 'R',
    SOUP_END_OF_SESSION = 'Z',
    SOUP_LOGOUT = 'O',
    SOUP_DEBUG = '+'
};

/* Reasons of a Login Rejected. */
enum { SOUP_NOT_AUTHORIZED = 'A', SOUP_SESSION_NOT_AVAILABLE = 'S' };

#define SOUP_LENGTH_BYTES    2u
#define SOUP_HEADER_BYTES    3u /* length and type: what stands before a message */
#define SOUP_PAYLOAD_MAX     65534u
#define SOUP_PACKET_MAX      (SOUP_HEADER_BYTES + SOUP_PAYLOAD_MAX)
#define SOUP_LOGIN_BYTES     49u /* 3.00 and 4.00 */
#define SOUP_LOGIN_410_BYTES 54u
#define SOUP_ACCEPTED_BYTES  33u
#define SOUP_REJECTED_BYTES  4u

#define SOUP_USER_BYTES     6u
#define SOUP_PASSWORD_BYTES 10u
#define SOUP_SESSION_BYTES  10u

/* How long the two sides of a session wait. Server and client take one each, in nanoseconds. */
typedef struct soup_times {
    uint64_t login_ns;     /* from the connection to the whole login, or to the answer to it */
    uint64_t heartbeat_ns; /* without having sent anything: send a heartbeat */
    uint64_t dead_ns;      /* without a byte from the peer: it is dead */
    uint64_t close_ns;     /* from the end of the session until the peer has closed */
} soup_times_t;

/* What the specification has (section 1.1), and 5 s where it leaves the time to the server. */
#define SOUP_TIMES                                                                                 \
    {                                                                                              \
        .login_ns = UINT64_C(5000000000), .heartbeat_ns = UINT64_C(1000000000),                    \
        .dead_ns = UINT64_C(15000000000), .close_ns = UINT64_C(5000000000)                         \
    }

/* The time `after_ns` from `since_ns` on; UINT64_MAX when it is beyond all time. */
static inline uint64_t soup_later(uint64_t since_ns, uint64_t after_ns)
{
    return after_ns < UINT64_MAX - since_ns ? since_ns + after_ns : UINT64_MAX;
}

typedef struct soup_login {
    /* without the padding, terminated; "": blank */
    char user[SOUP_USER_BYTES + 1];
    char password[SOUP_PASSWORD_BYTES + 1];
    char session[SOUP_SESSION_BYTES + 1];
    bool sequence_blank; /* `sequence` is then 0 */
    uint64_t sequence;
    uint32_t heartbeat_timeout_ms; /* 1..99999; 0: a login of 3.00 or 4.00, which has none */
} soup_login_t;

typedef struct soup_accepted {
    char session[SOUP_SESSION_BYTES + 1]; /* may be "": a server that has none yet */
    uint64_t sequence;                    /* of the next sequenced message */
} soup_accepted_t;

/* The length field of a packet, of its first 2 bytes. */
static inline size_t soup_length(const uint8_t *packet)
{
    return (size_t)packet[0] << 8 | packet[1];
}

/* Length and type of a packet with `payload_bytes` bytes (at most SOUP_PAYLOAD_MAX); the payload
 * goes to `to` + SOUP_HEADER_BYTES. Returns the bytes of the whole packet. Hot. */
static inline size_t soup_put_header(uint8_t *to, enum soup_type type, size_t payload_bytes)
{
    to[0] = (uint8_t)((payload_bytes + 1) >> 8);
    to[1] = (uint8_t)(payload_bytes + 1);
    to[2] = (uint8_t)type;
    return SOUP_HEADER_BYTES + payload_bytes;
}

/* A debug packet of that text: at most `room` bytes (at least SOUP_HEADER_BYTES) including the
 * header, the rest of the text is left out. What is not printable ASCII becomes '?': a client may
 * take the text for ASCII and end when it is not. Returns the bytes of the packet. */
size_t soup_put_debug(uint8_t *to, size_t room, const char *text);

/* A login request. Requires fields of printable ASCII and heartbeat_timeout_ms <= 99999. Returns 49
 * or, with a timeout, 54. */
size_t soup_put_login(uint8_t to[SOUP_LOGIN_410_BYTES], const soup_login_t *login);

/* A whole login request, with its header. 0; -TBUS_EFORMAT: of another length, a field that is no
 * printable ASCII, a sequence or timeout that is no number or too large. */
int soup_parse_login(const uint8_t *packet, size_t bytes, soup_login_t *out_login);

/* A Login Accepted. Requires a session of printable ASCII. Returns 33. */
size_t soup_put_accepted(uint8_t to[SOUP_ACCEPTED_BYTES], const soup_accepted_t *accepted);

/* A whole Login Accepted, with its header. 0; -TBUS_EFORMAT as above; a blank sequence is one. */
int soup_parse_accepted(const uint8_t *packet, size_t bytes, soup_accepted_t *out_accepted);

/* Returns 4. `reason`: SOUP_NOT_AUTHORIZED or SOUP_SESSION_NOT_AVAILABLE. */
size_t soup_put_rejected(uint8_t to[SOUP_REJECTED_BYTES], char reason);

#ifdef __cplusplus
}
#endif
#endif
