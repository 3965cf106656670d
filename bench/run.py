#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the benchmarks: peers interleaved, several rounds, medians and ratios.

Machines are shared and noisy, so no figure stands alone: within a round every peer does the same
work once, one after the other, in an order that changes from round to round.
"""
import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True  # not beside the sources
import daemon  # noqa: E402 pylint: disable=wrong-import-position
import health  # noqa: E402 pylint: disable=wrong-import-position
import runtime_works  # noqa: E402 pylint: disable=wrong-import-position
import scale  # noqa: E402 pylint: disable=wrong-import-position
import waiting  # noqa: E402 pylint: disable=wrong-import-position

# What `./dev bench NAME` can name; each is a function of the build directory and the number of rounds.
BENCHMARKS = {name: runtime_works.runner(name) for name in runtime_works.NAMES}
BENCHMARKS["daemon"] = daemon.run
BENCHMARKS["health"] = health.run
BENCHMARKS["scale"] = scale.run


def main():
    folder, rounds = sys.argv[1], int(os.environ.get("ROUNDS", "7"))
    chosen = os.environ.get("BENCH", "").split() or list(BENCHMARKS)
    unknown = [name for name in chosen if name not in BENCHMARKS]
    if unknown:
        print(f"bench: there is no benchmark \"{unknown[0]}\"; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        sys.exit(2)
    if folder == "--list":
        print(*chosen, sep="\n")
        return
    report = {}
    for name in chosen:
        print(f"{name}\n{'-' * len(name)}")
        with waiting.told(name):
            report[name] = BENCHMARKS[name](folder, rounds)
        print()
    path = os.path.join(folder, "bench.json")
    with open(path, "w", encoding="utf-8") as out:
        json.dump(report, out, indent=2)
    root = os.environ.get("MESON_SOURCE_ROOT", ".")
    print(f"All figures are in {os.path.relpath(path, root)}", flush=True)
    # Debian's interpreter, which has Debian's matplotlib. It names the chart as it is given.
    subprocess.run(["/usr/bin/python3", os.path.join(os.path.dirname(os.path.abspath(__file__)), "chart.py"), path,
                    os.path.relpath(os.path.join(folder, "bench.svg"), root)], cwd=root, check=False)


if __name__ == "__main__":
    main()
