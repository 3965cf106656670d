#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Who may do what on the control socket."""
import os

import harness
from puppetry import PuppetTest, puppet

NOBODY, NOGROUP = 65534, 65534


@harness.unittest.skipUnless(os.geteuid() == 0, "needs root, to be somebody else")
class Peers(PuppetTest):
    def as_nobody(self, daemon, *words, stdin=""):
        return harness.subprocess.run(
            [harness.REEVECTL, "-s", daemon.control, *words], input=stdin, capture_output=True,
            text=True, timeout=harness.PATIENCE, check=False, user=NOBODY, group=NOGROUP,
            extra_groups=[])

    def start_open(self, *lines):
        daemon = self.daemon(puppet("a"), daemon="\n".join(lines))
        os.chmod(daemon.folder, 0o755)
        return daemon.wait_started()

    def test_nobody_is_named(self):
        daemon = self.start_open()
        done = self.as_nobody(daemon, "status")
        self.assertEqual(done.returncode, 4)
        self.assertIn("permission denied; try it as root or as reeved's user", done.stderr)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_who_may_look_may_not_change(self):
        daemon = self.start_open("control-read = nobody")
        for words in (["status"], ["list"], ["tree"], ["check"], ["show", "a"]):
            self.assertEqual(self.as_nobody(daemon, *words).returncode, 0, words)
        for words in (["run", "a/act"], ["submit", "a/work"], ["stop", "a"], ["start", "a"],
                      ["restart", "a"], ["reload"]):
            done = self.as_nobody(daemon, *words)
            self.assertEqual(done.returncode, 4, words)
            self.assertIn("user 65534 may not do this: root, the daemon's own user and those of "
                          "control-write in [daemon] may", done.stderr)
        daemon.wait_log(r"warning control: refused uid 65534, pid \d+: it may not change anything")
        self.assertEqual(daemon.module("a")["starts"], 1)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        # The log has not been filled by it.
        self.assertEqual(daemon.text().count("refused uid"), 1)
        daemon.wait_log("control: refused 5 further requests within a minute: uid 65534 may not change anything")

    def test_a_group_may_change(self):
        daemon = self.start_open("control-write = @nogroup")
        done = self.as_nobody(daemon, "restart", "a")
        self.assertEqual((done.returncode, done.stdout), (0, "a restarted\n"), done.stderr)
        daemon.wait_log(r"\[a\] restart: asked for by pid \d+ uid 65534")
        # A reload takes it away, also from who is connected.
        daemon.daemon = "control-read = 12345"
        daemon.write(puppet("a"))
        self.assertEqual(self.as_nobody(daemon, "reload").returncode, 0)
        done = self.as_nobody(daemon, "status")
        self.assertEqual(done.returncode, 4)
        self.assertIn("may not look", done.stderr)
        daemon.daemon = ""
        daemon.write(puppet("a"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        harness.wait_until(lambda: self.as_nobody(daemon, "status").returncode == 4, "a closed socket")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_errors(self):
        code, errors = self.run_reeved(puppet("a"), daemon="control-read = nobodyy\n"
                                       "control-write = @nogroup @nogrp")
        self.assertEqual(code, 1)
        self.assertIn("control-read = nobodyy: expected users of /etc/passwd, their numbers, or groups "
                      "as @GROUP", errors)
        self.assertIn("expected groups of /etc/group behind '@', or their numbers", errors)


if __name__ == "__main__":
    harness.main()
