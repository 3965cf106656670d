#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Start, stop and restart single modules over the control socket."""
import os
import socket

import harness
from operating import GoalTest
from puppetry import HEARTBEAT, puppet

GATED = os.path.join(harness.FIXTURES, "gated.so")
# As long as the test wants to.
WAITS = f"load = {GATED}\nstart-timeout = 1000s\n"


class Operations(GoalTest):
    def test_stop_and_start(self):
        daemon = self.daemon(HEARTBEAT + puppet("a")).wait_started()
        heart = daemon.module("heart")["pid"]
        self.act(daemon, "a", "wait")
        self.wait_trace(daemon, "a waits")
        self.operate(daemon, "stop", "a")
        self.assertEqual(self.state(daemon, "a"), "stopped")
        # Its tasks can say why, and who misses it is told.
        self.assertIn(f"a cancelled: asked for by pid {os.getpid()} uid {os.getuid()}",
                      self.trace(daemon))
        self.assertEqual(daemon.request("/health")[0], 503)
        self.assertEqual(daemon.check("a:state")["observedValue"], "stopped")
        # Twice is as good as once.
        self.operate(daemon, "stop", "a")
        self.operate(daemon, "start", "a")
        self.operate(daemon, "start", "a")
        self.assertEqual(self.state(daemon, "a"), "ready")
        self.assertEqual(daemon.request("/health")[0], 200)
        self.assertEqual(self.trace(daemon).count("a init"), 2)
        self.assertEqual(daemon.module("heart")["pid"], heart)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_query_that_cannot_be_taken_does_nothing(self):
        daemon = self.daemon(HEARTBEAT + puppet("a")).wait_started()
        starts = [daemon.module(name)["starts"] for name in ("heart", "a")]
        for query in ("module=heart%00x", "module=heart%0a", "module=heart&wait%0d", "module=heart&module=a", "=&module=a"):
            for method, path in (("POST", "stop"), ("POST", "restart"), ("GET", "status"), ("GET", "tree"), ("GET", "logs")):
                status, answer = daemon.ask(f"/v1/{path}?{query}", method)
                self.assertEqual((status, answer["code"]), (400, "EINVAL"), (path, query))
                self.assertIn("a parameter ", answer["error"])
            status, _, text = daemon.request(f"/health?{query}")
            self.assertEqual(status, 400, query)
            self.assertTrue(text.startswith("a parameter "), text)
        done = daemon.ctl("stop", "heart\n")
        self.assertEqual((done.returncode, done.stderr), (1, "reevectl: a parameter has a control character\n"))
        self.assertEqual([self.state(daemon, name) for name in ("heart", "a")], ["ready", "ready"])
        self.assertEqual([daemon.module(name)["starts"] for name in ("heart", "a")], starts)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_those_that_require_it_go_along(self):
        daemon = self.daemon(puppet("a") + puppet("b", "requires = a") + puppet("c", "requires = b") +
                             puppet("d", "after = a")).wait_started()
        pid = daemon.module("d")["pid"]
        self.operate(daemon, "restart", "a")
        harness.wait_until(lambda: self.state(daemon, "c") == "ready", "all to be back")
        inits = ["a init", "b init", "c init"]
        trace = [line for line in self.trace(daemon) if not line.startswith("d")]
        self.assertEqual(trace, inits + ["c fini", "b fini", "a fini"] + inits)
        self.operate(daemon, "stop", "b")
        self.assertEqual([self.state(daemon, n) for n in "abcd"], ["ready", "stopped", "stopped", "ready"])
        # What only comes after it is none of its business.
        self.assertEqual(daemon.module("d")["pid"], pid)
        # A restart of what they require does not bring up what a person stopped.
        self.operate(daemon, "restart", "a")
        self.assertEqual([self.state(daemon, n) for n in "bc"], ["stopped", "stopped"])
        self.operate(daemon, "stop", "a")
        # A start brings up what it needs, and no more.
        self.operate(daemon, "start", "b")
        self.assertEqual([self.state(daemon, n) for n in "abc"], ["ready", "ready", "stopped"])
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_stop_waits_for_work(self):
        daemon = self.daemon(puppet("a", "drain = 1000s", "drain-stall = 1000s"),
                             daemon="shutdown-timeout = 1000s").wait_started()
        os.mkfifo(self.path(daemon, "fifo"))
        self.assertEqual(daemon.ctl("submit", "a/work", stdin="fifo fifo").returncode, 0)
        self.wait_trace(daemon, "a reads")
        stop = daemon.ask_later("/v1/stop?module=a&wait", "POST")
        harness.wait_until(lambda: self.state(daemon, "a") == "stopping", "the stop")
        harness.wait_until(
            lambda: "waiting for work under way" in daemon.check("a:state")["output"], "its words")
        self.assertFalse(stop.is_done())
        # Another one takes its place; the first is told.
        start = daemon.ask_later("/v1/start?module=a&wait", "POST")
        self.assertEqual(stop.answer()[0], 409)
        harness.release(self.path(daemon, "fifo"))
        self.assertEqual(start.answer()[0], 200)
        self.assertEqual(self.trace(daemon), ["a init", "a reads", "a has read", "a fini", "a init"])
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_start_that_fails(self):
        daemon = self.daemon(puppet("a", "on-init = fail", "essential = no",
                                    "restart-limit = 1/1000s")).wait_started()
        harness.wait_until(lambda: self.state(daemon, "a") == "failed", "failed")
        answer = self.operate(daemon, "start", "a", 500)
        self.assertRegex(answer["error"], "module a is (in its backoff|failed): init failed: as told")
        self.operate(daemon, "stop", "a")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_reload_leaves_it_stopped(self):
        config = puppet("a", "act.timeout = 5s")
        daemon = self.daemon(HEARTBEAT + config).wait_started()
        self.operate(daemon, "stop", "a")
        daemon.write(HEARTBEAT + config.replace("5s", "7s"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.assertEqual(self.state(daemon, "a"), "stopped")
        self.operate(daemon, "start", "a")
        self.assertEqual(self.state(daemon, "a"), "ready")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_reload_that_moves_it_leaves_it_stopped(self):
        daemon = self.daemon(HEARTBEAT + puppet("a", "tick.every = never")).wait_started()
        for _ in range(3):
            self.assertEqual(daemon.ctl("run", "a/act", "--wait").returncode, 0)
        self.operate(daemon, "stop", "a")
        daemon.write(HEARTBEAT + puppet("a", "tick.every = never", "host = elsewhere"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.assertEqual(self.state(daemon, "a"), "stopped")
        self.operate(daemon, "start", "a")
        # It is the same module: its counters go on.
        self.assertEqual(daemon.module("a")["tasks"][0]["runs"], 3)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_run_that_is_answered_is_over(self):
        """A client that has waited for a run can ask for the next, however long the end of its contexts takes."""
        daemon = self.daemon(puppet("a")).wait_started()
        self.script(daemon, "a", "contexts")
        for _ in range(10):
            status, answer = daemon.ask("/v1/run?module=a&task=act&wait", "POST")
            self.assertEqual(status, 200, answer)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def stops_slowly(self):
        """A daemon that has a job to wait for when it stops, and a configuration whose check waits at the gate."""
        daemon = self.daemon(puppet("a", "drain = 1000s", "drain-stall = 1000s"), daemon="shutdown-timeout = 1000s").wait_started()
        for name in "fifo", "gate":
            os.mkfifo(self.path(daemon, name))
        self.assertEqual(daemon.ctl("submit", "a/work", stdin="fifo fifo").returncode, 0)
        self.wait_trace(daemon, "a reads")
        daemon.write(puppet("a") + f"[module:g]\n{WAITS}")
        return daemon

    def test_a_reload_behind_another_when_all_stops(self):
        """Both are told at once, and nothing waits for either."""
        daemon = self.stops_slowly()
        reloads = [daemon.ask_later("/v1/reload", "POST")]
        harness.wait_until(lambda: daemon.status()["reloading"], "the check")
        reloads.append(daemon.ask_later("/v1/reload", "POST"))
        daemon.signal(harness.signal.SIGTERM)
        for reload in reloads:
            status, body = reload.answer()
            self.assertEqual(status, 409, body)
            self.assertIn("not reloaded: reeved stops", body["errors"][0])
        harness.release(self.path(daemon, "fifo"))
        self.assertEqual(daemon.wait(), 0, daemon.text())

    def test_a_plan_when_all_stops(self):
        daemon = self.stops_slowly()
        before = len(daemon.processes())
        plans = [daemon.ask_later("/v1/plan") for _ in range(2)]
        harness.wait_until(lambda: len(daemon.processes()) > before, "the host that is being checked")
        daemon.signal(harness.signal.SIGTERM)
        for plan in plans:
            status, body = plan.answer()
            self.assertEqual(status, 409, body)
            self.assertIn("not checked: reeved stops", body["errors"][0])
        harness.release(self.path(daemon, "fifo"))
        self.assertEqual(daemon.wait(), 0, daemon.text())

    def test_a_plan_while_all_stops(self):
        """It is told at once: nobody would end it."""
        daemon = self.stops_slowly()
        daemon.signal(harness.signal.SIGTERM)
        daemon.wait_log("stopping: SIGTERM")
        done = daemon.ctl("reload", "--plan")
        self.assertEqual(done.returncode, 1)
        self.assertIn("not checked: reeved stops", done.stderr)
        harness.release(self.path(daemon, "fifo"))
        self.assertEqual(daemon.wait(), 0, daemon.text())

    def test_modules_go_before_checks(self):
        """However many ask for a plan: a check that hangs holds up the other plans, and no module."""
        daemon = self.daemon(puppet("a")).wait_started()
        os.mkfifo(self.path(daemon, "gate"))
        before = len(daemon.processes())
        daemon.write(puppet("a") + "".join(f"[module:g{i}]\n{WAITS}" for i in range(10)))
        plans = [daemon.ask_later("/v1/plan") for _ in range(20)]
        harness.wait_until(lambda: len(daemon.processes()) == before + 10, "hosts that are being checked")
        for _ in range(3):
            pid = daemon.kill("a")
            self.wait_restarted(daemon, "a", pid)
        self.assertLessEqual(len(daemon.processes()), before + 10)
        self.assertFalse(any(plan.is_done() for plan in plans))
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_plans_of_askers_who_have_gone(self):
        """They are not made: the first that is waited for is the next."""
        daemon = self.daemon(puppet("a")).wait_started()
        os.mkfifo(self.path(daemon, "gate"))
        daemon.write(puppet("a") + f"[module:g]\n{WAITS}")
        before = len(daemon.processes())
        first = daemon.ask_later("/v1/plan")
        harness.wait_until(lambda: len(daemon.processes()) > before, "the host that is being checked")
        for _ in range(30):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(daemon.control)
                client.sendall(b"GET /v1/plan HTTP/1.1\r\nHost: reeved\r\n\r\n")
        harness.wait_until(lambda: daemon.connections() == 1, "reeved to see that they have gone")
        last = daemon.ask_later("/v1/plan")
        # Each check waits for a writer.
        for plan in (first, last):
            harness.release(self.path(daemon, "gate"))
            self.assertEqual(plan.answer()[0], 200)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_plan_whose_check_hangs(self):
        """It has as long as a start would have."""
        daemon = self.daemon(puppet("a")).wait_started()
        os.mkfifo(self.path(daemon, "gate"))
        daemon.write(puppet("a") + f"[module:g]\nload = {GATED}\nstart-timeout = 100ms\n")
        status, body = daemon.ask("/v1/plan")
        self.assertEqual(status, 409, body)
        self.assertIn("gated.so ended while it was being checked: it did not answer within 100ms (start-timeout)", body["errors"][0])
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_those_who_wait_leave_room_for_others(self):
        daemon = self.daemon(puppet("a", "work.queue = 1000", "drain = 1ms")).wait_started()
        jobs = [daemon.ask_later("/v1/submit?module=a&pool=work&wait", "POST", "wait") for _ in range(210)]
        harness.wait_until(lambda: sum(job.is_done() for job in jobs) == 210 - 192, "those of whom there are too many")
        for status, answer in (job.answer() for job in jobs if job.is_done()):
            self.assertEqual((status, answer["code"]), (503, "EBUSY"))
            self.assertIn("192 requests wait for their answers already", answer["error"])
        self.assertEqual(daemon.ctl("status").returncode, 0)
        done = daemon.ctl("restart", "a")
        self.assertIn("requests wait for their answers already", done.stderr)
        self.assertEqual(daemon.ctl("restart", "a", "--no-wait").returncode, 0)
        # By that all of them have their answer.
        for job in jobs:
            self.assertIn(job.answer()[0], (200, 503))
        self.assertEqual(daemon.ctl("restart", "a").returncode, 0)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_answers_without_waiting_and_at_the_end(self):
        daemon = self.daemon(puppet("a", "drain = 1000s", "grace = 100ms",
                                    "drain-stall = 1000s"),
                             daemon="shutdown-timeout = 1000s").wait_started()
        self.assertEqual(daemon.ask("/v1/restart?module=a", "POST")[0], 202)
        harness.wait_until(lambda: daemon.module("a")["starts"] == 2 and
                           self.state(daemon, "a") == "ready", "the restart")
        self.assertEqual(daemon.ask("/v1/stop?module=b", "POST")[0], 404)
        self.assertEqual(daemon.ask("/v1/stop?module=a")[0], 405)
        os.mkfifo(self.path(daemon, "fifo"))
        self.assertEqual(daemon.ctl("submit", "a/work", stdin="fifo fifo").returncode, 0)
        self.wait_trace(daemon, "a reads")
        stop = daemon.ask_later("/v1/stop?module=a&wait", "POST")
        harness.wait_until(lambda: self.state(daemon, "a") == "stopping", "the stop")
        daemon.signal(harness.signal.SIGTERM)
        self.assertEqual(stop.answer(), (409, {"error": "reeved stops", "code": "ECANCELED"}))
        harness.release(self.path(daemon, "fifo"))
        self.assertEqual(daemon.wait(), 0, daemon.text())


if __name__ == "__main__":
    harness.main()
