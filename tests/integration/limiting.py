# SPDX-License-Identifier: MIT
"""Helpers of tests of limits and sandboxes: a module that tries to break them."""
import ctypes
import errno
import os
import subprocess
import unittest
import unittest.mock

import harness

BREAKER = os.path.join(harness.FIXTURES, "breaker.so")
HOSTILE = os.path.join(harness.FIXTURES, "hostile.so")
IS_ROOT = os.getuid() == 0
# The name of an answer, as the breaker gives one.
ANSWER = "EREMOTEIO"


def is_sanitized():
    with open(harness.REEVED, "rb") as file:
        return b"__asan_init" in file.read()


def breaker(name, *lines):
    return "\n".join([f"[module:{name}]", f"load = {BREAKER}", "restart-delay = 1ms", *lines, ""])


LANDLOCK_CREATE_RULESET = 444


def landlock_abi():
    """0 where the kernel has none."""
    return max(0, ctypes.CDLL(None).syscall(LANDLOCK_CREATE_RULESET, None, 0, 1))


def hide_landlock():
    """For this process and what it starts, as with a kernel that lacks it."""
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    filter_ = ctypes.c_void_p(library.seccomp_init(0x7fff0000))
    if library.seccomp_rule_add(filter_, 0x00050000 | errno.ENOSYS, LANDLOCK_CREATE_RULESET, 0) or \
            library.seccomp_load(filter_):
        raise OSError("no filter")


class LimitsTest(harness.DaemonTest):
    def attempt(self, daemon, action, name="a"):
        """Lets the module try it; returns the errno's name, or what it answered."""
        status, answer = daemon.ask(f"/v1/submit?module={name}&pool=try&wait", "POST",
                                    action.encode())
        self.assertEqual(status, 200, answer)
        return answer["text"] if answer["name"] == ANSWER else answer["name"]

    def assert_attempts(self, daemon, expected, *actions):
        for action in actions:
            self.assertEqual(self.attempt(daemon, action), expected, action)

    def start_as(self, daemon, before=None, prefix=()):
        """Starts reeved by another program, or with a call before it is executed."""
        popen = subprocess.Popen

        def start(arguments, **keywords):
            return popen([*prefix, *arguments], preexec_fn=before, **keywords)
        with unittest.mock.patch.object(subprocess, "Popen", start):
            return daemon.start()

    def make(self, daemon, name, mode=0o644):
        path = os.path.join(daemon.state, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write("text")
        os.chmod(path, mode)
        return path

    def folder(self, daemon, name, mode=0o755):
        path = os.path.join(daemon.state, name)
        os.mkdir(path)
        os.chmod(path, mode)
        return path
