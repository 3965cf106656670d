#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The Debian packages in their life: installed, upgraded, removed, purged, under a real systemd.

Two versions are built from this tree; the later one has another version number and another sample
configuration. Each test begins with nothing of reeve on the machine.
"""
import contextlib
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

import container
from container import ContainerTest, tools, wait_until

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PACKAGES = ("reeve", "libreeve1", "libreeve-dev")
OLD, NEW = "0.1.0-1", "0.1.1-1"
CONFIG = "/etc/reeve/reeve.ini"
HEALTH = "http://127.0.0.1:8080/health"


def replace(path, pattern, text):
    with open(path, encoding="utf-8") as file:
        content = file.read()
    changed = re.sub(pattern, text, content, count=1)
    assert changed != content, path
    with open(path, "w", encoding="utf-8") as file:
        file.write(changed)


def make_newer(tree):
    """Turns the sources into those of the version after."""
    replace(os.path.join(tree, "meson.build"), r"version: '[\d.]+'", "version: '0.1.1'")
    replace(os.path.join(tree, "debian/changelog"), r"\A",
            f"reeve ({NEW}) bookworm; urgency=medium\n\n  * A later version, for a test.\n\n"
            " -- reeve developers <reeve@example.org>  Mon, 02 Mar 2026 12:00:00 +0000\n\n")
    replace(os.path.join(tree, "conf/reeve.ini"), r"\A", "; The sample of the later version.\n")


def run_in(tree, *command):
    done = subprocess.run(command, cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          env={**os.environ, "DEB_BUILD_OPTIONS": "nocheck noautodbgsym parallel=2",
                               "DEB_BUILD_PROFILES": "nocheck"})
    assert done.returncode == 0, done.stdout[-4000:]


def list_unversioned(directory, names):
    """The names that git ignores; build_tree.c is a source, so names count at the top alone."""
    at_top = directory == SOURCE
    return {name for name in names
            if name in (".git", "__pycache__") or at_top and (name == "run" or name.startswith("build"))}


def build_both(folder):
    """Yields ("old", PATH) or ("new", PATH) for each package. It is there until the next one is asked for."""
    tree = os.path.join(folder, "reeve")
    shutil.copytree(SOURCE, tree, symlinks=True, ignore=list_unversioned)
    for version in "old", "new":
        if version == "new":
            make_newer(tree)
            # It keeps the objects, and so does -nc: most of them serve both versions.
            run_in(tree, "dh_clean")
        run_in(tree, "dpkg-buildpackage", "-us", "-uc", "-b", *(["-nc"] if version == "new" else []))
        for path in glob.glob(os.path.join(folder, "*.deb")):
            yield version, path
            os.unlink(path)


class PackageContainer(container.Container):
    """A container with this machine's packages, and none of ours."""

    @staticmethod
    def missing():
        return tools.missing("dpkg-buildpackage", "dh") or container.Container.missing()

    def _install(self):
        shutil.copytree("/var/lib/dpkg", self.path("var/lib/dpkg"), dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns("lock*", "*-old"))
        # On a machine that starts no services ours is to start all the same.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path("usr/sbin/policy-rc.d"))


def prepare(booted):
    with tempfile.TemporaryDirectory(prefix="reeve-package-") as folder:
        for version, path in build_both(folder):
            booted.copy(path, f"/root/{version}/{os.path.basename(path).split('_')[0]}.deb", 0o644)


class Probes:
    """Asks for /health again and again, and notes the answers."""

    def __init__(self, booted):
        self.container = booted
        self.answers = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._ask)

    def _ask(self):
        while not self.over.is_set():
            done = self.container.run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", HEALTH,
                                      check=False)
            self.answers.append(done.stdout if done.returncode == 0 else f"curl: {done.returncode}")

    def __enter__(self):
        self.thread.start()
        wait_until(lambda: len(self.answers) > 5, "answers before")
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


