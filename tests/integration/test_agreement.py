#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every answer that is given after a log line agrees with that line: on the control socket, in /health, by
reevectl. Other clients ask all the time, so that the daemon always has a snapshot of a moment before."""
import contextlib
import json
import signal
import threading

import harness
from puppetry import PuppetTest, puppet

ROUNDS = 10


class Askers:
    """Threads that keep asking until they are told to end."""

    def __init__(self, *questions):
        self.ended = threading.Event()
        self.asked = threading.Semaphore(0)
        self.threads = [threading.Thread(target=self._run, args=(question,), daemon=True)
                        for question in questions]
        for thread in self.threads:
            thread.start()

    def _run(self, question):
        while not self.ended.is_set():
            with contextlib.suppress(OSError):
                question()
            self.asked.release()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join(harness.PATIENCE)


class Agreement(PuppetTest):
    def start(self, config, daemon=""):
        instance = self.daemon(config, daemon).wait_started()
        port = instance.port
        self.enterContext(Askers(instance.status, lambda: instance.request("/health")))
        self.assertGreater(port, 0)
        return instance

    def check_state(self, daemon, name, state):
        """In every answer."""
        self.assertEqual(daemon.module(name)["state"], state, daemon.text())
        self.assertEqual(daemon.check(f"{name}:state")["observedValue"], state, daemon.text())
        shown = json.loads(daemon.ctl("show", name, "--json").stdout)
        self.assertEqual(shown["state"], state)

    def test_ready(self):
        daemon = self.start(puppet("a", "tick.every = never", "restart-limit = 1000/1s"))
        for _ in range(ROUNDS):
            mark = daemon.mark()
            daemon.kill("a")
            daemon.wait_log(r"\[a\] ready", mark)
            # A run is taken at once.
            self.assertEqual(daemon.ask("/v1/run?module=a&task=act", "POST")[0], 202)
            self.check_state(daemon, "a", "ready")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_backoff_and_given_up(self):
        daemon = self.start(puppet("a", "essential = no", "restart = never") +
                            puppet("b", "essential = no").replace("1ms", "1h")).wait_ready()
        for name, line, state in (("a", "given up", "failed"), ("b", "restart 1 in", "backoff")):
            daemon.kill(name)
            daemon.wait_log(rf"\[{name}\] .*{line}")
            self.check_state(daemon, name, state)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_reloaded(self):
        daemon = self.start(puppet("a"))
        for i in range(ROUNDS):
            mark = daemon.mark()
            daemon.write(puppet("a", f"words = {i}") + puppet(f"b{i}"))
            daemon.signal(signal.SIGHUP)
            daemon.wait_log(r"notice +reloaded$", mark)
            status = daemon.status()
            self.assertFalse(status["reloading"])
            self.assertEqual([m["name"] for m in status["modules"]], ["a", f"b{i}"])
            self.check_state(daemon, f"b{i}", "ready")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_stopping(self):
        daemon = self.start(puppet("a"), "drain-delay = 1000s")
        daemon.signal(signal.SIGTERM)
        daemon.wait_log(r" stopping: ")
        self.assertEqual(daemon.request("/readyz")[0], 503)
        self.assertEqual(daemon.status()["phase"], "draining")
        self.assertEqual(daemon.health()["status"], "warn")
        daemon.signal(signal.SIGINT)
        daemon.wait()

    def test_runs_that_failed_and_succeeded(self):
        # Planned ones: the answer to a request would be news of its own.
        daemon = self.start(puppet("a", "tick.every = never", "act.every = 50ms"))
        for _ in range(ROUNDS):
            mark = daemon.mark()
            self.script(daemon, "a", "fail")
            run = int(daemon.wait_log(r"\[a/act#(\d+)\] failed: as told", mark).group(1))
            task = self.task(daemon, "a", "act")
            self.assertGreaterEqual(task["runs"], run)
            self.assertEqual(task["last_error"], "as told")
            self.assertNotEqual(daemon.check("a/act:duration")["status"], "pass")
            self.script(daemon, "a", "nothing")
            daemon.wait_log(r"\[a/act#\d+\] succeeded again", mark)
            self.assertEqual(self.task(daemon, "a", "act")["last_code"], 0)
            # It may say that it is late, on a machine under load.
            self.assertNotEqual(daemon.check("a/act:duration").get("output"), "as told")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_jobs_that_failed_and_succeeded(self):
        daemon = self.start(puppet("a", "tick.every = never"))
        for _ in range(ROUNDS):
            self.assertEqual(daemon.ctl("submit", "a/work", "--wait", stdin="fail").returncode, 1)
            check = daemon.check("a/work:queue")
            self.assertEqual((check["status"], check["output"]), ("warn", "as told"))
            self.assertEqual((daemon.health()["status"], daemon.module("a")["status"]), ("warn", "warn"))
            self.assertEqual(daemon.request("/readyz")[0], 200)
            self.assertEqual(daemon.ctl("submit", "a/work", "--wait", stdin="nothing").returncode, 0)
            self.assertEqual(daemon.check("a/work:queue")["status"], "pass")
            self.assertEqual(daemon.health()["status"], "pass")
        self.assertEqual(daemon.stop(), 0, daemon.text())


if __name__ == "__main__":
    harness.main()
