# SPDX-License-Identifier: MIT
"""The runtime beside its peers: which works, in which sizes, against whom, with which targets.

A row compares libreeve's seconds (or another figure) with the best of its peers, on a quiet machine and beside two
processes that compute all the time. A target is what the ratio peer / reeve should reach, or, with `at_most`, what
reeve / peer may be.
"""
import contextlib
import json
import os
import random
import statistics
import subprocess
import sys
from dataclasses import dataclass

from waiting import doing

BUSY_PROCESSES = 2
COLUMNS = ("quiet", "busy")


@dataclass
class Side:
    """One peer's way of doing a row's work: a work of its program, and the sizes."""
    peer: str
    work: str
    count: int
    workers: int = 1
    capacity: int = 1
    name: str = ""

    @property
    def label(self):
        return self.name or self.peer


@dataclass
class Row:
    title: str
    sides: list            # the first one is reeve's
    target: float = 0      # 0: reported only
    busy: float = 0        # the same beside busy processes
    at_most: bool = False
    figure: str = "seconds"
    same_result: bool = True
    rounds: int = 0        # 0: as asked for
    columns: tuple = COLUMNS

    def target_of(self, column):
        return self.busy if column == "busy" else self.target


GO = ("go", "go-newest")
QUEUES = ("tbb", "moodycamel", "ck", "rte_ring")


def sides(peers, work, size, reeve=None):
    return [Side("reeve", reeve or work, **size)] + [Side(peer, work, **size) for peer in peers]


def pool(workers):
    size = {"count": 1_000_000, "workers": workers, "capacity": 1024}
    return Row(f"1,000,000 nearly empty jobs through a pool, {workers} workers",
               sides(("condvar", "glib", "uv") + GO, "pool", size), 2, 1.5)


def group(limit):
    size = {"count": 1_000_000, "workers": limit}
    return Row(f"1,000,000 tasks through a group, limit {limit}",
               [Side("reeve", "group", **size)] +
               [Side(go, work, name=f"{go} {work}", **size) for go in GO for work in ("errgroup", "semaphore")],
               1.5, 1.5)


def fan(capacity, peer_capacity, target, busy_target):
    size = {"count": 250_000, "workers": 4}
    return Row(f"fan of 250,000 items, 4 workers, capacity {capacity}, Go's {peer_capacity}",
               [Side("reeve", "fan", capacity=capacity, **size)] +
               [Side(go, "fan", capacity=peer_capacity, **size) for go in GO], target, busy_target)


def channel(pairs):
    size = {"count": 1_000_000, "workers": pairs, "capacity": 1024}
    return Row(f"channel {pairs} to {pairs}, capacity 1024, 1,000,000 elements",
               sides(GO, "channel", size), 1.5, 1.2)


def channel_beside_queues(pairs):
    size = {"count": 1_000_000, "workers": pairs, "capacity": 1024}
    return Row(f"channel {pairs} to {pairs}, and queues of C and C++", sides(QUEUES, "channel", size))


def channel_many(pairs):
    """Go's channels take one element at a time."""
    size = {"count": 1_000_000, "workers": pairs, "capacity": 1024}
    return Row(f"channel {pairs} to {pairs}, 64 elements a call, and Go's, one a call",
               sides(GO, "channel", size, "channel-many"), 5, 3)


def channel_many_beside_queues(pairs):
    size = {"count": 1_000_000, "workers": pairs, "capacity": 1024}
    return Row(f"channel {pairs} to {pairs}, 64 elements a call, and queues of C and C++",
               sides(("moodycamel", "rte_ring"), "channel-many", size), 1)


def busy(steps):
    """The inline peer has as many threads, each with its half of the jobs from the start."""
    return Row("250,000 jobs of 1 us, 2 workers, against two threads inline",
               [Side("reeve", "busy", 250_000, 2, steps),
                Side("bare", "busy", 250_000, 2, steps, name="inline")], 0.92, 0.9)


def periodic(figure, title, target):
    size = {"count": 100_000, "workers": 5}
    return Row(f"100,000 periodic functions of 1 s, for 5 s: {title}", sides(GO, "periodic", size),
               target, figure=figure, at_most=True, rounds=1)


