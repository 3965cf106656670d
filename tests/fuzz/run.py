#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs one fuzz target for some seconds on its corpus; says how to repeat what it finds.

    run.py PROGRAM SECONDS

The corpus in the source tree is only read. Finds, and the inputs that reach new code, go to
the directory found/NAME/ beside the program, and are where the next run goes on from.
"""
import os
import subprocess
import sys
import tempfile

SOURCES = os.path.dirname(os.path.abspath(__file__))
# An input that takes so long is a hang. One takes far below a millisecond, sanitizers included.
HANG = 10


def command(program, name, found, seconds):
    arguments = [program, f"-max_total_time={seconds}", f"-timeout={HANG}", "-rss_limit_mb=2048",
                 "-print_final_stats=1", f"-artifact_prefix={found}/"]
    # Its names come from a child, which the supervisor in a target would kill as a stray.
    arguments.append("-print_funcs=0")
    words = os.path.join(SOURCES, f"{name}.dict")
    if os.path.exists(words):
        arguments.append(f"-dict={words}")
    # New inputs go to the first directory.
    os.makedirs(os.path.join(found, "corpus"), exist_ok=True)
    return arguments + [os.path.join(found, "corpus"), os.path.join(SOURCES, "corpus", name)]


def explain(program, name, found):
    inputs = [os.path.join(found, f) for f in os.listdir(found) if os.path.isfile(os.path.join(found, f))]
    if not inputs:
        print(f"fuzz {name}: it failed without an input of its own", file=sys.stderr)
        return
    newest = max(inputs, key=os.path.getmtime)
    print(f"fuzz {name}: found a bug. To repeat it:\n"
          f"    {program} {newest}\n"
          f"to make the input smaller:\n"
          f"    {program} -minimize_crash=1 -max_total_time=30 -exact_artifact_path=small {newest}\n"
          f"and then keep it: cp small tests/fuzz/corpus/{name}/WHAT-IT-IS", file=sys.stderr)


def main(program, seconds):
    name = os.path.basename(program).removeprefix("fuzz_")
    found = os.path.join(os.path.dirname(os.path.abspath(program)), "found", name)
    arguments = command(program, name, found, seconds)
    # A target may need files: they are in here, and gone with it even when the target crashes.
    with tempfile.TemporaryDirectory(prefix="reeve-fuzz-") as folder:
        code = subprocess.run(arguments, env=dict(os.environ, TMPDIR=folder), check=False).returncode
    if code != 0:
        explain(program, name, found)
    return 1 if code else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
