#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the benchmarks: peers interleaved, several rounds, medians and ratios.

Machines are shared and noisy, so no figure stands alone: within a round every peer does the same
work once, one after the other, in an order that changes from round to round.
"""
import json
import os
import random
import statistics
import subprocess
import sys

sys.dont_write_bytecode = True  # not beside the sources
import health  # noqa: E402 pylint: disable=wrong-import-position

PEERS = ["reeve", "condvar", "go"]
# Name, program, arguments: a count of jobs and of workers.
WORKS = [(f"1,000,000 empty jobs, {workers} workers", "pool", ["1000000", str(workers)])
         for workers in (2, 8, 64)]


def run_once(program, arguments):
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=True,
                          timeout=600)
    return json.loads(done.stdout)


def measure(folder, program, arguments, rounds):
    """Returns seconds of each round for each peer that is there."""
    peers = [p for p in PEERS if os.path.exists(os.path.join(folder, f"{program}_{p}"))]
    seconds = {peer: [] for peer in peers}
    for _ in range(rounds):
        random.shuffle(peers)
        results = set()
        for peer in peers:
            outcome = run_once(os.path.join(folder, f"{program}_{peer}"), arguments)
            seconds[peer].append(outcome["seconds"])
            results.add(outcome["result"])
        if len(results) != 1:
            sys.exit(f"bench: the peers of {program} produced different results: {results}")
    return {peer: seconds[peer] for peer in PEERS if peer in seconds}


def run_pools(folder, rounds):
    """Prints how the peers did; returns all figures."""
    report = []
    print(f"Medians of {rounds} interleaved rounds; ratio: the peer's time over reeve's.\n")
    for name, program, arguments in WORKS:
        seconds = measure(folder, program, arguments, rounds)
        medians = {peer: statistics.median(values) for peer, values in seconds.items()}
        print(name)
        for peer in PEERS:
            if peer not in medians:
                print(f"  {peer:8} skipped: not installed")
                continue
            print(f"  {peer:8} {medians[peer] * 1000:9.1f} ms   "
                  f"from {min(seconds[peer]) * 1000:.1f} to {max(seconds[peer]) * 1000:.1f}   "
                  f"ratio {medians[peer] / medians['reeve']:.2f}")
        report.append({"work": name, "seconds": seconds, "medians": medians})
    return report


# What `./dev bench NAME` can name; each is a function of the build folder and the number of rounds.
BENCHMARKS = {"pool": run_pools, "health": health.run}


def main():
    folder, rounds = sys.argv[1], int(os.environ.get("ROUNDS", "7"))
    chosen = os.environ.get("BENCH", "").split() or list(BENCHMARKS)
    unknown = [name for name in chosen if name not in BENCHMARKS]
    if unknown:
        sys.exit(f"bench: there is no {unknown[0]}; there are {', '.join(BENCHMARKS)}")
    report = {}
    for name in chosen:
        print(f"{name}\n{'-' * len(name)}")
        report[name] = BENCHMARKS[name](folder, rounds)
        print()
    path = os.path.join(folder, "bench.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(report, file, indent=2)
    root = os.environ.get("MESON_SOURCE_ROOT", ".")
    print(f"All figures are in {os.path.relpath(path, root)}")


if __name__ == "__main__":
    main()
