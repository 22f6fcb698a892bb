#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# hot_calls.pl BUILD_DIR OBJDUMP COMPILER - what can the hot path call? Disassembles the built libraries, follows every call from the functions below,
# and fails, naming the way there, when one ends in something that allocates, locks, prints or enters the kernel.
#
# Calls through pointers cannot be followed: what stands in a table of operations (a stage's poll, a source's next) is a root of its own.
use strict;
use warnings;

# Where the hot path begins; FOLDER/FILE:NAME for a static function. The inline part of the rings (tbus_publish_try, tbus_peek, tbus_advance)
# is in its callers.
my @roots = qw(
    tbus_publish_other tbus_publisher_refresh tbus_claim_try tbus_claim_bytes_try tbus_commit
    tbus_abort
    tbus_peek_slow tbus_peek_other tbus_advance_other tbus_subscriber_flush tbus_observe
    itch_decode itch_encode market_apply position_apply tbus_journal_writer_append tbus_journal_writer_append_try
    feedsim/feed.c:feed_poll feedsim/feed.c:feed_deadline_ns
    feedsim/source_itch.c:next feedsim/source_synth.c:next feedsim/source_journal.c:next
    feedsim/source_soup.c:next
    market_stage_poll_together
    strategy/stage.c:collect strategy/stage.c:take strategy/stage.c:on_tick strategy/stage.c:end
    strategy/quote.c:quote_on_tick strategy/quote.c:quote_on_bbo strategy/quote.c:quote_on_report
    strategy/quote.c:quote_on_timer
    risk/stage.c:collect risk/stage.c:take risk/stage.c:on_tick risk/stage.c:begin
    risk/executor.c:collect risk/executor.c:take risk/executor.c:on_tick risk/executor.c:begin
    bus/recorder.c:recorder_poll
);

# What it may call outside our libraries.
my %allowed = map { $_ => 1 } qw(
    memcpy memmove memset memcmp memchr strlen strnlen strncmp
    clock_gettime __udivti3 __divti3 __umodti3 __modti3
    __assert_fail __stack_chk_fail
);

# Where following ends, because what lies behind is not the usual path: functions, and single calls as CALLER>CALLEE.
my %ends = (
    tbus_fail                 => 'an error is told; the run is about to end',
    tbus_strerror             => 'likewise',
    tbus_journal_writer_fail  => 'likewise',
    'market_apply>snprintf'   => 'a table is full; likewise',
    'market_apply>strchr'     => 'likewise',
    'bus/append.c:refuse_too_big' => 'likewise',
    tbus_journal_file_check   => 'likewise',
    tbus_journal_hole_end     => 'once after the disk was full',
    tbus_counter_add          => 'a counter appears: once for each type of message, once for each symbol traded',
    'feedsim/feed.c:feed_poll>snprintf' => 'its name',
    feed_source_tell_malformed => 'once, when the input has ended',
    itch_type_label           => 'its name',
    'ledger_execute>snprintf' => 'its name',
    losses_tell               => 'once each time that a loss limit was reached, and behind each release',
    tbus_ring_wake            => 'somebody sleeps: futex(2)',
    tbus_ring_wake_publishers => 'somebody sleeps: futex(2)',
    tbus_horizon_wake         => 'likewise',
    bytestream_read           => 'the input of the feed: one read(2) for a quarter of a megabyte',
    tbus_journal_reader_next  => 'the input of a replay',
    tbus_soup_next            => 'the input of a remote feed: one recv(2) for a quarter of a megabyte',
    map { ("bus/append.c:append_with_care>pthread_$_" => 'once a segment of the journal: the next one is handed over') }
        qw(mutex_lock mutex_trylock mutex_unlock cond_wait cond_signal)
);

my ($build, $objdump, $compiler) = @ARGV;
if ($compiler ne 'GNU 12') {
    print "which function is compiled into which differs: the lists above are for GNU 12, this is $compiler\n";
    exit 77;
}
my @archives = glob("$build/libtickbus*.a");
die "hot_calls: no libtickbus*.a in $build\n" unless @archives;

