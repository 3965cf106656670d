#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Secrets in a configuration, whose errors quote it."""
import signal

import harness
from puppetry import HEARTBEAT, puppet
from secrecy import HIDDEN, SHOWN, SecretsTest, URL, exec_


class Configuration(SecretsTest):
    """Errors of a configuration quote it."""
    GOOD = HEARTBEAT + exec_("cmd", "true") + exec_("good", "true") + puppet("two", "password = credential:db")

    # A line that is wrong, and what may be seen of it.
    WRONG = (
        (f"act.every = {URL}", f"act.every = {SHOWN}"),
        (f"start-timeout = {URL}", f"start-timeout = {SHOWN}"),
        (f"nothing = {URL}", "nothing"),
        (URL, "expected KEY = VALUE, [SECTION] or a comment: \"https ...\""),
        (f"password {HIDDEN}", "expected KEY = VALUE, [SECTION] or a comment"),
        (f"{HIDDEN} and more words", "expected KEY = VALUE"),
        (f"{HIDDEN}: and more words", "expected KEY = VALUE"),
        (f"{HIDDEN}:x", "expected KEY = VALUE"),
        # What an editor has wrapped, in base64.
        (f"{HIDDEN}==", "unknown key, not shown"),
        (f"{HIDDEN}=", "unknown key, not shown"),
        (f"[{HIDDEN}", "a section needs a closing ']'"),
        (f"password: {HIDDEN}", "expected KEY = VALUE, [SECTION] or a comment: \"password ...\""),
        (HIDDEN, "expected KEY = VALUE"),
        (f"  {HIDDEN}", "a line may not begin with a blank"),
        (f"password = {HIDDEN} ; note", "a blank before ';'"),
        (f"password = {HIDDEN}\npassword = {HIDDEN}", "password is given twice"),
        (f"[module:x] password = {HIDDEN}", "nothing may follow"),
        (f"read-only = /{URL}", "read-only"),
    )

    def test_errors(self):
        daemon = self.start(self.GOOD)
        for lines, expected in self.WRONG:
            daemon.write(self.GOOD + lines + "\n")
            code, said = self.run_reeved(self.GOOD + lines + "\n", "--check")
            self.assertNotIn(HIDDEN, said, lines)
            done = daemon.ctl("check")
            self.assertNotIn(HIDDEN, done.stdout + done.stderr, lines)
            self.assertEqual((code, done.returncode), (1, 1), lines)
            self.assertIn(expected, said)
            self.assertIn(expected, done.stdout + done.stderr)
            mark = daemon.mark()
            daemon.signal(signal.SIGHUP)
            daemon.wait_log("reload failed", mark)
            self.assert_kept(daemon, self.answers(daemon))
        self.assert_kept(daemon)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_start(self):
        for lines, expected in self.WRONG:
            code, said = self.run_reeved(self.GOOD.replace("credential:db", "x") + lines + "\n")
            self.assertEqual(code, 1)
            self.assertIn(expected, said)
            self.assertNotIn(HIDDEN, said)


if __name__ == "__main__":
    harness.main()
