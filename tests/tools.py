# SPDX-License-Identifier: MIT
"""Outside tools that tests use. A test whose tool is missing is skipped with the names of the tool and of its
Debian package. It never fails for that.

    tools.need("curl")              within a test, setUp() or setUpClass(): skips
    @tools.needs("curl", "wrk")     the same for a test or a class
    tools.need_or_exit("spin")      for a script that is a test of its own: prints "SKIPPED: ..." and exits with 77
    python3 tools.py g++            that script, for a test that meson cannot make without the tool
    python3 tools.py --run TOOL ... runs the tool, or skips
"""
import os
import shutil
import subprocess
import sys
import unittest

# The exit code that meson counts as skipped.
SKIPPED = 77

# The Debian package of each tool.
PACKAGES = {
    "bash": "bash",
    "bindfs": "bindfs",
    "cc": "gcc",
    "chromedriver": "chromium-driver",
    "chromium": "chromium",
    "curl": "curl",
    "dh": "debhelper",
    "dpkg-buildpackage": "dpkg-dev",
    "g++": "g++",
    "gcc": "gcc",
    "go": "golang-go",
    "haproxy": "haproxy",
    "ip": "iproute2",
    "journalctl": "systemd",
    "lexgrog": "man-db",
    "make": "make",
    "man": "man-db",
    "meson": "meson",
    "monit": "monit",
    "ninja": "ninja-build",
    "nm": "binutils",
    "pkg-config": "pkg-config",
    "promtool": "prometheus",
    "ps": "procps",
    "python3-prometheus-client": "python3-prometheus-client",
    "runuser": "util-linux",
    "setpriv": "util-linux",
    "slowhttptest": "slowhttptest",
    "spin": "spin",
    "systemd": "systemd",
    "systemd-analyze": "systemd",
    "systemd-journald": "systemd",
    "systemd-nspawn": "systemd-container",
    "unshare": "util-linux",
    "valgrind": "valgrind",
    "wrk": "wrk",
}

# Modules of Debian's Python. The tests may run under another one.
PYTHON = "/usr/bin/python3"
PYTHON_MODULES = {"python3-prometheus-client": "prometheus_client.openmetrics.parser"}


# Directories of programs that need not be in PATH.
MORE_PLACES = ":/usr/sbin:/sbin:/usr/lib/systemd:/lib/systemd"


def find(tool):
    """Its path, or None."""
    return shutil.which(tool, path=os.environ.get("PATH", os.defpath) + MORE_PLACES)


def _is_there(tool):
    if tool not in PYTHON_MODULES:
        return find(tool) is not None
    try:
        return subprocess.run([PYTHON, "-c", f"import {PYTHON_MODULES[tool]}"], capture_output=True,
                              check=False).returncode == 0
    except OSError:
        return False


def missing(*tools):
    """The reason to skip a test that needs these, or None."""
    lacking = [f"{tool} (Debian package {PACKAGES[tool]})" for tool in tools if not _is_there(tool)]
    return f"needs {', '.join(lacking)}" if lacking else None


def missing_mounts():
    """The reason to skip a test that mounts in a namespace of its own, or None."""
    if os.geteuid() != 0:
        return "needs root, for a mount namespace"
    reason = missing("unshare")
    if reason:
        return reason
    tried = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False)
    return None if tried.returncode == 0 else "needs mount namespaces"


def need(*tools):
    reason = missing(*tools)
    if reason:
        raise unittest.SkipTest(reason)


def needs(*tools):
    reason = missing(*tools)
    return unittest.skipIf(reason, reason)


def need_or_exit(*tools):
    reason = missing(*tools)
    if reason:
        print(f"SKIPPED: {reason}", flush=True)
        sys.exit(SKIPPED)


def main(arguments):
    if arguments[:1] == ["--run"] and len(arguments) > 1:
        need_or_exit(arguments[1])
        os.execv(find(arguments[1]), arguments[1:])
    need_or_exit(*arguments)
    sys.exit(f"{', '.join(arguments)} came after this build was configured: configure it again")


if __name__ == "__main__":
    main(sys.argv[1:])
