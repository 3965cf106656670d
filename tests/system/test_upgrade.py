#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Live upgrades of the hardened service, under load: systemd sees one and the same process go on."""
import os

import loading
import service
import test_hardening
from container import BUILD, wait_until
from service import ServiceTest, puppet

PROGRAM = "/usr/sbin/reeved"
HOST = "/usr/libexec/reeve/reeve-host"
HEARTBEAT = "[module:heart]\nload = heartbeat\nbeat.every = 100ms\n"
NEXT = os.path.join(BUILD, "tests/fixtures")


class Upgrade(ServiceTest):
    def setUp(self):
        super().setUp()
        self.addCleanup(self.install, os.path.join(BUILD, "daemon/reeved"), PROGRAM)
        self.addCleanup(self.install, os.path.join(BUILD, "host/reeve-host"), HOST)
        self.configure(HEARTBEAT + puppet("p") + puppet("q"))

    def install(self, source, path):
        self.container.copy(source, path + ".new")
        os.rename(self.container.path(path + ".new"), self.container.path(path))

    def load(self, *kinds):
        load = loading.Load(self.container, *kinds)
        self.addCleanup(load.kill)
        return load

    def test_under_load(self):
        self.start()
        kept = ("MainPID", "NRestarts", "ActiveEnterTimestampMonotonic", "InvocationID")
        before, modules = self.container.show(*kept), self.modules()
        load = self.load("kept", "kept", "new", "control", "control-kept")
        for generation in range(2, 7):
            self.install(os.path.join(BUILD, "daemon/reeved"), PROGRAM)
            done = self.ctl("upgrade")
            self.assertIn(f"generation {generation}, 3 hosts kept", done.stdout)
        counts = load.stop()
        print("upgrades under load:", counts)
        self.assertEqual({outcome for outcome in counts if not outcome.endswith(" 200")}, set(), counts)
        self.assertEqual(self.container.show(*kept), before)
        self.assertEqual({n: m["pid"] for n, m in self.modules().items()},
                         {n: m["pid"] for n, m in modules.items()})
        self.assertEqual(sorted(line for line in self.trace() if "init" in line or "fini" in line),
                         ["p init", "q init"])
        self.container.systemctl("stop", "reeve")
        self.assertEqual(self.container.show("Result"), "success")
        self.assertEqual(self.processes(), [])

    def test_watchdog_goes_on(self):
        self.drop_in("[Service]\nWatchdogSec=2s\n")
        self.start()
        pid = self.main_pid()
        self.ctl("upgrade")
        since = int(self.container.show("WatchdogTimestampMonotonic"))
        wait_until(lambda: int(self.container.show("WatchdogTimestampMonotonic")) > since + 3000000,
                   "pings for longer than a watchdog's time")
        self.assertEqual(self.main_pid(), pid)
        self.assertEqual(self.status_text(), "running: 3 of 3 modules ready")
        # And the new program is watched as the old one was.
        self.kill(pid, 19)
        wait_until(lambda: self.container.show("ActiveState") == "active" and self.main_pid() not in (0, pid),
                   "the restart")

    def test_by_signal_and_reload(self):
        self.start()
        pid = self.main_pid()
        self.container.systemctl("kill", "--kill-whom=main", "--signal=USR2", "reeve")
        wait_until(lambda: "generation 2" in self.container.journal("-u", "reeve", "-n", "20"),
                   "the new program in the journal")
        self.configure(HEARTBEAT + puppet("p"))
        self.container.systemctl("reload", "reeve")
        self.assertEqual(set(self.modules()), {"heart", "p"})
        self.assertEqual(self.main_pid(), pid)

    def test_program_that_cannot(self):
        self.start()
        before = {n: m["pid"] for n, m in self.modules().items()}
        self.install("/bin/true", PROGRAM)
        done = self.ctl("upgrade", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("does not know --check-state", done.stderr)
        self.assertEqual({n: m["pid"] for n, m in self.modules().items()}, before)
        self.assertEqual(self.health()["http"], 200)

    def test_another_wire_version(self):
        self.start()
        pid, before = self.main_pid(), self.modules()
        self.install(os.path.join(NEXT, "reeved-next"), PROGRAM)
        self.install(os.path.join(NEXT, "reeve-host-next"), HOST)
        done = self.ctl("upgrade")
        self.assertIn("0 hosts kept, 3 replaced", done.stdout)
        after = self.modules()
        self.assertEqual(self.main_pid(), pid)
        for name, module in after.items():
            self.assertEqual(module["state"], "ready")
            self.assertNotEqual(module["pid"], before[name]["pid"])

    def test_object_and_reload(self):
        """A module's .so that changed: the reload replaces that module and no other."""
        load = "/usr/lib/reeve-test/other.so"
        puppet_so = os.path.join(BUILD, "tests/fixtures/puppet.so")
        self.container.copy(puppet_so, load)
        self.configure(HEARTBEAT + puppet("p") + puppet("q", load=load))
        self.start()
        before = self.modules()
        self.install(puppet_so, load)
        self.container.systemctl("reload", "reeve")
        after = self.modules()
        self.assertNotEqual(after["q"]["pid"], before["q"]["pid"])
        for name in "heart", "p":
            self.assertEqual(after[name]["pid"], before[name]["pid"])


class WithDropIns(test_hardening.HardeningTest):
    """The new program has the rights and the control groups of the old one."""

    def test_users_and_groups(self):
        self.ship("users.conf", "limits.conf")
        self.container.run("useradd", "--system", "--no-create-home", "other", check=False)
        self.container.run("sh", "-c", f"mkdir -p {service.STATE}/o && chown reeve: {service.STATE} && "
                           f"chown other: {service.STATE}/o")
        self.configure(puppet("own") + "\n".join(
            ["[module:other]", f"load = {service.PUPPET}", "user = other", "label = other",
             f"trace = {service.STATE}/o/trace", f"script = {service.STATE}/o/script",
             "act.timeout = 100ms", "act.grace = 100ms", "restart-delay = 10ms", ""]))
        self.start()
        before = self.modules()
        self.ctl("upgrade")
        self.assertEqual(self.modules()["other"]["pid"], before["other"]["pid"])
        # A host of another user that hangs is killed, and started again as that user, in a group of its own.
        self.container.write(f"{service.STATE}/o/script", "ignore")
        self.ctl("run", "other/act")
        pid = wait_until(lambda: (m := self.modules()["other"])["state"] == "ready" and
                         m["pid"] not in (0, before["other"]["pid"]) and m["pid"],
                         "the host to be replaced")
        self.assertEqual(self.proc_status(pid)["Uid"].split(), [str(self.user_id("other"))] * 4)
        for module in self.modules().values():
            self.assertIn("/reeve.service/host-" + module["name"], self.proc(module["pid"], "cgroup"))
        # What a host of before the upgrade leaves behind goes with its group.
        self.ctl("submit", "own/work", stdin="children")
        self.wait_trace("own has children")
        self.kill(self.modules()["own"]["pid"])
        wait_until(lambda: self.modules()["own"]["state"] == "ready" and len(self.processes()) == 3,
                   "what it left to be gone")
        self.container.systemctl("stop", "reeve")
        self.assertEqual(self.container.show("Result"), "success")
        self.assertEqual(self.processes(), [])


if __name__ == "__main__":
    service.main()
