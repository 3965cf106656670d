#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The module of the README and the daemon of the author's guide: their texts are taken as they stand."""
import os
import re
import subprocess
import tempfile
import unittest

import harness
from harness import wait_until


SOURCE = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))


def read(*names):
    with open(os.path.join(SOURCE, *names), encoding="utf-8") as file:
        return file.read()


def code(text, language):
    return re.search(rf"```{language}\n(.*?)```", text, re.S)[1]


def commands(text, after):
    """The indented lines of the first block behind these words."""
    block = re.search(r"\n\n((?:    .*\n)+)", text[text.index(after):])[1]
    return [line.split("   #")[0].strip() for line in block.splitlines()]


class Guides(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="reeve-guides-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        os.symlink(os.path.join(SOURCE, "include"), os.path.join(self.folder, "include"))
        os.symlink(harness.BUILD, os.path.join(self.folder, "build"))
        readme = read("README.md")
        self.write("hello.c", code(readme, "c"))
        build, self.alone = commands(readme, "Build it, and run it alone")
        self.assertEqual(self.run_line(build).stdout, "")

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    def run_line(self, line):
        done = subprocess.run(["sh", "-c", line], cwd=self.folder, env=dict(os.environ, PWD=self.folder), timeout=60,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done)
        return done

    def begin(self, line):
        """The program's log as it grows, and what ends the program and gives its exit code."""
        path = os.path.join(self.folder, "log")
        with open(path, "w", encoding="utf-8") as log:
            process = subprocess.Popen(["sh", "-c", "exec env " + line], cwd=self.folder, env=dict(os.environ, PWD=self.folder),
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log)

        def end():
            process.terminate()
            return process.wait(60)

        self.addCleanup(lambda: process.poll() is None and (process.kill(), process.wait()))
        return lambda: read(path), end

    def test_alone(self):
        log, end = self.begin(self.alone)
        wait_until(lambda: "hello, you" in log(), "the greeting")
        self.assertEqual(end(), 0, log())

    def test_a_daemon_of_ones_own(self):
        guide = read("docs", "authoring.md")
        config = code(guide, "ini")
        self.assertIn("listen = 127.0.0.1:8081\n", config)
        self.write("my.ini", config.replace(":8081", ":0"))
        make, start, ask = commands(guide, "Two variables say")
        self.run_line(make)
        log, end = self.begin(start)
        wait_until(lambda: "hello, you" in log(), "the greeting")
        self.assertRegex(self.run_line(ask).stdout, r"hello +ready")
        self.assertEqual(end(), 0, log())


if __name__ == "__main__":
    harness.main()
