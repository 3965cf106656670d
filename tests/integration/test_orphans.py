#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Processes that modules start and do not wait for: each is reaped when it ends, and lives as long as its own host."""
import os
import re
import shutil
import signal
import unittest

import harness
from failing import FOR_EVER, FailingTest
from puppetry import HEARTBEAT, PuppetTest, puppet


def command(name, text, *lines):
    return "\n".join([f"[module:{name}]", "load = exec", f"command = {text}", "run.every = 1h", *lines, ""])


def leaving(name, text, prefix="setsid"):
    """A command that leaves a process behind, which does what the text says, once that has written its pid: it is waited for at a
    fifo, as what is left of a command's own group ends with the command."""
    fifo = f"{name}.ready"
    return f"test -p {fifo} || mkfifo {fifo}; {prefix} sh -c 'echo $$ > {name}.pid; echo > {fifo}; {text}' >/dev/null 2>&1 & " \
           f"read _ < {fifo}"


class OrphanTest(PuppetTest):
    def children(self, daemon):
        """Pids and states of reeved's children."""
        found = {}
        with open(f"/proc/{daemon.process.pid}/task/{daemon.process.pid}/children", encoding="utf-8") as file:
            for pid in file.read().split():
                with harness.contextlib.suppress(OSError):
                    with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
                        found[int(pid)] = stat.read().rsplit(")", 1)[1].split()[0]
        return found

    def pid_of(self, daemon, name):
        """The text that a command has written of itself, once it has."""
        def read():
            with harness.contextlib.suppress(OSError, ValueError):
                with open(self.path(daemon, name), encoding="utf-8") as file:
                    return int(file.read())
            return None
        return harness.wait_until(read, f"the pid in {name}")

    def detached(self, name, prefix="setsid"):
        return command(name, leaving(name, "exec sleep 1000", prefix))

    def wait_gone(self, pid):
        harness.wait_until(lambda: not harness.is_alive(pid), f"the end of {pid}")

    def is_orphan(self, daemon, pid):
        return pid in self.children(daemon)

    def state(self, daemon, name):
        return daemon.module(name)["state"]

    def run_once(self, daemon, name):
        done = daemon.ctl("run", f"{name}/run", "--wait")
        return None if "a run is under way already" in done.stderr else done

    def leave(self, daemon, name):
        """Has a run leave a process behind, and returns its pid."""
        # The first run comes by itself.
        harness.wait_until(lambda: self.task(daemon, name, "run")["state"] != "running", "the end of a run")
        with harness.contextlib.suppress(OSError):
            os.unlink(self.path(daemon, f"{name}.pid"))
        done = harness.wait_until(lambda: self.run_once(daemon, name), "a run")
        self.assertEqual(done.returncode, 0, done.stderr)
        return self.pid_of(daemon, f"{name}.pid")

    def begin_with_children(self, commands, config=HEARTBEAT):
        """A reeved that a shell executes which has started the commands before."""
        daemon = self.daemon(config, start=False)
        program = os.path.join(daemon.folder, "begin")
        with open(program, "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\n{commands}\nexec {harness.REEVED} \"$@\"\n")
        os.chmod(program, 0o755)
        daemon.program = program
        daemon.start().wait_started()
        return daemon

    def end(self, pid):
        with harness.contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)


