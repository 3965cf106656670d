#!/bin/sh
# SPDX-License-Identifier: MIT
# In Ireland a systemd timer loses the rest of the day on which the clock goes forward, in Britain it does not.
#
# Guess: 01:30 of the last Sunday in March, which does not exist in either, is passed over or moved, and 13:30 of that day is as
# on every other.
# Seen with 257 and 262: `1,13:30` comes at 13:30 in Europe/London, and not at all on that day in Europe/Dublin, whose table has
# the same clocks, but calls the winter's time the saving one. Morocco's is made that way as well.
. "$(dirname "$0")/common.sh"

# elapses FOLDER ZONE: the next two after the Saturday's 13:30.
elapses() {
    inside "$1" env TZ=UTC systemd-analyze calendar --iterations=2 --base-time='2026-03-28 20:00:00 UTC' "1,13:30 $2" >"$work/said"
    sed -n 's/^ *\(Next elapse\|Iter[a-z.]* #2\): //p' "$work/said"
}

unpack "$work/13" trixie systemd=257.13-1~deb13u1 tzdata=2026f-0+deb13u1
unpack "$work/new" sid systemd=262.1-1 tzdata=2026f-1
for folder in 13 new; do
    expect "$folder, London" 'Sun 2026-03-29 12:30:00 UTC
Mon 2026-03-30 00:30:00 UTC' elapses "$work/$folder" Europe/London
    expect "$folder, Dublin" 'Mon 2026-03-30 00:30:00 UTC
Mon 2026-03-30 12:30:00 UTC' elapses "$work/$folder" Europe/Dublin
done
