# SPDX-License-Identifier: MIT
"""Helpers of tests of live upgrades: a reeved with programs of its own, which can be replaced."""
import os
import shutil

import harness
import puppetry

OBJECTS = harness.FIXTURES


class UpgradeTest(puppetry.PuppetTest):
    def installed(self, config="", daemon="", environment=None):
        """A daemon whose programs lie in its own directory, as in a build tree."""
        return self.prepared(config, daemon, environment).start().wait_started()

    def prepared(self, config="", daemon="", environment=None):
        """The same before its start."""
        environment = dict({"REEVE_MODULE_PATH": os.path.join(harness.BUILD, "modules")},
                           **(environment or {}))
        instance = self.daemon(config, daemon, environment, start=False)
        for directory in "bin", "host":
            os.makedirs(os.path.join(instance.folder, directory))
        instance.program = os.path.join(instance.folder, "bin", "reeved")
        self.install(instance, harness.REEVED)
        for name in "reeve-host", "reeve-symbols":
            shutil.copy(os.path.join(harness.BUILD, "host", name), os.path.join(instance.folder, "host", name))
        return instance

    def install(self, daemon, program, target="reeved", mode=0o755):
        """Replaces a program as a package manager does, by a rename."""
        target = os.path.join(daemon.folder, "bin", target)
        shutil.copyfile(program, target + ".new")
        os.chmod(target + ".new", mode)
        os.rename(target + ".new", target)

    def install_next(self, daemon):
        self.install(daemon, os.path.join(OBJECTS, "reeved-next"))
        self.install(daemon, os.path.join(OBJECTS, "reeve-host-next"), "../host/reeve-host")

    def install_present(self, daemon):
        self.install(daemon, harness.REEVED)
        self.install(daemon, harness.REEVE_HOST, "../host/reeve-host")

    def upgrade(self, daemon, generation):
        done = daemon.ctl("upgrade")
        self.assertEqual(done.returncode, 0, done.stderr + daemon.text())
        self.assertIn(f"generation {generation},", done.stdout)
        return done.stdout

    def pids(self, daemon):
        return {m["name"]: m["pid"] for m in daemon.status()["modules"]}
