#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run.sh - from a fresh clone to all tests run: installs what is missing, reserves huge pages where it may, builds everything and runs
# ctest. Says at the end what passed, what failed, and what was skipped and why. Exit code 0: nothing failed.
#
#    ./tests/run.sh
#    ./tests/run.sh -R test_market            any flags of ctest
#    ./tests/run.sh --preset asan             another build of CMakePresets.json
#    TICKBUS_SHARED=DIR ./tests/run.sh        where the market data is (default: ../shared)
set -eu
cd "$(dirname "$0")/.."
. tools/setup.sh

preset=release
if [ "${1:-}" = --preset ]; then
    presets=$(sed -n 's/.*"configurePresets".*//; s/.*{"name": "\([a-z]*\)", "inherits.*/\1/p' CMakePresets.json | sort -u | tr '\n' ' ')
    case " $presets " in
    *" ${2:-none} "*) ;;
    *)
        echo "tests/run.sh: --preset wants the name of a build of CMakePresets.json: ${presets% }" >&2
        exit 2
        ;;
    esac
    preset=$2
    shift 2
fi

setup_packages "${PACKAGES[@]}" "${PACKAGES_TESTS[@]}" || setup_packages "${PACKAGES[@]}"
setup_packages_if_there "${PACKAGES_OPTIONAL[@]}" "${PACKAGES_TESTS_OPTIONAL[@]}"
setup_build "$preset"
setup_huge_pages

# The sanitizers of these compilers expect the mappings where they are without randomisation.
personality=()
if [ "$preset" = asan ] || [ "$preset" = tsan ]; then
    setarch -R true 2>/dev/null && personality=(setarch -R)
fi

status=0
results=$PWD/build/$preset/Testing/Temporary
rm -rf "$results"
"${personality[@]}" ctest --test-dir "build/$preset" --output-on-failure --no-tests=error --parallel "$(nproc)" \
    --output-junit "$results/junit.xml" "$@" || status=$?
awk -v preset="$preset" -f tests/summary.awk "$results/junit.xml" "$results/LastTest.log" || status=1
exit $status
