/* SPDX-License-Identifier: Apache-2.0 */
#include "risk/gate_parts.h"

#include <errno.h>
#include <stdlib.h>

#include <tickbus/msg/event.h>

#include "risk/table.h"

#define STRATEGIES 65536u

static size_t scope_footprint(const risk_limits_t *limits)
{
    return rate_footprint(limits->orders_per_second) + rate_footprint(limits->messages_per_second) +
           exposure_footprint(limits->open_orders_max);
}

size_t gate_footprint(const risk_limits_t *limits)
{
    return sizeof(gate_t) + STRATEGIES * sizeof(*((gate_t *)0)->last_count) +
           scope_footprint(limits);
}

/* As large as the bus as a whole may ever need: a strategy's own limits may change below that. */
static bool scope_create(scope_t *scope, const risk_limits_t *limits, const market_t *market,
                         const marks_t *marks)
{
    bool rates = rate_create(&scope->orders, limits->orders_per_second);
    rates = rate_create(&scope->messages, limits->messages_per_second) && rates;
    return exposure_create(&scope->exposure, market, marks, limits->open_orders_max) && rates;
}

static void scope_destroy(scope_t *scope)
{
    exposure_destroy(&scope->exposure);
    rate_destroy(&scope->orders);
    rate_destroy(&scope->messages);
}

/* Those that have limits of their own. */
static bool create_own(gate_t *g, const gate_rules_t *rules)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < rules->strategies_count; i++)
        count += strategy_limits_any(&rules->strategies[i].limits);
    if (count == 0)
        return true;
    g->own = table_create(count, sizeof *g->own);
    for (uint32_t i = 0; g->own && i < rules->strategies_count; i++) {
        const risk_strategy_t *strategy = &rules->strategies[i];
        if (!strategy_limits_any(&strategy->limits))
            continue;
        own_t *own = &g->own[g->own_count++];
        own->number = strategy->number;
        own->limits = strategy->limits;
        if (!scope_create(&own->scope, &g->limits, g->market, &rules->marks))
            return false;
    }
    g->held[0] = 1; /* what is of no symbol: days begin */
    return g->own;
}

const gate_rules_t gate_rules_default = {.marks = {.stub_bps = 5000},
                                         .self_match = SELF_MATCH_CANCEL_NEWEST};

int gate_create(const risk_limits_t *limits, const gate_rules_t *rules, const market_t *market,
                gate_t **out_gate, tbus_error_t *err)
{
    if (!rules)
        rules = &gate_rules_default;
    int code = risk_limits_check(limits, err);
    if (code != 0)
        return code;
    gate_t *g = table_create(1, sizeof *g);
    if (!g)
        return tbus_fail(err, -ENOMEM, "no memory for the risk gate");
    g->limits = *limits;
    g->first_limits = *limits;
    g->market = market;
    g->last_count = table_create(STRATEGIES, sizeof *g->last_count);
    g->self_match = rules->self_match;
    bool made = scope_create(&g->all, limits, market, &rules->marks);
    if (!made || !g->last_count || !create_own(g, rules)) {
        gate_destroy(g);
        return tbus_fail(
            err, -ENOMEM,
            "no memory for the tables of the risk gate; lower risk.open_orders_max (%u) or "
            "risk.orders_per_second (%u) and risk.messages_per_second (%u)",
            limits->open_orders_max, limits->orders_per_second, limits->messages_per_second);
    }
    *out_gate = g;
    return 0;
}

void gate_destroy(gate_t *g)
{
    if (!g)
        return;
    scope_destroy(&g->all);
    for (uint32_t i = 0; i < g->own_count; i++)
        scope_destroy(&g->own[i].scope);
    free(g->own);
    free(g->last_count);
    free(g);
}

bool gate_set_limits(gate_t *g, const risk_limits_t *limits)
{
    if (risk_limits_check_change(&g->first_limits, limits, NULL) < 0)
        return false;
    g->limits = *limits;
    return true;
}

bool gate_set_strategy_limits(gate_t *g, uint32_t strategy, const strategy_limits_t *limits)
{
    own_t *own = own_of(g, strategy);
    if (own)
        own->limits = *limits;
    return own != NULL;
}

bool gate_set_all_limits(gate_t *g, const risk_limit_set_t *set)
{
    if (!gate_set_limits(g, &set->bus))
        return false;
    for (uint32_t i = 0; i < set->strategies_count; i++)
        (void)gate_set_strategy_limits(g, set->strategies[i].number, &set->strategies[i].limits);
    return true;
}

void gate_kill(gate_t *g, bool killed)
{
    g->killed = killed;
}

void gate_reduce(gate_t *g, bool reducing)
{
    g->reducing = reducing;
}

void gate_rearm(gate_t *g)
{
    g->all.loss_latched = false;
    for (uint32_t i = 0; i < g->own_count; i++)
        g->own[i].scope.loss_latched = false;
    g->rearmed = true;
}

void gate_act(gate_t *g, uint8_t kind)
{
    bool resumes = kind == EVENT_RESUME;
    gate_kill(g, kind == EVENT_HALT || (g->killed && !resumes));
    gate_reduce(g, kind == EVENT_REDUCE || (g->reducing && !resumes));
    if (resumes)
        gate_rearm(g);
}

enum gate_state gate_state(const gate_t *g)
{
    if (g->killed)
        return GATE_HALTED;
    return g->reducing || g->all.loss_latched ? GATE_REDUCING : GATE_ACTIVE;
}

bool gate_loss_latched(const gate_t *g)
{
    return g->all.loss_latched;
}

