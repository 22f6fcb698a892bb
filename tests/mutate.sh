#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# mutate.sh - do the tests notice a mistake? Changes one place of the code at a time in a copy of the tree (an operator, a constant, a
# condition, a statement that is left out), builds that, and runs the test programs that hold the changed file until one fails. Changes
# that no test notices are listed: each is a test that is missing, or a change that cannot be seen.
#
#    tests/mutate.sh FOLDER [N]           N changes (default 25) of the .c files below FOLDER, drawn at random
#    tests/mutate.sh bus/ring/wake.c 10   of one file
#    tests/mutate.sh --at PLACE ...       these, as a former run named them: bus/ring/wake.c:28:5:drop
#      --seed N       what is drawn (default 1)
#      --jobs N       so many changes at a time (default: one for each CPU)
#      --slowest S    without test programs that take longer than S seconds (default 5)
#      --preset NAME  the build (default release); asan also notices what is leaked, or read out of bounds
#      --json         one JSON object on stdout
#
# What does not compile, or compiles to the very code that it was, does not count, and another is drawn in its place. A test that runs
# much longer than it should has noticed, too.
#
# Changed code may kill any process and remove any file that it can reach. Everything therefore happens in namespaces of its own: in
# memory below a /tmp that nobody else sees, with the rest of the file system read-only, and processes that see and signal each other only. That
# leaves nothing behind, however it ends. It takes root, or a kernel that gives user namespaces to everybody.
#
# Exit code 0: all were noticed; 1: some were not, or it failed; 2: the command line is wrong.
set -u

personality=()
seconds_kept=5 # what a test may take beyond five times what it took before

say()
{
    printf 'mutate: %s\n' "$*" >&2
}

usage()
{
    say "$1"
    sed -n 's/^#    \(tests\/mutate.sh .*\)/    \1/p' "$0" >&2
    exit 2
}

number()
{
    [[ $2 =~ ^[0-9]+$ ]] || usage "$1 wants a number, not '$2'"
}

