#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# mutate.pl - the places of C files where one small change may be made, and making one; for mutate.sh.
#
#    mutate.pl list FILE...       a line for each place: FILE:LINE:COLUMN:CHANGE
#    mutate.pl draw SEED          the lines of stdin in an order that depends on SEED alone. Operators, constants, conditions and
#                                 statements take turns: else nearly all would be constants
#    mutate.pl apply PLACE ROOT   changes that place in ROOT/FILE. Prints the line before and after, separated by a tab
#
# CHANGE is the new text of an operator (`<=`), `+1` or `-1` for a constant or a sizeof, `not`, `always` or `never` for a condition,
# `drop` for a statement or a negation. Columns count bytes from 1. Comments, literals, preprocessor lines, assertions, types and the
# bounds of arrays are left alone, and a change leaves every line where it was.
use strict;
use warnings;

my %others = (
    '<'  => ['<=', '>='], '<=' => ['<', '>'], '>'  => ['>=', '<='], '>=' => ['>', '<'],
    '==' => ['!='], '!=' => ['=='], '&&' => ['||'], '||' => ['&&'],
    '+'  => ['-'], '-' => ['+'], '*' => ['/'], '/' => ['*'], '%' => ['*'],
    '&'  => ['|'], '|' => ['&'], '^' => ['|'], '<<' => ['>>'], '>>' => ['<<'],
    '++' => ['--'], '--' => ['++'], '+=' => ['-='], '-=' => ['+='], '*=' => ['/='],
    '|=' => ['&='], '&=' => ['|='], '<<=' => ['>>='], '>>=' => ['<<='],
);

sub slurp
{
    my ($path) = @_;
    open my $in, '<:raw', $path or die "mutate.pl: $path: $!\n";
    local $/;
    return scalar <$in>;
}

# A piece of text of the same length and with the same lines that holds nothing.
sub blank { my ($text) = @_; $text =~ tr/\n/ /c; return $text }

# Where the bracket that opens at $at closes.
sub closing
{
    my ($code, $at) = @_;
    my $depth = 0;
    for (my $i = $at; $i < length $$code; $i++) {
        my $c = substr $$code, $i, 1;
        $depth++ if $c eq '(' || $c eq '[' || $c eq '{';
        $depth-- if $c eq ')' || $c eq ']' || $c eq '}';
        return $i if $depth == 0;
    }
    return length $$code;
}

