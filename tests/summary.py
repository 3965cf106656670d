#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Counts the results in meson's test logs and prints them as the last line of `./dev test`.

A log that is missing or empty counts as a failure: a suite that did not run has not passed.
"""
import json
import sys

PASSED = {"OK", "EXPECTEDFAIL"}
SKIPPED = {"SKIP"}


def main(paths):
    passed = failed = skipped = 0
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
            if result["result"] in PASSED:
                passed += 1
            elif result["result"] in SKIPPED:
                skipped += 1
            else:
                print(f"FAILED: {path}: {result['name']}: {result['result']}", file=sys.stderr)
                failed += 1
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
