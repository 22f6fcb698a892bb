#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# litmus.sh [FILE.litmus...] - the pairs of memory orders as small programs (tests/model/litmus), in the instructions that they become on
# Armv8, run by herd7 on Arm's own model of its memory. Each file says on its second line what must come out: Never, the damage that the pair
# is there to prevent cannot happen; or Sometimes, it can: an order is missing there, so that it is seen that the pair is needed.
#
# membarrier(2) is an interruption of the other process, with a fence, at some point of its program, and the wait for that: three files, one
# for each point.
#
# herd7 is part of herdtools7 (github.com/herd/herdtools7, or opam; Debian has no package). HERD7 names another one, with its options.
# Exit code 0: all as expected; 1: not; 77: there is no herd7.
set -u
litmus=$(cd "$(dirname "$0")" && pwd)/litmus
read -ra herd <<<"${HERD7:-herd7}"
command -v "${herd[0]}" >/dev/null || {
    echo "skipped: no herd7 here (herdtools7: opam install herdtools7)"
    exit 77
}
files=("$@")
[ $# -gt 0 ] || files=("$litmus"/*.litmus)
failed=0
for file in "${files[@]}"; do
    wanted=$(sed -n '2s/^"\(Never\|Sometimes\): .*/\1/p' "$file")
    told=$("${herd[@]}" "$file" 2>&1)
    got=$(sed -n 's/^Observation [^ ]* \(Never\|Sometimes\|Always\) .*/\1/p' <<<"$told")
    # Never is worth something only if every step of every process was looked at.
    executions=$(sed -n 's/^Observation [^ ]* [A-Za-z]* \([0-9]*\) \([0-9]*\)$/\1 of \1+\2/p' <<<"$told")
    if [ -z "$wanted" ] || [ "$got" != "$wanted" ]; then
        echo "FAILED     $(basename "$file"): expected ${wanted:-nothing, its second line does not say}, came ${got:-an error}"
        [ -n "$got" ] || echo "$told"
        failed=$((failed + 1))
    else
        printf '%-9s  %-26s %-12s %s\n' "$got" "$(basename "$file" .litmus)" "$executions" "$(sed -n '2s/^"[A-Za-z]*: \(.*\)"/\1/p' "$file")"
    fi
done
echo "${#files[@]} programs, $failed not as expected"
[ "$failed" -eq 0 ]
