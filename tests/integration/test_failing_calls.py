#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""System calls that fail: at the start each one in turn, and for a while when all is running.

After any failed call reeved either goes on and is well once the fault is over, or ends with a non-zero
code and an error that names what failed. It never crashes, hangs, spins, or leaves anything behind.
"""
import contextlib
import errno
import os
import signal

import harness
from failing import CALLS, CONFIG, FOR_EVER, FailingTest

# These last until somebody frees memory, descriptors or room; others come now and then.
LASTING = {"EMFILE", "ENFILE", "ENOMEM", "ENOBUFS", "ENOSPC"}
CASES = [(call, error, FOR_EVER if error in LASTING or call == "posix_spawn" else 2)
         for call, errors in CALLS.items() for error in errors]


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
