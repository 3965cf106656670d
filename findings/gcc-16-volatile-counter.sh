#!/bin/sh
# SPDX-License-Identifier: MIT
# gcc 16 says of a volatile variable that is only incremented that it is "set but not used".
#
# Guess: an access of a volatile object is an effect of its own, so no compiler calls it unused; loops that keep a
# processor busy are written with one.
# Seen: gcc 14.2 and clang 21 say nothing with -Wall -Wextra; gcc 16.2 warns (-Wunused-but-set-variable=, which has
# levels now), also of `count += 1`. With -Werror a program of loops that keep a processor busy stops compiling.
. "$(dirname "$0")/common.sh"

cat >"$work/busy.c" <<'C'
void increment(void) { volatile unsigned count = 0; for (;;) count++; }
void add(void) { volatile unsigned count = 0; for (;;) count += 1; }
C

warned() {
    cp "$work/busy.c" "$1/tmp/"
    inside "$1" "$2" -Wall -Wextra -c -o /dev/null /tmp/busy.c >"$work/said" 2>&1 || {
        cat "$work/said" >&2
        return 1
    }
    grep -oE 'busy.c:[0-9]+:[0-9]+: warning: .*' "$work/said" || true
}

mkdir -p "$work/old/tmp" "$work/new/tmp"
unpack "$work/old" trixie gcc-14=14.2.0-19
unpack "$work/new" sid gcc-16=16.2.0-4 clang-21=1:21.1.8-14
expect 'gcc 14' '' warned "$work/old" gcc-14
expect 'clang 21' '' warned "$work/new" clang-21
expect 'gcc 16' "busy.c:1:42: warning: variable 'count' set but not used [-Wunused-but-set-variable=]
busy.c:2:36: warning: variable 'count' set but not used [-Wunused-but-set-variable=]" warned "$work/new" gcc-16
