#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ipc_crosscheck.sh [BUSCTL] - are the figures of `busctl ipc` those that others measure? Round trips of 64 bytes, in the same minute, ours and an
# independent tool's in turn, medians of three, and the ratio:
#
#    pipe         one CPU    perf bench sched pipe (linux-perf): the mean of 4-byte round trips
#    pipe, unix   two CPUs   a ping-pong in perl, with sysread and syswrite
#    tcp, udp     two CPUs   sockperf ping-pong: its 50th percentile
#
# Not a test: a busy machine makes any two figures differ. Exit code 0: every ratio within 15 %; 1: some beyond; 77: no tool is here.
# Needs: apt-get install linux-perf sockperf perl. CPUS=A,B picks the CPUs (default 0,1).
set -u
cd "$(dirname "$0")/.." || exit 1
busctl=${1:-build/release/busctl}
cpus=${CPUS:-0,1}
first=${cpus%,*} second=${cpus#*,}
rounds=3
port=17117
server=
trap '[ -n "$server" ] && kill "$server" 2>/dev/null' EXIT

median()
{
    sort -n | awk '{ v[NR] = $1 } END { if (NR) printf "%.3f\n", (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}

# Median round trip in us. PLACEMENT is the number of CPUs.
ours()
{
    local mechanism=$1 placement=$2
    local at=$cpus
    [ "$placement" -eq 1 ] && at=$first
    "$busctl" ipc --only "$mechanism" --cpus "$at" --for 600ms --json | perl -MJSON::PP -e '
        local $/; my ($placement) = @ARGV; @ARGV = ();
        for my $m (@{decode_json(<STDIN>)->{mechanisms}}) {
            printf "%.3f\n", $m->{roundtrip_ns}{p50} / 1000 if @{$m->{cpus}} == $placement && $m->{available};
        }' "$placement"
}

perf_pipe()
{
    taskset -c "$first" perf bench -f simple sched pipe -l 40000 | awk '{ printf "%.3f\n", $1 / 40000 * 1e6 }'
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
        for my $i (1 .. 12000) {
            my $t = clock_gettime(CLOCK_MONOTONIC);
            syswrite $cw, $message;
            sysread $cr, $_, 64;
            push @ns, clock_gettime(CLOCK_MONOTONIC) - $t if $i > 2000;
        }
        close $cw; close $cr;
        kill 9, $child; # it may hold the other end of its own pipe
        waitpid $child, 0;
        @ns = sort { $a <=> $b } @ns;
        printf "%.3f\n", $ns[@ns / 2] * 1e6;' "$1" "$first" "$second"
}

sockperf_ping_pong() # tcp_nodelay | udp
{
    local flags=()
    [ "$1" = tcp_nodelay ] && flags=(--tcp)
    taskset -c "$second" sockperf server -i 127.0.0.1 -p $port "${flags[@]}" >/dev/null 2>&1 &
    server=$!
    sleep 0.3
    taskset -c "$first" sockperf ping-pong -i 127.0.0.1 -p $port "${flags[@]}" -m 64 -t 1 --full-rtt 2>/dev/null |
        awk '/percentile 50.000/ { print $NF }'
    kill $server 2>/dev/null
    wait $server 2>/dev/null
    server=
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
    local mine='' theirs=''
    for _ in $(seq $rounds); do
        mine+=$(ours "$mechanism" "$placement")$'\n'
        theirs+=$("$@")$'\n'
    done
    mine=$(grep . <<<"$mine" | median) theirs=$(grep . <<<"$theirs" | median)
    compared=$((compared + 1))
    awk -v m="$mechanism" -v c="$placement" -v t="$tool" -v a="$mine" -v b="$theirs" 'BEGIN {
        ratio = b > 0 ? a / b : 0
        printf("%-14s %d CPU%s  busctl ipc %8.2f us   %-8s %8.2f us   ratio %.2f\n", m, c, (c > 1 ? "s" : " "), a, t, b, ratio)
        exit ratio < 0.85 || ratio > 1.15 }' || beyond=$((beyond + 1))
}

compare pipe 1 perf perf_pipe
compare pipe 2 perl perl_ping_pong pipe
compare unix_stream 2 perl perl_ping_pong unix_stream
compare tcp_nodelay 2 sockperf sockperf_ping_pong tcp_nodelay
compare udp 2 sockperf sockperf_ping_pong udp
[ $compared -gt 0 ] || exit 77
exit $((beyond > 0))
