# SPDX-License-Identifier: MIT
"""Debian's build runs some of the suites: meson passes over the name of one that is not there.

    check_suites.py RULES BUILD
"""
import json
import os
import re
import sys


def main():
    rules, build = sys.argv[1:]
    with open(rules, encoding="utf-8") as file:
        named = set(re.findall(r"--suite (\S+)", file.read()))
    with open(os.path.join(build, "meson-info", "intro-tests.json"), encoding="utf-8") as file:
        known = {suite.split(":")[-1] for test in json.load(file) for suite in test["suite"]}
    if not named:
        sys.exit(f"{rules}: names no suite")
    if named - known:
        sys.exit(f"{rules}: there is no suite {', '.join(sorted(named - known))}; there are {', '.join(sorted(known))}")


if __name__ == "__main__":
    main()
