#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# format.sh - every C and C++ file is as clang-format 14 leaves it. Mend with: clang-format -i FILE
set -u
cd "$(dirname "$0")/.." || exit 1
formatter=$(command -v clang-format-14 || command -v clang-format) || {
    echo "clang-format is not here (Debian: clang-format)"
    exit 77
}
version=$("$formatter" --version | grep -oE '[0-9]+\.' | head -n 1)
[ "$version" = 14. ] || {
    echo "clang-format ${version}x is here, the tree is formatted by 14"
    exit 77
}
find bus feedsim strategy risk tools tests bench \( -name '*.[ch]' -o -name '*.cc' \) -print0 |
    xargs -0 -n 16 -P 2 "$formatter" --dry-run --Werror
