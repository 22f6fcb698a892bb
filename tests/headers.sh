#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# headers.sh CC CXX - every header compiles alone.
#
# The public headers compile as a user's program has them, with every usual warning an error and no macro defined: strict
# C17 by the first compiler, the C after it by the others, and C++17 by all of gcc and clang that are here. The internal headers compile as gnu17 with _GNU_SOURCE, as the
# tree itself is built. (-Wshadow is for C only: in C++ a function hides a struct of its name, as stat(2) does.)
#
# What the public headers define inline also compiles to code without a warning, optimised or not. It is marked
# TBUS_INLINE or TBUS_HOT, never `static inline`: else the libraries hold no copy of it for other languages
# (tickbus/inline.h).
set -u
cd "$(dirname "$0")/.." || exit 1
cc=${1:-cc} cxx=${2:-c++}
wrong=0
count=0
# alone COMPILER LANGUAGE STANDARD HEADER FLAG...
alone()
{
    local compiler=$1 language=$2 standard=$3 header=$4 name
    shift 4
    count=$((count + 1))
    case $header in
    */include/*) name="<${header#*/include/}>" ;;
    *) name="\"$header\"" ;;
    esac
    # Twice: the guard must hold. (The typedef: ISO C knows no empty program, and a header may hold macros only.)
    printf '#include %s\n#include %s\ntypedef int something_t;\n' "$name" "$name" |
        "$compiler" -x "$language" -std="$standard" -I bus/include -I strategy/include "$@" -fsyntax-only - || {
        echo "$header does not compile alone as $standard with $compiler" >&2
        wrong=$((wrong + 1))
    }
}

public=(bus/include/tickbus/*.h bus/include/tickbus/*/*.h strategy/include/tickbus/*.h)
strict=(-Wall -Wextra -Wpedantic -Werror)
# different COMPILER...: those that are here, each once, whatever names it goes by.
different()
{
    local compiler
    for compiler in "$@"; do
        command -v "$compiler" >/dev/null && echo "$("$compiler" --version | head -n 1 | sed 's/^[^ ]*//') $compiler"
    done | awk '{ name = $NF; $NF = ""; if (!seen[$0]++) print name }'
}
compilers=$(different "$cc" gcc clang)
compilers_cxx=$(different "$cxx" g++ clang++)
for header in "${public[@]}"; do
    standard=c17
    for compiler in $compilers; do
        alone "$compiler" c $standard "$header" "${strict[@]}" -Wshadow -Wundef
        standard=c2x
    done
    for compiler in $compilers_cxx; do
        alone "$compiler" c++ c++17 "$header" "${strict[@]}"
    done
done
while IFS= read -r header; do
    alone "$cc" c gnu17 "$header" -I . -D_GNU_SOURCE -Wall -Wextra -Wshadow -Wundef -Werror
done < <(find bus/ring bus/run bus/layout bus/journal bus/msg bus/wire bus/remote bus/market feedsim strategy risk tools bench -name '*.h' -not -path '*/include/*')

# Some warnings come only with code: all of the inline functions, compiled.
everything=bus/package/outofline.c
for compiler in $compilers; do
    for optimise in -O0 -O2; do
        count=$((count + 1))
        "$compiler" -std=c17 $optimise -I bus/include -I strategy/include "${strict[@]}" -c $everything -o /dev/null ||
            wrong=$((wrong + 1))
    done
done
included=$("$cc" -MM -I bus/include -I strategy/include $everything)
for header in "${public[@]}"; do
    [[ $included == *" $header"* ]] || {
        echo "$everything does not include $header: the shared library would hide what it declares" >&2
        wrong=$((wrong + 1))
    }
done

if grep -n '^ *static inline' "${public[@]}" | grep -v '/inline\.h:'; then
    echo "a public header says static inline: TBUS_INLINE or TBUS_HOT, see tickbus/inline.h" >&2
    wrong=$((wrong + 1))
fi
[ $wrong -eq 0 ] && echo "$count compilations, each header alone"
exit $((wrong > 0))
