#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Programs that are started without standard input, output or error: what they open first must not take that place, or a log
goes into a lock file, and an answer into a socket."""
import contextlib
import os
import subprocess

import harness
from puppetry import HEARTBEAT, PUPPET

HOST = harness.REEVE_HOST
SYMBOLS = harness.REEVE_SYMBOLS
CLOSED = ("0<&-", "1>&-", "2>&-", "0<&- 2>&-", "1>&- 2>&-", "0<&- 1>&- 2>&-")


def without(how, *command):
    """The command, started with these descriptors closed."""
    return ["sh", "-c", f'exec "$@" {how}', "sh", *command]


class StandardDescriptors(harness.DaemonTest):
    def start(self, how, *command, environment=None):
        process = subprocess.Popen(without(how, *command), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, env=dict(os.environ, **(environment or {})))
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(process.stdin.close)
        return process

    def assert_standard(self, process, how):
        """A descriptor that was closed is /dev/null; unreadable for other users than root."""
        with contextlib.suppress(PermissionError):
            for number in range(3):
                if f"{number}<" in how or f"{number}>" in how:
                    self.assertEqual(os.readlink(f"/proc/{process.pid}/fd/{number}"), "/dev/null", how)

    def test_of_reeved(self):
        for how in CLOSED:
            daemon = self.daemon(HEARTBEAT, start=False)
            process = self.start(how, harness.REEVED, "-c", daemon.config_path, environment={
                "RUNTIME_DIRECTORY": daemon.folder, "STATE_DIRECTORY": daemon.state})
            # Nothing is restarted before the first check is over.
            harness.wait_until(lambda: daemon.ctl("restart", "heart").returncode == 0, "the restart")
            self.assert_standard(process, how)
            self.assertEqual(daemon.ctl("upgrade").returncode, 0)
            self.assert_standard(process, how)
            with open(os.path.join(daemon.state, ".reeved.lock"), encoding="utf-8") as file:
                self.assertEqual(file.read(), f"{process.pid}\n", how)
            process.terminate()
            self.assertEqual(process.wait(harness.PATIENCE), 0, how)

    def test_of_a_module_alone(self):
        for how in CLOSED:
            folder = self.daemon(start=False).state
            trace = os.path.join(folder, "trace")
            process = self.start(how, "env", "-C", folder, HOST, "--run", PUPPET, "label=a", "script=a.script")
            harness.wait_until(lambda: os.path.exists(trace), "the module to run")
            self.assert_standard(process, how)
            process.terminate()
            self.assertEqual(process.wait(harness.PATIENCE), 0, how)
            with open(trace, encoding="utf-8") as file:
                self.assertNotIn("stopping", file.read(), how)

    def test_of_reevectl(self):
        daemon = self.daemon(HEARTBEAT).wait_started()
        daemon.wait_ready()
        command = [harness.REEVECTL, "-s", daemon.control, "status"]
        for how in CLOSED:
            done = subprocess.run(without(how, *command), capture_output=True, text=True, check=False,
                                  timeout=harness.PATIENCE)
            if "1>" in how:
                # An output that went nowhere is no success.
                self.assertEqual(done.returncode, 1, how)
                self.assertIn("" if "2>" in how else "cannot write its output: Bad file descriptor", done.stderr)
            else:
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn("heart", done.stdout)
        done = subprocess.run(without("0<&-", harness.REEVECTL, "-s", daemon.control, "submit", "heart/none"),
                              capture_output=True, text=True, check=False, timeout=harness.PATIENCE)
        self.assertIn("cannot read standard input: Bad file descriptor", done.stderr)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_versions_that_nobody_reads(self):
        for program in harness.REEVED, HOST, harness.REEVECTL, SYMBOLS:
            for how in CLOSED:
                done = subprocess.run(without(how, program, "--version"), stdin=subprocess.DEVNULL,
                                      capture_output=True, text=True, check=False, timeout=harness.PATIENCE)
                self.assertEqual("1>" in how, not done.stdout, f"{program} {how}")


if __name__ == "__main__":
    harness.main()
