#!/bin/sh
# SPDX-License-Identifier: MIT
# clang-format --dry-run --Werror refuses what clang-format itself has just written.
#
# Guess: formatting is idempotent: a file as clang-format leaves it passes its own check, so one run before a commit does.
# Seen with clang-format 19.1.7 and ReflowComments: a comment behind a #define that is over the column limit is broken
# beside its value in the first run, the next line with the end of the comment alone; the second run finds that too long
# and moves the value to a line of its own; the third changes nothing. A check after one run fails.
# Who formats before a check runs it until nothing changes; a comment above the #define needs one run.
. "$(dirname "$0")/common.sh"

unpack "$work/root" bookworm clang-format-19=1:19.1.7-3~deb12u1
cat >"$work/root/first.h" <<'EOF'
#define FIRST  0x1u /* short */
#define SECOND 0x2u /* a remark that is so long by itself */
#define THIRD_NAME 0x4u /* short */
EOF
cat >"$work/root/try" <<'EOF'
style='{ColumnLimit: 60, IndentWidth: 4, ReflowComments: true}'
format() {
    clang-format-19 --style="$style" "$@"
}
check() {
    if format --dry-run --Werror "$1" 2>/dev/null; then echo "$2: passes"; else echo "$2: is refused"; fi
}
format first.h >second.h
format second.h >third.h
check second.h "after one run"
check third.h "after two"
EOF
expect 'clang-format 19.1.7, a long comment behind a #define' 'after one run: is refused
after two: passes' inside "$work/root" sh -e /try
