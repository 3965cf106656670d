#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Credentials that systemd gives: LoadCredential= of a file that only root can read."""
import service
from container import wait_until
from service import ServiceTest, puppet

SECRET = "correct-horse-battery-staple"
FILE = "/etc/reeve/db.secret"


class Credentials(ServiceTest):
    def setUp(self):
        super().setUp()
        self.container.write(FILE, SECRET + "\n", 0o600)
        self.addCleanup(self.container.run, "rm", "-f", FILE)
        self.drop_in(f"[Service]\nLoadCredential=db:{FILE}\nRestart=no\n")

    def reveal(self):
        self.container.write(f"{service.STATE}/a.script", "reveal")
        self.ctl("run", "a/act", "--wait")
        return [line.removeprefix("a has the password ") for line in self.trace()
                if line.startswith("a has the password")]

    def outputs(self):
        """All that is told about the service, by whom."""
        container = self.container
        found = {" ".join(command): container.run(*command, check=False).stdout for command in (
            ["journalctl", "--no-pager", "-o", "export"], ["systemctl", "show", "reeve"],
            ["systemctl", "status", "-l", "reeve"], ["systemctl", "cat", "reeve"],
            ["reevectl", "status", "--json"], ["reevectl", "show", "a", "--json"], ["reevectl", "check"],
            ["reevectl", "reload", "--plan", "--json"], ["reevectl", "tree", "--json"],
            ["reevectl", "logs", "a"])}
        for path in ("/health", "/metrics", "/page.json"):
            found[path] = self.get(path)[1]
        for pid in self.processes():
            for name in ("environ", "cmdline"):
                found[f"{name} of {pid}"] = container.run("cat", f"/proc/{pid}/{name}", check=False).stdout
        self.assertTrue(all(found.values()), {name for name, text in found.items() if not text})
        return found

    def test_reaches_the_module_and_nobody_else(self):
        self.configure(puppet("a", "password = credential:db"), "log-level = debug")
        self.start()
        self.assertEqual(self.reveal(), [SECRET])
        # What the daemon has of it comes from systemd: the file is root's.
        self.assertNotEqual(self.container.run("runuser", "-u", "reeve", "--", "cat", FILE,
                                               check=False).returncode, 0)
        outputs = self.outputs()
        for name, text in outputs.items():
            self.assertNotIn(SECRET, text, name)
        mine = outputs[f"environ of {self.main_pid()}"]
        hosts = outputs[f"environ of {self.modules()['a']['pid']}"]
        for variable in ("CREDENTIALS_DIRECTORY=", "NOTIFY_SOCKET=", "WATCHDOG_"):
            self.assertIn(variable, mine)
            self.assertNotIn(variable, hosts)

    def test_after_a_restart_of_the_host_and_a_reload(self):
        self.configure(puppet("a", "password = credential:db"))
        self.start()
        pid = self.modules()["a"]["pid"]
        self.kill(pid)
        wait_until(lambda: (m := self.modules()["a"])["pid"] not in (0, pid) and m["state"] == "ready",
                   "a restart")
        self.assertEqual(self.reveal(), [SECRET])
        self.container.systemctl("reload", "reeve")
        self.assertEqual(self.reveal(), [SECRET] * 2)

    def test_one_that_is_missing(self):
        self.configure(puppet("a", "password = credential:db2"))
        self.assertNotEqual(self.container.systemctl("start", "reeve", check=False).returncode, 0)
        self.assertIn("/etc/reeve/reeve.ini:7: [module:a] password = credential:db2: the service has no such "
                      "credential", self.status_text())
        self.configure(puppet("a", "password = credential:db"))
        self.start()
        self.configure(puppet("a", "password = credential:db2"))
        done = self.container.systemctl("reload", "reeve", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("credential:db2: the service has no such credential", self.status_text())
        self.assertEqual(self.reveal(), [SECRET])

    def test_check_as_root(self):
        """From a shell there are none: the rest is checked, and what is not is told."""
        self.configure(puppet("a", "password = credential:db"))
        done = self.container.run("reeved", "--check")
        self.assertIn("password = credential:db: not checked", done.stderr)


if __name__ == "__main__":
    service.main()
