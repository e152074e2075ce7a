#!/bin/sh
# SPDX-License-Identifier: ISC
# usage, as root: tools/apt.sh PACKAGE...
# Installs Debian packages, without questions, and with no service started by it.
set -eu
export DEBIAN_FRONTEND=noninteractive
had_sshd=$(dpkg-query -W -f '${db:Status-Status}' openssh-server 2>/dev/null || true)
policy=/usr/sbin/policy-rc.d   # asked by every package's script before it starts a service; 101 is "no"
if [ ! -e $policy ]; then
    trap 'rm -f $policy' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
fi
apt-get -qq update </dev/null
apt-get -qq -o Dpkg::Use-Pty=0 install -y --no-install-recommends "$@" </dev/null
if [ "$had_sshd" != installed ] && [ -d /run/systemd/system ] && [ -e /lib/systemd/system/ssh.service ]; then
    systemctl disable --quiet ssh.service   # wanted as a peer in tests, not as this machine's server
fi
