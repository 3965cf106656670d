#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a host that only checks leaves behind (nothing), and what reeve-symbols opens."""
import contextlib
import os
import pwd
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest
import unittest.mock

import harness

MEDDLER = os.path.join(harness.BUILD, "tests", "integration", "meddler.so")


class Checks(harness.DaemonTest):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="reeve-test-")
        self.addCleanup(shutil.rmtree, self.folder)
        for name in ("victim", "cut", "moved", "removed"):
            with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
                file.write("precious")
        with contextlib.suppress(OSError):
            os.setxattr(os.path.join(self.folder, "victim"), "user.kept", b"kept")

    def picture(self):
        """Everything that could have changed."""
        found = {}
        for name in sorted(os.listdir(self.folder)):
            path = os.path.join(self.folder, name)
            status, attributes = os.lstat(path), []
            with contextlib.suppress(OSError):
                attributes = sorted(os.listxattr(path))
            found[name] = (status.st_mode, status.st_uid, status.st_gid, status.st_size,
                           status.st_nlink, status.st_mtime_ns, status.st_ctime_ns, attributes)
        return found

    def check(self, config):
        with unittest.mock.patch.dict(os.environ, MEDDLE=self.folder):
            return self.run_reeved(config, "--check")

    def test_a_constructor_leaves_nothing_behind(self):
        before = self.picture()
        code, errors = self.check(f"[module:m]\nload = {MEDDLER}\n")
        self.assertEqual(code, 0, errors)
        self.assertRegex(errors, r"meddler did 0 of \d\d")
        self.assertNotIn("meddler needs", errors)
        self.assertEqual(self.picture(), before)

    @unittest.skipIf(harness.SANITIZED, "the module would need the sanitizer's runtime first")
    def test_the_ways_work_without_a_filter(self):
        """Else the test above would show nothing."""
        done = subprocess.run([sys.executable, "-c", f"import ctypes; ctypes.CDLL({MEDDLER!r})"],
                              env=dict(os.environ, MEDDLE=self.folder), capture_output=True,
                              text=True, check=True, timeout=harness.PATIENCE)
        did, tried = map(int, re.search(r"meddler did (\d+) of (\d+)", done.stderr).groups())
        # Some depend on the file system and the kernel: attributes, fchmodat2.
        self.assertGreaterEqual(did, tried - 8, done.stderr)
        self.assertNotIn("meddler needs", done.stderr)

    def test_large_libraries_load(self):
        code, errors = self.check("[module:p]\nload = httpcheck\nurl = http://127.0.0.1:1/\n"
                                  "[module:e]\nload = exec\ncommand = true\n")
        self.assertEqual(code, 0, errors)


if __name__ == "__main__":
    harness.main()
