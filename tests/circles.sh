#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# circles.sh BUILD_DIR - no circle of files in bus/ring: the objects are put in an order in which each calls only those before it, as
# tsort(1) finds it from what nm(1) says that they define and need.
set -u
cd "${1:?circles.sh BUILD_DIR}" || exit 1
objects=$(find . -path '*/tickbus.dir/bus/ring/*.c.o')
[ "$(echo "$objects" | wc -l)" -ge 9 ] || { echo "found too few objects of bus/ring below $1" >&2; exit 1; }

pairs=$(for object in $objects; do
    name=$(basename "$object" .c.o)
    nm --defined-only --extern-only "$object" | awk -v f="$name" '{print "d", $3, f}'
    nm --undefined-only "$object" | awk -v f="$name" '{print "u", $2, f}'
done | awk '$1 == "d" { file[$2] = $3 } $1 == "u" { need[$3 " " $2] = 1 }
    END { for (n in need) { split(n, p, " "); if (p[2] in file) print file[p[2]], p[1] } }' | sort -u)
order=$(echo "$pairs" | tsort 2>&1) || { echo "bus/ring: files that call each other in a circle:" "$order" >&2; exit 1; }
echo "bus/ring, each file calling only those before it:" $order
