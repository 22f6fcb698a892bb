/* SPDX-License-Identifier: Apache-2.0 */
/* The chain of seals: what somebody changes who knows the format, and makes every CRC right again,
 * is found, and the place is named.
 *
 * What it cannot find by itself, and what tells it then: who seals everything anew from some
 * segment to the last has another SHA-256 for the whole; who takes the seals off the last segments
 * has fewer sealed ones.
 *
 * CHAIN_EDITS: how many (10000); TICKBUS_SEED: which. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <inttypes.h>
#include <unistd.h>

#include "bus/journal/format.h"
#include "bus/journal/seal.h"
#include "tests/unit/journal_messages.h"
#include "tests/unit/journal_scratch.h"
#include "tools/journal/check.h"

#define SEGMENTS    4u
#define MESSAGES    1100u
#define PIECES_MAX  600u
#define EDITS_QUICK 500u

/* --- segments as bytes --- */

typedef struct image {
    size_t bytes;
    uint8_t data[SMALL_SEGMENT];
} image_t;

static image_t ours[SEGMENTS], others[SEGMENTS]; /* as they were recorded: two sessions */

static void load(const char *directory, uint32_t number, image_t *out_image)
{
    char path[PATH_BYTES + 16];
    segment_path(directory, number, path);
    char *data = file_read(path, &out_image->bytes);
    assert_non_null(data);
    assert_true(out_image->bytes <= SMALL_SEGMENT);
    memcpy(out_image->data, data, out_image->bytes);
    free(data);
}

static void store(const char *directory, uint32_t number, const image_t *image)
{
    char path[PATH_BYTES + 16];
    segment_path(directory, number, path);
    assert_true(file_write(path, image->data, image->bytes));
}

static tbus_journal_header_t header_of(const image_t *image)
{
    tbus_journal_header_t header;
    memcpy(&header, image->data, sizeof header);
    return header;
}

static uint32_t length_at(const image_t *image, size_t at)
{
    uint32_t length;
    memcpy(&length, image->data + at, sizeof length);
    return length;
}

/* Every CRC of the segment, those of its records among them. */
static void make_crcs_right(image_t *image)
{
    tbus_journal_header_t header = header_of(image), copy = header;
    uint32_t seed = tbus_journal_seed(header.session_id, header.segment);
    header.header_crc32c = tbus_journal_header_crc(&copy);
    tbus_store_relaxed_u64(&header.closed, tbus_journal_closed_word(seed, (uint32_t)image->bytes));
    if (header.seal.kind)
        header.seal.crc32c = tbus_journal_seal_crc(seed, &header.seal);
    if (tbus_load_relaxed_u64(&header.session_end))
        tbus_store_relaxed_u64(&header.session_end,
                               tbus_journal_session_end_word(seed, TBUS_JOURNAL_SESSION_CLOSED, 0));
    memcpy(image->data, &header, sizeof header);
    for (size_t at = TBUS_JOURNAL_HEADER_BYTES; at < image->bytes;) {
        uint32_t length = length_at(image, at);
        uint32_t crc = tbus_journal_record_crc(seed, at, length, image->data + at);
        memcpy(image->data + at + 4, &crc, sizeof crc);
        at += tbus_journal_padded(length);
    }
}

/* Seal it anew, behind `previous`. */
static void seal_again(image_t *image, const uint8_t previous[32])
{
    tbus_journal_header_t header = header_of(image);
    memcpy(header.seal.previous, previous, 32);
    memcpy(image->data, &header, sizeof header);
    make_crcs_right(image); /* the digest is over them */
    header = header_of(image);
    assert_true(tbus_journal_seal_memory(image->data, image->bytes, previous, NULL, NULL,
                                         header.seal.digest));
    memcpy(image->data, &header, sizeof header);
    make_crcs_right(image);
}

/* --- records as a list --- */

typedef struct pieces {
    unsigned count;
    struct {
        const uint8_t *from;
        size_t bytes;
    } of[PIECES_MAX];
} pieces_t;

