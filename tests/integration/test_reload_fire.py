#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Reloads under fire: files change and jobs run all the time; it converges on the last file.

`./dev soak reloads [COUNT]` does more of them.
"""
import os
import random
import signal
import sys
import threading

import harness
from puppetry import HEARTBEAT, PuppetTest, puppet

RELOADS = int(os.environ.get("REEVE_RELOADS", 150))
SEED = int(os.environ.get("REEVE_CHAOS_SEED", 20261124))


class Worker:
    """Submits jobs to a module that no reload touches."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.done = False
        self.count, self.errors = 0, []
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.done:
            status, answer = self.daemon.ask("/v1/submit?module=steady&pool=work&wait", "POST",
                                             "nothing")
            self.count += 1
            if status != 200 or answer["code"] != 0:
                self.errors.append((status, answer))

    def close(self):
        self.done = True
        self.thread.join(harness.PATIENCE)


class Fire(PuppetTest):
    STEADY = HEARTBEAT + puppet("steady")

    def config(self, dice, number):
        """Modules that come, go and change; the last one tells which version it is."""
        lines = [self.STEADY]
        for name in ("a", "b", "c", "d"):
            if dice.random() < 0.7:
                lines.append(puppet(name, f"act.timeout = {dice.randrange(1, 4)}s",
                                    f"restart-delay-max = {dice.randrange(1, 4)}s",
                                    "requires = steady" if dice.random() < 0.3 else "essential = no"))
        lines.append(puppet("version", f"act.timeout = {number + 1}s"))
        if dice.random() < 0.15:
            lines.append("[module:broken]\nlaod = nothing\n")
        return "".join(lines), "broken" not in lines[-1]

    def check_converged(self, daemon, number):
        """The file that is in force is the last one that was good."""
        status, plan = daemon.ask("/v1/plan")
        self.assertEqual(status, 200, plan)
        self.assertEqual({s["step"] for s in plan["steps"]}, {"keep"}, (number, plan))

    def test_reloads_while_jobs_run(self):
        dice = random.Random(SEED)
        daemon = self.daemon(self.STEADY + puppet("version", "act.timeout = 1s")).wait_started()
        steady = {name: daemon.module(name)["pid"] for name in ("heart", "steady")}
        worker = Worker(daemon)
        self.addCleanup(worker.close)
        refused = 0
        for number in range(RELOADS):
            text, good = self.config(dice, number)
            daemon.write(text)
            how = dice.randrange(3)
            if how == 0:
                # Signals, several at once: the last must not be lost.
                for _ in range(3):
                    daemon.signal(signal.SIGHUP)
            elif how == 1:
                done = daemon.ctl("reload")
                self.assertEqual(done.returncode, 0 if good else 1, done.stderr)
            else:
                # Two that ask, and a file that changes under them.
                asked = [daemon.ask_later("/v1/reload", "POST") for _ in range(2)]
                daemon.write(text)
                for later in asked:
                    self.assertEqual(later.answer()[0], 200 if good else 409)
            refused += not good
        daemon.write(self.STEADY + puppet("version", f"act.timeout = {RELOADS + 5}s"))
        daemon.signal(signal.SIGHUP)
        harness.wait_until(
            lambda: {m["name"] for m in daemon.status()["modules"]} == {"heart", "steady", "version"}
            and not daemon.status()["reloading"], "the last file to be in force")
        self.check_converged(daemon, RELOADS)
        worker.close()
        self.assertEqual(worker.errors, [])
        module = daemon.module("steady")
        pool = module["pools"][0]
        print(f"seed {SEED}: {RELOADS} reloads, {refused} refused; {worker.count} jobs meanwhile",
              file=sys.stderr)
        self.assertEqual((pool["accepted"], pool["finished"]), (worker.count, worker.count))
        for name, pid in steady.items():
            self.assertEqual((daemon.module(name)["pid"], daemon.module(name)["restarts"]), (pid, 0))
        harness.wait_until(lambda: daemon.request("/readyz")[0] == 200, "readiness")
        self.assertEqual(daemon.stop(), 0, daemon.text())


if __name__ == "__main__":
    harness.main()
