#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Modules that go down and come up in the order of what they require, in operations and in reloads.
In comments a <- b means: b requires a."""
import os

import harness
from operating import GoalTest, SLOW
from puppetry import HEARTBEAT, puppet


class InOrder(GoalTest):
    INITS = ["a init", "b init", "c init"]

    def chain(self, a=(), b=(), c=()):
        return puppet("a", *a) + puppet("b", "requires = a", *b) + puppet("c", "requires = b", *c)

    def test_a_crash_takes_down_from_the_top(self):
        daemon = self.daemon(self.chain(c=SLOW), daemon="shutdown-timeout = 1000s").wait_started()
        release = self.hold(daemon, "c")
        daemon.kill("a")
        self.wait_state(daemon, "c", "stopping")
        # The new a is there long before; b uses the old one for as long as it is used itself.
        self.wait_state(daemon, "a", "waiting")
        self.assertIn("waits for module b", self.words(daemon, "a"))
        self.assertEqual(self.state(daemon, "b"), "ready")
        release()
        harness.wait_until(lambda: self.states(daemon, "abc") == ["ready"] * 3, "all to be back")
        self.assertEqual(self.trace(daemon), self.INITS + ["c reads", "c has read", "c fini", "b fini"] + self.INITS)
        self.assert_stops(daemon)

    def test_no_new_one_beside_the_old_ones_user(self):
        daemon = self.daemon(self.chain(c=SLOW), daemon="shutdown-timeout = 1000s").wait_started()
        release = self.hold(daemon, "c")
        daemon.kill("b")
        self.wait_state(daemon, "c", "stopping")
        self.wait_state(daemon, "b", "waiting")
        self.assertEqual(self.trace(daemon).count("b init"), 1)
        release()
        harness.wait_until(lambda: self.states(daemon, "abc") == ["ready"] * 3, "all to be back")
        self.assert_stops(daemon)

    def test_a_reload_is_answered_when_all_are_back(self):
        spool = "[module:a]\nload = spool\ndirectory = spool\ncommand = true {}\n"
        daemon = self.daemon(spool.format("old") + puppet("b", "requires = a", *SLOW) +
                             puppet("c", "requires = b", *SLOW), daemon="shutdown-timeout = 1000s").wait_started()
        release = self.hold(daemon, "c")
        daemon.write(spool.format("new") + puppet("b", "requires = a", *SLOW) +
                     puppet("c", "requires = b", "on-init = fail", "essential = no", "restart-limit = 1/1000s", *SLOW))
        reload = daemon.ask_later("/v1/reload", "POST")
        self.wait_state(daemon, "c", "stopping")
        self.assertEqual(self.states(daemon, "ab"), ["ready", "ready"])
        release()
        status, answer = reload.answer()
        self.assertEqual(status, 409, answer)
        self.assertRegex(str(answer), r"\[module:c\] is (in its backoff|failed): init failed: as told")
        self.assertEqual(self.states(daemon, "ab"), ["ready", "ready"])
        order = [line for line in self.trace(daemon) if "fini" in line]
        self.assertEqual(order, ["c fini", "b fini"])
        self.assert_stops(daemon)

    def test_removed_modules_go_in_order(self):
        daemon = self.daemon(HEARTBEAT + self.chain()).wait_started()
        daemon.write(HEARTBEAT)
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.assertEqual(self.trace(daemon), self.INITS + ["c fini", "b fini", "a fini"])
        self.assert_stops(daemon)

    def test_what_no_longer_requires_it_stays(self):
        daemon = self.daemon(self.chain()).wait_started()
        pid = daemon.module("c")["pid"]
        daemon.write(puppet("a") + puppet("c"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.assertEqual((daemon.module("c")["pid"], self.state(daemon, "c")), (pid, "ready"))
        self.assert_nothing_to_do(daemon)
        self.assert_stops(daemon)

    def test_a_move_takes_its_requirers_along_and_never_runs_twice(self):
        daemon = self.daemon(self.chain(b=SLOW), daemon="shutdown-timeout = 1000s").wait_started()
        release = self.hold(daemon, "b")
        daemon.write(self.chain(b=("host = elsewhere", *SLOW)))
        reload = daemon.ask_later("/v1/reload", "POST")
        self.wait_trace(daemon, "c fini")
        harness.wait_until(lambda: "moves from host b to elsewhere, stopping" in self.words(daemon, "b"), "the new b to wait")
        self.assertEqual(self.trace(daemon).count("b init"), 1)
        release()
        self.assertEqual(reload.answer()[0], 200)
        self.assertEqual(self.trace(daemon)[3:], ["b reads", "c fini", "b has read", "b fini", "b init", "c init"])
        self.assert_nothing_to_do(daemon)
        self.assert_stops(daemon)

    def test_requirements_that_turn_round_as_modules_move(self):
        """The modules that leave ran by the old order and the others go by the new one, which no order of stops can keep both."""
        moved = "host = elsewhere"
        cases = [({"a": "requires = b", "b": ""}, {"a": moved, "b": "requires = a"}),
                 ({"a": "requires = c", "b": "", "c": "requires = b"}, {"a": moved, "b": "requires = a", "c": "requires = b"}),
                 ({"a": "requires = x", "b": "requires = y", "x": "", "y": ""},
                  {"a": moved, "b": f"{moved}2", "x": "requires = b", "y": "requires = a"})]
        for stops in False, True:
            for before, after in cases:
                text = lambda lines: "".join(puppet(name, line, *SLOW) for name, line in lines.items())
                with self.subTest(after, stops=stops):
                    daemon = self.daemon(text(before), daemon="shutdown-timeout = 1000s").wait_started()
                    # All are stopped while the first that goes has not gone yet.
                    release = self.hold(daemon, "a") if stops else None
                    daemon.write(text(after))
                    reload = daemon.ask_later("/v1/reload", "POST")
                    if release:
                        harness.wait_until(lambda: ", stopping" in self.words(daemon, "a"), "a to go")
                        daemon.signal(harness.signal.SIGTERM)
                        daemon.wait_log("stopping: SIGTERM")
                        release()
                        self.assertEqual(daemon.wait(), 0, daemon.text())
                        continue
                    self.assertEqual(reload.answer()[0], 200)
                    self.assertEqual({m["name"]: m["state"] for m in daemon.status()["modules"]}, dict.fromkeys(after, "ready"))
                    self.assert_nothing_to_do(daemon)
                    self.assert_stops(daemon)

    def test_a_stop_waits_for_what_leaves(self):
        def text(*lines):
            return puppet("a", *SLOW) + puppet("b", "requires = a", *SLOW, *lines) + puppet("c")
        daemon = self.daemon(text(), daemon="shutdown-timeout = 1000s").wait_started()
        release = self.hold(daemon, "b")
        daemon.write(text("host = elsewhere"))
        reload = daemon.ask_later("/v1/reload", "POST")
        harness.wait_until(lambda: "moves from host b to elsewhere, stopping" in self.words(daemon, "b"), "the move")
        module = daemon.module("b")
        self.assertEqual((module["host"], module["starts"], module["pools"][0]["active"]), ("b", 1, 1))
        self.assertGreater(module["pid"], 0)
        stops = [self.later(daemon, "stop", name) for name in "ba"]
        harness.wait_until(lambda: daemon.text().count("stop: asked for") == 2, "the stops")
        self.assertEqual(self.state(daemon, "b"), "stopping")
        self.assertEqual([stop.is_done() for stop in stops], [False, False])
        release()
        self.assertEqual([stop.answer()[0] for stop in stops], [200, 200])
        self.assertRegex(str(reload.answer()[1]), r"module:b\] is overtaken by stop of module [ab]")
        self.assertEqual((self.state(daemon, "b"), self.words(daemon, "b")), ("stopped", "stopped"))
        self.assertEqual((daemon.module("b")["host"], daemon.module("b")["starts"]), ("elsewhere", 1))
        self.assertEqual(self.trace(daemon)[3:], ["b reads", "b has read", "b fini", "a fini"])
        self.assert_nothing_to_do(daemon)
        self.assert_stops(daemon)

    def test_what_comes_to_require_a_new_one_restarts_with_it(self):
        daemon = self.daemon(puppet("a")).wait_started()
        release = self.hold(daemon, "a")
        daemon.write(puppet("b") + puppet("a", "requires = b", *SLOW))
        steps = {s["module"]: s for s in daemon.ask("/v1/plan")[1]["steps"]}
        self.assertEqual((steps["a"]["step"], steps["a"]["because"], steps["b"]["step"]), ("restart", "b", "add"))
        self.assertIn("work", str(steps["a"]))
        reload = daemon.ask_later("/v1/reload", "POST")
        self.wait_state(daemon, "a", "stopping")
        self.assertFalse(reload.is_done())
        release()
        self.assertEqual(reload.answer()[0], 200)
        self.assertEqual(self.states(daemon, "ab"), ["ready"] * 2)
        self.assertEqual(self.trace(daemon), ["a init", "a reads", "a has read", "a fini", "b init", "a init"])
        self.assert_nothing_to_do(daemon)
        self.assert_stops(daemon)

    def test_what_comes_to_require_one_that_does_not_run(self):
        """It cannot go on, as the plan says, and the reload is told that it waits."""
        breaker = puppet("b", "on-init = fail", "essential = no", "restart-limit = 1/1000s")
        for kind, state in ("", "stopped"), (breaker, "failed"):
            for line in "", "words = x":
                with self.subTest(state=state, line=line):
                    base = kind or puppet("b")
                    daemon = self.daemon(base + puppet("a"), daemon="shutdown-timeout = 1000s").wait_started()
                    if not kind:
                        self.assertEqual(daemon.ctl("stop", "b").returncode, 0)
                    harness.wait_until(lambda: self.state(daemon, "b") == state, state)
                    self.act(daemon, "a", "wait")
                    self.wait_trace(daemon, "a waits")
                    daemon.write(base + puppet("a", "requires = b", line))
                    plan = daemon.ctl("reload", "--plan").stdout
                    self.assertRegex(plan, rf"(?m)^a +restart +it requires b, which is {state}; stops run act#1$")
                    self.assertRegex(plan, r"(?m)^b +keep")
                    done = daemon.ctl("reload")
                    self.assertEqual(done.returncode, 1, done.stdout)
                    self.assertIn(f"[module:a] waits for module b, which is {state}", done.stdout + done.stderr)
                    self.assertEqual(self.state(daemon, "a"), "waiting")
                    self.assertIn(f"a cancelled: reload: it requires module b, which is {state}", self.trace(daemon))
                    self.assert_nothing_to_do(daemon)
                    if not kind:
                        self.assertEqual(daemon.ctl("start", "b").returncode, 0)
                        harness.wait_until(lambda: self.state(daemon, "a") == "ready", "a to be back")
                    self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_reload_restarts_one_that_does_not_run(self):
        """It takes nobody along then; but who starts after it, or restarts with it, is waited for."""
        rest = "restart = never", "essential = no"
        pause = "restart-delay = 1000s", "restart-delay-max = 1000s", "essential = no"

        def paused(name, *lines):
            return puppet(name, *pause, *lines).replace("restart-delay = 1ms\n", "", 1)
        for before, after, states, failing in (
                (puppet("b", "on-init = fail", *rest) + puppet("a", "requires = b", "on-init = fail", *rest),
                 puppet("b", "nice = 1", *rest) + puppet("a", "requires = b", "on-init = fail", *rest),
                 ["failed", "waiting"], ["a"]),
                (paused("b", "on-init = fail") + puppet("a", *rest),
                 paused("b", "nice = 1") + puppet("a", "requires = b", "on-init = fail", *rest),
                 ["backoff", "ready"], ["a"]),
                (puppet("b") + paused("a", "requires = b", "on-init = fail"),
                 puppet("b", "nice = 1") + paused("a", "requires = b"),
                 ["ready", "backoff"], [])):
            with self.subTest(before=states):
                daemon = self.daemon(HEARTBEAT + before).wait_started()
                harness.wait_until(lambda: self.states(daemon, "ba") == states, states)
                daemon.write(HEARTBEAT + after)
                done = daemon.ctl("reload")
                self.assertEqual(done.returncode, 1 if failing else 0, done.stdout)
                for name in failing:
                    self.assertIn(f"[module:{name}] is failed: init failed: as told", done.stderr)
                self.assertEqual(self.states(daemon, "ba"), ["ready", "failed" if failing else "ready"])
                self.assert_nothing_to_do(daemon)
                self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_what_waits_for_one_that_a_reload_starts_goes_along(self):
        """And what also waits for another, which nobody starts, does not."""
        def text(base, user):
            lines = "restart = never", "essential = no"
            return (puppet("b", f"on-init = {base}", *lines) + puppet("a", "requires = b", f"on-init = {user}", *lines) +
                    puppet("top", "requires = a", *lines) + puppet("later", "after = b", *lines) +
                    puppet("other", "on-init = fail", *lines) + puppet("both", "requires = b other", *lines))
        for user, states in ("fail", ["failed", "waiting"]), ("nothing", ["ready"] * 2):
            with self.subTest(user=user):
                daemon = self.daemon(text("fail", user)).wait_started()
                names = "b", "other", "a", "top", "both", "later"
                before = ["failed", "failed", "waiting", "waiting", "waiting", "ready"]
                harness.wait_until(lambda: self.states(daemon, names) == before, "all to rest")
                self.assert_nothing_to_do(daemon)
                daemon.write(text("nothing", user))
                plan = daemon.ctl("reload", "--plan").stdout
                for line in (r"b +reload", r"a +keep +waits for b, and starts after it",
                             r"top +keep +waits for a, and starts after it", r"both +keep", r"other +keep"):
                    self.assertRegex(plan, rf"(?m)^{line} *$")
                done = daemon.ctl("reload")
                self.assertEqual(done.returncode, 1 if user == "fail" else 0, done)
                self.assertEqual("[module:a] is failed: init failed: as told" in done.stderr, user == "fail", done)
                self.assertEqual("[module:top] waits for module a, which is failed" in done.stderr, user == "fail", done)
                self.assertNotIn("[module:both]", done.stderr)
                self.assertEqual(self.states(daemon, names), ["ready", "failed", *states, "waiting", "ready"])
                self.assert_nothing_to_do(daemon)
                self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_crash_of_what_is_removed_is_nobodys_loss(self):
        daemon = self.daemon(puppet("a", *SLOW) + puppet("b"), daemon="shutdown-timeout = 1000s").wait_started()
        pid = daemon.module("a")["pid"]
        self.act(daemon, "a", "crash")
        self.wait_restarted(daemon, "a", pid)
        self.assertIn("SIGSEGV in act", daemon.module("a")["crash"])
        self.assertIn("a:crash", daemon.health()["checks"])
        release = self.hold(daemon, "a")
        daemon.write(puppet("b"))
        reload = daemon.ask_later("/v1/reload", "POST")
        harness.wait_until(lambda: self.state(daemon, "a") == "stopping", "the removal")
        self.assertEqual(daemon.module("a")["crash"], "")
        self.assertNotIn("a:crash", daemon.health()["checks"])
        release()
        self.assertEqual(reload.answer()[0], 200)
        self.assert_stops(daemon)

    def test_what_is_removed_is_shown_until_it_is_gone(self):
        daemon = self.daemon(puppet("a", *SLOW) + puppet("b"), daemon="shutdown-timeout = 1000s").wait_started()
        release = self.hold(daemon, "a")
        daemon.write(puppet("b"))
        reload = daemon.ask_later("/v1/reload", "POST")
        harness.wait_until(lambda: self.state(daemon, "a") == "stopping", "the removal")
        module = daemon.module("a")
        self.assertTrue(module["leaving"])
        self.assertEqual(module["pools"][0]["active"], 1)
        self.assertRegex(module["output"], "^no longer configured, stopping")
        # It is nobody's loss.
        self.assertEqual(daemon.health()["status"], "pass")
        self.assertEqual(daemon.request("/readyz")[0], 200)
        self.assertIn('reeve_module_state{module="a",state="stopping"} 1', daemon.request("/metrics")[2])
        self.assertRegex(daemon.ctl("tree").stdout, r"(?m)^ +a +stopping")
        self.assertEqual(self.operate(daemon, "restart", "a", 409)["error"],
                         "module a is no longer configured, and ends what is under way")
        stop = self.later(daemon, "stop", "a")
        harness.wait_until(lambda: "[a] stop: asked for" in daemon.text(), "the stop")
        self.assertFalse(stop.is_done())
        release()
        self.assertEqual(stop.answer()[0], 200)
        self.assertEqual(reload.answer()[0], 200)
        self.assertEqual([m["name"] for m in daemon.status()["modules"]], ["b"])
        self.assertIn('there is no module "a"', self.operate(daemon, "stop", "a", 404)["error"])
        self.assert_stops(daemon)

    def test_a_section_that_is_renamed_waits_for_its_old_self(self):
        """They want the same directory; another one of the same .so does not wait."""
        def spool(name, folder, command="cat gate; true"):
            return f"[module:{name}]\nload = spool\ndirectory = {folder}\ncommand = {command}\n"
        daemon = self.daemon(spool("a", "in"), start=False, daemon="shutdown-timeout = 1000s")
        os.mkfifo(self.path(daemon, "gate"))
        daemon.start().wait_ready()
        with open(self.path(daemon, "in/file"), "w", encoding="utf-8"):
            pass
        harness.wait_until(lambda: daemon.module("a")["pools"][0]["active"] == 1, "the command")
        daemon.write(spool("b", "in", "true") + spool("c", "other", "echo"))
        reload = daemon.ask_later("/v1/reload", "POST")
        harness.wait_until(lambda: {m["name"]: m["state"] for m in daemon.status()["modules"]}.get("c") == "ready",
                           "c to be ready")
        harness.wait_until(lambda: self.words(daemon, "b") == "waiting: waits for module a, which is stopping", "b to wait")
        harness.release(self.path(daemon, "gate"))
        self.assertEqual(reload.answer()[0], 200)
        self.assertEqual((self.state(daemon, "b"), daemon.module("b")["restarts"]), ("ready", 0))
        self.assert_nothing_to_do(daemon)
        self.assert_stops(daemon)

    def test_an_upgrade_to_another_wire_is_told_of_in_order(self):
        """upgrade_wire has the hosts; here the order of a chain of restarts by `restart`."""
        daemon = self.daemon(self.chain()).wait_started()
        self.operate(daemon, "restart", "a")
        self.assertEqual(self.states(daemon, "abc"), ["ready"] * 3)
        self.assertEqual(self.trace(daemon), self.INITS + ["c fini", "b fini", "a fini"] + self.INITS)
        self.assert_stops(daemon)


if __name__ == "__main__":
    harness.main()
