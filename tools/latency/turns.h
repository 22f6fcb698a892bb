/* SPDX-License-Identifier: Apache-2.0 */
/* turns.h - `busctl latency --ab 'ARGS A' 'ARGS B'`: two pipelines in turns, A B B A A B ..., each
 * round judged by itself against its neighbour: the only comparison to trust on a noisy host.
 *
 *    round     1     2     3     4  ...         verdict.h: paired
 *    runs     A B   B A   A B   B A
 *
 * Each run is a pipeline of its own, started anew. Two that stay alive and take shorter turns would
 * differ less from turn to turn, and be told apart for the wrong reason: where memory lies differs
 * from start to start (a line that two CPUs hand over takes 330 to 490 ns, by its address), and a
 * comparison that starts each once finds that difference in a thing and itself.
 *
 * What it adds to the verdict:
 *
 *    a, b            the words of each side, as given
 *    not_kept_up     {a, b}: so many runs of each did not keep up with the schedule
 *    judged_rounds   {a[], b[]}: p99 that is judged, round by round, in ns; null: withheld. Also in
 *                    `untouched`
 *    floor           {a, b}: the floor of each side, of which a part is measured after each of its
 *                    runs, with ratios (report_floor.h); null: not measured
 */
#ifndef TICKBUS_TOOLS_LATENCY_TURNS_H
#define TICKBUS_TOOLS_LATENCY_TURNS_H

#include "tools/latency/options.h"

#define TURNS_ROUNDS     16u /* where nothing else is said */
#define TURNS_ROUNDS_MAX 99u

/* argv: what both have in common. A and B (o->a, o->b): what each has beside, words between blanks.
 * A run takes two seconds where --for says nothing else. Prints the verdict, and beside it the
 * floor of each side. Ended early by a signal, it judges the rounds that are whole. OUTCOME_OK
 * whatever the verdict. */
int turns_measure(int argc, char **argv, const latency_options_t *o);

#endif
