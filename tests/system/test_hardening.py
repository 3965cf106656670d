#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The rights that the unit takes away, that the shipped modules work without them, and that the drop-ins give them back."""
import os
import re

import service
from container import wait_until
from service import STATE, ServiceTest, puppet

SHIPPED = "/usr/share/reeve/systemd"

MODULES = f"""
[module:heart]
load = heartbeat
file = beat
beat.every = 100ms

[module:command]
load = exec
command = id -un; df -h . > space; date >> space; ls / | sort | head -3; mktemp; echo ready > made
log-output = always
run.every = never

[module:web]
load = httpcheck
url = http://127.0.0.1:8080/livez
url = http://localhost:8080/startupz
check.every = never

[module:spool]
load = spool
directory = spool
command = sha256sum "$1"; sleep 0
"""


def exposure_in(text):
    return float(re.search(r"Overall exposure level for reeve\.service: ([\d.]+)", text).group(1))


class HardeningTest(ServiceTest):
    def exposure(self):
        return exposure_in(self.container.run("systemd-analyze", "security", "--no-pager",
                                              "reeve.service", check=False).stdout)

    def ship(self, *names):
        """The drop-ins that are installed as examples, as an operator takes them."""
        self.container.run("sh", "-c", f"mkdir -p {service.DROP_INS} && cd {SHIPPED} && "
                           f"cp {' '.join(names)} {service.DROP_INS}")
        self.container.systemctl("daemon-reload")

    def verify(self):
        done = self.container.run("systemd-analyze", "verify", "reeve.service", "reeve-health.socket",
                                  "reeve-control.socket", check=False)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def promised(self, name):
        """The figures that a drop-in's comment tells: its own, and the plain unit's."""
        text = " ".join(self.container.read(f"{SHIPPED}/{name}").replace("#", " ").split())
        with_it, plain = re.search(r"says (\d+\.\d+) in place of (\d+\.\d+)", text).groups()
        return float(with_it), float(plain)

    def proc(self, pid, name):
        return self.container.run("cat", f"/proc/{pid}/{name}").stdout

    def proc_status(self, pid):
        return dict(line.split(":\t", 1) for line in self.proc(pid, "status").splitlines() if ":\t" in line)

    def user_id(self, name):
        return int(self.container.run("id", "-u", name).stdout)

    def host(self, name):
        return self.modules()[name]["pid"]


class Unit(HardeningTest):
    def test_is_good(self):
        self.verify()

    def test_exposure(self):
        self.assertLessEqual(self.exposure(), 1.5)

    def test_each_shipped_module_does_its_work(self):
        self.configure(MODULES)
        self.start()
        self.ctl("run", "heart/beat", "--wait")
        self.assertRegex(self.container.read(f"{STATE}/beat"), r"^\d{4}-\d\d-\d\dT")
        self.ctl("run", "command/run", "--wait")
        self.assertEqual(self.container.read(f"{STATE}/made"), "ready\n")
        self.assertIn("Filesystem", self.container.read(f"{STATE}/space"))
        self.assertRegex(self.container.journal("REEVE_MODULE=command"), r"\] reeve$|: reeve$|reeve\n")
        self.ctl("run", "web/check", "--wait")
        self.container.write(f"{STATE}/spool/.part", "abc")
        self.container.run("chown", "reeve:", f"{STATE}/spool/.part")
        self.container.run("mv", f"{STATE}/spool/.part", f"{STATE}/spool/file")
        wait_until(lambda: os.path.exists(self.container.path(f"{STATE}/spool/done/file")),
                   "the file to be processed")
        self.assertIn("ba7816bf", self.container.read(f"{STATE}/spool/done/file.output"))
        health = self.health()
        self.assertEqual((health["http"], health["status"]), (200, "pass"), health)
        # Nothing that the daemon itself or a host wanted was refused.
        self.assertNotRegex(self.container.journal("-u", "reeve"),
                            r"(?i)denied|not permitted(?<!niceness: Operation not permitted)")

    def test_the_sample_configuration_works(self):
        self.container.copy(os.path.join(os.path.dirname(__file__), "../../conf/reeve.ini"),
                            "/etc/reeve/reeve.ini", 0o644)
        self.start()
        self.assertIn("modules ready", self.wait_status("running: 4 of 4"))

    def test_nobody_has_a_right_to_more(self):
        self.configure(MODULES)
        self.start()
        pids = self.processes()
        self.assertEqual(len(pids), 5)
        for pid in pids:
            status = self.proc_status(pid)
            self.assertEqual(status["Uid"].split(), [str(self.user_id("reeve"))] * 4)
            self.assertEqual(status["NoNewPrivs"], "1")
            self.assertEqual(status["Seccomp"], "2")
            for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
                self.assertEqual(int(status[kind], 16), 0, (pid, kind))

    def test_what_is_denied_is_denied(self):
        """So that the tests above are about a unit that is in force."""
        self.configure("""
[module:probe]
load = exec
run.every = never
command = ! cat /proc/meminfo && ! touch /etc/x && ! ls /home/. && ! unshare -m true && ! chown 0 . && echo yes > all
""")
        self.container.run("mkdir", "-p", "/home")
        self.start()
        self.ctl("run", "probe/run", "--wait")
        self.assertEqual(self.container.read(f"{STATE}/all"), "yes\n")


    def test_a_crash_is_explained_and_leaves_nothing(self):
        """Stacks are taken, named by a process of their own, and strays are found, in this sandbox too."""
        self.configure(puppet("a", "restart-delay = 10ms"))
        self.start()
        pid = self.host("a")
        self.ctl("submit", "a/work", stdin="children")
        self.wait_trace("a has children")
        self.assertEqual(len(self.processes()), 5)
        # It may be gone before it could say that it took the job.
        self.ctl("submit", "a/work", stdin="crash", check=False)
        wait_until(lambda: (m := self.modules()["a"])["pid"] not in (0, pid) and m["state"] == "ready",
                   "a restart")
        wait_until(lambda: re.search(r"perform at puppet\.c:\d+", self.container.journal("-u", "reeve")),
                   "the stack with its names")
        wait_until(lambda: len(self.processes()) == 2, "what it left to be gone")


