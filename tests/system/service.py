# SPDX-License-Identifier: MIT
"""Helpers of tests that drive reeve.service in the container."""
import json
import os
import signal
import time

import container
from container import BUILD, wait_until

PUPPET = "/usr/lib/reeve-test/puppet.so"
STATE = "/var/lib/reeve"
DROP_INS = "/etc/systemd/system/reeve.service.d"


def puppet(name, *lines, load=PUPPET):
    return "\n".join([f"[module:{name}]", f"load = {load}", f"label = {name}",
                      f"script = {name}.script", *lines, ""])


def prepare(boot):
    """Once a boot: the modules that the tests bring along."""
    boot.copy(os.path.join(BUILD, "tests/fixtures/puppet.so"), PUPPET)


class ServiceTest(container.ContainerTest):
    """Each test finds the service stopped, with the unit as it is shipped and an empty state directory."""

    def setUp(self):
        self.reset()
        self.addCleanup(self.reset)

    def reset(self):
        self.container.systemctl("kill", "--signal=SIGKILL", "reeve", check=False)
        self.container.systemctl("stop", "reeve", check=False)
        self.container.systemctl("reset-failed", "reeve", check=False)
        self.container.run("sh", "-c", f"rm -rf {STATE} {DROP_INS}")
        self.container.systemctl("daemon-reload")

    def configure(self, text, daemon=""):
        self.container.write("/etc/reeve/reeve.ini", f"[daemon]\n{daemon}\n{text}")

    def drop_in(self, text, name="test.conf"):
        self.container.write(f"{DROP_INS}/{name}", text)
        self.container.systemctl("daemon-reload")

    def start(self):
        self.container.systemctl("start", "reeve")

    def begin(self, *command, **options):
        """Starts a command in the container; it is ended with the test."""
        process = self.container.popen(*command, **options)

        def end():
            if process.poll() is None:
                process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()
        self.addCleanup(end)
        return process

    def ctl(self, *arguments, check=True, stdin=""):
        return self.container.run("reevectl", *arguments, check=check, stdin=stdin)

    def get(self, path):
        """Status and body of what the health listener answers."""
        done = self.container.run("curl", "-s", "-m", "20", "-w", "\n%{http_code}",
                                  "http://127.0.0.1:8080" + path, check=False)
        body, _, status = done.stdout.rpartition("\n")
        return int(status or 0), body

    def health(self):
        status, body = self.get("/health")
        return dict(json.loads(body), http=status)

    def modules(self):
        return {m["name"]: m for m in json.loads(self.ctl("status", "--json").stdout)["modules"]}

    def main_pid(self):
        return int(self.container.show("MainPID"))

    def status_text(self):
        return self.container.show("StatusText")

    def processes(self):
        """Ids of what runs in the unit's control group."""
        done = self.container.run("sh", "-c", "cat /sys/fs/cgroup/system.slice/reeve.service/cgroup.procs"
                                  " /sys/fs/cgroup/system.slice/reeve.service/*/cgroup.procs", check=False)
        return [int(line) for line in done.stdout.split()]

    def kill(self, pid, number=signal.SIGKILL):
        self.container.run("kill", f"-{int(number)}", str(pid))

    def trace(self):
        """The lines that puppets print of their actions."""
        try:
            return self.container.read(f"{STATE}/trace").splitlines()
        except FileNotFoundError:
            return []

    def wait_trace(self, line):
        wait_until(lambda: line in self.trace(), f"{line!r} in the trace")

    def wait_status(self, part):
        return wait_until(lambda: (s := self.status_text()) and part in s and s, f"{part!r} in the status")

    def wait_beyond(self, timeout):
        """Until the unit is in its state for longer than the timeout, by systemd's own clock."""
        since = int(self.container.show("StateChangeTimestampMonotonic")) / 1e6
        wait_until(lambda: time.monotonic() - since > timeout, "the timeout to pass")

    def gate(self, name):
        """A fifo that a puppet waits at, until open_gate()."""
        path = f"{STATE}/{name}"
        self.container.run("sh", "-c", f"mkdir -p {STATE} && mkfifo -m 666 {path} && "
                           f"chown -R reeve: {STATE}")
        return path

    def open_gate(self, path):
        def attempt():
            try:
                os.close(os.open(self.container.path(path), os.O_WRONLY | os.O_NONBLOCK))
            except OSError:
                return False
            return True
        wait_until(attempt, f"somebody to read {path}")


def main():
    container.main(prepare)
