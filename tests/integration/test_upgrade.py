#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Live upgrades to a program of the same wire version: nobody notices."""
import contextlib
import os
import signal
import socket
import threading

import harness
import puppetry
import test_reevectl
import upgrading
from puppetry import HEARTBEAT, puppet


class Keeps(upgrading.UpgradeTest):
    def test_process_hosts_and_state(self):
        daemon = self.installed(HEARTBEAT + puppet("p") + puppet("held") + puppet("sick").replace("1ms", "1h"))
        daemon.ctl("stop", "held")
        os.kill(daemon.module("sick")["pid"], signal.SIGKILL)
        harness.wait_until(lambda: daemon.module("sick")["state"] == "backoff", "the backoff")
        harness.wait_until(lambda: self.task(daemon, "heart", "beat")["runs"] > 3, "some runs")
        before = daemon.status()
        pids = self.pids(daemon)
        text = self.upgrade(daemon, 2)
        self.assertIn("2 hosts kept", text)
        after = daemon.status()
        self.assertEqual(after["pid"], before["pid"])
        self.assertEqual(after["pid"], daemon.process.pid)
        self.assertEqual(self.pids(daemon), pids)
        self.assertEqual(after["listen"], before["listen"])
        self.assertGreaterEqual(after["uptime"], before["uptime"])
        self.assertEqual(after["generation"], 2)
        for old, new in zip(before["modules"], after["modules"]):
            for member in "name", "state", "starts", "restarts", "host", "output":
                self.assertEqual(old[member], new[member], (old["name"], member))
            for old_task, new_task in zip(old["tasks"], new["tasks"]):
                self.assertGreaterEqual(new_task["runs"], old_task["runs"])
        self.assertIn("killed by SIGKILL", daemon.module("sick")["output"])
        # And all of it can be used.
        self.assertEqual(daemon.ctl("start", "held").returncode, 0)
        self.assertEqual(daemon.ctl("restart", "p").returncode, 0)
        self.assertEqual(daemon.ctl("run", "p/act", "--wait").returncode, 0)
        self.assertEqual(daemon.stop(), 0)
        # No module but the restarted one was started, or stopped, more often than asked for.
        self.assertEqual(self.trace(daemon).count("p init"), 2)
        self.assertEqual(self.trace(daemon).count("p fini"), 2)

    def test_json(self):
        """As docs/reevectl.md has it."""
        daemon = self.installed(HEARTBEAT)
        done = daemon.ctl("upgrade", "--json")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        answer = harness.json.loads(done.stdout)
        self.assertEqual(answer, {"generation": 2, "version": daemon.status()["version"],
                                  "from": daemon.status()["version"], "kept": 1, "replaced": 0})
        _, sections = test_reevectl.read_document()
        self.assertEqual(answer.keys(), sections["upgrade"].keys())

    def test_many_times(self):
        daemon = self.installed(HEARTBEAT + puppet("p"))
        pids = self.pids(daemon)
        self.upgrade(daemon, 2)
        harness.wait_until(lambda: daemon.connections() == 0, "reevectl's connection to be closed")
        count = daemon.descriptors()
        for generation in range(3, 13):
            self.upgrade(daemon, generation)
        self.assertEqual(self.pids(daemon), pids)
        harness.wait_until(
            lambda: daemon.descriptors() == count,
            f"as many descriptors as before: {count}")
        self.assertEqual(daemon.stop(), 0)

    def test_who_waits_is_answered_by_the_next(self):
        daemon = self.installed(puppet("p") + puppet("q"))
        fifo = os.path.join(daemon.folder, "fifo")
        os.mkfifo(fifo)
        self.script(daemon, "p", "fifo " + fifo)
        run = daemon.ask_later("/v1/run?module=p&task=act&wait", "POST")
        self.wait_trace(daemon, "p reads")
        job = daemon.ask_later("/v1/submit?module=q&pool=work&wait", "POST", b"fifo " + fifo.encode())
        self.wait_trace(daemon, "q reads")
        self.upgrade(daemon, 2)
        self.upgrade(daemon, 3)
        self.assertFalse(run.is_done() or job.is_done())
        harness.release(fifo)
        for later in run, job:
            status, answer = later.answer()
            self.assertEqual((status, answer["code"]), (200, 0), answer)
            self.assertGreater(answer["number"], 0)

    def test_who_waits_and_leaves(self):
        daemon = self.installed(puppet("p"))
        self.script(daemon, "p", "wait")
        self.upgrade(daemon, 2)
        with contextlib.closing(harness.UnixConnection(daemon.control)) as connection:
            connection.request("POST", "/v1/run?module=p&task=act&wait")
            self.wait_trace(daemon, "p waits")
            self.upgrade(daemon, 3)
            self.assertGreater(daemon.connections(), 0)
        # Its connection goes with it, and what it asked for goes on.
        harness.wait_until(lambda: daemon.connections() == 0, "its descriptor to be closed")
        self.assertEqual(self.task(daemon, "p", "act")["state"], "running")
        self.upgrade(daemon, 4)
        self.assertEqual(daemon.stop(), 0)

    def test_answer_after_which_the_connection_is_closed(self):
        daemon = self.installed(puppet("p"))
        fifo = os.path.join(daemon.folder, "fifo")
        os.mkfifo(fifo)
        self.script(daemon, "p", "fifo " + fifo)
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as peer:
            peer.settimeout(harness.PATIENCE)
            peer.connect(daemon.control)
            peer.sendall(b"POST /v1/run?module=p&task=act&wait HTTP/1.0\r\nContent-Length: 0\r\n\r\n")
            self.wait_trace(daemon, "p reads")
            self.upgrade(daemon, 2)
            harness.release(fifo)
            answer = b""
            while data := peer.recv(4096):
                answer += data
        self.assertIn(b" 200 ", answer.split(b"\r\n", 1)[0])
        self.assertIn(b'"code": 0', answer)

    def test_log(self):
        daemon = self.installed(puppet("p"))
        self.act(daemon, "p", "say before the upgrade")
        daemon.wait_log("before the upgrade")
        number = daemon.ask("/v1/logs")[1]["last"]
        self.upgrade(daemon, 2)
        self.act(daemon, "p", "say after the upgrade")
        daemon.wait_log("after the upgrade")
        logs = daemon.ask("/v1/logs")[1]
        texts = [line["text"] for line in logs["lines"]]
        self.assertTrue(any("before the upgrade" in text for text in texts), texts)
        self.assertTrue(any("after the upgrade" in text for text in texts), texts)
        numbers = [line["number"] for line in logs["lines"]]
        self.assertEqual(numbers, sorted(set(numbers)))
        self.assertGreater(logs["last"], number)

    def test_configuration_in_force(self):
        """Changes in the file that were not loaded are not in force after an upgrade either."""
        daemon = self.installed(HEARTBEAT + puppet("p"))
        pids = self.pids(daemon)
        daemon.write("[nonsense]\n")
        self.upgrade(daemon, 2)
        self.assertEqual(self.pids(daemon), pids)
        daemon.write(HEARTBEAT.replace("20ms", "30ms") + puppet("p"))
        self.upgrade(daemon, 3)
        self.assertEqual(self.task(daemon, "heart", "beat")["schedule"], "every 20ms")
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        # A beat that is under way ends first.
        harness.wait_until(lambda: self.task(daemon, "heart", "beat")["schedule"] == "every 30ms", "the new options")
        self.assertEqual(self.pids(daemon)["p"], pids["p"])

    def test_stopped_hosts(self):
        """Both sides of a grace go on over an upgrade: who was stopped is killed after it, who is continued is not."""
        daemon = self.installed(puppet("a", "grace = 2s") + puppet("b", "grace = 1000s"))
        pids = self.pids(daemon)
        for name in "ab":
            daemon.kill(name, signal.SIGSTOP)
            daemon.wait_log(rf"\[{name}\] process \d+ was stopped by SIGSTOP")
        self.upgrade(daemon, 2)
        daemon.wait_log(r"\[a\] it was stopped for 2s")
        daemon.wait_ready("a")
        self.assertNotEqual(daemon.module("a")["pid"], pids["a"])
        daemon.kill("b", signal.SIGCONT)
        daemon.wait_log(r"\[b\] process \d+ was continued")
        self.assertEqual(self.pids(daemon)["b"], pids["b"])
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_run_that_was_lost(self):
        daemon = self.installed(puppet("a", "tick.every = never"))
        self.act(daemon, "a", "wait")
        self.wait_trace(daemon, "a waits")
        self.wait_restarted(daemon, "a", daemon.kill("a"))
        before = self.task(daemon, "a", "act")
        self.assertEqual((before["failures"], before["last_error"]), (1, "lost with its host: killed by SIGKILL"))
        self.upgrade(daemon, 2)
        after = self.task(daemon, "a", "act")
        self.assertEqual((after["failures"], after["last_code"], after["last_error"]),
                         (1, before["last_code"], before["last_error"]))
        self.assertIn('reeve_task_consecutive_failures{module="a",task="act"} 1\n', daemon.request("/metrics")[2])
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_what_only_a_restart_changes(self):
        """A listen or max-connections that a reload left alone is told of after an upgrade as before it."""
        warning = "listen, control and max-connections change only with a restart of reeved"
        daemon = self.installed(HEARTBEAT)
        for number, line in enumerate(("max-connections = 77", "listen = [::1]:0", "")):
            daemon.daemon = line
            daemon.write(HEARTBEAT)
            done = daemon.ctl("reload")
            told = warning in done.stdout + done.stderr
            self.assertEqual((done.returncode, told), (0, line != ""))
            self.upgrade(daemon, 2 + number)
            done = daemon.ctl("reload")
            self.assertEqual((done.returncode, warning in done.stdout + done.stderr), (0, told), line)
            self.assertEqual(daemon.ask("/v1/plan")[1]["needs_restart"], told)

    def test_object_that_was_replaced_before(self):
        """A package brings reeved and modules: the upgrade leaves modules, the reload then takes them."""
        daemon = self.installed(HEARTBEAT)
        copy = os.path.join(daemon.folder, "copy.so")
        self.install(daemon, puppetry.PUPPET, "copy.so")
        os.rename(os.path.join(daemon.folder, "bin", "copy.so"), copy)
        daemon.write(HEARTBEAT + puppet("p").replace(puppetry.PUPPET, copy))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        pids = self.pids(daemon)
        self.install(daemon, puppetry.PUPPET, "copy.so")
        os.rename(os.path.join(daemon.folder, "bin", "copy.so"), copy)
        self.upgrade(daemon, 2)
        self.assertEqual(self.pids(daemon), pids)
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.assertNotEqual(self.pids(daemon)["p"], pids["p"])
        self.assertEqual(self.pids(daemon)["heart"], pids["heart"])

    def test_ends_of_hosts_are_seen_after_it(self):
        daemon = self.installed(puppet("p", "grace = 300ms", "act.timeout = 100ms") + puppet("q") + puppet("r"))
        self.upgrade(daemon, 2)
        pid = daemon.kill("q")
        self.wait_restarted(daemon, "q", pid)
        pid = daemon.module("p")["pid"]
        self.act(daemon, "p", "ignore")
        self.wait_restarted(daemon, "p", pid)
        daemon.wait_log(r"\[p/act#1\] ignores its cancellation")
        pid = daemon.module("r")["pid"]
        self.act(daemon, "r", "crash")
        self.wait_restarted(daemon, "r", pid)
        self.assertIn("SIGSEGV", daemon.module("r")["crash"])
        self.upgrade(daemon, 3)
        self.assertIn("SIGSEGV", daemon.module("r")["crash"])
        self.assertEqual(daemon.stop(), 0)

    def test_notify_and_watchdog(self):
        path = os.path.join(self.enterContext(harness.tempfile.TemporaryDirectory()), "notify")
        seen = []
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as notify:
            notify.bind(path)

            def read():
                while (message := notify.recv(4096)) != b"end":
                    seen.append(message.decode())

            reader = threading.Thread(target=read, daemon=True)
            reader.start()
            # No beat is due: a late one would change the status.
            daemon = self.installed(HEARTBEAT.replace("20ms", "1h"), environment={
                "NOTIFY_SOCKET": path, "WATCHDOG_USEC": "200000"})
            good = os.path.join(daemon.folder, "good.ini")
            os.rename(daemon.config_path, good)
            daemon.write("[nonsense]\n")
            self.assertEqual(daemon.ctl("reload").returncode, 1)
            os.rename(good, daemon.config_path)
            # The new program says the same of how things are.
            status = harness.wait_until(
                lambda: next((text for text in seen if "the last reload failed: " in text), None), "its status")
            mark = len(seen)
            self.upgrade(daemon, 2)
            harness.wait_until(lambda: status in seen[mark:], status)
            mark = len(seen)
            harness.wait_until(lambda: seen[mark:].count("WATCHDOG=1") > 3, "pings")
            self.assertEqual(daemon.stop(), 0)
            with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as end:
                end.sendto(b"end", path)
            reader.join(harness.PATIENCE)
        # At the start, and after the reload.
        self.assertEqual(len([message for message in seen if "READY=1" in message]), 2)
        self.assertTrue(any("STOPPING=1" in message for message in seen[mark:]), seen)


