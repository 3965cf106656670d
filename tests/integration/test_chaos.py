#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Everything at once, for a fixed time and seed, and then the books: every job that was submitted has
ended as done, failed with a reason, or lost and counted; nothing has leaked.

`./dev soak chaos [SECONDS] [SEED]` and `./dev soak restarts [COUNT]` run the same for longer.
"""
import collections
import http.client
import os
import random
import signal
import sys
import threading
import time

import harness
from puppetry import PuppetTest, puppet

SECONDS = float(os.environ.get("REEVE_CHAOS_SECONDS", 6))
SEED = int(os.environ.get("REEVE_CHAOS_SEED", 20261124))
RESTARTS = int(os.environ.get("REEVE_RESTARTS", 150))
MODULES = 20
# What a job is told to do, and how often.
ACTIONS = ["nothing"] * 12 + ["fail"] * 3 + ["wait"] * 2 + ["ignore", "crash", "exit"]


def module_lines(name):
    return puppet(name, "restart-limit = 1000/1s", "grace = 100ms", "drain = 1s", "essential = no",
                  "restart-delay-max = 20ms", "tick.every = 50ms", "tick.timeout = 2s",
                  "work.timeout = 40ms", "work.grace = 40ms", "work.queue = 8", "drain-queue = yes")


class Figures:
    """The supervisor's resources."""

    def __init__(self, daemon):
        pid = daemon.process.pid
        self.descriptors = daemon.descriptors()
        self.threads = len(os.listdir(f"/proc/{pid}/task"))
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            fields = dict(line.split(":", 1) for line in file)
        self.private = int(fields["RssAnon"].split()[0])
        with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as file:
            self.children = len(file.read().split())

    def counts(self):
        return self.descriptors, self.children, self.threads

    def __str__(self):
        return (f"{self.private} KiB private memory, {self.descriptors} descriptors, "
                f"{self.children} children, {self.threads} thread(s)")


def figures_at_rest(daemon):
    """Our own last connection may still be on its way out: the least of several looks."""
    pause = threading.Event()
    looks = []
    for _ in range(20):
        looks.append(Figures(daemon))
        pause.wait(0.01)
    return min(looks, key=Figures.counts)


class Client:
    """Submits jobs, one after the other, and counts how each was answered."""

    def __init__(self, daemon, seed):
        self.daemon = daemon
        self.random = random.Random(seed)
        self.answers = collections.Counter()
        self.errors = []
        self.done = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.done:
            name = f"m{self.random.randrange(MODULES)}"
            action = self.random.choice(ACTIONS)
            try:
                status, answer = self.daemon.ask(f"/v1/submit?module={name}&pool=work&wait", "POST",
                                                 action)
            except (OSError, ValueError, http.client.HTTPException) as error:
                self.errors.append(repr(error))
                continue
            if status == 200 and answer.get("code") == 0:
                self.answers["done"] += 1
            elif "host ended" in str(answer):
                self.answers["host ended"] += 1
            elif status == 200 and answer.get("text"):
                self.answers["failed"] += 1
            elif answer.get("error"):
                self.answers["refused"] += 1
            else:
                self.errors.append(f"{status} {answer}")

    def close(self):
        self.done = True
        self.thread.join(harness.PATIENCE)