def rows(steps):
    """`steps` of burn() take a microsecond here."""
    latency = {"count": 2000}
    fast = {"count": 200_000_000}
    return {
        "pool": [pool(2), pool(8), pool(64), busy(steps)],
        "latency": [Row(f"one job for an idle pool until it has started, {p}",
                        [Side("reeve", "latency", capacity=64, **latency),
                         Side("bare", "latency", name="futex", **latency)], 1.5, 0, True, p)
                    for p in ("p50", "p99")],
        "group": [group(2), group(64)],
        "channel": [channel(1), channel(4), channel_beside_queues(1), channel_beside_queues(4), channel_many(1),
                    channel_many(4), channel_many_beside_queues(1), channel_many_beside_queues(4),
                    fan(256, 256, 2, 1.5), fan(256, 0, 2, 1.5), fan(0, 0, 0, 0),
                    Row("ping-pong of 200,000, capacity 0",
                        [Side("reeve", "ping-pong", 200_000),
                         Side("bare", "ping-pong", 200_000, name="futex")]),
                    Row("ping-pong of 200,000, capacity 0, and Go",
                        [Side("reeve", "ping-pong", 200_000)] + [Side(go, "ping-pong", 200_000) for go in GO])],
        "context": [Row("1,000,000 contexts made and cancelled", sides(GO, "contexts", {"count": 1_000_000}), 2),
                    Row("cancel of a tree of 100 x 1000 contexts",
                        sides(GO, "tree", {"count": 1000, "workers": 100}), 5),
                    Row("cancel until 1,000 waiting threads have run",
                        [Side("reeve", "waiters", 1, 1000),
                         Side("bare", "waiters", 1, 1000, name="futex")], 1.3, 1.3, True),
                    Row("cancel until 1,000 waiters have run, and goroutines",
                        sides(GO, "waiters", {"count": 1, "workers": 1000})),
                    Row("is a context done? 200,000,000 times",
                        [Side("reeve", "check", **fast),
                         Side("bare", "check", name="atomic load", **fast)], 1.5, 1.5, True),
                    Row("once, when it has run, 200,000,000 times",
                        [Side("reeve", "once", **fast),
                         Side("bare", "once", name="atomic load", **fast)], 1.5, 1.5, True)],
        "periodic": [Row("100,000 periodic functions of 1 s, for 5 s: p99 late",
                         [Side("reeve", "periodic", 100_000, 5)], 0.001, 0.010, True, "p99", rounds=1),
                     periodic("cpu", "processor time", 0.5),
                     periodic("bytes", "memory", 0.2)],
        "idle": [Row(f"{title}, of an idle runtime or 100,000 jobs",
                     [Side("reeve", "idle", 100_000, 10)], 0.5, 0, True, figure, rounds=1, columns=("quiet",))
                 for figure, title in (("wakeups", "wake-ups in 10 s"),
                                       ("allocations", "allocations"),
                                       ("busy_after_drain", "threads busy after the drain"),
                                       ("left_after_trim", "threads left after a trim"))],
    }


# Seconds that a peer may take for a work: queues that spin while another thread is to go on may never get to the end.
MOST = 60


