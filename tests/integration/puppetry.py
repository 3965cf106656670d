# SPDX-License-Identifier: MIT
"""Helpers of tests that drive the module puppet.so, a module that does what it is told."""
import os

import harness

PUPPET = os.path.join(harness.FIXTURES, "puppet.so")
HEARTBEAT = "[module:heart]\nload = heartbeat\nbeat.every = 20ms\n"


def puppet(name, *lines):
    """A section of a puppet that restarts fast, and backs off for ever only when told."""
    return "\n".join([f"[module:{name}]", f"load = {PUPPET}", f"label = {name}",
                      f"script = {name}.script", "restart-delay = 1ms", *lines, ""])


class PuppetTest(harness.DaemonTest):
    def path(self, daemon, name):
        return os.path.join(daemon.state, name)

    def script(self, daemon, name, action):
        """The action of the next run of its task "act"."""
        with open(self.path(daemon, name + ".script"), "w", encoding="utf-8") as file:
            file.write(action)

    def act(self, daemon, name, action):
        """Starts a run, without waiting for its end."""
        self.script(daemon, name, action)

        def ask():
            # What a run did can be seen a moment before the next may begin.
            answer = daemon.ctl("run", f"{name}/act")
            return None if "a run is under way already" in answer.stderr else answer
        done = harness.wait_until(ask, f"a run of {name}/act")
        self.assertEqual(done.returncode, 0, done.stderr)

    def trace(self, daemon):
        try:
            with open(self.path(daemon, "trace"), encoding="utf-8") as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []

    def wait_trace(self, daemon, line, count=1):
        harness.wait_until(lambda: self.trace(daemon).count(line) >= count, line)

    def begin_run(self, daemon, name):
        """Starts a run that goes on until the fifo is opened, which is returned."""
        fifo = self.path(daemon, "fifo")
        os.mkfifo(fifo)
        self.act(daemon, name, "fifo fifo")
        self.wait_trace(daemon, name + " reads")
        return fifo

    def tree(self, daemon, *words):
        """The output of `tree` once every host has answered, which on a busy machine may take longer than
        the daemon waits for it."""
        def ask():
            done = daemon.ctl("tree", *words)
            self.assertEqual(done.returncode, 0, done.stderr)
            silent = '"silent": true' in done.stdout or "does not answer" in done.stdout
            return None if silent else done.stdout
        return harness.wait_until(ask, "all hosts to answer")

    def task(self, daemon, module, name):
        return next(t for t in daemon.module(module)["tasks"] if t["name"] == name)

    def wait_restarted(self, daemon, name, pid):
        """Until the module is ready again in another process."""
        return harness.wait_until(
            lambda: (m := daemon.module(name))["state"] == "ready" and m["pid"] not in (0, pid) and
            m["pid"],
            f"{name} to be restarted")
