#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""reeve-host --run: a module alone ends as it would under reeved, with the same reasons."""
import os
import shutil
import signal
import subprocess
import tempfile
import unittest

import harness
from puppetry import PUPPET

HOST = harness.REEVE_HOST


class Alone(unittest.TestCase):
    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(path + ".new", path)

    def start(self, action, *arguments, program=(), health=""):
        """Runs the puppet, whose task "act" does the action at once."""
        self.folder = tempfile.mkdtemp(prefix="reeve-test-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.write("script", action)
        self.write("health", health)
        process = subprocess.Popen([*program, HOST, "--run", PUPPET, "act.every=1h", *arguments], cwd=self.folder,
                                   stderr=subprocess.PIPE, text=True, start_new_session=True)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def wait_trace(self, line):
        def has_line():
            try:
                with open(os.path.join(self.folder, "trace"), encoding="utf-8") as file:
                    return line in file.read()
            except FileNotFoundError:
                return False
        harness.wait_until(has_line, line)

    def end(self, process, code):
        text = process.stderr.read()
        self.assertEqual(process.wait(harness.PATIENCE), code, text)
        return text

    def test_a_stop(self):
        process = self.start("wait")
        self.wait_trace("waits")
        process.terminate()
        self.assertRegex(self.end(process, 0), rf"stopping: SIGTERM from pid {os.getpid()} uid \d+\n")
        self.wait_trace("cancelled: SIGTERM")
        self.wait_trace("fini")

    def test_its_health(self):
        """Told when it changes."""
        process = self.start("wait", health="no connection")
        lines = []

        def read_until(text):
            while not lines or text not in lines[-1]:
                lines.append(process.stderr.readline())
                self.assertTrue(lines[-1], lines)
        read_until("warning health: no connection")
        self.write("health", "")
        read_until("info    health: well again")
        self.assertEqual(sum("health: " in line for line in lines), 2, lines)
        process.terminate()
        self.end(process, 0)

    def test_two_signals_at_once_are_one(self):
        """timeout(1) sends one to its child and one to the group."""
        process = self.start("wait")
        self.wait_trace("waits")
        process.terminate()
        os.killpg(process.pid, signal.SIGTERM)
        self.end(process, 0)
        self.wait_trace("fini")

    def test_a_second_signal_ends_at_once(self):
        for number in signal.SIGTERM, signal.SIGINT:
            with self.subTest(number=number):
                process = self.start("fifo fifo", "act.on-stop=finish")
                os.mkfifo(os.path.join(self.folder, "fifo"))
                self.wait_trace("reads")

                def is_ended():
                    process.send_signal(number)
                    return process.poll() is not None
                harness.wait_until(is_ended, "the end")
                self.assertIn(f"{number.name}, the second signal: ends at once", self.end(process, -number))

    def test_a_run_that_ignores_its_cancel(self):
        process = self.start("ignore", "act.grace=100ms")
        self.wait_trace("ignores")
        process.terminate()
        self.assertRegex(self.end(process, 1),
                         r"act hangs: it ignored its cancellation for 100ms \(cancelled because of: SIGTERM from .*\); "
                         r"hang in act run 1 sleeping.*, frames: .*puppet\.so\+0x")

    def test_a_run_past_its_timeout_and_grace(self):
        process = self.start("ignore", "act.grace=50ms", "act.timeout=50ms")
        self.assertRegex(self.end(process, 1), r"act hangs: it ignored its cancellation for 50ms \(cancelled because of: its "
                                               r"deadline has passed\); hang in act run 1 ")

    def test_a_signal_during_init(self):
        process = self.start("note", "on-init=wait")
        self.wait_trace("waits")
        process.terminate()
        self.assertIn("stopping: SIGTERM", self.end(process, 0))
        self.wait_trace("cancelled: SIGTERM")

    @unittest.skipIf(harness.SANITIZED, "ASan takes the signal")
    def test_a_crash(self):
        process = self.start("crash")
        self.assertRegex(self.end(process, -signal.SIGSEGV),
                         r"reeve-host: SIGSEGV in act run 1 at address 0x10, frames: puppet\.so\+0x.* reeve-host\+0x")

    def test_an_exit(self):
        self.assertIn("the module has called exit(0)", self.end(self.start("leave"), 1))


if __name__ == "__main__":
    harness.main()
