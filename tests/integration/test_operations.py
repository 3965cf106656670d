#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Start, stop and restart single modules over the control socket."""
import os
import re
import socket

import harness
import tools
from operating import GoalTest
from puppetry import HEARTBEAT, PUPPET, PuppetTest, puppet

GATED = os.path.join(harness.FIXTURES, "gated.so")


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
        daemon.write(puppet("a") + f"[module:g]\nload = {GATED}\n")
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
        daemon.write(puppet("a") + "".join(f"[module:g{i}]\nload = {GATED}\n" for i in range(10)))
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
        daemon.write(puppet("a") + f"[module:g]\nload = {GATED}\n")
        before = len(daemon.processes())
        first = daemon.ask_later("/v1/plan")
        harness.wait_until(lambda: len(daemon.processes()) > before, "the host that is being checked")
        descriptors = daemon.descriptors()
        # No more than a slow machine has seen before the check has had its time.
        for _ in range(30):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(daemon.control)
                client.sendall(b"GET /v1/plan HTTP/1.1\r\nHost: reeved\r\n\r\n")
        harness.wait_until(lambda: daemon.descriptors() <= descriptors, "reeved to see that they have gone")
        last = daemon.ask_later("/v1/plan")
        # Each check waits for a writer.
        for plan in (first, last):
            harness.release(self.path(daemon, "gate"))
            self.assertEqual(plan.answer()[0], 200)
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


