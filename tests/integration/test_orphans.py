#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What modules start and do not wait for: it is reaped when it ends, lives as long as its own host, and no longer."""
import os
import signal

import harness
from puppetry import HEARTBEAT, PuppetTest


def command(name, text, *lines):
    return "\n".join([f"[module:{name}]", "load = exec", f"command = {text}", "run.every = 1h", *lines, ""])


class Orphans(PuppetTest):
    def children(self, daemon):
        """Pids and states of reeved's children."""
        found = {}
        with open(f"/proc/{daemon.process.pid}/task/{daemon.process.pid}/children", encoding="utf-8") as file:
            for pid in file.read().split():
                with harness.contextlib.suppress(OSError):
                    with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
                        found[int(pid)] = stat.read().rsplit(")", 1)[1].split()[0]
        return found

    def pid_of(self, daemon, name):
        """What a command has written of itself, once it has."""
        def read():
            with harness.contextlib.suppress(OSError, ValueError):
                with open(self.path(daemon, name), encoding="utf-8") as file:
                    return int(file.read())
            return None
        return harness.wait_until(read, f"the pid in {name}")

    def detached(self, name, prefix="setsid"):
        # What is left of the command's group ends with it: it waits until the other has left that.
        return command(name, f"{prefix} sh -c 'echo $$ > {name}.pid; exec sleep 1000' >/dev/null 2>&1 & "
                             f"until test -s {name}.pid; do sleep 0.01; done")

    def wait_gone(self, pid):
        harness.wait_until(lambda: not harness.is_alive(pid), f"the end of {pid}")

    def is_orphan(self, daemon, pid):
        return pid in self.children(daemon)

    def test_what_ends_is_reaped(self):
        daemon = self.daemon(HEARTBEAT + command("a", "(sh -c 'exec sleep 0.01' &) && setsid true & true").replace(
            "1h", "10ms")).wait_started()
        harness.wait_until(lambda: self.task(daemon, "a", "run")["runs"] > 30, "some runs")
        self.assertEqual(daemon.ctl("stop", "a").returncode, 0)
        harness.wait_until(lambda: "Z" not in self.children(daemon).values(), "all to be reaped")
        self.assertNotIn("killing process", daemon.text())
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_it_ends_with_its_own_host_and_not_with_another(self):
        daemon = self.daemon(HEARTBEAT + self.detached("fetch")).wait_started()
        pid = self.pid_of(daemon, "fetch.pid")
        harness.wait_until(lambda: self.is_orphan(daemon, pid), "it to be an orphan")
        self.assertEqual(daemon.ctl("restart", "heart").returncode, 0)
        daemon.kill("heart")
        daemon.wait_log(r"\[heart\] killed by SIGKILL")
        harness.wait_until(lambda: self.state(daemon, "heart") == "ready", "it to be back")
        self.assertEqual(daemon.ctl("upgrade").returncode, 0)
        self.assertEqual(daemon.ctl("restart", "heart").returncode, 0)
        self.assertTrue(self.is_orphan(daemon, pid))
        self.assertNotIn("killing process", daemon.text())
        daemon.kill("fetch")
        daemon.wait_log(rf"\[fetch\] killing process {pid} \(sleep\), left behind by its host")
        self.wait_gone(pid)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def state(self, daemon, name):
        return daemon.module(name)["state"]

    def test_its_children_go_with_it(self):
        """Each becomes an orphan only when the one above it is dead."""
        text = "setsid sh -c 'setsid sh -c \"echo $$ > inner.pid; exec sleep 1000\" & echo $$ > outer.pid; wait' " \
               ">/dev/null 2>&1 & until test -s outer.pid; do sleep 0.01; done"
        daemon = self.daemon(HEARTBEAT + command("a", text.replace("\"echo $$", "\"echo \\$$"))).wait_started()
        pids = [self.pid_of(daemon, "outer.pid"), self.pid_of(daemon, "inner.pid")]
        self.assertEqual(daemon.ctl("stop", "a").returncode, 0)
        for pid in pids:
            self.wait_gone(pid)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_it_ends_when_its_module_is_removed(self):
        daemon = self.daemon(HEARTBEAT + self.detached("a") + self.detached("b")).wait_started()
        pids = [self.pid_of(daemon, f"{name}.pid") for name in "ab"]
        daemon.write(HEARTBEAT + self.detached("b"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.wait_gone(pids[0])
        self.assertTrue(harness.is_alive(pids[1]))
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.wait_gone(pids[1])

    def test_one_that_hides_lives_until_the_end(self):
        """Neither session nor environment tells whose it is: it is not taken for somebody's who has just ended."""
        daemon = self.daemon(HEARTBEAT + self.detached("a", "env -i setsid")).wait_started()
        pid = self.pid_of(daemon, "a.pid")
        self.addCleanup(lambda: harness.is_alive(pid) and os.kill(pid, signal.SIGKILL))
        self.assertEqual(daemon.ctl("restart", "heart").returncode, 0)
        self.assertEqual(daemon.ctl("stop", "a").returncode, 0)
        self.assertTrue(harness.is_alive(pid))
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.wait_gone(pid)

    def test_a_stopped_orphan_disturbs_nobody(self):
        daemon = self.daemon(HEARTBEAT + self.detached("a")).wait_started()
        pid = self.pid_of(daemon, "a.pid")
        harness.wait_until(lambda: self.is_orphan(daemon, pid), "it to be an orphan")
        os.kill(pid, signal.SIGSTOP)
        harness.wait_until(lambda: self.children(daemon)[pid] == "T", "it to be stopped")
        daemon.kill("heart", signal.SIGSTOP)
        daemon.wait_log(r"\[heart\] process \d+ was stopped by SIGSTOP")
        daemon.kill("heart", signal.SIGCONT)
        daemon.wait_log(r"\[heart\] process \d+ was continued")
        self.assertEqual(daemon.ctl("stop", "a").returncode, 0)
        self.wait_gone(pid)
        self.assertEqual(daemon.stop(), 0, daemon.text())


if __name__ == "__main__":
    harness.main()
