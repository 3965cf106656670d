#!/bin/sh
# SPDX-License-Identifier: MIT
# Debian 12's dh_installsystemd passes over units in /usr/lib/systemd/system, without a word and with exit code 0.
#
# Guess: systemd reads units there since ever, and Debian 12 has merged /lib into /usr, so debhelper enables and starts
# such a unit like one in /lib/systemd/system, or complains.
# Seen: debhelper 13.11.4 writes two parts of maintainer scripts for a unit in /lib and none for one in /usr/lib, and
# says nothing; 13.24.2 of Debian 13 writes two for both. A package that follows its upstream's path is built and
# installed, and its service is neither enabled nor started.
. "$(dirname "$0")/common.sh"

scripts() {
    tree=$1/tmp/tree
    mkdir -p "$tree/debian/hello$2"
    printf '[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n' >"$tree/debian/hello$2/hello.service"
    printf 'Source: hello\nMaintainer: a <a@example.org>\nBuild-Depends: debhelper-compat (= 13)\n\nPackage: hello\nArchitecture: all\n' \
        >"$tree/debian/control"
    printf 'hello (1) unstable; urgency=low\n\n  * x\n\n -- a <a@example.org>  Thu, 01 Jan 2026 00:00:00 +0000\n' >"$tree/debian/changelog"
    code=0
    said=$(inside "$1" sh -c 'cd /tmp/tree && dh_installsystemd 2>&1') || code=$?
    echo "exit code $code, $(find "$tree/debian" -name '*.debhelper' | wc -l) scripts, said \"$said\""
    rm -rf "$tree"
}

mkdir -p "$work/old/tmp" "$work/new/tmp"
unpack "$work/old" bookworm debhelper=13.11.4
unpack "$work/new" trixie debhelper=13.24.2
expect 'debhelper 13.11.4, a unit in /lib' 'exit code 0, 2 scripts, said ""' scripts "$work/old" /lib/systemd/system
expect 'debhelper 13.11.4, a unit in /usr/lib' 'exit code 0, 0 scripts, said ""' \
    scripts "$work/old" /usr/lib/systemd/system
expect 'debhelper 13.24.2, a unit in /usr/lib' 'exit code 0, 2 scripts, said ""' \
    scripts "$work/new" /usr/lib/systemd/system
