#!/bin/sh
# SPDX-License-Identifier: ISC
# usage, from the top of the checkout: tools/install.sh [PREFIX]
# Builds for PREFIX (default /usr/local) and installs there: bin, sbin, libexec/nacre, share/man, a systemd unit, and the user `sshd` where it
# is missing. DESTDIR=FOLDER puts it all below FOLDER, for packages and tests, and leaves the system's users alone.
set -eu
. tools/setup.sh
prefix=${1:-/usr/local}
destination=${DESTDIR:-}
case $prefix in
/*) ;;
*)
    say "PREFIX must begin with /"
    exit 2
    ;;
esac

folder=build/install
if [ -f $folder/build.ninja ]; then
    meson configure $folder -Dprefix="$prefix" </dev/null
else
    say "setting up $folder for $prefix"
    mkdir -p build
    meson setup $folder -Dkind=strict -Dtests=false -Dprefix="$prefix" >$folder.log 2>&1 </dev/null
fi
say "building $folder"
ninja -C $folder >$folder.log 2>&1 </dev/null || {
    grep -v '^\[' $folder.log >&2
    exit 1
}

# Below DESTDIR, or where we may write anyway, root is not needed.
run=as_root
[ -z "$destination" ] || run=
above=$prefix
while [ ! -e "$above" ]; do above=$(dirname "$above"); done
[ -w "$above" ] && run=
say "installing below $destination$prefix"
$run env DESTDIR="$destination" meson install -C $folder --no-rebuild --quiet </dev/null
rm -rf build/unit
mkdir -p build/unit
sed "s|@PREFIX@|$prefix|g" tools/nacre.service >build/unit/nacre.service
$run install -D -m 644 build/unit/nacre.service "$destination$prefix/lib/systemd/system/nacre.service"

# A prefix inside the checkout is for tests and benches: no concern of the system's.
case $destination$prefix in
"$PWD"/*) own=no ;;
*) own=yes ;;
esac
if [ $own = yes ] && [ -z "$destination" ] && ! getent passwd sshd >/dev/null; then
    say "adding the user sshd, whose uid the processes facing the network take"
    as_root useradd --system --no-create-home --home-dir /run/sshd --shell /usr/sbin/nologin sshd
fi
[ $own = no ] || say "done. Host keys where there are none: $prefix/bin/ssh-keygen -A. Start: systemctl enable --now nacre"
