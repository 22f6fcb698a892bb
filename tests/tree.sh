#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tree.sh - the source tree itself: nothing at the top that does not belong there, no market data and nothing else that is large or binary,
# nothing left open, a licence line in every file. Looks at what git would commit, or at all files where there is no git.
set -u
cd "$(dirname "$0")/.." || exit 1
wrong=0
complain()
{
    echo "$*" >&2
    wrong=$((wrong + 1))
}

if git rev-parse --show-toplevel >/dev/null 2>&1; then
    mapfile -t files < <(git ls-files --cached --others --exclude-standard | while IFS= read -r f; do [ -e "$f" ] && echo "$f"; done)
else
    mapfile -t files < <(find . -path ./build -prune -o -path ./.git -prune -o -type f -printf '%P\n')
fi
[ ${#files[@]} -gt 40 ] || complain "found only ${#files[@]} files: wrong directory?"

for top in $(printf '%s\n' "${files[@]}" | cut -d/ -f1 | sort -u); do
    case $top in
    .* | CMakeLists.txt | CMakePresets.json | LICENSE | README.md | CHANGELOG.md) ;;
    bus | feedsim | strategy | risk | tools | bench | tests) ;;
    *) complain "$top: does not belong at the top of the tree" ;;
    esac
done

texts=()
while read -r bytes file; do
    [ "$bytes" -le 131072 ] || complain "$file: $bytes bytes; market data and other large files are not committed"
    case $file in
    tests/golden/journal-[0-9]/*.tbj) ;; # one small session in each format, kept for ever
    *.itch | *.pcap | *.pcapng | *.gz | *.zst | *.xz | *.zip | *.dbn | *.tbj | *.o | *.a) complain "$file: data and binaries are not committed" ;;
    *.c | *.h | *.cc | *.sh | *.awk | *.pl | *CMakeLists.txt | .ci/run) texts+=("$file") ;;
    esac
done < <(stat -c '%s %n' "${files[@]}")
while IFS= read -r file; do
    complain "$file: no licence line at its top"
done < <(awk 'FNR == 1 { if (NR > 1 && !licensed) print name; name = FILENAME; licensed = 0 }
    FNR <= 3 && /SPDX-License-Identifier: Apache-2.0/ { licensed = 1 }
    END { if (!licensed) print name }' "${texts[@]}")
# (spelt apart, so that this file does not find itself)
while IFS= read -r line; do
    complain "$line: something was left open"
done < <(grep -nE '\b(TO''DO|FIX''ME|XX''X|HA''CK)\b' "${texts[@]}" /dev/null)
# Stages are instances of kinds (bus/include/tickbus/kind.h): nothing lists those that are built in.
grep -rnE '\bSTAGE''_(FEED|STRATEGY|RISK|EXECUTOR|RECORDER)\b|\bSTAGES''_COUNT\b' bus feedsim strategy risk tools bench tests &&
    complain "a stage is known by its place in an enum"
[ $wrong -eq 0 ] && echo "${#files[@]} files, all in their place"
exit $((wrong > 0))