@contextlib.contextmanager
def beside(folder, column):
    """Within it, two processes compute, if the column is the busy one."""
    count = BUSY_PROCESSES if column == "busy" else 0
    program = os.path.join(os.path.dirname(folder), "busy")
    processes = [subprocess.Popen([program]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def run_once(folder, side):
    """Returns None when it has not ended within MOST."""
    program = os.path.join(folder, f"peer_{side.peer}")
    try:
        done = subprocess.run([program, side.work, str(side.count), str(side.workers),
                               str(side.capacity)], capture_output=True, text=True, timeout=MOST,
                              check=False)
    except subprocess.TimeoutExpired:
        if side.peer == "reeve":
            sys.exit(f"bench: {side.label} {side.work}: it has not ended within {MOST} s")
        return None
    if done.returncode != 0:
        sys.exit(f"bench: {side.label} {side.work}: {done.stderr.strip() or done.returncode}")
    return json.loads(done.stdout)


def measure(folder, row, rounds, column):
    """Each side once a round, in an order that changes. Returns the figures of each label; the last is None for a peer
    that has not ended, which takes part no longer."""
    sides = [s for s in row.sides if os.path.exists(os.path.join(folder, f"peer_{s.peer}"))]
    figures = {side.label: [] for side in sides}
    count = row.rounds or rounds
    for i in range(count):
        results = set()
        for side in random.sample(sides, len(sides)):
            doing(f"{column}, round {i + 1} of {count}, {side.label}: {row.title}")
            with beside(folder, column):
                outcome = run_once(folder, side)
            if outcome is None:
                figures[side.label].append(None)
                sides.remove(side)
                continue
            figures[side.label].append(outcome[row.figure])
            results.add(outcome["result"])
        if row.same_result and len(results) != 1:
            sys.exit(f"bench: {row.title}: the peers produced different results: {results}")
    return figures


def judge(row, medians, column):
    """Returns the best peer, the ratio to it and whether the target is met (None: there is none)."""
    target = row.target_of(column)
    ours = medians[row.sides[0].label]
    peers = {label: value for label, value in medians.items() if label != row.sides[0].label}
    if not peers:
        met = ours <= target if len(row.sides) == 1 and target else None
        return "", 0, met
    best = min(peers, key=peers.get)
    ratio = ours / peers[best] if row.at_most else peers[best] / ours
    if not target:
        return best, ratio, None
    return best, ratio, ratio <= target if row.at_most else ratio >= target


COUNTS = ("wakeups", "allocations", "busy_after_drain", "left_after_trim")


def show(seconds, figure="seconds"):
    if figure in COUNTS:
        return f"{seconds:.0f}"
    if figure == "bytes":
        return f"{seconds / 2 ** 20:.1f} MiB"
    for unit, size in (("s", 1), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds * 1e9:.1f} ns"


def show_verdict(row, column, best, ratio, met):
    target = row.target_of(column)
    verdict = {None: "", True: ", met", False: ", MISSED"}[met]
    if best:
        kind = "reeve / " + best if row.at_most else best + " / reeve"
        wanted = f", target {'at most' if row.at_most else 'at least'} {target}" if target else ""
        print(f"    {kind}: {ratio:.2f}{wanted}{verdict}")
    elif met is not None:
        print(f"    target {'none' if row.figure in COUNTS else f'at most {show(target)}'}{verdict}")


def run_column(folder, row, rounds, column):
    figures = measure(folder, row, rounds, column)
    medians = {label: statistics.median(values) for label, values in figures.items() if None not in values}
    best, ratio, met = judge(row, medians, column)
    if len(row.columns) > 1:
        print(f"  {'beside two busy processes' if column == 'busy' else 'quiet'}")
    for side in row.sides:
        if side.label not in figures:
            print(f"    {side.label:14} skipped: not installed")
            continue
        values = figures[side.label]
        if None in values:
            print(f"    {side.label:14} left out: it did not end within {MOST} s in round {len(values)}")
            continue
        print(f"    {side.label:14} {show(medians[side.label], row.figure):>10}   from "
              f"{show(min(values), row.figure)} to {show(max(values), row.figure)}")
    show_verdict(row, column, best, ratio, met)
    sys.stdout.flush()
    return {"figures": figures, "medians": medians, "best": best, "ratio": ratio, "target": row.target_of(column),
            "met": met}


def run_row(folder, row, rounds):
    print(row.title)
    return {"title": row.title, "figure": row.figure, "at_most": row.at_most,
            **{column: run_column(folder, row, rounds, column) for column in row.columns}}


def calibrate(folder):
    return run_once(folder, Side("bare", "calibrate", 1))["result"]


def runner(name):
    def run(folder, rounds):
        folder = os.path.join(folder, "runtime")
        print(f"Medians of {rounds} interleaved rounds.\n")
        return [run_row(folder, row, rounds) for row in rows(calibrate(folder))[name]]
    return run


NAMES = ["pool", "latency", "group", "channel", "context", "periodic", "idle"]