options()
{
    folder='' count=25 seed=1 jobs=$(nproc) slowest=5 preset=release json=false places=()
    local given=()
    while [ $# -gt 0 ]; do
        case $1 in
        --help)
            sed -n '3,/^set -u/s/^# \{0,1\}//p' "$0"
            exit 0
            ;;
        --json) json=true ;;
        --preset)
            preset=${2:-}
            grep -q "{\"name\": \"$preset\", \"inherits\"" CMakePresets.json || usage "--preset wants the name of a build of CMakePresets.json"
            shift
            ;;
        --seed | --jobs | --slowest)
            number "$1" "${2:-}"
            declare -g "${1#--}=$2"
            shift
            ;;
        --at)
            shift
            places=("$@")
            break
            ;;
        -*) usage "unknown option $1" ;;
        *) given+=("$1") ;;
        esac
        shift
    done
    if [ ${#places[@]} -gt 0 ]; then
        [ ${#given[@]} -eq 0 ] || usage "--at stands for FOLDER and N, and is the last option"
        folder='the places given'
        count=${#places[@]}
    else
        [ ${#given[@]} -ge 1 ] && [ ${#given[@]} -le 2 ] || usage "wants a folder, and how many changes"
        folder=${given[0]%/}
        count=${given[1]:-$count}
        number N "$count"
    fi
    [ "$jobs" -gt 0 ] || usage "--jobs wants at least 1"
}

# progress TEXT: on a terminal only, over what stood there.
progress()
{
    [ -t 2 ] && printf '\r\033[Kmutate: %s' "$1" >&2
}

clock()
{
    printf '%d:%02d' $(($1 / 60)) $(($1 % 60))
}

# ---- inside the namespaces: the trees /tmp/treeJOB, what is known of test programs in /tmp/tests, what was found out in /tmp/verdicts

# What the changed programs could reach is read-only from here on, or a memory of our own.
close_in()
{
    local path
    while read -r _ path type _; do
        case $type in
        proc | sysfs | cgroup* | devpts | devtmpfs | mqueue) ;;
        tmpfs) [ "$path" = /tmp ] || [ "$path" = /sys/fs/cgroup ] || mount -t tmpfs tmpfs "$path" || return 1 ;;
        *) mount -o remount,ro,bind "$path" || return 1 ;;
        esac
    done < <(grep -v ' ro[, ]' /proc/self/mounts)
    touch /mutate 2>/dev/null && return 1
    return 0
}

# A copy of the tree for each job, built.
prepare()
{
    local job linker=''
    mkdir -p /tmp/run /tmp/tests /tmp/verdicts
    for ((job = 0; job < jobs; job++)); do
        mkdir "/tmp/tree$job" "/tmp/run/$job"
        tar -c --exclude=./build --exclude=./.git . | tar -x -C "/tmp/tree$job" || return 1
    done
    cd /tmp || return 1
    close_in || {
        say "the file system cannot be made read-only for the programs that are changed"
        return 1
    }
    [ "$preset" = release ] || personality=(setarch -R) # as in run.sh
    command -v ld.lld >/dev/null && linker=-fuse-ld=lld
    for ((job = 0; job < jobs; job++)); do
        (cd "/tmp/tree$job" &&
            cmake --preset "$preset" -DCMAKE_C_FLAGS_RELWITHDEBINFO=-O2 -DCMAKE_CXX_FLAGS_RELWITHDEBINFO=-O2 \
                -DCMAKE_EXE_LINKER_FLAGS="$linker" -DTICKBUS_BENCH=OFF &&
            ninja -C build/$preset -j $((($(nproc) + jobs - 1) / jobs)) && touch "/tmp/tree$job/built") >"/tmp/build$job.log" 2>&1 &
    done
    while [ -n "$(jobs -r)" ]; do
        progress "building $(sed -n 's/^\[\([0-9]*\/[0-9]*\)\].*/\1/p' /tmp/build0.log | tail -n 1)"
        sleep 1
    done
    for ((job = 0; job < jobs; job++)); do
        [ -e "/tmp/tree$job/built" ] && continue
        tail -n 40 "/tmp/build$job.log" >&2
        say "the tree does not build as it is"
        return 1
    done
}

# The functions and variables of an object or program.
symbols()
{
    nm --defined-only --extern-only "$1" | awk 'NF == 3 {print $3}' | sort -u
}

# object_of TREE FILE: the object of a .c file; nothing for a header.
object_of()
{
    compgen -G "$1/build/$preset/CMakeFiles/*.dir/$2.o" | head -n 1
}

# run_test JOB PROGRAM SECONDS: its exit code; 124 or 137: it took too long. What it started ends with it.
run_test()
{
    XDG_RUNTIME_DIR=/tmp/run/$1 unshare --pid --mount-proc --fork --kill-child \
        "${personality[@]}" timeout --kill-after=1 "$3" "/tmp/tree$1/build/$preset/tests/$2" >"/tmp/test$1.log" 2>&1 </dev/null
}

# measure JOB PROGRAM: how long it takes as it is. A program that fails as it is, or takes too long, cannot be used.
measure()
{
    local began=$EPOCHREALTIME code=0
    run_test "$1" "$2" "$slowest" || code=$?
    case $code in
    0 | 77) awk -v began="$began" -v now="$EPOCHREALTIME" 'BEGIN {printf "%.3f\n", now - began}' >"/tmp/tests/$2.seconds" ;;
    124 | 137) echo "$2: takes more than $slowest s" ;;
    *) echo "$2: exit code $code without any change" ;;
    esac
}

# Which test programs hold anything of the files that may be changed, and how long each takes.
baseline()
{
    local file object program name job e2e
    e2e=$(sed -n 's/^add_test(.*e2e\/\(test_[a-z0-9_]*\).*/\1/p' /tmp/tree0/build/$preset/tests/CTestTestfile.cmake)
    symbols /tmp/tree0/build/$preset/busctl >/tmp/busctl.symbols
    while read -r file; do
        object=$(object_of /tmp/tree0 "$file")
        [ -z "$object" ] || symbols "$object"
        [ -n "$object" ] || cat /tmp/busctl.symbols
    done < <(sed 's/:.*//' /tmp/places | sort -u) | sort -u >/tmp/symbols
    for program in /tmp/tree0/build/$preset/tests/test_*; do
        name=${program##*/}
        symbols "$program" >"/tmp/tests/$name.symbols"
        case $'\n'$e2e$'\n' in
        *$'\n'$name$'\n'*) sort -u -o "/tmp/tests/$name.symbols" "/tmp/tests/$name.symbols" /tmp/busctl.symbols ;;
        esac
        [ -z "$(comm -12 /tmp/symbols "/tmp/tests/$name.symbols" | head -n 1)" ] || echo "$name"
    done >/tmp/programs
    : >/tmp/measured
    for ((job = 0; job < jobs; job++)); do
        awk -v jobs="$jobs" -v job="$job" 'NR % jobs == job' /tmp/programs | while read -r name; do
            measure "$job" "$name"
            echo >>/tmp/measured
        done >"/tmp/unused$job" &
    done
    while [ -n "$(jobs -r)" ]; do
        progress "the tests as they are: $(wc -l </tmp/measured) of $(wc -l </tmp/programs)"
        sleep 0.5
    done
    progress ''
    while read -r name; do
        say "not used: $name"
    done < <(cat /tmp/unused*)
}

