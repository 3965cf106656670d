#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Secrets that get into texts of modules and commands."""
import json
import os

import harness
from puppetry import HEARTBEAT, puppet
from secrecy import HIDDEN, PRIVATE, SHOWN, SecretsTest, URL, exec_


class Parts(SecretsTest):
    def test_of_what_a_command_writes(self):
        """A text that is cut may begin within a URL, and is masked before: of a line, at its end and in its middle, and of an
        output that is too long."""
        long = "A" * 250
        lines = {"cmd": f"fetch https://h/o?credential={long}&signature={HIDDEN}: 403",
                 "two": f"fetch https://user:{long}{HIDDEN}@h/o failed",
                 "good": f"{'x ' * 390}https://user:{4 * long}{HIDDEN}@h/o failed {'y ' * 300}",
                 "web": f'{{"url": "https:\\/\\/user:{HIDDEN}@h\\/o?token={HIDDEN}"}}',
                 "head": f"{29 * 'x'}\nhttps://{HIDDEN}{long}@h/o",
                 "cut": f"a https://h/o?credential={2 * long}{HIDDEN} b",
                 # As a command of ours would write it, in what is kept.
                 "mark": f"[... 17 bytes left out ...]\nhttps://user:{long}{long}{HIDDEN}@h/o \"b"}
        config = HEARTBEAT
        for name, line in lines.items():
            with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
                file.write(line + "\n")
            for result in 0, 1:
                config += exec_(f"{name}{result or ''}", f"cat {self.folder}/{name}; exit {result}", "log-output = always",
                                *["output-max = 120"] * (name in ("head", "cut", "mark")))
        daemon = self.start(config)
        self.wait_run(daemon, *lines, *(f"{name}1" for name in lines))
        self.assert_kept(daemon)
        for text in "https://h/o?...: 403", "https://user:***@h/o failed", r'{"url": "https:\/\/user:***@h\/o?..."}':
            self.assertIn(text, daemon.text())
        self.assertIn(text, daemon.ctl("show", "web1").stdout)
        self.assertRegex(daemon.text(), r"\[cut/run#1\]  ?b\n")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_of_what_a_module_says(self):
        """A URL that is cut before its host does not look like one with a token."""
        daemon = self.start(HEARTBEAT + puppet("two", "tick.every = never"), install=True)
        self.script(daemon, "two", f"say-too-much https://{HIDDEN}")
        self.assertEqual(daemon.ctl("run", "two/act", "--wait").returncode, 1)
        public, private = self.assert_kept(daemon)
        for text in public["/health"], public["/page.json"], private["show two"], private["logs two"]:
            self.assertIn("https://***", text)
        # Once it has succeeded again, a success is no more told, which would end the line.
        self.script(daemon, "two", "nothing")
        self.assertEqual(daemon.ctl("run", "two/act", "--wait").returncode, 0)
        self.script(daemon, "two", f"begin-line https://{HIDDEN}")
        self.assertEqual(daemon.ctl("run", "two/act", "--wait").returncode, 0)
        self.upgrade(daemon, 2)
        mark = daemon.mark()
        self.script(daemon, "two", "say ")
        self.assertEqual(daemon.ctl("run", "two/act", "--wait").returncode, 0)
        daemon.wait_log(r"\[two\] +https://\*\*\* \[\.\.\.\]$", mark)
        self.script(daemon, "two", f"say-too-often https://{HIDDEN}")
        self.assertEqual(daemon.ctl("run", "two/act", "--wait").returncode, 1)
        daemon.wait_log(r"of the lines that were dropped: +https://\*\*\*")
        self.assertNotIn(HIDDEN, daemon.text())
        self.assertEqual(daemon.stop(), 0, daemon.text())


