#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run.sh - from a fresh clone to a running pipeline: installs what is missing, reserves huge pages where it may, builds, and runs
# `busctl start` with the given flags; without any, on the embedded synthetic feed, which ends by itself after seconds.
#
#    ./tools/run.sh
#    ./tools/run.sh --feed itch:FILE --journal DIR
set -eu
caller=$PWD
cd "$(dirname "$0")/.."
top=$PWD
. tools/setup.sh

setup_packages "${PACKAGES[@]}"
setup_packages_if_there "${PACKAGES_OPTIONAL[@]}"
setup_build release busctl
setup_huge_pages
cd "$caller" # relative paths are the caller's
exec "$top/build/release/busctl" start "$@"
