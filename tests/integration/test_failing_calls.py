#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""System calls that fail: at the start each one in turn, and for a while when all is running.

After any failed call reeved either goes on and is well once the fault is over, or ends with a non-zero
code and an error that names what failed. It never crashes, hangs, spins, or leaves anything behind.
"""
import concurrent.futures
import contextlib
import errno
import mmap
import os
import signal
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

# These last until somebody frees memory, descriptors or room; others come now and then.
LASTING = {"EMFILE", "ENFILE", "ENOMEM", "ENOBUFS", "ENOSPC"}
CASES = [(call, error, FOR_EVER if error in LASTING or call == "posix_spawn" else 2)
         for call, errors in CALLS.items() for error in errors]


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


class AtTheStart(FailingTest):
    def started(self, daemon):
        """Until it has started or ended; whether it has started."""
        try:
            daemon.wait_log(r" started$")
            return True
        except harness.Waiting:
            if daemon.process.poll() is None and None not in daemon.log:
                raise
            return False

    def start_with(self, call, error, n):
        daemon = self.faulty()
        daemon.faults.set(call, error, n, 1)
        daemon.start()
        try:
            if self.started(daemon):
                self.assert_well(daemon)
                self.assertEqual(daemon.stop(), 0, daemon.text())
            else:
                self.assertEqual(daemon.wait(), 1, daemon.text())
                # What could not be done, and why.
                self.assertRegex(daemon.text(), r" error .*(cannot|reeve\.ini: ).*: " +
                                 os.strerror(getattr(errno, error)))
        except AssertionError as failure:
            raise AssertionError(f"{failure}\n{daemon.text()}") from failure
        finally:
            daemon.close()

    def test_each_call_in_turn(self):
        daemon = self.faulty().start().wait_started()
        daemon.health()
        counts = {call: daemon.faults.calls(call) for call in CALLS}
        self.assertEqual(daemon.stop(), 0, daemon.text())
        # It does interpose: these cannot be avoided.
        for call in ("epoll_ctl", "memfd_create", "open", "posix_spawn", "pidfd_open", "recvmsg"):
            self.assertGreater(counts[call], 0, call)
        cases = [(call, error, n) for call, errors in CALLS.items() for error in errors
                 for n in range(1, min(counts[call], 40) + 1)]
        print(f"{len(cases)} starts", flush=True)
        self.each(cases, self.start_with)


class WhileItRuns(FailingTest):
    def restart(self, daemon, call, error, count):
        """A host is killed while the call fails: the module comes back when it no longer does."""
        pid = daemon.module("heart")["pid"]
        with daemon.faults.failing(call, error, count):
            os.kill(pid, signal.SIGKILL)
            self.look(daemon, call)
        harness.wait_until(lambda: (m := daemon.module("heart"))["state"] == "ready" and
                           m["pid"] not in (0, pid), "the module to be back")
        self.assert_well(daemon)

    def client(self, daemon, call, error, count):
        """A probe comes meanwhile: it may be turned away, and must not wait for long."""
        with daemon.faults.failing(call, error, count):
            probe = harness.Later(lambda: self.try_health(daemon) or "refused", "a probe")
            self.look(daemon, call)
        self.assertTrue(probe.answer())
        self.assert_well(daemon)

    def try_health(self, daemon):
        with contextlib.suppress(ConnectionError):
            return daemon.health()

    def reload(self, daemon, call, error, count):
        """It succeeds or says why not; the next one does what the file says."""
        mark = daemon.mark()
        daemon.write(CONFIG + f"file = {call}-{error}\n")
        with daemon.faults.failing(call, error, count):
            daemon.signal(signal.SIGHUP)
            self.look(daemon, call)
        daemon.wait_log(r" reloaded$| reload failed: ", mark)
        status, answer = daemon.ask("/v1/reload", "POST")
        self.assertEqual((status, answer["errors"]), (200, []), daemon.text())
        self.assert_well(daemon)

    def run_with(self, call, error, count):
        daemon = self.faulty().start().wait_started()
        step = None
        try:
            for step in (self.restart, self.client, self.reload):
                step(daemon, call, error, count)
            step = "stop"
            daemon.faults.fail_next(call, error, count)
            self.assertEqual(daemon.stop(), 0, daemon.text())
        except Exception as failure:
            raise AssertionError(f"{step}: {failure!r}\n{daemon.text()}") from failure
        finally:
            daemon.close()

    def test_each_call_for_a_while(self):
        self.each(CASES, self.run_with)

    def test_a_stop_while_hosts_wait_for_their_turn(self):
        # Starts that fail are tried again all the time; the stop meets hosts not spawned yet.
        modules = "".join(f"[module:m{i}]\nload = heartbeat\nessential = no\nrestart-delay = 1ms\n"
                          "restart-delay-max = 1ms\nrestart-limit = 1000/1us\n" for i in range(16))
        for _ in range(4):
            daemon = self.faulty(modules).start().wait_started()
            harness.wait_until(lambda: all(m["state"] == "ready" for m in daemon.status()["modules"]),
                               "all to be ready")
            pids = [m["pid"] for m in daemon.status()["modules"]]
            start = daemon.faults.calls("posix_spawn")
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            harness.wait_until(lambda: daemon.faults.calls("posix_spawn") > start + 2, "restarts")
            self.assertEqual(daemon.stop(), 0, daemon.text())
            daemon.close()

    def test_who_waits_for_a_reload_is_answered_at_a_sudden_end(self):
        daemon = self.faulty().start().wait_started()
        daemon.write(CONFIG + "file = other\n")
        with daemon.faults.failing("recvmsg", "ENOMEM", FOR_EVER):
            mark = daemon.mark()
            answer = daemon.ask_later("/v1/reload", "POST")
            # The host that tries the new settings: then the request has come, and waits for what cannot be read.
            harness.wait_until(lambda: len(self.children(daemon)) == 2, "the reload's own host")
            daemon.wait_log(r"cannot read from its socket", mark)
            daemon.signal(signal.SIGTERM)
            daemon.wait_log("stopping: SIGTERM", mark)
            daemon.signal(signal.SIGINT)
            self.assertEqual(daemon.wait(), 1, daemon.text())
        status, body = answer.answer()
        self.assertEqual(status, 409)
        self.assertIn("not reloaded: reeved stops", body["errors"][0])


if __name__ == "__main__":
    harness.main()