class Texts(SecretsTest):
    def config(self):
        return "".join([
            HEARTBEAT, exec_("cmd", f"echo 'cannot reach {URL}: {PRIVATE}'; exit 3"),
            exec_("good", f"echo 'reached {URL}: {PRIVATE}'"),
            exec_("giveup", f"echo '{URL} {PRIVATE}'; exit 4", "run.on-error = restart", "restart-limit = 1/1h"),
            f"[module:web]\nload = httpcheck\nessential = no\ncheck.every = 1000s\nurl = http://monitor:{HIDDEN}@127.0.0.1:1/"
            f"path?token={HIDDEN}\nurl = http://127.0.0.1:1/\nusername = monitor\npassword = credential:db\n",
            puppet("two", "essential = no", "password = credential:db", "act.every = 1000s"),
            puppet("init", "essential = no", f"on-init = fail-with {URL}|{PRIVATE}", "restart-limit = 1/1h"),
        ])

    def look(self, daemon):
        self.wait_run(daemon, "cmd", "good", "two", "web")
        public, private = self.assert_kept(daemon)
        # Who may know, does.
        for name in "show cmd", "show cmd --json", "/v1/status", "logs cmd", "the log":
            self.assertIn(f"exit code 3; cannot reach {SHOWN}: {PRIVATE}", private[name], name)
        self.assertIn(f"exit code 3; cannot reach {SHOWN}: {PRIVATE}", private["/v1/run?module=cmd&task=run&wait"])
        self.assertIn(f"error {SHOWN}; {PRIVATE}", private["show two"])
        self.assertIn(f"progress {SHOWN}; {PRIVATE}", private["/v1/status"])
        self.assertIn("exit code 3", public["/health"])
        for text in public["/health"], public["/page.json"], private["show web"]:
            self.assertIn("2 of 2 URLs failed: http://monitor:***@127.0.0.1:1/path?...: ", text)
        self.assertIn(f"error {SHOWN}", public["/health"])
        self.assertIn(f"error {SHOWN}", public["/page.json"])
        health = json.loads(public["/health"])["checks"]
        self.assertEqual(health["good/run:duration"][0]["notes"], "exit code 0")
        self.assertEqual(health["cmd/run:duration"][0]["output"], "exit code 3")
        self.assertEqual(health["two/act:duration"][0]["notes"], f"progress {SHOWN}")
        self.assertIn(f"task run: exit code 4; {SHOWN} {PRIVATE}", private["/v1/status"])
        self.assertRegex(health["init:state"][0]["output"], r"^failed: init failed: error https://monitor:\*\*\*@127\.0\.0\.1"
                         r"/path\?\.\.\.; ")
        return private

    def fail(self, daemon):
        harness.wait_until(lambda: daemon.module("init")["state"] == "failed", "init to be given up")
        harness.wait_until(lambda: daemon.module("giveup")["restarts"], "giveup to be restarted")
        harness.wait_until(lambda: daemon.module("two")["state"] == "ready", "two to take a run")
        self.act(daemon, "two", f"fail-with {URL}|{PRIVATE}")
        answer = daemon.ask("/v1/submit?module=two&pool=work&wait", "POST", f"fail-with {URL}|{PRIVATE}")
        self.assertNotIn(HIDDEN, json.dumps(answer[1]))
        self.wait_run(daemon, "two")

    def test_everywhere(self):
        daemon = self.start(self.config())
        self.fail(daemon)
        private = self.look(daemon)
        for text in f"log {SHOWN}; {PRIVATE}", f"[init] init failed: error {SHOWN}; {PRIVATE}":
            self.assertIn(text, private["the log"])
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertNotIn(HIDDEN, daemon.text())

    def test_log_as_json(self):
        daemon = self.start(self.config(), "log-format = json\n")
        self.fail(daemon)
        private = self.assert_kept(daemon)[1]
        texts = [json.loads(line)["text"] for line in private["the log"].splitlines()]
        self.assertTrue(any(f"failed: exit code 3; cannot reach {SHOWN}: {PRIVATE}" in text for text in texts))
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_after_a_live_upgrade(self):
        daemon = self.start(self.config(), install=True)
        self.fail(daemon)
        self.wait_run(daemon, "cmd", "good")
        self.upgrade(daemon, 2)
        self.look(daemon)
        # Of hosts that have gone, too: what they told is in the state now.
        self.install_next(daemon)
        self.upgrade(daemon, 3)
        self.assert_kept(daemon)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_crash(self):
        daemon = self.start(puppet("two", "essential = no", "password = credential:db", "restart-limit = 1/1h") +
                            exec_("cmd", "true") + exec_("good", "true") + HEARTBEAT).wait_ready()
        self.act(daemon, "two", f"say {URL} {PRIVATE}")
        daemon.wait_log(PRIVATE)
        pid = daemon.module("two")["pid"]
        self.act(daemon, "two", "crash")
        self.wait_restarted(daemon, "two", pid)
        private = self.assert_kept(daemon)[1]
        self.assertIn("SIGSEGV", private["show two"])
        self.assertIn(SHOWN, private["the log"])
        self.assertEqual(daemon.stop(), 0, daemon.text())


if __name__ == "__main__":
    harness.main()