class Plans(PuppetTest):
    def plan(self, daemon):
        status, answer = daemon.ask("/v1/plan")
        self.assertEqual(status, 200, answer)
        return {s["module"]: s["step"] for s in answer["steps"]}, answer["needs_restart"]

    def test_what_a_reload_would_do(self):
        daemon = self.daemon(puppet("same") + puppet("options") + puppet("gone")).wait_started()
        pids = {m["name"]: m["pid"] for m in daemon.status()["modules"]}
        keep = {"same": "keep", "options": "keep", "gone": "keep"}
        self.assertEqual(self.plan(daemon), (keep, False))
        daemon.write(puppet("same") + puppet("options", "act.timeout = 5s") + HEARTBEAT)
        steps = {"same": "keep", "options": "reload", "heart": "add", "gone": "remove"}
        self.assertEqual(self.plan(daemon)[0], steps)
        daemon.daemon = "max-connections = 77"
        daemon.write(puppet("same"))
        self.assertTrue(self.plan(daemon)[1])
        # A reload says so, and does not forget it.
        done = daemon.ctl("reload")
        self.assertIn("listen, control and max-connections change only with a restart of reeved", done.stdout + done.stderr)
        self.assertTrue(self.plan(daemon)[1])
        daemon.daemon = ""
        daemon.write(puppet("same"))
        self.assertFalse(self.plan(daemon)[1])
        self.assertEqual(daemon.ctl("reload").stdout, "reloaded\n")
        daemon.stop()

    def test_a_plan_does_nothing(self):
        daemon = self.daemon(puppet("same") + puppet("options") + puppet("gone")).wait_started()
        pids = {m["name"]: m["pid"] for m in daemon.status()["modules"]}
        daemon.write(puppet("same") + puppet("options", "act.timeout = 5s") + HEARTBEAT)
        self.plan(daemon)
        # Nothing has happened.
        self.assertEqual({m["name"]: m["pid"] for m in daemon.status()["modules"]}, pids)
        self.assertNotIn("act.timeout", daemon.text())
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_restarts_and_whom_they_take_along(self):
        # spool takes new options only by a restart; the puppets take them as they run.
        heart = "[module:heart]\nload = spool\ndirectory = spool\ncommand = true {}\n"
        rest = puppet("b", "requires = heart") + puppet("c", "requires = b") + puppet("d", "after = c")
        daemon = self.daemon(heart.format("old") + rest).wait_started()
        daemon.write(heart.format("new") + rest)
        plan = daemon.ask("/v1/plan")[1]
        self.assertEqual([(s["module"], s["step"], s["because"]) for s in plan["steps"]],
                         [("heart", "restart", None), ("b", "restart", "heart"),
                          ("c", "restart", "b"), ("d", "keep", None)])
        self.assertRegex(daemon.ctl("reload", "--plan").stdout,
                         r"(?m)^c +restart it requires b, which restarts")
        pids = {m["name"]: m["pid"] for m in daemon.status()["modules"]}
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        harness.wait_until(lambda: all(m["state"] == "ready" for m in daemon.status()["modules"]) and
                           daemon.module("c")["pid"] != pids["c"], "all to be back")
        kept = {m["name"] for m in daemon.status()["modules"] if m["pid"] == pids[m["name"]]}
        self.assertEqual(kept, {"d"})
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_errors(self):
        daemon = self.daemon(puppet("a")).wait_started()
        daemon.write(puppet("a", "act.timeuot = 5s"))
        status, answer = daemon.ask("/v1/plan")
        self.assertEqual(status, 409)
        self.assertRegex(answer["errors"][0],
                         r'reeve\.ini:\d+: .*unknown key "act\.timeuot"; did you mean "act\.timeout"')
        daemon.write("[module:a]\n")
        status, answer = daemon.ask("/v1/plan")
        self.assertEqual(status, 409)
        self.assertIn('the key "load" is missing', answer["errors"][0])
        self.assertEqual(daemon.module("a")["state"], "ready")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_what_only_a_module_finds_wrong(self):
        good = puppet("a", "on-check = nothing")
        daemon = self.daemon(good, "log-level = warning", start=False).start().wait_answers()
        harness.wait_until(lambda: daemon.module("a")["state"] == "ready", "ready")
        pid = daemon.module("a")["pid"]
        for action, errors in (
                ("options", [r'reeve\.ini:\d+: \[module:a\] on-check: as told, see http://\S+@host/$',
                             r'reeve\.ini:\d+: \[module:a\] health-file: it is not in the section$']),
                ("fail", [r'reeve\.ini:\d+: \[module:a\] they do not go together$']),
                ("crash", [r'\[module:a\] \S*puppet\.so ended while it was being checked: killed by SIGSEGV',
                           r'reeve\.ini:\d+: \[module:a\] SIGSEGV in check at address 0x10, frames: puppet\.so\+0x']),
                ("overflow", [r'\[module:a\] \S*puppet\.so ended while it was being checked: killed by SIGSEGV',
                              r'\[module:a\] stack overflow in check .*rv_runtime_configure\(3\), frames: .*puppet\.so\+0x']),
                # Its last lines are told where the log leaves out what modules print.
                ("die terminate called|what(): http://u:secret@host",
                 [r'\[module:a\] \S*puppet\.so ended while it was being checked: killed by SIGABRT',
                  r'\[module:a\] SIGABRT in check, frames: ',
                  r'reeve\.ini:\d+: \[module:a\] its last lines: terminate called; what\(\): http://u:\*\*\*@host$'])):
            with self.subTest(action):
                daemon.write(good.replace("on-check = nothing", f"on-check = {action}"))
                status, answer = daemon.ask("/v1/plan")
                self.assertEqual(status, 409)
                self.assertEqual(len(answer["errors"]), len(errors), answer)
                for error, pattern in zip(answer["errors"], errors):
                    self.assertRegex(error, pattern)
                    self.assertNotIn("secret", error)
                for words in ("check",), ("reload",):
                    mark = daemon.mark()
                    done = daemon.ctl(*words)
                    self.assertEqual(done.returncode, 1, words)
                    for error in errors:
                        self.assertRegex(done.stderr, error.rstrip("$"))
                        if words == ("reload",):
                            daemon.wait_log(rf"error +.*{error}", mark)
                # Nothing was touched.
                module = daemon.module("a")
                self.assertEqual((module["pid"], module["state"]), (pid, "ready"))
                self.assertNotIn("a reload", self.trace(daemon))
        self.assertNotIn("secret", daemon.text())
        # What it says is bounded.
        daemon.write(good.replace("on-check = nothing", "on-check = rave"))
        errors = daemon.ask("/v1/plan")[1]["errors"]
        self.assertEqual(len(errors), 33)
        self.assertTrue(errors[-1].endswith("there are more errors, which are not told"), errors[-1])
        daemon.write(good)
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        # Nor does it start.
        daemon.write(good.replace("on-check = nothing", "on-check = fail"))
        daemon.log.clear()
        self.assertEqual(daemon.start().wait(), 1)
        self.assertRegex(daemon.text(), r"reeve\.ini:\d+: \[module:a\] they do not go together")
        self.assertEqual(self.trace(daemon).count("a init"), 1)

    def test_reeved_stops_meanwhile(self):
        daemon = self.daemon("".join(puppet(f"m{i}") for i in range(20))).wait_started()
        plans = [daemon.ask_later("/v1/plan") for _ in range(5)]
        daemon.signal(harness.signal.SIGTERM)
        for plan in plans:
            with harness.contextlib.suppress(harness.Waiting):
                self.assertIn(plan.answer()[0], (200, 409, 503))
        self.assertEqual(daemon.wait(), 0, daemon.text())


