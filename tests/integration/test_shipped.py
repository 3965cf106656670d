#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""exec on input that is not nice; httpcheck and spool have files of their own."""
import os
import re
import signal
import tempfile
import unittest

import harness
from limiting import landlock_abi

LINUX = tuple(int(number) for number in os.uname().release.split("-")[0].split(".")[:2])


class Exec(harness.DaemonTest):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.scratch = os.path.join(folder.name, "output")

    def fail(self, *lines):
        """Runs a command once; returns the text of its failure."""
        daemon = self.daemon("\n".join(["[module:x]", "load = exec", "run.every = 1000s", *lines,
                                        ""])).wait_started()
        text = daemon.wait_log(r"\[x/run#1\] failed: (.*)").group(1)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        return text, daemon.text()

    def test_failures_say_why(self):
        text, log = self.fail("command = echo one; echo two >&2; exit 3")
        self.assertEqual(text, "exit code 3; two")
        self.assertRegex(log, r"\[x/run#1\] one\n.*\[x/run#1\] two")
        self.assertEqual(self.fail("command = kill -KILL $$")[0], "killed by SIGKILL")
        self.assertEqual(self.fail("command = nosuchcommand-reeve")[0].split(";")[0], "exit code 127")
        # On a busy machine the timeout may come before the shell has started.
        for timeout in "200ms", "2s", "20s":
            text, log = self.fail("command = echo begun; sleep 1000", f"run.timeout = {timeout}")
            if "begun" in text:
                break
        self.assertEqual(text, "the command was ended by its timeout; begun")
        text, log = self.fail("command = true", "directory = /nosuchfolder")
        self.assertEqual(text, "directory = /nosuchfolder: No such file or directory")
        text, log = self.fail("command = true", "directory = /etc/passwd")
        self.assertEqual(text, "directory = /etc/passwd: Not a directory")

    @unittest.skipUnless(os.geteuid() == 0, "needs root, for a directory of another user")
    def test_a_folder_that_may_not_be_entered(self):
        os.chmod(os.path.dirname(self.scratch), 0o755)
        os.mkdir(self.scratch, 0o644)
        for mode in 0o644, 0o700:
            os.chmod(self.scratch, mode)
            text, _ = self.fail("command = true", f"directory = {self.scratch}", "user = nobody")
            self.assertEqual(text, f"directory = {self.scratch}: it cannot be entered: Permission denied")

    def test_long_output_keeps_its_end(self):
        text, log = self.fail("command = seq 1 4000 && echo FATAL: disk full && exit 3")
        self.assertEqual(text, "exit code 3; FATAL: disk full")
        self.assertRegex(log, r"\[x/run#1\] 1\n")
        self.assertRegex(log, r"\[x/run#1\] \[\.\.\. \d+ lines left out \.\.\.\]\n")
        self.assertRegex(log, r"info +\[x/run#1\] FATAL: disk full\n")
        self.assertNotIn(" dropped: ", log)
        # Without a blank in it, some of it may be the rest of a URL, and the end is none of that.
        text, log = self.fail("command = head -c 30000 /dev/zero | tr '\\0' x; echo end; exit 3", "output-max = 16K")
        self.assertEqual(text, f"exit code 3; [...]{197 * 'x'}end")
        left_out = int(re.search(r"#1\] \[\.\.\. (\d+) bytes left out", log)[1])
        self.assertEqual(left_out, 30004 - 16384 + 4096)
        # What begins behind the gap was not cut, and all of its line stays.
        last = r"\n   ERROR-on-sdb: the disk is full\n"
        size = len(last) - 2
        text, log = self.fail(f"command = head -c 3000 /dev/zero | tr '\\0' x; printf '{last}'; exit 3", f"output-max = {2 * size}")
        self.assertEqual(text, "exit code 3;    ERROR-on-sdb: the disk is full")
        self.assertIn(f"[... {3000 - size} bytes left out ...]", log)
        self.assertIn("a?b", self.fail(r"command = printf 'a\000b\n'; exit 1")[1])

    def test_the_reason_behind_a_progress_bar(self):
        bar = "".join(f"{i:3}% of it is done\r" for i in range(101))
        for output, end in (bar + "FATAL: disk full\n", "FATAL: disk full"), (bar + "FATAL: disk full\r\n", "FATAL: disk full"), \
                (bar + "FATAL: disk full\n\r\n \r   \r", "FATAL: disk full"), ("one\n" + bar, "100% of it is done"), \
                ("x" * 5000 + "the end\n", "[...]" + "x" * 193 + "the end"), ("a" + "€" * 1000, "[...]" + "€" * 66), \
                ("\r\n  \n", ""), ("", ""):
            with open(self.scratch, "w", encoding="utf-8", newline="") as file:
                file.write(output)
            text, log = self.fail(f"command = cat {self.scratch}; exit 3")
            self.assertEqual(text, "exit code 3" + ("; " + end if end else ""), repr(output[-40:]))
            self.assertIn(end.removeprefix("[...]"), "\n".join(line for line in log.splitlines() if "failed" not in line))
            self.assertNotIn("�", log)

    def test_a_long_line_keeps_its_end(self):
        daemon = self.daemon("[module:a-name-of-many-letters-that-takes-room]\nload = exec\nlog-output = always\n"
                             "command = printf 'begin%09000dend\\nnext\\n' 0\n").wait_started()
        line = daemon.wait_log("info .*run#1\\] (begin.*)").group(1)
        self.assertRegex(line, r"^begin0{700,} \[\.\.\. \d+ bytes left out \.\.\.\] 0{700,}end$")
        left_out = int(line.split(" [... ")[1].split()[0])
        self.assertEqual(left_out + line.count("0") - str(left_out).count("0"), 9000)
        daemon.wait_log(r"run#1\] next$")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_the_time_before_it_is_killed(self):
        script = "trap '' TERM; while :; do sleep 0.01; done"
        for text in (f"command = {script}", f"command = sh -c \"{script}\" && true"):
            daemon = self.daemon("\n".join(["[module:x]", "load = exec", text, "kill-after = 300ms", "run.timeout = 200ms",
                                            "run.grace = 1000s", "run.every = 1000s", ""])).wait_started()
            daemon.wait_log("the command was ended by its timeout")
            task = daemon.module("x")["tasks"][0]
            self.assertGreaterEqual(task["last_duration"], 0.5)
            self.assertEqual(daemon.module("x")["restarts"], 0)
            self.assertEqual(daemon.stop(), 0, daemon.text())
        # What tidies up has its time, also below a shell.
        self.assertTrue(self.tidies("kill-after = 1000s"))

    def test_no_time_before_it_is_killed(self):
        self.assertFalse(self.tidies("kill-after = 0"))

    def tidies(self, line):
        """Whether a command that takes a moment to tidy up, when it is to end, has had that."""
        daemon = self.daemon("[module:x]\nload = exec\nrun.grace = 1000s\nrun.timeout = 300ms\nrun.every = 1000s\n"
                             "command = sh -c \"trap 'sleep 0.3 && echo done > tidied; exit' TERM; sleep 1000 & wait\" && true\n"
                             f"{line}\n").wait_started()
        daemon.wait_log("the command was ended by its timeout")
        self.assertEqual(daemon.stop(), 0, daemon.text())
        return os.path.exists(os.path.join(daemon.state, "tidied"))

    def test_what_makes_a_group_of_its_own_is_ended_too(self):
        """As timeout(1) does, in every run."""
        self.end_groups()

    @unittest.skipUnless(LINUX >= (6, 13) and landlock_abi() > 0, "this kernel hides parents from a sandbox, or has none")
    def test_what_makes_a_group_of_its_own_in_a_sandbox(self):
        self.end_groups("read-only = /usr", "read-write = {state}")

    def end_groups(self, *lines):
        daemon = self.daemon(start=False)
        daemon.write("\n".join(["[module:x]", "load = exec", "run.grace = 1000s", "run.timeout = 300ms", "run.every = 10ms",
                                "command = timeout 1000 sh -c 'echo $$ >> pids; exec sleep 1000'; true",
                                *(line.format(state=daemon.state) for line in lines), ""]))
        daemon.start().wait_started()
        harness.wait_until(lambda: daemon.module("x")["tasks"][0]["timeouts"] >= 3, "some timeouts")
        self.assertEqual(daemon.ctl("stop", "x").returncode, 0)
        with open(os.path.join(daemon.state, "pids"), encoding="utf-8") as file:
            pids = [int(line) for line in file]
        self.assertGreaterEqual(len(pids), 2)
        self.assertEqual([pid for pid in pids if harness.is_alive(pid)], [])
        self.assertNotIn("left behind", daemon.text())
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_real_time_signal(self):
        text, _ = self.fail(f"command = kill -{signal.SIGRTMIN + 3} $$")
        self.assertEqual(text, "killed by SIGRTMIN+3")

    def test_output_is_bounded_and_cannot_forge_log_lines(self):
        _, log = self.fail("command = yes | head -c 100000; printf 'a\\033[31m\\rb\\n'; exit 1",
                           "output-max = 10")
        self.assertLess(log.count("[x/run#1] y"), 6)
        _, log = self.fail("command = printf 'a\\033[31m\\rb\\n'; exit 1")
        self.assertNotIn("\033", log)
        self.assertRegex(log, r"\[x/run#1\] a\?\[31m\?b")

    def test_the_umask_is_that_of_the_service(self):
        for umask, mode in ((0o077, 0o600), (0o027, 0o640), (0, 0o666)):
            daemon = self.daemon("[module:x]\nload = exec\nrun.every = 1000s\ncommand = echo x > out.new && mv out.new out\n",
                                 start=False)
            daemon.umask = umask
            daemon.start().wait_started()
            path = os.path.join(daemon.state, "out")
            harness.wait_until(lambda path=path: os.path.exists(path), "the file")
            self.assertEqual(os.stat(path).st_mode & 0o777, mode)
            self.assertEqual(daemon.ctl("status").returncode, 0)
            self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_no_descriptor_and_no_secret_is_inherited(self):
        daemon = self.daemon("[module:x]\nload = exec\nrun.every = 1000s\n"
                             "command = ls /proc/self/fd | tr '\\n' ' '; env; echo end\n"
                             "log-output = always\noutput-max = 64K\n",
                             environment={"WATCHDOG_USEC": "1", "LISTEN_FDS": "0", "LISTEN_PIDFDID": "1",
                                          "CREDENTIALS_DIRECTORY": "/secret"}).wait_started()
        daemon.wait_log(r"\[x/run#1\] end")
        # ls itself has the directory open as 3.
        daemon.wait_log(r"\[x/run#1\] 0 1 2 3 ")
        for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "LISTEN_PIDFDID", "LISTEN_FDS", "CREDENTIALS_DIRECTORY"):
            self.assertNotIn(name, daemon.text())
        self.assertEqual(daemon.stop(), 0, daemon.text())


if __name__ == "__main__":
    harness.main()
