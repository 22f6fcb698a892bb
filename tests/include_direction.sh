#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# include_direction.sh - reads every #include and fails when an arrow points the wrong way:
#
#    bus/ring  <-  bus/run  <-  bus/journal  <-  bus/msg  <-  bus/market  <-  feedsim | strategy | risk  <-  tools
#    bus/wire  <-  bus/remote | feedsim | tools: both know nothing of the bus but its errors and its clock
#    and in tools:  show  <-  measure  <-  control | config  <-  journal  <-  run | ipc  <-  latency  <-  verb_*.c, which nobody includes
#
# The bus knows nothing of markets, and the applications never include one another. Tests and benches may include everything, and nobody
# includes them. A quoted include names a file from the top of the tree; JSON, YAML and the like come in at the top only.
set -u
cd "$(dirname "$0")/.." || exit 1

# Public headers: those of a ring, which knows no bus, and those of what runs on rings.
ring_headers="tickbus/atomic.h tickbus/clock.h tickbus/error.h tickbus/glance.h tickbus/horizon.h tickbus/inline.h tickbus/observer.h tickbus/publisher.h"
ring_headers+=" tickbus/repair.h tickbus/ring.h tickbus/slot.h tickbus/subscriber.h tickbus/wait.h tickbus/wake.h"
run_headers="tickbus/bus.h tickbus/directory.h tickbus/histogram.h tickbus/kind.h tickbus/open.h tickbus/outlet.h tickbus/param.h tickbus/segment.h tickbus/stage.h"
bus_headers="$ring_headers $run_headers tickbus/journal.h tickbus/history.h tickbus/soup.h tickbus/tickbus.h"
messages="tickbus/msg/ bus/msg/"
market="tickbus/market/ bus/market/"
wire="bus/wire/"
stamps="bus/run/stamps.h" # where stages note when a message took which step
gaps="bus/run/gaps.h"     # where processes note their late turns
# Sets `prefixes` (a function that prints them would cost a process a file).
public()
{
    case $1 in
    msg/*) prefixes="tickbus/error.h tickbus/inline.h tickbus/msg/" ;;
    market/*) prefixes="$bus_headers tickbus/msg/ tickbus/market/" ;;
    *)
        case " $ring_headers " in
        *" tickbus/$1 "*) prefixes=$ring_headers ;;
        *) prefixes=$bus_headers ;;
        esac
        ;;
    esac
}

# Everything that the tools may stand on.
below_tools="tickbus/ bus/journal/ bus/msg/ bus/wire/ bus/market/ feedsim/ strategy/ risk/"

# What a file may include, as a list of path prefixes in `prefixes`; <tickbus/...> stands for the public headers.
allowed()
{
    prefixes=
    case $1 in
    bus/include/tickbus/*) public "${1#bus/include/tickbus/}" ;;
    bus/ring/*) prefixes="$ring_headers bus/ring/" ;;
    bus/run/*) prefixes="$ring_headers $run_headers bus/run/" ;;
    bus/layout/*) prefixes="tickbus/directory.h tickbus/msg/ bus/layout/" ;; # all that lies in shared memory
    bus/examples/* | bus/package/*) prefixes="tickbus/" ;; # all that is public
    bus/journal/*) prefixes="$bus_headers $stamps bus/journal/" ;;
    bus/msg/*) prefixes="tickbus/error.h tickbus/inline.h $messages" ;;
    bus/wire/*) prefixes="tickbus/error.h $wire" ;;
    bus/remote/*) prefixes="tickbus/clock.h tickbus/error.h tickbus/soup.h $wire bus/remote/" ;;
    bus/market/*) prefixes="$bus_headers $messages $market $stamps" ;;
    feedsim/itch/*) prefixes="$bus_headers $messages feedsim/itch/" ;;
    feedsim/capture/*) prefixes="$bus_headers $wire feedsim/capture/" ;;
    feedsim/synth/*) prefixes="$bus_headers $messages feedsim/synth/" ;;
    feedsim/*) prefixes="$bus_headers $messages $wire $market $stamps feedsim/" ;;
    strategy/*) prefixes="$bus_headers $messages $market strategy/ tickbus/strategy.h" ;;
    risk/*) prefixes="$bus_headers $messages $market risk/" ;;
    tools/latency/*) prefixes="$below_tools $stamps $gaps tools/show/ tools/measure/ tools/control/ tools/config/ tools/run/ tools/latency/" ;;
    tools/show/*) prefixes="$below_tools tools/show/" ;;
    tools/measure/*) prefixes="tickbus/ tools/show/ tools/measure/" ;;
    tools/control/*) prefixes="tickbus/ bus/run/rundir.h bus/run/attach.h bus/run/exchange.h tools/show/ tools/measure/ tools/control/" ;;
    tools/journal/*) prefixes="$below_tools tools/show/ tools/measure/ tools/config/ tools/journal/" ;;
    tools/config/*) prefixes="$below_tools tools/show/ tools/config/" ;;
    tools/ipc/*) prefixes="tickbus/ tools/show/ tools/measure/ tools/control/ tools/config/ tools/ipc/" ;;
    tools/run/*) prefixes="$below_tools bus/run/cgroup.h $stamps $gaps tools/show/ tools/measure/ tools/control/ tools/config/ tools/journal/ tools/run/" ;;
    tools/verb*.c) prefixes="$below_tools tools/show/ tools/measure/ tools/control/ tools/config/ tools/ipc/ tools/journal/ tools/run/ tools/latency/ tools/verbs.h" ;;
    tools/*) prefixes="tickbus/ tools/show/ tools/measure/ tools/verbs.h" ;;
    tests/*) prefixes="tickbus/ bus/ feedsim/ strategy/ risk/ tools/ tests/" ;;
    bench/*) prefixes="tickbus/ bus/ feedsim/ strategy/ risk/ tools/ bench/" ;;
    esac
}
# Foreign libraries below tools/ that a folder may use, in `libraries`.
foreign()
{
    libraries=
    case $1 in
    bus/run/*) libraries="numa.h numaif.h" ;;
    feedsim/nats/jetstream/* | feedsim/nats/examples/*) libraries="nats/nats.h" ;;
    feedsim/*) libraries="zlib.h liburing.h crypt.h" ;;
    tools/*) libraries="yaml.h jansson.h jemalloc/jemalloc.h liburing.h zlib.h numa.h" ;;
    esac
}

wrong=0
complain()
{
    echo "$1:$2: $3" >&2
    wrong=$((wrong + 1))
}

mapfile -t sources < <(find bus feedsim strategy risk tools tests bench -name '*.[ch]' -o -name '*.cc')
previous=
while IFS=: read -r file line text; do
    if [ "$file" != "$previous" ]; then
        allowed "$file"
        foreign "$file"
        previous=$file
    fi
    [[ $text =~ [\"\<]([^\"\>]*)[\"\>] ]]
    name=${BASH_REMATCH[1]}
    case $text in
    *'"'*)
        [ -f "$name" ] || complain "$file" "$line" "\"$name\" is no file seen from the top of the tree"
        ;;
    *"<tickbus/"*)
        [ -f "bus/include/$name" ] || [ -f "strategy/include/$name" ] || complain "$file" "$line" "<$name> does not exist"
        ;;
    *)
        case $name in
        numa.h | numaif.h | zlib.h | yaml.h | jansson.h | jemalloc/* | liburing.h | crypt.h | nats/*)
            [[ $file == tests/* || $file == bench/* || " $libraries " == *" $name "* ]] ||
                complain "$file" "$line" "<$name> has no business here"
            ;;
        esac
        continue
        ;;
    esac
    for prefix in $prefixes; do
        [[ $name == "$prefix"* ]] && continue 2
    done
    complain "$file" "$line" "$name: that arrow points the wrong way (may include: $prefixes)"
done < <(grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*["<]' /dev/null "${sources[@]}")

[ ${#sources[@]} -gt 20 ] || complain . 0 "found only ${#sources[@]} source files: wrong directory?"
[ $wrong -eq 0 ] && echo "${#sources[@]} files, every arrow points the right way"
exit $((wrong > 0))
