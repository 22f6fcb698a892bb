#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# arguments.pl - every public function of the bus has a row in the table of bad calls (tests/unit/test_arguments*.c), or stands in the
# list of those that are never called with anything wrong (`unchecked` there), each of them for the reason that is given. Functions that
# a header defines itself are hot, and check nothing.
use strict;
use warnings;
use FindBin;
chdir "$FindBin::Bin/.." or die "arguments.pl: $!\n";

my %declared;
for my $header (glob 'bus/include/tickbus/*.h bus/include/tickbus/*/*.h') {
    open my $in, '<', $header or die "arguments.pl: $header: $!\n";
    my $text = do { local $/; <$in> };
    $text =~ s{/\*.*?\*/}{}gs;
    $text =~ s/\\\n//g;
    $text =~ s/^\s*#.*$//gm;
    $text =~ s/extern "C" \{//g;
    1 while $text =~ s/\{[^{}]*\}/;/g;    # bodies, types
    $text =~ s/\}//g;
    for my $statement (split /;/, $text) {
        next if $statement =~ /TBUS_INLINE|TBUS_HOT|\bstatic\b|\btypedef\b|STATIC_ASSERT|=/;
        $declared{$1} = $header if $statement =~ /^[\sa-zA-Z_0-9*]*?\b([a-z][a-z0-9_]*)\s*\(/s;
    }
}
die "arguments.pl: found only " . keys(%declared) . " public functions: has the way they are declared changed?\n" if keys %declared < 100;

my ($called, %unchecked) = ('');
for my $test (glob 'tests/unit/test_arguments*.c') {
    open my $in, '<', $test or die "arguments.pl: $test: $!\n";
    my $text = do { local $/; <$in> };
    $unchecked{$1} = 1 while $text =~ /^ \* unchecked: ([a-z][a-z0-9_]*)/gm;
    $text =~ s{/\*.*?\*/}{}gs;
    $called .= $text;
}
my $wrong = 0;
for my $name (sort keys %declared) {
    my $row = $called =~ /\b\Q$name\E\s*\(/;
    next if $row xor $unchecked{$name};
    print STDERR "$declared{$name}: $name ", $row ? "has a row, and is called unchecked\n" : "is in no row of tests/unit/test_arguments*.c\n";
    $wrong = 1;
}
for my $name (sort keys %unchecked) {
    next if $declared{$name};
    print STDERR "tests/unit: unchecked: $name is no public function\n";
    $wrong = 1;
}
printf "%d public functions, %d of them unchecked\n", scalar keys %declared, scalar keys %unchecked;
exit $wrong;
