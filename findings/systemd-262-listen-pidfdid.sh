#!/bin/sh
# SPDX-License-Identifier: MIT
# A left-over LISTEN_PIDFDID hides sockets that are passed in the old way from a program with libsystemd 262.
#
# Guess: who passes sockets sets LISTEN_PID and LISTEN_FDS, as sd_listen_fds(3) has said since 2010; with both right the
# program finds them, whatever else is in the environment.
# Seen: systemd 262 passes LISTEN_PIDFDID too. A manager that it has started, and that passes sockets on to children with
# the two variables that it knows, leaves the third one as it found it. libsystemd 257 does not look at it. 262 compares it
# with its own process and answers 0: the child has no sockets, and no error either. An empty value is an error (EINVAL).
. "$(dirname "$0")/common.sh"

cat >"$work/passed.py" <<'P'
import os
import sys
from systemd import daemon
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
if len(sys.argv) > 1:
    os.environ["LISTEN_PIDFDID"] = sys.argv[1]
try:
    print(daemon.listen_fds(False))
except OSError as error:
    print(error.strerror)
P

passed() {
    folder=$1
    shift
    cp "$work/passed.py" "$folder/tmp/"
    inside "$folder" python3 /tmp/passed.py "$@" 3</dev/null
}

mkdir -p "$work/13/tmp" "$work/new/tmp"
unpack "$work/13" trixie libsystemd0=257.13-1~deb13u1 python3-systemd=235-1+b6
unpack "$work/new" sid libsystemd0=262.1-1 python3-systemd=235-1+b9
expect '257, nothing left over' '[3]' passed "$work/13"
expect '257, of another process' '[3]' passed "$work/13" 12345
expect '257, empty' '[3]' passed "$work/13" ''
expect '262, nothing left over' '[3]' passed "$work/new"
expect '262, of another process' '[]' passed "$work/new" 12345
expect '262, empty' 'Invalid argument' passed "$work/new" ''