static void cut_up(const image_t *image, pieces_t *out_pieces)
{
    out_pieces->count = 0;
    for (size_t at = TBUS_JOURNAL_HEADER_BYTES; at < image->bytes;) {
        size_t bytes = tbus_journal_padded(length_at(image, at));
        assert_true(out_pieces->count < PIECES_MAX);
        out_pieces->of[out_pieces->count].from = image->data + at;
        out_pieces->of[out_pieces->count++].bytes = bytes;
        at += bytes;
    }
}

/* Takes the header that is there. False: more than a segment holds, and all is as it was. */
static bool put_together(const pieces_t *pieces, image_t *image)
{
    static image_t made;
    made.bytes = TBUS_JOURNAL_HEADER_BYTES;
    memcpy(made.data, image->data, TBUS_JOURNAL_HEADER_BYTES);
    for (unsigned i = 0; i < pieces->count; i++) {
        if (made.bytes + pieces->of[i].bytes > sizeof made.data)
            return false;
        memcpy(made.data + made.bytes, pieces->of[i].from, pieces->of[i].bytes);
        made.bytes += pieces->of[i].bytes;
    }
    *image = made;
    return true;
}

static void take_out(pieces_t *pieces, unsigned i)
{
    memmove(&pieces->of[i], &pieces->of[i + 1], (--pieces->count - i) * sizeof pieces->of[0]);
}

static void put_in(pieces_t *pieces, unsigned i, const uint8_t *from, size_t bytes)
{
    memmove(&pieces->of[i + 1], &pieces->of[i], (pieces->count++ - i) * sizeof pieces->of[0]);
    pieces->of[i].from = from;
    pieces->of[i].bytes = bytes;
}

/* --- what somebody may do --- */

static uint64_t seed = 1;

static unsigned draw(unsigned below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)((seed >> 33) % below);
}

/* The journal as it is changed. `at`: the segment, from 0. Each returns false when what was drawn
 * changes nothing, or cannot be. */
typedef struct forgery {
    image_t image[SEGMENTS];
    bool touched[SEGMENTS];
    unsigned at;
} forgery_t;

static image_t *touch(forgery_t *f, unsigned at)
{
    f->touched[at] = true;
    return &f->image[at];
}

static const image_t *some_image(void)
{
    return draw(2) ? &ours[draw(SEGMENTS)] : &others[draw(SEGMENTS)];
}

static size_t some_record(const image_t *image)
{
    pieces_t pieces;
    cut_up(image, &pieces);
    return (size_t)(pieces.of[draw(pieces.count)].from - image->data);
}

static bool edit_payload(forgery_t *f)
{
    image_t *image = touch(f, f->at);
    size_t at = some_record(image);
    uint32_t bytes = length_at(image, at) - TBUS_JOURNAL_RECORD_HEADER;
    if (bytes == 0)
        return false;
    image->data[at + TBUS_JOURNAL_RECORD_HEADER + draw(bytes)] ^= (uint8_t)(1 + draw(255));
    return true;
}

static bool edit_header(forgery_t *f)
{
    image_t *image = touch(f, f->at);
    image->data[some_record(image) + 8 + draw(24)] ^= (uint8_t)(1u << draw(8));
    return true;
}

static bool drop_record(forgery_t *f)
{
    pieces_t pieces;
    cut_up(touch(f, f->at), &pieces);
    take_out(&pieces, draw(pieces.count));
    return put_together(&pieces, &f->image[f->at]);
}

static bool swap_records(forgery_t *f)
{
    pieces_t pieces;
    cut_up(touch(f, f->at), &pieces);
    unsigned a = draw(pieces.count), b = draw(pieces.count);
    if (a == b)
        return false;
    const uint8_t *from = pieces.of[a].from;
    size_t bytes = pieces.of[a].bytes;
    pieces.of[a].from = pieces.of[b].from;
    pieces.of[a].bytes = pieces.of[b].bytes;
    pieces.of[b].from = from;
    pieces.of[b].bytes = bytes;
    return put_together(&pieces, &f->image[f->at]);
}