class Package(ContainerTest):
    def setUp(self):
        self.container.run("dpkg", "--purge", *PACKAGES, check=False)
        self.container.systemctl("reset-failed", check=False)

    def dpkg(self, *arguments):
        done = self.container.run("env", "DEBIAN_FRONTEND=noninteractive", "dpkg", *arguments,
                                  check=False)
        output = done.stdout + done.stderr
        self.assertEqual(done.returncode, 0, output)
        return output

    def install(self, version, *packages):
        return self.dpkg("--force-confdef", "--force-confold", "--install",
                         *(f"/root/{version}/{name}.deb" for name in packages or PACKAGES[:2]))

    def health(self):
        done = self.container.run("curl", "-sS", "-w", "\n%{http_code}", HEALTH)
        body, status = done.stdout.rsplit("\n", 1)
        return int(status), json.loads(body)

    def exists(self, path):
        return self.container.run("test", "-e", path, check=False).returncode == 0

    def assert_well(self):
        self.assertEqual(self.container.show("ActiveState"), "active")
        status, document = self.health()
        self.assertEqual(status, 200, document)
        # Modules that are not essential may still be starting.
        wait_until(lambda: self.health()[1]["status"] == "pass", "/health to say pass")

    def test_it_runs_right_after_installation(self):
        output = self.install("old")
        self.assertNotRegex(output, r"(?i)error|warning|failed")
        # The installation waited for it.
        self.assert_well()
        self.assertEqual(self.container.show("User"), "reeve")
        pid = self.container.show("MainPID")
        self.assertEqual(self.container.run("ps", "-o", "user=", "-p", pid).stdout.strip(), "reeve")
        self.assertEqual(self.container.show("UnitFileState"), "enabled")
        self.assertEqual(self.container.run("stat", "-c", "%U %a", "/var/lib/reeve").stdout, "reeve 755\n")
        self.assertEqual(self.container.run("systemd-analyze", "verify", "reeve.service").stderr, "")
        status = json.loads(self.container.run("reevectl", "status", "--json").stdout)
        self.assertEqual({module["name"]: module["state"] for module in status["modules"]},
                         {name: "ready" for name in ("heartbeat", "disk-space", "web", "spool")})
        self.assertEqual(self.container.run("dpkg", "--verify", *PACKAGES[:2]).stdout, "")

    def test_the_template_builds_with_the_packages(self):
        self.install("old", *PACKAGES)
        with open(os.path.join(SOURCE, "debian/tests/template"), encoding="utf-8") as file:
            self.container.write("/root/template", file.read(), 0o755)
        self.assertIn("hello, you", self.container.run("sh", "-e", "/root/template").stdout)

    def test_an_upgrade_keeps_what_was_edited_and_serves_on(self):
        self.install("old")
        edited = self.container.read(CONFIG).replace("[daemon]\n", "[daemon]\npage = no\n", 1)
        self.container.run("tee", CONFIG, stdin=edited)
        self.container.run("reevectl", "reload")
        self.container.run("tee", "/etc/reeve/conf.d/mine.ini", stdin="; mine\n")
        before = self.container.show("MainPID", "NRestarts")
        in_place = "\n  upgrade" in self.container.run("reevectl", "--help").stdout
        with Probes(self.container) as probes:
            output = self.install("new")
        self.assertEqual(self.container.read(CONFIG), edited)
        self.assertTrue(self.container.read(CONFIG + ".dpkg-dist").startswith("; The sample of the later"))
        self.assertTrue(self.exists("/etc/reeve/conf.d/mine.ini"))
        self.assert_well()
        status = json.loads(self.container.run("reevectl", "status", "--json").stdout)
        self.assertEqual(status["version"], NEW.split("-", maxsplit=1)[0])
        after = self.container.show("MainPID", "NRestarts")
        if in_place:
            self.assertIn("upgraded in place", output)
            self.assertEqual(after, before)
            self.assertEqual(set(probes.answers), {"200"})
        else:
            self.assertIn("the upgrade in place failed, restarting", output)
            self.assertNotEqual(after["MainPID"], before["MainPID"])

    def test_an_upgrade_brings_the_new_configuration_when_nobody_edited_it(self):
        self.install("old")
        self.install("new")
        self.assertTrue(self.container.read(CONFIG).startswith("; The sample of the later version."))
        self.assert_well()

    def test_an_upgrade_leaves_a_stopped_service_alone(self):
        self.install("old")
        self.container.systemctl("stop", "reeve")
        self.install("new")
        self.assertEqual(self.container.show("ActiveState"), "inactive")
        self.container.systemctl("start", "reeve")
        self.assert_well()

    def test_a_removed_package_keeps_its_configuration_and_comes_back(self):
        self.install("old")
        self.container.run("sh", "-c", f"echo '; mine' >>{CONFIG}; touch /var/lib/reeve/kept")
        pid = self.container.show("MainPID")
        self.dpkg("--remove", "reeve")
        self.assertNotEqual(self.container.show("ActiveState"), "active")
        self.assertFalse(self.exists(f"/proc/{pid}"))
        self.assertFalse(self.exists("/lib/systemd/system/reeve.service"))
        self.assertTrue(self.container.read(CONFIG).endswith("; mine\n"))
        self.assertTrue(self.exists("/var/lib/reeve/kept"))
        self.install("old")
        self.assert_well()
        self.assertTrue(self.container.read(CONFIG).endswith("; mine\n"))
        self.assertFalse(self.exists("/run/reeve.installing"))

    def test_a_purge_leaves_nothing_but_the_user(self):
        self.install("old")
        self.container.run("tee", "/etc/reeve/conf.d/mine.ini", stdin="; mine\n")
        self.dpkg("--purge", "reeve", "libreeve1")
        self.assertNotEqual(self.container.show("ActiveState"), "active")
        left = self.container.run("find", "/etc", "/usr", "/lib/systemd", "/var/lib/reeve", "/run", "/var/lib/systemd",
                                  "-xdev", "-name", "*reeve*", "-newer", "/root/old/reeve.deb", check=False).stdout
        self.assertEqual(left, "")
        self.assertFalse(self.exists("/etc/reeve"))
        self.assertFalse(self.exists("/var/lib/reeve"))
        self.assertEqual(self.container.systemctl("list-unit-files", "--no-legend", "reeve*", check=False).stdout, "")
        self.assertIn("reeve:", self.container.run("getent", "passwd", "reeve").stdout)

    def test_a_purge_takes_the_sockets_along(self):
        self.install("old")
        sockets = [name for name in ("reeve-health.socket", "reeve-control.socket")
                   if self.exists("/lib/systemd/system/" + name)]
        if not sockets:
            self.skipTest("this version has no sockets")
        self.container.systemctl("stop", "reeve")
        self.container.systemctl("enable", "--now", *sockets)
        # The request is what starts it.
        self.assert_well_after_request()
        self.dpkg("--purge", "reeve", "libreeve1")
        for name in (*sockets, "reeve.service"):
            self.assertNotEqual(self.container.show("ActiveState", unit=name), "active", name)
        links = self.container.run("find", "/etc/systemd/system", "-name", "*reeve*").stdout
        self.assertEqual(links, "")

    def assert_well_after_request(self):
        self.assertEqual(self.container.show("ActiveState"), "inactive")
        self.health()
        self.container.systemctl("start", "reeve")
        self.assert_well()


if __name__ == "__main__":
    unittest.TestCase.maxDiff = None
    sys.exit(container.main(prepare, PackageContainer))