class Priority(HardeningTest):
    def nice(self, pid):
        return int(self.proc(pid, "stat").rsplit(")", 1)[1].split()[16])

    def session_nice(self, pid):
        return int(self.proc(pid, "autogroup").split()[-1])

    def assert_above_its_hosts(self):
        self.configure(puppet("plain") + puppet("low", "nice = 5"))
        self.start()
        main, modules = self.main_pid(), self.modules()
        self.assertEqual([self.nice(p) for p in (main, modules["plain"]["pid"], modules["low"]["pid"])],
                         [-10, 0, 5])
        if os.path.exists("/proc/self/autogroup"):
            self.assertEqual([self.session_nice(p) for p in (main, modules["plain"]["pid"])], [-10, 0])

    def test_with_the_limit_of_the_unit(self):
        """LimitNICE= alone, where this machine can grant it."""
        limit = self.container.run("sh", "-c", "prlimit --nice=30:30 true", check=False)
        if limit.returncode != 0:
            self.skipTest("LimitNICE= cannot be granted here: there is no CAP_SYS_RESOURCE")
        self.assert_above_its_hosts()

    def test_with_a_capability(self):
        """The same where only a capability grants it; the rest is as in the unit."""
        self.drop_in("[Service]\nCapabilityBoundingSet=CAP_SYS_NICE\nAmbientCapabilities=CAP_SYS_NICE\n")
        self.assert_above_its_hosts()


class Users(HardeningTest):
    """users.conf"""

    def setUp(self):
        super().setUp()
        self.ship("users.conf")
        self.container.run("useradd", "--system", "--no-create-home", "other", check=False)
        self.container.run("sh", "-c", f"mkdir -p {STATE}/o && chown reeve: {STATE} && chown other: {STATE}/o")

    def other(self, *lines, label="other"):
        """Its files are in a directory of its user's."""
        return "\n".join(["[module:other]", f"load = {service.PUPPET}", f"label = {label}", "user = other",
                          f"trace = {STATE}/o/trace", f"script = {STATE}/o/script", *lines, ""])

    def test_exposure(self):
        self.verify()
        self.assertEqual(self.promised("users.conf"), (self.exposure(), 1.4))

    def test_runs_as_another_user(self):
        self.configure(puppet("own") + self.other())
        self.start()
        own, other = self.host("own"), self.host("other")
        for pid, user in ((own, "reeve"), (other, "other")):
            status = self.proc_status(pid)
            self.assertEqual(status["Uid"].split(), [str(self.user_id(user))] * 4)
            # Neither gets to what reeved has for it, whatever it executes.
            self.assertEqual(status["NoNewPrivs"], "1")
            for kind in ("CapPrm", "CapEff", "CapAmb", "CapInh"):
                self.assertEqual(int(status[kind], 16), 0, (user, kind))
        metrics = self.get("/metrics")[1]
        self.assertRegex(metrics, r'reeve_host_[a-z_]+\{host="other"[^}]*\} \S+')
        # A restart, a reload, and a stop of it.
        self.ctl("restart", "other")
        self.assertNotEqual(self.host("other"), other)
        other = self.host("other")
        self.configure(puppet("own") + self.other(label="renamed"))
        self.container.systemctl("reload", "reeve")
        self.assertEqual(self.host("other"), other)
        self.container.systemctl("stop", "reeve")
        self.assertEqual(self.container.show("Result"), "success")
        self.assertEqual(self.container.read(f"{STATE}/o/trace").splitlines()[-1], "renamed fini")

    def test_one_that_hangs_is_killed(self):
        self.configure(self.other("act.timeout = 100ms", "act.grace = 100ms", "restart-delay = 10ms"))
        self.start()
        pid = self.host("other")
        self.container.write(f"{STATE}/o/script", "ignore")
        self.ctl("run", "other/act")
        wait_until(lambda: (m := self.modules()["other"])["pid"] not in (0, pid) and m["state"] == "ready",
                   "the host to be replaced")
        self.assertEqual(self.container.run("test", "-e", f"/proc/{pid}", check=False).returncode, 1)

    def test_without_it_such_a_module_fails_with_the_reason(self):
        self.container.run("rm", "-r", service.DROP_INS)
        self.drop_in("[Service]\nRestart=no\n")
        self.configure(self.other())
        self.assertNotEqual(self.container.systemctl("start", "reeve", check=False).returncode, 0)
        self.assertIn("it takes root or CAP_SETUID and CAP_SETGID", self.status_text())


