#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Where reevectl finds a daemon whose `control` is not the default one: what the unit's reload and the package's upgrade
run names no socket. Only reevectl is run in a mount namespace, in which the default configuration is a test's."""
import os
import re
import subprocess
import unittest

import harness
import tools

HEARTBEAT = "[module:h]\nload = heartbeat\n"
MOUNT = """
set -e
mount --make-rprivate /
folder=$(dirname "$CONFIG")
while ! [ -d "$folder" ]; do folder=$(dirname "$folder"); done
mount -t tmpfs none "$folder"
mkdir -p "$(dirname "$CONFIG")"
[ -z "$CONTENT" ] || printf %s "$CONTENT" >"$CONFIG"
exec "$@"
"""


def default_config():
    said = subprocess.run([harness.REEVECTL, "--help"], capture_output=True, text=True, check=True).stdout
    return re.search(r"whose module path \(default: (.*)\)", said).group(1)


@unittest.skipIf(tools.missing_mounts(), tools.missing_mounts())
class ControlPath(harness.DaemonTest):
    def ask(self, daemon, content, *words, **environment):
        """reevectl where `content` is the system's configuration, and the daemon's directory its runtime directory."""
        environment = {key: value for key, value in os.environ.items() if key != "REEVE_CONTROL"} | environment | {
            "RUNTIME_DIRECTORY": daemon.folder, "CONFIG": default_config(), "CONTENT": content}
        return subprocess.run(["unshare", "-m", "sh", "-c", MOUNT, "sh", harness.REEVECTL, *words], env=environment,
                              capture_output=True, text=True, check=False, timeout=harness.PATIENCE)

    def read(self, daemon):
        with open(daemon.config_path, encoding="utf-8") as file:
            return file.read()

    def elsewhere(self):
        """A daemon that listens at a path of its own; and that path."""
        daemon = self.daemon(HEARTBEAT, start=False)
        daemon.control = os.path.join(daemon.folder, "elsewhere")
        daemon.daemon = f"control = {daemon.control}"
        daemon.write(HEARTBEAT)
        return daemon.start().wait_started()

    def assert_reloads(self, daemon, content, **environment):
        done = self.ask(daemon, content, "reload", **environment)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_the_configuration_names_it(self):
        daemon = self.elsewhere()
        self.assert_reloads(daemon, self.read(daemon))
        # With errors in it, which the daemon is to tell.
        content = "[module:x]\nfoo\n; control = /x\ncontrol = /y\n" + self.read(daemon) + "[daemon\n"
        self.assert_reloads(daemon, content)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_what_is_named_counts_more(self):
        daemon = self.elsewhere()
        self.assert_reloads(daemon, "[daemon]\ncontrol = /nonexistent\n", REEVE_CONTROL=daemon.control)
        self.assertEqual(self.ask(daemon, self.read(daemon), "-s", "/nonexistent", "reload").returncode, 3)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_an_edited_configuration(self):
        """The daemon still listens where it did when it started."""
        daemon = self.daemon(HEARTBEAT).wait_started()
        stale = os.path.join(daemon.folder, "stale")
        with harness.socket.socket(harness.socket.AF_UNIX) as listener:
            listener.bind(stale)
        for path in "/nonexistent/control", "relative", stale, "", "/" + "x" * 200, "/dev/null/x":
            self.assert_reloads(daemon, f"[daemon]\ncontrol = {path}\n")
        self.assert_reloads(daemon, "")
        self.assert_reloads(daemon, HEARTBEAT)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_relative_path(self):
        """It begins at the file's directory: in the runtime directory nobody has a socket of that name."""
        daemon = self.elsewhere()
        done = self.ask(daemon, "[daemon]\ncontrol = elsewhere\n", "reload")
        self.assertEqual(done.returncode, 3)
        self.assertIn(f"no reeved listens at {os.path.dirname(default_config())}/elsewhere (`control` in "
                      f"{default_config()}): No such file or directory", done.stderr)
        self.assertEqual(daemon.stop(), 0, daemon.text())


if __name__ == "__main__":
    harness.main()
