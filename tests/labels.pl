#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# labels.pl [TREE] - every memory order has a partner, or says that it needs none.
#
# In a comment at an access, on its own lines or right above its statement:
#
#    R1 pairs R2 (function): ...    the access writes; its partners read what it wrote. An odd label stands
#                                   where something is written, the even one after it where it is read
#    R1                             another access of the same side; one of them names the partner
#    G7 pairs itself ...            a full fence whose partner is the same fence in another process
#    hint: ...                      no partner is needed, and why
#
# Fails for: an acquire, a release, a CAS or a fence with none of these; a label on the wrong side; a label
# whose partner does not name it, or stands nowhere; a label with two meanings (two words of memory in the
# table of bus/README.md, or two rows there); __atomic_, volatile and memory orders outside atomic.h.
#
# Without a tree it first tries itself on the bad trees of its own below, each of which it must refuse.
use strict;
use warnings;
use File::Basename qw(dirname);
use File::Find;
use File::Path qw(make_path);
use File::Temp qw(tempdir);

my $home       = dirname($0) . '/..';
my @rooms      = qw(bus feedsim strategy risk tools);
my $table_file = 'bus/README.md';
my $label      = qr/\b[A-Z]{1,2}[1-9][0-9]?\b/;
my $spells     = 'bus/include/tickbus/atomic.h';    # the one file that may