class Limits(HardeningTest):
    """limits.conf"""

    def setUp(self):
        super().setUp()
        self.ship("limits.conf")

    def group(self, pid):
        """The control group of a process, as a directory."""
        path = next(line.split("::", 1)[1] for line in self.proc(pid, "cgroup").splitlines()
                    if line.startswith("0::"))
        return "/sys/fs/cgroup" + path

    def controllers(self):
        return self.container.run("cat", "/sys/fs/cgroup/cgroup.controllers").stdout.split()

    def test_exposure(self):
        self.verify()
        self.assertEqual(self.promised("limits.conf"), (self.exposure(), self.plain_exposure()))
        self.ship("limits.conf", "users.conf")
        self.verify()
        text = " ".join(self.container.read(f"{SHIPPED}/users.conf").replace("#", " ").split())
        self.assertEqual(float(re.search(r"and (\d+\.\d+) together with", text).group(1)), self.exposure())

    def plain_exposure(self):
        self.container.run("rm", "-r", service.DROP_INS)
        self.container.systemctl("daemon-reload")
        return self.exposure()

    def test_each_host_has_a_group(self):
        self.configure(puppet("a") + puppet("b", "memory-max = 64M"))
        self.start()
        groups = {name: self.group(m["pid"]) for name, m in self.modules().items()}
        groups["reeved"] = self.group(self.main_pid())
        self.assertEqual(len(set(groups.values())), 3, groups)
        self.assertTrue(groups["reeved"].endswith("reeve.service/supervisor"), groups)
        # What a host leaves behind is ended with its group.
        self.ctl("submit", "a/work", stdin="children")
        self.wait_trace("a has children")
        pid = self.host("a")
        self.kill(pid)
        wait_until(lambda: (m := self.modules()["a"])["pid"] not in (0, pid) and m["state"] == "ready",
                   "a restart")
        wait_until(lambda: len(self.processes()) == 3, "what it left to be gone")
        self.container.systemctl("restart", "reeve")
        self.container.systemctl("stop", "reeve")
        self.assertEqual(self.container.show("Result"), "success")

    def test_memory_max(self):
        if "memory" not in self.controllers():
            self.skipTest("memory-max by a control group: this machine's memory controller is not in "
                          "the unified hierarchy")
        self.configure("[module:hog]\nload = exec\nrun.every = never\nmemory-max = 32M\nrestart-delay = 10ms\n"
                       "command = head -c 200M /dev/zero | tail\n")
        self.start()
        self.ctl("run", "hog/run", "--wait", check=False)
        wait_until(lambda: "memory-max = 32M" in self.container.journal("-u", "reeve"), "the kernel's kill")
        hog = wait_until(lambda: (m := self.modules()["hog"])["state"] == "ready" and m["last_restart"] and m,
                         "a restart")
        self.assertEqual(hog["last_restart"]["kind"], "limit")
        self.assertIn("memory-max = 32M", self.ctl("status").stdout)

    def test_cpu_max(self):
        if "cpu" not in self.controllers():
            self.skipTest("cpu-max: this machine's cpu controller is not in the unified hierarchy")
        self.configure(puppet("a", "cpu-max = 20%"))
        self.start()
        self.assertEqual(self.container.run("cat", self.group(self.host("a")) + "/cpu.max").stdout,
                         "20000 100000\n")

    def test_what_cannot_be_enforced_is_told(self):
        if "memory" in self.controllers():
            self.skipTest("this machine can enforce it")
        self.configure(puppet("a", "memory-max = 64M", "cpu-max = 20%"))
        self.start()
        journal = self.container.journal("-u", "reeve")
        self.assertIn("memory-max = 64M bounds its private data", journal)
        self.assertIn("cpu-max", journal)


if __name__ == "__main__":
    service.main()
