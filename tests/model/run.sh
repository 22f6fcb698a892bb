#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run.sh - checks the models of the lock-free protocol with Spin: every instance over its whole state space, and then every mutation,
# which is a mistake planted in the model and must be found.
#
#    tests/model/run.sh                   one small instance of each kind, and one mistake of each kind; a minute on one core
#    tests/model/run.sh --more            all that are small: three minutes
#    tests/model/run.sh --full            the large ones as well: half an hour or more, up to 8 GiB of memory
#    tests/model/run.sh --only REGEX      those whose line matches
#    tests/model/run.sh --trail REGEX     the same, and of the first one with an error the whole sequence of steps
#
# One line each: what was expected and came, states stored, longest execution (depth), seconds, the model with its macros. The search is
# exhaustive: partial-order reduction, and in --full lossless compression (-DCOLLAPSE), but neither hashing nor bounds. A search that
# ends early for lack of memory or depth counts as failed. Exit code 0: all as expected; 1: not; 77: spin or a C compiler is missing.
set -u
models=$(cd "$(dirname "$0")" && pwd)
more=no
full=no
only=
trail=no
while [ $# -gt 0 ]; do
    case $1 in
    --more) more=yes ;;
    --full) more=yes full=yes ;;
    --only) only=$2 && shift ;;
    --trail) only=$2 trail=yes && shift ;;
    *)
        sed -n '3,13s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
    esac
    shift
done
CC=${CC:-cc}
for tool in spin "$CC"; do
    if ! command -v "$tool" >/dev/null; then
        echo "skipped: no $tool here (apt-get install spin gcc)"
        exit 77
    fi
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
memory_mib=8000
failed=0
ran=0
began=$SECONDS

# instance EXPECTED SIZE MODEL MACROS...
#    EXPECTED  holds   no error in the whole state space
#              ends    the same, and no execution is infinite: nobody is kept busy for ever (non-progress cycles, with no step declared to
#                      be progress)
#              caught  an error is found
#              loops   the search for infinite executions finds one
#    SIZE      small, medium (compiled with optimisation); with --more only: extra (as small); with --full only: large
instance()
{
    local expected=$1 size=$2 model=$3 macros line
    local -a compile=(-O0 -DSAFETY) search=(-m10000 -w18)
    shift 3
    macros=("${@/#/-D}")
    line="$model $*"
    case $size in
    extra) [ $more = yes ] || return 0 ;;
    large) [ $full = yes ] || return 0 ;;
    esac
    [ -z "$only" ] || [[ "$expected $line" =~ $only ]] || return 0
    case $size in
    medium) compile=(-O1 -DSAFETY) search=(-m10000 -w20) ;;
    large) compile=(-O2 -DSAFETY -DCOLLAPSE) search=(-m100000 -w26) ;;
    esac
    if [ "$expected" = ends ] || [ "$expected" = loops ]; then
        compile=("${compile[@]/-DSAFETY/-DNP}")
        search+=(-l)
    fi

    local dir=$work/run out=$work/run/out verdict=failed states depth errors seconds
    rm -rf "$dir"
    mkdir "$dir"
    if ! (cd "$dir" && cp "$models"/*.pml . && spin "${macros[@]}" -a "$model.pml" >out 2>&1 &&
        "$CC" -w -DNOFAIR -DMEMLIM=$memory_mib "${compile[@]}" -o pan pan.c >>out 2>&1); then
        cat "$out"
        echo "failed  $line: the model does not compile"
        failed=$((failed + 1))
        return 0
    fi
    (cd "$dir" && ./pan -b "${search[@]}" >out 2>&1)
    states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' "$out" | tail -n 1)
    read -r depth errors < <(sed -n 's/^State-vector .* depth reached \([0-9]*\),.* errors: \([0-9]*\).*/\1 \2/p' "$out") || true
    seconds=$(sed -n 's/^pan: elapsed time \([0-9.]*\) seconds/\1/p' "$out")
    if grep -qE 'Search not completed|out of memory|max search depth too small|truncated' "$out" && [ "${errors:-0}" = 0 ]; then
        verdict=incomplete
    elif [ "${errors:-}" = 0 ]; then
        verdict=$([ "$expected" = ends ] && echo ends || echo holds)
    elif grep -qE '^pan:1: (assertion violated|invalid end state)' "$out"; then
        verdict=caught
    elif grep -q '^pan:1: non-progress cycle' "$out"; then
        verdict=loops
    fi
    ran=$((ran + 1))
    printf '%-8s %10s states %5s deep %7s s  %s' "$verdict" "${states:-?}" "${depth:-?}" "${seconds:-?}" "$line"
    [ $verdict = caught ] && printf ': %s' "$(sed -n 's/^pan:1: \(.*\) (at depth.*/\1/p' "$out" | cut -c1-100)"
    printf '\n'
    if [ "$verdict" != "$expected" ]; then
        printf 'FAILED   expected that it %s\n' "$expected"
        failed=$((failed + 1))
        [ -e "$dir/$model.pml.trail" ] || cat "$out"
    fi
    if [ $trail = yes ] && [ -e "$dir/$model.pml.trail" ]; then
        (cd "$dir" && spin "${macros[@]}" -k "$model.pml.trail" -p -g -l "$model.pml")
        trail=no
    fi
}

