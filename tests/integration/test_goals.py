#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Operations, reloads and failures that meet each other: everybody who waits hears an end, and every module is where its
configuration and the last request say. In comments a <- b means: b requires a."""
import os
import shutil
import signal

import harness
from operating import SLOW, GoalTest
from puppetry import HEARTBEAT, PUPPET, puppet

GATED = os.path.join(harness.FIXTURES, "gated.so")
BREAKER = os.path.join(os.path.dirname(PUPPET), "breaker.so")
SLOTS = 512  # of a process


class Overtaking(GoalTest):
    def chain(self, slow="c"):
        """a <- b <- c, one of which holds up its stop."""
        return self.daemon("".join(puppet(name, *lines, *(SLOW if name == slow else ()))
                                   for name, lines in (("a", ()), ("b", ("requires = a",)),
                                                       ("c", ("requires = b",)))),
                           daemon="shutdown-timeout = 1000s").wait_started()

    def test_a_start_overtakes_the_stop_of_what_it_needs(self):
        daemon = self.chain()
        release = self.hold(daemon, "c")
        stop = self.later(daemon, "stop", "a")
        self.wait_state(daemon, "c", "stopping")
        self.operate(daemon, "start", "b")
        self.assert_overtaken(stop, "start of module b")
        release()
        self.wait_state(daemon, "c", "stopped")
        self.assertEqual(self.states(daemon, "ab"), ["ready", "ready"])
        self.operate(daemon, "start", "c")
        self.assert_stops(daemon)

    def test_a_start_overtakes_a_stop_under_way(self):
        daemon = self.chain("b")
        release = self.hold(daemon, "b")
        stop = self.later(daemon, "stop", "a")
        self.wait_state(daemon, "b", "stopping")
        start = self.later(daemon, "start", "b")
        self.assert_overtaken(stop, "start of module b")
        self.assertFalse(start.is_done())
        release()
        self.assertEqual(start.answer()[0], 200)
        self.assertEqual(self.states(daemon, "abc"), ["ready", "ready", "stopped"])
        self.assert_stops(daemon)

    def test_a_restart_leaves_alone_what_is_being_stopped(self):
        daemon = self.chain()
        release = self.hold(daemon, "c")
        stop = self.later(daemon, "stop", "c")
        self.wait_state(daemon, "c", "stopping")
        restart = self.later(daemon, "restart", "b")
        release()
        self.assertEqual(stop.answer()[0], 200)
        self.assertEqual(restart.answer()[0], 200)
        self.assertEqual(self.states(daemon, "abc"), ["ready", "ready", "stopped"])
        self.assertEqual(self.trace(daemon).count("c init"), 1)
        self.assert_stops(daemon)

    def test_a_restart_comes_back_from_a_stop(self):
        daemon = self.chain()
        release = self.hold(daemon, "c")
        stop = self.later(daemon, "stop", "b")
        self.wait_state(daemon, "c", "stopping")
        restart = self.later(daemon, "restart", "b")
        self.assert_overtaken(stop, "restart of module b")
        release()
        self.assertEqual(restart.answer()[0], 200)
        self.assertEqual(self.trace(daemon).count("b init"), 2)
        # Its own options are those of the file: it was held, and is not any more.
        text = "".join(puppet(name, f"tick.timeout = {timeout}", *lines) for name, timeout, lines in
                       (("a", "1s", ()), ("b", "7s", ("requires = a",)), ("c", "1s", ("requires = b",))))
        daemon.write(text)
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.assert_nothing_to_do(daemon)
        self.assertEqual(self.states(daemon, "abc"), ["ready", "ready", "stopped"])
        self.assert_stops(daemon)

    def test_who_asks_for_one_that_has_given_up_does_not_ask_its_policy(self):
        """It drains still; what is asked for begins when it is down."""
        for operation in "start", "restart", "words = x", "nice = 1":
            for policy in ("restart = never", "essential = no", "on-failed = exit"), ("restart-delay = 1000s", "restart-delay-max = 1000s"):
                with self.subTest(operation=operation, policy=policy):
                    def text(*lines, policy=policy):
                        return (puppet("a", "act.on-error = restart", *policy, *SLOW, *lines)
                                .replace("restart-delay = 1ms\n", ""))
                    daemon = self.daemon(text()).wait_ready("a")
                    release = self.hold(daemon, "a")
                    self.act(daemon, "a", "fail")
                    self.wait_state(daemon, "a", "stopping")
                    if "=" in operation:
                        daemon.write(text(operation))
                        asked = daemon.ask_later("/v1/reload", "POST")
                    else:
                        asked = self.later(daemon, operation, "a")
                    daemon.wait_log(r"\[a\] (start|restart|new settings): ")
                    release()
                    self.assertEqual(asked.answer()[0], 200)
                    module = daemon.module("a")
                    self.assertEqual((module["state"], module["starts"]), ("ready", 2))
                    self.assert_nothing_to_do(daemon)
                    self.assert_stops(daemon)

    def test_a_reload_that_finds_no_memory_says_for_what(self):
        daemon = self.daemon(puppet("a", "on-reload = fail for memory")).wait_started()
        daemon.write(puppet("a", "on-reload = fail for memory", "words = x"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        daemon.wait_log(r"\[a\] restarts: there was no memory to give it its new options: the cache cannot be had$")
        self.assertEqual((daemon.module("a")["state"], daemon.module("a")["starts"]), ("ready", 2))
        self.assert_stops(daemon)

    def test_a_reload_beside_the_end_of_one_before(self):
        """Its module is in reload(), after the work that it waited for."""
        daemon = self.daemon(puppet("a")).wait_started()
        os.mkfifo(self.path(daemon, "reload"))
        release = self.hold(daemon, "a")
        daemon.write(puppet("a", "on-reload = fifo reload", "reload-timeout = 1000s"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        release()
        harness.wait_until(lambda: daemon.module("a")["output"] == "takes its new options", "reload()")
        reload = daemon.ask_later("/v1/reload", "POST")
        harness.wait_until(lambda: daemon.ask("/v1/status")[1]["reloading"], "the reload")
        self.assertFalse(reload.is_done())
        harness.release(self.path(daemon, "reload"))
        self.assertEqual(reload.answer()[0], 200)
        daemon.wait_log(r"\[a\] reloaded")
        self.assert_stops(daemon)

    def test_a_reload_beside_the_restart_of_one_before(self):
        """Which was answered, and then had no end in time."""
        def text(*lines):
            return puppet("a", "reload-timeout = 50ms", "start-timeout = 1000s", "restart = never", "essential = no", *lines)
        daemon = self.daemon(text()).wait_ready("a")
        os.mkfifo(self.path(daemon, "init"))
        release = self.hold(daemon, "a")
        daemon.write(text("on-reload = wait", "on-init = fifo init"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        release()
        self.wait_state(daemon, "a", "starting")
        reload = daemon.ask_later("/v1/reload", "POST")
        harness.wait_until(lambda: daemon.ask("/v1/status")[1]["reloading"], "the reload")
        self.assertFalse(reload.is_done())
        harness.release(self.path(daemon, "init"))
        self.assertEqual(reload.answer()[0], 200)
        self.assert_stops(daemon)

    def test_a_person_who_starts_one_is_not_forgotten_for_a_reload(self):
        """That comes before the start, and gives it a cause of its own."""
        def text(*lines):
            return puppet("a", "act.on-error = stop", "tick.every = never", *SLOW, *lines)
        for line in "words = x", "nice = 1":
            for operations in ["restart"], ["stop", "start"]:
                with self.subTest(line=line, operations=operations):
                    daemon = self.daemon(text()).wait_started()
                    self.script(daemon, "a", "fail")
                    daemon.ctl("run", "a/act", "--wait")
                    self.script(daemon, "a", "nothing")
                    harness.wait_until(lambda: self.task(daemon, "a", "act")["state"] == "stopped", "the stop of the task")
                    release = self.hold(daemon, "a")
                    for operation in operations:
                        asked = self.later(daemon, operation, "a")
                        daemon.wait_log(rf"\[a\] {operation}: ")
                        self.wait_state(daemon, "a", "stopping")
                    daemon.write(text(line))
                    reload = daemon.ask_later("/v1/reload", "POST")
                    daemon.wait_log(r"\[a\] new settings: ")
                    release()
                    self.assertEqual((asked.answer()[0], reload.answer()[0]), (200, 200))
                    self.assertEqual(self.task(daemon, "a", "act")["state"], "waiting")
                    self.assert_stops(daemon)

    def test_who_starts_one_that_waits_starts_its_stopped_task(self):
        def text(*lines):
            return puppet("b", *lines) + puppet("a", "requires = b", "act.on-error = stop", "tick.every = never")
        for operation, state in (("restart", "waiting"), ("start", "waiting"), ("start", "starting")):
            with self.subTest(operation=operation, state=state):
                config = text() if state == "waiting" else text().replace("[module:a]", "[module:a]\nstart-timeout = 1000s")
                daemon = self.daemon(config).wait_started()
                self.script(daemon, "a", "fail")
                daemon.ctl("run", "a/act", "--wait")
                self.script(daemon, "a", "nothing")
                harness.wait_until(lambda: self.task(daemon, "a", "act")["state"] == "stopped", "the stop of the task")
                os.mkfifo(self.path(daemon, "init"))
                if state == "waiting":
                    daemon.write(text("on-init = fifo init", "start-timeout = 1000s", "nice = 1"))
                else:
                    daemon.write(config + "on-init = fifo init\nnice = 1\n")
                reload = daemon.ask_later("/v1/reload", "POST")
                self.wait_state(daemon, "a", state)
                asked = self.later(daemon, operation, "a")
                daemon.wait_log(rf"\[a\] {operation}: ")
                harness.release(self.path(daemon, "init"))
                self.assertEqual(reload.answer()[0], 200)
                status, answer = asked.answer()
                if state == "starting":
                    self.assertIn("its task act was stopped for an error: reevectl restart a starts it again", answer["error"])
                else:
                    self.assertEqual(status, 200)
                    self.assertEqual(self.task(daemon, "a", "act")["state"], "waiting")
                self.assert_stops(daemon)

    def test_two_who_ask_for_the_same(self):
        daemon = self.chain()
        release = self.hold(daemon, "c")
        waits = [self.later(daemon, "restart", "b"), self.later(daemon, "restart", "c"),
                 self.later(daemon, "start", "c")]
        self.wait_state(daemon, "c", "stopping")
        waits.append(self.later(daemon, "restart", "c"))
        release()
        self.assertEqual([wait.answer()[0] for wait in waits], [200] * 4)
        self.assertEqual(self.states(daemon, "abc"), ["ready"] * 3)
        self.assert_stops(daemon)

    def test_a_reload_overtakes_and_is_overtaken(self):
        daemon = self.chain()
        release = self.hold(daemon, "c")
        stop = self.later(daemon, "stop", "b")
        self.wait_state(daemon, "c", "stopping")
        daemon.write(puppet("a"))
        reload = daemon.ask_later("/v1/reload", "POST")
        # To be removed is to be stopped: nobody is disappointed.
        release()
        self.assertEqual(stop.answer()[0], 200)
        self.assertEqual(reload.answer()[0], 200)
        daemon.write(puppet("a") + puppet("b", "requires = a", "on-init = fifo init"))
        os.mkfifo(self.path(daemon, "init"))
        reload = daemon.ask_later("/v1/reload", "POST")
        self.wait_trace(daemon, "b init", 2)
        stop = self.later(daemon, "stop", "b")
        self.wait_state(daemon, "b", "stopping")
        with open(self.path(daemon, "init"), "w", encoding="utf-8"):
            pass
        self.assertEqual(stop.answer()[0], 200)
        status, answer = reload.answer()
        self.assertEqual(status, 409, answer)
        self.assertRegex(str(answer), r"\[module:b\] is overtaken by stop of module b")
        self.assert_stops(daemon)


class Blocked(GoalTest):
    """Modules that require one that does not come."""

    def broken(self):
        return puppet("a", "on-init = fail", "essential = no", "restart-limit = 1/1000s")

    def failed(self, *more):
        daemon = self.daemon(HEARTBEAT + self.broken() + puppet("b", "requires = a", "essential = no") +
                             "".join(more)).wait_started()
        self.wait_state(daemon, "a", "failed")
        return daemon

    def test_a_reload_does_not_wait(self):
        daemon = self.failed()
        self.assertEqual(daemon.module("b")["state"], "waiting")
        self.assertIn("waits for module a, which is failed: init failed: as told",
                      daemon.check("b:state")["output"])
        changed = HEARTBEAT + self.broken() + puppet("b", "requires = a", "essential = no", "words = x")
        daemon.write(changed)
        done = daemon.ctl("reload")
        self.assertEqual(done.returncode, 1)
        self.assertIn("[module:b] waits for module a, which is failed", done.stderr)
        # One that is new waits as well, and only that is named: of b nothing was asked.
        daemon.write(changed + puppet("c", "requires = b", "essential = no"))
        done = daemon.ctl("reload")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"reeve\.ini:\d+: \[module:c\] waits for module a, which is failed: init failed")
        self.assertNotIn("[module:b]", done.stderr)
        self.assert_nothing_to_do(daemon)
        # The one that repairs it is not held up.
        daemon.write(HEARTBEAT + puppet("a") + puppet("b", "requires = a", "words = x") + puppet("c", "requires = b"))
        done = daemon.ctl("reload")
        self.assertEqual(done.returncode, 0, done.stderr)
        harness.wait_until(lambda: self.states(daemon, "abc") == ["ready"] * 3, "all to be ready")
        self.assert_stops(daemon)

    def test_a_reload_beside_one_that_is_stopped_or_in_backoff(self):
        daemon = self.daemon(HEARTBEAT + puppet("s") + puppet("f", "on-init = fail", "essential = no",
                                                             "restart-delay-max = 1000s").replace("1ms", "1000s")
                             ).wait_started()
        self.operate(daemon, "stop", "s")
        self.wait_state(daemon, "f", "backoff")
        daemon.write(HEARTBEAT + puppet("s") + puppet("f", "on-init = fail", "essential = no",
                                                      "restart-delay-max = 1000s").replace("1ms", "1000s") +
                     puppet("x", "requires = s") + puppet("y", "requires = f") + puppet("z", "requires = y"))
        plan = daemon.ctl("reload", "--plan").stdout
        self.assertRegex(plan, r"(?m)^x +add +it requires s, which is stopped$")
        self.assertRegex(plan, r"(?m)^y +add +it requires f, which is in its backoff$")
        self.assertRegex(plan, r"(?m)^z +add +it requires y, which is waiting$")
        done = daemon.ctl("reload")
        self.assertEqual(done.returncode, 1)
        self.assertIn("[module:x] waits for module s, which is stopped", done.stderr)
        self.assertIn("[module:y] waits for module f, which is in its backoff: init failed", done.stderr)
        self.assertEqual(daemon.ctl("upgrade").returncode, 0, daemon.text())
        self.assert_stops(daemon)

    def test_what_restarts_for_its_own_sake_beside_one_that_is_stopped(self):
        daemon = self.daemon(puppet("s") + puppet("m", "host = one")).wait_started()
        self.operate(daemon, "stop", "s")
        daemon.write(puppet("s") + puppet("m", "host = two", "requires = s"))
        self.assertRegex(daemon.ctl("reload", "--plan").stdout, r"(?m)^m +restart +it requires s, which is stopped$")
        done = daemon.ctl("reload")
        self.assertEqual(done.returncode, 1)
        self.assertIn("[module:m] waits for module s, which is stopped", done.stderr)
        self.assert_stops(daemon)

    def test_operations_are_answered(self):
        daemon = self.failed()
        for what in ("start", "restart"):
            answer = self.operate(daemon, what, "b", 500)
            self.assertRegex(answer["error"], r"module b waits for module a, which is (failed|in its backoff): init failed")
        self.assertIn("waits for module a", daemon.ctl("status").stdout)
        self.operate(daemon, "stop", "b")
        self.assert_stops(daemon)

    def test_who_only_comes_after_it_does_not_wait(self):
        daemon = self.failed(puppet("d", "after = b"))
        self.wait_state(daemon, "d", "ready")
        self.assert_stops(daemon)

    def test_an_essential_one_ends_the_start(self):
        code, text = self.run_reeved(self.broken() + puppet("e", "requires = a"))
        self.assertEqual(code, 1, text)
        self.assertRegex(text, "essential module e could not start: it waits for module a, which is failed: init failed")

    def test_what_a_person_stops_during_the_start_is_not_waited_for(self):
        config = puppet("a", "on-init = fifo init", "start-timeout = 1000s") + puppet("e", "requires = a") + HEARTBEAT
        daemon = self.daemon(config, start=False)
        os.mkfifo(self.path(daemon, "init"))
        daemon.start()
        self.wait_trace(daemon, "a init")
        stop = self.later(daemon, "stop", "a")
        self.wait_state(daemon, "a", "stopping")
        with open(self.path(daemon, "init"), "w", encoding="utf-8"):
            pass
        self.assertEqual(stop.answer()[0], 200)
        daemon.wait_log(r"\[a\] is essential and was never ready: it is stopped")
        daemon.wait_started()
        self.assertEqual(daemon.health()["http"], 503)
        self.assert_stops(daemon)


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


class SharedHosts(GoalTest):
    """A slot of a host is a section, its file, and that file's identity."""

    def setUp(self):
        super().setUp()
        self.folder = harness.tempfile.mkdtemp(prefix="reeve-objects-")
        self.addCleanup(shutil.rmtree, self.folder)
        os.chmod(self.folder, 0o755)

    def copy(self, name, source=PUPPET):
        """A .so of its own, in place of one that was there before."""
        path = os.path.join(self.folder, f"{name}.so")
        shutil.copyfile(source, path + ".new")
        os.chmod(path + ".new", 0o644)
        os.rename(path + ".new", path)
        return path

    def tenant(self, name, path, *lines):
        return puppet(name, "host = h", *lines).replace(PUPPET, path)

    def filler(self, i):
        """A tenant whose file others may have, too."""
        return f"[module:m{i}]\nload = heartbeat\nhost = h\nfile = m{i}\nbeat.every = 1d\n"

    def breaker(self, name="z"):
        return f"[module:{name}]\nload = {BREAKER}\nhost = h\n"

    def tasks(self, daemon, name):
        return sorted(task["name"] for task in daemon.module(name)["tasks"])

    def assert_runs(self, daemon, name, path):
        """The file is mapped into the module's process, under that name, and nothing was deleted since."""
        with open(f"/proc/{daemon.module(name)['pid']}/maps", encoding="utf-8") as file:
            maps = file.read()
        self.assertIn(path + "\n", maps)
        self.assertNotIn(path + " (deleted)", maps)

    def reload(self, daemon, text):
        daemon.write(text)
        done = daemon.ctl("reload")
        self.assertEqual(done.returncode, 0, done.stderr + daemon.text())
        self.assert_nothing_to_do(daemon)

    def test_one_that_takes_the_place_of_another(self):
        first = self.copy("first")
        daemon = self.daemon(self.breaker() + self.tenant("a", first)).wait_started()
        self.reload(daemon, self.breaker())
        heart = "[module:b]\nload = heartbeat\nbeat.every = 20ms\nhost = h\n"
        self.reload(daemon, self.breaker() + heart)
        self.assertEqual(self.tasks(daemon, "b"), ["beat"])
        self.assertEqual(self.state(daemon, "b"), "ready")
        # And the other way round.
        self.reload(daemon, self.breaker() + self.tenant("c", first))
        self.assertEqual(self.tasks(daemon, "c"), ["act", "tick"])
        self.assert_stops(daemon)

    def test_one_that_comes_back_is_the_same_only_with_the_same_file(self):
        path = self.copy("first")
        daemon = self.daemon(self.breaker() + self.tenant("a", path)).wait_started()
        pid = daemon.module("z")["pid"]
        self.reload(daemon, self.breaker())
        self.reload(daemon, self.breaker() + self.tenant("a", path))
        self.assertEqual([daemon.module(name)["pid"] for name in "az"], [pid, pid])
        self.reload(daemon, self.breaker())
        self.copy("first")
        self.reload(daemon, self.breaker() + self.tenant("a", path))
        self.assertNotEqual(daemon.module("z")["pid"], pid)
        self.assert_runs(daemon, "a", path)
        self.assert_stops(daemon)

    def test_a_tenant_is_renamed(self):
        path = self.copy("first")
        daemon = self.daemon(self.breaker() + self.tenant("a", path)).wait_started()
        pid = daemon.module("z")["pid"]
        daemon.write(self.breaker() + self.tenant("b", path))
        steps = {s["module"]: s["step"] for s in daemon.ask("/v1/plan")[1]["steps"]}
        self.assertEqual(steps, {"a": "remove", "b": "add", "z": "restart"})
        self.reload(daemon, self.breaker() + self.tenant("b", path))
        self.assertEqual(self.states(daemon, "bz"), ["ready", "ready"])
        self.assertNotEqual(daemon.module("b")["pid"], pid)
        self.assertEqual(daemon.module("z")["restarts"], 0)
        self.assert_stops(daemon)

    def test_two_tenants_swap_their_names_and_files(self):
        one, two = self.copy("one"), self.copy("two", BREAKER)

        def text(a, b):
            return f"[module:a]\nload = {a}\nhost = h\n[module:b]\nload = {b}\nhost = h\n"
        daemon = self.daemon(text(one, two)).wait_started()
        self.reload(daemon, text(two, one))
        self.assertEqual(self.tasks(daemon, "b"), ["act", "tick"])
        self.assert_runs(daemon, "a", two)
        self.assert_stops(daemon)

    def test_the_same_file_by_two_names(self):
        path = self.copy("first")
        os.link(path, os.path.join(self.folder, "second.so"))
        code, text = self.run_reeved(self.tenant("a", path) +
                                     self.tenant("b", os.path.join(self.folder, "second.so")))
        self.assertEqual(code, 1)
        self.assertRegex(text, r"\[module:b\] and \[module:a\] load the same .*second\.so in one host")

    def test_many_come_and_go(self):
        """More than a process has slots."""
        path = [self.copy(f"m{i}") for i in range(3)]
        daemon = self.daemon(self.breaker()).wait_started()
        for i in range(40):
            self.reload(daemon, self.breaker() + self.tenant(f"m{i}", path[i % 3]))
            self.assertEqual(self.states(daemon, [f"m{i}", "z"]), ["ready", "ready"])
        # The same of a file that is reentrant: in the slots of one process, as long as there are any.
        for first in range(0, SLOTS + 100, 100):
            self.reload(daemon, self.breaker() + "".join(self.filler(first + i) for i in range(100)))
            self.assertEqual(self.states(daemon, [f"m{first}", f"m{first + 99}", "z"]), ["ready"] * 3)
        self.assert_stops(daemon)

    def test_sections_of_a_reentrant_file(self):
        """They have states, tasks and counts of their own in one process."""
        def text(*names, log="no"):
            return "".join(f"[module:{name}]\nload = heartbeat\nhost = h\nbeat.every = never\nfile = {name}\nlog = {log}\n"
                           for name in names)
        daemon = self.daemon(text("a", "b")).wait_ready()
        pid = daemon.module("a")["pid"]
        self.assertEqual(daemon.module("b")["pid"], pid)
        for name in "abb":
            self.assertEqual(daemon.ctl("run", f"{name}/beat", "--wait").returncode, 0)
        runs = {m["name"]: m["tasks"][0]["runs"] for m in daemon.status()["modules"]}
        self.assertEqual(runs["b"] - runs["a"], 1)
        self.assertTrue(all(os.path.exists(os.path.join(daemon.state, name)) for name in "ab"))
        # One comes, one is renamed, one stops: the process stays.
        self.reload(daemon, text("a", "b", "c"))
        self.reload(daemon, text("a", "c", "d"))
        self.assertEqual(daemon.ctl("restart", "c").returncode, 0)
        self.reload(daemon, text("a", "c", "d", log="yes"))
        self.assertEqual({m["pid"] for m in daemon.status()["modules"]}, {pid})
        self.assertEqual(self.states(daemon, "acd"), ["ready"] * 3)
        # One crash is everybody's.
        os.kill(pid, signal.SIGKILL)
        for name in "acd":
            self.wait_restarted(daemon, name, pid)
        self.assert_stops(daemon)

    def test_a_file_that_is_not_reentrant_comes_twice(self):
        path = self.copy("first")
        daemon = self.daemon(self.tenant("a", path)).wait_started()
        daemon.write(self.tenant("a", path) + self.tenant("b", path))
        done = daemon.ctl("reload")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"\[module:b\] and \[module:a\] load the same .*first\.so in one host \"h\", where they "
                                      "would share its variables, as it is not reentrant")
        self.assertEqual([m["name"] for m in daemon.status()["modules"]], ["a"])
        self.assert_stops(daemon)

    def test_more_pools_than_a_process_has_records_for(self):
        path = {name: self.copy(name, os.path.join(os.path.dirname(PUPPET), "manypools.so")) for name in "xy"}
        def tenant(name, host):
            return f"[module:{name}]\nload = {path[name]}\nhost = {host}\nessential = no\nrestart = never\n"
        daemon = self.daemon(tenant("x", "h")).wait_ready("x")
        daemon.write(tenant("x", "h") + tenant("y", "h"))
        done = daemon.ctl("reload")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("no room for pool p24: its process has had 64 already, which is the most; give the module a host of "
                      "its own", done.stderr)
        self.assertEqual(len(daemon.module("x")["pools"]), 40)
        daemon.write(tenant("x", "h") + tenant("y", "other"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.assertEqual([len(daemon.module(name)["pools"]) for name in "xy"], [40, 40])
        self.assert_stops(daemon)

    def test_several_come_and_there_is_a_slot_for_one(self):
        """The plan says who restarts for that, and that its work stops."""
        text = "".join
        here = [self.filler(i) for i in range(SLOTS)]
        half = SLOTS // 2 - 1
        stays = self.tenant("a", self.copy("first"), "drain = 1000s", "drain-stall = 1000s")
        daemon = self.daemon(stays + text(here[:half])).wait_started()
        self.reload(daemon, stays + text(here[half:2 * half]))
        pid = daemon.module("a")["pid"]
        release = self.hold(daemon, "a")
        daemon.write(stays + text(here[half:]))
        self.assertRegex(daemon.ctl("reload", "--plan").stdout, r"(?m)^a +restart stops 1 job of work$")
        reload = daemon.ask_later("/v1/reload", "POST")
        self.wait_state(daemon, "a", "stopping")
        release()
        self.assertEqual(reload.answer()[0], 200)
        self.assertNotEqual(daemon.module("a")["pid"], pid)
        self.assert_stops(daemon)

    def test_none_comes_back_into_a_process_that_is_to_end(self):
        path = self.copy("first")
        daemon = self.daemon(self.breaker() + self.tenant("a", path, *SLOW) +
                             self.tenant("quick", self.copy("quick")), daemon="shutdown-timeout = 1000s").wait_started()
        pid = daemon.module("a")["pid"]
        release = self.hold(daemon, "a")
        self.copy("quick")
        reload = daemon.ask_later("/v1/reload", "POST")
        self.wait_state(daemon, "quick", "waiting")
        self.assertIn("waits for the last process of its host to end", self.words(daemon, "quick"))
        self.assertEqual(self.state(daemon, "a"), "stopping")
        release()
        self.assertEqual(reload.answer()[0], 200)
        self.assertNotEqual(daemon.module("quick")["pid"], pid)
        self.assert_runs(daemon, "quick", os.path.join(self.folder, "quick.so"))
        self.assert_stops(daemon)

    def test_an_exit_code_of_0_brings_all_tenants_back(self):
        """exit(0) anywhere ends them all, and nobody can say whose it was."""
        daemon = self.daemon(puppet("a", "host = h", "essential = no") + HEARTBEAT + "host = h\nessential = no\n").wait_started()
        pid = daemon.module("a")["pid"]
        daemon.wait_ready("a")
        self.act(daemon, "a", "exit 0")
        harness.wait_until(lambda: self.states(daemon, ("a", "heart")) == ["ready", "ready"] and
                           daemon.module("heart")["pid"] not in (0, pid), "both to be back")
        self.assertEqual(daemon.module("a")["last_restart"]["kind"], "exit")
        # Alone it is no other matter.
        daemon.write(puppet("a", "host = h", "essential = no"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        mark = daemon.mark()
        self.act(daemon, "a", "exit 0")
        daemon.wait_log(r"\[a\] exit code 0: something in it has called exit\(\); restart \d ", mark)
        self.assert_stops(daemon)

    def test_a_crash_loads_what_lies_there(self):
        """A reload goes by what the process has loaded, also when that is newer than the configuration."""
        for rest in "", self.breaker():
            with self.subTest(rest):
                path = self.copy("first")
                config = rest + self.tenant("a", path)
                daemon = self.daemon(config).wait_started()
                os.rename(path, path + ".old")
                self.copy("first")
                pid = daemon.kill("a")
                daemon.wait_log(r"\[a\] \S+first\.so is another file than at the last reload: it runs the new one")
                self.wait_restarted(daemon, "a", pid)
                daemon.wait_ready()
                self.assert_runs(daemon, "a", path)
                # What it runs is what the files say by now.
                self.assert_nothing_to_do(daemon)
                pid = daemon.module("a")["pid"]
                self.assertEqual(daemon.ctl("upgrade").returncode, 0)
                self.assert_nothing_to_do(daemon)
                # One that comes back into the same process is no other one.
                self.operate(daemon, "stop", "a")
                self.operate(daemon, "start", "a")
                self.assertEqual(daemon.module("a")["pid"] == pid, bool(rest))
                self.assert_runs(daemon, "a", path)
                # And back.
                os.rename(path + ".old", path)
                plan = {s["module"]: s["step"] for s in daemon.ask("/v1/plan")[1]["steps"]}
                self.assertEqual(plan["a"], "restart")
                self.reload(daemon, config)
                self.assert_runs(daemon, "a", path)
                self.assert_stops(daemon)

    def test_what_a_host_says_late(self):
        """It loads a's old file while the reload that gives a another one is applied."""
        def text(a, b):
            return self.tenant("a", a, "grace = 1000s") + self.tenant("b", b, "grace = 1000s")
        one, two = self.copy("one"), self.copy("two")
        daemon = self.daemon(text(one, two)).wait_started()
        self.operate(daemon, "stop", "a")
        pid = daemon.kill("b", harness.signal.SIGSTOP)
        start = self.later(daemon, "start", "a")
        self.wait_state(daemon, "a", "starting")
        daemon.write(text(two, one))
        reload = daemon.ask_later("/v1/reload", "POST")
        daemon.wait_log(r"\[b\] new settings: restart")
        os.kill(pid, harness.signal.SIGCONT)
        self.assertEqual(reload.answer()[0], 200)
        self.assertEqual(start.answer()[0], 200)
        self.assert_nothing_to_do(daemon)
        for name, path in ("a", two), ("b", one):
            self.assert_runs(daemon, name, path)
        self.assertLessEqual(daemon.text().count("[a] starting again"), 2, daemon.text())
        self.assert_stops(daemon)

    def test_a_file_that_is_replaced_while_it_is_loaded(self):
        """The module runs the file that is there, or none."""
        for rest in "", self.breaker():
            with self.subTest(rest):
                path = self.copy("gated", GATED)
                text = f"[module:g]\nload = {path}\nhost = h\nrestart-delay = 1ms\nessential = no\n"
                daemon = self.daemon(HEARTBEAT + rest + text, start=False)
                os.mkfifo(self.path(daemon, "gate"))
                daemon.start()
                # The writer comes through when the constructor has opened the fifo.
                with open(self.path(daemon, "gate"), "w", encoding="utf-8"):
                    self.copy("gated", GATED)
                    os.unlink(self.path(daemon, "gate"))
                daemon.wait_ready()
                self.assertRegex(daemon.text(), r"\[g\] could not be checked: \S+/gated\.so was replaced while it was loaded")
                self.assert_runs(daemon, "g", path)
                self.assert_nothing_to_do(daemon)
                # The same when it starts.
                os.mkfifo(self.path(daemon, "gate"))
                daemon.kill("g")
                with open(self.path(daemon, "gate"), "w", encoding="utf-8"):
                    self.copy("gated", GATED)
                    os.unlink(self.path(daemon, "gate"))
                daemon.wait_log(r"\[g\] load failed: \S+/gated\.so was replaced while it was loaded; restart \d")
                daemon.wait_ready()
                self.assert_runs(daemon, "g", path)
                self.assert_nothing_to_do(daemon)
                self.assert_stops(daemon)

    def test_a_file_that_became_anothers(self):
        """It is not loaded twice, and a neighbour does not pay for that."""
        one, two = self.copy("one"), self.copy("two")
        text = "".join(self.tenant(name, path, "essential = no", "restart-limit = 1000/1s")
                       for name, path in (("a", one), ("b", two)))
        daemon = self.daemon(HEARTBEAT + text).wait_ready()
        os.unlink(two)
        os.link(one, two)
        daemon.kill("a")
        # Whichever comes first has it.
        harness.wait_until(lambda: sorted(self.states(daemon, "ab")) == ["failed", "ready"], "one of the two")
        name = "a" if self.state(daemon, "a") == "failed" else "b"
        other = "b" if name == "a" else "a"
        self.assertRegex(self.words(daemon, name), r"\.so is the same file as \S+\.so, which is loaded in this host")
        pid = daemon.module(other)["pid"]
        self.operate(daemon, "start", name, 500)
        self.assertEqual(daemon.module(other)["pid"], pid)
        self.copy("two")
        self.reload(daemon, HEARTBEAT + text)
        self.assertEqual(self.states(daemon, "ab"), ["ready"] * 2)
        self.assert_stops(daemon)

    def test_over_an_upgrade(self):
        path = self.copy("first")
        daemon = self.daemon(self.breaker() + self.tenant("a", path)).wait_started()
        pid = daemon.module("z")["pid"]
        self.reload(daemon, self.breaker())
        self.assertEqual(daemon.ctl("upgrade").returncode, 0)
        self.reload(daemon, self.breaker() + self.tenant("b", path))
        self.assertEqual(self.states(daemon, "bz"), ["ready", "ready"])
        self.assertNotEqual(daemon.module("z")["pid"], pid)
        self.assert_stops(daemon)


class Loops(GoalTest):
    def test_an_upgrade_beside_modules_that_crash_again_and_again(self):
        loops = "".join(puppet(f"l{i}", "on-init = crash", "essential = no", "restart-limit = 1000/1s",
                               "restart-delay-max = 1ms") for i in range(6))
        daemon = self.daemon(HEARTBEAT + loops).wait_started()
        harness.wait_until(lambda: daemon.module("l0")["restarts"] > 3, "a loop")
        done = daemon.ctl("upgrade")
        self.assertEqual(done.returncode, 0, done.stderr)
        # They go on with what they do.
        restarts = daemon.module("l0")["restarts"]
        harness.wait_until(lambda: daemon.module("l0")["restarts"] > restarts + 1, "the loop to go on")
        self.assert_stops(daemon)


class Starts(GoalTest):
    def test_a_later_failure_of_an_essential_one_while_another_starts(self):
        config = puppet("a", "on-reload = fail", "restart = never", "{}") + puppet("slow", "on-init = fifo init")
        daemon = self.daemon(config.format(""), start=False)
        os.mkfifo(self.path(daemon, "init"))
        daemon.start()
        daemon.wait_log(r"\[a\] ready")
        daemon.write(config.format("words = x"))
        reload = daemon.ask_later("/v1/reload", "POST")
        daemon.wait_log(r"\[a\] reload failed: as told")
        self.wait_state(daemon, "a", "failed")
        harness.release(self.path(daemon, "init"))
        self.assertEqual(reload.answer()[0], 409)
        self.wait_state(daemon, "slow", "ready")
        self.assert_stops(daemon)

    def during_the_start(self, before, after):
        """A reload while an essential module still starts, from one configuration to another."""
        slow = puppet("slow", "on-init = fifo init", "start-timeout = 1000s", "grace = 10ms", "drain = 0s")
        daemon = self.daemon(slow + before, start=False)
        os.mkfifo(self.path(daemon, "init"))
        daemon.start()
        daemon.wait_log(r"\[a\] (ready|given up)")
        daemon.write(slow + after)
        return daemon, daemon.ask_later("/v1/reload", "POST")

    def test_one_that_has_failed_becomes_essential_in_the_start(self):
        lines = "on-init = fail", "restart = never"
        daemon, reload = self.during_the_start(puppet("a", "essential = no", *lines), puppet("a", *lines))
        daemon.wait_log("reeved ends: essential module a could not start: it is down: init failed: as told")
        self.assertEqual(daemon.wait(), 1)
        reload.answer()

    def test_a_start_under_way_gets_its_new_limit(self):
        daemon, reload = self.during_the_start(puppet("a"), puppet("a"))
        self.assertEqual(reload.answer()[0], 200)
        daemon.write(puppet("slow", "on-init = fifo init", "start-timeout = 1ms") + puppet("a"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        daemon.wait_log(r"module slow was not ready within 1ms \(start-timeout\)")
        self.assertEqual(daemon.wait(), 1)

    def test_one_that_was_ready_moves_in_the_start(self):
        daemon, reload = self.during_the_start(puppet("a"), puppet("a", "host = h", "on-init = fail", "restart = never"))
        self.wait_state(daemon, "a", "failed")
        harness.release(self.path(daemon, "init"))
        self.assertEqual(reload.answer()[0], 409)
        self.wait_state(daemon, "slow", "ready")
        self.assert_stops(daemon)

    def test_on_failed_exit_counts_from_the_first_moment(self):
        config = puppet("slow", "on-init = fifo init", "start-timeout = 1000s") + \
            puppet("a", "on-init = fail", "essential = no", "on-failed = exit", "restart-limit = 1/1000s")
        daemon = self.daemon(config, start=False)
        os.mkfifo(self.path(daemon, "init"))
        daemon.start()
        daemon.wait_log("reeved ends: module a failed and on-failed = exit")
        with open(self.path(daemon, "init"), "w", encoding="utf-8"):
            pass
        self.assertEqual(daemon.wait(), 1)

    def test_nothing_starts_beside_an_error(self):
        daemon = self.daemon(puppet("a") + puppet("b", "nonsense = 1"), start=False)
        for _ in range(5):
            daemon.log.clear()
            daemon.start()
            self.assertEqual(daemon.wait(), 1)
            self.assertRegex(daemon.text(), "reeve.ini:.*nonsense")
            self.assertNotRegex(daemon.text(), r"\[a\] (starting|ready|stopped)")
            self.assertEqual(self.trace(daemon), [])

    def test_a_check_that_crashes_or_hangs(self):
        """It is the module's own fault: not the neighbour's, and not the daemon's unless that needs the module."""
        path = os.path.join(self.enterContext(harness.tempfile.TemporaryDirectory()), "copy.so")
        shutil.copyfile(PUPPET, path)
        os.chmod(os.path.dirname(path), 0o755)
        for action, text in ("crash", "killed by SIGSEGV"), ("hang", "module n did not check its options within start-timeout"):
            with self.subTest(action):
                bad = ("host = h", f"on-check = {action}", "start-timeout = 300ms", "grace = 100ms", "restart-limit = 1/1000s",
                       "restart-delay-max = 1ms")
                config = puppet("e", "host = h", "start-timeout = 1000s") + \
                    puppet("n", "essential = no", *bad).replace(PUPPET, path)
                daemon = self.daemon(config).wait_started()
                daemon.wait_log(rf"\[n\] could not be checked: {text}")
                self.wait_state(daemon, "n", "failed")
                self.wait_state(daemon, "e", "ready")
                self.assertNotIn("the configuration has errors", daemon.text())
                self.assert_stops(daemon)
                code, said = self.run_reeved(puppet("n", *bad))
                self.assertEqual(code, 1)
                self.assertRegex(said, rf"\[module:n\] ended while it was being checked: {text}")

    def test_a_neighbours_crash_is_no_failed_start(self):
        path = os.path.join(self.enterContext(harness.tempfile.TemporaryDirectory()), "copy.so")
        shutil.copyfile(PUPPET, path)
        os.chmod(os.path.dirname(path), 0o755)
        config = puppet("e", "host = h", "on-init = fifo init", "start-timeout = 1000s") + \
            puppet("n", "host = h", "essential = no", "restart-limit = 5/1000s").replace(PUPPET, path)
        daemon = self.daemon(config, start=False)
        os.mkfifo(self.path(daemon, "init"))
        daemon.start()
        self.wait_trace(daemon, "e init")
        self.wait_state(daemon, "n", "ready")
        self.act(daemon, "n", "crash")
        # Both come again, in a new process.
        self.wait_trace(daemon, "e init", 2)
        with open(self.path(daemon, "init"), "w", encoding="utf-8"):
            pass
        daemon.wait_started()
        self.assert_stops(daemon)

    def test_a_stop_ends_an_init_that_waits(self):
        daemon = self.daemon(HEARTBEAT + puppet("a", "on-init = wait", "essential = no", "start-timeout = 1000s", *SLOW),
                             daemon="shutdown-timeout = 1000s").wait_started()
        self.wait_trace(daemon, "a waits")
        self.operate(daemon, "stop", "a")
        self.assertEqual(self.trace(daemon)[1:], ["a waits", f"a cancelled: asked for by pid {os.getpid()} uid {os.getuid()}"])
        self.assertNotIn("did not stop", daemon.text())
        # A reload() that waits, too.
        daemon.write(HEARTBEAT + puppet("a", *SLOW))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.operate(daemon, "start", "a")
        daemon.write(HEARTBEAT + puppet("a", "on-reload = wait", "reload-timeout = 1000s", *SLOW))
        daemon.ask_later("/v1/reload", "POST")
        self.wait_trace(daemon, "a waits", 2)
        self.operate(daemon, "stop", "a")
        self.assertNotIn("did not stop", daemon.text())
        self.assert_stops(daemon)

    def test_no_process_is_no_mistake_in_the_configuration(self):
        """So few descriptors that some hosts cannot be started to be asked."""
        config = "".join(puppet(f"m{i}", "essential = no", "restart-delay-max = 20ms") for i in range(8))
        daemon = self.daemon(config, start=False)
        daemon.nofile = (40, 40)
        daemon.start()
        daemon.wait_log("could not be checked: cannot start .*Too many open files")
        daemon.wait_started()
        self.assertNotIn("the configuration has errors", daemon.text())
        self.assert_stops(daemon)

    def test_one_that_dies_in_the_drain_delay_is_back(self):
        daemon = self.daemon(puppet("a") + puppet("b", "requires = a"), daemon="drain-delay = 1000s").wait_started()
        daemon.signal(harness.signal.SIGTERM)
        daemon.wait_log("stopping: ")
        daemon.kill("a")
        harness.wait_until(lambda: self.trace(daemon).count("b init") == 2 and
                           self.states(daemon, "ab") == ["ready", "ready"], "both to be back")
        daemon.signal(harness.signal.SIGINT)
        self.assertEqual(daemon.wait(), 1)


if __name__ == "__main__":
    harness.main()
