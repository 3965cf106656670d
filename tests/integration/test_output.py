#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What hosts print: whose words they are, and which of them no flood takes along."""
import harness
from puppetry import PuppetTest, puppet


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

    def test_the_last_words_in_a_large_pipe(self):
        daemon = self.daemon(puppet("a")).wait_ready()
        self.act(daemon, "a", "fill and exit")
        daemon.wait_log(r"error +\[a\] my last words")
        daemon.wait_log(r"\[a\] exit code 7")
        self.assertEqual(daemon.stop(), 0, daemon.text())


if __name__ == "__main__":
    harness.main()
