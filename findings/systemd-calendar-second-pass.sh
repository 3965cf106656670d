#!/bin/sh
# SPDX-License-Identifier: MIT
# A systemd timer at a fixed time of day can come twice on the day on which the clock goes back.
#
# Guess: an expression is a set of instants, so the next one after a moment does not depend on who asks. 02:30 of the hour that comes
# twice is either one of them or two.
# Seen with 257 and 262: the list that begins before that hour has 02:30 once, in the first pass, and goes on with the next day. One
# that begins in the second pass, before 02:30, begins with 02:30 of the second pass. So does a timer that is started or reloaded in
# that half hour, or whose service ends there.
. "$(dirname "$0")/common.sh"

# elapses FOLDER BASE: the next two.
elapses() {
    inside "$1" env TZ=Europe/Berlin systemd-analyze calendar --iterations=2 --base-time="$2" 02:30 >"$work/said"
    sed -n 's/^ *(in UTC): //p' "$work/said"
}

unpack "$work/13" trixie systemd=257.13-1~deb13u1 tzdata=2026f-0+deb13u1
unpack "$work/new" sid systemd=262.1-1 tzdata=2026f-1
for folder in 13 new; do
    expect "$folder, before the hour" 'Sun 2026-10-25 00:30:00 UTC
Mon 2026-10-26 01:30:00 UTC' elapses "$work/$folder" '2026-10-24 12:00:00 UTC'
    expect "$folder, in its second pass" 'Sun 2026-10-25 01:30:00 UTC
Mon 2026-10-26 01:30:00 UTC' elapses "$work/$folder" '2026-10-25 01:10:00 UTC'
done
