#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `./dev releases [RELEASE...] [--as root|sudo] [--list]` does.

The commands of ./dev run on bare roots of Debian's releases. On 12 and 13, the stable ones that are first
class, everything is done twice, each time from a bare root: by root, in the README's order, and by a user with
sudo, in the opposite one. The same tests must have run. On the others reeve is built and its plain tests are run.
Output goes to build/releases/RELEASE/; the last line counts the tests that ran in all roots, and each other
command as one.

Releases go by number or name: 12, bookworm, 13, trixie, testing, unstable. CONTRIBUTING.md says how one is added.
"""
import argparse
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import roots
from debian import FIRST_CLASS, RELEASES, find_release, run_program, try_each
from telling import Ticker, follow

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Far more than a command takes on two busy processors; what takes longer hangs.
LIMIT = 90 * 60
USER = "developer"
PORT = 8080


def say(text):
    print(f"releases: {text}", file=sys.stderr, flush=True)


LAST_LINE = re.compile(r"(\d+) passed, (\d+) failed, (\d+) skipped")


class Walk:
    """One way through the commands in one bare root."""

    def __init__(self, root, user, count):
        self.root, self.user, self.count = root, user, count
        self.logs = os.path.join(SOURCE, "build/releases", str(root.release), user)
        os.makedirs(self.logs, exist_ok=True)
        self.tests = None

    def name(self, what):
        return f"Debian {self.root.release}, {'root' if self.user == 'root' else 'with sudo'}: {what}"

    def report(self, what, begun, good, counted=None):
        self.count.add(*counted or (int(good), int(not good), 0))
        words = "{} passed, {} failed, {} skipped".format(*counted) if counted else "passed" if good else "FAILED"
        minutes, seconds = divmod(int(time.monotonic() - begun), 60)
        say(f"{self.name(what)}: {words} ({minutes} min {seconds} s)"
            + ("" if good else f"; its log is {self.log(what)}"))

    def log(self, what):
        return os.path.join(self.logs, re.sub(r"\W+", "-", what).strip("-") + ".log")

    def begin(self, command):
        say(self.name(command))
        return subprocess.Popen(self.root.argv(command, self.user), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, start_new_session=True)

    def lines(self, process, what):
        """Yields what a command prints, and keeps it; how far it is is shown."""
        def end_it():
            say(f"{self.name(what)}: expected to end within {LIMIT // 60} min, still running: it is killed")
            os.killpg(process.pid, signal.SIGKILL)
        guard = threading.Timer(LIMIT, end_it)
        guard.start()
        try:
            with open(self.log(what), "w", encoding="utf-8") as log:
                yield from follow(process, log, Ticker(say, self.name(what)))
        finally:
            guard.cancel()

    def command(self, command):
        """Runs a command of ./dev to its end."""
        begun = time.monotonic()
        process = self.begin(command)
        last = ""
        for line in self.lines(process, command):
            last = line.strip() or last
        code = process.wait()
        counted = LAST_LINE.fullmatch(last) if " test" in command else None
        if counted:
            self.tests = tuple(int(number) for number in counted.groups())
            if code != 0 and self.tests[1] == 0:
                self.report(command, begun, False)
            self.report(command, begun, code == 0, self.tests)
        else:
            # Tests without a last line, too, have failed.
            self.report(command, begun, code == 0 and " test" not in command)

    def run(self):
        """`./dev run`, what the README says to try while it runs, and Ctrl-C."""
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", PORT)) == 0:
                raise roots.Trouble(f"another program listens on port {PORT}, which the sample configuration uses")
        begun = time.monotonic()
        process = self.begin("./dev run")
        tried = None
        for line in self.lines(process, "./dev run"):
            if tried is None and re.search(r" notice  started$", line):
                tried = self.try_readme()
                os.killpg(process.pid, signal.SIGINT)
        self.report("./dev run", begun, process.wait() == 0 and tried is True)

    def try_readme(self):
        with open(os.path.join(SOURCE, "README.md"), encoding="utf-8") as file:
            block = re.search(r"While it runs, elsewhere:\n\n((?:    .*\n)+)", file.read())[1]
        for line in block.splitlines():
            done = self.root.run(line.strip(), self.user, check=False)
            # All but copies show something.
            if done.returncode != 0 or bool(done.stdout) == line.strip().startswith("cp "):
                say(f"the README's `{line.strip()}`: exit code {done.returncode}, printed "
                    f"{done.stdout or 'nothing'}")
                return False
        return True


def make_root(release, user):
    log = os.path.join(SOURCE, "build/releases", str(release), f"{user}-root.log")
    os.makedirs(os.path.dirname(log), exist_ok=True)
    open(log, "wb").close()
    return roots.Root(release, f"{release.suite}-{user}", SOURCE, say, log)


def walk_first_class(release, count, users):
    commands = [None, "./dev test", "./dev deb", "ROUNDS=1 IDLE_SECONDS=2 ./dev bench pool daemon", "./dev fuzz 2",
                "./dev build"]
    seen = {}
    for user in users:
        with make_root(release, user) as root:
            if user != "root":
                root.add_user(user)
            walk = Walk(root, user, count)
            for command in commands if user == "root" else reversed(commands):
                walk.command(command) if command else walk.run()
            seen[user] = walk.tests
    if len(seen) < 2:
        return
    same = seen["root"] == seen[USER]
    count.add(int(same), int(not same), 0)
    say(f"Debian {release}: root and a user with sudo ran {'the same' if same else 'other'} tests: {seen}")


def walk_other(release, count):
    with make_root(release, "root") as root:
        walk = Walk(root, "root", count)
        walk.command("./dev build")
        walk.command("./dev test --quick")


def main():
    parser = argparse.ArgumentParser(prog="./dev releases", description=__doc__.split("\n\n", maxsplit=1)[1],
                                     allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("release", nargs="*", help="default: all")
    parser.add_argument("--as", dest="user", choices=("root", "sudo"), help="half of it: only as that one")
    parser.add_argument("--list", action="store_true", help="only name the releases")
    arguments = parser.parse_args()
    chosen = [find_release(name) for name in arguments.release] or RELEASES
    if arguments.list:
        print(*chosen, sep="\n")
        return 0
    users = {"root": ["root"], "sudo": [USER], None: ["root", USER]}[arguments.user]
    roots.enter_namespaces()
    # With its lock, it would leave an index of root's in the user's checkout.
    dirty = subprocess.run(["git", "--no-optional-locks", "-c", "safe.directory=*", "-C", SOURCE, "status", "--short"],
                           capture_output=True, text=True, check=True).stdout
    if dirty:
        say("only what is committed is tried; this is not:\n" + dirty.rstrip())
    return try_each(chosen, lambda release, count: walk_first_class(release, count, users)
                    if release in FIRST_CLASS else walk_other(release, count))


if __name__ == "__main__":
    run_program(main)