# --- competing rings: claim, commit, take, release, settle, repair ---
instance holds extra slot MESSAGES=1 REPAIR_CRASHES=0
instance holds small slot MESSAGES=2 MESSAGES_2=1 CRASHES=0
instance holds small slot PUBLISHERS=1 CONSUMERS=1 MESSAGES=2 REPAIRERS=2 REPAIR_CRASHES=0
instance holds small slot CONSUMERS=1 MESSAGES=1 HEAL
instance holds small slot CONSUMERS=1 MESSAGES=1 ABORT REPAIR_CRASHES=0
instance holds small slot CONSUMERS=1 MESSAGES=1 REUSE REPAIR_CRASHES=0
instance holds medium slot CONSUMERS=1 SLOTS=3 MESSAGES=1 MESSAGES_2=2 REPAIR_CRASHES=0
instance holds medium slot CONSUMERS=1 MESSAGES=2 MESSAGES_2=1 BATCH REPAIR_CRASHES=0
instance holds extra slot CONSUMERS=1 SLOTS=3 MESSAGES=2 MESSAGES_2=1 BATCH REPAIR_CRASHES=0
instance holds extra slot CONSUMERS=1 SLOTS=3 MESSAGES=2 MESSAGES_2=3 CRASHES=0
instance holds extra slot PUBLISHERS=3 CONSUMERS=1 SLOTS=3 CRASHES=0
instance holds extra slot PUBLISHERS=1 CONSUMERS=3 SLOTS=3 MESSAGES=3 CRASHES=0
instance holds small slot PUBLISHERS=1 SLOTS=3 MESSAGES=3 REPAIR_CRASHES=0
instance holds extra slot PUBLISHERS=1 CONSUMERS=1 SUBSCRIBERS=1 MESSAGES=3 REPAIR_CRASHES=0
instance holds small slot PUBLISHERS=1 CONSUMERS=1 SUBSCRIBERS=1 SLOTS=3 MESSAGES=4 EVICT CRASHES=0
instance holds extra slot PUBLISHERS=1 CONSUMERS=1 OBSERVERS=1 MESSAGES=3 REPAIR_CRASHES=0
instance holds small slot PUBLISHERS=1 CONSUMERS=1 OBSERVERS=1 SLOTS=3 MESSAGES=5 CRASHES=0
instance holds small slot PUBLISHERS=1 MESSAGES=3 WEAK REPAIR_CRASHES=0
instance ends small slot CONSUMERS=1 MESSAGES=1 CRASHES=0
instance holds extra slot PUBLISHERS=1 MESSAGES=3 TSO
instance holds extra slot PUBLISHERS=1 MESSAGES=3 WEAK
instance ends large slot CONSUMERS=1 MESSAGES=1
instance ends large slot CONSUMERS=1 SLOTS=3 MESSAGES=1 MESSAGES_2=2 REPAIR_CRASHES=0
instance ends large slot PUBLISHERS=1 SLOTS=3 MESSAGES=3 REPAIR_CRASHES=0
instance holds large slot MESSAGES=1
instance holds large slot MESSAGES=2 REPAIR_CRASHES=0
instance holds large slot MESSAGES=2 MESSAGES_2=1 CONSUMERS=1 REPAIRERS=2 REPAIR_CRASHES=0
instance holds large slot MESSAGES=2 MESSAGES_2=1 SLOTS=3 REPAIR_CRASHES=0
instance holds large slot MESSAGES=2 MESSAGES_2=3 SLOTS=3 CRASHES=0
instance holds large slot CONSUMERS=1 MESSAGES=2 MESSAGES_2=3 SLOTS=3 REPAIR_CRASHES=0
instance holds large slot CONSUMERS=1 MESSAGES=1 MESSAGES_2=2 SLOTS=3 CRASHES=2 REPAIR_CRASHES=0
instance holds large slot CONSUMERS=1 MESSAGES=1 MESSAGES_2=2 SLOTS=3 REUSE REPAIR_CRASHES=0
instance holds large slot PUBLISHERS=3 CONSUMERS=1 SLOTS=3 REPAIR_CRASHES=0
instance holds large slot PUBLISHERS=1 CONSUMERS=3 SLOTS=3 MESSAGES=3 REPAIR_CRASHES=0
instance holds large slot PUBLISHERS=1 SLOTS=3 MESSAGES=3 REPAIRERS=2 REPAIR_CRASHES=0
instance holds large slot PUBLISHERS=1 SLOTS=3 MESSAGES=4 ABORT REPAIR_CRASHES=0
instance holds large slot MESSAGES=1 CRASHES=2 REPAIR_CRASHES=0
instance holds large slot MESSAGES=1 CRASHES=4 REPAIR_CRASHES=0
instance holds large slot MESSAGES=1 TSO
instance holds large slot MESSAGES=1 WEAK
instance holds large slot MESSAGES=1 SUBSCRIBERS=1 REPAIR_CRASHES=0
instance holds large slot CONSUMERS=1 MESSAGES=2 MESSAGES_2=1 OBSERVERS=1 REPAIR_CRASHES=0
instance holds large slot CONSUMERS=1 MESSAGES=2 MESSAGES_2=1 SUBSCRIBERS=1 LATE REPAIR_CRASHES=0
instance holds large slot PUBLISHERS=1 CONSUMERS=1 SUBSCRIBERS=1 MESSAGES=3 EVICT

