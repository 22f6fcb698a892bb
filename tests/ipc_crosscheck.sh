#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ipc_crosscheck.sh [BUSCTL] - are the figures of `busctl ipc` those that others measure? Round trips of 64 bytes on the same two CPUs, ours and an
# independent tool's in turn, three times each (ROUNDS=N). Each run gives the median round trip of its best stretch of some hundred; compared are the
# least of all runs, because other people's work mostly adds.
#
# What a CPU that has gone to sleep takes to wake up depends on how long it slept, and so on how much a tool does between two calls: on a virtual
# machine the same pipe takes 44 us with one tool and 62 us with another. So both CPUs are kept awake, by a loop each that gives way to everything
# (SCHED_IDLE): what is compared is the mechanism.
#
#    pipe         one CPU    perf bench sched pipe (linux-perf): the mean of 4,000 round trips of 4 bytes
#    pipe, unix   two CPUs   a ping-pong in perl, with sysread and syswrite
#    tcp, udp     two CPUs   sockperf ping-pong: the median of its best 500 neighbours
#
# Not a test of the suite: figures of another tool may move. Exit code 0: every ratio within 15 %; 1: some beyond; 77: no tool is here.
# Needs: apt-get install linux-perf sockperf perl. CPUS=A,B picks the CPUs (default 0,1).
set -u
cd "$(dirname "$0")/.." || exit 1
busctl=${1:-build/release/busctl}
cpus=${CPUS:-0,1}
first=${cpus%,*} second=${cpus#*,}
rounds=${ROUNDS:-3}
port=17117
server=
log=$(mktemp)
awake=()
trap '[ -n "$server" ] && kill "$server" 2>/dev/null; sleep_again; rm -f "$log"' EXIT

keep_awake()
{
    local cpu
    for cpu in "$first" "$second"; do
        chrt -i 0 taskset -c "$cpu" timeout 300 perl -e '1 while getppid() > 1' &
        awake+=($!)
    done
}

sleep_again()
{
    [ ${#awake[@]} -eq 0 ] && return
    kill "${awake[@]}" 2>/dev/null
    wait "${awake[@]}" 2>/dev/null
    awake=()
}

# Median round trip in us, of the best round. PLACEMENT is the number of CPUs.
ours()
{
    local mechanism=$1 placement=$2
    local at=$cpus
    [ "$placement" -eq 1 ] && at=$first
    "$busctl" ipc --only "$mechanism" --cpus "$at" --for 700ms --json | perl -MJSON::PP -e '
        local $/; my ($placement) = @ARGV; @ARGV = ();
        for my $m (@{decode_json(<STDIN>)->{mechanisms}}) {
            printf "%.3f\n", $m->{roundtrip_ns}{p50_rounds_min} / 1000 if @{$m->{cpus}} == $placement && $m->{available};
        }' "$placement"
}

perf_pipe()
{
    for _ in 1 2 3 4 5; do
        taskset -c "$first" perf bench -f simple sched pipe -l 4000 | awk '{ printf "%.3f\n", $1 / 4000 * 1e6 }'
    done | sort -n | head -n 1
}

perl_ping_pong() # pipe | unix_stream
{
    perl -MSocket -MTime::HiRes=clock_gettime,CLOCK_MONOTONIC -e '
        my ($kind, $client, $server) = @ARGV;
        my ($cr, $cw, $sr, $sw);
        if ($kind eq "pipe") {
            pipe($sr, $cw) && pipe($cr, $sw) or die;
        } else {
            socketpair($cr, $sr, AF_UNIX, SOCK_STREAM, PF_UNSPEC) or die;
            ($cw, $sw) = ($cr, $sr);
        }
        sub pin { system("taskset -cp $_[0] $$ >/dev/null") == 0 or die }
        my $message = "x" x 64;
        my $child = fork();
        if (!$child) {
            pin($server);
            close $cw; close $cr;
            syswrite $sw, $_ while sysread $sr, $_, 64;
            exit 0;
        }
        pin($client);
        close $sr; close $sw;
        my @ns;
        for my $i (1 .. 6000) {
            my $t = clock_gettime(CLOCK_MONOTONIC);
            syswrite $cw, $message;
            sysread $cr, $_, 64;
            push @ns, clock_gettime(CLOCK_MONOTONIC) - $t if $i > 2000;
        }
        close $cw; close $cr;
        kill 9, $child; # it may hold the other end of its own pipe
        waitpid $child, 0;
        my @medians;
        push @medians, (sort { $a <=> $b } splice @ns, 0, 500)[250] while @ns;
        printf "%.3f\n", (sort { $a <=> $b } @medians)[0] * 1e6;' "$1" "$first" "$second"
}

sockperf_ping_pong() # tcp_nodelay | udp
{
    local flags=()
    [ "$1" = tcp_nodelay ] && flags=(--tcp)
    taskset -c "$second" sockperf server -i 127.0.0.1 -p $port "${flags[@]}" >/dev/null 2>&1 &
    server=$!
    sleep 0.3
    taskset -c "$first" sockperf ping-pong -i 127.0.0.1 -p $port "${flags[@]}" -m 64 -t 1 --full-rtt \
        --full-log "$log" >/dev/null 2>&1
    kill $server 2>/dev/null
    wait $server 2>/dev/null
    server=
    perl -ne '
        push @us, $1 if /^\d+, .*, ([\d.]+)$/;
        END {
            push @medians, (sort { $a <=> $b } splice @us, 0, 500)[250] while @us >= 500;
            printf "%.3f\n", (sort { $a <=> $b } @medians)[0] if @medians;
        }' "$log"
}

compared=0
beyond=0
compare() # MECHANISM CPUS TOOL FUNCTION [ARGUMENT]
{
    local mechanism=$1 placement=$2 tool=$3
    shift 3
    command -v "$tool" >/dev/null || {
        printf '%-14s %d CPU  %s is not here\n' "$mechanism" "$placement" "$tool"
        return
    }
    local pairs='' mine theirs
    for _ in $(seq "$rounds"); do
        mine=$(ours "$mechanism" "$placement") theirs=$("$@")
        [ -n "$mine" ] && [ -n "$theirs" ] && pairs+="$mine $theirs"$'\n'
    done
    if [ -z "$pairs" ]; then
        printf '%-14s %d CPU  nothing was measured\n' "$mechanism" "$placement"
        beyond=$((beyond + 1))
        return
    fi
    compared=$((compared + 1))
    printf '%s' "$pairs" | perl -e '
        my ($mechanism, $cpus, $tool) = splice @ARGV, 0, 3;
        my (@ours, @theirs);
        while (<STDIN>) { my ($mine, $other) = split; push @ours, $mine; push @theirs, $other }
        @ours = sort { $a <=> $b } @ours;
        @theirs = sort { $a <=> $b } @theirs;
        my $ratio = $ours[0] / $theirs[0];
        printf "%-12s %d CPU%s  busctl ipc %6.2f us (median %6.2f)   %-8s %6.2f us (median %6.2f)   ratio %.2f\n",
            $mechanism, $cpus, $cpus > 1 ? "s" : " ", $ours[0], $ours[$#ours / 2], $tool, $theirs[0], $theirs[$#theirs / 2], $ratio;
        exit($ratio < 0.85 || $ratio > 1.15)' "$mechanism" "$placement" "$tool" || beyond=$((beyond + 1))
}

compare pipe 1 perf perf_pipe
keep_awake
compare pipe 2 perl perl_ping_pong pipe
compare unix_stream 2 perl perl_ping_pong unix_stream
compare tcp_nodelay 2 sockperf sockperf_ping_pong tcp_nodelay
compare udp 2 sockperf sockperf_ping_pong udp
[ $compared -gt 0 ] || exit 77
exit $((beyond > 0))
