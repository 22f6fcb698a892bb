#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ipc_crosscheck.sh [BUSCTL] - are the figures of `busctl ipc` those that others measure? Round trips of 64 bytes, in the same minute, ours and an
# independent tool's in turn, three times each, the best stretch of each; printed are the medians of the three, and the least of them: whatever disturbs a machine only
# adds, so that the least are comparable even on a busy one, and it is their ratio that counts.
#
#    pipe         one CPU    perf bench sched pipe (linux-perf): the mean of 4-byte round trips
#    pipe, unix   two CPUs   a ping-pong in perl, with sysread and syswrite
#    tcp, udp     two CPUs   sockperf ping-pong: its 50th percentile
#
# Not a test of the suite: figures of another tool may move. Exit code 0: every ratio within 15 %; 1: some beyond; 77: no tool is here.
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

# Median round trip in us, of the best round. PLACEMENT is the number of CPUs.
ours()
{
    local mechanism=$1 placement=$2
    local at=$cpus
    [ "$placement" -eq 1 ] && at=$first
    "$busctl" ipc --only "$mechanism" --cpus "$at" --for 600ms --json | perl -MJSON::PP -e '
        local $/; my ($placement) = @ARGV; @ARGV = ();
        for my $m (@{decode_json(<STDIN>)->{mechanisms}}) {
            printf "%.3f\n", $m->{roundtrip_ns}{p50_rounds_min} / 1000 if @{$m->{cpus}} == $placement && $m->{available};
        }' "$placement"
}

perf_pipe()
{
    for _ in 1 2 3 4 5 6 7 8; do
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
        for my $i (1 .. 12000) {
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
    mine=$(grep . <<<"$mine" | sort -n | xargs) theirs=$(grep . <<<"$theirs" | sort -n | xargs)
    if [ -z "$mine" ] || [ -z "$theirs" ]; then
        printf '%-14s %d CPU  nothing was measured\n' "$mechanism" "$placement"
        beyond=$((beyond + 1))
        return
    fi
    compared=$((compared + 1))
    awk -v m="$mechanism" -v c="$placement" -v t="$tool" -v a="$mine" -v b="$theirs" 'BEGIN {
        na = split(a, ours, " "); nb = split(b, other, " ")
        ratio = ours[1] / other[1]
        printf("%-12s %d CPU%s  busctl ipc %7.2f us (least %7.2f)   %-8s %7.2f us (least %7.2f)   ratio %.2f\n", m, c, (c > 1 ? "s" : " "),
               ours[int((na + 1) / 2)], ours[1], t, other[int((nb + 1) / 2)], other[1], ratio)
        exit ratio < 0.85 || ratio > 1.15 }' || beyond=$((beyond + 1))
}

compare pipe 1 perf perf_pipe
compare pipe 2 perl perl_ping_pong pipe
compare unix_stream 2 perl perl_ping_pong unix_stream
compare tcp_nodelay 2 sockperf sockperf_ping_pong tcp_nodelay
compare udp 2 sockperf sockperf_ping_pong udp
[ $compared -gt 0 ] || exit 77
exit $((beyond > 0))
