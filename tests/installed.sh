#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# installed.sh BUILD_DIR CC CXX - tickbus as its users have it: installs the build, and builds and runs against it every
# example and a program of the test's own (tests/package/own.c), as C and as C++,
#
#    pkg-config   by the compiler alone, from `cmake --install` into a new directory
#    cmake        by a project that says find_package(tickbus), from there too
#    deb          by the compiler alone, from the Debian package unpacked into an empty root
#
# Nothing of the source tree is in reach of these programs. What they print shows that they work: own.c passes a message
# over a bus of its own; the hello pair meets on a bus that the installed command keeps, one of them C and the other C++;
# book_watcher follows the market of a pipeline that the installed command runs; slow_reader and work_queue make a bus of
# their own and end by themselves.
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:?installed.sh BUILD_DIR CC CXX}" && pwd) || exit 1
cc=${2:-cc} cxx=${3:-c++}
strict=(-Wall -Wextra -Wpedantic -Werror)

command -v pkg-config >/dev/null || { echo "pkg-config is not here (Debian: pkg-config)"; exit 77; }

T=$(mktemp -d)
cleanup()
{
    local running
    running=$(jobs -rp) # timeout(1) hands the signal on
    [ -z "$running" ] || kill -TERM $running
    wait
    rm -rf "$T"
}
trap cleanup EXIT
trap 'exit 1' INT TERM
fail()
{
    echo "installed.sh: $*" >&2
    exit 1
}
# quietly WHAT COMMAND...: its output is shown if it fails.
quietly()
{
    local what=$1
    shift
    "$@" >"$T/log" 2>&1 || { cat "$T/log" >&2; fail "$what failed: $*"; }
}

# ---- building

