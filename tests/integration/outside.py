# SPDX-License-Identifier: MIT
"""Programs that others wrote, run in the foreground with all that they write in one directory."""
import contextlib
import os
import re
import socket
import subprocess
import tempfile
import threading

import harness
import tools


class Program:
    """A process whose output is read line by line, to be waited for."""

    def __init__(self, test, arguments, folder, pass_fds=()):
        self.lines, self.changed = [], threading.Condition()
        self.process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", cwd=folder, env=dict(os.environ, HOME=folder),
            pass_fds=pass_fds)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        test.addCleanup(self.close)

    def _read(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line.rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.lines.append(None)
            self.changed.notify_all()

    def mark(self):
        with self.changed:
            return len(self.lines)

    def wait_line(self, pattern, start=0):
        def found():
            lines = self.lines[start:]
            return any(line and re.search(pattern, line) for line in lines) or None in lines

        with self.changed:
            self.changed.wait_for(found, harness.PATIENCE)
            lines = [line for line in self.lines[start:] if line]
        if not any(re.search(pattern, line) for line in lines):
            raise harness.Waiting(f"no {pattern!r} from {self.process.args[0]}:\n" + "\n".join(lines))

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(harness.PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.reader.join(harness.PATIENCE)
        self.process.stdout.close()


def folder_for(test):
    folder = tempfile.TemporaryDirectory(prefix="reeve-outside-")
    test.addCleanup(folder.cleanup)
    return folder.name


class Haproxy:
    """In front of servers that it checks; `options` go to each of them."""

    CONFIG = """global
    stats socket {stats} mode 600 level admin
defaults
    mode http
    # A request that fails is to be seen to fail.
    retries 0
    timeout connect {patience}s
    # A check that is answered late is no failure.
    timeout check {patience}s
    timeout client {patience}s
    timeout server {patience}s
frontend front
    bind fd@{listener}
    default_backend reeved
backend reeved
    balance roundrobin
    option httpchk GET /readyz
    http-check expect status 200
    default-server {options}
{servers}
"""

    def __init__(self, test, ports, options):
        tools.need("haproxy")
        folder = folder_for(test)
        self.stats = os.path.join(folder, "stats")
        # Its listener is ours: nobody guesses a port, and who connects early waits in the backlog.
        listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        test.addCleanup(listener.close)
        self.port = listener.getsockname()[1]
        path = os.path.join(folder, "haproxy.cfg")
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.CONFIG.format(
                stats=self.stats, patience=int(harness.PATIENCE), listener=listener.fileno(),
                options=options, servers="\n".join(f"    server {name} 127.0.0.1:{port} check"
                                                   for name, port in ports.items())))
        self.program = Program(test, [tools.find("haproxy"), "-db", "-f", path], folder, (listener.fileno(),))
        harness.wait_until(self._is_up, "HAProxy's socket")

    def _is_up(self):
        if self.program.process.poll() is not None:
            raise harness.Waiting("HAProxy ended:\n" + "\n".join(filter(None, self.program.lines)))
        with contextlib.suppress(OSError):
            return self.ask("show info")

    def ask(self, command):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(harness.PATIENCE)
            client.connect(self.stats)
            client.sendall(command.encode() + b"\n")
            with client.makefile() as answer:
                return answer.read()

    def servers(self):
        """For each its state, and how many answers of status 200 it gave."""
        lines = self.ask("show stat").lstrip("# ").splitlines()
        names = lines[0].split(",")
        rows = [dict(zip(names, line.split(","))) for line in lines[1:] if line]
        return {row["svname"]: (row["status"], int(row["hrsp_2xx"] or 0)) for row in rows
                if row["pxname"] == "reeved" and row["svname"] != "BACKEND"}

    def wait_state(self, server, state):
        harness.wait_until(lambda: self.servers()[server][0].split()[0] == state,
                           f"HAProxy to take {server} for {state}")

    def move(self, server, port):
        """The server has come back at another port."""
        answer = self.ask(f"set server reeved/{server} addr 127.0.0.1 port {port}")
        assert "changed" in answer, answer


class Load:
    """Clients that ask all the time, each with its next request once it has its answer."""

    CLIENTS = 4
    PAUSE = 0.002

    def __init__(self, ask):
        self.ask = ask
        self.count, self.failures = 0, []
        self.changed, self.ended = threading.Condition(), threading.Event()
        self.threads = [threading.Thread(target=self._run, daemon=True)
                        for _ in range(self.CLIENTS)]
        for thread in self.threads:
            thread.start()

    def _run(self):
        # Not to synchronise: what bounds the load, on a machine that others use too.
        while not self.ended.wait(self.PAUSE):
            try:
                problem = self.ask()
            except Exception as error:  # whatever it is, the client has no answer
                problem = repr(error)
            with self.changed:
                self.count += 1
                if problem:
                    self.failures.append(problem)
                self.changed.notify_all()

    def wait_more(self, more=50):
        """Until so many further requests have been made."""
        with self.changed:
            enough = self.count + more
            assert self.changed.wait_for(lambda: self.count >= enough, harness.PATIENCE), \
                f"{self.count} requests, and no more"

    def wait_failure(self):
        with self.changed:
            assert self.changed.wait_for(lambda: self.failures, harness.PATIENCE), "none failed"

    def end(self):
        self.ended.set()
        for thread in self.threads:
            thread.join(harness.PATIENCE)
        return self.failures
