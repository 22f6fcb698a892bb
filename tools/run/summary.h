/* SPDX-License-Identifier: Apache-2.0 */
/* summary.h - what a run has done: one JSON object, and the same for people.
 *
 * `busctl start --json` prints the object at the end, `busctl status --json` at any time; without
 * --json both print it as text. Everything in it comes from the shared memory of the bus, so that
 * it is there whatever became of the stages.
 *
 *    name state source pace duration_s
 *    schema version command host            tools/measure/provenance.h
 *    machine     steal_share involuntary_switches load busy; null until the run has ended
 *    feed        messages bytes errors by_type.{A,...}; `bytes` are the messages' own: the two
 *                bytes of length that BinaryFILE puts before each are not among them; ended: it had
 *                no more, and is not over because --for was
 *                lines[] requests received faults: of MoldUDP64, tools/run/lines_shown.h
 *                while it runs, else null: progress (0 to 1, of the input or of --for), left_s, and
 *                in a gap of a paced feed next_in_s and next_at, when the next message is due
 *    topics      NAME.{type,kind,slots,left_out,published,tombs,in_doubt,redelivered}; left_out:
 *                nobody could read it so far, and its messages are left out
 *                NAME.subscribers[].{name,role,consumed,lag,lost,tombs}
 *    orders      sent cancels_sent accepted rejected partial filled cancelled cancels_rejected
 *                broken (executions taken back)
 *    books       symbols live_orders live_orders_max unknown_order_refs unknown_order_refs_by_type
 *                executed_shares bbo_changes over_reductions duplicate_adds malformed foreign_adds
 *                foreign_locates non_printable_shares trade_shares cross_shares: market_stats_t of
 *                tickbus/market/market.h. Volume is executed_shares - non_printable_shares +
 *                trade_shares + cross_shares
 *    risk        orders cancels passed rejects.{REASON: count} report_mismatches limits_changes
 *                strategies_reducing (how many have reached loss limits of their own)
 *                state: "active"; "reducing": the loss limit was reached, or an operator has said
 *                so: closing orders and cancels pass alone until `busctl resume`; "halted"
 *                (risk/gate.h)
 *                halted (is the kill switch thrown?) halt_reason (null: there is none)
 *                halt (null: not thrown) {since_ns (CLOCK_REALTIME) by uid pid answered (by the
 *                executor?) cancelled unconfirmed (orders that may still rest)}
 *                reducing, reduce_reason, reduce {since_ns by uid pid}: of the reduction, likewise;
 *                it may be thrown under a halt
 *                strategies_latched.SECTION.{since_ns by uid pid reason}: strategies that have
 *                reached loss limits of their own, by where those stand in the configuration. What
 *                was thrown in an earlier run and still holds has the time and the process of then
 *    executor    orders executions executed_shares open_orders broken (executions of these that
 *                were taken back)
 *    journal     directory records bytes (null when nothing is recorded)
 *                missed (messages left out because the disk was full) no_room (1: it is now)
 *                durable.{TOPIC: last sequence that is on the disk, 0: none}
 *                durable_lag.{TOPIC: messages that were published and are not known to be there}
 *                late (is it, by journal.lag_max_ms?) late_ms late_ms_max late_times: by how much
 *                now and at most, and how often
 *    positions   {SYMBOL: shares}, all strategies together
 *    pnl_e4      realised unrealised; gross: their sum, total: the same; fees (negative: more was
 *                received than paid); net: gross less fees; drawdown: how far net has been below
 *                its highest at most (bus/market/profit.h)
 *    symbols     NAME.{position,realised_e4,unrealised_e4,fees_e4,mark_px_e4,mark_by,volume,
 *                fills_added,fills_taken} of each that ever executed. position: shares; mark_px_e4:
 *                what they are valued at, 0: there are none; mark_by: "bid", "ask", "last_trade" or
 *                "entry" (bus/market/marks.h), null: there are none; both are null where several
 *                strategies differ; volume: shares bought and sold; fills: executions that added
 *                liquidity, that took it
 *    symbols_left_out  how many are missing there: the bus has no room for more such counters
 *    strategies  NAME.{orders,positions,pnl_e4,symbols} of each, as above
 *    digests     TOPIC: 16 hex digits for all that was on it so far, in the order of the stream and
 *                without the host's times (bus/msg/digest.h), of orders, approved, reports and bbo
 *                (with those that were left out); orders: those of all strategies, each in its own
 *                order, joined in the order of their numbers. Equal digests: equal decisions
 *    venue       clock ("market" or "host": then results depend on the host, and a note says so)
 *                latency.{entry,cancel,response} (as configured) seed
 *    latency_ns  NAME.{p50,p99,p99_9,max,count}, of all strategies together, from the time at which
 *                the tick that is answered was meant to go out:
 *                tick_to_order    to a new order
 *                tick_to_requote  to an order that follows the answer to an earlier message
 *                tick_to_cancel   to a cancel
 *                tick_to_report   to the executor's answer to any of these
 *                wait_horizon     how long each tick waited until the executor had passed the time
 *                                 up to which it could still report, 0 for most: a part of the
 *                                 above. Also `ticks`, how many waited, and `share`, of all
 *    layout      "split" or "fused"
 *    pages       {TOPIC: "hugetlb-2M"...}
 *    processes[] stages pid cpu wait parks
 *                stalled: null, or of a process that stands still {how,for_s,holds_up[]}, where how
 *                is stopped, asleep or busy (stall.h) and holds_up is what waits for it:
 *                {topic,subscriber,behind}, or {topic,claimed} for messages claimed and not
 *                committed
 *    stages[]    name process state hot_allocations reason
 *    participants[]  name pid publishes[] subscribes[]: those that joined from outside
 *    counters_refused, histograms_refused
 *                how often a stage asked for one and the bus had no room for it, or its name was
 *                too long: such figures are missing above. 0: all is well
 *    notes[]     one sentence each: what is no error and should be known, as that a replayed
 *                journal was torn
 *    errors[]    one sentence each; empty: all is well
 *
 * Of a bus without stages (`busctl bus`) there are name, state, duration_s, topics, pages,
 * participants, notes and errors.
 *
 * `lag` is what a subscriber has not taken yet while the run goes on. `lost` is what it will never
 * take: known when the run has ended, 0 until then. `tombs` are sequences that were claimed and
 * never became a message.
 */
