#!/bin/sh
# SPDX-License-Identifier: ISC
# secret.sh PROGRAM: the constant-time test where valgrind is installed, else a skip.
command -v valgrind >/dev/null || {
    echo '1..0 # SKIP valgrind is not installed'
    exit 0
}
exec valgrind -q --log-fd=2 --suppressions="$(dirname "$0")/secret.supp" "$1"