uint32_t gate_strategies_latched(const gate_t *g)
{
    uint32_t latched = 0;
    for (uint32_t i = 0; i < g->own_count; i++)
        if (g->own[i].scope.loss_latched && g->own[i].number < 32)
            latched |= UINT32_C(1) << g->own[i].number;
    return latched;
}

bool gate_latch_strategy(gate_t *g, uint32_t strategy)
{
    own_t *own = own_of(g, strategy);
    if (own)
        own->scope.loss_latched = true;
    return own != NULL;
}

void gate_strategy_loss_e4(const gate_t *g, uint32_t strategy, int64_t *out_loss_e4,
                           uint64_t *out_limit_e4)
{
    const own_t *own = own_of(g, strategy);
    *out_loss_e4 = profit_e4(own->scope.loss_worst);
    *out_limit_e4 = own->limits.loss_max_e4;
}

int64_t gate_loss_e4(const gate_t *g)
{
    return profit_e4(g->all.loss_worst);
}

const risk_limits_t *gate_limits(const gate_t *g)
{
    return &g->limits;
}

static void restart_rate(scope_t *scope)
{
    rate_restart(&scope->orders);
    rate_restart(&scope->messages);
}

void gate_restart_rate(gate_t *g)
{
    restart_rate(&g->all);
    for (uint32_t i = 0; i < g->own_count; i++)
        restart_rate(&g->own[i].scope);
}

/* ---- losses */

static void count_anew(scope_t *scope)
{
    scope->loss_from = profit_net(&scope->exposure.profit);
    scope->loss_worst = 0;
}

/* Reports do not count between a resume and the next input that is on record by its place: whoever
 * repeats a session knows behind which tick and order somebody resumed, not behind which report. */
void gate_count_losses_anew(gate_t *g)
{
    g->rearmed = false;
    count_anew(&g->all);
    for (uint32_t i = 0; i < g->own_count; i++)
        count_anew(&g->own[i].scope);
}

/* Once beyond the limit that was in force then, it stays so until gate_rearm. */
static inline void look_at_loss(scope_t *scope, uint64_t loss_max_e4)
{
    profit_money_t loss = scope->loss_from - profit_net(&scope->exposure.profit);
    if (loss <= scope->loss_worst)
        return;
    scope->loss_worst = loss;
    scope->loss_latched |= loss > (profit_money_t)loss_max_e4;
}

/* ---- reports and ticks */

const uint64_t *gate_concerns(const gate_t *g)
{
    return g->own_count != 0 ? g->held : g->all.exposure.held;
}

static inline bool is_concerned(const gate_t *g, uint16_t locate)
{
    return (gate_concerns(g)[locate / 64] >> (locate % 64) & 1) != 0;
}

/* One may be long of what another is short. */
static void know_held(gate_t *g, uint16_t locate)
{
    uint64_t bit = UINT64_C(1) << (locate % 64);
    bool any = exposure_is_held(&g->all.exposure, locate);
    for (uint32_t i = 0; i < g->own_count; i++)
        any |= exposure_is_held(&g->own[i].scope.exposure, locate);
    g->held[locate / 64] = any ? g->held[locate / 64] | bit : g->held[locate / 64] & ~bit;
}

static void on_own_report(gate_t *g, const report_t *report)
{
    own_t *own = own_of(g, report_strategy(report));
    if (own) {
        exposure_on_report(&own->scope.exposure, report);
        if (!g->rearmed)
            look_at_loss(&own->scope, own->limits.loss_max_e4);
    }
    know_held(g, report_locate(report));
}

void gate_on_report(gate_t *g, const report_t *report)
{
    report_t of_symbol = *report;
    of_symbol.locate = exposure_symbol_of(&g->all.exposure, report);
    exposure_on_report(&g->all.exposure, &of_symbol);
    if (TBUS_LIKELY(!g->rearmed))
        look_at_loss(&g->all, g->limits.loss_max_e4);
    if (TBUS_UNLIKELY(g->own_count != 0))
        on_own_report(g, &of_symbol);
}

void gate_on_market(gate_t *g, const market_event_t *event)
{
    if (TBUS_UNLIKELY(event->new_day))
        gate_restart_rate(g);
    if (TBUS_UNLIKELY(g->rearmed) && is_concerned(g, event->locate))
        gate_count_losses_anew(g);
    exposure_on_market(&g->all.exposure, event);
    if (TBUS_LIKELY(!g->rearmed))
        look_at_loss(&g->all, g->limits.loss_max_e4);
    for (uint32_t i = 0; i < g->own_count; i++) {
        exposure_on_market(&g->own[i].scope.exposure, event);
        if (!g->rearmed)
            look_at_loss(&g->own[i].scope, g->own[i].limits.loss_max_e4);
    }
}

/* ---- what it knows, for tests and tools */

gate_exposure_t gate_exposure(const gate_t *g, uint16_t locate)
{
    const exposure_symbol_t *s = &g->all.exposure.symbols[locate];
    return (gate_exposure_t){.position = s->holding.position,
                             .open_buy_qty = s->open_qty[0],
                             .open_sell_qty = s->open_qty[1],
                             .mark = s->holding.mark};
}

uint64_t gate_gross_notional_e4(const gate_t *g)
{
    return exposure_gross_e4(&g->all.exposure);
}

const profit_t *gate_profit(const gate_t *g)
{
    return &g->all.exposure.profit;
}

uint32_t gate_open_orders(const gate_t *g)
{
    return g->all.exposure.open_count;
}

uint64_t gate_report_mismatches(const gate_t *g)
{
    return g->all.exposure.report_mismatches;
}
