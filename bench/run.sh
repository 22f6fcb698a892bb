#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run.sh - builds the benches and runs them all, one after another; a machine that does nothing else
# gives the better figures.
#
#    ./bench/run.sh            some minutes
#    ./bench/run.sh --quick    seconds: only shows that they work
set -eu
cd "$(dirname "$0")/.."
. tools/setup.sh

quick=()
min_time=0.5
if [ "${1:-}" = --quick ]; then
    quick=(--quick)
    min_time=0.01
fi

setup_packages "${PACKAGES[@]}"
setup_packages_if_there "${PACKAGES_OPTIONAL[@]}"
setup_build release benches
setup_huge_pages

bin=build/release/bench
"$bin/bench_ring" --benchmark_min_time=$min_time
echo
"$bin/bench_report" "${quick[@]}"
echo
"$bin/bench_pipeline" "${quick[@]}"
echo
"$bin/bench_books" "${quick[@]}"
echo
"$bin/bench_books" --scale "${quick[@]}"
echo
"$bin/bench_journal" "${quick[@]}"
echo
"$bin/bench_journal_open" "${quick[@]}"
echo
"$bin/bench_synth" "${quick[@]}"
echo
"$bin/bench_mold_in" "${quick[@]}"
echo
"$bin/bench_gateway" "${quick[@]}"
echo
"$bin/bench_backfill" "${quick[@]}"
echo
"$bin/bench_fan_out" "${quick[@]}"
echo
"$bin/bench_mold_out" "${quick[@]}"
echo
"$bin/bench_bridge" "${quick[@]}"
echo
"$bin/bench_bridge_paused" "${quick[@]}"
echo
"$bin/bench_bad_sessions" "${quick[@]}"
echo
"$bin/bench_recorded" "${quick[@]}"
echo
"$bin/bench_self_cost" "${quick[@]}"
echo
"$bin/bench_tails" "${quick[@]}"
