#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The log as systemd's journal has it: by a real systemd-journald, alone in a mount namespace.

The file runs itself again in that namespace, where /run and /var/log are empty and its own.
"""
import json
import os
import signal
import socket
import subprocess
import sys
import unittest

import harness
import tools
from puppetry import HEARTBEAT, PuppetTest, puppet

INSIDE = "REEVE_TEST_JOURNAL"
SOCKETS = "/run/systemd/journal"
RUNTIME = "/run/reeve"


def missing():
    """The tools that this machine lacks for it; None when it has all."""
    if os.geteuid() != 0:
        return "needs root, for a mount namespace"
    reason = tools.missing("unshare", "systemd-journald", "journalctl")
    if reason:
        return reason
    if not os.path.exists("/etc/machine-id") or os.path.getsize("/etc/machine-id") < 32:
        return "needs a machine id"
    tried = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/run"],
                           capture_output=True, check=False)
    return None if tried.returncode == 0 else "needs mount namespaces"


class Journald:
    """Started with the first test, and again after a test that has ended it."""
    process = None

    @classmethod
    def start(cls):
        cls.process = subprocess.Popen([tools.find("systemd-journald")], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
        harness.wait_until(lambda: os.path.exists(f"{SOCKETS}/socket") and
                           os.path.exists(f"{SOCKETS}/stdout"), "systemd-journald")

    @classmethod
    def stop(cls):
        cls.process.send_signal(signal.SIGCONT)
        cls.process.terminate()
        cls.process.wait()


class JournalDaemon(harness.Daemon):
    """A reeved whose stderr is the journal, as systemd would have it."""

    def start(self, *arguments):
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        stream.connect(f"{SOCKETS}/stdout")
        # Identifier, unit, level, prefixes, forwarding: sd_journal_stream_fd(3) writes the same.
        stream.sendall(b"reeved\n\n6\n1\n0\n0\n0\n")
        status = os.fstat(stream.fileno())
        environment = dict(os.environ, RUNTIME_DIRECTORY=RUNTIME, STATE_DIRECTORY=self.state,
                           JOURNAL_STREAM=f"{status.st_dev}:{status.st_ino}")
        environment.pop("NOTIFY_SOCKET", None)
        self.control = f"{RUNTIME}/control"
        self.process = subprocess.Popen([harness.REEVED, "-c", self.config_path, *arguments],
                                        stderr=stream, stdout=subprocess.DEVNULL,
                                        stdin=subprocess.DEVNULL, env=environment)
        stream.close()
        return self

    def wait_started(self):
        def is_running():
            with harness.contextlib.suppress(OSError):
                return self.status()["phase"] == "running"
            return False
        harness.wait_until(is_running, "the start")
        return self

    def wait(self):
        return self.process.wait(harness.PATIENCE)

    @property
    def port(self):
        return int(self.status()["listen"][0].rsplit(":", 1)[1])


@unittest.skipUnless(INSIDE in os.environ, missing())
class Journal(PuppetTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        os.environ.pop("REEVE_CONTROL", None)
        for folder in ("/run", "/var/log"):
            subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True)
        for folder in (SOCKETS, "/run/log/journal", RUNTIME):
            os.makedirs(folder)
        Journald.start()
        cls.addClassCleanup(Journald.stop)

    def start(self, config):
        instance = JournalDaemon(config)
        self.addCleanup(instance.close)
        return instance.start().wait_started()

    def logs(self, *words):
        done = subprocess.run([harness.REEVECTL, "logs", "--json", *words], capture_output=True,
                              text=True, check=False, timeout=harness.PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def wait_event(self, module, event, count=1):
        """Waits until the journal has so many; returns the newest. All tests share one journal, so each test
        uses module names of its own."""
        def find():
            found = [line for line in self.logs(module) if line["event"] == event]
            return found[-1] if len(found) >= count else None
        return harness.wait_until(find, f"{count} {event} of {module}")

    def test_what_happens_to_modules(self):
        daemon = self.start(HEARTBEAT + puppet("a", "essential = no") +
                            puppet("b", "essential = no", "act.timeout = 20ms", "act.grace = 20ms") +
                            puppet("gone", "essential = no", "restart = never"))
        with self.subTest("start and ready"):
            self.wait_event("a", "start")
            self.wait_event("a", "ready")
        with self.subTest("a crash, and the restart"):
            self.act(daemon, "a", "crash")
            crash = self.wait_event("a", "crash")
            self.assertEqual((crash["module"], crash["level"], crash["number"]), ("a", "error", None))
            self.wait_event("a", "restart")
            self.wait_event("a", "ready", 2)
        with self.subTest("a hang"):
            self.wait_event("b", "ready")
            self.act(daemon, "b", "ignore")
            self.wait_event("b", "hang")
        with self.subTest("the end of it"):
            self.wait_event("gone", "ready")
            daemon.kill("gone")
            self.wait_event("gone", "give-up")
        with self.subTest("a task and its run"):
            self.act(daemon, "a", "fail")
            line = harness.wait_until(
                lambda: next((l for l in self.logs("a") if l["task"] and "as told" in l["text"]), None),
                "the failure")
            self.assertEqual((line["task"], line["level"]), ("act", "warning"))
            self.assertEqual(line["text"], f"[a/act#{line['run']}] failed: as told")
        with self.subTest("for journalctl too"):
            out = subprocess.run(["journalctl", "-o", "json", "--no-pager", "REEVE_EVENT=crash",
                                  "REEVE_MODULE=a"],
                                 capture_output=True, text=True, check=True).stdout
            found = json.loads(out.splitlines()[-1])
            self.assertEqual((found["REEVE_MODULE"], found["MESSAGE_ID"], found["PRIORITY"]),
                             ("a", crash["message_id"], "3"))
        self.assertEqual(daemon.stop(), 0)

    def test_history_beyond_the_daemon(self):
        config = puppet("past")
        first = self.start(config)
        self.wait_event("past", "ready")
        self.assertEqual(first.stop(), 0)
        with self.subTest("no daemon"):
            done = subprocess.run([harness.REEVECTL, "logs", "past"], capture_output=True, text=True,
                                  check=False)
            self.assertEqual(done.returncode, 0)
            self.assertIn("the journal has:", done.stderr)
            self.assertIn("[past] ready", done.stdout)
        daemon = self.start(config)
        self.wait_event("past", "start", 2)
        latest = self.wait_event("past", "ready", 2)
        lines = self.logs("past")
        self.assertEqual(self.logs("past", "-n", "1"), lines[-1:])
        self.assertEqual(self.logs("past", "-n", "0"), [])
        self.assertEqual(self.logs("past", "-n", "100000"), lines)
        # Times are told in milliseconds, which are cut.
        since = self.logs("past", "--since", latest["time"])
        self.assertIn(latest, since)
        self.assertLess(len(since), len(lines))
        self.assertEqual(self.logs("past", "--since", "1h"), lines)
        self.assertEqual(self.logs("past", "--since", "2100-01-01"), [])
        with self.subTest("those that follow"), subprocess.Popen(
                [harness.REEVECTL, "logs", "-f", "-n", "1", "past"], stdout=subprocess.PIPE,
                text=True) as follow:
            self.assertIn("[past] ready", follow.stdout.readline())
            self.act(daemon, "past", "fail")
            self.assertIn("failed: as told", follow.stdout.readline())
            # As `logs -f | head`: nothing more is logged.
            follow.stdout.close()
            try:
                self.assertEqual(follow.wait(harness.PATIENCE), -signal.SIGPIPE)
            finally:
                follow.kill()
        with self.subTest("a full disk"), open("/dev/full", "wb") as full:
            done = subprocess.run([harness.REEVECTL, "logs", "-f", "past"], stdout=full, stderr=subprocess.PIPE, text=True,
                                  timeout=harness.PATIENCE, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("cannot write its output", done.stderr)
        self.assertEqual(daemon.stop(), 0)

    def test_a_journal_that_does_not_read_holds_up_nothing(self):
        daemon = self.start(HEARTBEAT + puppet("held"))
        Journald.process.send_signal(signal.SIGSTOP)
        # More than its socket takes, at two lines or more each.
        with open("/proc/sys/net/unix/max_dgram_qlen", encoding="utf-8") as file:
            restarts = int(file.read()) // 2 + 200
        for _ in range(restarts):
            self.assertEqual(daemon.ask("/v1/restart?module=held&wait", "POST")[0], 200)
        self.assertEqual(daemon.request("/livez")[0], 200)
        Journald.process.send_signal(signal.SIGCONT)

        def is_told():
            daemon.ask("/v1/restart?module=held&wait", "POST")
            return any(" log line" in line["text"] and " dropped: " in line["text"] for line in self.logs())
        harness.wait_until(is_told, "the count of dropped lines")
        self.assertEqual(daemon.stop(), 0)


if __name__ == "__main__":
    if INSIDE not in os.environ and missing() is None:
        os.environ[INSIDE] = "1"
        # Not exec, after which nobody would take away the harness's copy of a user's build.
        sys.exit(subprocess.run(["unshare", "-m", sys.executable, os.path.abspath(__file__), *sys.argv[1:]],
                                check=False).returncode)
    harness.main()
