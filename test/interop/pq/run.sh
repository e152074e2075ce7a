#!/bin/sh
# SPDX-License-Identifier: ISC
# run.sh CRYPTO-DRIVER KEY-DRIVER: the test where node is installed, else a skip.
command -v node >/dev/null || {
    echo '1..0 # SKIP node is not installed'
    exit 0
}
exec node "$(dirname "$0")/pq.mjs" "$1" "$2"
