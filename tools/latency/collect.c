/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/latency/collect.h"

#include <errno.h>
#include <stdlib.h>

typedef struct collect {
    const tbus_stamps_t *stamps;
    const stamp_clock_t *clock;
    samples_t *samples;
    collect_backward_t *backward;
} collect_t;

/* An answer that counts. */
typedef struct answer {
    uint32_t row; /* of the message that it answers */
    uint64_t sent;
    uint64_t at; /* its own row */
} answer_t;

/* As it was put there. */
static uint64_t raw(const collect_t *c, enum tbus_stamp column, uint64_t row)
{
    return row < c->stamps->rows[column] ? tbus_load_relaxed_u64(&c->stamps->columns[column][row])
                                         : 0;
}

/* In ns of CLOCK_MONOTONIC. */
static uint64_t stamp(const collect_t *c, enum tbus_stamp column, uint64_t row)
{
    uint64_t at = raw(c, column, row);
    return at ? stamp_clock_ns(c->clock, at) : 0;
}

/* From `before` to `after`; *after moves, if it lies before that. */
static uint64_t hop(const collect_t *c, uint64_t before, uint64_t *after)
{
    if (*after >= before)
        return *after - before;
    c->backward->count++;
    if (before - *after > c->backward->ns_max)
        c->backward->ns_max = before - *after;
    *after = before;
    return 0;
}

static uint64_t published_rows(const collect_t *c)
{
    uint64_t rows = 0, rows_max = c->stamps->rows[TBUS_STAMP_INTENDED];
    while (rows < rows_max && rows < SAMPLES_ROWS_MAX && raw(c, TBUS_STAMP_INTENDED, rows))
        rows++;
    return rows;
}

static void add(samples_t *s, enum sample_hop h, uint64_t row, uint64_t ns)
{
    sample_column_t *column = &s->hops[h];
    if (column->row)
        column->row[column->count] = (uint32_t)row;
    column->ns[column->count++] = ns;
}

static uint64_t count_of(const collect_t *c, enum tbus_stamp column, uint64_t rows)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < rows; i++)
        count += raw(c, column, i) != 0;
    return count;
}

/* How long after it was published another step was taken. */
static bool add_beside(const collect_t *c, enum sample_hop h, enum tbus_stamp column)
{
    samples_t *s = c->samples;
    uint64_t count = count_of(c, column, s->rows);
    if (!samples_reserve(s, h, count, count != s->rows))
        return false;
    for (uint64_t i = 0; i < s->rows; i++) {
        uint64_t at = stamp(c, column, i);
        if (at)
            add(s, h, i, hop(c, stamp(c, TBUS_STAMP_PUBLISHED, i), &at));
    }
    return true;
}

/* What was noted ends with the turn in which the message was taken, and that may be later. */
static uint64_t waited_ns(const collect_t *c, uint64_t row)
{
    const sample_column_t *seen = &c->samples->hops[HOP_SEEN];
    uint64_t waited = raw(c, TBUS_STAMP_WAITED, row), most = seen->ns[seen->count - 1];
    return waited < most ? waited : most;
}

static bool add_messages(const collect_t *c)
{
    samples_t *s = c->samples;
    uint64_t taken = count_of(c, TBUS_STAMP_TAKEN, s->rows);
    bool sparse = taken != s->rows;
    if (!samples_reserve(s, HOP_PUBLISH, s->rows, false) ||
        !samples_reserve(s, HOP_SEEN, taken, sparse) ||
        !samples_reserve(s, HOP_TICK_TO_SEEN, taken, sparse) ||
        !samples_reserve(s, HOP_WAIT_HORIZON, c->stamps->rows[TBUS_STAMP_WAITED] ? taken : 0,
                         sparse))
        return false;
    for (uint64_t i = 0; i < s->rows; i++) {
        uint64_t intended = raw(c, TBUS_STAMP_INTENDED, i);
        uint64_t published = stamp(c, TBUS_STAMP_PUBLISHED, i);
        uint64_t taken_at = stamp(c, TBUS_STAMP_TAKEN, i);
        s->intended_ns[i] = intended - s->start_ns;
        add(s, HOP_PUBLISH, i, hop(c, intended, &published));
        if (!taken_at)
            continue;
        add(s, HOP_SEEN, i, hop(c, published, &taken_at));
        add(s, HOP_TICK_TO_SEEN, i, taken_at - intended);
        if (c->stamps->rows[TBUS_STAMP_WAITED])
            add(s, HOP_WAIT_HORIZON, i, waited_ns(c, i));
    }
    return true;
}

static int by_row(const void *a, const void *b)
{
    const answer_t *x = a, *y = b;
    if (x->row != y->row)
        return x->row < y->row ? -1 : 1;
    return x->sent < y->sent ? -1 : x->sent > y->sent;
}

