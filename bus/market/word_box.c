/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/market/word_box.h"

void word_box_put(word_box_t *box, const uint64_t words[WORD_BOX_WORDS])
{
    uint64_t version = tbus_load_relaxed_u64(&box->version);
    tbus_store_relaxed_u64(&box->version, version + 1);
    for (unsigned i = 0; i < WORD_BOX_WORDS; i++)
        /* B1 pairs B2: else a reader has a new figure, and not yet seen that the set is being
         * written. */
        tbus_store_release_u64(&box->words[i], words[i]);
    /* B3 pairs B4: else a reader sees the set complete, and has some of its figures still to
     * come. */
    tbus_store_release_u64(&box->version, version + 2);
}

bool word_box_take(const word_box_t *box, uint64_t *seen, uint64_t out_words[WORD_BOX_WORDS])
{
    uint64_t words[WORD_BOX_WORDS];
    uint64_t version = tbus_load_acquire_u64(&box->version); /* B4 pairs B3 (word_box_put) */
    if (TBUS_LIKELY(version == *seen) || version % 2)
        return false;
    for (unsigned i = 0; i < WORD_BOX_WORDS; i++)
        words[i] = tbus_load_acquire_u64(&box->words[i]); /* B2 pairs B1 (word_box_put) */
    if (tbus_load_relaxed_u64(&box->version) != version)
        return false;
    for (unsigned i = 0; i < WORD_BOX_WORDS; i++)
        out_words[i] = words[i];
    *seen = version;
    return true;
}
