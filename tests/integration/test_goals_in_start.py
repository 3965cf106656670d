#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Operations and failures while the daemon still starts. In comments a <- b means: b requires a."""
import os
import shutil

import harness
from operating import GoalTest, SLOW
from puppetry import HEARTBEAT, PUPPET, puppet


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
