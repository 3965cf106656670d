# SPDX-License-Identifier: MIT
"""Runs the real binaries in a temporary directory.

Nothing here sleeps to synchronise: a test waits for a log line (a blocking read), for a message on a
socket, or, for a state that only a question can tell, asks until a deadline has passed.
"""
import atexit
import contextlib
import errno
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

# tools.py is for all directories of tests.
sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# What tests run, in the build directory.
PARTS = ("daemon", "host", "ctl", "include", "lib", "modules", "tests/fixtures", "tests/host")


def find_build():
    """The build directory; for root in a user's checkout a copy. reeved takes modules only of root's or of its own user's, and
    tests run some as other users, who may not come to a home."""
    build = os.environ["REEVE_BUILD"]
    if os.geteuid() != 0 or all(is_open(path) for path in (build, *(os.path.join(build, part) for part in PARTS))):
        return build
    folder = tempfile.mkdtemp(prefix="reeve-build-")
    atexit.register(shutil.rmtree, folder, True)
    copy = os.path.join(folder, os.path.basename(build))
    for part in PARTS:
        shutil.copytree(os.path.join(build, part), os.path.join(copy, part), symlinks=True,
                        ignore=shutil.ignore_patterns("*.p"))
    subprocess.run(["chmod", "-R", "go+rX", folder], check=True)
    os.environ["REEVE_BUILD"] = copy
    os.environ["LD_LIBRARY_PATH"] = os.environ.get("LD_LIBRARY_PATH", "").replace(build, copy)
    return copy


def is_open(path):
    """Whether it is root's, and everybody may come there."""
    steps = [path]
    while steps[-1] != "/":
        steps.append(os.path.dirname(steps[-1]))
    return os.stat(path).st_uid == 0 and all(os.stat(step).st_mode & 0o001 for step in steps)


BUILD = find_build()
REEVED = os.path.join(BUILD, "daemon", "reeved")
REEVECTL = os.path.join(BUILD, "ctl", "reevectl")
REEVE_HOST = os.path.join(BUILD, "host", "reeve-host")
REEVE_SYMBOLS = os.path.join(BUILD, "host", "reeve-symbols")
FIXTURES = os.path.join(BUILD, "tests", "fixtures")
# A sanitizer ends a process in a way of its own, and takes what some tests are about.
SANITIZED = "asan" in os.path.basename(BUILD)
# A machine under load, sanitizers included, is slow and not broken.
PATIENCE = float(os.environ.get("REEVE_PATIENCE", 60.0))


