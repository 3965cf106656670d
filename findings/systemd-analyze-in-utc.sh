#!/bin/sh
# SPDX-License-Identifier: MIT
# systemd-analyze calendar leaves out its line "(in UTC)" although the time zone is not UTC.
#
# Guess: each elapse has the line unless the local zone is UTC, so a script can take the moment from it, and from the
# local time where it is missing.
# Seen with 252, 257 and 262, TZ=Africa/Casablanca and time zone data 2026f: an elapse in 2199 has no such line,
# and neither have the further expressions of the same call, though their times are printed with +01. It depends on
# the order of the expressions. (By then the zone is at an offset of 0 without daylight saving, and what libc noted of
# the last time that it converted is taken for the zone.) With 2026b the zone keeps +01, and it is not so.
. "$(dirname "$0")/common.sh"

calendar() {
    inside "$1" env TZ=Africa/Casablanca systemd-analyze calendar --base-time='2023-01-01 UTC' -- "$2" "$3" >"$work/said"
    grep -E 'elapse|UTC\)' "$work/said" | sed 's/^ *//'
}

far='Next elapse: Tue 2199-12-31 23:59:59 +00'
near='Next elapse: Tue 2023-11-14 23:13:20 +01'
near_utc='(in UTC): Tue 2023-11-14 22:13:20 UTC'
unpack "$work/13" trixie systemd=257.13-1~deb13u1 tzdata=2026f-0+deb13u1
unpack "$work/new" sid systemd=262.1-1 tzdata=2026f-1
for folder in 13 new; do
    expect "$folder, the far one first" "$far
$near" calendar "$work/$folder" '2199-12-31 23:59:59' @1700000000
    expect "$folder, the near one first" "$near
$near_utc
$far" calendar "$work/$folder" @1700000000 '2199-12-31 23:59:59'
done
