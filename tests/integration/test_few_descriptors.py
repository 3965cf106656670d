#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Who has which limit on descriptors."""
import os
import resource

import harness
import upgrading
from puppetry import HEARTBEAT, puppet

NOFILE = resource.RLIMIT_NOFILE


def many(count, *lines):
    return "".join(puppet(f"m{i}", "essential = no", *lines) for i in range(count))


class FewTest(upgrading.UpgradeTest):
    def limited(self, config, soft, hard, daemon="", environment=None):
        instance = self.prepared(config, daemon, environment)
        instance.nofile = (soft, hard)
        return instance.start()

    def states(self, daemon):
        return [m["state"] for m in daemon.status()["modules"]]


class Limits(FewTest):
    def limits(self, pid):
        return resource.prlimit(pid, NOFILE)

    def test_modules_get_the_soft_limit_of_the_start(self):
        daemon = self.limited(HEARTBEAT + "[module:x]\nload = exec\nrun.every = 1000s\ncommand = ulimit -Sn >nofile\n" +
                              puppet("own", "nofile = 77"), 100, 500).wait_ready()
        self.assertEqual(self.limits(daemon.process.pid), (500, 500))
        for generation in 2, 3:
            self.assertEqual(self.limits(daemon.module("heart")["pid"]), (100, 500))
            self.assertEqual(self.limits(daemon.module("own")["pid"]), (77, 77))
            # The one of its start may be under way.
            harness.wait_until(lambda: daemon.ctl("run", "x/run", "--wait").returncode == 0, "a run")
            with open(os.path.join(daemon.state, "nofile"), encoding="utf-8") as file:
                self.assertEqual(file.read(), "100\n")
            self.upgrade(daemon, generation)
            self.assertEqual(self.limits(daemon.process.pid), (500, 500))
            for name in "heart", "own", "x":
                self.assertEqual(daemon.ctl("restart", name).returncode, 0)
        self.assertEqual(daemon.stop(), 0)

    def test_an_upgrade_that_fails_leaves_them(self):
        daemon = self.limited(HEARTBEAT, 100, 500).wait_ready()
        self.install(daemon, "/bin/false")
        self.assertNotEqual(daemon.ctl("upgrade").returncode, 0)
        self.assertEqual(self.limits(daemon.process.pid), (500, 500))
        self.assertEqual(daemon.ctl("restart", "heart").returncode, 0)
        self.assertEqual(self.limits(daemon.module("heart")["pid"]), (100, 500))
        self.assertEqual(daemon.stop(), 0)

    def test_more_modules_than_the_soft_limit_has_room_for(self):
        daemon = self.limited(many(24), 64, 400).wait_ready()
        self.assertEqual(self.states(daemon), ["ready"] * 24)
        self.assertEqual(daemon.stop(), 0)


if __name__ == "__main__":
    harness.main()
