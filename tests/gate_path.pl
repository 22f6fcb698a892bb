#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# gate_path.pl - no path reaches the venue without the gate. Reads the sources, without comments and strings of help, and fails unless
#
#    - the venue takes orders (venue_order) in risk/venue/executor.c alone, which refuses those that carry a reason of risk, and that file reads
#      `judged` and nothing else with orders on it
#    - `judged` and `approved` are published on by risk/stage.c alone, in one function, which asks gate_judge before
#    - nobody else has a port on `judged`, and none publishes on `approved`
#
# So a strategy reaches `orders`, that one risk, and the venue takes what risk has judged.
use strict;
use warnings;
use File::Find;
use FindBin;

chdir "$FindBin::Bin/.." or die "no source tree: $!";
my (%text, @wrong);
find({no_chdir => 1, wanted => sub {
    return unless /\.[ch]$/;
    open my $in, '<', $_ or die "$_: $!";
    local $/;
    my $source = <$in>;
    $source =~ s{/\*.*?\*/}{}gs;
    $source =~ s{//[^\n]*}{}g;
    $text{$_} = $source;
}}, qw(bus feedsim strategy risk tools));
@{[keys %text]} > 100 or die "found too few sources\n";

sub only { # files in which `pattern` is found, but for those that may have it
    my ($pattern, $what, @may) = @_;
    my %may = map { $_ => 1 } @may;
    my @found = sort grep { $text{$_} =~ $pattern } keys %text;
    push @wrong, "$_ $what" for grep { !$may{$_} } @found;
    my %found = map { $_ => 1 } @found;
    push @wrong, "$_ no longer $what: this check looks at nothing" for grep { !$found{$_} } @may;
}

sub function { # the text of a function of a file
    my ($file, $name) = @_;
    return $text{$file} =~ /^[^\n;{}]*\b\Q$name\E\([^;{}]*\)\n\{\n(.*?)^\}/ms ? $1 : '';
}

only(qr/\bvenue_order\s*\(/, 'gives orders to the venue',
     'risk/venue/executor.c', 'risk/venue/venue.c', 'risk/venue/venue.h');
only(qr/join_publisher\s*\([^;]*"(?:judged|approved)"/, 'publishes on judged or approved', 'risk/stage.c');
only(qr/join_subscriber\s*\([^;]*"judged"/, 'reads judged', 'risk/venue/executor.c');
only(qr/\.topic\s*=\s*"judged"/, 'has a port on judged', 'risk/kind.c', 'risk/venue/kind.c');
only(qr/\.topic\s*=\s*"approved"/, 'has a port on approved', 'risk/kind.c');
only(qr/outlet_send\s*\([^;]*->(?:judged|approved)\b/, 'sends what was judged', 'risk/stage.c');

my $judge = function('risk/stage.c', 'judge');
my ($asked, $sent) = (index($judge, 'gate_judge('), index($judge, 'tbus_outlet_send(&r->judged'));
push @wrong, 'risk/stage.c: judge does not ask the gate before it sends' if $asked < 0 || $sent < $asked;
push @wrong, 'risk/stage.c sends on judged in another place than judge'
    if (() = $text{'risk/stage.c'} =~ /outlet_send\(&r->judged/g) != 1;
push @wrong, 'risk/stage.c sends on approved without a look at the reason'
    if $judge !~ /if \(reason == REASON_NONE\)[^}]*outlet_send\(&r->approved/s;
my $execute = function('risk/venue/executor.c', 'execute');
my ($refused, $taken) = (index($execute, 'order.reason != REASON_NONE'), index($execute, 'venue_order('));
push @wrong, 'risk/venue/executor.c: execute gives an order to the venue that risk has rejected'
    if $refused < 0 || $taken < $refused || (() = $text{'risk/venue/executor.c'} =~ /\bvenue_order\(/g) != 1;

print STDERR "$_\n" for @wrong;
exit(@wrong ? 1 : 0);
