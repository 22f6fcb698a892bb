/* SPDX-License-Identifier: Apache-2.0 */
/* foreign.h - which well-known format a file is in when it is not the one that was asked for, so
 * that the refusal can name it.
 *
 * Told by the first bytes alone: the magic numbers of pcap (draft-ietf-opsawg-pcap), pcapng
 * (section header block), gzip (RFC 1952), Zstandard (RFC 8878), zip (APPNOTE 4.3.7), xz, bzip2,
 * LZ4 frames, Databento's DBN, a tickbus journal; and text.
 */
#ifndef TICKBUS_FEEDSIM_ITCH_FOREIGN_H
#define TICKBUS_FEEDSIM_ITCH_FOREIGN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A noun phrase, as "a pcapng capture", to stand after "it is"; NULL: none of them. Text is said
 * only when all bytes given are text. */
const char *foreign_format(const uint8_t *bytes, size_t count);

#ifdef __cplusplus
}
#endif
#endif
