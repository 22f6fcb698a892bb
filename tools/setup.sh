# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# setup.sh - what tools/run.sh, tests/run.sh and .ci/run need from the machine, in one place. Sourced, not run.
#
# Each step looks first and acts only on what is missing, so that calling it again costs a fraction of a second:
#
#    setup_packages LIST...   Debian packages, with apt-get, as root or through sudo
#    setup_packages_if_there LIST...   the same, but what cannot be had is said and done without
#    setup_huge_pages         2 MiB pages for the rings; where they may not be had, says so and goes on
#    setup_build PRESET [TARGET...]
#
# Talks on stderr only, a line for each step that took a while; what apt and ninja have to say goes into build/setup.log, which is shown
# when a step fails. The caller stands in the top directory of the source tree.

# To configure and build everything: the pipeline, the tests, the benches.
PACKAGES=(gcc g++ cmake ninja-build pkg-config
    libnuma-dev libjemalloc-dev libyaml-dev libjansson-dev zlib1g-dev liburing-dev libssl-dev libcrypt-dev libpcap-dev
    libcmocka-dev libbenchmark-dev)
# What is done without where it cannot be had: `busctl start --bridge` and `--feed nats:` then say what is missing.
PACKAGES_OPTIONAL=(libnats-dev)
# Tools that single tests use; a test that misses its tool says so and is skipped.
PACKAGES_TESTS=(unzip strace spin clang-format dpkg-dev file)
PACKAGES_TESTS_OPTIONAL=(nats-server)
# What .ci/run needs on top.
PACKAGES_CI=(clang)

# 2 MiB pages. A pipeline takes one for each of its topics but events (topics.*.slots at their defaults); tests run several pipelines at a time.
HUGE_PAGES_WANTED=16

setup_say()
{
    printf 'setup: %s\n' "$*" >&2
}

# setup_quietly WHAT COMMAND...: runs it with its output in the log, and says what was done and how long it took.
setup_quietly()
{
    local what=$1 began=$SECONDS status=0 log=build/setup.log
    shift
    mkdir -p build
    "$@" >"$log" 2>&1 || status=$?
    if [ $status -eq 0 ]; then
        setup_say "$what ($((SECONDS - began)) s)"
    else
        sed 's/^/    /' "$log" | tail -n 60 >&2
        setup_say "$what: failed, exit code $status; all of it is in $PWD/$log"
    fi
    return $status
}

# Runs a command as root: as we are, or through sudo. sudo may ask for a password only where somebody can type one and
# the caller said that it is worth it (`ask`); otherwise it is tried silently.
setup_as_root()
{
    local how=$1
    shift
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif ! command -v sudo >/dev/null; then
        return 1
    elif [ "$how" = ask ] && [ -t 0 ]; then
        sudo "$@"
    else
        sudo -n "$@" 2>/dev/null
    fi
}

setup_packages()
{
    local package missing=()
    if ! command -v dpkg-query >/dev/null; then
        setup_say "no dpkg here: taking it that the equivalents of these are installed: $*"
        return 0
    fi
    for package in "$@"; do
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return 0

    if setup_quietly "package lists brought up to date" \
        setup_as_root ask env DEBIAN_FRONTEND=noninteractive apt-get -q update &&
        setup_quietly "installed ${missing[*]}" \
            setup_as_root ask env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \
            "${missing[@]}"; then
        return 0
    fi
    setup_say "could not install them; as root: apt-get install -y --no-install-recommends ${missing[*]}"
    return 1
}

setup_packages_if_there()
{
    local package there=()
    command -v apt-cache >/dev/null || return 0
    for package in "$@"; do
        if [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ]; then
            continue
        elif apt-cache show "$package" >/dev/null 2>&1; then
            there+=("$package")
        else
            setup_say "no package $package here: done without"
        fi
    done
    [ ${#there[@]} -eq 0 ] || setup_packages "${there[@]}" || setup_say "done without ${there[*]}"
    return 0
}

setup_huge_pages()
{
    local pool=/proc/sys/vm/nr_hugepages free total now
    free=$(awk '/^HugePages_Free:/ { free = $2 } /^HugePages_Rsvd:/ { rsvd = $2 } END { print free - rsvd }' /proc/meminfo)
    if [ ! -e $pool ]; then
        setup_say "no huge pages on this host: the rings will use small pages"
        return 0
    fi
    [ "$free" -ge $HUGE_PAGES_WANTED ] && return 0

    total=$(($(cat $pool) + HUGE_PAGES_WANTED - free))
    if setup_as_root quietly sh -c "echo $total >$pool" 2>/dev/null; then
        now=$(cat $pool)
        if [ "$now" -ge $total ]; then
            setup_say "vm.nr_hugepages raised to $now (2 MiB each; back with: sysctl vm.nr_hugepages=$((total - HUGE_PAGES_WANTED + free)))"
        else
            setup_say "vm.nr_hugepages raised to $now of the $total asked for: memory is short or scattered; small pages make up the rest"
        fi
    else
        setup_say "may not reserve huge pages here; the rings will use small pages (as root: sysctl vm.nr_hugepages=$total)"
    fi
    return 0
}

setup_build()
{
    local preset=$1 target targets=()
    shift
    for target in "$@"; do
        targets+=(--target "$target")
    done
    if [ ! -e "build/$preset/build.ninja" ]; then
        setup_quietly "configured build/$preset" cmake --preset "$preset" || return 1
    fi
    # Nothing to do is not worth a line.
    if ninja -C "build/$preset" -n "${@:-all}" 2>/dev/null | grep -q 'no work to do'; then
        return 0
    fi
    setup_quietly "built build/$preset" cmake --build "build/$preset" --parallel "$(nproc)" "${targets[@]}"
}
