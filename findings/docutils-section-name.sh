#!/bin/sh
# SPDX-License-Identifier: MIT
# docutils 0.23 heads the first section of a manual page "Name"; 0.21.2 and before, like all other manual pages, "NAME".
#
# Guess: `rst2man`'s first section is .SH NAME in every version, as man-pages(7) wants it; what looks for the line to
# add further names of a page finds it.
# Seen: python3-docutils 0.23+dfsg-2 writes ".SH Name", and the title in .TH as it is typed; 0.21.2 of Debian 13
# writes ".SH NAME", and the title in capitals. A script that replaces text below ".SH NAME" does nothing, silently.
. "$(dirname "$0")/common.sh"

cat >"$work/page.rst" <<'RST'
=====
hello
=====

------------
say hello
------------

:Manual section: 1

SYNOPSIS
========
hello
RST

heads() {
    cp "$work/page.rst" "$1/tmp/"
    inside "$1" python3 /usr/bin/rst2man /tmp/page.rst >"$work/page"
    grep -E '^\.(TH|SH)' "$work/page" | cut -d' ' -f1,2
}

mkdir -p "$work/old/tmp" "$work/new/tmp"
unpack "$work/old" trixie python3-docutils=0.21.2+dfsg-2 python3=3.13.5-1
unpack "$work/new" sid python3-docutils=0.23+dfsg-2 python3=3.14.8-1
expect 'docutils 0.21.2 capitalises' '.TH "HELLO"
.SH NAME
.SH SYNOPSIS' heads "$work/old"
expect 'docutils 0.23 does not' '.TH "hello"
.SH Name
.SH SYNOPSIS' heads "$work/new"