# build_programs DIR EXAMPLES: each program as C and as C++ with the shared library, own also with the static one.
# PKG_CONFIG_PATH says where tickbus is. Headers and own.c take strict C17; the examples use POSIX besides, as sleep(3).
build_programs()
{
    local dir=$1 examples=$2 source name standard shared static
    mkdir -p "$dir"
    read -ra shared <<<"$(pkg-config --cflags --libs tickbus)"
    # The archive itself: -ltickbus means the shared library where there are both.
    read -ra static <<<"$(pkg-config --static --cflags --libs tickbus | sed 's/-ltickbus/-l:libtickbus.a/')"
    for source in "$here/package/own.c" "$examples"/*.c; do
        name=$(basename "$source" .c)
        standard=gnu17
        [ "$name" = own ] && standard=c17
        quietly "$name as C" "$cc" -std=$standard "${strict[@]}" "$source" -o "$dir/$name" "${shared[@]}"
        quietly "$name as C++" "$cxx" -x c++ -std=c++17 "${strict[@]}" "$source" -x none -o "$dir/${name}_cxx" "${shared[@]}"
    done
    quietly "own, static" "$cc" -std=c17 "${strict[@]}" "$here/package/own.c" -o "$dir/own_static" "${static[@]}"
    built=$(find "$dir" -maxdepth 1 -type f -executable | wc -l)
    [ "$built" -ge 13 ] || fail "found only $built programs in $dir: where are the examples?"
}

# ---- running

export XDG_RUNTIME_DIR=$T/run
mkdir -m 700 "$T/run"
seconds=60 # a test that hangs fails

expect()
{
    local what=$1 wanted=$2 got=$3
    [ "$got" = "$wanted" ] || fail "$what: expected '$wanted', got '$got'"
}

# in_background COMMAND...: with its output in a file; the process is $! and is killed when this script ends.
in_background()
{
    timeout -k 5 $seconds "$@" >>"$T/output" 2>&1 &
}
ended_well()
{
    local process=$1 what=$2
    wait "$process" || { cat "$T/output" >&2; fail "$what ended with exit code $?"; }
}

# What the installed command says names it as it is called: systemd has another busctl.
names_itself()
{
    grep -q busctl "$T/output" && { cat "$T/output" >&2; fail "$1 speaks of busctl"; }
}

# hello COMMAND PUBLISHER SUBSCRIBER: on a bus that COMMAND keeps; all three end when it is told to.
hello()
{
    local command=$1 publisher=$2 subscriber=$3 bus pub sub line
    : >"$T/output"
    rm -f "$T/said"
    mkfifo "$T/said"
    timeout -k 5 $seconds stdbuf -oL "$subscriber" >"$T/said" 2>>"$T/output" &
    sub=$!
    exec 3<"$T/said"
    in_background "$command" bus demo --topic hello
    bus=$!
    in_background "$publisher"
    pub=$!
    read -r -t $seconds line <&3 || { cat "$T/output" >&2; fail "$subscriber prints nothing"; }
    expect "$subscriber" "hello, world" "$line"
    kill -TERM "$bus"
    ended_well "$bus" "$command bus"
    names_itself "$command bus"
    cat <&3 >/dev/null
    exec 3<&-
    ended_well "$pub" "$publisher"
    ended_well "$sub" "$subscriber"
}

# watch COMMAND WATCHER: the best bid and ask of a symbol, from a pipeline that COMMAND runs.
watch()
{
    local command=$1 watcher=$2 pipeline lines
    : >"$T/output"
    in_background "$command" start --name watched --feed synth:seed=7,symbols=2,messages=1000000 --pace 5000/s
    pipeline=$!
    lines=$(timeout -k 5 $seconds "$watcher" SYN001 watched 2>>"$T/output" | head -n 3)
    [ "$(grep -cE '^[0-9]+ +[0-9.]+ +bid [0-9]+ at [0-9.]+ +ask [0-9]+ at [0-9.]+$' <<<"$lines")" -eq 3 ] ||
        { cat "$T/output" >&2; fail "$watcher prints no touches: '$lines'"; }
    kill -TERM "$pipeline"
    ended_well "$pipeline" "$command start"
    names_itself "$command start"
}

run_own()
{
    local program
    for program in "$@"; do
        expect "$program" "hello, world" "$(timeout -k 5 $seconds "$program" 2>&1)"
    done
}

said_by_slow_reader="block: 16 published, 4 found no room, 0 dropped; 16 taken
drop-newest: 16 published, 0 found no room, 4 dropped; 16 taken
evict-slowest: 20 published, 0 found no room, 0 dropped; 0 taken, then: the subscriber was too slow and lost its place; join again
evict-slowest: after it has come back, 1 taken"
said_by_work_queue="1 4 9 16 25 36 49 64
1 job was left by a worker that died, and done by another"

# run_policies DIR SUFFIX
run_policies()
{
    expect "$1/slow_reader$2" "$said_by_slow_reader" "$(timeout -k 5 $seconds "$1/slow_reader$2" 2>&1)"
    expect "$1/work_queue$2" "$said_by_work_queue" "$(timeout -k 5 $seconds "$1/work_queue$2" 2>&1)"
}

# ---- what the shared library exports is what the public headers declare, all of it

wanted=$(grep -oE '^ +[a-z0-9_]+;' "$build/bus/package/exports.map" | tr -d ' ;' | grep -v '^local$' | sort)
exported=$(nm -D --defined-only "$build/lib/libtickbus.so" | awk '{ print $3 }' | sort)
expect "exported by libtickbus.so and declared by no header, or the other way round" "" \
    "$(comm -3 <(echo "$wanted") <(echo "$exported"))"

# ---- pkg-config

quietly "the installation" cmake --install "$build" --prefix "$T/prefix"
export PKG_CONFIG_PATH=$(dirname "$(find "$T/prefix" -name tickbus.pc)")
examples=$T/prefix/share/doc/tickbus/examples
command=$T/prefix/bin/tickbus
commands=tickbus # systemd has a busctl
grep -q '^TICKBUS_INSTALL_BUSCTL:BOOL=ON' "$build/CMakeCache.txt" && commands=$'busctl\ntickbus'
expect "the commands installed" "$commands" "$(ls "$T/prefix/bin")"
expect "the version that pkg-config says" "$("$command" --version | grep -oE '[0-9]+\.[0-9]+\.[0-9]+')" "$(pkg-config --modversion tickbus)"
build_programs "$T/by_hand" "$examples"
run_own "$T/by_hand/own" "$T/by_hand/own_cxx" "$T/by_hand/own_static"
run_policies "$T/by_hand" ""
run_policies "$T/by_hand" _cxx
hello "$command" "$T/by_hand/hello_publisher" "$T/by_hand/hello_subscriber_cxx"
watch "$command" "$T/by_hand/book_watcher"
echo "pkg-config: $built programs"

# ---- CMake

sources=$(printf '%s;' "$here/package/own.c" "$examples"/*.c)
quietly "find_package" cmake -S "$here/package" -B "$T/by_cmake" -G Ninja -DCMAKE_PREFIX_PATH="$T/prefix" \
    -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx" -DSOURCES="${sources%;}"
quietly "the CMake project" cmake --build "$T/by_cmake"
run_own "$T/by_cmake/own" "$T/by_cmake/own_cxx" "$T/by_cmake/own_static"
run_policies "$T/by_cmake" _cxx
hello "$command" "$T/by_cmake/hello_publisher_cxx" "$T/by_cmake/hello_subscriber"
echo "cmake: $(find "$T/by_cmake" -maxdepth 1 -type f -executable | wc -l) programs"

# ---- the Debian package

if ! command -v dpkg-deb >/dev/null || ! command -v cpack >/dev/null; then
    echo "deb: skipped, dpkg-deb and cpack are not both here"
    exit 0
fi
quietly "the Debian package" cpack --config "$build/CPackConfig.cmake" -G DEB -B "$T/deb"
mkdir "$T/root"
quietly "unpacking it" dpkg-deb -x "$T"/deb/*.deb "$T/root"
rm -rf "$T/prefix" # nothing of the other installation may help
export PKG_CONFIG_PATH=$(dirname "$(find "$T/root" -name tickbus.pc)")
grep -q rpath "$PKG_CONFIG_PATH/tickbus.pc" && fail "the package has programs search a path of their own for a library below /usr"
if command -v dpkg-shlibdeps >/dev/null && command -v file >/dev/null; then
    depends=$(dpkg-deb -f "$T"/deb/*.deb Depends)
    [[ $depends == *libnuma1* && $depends == *libc6* ]] || fail "the package depends on '$depends', not on what its programs load"
fi
build_programs "$T/from_deb" "$T/root/usr/share/doc/tickbus/examples"
libraries=$(dirname "$(find "$T/root" -name libtickbus.so)")
export LD_LIBRARY_PATH=$libraries # in place of ld.so.conf, as this root is not the system's
run_own "$T/from_deb/own" "$T/from_deb/own_cxx" "$T/from_deb/own_static"
run_policies "$T/from_deb" ""
hello "$T/root/usr/bin/tickbus" "$T/from_deb/hello_publisher" "$T/from_deb/hello_subscriber"
watch "$T/root/usr/bin/tickbus" "$T/from_deb/book_watcher_cxx"
echo "deb: $built programs"