/* Does the answer in that row count, and of which message is it? */
static bool is_whole(const collect_t *c, uint64_t at, answer_t *out_answer)
{
    uint64_t first_seq = c->samples->first_seq, seq = raw(c, TBUS_STAMP_ANSWERS, at);
    if (seq < first_seq || seq - first_seq >= c->samples->rows)
        return false;
    for (int column = TBUS_STAMP_ANSWER_TAKEN; column <= TBUS_STAMP_REPORTED; column++)
        if (raw(c, (enum tbus_stamp)column, at) == 0)
            return false;
    *out_answer = (answer_t){
        .row = (uint32_t)(seq - first_seq), .sent = raw(c, TBUS_STAMP_SENT, at), .at = at};
    return true;
}

static uint64_t find_answers(const collect_t *c, answer_t **out_answers)
{
    uint64_t rows = c->stamps->rows[TBUS_STAMP_ANSWERS], count = 0;
    answer_t one;
    for (uint64_t at = 0; at < rows; at++)
        count += is_whole(c, at, &one);
    answer_t *answers = calloc(count ? count : 1, sizeof *answers);
    *out_answers = answers;
    if (!answers)
        return 0;
    count = 0;
    for (uint64_t at = 0; at < rows; at++)
        count += is_whole(c, at, &answers[count]);
    qsort(answers, count, sizeof *answers, by_row);
    return count;
}

/* Where another strategy than the first answered the message, that one's time is taken, so that the
 * hops add up. */
static void set_seen(samples_t *s, uint32_t row, uint64_t seen_ns, uint64_t total_ns)
{
    const sample_column_t *seen = &s->hops[HOP_SEEN];
    uint64_t low = 0, high = seen->count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (samples_row(s, HOP_SEEN, middle) < row)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == seen->count || samples_row(s, HOP_SEEN, low) != row)
        return;
    seen->ns[low] = seen_ns;
    s->hops[HOP_TICK_TO_SEEN].ns[low] = total_ns;
}

static void add_answer(const collect_t *c, const answer_t *answer)
{
    samples_t *s = c->samples;
    const uint64_t intended = raw(c, TBUS_STAMP_INTENDED, answer->row);
    uint64_t at[HOP_PATH] = {
        [HOP_PUBLISH] = stamp(c, TBUS_STAMP_PUBLISHED, answer->row),
        [HOP_SEEN] = stamp(c, TBUS_STAMP_ANSWER_TAKEN, answer->at),
        [HOP_DECIDE] = answer->sent,
        [HOP_RISK] = stamp(c, TBUS_STAMP_PASSED, answer->at),
        [HOP_EXECUTE] = raw(c, TBUS_STAMP_DONE, answer->at),
        [HOP_REPORT] = stamp(c, TBUS_STAMP_REPORTED, answer->at),
    };
    collect_backward_t seen_before = *c->backward; /* the first two are counted already */
    (void)hop(c, intended, &at[HOP_PUBLISH]);
    (void)hop(c, at[HOP_PUBLISH], &at[HOP_SEEN]);
    *c->backward = seen_before;
    set_seen(s, answer->row, at[HOP_SEEN] - at[HOP_PUBLISH], at[HOP_SEEN] - intended);
    for (int h = HOP_DECIDE; h < HOP_PATH; h++)
        add(s, (enum sample_hop)h, answer->row, hop(c, at[h - 1], &at[h]));
    add(s, HOP_TICK_TO_REPORT, answer->row, at[HOP_REPORT] - intended);
}

static bool add_answers(const collect_t *c)
{
    answer_t *answers;
    uint64_t count = find_answers(c, &answers);
    bool room = answers != NULL;
    for (int h = HOP_DECIDE; h < HOP_PATH; h++)
        room = room && samples_reserve(c->samples, (enum sample_hop)h, count, true);
    room = room && samples_reserve(c->samples, HOP_TICK_TO_REPORT, count, true);
    for (uint64_t i = 0; room && i < count; i++)
        if (i == 0 || answers[i].row != answers[i - 1].row)
            add_answer(c, &answers[i]);
    free(answers);
    return room;
}

int collect_samples(const tbus_stamps_t *stamps, const stamp_clock_t *clock, samples_t *out_samples,
                    collect_backward_t *out_backward, tbus_error_t *err)
{
    samples_t s = {0};
    collect_backward_t backward = {0};
    collect_t c = {.stamps = stamps, .clock = clock, .samples = &s, .backward = &backward};
    uint64_t rows = published_rows(&c);
    bool room = samples_create(rows, &s);
    s.rows = rows;
    s.first_seq = tbus_load_relaxed_u64(&stamps->shared->first_seq);
    s.start_ns = raw(&c, TBUS_STAMP_INTENDED, 0);
    room = room && add_messages(&c) && add_answers(&c);
    room = room && add_beside(&c, HOP_RECORD, TBUS_STAMP_RECORDED);
    room = room && add_beside(&c, HOP_GATEWAY, TBUS_STAMP_SERVED);
    if (!room) {
        samples_clear(&s);
        return tbus_fail(err, -ENOMEM, "no memory for the samples of %llu messages",
                         (unsigned long long)rows);
    }
    *out_samples = s;
    *out_backward = backward;
    return 0;
}