class Chaos(PuppetTest):
    def disturb(self, daemon, dice, until):
        """Kills, stops and continues hosts."""
        stopped, counts = [], collections.Counter()
        pause = threading.Event()
        while time.monotonic() < until:
            pid = dice.choice(daemon.status()["modules"])["pid"]
            number = dice.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM,
                                  signal.SIGCONT])
            if number == signal.SIGCONT and stopped:
                pid = stopped.pop()
            with harness.contextlib.suppress(ProcessLookupError):
                # kill(0) would be for us all, and who stopped is perhaps dead and another by now.
                if pid > 0 and pid in daemon.processes():
                    os.kill(pid, number)
                    counts[signal.Signals(number).name] += 1
                    if number == signal.SIGSTOP:
                        stopped.append(pid)
            pause.wait(dice.uniform(0, 0.06))
        for pid in stopped:
            with harness.contextlib.suppress(ProcessLookupError):
                if pid in daemon.processes():
                    os.kill(pid, signal.SIGCONT)
        return counts

    def settle(self, daemon):
        """Until all modules are ready and all pools are empty."""
        def settled():
            return all(m["state"] == "ready" and
                       all(p["queued"] + p["active"] == 0 for p in m["pools"])
                       for m in daemon.status()["modules"])
        harness.wait_until(settled, "all modules ready and idle")

    def test_every_job_is_accounted_for(self):
        daemon = self.daemon("[module:heart]\nload = heartbeat\nbeat.every = 20ms\n" +
                             "".join(module_lines(f"m{i}") for i in range(MODULES)))
        daemon.wait_started()
        self.settle(daemon)
        before, heart = figures_at_rest(daemon), daemon.module("heart")["pid"]
        clients = [Client(daemon, SEED + i) for i in range(4)]
        for client in clients:
            self.addCleanup(client.close)
        disturbed = self.disturb_others(daemon, heart)
        for client in clients:
            client.close()
        self.settle(daemon)
        answers = sum((client.answers for client in clients), collections.Counter())
        books = collections.Counter()
        for module in daemon.status()["modules"]:
            for pool in module["pools"]:
                self.assertEqual(pool["accepted"],
                                 pool["finished"] + pool["failed"] + pool["lost"], module)
                books.update({key: pool[key] for key in
                              ("accepted", "finished", "failed", "lost", "rejected")})
        # What names the frames of the last crashes may still be at it.
        after = harness.wait_until(
            lambda: (f := Figures(daemon)).counts() == before.counts() and f,
            f"the supervisor to hold no more than {before}")
        print(f"seed {SEED}, {SECONDS} s: {dict(disturbed)}; answers {dict(answers)}; books "
              f"{dict(books)}; before {before}; after {after}", file=sys.stderr)
        self.assertEqual([client.errors for client in clients], [[]] * 4)
        # What a client was told is in the books. An answer may have died with its host on the way.
        self.assertGreaterEqual(books["finished"], answers["done"])
        self.assertGreaterEqual(books["failed"], answers["failed"])
        self.assertLessEqual(books["finished"] - answers["done"] + books["failed"] -
                             answers["failed"] + books["lost"], answers["host ended"])
        self.assertGreater(answers["done"], 0)
        self.assertEqual(daemon.module("heart")["pid"], heart)
        self.assertEqual(daemon.module("heart")["restarts"], 0)
        self.assertEqual(before.threads, 1)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertEqual(daemon.processes(), [])

    def disturb_others(self, daemon, heart):
        dice = random.Random(SEED)
        status = daemon.status

        # The heart is the witness: nobody touches it.
        def others():
            document = status()
            document["modules"] = [m for m in document["modules"] if m["pid"] != heart]
            return document
        daemon.status = others
        try:
            return self.disturb(daemon, dice, time.monotonic() + SECONDS)
        finally:
            daemon.status = status


class Restarts(PuppetTest):
    def restart_all(self, daemon, names, rounds):
        for _ in range(rounds):
            pids = {m["name"]: m["pid"] for m in daemon.status()["modules"]}
            for name in names:
                os.kill(pids[name], signal.SIGKILL)
            harness.wait_until(
                lambda: all(m["state"] == "ready" and m["pid"] not in (0, pids[m["name"]])
                            for m in daemon.status()["modules"]), "all to be back")

    def test_nothing_leaks(self):
        names = [f"m{i}" for i in range(10)]
        daemon = self.daemon("".join(puppet(name, "restart-limit = 1000/1s", "restart-delay-max = 1ms")
                                     for name in names)).wait_started()
        # The allocator and the tables have their size after the first few.
        warm_up = max(RESTARTS // 10, 50) // len(names)
        self.restart_all(daemon, names, warm_up)
        before = figures_at_rest(daemon)
        self.restart_all(daemon, names, RESTARTS // len(names))
        after = harness.wait_until(
            lambda: (f := Figures(daemon)).counts() == before.counts() and f,
            f"the supervisor to hold no more than {before}")
        print(f"{RESTARTS} restarts: before {before}; after {after}", file=sys.stderr)
        # A leak of 100 bytes a restart would be seen in a soak. ASan keeps freed memory on purpose.
        if not harness.SANITIZED:
            self.assertLess(after.private - before.private, 512 + RESTARTS // 20)
        self.assertEqual(sum(m["restarts"] for m in daemon.status()["modules"]),
                         (warm_up + RESTARTS // len(names)) * len(names))
        self.assertEqual(daemon.stop(), 0, daemon.text())


if __name__ == "__main__":
    harness.main()