#ifndef TICKBUS_TOOLS_RUN_SUMMARY_H
#define TICKBUS_TOOLS_RUN_SUMMARY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include <tickbus/bus.h>

#include "bus/market/session.h"
#include "tools/measure/noise.h"
#include "tools/run/layout.h"
#include "tools/run/stall.h"

#define SUMMARY_ERRORS_MAX 8u
#define SUMMARY_NOTES_MAX  8u
#define SUMMARY_ERROR_MAX  640u

/* A process that stands still. */
typedef struct summary_stall {
    enum stall_how how; /* STALL_NONE: it does not */
    uint64_t since_ns;  /* CLOCK_MONOTONIC */
} summary_stall_t;

/* Of the recording (lateness.h). */
typedef struct summary_late {
    bool now;
    uint64_t behind_ms; /* now */
    uint64_t behind_ms_max;
    uint64_t times;
} summary_late_t;

/* What the supervisor knows beside the bus. */
typedef struct summary_run {
    const char *state;  /* "starting", "running", "holding", "stopping", "ended" */
    const char *source; /* feed.source */
    const char *pace;
    const char *journal;           /* its directory, "": none */
    const session_values_t *venue; /* NULL: no stage goes there */
    /* from the start of the feed until now, or until everything was drained */
    uint64_t duration_ns;
    uint64_t for_ns; /* how long the sources may go on; 0: as long as their input */
    const layout_t *layout;
    noise_t noise;                              /* known when the run has ended */
    summary_stall_t stalls[TBUS_INSTANCES_MAX]; /* of the layout's processes */
    summary_late_t late;
    uint32_t restarts[TBUS_INSTANCES_MAX]; /* likewise: how often started again */
    uint32_t errors_count;
    char errors[SUMMARY_ERRORS_MAX][SUMMARY_ERROR_MAX];
    uint32_t notes_count;
    char notes[SUMMARY_NOTES_MAX][SUMMARY_ERROR_MAX];
} summary_run_t;

/* Keep an error or a note for the summary; more than fit are dropped, the first ones say what
 * happened. */
void summary_add_error(summary_run_t *run, const char *text);
void summary_add_note(summary_run_t *run, const char *text);

/* A new reference, NULL: no memory. */
json_t *summary_build(const tbus_bus_t *bus, const summary_run_t *run);

/* The object as JSON, over several lines. 0, or -1: the stream takes no more. */
int summary_print_json(const json_t *summary, FILE *out);

/* The object above as text; keys that are missing are left out. */
void summary_print(const json_t *summary, FILE *out);

#endif