class Tree(PuppetTest):
    def nodes(self, daemon, name):
        status, tree = daemon.ask("/v1/tree")
        self.assertEqual(status, 200, tree)
        return next(m for m in tree["modules"] if m["name"] == name)

    def wait_nodes(self, daemon, name):
        """Once its host has answered within the time that the daemon gives it."""
        return harness.wait_until(
            lambda: None if (tree := self.nodes(daemon, name))["silent"] else tree, "an answer")

    def test_live_contexts(self):
        daemon = self.daemon(puppet("a", "act.timeout = 1h", "tick.every = never", "drain = 10ms",
                                    "grace = 1000s") +
                             puppet("b", "tick.every = never")).wait_started()
        self.act(daemon, "a", "wait")
        self.assertEqual(daemon.ctl("submit", "a/work", stdin="wait").returncode, 0)
        self.wait_trace(daemon, "a waits", 2)
        nodes = self.wait_nodes(daemon, "a")["nodes"]
        path = [(n["depth"], n["name"], n["run"]) for n in nodes]
        self.assertEqual(path[0], (0, "a", 0))
        self.assertIn((1, "tasks", 0), path)
        act = next(n for n in nodes if n["name"] == "act" and n["deadline_in"])
        self.assertTrue(3500 < act["deadline_in"] <= 3600, act)
        self.assertTrue(any(n["name"] == "work" and n["run"] == 1 for n in nodes), nodes)
        self.assertRegex(self.tree(daemon), r"(?m)^ +act#1  .* old, deadline in 59min")
        # What is not there, or does not answer, is said and holds up nobody.
        daemon.ask("/v1/stop?module=b&wait", "POST")
        daemon.kill("a", harness.signal.SIGSTOP)
        self.assertEqual(self.nodes(daemon, "b")["state"], "stopped")
        self.assertIn("asked for by pid", self.nodes(daemon, "b")["cause"])
        self.assertTrue(self.nodes(daemon, "a")["silent"])
        daemon.kill("a", harness.signal.SIGCONT)
        self.wait_nodes(daemon, "a")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_many(self):
        daemon = self.daemon(puppet("a", "work.workers = 150", "work.queue = 400", "drain = 10ms")).wait_started()
        for _ in range(150):
            self.assertEqual(daemon.ask("/v1/submit?module=a&pool=work", "POST", "wait")[0], 202)
        self.wait_trace(daemon, "a waits", 150)
        tree = self.wait_nodes(daemon, "a")
        self.assertEqual(len(tree["nodes"]), 256)
        self.assertGreater(tree["contexts"], 256)
        self.assertIn("more", self.tree(daemon))
        self.assertEqual(daemon.stop(), 0, daemon.text())


