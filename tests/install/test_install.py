#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The files of `meson install` with DESTDIR and a prefix of its own, and that they work there.

The programs look for their parts below the prefix. So they run in a mount namespace, in which the
staged tree is at its place; where none can be had, that part is skipped, and says so.
"""
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import tools  # pylint: disable=wrong-import-position

SOURCE = os.environ["REEVE_SOURCE"]
PREFIX = "/opt/x"
PATIENCE = float(os.environ.get("REEVE_PATIENCE", 60.0))
# A regular file for each kind of thing that there is to be.
WANTED = [
    "bin/reevectl", "sbin/reeved", "libexec/reeve/reeve-host", "libexec/reeve/reeve-symbols",
    "etc/reeve/reeve.ini", "include/reeve/module.h", "lib/systemd/system/reeve.service",
    "lib/sysusers.d/reeve.conf", "lib/tmpfiles.d/reeve.conf", "share/man/man1/reevectl.1",
    "share/man/man3/rv_pool.3", "share/man/man3/rv_pool_submit.3", "share/man/man5/reeve.ini.5",
    "share/man/man7/reeve-module.7", "share/man/man8/reeved.8", "share/reeve/template/hello.c",
    "share/reeve/template/Makefile", "share/reeve/template/meson.build",
    "share/bash-completion/completions/reevectl", "share/zsh/site-functions/_reevectl",
    "share/doc/reeve/authoring.md", "share/doc/reeve/metrics.md", "share/doc/reeve/operating.md",
    "share/doc/reeve/reevectl.md", "share/reeve/grafana/reeve.json",
    "share/reeve/prometheus/reeve.rules.yml",
]
MODULES = ["exec", "heartbeat", "httpcheck", "spool"]


def run(*command, **options):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            check=False, **options)
    if result.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: {result.returncode}\n{result.stdout}")
    return result.stdout


def namespace_command():
    """The command that runs another in a mount namespace of its own, or None."""
    for command in (["unshare", "--mount"], ["unshare", "--map-root-user", "--mount"]):
        try:
            test = subprocess.run([*command, "mount", "-t", "tmpfs", "none", "/opt"],
                                  capture_output=True, check=False)
        except FileNotFoundError:
            return None
        if test.returncode == 0:
            return command
    return None


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        tools.need("meson", "ninja", "cc", "pkg-config")
        cls.folder = tempfile.mkdtemp(prefix="reeve-install-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        os.chmod(cls.folder, 0o755)
        cls.stage = os.path.join(cls.folder, "stage")
        cls.root = cls.stage + PREFIX
        cls.build = os.path.join(cls.folder, "build")
        # A umask must not show in what is installed.
        options = {"umask": 0o077}
        run("meson", "setup", cls.build, SOURCE, "--prefix", PREFIX, "-Dtests=disabled",
            "-Dbuildtype=debug", **options)
        run("ninja", "-C", cls.build, "-j2", **options)
        run("meson", "install", "-C", cls.build, "--no-rebuild", "--destdir", cls.stage, **options)
        cls.library = next(os.path.relpath(os.path.join(path, name), cls.root)
                           for path, _, names in os.walk(cls.root)
                           for name in names if name == "libreeve.so")
        cls.libdir = os.path.dirname(cls.library)
        cls.namespace = namespace_command()

    def files(self):
        for path, folders, names in os.walk(self.stage):
            for name in folders + names:
                full = os.path.join(path, name)
                yield full, "/" + os.path.relpath(full, self.stage)

    def inside(self, *command):
        """The command, in a namespace where the staged tree is at its place."""
        if not self.namespace:
            self.skipTest("no mount namespace can be had here")
        script = (f"mount -t tmpfs none /opt && mkdir {PREFIX} && "
                  f"mount --bind '{self.root}' {PREFIX} && exec \"$@\"")
        return [*self.namespace, "sh", "-c", script, "sh", *command]

    def scratch(self):
        folder = tempfile.mkdtemp(dir=self.folder)
        self.addCleanup(shutil.rmtree, folder)
        return folder

    def environment(self, **more):
        pkgconfig = os.path.join(PREFIX, self.libdir, "pkgconfig")
        environment = {k: v for k, v in os.environ.items() if k != "LD_LIBRARY_PATH"}
        return {**environment, "PKG_CONFIG_PATH": pkgconfig, **more}

    def test_everything_is_there(self):
        wanted = WANTED + [os.path.join(self.libdir, "pkgconfig/reeve.pc"), self.library]
        wanted += [os.path.join(self.libdir, "reeve/modules", name + ".so") for name in MODULES]
        self.assertEqual([name for name in wanted if not os.path.isfile(os.path.join(self.root, name))], [])
        self.assertTrue(os.path.isdir(os.path.join(self.root, "etc/reeve/conf.d")))

    def test_nothing_lands_outside_of_the_prefix(self):
        outside = [name for _, name in self.files()
                   if not (name + "/").startswith(PREFIX + "/") and not PREFIX.startswith(name + "/")]
        self.assertEqual(outside, [])

    def test_modes_are_as_they_should_be(self):
        for path, name in self.files():
            status = os.lstat(path)
            if stat.S_ISLNK(status.st_mode):
                self.assertFalse(os.readlink(path).startswith("/"), name)
                continue
            program = "/bin/" in name or "/sbin/" in name or "/libexec/" in name or \
                re.search(r"\.so(\.|$)", name)
            expected = 0o755 if stat.S_ISDIR(status.st_mode) or program else 0o644
            # So that its process cannot be looked into.
            if name.endswith("sbin/reeved"):
                expected = 0o711
            self.assertEqual(oct(stat.S_IMODE(status.st_mode)), oct(expected), name)

    def test_what_is_installed_refers_to_the_prefix(self):
        for path, name in self.files():
            if not os.path.isfile(path):
                continue
            with open(path, "rb") as file:
                data = file.read()
            wrong = [self.stage, r"/usr/local/[\w/.-]*reeve"]
            # Debug information names its sources.
            if not data.startswith(b"\x7fELF"):
                wrong += [self.build, SOURCE + "/"]
            for pattern in wrong:
                found = re.search(pattern.encode(), data)
                self.assertFalse(found, f"{name}: {found and found[0]}")
        with open(os.path.join(self.root, "lib/systemd/system/reeve.service"), encoding="utf-8") as file:
            unit = file.read()
        commands = re.findall(r"(?m)^Exec\w+=[-+!:@]*(\S+)", unit)
        self.assertGreaterEqual(len(commands), 2)
        for command in commands:
            self.assertTrue(os.access(self.stage + command, os.X_OK), command)
        self.assertIn(f"{PREFIX}/etc/reeve/reeve.ini", unit)

    def test_programs_find_their_parts(self):
        for program in ("sbin/reeved", "bin/reevectl", "libexec/reeve/reeve-host"):
            output = run(*self.inside(os.path.join(PREFIX, program), "--version"), env=self.environment())
            self.assertRegex(output, r"^reeve\S* \d+\.\d+\.\d+\n$")
        output = run(*self.inside(os.path.join(PREFIX, "bin/reevectl"), "describe", "spool"),
                     env=self.environment())
        self.assertIn("directory", output)
        folder = self.scratch()
        output = run(*self.inside(os.path.join(PREFIX, "sbin/reeved"), "--check"),
                     env=self.environment(RUNTIME_DIRECTORY=folder, STATE_DIRECTORY=folder))
        self.assertIn(f"{PREFIX}/etc/reeve/reeve.ini: good", output)

    def start(self, *command, **options):
        process = subprocess.Popen(self.inside(*command), stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, **options)

        def end():
            process.kill()
            process.communicate()

        self.addCleanup(end)
        return process

    def wait_until(self, question, process):
        deadline = time.monotonic() + PATIENCE
        pause = threading.Event()
        while not question():
            if process.poll() is not None:
                self.fail(f"it has ended: {process.stdout.read()}")
            if time.monotonic() > deadline:
                self.fail("it takes too long")
            pause.wait(0.02)

    def test_the_daemon_runs(self):
        folder = self.scratch()
        config = os.path.join(folder, "reeve.ini")
        with open(config, "w", encoding="utf-8") as file:
            file.write("[daemon]\nlisten = 127.0.0.1:0\n[module:heartbeat]\nload = heartbeat\n")
        environment = self.environment(RUNTIME_DIRECTORY=folder, STATE_DIRECTORY=folder)
        daemon = self.start(os.path.join(PREFIX, "sbin/reeved"), "-c", config, env=environment)

        def is_ready():
            status = subprocess.run([os.path.join(self.root, "bin/reevectl"), "--json", "-s",
                                     os.path.join(folder, "control"), "status"],
                                    capture_output=True, text=True, check=False)
            return status.returncode == 0 and json.loads(status.stdout)["ready"]

        self.wait_until(is_ready, daemon)
        daemon.send_signal(signal.SIGTERM)
        output, _ = daemon.communicate(timeout=PATIENCE)
        self.assertEqual(daemon.returncode, 0, output)

    def copy_template(self):
        folder = self.scratch()
        return shutil.copytree(os.path.join(self.root, "share/reeve/template"), os.path.join(folder, "hello"))

    @tools.needs("make")
    def test_the_template_builds_and_runs(self):
        folder = self.copy_template()
        run(*self.inside("make", "-C", folder, "CFLAGS=-O1 -Werror"), env=self.environment())
        staged = self.scratch()
        run(*self.inside("make", "-C", folder, "install", "DESTDIR=" + staged), env=self.environment())
        self.assertTrue(os.path.isfile(os.path.join(staged + PREFIX, self.libdir, "reeve/modules/hello.so")))
        # As `make run` would.
        host = run(*self.inside("pkg-config", "--variable=host", "reeve"), env=self.environment()).strip()
        greetings = os.path.join(folder, "greetings")
        process = self.start(host, "--run", os.path.join(folder, "hello.so"), "name=you", "pause=1ms",
                             "greet.every=20ms", "path=" + greetings, env=self.environment())

        def has_greeted():
            if not os.path.exists(greetings):
                return False
            with open(greetings, encoding="utf-8") as file:
                return file.read().count("hello, you\n") >= 2

        self.wait_until(has_greeted, process)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 0, output)

    def test_the_template_builds_with_meson(self):
        folder = self.copy_template()
        build = os.path.join(folder, "build")
        run(*self.inside("sh", "-c", f"meson setup --werror {build} {folder} && ninja -C {build}"),
            env=self.environment())
        output = run(*self.inside(os.path.join(PREFIX, "bin/reevectl"), "describe",
                                  os.path.join(build, "hello.so")), env=self.environment())
        self.assertIn("greetings", output)


if __name__ == "__main__":
    unittest.main()
