#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Operations, reloads and failures that meet each other: everybody who waits hears an end, and every module is where its
configuration and the last request say. In comments a <- b means: b requires a."""
import os

import harness
from operating import GoalTest, SLOW
from puppetry import HEARTBEAT, puppet


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


if __name__ == "__main__":
    harness.main()