class Looks(PuppetTest):
    def test_logs(self):
        daemon = self.daemon(puppet("a") + puppet("ab")).wait_started()
        self.act(daemon, "a", "fail")
        daemon.wait_log(r"\[a/act#1\] failed: as told")
        lines = daemon.ctl("logs", "a").stdout.splitlines()
        self.assertTrue(all("[a]" in line or "[a/" in line for line in lines), lines)
        self.assertRegex(lines[-1], r"warning +\[a/act#1\] failed: as told$")
        self.assertEqual(daemon.ctl("logs", "a", "-n", "1").stdout.splitlines(), lines[-1:])
        self.assertEqual(daemon.ctl("logs", "-n", "many").returncode, 2)
        self.assertIn('did you mean "ab"', daemon.ctl("logs", "abc").stderr)
        # What follows comes too, until the daemon ends.
        with harness.subprocess.Popen([harness.REEVECTL, "-s", daemon.control, "logs", "-f", "ab"],
                                      stdout=harness.subprocess.PIPE,
                                      stderr=harness.subprocess.PIPE, text=True) as follow:
            self.assertIn("[ab] starting", follow.stdout.readline())
            self.assertIn("[ab] ready", follow.stdout.readline())
            self.act(daemon, "ab", "fail")
            self.assertIn("[ab/act#1] failed: as told", follow.stdout.readline())
            self.assertEqual(daemon.stop(), 0, daemon.text())
            self.assertEqual(follow.wait(harness.PATIENCE), 3)

    def test_logs_end_with_their_reader(self):
        """As `logs -f | head -1`, also when nothing more is logged."""
        daemon = self.daemon(puppet("a")).wait_started()
        for options in {}, {"stdout": self.enter_pty()}:
            command = [harness.REEVECTL, "-s", daemon.control, "logs", "-f", "a"]
            options = {"stdout": harness.subprocess.PIPE, **options}
            with harness.subprocess.Popen(command, stderr=harness.subprocess.PIPE, **options) as follow:
                try:
                    self.close_after_a_line(follow, options["stdout"])
                    self.assertEqual(follow.wait(harness.PATIENCE), -harness.signal.SIGPIPE)
                finally:
                    follow.kill()
                self.assertEqual(follow.stderr.read(), b"")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def enter_pty(self):
        self.master, slave = os.openpty()
        return slave

    def close_after_a_line(self, follow, stdout):
        if follow.stdout:
            self.assertIn(b"[a] starting", follow.stdout.readline())
            follow.stdout.close()
            return
        os.close(stdout)
        while b"[a] starting" not in os.read(self.master, 4096):
            pass
        os.close(self.master)

    def test_a_full_disk_ends_logs(self):
        daemon = self.daemon(puppet("a")).wait_started()
        with open("/dev/full", "wb") as full:
            done = harness.subprocess.run([harness.REEVECTL, "-s", daemon.control, "logs", "-f", "a"], stdout=full, check=False,
                                          stderr=harness.subprocess.PIPE, text=True, timeout=harness.PATIENCE)
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot write its output", done.stderr)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_module_speaks_for_itself_alone(self):
        daemon = self.daemon(HEARTBEAT + puppet("a") + puppet("b", "host = both") +
                             f"[module:c]\nload = {os.path.dirname(PUPPET)}/oddnames.so\nhost = both\n"
                             ).wait_started()
        self.act(daemon, "a", "say <3>[heart/beat#1] failed: forged")
        daemon.wait_log(r"error +\[a\] \[heart/beat#1\] failed: forged$")
        self.assertNotIn("forged", daemon.ctl("logs", "heart").stdout)
        self.assertIn("forged", daemon.ctl("logs", "a").stdout)
        # Those that share a process cannot be told apart by it.
        self.act(daemon, "b", "say [c] shared")
        daemon.wait_log(r"info +\[c\] shared$")
        self.act(daemon, "b", "say [a] foreign")
        daemon.wait_log(r"info +\[both\] \[a\] foreign$")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_one_tenant_cannot_use_up_anothers_lines(self):
        daemon = self.daemon(puppet("a", "host = both") +
                             f"[module:c]\nload = {os.path.dirname(PUPPET)}/breaker.so\nhost = both\n"
                             ).wait_started()
        def say(action):
            self.script(daemon, "a", action)
            # A run is answered a moment before the next may begin.
            harness.wait_until(lambda: daemon.ctl("run", "a/act", "--wait").returncode == 0, action)
        say("say-often [a] more and more")
        say("say [c] is heard")
        daemon.wait_log(r"\[c\] is heard")

        def is_told():
            # With its next line that passes.
            say("say [a] once more")
            return re.search(r"\[a\] \d+ lines were dropped: it logs more than", daemon.text())
        harness.wait_until(is_told, "the count of dropped lines")
        self.assertNotIn("[c] 1 line was dropped", daemon.text())
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_what_counts_is_not_dropped(self):
        daemon = self.daemon(puppet("a", "essential = no")).wait_ready("a")
        self.act(daemon, "a", "flood and fail")
        daemon.wait_log(r"\[a/act#1\] failed: as told")
        # Nothing more comes of it, and yet it is told how much is missing.
        daemon.wait_log(r"\[a\] \d+ lines were dropped: it logs more than 200 lines a second")
        self.assertEqual(daemon.ctl("submit", "a/work", stdin="flood and exit").returncode, 0)
        daemon.wait_log(r"\[a\] of the lines that were dropped: \[a\] my last words")
        daemon.wait_log(r"\[a\] exit code 7")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_part_of_a_line_takes_nothing_along(self):
        """A module that has not ended its line, however long that is."""
        daemon = self.daemon(puppet("a", "tick.every = never")).wait_started()
        self.script(daemon, "a", "begin-line and")
        self.assertEqual(daemon.ctl("run", "a/act", "--wait").returncode, 0)
        self.script(daemon, "a", "fail")
        self.assertEqual(daemon.ctl("run", "a/act", "--wait").returncode, 1)
        daemon.wait_log(r"warning +\[a/act#2\] failed: as told$")
        daemon.wait_log(r"info +\[a\] +andz+ \[\.\.\.\]$")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_line_that_is_too_long_says_so(self):
        daemon = self.daemon("[module:x]\nload = exec\nlog-output = always\nrun.every = 1000s\noutput-max = 64K\n"
                             "command = printf %5000s x\n").wait_started()
        self.assertRegex(daemon.wait_log(r"\[x/run#1\] +.*$").group(0), r" \[\.\.\.\]$|x$")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_json_lines(self):
        daemon = self.daemon(puppet("a"), daemon="log-format = json")
        daemon.wait_log('"text":"started"')
        self.act(daemon, "a", "fail")
        daemon.wait_log(r"\[a/act#1\] failed")
        daemon.daemon = "log-format = text"
        daemon.write(puppet("a"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        shown = [harness.json.loads(line)
                 for line in daemon.ctl("logs", "--json").stdout.splitlines()]
        self.assertEqual(daemon.stop(), 0, daemon.text())
        written = [harness.json.loads(line) for line in daemon.log if line and line[0] == "{"]
        # The same as its memory has, but for the numbers.
        for line in shown:
            del line["number"]
        self.assertEqual(written, shown[:len(written)])
        failure = next(line for line in written if "as told" in line["text"])
        self.assertEqual((failure["module"], failure["task"], failure["run"], failure["level"]),
                         ("a", "act", 1, "warning"))
        self.assertEqual([line["event"] for line in written if line["event"]], ["start", "ready"])
        # A reload changes it.
        self.assertRegex(daemon.log[-2], r"Z notice +stopped$")

    def test_the_log_in_memory_is_bounded(self):
        daemon = self.daemon(puppet("a"), daemon="log-level = debug").wait_started()
        for _ in range(30):
            daemon.ctl("reload")
        answer = daemon.ask("/v1/logs")[1]
        self.assertEqual(answer["lines"][-1]["number"], answer["last"])
        newest = daemon.ask(f"/v1/logs?after={answer['last'] - 2}&lines=2")[1]["lines"]
        self.assertLessEqual(len(newest), 2)
        self.assertEqual(daemon.ask("/v1/logs?after=-1")[0], 400)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    @tools.needs("bash")
    def test_completion(self):
        """bash's, with the few helpers that bash-completion would bring."""
        odd = f"[module:odd]\nload = {os.path.dirname(PUPPET)}/oddnames.so\n"
        daemon = self.daemon(puppet("alpha") + puppet("beta") + odd).wait_started()
        script = os.path.join(harness.BUILD, "ctl", "completion", "reevectl")

        def complete(*words):
            program = """
                _init_completion() { cur=${COMP_WORDS[COMP_CWORD]}; prev=${COMP_WORDS[COMP_CWORD-1]}
                                     words=("${COMP_WORDS[@]}"); cword=$COMP_CWORD; }
                _filedir() { :; }
                source "$1"; shift
                COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _reevectl; printf '%s\\n' "${COMPREPLY[@]}"
            """
            environment = dict(os.environ, REEVE_CONTROL=daemon.control,
                               PATH=os.path.dirname(harness.REEVECTL) + ":" + os.environ["PATH"])
            done = harness.subprocess.run(["bash", "-c", program, "bash", script, "reevectl", *words],
                                          capture_output=True, text=True, env=environment, check=True,
                                          cwd=daemon.folder)
            return done.stdout.splitlines()

        self.assertEqual(complete("re"), ["restart", "reload"])
        self.assertEqual(complete("--no"), ["--no-wait"])
        self.assertEqual(complete("stop", "al"), ["alpha"])
        self.assertEqual(complete("--json", "show", ""), ["alpha", "beta", "odd"])
        self.assertEqual(complete("run", "beta/"), ["beta/act", "beta/tick"])
        self.assertEqual(complete("submit", "")[:2], ["alpha/work", "beta/work"])
        # Names are a module's own: for the shell they are words, and nothing that it does.
        self.assertIn(r"odd/\$\(touch\ ran\)", complete("run", "odd/"))
        self.assertFalse(os.path.exists(os.path.join(daemon.folder, "ran")))
        self.assertEqual(complete("describe", "he"), ["heartbeat"])
        self.assertEqual(complete("--since", "1h", "logs", "b"), ["beta"])
        # Every command of the help is known to both shells.
        with open(os.path.join(os.path.dirname(script), "_reevectl"), encoding="utf-8") as file:
            zsh = file.read()
        for line in daemon.ctl("--help").stdout.split("\n\n")[1].splitlines():
            name = line.split()[0]
            if name != "names":
                self.assertIn(name, complete(name), name)
                self.assertRegex(zsh, rf"['\"]{name}:")
        # And every key of reeve.ini, as the tables that read it have it.
        keys = [key["name"] for key in harness.json.loads(daemon.ctl("keys", "--json").stdout)["keys"]]
        self.assertIn("TASK.on-error", keys)
        self.assertEqual(set(complete("keys", "")), set(keys))
        self.assertEqual(complete("keys", "restart-d"), ["restart-delay", "restart-delay-max"])
        described = zsh.split("_reevectl_keys() {")[1].split("\n    )")[0]
        self.assertEqual(re.findall(r"(?m)^        '([^:]+):\S", described), keys)
        # And every option.
        for name in re.findall(r"(?m)^ .*?(--[a-z-]+)", daemon.ctl("--help").stdout.split("\n\n")[2]):
            self.assertIn(name, complete(name), name)
            self.assertIn(name, zsh)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_top_list_and_show(self):
        daemon = self.daemon(puppet("a", "act.at = daily")).wait_started()
        top = daemon.ctl("top").stdout
        self.assertRegex(top, r"(?m)^a +ready +[1-9]\d*\.\d +0\.0 +0 +0 ")
        listed = harness.json.loads(daemon.ctl("list", "--json").stdout)
        self.assertEqual({t["task"]: t["schedule"] for t in listed},
                         {"act": "at *-*-* 00:00:00", "tick": "every 20ms"})
        self.assertEqual([len(t["next"]) for t in listed], [5, 5])
        self.assertRegex(daemon.ctl("list").stdout, r"(?m)^a/act +at \*-\*-\* 00:00:00 ")
        self.assertRegex(daemon.ctl("show", "a").stdout, r"(?m)^state +ready$")
        self.assertIn('there is no module "ab"', daemon.ctl("show", "ab").stderr)
        # As far as calendars go.
        daemon.write(puppet("a", "act.at = 2150..2156-02-29 UTC"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        listed = harness.wait_until(lambda: [t["next"] for t in harness.json.loads(daemon.ctl("list", "--json").stdout)
                                             if t["schedule"].startswith("at 2150")], "the new schedule")
        self.assertEqual([time[:10] for time in listed[0]], ["2152-02-29", "2156-02-29"])
        self.assertEqual(daemon.stop(), 0, daemon.text())


NOBODY, NOGROUP = 65534, 65534


@harness.unittest.skipUnless(os.geteuid() == 0, "needs root, to be somebody else")
class Peers(PuppetTest):
    def as_nobody(self, daemon, *words, stdin=""):
        return harness.subprocess.run(
            [harness.REEVECTL, "-s", daemon.control, *words], input=stdin, capture_output=True,
            text=True, timeout=harness.PATIENCE, check=False, user=NOBODY, group=NOGROUP,
            extra_groups=[])

    def start_open(self, *lines):
        daemon = self.daemon(puppet("a"), daemon="\n".join(lines))
        os.chmod(daemon.folder, 0o755)
        return daemon.wait_started()

    def test_nobody_is_named(self):
        daemon = self.start_open()
        done = self.as_nobody(daemon, "status")
        self.assertEqual(done.returncode, 4)
        self.assertIn("permission denied; try it as root or as reeved's user", done.stderr)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_who_may_look_may_not_change(self):
        daemon = self.start_open("control-read = nobody")
        for words in (["status"], ["list"], ["tree"], ["check"], ["show", "a"]):
            self.assertEqual(self.as_nobody(daemon, *words).returncode, 0, words)
        for words in (["run", "a/act"], ["submit", "a/work"], ["stop", "a"], ["start", "a"],
                      ["restart", "a"], ["reload"]):
            done = self.as_nobody(daemon, *words)
            self.assertEqual(done.returncode, 4, words)
            self.assertIn("user 65534 may not do this: root, the daemon's own user and those of "
                          "control-write in [daemon] may", done.stderr)
        daemon.wait_log(r"warning control: refused uid 65534, pid \d+: it may not change anything")
        self.assertEqual(daemon.module("a")["starts"], 1)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        # The log has not been filled by it.
        self.assertEqual(daemon.text().count("refused uid"), 1)
        daemon.wait_log("control: refused 5 further requests within a minute: uid 65534 may not change anything")

    def test_a_group_may_change(self):
        daemon = self.start_open("control-write = @nogroup")
        done = self.as_nobody(daemon, "restart", "a")
        self.assertEqual((done.returncode, done.stdout), (0, "a restarted\n"), done.stderr)
        daemon.wait_log(r"\[a\] restart: asked for by pid \d+ uid 65534")
        # A reload takes it away, also from who is connected.
        daemon.daemon = "control-read = 12345"
        daemon.write(puppet("a"))
        self.assertEqual(self.as_nobody(daemon, "reload").returncode, 0)
        done = self.as_nobody(daemon, "status")
        self.assertEqual(done.returncode, 4)
        self.assertIn("may not look", done.stderr)
        daemon.daemon = ""
        daemon.write(puppet("a"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        harness.wait_until(lambda: self.as_nobody(daemon, "status").returncode == 4, "a closed socket")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_errors(self):
        code, errors = self.run_reeved(puppet("a"), daemon="control-read = nobodyy\n"
                                       "control-write = @nogroup @nogrp")
        self.assertEqual(code, 1)
        self.assertIn("control-read = nobodyy: expected users of /etc/passwd, their numbers, or groups "
                      "as @GROUP", errors)
        self.assertIn("expected groups of /etc/group behind '@', or their numbers", errors)


if __name__ == "__main__":
    harness.main()
