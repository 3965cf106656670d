#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks protocol models exhaustively, and that the check can fail.

    run.py [--all] [MODEL.pml...]

Without a file it takes every model of its directory. Each must hold in each of its "Variants:" (defines, several
with commas between them), and with --all also in each of its "More:", which take long. For each BUG_ that a
model, or what it includes, tests with #ifdef or #ifndef, it must not hold in some variant: a property that no
broken protocol violates says nothing. A model's "Found in: BUG_X VARIANT; ..." names the variant in which to
search first.

A search that was cut short, for depth or memory, counts as a failure. Without spin or a compiler it skips (77).
"""
import glob
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import tools  # pylint: disable=wrong-import-position

DEPTH = 1000000
# Searches take seconds, so the optimiser would take longer than it saves, and clang, which compiles in half of
# gcc's time, is preferred. Each search takes less than 1 GiB, with its states compressed.
COMPILE = [tools.find("clang") or "cc", "-O0", "-w", "-DSAFETY", "-DCOLLAPSE", "-DMEMLIM=1024", "-o", "pan", "pan.c"]
SEARCHES_AT_ONCE = 2


def search(model, defines):
    """Returns (errors, states, what kind of error or why it does not count)."""
    with tempfile.TemporaryDirectory() as folder:
        spin = ["spin", "-a", *(f"-D{define}" for define in defines), model]
        generated = subprocess.run(spin, cwd=folder, capture_output=True, text=True, check=False)
        if generated.returncode != 0 or "rror" in generated.stdout:
            return None, 0, generated.stdout + generated.stderr
        compiled = subprocess.run(COMPILE, cwd=folder, capture_output=True, text=True, check=False)
        if compiled.returncode != 0:
            return None, 0, compiled.stderr
        # -n: no list of unreached states.
        ran = subprocess.run([os.path.join(folder, "pan"), f"-m{DEPTH}", "-n"], cwd=folder,
                             capture_output=True, text=True, check=False)
        text = ran.stdout + ran.stderr
    errors = re.search(r"errors: (\d+)", text)
    states = re.search(r"^\s*(\d+) states, stored", text, re.M)
    if not errors:
        return None, 0, text
    if int(errors[1]) == 0 and ("max search depth too small" in text
                                or "Search not completed" in text):
        return None, 0, text
    kind = re.search(r"pan:\d*:? ?(.*?)(?: \(at depth \d+\))?$", text, re.M)
    return int(errors[1]), int(states[1]) if states else 0, kind[1] if kind else ""


def find_models():
    """The models of this directory that no other includes."""
    paths = sorted(glob.glob(os.path.join(os.path.dirname(os.path.abspath(__file__)), "*.pml")))
    parts = set()
    for path in paths:
        with open(path, encoding="utf-8") as file:
            parts.update(re.findall(r'^#include "(.+)"$', file.read(), re.M))
    return [path for path in paths if os.path.basename(path) not in parts]


def read_list(text, key):
    """The words behind "KEY:" in the comment at the top, which may go on in further, indented lines."""
    found = re.search(rf"^ \* {key}: (.*(?:\n \*  +.*)*)$", text, re.M)
    return found[1].replace("\n *", " ") if found else ""


class Model:
    """A file, with what its comment says about the check."""

    def __init__(self, path, everything):
        self.path = os.path.abspath(path)
        self.name = os.path.basename(path).removesuffix(".pml")
        with open(self.path, encoding="utf-8") as file:
            text = file.read()
        parts = text
        for name in re.findall(r'^#include "(.+)"$', text, re.M):
            with open(os.path.join(os.path.dirname(self.path), name), encoding="utf-8") as file:
                parts += file.read()
        self.bugs = sorted(set(re.findall(r"^\s*#ifn?def (BUG_\w+)", parts, re.M)))
        more = read_list(text, "More").split()
        self.known = read_list(text, "Variants").split() + more or [""]
        self.variants = self.known if everything else self.known[:len(self.known) - len(more)]
        self.first = dict(item.split() for item in read_list(text, "Found in").split(";") if item)

    def variants_for(self, bug):
        """Of all variants, the one in which it is known to be found comes first."""
        first = self.first.get(bug, self.known[0])
        return [first] + [variant for variant in self.known if variant != first]


class Log:
    """A line when a search begins and when it ends, whichever thread it is of."""

    def __init__(self):
        self.lock = threading.Lock()

    def say(self, line):
        with self.lock:
            print(line, flush=True)

    def search(self, what, model, variant, bug):
        self.say(f"{what} ...")
        begun = time.monotonic()
        errors, states, kind = search(model.path, variant.split(",") * bool(variant) + [bug] * bool(bug))
        found = "holds" if errors == 0 else kind[:400]
        self.say(f"{what}: {found}, {states} states, {time.monotonic() - begun:.1f} s")
        return errors


def check_variant(log, model, number):
    """Whether the model holds in one of its variants."""
    variant = model.variants[number]
    what = f"{model.name}, variant {number + 1} of {len(model.variants)} {variant}".rstrip()
    if log.search(what, model, variant, None) == 0:
        return True
    log.say(f"NOT OK: {model.name} does not hold in {variant or 'its only variant'}")
    return False


def check_bug(log, model, number):
    """Whether a broken variant is found."""
    bug = model.bugs[number]
    for variant in model.variants_for(bug):
        what = f"{model.name}, broken {number + 1} of {len(model.bugs)} {bug} {variant}".rstrip()
        errors = log.search(what, model, variant, bug)
        if errors:
            return True
        if errors is None:
            break
    log.say(f"NOT OK: {model.name}: {bug} is not found")
    return False


def main(arguments):
    paths = [argument for argument in arguments if argument != "--all"]
    if any(path.startswith("-") for path in paths):
        sys.exit(__doc__)
    tools.need_or_exit("spin", "cc")
    models = [Model(path, "--all" in arguments) for path in paths or find_models()]
    for model in models:
        if not model.bugs:
            sys.exit(f"{model.name} has no broken variant")
    log = Log()
    with ThreadPoolExecutor(SEARCHES_AT_ONCE) as threads:
        results = [threads.submit(check, log, model, number) for model in models
                   for check, count in ((check_variant, len(model.variants)), (check_bug, len(model.bugs)))
                   for number in range(count)]
    return 0 if all(result.result() for result in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
