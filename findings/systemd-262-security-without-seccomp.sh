#!/bin/sh
# SPDX-License-Identifier: MIT
# systemd-analyze security of systemd 262 prints nothing and fails where libseccomp2 is not installed.
#
# Guess: it prints its table and the exposure level as ever; what it needs is among the package's dependencies, and
# where something is missing it says so.
# Seen: 262 of Debian sid loads libseccomp when it is wanted, and only recommends libseccomp2. Installed without
# recommended packages, `security --offline=true` of a unit that has no system call filter prints nothing to either
# output, and exits with 1. That is also the code for a unit above its --threshold, so a pipeline takes it for an
# exposure that is too high. With libseccomp2, and with 257 of Debian 13, which depends on it, the level is printed.
. "$(dirname "$0")/common.sh"

# The last line, and how it ended.
security() {
    mkdir -p "$1/run/systemd" "$1/tmp"
    printf '[Service]\nExecStart=/bin/true\nUser=daemon\n' >"$1/tmp/small.service"
    code=0
    inside "$1" systemd-analyze security --offline=true --no-pager /tmp/small.service >"$work/said" 2>&1 || code=$?
    tail -n 1 "$work/said" | grep -oE 'level for small.service: [0-9.]+' || true
    echo "$(grep -c . "$work/said") lines, exit code $code"
}

unpack "$work/13" trixie systemd=257.13-1~deb13u1
unpack "$work/bare" sid systemd=262.1-1
unpack "$work/full" sid systemd=262.1-1 libseccomp2=2.6.1-1+b2
printed='level for small.service: 9.0
83 lines, exit code 0'
expect '257' "$printed" security "$work/13"
expect '262 alone' '0 lines, exit code 1' security "$work/bare"
expect '262 with libseccomp2' "$printed" security "$work/full"
