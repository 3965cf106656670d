#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The attacks of test_http_attacks.py, again and again: `http.py [SECONDS]`, 600 by default. REEVE_BUILD
is the build directory, by default build/."""
import os
import sys
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def main():
    os.environ.setdefault("REEVE_BUILD", os.path.join(ROOT, "build"))
    sys.dont_write_bytecode = True
    # In place of this directory, in which http.py would be taken for Python's own package.
    sys.path[0] = os.path.join(ROOT, "tests", "integration")
    attacks = __import__("test_http_attacks")
    deadline = time.monotonic() + float(sys.argv[1] if len(sys.argv) > 1 else 600)
    rounds = 0
    while rounds == 0 or time.monotonic() < deadline:
        suite = unittest.defaultTestLoader.loadTestsFromModule(attacks)
        if not unittest.TextTestRunner(verbosity=0, failfast=True).run(suite).wasSuccessful():
            sys.exit(f"soak: http: failed in round {rounds + 1}")
        rounds += 1
    print(f"soak: http: {rounds} rounds of all attacks, all well")


if __name__ == "__main__":
    main()