class Refused(upgrading.UpgradeTest):
    def refused(self, daemon, pattern):
        pids = self.pids(daemon)
        done = daemon.ctl("upgrade")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertRegex(done.stderr, pattern)
        status = daemon.status()
        self.assertRegex(status["upgrade_error"], pattern)
        self.assertRegex(daemon.ctl("status").stdout, f"(?m)^the last upgrade failed: .*{pattern}")
        self.assertEqual(status["generation"], 1)
        self.assertEqual(self.pids(daemon), pids)
        self.assertEqual(daemon.request("/livez")[0], 200)

    def script(self, daemon, text, mode=0o755):
        path = os.path.join(daemon.folder, "script")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        self.install(daemon, path, mode=mode)

    def test_programs_that_cannot_take_over(self):
        daemon = self.installed(HEARTBEAT)
        self.script(daemon, "#!/bin/sh\necho too new for me >&2\nexit 1\n")
        self.refused(daemon, "cannot take over: too new for me")
        self.script(daemon, "#!/bin/sh\nexit 0\n")
        self.refused(daemon, "does not know --check-state")
        self.script(daemon, "#!/bin/sh\nkill -SEGV $$\n")
        self.refused(daemon, "it crashed when it read the state")
        self.script(daemon, "#!/bin/sh\nhead -c 100000 /dev/zero\n")
        self.refused(daemon, "does not know --check-state")
        self.script(daemon, "not a program\n", 0o644)
        self.refused(daemon, "no program that can be executed")
        for mode in 0o775, 0o757:
            self.script(daemon, "#!/bin/sh\ntouch was-run\n", mode)
            self.refused(daemon, "nobody else may be able to write")
        os.unlink(daemon.program)
        self.refused(daemon, "No such file")
        self.assertFalse(os.path.exists("was-run"))
        # And what is good again is taken.
        self.install(daemon, harness.REEVED)
        self.upgrade(daemon, 2)
        self.assertEqual(daemon.status()["upgrade_error"], "")
        self.assertNotIn("last upgrade", daemon.ctl("status").stdout)

    def test_one_that_can_not_be_executed_after_all(self):
        """It answers the question, and what it needs is gone when it is to run."""
        daemon = self.installed(HEARTBEAT)
        shell = os.path.join(daemon.folder, "sh")
        os.symlink("/bin/sh", shell)
        self.script(daemon, f"#!{shell}\n{harness.REEVED} \"$@\" && rm {shell}\n")
        done = daemon.ctl("upgrade")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("cannot execute", done.stderr)
        self.assertEqual(daemon.request("/livez")[0], 200)
        self.assertEqual(daemon.status()["generation"], 1)
        self.install(daemon, harness.REEVED)
        self.upgrade(daemon, 2)

    def test_by_signal(self):
        daemon = self.installed(HEARTBEAT)
        daemon.signal(signal.SIGUSR2)
        daemon.wait_log("has taken over from .*: generation 2, 1 host")
        os.unlink(daemon.program)
        daemon.signal(signal.SIGUSR2)
        daemon.wait_log("not upgraded: .*No such file")

    def test_stop_while_it_waits(self):
        daemon = self.installed(puppet("p"))
        # A module that is on its way for as long as it likes.
        daemon.write(puppet("p") + puppet("late", "on-init = wait", "essential = no", "drain = 100ms",
                                          "grace = 100ms"))
        reload = daemon.ask_later("/v1/reload", "POST")
        self.wait_trace(daemon, "late waits")
        later = harness.Later(lambda: daemon.ctl("upgrade"), "upgrade")
        daemon.wait_log("upgrading to")
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(later.answer().returncode, 1)
        self.assertIn("reeved is ", later.answer().stderr)
        reload.answer()

    def test_what_must_not_be_changed(self):
        """The state is no way in for anybody: a descriptor that holds none is refused."""
        daemon = self.installed(HEARTBEAT)
        for option in "--check-state", "--resume":
            for value in "0", "-1", "x", "77":
                done = harness.subprocess.run([daemon.program, "-c", daemon.config_path, option, value],
                                              capture_output=True, text=True, check=False,
                                              timeout=harness.PATIENCE)
                self.assertEqual(done.returncode, 1, (option, value))
                self.assertNotEqual(done.stderr, "")


if __name__ == "__main__":
    harness.main()
