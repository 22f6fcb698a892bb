/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/journal/durable.h"

void tbus_journal_durable_init(tbus_journal_durable_t *d, uint32_t topics_count,
                               tbus_atomic_u64_t *const *places)
{
    *d = (tbus_journal_durable_t){
        .segment = 1, .position = TBUS_JOURNAL_HEADER_BYTES, .topics_count = topics_count};
    for (uint32_t i = 0; i < topics_count; i++) {
        d->seqs[i] = places[i] ? places[i] : &d->own[i];
        tbus_store_relaxed_u64(d->seqs[i], 0);
    }
}

bool tbus_journal_durable_look(const tbus_journal_durable_t *d, const tbus_journal_file_t *file,
                               tbus_journal_stretch_t *out_stretch)
{
    uint64_t at = file->number == d->segment ? d->position : TBUS_JOURNAL_HEADER_BYTES;
    tbus_journal_stretch_t found = {.segment = file->number,
                                    .from = at > TBUS_JOURNAL_HEADER_BYTES ? at : 0};
    while (at + TBUS_JOURNAL_RECORD_HEADER <= file->bytes) {
        const tbus_journal_record_header_t *record =
            (const tbus_journal_record_header_t *)(const void *)(file->base + at);
        /* J4: else we name the sequence of whatever was to become a record here. */
        uint64_t length = tbus_journal_padded(tbus_load_acquire_u32(&record->length));
        if (length < TBUS_JOURNAL_RECORD_HEADER || length > file->bytes - at)
            break;
        if (record->topic < d->topics_count)
            found.seqs[record->topic] = record->seq;
        at += length;
    }
    found.to = at;
    *out_stretch = found;
    return at > (found.from ? found.from : TBUS_JOURNAL_HEADER_BYTES);
}

void tbus_journal_durable_take(tbus_journal_durable_t *d, const tbus_journal_stretch_t *stretch)
{
    if (d->frozen)
        return;
    d->segment = stretch->segment;
    d->position = stretch->to;
    for (uint32_t i = 0; i < d->topics_count; i++)
        if (stretch->seqs[i])
            tbus_store_relaxed_u64(d->seqs[i], stretch->seqs[i]);
}

void tbus_journal_durable_pass(tbus_journal_durable_t *d, uint32_t segment)
{
    if (d->frozen || segment < d->segment)
        return;
    d->segment = segment + 1;
    d->position = TBUS_JOURNAL_HEADER_BYTES;
}
