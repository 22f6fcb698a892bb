/* SPDX-License-Identifier: Apache-2.0 */
/* mold_snapshot.h - the books as they are now, from a GLIMPSE server, for a MoldUDP64 feed that is
 * begun in mid-day: what comes before the line's messages goes out from here. Or for one whose
 * books lack messages that were lost.
 *
 *    SoupBinTCP: R, H, ..., A, A, A ..., G + sequence --> messages --> that sequence
 *
 * Source: NASDAQ, "GLIMPSE 5.0", sections 3 and 4. `G` is its last message: type 1, then 20 ASCII
 * digits, the sequence of the first message of the line that is not in it. A snapshot belongs to
 * one connection; if that is lost before G, so is the snapshot.
 *
 * One thread. On the data path: bus/include/tickbus/soup.h -> here -> source_mold.c, beside
 * mold_socket.h.
 */
#ifndef TICKBUS_FEEDSIM_SOURCE_MOLD_SNAPSHOT_H
#define TICKBUS_FEEDSIM_SOURCE_MOLD_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tickbus/error.h>

#include "feedsim/source/mold_spec.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mold_snapshot mold_snapshot_t;

/* Log in, for so long at most; 0: as tbus_soup_open does, whose errors it has. Cold: waits for the
 * server. */
int mold_snapshot_open(const mold_spec_t *spec, uint64_t connect_ns, mold_snapshot_t **out_snapshot,
                       tbus_error_t *err);

enum mold_snapshot_outcome {
    MOLD_SNAPSHOT_NOTHING = 0, /* nothing now */
    MOLD_SNAPSHOT_MESSAGE = 1,
    MOLD_SNAPSHOT_COMPLETE = 2 /* *out_sequence: of the first message that is not in it */
};

/* What comes next; the message stays valid until the next call. Never waits. -TBUS_ETRUNCATED: it
 * was cut off; -TBUS_EFORMAT: what ends it is no G of GLIMPSE; else as tbus_soup_next. */
int mold_snapshot_next(mold_snapshot_t *s, const uint8_t **out_message, size_t *out_bytes,
                       uint64_t *out_sequence, tbus_error_t *err);

/* Is it of that session of the line (MOLD_SESSION_BYTES), or of the one that glimpse_session=
 * names? So is one that does not say of which it is. Its sequence says nothing of another one. */
bool mold_snapshot_is_of(const mold_snapshot_t *s, const uint8_t *line_session);

/* The session that it says, or "". Valid as long as the snapshot. */
const char *mold_snapshot_session(const mold_snapshot_t *s);

void mold_snapshot_close(mold_snapshot_t *s); /* accepts NULL */

#ifdef __cplusplus
}
#endif
#endif
