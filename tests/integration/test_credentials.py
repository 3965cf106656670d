#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Credentials reach the module that names them, and nothing else."""
import os
import subprocess
import tempfile

import harness
from puppetry import PuppetTest, puppet

SECRET = "correct-horse-battery-staple"
OTHER = "tr0ub4dor-and-three"

# All that systemd tells reeved alone. LISTEN_PID is nobody's, so nothing is taken from it.
PRIVATE = {"NOTIFY_SOCKET": "/nonexistent", "WATCHDOG_USEC": "100000000", "WATCHDOG_PID": "1",
           "LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "x"}

# Whatever reevectl can be asked that only looks.
QUESTIONS = [["status"], ["status", "--json"], ["show", "a"], ["show", "a", "--json"], ["list"],
             ["list", "--json"], ["tree"], ["tree", "--json"], ["logs", "a"], ["logs"], ["check"],
             ["check", "--json"], ["reload", "--plan"], ["reload", "--plan", "--json"], ["modules"],
             ["modules", "--json"]]


class CredentialTest(PuppetTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="reeve-credentials-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.give("db", SECRET + "\n")

    def give(self, name, content):
        path = os.path.join(self.folder, name)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(content)
        os.rename(path + ".new", path)

    def start(self, config, **environment):
        return self.daemon(config, "log-level = debug\n",
                           dict({"CREDENTIALS_DIRECTORY": self.folder}, **environment)).wait_started()

    def reveal(self, daemon, password):
        """The value that the module itself has."""
        self.act(daemon, "a", "reveal")
        self.wait_trace(daemon, f"a has the password {password}")

    def run_in(self, config, *arguments, folder=None):
        """Runs reeved to its end, with a credentials directory or without one."""
        instance = self.daemon(config, start=False)
        environment = dict(os.environ, RUNTIME_DIRECTORY=instance.folder, STATE_DIRECTORY=instance.state)
        environment.pop("CREDENTIALS_DIRECTORY", None)
        if folder:
            environment["CREDENTIALS_DIRECTORY"] = folder
        done = subprocess.run([harness.REEVED, "-c", instance.config_path, *arguments], text=True,
                                      capture_output=True, env=environment, timeout=harness.PATIENCE,
                                      check=False)
        return done.returncode, done.stdout + done.stderr


class Reach(CredentialTest):
    def outputs(self, daemon):
        """All that reeved tells anybody, by name."""
        found = {path: daemon.request(path)[2]
                 for path in ("/health", "/readyz?verbose", "/metrics", "/page.json", "/readyz/a")}
        for question in QUESTIONS:
            done = daemon.ctl(*question, "-c", daemon.config_path) if question[0] == "modules" \
                else daemon.ctl(*question)
            found[" ".join(question)] = done.stdout + done.stderr
        found["the log"] = daemon.text()
        for pid in daemon.processes():
            for name in ("environ", "cmdline", "comm"):
                with open(f"/proc/{pid}/{name}", encoding="utf-8", errors="replace") as file:
                    found[f"{name} of {pid}"] = file.read()
        return found

    def assert_silent(self, daemon, *secrets):
        for name, text in self.outputs(daemon).items():
            for secret in secrets:
                self.assertNotIn(secret, text, name)

    def test_the_module_alone_has_it(self):
        daemon = self.start(puppet("a", "password = credential:db"))
        self.reveal(daemon, SECRET)
        self.assert_silent(daemon, SECRET)

    def test_errors_do_not_have_it(self):
        """Neither of its own option, nor of one that may not have it."""
        daemon = self.start(puppet("a", "password = credential:db"))
        for lines in (["password = credential:db", "password = credential:db"], ["act.every = credential:db"],
                      ["words = x", "words = credential:db"], ["pasword = credential:db"],
                      ["on-init = credential:db"]):
            daemon.write(puppet("a", *lines))
            done = daemon.ctl("reload")
            self.assertEqual(done.returncode, 1, lines)
            self.assertRegex(done.stdout + done.stderr, r"reeve\.ini:\d+: \[module:a\]")
            self.assert_silent(daemon, SECRET)
            code, said = self.run_in(puppet("a", *lines), "--check", folder=self.folder)
            self.assertEqual(code, 1)
            self.assertNotIn(SECRET, said)

    def test_a_failing_start_does_not_have_it(self):
        daemon = self.daemon(puppet("a", "password = credential:db", "on-init = fail"),
                             "log-level = debug\n", {"CREDENTIALS_DIRECTORY": self.folder})
        self.assertEqual(daemon.wait(), 1)
        self.assertNotIn(SECRET, daemon.text())

    def test_processes_do_not_know_where_it_is(self):
        """Nor anything else that systemd has told reeved."""
        daemon = self.start(puppet("a", "password = credential:db") +
                            "[module:e]\nload = exec\ncommand = env >env.new; mv env.new env\n", **PRIVATE)
        path = self.path(daemon, "env")
        harness.wait_until(lambda: os.path.exists(path), "the command to run")
        with open(path, encoding="utf-8") as file:
            seen = {"a command": file.read()}
        for name in ("a", "e"):
            with open(f"/proc/{daemon.module(name)['pid']}/environ", encoding="utf-8") as file:
                seen[name] = file.read().replace("\0", "\n")
        for who, environment in seen.items():
            names = {line.split("=", 1)[0] for line in environment.splitlines()}
            self.assertIn("PATH", names)
            self.assertEqual(names & {"CREDENTIALS_DIRECTORY", *PRIVATE}, set(), who)


class Life(CredentialTest):
    def test_restart_of_the_host(self):
        daemon = self.start(puppet("a", "password = credential:db"))
        pid = daemon.kill("a")
        self.wait_restarted(daemon, "a", pid)
        self.reveal(daemon, SECRET)

    def test_reload(self):
        """Another content is another option; the same is none."""
        config = puppet("a", "password = credential:db") + puppet("b")
        daemon = self.start(config)
        pid = daemon.module("a")["pid"]
        self.assertRegex(daemon.ctl("reload", "--plan").stdout, r"(?m)^a +keep|keep +a")
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.assertNotIn("a reload", self.trace(daemon))
        self.give("db", OTHER)
        plan = daemon.ctl("reload", "--plan").stdout
        self.assertRegex(plan, r"(?m)^a +reload|reload +a")
        self.assertRegex(plan, r"(?m)^b +keep|keep +b")
        self.assertNotIn(OTHER, plan)
        # A host that restarts meanwhile has what was checked.
        self.wait_restarted(daemon, "a", daemon.kill("a"))
        self.reveal(daemon, SECRET)
        pid = daemon.module("a")["pid"]
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.assertIn("a reload", self.trace(daemon))
        self.assertEqual(daemon.module("a")["pid"], pid)
        self.reveal(daemon, OTHER)
        self.assertNotIn(OTHER, daemon.text())

    def test_reload_without_it(self):
        daemon = self.start(puppet("a", "password = credential:db"))
        os.unlink(os.path.join(self.folder, "db"))
        done = daemon.ctl("reload")
        self.assertEqual(done.returncode, 1)
        self.assertIn("reeve.ini:10: [module:a] password = credential:db: the service has no such credential",
                      done.stdout + done.stderr)
        self.reveal(daemon, SECRET)


class Missing(CredentialTest):
    CONFIG = puppet("a", "password = credential:db")

    def test_start(self):
        code, said = self.run_in(self.CONFIG)
        self.assertEqual(code, 1)
        self.assertIn("reeve.ini:9: [module:a] password = credential:db: credentials are systemd's to give, and "
                      "there is no CREDENTIALS_DIRECTORY", said)
        os.unlink(os.path.join(self.folder, "db"))
        code, said = self.run_in(self.CONFIG, folder=self.folder)
        self.assertEqual(code, 1)
        self.assertIn("reeve.ini:9: [module:a] password = credential:db: the service has no such credential", said)

    def test_check_outside_of_the_service(self):
        """All else is checked, and what was not is told."""
        code, said = self.run_in(self.CONFIG, "--check")
        self.assertEqual(code, 0, said)
        self.assertIn("reeve.ini:9: [module:a] password = credential:db: not checked, as there is no "
                      "CREDENTIALS_DIRECTORY", said)
        self.assertIn("good, 1 module", said)
        code, said = self.run_in(self.CONFIG + "label = twice\n", "--check")
        self.assertEqual(code, 1)
        self.assertIn("label is given twice", said)
        code, said = self.run_in(puppet("a", "words = credential:db"), "--check")
        self.assertEqual(code, 1)
        self.assertIn("words: only an option of the type secret can be a credential", said)

    def test_check_in_the_service(self):
        code, said = self.run_in(self.CONFIG, "--check", folder=self.folder)
        self.assertEqual((code, "not checked" in said), (0, False), said)
        os.unlink(os.path.join(self.folder, "db"))
        self.assertEqual(self.run_in(self.CONFIG, "--check", folder=self.folder)[0], 1)


if __name__ == "__main__":
    harness.main()
