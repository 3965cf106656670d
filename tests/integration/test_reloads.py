#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Reloads: what is taken over, what is restarted, and what is refused."""
import os
import shutil
import signal

import harness
from puppetry import HEARTBEAT, PUPPET, PuppetTest, puppet


class Reloads(PuppetTest):
    def test_as_many_options_as_the_file_holds(self):
        """At a start, and in a reload beside a run of a neighbour in the same process."""
        def text(word):
            return (puppet("a", "host = h", *(f"words = {word}{i}" for i in range(20000))) +
                    f"[module:b]\nload = exec\nhost = h\ncommand = cat fifo; echo done >> done\nrun.every = 1h\nrun.offset = 1h\n")
        daemon = self.daemon(text("old"), start=False)
        os.mkfifo(self.path(daemon, "fifo"))
        daemon.start().wait_ready()
        pid = daemon.module("a")["pid"]
        self.assertEqual(daemon.ctl("run", "b/run").returncode, 0)
        daemon.write(text("new"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.wait_trace(daemon, "a reload")
        harness.release(self.path(daemon, "fifo"))
        harness.wait_until(lambda: os.path.exists(self.path(daemon, "done")), "the command's end")
        self.assertEqual(daemon.module("a")["pid"], pid)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def start_with_work(self, *lines):
        """A job is under way, and a reload waits for it."""
        config = puppet("a", "tick.every = never", "on-reload = nothing", *lines)
        daemon = self.daemon(config, daemon="shutdown-timeout = 1000s").wait_started()
        self.assertEqual(daemon.ctl("submit", "a/work", stdin="wait").returncode, 0)
        self.wait_trace(daemon, "a waits")
        daemon.write(config.replace("on-reload = nothing", "on-reload = note"))
        later = daemon.ask_later("/v1/reload", "POST")
        daemon.wait_log(r"\[a\] new settings: reload")
        return daemon, later

    def test_a_stop_during_a_reload_that_waits_for_work(self):
        daemon, _ = self.start_with_work("reload-timeout = 1000s", "drain = 10ms")
        pid = os.getpid()
        self.assertEqual(daemon.stop(), 0, daemon.text())
        # An orderly stop: the job was told, and the module came to its end.
        self.assertIn(f"a cancelled: SIGTERM from pid {pid} uid {os.getuid()}", self.trace(daemon))
        self.assertEqual(self.trace(daemon)[-1], "a fini")
        self.assertNotIn("lost", daemon.text())

    def test_a_reload_waits_for_a_run_and_cuts_nothing(self):
        def text(label):
            return puppet("a", "reload-timeout = 50ms", "tick.every = 10ms").replace("label = a", f"label = {label}")
        daemon = self.daemon(text("a")).wait_started()
        self.begin_run(daemon, "a")
        daemon.write(text("b"))
        self.assertRegex(daemon.ctl("reload", "--plan").stdout, "(?m)^a +reload +when this has ended: run act#1")
        done = daemon.ctl("reload")
        self.assertEqual((done.returncode, done.stdout),
                         (0, "reloaded\n[module:a] takes its new options when its run act#1 has ended\n"))
        self.assertEqual(daemon.module("a")["output"], "takes its new options when its run act#1 has ended")
        # The other task goes on meanwhile, and so does what is asked of the module.
        runs = self.task(daemon, "a", "tick")["runs"]
        harness.wait_until(lambda: self.task(daemon, "a", "tick")["runs"] > runs + 3, "other runs")
        self.assertEqual(daemon.ctl("submit", "a/work", "--wait", stdin="note").returncode, 0)
        self.assertEqual(self.trace(daemon)[-1], "a noted")
        # Over an upgrade it is still known.
        self.assertEqual(daemon.ctl("upgrade").returncode, 0)
        self.assertIn("takes its new options", daemon.module("a")["output"])
        harness.release(self.path(daemon, "fifo"))
        daemon.wait_log(r"\[a\] reloaded")
        self.script(daemon, "a", "note")
        harness.wait_until(lambda: daemon.ctl("run", "a/act", "--wait").returncode == 0, "a run")
        self.assertEqual(self.trace(daemon)[1:], ["a reads", "a noted", "a has read", "b reload", "b noted"])
        self.assertEqual(daemon.module("a")["output"], "")
        self.assertEqual(self.task(daemon, "a", "act")["cancels"], 0)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_stream_of_queued_runs_does_not_put_a_reload_off(self):
        def text(label):
            return puppet("a", "tick.every = never", "act.overlap = queue").replace("label = a", f"label = {label}")
        daemon = self.daemon(text("a")).wait_started()
        for run in range(1, 4):
            os.mkfifo(self.path(daemon, f"run{run}"))

        def queue(run):
            self.script(daemon, "a", f"fifo run{run}")
            self.assertEqual(daemon.ctl("run", "a/act").returncode, 0)
        queue(1)
        self.wait_trace(daemon, "a reads", 1)
        queue(2)
        daemon.write(text("b"))
        self.assertIn("takes its new options when its run act#1 has ended", daemon.ctl("reload").stdout)
        # The next begins before this one's end can be seen. So the queue is never empty, and each wait names its run.
        for run in 2, 3:
            harness.release(self.path(daemon, f"run{run - 1}"))
            daemon.wait_log(rf"\[a\] takes its new options when its run act#{run} has ended")
            self.assertEqual(daemon.module("a")["output"], f"takes its new options when its run act#{run} has ended")
            self.wait_trace(daemon, "a reads", run)
            if run == 2:
                queue(3)
        refused = daemon.ctl("run", "a/act")
        self.assertEqual((refused.returncode, "taking new options: try again" in refused.stderr), (1, True), refused)
        harness.release(self.path(daemon, "run3"))
        daemon.wait_log(r"\[a\] reloaded")
        self.assertEqual(self.trace(daemon)[1:], ["a reads", "a has read"] * 3 + ["b reload"])
        self.assertEqual(self.task(daemon, "a", "act")["cancels"], 0)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_newer_options_take_the_place_of_those_that_wait(self):
        def text(label, *lines):
            return puppet("a", *lines).replace("label = a", f"label = {label}")
        daemon = self.daemon(text("a")).wait_started()
        self.begin_run(daemon, "a")
        for label in "bcd":
            daemon.write(text(label))
            self.assertEqual(daemon.ctl("reload").returncode, 0)
        # Wrong ones change nothing of that.
        daemon.write(text("e", "act.timeout = never mind"))
        self.assertEqual(daemon.ctl("reload").returncode, 1)
        harness.release(self.path(daemon, "fifo"))
        self.wait_trace(daemon, "d reload")
        self.assertEqual(self.trace(daemon), ["a init", "a reads", "a has read", "d reload"])
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_each_reload_gets_its_own_answer(self):
        """One whose reload() is under way when the next is asked for does not answer that."""
        def text(*lines):
            return puppet("a", "essential = no", "tick.every = never", *lines)
        daemon = self.daemon(text()).wait_ready()
        os.mkfifo(self.path(daemon, "run"))
        os.mkfifo(self.path(daemon, "reload"))
        self.act(daemon, "a", "fifo run")
        self.wait_trace(daemon, "a reads")
        daemon.write(text("on-reload = fifo reload"))
        self.assertIn("takes its new options when its run act#1 has ended", daemon.ctl("reload").stdout)
        with open(self.path(daemon, "run"), "w", encoding="utf-8"):
            pass
        self.wait_trace(daemon, "a reads", 2)
        daemon.write(text("on-reload = fail"))
        reload = daemon.ask_later("/v1/reload", "POST")
        harness.wait_until(lambda: "[a] new settings: reload" in daemon.text().partition("[a] takes its new")[2],
                           "the second reload")
        with open(self.path(daemon, "reload"), "w", encoding="utf-8"):
            pass
        status, answer = reload.answer()
        self.assertNotEqual(status, 200, answer)
        self.assertIn("reload failed: as told", str(answer))
        self.assertEqual(daemon.module("a")["state"], "failed")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_stop_comes_before_options_that_wait(self):
        daemon = self.daemon(puppet("a")).wait_started()
        self.act(daemon, "a", "wait")
        self.wait_trace(daemon, "a waits")
        daemon.write(puppet("a", "words = x"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.assertEqual(daemon.ctl("restart", "a").returncode, 0)
        self.assertEqual(self.trace(daemon)[2:], [
            f"a cancelled: {self.task(daemon, 'a', 'act')['last_error'].removeprefix('cancelled: ')}", "a fini", "a init"])
        self.assertEqual(daemon.module("a")["output"], "")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_reload_that_must_stop_a_run_says_so(self):
        folder = self.enterContext(harness.tempfile.TemporaryDirectory())
        os.chmod(folder, 0o755)
        copy = os.path.join(folder, "copy.so")
        shutil.copy(PUPPET, copy)
        text = puppet("a", "tick.every = never").replace(PUPPET, copy)
        daemon = self.daemon(text).wait_started()
        self.act(daemon, "a", "wait")
        self.wait_trace(daemon, "a waits")
        shutil.copy(PUPPET, copy + ".new")
        os.rename(copy + ".new", copy)
        self.assertRegex(daemon.ctl("reload", "--plan").stdout, "(?m)^a +restart +stops run act#1")
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        daemon.wait_log(r"\[a\] new settings: restart; it stops run act#1")
        daemon.wait_log(r"notice +\[a/act#1\] cancelled: reload: its \.so")
        task = self.task(daemon, "a", "act")
        self.assertEqual((task["cancels"], task["failures"], task["status"]), (1, 0, "pass"))
        self.assertRegex(task["last_error"], "cancelled: reload: ")
        self.assertEqual(task["last_code"], 0)
        shown = daemon.ctl("show", "a").stdout
        self.assertRegex(shown, r"(?m)^ +last code +0: cancelled\n +last error +cancelled: reload: ")
        # Until the next run ends.
        self.script(daemon, "a", "nothing")
        self.assertEqual(daemon.ctl("run", "a/act", "--wait").returncode, 0)
        shown = daemon.ctl("show", "a").stdout
        self.assertRegex(shown, r"(?m)^ +last code +0: no error$")
        self.assertNotIn("cancelled", shown)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_reload_waits_for_jobs(self):
        daemon, later = self.start_with_work("reload-timeout = 50ms", "drain = 10ms")
        self.assertEqual(later.answer(), (200, {"errors": [], "notes": [
            "[module:a] takes its new options when jobs of its pool work have ended"]}))
        self.assertEqual(daemon.module("a")["starts"], 1)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertNotIn("lost", daemon.text())

    def test_newer_options_wait_for_the_same_jobs(self):
        def text(label):
            return puppet("a", f"label = {label}", "reload-timeout = 5s", "drain = 1000s", "tick.every = never").replace("label = a\n", "", 1)
        daemon = self.daemon(text("a"), daemon="shutdown-timeout = 1000s").wait_ready()
        pid = daemon.module("a")["pid"]
        os.mkfifo(self.path(daemon, "job"))
        self.assertEqual(daemon.ctl("submit", "a/work", stdin="fifo job").returncode, 0)
        self.wait_trace(daemon, "a reads")
        for label in "bcefghijklmnd":
            daemon.write(text(label))
            self.assertIn("takes its new options when jobs of its pool work have ended", daemon.ctl("reload").stdout)
        with open(self.path(daemon, "job"), "w", encoding="utf-8"):
            pass
        self.wait_trace(daemon, "d reload")
        harness.wait_until(lambda: daemon.module("a")["output"] == "", "the options")
        self.assertEqual(daemon.module("a")["pid"], pid)
        self.assertIn("a has read", self.trace(daemon))
        self.assertEqual(daemon.module("a")["pools"][0]["finished"], 1)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_health_that_hangs_holds_no_reload_up_for_ever(self):
        def text(*lines):
            return puppet("a", "tick.every = never", "reload-timeout = 50ms", "grace = 2s", "drain = 50ms", *lines)
        daemon = self.daemon(text(), start=False)
        for name in "health", "run":
            os.mkfifo(self.path(daemon, name))
        # Its reader waits as long as there is a writer.
        writer = os.open(self.path(daemon, "health"), os.O_RDWR | os.O_CLOEXEC)
        self.addCleanup(os.close, writer)
        daemon.start().wait_ready()
        pid = daemon.module("a")["pid"]
        self.act(daemon, "a", "fifo run")
        self.wait_trace(daemon, "a reads")
        harness.wait_until(lambda: self.path(daemon, "health") in harness.open_files(pid), "health()")
        daemon.write(text("words = new"))
        self.assertIn("takes its new options when its run act#1 has ended", daemon.ctl("reload").stdout)
        with open(self.path(daemon, "run"), "w", encoding="utf-8"):
            pass
        daemon.wait_log(r"\[a\] restarts: it did not reload within reload-timeout")
        self.wait_restarted(daemon, "a", pid)
        daemon.signal(signal.SIGTERM)
        daemon.wait()

    def test_a_start_meanwhile(self):
        """It finds the module running, and its tasks, which wait for the end of reload(), stopped for no error."""
        config = puppet("a", "on-reload = fifo gate", "reload-timeout = 1000s")
        daemon = self.daemon(config).wait_started()
        os.mkfifo(self.path(daemon, "gate"))
        daemon.write(config + "words = new\n")
        reload = daemon.ask_later("/v1/reload", "POST")
        self.wait_trace(daemon, "a reads")
        start = daemon.ask_later("/v1/start?module=a&wait", "POST")
        daemon.wait_log(r"\[a\] start: ")
        harness.release(self.path(daemon, "gate"))
        self.assertEqual((reload.answer()[0], start.answer()[0]), (200, 200))
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_an_empty_file_is_refused(self):
        daemon = self.daemon(puppet("a")).wait_started()
        pid = daemon.module("a")["pid"]
        for text in ("", "\n# nothing\n"):
            with open(daemon.config_path, "w", encoding="utf-8") as file:
                file.write(text)
            done = daemon.ctl("reload")
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr, r"reeve\.ini: there is no section in it: an empty or cut file")
        self.assertEqual((daemon.module("a")["pid"], daemon.module("a")["state"]), (pid, "ready"))
        # Without modules, on purpose.
        daemon.write("")
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.assertEqual(daemon.status()["modules"], [])
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_an_empty_included_file_is_refused(self):
        daemon = self.daemon(HEARTBEAT, daemon="include = a.ini", start=False)
        included = os.path.join(daemon.folder, "a.ini")

        def include(text):
            with open(included, "w", encoding="utf-8") as file:
                file.write(text)
        include(puppet("a"))
        daemon.start().wait_ready()
        pid = daemon.module("a")["pid"]
        for text in "", " \n\n":
            include(text)
            for words in ("reload",), ("reload", "--plan"), ("check",):
                done = daemon.ctl(*words)
                self.assertEqual(done.returncode, 1, words)
                self.assertRegex(done.stderr, r"a\.ini: there is nothing in it: an empty or cut file")
        self.assertEqual((daemon.module("a")["pid"], daemon.module("a")["state"]), (pid, "ready"))
        # On purpose.
        include("# Nothing for now\n")
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.assertEqual([m["name"] for m in daemon.status()["modules"]], ["heart"])
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_another_object(self):
        daemon = self.daemon(start=False)
        copy = os.path.join(daemon.folder, "copy.so")
        shutil.copy(PUPPET, copy)
        daemon.write(puppet("same") + puppet("new").replace(PUPPET, copy))
        daemon.start().wait_started()
        before = {m["name"]: m["pid"] for m in daemon.status()["modules"]}
        shutil.copy(PUPPET, copy + ".new")
        os.rename(copy + ".new", copy)
        done = daemon.ctl("reload")
        self.assertEqual(done.returncode, 0, done.stderr)
        after = {m["name"]: m["pid"] for m in daemon.status()["modules"]}
        self.assertEqual(after["same"], before["same"])
        self.assertNotEqual(after["new"], before["new"])
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_reload_that_fails_leaves_that_module_failed(self):
        daemon = self.daemon(puppet("a", "essential = no") + puppet("b")).wait_ready("a")
        pid = daemon.module("b")["pid"]
        daemon.write(puppet("a", "essential = no", "on-reload = fail") + puppet("b"))
        done = daemon.ctl("reload")
        self.assertEqual(done.returncode, 1)
        self.assertIn("the new configuration is in force, but not all works", done.stderr)
        daemon.wait_log(r"\[a\] reload failed: as told")
        daemon.wait_log("reload failed: the new configuration is in force, but not all works")
        self.assertEqual(daemon.module("a")["state"], "failed")
        self.assertEqual(daemon.module("b")["pid"], pid)
        # Errors that are found before are another matter, whatever the one before left behind.
        daemon.write("[nonsense]\n")
        done = daemon.ctl("reload")
        self.assertEqual(done.returncode, 1)
        self.assertIn("the configuration has errors: nothing was changed", done.stderr)
        daemon.wait_log("reload failed: the old configuration stays in force")
        self.assertEqual(daemon.module("b")["pid"], pid)
        # Another configuration gets it back.
        daemon.write(puppet("a", "essential = no") + puppet("b"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.assertEqual(daemon.module("a")["state"], "ready")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_reload_that_hangs_becomes_a_restart(self):
        daemon = self.daemon(puppet("a", "reload-timeout = 20ms", "grace = 20ms",
                                    "drain = 20ms")).wait_started()
        pid = daemon.module("a")["pid"]
        daemon.write(puppet("a", "reload-timeout = 20ms", "on-reload = wait", "grace = 20ms",
                            "drain = 20ms"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        daemon.wait_log(r"\[a\] restarts: it did not reload within reload-timeout")
        self.wait_restarted(daemon, "a", pid)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_signals_during_a_reload_are_not_lost(self):
        daemon = self.daemon(puppet("a")).wait_started()
        for generation in range(20):
            daemon.write(puppet("a", f"restart-limit = {generation + 5}/1s"))
            daemon.signal(signal.SIGHUP)
        daemon.write(puppet("a") + puppet("last"))
        daemon.signal(signal.SIGHUP)
        harness.wait_until(lambda: [m["name"] for m in daemon.status()["modules"]] == ["a", "last"],
                           "the last configuration")
        self.assertEqual(daemon.module("a")["starts"], 1)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_signal_during_the_start_is_not_lost(self):
        modules = "".join(puppet(f"p{i}") for i in range(10))
        for _ in range(5):
            daemon = self.daemon(modules)
            daemon.wait_log("health is served")
            daemon.write(modules + puppet("last"))
            daemon.signal(signal.SIGHUP)
            harness.wait_until(lambda: daemon.status()["modules"][-1]["name"] == "last",
                               "the last configuration")
            self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_drop_ins(self):
        daemon = self.daemon(puppet("a"), "include = conf.d/*.ini", start=False)
        os.mkdir(os.path.join(daemon.folder, "conf.d"))
        drop_in = os.path.join(daemon.folder, "conf.d", "b.ini")
        with open(drop_in, "w", encoding="utf-8") as file:
            file.write(puppet("b"))
        daemon.start().wait_started()
        self.assertEqual([m["name"] for m in daemon.status()["modules"]], ["a", "b"])
        with open(drop_in, "w", encoding="utf-8") as file:
            file.write("\n" + puppet("b", "restrat = never"))
        done = daemon.ctl("reload")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r'conf\.d/b\.ini:7: \[module:b\] unknown key "restrat"')
        os.unlink(drop_in)
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.assertEqual([m["name"] for m in daemon.status()["modules"]], ["a"])
        self.assertEqual(daemon.stop(), 0, daemon.text())


if __name__ == "__main__":
    harness.main()
