/* SPDX-License-Identifier: Apache-2.0 */
/* pcapng.h - messages as a capture file that tshark and the like open: MoldUDP64 packets in UDP in
 * IPv4 in Ethernet, with the times at which the messages were recorded, in nanoseconds.
 *
 *    block          section header, interface description, then an enhanced packet block each
 *                   (draft-ietf-opsawg-pcapng, sections 4.1, 4.2, 4.3)
 *    frame       0  Ethernet II: to the multicast address of the group, from a local address
 *               14  IPv4 without options (RFC 791, section 3.1), from 192.0.2.1, a documentation
 *                   address (RFC 5737), to 239.255.64.64, of the local scope (RFC 2365,
 *                   section 6.1)
 *               34  UDP (RFC 768), to port PCAPNG_PORT
 *               42  MoldUDP64 1.00: session 10 characters, sequence u64, count u16, and for each
 *                   message its length u16 and its bytes; all big endian
 *
 * Messages of one time, with sequences that follow each other, share a packet, up to
 * PCAPNG_MESSAGES_BYTES of them with their lengths; a longer message has a packet of its own. The
 * sequence of a packet is that of its first message on the topic: where some are missing, a reader
 * sees a gap, as it would on a network. What ends with the end of its session ends with an
 * end-of-session packet (count 0xffff).
 *
 *    tshark -r FILE -d udp.port==26477,moldudp64
 *
 * Errors of writing are the stream's: ask ferror(3). One thread.
 */
#ifndef TICKBUS_TOOLS_SHOW_PCAPNG_H
#define TICKBUS_TOOLS_SHOW_PCAPNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define PCAPNG_PORT           26477u
#define PCAPNG_MESSAGES_BYTES 1400u /* of a packet: with the headers below an MTU of 1500 */
/* The longest message: what is left of the 65535 bytes of an IPv4 packet. */
#define PCAPNG_MESSAGE_MAX (65535u - 20u - 8u - 20u - 2u)

typedef struct pcapng pcapng_t;

/* Write the two blocks at the beginning. `session_name`: up to 10 characters; padded with spaces.
 * `interface`: a name for it, up to 63 characters. `started_realtime_ns`: what the times are added
 * to. `first_seq`: of a session without messages. `out` is borrowed. NULL: no memory. */
pcapng_t *pcapng_create(FILE *out, const char *session_name, const char *interface,
                        uint64_t started_realtime_ns, uint64_t first_seq);

/* Add a message. False: it is longer than PCAPNG_MESSAGE_MAX, and was not added. */
bool pcapng_put(pcapng_t *p, uint64_t seq, uint64_t time_ns, const void *message, size_t bytes);

/* Write what is still held back. */
void pcapng_flush(pcapng_t *p);

/* The session has come to its end: that, and a packet that says so, at the time of the last
 * message. */
void pcapng_end_session(pcapng_t *p);

void pcapng_destroy(pcapng_t *p); /* accepts NULL */

#endif