/* A record from elsewhere, in place of one or of two, so that there is room. */
static bool splice_record(forgery_t *f)
{
    pieces_t pieces;
    const image_t *from = some_image();
    size_t at = some_record(from);
    cut_up(touch(f, f->at), &pieces);
    unsigned i = draw(pieces.count - 1);
    if (draw(2))
        take_out(&pieces, i);
    take_out(&pieces, i);
    put_in(&pieces, i, from->data + at, tbus_journal_padded(length_at(from, at)));
    return put_together(&pieces, &f->image[f->at]);
}

/* From the end of a segment to the beginning of the next, which says so. */
static bool move_record(forgery_t *f)
{
    pieces_t from, to;
    if (f->at == SEGMENTS - 1)
        return false;
    cut_up(touch(f, f->at), &from);
    cut_up(touch(f, f->at + 1), &to);
    take_out(&to, to.count - 1);
    put_in(&to, 0, from.of[from.count - 1].from, from.of[from.count - 1].bytes);
    from.count--;
    return put_together(&to, &f->image[f->at + 1]) && put_together(&from, &f->image[f->at]);
}

/* A stretch of the other session, with everything of its header that says so made ours. */
static bool take_the_others_segment(forgery_t *f)
{
    image_t *image = touch(f, f->at);
    tbus_journal_header_t header = header_of(image);
    header.seal = header_of(&others[f->at]).seal;
    *image = others[f->at];
    memcpy(image->data, &header, sizeof header);
    return true;
}

static bool exchange_segments(forgery_t *f)
{
    unsigned other = draw(SEGMENTS);
    if (other == f->at)
        return false;
    tbus_journal_header_t here = header_of(touch(f, f->at)), there = header_of(touch(f, other));
    image_t kept = f->image[f->at];
    f->image[f->at] = f->image[other];
    f->image[other] = kept;
    if (draw(2)) { /* each with its own seal */
        tbus_journal_seal_t seal = here.seal;
        here.seal = there.seal;
        there.seal = seal;
    }
    memcpy(f->image[f->at].data, &here, sizeof here);
    memcpy(f->image[other].data, &there, sizeof there);
    return true;
}

/* All but the last one: see above. */
static bool edit_and_seal_again(forgery_t *f)
{
    if (f->at == SEGMENTS - 1 || !edit_payload(f))
        return false;
    seal_again(&f->image[f->at], header_of(&ours[f->at]).seal.previous);
    return true;
}

static bool seal_behind_another(forgery_t *f)
{
    uint8_t previous[32];
    memcpy(previous, header_of(&ours[f->at]).seal.previous, sizeof previous);
    previous[draw(32)] ^= (uint8_t)(1 + draw(255));
    seal_again(touch(f, f->at), previous);
    return true;
}

static bool take_a_seal_off(forgery_t *f)
{
    image_t *image = touch(f, f->at);
    if (f->at == SEGMENTS - 1)
        return false;
    memset(image->data + offsetof(tbus_journal_header_t, seal), 0, sizeof(tbus_journal_seal_t));
    return true;
}

static bool edit_what_the_header_says(forgery_t *f)
{
    tbus_journal_header_t header = header_of(touch(f, f->at));
    if (draw(2))
        header.topics[draw(MESSAGE_TOPICS)].first_seq += 1 + draw(1000);
    else
        header.started_realtime_ns += 1 + draw(1000);
    memcpy(f->image[f->at].data, &header, sizeof header);
    return true;
}

