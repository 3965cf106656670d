#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Modules that are to stop or restart, and run still, as their stop waits for the work of another that requires them: in each
test `user` requires `b`, and has a job under way."""
import os
import shutil

import harness
from operating import SLOW, GoalTest
from puppetry import PUPPET, puppet

GATED = os.path.join(os.path.dirname(PUPPET), "gated.so")
USER = puppet("user", "requires = b", *SLOW)


class AboutToStop(GoalTest):
    def test_a_start_of_one_that_was_to_end_anyway(self):
        """It runs when its stop is called off: it has failed in its reload, or its new limits need a new process."""
        for line in "on-reload = fail", "nofile = 512":
            with self.subTest(line=line):
                failing = line if "reload" in line else ""
                daemon = self.daemon(puppet("b", failing) + USER).wait_started()
                before = daemon.module("b")["pid"]
                release = self.hold(daemon, "user")
                daemon.write(puppet("b", line, "words = x") + USER)
                reload = daemon.ask_later("/v1/reload", "POST")
                self.wait_state(daemon, "user", "stopping")
                stop = self.later(daemon, "stop", "b")
                daemon.wait_log(r"\[b\] stop: ")
                start = self.later(daemon, "start", "user")
                daemon.wait_log(r"\[user\] start: ")
                release()
                self.assertEqual(start.answer()[0], 200)
                self.assert_overtaken(stop, "start of module user")
                reload.answer()
                self.assertEqual(self.states(daemon, ["b", "user"]), ["ready"] * 2)
                self.assertEqual(self.trace(daemon).count("b init"), 2)
                if not failing:
                    self.assertNotEqual(daemon.module("b")["pid"], before)
                self.assertEqual(daemon.ctl("run", "b/act", "--wait").returncode, 0)
                self.assert_nothing_to_do(daemon)
                self.assert_stops(daemon)

    def test_new_settings_for_one_that_runs_still_though_it_was_stopped(self):
        """It waits for another to stop; who starts it meanwhile gets it with what is in force."""
        for kind in "options", "limits", "file":
            with self.subTest(kind=kind):
                so = os.path.join(self.enterContext(harness.tempfile.TemporaryDirectory()), "b.so")
                shutil.copy(PUPPET, so)
                def text(password, *limits, so=so):
                    return (puppet("b", "host = h", f"password = {password}", *limits).replace(PUPPET, so) + USER +
                            puppet("c", "host = h", *limits))
                daemon = self.daemon(text("old")).wait_started()
                release = self.hold(daemon, "user")
                stop = self.later(daemon, "stop", "b")
                self.wait_state(daemon, "user", "stopping")
                if kind == "file":
                    shutil.copy(PUPPET, so + ".new")
                    os.rename(so + ".new", so)
                daemon.write(text("new", *["nice = 1"] * (kind == "limits")))
                reload = daemon.ask_later("/v1/reload", "POST")
                daemon.wait_log(r"\[b\] new settings: ")
                start = self.later(daemon, "start", "b")
                daemon.wait_log(r"\[b\] start: ")
                release()
                self.assertEqual(start.answer()[0], 200)
                self.assert_overtaken(stop, "start of module b")
                self.assertEqual(reload.answer()[0], 200)
                self.act(daemon, "b", "reveal")
                self.wait_trace(daemon, "b has the password new")
                self.assertEqual(self.states(daemon, ["b", "c"]), ["ready"] * 2)
                self.assert_nothing_to_do(daemon)
                self.assert_stops(daemon)

    def test_a_restart_in_a_process_that_is_to_end_and_a_stop_and_a_start(self):
        """The start brings back what the reload had to end; its neighbour does not wait for ever."""
        so = os.path.join(self.enterContext(harness.tempfile.TemporaryDirectory()), "b.so")
        shutil.copy(PUPPET, so)
        text = (puppet("b", "host = h").replace(PUPPET, so) + USER + puppet("c", "host = h"))
        daemon = self.daemon(text).wait_started()
        before = daemon.module("b")["pid"]
        release = self.hold(daemon, "user")
        shutil.copy(PUPPET, so + ".new")
        os.rename(so + ".new", so)
        reload = daemon.ask_later("/v1/reload", "POST")
        self.wait_state(daemon, "c", "waiting")
        stop = self.later(daemon, "stop", "b")
        daemon.wait_log(r"\[b\] stop: ")
        start = self.later(daemon, "start", "b")
        daemon.wait_log(r"\[b\] start: ")
        release()
        self.assertEqual(start.answer()[0], 200)
        self.assert_overtaken(stop, "start of module b")
        self.assertEqual(reload.answer()[0], 409)
        self.assertEqual(self.states(daemon, ["b", "c"]), ["ready"] * 2)
        self.assertNotEqual(daemon.module("b")["pid"], before)
        self.assert_nothing_to_do(daemon)
        self.assert_stops(daemon)

    def test_new_options_for_one_that_is_about_to_stop(self):
        """It restarts, or has failed in its last reload: whoever gives it other options waits for it to be back."""
        for kind, line in ("restart", ""), ("failed", ""), ("failed", "nice = 1"):
            with self.subTest(kind=kind, line=line):
                failing = "on-reload = fail" if kind == "failed" else ""
                daemon = self.daemon(puppet("b", failing) + USER).wait_started()
                release = self.hold(daemon, "user")
                if kind == "failed":
                    # Its reload is answered before it fails.
                    end_job = self.hold(daemon, "b")
                    daemon.write(puppet("b", failing, "words = x") + USER)
                    self.assertEqual(daemon.ctl("reload").returncode, 0)
                    end_job()
                else:
                    restart = self.later(daemon, "restart", "b")
                self.wait_state(daemon, "user", "stopping")
                mark = daemon.mark()
                daemon.write(puppet("b", "words = y", "password = new", line) + USER)
                reload = daemon.ask_later("/v1/reload", "POST")
                daemon.wait_log(r"\[b\] new settings: ", mark)
                self.assertFalse(reload.is_done())
                release()
                self.assertEqual(reload.answer()[0], 200)
                if kind == "restart":
                    self.assertEqual(restart.answer()[0], 200)
                self.act(daemon, "b", "reveal")
                self.wait_trace(daemon, "b has the password new")
                self.assertEqual(self.states(daemon, ["b", "user"]), ["ready"] * 2)
                self.assert_nothing_to_do(daemon)
                self.assert_stops(daemon)

    def test_what_comes_to_require_one_that_is_about_to_stop(self):
        """It still runs, as it waits for the work of another that requires it."""
        for operation, line in ("stop", ""), ("stop", "words = x"), ("restart", ""):
            with self.subTest(operation=operation, line=line):
                base = puppet("b") + USER
                daemon = self.daemon(base + puppet("a")).wait_started()
                release = self.hold(daemon, "user")
                self.act(daemon, "a", "wait")
                self.wait_trace(daemon, "a waits")
                other = harness.Later(lambda: daemon.ctl(operation, "b"), operation)
                self.wait_state(daemon, "user", "stopping")
                daemon.write(base + puppet("a", "requires = b", line) + puppet("new", "requires = b"))
                plan = daemon.ctl("reload", "--plan").stdout
                self.assertRegex(plan, r"(?m)^a +restart +it requires b, which is about to stop; stops run act#1$")
                if operation == "stop":
                    self.assertRegex(plan, r"(?m)^new +add +it requires b, which is about to stop$")
                reload = harness.Later(lambda: daemon.ctl("reload"), "reload")
                self.wait_trace(daemon, "a cancelled: reload: it requires module b, which is about to stop")
                release()
                self.assertEqual(other.answer().returncode, 0)
                done = reload.answer()
                self.assertIn("a cancelled: reload: it requires module b, which is about to stop", self.trace(daemon))
                if operation == "stop":
                    self.assertEqual(done.returncode, 1, done.stdout)
                    for name in "a", "new":
                        self.assertIn(f"[module:{name}] waits for module b, which is stopped", done.stderr)
                else:
                    self.assertEqual((done.returncode, self.states(daemon, ["a", "new"])), (0, ["ready"] * 2), done.stderr)
                self.assert_nothing_to_do(daemon)
                self.assertEqual(daemon.stop(), 0, daemon.text())

    def reload_later(self, daemon, config):
        """Its reload is answered, and then waits for a run; returns what ends that."""
        fifo = self.path(daemon, "run.fifo")
        os.mkfifo(fifo)
        self.act(daemon, "b", "fifo run.fifo")
        self.wait_trace(daemon, "b reads")
        daemon.write(config)
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        return lambda: harness.release(fifo)

    def test_a_start_of_one_that_cannot_go_on_any_more(self):
        """While it waits with its stop, it is to restart as well."""
        for line, patience, why in (("on-reload = fail for memory", "1000s", "there was no memory"),
                                    ("on-reload = wait", "50ms", "it did not reload within reload-timeout")):
            for name in "b", "user":
                with self.subTest(line=line, name=name):
                    base = f"reload-timeout = {patience}", line
                    daemon = self.daemon(puppet("b", *base) + USER).wait_started()
                    release = self.hold(daemon, "user")
                    end_run = self.reload_later(daemon, puppet("b", *base, "password = new") + USER)
                    stop = self.later(daemon, "stop", "b")
                    self.wait_state(daemon, "user", "stopping")
                    end_run()
                    daemon.wait_log(rf"\[b\] restarts: {why}")
                    start = self.later(daemon, "start", name)
                    daemon.wait_log(rf"\[{name}\] start: ")
                    release()
                    self.assertEqual(start.answer()[0], 200)
                    self.assert_overtaken(stop, f"start of module {name}")
                    self.act(daemon, "b", "reveal")
                    self.wait_trace(daemon, "b has the password new")
                    self.assertEqual(self.trace(daemon).count("b init"), 2)
                    self.assert_nothing_to_do(daemon)
                    self.assert_stops(daemon)

    def test_a_reload_that_fails_while_a_restart_is_to_come(self):
        """The start that was asked for comes all the same, with the new options."""
        daemon = self.daemon(puppet("b", "on-reload = fail") + USER).wait_started()
        release = self.hold(daemon, "user")
        end_run = self.reload_later(daemon, puppet("b", "on-reload = fail", "password = new") + USER)
        restart = self.later(daemon, "restart", "b")
        self.wait_state(daemon, "user", "stopping")
        end_run()
        daemon.wait_log(r"\[b\] reload failed: as told")
        release()
        self.assertEqual(restart.answer()[0], 200)
        self.act(daemon, "b", "reveal")
        self.wait_trace(daemon, "b has the password new")
        self.assert_nothing_to_do(daemon)
        self.assert_stops(daemon)

    def test_a_failure_of_one_that_is_to_restart(self):
        """Its restart was asked for, and its policy is not."""
        lines = "restart = never", "on-failed = exit", "essential = no", "act.on-error = restart"
        for way, failure in ((way, failure) for way in ("restart", "reload") for failure in ("crash", "give up")):
            with self.subTest(way=way, failure=failure):
                daemon = self.daemon(puppet("b", *lines) + USER).wait_started()
                release = self.hold(daemon, "user")
                if way == "restart":
                    asked = self.later(daemon, "restart", "b")
                else:
                    daemon.write(puppet("b", *lines, "nice = 1") + USER)
                    asked = daemon.ask_later("/v1/reload", "POST")
                self.wait_state(daemon, "user", "stopping")
                if failure == "crash":
                    daemon.kill("b")
                    daemon.wait_log(r"\[b\] killed by SIGKILL; it was about to restart")
                else:
                    self.act(daemon, "b", "fail")
                    daemon.wait_log(r"\[b\] task act: as told; it was about to restart")
                self.script(daemon, "b", "nothing")
                release()
                self.assertEqual(asked.answer()[0], 200)
                self.assertEqual(self.states(daemon, ["b", "user"]), ["ready"] * 2)
                self.assert_nothing_to_do(daemon)
                self.assert_stops(daemon)

    def test_a_start_of_one_that_is_dead_and_whose_task_is_stopped(self):
        daemon = self.daemon(puppet("b", "act.on-error = stop", "on-reload = fail") + USER).wait_started()
        self.script(daemon, "b", "fail")
        daemon.ctl("run", "b/act", "--wait")
        self.script(daemon, "b", "nothing")
        harness.wait_until(lambda: self.task(daemon, "b", "act")["state"] == "stopped", "the stop of the task")
        release = self.hold(daemon, "user")
        daemon.write(puppet("b", "act.on-error = stop", "on-reload = fail", "words = x") + USER)
        reload = daemon.ask_later("/v1/reload", "POST")
        self.wait_state(daemon, "user", "stopping")
        start = self.later(daemon, "start", "b")
        daemon.wait_log(r"\[b\] start: ")
        release()
        self.assertEqual(start.answer()[0], 200)
        self.assertEqual(self.task(daemon, "b", "act")["state"], "waiting")
        reload.answer()
        self.assert_stops(daemon)

    def test_a_failure_that_counts_no_more(self):
        """It has failed in its reload, and would end reeved when it is down; but it is stopped, removed or moved."""
        for end in "stop", "remove", "move":
            with self.subTest(end=end):
                lines = "on-reload = fail", "on-failed = exit", "essential = no"
                daemon = self.daemon(puppet("b", *lines) + USER).wait_started()
                release = self.hold(daemon, "user")
                end_run = self.reload_later(daemon, puppet("b", *lines, "words = x") + USER)
                end_run()
                self.wait_state(daemon, "user", "stopping")
                # Nothing of it runs any more.
                self.assertEqual(daemon.check("b:state")["status"], "warn")
                self.assertEqual(daemon.request("/readyz/b")[0], 503)
                mark = daemon.mark()
                if end == "stop":
                    asked = self.later(daemon, "stop", "b")
                    daemon.wait_log(r"\[b\] stop: ", mark)
                else:
                    daemon.write(USER.replace("requires = b\n", "") if end == "remove" else
                                 puppet("b", *lines, "host = h", "words = y") + USER)
                    asked = daemon.ask_later("/v1/reload", "POST")
                    daemon.wait_log(r"new settings: ", mark)
                release()
                self.assertEqual(asked.answer()[0], 200)
                if end == "stop":
                    self.assertEqual(self.states(daemon, ["b", "user"]), ["stopped"] * 2)
                else:
                    harness.wait_until(lambda: {m["state"] for m in daemon.status()["modules"]} == {"ready"}, "all to be ready")
                self.assert_nothing_to_do(daemon)
                self.assert_stops(daemon)

    def test_new_options_for_one_that_failed_while_it_was_to_restart(self):
        def text(*lines):
            return puppet("a") + puppet("b", "requires = a", "essential = no", "restart = never", *lines) + USER
        daemon = self.daemon(text()).wait_started()
        release = self.hold(daemon, "user")
        daemon.kill("a")
        self.wait_state(daemon, "user", "stopping")
        daemon.kill("b")
        self.wait_state(daemon, "b", "failed")
        daemon.write(text("words = x"))
        reload = daemon.ask_later("/v1/reload", "POST")
        daemon.wait_log(r"\[b\] new settings: ")
        release()
        self.assertEqual(reload.answer()[0], 200)
        self.assertEqual(self.states(daemon, ["a", "b", "user"]), ["ready"] * 3)
        self.assert_nothing_to_do(daemon)
        self.assert_stops(daemon)

    def test_a_start_in_a_process_that_is_to_end_meanwhile(self):
        """Another module of its host could not be loaded, and needs a new process."""
        so = os.path.join(self.enterContext(harness.tempfile.TemporaryDirectory()), "x.so")
        shutil.copy(GATED, so)
        daemon = self.daemon(puppet("b", "host = h") + USER +
                             f"[module:x]\nload = {so}\nhost = h\nessential = no\nrestart-delay = 1ms\n").wait_started()
        self.operate(daemon, "stop", "x")
        # In the next process it is not loaded yet.
        self.wait_restarted(daemon, "b", daemon.kill("b"))
        daemon.wait_ready("b", "user")
        release = self.hold(daemon, "user")
        stop = self.later(daemon, "stop", "b")
        self.wait_state(daemon, "user", "stopping")
        gate = self.path(daemon, "gate")
        os.mkfifo(gate)
        self.later(daemon, "start", "x")
        with open(gate, "w", encoding="utf-8"):
            shutil.copy(GATED, so + ".new")
            os.rename(so + ".new", so)
            os.unlink(gate)
        daemon.wait_log(r"\[x\] load failed: .* was replaced while it was loaded")
        start = self.later(daemon, "start", "b")
        daemon.wait_log(r"\[b\] start: ")
        release()
        self.assertEqual(start.answer()[0], 200)
        self.assert_overtaken(stop, "start of module b")
        harness.wait_until(lambda: self.states(daemon, ["b", "x"]) == ["ready"] * 2, "both to be ready")
        self.assert_nothing_to_do(daemon)
        self.assert_stops(daemon)


if __name__ == "__main__":
    harness.main()
