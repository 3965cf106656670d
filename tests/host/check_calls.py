#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that reeve-module(7) lists the system calls that every host refuses, each once, and no others."""
import os
import re
import sys


def refused(root):
    with open(os.path.join(root, "host/sandbox/filter/rules.c"), encoding="utf-8") as file:
        table = re.search(r"\bdenied\[\] = \{(.*?)\n\};", file.read(), re.DOTALL).group(1)
    return [name.lower() for name in re.findall(r"(?:SCMP_SYS\(|CALL_)(\w+)", table)]


def listed(root):
    with open(os.path.join(root, "man/reeve-module.7.rst"), encoding="utf-8") as file:
        section = re.search(r"\nSystem calls\n-+\n\n.*?:\n\n((?:    [^\n]+\n)+)", file.read(), re.DOTALL)
    return section.group(1).split() if section else []


def main(root):
    ours, theirs = refused(root), listed(root)
    wrong = sorted(set(ours) ^ set(theirs)) + sorted(name for name in set(theirs) if theirs.count(name) > 1)
    for name in wrong:
        print(f"{name}: refused {ours.count(name)} times, listed {theirs.count(name)} times", file=sys.stderr)
    if not ours or wrong:
        return 1
    print(f"{len(ours)} system calls are listed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
