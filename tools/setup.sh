# SPDX-License-Identifier: ISC
# shellcheck shell=sh
# Sourced by ./dev from the top of the checkout: packages and builds.

# say TEXT: what we do, on stderr, so that the output of what we run stays its own.
say() {
    echo "dev: $*" >&2
}

# as_root COMMAND...: directly, or through sudo.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        say "this needs root, and there is no sudo. Run it as root: $*"
        return 1
    fi
}

# missing GROUP...: the packages of these groups (tools/packages) that are not installed.
missing() {
    for group; do
        sed -n "s/^$group  *//p" tools/packages
    done | tr -s ' ' '\n' | while read -r package; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
    done
}

# need GROUP...: install what is missing of these groups. A server among them must not start, now or at the next boot.
need() {
    if ! command -v dpkg-query >/dev/null; then
        say "not a Debian system: install what tools/packages lists by other means"
        return 0
    fi
    # one word a package: the list is to be split
    # shellcheck disable=SC2046
    set -- $(missing "$@")
    [ $# -gt 0 ] || return 0
    say "installing from Debian: $*"
    as_root sh tools/apt.sh "$@"
}

# build KIND: strict, asan or fuzz, in build/KIND.
build() {
    case $1 in
    fuzz) compiler=clang ;;
    *) compiler=${CC:-cc} ;;
    esac
    mkdir -p build
    if [ ! -f "build/$1/build.ninja" ]; then
        say "setting up build/$1"
        CC=$compiler meson setup "build/$1" -Dkind="$1" >"build/$1.log" 2>&1 </dev/null || {
            cat "build/$1.log" >&2
            return 1
        }
    fi
    say "building build/$1"
    ninja -C "build/$1" >"build/$1.log" 2>&1 </dev/null || {
        grep -v '^\[' "build/$1.log" >&2
        say "the build failed; its whole log is build/$1.log"
        return 1
    }
}

# second_end: npm's modules for the ML-KEM tests, where there is an npm. Without, those tests say that they are skipped.
second_end() {
    [ -d test/interop/pq/node_modules ] || ! command -v npm >/dev/null ||
        (cd test/interop/pq && npm ci --ignore-scripts --no-audit --no-fund >/dev/null 2>&1 </dev/null) ||
        say "npm could not install the second end of ML-KEM; its test will be skipped"
}
