/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/gateway/board.h"

void gateway_board_put(tbus_atomic_u64_t *version, tbus_atomic_u64_t *words, const uint64_t *from,
                       uint32_t count)
{
    uint64_t before =
        tbus_load_relaxed_u64(version) & ~UINT64_C(1); /* odd: its writer was killed */
    tbus_store_relaxed_u64(version, before + 1);
    for (uint32_t i = 0; i < count; i++)
        /* Z1 pairs Z2 (gateway_board_get): else a reader has a new word, and not yet seen that they
         * are being written. */
        tbus_store_release_u64(&words[i], from[i]);
    /* Z3 pairs Z4 (gateway_board_get): else a reader sees them complete, and has some still to
     * come. */
    tbus_store_release_u64(version, before + 2);
}
