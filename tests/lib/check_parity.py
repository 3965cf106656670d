#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks tests/PARITY.md: each of our tests that it names exists and is run.

A row names tests of ours as `FILE/TEST`, or says why it "does not carry over".
"""
import os
import re
import sys


def tests_of(path):
    try:
        with open(path, encoding="utf-8") as file:
            return set(re.findall(r"cmocka_unit_test\((\w+)\)", file.read()))
    except OSError:
        return None


def main(root):
    rows = named = 0
    errors = []
    known = {}
    with open(os.path.join(root, "tests/PARITY.md"), encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if not line.startswith("|") or cells in (["theirs", "ours"], ["---", "---"]):
                continue
            rows += 1
            ours = re.findall(r"`(\w+)/(\w+)`", line)
            named += len(ours)
            if len(cells) != 2:
                errors.append(f"line {number}: not two cells")
            elif not ours and "does not carry over: " not in cells[1]:
                errors.append(f"line {number}: neither a test of ours nor why not")
            for program, test in ours:
                if program not in known:
                    known[program] = tests_of(os.path.join(root, f"tests/lib/test_{program}.c"))
                if known[program] is None:
                    errors.append(f"line {number}: there is no tests/lib/test_{program}.c")
                elif test not in known[program]:
                    errors.append(f"line {number}: {program} runs no {test}")
    if not rows or not named:
        errors.append("no tables")
    print("\n".join(errors) or f"{rows} rows, {named} tests of ours")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
