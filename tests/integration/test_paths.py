#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Control socket, state directory and programs are known by what they are, and not only by where: paths lead elsewhere, and names
are taken away, while the daemon runs."""
import os
import shutil
import socket

import harness
import upgrading
from puppetry import HEARTBEAT, PuppetTest, puppet


class LostStateFolder(PuppetTest):
    def test_one_that_is_gone_and_comes_back(self):
        """Which directory it is, is told; and that it is back is enough."""
        daemon = self.daemon(puppet("a", "restart-delay-max = 10ms", "restart-limit = 3/1s") + HEARTBEAT).wait_ready()
        away = daemon.state + ".away"
        os.rename(daemon.state, away)
        pid = daemon.kill("a")
        why = rf"it runs in the state directory {daemon.state}, which must be there again, as it was before: No such file"
        daemon.wait_log(rf"\[a\] cannot start .*reeve-host: {why} or directory")
        harness.wait_until(lambda: "state directory" in daemon.module("a")["output"], "the reason in the status")
        # It is no fault of the module: no limit ends that.
        harness.wait_until(lambda: daemon.module("a")["restarts"] > 5, "some attempts")
        # Nothing else needs it at the moment.
        self.assertEqual(daemon.module("heart")["state"], "ready")
        self.assertEqual(daemon.request("/livez")[0], 200)
        done = daemon.ctl("restart", "heart")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("state directory", done.stdout + done.stderr)
        os.rename(away, daemon.state)
        self.wait_restarted(daemon, "a", pid)
        daemon.wait_ready()
        self.assertEqual(daemon.stop(), 0, daemon.text())


class ControlSocket(upgrading.UpgradeTest):
    def bind_other(self, path):
        other = socket.socket(socket.AF_UNIX)
        self.addCleanup(other.close)
        other.bind(path)
        other.listen()

    def test_one_that_was_cleaned_away_comes_back(self):
        daemon = self.daemon(HEARTBEAT).wait_started()
        pid = daemon.module("heart")["pid"]
        for broken in (False, True):
            os.unlink(daemon.control)
            self.assertEqual(daemon.ctl("status").returncode, 3)
            mark = daemon.mark()
            # By a reload, also by one of a file with mistakes.
            daemon.write(HEARTBEAT + ("nonsense = 1\n" if broken else ""))
            daemon.signal(harness.signal.SIGHUP)
            daemon.wait_log(r"listening at .*/control again", mark)
            self.assertEqual(daemon.module("heart")["pid"], pid)
            self.assertEqual(os.stat(daemon.control).st_mode & 0o777, 0o600)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertFalse(os.path.exists(daemon.control))

    def test_over_an_upgrade(self):
        daemon = self.daemon(HEARTBEAT).wait_started()
        self.assertEqual(daemon.ctl("upgrade").returncode, 0)
        os.unlink(daemon.control)
        daemon.signal(harness.signal.SIGHUP)
        daemon.wait_log(r"listening at .*/control again")
        self.assertEqual(daemon.ctl("upgrade").returncode, 0)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertFalse(os.path.exists(daemon.control))

    def test_anothers_is_left_alone(self):
        daemon = self.daemon(HEARTBEAT).wait_started()
        os.unlink(daemon.control)
        self.bind_other(daemon.control)
        daemon.signal(harness.signal.SIGHUP)
        daemon.wait_log("cannot listen at .*: another reeved uses it")
        daemon.wait_log("reloaded")
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertTrue(os.path.exists(daemon.control))

    def test_what_is_no_socket_is_left_alone(self):
        daemon = self.daemon(HEARTBEAT, start=False)
        with open(daemon.control, "w", encoding="utf-8") as file:
            file.write("precious")
        daemon.start()
        daemon.wait_log("cannot listen at .*: there is a file that is no socket")
        self.assertEqual(daemon.wait(), 1)
        with open(daemon.control, encoding="utf-8") as file:
            self.assertEqual(file.read(), "precious")


class StateFolder(upgrading.UpgradeTest):
    def second(self, first):
        """Another reeved in the same directories, but for the control socket."""
        daemon = self.daemon(HEARTBEAT, start=False)
        daemon.daemon = f"control = {daemon.folder}/other"
        daemon.write(HEARTBEAT)
        daemon.environment = {"STATE_DIRECTORY": first.state}
        daemon.start()
        # Its own state directory is not used.
        return daemon

    def assert_refused(self, first):
        daemon = self.second(first)
        daemon.wait_log(rf"another reeved \(pid {first.process.pid}\) uses the state directory {first.state}")
        self.assertEqual(daemon.wait(), 1)

    def test_a_second_daemon_is_refused(self):
        first = self.daemon(HEARTBEAT).wait_started()
        self.assert_refused(first)
        self.assertEqual(first.ctl("upgrade").returncode, 0)
        self.assert_refused(first)
        # Who only checks, or looks, is no second daemon.
        self.assertEqual(harness.subprocess.run(
            [harness.REEVED, "--check", "-c", first.config_path], check=False, capture_output=True,
            env=dict(os.environ, STATE_DIRECTORY=first.state, RUNTIME_DIRECTORY=first.folder)).returncode, 0)
        self.assertEqual(first.stop(), 0, first.text())
        # Nobody holds it any more.
        second = self.second(first).wait_started()
        self.assertEqual(second.stop(), 0, second.text())

    def test_a_daemon_that_was_killed_holds_nothing(self):
        first = self.daemon(HEARTBEAT).wait_started()
        first.signal(harness.signal.SIGKILL)
        first.wait()
        second = self.second(first).wait_started()
        self.assertEqual(second.stop(), 0, second.text())

    def test_no_host_holds_it(self):
        daemon = self.daemon(HEARTBEAT).wait_started()
        found = harness.open_files(daemon.module("heart")["pid"])
        self.assertFalse([path for path in found if "lock" in path], found)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_what_cannot_be_locked_is_a_warning(self):
        daemon = self.daemon(HEARTBEAT, start=False)
        os.symlink("/nowhere", os.path.join(daemon.state, ".reeved.lock"))
        daemon.start().wait_started()
        self.assertIn("cannot lock the state directory", daemon.text())
        self.assertEqual(daemon.ctl("upgrade").returncode, 0)
        self.assertEqual(daemon.stop(), 0, daemon.text())


class Program(upgrading.UpgradeTest):
    def link(self, daemon, version):
        link = os.path.join(daemon.folder, "current")
        os.symlink(version, link + ".new")
        os.rename(link + ".new", link)

    def copy(self, daemon, version, suffix):
        folder = os.path.join(daemon.folder, version)
        for directory in "daemon", "host":
            os.makedirs(os.path.join(folder, directory))
        shutil.copy(harness.REEVED if not suffix else os.path.join(upgrading.OBJECTS, "reeved" + suffix),
                    os.path.join(folder, "daemon", "reeved"))
        shutil.copy(os.path.join(upgrading.OBJECTS, "reeve-host" + suffix) if suffix else
                    harness.REEVE_HOST, os.path.join(folder, "host", "reeve-host"))

    def assert_runs(self, daemon, version):
        """Only root may look at reeved; to others what it says of the hosts' version must do."""
        if os.geteuid() == 0:
            self.assertEqual(os.readlink(f"/proc/{daemon.process.pid}/exe"), os.path.join(daemon.folder, version, "daemon", "reeved"))

    def test_an_upgrade_goes_where_the_link_leads_by_then(self):
        daemon = self.daemon(HEARTBEAT + puppet("a"), "", {"REEVE_MODULE_PATH": os.path.join(harness.BUILD, "modules")},
                             start=False)
        self.copy(daemon, "v1", "")
        self.copy(daemon, "v2", "-next")
        self.link(daemon, "v1")
        daemon.program = os.path.join(daemon.folder, "current", "daemon", "reeved")
        daemon.start().wait_started()
        self.link(daemon, "v2")
        done = daemon.ctl("upgrade")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_runs(daemon, "v2")
        # The old one may go: what starts from now on is of the new one.
        shutil.rmtree(os.path.join(daemon.folder, "v1"))
        daemon.wait_log("all hosts speak wire version")
        pid = daemon.kill("a")
        self.wait_restarted(daemon, "a", pid)
        # And back, as by a package that is taken back.
        self.copy(daemon, "v1", "")
        self.link(daemon, "v1")
        mark = daemon.mark()
        self.assertEqual(daemon.ctl("upgrade").returncode, 0)
        self.assert_runs(daemon, "v1")
        daemon.wait_log("all hosts speak wire version", mark)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_link_that_leads_nowhere(self):
        daemon = self.daemon(HEARTBEAT, "", {"REEVE_MODULE_PATH": os.path.join(harness.BUILD, "modules")}, start=False)
        self.copy(daemon, "v1", "")
        self.link(daemon, "v1")
        daemon.program = os.path.join(daemon.folder, "current", "daemon", "reeved")
        daemon.start().wait_started()
        self.link(daemon, "v3")
        done = daemon.ctl("upgrade")
        self.assertEqual(done.returncode, 1)
        self.assertIn("current/daemon/reeved: No such file or directory", done.stderr)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_relative_path(self):
        daemon = self.daemon(HEARTBEAT, "", {"REEVE_MODULE_PATH": os.path.join(harness.BUILD, "modules")}, start=False)
        self.copy(daemon, "v1", "")
        daemon.program = os.path.relpath(os.path.join(daemon.folder, "v1", "daemon", "reeved"))
        daemon.start().wait_started()
        self.assertEqual(daemon.ctl("upgrade").returncode, 0)
        self.assertEqual(daemon.stop(), 0, daemon.text())


if __name__ == "__main__":
    harness.main()