# programs_of FILE: the test programs that hold anything of it, that of its name first, then the quickest.
programs_of()
{
    local object name base=${1##*/} symbols=/tmp/symbols
    object=$(object_of /tmp/tree0 "$1")
    if [ -n "$object" ]; then
        symbols=/tmp/tests/${1//\//+}.held
        [ -e "$symbols" ] || symbols "$object" >"$symbols"
    fi
    while read -r name; do
        [ -e "/tmp/tests/$name.seconds" ] || continue
        [ -n "$(comm -12 "$symbols" "/tmp/tests/$name.symbols" | head -n 1)" ] || continue
        if [ "$name" = "test_${base%.*}" ]; then
            echo "0 $name"
        else
            echo "$(<"/tmp/tests/$name.seconds") $name"
        fi
    done </tmp/programs | sort -n | cut -d' ' -f2
}

# try JOB PLACE: makes the change in the job's tree, and sets `verdict` (noticed, survives, same, uncompiled), `by` and `lines`.
try()
{
    local tree=/tmp/tree$1 place=$2 file=${2%%:*} object programs size=2 code name log=/tmp/try$1.log
    verdict=survives by='' lines=''
    object=$(object_of "$tree" "$file")
    [ -z "$object" ] || [ -e "$object.unchanged" ] || cp "$object" "$object.unchanged"
    cp "$tree/$file" "$tree/unchanged"
    lines=$(perl "$tree/tests/mutate.pl" apply "$place" "$tree") || return 1
    if [ -n "$object" ]; then
        if ! ninja -C "$tree/build/$preset" "${object#"$tree/build/$preset/"}" >"$log" 2>&1; then
            verdict=uncompiled
        elif cmp -s "$object" "$object.unchanged"; then
            verdict=same
        fi
    fi
    mapfile -t programs < <(programs_of "$file")
    while [ $verdict = survives ] && [ ${#programs[@]} -gt 0 ]; do
        if ! ninja -C "$tree/build/$preset" "${programs[@]:0:size}" >"$log" 2>&1; then
            verdict=uncompiled
            break
        fi
        for name in "${programs[@]:0:size}"; do
            code=0
            run_test "$1" "$name" "$(awk -v t="$(<"/tmp/tests/$name.seconds")" -v kept=$seconds_kept 'BEGIN {print 5 * t + kept}')" || code=$?
            case $code in
            0 | 77) continue ;;
            124 | 137) by="$name, which does not end" ;;
            *) by=$name ;;
            esac
            verdict=noticed
            break
        done
        programs=("${programs[@]:size}")
        size=$((size * 4))
    done
    cp "$tree/unchanged" "$tree/$file"
}

# take: prints the next place. Waits while changes are being tried that may turn out not to count. Fails when there are enough.
take()
{
    local next counted trying
    while :; do
        exec 9>>/tmp/state.lock
        flock 9
        read -r next counted trying </tmp/state
        if [ $((counted + trying)) -lt "$count" ] && [ "$next" -lt "$(wc -l </tmp/places)" ]; then
            echo $((next + 1)) "$counted" $((trying + 1)) >/tmp/state
            exec 9>&-
            sed -n "$((next + 1))p" /tmp/places
            return 0
        fi
        exec 9>&-
        [ "$counted" -lt "$count" ] && [ "$trying" -gt 0 ] || return 1
        sleep 0.2
    done
}

# settle: one that was tried has counted (1) or not (0).
settle()
{
    local next counted trying
    exec 9>>/tmp/state.lock
    flock 9
    read -r next counted trying </tmp/state
    echo "$next" $((counted + $1)) $((trying - 1)) >/tmp/state
    exec 9>&-
}

work()
{
    local place verdict by lines began counts
    while place=$(take); do
        began=$EPOCHREALTIME
        try "$1" "$place" || {
            settle 0
            continue
        }
        counts=1
        case $verdict in
        same | uncompiled) counts=0 ;;
        survives)
            progress ''
            $json || printf 'survives  %s\n          - %s\n          + %s\n' "$place" "${lines%%$'\t'*}" "${lines#*$'\t'}"
            ;;
        esac
        printf '%s\t%s\t%s\t%s\t%s\n' "$verdict" "$place" "$by" \
            "$(awk -v began="$began" -v now="$EPOCHREALTIME" 'BEGIN {printf "%.1f", now - began}')" "$lines" >>/tmp/verdicts/all
        settle $counts
    done
}

