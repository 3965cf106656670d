# SPDX-License-Identifier: MIT
"""System calls that fail as a test says, in a daemon that is preloaded with a library."""
import concurrent.futures
import contextlib
import errno
import mmap
import os
import struct
import traceback

import harness

LIBRARY = os.path.join(harness.FIXTURES, "failing.so")
CONFIG = ("[module:heart]\nload = heartbeat\nbeat.every = 20ms\nrestart-delay = 20ms\n"
          "restart-delay-max = 20ms\nrestart-limit = 1000/1s\ndrain = 50ms\ngrace = 50ms\n")
FOR_EVER = 1 << 60
# A call that fails this often within the time of a look has somebody who tries without a pause.
LOOK = 0.15
SPINS = 500
# What a start and a stop cost, many times over. A spin would have used its whole time.
CPU_SECONDS = 5.0
# Each call with the errors that the kernel really gives for it.
CALLS = {
    "accept4": ["EMFILE", "ENOMEM", "ECONNABORTED", "EINTR"],
    "bind": ["EACCES"],
    "epoll_create": ["EMFILE"],
    "epoll_ctl": ["ENOSPC", "ENOMEM"],
    "epoll_wait": ["EINTR"],
    "fcntl": ["EMFILE"],
    "ftruncate": ["ENOSPC", "EINTR"],
    "listen": ["EADDRINUSE"],
    "memfd_create": ["EMFILE", "ENOMEM"],
    "mmap": ["ENOMEM"],
    "open": ["EMFILE", "ENFILE", "EIO"],
    "pidfd_open": ["EMFILE", "ENOMEM"],
    "pipe2": ["ENFILE"],
    "posix_spawn": ["EAGAIN", "ENOMEM"],
    "pwrite": ["ENOSPC", "EINTR"],
    "read": ["EINTR", "EAGAIN", "EIO"],
    "recvmsg": ["EINTR", "EAGAIN", "ENOMEM"],
    "send": ["EINTR", "EAGAIN", "ENOBUFS", "ENOMEM"],
    "signalfd": ["EMFILE"],
    "socket": ["EMFILE"],
    "socketpair": ["ENFILE"],
    "timerfd_create": ["EMFILE"],
    "waitid": ["EINTR"],
    "wait4": ["EINTR"],
    "writev": ["EINTR", "EAGAIN", "ENOBUFS"],
}


class Faults:
    """The slots that failing.c reads, in a file that both map."""
    SLOT = struct.Struct("24s i 4x q q q")

    def __init__(self, path):
        with open(path, "w+b") as file:
            file.truncate(64 * self.SLOT.size)
            self.memory = mmap.mmap(file.fileno(), 64 * self.SLOT.size)
        self.names = list(CALLS) + ["fdatasync", "kill"]
        for i, name in enumerate(self.names):
            self.SLOT.pack_into(self.memory, i * self.SLOT.size, name.encode(), 0, 0, 0, 0)

    def _offset(self, name):
        return self.names.index(name) * self.SLOT.size

    def calls(self, name):
        return self.SLOT.unpack_from(self.memory, self._offset(name))[4]

    def set(self, name, error, start, count):
        """Those fail from the start'th on, counted from the program's own start."""
        offset = self._offset(name)
        struct.pack_into("i", self.memory, offset + 24, getattr(errno, error))
        struct.pack_into("q", self.memory, offset + 40, count)
        struct.pack_into("q", self.memory, offset + 32, start)

    def hang_once(self, name):
        """The next call does not return before the fifo has been opened and closed."""
        offset = self._offset(name)
        struct.pack_into("i", self.memory, offset + 24, -1)
        struct.pack_into("q", self.memory, offset + 40, 1)
        struct.pack_into("q", self.memory, offset + 32, self.calls(name) + 1)

    def fail_next(self, name, error, count):
        self.set(name, error, self.calls(name) + 1, count)

    @contextlib.contextmanager
    def failing(self, name, error, count):
        """The next ones fail, all of them at most for as long as this lasts."""
        self.fail_next(name, error, count)
        try:
            yield
        finally:
            struct.pack_into("q", self.memory, self._offset(name) + 32, 0)


class FailingTest(harness.DaemonTest):
    def faulty(self, config=CONFIG, daemon=""):
        instance = self.daemon(config, daemon, start=False)
        path = os.path.join(instance.folder, "failing")
        instance.environment.update(
            LD_PRELOAD=LIBRARY, REEVE_FAILING=path,
            ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0")
        instance.faults = Faults(path)
        return instance

    def each(self, cases, run):
        """Runs all cases, two at once, and tells of every one that failed."""
        failures = []

        def attempt(case):
            try:
                run(*case)
            except Exception:  # pylint: disable=broad-except
                failures.append(f"{' '.join(map(str, case))}:\n{traceback.format_exc()}")

        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(attempt, cases))
        self.assertFalse(failures, "\n" + "\n".join(failures[:12]) + f"\n{len(failures)} cases failed")

    def children(self, daemon):
        pid = daemon.process.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as file:
            return file.read().split()

    def zombies(self, daemon):
        return [child for child in self.children(daemon) if not harness.is_alive(child)]

    def health(self, daemon):
        """None: the connection was closed, as one is that could not be taken in. Not late, though."""
        try:
            return daemon.health()
        except ConnectionError:
            return None

    def assert_well(self, daemon):
        """It answers, all is well, nothing is left unreaped, and it did not spin."""
        document = harness.wait_until(
            lambda: (d := self.health(daemon)) and d["status"] == "pass" and d, "health to pass")
        self.assertEqual(document["http"], 200)
        harness.wait_until(lambda: not self.zombies(daemon), "children to be reaped")
        self.assertLess(harness.cpu_time(daemon.process.pid), CPU_SECONDS)

    def look(self, daemon, call):
        """Watches for a while that nobody tries without a pause."""
        start = daemon.faults.calls(call)
        with contextlib.suppress(harness.Waiting):
            harness.wait_until(lambda: daemon.faults.calls(call) > start + SPINS, "", LOOK)
            self.fail(f"{call} fails more than {SPINS} times in {LOOK} s")
