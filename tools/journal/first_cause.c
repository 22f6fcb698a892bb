/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/journal/first_cause.h"

#include <string.h>

#include <tickbus/msg/order.h>
#include <tickbus/msg/report.h>

enum decided decided_of(const char *topic)
{
    static const char *const path[] = {"bbo", "orders", "judged", "approved", "reports"};
    _Static_assert(sizeof path / sizeof *path == DECIDED_OTHER, "in the order of the enum");
    unsigned i = 0;
    while (i < DECIDED_OTHER && strcmp(path[i], topic) != 0)
        i++;
    return (enum decided)i;
}

/* ---- what a message says of its causes */

static order_t order_in(const compare_message_t *m)
{
    order_t order;
    memcpy(&order, m->bytes, sizeof order);
    return order;
}

static report_t report_in(const compare_message_t *m)
{
    report_t report;
    memcpy(&report, m->bytes, sizeof report);
    return report;
}

/* Had its strategy taken the report that differs? */
static bool has_seen(const parting_t *order, const parting_t *report)
{
    for (unsigned side = 0; side < 2; side++) {
        const compare_message_t *mine = &order->what.sides[side];
        const compare_message_t *other = &report->what.sides[side];
        if (mine->there && other->there && order_in(mine).report_seq >= other->seq)
            return true;
    }
    return false;
}

static uint64_t sum(const uint64_t counts[PARTING_STRATEGIES])
{
    uint64_t all = 0;
    for (uint32_t i = 0; i < PARTING_STRATEGIES; i++)
        all += counts[i];
    return all;
}

/* How many messages of the strategies that `of` is about the report was made from, on `side`. */
static uint64_t answered(const parting_t *report, unsigned side, const parting_t *of,
                         const parting_counts_t *counts)
{
    uint32_t strategy = of->what.strategy;
    uint64_t before = of->of_one_strategy ? counts->answered[strategy] : sum(counts->answered);
    report_t said = report_in(&report->what.sides[side]);
    bool mine = !of->of_one_strategy || report_strategy(&said) == strategy;
    return before + (mine && (said.flags & (REPORT_ANSWER | REPORT_MORE)) != 0);
}

/* Had the executor taken that order, or judged order, when it reported? */
static bool answers(const parting_t *report, const parting_t *order, const parting_counts_t *counts)
{
    for (unsigned side = 0; side < 2; side++)
        if (report->what.sides[side].there &&
            answered(report, side, order, counts) >= order->what.place)
            return true;
    return false;
}

/* Had risk judged that order by then, or does it now? */
static bool judges(const parting_t *judged, const parting_t *order, const parting_counts_t *counts)
{
    uint32_t strategy = order->what.strategy;
    uint64_t before = order->of_one_strategy ? counts->judged[strategy] : sum(counts->judged);
    for (unsigned side = 0; side < 2; side++) {
        const compare_message_t *m = &judged->what.sides[side];
        if (!m->there)
            continue;
        order_t said = order_in(m);
        bool mine = !order->of_one_strategy || order_strategy(&said) == strategy;
        if (before + mine >= order->what.place)
            return true;
    }
    return false;
}

/* ---- which of two came of the other */

static bool comes_of_report(const parting_t *x, const parting_t *report,
                            const parting_counts_t *counts)
{
    if (x->decided == DECIDED_ORDERS)
        return has_seen(x, report);
    if (x->decided == DECIDED_JUDGED)
        return !answers(report, x, counts);
    return report->at_ns <= x->at_ns;
}

static bool comes_of_order(const parting_t *x, const parting_t *order,
                           const parting_counts_t *counts)
{
    if (x->decided == DECIDED_JUDGED)
        return judges(x, order, counts);
    if (x->decided == DECIDED_REPORTS)
        return answers(x, order, counts);
    return x->decided != DECIDED_ORDERS && order->at_ns <= x->at_ns;
}

static bool comes_of_judged(const parting_t *x, const parting_t *judged,
                            const parting_counts_t *counts)
{
    if (x->decided == DECIDED_REPORTS)
        return answers(x, judged, counts);
    return x->decided == DECIDED_APPROVED ||
           (x->decided == DECIDED_OTHER && judged->at_ns <= x->at_ns);
}

/* May x differ because y does? */
static bool comes_of(const parting_t *x, const parting_t *y, const parting_counts_t *counts)
{
    switch (y->decided) {
    case DECIDED_BBO: /* it shows that the books differ, from there on */
        return x->decided != DECIDED_BBO && y->at_ns <= x->at_ns;
    case DECIDED_ORDERS:
        return comes_of_order(x, y, counts);
    case DECIDED_JUDGED:
        return comes_of_judged(x, y, counts);
    case DECIDED_REPORTS:
        return x->decided != DECIDED_BBO && comes_of_report(x, y, counts);
    default: /* nobody decides by these */
        return false;
    }
}

/* ---- the first */

static unsigned rank(enum decided decided)
{
    static const uint8_t ranks[DECIDED_COUNT] = {
        [DECIDED_BBO] = 0,    [DECIDED_REPORTS] = 1,  [DECIDED_ORDERS] = 2,
        [DECIDED_JUDGED] = 3, [DECIDED_APPROVED] = 4, [DECIDED_OTHER] = 5,
    };
    return ranks[decided];
}

static bool is_before(const parting_t *a, const parting_t *b)
{
    if (a->at_ns != b->at_ns)
        return a->at_ns < b->at_ns;
    if (a->decided != b->decided)
        return rank(a->decided) < rank(b->decided);
    int names = strcmp(a->what.topic, b->what.topic);
    return names != 0 ? names < 0 : a->what.strategy < b->what.strategy;
}

static bool is_effect(const parting_t *partings, uint32_t count, uint32_t index,
                      const parting_counts_t *counts)
{
    for (uint32_t i = 0; i < count; i++)
        if (i != index && comes_of(&partings[index], &partings[i], counts))
            return true;
    return false;
}

uint32_t first_cause(const parting_t *partings, uint32_t count, const parting_counts_t *counts)
{
    uint32_t found = count, earliest = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (is_before(&partings[i], &partings[earliest]))
            earliest = i;
        if (!is_effect(partings, count, i, counts) &&
            (found == count || is_before(&partings[i], &partings[found])))
            found = i;
    }
    /* Messages that nobody sends may be effects of one another in a circle. */
    return found < count ? found : earliest;
}
