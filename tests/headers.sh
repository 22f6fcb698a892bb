#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# headers.sh CC CXX - every header compiles alone: the public ones and the messages as C and as C++, the others as C. (No -Wshadow for C++:
# a function and a struct tag of one name, like stat, are C's good right.)
set -u
cd "$(dirname "$0")/.." || exit 1
cc=${1:-cc} cxx=${2:-c++}
flags=(-I bus/include -I strategy/include -I . -D_GNU_SOURCE -Wall -Wextra -Werror -Wundef -fsyntax-only)
wrong=0
count=0
alone()
{
    local language=$1 standard=$2 header=$3 name
    shift 3
    count=$((count + 1))
    case $header in
    */include/*) name="<${header#*/include/}>" ;;
    *) name="\"$header\"" ;;
    esac
    # Twice: the guard must hold.
    printf '#include %s\n#include %s\n' "$name" "$name" | "$@" -x "$language" -std="$standard" "${flags[@]}" - || {
        echo "$header does not compile alone as $standard" >&2
        wrong=$((wrong + 1))
    }
}

for header in bus/include/tickbus/*.h bus/include/tickbus/*/*.h strategy/include/tickbus/*.h; do
    alone c gnu17 "$header" "$cc" -Wshadow
    alone c++ c++17 "$header" "$cxx"
done
while IFS= read -r header; do
    alone c gnu17 "$header" "$cc" -Wshadow
done < <(find bus/ring bus/run bus/journal bus/market feedsim strategy risk tools bench -name '*.h')
[ $wrong -eq 0 ] && echo "$count compilations, each header alone"
exit $((wrong > 0))