def cpu_time(pid):
    """Seconds of processor time, the kernel's share included."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Waiting(AssertionError):
    """An awaited event did not come."""


def wait_until(question, what, patience=PATIENCE):
    """Asks until the answer is true, and returns it."""
    deadline = time.monotonic() + patience
    pause = threading.Event()
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise Waiting(f"waited {patience} s for {what}; the last answer was {answer!r}")
        pause.wait(0.01)


def release(fifo):
    """Lets what reads the fifo, or opens it to read, go on."""
    def open_it():
        try:
            os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            return False
        return True
    wait_until(open_it, f"a reader of {fifo}")


class UnixConnection(http.client.HTTPConnection):
    """HTTP over the control socket."""

    def __init__(self, path):
        super().__init__("reeved", timeout=PATIENCE)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(self.path)


class Later:
    """A question asked on a thread of its own."""

    def __init__(self, question, name):
        self.name = name
        self.answers = []
        self.thread = threading.Thread(target=lambda: self.answers.append(question()), daemon=True)
        self.thread.start()

    def is_done(self):
        return bool(self.answers)

    def answer(self):
        self.thread.join(PATIENCE)
        if not self.answers:
            raise Waiting(f"no answer to {self.name}")
        return self.answers[0]


class Daemon:
    """A reeved with its own directories. The configuration's [daemon] section listens at port 0."""

    def __init__(self, config, daemon="", environment=None):
        self.folder = tempfile.mkdtemp(prefix="reeve-test-")
        self.state = os.path.join(self.folder, "state")
        self.config_path = os.path.join(self.folder, "reeve.ini")
        self.control = os.path.join(self.folder, "control")
        self.daemon = daemon
        self.environment = environment or {}
        self.program = REEVED
        self.pass_fds = ()
        self.umask = -1  # that of the tests
        self.nofile = None  # soft and hard limit of descriptors, else those of the tests
        self.log = []
        self.log_lock = threading.Condition()
        self.process = None
        self.reader = None
        os.mkdir(self.state)
        self.write(config)

    def write(self, config):
        with open(self.config_path + ".new", "w", encoding="utf-8") as file:
            file.write(f"[daemon]\nlisten = 127.0.0.1:0\n{self.daemon}\n{config}")
        os.rename(self.config_path + ".new", self.config_path)

    def start(self, *arguments):
        environment = dict(os.environ, RUNTIME_DIRECTORY=self.folder, STATE_DIRECTORY=self.state)
        environment.pop("NOTIFY_SOCKET", None)
        environment.update(self.environment)
        below = [] if self.nofile is None else [
            "sh", "-c", f'ulimit -Sn {self.nofile[0]} && ulimit -Hn {self.nofile[1]} && exec "$@"', "sh"]
        self.process = subprocess.Popen(
            [*below, self.program, "-c", self.config_path, *arguments], stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, env=environment, text=True,
            errors="replace", pass_fds=self.pass_fds, umask=self.umask)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        return self

    def _read(self):
        for line in self.process.stderr:
            with self.log_lock:
                self.log.append(line.rstrip("\n"))
                self.log_lock.notify_all()
        with self.log_lock:
            self.log.append(None)
            self.log_lock.notify_all()

    def wait_log(self, pattern, start=0):
        """Waits for a line that matches; returns the match."""
        deadline = time.monotonic() + PATIENCE
        with self.log_lock:
            seen = start
            while True:
                for line in self.log[seen:]:
                    match = line is not None and re.search(pattern, line)
                    if match:
                        return match
                seen = len(self.log)
                if self.log and self.log[-1] is None:
                    raise Waiting(f"reeved ended without {pattern!r}:\n{self.text()}")
                if not self.log_lock.wait(deadline - time.monotonic()):
                    raise Waiting(f"no {pattern!r} in the log:\n{self.text()}")

    def text(self):
        return "\n".join(line for line in self.log if line is not None)

    def mark(self):
        """A place in the log, to wait for lines after it."""
        with self.log_lock:
            return len(self.log)

    @property
    def port(self):
        return int(self.wait_log(r"health is served at http://127\.0\.0\.1:(\d+)/").group(1))

    def wait_started(self):
        self.wait_log(r" started$")
        return self

    def request(self, path, method="GET", headers=None):
        """Returns status, headers and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request(method, path, headers=headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read().decode()

    def health(self):
        status, _, body = self.request("/health")
        document = json.loads(body)
        document["http"] = status
        return document

    def check(self, name):
        """One check of the health document, such as "web:state"."""
        return self.health()["checks"].get(name, [None])[0]

    def ask(self, path, method="GET", body=None, headers=None):
        connection = UnixConnection(self.control)
        with contextlib.closing(connection):
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            return response.status, json.loads(response.read())

    def ask_later(self, path, method="GET", body=None):
        """Asks in the background."""
        return Later(lambda: self.ask(path, method, body), f"{method} {path}")

    def status(self):
        return self.ask("/v1/status")[1]

    def wait_answers(self):
        """For a log that does not tell the start. The path is there a moment before reeved listens at it."""
        def answers():
            try:
                return self.status()
            except (FileNotFoundError, ConnectionRefusedError):
                return None
        wait_until(answers, "an answer at the control socket")
        return self

    def module(self, name):
        return next(m for m in self.status()["modules"] if m["name"] == name)

    def wait_ready(self, *names):
        """All modules, or those that are named, also such for which a start does not wait."""
        self.wait_started()
        wait_until(lambda: all(m["state"] == "ready" for m in self.status()["modules"]
                               if not names or m["name"] in names), f"{names or 'all'} to be ready")
        return self

    def kill(self, name, number=signal.SIGKILL):
        """Sends a signal to the module's host; returns its pid."""
        pid = self.module(name)["pid"]
        # kill(0) would be for us all.
        assert pid > 0, f"{name} has no host"
        os.kill(pid, number)
        return pid

    def ctl(self, *arguments, stdin=""):
        return subprocess.run([REEVECTL, "-s", self.control, *arguments], input=stdin,
                              capture_output=True, text=True, timeout=PATIENCE, check=False)

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self):
        code = self.process.wait(PATIENCE)
        self.reader.join(PATIENCE)
        self.process.stderr.close()
        return code

    def stop(self):
        """Ends it by SIGTERM; returns the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.reader:
            self.reader.join(PATIENCE)
            self.process.stderr.close()
        try:
            wait_until(lambda: not self.processes(), "the end of what reeved had started")
        finally:
            for pid in self.processes():
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            shutil.rmtree(self.folder, ignore_errors=True)

    def descriptors(self):
        """How many the daemon has open. Its directory in /proc is root's, so others ask itself, and do not count the
        connection for that."""
        try:
            return len(os.listdir(f"/proc/{self.process.pid}/fd"))
        except PermissionError:
            connection = UnixConnection(self.control)
            with contextlib.closing(connection):
                connection.request("GET", "/metrics")
                text = connection.getresponse().read().decode()
            return int(re.search(r"(?m)^process_open_fds (\d+)", text)[1]) - 1

    def connections(self):
        """How many its control socket has, those that it has still to accept included."""
        with open("/proc/net/unix", encoding="utf-8") as file:
            states = [line.split()[5] for line in file if line.rstrip().endswith(f" {self.control}")]
        return len(states) - states.count("01")  # which is the one that listens

    def processes(self):
        """Ids of everything that runs with our directory in its environment: hosts, and theirs."""
        found = []
        for entry in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                with open(f"/proc/{entry}/environ", "rb") as file:
                    if b"=" + self.state.encode() in file.read() and is_alive(entry):
                        found.append(int(entry))
        return found


class DaemonTest(unittest.TestCase):
    """A test case whose daemons are ended, and whose hosts must be gone with them."""

    def daemon(self, config="", daemon="", environment=None, start=True):
        instance = Daemon(config, daemon, environment)
        self.addCleanup(instance.close)
        return instance.start() if start else instance

    def run_reeved(self, config, *arguments, daemon="", below=()):
        """Runs reeved to its end, below a command if there is one; returns exit code and what it printed."""
        instance = Daemon(config, daemon)
        self.addCleanup(instance.close)
        environment = dict(os.environ, RUNTIME_DIRECTORY=instance.folder,
                           STATE_DIRECTORY=instance.state)
        done = subprocess.run([*below, REEVED, "-c", instance.config_path, *arguments], text=True,
                              capture_output=True, env=environment, timeout=PATIENCE, check=False)
        return done.returncode, done.stderr


def open_files(pid):
    """The descriptors of a process, by their names in /proc; without those that it closes meanwhile."""
    found = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
    return found


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def main():
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