static const struct {
    const char *name;
    bool (*make)(forgery_t *f);
    const char *says; /* of one place or another; NULL: that depends */
} kinds[] = {
    {"a payload", edit_payload, "its SHA-256 is not the one"},
    {"a record's header", edit_header, NULL},
    {"a record dropped", drop_record, NULL},
    {"two records swapped", swap_records, NULL},
    {"a record from elsewhere", splice_record, NULL},
    {"a record moved to the next segment", move_record, NULL},
    {"a segment of another session", take_the_others_segment, NULL},
    {"two segments exchanged", exchange_segments, NULL},
    {"a segment sealed again", edit_and_seal_again,
     "behind another segment than the one before it"},
    {"a segment sealed behind another one", seal_behind_another,
     "behind another segment than the one before it"},
    {"a seal taken off", take_a_seal_off, "and a segment before it is not"},
    {"a segment's header", edit_what_the_header_says, NULL},
};
#define KINDS (sizeof kinds / sizeof kinds[0])

/* What later headers say of how many records lie before them. */
static void make_counts_right(forgery_t *f)
{
    uint64_t records = 0;
    for (unsigned i = 0; i < SEGMENTS; i++) {
        pieces_t pieces;
        tbus_journal_header_t header = header_of(&f->image[i]);
        if (header.first_record != records) {
            header.first_record = records;
            memcpy(touch(f, i)->data, &header, sizeof header);
        }
        cut_up(&f->image[i], &pieces);
        records += pieces.count;
    }
}

/* --- is it found? --- */

typedef struct verdict {
    bool ok;
    uint32_t sealed;
    uint8_t digest[32];
    bool named[SEGMENTS + 1]; /* is there a place in segment n? */
    bool said;                /* the words that were looked for, of one of them */
} verdict_t;

static verdict_t verify(const char *directory, const char *words)
{
    check_t check;
    tbus_error_t err = {0};
    if (check_journal(directory, "checked", &check, &err) < 0)
        fail_msg("%s", err.text);
    verdict_t verdict = {.ok = check_ok(&check)};
    for (uint32_t i = 0; i < check.damage_count; i++)
        if (check.damage[i].segment <= SEGMENTS)
            verdict.named[check.damage[i].segment] = true;
    for (uint32_t i = 0; i < check.damage_count; i++)
        verdict.said |= !words || strstr(check.damage[i].what, words);
    if (check.reader)
        verdict.sealed = tbus_journal_reader_seals(check.reader, verdict.digest);
    check_clear(&check);
    return verdict;
}

/* A place that is named is in what was changed, or in what was sealed behind it. */
static void expect_found(const char *directory, const forgery_t *f, const char *name,
                         const char *says)
{
    verdict_t verdict = verify(directory, says);
    bool right = false;
    for (unsigned i = 0; i < SEGMENTS; i++)
        right |= verdict.named[i + 1] && (f->touched[i] || (i && f->touched[i - 1]));
    if (verdict.ok || !right)
        fail_msg("%s in segment %u was %s", name, f->at + 1,
                 verdict.ok ? "not found" : "looked for in others");
    if (!verdict.said)
        fail_msg("%s in segment %u is not said: '%s'", name, f->at + 1, says);
}

/* The same topics and sequences, and other payloads. */
static void write_another(const char *directory)
{
    tbus_journal_writer_t *w = begin_journal(directory, SMALL_SEGMENT);
    for (uint64_t i = 0; i < MESSAGES; i++) {
        uint8_t payload[304];
        message_t m = message_at(i);
        fill_payload(i + 1, m.bytes, payload);
        assert_int_equal(tbus_journal_writer_append(w, m.topic, m.seq, m.time_ns, payload, m.bytes),
                         0);
    }
    assert_int_equal(tbus_journal_writer_close(w, NULL), 0);
}

static void write_both(const scratch_t *s)
{
    write_messages(s->journal, SMALL_SEGMENT, MESSAGES);
    write_another(s->other);
    for (unsigned i = 0; i < SEGMENTS; i++) {
        load(s->journal, i + 1, &ours[i]);
        load(s->other, i + 1, &others[i]);
    }
    verdict_t verdict = verify(s->journal, NULL);
    assert_true(verdict.ok);
    assert_int_equal(verdict.sealed, SEGMENTS);
}

