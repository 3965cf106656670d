#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks one protocol model exhaustively, and that the check can fail.

run.py MODEL.pml: verifies the model as it is, which must hold in each of its "Variants:" (defines,
several with commas between them), and once for each BUG_ that it, or what it includes, tests with
#ifdef or #ifndef, which must not hold in some: a property that no broken protocol violates says
nothing.
Without spin or a compiler it skips (77).

A search that was cut short, for depth or memory, counts as a failure.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

SKIPPED = 77
DEPTH = 1000000
# States are compressed; 1 GiB is far more than any of the models needs.
COMPILE = ["-w", "-DSAFETY", "-DCOLLAPSE", "-DMEMLIM=1024"]


def verify(model, defines):
    """Returns (errors, states, what kind of error or why it does not count)."""
    with tempfile.TemporaryDirectory() as folder:
        spin = ["spin", "-a", *(f"-D{define}" for define in defines), model]
        generated = subprocess.run(spin, cwd=folder, capture_output=True, text=True)
        if generated.returncode != 0 or "rror" in generated.stdout:
            return None, 0, generated.stdout + generated.stderr
        # What ends at its first error is not worth the optimiser's time.
        level = "-O0" if any(define.startswith("BUG_") for define in defines) else "-O1"
        compiled = subprocess.run(["cc", level, *COMPILE, "-o", "pan", "pan.c"], cwd=folder,
                                  capture_output=True, text=True)
        if compiled.returncode != 0:
            return None, 0, compiled.stderr
        # -n: no list of unreached states.
        ran = subprocess.run([os.path.join(folder, "pan"), f"-m{DEPTH}", "-n"], cwd=folder,
                             capture_output=True, text=True)
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


def check(model, bug, variants):
    """Whether a model holds in all variants, or a broken one does not in some."""
    for variant in variants:
        errors, states, kind = verify(model, variant + ([bug] if bug else []))
        found = "holds" if errors == 0 else kind[:400]
        print(f"{bug or 'the model'} {' '.join(variant)}: {found}, {states} states", flush=True)
        if bug and errors:
            return True
        if errors is None or (not bug and errors):
            return False
    return not bug


def main(model):
    if not shutil.which("spin") or not shutil.which("cc"):
        print("spin or cc is missing")
        return SKIPPED
    model = os.path.abspath(model)
    with open(model, encoding="utf-8") as file:
        text = file.read()
    parts = text
    for name in re.findall(r'^#include "(.+)"$', text, re.M):
        with open(os.path.join(os.path.dirname(model), name), encoding="utf-8") as file:
            parts += file.read()
    bugs = sorted(set(re.findall(r"^\s*#ifn?def (BUG_\w+)", parts, re.M)))
    named = re.search(r"^ \* Variants: (.*(?:\n \*  +.*)*)$", text, re.M)
    variants = ([defines.split(",") for defines in named[1].replace(" *", " ").split()]
                if named else [[]])
    if not bugs:
        print("the model has no broken variant")
        return 1
    with ThreadPoolExecutor(2) as threads:
        good = list(threads.map(lambda bug: check(model, bug, variants), [None] + bugs))
    for bug, is_good in zip([None] + bugs, good):
        if not is_good:
            print(f"NOT OK: {'the model does not hold' if bug is None else bug + ' is not found'}")
    return 0 if all(good) else 1


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
