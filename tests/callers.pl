#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# callers.pl BUILD_DIR NM - no function of several files' reach without a caller in another file. Reads from the built objects what each defines and needs.
#
# A function that only its own file calls is to be static; one that nobody calls is to go. What the shared library exports has its callers elsewhere. What
# is there so that tests can look at it or feed it has no other caller and says so: its declaration's comment has the words "for tests".
use strict;
use warnings;

my ($build, $nm) = @ARGV;
die "usage: callers.pl BUILD_DIR NM\n" unless defined $nm;
(my $top = $0) =~ s{[^/]*$}{..};

open my $map, '<', "$build/bus/package/exports.map" or die "$build/bus/package/exports.map: $!\n";
my %public = map { /^\s+([a-z]\w+);/ ? ($1 => 1) : () } <$map>;
keys %public > 100 or die "exports.map names hardly any function\n";

# Where each function is defined, and whether programs or tests need it. (C++ and what benches define: used only where the peers are installed.)
my (%defined, %needed);
open my $symbols, '-|', "find '$build' '(' -name '*.c.o' -o -name '*.cc.o' ')' -print0 | xargs -0 '$nm' -A --extern-only" or die "$nm: $!\n";
while (<$symbols>) {
    my ($object, $source, $kind, $name) = m{^(.*?\.dir/(.*)\.o):.* ([A-Za-z]) (\w+)$} or next;
    next if $object =~ m{/outofline\.c\.o$};
    my $test = $object =~ m{/tests/};
    if ($kind eq 'U') {
        $needed{$name}{$test ? 'tests' : 'programs'} = 1;
    } elsif ($kind eq 'T' && $source =~ /\.c$/ && $object !~ m{/bench/} && $name !~ /^__wrap_/) {
        $defined{$name} = ($test && $source !~ m{^__} ? 'tests/' : '') . $source;
    }
}
close $symbols or die "$nm failed below $build\n";
keys %defined > 500 or die "found hardly any function below $build\n";

# The comments above declarations, by function.
my %says;
for my $header (split /\n/, `git -C $top ls-files '*.h'`) {
    open my $in, '<', "$top/$header" or next;
    local $/;
    my $text = <$in>;
    # A comment holds for the declarations below it, up to the next empty line or comment.
    while ($text =~ m{(/\*(?:[^*]|\*(?!/))*\*/)\n((?:(?!\s*/\*|\n).*\n)+)}g) {
        my ($comment, $below) = ($1, $2);
        $says{$1} = $comment while $below =~ /\b(\w+)\(/g;
    }
}

my $faults = 0;
for my $name (sort keys %defined) {
    my $source = $defined{$name};
    next if $name eq 'main' || $public{$name} || $needed{$name}{programs};
    if ($source =~ m{^tests/}) {
        next if $needed{$name}{tests};
    } elsif ($needed{$name}{tests}) {
        next if ($says{$name} // '') =~ /for tests/i;
    }
    print STDERR "$source: $name has no caller in another file", $needed{$name}{tests} ? ' but tests' : '',
        ": make it static, delete it, or say in the comment above its declaration that it is for tests\n";
    $faults++;
}
print scalar(keys %defined), " functions, each with a caller\n" unless $faults;
exit($faults != 0);
