#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A host that only checks leaves nothing behind; and the files that reeve-symbols opens."""
import contextlib
import ctypes
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import unittest.mock

import harness
import tools
from limiting import HOSTILE, IS_ROOT, LimitsTest, hide_landlock

# reeved as the first process of a container, whose group is one from outside.
CONTAINER = ["unshare", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"]
MEDDLER = os.path.join(harness.FIXTURES, "meddler.so")


def why_no_container():
    reason = tools.missing("unshare")
    if reason:
        return reason
    tried = subprocess.run([*CONTAINER, "true"], capture_output=True, check=False)
    return "needs namespaces of users and processes" if tried.returncode else None


NO_CONTAINER = why_no_container()


class Checks(harness.DaemonTest):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="reeve-test-")
        self.addCleanup(shutil.rmtree, self.folder)
        for name in ("victim", "cut", "moved", "removed"):
            with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
                file.write("precious")
        libc = ctypes.CDLL(None, use_errno=True)
        segment = libc.shmget(0, 4096, 0o600)
        self.assertGreaterEqual(segment, 0, os.strerror(ctypes.get_errno()))
        self.addCleanup(libc.shmctl, segment, 0, None)
        for name, number in ("pid", os.getpid()), ("shm", segment):
            with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
                file.write(str(number))
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

    def check(self, config, below=()):
        with unittest.mock.patch.dict(os.environ, MEDDLE=self.folder):
            return self.run_reeved(config, "--check", below=below)

    def test_a_constructor_leaves_nothing_behind(self):
        before = self.picture()
        code, errors = self.check(f"[module:m]\nload = {MEDDLER}\n")
        self.assertEqual(code, 0, errors)
        self.assertRegex(errors, r"meddler did 0 of \d\d")
        self.assertNotIn("meddler needs", errors)
        self.assertEqual(self.picture(), before)

    @unittest.skipIf(NO_CONTAINER, NO_CONTAINER)
    def test_a_group_without_a_number_is_not_taken_for_the_caller(self):
        """getpgid() says 0 of it, and to most calls 0 is the process itself."""
        code, errors = self.check(f"[module:m]\nload = {MEDDLER}\n", below=CONTAINER)
        self.assertEqual(code, 0, errors)
        self.assertRegex(errors, r"meddler did 0 of \d\d")
        self.assertNotIn("meddler needs", errors)

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


class Symbols(LimitsTest):
    """A host names the files of its frames: which of them are opened, and by whom. A file that
    was not opened gives no function's name.
    """

    def setUp(self):
        self.modules = tempfile.mkdtemp(prefix="reeve-test-")
        self.addCleanup(shutil.rmtree, self.modules)
        os.chmod(self.modules, 0o755)
        self.module = self.copy("hostile.so", self.modules)
        self.elsewhere = tempfile.mkdtemp(prefix="reeve-test-")
        self.addCleanup(shutil.rmtree, self.elsewhere)
        os.chmod(self.elsewhere, 0o755)

    @staticmethod
    def copy(name, folder, mode=0o755):
        path = os.path.join(folder, name)
        shutil.copy(HOSTILE, path)
        os.chmod(path, mode)
        return path

    def stack(self, other, *lines, before=None):
        """The words about a crash whose frames claim to be of the other file."""
        config = "\n".join([f"[module:evil]\nload = {self.module}", "restart-delay = 1ms", *lines, ""])
        daemon = self.daemon(config, environment={"HOSTILE_OBJECT": other} if other else None,
                             start=False)
        os.chmod(daemon.folder, 0o711)
        self.start_as(daemon, before).wait_started()
        daemon.ctl("submit", "evil/act", stdin="name-another")
        told = daemon.wait_log(r"\[evil\] stack of SIGABRT in act run 1: (.*)").group(1)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        return told

    def assert_named(self, told):
        # Lines are not found in what clang builds: it has no table of addresses.
        self.assertIn("name_another_file", told)

    def assert_not_opened(self, told, name):
        self.assertNotIn("name_another_file", told)
        self.assertIn(f"{name}+0x", told)

    def test_its_own(self):
        self.assert_named(self.stack(None))
        self.assert_named(self.stack(self.copy("beside.so", self.modules)))

    def test_another_file(self):
        other = self.copy("other.so", self.elsewhere)
        link = os.path.join(self.modules, "link.so")
        os.symlink(other, link)
        for before in (None, hide_landlock):
            self.assert_not_opened(self.stack(other, before=before), "other.so")
            self.assert_not_opened(self.stack(link, before=before), "link.so")
            self.assert_not_opened(
                self.stack(f"{self.modules}/../{os.path.basename(self.elsewhere)}/other.so",
                           before=before), "other.so")

    @unittest.skipUnless(IS_ROOT, "only root can change users")
    def test_a_file_of_somebody_else(self):
        other = self.copy("other.so", self.modules)
        os.chown(other, pwd.getpwnam("daemon").pw_uid, -1)
        self.assert_not_opened(self.stack(other), "other.so")
        # Its own user's tells that user nothing new.
        self.assert_named(self.stack(other, "user = daemon"))

    @unittest.skipUnless(IS_ROOT, "only root can change users")
    def test_a_file_that_only_root_may_read(self):
        other = self.copy("other.so", self.modules, 0o600)
        for lines in ((), ("user = daemon",), ("user = nobody",), ("user = root",)):
            self.assert_not_opened(self.stack(other, *lines), "other.so")

    @unittest.skipUnless(IS_ROOT, "only root can change users")
    def test_a_module_that_only_root_may_read(self):
        os.chmod(self.modules, 0o700)
        self.assert_named(self.stack(None))
        self.assert_not_opened(self.stack(self.copy("other.so", self.elsewhere, 0o600)), "other.so")

    def test_what_is_no_file(self):
        fifo = os.path.join(self.modules, "fifo")
        os.mkfifo(fifo)
        for name in (fifo, "/dev/zero", "/proc/self/mem", self.modules):
            self.assert_not_opened(self.stack(name), os.path.basename(name))


if __name__ == "__main__":
    harness.main()
