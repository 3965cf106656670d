#!/bin/sh
# SPDX-License-Identifier: MIT
# A systemd timer with an open repetition of hours misses its first time in each month.
#
# Guess: `0/5:00` means 00:00, 05:00, 10:00, 15:00 and 20:00 of every day.
# Seen with 257 and 262: so it does on all days but the first of a month, which begins with 05:00: the hour after 20:00 is looked
# for as the 25th, moved into the next month, and 00:00 is passed by. A list that begins after midnight has it no more; one that
# begins within the last second before it has it again.
. "$(dirname "$0")/common.sh"

# elapses FOLDER BASE: the next two.
elapses() {
    inside "$1" env TZ=UTC systemd-analyze calendar --iterations=2 --base-time="$2" 0/5:00 >"$work/said"
    sed -n 's/^ *\(Next elapse\|Iter[a-z.]* #2\): //p' "$work/said"
}

unpack "$work/13" trixie systemd=257.13-1~deb13u1
unpack "$work/new" sid systemd=262.1-1
for folder in 13 new; do
    expect "$folder, within a month" 'Wed 2026-11-11 00:00:00 UTC
Wed 2026-11-11 05:00:00 UTC' elapses "$work/$folder" '2026-11-10 20:00:00 UTC'
    expect "$folder, at its end" 'Tue 2026-12-01 05:00:00 UTC
Tue 2026-12-01 10:00:00 UTC' elapses "$work/$folder" '2026-11-30 20:00:00 UTC'
done
