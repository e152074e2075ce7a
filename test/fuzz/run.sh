#!/bin/sh
# SPDX-License-Identifier: ISC
# run.sh [TARGET] [SECONDS]: fuzz one target, or each in turn; TAP. 2 or 4 seconds each, 60 with NACRE_LONG=1. Builds build/fuzz with
# clang first. Finds stay in build/fuzz/finds, the grown corpora in build/fuzz/corpus.
set -eu
cd "$(dirname "$0")/../.."
target=${1:-}
case ${NACRE_LONG:-0} in 0 | '') seconds=${2:-} ;; *) seconds=${2:-60} ;; esac

# seconds_of TARGET: what meets the network before anybody logged in, and the files a login reads, get more of a short run.
seconds_of() {
    case $1 in
    ident | packets | kex* | service | auth_* | channels | priv_* | face_conf | judge | verifier) echo "${seconds:-4}" ;;
    key_file | pubkey | known_hosts | authorized_keys | ssh*_config) echo "${seconds:-4}" ;;
    *) echo "${seconds:-2}" ;;
    esac
}

if ! command -v clang >/dev/null; then
    echo "1..0 # SKIP no clang"
    exit 0
fi
build=build/fuzz
{
    [ -f $build/build.ninja ] || CC=clang meson setup $build -Dkind=fuzz
    ninja -C $build test/fuzz/fuzz test/fuzz/fuzz-replay
} >$build.log 2>&1 || {
    tail -30 $build.log | sed 's/^/# /'
    echo "1..1"
    echo "not ok 1 - the fuzz build"
    exit 1
}
mkdir -p $build/finds $build/corpus
targets=$target
[ -n "$target" ] || targets=$($build/test/fuzz/fuzz-replay --list)
$build/test/fuzz/fuzz-replay --list >$build/targets
mkdir -p $build/seeds
$build/test/fuzz/fuzz-replay --seed $build/seeds

# fuzz_one NUMBER TARGET: its line of TAP into a file of its own, so that two can run at once.
fuzz_one() {
    t=$2
    mkdir -p $build/corpus/"$t" test/fuzz/corpus/"$t" $build/seeds/"$t"
    log=$build/$t.log time=$(seconds_of "$t")
    if ! grep -qx "$t" $build/targets; then
        echo "not ok $1 - no such target: $t"
    elif NACRE_FUZZ=$t $build/test/fuzz/fuzz -max_total_time="$time" -timeout=20 -rss_limit_mb=2048 -max_len=16384 -print_final_stats=1 \
        -artifact_prefix=$build/finds/"$t"- $build/corpus/"$t" $build/seeds/"$t" test/fuzz/corpus/"$t" >"$log" 2>&1; then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
        echo "ok $1 - fuzz $t, $time s, ${runs:-?} runs"
    else
        grep -E 'ERROR|SUMMARY|Test unit|runtime error|#[0-9] .* in ' "$log" | head -20 | sed 's/^/# /'
        echo "not ok $1 - fuzz $t: see $log, $build/finds"
    fi >$build/"$t".tap
}

# Two at a time, told in order.
count=0
other=
for t in $targets; do
    count=$((count + 1))
    fuzz_one $count "$t" &
    this=$!
    [ -z "$other" ] || { wait "$other" && cat $build/"$before".tap; }
    other=$this before=$t
done
wait
cat $build/"$before".tap
echo "1..$count"
for t in $targets; do
    ! grep -q '^not ok' $build/"$t".tap || exit 1
done
