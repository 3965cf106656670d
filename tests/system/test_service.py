#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The service's life under a real systemd: start, status, reload, stop, and how long each may take."""
import time

import service
from container import wait_until
from service import ServiceTest, puppet


class Start(ServiceTest):
    def test_returns_when_essential_modules_are_ready(self):
        gate = self.gate("gate")
        self.configure(puppet("slow", f"on-init = fifo {gate}"))
        begun = self.begin("systemctl", "start", "reeve")
        self.wait_trace("slow reads")
        self.assertIn("starting: 0 of 1 modules ready", self.status_text())
        self.assertEqual(self.container.show("SubState"), "start")
        self.assertIsNone(begun.poll(), "systemctl start returned before the module was ready")
        self.open_gate(gate)
        self.assertEqual(begun.wait(60), 0)
        self.assertEqual(self.container.show("ActiveState", "SubState"),
                         {"ActiveState": "active", "SubState": "running"})
        self.assertEqual(self.status_text(), "running: 1 of 1 modules ready")
        self.assertEqual(self.health()["http"], 200)

    def test_does_not_wait_for_others(self):
        gate = self.gate("gate")
        self.configure(puppet("slow", f"on-init = fifo {gate}", "essential = no") + puppet("fast"))
        self.start()
        self.assertIn("running: 1 of 2 modules ready; slow: starting", self.wait_status("slow"))
        self.open_gate(gate)
        self.wait_status("2 of 2 modules ready")

    def assert_fails(self, *reasons):
        """`systemctl start` fails, and its status and the journal say why."""
        # Restarts go on meanwhile, and clear the status.
        self.drop_in("[Service]\nRestart=no\n")
        done = self.container.systemctl("start", "reeve", check=False)
        self.assertNotEqual(done.returncode, 0)
        shown = self.container.systemctl("status", "reeve", "-l", "-n20", check=False).stdout
        status = next(line for line in shown.splitlines() if line.strip().startswith("Status:"))
        for reason in reasons:
            self.assertIn(reason, status)
            # journald may be behind.
            wait_until(lambda: reason in self.container.journal("-u", "reeve", "-n", "20"),
                       f"{reason} in the journal")
        self.assertEqual(self.container.show("ActiveState"), "failed")
        self.assertEqual(self.processes(), [])

    def test_fails_with_the_reason_of_a_module(self):
        self.configure(puppet("broken", "on-init = fail") + puppet("good"))
        self.assert_fails("essential module broken could not start: init failed: as told")

    def test_fails_with_the_place_of_an_error(self):
        self.configure("[module:x]\nload = heartbeat\nrestrat = never\n")
        self.assert_fails('/etc/reeve/reeve.ini:5', 'unknown key "restrat"')

    def test_fails_with_the_place_of_a_syntax_error(self):
        self.configure("[nonsense]\n")
        self.assert_fails("/etc/reeve/reeve.ini:3: unknown section [nonsense]")

    def test_is_started_again_and_given_up(self):
        """Restart=on-failure, within systemd's own limit."""
        self.drop_in("[Unit]\nStartLimitBurst=2\n[Service]\nRestartSec=10ms\n")
        self.configure(puppet("broken", "on-init = fail"))
        self.container.systemctl("start", "reeve", check=False)
        wait_until(lambda: self.container.show("ActiveState") == "failed", "systemd to give up")
        self.assertIn("init failed: as told", self.status_text())
        self.assertEqual(self.trace().count("broken init"), 2)

    def chain(self, names, gates):
        """Modules that start one after the other."""
        text = ""
        for before, name, gate in zip([None, *names], names, gates):
            text += puppet(name, f"on-init = fifo {gate}", "drain = 0", "grace = 100ms",
                           f"after = {before}" if before else "")
        self.configure(text)

    def test_may_take_long_while_modules_become_ready(self):
        names, gates = ["a", "b"], [self.gate("a.gate"), self.gate("b.gate")]
        self.chain(names, gates)
        self.drop_in("[Service]\nTimeoutStartSec=8s\n")
        begun = self.begin("systemctl", "start", "reeve")
        self.wait_trace("a reads")
        self.open_gate(gates[0])
        self.wait_trace("b reads")
        self.wait_beyond(9)
        self.assertEqual(self.container.show("SubState"), "start")
        self.open_gate(gates[1])
        self.assertEqual(begun.wait(60), 0)

    def test_may_not_take_long_when_none_becomes_ready(self):
        self.chain(["a"], [self.gate("a.gate")])
        self.drop_in("[Service]\nTimeoutStartSec=2s\nRestart=no\n")
        done = self.container.systemctl("start", "reeve", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(self.container.show("Result"), "timeout")


class Reload(ServiceTest):
    def setUp(self):
        super().setUp()
        self.good = puppet("a") + puppet("b")
        self.configure(self.good)
        self.start()

    def facts(self):
        return self.main_pid(), {name: (m["pid"], m["starts"]) for name, m in self.modules().items()}

    def assert_refused(self, *reasons):
        """A reload fails and says why; nothing is touched."""
        before = self.facts()
        done = self.container.systemctl("reload", "reeve", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(self.container.show("ActiveState"), "active")
        self.assertEqual(self.facts(), before)
        self.assertEqual(self.health()["http"], 200)
        shown = self.container.systemctl("status", "reeve", "-l", "-n20").stdout
        for reason in reasons:
            self.assertIn(reason, shown)
            self.assertIn(reason, self.status_text())

    def test_bad_configuration(self):
        self.configure(self.good + "[module:c]\nload = heartbeat\nfiel = x\n")
        self.assert_refused("the last reload failed: /etc/reeve/reeve.ini:13",
                            'unknown key "fiel"; did you mean "file"?')
        # Until one is good.
        self.configure(self.good)
        before = self.facts()
        self.container.systemctl("reload", "reeve")
        self.assertEqual(self.status_text(), "running: 2 of 2 modules ready")
        self.assertEqual(self.facts(), before)

    def test_syntax_error(self):
        self.configure(self.good + "[modul:c]\n")
        self.assert_refused("/etc/reeve/reeve.ini:11: unknown section [modul:c]")

    def test_is_synchronous(self):
        """Its changes are there when `systemctl reload` returns."""
        pids = self.modules()
        self.configure(puppet("a") + puppet("b", "nice = 3") + puppet("c"))
        self.container.systemctl("reload", "reeve")
        after = self.modules()
        self.assertEqual(self.status_text(), "running: 3 of 3 modules ready")
        self.assertEqual(after["a"]["pid"], pids["a"]["pid"])
        self.assertNotEqual(after["b"]["pid"], pids["b"]["pid"])
        self.assertEqual(after["c"]["state"], "ready")


class Stop(ServiceTest):
    def stop(self):
        """Stops it; returns how that went for systemd."""
        self.container.systemctl("stop", "reeve", timeout=120)
        return self.container.show("Result")

    def killed(self):
        """Whether systemd had to kill anything."""
        return "SIGKILL" in self.container.journal("_PID=1", "-u", "reeve", "-n", "30")

    def test_is_clean(self):
        self.container.run("journalctl", "--rotate", "--vacuum-time=1us", check=False)
        self.configure(puppet("a") + puppet("b", "after = a") + "[module:heart]\nload = heartbeat\n")
        self.start()
        self.assertEqual(len(self.processes()), 4)
        self.assertEqual(self.stop(), "success")
        self.assertFalse(self.killed())
        self.assertEqual(self.processes(), [])
        self.assertEqual(self.container.show("ActiveState"), "inactive")
        self.assertEqual(self.trace()[-2:], ["b fini", "a fini"])

    def test_lets_a_job_under_way_end(self):
        gate = self.gate("gate")
        self.configure(puppet("a", "drain = 60s"), "shutdown-timeout = 2min")
        self.start()
        self.ctl("submit", "a/work", stdin=f"fifo {gate}")
        self.wait_trace("a reads")
        begun = self.begin("systemctl", "stop", "reeve")
        status = self.wait_status("a stops (0 runs, 1 job)")
        self.assertRegex(status, r"^stopping: SIGTERM from pid 1 uid 0; 1 of 1 modules left, a stops")
        self.assertEqual(self.get("/readyz")[0], 503)
        self.assertEqual(self.get("/livez")[0], 200)
        self.open_gate(gate)
        self.assertEqual(begun.wait(60), 0)
        self.assertEqual(self.container.show("Result"), "success")
        self.assertEqual(self.trace()[-2:], ["a has read", "a fini"])

    def test_may_take_long_while_work_moves(self):
        """Three seconds of a job that tells its progress, with two seconds to stop."""
        self.drop_in("[Service]\nTimeoutStopSec=2s\n")
        self.configure(puppet("a", "drain = 60s"), "shutdown-timeout = 2min")
        self.start()
        self.ctl("submit", "a/work", stdin="step")
        self.wait_trace("a steps")
        self.assertEqual(self.stop(), "success")
        self.assertEqual(self.trace()[-2:], ["a has stepped", "a fini"])

    def test_may_take_long_while_jobs_end(self):
        """The same of jobs that say nothing, and end one after the other."""
        gates = [self.gate(f"gate{i}") for i in range(3)]
        self.drop_in("[Service]\nTimeoutStopSec=8s\n")
        self.configure(puppet("a", "drain = 60s", "drain-queue = yes"), "shutdown-timeout = 2min")
        self.start()
        for gate in gates:
            self.ctl("submit", "a/work", stdin=f"fifo {gate}")
        self.wait_trace("a reads")
        begun = self.begin("systemctl", "stop", "reeve")
        self.wait_status("a stops")
        # Each takes less than the timeout, and all together more.
        self.open_gate(gates[0])
        wait_until(lambda: self.trace().count("a reads") >= 2, "the second job")
        self.wait_beyond(9)
        self.assertIsNone(begun.poll(), "systemctl stop returned before the jobs had ended")
        for gate in gates[1:]:
            self.open_gate(gate)
        self.assertEqual(begun.wait(60), 0)
        self.assertEqual(self.container.show("Result"), "success")
        self.assertEqual(self.trace().count("a has read"), 3)

    def test_may_not_take_long_when_nothing_moves(self):
        gate = self.gate("gate")
        self.drop_in("[Service]\nTimeoutStopSec=2s\nRestart=no\n")
        self.configure(puppet("a", "drain = 60s", "drain-stall = 60s", "tick.every = 1h"), "shutdown-timeout = 2min")
        self.start()
        self.ctl("submit", "a/work", stdin=f"fifo {gate}")
        self.wait_trace("a reads")
        # A tick that ended now would be a move.
        self.assertEqual(self.stop(), "timeout")
        self.assertEqual(self.processes(), [])

    def test_drain_delay_is_not_cut(self):
        self.drop_in("[Service]\nTimeoutStopSec=1s\n")
        self.configure(puppet("a"), "drain-delay = 2500ms")
        self.start()
        begun = time.monotonic()
        self.assertEqual(self.stop(), "success")
        self.assertGreater(time.monotonic() - begun, 2.4)


if __name__ == "__main__":
    service.main()