# The text with everything blanked out that is not to be changed.
sub code_of
{
    my ($code) = @_;
    $code =~ s{(/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')}{blank($1)}gse;
    $code =~ s{^([ \t]*\#(?:[^\n]*\\\n)*[^\n]*)}{blank($1)}gme;
    # assertions; types
    for my $head (qr/\b(?:assert|static_assert|_Static_assert)\s*(?=\()/,
        qr/\b(?:struct|enum|union)\b(?:\s+\w+)?\s*(?=\{)/)
    {
        while ($code =~ /$head/g) {
            my ($from, $to) = ($-[0], closing(\$code, $+[0]));
            substr($code, $from, $to + 1 - $from) = blank(substr $code, $from, $to + 1 - $from);
        }
    }
    # the bounds of arrays that are declared
    $code =~ s~((?:\b(?:char|int|unsigned|bool|const)|_t|[{;]\s*(?:struct|enum)\s+\w+)[\s*]+\w+)((?:\[[^\]]*\])+)~$1 . blank($2)~gse;
    return $code;
}

# [at, length, change] of every place, in the order of the text.
sub places_of
{
    my ($code) = @_;
    my @places;

    while ($code =~ /(<<=|>>=|<<|>>|<=|>=|==|!=|&&|\|\||->|\+\+|--|[-+*|&\/%^]=|[-+*\/%&|^<>])/g) {
        my ($at, $operator) = ($-[1], $1);
        next unless $others{$operator};
        my $before = substr $code, 0, $at;
        # of one operand: a sign, an address, a pointer; or part of a type
        if ($operator =~ /^[-+*&]$/) {
            next unless $before =~ /[\w\])]\s*$/;
            next if $before =~ /\b(?:return|case|sizeof|const)\s*$/ || $before =~ /(?:_t|\bchar|\bvoid|\bint|\bunsigned)(?:\s*\))?\s*$/;
            next if $operator =~ /[*&]/ && $before =~ /\b(?:struct|enum)\s+\w+\s*$/;
        }
        push @places, [$at, length $operator, $_] for @{ $others{$operator} };
    }
    while ($code =~ /(?<![\w.])(?:0[xX][0-9a-fA-F]+|[0-9]+)[uUlL]*\b(?!\.)/g) {
        push @places, [$-[0], $+[0] - $-[0], $_] for '+1', '-1';
    }
    while ($code =~ /\b(?!NULL\b)[A-Z][A-Z0-9_]{2,}\b(?!\s*[(:])/g) {
        my ($at, $length) = ($-[0], $+[0] - $-[0]);
        next if substr($code, 0, $at) =~ /\b(?:case|goto)\s+$/;
        push @places, [$at, $length, $_] for '+1', '-1';
    }
    while ($code =~ /\bsizeof\b\s*(?:(?=\()|[*\w.>\[\]-]+)/g) {
        my ($at, $end) = ($-[0], $+[0]);
        $end = closing(\$code, $end) + 1 if substr($code, $end, 1) eq '(';
        push @places, [$at, $end - $at, $_] for '+1', '-1';
    }
    while ($code =~ /\b(true|false)\b/g) {
        push @places, [$-[1], length $1, $1 eq 'true' ? 'false' : 'true'];
    }
    while ($code =~ /!(?![=])/g) {
        push @places, [$-[0], 1, 'drop'];
    }
    while ($code =~ /\b(?:if|while)\s*(?=\()/g) {
        my ($from, $to) = ($+[0], closing(\$code, $+[0]));
        push @places, [$from, $to + 1 - $from, $_] for qw(not always never);
    }

    # Statements: what stands between two of ; { } and behind the head of an if, else, for, while, and is no declaration.
    my $start = 0;
    for (my $i = 0; $i < length $code; $i++) {
        my $c = substr $code, $i, 1;
        if ($c eq '(') {
            my $head = substr($code, $start, $i - $start);
            $i = closing(\$code, $i);
            $start = $i + 1 if $head =~ /^\s*(?:else\s+)?(?:if|for|while|switch)\s*$/;
            next;
        }
        if ($c eq '{' || $c eq '}' || $c eq ':' && substr($code, $start, $i - $start) !~ /[?=]/) {
            $start = $i + 1;
            next;
        }
        next unless $c eq ';';
        my $text = substr $code, $start, $i + 1 - $start;
        my $from = $start + ($text =~ /^(\s*(?:else\b|do\b)?\s*)/ ? length $1 : 0);
        my $statement = substr $code, $from, $i + 1 - $from;
        $start = $i + 1;
        next if $statement =~ /^(?:const\s+|static\s+|unsigned\s+|struct\s+|enum\s+)*\w+(?:\s+\**|\s*\*+\s*)\w+\s*(?:=|;|\[|,|\()/
            && $statement !~ /^(?:return|goto)\b/;
        next unless $statement =~ /^(?:return\b|break;|continue;|goto\b|\(void\)|[*(]*\w[^;]*(?:=|\(|\+\+|--))|^(?:\+\+|--)/s;
        push @places, [$from, $i + 1 - $from, 'drop'];
    }
    return sort { $a->[0] <=> $b->[0] || $a->[1] <=> $b->[1] || $a->[2] cmp $b->[2] } @places;
}

sub line_and_column
{
    my ($text, $at) = @_;
    my $before = substr $text, 0, $at;
    return (1 + ($before =~ tr/\n//), $at - rindex($before, "\n"));
}

# The text of a place, changed.
sub changed
{
    my ($old, $change) = @_;
    return "(!$old)"           if $change eq 'not';
    return "($old || 1)"       if $change eq 'always';
    return "($old && 0)"       if $change eq 'never';
    return "($old $1 1)"       if $change =~ /^([+-])1$/;
    return $change             if $change ne 'drop';
    return ''                  if $old eq '!';
    my $lines = ($old =~ tr/\n//);
    return ';' . "\n" x $lines;
}

my $verb = shift // '';
if ($verb eq 'list') {
    for my $file (@ARGV) {
        my $text = slurp($file);
        for my $place (places_of(code_of($text))) {
            my ($line, $column) = line_and_column($text, $place->[0]);
            print "$file:$line:$column:$place->[2]\n";
        }
    }
} elsif ($verb eq 'draw') {
    my $state = shift;
    my @lines = <STDIN>;
    for (my $i = $#lines; $i > 0; $i--) {    # a generator of our own: perl's may change from one version to the next
        $state = ($state * 1103515245 + 12345) % 2147483648;
        my $j = int($state / 2147483648 * ($i + 1));
        @lines[$i, $j] = @lines[$j, $i];
    }
    my %kinds;
    for (@lines) {
        push @{ $kinds{ /:drop$/ ? 'statement' : /:[+-]1$/ ? 'constant' : /:(?:not|always|never)$/ ? 'condition' : 'operator' } }, $_;
    }
    while (%kinds) {
        for my $kind (sort keys %kinds) {
            print shift @{ $kinds{$kind} };
            delete $kinds{$kind} unless @{ $kinds{$kind} };
        }
    }
} elsif ($verb eq 'apply') {
    my ($place, $root) = @ARGV;
    my ($file, $line, $column, $change) = $place =~ /^(.*):(\d+):(\d+):([^:]+)$/
        or die "mutate.pl: '$place' is not FILE:LINE:COLUMN:CHANGE\n";
    my $text = slurp("$root/$file");
    my ($found) = grep {
        my ($l, $c) = line_and_column($text, $_->[0]);
        $l == $line && $c == $column && $_->[2] eq $change
    } places_of(code_of($text)) or die "mutate.pl: nothing at $place can be changed so\n";
    my @before = split /\n/, $text, -1;
    substr($text, $found->[0], $found->[1]) = changed(substr($text, $found->[0], $found->[1]), $change);
    my @after = split /\n/, $text, -1;
    open my $out, '>:raw', "$root/$file" or die "mutate.pl: $root/$file: $!\n";
    print $out $text or die "mutate.pl: $root/$file: $!\n";
    close $out or die "mutate.pl: $root/$file: $!\n";
    for my $lines (\@before, \@after) { s/^\s+|\s+$//g, s/\t/ /g for $lines->[$line - 1] }
    print "$before[$line - 1]\t$after[$line - 1]\n";
} else {
    die "usage: mutate.pl list FILE... | draw SEED | apply PLACE ROOT\n";
}
