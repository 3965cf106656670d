#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The output of hosts: whose words they are, and which of them no flood takes along."""
import fcntl
import os
import re
import resource
import select
import subprocess

import harness
from puppetry import HEARTBEAT, PuppetTest, puppet


class Names(PuppetTest):
    def say(self, daemon, name, text):
        self.script(daemon, name, f"say {text}")
        done = daemon.ctl("run", f"{name}/act", "--wait")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_host_with_the_name_of_anothers_module(self):
        """Its lines are not taken for those of the module."""
        both = puppet("evil", "host = web") + puppet("web", "host = other")
        daemon = self.daemon(both).wait_ready()
        self.say(daemon, "evil", "<3>[web/act#1] failed: forged")
        daemon.wait_log(r"error +\[host web\] \[web/act#1\] failed: forged$")
        self.say(daemon, "evil", "a plain line")
        daemon.wait_log(r"info +\[host web\] a plain line$")
        daemon.kill("evil", harness.signal.SIGSTOP)
        daemon.wait_log(r"\[host web\] process \d+ was stopped")
        daemon.kill("evil", harness.signal.SIGCONT)
        daemon.wait_log(r"\[host web\] process \d+ was continued")
        logs = daemon.ctl("logs", "web").stdout
        self.assertIn("ready", logs)
        for words in "forged", "plain", "stopped":
            self.assertNotIn(words, logs)
        # Over an upgrade, and when the module is gone or moves in.
        self.assertEqual(daemon.ctl("upgrade").returncode, 0)
        self.say(daemon, "evil", "after the upgrade")
        daemon.wait_log(r"info +\[host web\] after the upgrade$")
        daemon.write(puppet("evil", "host = web"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.say(daemon, "evil", "a line of the only web")
        daemon.wait_log(r"info +\[web\] a line of the only web$")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_host_with_the_name_of_its_own_module(self):
        daemon = self.daemon(puppet("web")).wait_ready()
        self.say(daemon, "web", "a plain line")
        daemon.wait_log(r"info +\[web\] a plain line$")
        self.say(daemon, "web", "[other/act#1] failed: forged")
        daemon.wait_log(r"info +\[web\] \[other/act#1\] failed: forged$")
        self.assertEqual(daemon.stop(), 0, daemon.text())


class Floods(PuppetTest):
    def test_what_the_host_says_of_runs_is_not_dropped(self):
        """Whatever its wording."""
        daemon = self.daemon(puppet("a", "essential = no", "act.on-error = stop")).wait_ready("a")
        self.act(daemon, "a", "flood and fail")
        daemon.wait_log(r"warning +\[a/act#1\] failed: as told")
        daemon.wait_log(r"error +\[a/act#1\] runs no more \(on-error = stop\)")
        daemon.wait_log(r"\[a\] \d+ lines were dropped: it logs more than 200 lines a second")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_module_cannot_flood_with_marked_lines(self):
        daemon = self.daemon(puppet("a")).wait_ready()
        self.act(daemon, "a", "say-often <3!>[a/act#1] failed: forged")
        daemon.wait_log(r"\[a\] \d+ lines were dropped: it logs more than 200 lines a second")
        self.assertEqual(daemon.stop(), 0, daemon.text())


class Places(PuppetTest):
    """The log's reader takes no more for a while."""

    def begin(self, config, stderr):
        daemon = self.daemon(config, start=False)
        environment = dict(os.environ, RUNTIME_DIRECTORY=daemon.folder, STATE_DIRECTORY=daemon.state)
        process = subprocess.Popen([harness.REEVED, "-c", daemon.config_path], stderr=stderr, env=environment,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        harness.wait_until(lambda: daemon.ctl("status").returncode == 0 and all(
            m["state"] == "ready" for m in daemon.status()["modules"]), "the modules")
        return daemon, process

    def test_the_last_words_in_a_large_pipe(self):
        """Into a file, which takes all of it at once."""
        path = os.path.join(self.daemon(start=False).folder, "log")
        with open(path, "ab") as file:
            daemon, process = self.begin(puppet("a"), file)
        pid = daemon.module("a")["pid"]
        self.act(daemon, "a", "fill and exit")
        self.wait_restarted(daemon, "a", pid)
        process.terminate()
        self.assertEqual(process.wait(harness.PATIENCE), 0)
        with open(path, encoding="utf-8") as file:
            log = file.read()
        self.assertEqual(log.count("x" * 1000), 300)
        self.assertRegex(log, r"error +\[a\] my last words\n(.*\n)*.*\[a\] exit code 7")

    def test_our_own_lines_outlast_a_flood_that_nobody_reads(self):
        ours, theirs = os.pipe()
        self.addCleanup(os.close, ours)
        daemon, process = self.begin(puppet("a"), theirs)
        os.close(theirs)
        pid = daemon.module("a")["pid"]
        self.act(daemon, "a", "fill and exit")
        self.wait_restarted(daemon, "a", pid)
        # Half a megabyte did not fit into the pipe.
        seen = b""
        while b"exit code 7" not in seen or b" dropped: " not in seen:
            self.assertTrue(select.select([ours], [], [], harness.PATIENCE)[0], seen[-4096:])
            more = os.read(ours, 65536)
            self.assertTrue(more, seen[-4096:])
            seen += more
        self.assertRegex(seen.decode(), r"\d+ log lines? w(?:as|ere) dropped: the log was not being read\n")
        process.terminate()
        with open(ours, "rb", closefd=False) as file:
            rest = (seen + file.read()).decode().splitlines()
        self.assertEqual(process.wait(harness.PATIENCE), 0)
        self.assertRegex(rest[-1], " stopped$")
        for line in rest:
            self.assertRegex(line, r"^\d{4}-\d\d-\d\dT[0-9:.]+Z (error|warning|notice|info) ")

    def test_what_became_of_a_run_outlasts_it_too(self):
        ours, theirs = os.pipe()
        self.addCleanup(os.close, ours)
        fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, 4096)
        daemon, process = self.begin(puppet("a", "essential = no", "act.on-error = stop"), theirs)
        os.close(theirs)
        self.act(daemon, "a", "flood and fail")
        # What `logs` shows has come to the log.
        harness.wait_until(lambda: "runs no more" in daemon.ctl("logs", "a").stdout, "the end of the run")
        process.terminate()
        with open(ours, "rb", closefd=False) as file:
            text = file.read().decode()
        self.assertEqual(process.wait(harness.PATIENCE), 0)
        self.assertIn("[a/act#1] failed: as told\n", text)
        self.assertIn("[a/act#1] runs no more", text)
        self.assertRegex(text, "log lines? w(as|ere) dropped: the log was not being read\n")

    def test_an_upgrade_while_nobody_reads(self):
        """Lines that have not been written are handed on: lines in their order, and how many were dropped."""
        ours, theirs = os.pipe()
        self.addCleanup(os.close, ours)
        fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, 4096)
        daemon, process = self.begin(puppet("a", "essential = no"), theirs)
        os.close(theirs)
        for _ in range(40):
            self.assertEqual(daemon.ctl("restart", "a").returncode, 0)
        # More than all places for it hold: of this some is dropped.
        pid = daemon.module("a")["pid"]
        self.act(daemon, "a", "fill and exit")
        self.wait_restarted(daemon, "a", pid)
        done = daemon.ctl("upgrade")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(daemon.ctl("restart", "a").returncode, 0)
        process.terminate()
        with open(ours, "rb", closefd=False) as file:
            lines = file.read().decode().splitlines()
        self.assertEqual(process.wait(harness.PATIENCE), 0)
        for line in lines:
            self.assertRegex(line, r"^\d{4}-\d\d-\d\dT[0-9:.]+Z (error|warning|notice|info) ")
        times = [line.split()[0] for line in lines if not re.search("w(as|ere) dropped", line)]
        self.assertEqual(times, sorted(times))
        text = "\n".join(lines)
        self.assertEqual(text.count("[a] ready"), 43, text)
        self.assertRegex(text, "log lines? w(as|ere) dropped")
        for words in ("exit code 7", "executing ", "has taken over from"):
            self.assertEqual(text.count(words), 1, (words, text))

    def test_a_disk_that_is_full_for_a_while(self):
        """A limit on the size of files stands in for it: it, too, lets a part of a line be written."""
        path = os.path.join(self.daemon(start=False).folder, "log")
        with open(path, "ab") as file:
            daemon, process = self.begin(HEARTBEAT, file)
        full = os.stat(path).st_size + 500
        # Not before: what the scoreboards lie in has a size as well.
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (full, resource.RLIM_INFINITY))

        def fill():
            self.assertEqual(daemon.ctl("reload").returncode, 0)
            return os.stat(path).st_size == full
        harness.wait_until(fill, "the file to be full")
        self.assertEqual(daemon.ctl("stop", "heart").returncode, 0)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

        def lines():
            with open(path, encoding="utf-8") as file:
                return file.read().splitlines()
        harness.wait_until(lambda: any("[heart] stop: asked for" in line for line in lines()), "the lines that waited")
        process.terminate()
        self.assertEqual(process.wait(harness.PATIENCE), 0)
        for line in lines():
            self.assertRegex(line, r"^\d{4}-\d\d-\d\dT[0-9:.]+Z (error|warning|notice|info) ")


if __name__ == "__main__":
    harness.main()
