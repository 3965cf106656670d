#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a step that takes long, and says how far it is.

    progress.py compile DIRECTORY [TARGET...]     ninja: "compiling in build: 120 of 412"
    progress.py test DIRECTORY [OPTION...]        meson test: its lines, and what has been running for long
    progress.py log FILE WHAT -- COMMAND...    any command: what it prints goes to the file

A line comes at least every ten seconds, on standard error. Messages of the tools themselves, such as a warning, are passed on; "no work to do" and the like are not. Exits with the code of the tool.
"""
import contextlib
import ctypes
import json
import os
import re
import selectors
import signal
import subprocess
import sys
import time

# Nobody is to wait longer than ten seconds without a word.
SILENCE = 8
PR_SET_PDEATHSIG = 1


def say(text):
    print(f"dev: {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def started(command, **options):
    """The process of a tool, which leads a group of its own. However we end, the tool and what it has started end first.
    After Ctrl-C nobody wants to know what they still have to say."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               process_group=0, **options)
    try:
        yield process
    except BaseException as end:
        interrupted = isinstance(end, KeyboardInterrupt)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT if interrupted else signal.SIGTERM)
        # Its children hold the pipe, too, and nobody may block on a full one.
        for line in lines_of(process, lambda: say("waiting for what runs to end; Ctrl-C again leaves it alone")):
            with contextlib.suppress(OSError):
                if not interrupted:
                    print(line, file=sys.stderr, flush=True)
        process.wait()
        raise


def end_with_parent():
    """When ./dev is killed, we are to hear of it."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(143)


def lines_of(process, on_silence):
    """Yields what the process prints, line by line; calls on_silence() whenever SILENCE passes without one."""
    rest = b""
    os.set_blocking(process.stdout.fileno(), False)
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        due = time.monotonic() + SILENCE
        while True:
            if not selector.select(max(0, due - time.monotonic())):
                on_silence()
                due = time.monotonic() + SILENCE
                continue
            data = process.stdout.read(65536)
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                due = time.monotonic() + SILENCE
                yield line.decode(errors="replace").rstrip("\r")
            if not data:
                if rest:
                    yield rest.decode(errors="replace")
                return


def compile_folder(folder, targets):
    done, told = "", time.monotonic()
    begun = told
    # What meson says when ninja calls it, as a meson.build has changed: of interest only when it fails.
    configuring = None

    def tell():
        nonlocal told
        told = time.monotonic()
        say(f"compiling in {folder}: {done or 'beginning'}")

    with started(["ninja", "-C", folder, *targets], env=dict(os.environ, NINJA_STATUS="[%f/%t] ")) as process:
        for line in lines_of(process, tell):
            step = re.match(r"\[(\d+)/(\d+)\] ", line)
            if step:
                configuring = [] if "Regenerating build files" in line else None
                done = f"{step[1]} of {step[2]}"
                if time.monotonic() - told >= SILENCE:
                    tell()
            elif configuring is not None:
                configuring.append(line)
            elif not re.match(r"ninja: (Entering directory|no work to do)|samu: |INFO: ", line):
                print(line, file=sys.stderr, flush=True)
        code = process.wait()
    if code != 0 and configuring:
        print("\n".join(configuring[-40:]), file=sys.stderr, flush=True)
    if code == 0 and told > begun:
        say(f"compiled {folder} in {time.monotonic() - begun:.0f} s")
    return code


class Running:
    """Which tests run at a moment: meson tells only of those that have ended."""

    def __init__(self, folder):
        listed = subprocess.run(["meson", "introspect", "--tests", folder], capture_output=True, text=True, check=True)
        self.names = {tuple(test["cmd"]): test["name"] for test in json.loads(listed.stdout)}

    def below(self, meson):
        """"NAME (AGE s)" of each. A process that has just been forked has its parent's command still: the older one counts."""
        ages = {}
        for pid in self._children(meson):
            try:
                with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
                    command = tuple(file.read().split("\0")[:-1])
                with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                    # The 22nd field: when it was started, in ticks since the boot.
                    started = int(file.read().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
                age = time.clock_gettime(time.CLOCK_BOOTTIME) - started
            except OSError:
                continue
            # The first word of a script's command is its interpreter, which may be another by now.
            for cmd, name in self.names.items():
                if (cmd[1:] or cmd) == command[-len(cmd[1:] or cmd):]:
                    ages[name] = max(age, ages.get(name, 0))
        return [f"{name} ({age:.0f} s)" for name, age in ages.items()]

    def _children(self, pid, depth=2):
        """Its children and theirs: a test may run below valgrind."""
        found = []
        try:
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
                    found += file.read().split()
        except OSError:
            pass
        return found + [other for child in found if depth > 1 for other in self._children(child, depth - 1)]


def test_folder(folder, options):
    # This is a meson as well, which takes its time.
    running = Running(folder)
    last = "none"

    def tell():
        say(f"{last} done; running: {', '.join(running.below(process.pid)) or 'none'}")

    # Tests wait for a good part of their time, so one more than there are processors. It is ours to say only where nobody has.
    environment = {"MESON_TESTTHREADS": str(len(os.sched_getaffinity(0)) + 1), **os.environ}
    with started(["meson", "test", "-C", folder, "--no-rebuild", "--print-errorlogs", *options], env=environment) as process:
        for line in lines_of(process, tell):
            step = re.match(r" *(\d+)/(\d+) ", line)
            if step:
                last = f"{step[1]} of {step[2]}"
            if not re.match(r"ninja: |Full log written", line):
                print(line, file=sys.stderr, flush=True)
        return process.wait()


def log_command(path, arguments):
    what, dashes, *command = arguments
    if dashes != "--":
        sys.exit(__doc__)
    begun = told = time.monotonic()
    last = ""

    def tell():
        nonlocal told
        told = time.monotonic()
        say(f"{what}: {told - begun:.0f} s{last}")

    with open(path, "w", encoding="utf-8") as log, started(command) as process:
        for line in lines_of(process, tell):
            print(line, file=log, flush=True)
            # debhelper's steps, and ninja's or meson's count within them.
            step = re.match(r"\s*(dh_\w+)|(\[\d+/\d+\])|\s*(\d+/\d+) ", line)
            last = ", " + next(filter(None, step.groups())) if step else last
            if time.monotonic() - told >= SILENCE:
                tell()
        return process.wait()


WORKS = {"compile": compile_folder, "test": test_folder, "log": log_command}


def main(arguments):
    if len(arguments) < 2 or arguments[0] not in WORKS:
        sys.exit(__doc__)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    end_with_parent()
    try:
        return WORKS[arguments[0]](arguments[1], arguments[2:])
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