# --- broadcast with several publishers: the gate, progress, observers ---
instance holds extra broadcast_mp MESSAGES=2 SUBSCRIBERS=1 REPAIR_CRASHES=0
instance holds extra broadcast_mp SLOTS=3 MESSAGES=2 SUBSCRIBERS=1 REPAIR_CRASHES=0
instance holds small broadcast_mp SLOTS=3 MESSAGES=3 MESSAGES_2=2 SUBSCRIBERS=1 CRASHES=0
instance holds extra broadcast_mp MESSAGES=2 MESSAGES_2=1 OBSERVERS=1
instance holds extra broadcast_mp SLOTS=3 MESSAGES=2 OBSERVERS=1 REPAIR_CRASHES=0
instance holds small broadcast_mp MESSAGES=2 MESSAGES_2=1 SUBSCRIBERS=1 LATE CRASHES=0
instance ends small broadcast_mp MESSAGES=2 MESSAGES_2=1 SUBSCRIBERS=1 CRASHES=0
instance holds small broadcast_mp MESSAGES=2 MESSAGES_2=1 SUBSCRIBERS=1 EVICT CRASHES=0
instance holds large broadcast_mp MESSAGES=2 SUBSCRIBERS=1
instance holds large broadcast_mp MESSAGES=2 SUBSCRIBERS=2 REPAIR_CRASHES=0
instance holds large broadcast_mp MESSAGES=2 MESSAGES_2=1 SUBSCRIBERS=2 EVICT REPAIR_CRASHES=0
instance holds large broadcast_mp SLOTS=3 MESSAGES=3 MESSAGES_2=2 SUBSCRIBERS=1 BATCH REPAIR_CRASHES=0
instance holds large broadcast_mp MESSAGES=3 MESSAGES_2=2 SUBSCRIBERS=1 CRASHES=2 TSO REPAIR_CRASHES=0
instance holds large broadcast_mp SLOTS=3 MESSAGES=3 MESSAGES_2=2 OBSERVERS=1
instance holds large broadcast_mp PUBLISHERS=3 SLOTS=3 MESSAGES=1 SUBSCRIBERS=1 REPAIR_CRASHES=0
instance holds large broadcast_mp MESSAGES=2 SUBSCRIBERS=1 OBSERVERS=1 REPAIR_CRASHES=0
instance holds large broadcast_mp SLOTS=3 MESSAGES=2 SUBSCRIBERS=1 LATE REPAIR_CRASHES=0

