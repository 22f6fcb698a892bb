#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# format.sh - every C and C++ file is as clang-format 14 leaves it (mend with: clang-format -i FILE), and what clang-format does not see to:
# no line is longer than 100 columns, comments and literals included, and no declaration is torn in two because of the comment behind it.
# Nor is a line of a document (rows of tables apart, which cannot be broken) or of a model longer than that.
set -u
cd "$(dirname "$0")/.." || exit 1
mapfile -d '' -t files < <(find bus feedsim strategy risk tools tests bench \( -name '*.[ch]' -o -name '*.cc' \) -print0)
[ ${#files[@]} -gt 100 ] || {
    echo "found only ${#files[@]} source files: wrong directory?" >&2
    exit 1
}
awk '
    length($0) > 100 { print FILENAME ":" FNR ": " length($0) " columns"; wrong = 1 }
    FNR > 1 && before ~ /^ +(const )?(unsigned |struct |enum )?[a-z_0-9]+$/ && /^ +\**[a-z_0-9]+(\[[^]]*\])?; *\/\*/ {
        print FILENAME ":" FNR ": torn by its comment, which belongs above it"
        wrong = 1
    }
    { before = $0 }
    END { exit wrong }
' "${files[@]}" >&2 || exit 1
mapfile -d '' -t files_not_c < <(find README.md bench bus tests \( -name '*.md' -o -name '*.pml' \) -print0)
[ ${#files_not_c[@]} -ge 8 ] || {
    echo "found only ${#files_not_c[@]} documents and models: wrong directory?" >&2
    exit 1
}
awk '!/^\|/ && length($0) > 100 { print FILENAME ":" FNR ": " length($0) " columns"; wrong = 1 } END { exit wrong }' \
    "${files_not_c[@]}" >&2 || exit 1
formatter=$(command -v clang-format-14 || command -v clang-format) || {
    echo "clang-format is not here (Debian: clang-format)"
    exit 77
}
version=$("$formatter" --version | grep -oE '[0-9]+\.' | head -n 1)
[ "$version" = 14. ] || {
    echo "clang-format ${version}x is here, the tree is formatted by 14"
    exit 77
}
printf '%s\0' "${files[@]}" | xargs -0 -n 16 -P 2 "$formatter" --dry-run --Werror
