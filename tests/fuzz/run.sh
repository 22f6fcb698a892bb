#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run.sh - lets libFuzzer look for inputs that break something, under ASan and UBSan, each target for a while.
#
#    tests/fuzz/run.sh              60 seconds each
#    tests/fuzz/run.sh 3600         an hour each
#    tests/fuzz/run.sh 60 live      one of them
#
# Corpora grow in build/fuzz/corpus/TARGET from one run to the next. What breaks something is left in build/fuzz/found/; again with
# build/fuzz/tests/fuzz_TARGET FILE. Exit code 0: nothing found; 1: something; 77: no clang with libFuzzer here.
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-60}
only=${2:-}

probe=$(mktemp -d)
trap 'rm -rf "$probe"' EXIT
echo 'int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { return d && n > 1000 ? 0 : 0; }' >"$probe/probe.c"
clang -fsanitize=fuzzer,address "$probe/probe.c" -o "$probe/probe" 2>"$probe/log" || {
    echo "skipped: clang with libFuzzer is not here (apt-get install clang libclang-rt-14-dev)"
    exit 77
}

build=${TICKBUS_FUZZ_BUILD:-build/fuzz}
cmake --preset fuzz -B "$build" >/dev/null
ninja --quiet -C "$build" fuzz_targets
mkdir -p "$build/found"
status=0
for program in "$build"/tests/fuzz_*; do
    [ -x "$program" ] && [ -f "$program" ] || continue
    target=${program##*/fuzz_}
    [ -z "$only" ] || [ "$only" = "$target" ] || continue
    corpus=$build/corpus/$target
    mkdir -p "$corpus"
    "$build/tests/test_fuzz_$target" --seeds "$corpus"
    log=$build/$target.log
    if "$program" "$corpus" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 -max_len=16384 \
        -artifact_prefix="$build/found/$target-" -print_final_stats=1 >"$log" 2>&1; then
        verdict=ok
    else
        verdict=FOUND
        status=1
        tail -n 40 "$log"
    fi
    printf '%-6s %-12s %12s executions, %5s inputs kept, coverage %s\n' "$verdict" "$target" \
        "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" "$(find "$corpus" -type f | wc -l)" \
        "$(grep -oE 'cov: [0-9]+' "$log" | tail -n 1)"
done
exit $status