/* With every CRC right. False: nothing is changed, as when a record was put in its own place. */
static bool store_changed(const char *directory, forgery_t *f)
{
    bool changed = false;
    for (unsigned k = 0; k < SEGMENTS; k++) {
        if (!f->touched[k])
            continue;
        make_crcs_right(&f->image[k]);
        changed |= f->image[k].bytes != ours[k].bytes ||
                   memcmp(f->image[k].data, ours[k].data, ours[k].bytes) != 0;
        store(directory, k + 1, &f->image[k]);
    }
    return changed;
}

static void whatever_is_changed_is_found_though_every_crc_is_right_again(void **state)
{
    const scratch_t *s = *state;
    static forgery_t f;
    static unsigned made[KINDS];
    const char *edits_text = getenv("CHAIN_EDITS"), *seed_text = getenv("TICKBUS_SEED");
    unsigned edits = edits_text ? (unsigned)strtoul(edits_text, NULL, 10) : EDITS_QUICK;
    seed = seed_text ? strtoull(seed_text, NULL, 10) : 1;
    write_both(s);
    for (unsigned i = 0; i < edits;) {
        unsigned kind = draw(KINDS);
        memcpy(f.image, ours, sizeof f.image);
        memset(f.touched, 0, sizeof f.touched);
        f.at = draw(SEGMENTS);
        if (!kinds[kind].make(&f))
            continue;
        if (draw(2))
            make_counts_right(&f);
        if (!store_changed(s->journal, &f))
            continue;
        expect_found(s->journal, &f, kinds[kind].name, kinds[kind].says);
        for (unsigned k = 0; k < SEGMENTS; k++)
            if (f.touched[k])
                store(s->journal, k + 1, &ours[k]);
        made[kind]++;
        i++;
    }
    for (unsigned kind = 0; kind < KINDS; kind++) {
        printf("%u times %s\n", made[kind], kinds[kind].name);
        assert_true(made[kind] > 0);
    }
    assert_true(verify(s->journal, NULL).ok);
}

/* The chain has no key: this is what its last digest is for, which is told and can be kept. */
static void what_is_sealed_anew_to_the_end_has_another_digest(void **state)
{
    const scratch_t *s = *state;
    static forgery_t f;
    write_both(s);
    verdict_t before = verify(s->journal, NULL);
    for (f.at = 0; f.at < SEGMENTS; f.at++) {
        memcpy(f.image, ours, sizeof f.image);
        while (!edit_payload(&f)) {
        }
        for (unsigned k = f.at; k < SEGMENTS; k++) {
            static const uint8_t none[32];
            seal_again(&f.image[k], k ? header_of(&f.image[k - 1]).seal.digest : none);
            store(s->journal, k + 1, &f.image[k]);
        }
        verdict_t after = verify(s->journal, NULL);
        assert_true(after.ok);
        assert_int_equal(after.sealed, SEGMENTS);
        assert_memory_not_equal(after.digest, before.digest, sizeof after.digest);
        for (unsigned k = f.at; k < SEGMENTS; k++)
            store(s->journal, k + 1, &ours[k]);
    }
}

static void what_has_lost_its_last_seals_has_fewer_of_them(void **state)
{
    const scratch_t *s = *state;
    static image_t image;
    write_both(s);
    for (unsigned at = SEGMENTS; at-- > 0;) {
        image = ours[at];
        memset(image.data + offsetof(tbus_journal_header_t, seal), 0, sizeof(tbus_journal_seal_t));
        store(s->journal, at + 1, &image);
        verdict_t after = verify(s->journal, NULL);
        assert_true(after.ok);
        assert_int_equal(after.sealed, at);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, remove_scratch)
    const struct CMUnitTest tests[] = {
        TEST(whatever_is_changed_is_found_though_every_crc_is_right_again),
        TEST(what_is_sealed_anew_to_the_end_has_another_digest),
        TEST(what_has_lost_its_last_seals_has_fewer_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