# --- broadcast with one publisher: announcements, long messages, observers, a successor ---
instance holds small broadcast OBSERVER=0 CRASHES=1 TSO=3
instance holds extra broadcast OBSERVER=0 CRASHES=2 TSO=3
instance holds small broadcast OBSERVER=0 CRASHES=1 TSO=3 PAIR
instance holds extra broadcast OBSERVER=0 CRASHES=2 TSO=3 PAIR
instance holds small broadcast OBSERVER=0 LATE MESSAGES=8
instance holds extra broadcast OBSERVER=0 LONG=1 MESSAGES=4 CRASHES=1
instance holds medium broadcast OBSERVER=0 LONG=1 MESSAGES=4 CRASHES=1 PAIR
instance holds medium broadcast SUBSCRIBER=0 LONG=1 SLOTS=8 MESSAGES=3 CRASHES=1
instance holds large broadcast OBSERVER=0 LONG=1 MESSAGES=5 CRASHES=1
instance holds large broadcast SUBSCRIBER=0 LONG=1 SLOTS=8 MESSAGES=4 CRASHES=1
instance holds extra broadcast OBSERVER=0 LONG=1 SLOTS=8 MESSAGES=4 TSO=2
instance holds extra broadcast SUBSCRIBER=0 CRASHES=1
instance holds medium broadcast SUBSCRIBER=0 CRASHES=1 PAIR
instance holds extra broadcast SUBSCRIBER=0 TSO=2
instance ends extra broadcast SUBSCRIBER=0 MESSAGES=5
instance holds large broadcast MESSAGES=5 CRASHES=1
instance holds large broadcast MESSAGES=5 CRASHES=1 PAIR
instance holds large broadcast MESSAGES=4 CRASHES=1 TSO=3 PAIR
instance holds large broadcast MESSAGES=4 CRASHES=1 TSO=3
instance holds large broadcast SUBSCRIBER=0 LONG=1 SLOTS=8 MESSAGES=6 CRASHES=1
instance holds large broadcast SUBSCRIBER=0 MESSAGES=8 CRASHES=2 TSO=3
instance holds large broadcast OBSERVER=0 LATE LONG=1 SLOTS=8 MESSAGES=5 CRASHES=1 TSO=3

# --- the one place of a ring: joining, displacing, evicting, leaving ---
instance holds small place JOINERS=1 JOINS=3 MESSAGES=3 EVICT
instance holds small place JOINS=1 CRASHES=2 REPAIRER=0
instance holds small place JOINS=1 CRASHES=0 EVICT
instance holds extra place JOINS=1 EVICT
instance holds large place EVICT CRASHES=2
instance holds large place EVICT CRASHES=2 REPAIRER=0

# --- going to sleep, and being woken ---
instance holds small sleep RINGS=2
instance holds extra sleep EARLY=1
instance holds small sleep RINGS=2 AWAKE=1 MESSAGES=1
instance holds extra sleep RINGS=2 AWAKE=1
instance holds small sleep PUBLISHERS=1 MESSAGES=3 AWAKE=2
instance holds extra sleep PUBLISHERS=1 SUBSCRIBERS=2 EARLY=1 MESSAGES=1
instance holds small sleep WEAK MESSAGES=1
instance holds extra sleep WEAK
instance holds small sleep WEAK AWAKE=1 MESSAGES=1
instance holds extra sleep WEAK AWAKE=1
instance holds extra sleep FENCE RINGS=2 MESSAGES=1
instance holds extra sleep PUBLISHERS=1 CAPACITY=1 MESSAGES=3 EARLY=1
instance holds small sleep CRASHES=1 TIMEOUT
instance holds small sleep CAPACITY=1 MESSAGES=1 TIMEOUT
instance holds large sleep SUBSCRIBERS=2 MESSAGES=1 EARLY=1
instance holds large sleep RINGS=2 CAPACITY=1 EARLY=1
instance holds large sleep RINGS=2 CAPACITY=1 MESSAGES=3 WEAK
instance holds large sleep RINGS=2 EARLY=2 MESSAGES=3
instance holds large sleep RINGS=2 EARLY=1 AWAKE=2 MESSAGES=3 WEAK
instance holds large sleep CAPACITY=1 CRASHES=1 TIMEOUT EARLY=1
# What the timeout of every sleep is there for: a waker killed between clearing the bit and ringing the bell, and room on a ring with several
# publishers, who do not look once more before they sleep.
instance caught small sleep CRASHES=1
instance caught small sleep CAPACITY=1

