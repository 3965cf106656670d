#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tasks that fail, are late, or are run by hand."""
import os
import signal

import harness
from puppetry import PuppetTest, puppet


class Tasks(PuppetTest):
    def test_on_error(self):
        daemon = self.daemon(puppet("go", "act.on-error = continue") +
                             puppet("again", "act.on-error = restart") +
                             puppet("rest", "act.on-error = stop")).wait_started()
        pids = {m["name"]: m["pid"] for m in daemon.status()["modules"]}
        for name in ("go", "again", "rest"):
            self.act(daemon, name, "fail")
            daemon.wait_log(rf"\[{name}/act#1\] failed: as told")
        self.wait_restarted(daemon, "again", pids["again"])
        daemon.wait_log(r"\[again\] .*as told; restart 1")
        harness.wait_until(lambda: self.task(daemon, "rest", "act")["state"] == "stopped", "stopped")
        self.assertEqual(daemon.ctl("run", "rest/act", "--wait").returncode, 1)
        self.assertEqual((daemon.module("go")["pid"], daemon.module("rest")["pid"]),
                         (pids["go"], pids["rest"]))
        self.assertEqual(daemon.check("go/act:duration")["status"], "warn")
        self.script(daemon, "go", "nothing")
        self.assertEqual(daemon.ctl("run", "go/act", "--wait").returncode, 0)
        self.assertEqual(daemon.check("go/act:duration")["status"], "pass")
        daemon.wait_log(r"\[go/act#2\] succeeded again after 1 failure$")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_more_than_zero_is_a_success(self):
        daemon = self.daemon(puppet("a", "on-init = positive", "on-reload = positive"), start=False)
        self.script(daemon, "a", "positive")
        daemon.start().wait_ready()
        for words in ("run", "a/act"), ("submit", "a/work"):
            done = daemon.ctl(*words, "--wait", stdin="positive")
            self.assertEqual(done.returncode, 0, done.stdout)
            self.assertIn("succeeded", done.stdout)
        task = self.task(daemon, "a", "act")
        self.assertEqual((task["last_code"], task["failures"], task["status"]), (0, 0, "pass"))
        self.assertEqual(daemon.check("a/act:duration")["status"], "pass")
        daemon.write(puppet("a", "on-init = positive", "on-reload = positive", "words = new"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        daemon.wait_log(r"\[a\] reloaded")
        self.assertEqual(daemon.health()["status"], "pass")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_task_that_is_stopped_stays_so_when_a_reload_starts_its_module(self):
        """That was down: it had failed, in a reload or by a crash. No person has said anything of the task."""
        def text(*lines):
            return puppet("a", "act.on-error = stop", "tick.every = never", "restart = never", "essential = no", *lines)
        for way in "reload", "crash":
            with self.subTest(way=way):
                daemon = self.daemon(text()).wait_ready("a")
                self.script(daemon, "a", "fail")
                daemon.ctl("run", "a/act", "--wait")
                harness.wait_until(lambda: self.task(daemon, "a", "act")["state"] == "stopped", "the stop of the task")
                if way == "crash":
                    daemon.kill("a")
                else:
                    daemon.write(text("on-reload = fail", "words = x"))
                    self.assertEqual(daemon.ctl("reload").returncode, 1)
                harness.wait_until(lambda: daemon.module("a")["state"] == "failed", "its failure")
                daemon.write(text("words = y"))
                self.assertEqual(daemon.ctl("reload").returncode, 0)
                self.assertEqual(self.task(daemon, "a", "act")["state"], "stopped")
                self.assertEqual(daemon.ctl("restart", "a").returncode, 0)
                self.assertEqual(self.task(daemon, "a", "act")["state"], "waiting")
                self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_task_that_is_stopped_stays_so(self):
        def text(words, on_error="stop"):
            return "".join(puppet(name, f"act.on-error = {on_error}", f"words = {words}", *lines)
                           for name, lines in {"s": ["act.every = 20ms"], "r": []}.items())

        def states():
            return [self.task(daemon, name, "act")["state"] for name in "sr"]
        daemon = self.daemon(text("old"), start=False)
        self.script(daemon, "s", "fail")
        daemon.start().wait_ready()
        self.act(daemon, "r", "fail")
        harness.wait_until(lambda: states() == ["stopped", "stopped"], "both stopped")
        for name in "sr":
            self.script(daemon, name, "note")
        # Neither by new options, nor by a crash or an upgrade and then another.
        daemon.write(text("new"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        daemon.wait_log(r"warning +\[s/act\] is still stopped for its failure \(on-error = stop\)")
        self.assertEqual(states(), ["stopped", "stopped"])
        for upgrade in (False, True):
            if upgrade:
                self.assertEqual(daemon.ctl("upgrade").returncode, 0)
            for name in "sr":
                self.wait_restarted(daemon, name, daemon.kill(name))
            self.assertEqual(states(), ["stopped", "stopped"])
            self.assertEqual(daemon.check("s/act:duration")["status"], "warn")
            self.assertIn("the task is stopped", daemon.ctl("run", "r/act", "--wait").stderr)
        self.assertNotIn("s noted", self.trace(daemon))
        # By a person, or when it is not to be so any more. A start finds its module running.
        done = daemon.ctl("start", "s")
        self.assertEqual(done.returncode, 1)
        self.assertIn("module s runs, but its task act was stopped for an error: reevectl restart s starts it again", done.stderr)
        self.assertEqual(daemon.ctl("restart", "s").returncode, 0)
        self.wait_trace(daemon, "s noted")
        daemon.write(text("new", "continue"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        harness.wait_until(lambda: daemon.ctl("run", "r/act", "--wait").returncode == 0, "a run")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_who_has_started_a_stopped_task_has_done_so_for_good(self):
        """Also when the first attempt crashes, and the next one comes by itself."""
        lines = ("act.on-error = stop", "act.every = 20ms")
        daemon = self.daemon(puppet("s", *lines), start=False)
        self.script(daemon, "s", "fail")
        daemon.start().wait_ready()
        harness.wait_until(lambda: self.task(daemon, "s", "act")["state"] == "stopped", "the failure")
        self.script(daemon, "s", "note")
        os.mkfifo(self.path(daemon, "gate"))
        daemon.write(puppet("s", *lines, "on-init = fifo gate"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        restart = daemon.ask_later("/v1/restart?module=s&wait", "POST")
        self.wait_trace(daemon, "s reads")
        daemon.kill("s")
        self.wait_trace(daemon, "s reads", 2)
        harness.release(self.path(daemon, "gate"))
        self.wait_trace(daemon, "s noted")
        restart.answer()
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_overlap(self):
        daemon = self.daemon(puppet("skips") + puppet("queues", "act.overlap = queue")).wait_started()
        for name in ("skips", "queues"):
            os.mkfifo(self.path(daemon, name + ".fifo"))
            self.act(daemon, name, f"fifo {name}.fifo")
            self.wait_trace(daemon, f"{name} reads")
        refused = daemon.ctl("run", "skips/act")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("under way already", refused.stderr)
        # The queue holds one: of two more, one waits and one is refused.
        more = [daemon.ask_later("/v1/run?module=queues&task=act&wait", "POST") for _ in range(2)]
        harness.wait_until(lambda: [later for later in more if later.is_done()], "a refusal")
        self.script(daemon, "queues", "note")
        for name in ("skips", "queues"):
            harness.release(self.path(daemon, name + ".fifo"))
        answers = sorted((later.answer() for later in more), key=lambda answer: answer[0])
        self.assertEqual(answers[0][0], 200, answers)
        self.assertIn("under way already", answers[1][1]["error"])
        self.assertIn("queues noted", self.trace(daemon))
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_queued_run_of_a_task_that_stops(self):
        """It was accepted, so the log says why it does not come."""
        daemon = self.daemon(puppet("a", "act.overlap = queue", "act.on-error = stop")).wait_started()
        self.begin_run(daemon, "a")
        self.assertEqual(daemon.ctl("run", "a/act").returncode, 0)
        with open(self.path(daemon, "fifo"), "w", encoding="utf-8") as file:
            file.write("fail")
        reason = "the task is stopped: it has failed, and its on-error = stop"
        daemon.wait_log(rf"warning +\[a/act\] a run that was queued does not begin: {reason}; reevectl restart a ")
        # Who asks for another one is told as well what helps.
        done = daemon.ctl("run", "a/act")
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"{reason}; reevectl restart a starts it again", done.stderr)
        self.script(daemon, "a", "nothing")
        self.assertEqual(daemon.ctl("restart", "a").returncode, 0)
        self.assertEqual(daemon.ctl("run", "a/act", "--wait").returncode, 0)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_queued_run_is_accepted_at_once(self):
        daemon = self.daemon(puppet("a", "act.overlap = queue")).wait_started()
        self.begin_run(daemon, "a")
        self.script(daemon, "a", "note")
        done = daemon.ctl("run", "a/act")
        self.assertEqual((done.returncode, done.stdout), (0, "run 2 accepted\n"), done.stderr)
        self.assertEqual(self.task(daemon, "a", "act")["run"], 1)
        harness.release(self.path(daemon, "fifo"))
        self.wait_trace(daemon, "a noted")
        harness.wait_until(lambda: self.task(daemon, "a", "act")["runs"] == 2, "both runs")
        self.assertEqual(daemon.ctl("run", "a/act").stdout, "run 3 accepted\n")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_health_of_its_own(self):
        daemon = self.daemon(puppet("a", "essential = no"), start=False)
        with open(self.path(daemon, "health"), "w", encoding="utf-8") as file:
            file.write("half empty")
        daemon.start().wait_started()
        check = harness.wait_until(
            lambda: (c := daemon.check("a:state")).get("output") == "half empty" and c, "a report")
        self.assertEqual(check["status"], "warn")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_health_that_does_not_answer(self):
        def section(name, grace):
            return puppet(name, "essential = no", "tick.every = never", f"health-file = {name}.health",
                          f"grace = {grace}")
        daemon = self.daemon(section("waits", "1s") + section("late", "1000s") + section("hangs", "10ms"),
                             start=False)
        with open(self.path(daemon, "waits.health"), "w", encoding="utf-8") as file:
            file.write("wait")
        for name in "late", "hangs":
            os.mkfifo(self.path(daemon, name + ".health"))
        # Readers wait as long as there is a writer.
        late, hangs = (os.open(self.path(daemon, name + ".health"), os.O_RDWR | os.O_CLOEXEC)
                       for name in ("late", "hangs"))
        self.addCleanup(os.close, hangs)
        daemon.start().wait_ready()
        pid = daemon.module("hangs")["pid"]
        # What honours its context answers in time, and says so in words.
        check = harness.wait_until(lambda: (c := daemon.check("waits:state")).get("output") and c, "its time to be over")
        self.assertEqual((check["status"], check["output"]), ("warn", "health() was not done within 10s"))
        # What does not is told for as long as its grace lasts, and then it hangs as a run does.
        check = harness.wait_until(lambda: (c := daemon.check("late:state")).get("output") and c, "no answer")
        self.assertEqual(check["status"], "warn")
        self.assertRegex(check["output"], r"^health\(\) has not answered for 1\ds$")
        os.close(late)
        harness.wait_until(lambda: daemon.check("late:state")["status"] == "pass", "an answer")
        daemon.wait_log(r"\[hangs\] .*hangs: it ignored its cancellation for 10ms")
        self.wait_restarted(daemon, "hangs", pid)
        self.assertEqual((daemon.module("waits")["starts"], daemon.module("late")["starts"]), (1, 1))
        daemon.signal(signal.SIGTERM)
        daemon.wait()


if __name__ == "__main__":
    harness.main()
