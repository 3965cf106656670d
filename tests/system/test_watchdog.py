#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The watchdog: who does not turn is restarted, and who is only busy is not."""
import signal
import subprocess

import service
from container import wait_until
from service import ServiceTest, puppet

# As root it attaches to a process, and keeps it stopped. A tracer must hear of the end of its process
# before anybody else does.
DEBUGGER = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
PTRACE_ATTACH = 16
if libc.ptrace(PTRACE_ATTACH, int(sys.argv[1]), None, None) != 0:
    sys.exit(os.strerror(ctypes.get_errno()))
status = os.waitpid(int(sys.argv[1]), 0)[1]
print("attached", flush=True)
while os.WIFSTOPPED(status):
    status = os.waitpid(int(sys.argv[1]), 0)[1]
"""


class Stuck(ServiceTest):
    def setUp(self):
        super().setUp()
        self.configure(puppet("a") + puppet("b"))
        self.drop_in("[Service]\nWatchdogSec=1s\nTimeoutAbortSec=1s\nRestartSec=10ms\n")
        self.start()
        self.pid = self.main_pid()
        self.hosts = [m["pid"] for m in self.modules().values()]

    def assert_restarted(self):
        """Another main process with other hosts; of the old one nothing is left."""
        wait_until(lambda: self.main_pid() not in (0, self.pid) and
                   self.container.show("SubState") == "running", "a restart")
        self.assertEqual(self.container.show("NRestarts"), "1")
        self.assertIn("Watchdog timeout", self.container.journal("-u", "reeve", "-n", "50"))
        wait_until(lambda: self.health()["http"] == 200, "all to be well")
        left = set(self.processes())
        self.assertFalse(left & {self.pid, *self.hosts}, left)
        self.assertEqual(len(left), 3)

    def test_stopped_by_a_signal(self):
        self.kill(self.pid, signal.SIGSTOP)
        self.assert_restarted()

    def test_stopped_in_a_debugger(self):
        debugger = self.begin("python3", "-c", DEBUGGER, str(self.pid), stdout=subprocess.PIPE)
        self.assertEqual(debugger.stdout.readline(), b"attached\n")
        self.assert_restarted()


class Busy(ServiceTest):
    """Much more to do than there are processors."""

    def pings(self):
        """When the last one came, in seconds."""
        return int(self.container.show("WatchdogTimestampMonotonic")) / 1e6

    def watch(self, seconds):
        """The times of all pings for so long."""
        seen = [self.pings()]
        while seen[-1] - seen[0] < seconds:
            seen.append(wait_until(lambda: (p := self.pings()) != seen[-1] and p, "a ping"))
        return seen

    def test_a_busy_module_is_not_the_loop(self):
        self.configure(puppet("busy", "work.workers = 8", "drain = 0") +
                       "".join(puppet(f"p{i}", "drain = 0") for i in range(12)))
        self.drop_in("[Service]\nWatchdogSec=2s\n")
        self.start()
        pid = self.main_pid()
        for _ in range(8):
            self.ctl("submit", "busy/work", stdin="spin")
        wait_until(lambda: self.trace().count("busy spins") == 8, "all workers to spin")
        times = self.watch(5)
        # Pings come at half of the interval, so that a late one does no harm. None was so late that systemd
        # restarted the service.
        mean = (times[-1] - times[0]) / (len(times) - 1)
        self.assertGreater(mean, 0.95, times)
        self.assertEqual(self.get("/livez")[0], 200)
        self.assertEqual(self.main_pid(), pid)
        self.assertEqual(self.container.show("NRestarts"), "0")


if __name__ == "__main__":
    service.main()