class Orphans(OrphanTest):
    def test_what_ends_is_reaped(self):
        daemon = self.daemon(HEARTBEAT + command("a", "(sh -c 'exec sleep 0.01' &) && setsid true & true").replace(
            "1h", "10ms")).wait_started()
        harness.wait_until(lambda: self.task(daemon, "a", "run")["runs"] > 30, "some runs")
        self.assertEqual(daemon.ctl("stop", "a").returncode, 0)
        harness.wait_until(lambda: "Z" not in self.children(daemon).values(), "all to be reaped")
        self.assertNotIn("killing process", daemon.text())
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_it_ends_with_its_own_host_and_not_with_another(self):
        daemon = self.daemon(HEARTBEAT + self.detached("fetch")).wait_started()
        pid = self.pid_of(daemon, "fetch.pid")
        harness.wait_until(lambda: self.is_orphan(daemon, pid), "it to be an orphan")
        self.assertEqual(daemon.ctl("restart", "heart").returncode, 0)
        daemon.kill("heart")
        daemon.wait_log(r"\[heart\] killed by SIGKILL")
        harness.wait_until(lambda: self.state(daemon, "heart") == "ready", "it to be back")
        self.assertEqual(daemon.ctl("upgrade").returncode, 0)
        self.assertEqual(daemon.ctl("restart", "heart").returncode, 0)
        self.assertTrue(self.is_orphan(daemon, pid))
        self.assertNotIn("killing process", daemon.text())
        daemon.kill("fetch")
        daemon.wait_log(rf"\[fetch\] killing process {pid} \(sleep\), left behind by its host")
        self.wait_gone(pid)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_its_children_go_with_it(self):
        """Each becomes an orphan only when the one above it is dead."""
        text = leaving("outer", "setsid sh -c \"echo \\$\\$ > inner.pid; exec sleep 1000\" & wait")
        daemon = self.daemon(HEARTBEAT + command("a", text)).wait_started()
        pids = [self.pid_of(daemon, "outer.pid"), self.pid_of(daemon, "inner.pid")]
        self.assertEqual(daemon.ctl("stop", "a").returncode, 0)
        for pid in pids:
            self.wait_gone(pid)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_stop_and_a_restart_wait_for_its_end(self):
        """Also for that of what it has started in sessions of their own, which becomes an orphan one after the other."""
        # What is ignored stays so over an exec.
        text = leaving("a", "trap \"\" TERM; exec sleep 1000")
        daemon = self.daemon(command("a", text, "restart-delay = 1ms")).wait_started()
        for _ in range(10):
            pid = self.leave(daemon, "a")
            self.assertEqual(daemon.ctl("restart", "a").returncode, 0)
            self.assertFalse(harness.is_alive(pid), daemon.text())
            pid = self.leave(daemon, "a")
            self.assertEqual(daemon.ctl("stop", "a").returncode, 0)
            self.assertFalse(harness.is_alive(pid), daemon.text())
            self.assertEqual(daemon.ctl("start", "a").returncode, 0)
            # One that dies of itself: the next process waits for what it has left.
            pid = self.leave(daemon, "a")
            host = daemon.kill("a")
            self.wait_restarted(daemon, "a", host)
            self.assertFalse(harness.is_alive(pid), daemon.text())
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_next_reeved_waits_for_hosts_of_one_that_was_killed(self):
        """A command that takes its time to end does not run beside the next one."""
        daemon = self.daemon("[module:a]\nload = exec\ncommand = trap '' TERM; echo begins $$ >> trace; cat gate; "
                             "echo ends $$ >> trace\nkill-after = 500s\nrun.every = 1h\nrun.grace = 1000s\ngrace = 1000s\n",
                             start=False)
        trace = os.path.join(daemon.state, "trace")
        gate = os.path.join(daemon.state, "gate")

        def lines():
            with open(trace, encoding="utf-8") as file:
                return [line.split() for line in file.read().splitlines()]
        os.mkfifo(gate)
        daemon.start().wait_started()
        harness.wait_until(lambda: os.path.exists(trace) and lines(), "the command")
        daemon.signal(signal.SIGKILL)
        daemon.wait()
        daemon.log.clear()
        daemon.start()
        daemon.wait_log(r"waiting for hosts of a reeved that was killed \(pid \d+\), which end their commands")
        self.assertEqual(len(lines()), 1)
        self.assertNotIn("started", daemon.text())
        harness.release(gate)
        daemon.wait_started()
        harness.wait_until(lambda: len(lines()) == 3, "the next run")
        (first, pid), (second, same), (third, _) = lines()
        self.assertEqual([first, second, third, same], ["begins", "ends", "begins", pid])
        harness.release(gate)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_hosts_that_a_next_reeved_would_not_wait_for(self):
        daemon = self.daemon(HEARTBEAT, start=False)
        os.symlink("nowhere", os.path.join(daemon.state, ".reeved.hosts"))
        daemon.start().wait_started()
        daemon.wait_log(r"warning \[heart\] cannot hold \.reeved\.hosts in the state directory: Too many levels of symbolic links; "
                        "if reeved is killed, the next one does not wait")
        # Nor can that one look.
        daemon.wait_log(r"warning cannot see by .*/\.reeved\.hosts whether hosts of a reeved that was killed are still there: Too "
                        "many levels of symbolic links; tasks may run twice at once")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_what_has_left_the_session_does_not_outlive_a_reeved_that_is_killed(self):
        """The next one runs nothing beside it."""
        daemon = self.daemon(command("a", leaving("a", "exec sleep 1000")))
        pid = self.pid_of(daemon, "a.pid")
        self.addCleanup(self.end, pid)
        daemon.signal(signal.SIGKILL)
        daemon.wait()
        daemon.log.clear()
        os.unlink(self.path(daemon, "a.pid"))
        daemon.start().wait_started()
        self.assertFalse(harness.is_alive(pid))
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_children_of_before_the_start_are_left_alone(self):
        """One in the session of reeved, one in its own, one that hides nothing and has a child; all of them reaped."""
        daemon = self.begin_with_children(
            "cd \"$STATE_DIRECTORY\"\nsh -c 'echo $$ > same.pid; exec sleep 1000' 2>&- >&- &\n"
            "setsid sh -c 'sh -c \"echo \\$\\$ > inner.pid; exec sleep 1000\" & echo $$ > own.pid; wait' 2>&- >&- &\n"
            "sh -c 'echo $$ > short.pid' &", HEARTBEAT + self.detached("a") + self.detached("hides", "env -i setsid"))
        pids = {name: self.pid_of(daemon, f"{name}.pid") for name in ("same", "own", "inner", "short")}
        for pid in pids.values():
            self.addCleanup(self.end, pid)
        self.wait_gone(pids["short"])
        harness.wait_until(lambda: pids["short"] not in self.children(daemon), "it to be reaped")
        stray = self.pid_of(daemon, "a.pid")
        self.addCleanup(self.end, self.pid_of(daemon, "hides.pid"))
        for command in (["restart", "heart"], ["upgrade"], ["restart", "heart"], ["stop", "a"]):
            self.assertEqual(daemon.ctl(*command).returncode, 0)
        self.assertFalse(harness.is_alive(stray))
        # Its child comes to reeved.
        os.kill(pids["own"], signal.SIGKILL)
        harness.wait_until(lambda: self.is_orphan(daemon, pids["inner"]), "the inner one to be an orphan")
        self.assertEqual(daemon.ctl("restart", "heart").returncode, 0)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        for name in "same", "inner":
            self.assertTrue(harness.is_alive(pids[name]), f"{name}\n{daemon.text()}")
            self.assertNotIn(f"process {pids[name]} ", daemon.text())
            self.end(pids[name])
        self.assertNotIn("did not end", daemon.text())
        # What hides its origin may be of either: it is left alone, too.
        self.end(self.pid_of(daemon, "hides.pid"))

    def test_it_ends_when_its_module_is_removed(self):
        daemon = self.daemon(HEARTBEAT + self.detached("a") + self.detached("b")).wait_started()
        pids = [self.pid_of(daemon, f"{name}.pid") for name in "ab"]
        daemon.write(HEARTBEAT + self.detached("b"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.wait_gone(pids[0])
        self.assertTrue(harness.is_alive(pids[1]))
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.wait_gone(pids[1])

    def test_one_that_hides_lives_until_the_end(self):
        """Neither session nor environment tells whose it is: it is not taken for somebody's who has just ended."""
        daemon = self.daemon(HEARTBEAT + self.detached("a", "env -i setsid")).wait_started()
        pid = self.pid_of(daemon, "a.pid")
        self.addCleanup(lambda: harness.is_alive(pid) and os.kill(pid, signal.SIGKILL))
        self.assertEqual(daemon.ctl("restart", "heart").returncode, 0)
        self.assertEqual(daemon.ctl("stop", "a").returncode, 0)
        self.assertTrue(harness.is_alive(pid))
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.wait_gone(pid)

    def test_a_stopped_orphan_disturbs_nobody(self):
        daemon = self.daemon(HEARTBEAT + self.detached("a")).wait_started()
        pid = self.pid_of(daemon, "a.pid")
        harness.wait_until(lambda: self.is_orphan(daemon, pid), "it to be an orphan")
        os.kill(pid, signal.SIGSTOP)
        harness.wait_until(lambda: self.children(daemon)[pid] == "T", "it to be stopped")
        daemon.kill("heart", signal.SIGSTOP)
        daemon.wait_log(r"\[heart\] process \d+ was stopped by SIGSTOP")
        daemon.kill("heart", signal.SIGCONT)
        daemon.wait_log(r"\[heart\] process \d+ was continued")
        self.assertEqual(daemon.ctl("stop", "a").returncode, 0)
        self.wait_gone(pid)
        self.assertEqual(daemon.stop(), 0, daemon.text())


@unittest.skipUnless(os.geteuid() == 0 and shutil.which("setpriv"), "only root can become less than that")
class Hidden(OrphanTest):
    """Where reeved may not read the environment of other users' processes, nor of those that are not dumpable."""
    HIDE = """import ctypes, os, time
ctypes.CDLL(None).prctl(4, 0)
with open("hidden.new", "w") as file:
    file.write(str(os.getpid()))
os.rename("hidden.new", "hidden.pid")
with open("hidden.ready", "w"):
    pass
time.sleep(1000)
"""

    def begin(self, config):
        daemon = self.daemon(config, start=False)
        for path, mode in (daemon.folder, 0o711), (daemon.state, 0o777):
            os.chmod(path, mode)
        program = os.path.join(daemon.folder, "begin")
        with open(program, "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\nexec setpriv --bounding-set=-all,+setuid,+setgid,+kill {harness.REEVED} \"$@\"\n")
        os.chmod(program, 0o755)
        with open(os.path.join(daemon.folder, "hide.py"), "w", encoding="utf-8") as file:
            file.write(self.HIDE)
        daemon.program = program
        return daemon.start().wait_started()

    def test_of_a_user_that_no_other_host_has(self):
        daemon = self.begin(HEARTBEAT + command("a", leaving("a", "exec sleep 1000"), "user = nobody"))
        first = self.pid_of(daemon, "a.pid")
        self.assertEqual(daemon.ctl("restart", "a").returncode, 0)
        self.assertFalse(harness.is_alive(first), daemon.text())
        second = self.leave(daemon, "a")
        self.assertEqual(daemon.ctl("stop", "a").returncode, 0)
        self.assertFalse(harness.is_alive(second), daemon.text())
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_one_that_can_be_anybodys_is_told_of(self):
        text = "test -p hidden.ready || mkfifo hidden.ready; setsid python3 ../hide.py >/dev/null 2>&1 & read _ < hidden.ready"
        daemon = self.begin(HEARTBEAT + puppet("p") + command("a", f"{text}; true"))
        pid = self.pid_of(daemon, "hidden.pid")
        self.assertEqual(daemon.ctl("stop", "a").returncode, 0)
        daemon.wait_log(rf"warning process {pid} \(python3\) hides which module has started it: it may outlive that module")
        self.assertEqual(daemon.ctl("restart", "heart").returncode, 0)
        self.assertTrue(harness.is_alive(pid))
        self.assertEqual(daemon.text().count("hides which module"), 1)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertFalse(harness.is_alive(pid))


class Undying(FailingTest):
    def test_a_second_signal_makes_no_error_of_what_was_just_killed(self):
        """Nobody waits for it then; at the end what is really left is named."""
        daemon = self.faulty(command("a", leaving("a", "exec sleep 1000"))).start().wait_started()
        harness.wait_until(lambda: daemon.module("a")["tasks"][0]["runs"] == 1, "a run")
        with open(os.path.join(daemon.state, "a.pid"), encoding="utf-8") as file:
            pid = int(file.read())
        self.addCleanup(lambda: harness.is_alive(pid) and os.kill(pid, signal.SIGKILL))
        daemon.faults.set("kill", "EPERM", 1, FOR_EVER)
        daemon.signal(signal.SIGTERM)
        daemon.wait_log(rf"cannot kill process {pid} \(sleep\): Operation not permitted")
        daemon.signal(signal.SIGINT)
        daemon.wait()
        self.assertNotIn("it is not waited for any more", daemon.text())
        error = rf"error +\[a\] process {pid} \(sleep\), left behind by its host, has not ended after SIGKILL: reeved ends"
        self.assertEqual(len(re.findall(error, daemon.text())), 1, daemon.text())

    def test_one_that_does_not_end(self):
        """It is waited for a while, in which nothing that is counted is lost; then it is named."""
        daemon = self.faulty(command("a", leaving("a", "exec sleep 1000"))).start().wait_started()
        harness.wait_until(lambda: daemon.module("a")["tasks"][0]["runs"] == 1, "a run")
        path = os.path.join(daemon.state, "a.pid")
        with open(path, encoding="utf-8") as file:
            pid = int(file.read())
        self.addCleanup(lambda: harness.is_alive(pid) and os.kill(pid, signal.SIGKILL))
        daemon.faults.set("kill", "EPERM", 1, FOR_EVER)
        stop = daemon.ask_later("/v1/stop?module=a&wait", "POST")
        daemon.wait_log(rf"cannot kill process {pid} \(sleep\): Operation not permitted")
        module = daemon.module("a")
        if not stop.is_done():
            self.assertIn("waiting for the end of processes that its host has left behind", module["output"])
        self.assertEqual(module["tasks"][0]["runs"], 1)
        self.assertEqual(stop.answer()[0], 200)
        daemon.wait_log(rf"error +\[a\] process {pid} \(sleep\), left behind by its host, has not ended after SIGKILL")
        self.assertEqual(daemon.module("a")["tasks"][0]["runs"], 1)
        os.kill(pid, signal.SIGKILL)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_without_descriptors(self):
        """They are listed all the same; whose one is that began a session of its own is found out once that can be."""
        daemon = self.faulty(command("a", leaving("a", "exec sleep 1000"))).start().wait_started()
        harness.wait_until(lambda: daemon.module("a")["tasks"][0]["runs"] == 1, "a run")
        with open(os.path.join(daemon.state, "a.pid"), encoding="utf-8") as file:
            pid = int(file.read())
        with daemon.faults.failing("open", "EMFILE", FOR_EVER):
            stop = daemon.ask_later("/v1/stop?module=a&wait", "POST")
            daemon.wait_log("cannot find the processes left behind: Too many open files; trying again")
            self.assertFalse(stop.is_done())
            self.assertTrue(harness.is_alive(pid))
        self.assertEqual(stop.answer()[0], 200)
        self.assertFalse(harness.is_alive(pid))
        self.assertEqual(daemon.stop(), 0, daemon.text())


if __name__ == "__main__":
    harness.main()