# --- mistakes that must be found ---
instance caught extra slot MESSAGES=2 MUTATE_READY_FIRST
instance caught small slot MESSAGES=2 MUTATE_RELAXED_COMMIT WEAK
instance caught small slot CONSUMERS=1 MESSAGES=1 CRASHES=0 MUTATE_CLAIM_STORE
instance caught extra slot MESSAGES=2 MUTATE_TAKE_STORE
instance caught extra slot MESSAGES=2 MUTATE_RELEASE_SAME_LAP
instance caught small slot MESSAGES=2 MUTATE_SKIP_CLAIMED
instance caught small slot CONSUMERS=1 SLOTS=3 MESSAGES=1 MESSAGES_2=2 REPAIR_CRASHES=0 MUTATE_NO_SETTLE
instance caught extra slot PUBLISHERS=1 SLOTS=3 MESSAGES=3 REPAIR_CRASHES=0 MUTATE_NO_SETTLE_TAKE
instance caught small slot PUBLISHERS=3 CONSUMERS=1 SLOTS=3 CRASHES=0 MUTATE_SETTLE_WRONG_ONE
instance caught extra slot PUBLISHERS=1 CONSUMERS=3 SLOTS=3 MESSAGES=3 CRASHES=0 MUTATE_SETTLE_WRONG_ONE
instance caught extra slot PUBLISHERS=1 MESSAGES=1 ABORT MUTATE_PASS_FIRST
instance caught small slot CONSUMERS=1 MESSAGES=1 MUTATE_REPAIR_NO_SETTLE
instance caught extra slot CONSUMERS=1 MESSAGES=1 HEAL MUTATE_HEAL_SLOTS_ONLY
instance caught extra slot CONSUMERS=1 MESSAGES=1 CRASHES=0 REPAIR_CRASHES=0 MUTATE_REPAIR_LIVING_PUBLISHER
instance caught extra slot PUBLISHERS=1 MESSAGES=2 CRASHES=0 REPAIR_CRASHES=0 MUTATE_REPAIR_LIVING_CONSUMER
instance caught small slot CONSUMERS=1 MESSAGES=1 CRASHES=0 REPAIR_CRASHES=0 MUTATE_REPAIR_LIVING_PUBLISHER MUTATE_COMMIT_STORE
instance caught extra slot PUBLISHERS=1 MESSAGES=2 CRASHES=0 REPAIR_CRASHES=0 MUTATE_REPAIR_LIVING_CONSUMER MUTATE_RELEASE_STORE
instance caught small slot MESSAGES=2 MUTATE_REPAIR_STORE REPAIRERS=2
instance caught extra slot MESSAGES=2 MUTATE_REPAIR_NO_CONSUMER
instance caught extra slot CONSUMERS=1 MESSAGES=1 REUSE MUTATE_REPAIR_UNLOCKED
instance caught small slot PUBLISHERS=1 CONSUMERS=1 SUBSCRIBERS=1 MESSAGES=3 CRASHES=0 MUTATE_IGNORE_GATE
instance caught extra slot PUBLISHERS=1 CONSUMERS=1 OBSERVERS=1 MESSAGES=3 CRASHES=0 MUTATE_NO_SECOND_LOOK
instance caught extra slot PUBLISHERS=1 CONSUMERS=1 OBSERVERS=1 MESSAGES=3 CRASHES=0 MUTATE_OBSERVE_WORD
instance caught extra broadcast_mp MESSAGES=2 SUBSCRIBERS=1 CRASHES=0 MUTATE_IGNORE_GATE
instance caught extra broadcast_mp MESSAGES=2 SUBSCRIBERS=1 CRASHES=0 MUTATE_PROGRESS_EARLY
instance caught extra broadcast_mp MESSAGES=2 SUBSCRIBERS=1 CRASHES=0 LATE MUTATE_JOIN_ONE_LOOK
instance caught extra broadcast_mp MESSAGES=2 OBSERVERS=1 CRASHES=0 MUTATE_NO_SECOND_LOOK
instance caught small broadcast_mp MESSAGES=2 OBSERVERS=1 CRASHES=0 MUTATE_OBSERVE_WORD
instance caught small broadcast_mp SLOTS=3 MESSAGES=1 MESSAGES_2=3 CRASHES=0 MUTATE_CLAIM_OVER_CLAIMED
instance caught extra broadcast_mp MESSAGES=2 MESSAGES_2=1 SUBSCRIBERS=1 EVICT CRASHES=0 MUTATE_NO_SECOND_LOOK
instance caught extra broadcast_mp MESSAGES=2 SUBSCRIBERS=2 EVICT CRASHES=0 MUTATE_EVICT_ANYBODY
instance loops small broadcast_mp MESSAGES=2 SUBSCRIBERS=1 CRASHES=0 MUTATE_POLL
instance caught small broadcast MUTATE_IGNORE_GATE
instance caught extra broadcast PAIR MUTATE_PAIR_FIRST
instance caught small broadcast PAIR MUTATE_PAIR_TORN
instance caught extra broadcast MUTATE_PROGRESS_EARLY
instance caught small broadcast CRASHES=1 MUTATE_JOIN_AT_TAIL
instance caught extra broadcast OBSERVER=0 LATE MUTATE_JOIN_ONE_LOOK
instance caught extra broadcast OBSERVER=0 LATE MESSAGES=8 MUTATE_GATE_BEFORE_TAIL
instance caught small broadcast SUBSCRIBER=0 MUTATE_ANNOUNCE_LATE
instance caught extra broadcast SUBSCRIBER=0 MUTATE_NO_SECOND_LOOK
instance caught extra broadcast SUBSCRIBER=0 MUTATE_NO_TAIL_VERSION
instance caught extra broadcast SUBSCRIBER=0 MUTATE_RESYNC_UNCHECKED
instance caught extra broadcast LONG=1 MUTATE_LONG_FIRST
instance caught extra broadcast OBSERVER=0 LONG=1 SLOTS=8 MUTATE_AREA_UNGATED
instance caught small broadcast OBSERVER=0 LONG=1 SLOTS=8 MESSAGES=4 CRASHES=1 MUTATE_SUCCESSOR_TAKES_AREA
instance caught small broadcast SUBSCRIBER=0 LONG=1 SLOTS=8 MESSAGES=4 MUTATE_AREA_ANNOUNCE_LATE
instance caught extra broadcast SUBSCRIBER=0 LONG=1 SLOTS=8 MESSAGES=4 MUTATE_AREA_NO_SECOND_LOOK
instance caught small place JOINERS=1 CRASHES=0 EVICT MUTATE_NO_TENURE
instance caught extra place CRASHES=0 MUTATE_OPEN_STORE
instance caught small place CRASHES=0 MUTATE_LOOK_FIRST
instance caught extra place CRASHES=0 EVICT MUTATE_LEAVE_ONCE
instance caught extra place JOINS=1 REPAIRER=0 MUTATE_NO_DISPLACE
instance caught small sleep RINGS=2 MUTATE_NO_MEMBARRIER
instance caught extra sleep PUBLISHERS=1 CAPACITY=1 MUTATE_NO_MEMBARRIER
instance caught small sleep RINGS=2 MUTATE_NO_SECOND_LOOK
instance caught extra sleep PUBLISHERS=1 MESSAGES=3 MUTATE_NO_FENCE
instance caught small sleep WEAK MUTATE_NO_FENCE
instance caught extra sleep PUBLISHERS=1 MESSAGES=3 AWAKE=1 MUTATE_FORGETS_THAT_IT_CLEARED
instance caught small sleep RINGS=2 MUTATE_FENCES_WANTED_LATE
instance caught small sleep MUTATE_BELL_READ_LATE
instance caught extra sleep MUTATE_NO_BELL
instance caught extra sleep MUTATE_CLEAR_LATE
instance caught extra sleep RINGS=2 MUTATE_NO_COMPILER_BARRIER

echo "$ran instances, $failed not as expected, $((SECONDS - began)) s"
[ "$failed" -eq 0 ] && [ "$ran" -gt 0 ]