# %calls: function -> {callee -> 1}. Names of static functions carry their file, two may be called the same.
my (%calls, %defined, %starts, @pending);
my ($object, $section, $function) = ('', '', '');
sub name_of
{
    my ($name) = @_;
    $name =~ s/\.(?:constprop|isra|part|cold)(?:\.\d+)?//g; # parts that the compiler made of one function
    return $defined{$name} ? $name : "$object:$name";
}

for my $archive (@archives) {
    my $dump = `$objdump -t '$archive' 2>/dev/null`;
    for (split /\n/, $dump) {
        $defined{$1} = 1 if /^[0-9a-f]+ g\s+F \.text\S*\s+[0-9a-f]+ (?:\.hidden )?(\S+)$/;
    }
}
for my $archive (@archives) {
    my ($folder) = $archive =~ /libtickbus_?(\w*)\.a$/;
    $folder ||= 'bus';
    open my $dump, '-|', $objdump, '-dr', '--no-show-raw-insn', $archive or die "hot_calls: $objdump: $!\n";
    my $guess; # a call to the start of a function: so looks one whose target the relocation behind it tells
    while (<$dump>) {
        $calls{$function}{$guess} = 1 if $guess and not /^\s+[0-9a-f]+:\s+R_/;
        $guess = undef;
        if (/^(\S+)\.o:\s+file format/) {
            $object = "$folder/$1";
        } elsif (/^Disassembly of section (\S+):/) {
            $section = $1;
        } elsif (/^([0-9a-f]+) <([^>]+)>:/) {
            $function = name_of($2);
            $calls{$function} ||= {};
            push @{$starts{"$object$section"}}, [hex $1, $function];
        } elsif (/^\s+[0-9a-f]+:\s+R_\S+\s+(\.text[^+\s-]*)(?:([+-])0x([0-9a-f]+))?/) {
            # A static function of another section: settled below, when all starts are known. (x86 counts from the next instruction.)
            my ($where, $sign, $digits) = ($1, $2 || '+', $3 || '0');
            my $offset = ($sign eq '-' ? -1 : 1) * hex $digits;
            $offset += 4 if /R_X86_64/;
            push @pending, [$function, "$object$where", $offset];
        } elsif (/^\s+[0-9a-f]+:\s+R_\S*?(PLT32|CALL26|JUMP26|GOTPCRELX)\s+([A-Za-z_]\w*)/) {
            # Through the GOT also go addresses of data; a function of ours whose address is taken may well be called.
            my ($kind, $callee) = ($1, $2);
            $calls{$function}{$callee} = 1 if $kind ne 'GOTPCRELX' or $defined{$callee};
        } elsif (/\s(?:call|jmp|j[a-z]+|bl|b|b\.[a-z]+)\s+[0-9a-f]+ <([^>+]+)>\s*$/) {
            my $callee = name_of($1);
            $guess = $callee if $callee ne $function;
        }
    }
    close $dump or die "hot_calls: $objdump failed on $archive\n";
}
for (@pending) {
    my ($caller, $where, $offset) = @$_;
    my ($callee) = map { $_->[1] } grep { $_->[0] <= $offset } reverse @{$starts{$where} || []};
    $calls{$caller}{$callee} = 1 if $callee and $callee ne $caller;
}

my ($wrong, %way) = (0);
for my $root (@roots) {
    next if $calls{$root};
    print STDERR "hot_calls: there is no function $root\n";
    $wrong++;
}
my @open = grep { $calls{$_} } @roots;
$way{$_} = $_ for @open;
while (defined(my $caller = shift @open)) {
    for my $callee (sort keys %{$calls{$caller}}) {
        next if $way{$callee} or $allowed{$callee} or $ends{$callee} or $ends{"$caller>$callee"};
        $way{$callee} = "$way{$caller} -> $callee";
        if ($calls{$callee}) {
            push @open, $callee;
        } else {
            print STDERR "hot_calls: $way{$callee}\n";
            $wrong++;
        }
    }
}
printf "%d functions reached from %d, nothing forbidden\n", scalar(keys %way), scalar(@roots) unless $wrong;
exit($wrong ? 1 : 0);