verdicts()
{
    awk -F'\t' -v what="$1" '$1 == what {n++} END {print n + 0}' /tmp/verdicts/all
}

inside()
{
    local job began now counted trying left
    prepare || exit 1
    if [ ${#places[@]} -gt 0 ]; then
        printf '%s\n' "${places[@]}" >/tmp/places
    else
        (cd /tmp/tree0 && find "$folder" -type f \( -name '*.c' -o -path "$folder" \) | sort | xargs perl tests/mutate.pl list |
            perl tests/mutate.pl draw "$seed") >/tmp/places
    fi
    baseline
    echo 0 0 0 >/tmp/state
    : >/tmp/verdicts/all
    began=$SECONDS
    for ((job = 0; job < jobs; job++)); do
        work $job &
    done
    while [ -n "$(jobs -r)" ]; do
        read -r _ counted trying </tmp/state
        now=$((SECONDS - began))
        left=''
        [ "${counted:-0}" -eq 0 ] || left=", about $(clock $((now * (count - counted) / counted))) left"
        progress "$counted of $count, $(verdicts survives) not noticed$left"
        sleep 0.5
    done
    progress ''
    report $((SECONDS - began))
    [ "$(verdicts survives)" -eq 0 ] && [ "$(verdicts noticed)" -gt 0 ]
}

report()
{
    local noticed survives
    noticed=$(verdicts noticed) survives=$(verdicts survives)
    if $json; then
        perl -MJSON::PP -e '
            my ($folder, $seed, $seconds) = @ARGV;
            my (%count, @changes);
            while (<STDIN>) {
                chomp;
                my ($verdict, $place, $by, $took, $before, $after) = split /\t/;
                $count{$verdict}++;
                push @changes, {place => $place, verdict => $verdict, seconds => $took + 0, before => $before, after => $after,
                    $by ne "" ? (by => $by) : ()} if $verdict eq "noticed" || $verdict eq "survives";
            }
            print JSON::PP->new->canonical->encode({schema => 1, folder => $folder, seed => $seed + 0, seconds => $seconds + 0,
                noticed => $count{noticed} // 0, survive => $count{survives} // 0, not_compiled => $count{uncompiled} // 0,
                same_code => $count{same} // 0, changes => \@changes}), "\n";
        ' "$folder" "$seed" "$1" </tmp/verdicts/all
        return
    fi
    if [ $((noticed + survives)) -eq 0 ]; then
        echo "$folder: nothing there that could be changed"
        return
    fi
    echo "$folder: $((noticed + survives)) changes, $noticed noticed ($((100 * noticed / (noticed + survives))) %), $survives not;" \
        "$(verdicts uncompiled) did not compile and $(verdicts same) made the same code (seed $seed, $(clock "$1"))"
}

main()
{
    local child namespaces=(--mount --pid --ipc --fork --kill-child --mount-proc)
    options "$@"
    if [ "${TICKBUS_MUTATE_INSIDE:-}" = $$ ]; then # process 1 of the namespaces that are made below
        mount -t tmpfs tmpfs /tmp || exit 1
        inside
        exit
    fi
    cd "$(dirname "$0")/.." || exit 1
    [ ${#places[@]} -gt 0 ] || [ -e "$folder" ] || usage "there is no $folder in the tree"
    TICKBUS_SHARED=${TICKBUS_SHARED:-$(cd ../shared 2>/dev/null && pwd)}
    export TICKBUS_SHARED
    [ "$(id -u)" -eq 0 ] || namespaces+=(--user --map-root-user)
    unshare "${namespaces[@]}" true 2>/dev/null || {
        say "cannot make namespaces, without which a changed program could kill any process of yours; run it as root"
        exit 1
    }
    TICKBUS_MUTATE_INSIDE=1 unshare "${namespaces[@]}" bash tests/mutate.sh "$@" &
    child=$!
    trap 'kill -KILL $child; printf "\n" >&2; exit 130' INT TERM HUP
    wait $child
}

# On one line: bash reads a script as it goes, and somebody may edit this one meanwhile.
main "$@"; exit
