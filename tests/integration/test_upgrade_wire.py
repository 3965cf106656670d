#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Live upgrades to a program of another wire version: hosts are replaced, one by one."""
import os

import harness
import upgrading
from puppetry import HEARTBEAT, puppet

SHARED = "host = both\n"


class Replaced(upgrading.UpgradeTest):
    def counts(self, daemon):
        return {f"{m['name']}/{t['name']}": t["runs"] for m in daemon.status()["modules"]
                for t in m["tasks"]}

    def test_one_by_one(self):
        daemon = self.installed(HEARTBEAT + puppet("p") + puppet("q", "requires = p"))
        harness.wait_until(lambda: min(n for t, n in self.counts(daemon).items()
                                       if not t.endswith("/act")) > 5, "some runs")
        counts, pids = self.counts(daemon), self.pids(daemon)
        self.install_next(daemon)
        mark = daemon.mark()
        text = self.upgrade(daemon, 2)
        self.assertIn("reeved 99.0 has taken over from 0.", text)
        self.assertIn("0 hosts kept, 3 replaced", text)
        status = daemon.status()
        self.assertEqual(status["pid"], daemon.process.pid)
        self.assertFalse(status["replacing"])
        self.assertEqual({m["state"] for m in status["modules"]}, {"ready"})
        for name, pid in self.pids(daemon).items():
            self.assertNotEqual(pid, pids[name])
        for task, runs in self.counts(daemon).items():
            self.assertGreaterEqual(runs, counts[task], task)
        # q goes down with p, as it requires it; and nobody was started twice.
        trace = self.trace(daemon)
        self.assertEqual((trace[:2], sorted(trace[2:4]), trace[4:]),
                         (["p init", "q init"], ["p fini", "q fini"], ["p init", "q init"]))
        # The next is replaced only when the one before is ready.
        lines = daemon.log[mark:]
        replaced = next(i for i, line in enumerate(lines) if "the host p is replaced" in line)
        ready = next(i for i, line in enumerate(lines) if "[heart] ready" in line)
        self.assertLess(ready, replaced)
        # Nothing was counted as a failure.
        for module in status["modules"]:
            self.assertEqual((module["restarts"], module["crash"]), (0, ""))
        # And back again.
        self.install_present(daemon)
        self.assertIn("3 replaced", self.upgrade(daemon, 3))
        self.assertEqual(daemon.ctl("run", "q/act", "--wait").returncode, 0)
        self.assertEqual(daemon.stop(), 0)

    def begin_job(self, daemon):
        """A job of p that is under way until the fifo, which is returned, is opened and closed."""
        fifo = os.path.join(daemon.folder, "fifo")
        os.mkfifo(fifo)
        self.assertEqual(daemon.ctl("submit", "p/work", stdin="fifo " + fifo).returncode, 0)
        self.wait_trace(daemon, "p reads")
        return fifo

    def test_work_is_drained_and_others_serve(self):
        daemon = self.installed(puppet("p") + puppet("q") + puppet("r"))
        fifo = self.begin_job(daemon)
        pids = self.pids(daemon)
        self.install_next(daemon)
        later = harness.Later(lambda: daemon.ctl("upgrade"), "upgrade")
        daemon.wait_log("the host p is replaced")
        # The others go on, though nobody can talk with them.
        runs = self.task(daemon, "q", "tick")["runs"]
        self.assertEqual(self.pids(daemon)["q"], pids["q"])
        self.assertEqual(daemon.health()["status"], "fail" if not daemon.status()["ready"] else "pass")
        done = daemon.ctl("run", "q/act")
        self.assertEqual(done.returncode, 1)
        reload = daemon.ask_later("/v1/reload", "POST")
        again = daemon.ask_later("/v1/upgrade", "POST")
        # One that a person stops meanwhile stays so, and its host is gone.
        self.assertEqual(daemon.ctl("stop", "r").returncode, 0)
        self.assertEqual(daemon.module("r")["state"], "stopped")
        self.assertEqual(daemon.module("r")["pid"], 0)
        self.assertFalse(later.is_done() or reload.is_done() or again.is_done())
        harness.release(fifo)
        self.assertEqual(later.answer().returncode, 0, later.answer().stderr)
        self.assertEqual(self.trace(daemon).count("p has read"), 1)
        self.assertEqual(reload.answer()[0], 200)
        self.assertEqual(again.answer()[0], 202)
        self.assertEqual(daemon.module("r")["state"], "stopped")
        self.assertGreaterEqual(self.task(daemon, "q", "tick")["runs"], runs)
        self.assertEqual(daemon.module("p")["jobs_lost"], 0)
        self.assertEqual(daemon.stop(), 0)

    def test_who_waits_is_answered_before(self):
        daemon = self.installed(puppet("p"))
        fifo = os.path.join(daemon.folder, "fifo")
        os.mkfifo(fifo)
        self.script(daemon, "p", "fifo " + fifo)
        run = daemon.ask_later("/v1/run?module=p&task=act&wait", "POST")
        self.wait_trace(daemon, "p reads")
        self.install_next(daemon)
        later = harness.Later(lambda: daemon.ctl("upgrade"), "upgrade")
        daemon.wait_log("upgrading to")
        harness.release(fifo)
        self.assertEqual(run.answer()[1]["code"], 0)
        self.assertEqual(later.answer().returncode, 0, later.answer().stderr)

    def test_tenants_of_one_host(self):
        daemon = self.installed(puppet("p", SHARED).replace("p.script", "p.script") +
                                "[module:heart]\nload = heartbeat\nbeat.every = 20ms\n" + SHARED)
        pids = self.pids(daemon)
        self.assertEqual(pids["p"], pids["heart"])
        self.install_next(daemon)
        self.assertIn("1 replaced", self.upgrade(daemon, 2))
        self.assertNotEqual(self.pids(daemon)["p"], pids["p"])
        self.assertEqual({m["state"] for m in daemon.status()["modules"]}, {"ready"})
        self.assertEqual(daemon.stop(), 0)

    def test_one_that_does_not_stop(self):
        daemon = self.installed(puppet("p", "drain = 100ms", "grace = 100ms") + puppet("q"))
        self.act(daemon, "p", "deaf")
        self.wait_trace(daemon, "p is deaf")
        self.install_next(daemon)
        self.assertIn("2 replaced", self.upgrade(daemon, 2))
        self.assertEqual({m["state"] for m in daemon.status()["modules"]}, {"ready"})
        self.assertEqual(daemon.stop(), 0)

    def test_one_that_was_not_well_before(self):
        """It may be in its backoff for hours, and so may be who needs it: nobody waits for them."""
        # The host of "waits" is there, since its options were checked.
        daemon = self.installed(puppet("sick", "essential = no", "on-init = crash").replace("1ms", "1h") +
                                puppet("waits", "requires = sick", "essential = no") +
                                puppet("p") + puppet("q"))
        states = {"sick": "backoff", "waits": "waiting", "p": "ready", "q": "ready"}
        self.wait_states(daemon, states)
        pids = self.pids(daemon)
        self.assertGreater(pids["waits"], 0)
        self.install_next(daemon)
        self.assertIn("3 replaced", self.upgrade(daemon, 2))
        self.wait_states(daemon, states)
        for name in "waits", "p", "q":
            self.assertNotEqual(self.pids(daemon)[name], pids[name])
        # What is held back while hosts are replaced is possible again.
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.assertEqual(daemon.stop(), 0)

    def wait_states(self, daemon, states):
        harness.wait_until(lambda: {m["name"]: m["state"] for m in daemon.status()["modules"]} == states, states)

    def test_stop_while_hosts_are_replaced(self):
        daemon = self.installed(puppet("p") + puppet("q"))
        fifo = self.begin_job(daemon)
        self.install_next(daemon)
        harness.Later(lambda: daemon.ctl("upgrade"), "upgrade")
        daemon.wait_log("the host p is replaced")
        daemon.signal(harness.signal.SIGTERM)
        daemon.wait_log("stopping: SIGTERM")
        harness.release(fifo)
        self.assertEqual(daemon.wait(), 0)
        self.assertEqual(self.trace(daemon).count("p has read"), 1)
        self.assertEqual(sorted(line for line in self.trace(daemon) if "fini" in line),
                         ["p fini", "q fini"])

    def test_host_that_dies_meanwhile(self):
        daemon = self.installed(puppet("p") + puppet("q"))
        fifo = self.begin_job(daemon)
        self.install_next(daemon)
        later = harness.Later(lambda: daemon.ctl("upgrade"), "upgrade")
        daemon.wait_log("the host p is replaced")
        pid = daemon.kill("q")
        self.wait_restarted(daemon, "q", pid)
        # It already is of the new version.
        self.assertEqual(daemon.ctl("run", "q/act", "--wait").returncode, 0)
        daemon.kill("p")
        self.assertEqual(later.answer().returncode, 0, later.answer().stderr)
        self.assertEqual({m["state"] for m in daemon.status()["modules"]}, {"ready"})


if __name__ == "__main__":
    harness.main()