# What an access does: w it writes, r it reads, s it separates a store from a load behind it.
my %does = (
    tbus_load_acquire     => 'r',
    tbus_store_release    => 'w',
    tbus_cas              => 'wr',
    tbus_fetch_or         => 'wr',
    tbus_fetch_and        => 'wr',
    tbus_fence_acquire    => 'r',
    tbus_fence_release    => 'w',
    tbus_fence_stores     => 'w',
    tbus_fence_full       => 's',
    tbus_compiler_barrier => 's',
    SYS_membarrier        => 's',
);
my $access = qr/\b(tbus_(?:load_acquire|store_release|cas|fetch_or|fetch_and)(?=_u(?:32|64)\s*\()|
                  tbus_fence_(?:acquire|release|stores|full)(?=\s*\()|tbus_compiler_barrier(?=\s*\()|
                  SYS_membarrier(?=,\s*MEMBARRIER_CMD_GLOBAL_EXPEDITED))/x;
# Functions that are such an access: their callers may name a label as well.
my %wraps = (tbus_place_load => 'r', tbus_place_cas => 'wr', tbus_slot_finish => 'wr');
my $wrapper = qr/\b(tbus_place_load|tbus_place_cas|tbus_slot_finish)(?=\s*\()/;

my (@faults, %sites, %partner, %files_of);
sub complain { push @faults, join('', @_) }

# The text with comments and literals blanked out, of the same length; and the comments: [start, end, text].
sub split_comments {
    my ($text) = @_;
    my ($code, @comments) = ($text);
    while ($text =~ m{/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'}gs) {
        my ($start, $end) = ($-[0], $+[0]);
        my $piece = substr($text, $start, $end - $start);
        push @comments, [$start, $end, $piece] if $piece =~ m{^/};
        substr($code, $start, $end - $start) = $piece =~ s/[^\n]/ /gr;
    }
    return ($code, @comments);
}

# Where the statement that holds `at` begins and ends. A semicolon inside parentheses ends nothing.
sub statement_of {
    my ($code, $at) = @_;
    my ($depth, $begin, $end) = (0, $at, $at);
    while ($begin > 0) {
        my $c = substr($code, $begin - 1, 1);
        $depth++ if $c eq ')';
        $depth-- if $c eq '(';
        last if $c =~ /[{}]/ || ($c eq ';' && $depth <= 0);
        $begin--;
    }
    $depth = 0;
    while ($end < length $code) {
        my $c = substr($code, $end, 1);
        $depth++ if $c eq '(';
        $depth-- if $c eq ')';
        last if $c =~ /[{}]/ || ($c eq ';' && $depth <= 0);
        $end++;
    }
    $end++ while $end < length $code && substr($code, $end, 1) ne "\n";
    return ($begin, $end);
}

sub read_source {
    my ($file, $text) = @_;
    my ($code, @comments) = split_comments($text);
    my $line_of = sub { 1 + (substr($text, 0, $_[0]) =~ tr/\n//) };
    if ($file ne $spells) {
        while ($code =~ /\b(__atomic_\w+|__sync_\w+|atomic_\w+_explicit|volatile|__ATOMIC_\w+)\b/g) {
            complain("$file:", $line_of->($-[0]), ": $1 outside atomic.h");
        }
    }
    return if $file eq $spells;
    while ($code =~ /$access|$wrapper/g) {
        my ($name, $at) = ($1 // $2, $-[0]);
        my $does = $does{$name} // $wraps{$name};
        # A declaration or the definition of a wrapper is no access.
        next if $wraps{$name} && substr($code, 0, $at) =~ /\b(?:bool|uint64_t)\s+$/;
        my ($begin, $end) = statement_of($code, $at);
        # A comment at the end of the line of the statement before belongs to that.
        my $said = join "\n", map { $_->[2] } grep {
            $_->[0] >= $begin && $_->[1] <= $end &&
                !(substr($code, $begin, $_->[0] - $begin) =~ /^[ \t]*$/ && $begin > 0 &&
                  substr($code, $begin - 1, 1) eq ';')
        } @comments;
        my $where = "$file:" . $line_of->($at);
        my $ours  = 0;
        while ($said =~ /($label)(?:\s+pairs\s+(itself|$label))?(?:,\s+in\s+the\s+other\s+process)?/g) {
            my ($one, $other) = ($1, $2);
            next if $-[0] >= 6 && substr($said, $-[0] - 6, 6) =~ /pairs\s$/;
            $ours++;
            $one =~ /(\d+)$/;
            my $side = $1 % 2 ? 'w' : 'r';
            complain("$where: $one is at a side that $name does not have")
                unless $does =~ /[s$side]/;
            push @{ $sites{$one} }, $where;
            next unless defined $other;
            $other = $one if $other eq 'itself';
            complain("$where: only a full fence can be its own partner") if $other eq $one && $does ne 's';
            complain("$where: $one pairs $other here and $partner{$one} elsewhere")
                if defined $partner{$one} && $partner{$one} ne $other;
            $partner{$one} = $other;
        }
        $ours++ if $said =~ /\bhint:/;
        complain("$where: $name has neither a label nor a hint") unless $ours || $wraps{$name};
    }
}

sub read_tree {
    my ($tree) = @_;
    my @files;
    for my $room (grep { -d "$tree/$_" } @rooms) {
        find({ no_chdir => 1, wanted => sub { push @files, $_ if /\.(?:c|h|cc)$/ } }, "$tree/$room");
    }
    for my $path (sort @files) {
        open my $in, '<', $path or die "$path: $!\n";
        my $text = do { local $/; <$in> };
        close $in;
        (my $file = $path) =~ s{^\Q$tree\E/}{};
        read_source($file, $text);
    }
    return scalar @files;
}

# Rows "| R1/R2 | word | why | checked by |" of the table; a fence that pairs itself stands alone.
sub read_table {
    my ($tree) = @_;
    my %row;
    open my $in, '<', "$tree/$table_file" or return complain("$table_file: $!");
    while (my $text = <$in>) {
        next unless $text =~ m{^\|\s*($label)(?:/($label))?\s*\|(.*)\|\s*$};
        my ($one, $two, $rest) = ($1, $2 // $1, $3);
        for my $each ($one eq $two ? ($one) : ($one, $two)) {
            complain("$table_file:$.: $each is there twice") if $row{$each};
            $row{$each} = $.;
        }
        complain("$table_file:$.: $one has no word, no why or nothing that checks it")
            if grep({ /\S/ } split /(?<!\\)\|/, $rest) < 3;
        complain("$table_file:$.: $one/$two, where the code says $one/", $partner{$one} // 'nothing')
            if ($partner{$one} // '') ne $two;
    }
    close $in;
    complain("$_ at $sites{$_}[0] is not in the table of $table_file") for grep { !$row{$_} } sort keys %sites;
    complain("$table_file:$row{$_}: $_ stands at no access") for grep { !$sites{$_} } sort keys %row;
    return;
}

sub check {
    my ($tree) = @_;
    @faults = %sites = %partner = ();
    my $files = read_tree($tree);
    for my $one (sort keys %sites) {
        my $other = $partner{$one};
        if (!defined $other) {
            complain("$one at $sites{$one}[0] names no partner");
        } elsif (!$sites{$other}) {
            complain("$one at $sites{$one}[0] pairs $other, which stands nowhere");
        } elsif ($other ne $one) {
            my ($a) = $one =~ /(\d+)$/;
            my $wanted = $one =~ s/\d+$/$a % 2 ? $a + 1 : $a - 1/er;
            complain("$one at $sites{$one}[0] pairs $other; its partner is $wanted") if $other ne $wanted;
            complain("$one at $sites{$one}[0] pairs $other, which does not name it")
                if ($partner{$other} // '') ne $one;
        }
    }
    read_table($tree);
    return $files;
}

# ---- what it must refuse, each beside a tree that it must accept

my $good_table = "| R1/R2 | slot | why | model |\n| G7 | place | why | words |\n";
my $good_code  = <<'CODE';
void put(void)
{
    memcpy(payload, message, 8);
    /* R1 pairs R2 (get): else the word is seen before the payload. */
    tbus_store_release_u64(slot, 1);
}
void get(void)
{
    for (unsigned i = 0; i < 2; i++)
        while (!tbus_load_acquire_u64(slot)) /* R2 pairs R1 (put) */
            continue;
    tbus_fence_full(); /* G7 pairs itself, in the other process: else both go on. */
    tbus_cas_u32(word, &expected, 1); /* hint: it only counts. */
}
CODE
my @bad = (
    ['a release without a label', qr/neither a label nor a hint/,  sub { s{/\* R1 pairs.*?\*/}{}s }],
    ['an acquire without one',    qr/neither a label nor a hint/,  sub { s{ /\* R2 pairs.*?\*/}{} }],
    ['a CAS without a hint',      qr/neither a label nor a hint/,  sub { s{ /\* hint.*?\*/}{} }],
    ['a partner that is gone',    qr/stands nowhere/,              sub { s/R2 pairs R1 \(put\)/hint: none/ }],
    ['a side not named',          qr/names no partner/,            sub { s/R2 pairs R1/R2/ }],
    ['the wrong side',            qr/at a side that/,              sub { s/R1 pairs R2/R2 pairs R1/ }],
    ['a label of somebody else',  qr/pairs R4 here and R2 elsew/,  sub { $_ .= "int f(void)\n{\n    /* R1 pairs R4 */\n    tbus_store_release_u32(x, 1);\n}\n" }],
    ['a pair of no neighbours',   qr/its partner is R2/,           sub { s/R1 pairs R2/R1 pairs R6/; s/R2 pairs R1/R6 pairs R1/ }],
    ['a release as own partner',  qr/own partner/,                 sub { s/R1 pairs R2/R1 pairs itself/ }],
    ['a label not in the table',  qr/not in the table/,            sub { s/G7/G9/ }],
    ['a plain atomic',            qr/outside atomic\.h/,           sub { $_ .= "int n(int *p) { return __atomic_load_n(p, 0); }\n" }],
    ['a volatile',                qr/volatile outside/,            sub { $_ .= "volatile int n;\n" }],
    ['a label of the line above', qr/neither a label nor a hint/,
        sub { s{(tbus_store_release_u64\(slot, 1\);)}{tbus_fence_release(); /* R1 */\n    $1}; s{/\* R1 pairs.*?\*/\n\s*}{}s }],
);
my @bad_tables = (
    ['a row too many',         qr/stands at no access/, "$good_table| Z1/Z2 | word | why | model |\n"],
    ['a row twice',            qr/there twice/,         "$good_table| G7 | place | why | words |\n"],
    ['a row that says little', qr/nothing that checks/, $good_table =~ s/model/ /r],
);

sub refused {
    my ($code, $table) = @_;
    my $tree = tempdir(CLEANUP => 1);
    make_path("$tree/bus");
    for (['bus/some.c', $code], [$table_file, $table]) {
        open my $out, '>', "$tree/$_->[0]" or die "$tree/$_->[0]: $!\n";
        print $out $_->[1];
        close $out;
    }
    check($tree);
    return join "\n", @faults;
}

sub try_itself {
    my $why = refused($good_code, $good_table);
    die "labels.pl refuses what is right:\n$why\n" if $why ne '';
    my @tries = map { [@$_, $good_table] } @bad;
    for (@tries) {
        my ($what, $wanted, $spoil, $table) = @$_;
        local $_ = $good_code;
        $spoil->();
        die "labels.pl: its bad tree '$what' is no other than the good one\n" if $_ eq $good_code;
        my $told = refused($_, $table);
        die "labels.pl does not notice $what (it says: $told)\n" unless $told =~ $wanted;
    }
    for (@bad_tables) {
        my ($what, $wanted, $table) = @$_;
        my $told = refused($good_code, $table);
        die "labels.pl does not notice $what (it says: $told)\n" unless $told =~ $wanted;
    }
    return @bad + @bad_tables;
}

my $tried = @ARGV ? 0 : try_itself();
my $files = check($ARGV[0] // $home);
complain("only $files files: wrong directory?") if !@ARGV && $files < 100;
if (@faults) {
    print STDERR "$_\n" for @faults;
    print STDERR scalar(@faults), " faults; $table_file says what a label is\n";
    exit 1;
}
my $accesses = 0;
$accesses += @{ $sites{$_} } for keys %sites;
print scalar(keys %sites), " labels at $accesses accesses in $files files, each with its partner; ",
    "$tried bad trees refused\n";
