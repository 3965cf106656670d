#!/bin/sh
# SPDX-License-Identifier: MIT
# meson test succeeds for suites that are not there.
#
# Guess: the name of a test or of a suite that no test has is an error, as an unknown target is for ninja and make; a package whose
# build names a suite that was renamed stops.
# Seen with 1.0.1 and 1.7.0: beside a suite that is there, one that is not is passed over without a word; alone it says "No suitable
# tests defined." Both exit with 0. So it is with names of tests in 1.0.1; 1.7.0 refuses those, and suites still not.
. "$(dirname "$0")/common.sh"

cat >"$work/meson.build" <<'M'
project('x')
test('there', find_program('true'), suite: 'known')
M

try() {
    code=0
    inside "$work/$release" meson test -C /tmp/x/build "$@" >"$work/out" 2>&1 || code=$?
    words=$(grep -ciE 'unknown|nosuch' "$work/out" || :)
    echo "$*: code $code, $(grep -c ' OK ' "$work/out" || :) run, named in $words lines"
}

answers() {
    release=$1
    mkdir -p "$work/$1/tmp/x"
    cp "$work/meson.build" "$work/$1/tmp/x/"
    inside "$work/$1" meson setup /tmp/x/build /tmp/x >"$work/setup.log" 2>&1
    try --suite known --suite nosuch
    try --suite nosuch
    try there nosuch
    try nosuch
}

unpack "$work/bookworm" bookworm meson=1.0.1-5 ninja-build=1.11.1-2~deb12u1
expect 'meson 1.0.1' '--suite known --suite nosuch: code 0, 1 run, named in 0 lines
--suite nosuch: code 0, 0 run, named in 0 lines
there nosuch: code 0, 1 run, named in 0 lines
nosuch: code 0, 0 run, named in 0 lines' answers bookworm
unpack "$work/trixie" trixie meson=1.7.0-1 ninja-build=1.12.1-1
expect 'meson 1.7.0' '--suite known --suite nosuch: code 0, 1 run, named in 0 lines
--suite nosuch: code 0, 0 run, named in 0 lines
there nosuch: code 1, 0 run, named in 1 lines
nosuch: code 1, 0 run, named in 1 lines' answers trixie
