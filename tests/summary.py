#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Counts the results in meson's test logs and prints them as the last lines of `./dev test`.

A log that is missing or empty counts as a failure: a suite that did not run has not passed. A skipped
test is named with its reason: a test that prints "SKIPPED: REASON" has one, and so has each that unittest
skipped within a test that passed. What a test says in a line "NOTE: ..." is shown, whatever its result.
Of a test that failed some lines are shown that look like the reason, for those who get no more than this output.
"""
import json
import re
import sys

PASSED = {"OK", "EXPECTEDFAIL"}
SKIPPED = {"SKIP"}


def said_by(result):
    return result.get("stdout", "") + "\n" + result.get("stderr", "")


def reasons(result):
    """Why all or a part of it was skipped."""
    said = said_by(result)
    whole = re.findall(r"^SKIPPED: (.*)$", said, re.MULTILINE)
    parts = re.findall(r"\.\.\. skipped ['\"](.*)['\"]$", said, re.MULTILINE)
    return sorted(set(whole + parts))


def telling_lines(result):
    """The first lines that speak of an error, or else the last ones."""
    lines = [line.rstrip()[:160] for line in said_by(result).splitlines() if line.strip()]
    telling = [line for line in lines if re.search(r"SUMMARY: |error: |^\w*Error|^FAIL: |^ERROR: |fuzz_check: |FAILED", line)]
    return telling[:4] or lines[-4:]


def main(paths):
    passed = failed = skipped = partly = 0
    for path in paths:
        try:
            with open(path, encoding="utf-8") as log:
                results = [json.loads(line) for line in log if line.strip()]
        except OSError as error:
            print(f"summary: {error}", file=sys.stderr)
            results = []
        if not results:
            print(f"summary: {path}: no test ran", file=sys.stderr)
            failed += 1
        for result in results:
            why_skipped = reasons(result)
            for reason in why_skipped:
                print(f"SKIPPED: {path}: {result['name']}: {reason}", file=sys.stderr)
            for note in re.findall(r"^NOTE: (.*)$", said_by(result), re.MULTILINE):
                print(f"NOTE: {path}: {result['name']}: {note}", file=sys.stderr)
            if result["result"] in PASSED:
                passed += 1
                partly += bool(why_skipped)
            elif result["result"] in SKIPPED:
                skipped += 1
            else:
                print(f"FAILED: {path}: {result['name']}: {result['result']}; what it said is in {path[:-len('json')]}txt",
                      *telling_lines(result), sep="\n    ", file=sys.stderr)
                failed += 1
    if partly:
        print(f"{partly} that passed were skipped in part, as named above", file=sys.stderr)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
