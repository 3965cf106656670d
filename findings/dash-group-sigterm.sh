#!/bin/sh
# SPDX-License-Identifier: MIT
# A SIGTERM for a process group ends the shell, and misses the program that dash is just starting.
#
# Guess: kill(-group, SIGTERM) reaches every process of the group: fork() is begun again when a signal comes in the middle
# of it. So when the shell has died of it, whatever it had started has got it as well.
# Seen with dash 0.5.12: of shells that start programs in the background and are ended at some moment by a SIGTERM for
# their group, one in forty or so leaves a program that lives on, though it does nothing about SIGTERM. dash blocks signals while it
# starts a program: the signal waits for the shell alone, a child does not inherit it, and then the shell dies of it.
# Whoever ends a group has to look for what is left of it when its leader is dead.
. "$(dirname "$0")/common.sh"

command -v python3 >/dev/null || cannot "there is no python3"
unpack "$work/root" trixie dash=0.5.12-12
loader=$(echo "$work"/root/usr/lib/*/ld-linux-*.so.?)
cat >"$work/try.py" <<'PY'
import os, random, signal, subprocess, sys, time

SCRIPT = "i=0; while [ $i -lt 100 ]; do sleep 1000 & i=$((i+1)); done; wait"

def living(group):
    """Members that are no zombies; their leader has not been reaped, so the number is theirs."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if int(pid) != group and os.getpgid(int(pid)) == group:
                with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                    if file.read().rsplit(")", 1)[1].split()[0] != "Z":
                        return True
        except OSError:
            pass
    return False

def survivor(shell):
    leader = subprocess.Popen([*shell, "-c", SCRIPT], preexec_fn=os.setpgrp, stderr=subprocess.DEVNULL)
    time.sleep(0.005 + random.random() * 0.02)
    os.killpg(leader.pid, signal.SIGTERM)
    os.waitid(os.P_PID, leader.pid, os.WEXITED | os.WNOWAIT)
    # Those that have got it are gone within a moment.
    left = True
    for _ in range(20):
        left = left and living(leader.pid)
        if not left:
            break
        time.sleep(0.02)
    os.killpg(leader.pid, signal.SIGKILL)
    leader.wait()
    return left

print("one is left" if any(survivor(sys.argv[1:]) for _ in range(3000)) else "none is left in 3000 tries")
PY
expect 'dash 0.5.12' 'one is left' \
    python3 "$work/try.py" "$loader" --library-path "$(dirname "$loader")" "$work/root/usr/bin/dash"
