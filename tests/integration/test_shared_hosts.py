#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Modules that share a host: which of them move when one is added, changed or lost."""
import os
import shutil
import signal

import harness
from operating import GoalTest, SLOW
from puppetry import HEARTBEAT, PUPPET, puppet

GATED = os.path.join(harness.FIXTURES, "gated.so")
BREAKER = os.path.join(os.path.dirname(PUPPET), "breaker.so")
SLOTS = 512  # of a process


class SharedHosts(GoalTest):
    """A slot of a host is a section, its file, and that file's identity."""

    def setUp(self):
        super().setUp()
        self.folder = harness.tempfile.mkdtemp(prefix="reeve-objects-")
        self.addCleanup(shutil.rmtree, self.folder)
        os.chmod(self.folder, 0o755)

    def copy(self, name, source=PUPPET):
        """A .so of its own, in place of one that was there before."""
        path = os.path.join(self.folder, f"{name}.so")
        shutil.copyfile(source, path + ".new")
        os.chmod(path + ".new", 0o644)
        os.rename(path + ".new", path)
        return path

    def tenant(self, name, path, *lines):
        return puppet(name, "host = h", *lines).replace(PUPPET, path)

    def filler(self, i):
        """A tenant whose file others may have, too."""
        return f"[module:m{i}]\nload = heartbeat\nhost = h\nfile = m{i}\nbeat.every = 1d\n"

    def breaker(self, name="z"):
        return f"[module:{name}]\nload = {BREAKER}\nhost = h\n"

    def tasks(self, daemon, name):
        return sorted(task["name"] for task in daemon.module(name)["tasks"])

    def assert_runs(self, daemon, name, path):
        """The file is mapped into the module's process, under that name, and nothing was deleted since."""
        with open(f"/proc/{daemon.module(name)['pid']}/maps", encoding="utf-8") as file:
            maps = file.read()
        self.assertIn(path + "\n", maps)
        self.assertNotIn(path + " (deleted)", maps)

    def reload(self, daemon, text):
        daemon.write(text)
        done = daemon.ctl("reload")
        self.assertEqual(done.returncode, 0, done.stderr + daemon.text())
        self.assert_nothing_to_do(daemon)

    def test_one_that_takes_the_place_of_another(self):
        first = self.copy("first")
        daemon = self.daemon(self.breaker() + self.tenant("a", first)).wait_started()
        self.reload(daemon, self.breaker())
        heart = "[module:b]\nload = heartbeat\nbeat.every = 20ms\nhost = h\n"
        self.reload(daemon, self.breaker() + heart)
        self.assertEqual(self.tasks(daemon, "b"), ["beat"])
        self.assertEqual(self.state(daemon, "b"), "ready")
        # And the other way round.
        self.reload(daemon, self.breaker() + self.tenant("c", first))
        self.assertEqual(self.tasks(daemon, "c"), ["act", "tick"])
        self.assert_stops(daemon)

    def test_one_that_comes_back_is_the_same_only_with_the_same_file(self):
        path = self.copy("first")
        daemon = self.daemon(self.breaker() + self.tenant("a", path)).wait_started()
        pid = daemon.module("z")["pid"]
        self.reload(daemon, self.breaker())
        self.reload(daemon, self.breaker() + self.tenant("a", path))
        self.assertEqual([daemon.module(name)["pid"] for name in "az"], [pid, pid])
        self.reload(daemon, self.breaker())
        self.copy("first")
        self.reload(daemon, self.breaker() + self.tenant("a", path))
        self.assertNotEqual(daemon.module("z")["pid"], pid)
        self.assert_runs(daemon, "a", path)
        self.assert_stops(daemon)

    def test_a_tenant_is_renamed(self):
        path = self.copy("first")
        daemon = self.daemon(self.breaker() + self.tenant("a", path)).wait_started()
        pid = daemon.module("z")["pid"]
        daemon.write(self.breaker() + self.tenant("b", path))
        steps = {s["module"]: s["step"] for s in daemon.ask("/v1/plan")[1]["steps"]}
        self.assertEqual(steps, {"a": "remove", "b": "add", "z": "restart"})
        self.reload(daemon, self.breaker() + self.tenant("b", path))
        self.assertEqual(self.states(daemon, "bz"), ["ready", "ready"])
        self.assertNotEqual(daemon.module("b")["pid"], pid)
        self.assertEqual(daemon.module("z")["restarts"], 0)
        self.assert_stops(daemon)

    def test_two_tenants_swap_their_names_and_files(self):
        one, two = self.copy("one"), self.copy("two", BREAKER)

        def text(a, b):
            return f"[module:a]\nload = {a}\nhost = h\n[module:b]\nload = {b}\nhost = h\n"
        daemon = self.daemon(text(one, two)).wait_started()
        self.reload(daemon, text(two, one))
        self.assertEqual(self.tasks(daemon, "b"), ["act", "tick"])
        self.assert_runs(daemon, "a", two)
        self.assert_stops(daemon)

    def test_the_same_file_by_two_names(self):
        path = self.copy("first")
        os.link(path, os.path.join(self.folder, "second.so"))
        code, text = self.run_reeved(self.tenant("a", path) +
                                     self.tenant("b", os.path.join(self.folder, "second.so")))
        self.assertEqual(code, 1)
        self.assertRegex(text, r"\[module:b\] and \[module:a\] load the same .*second\.so in one host")

    def test_many_come_and_go(self):
        """More than a process has slots."""
        path = [self.copy(f"m{i}") for i in range(3)]
        daemon = self.daemon(self.breaker()).wait_started()
        for i in range(40):
            self.reload(daemon, self.breaker() + self.tenant(f"m{i}", path[i % 3]))
            self.assertEqual(self.states(daemon, [f"m{i}", "z"]), ["ready", "ready"])
        # The same of a file that is reentrant: in the slots of one process, as long as there are any.
        for first in range(0, SLOTS + 100, 100):
            self.reload(daemon, self.breaker() + "".join(self.filler(first + i) for i in range(100)))
            self.assertEqual(self.states(daemon, [f"m{first}", f"m{first + 99}", "z"]), ["ready"] * 3)
        self.assert_stops(daemon)

    def test_sections_of_a_reentrant_file(self):
        """They have states, tasks and counts of their own in one process."""
        def text(*names, log="no"):
            return "".join(f"[module:{name}]\nload = heartbeat\nhost = h\nbeat.every = never\nfile = {name}\nlog = {log}\n"
                           for name in names)
        daemon = self.daemon(text("a", "b")).wait_ready()
        pid = daemon.module("a")["pid"]
        self.assertEqual(daemon.module("b")["pid"], pid)
        for name in "abb":
            self.assertEqual(daemon.ctl("run", f"{name}/beat", "--wait").returncode, 0)
        runs = {m["name"]: m["tasks"][0]["runs"] for m in daemon.status()["modules"]}
        self.assertEqual(runs["b"] - runs["a"], 1)
        self.assertTrue(all(os.path.exists(os.path.join(daemon.state, name)) for name in "ab"))
        # One comes, one is renamed, one stops: the process stays.
        self.reload(daemon, text("a", "b", "c"))
        self.reload(daemon, text("a", "c", "d"))
        self.assertEqual(daemon.ctl("restart", "c").returncode, 0)
        self.reload(daemon, text("a", "c", "d", log="yes"))
        self.assertEqual({m["pid"] for m in daemon.status()["modules"]}, {pid})
        self.assertEqual(self.states(daemon, "acd"), ["ready"] * 3)
        # One crash is everybody's.
        os.kill(pid, signal.SIGKILL)
        for name in "acd":
            self.wait_restarted(daemon, name, pid)
        self.assert_stops(daemon)

    def test_a_file_that_is_not_reentrant_comes_twice(self):
        path = self.copy("first")
        daemon = self.daemon(self.tenant("a", path)).wait_started()
        daemon.write(self.tenant("a", path) + self.tenant("b", path))
        done = daemon.ctl("reload")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"\[module:b\] and \[module:a\] load the same .*first\.so in one host \"h\", where they "
                                      "would share its variables, as it is not reentrant")
        self.assertEqual([m["name"] for m in daemon.status()["modules"]], ["a"])
        self.assert_stops(daemon)

    def test_more_pools_than_a_process_has_records_for(self):
        path = {name: self.copy(name, os.path.join(os.path.dirname(PUPPET), "manypools.so")) for name in "xy"}
        def tenant(name, host):
            return f"[module:{name}]\nload = {path[name]}\nhost = {host}\nessential = no\nrestart = never\n"
        daemon = self.daemon(tenant("x", "h")).wait_ready("x")
        daemon.write(tenant("x", "h") + tenant("y", "h"))
        done = daemon.ctl("reload")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("no room for pool p24: its process has had 64 already, which is the most; give the module a host of "
                      "its own", done.stderr)
        self.assertEqual(len(daemon.module("x")["pools"]), 40)
        daemon.write(tenant("x", "h") + tenant("y", "other"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.assertEqual([len(daemon.module(name)["pools"]) for name in "xy"], [40, 40])
        self.assert_stops(daemon)

    def test_several_come_and_there_is_a_slot_for_one(self):
        """The plan says who restarts for that, and that its work stops."""
        text = "".join
        here = [self.filler(i) for i in range(SLOTS)]
        half = SLOTS // 2 - 1
        stays = self.tenant("a", self.copy("first"), "drain = 1000s", "drain-stall = 1000s")
        daemon = self.daemon(stays + text(here[:half])).wait_started()
        self.reload(daemon, stays + text(here[half:2 * half]))
        pid = daemon.module("a")["pid"]
        release = self.hold(daemon, "a")
        daemon.write(stays + text(here[half:]))
        self.assertRegex(daemon.ctl("reload", "--plan").stdout, r"(?m)^a +restart stops 1 job of work$")
        reload = daemon.ask_later("/v1/reload", "POST")
        self.wait_state(daemon, "a", "stopping")
        release()
        self.assertEqual(reload.answer()[0], 200)
        self.assertNotEqual(daemon.module("a")["pid"], pid)
        self.assert_stops(daemon)

    def test_none_comes_back_into_a_process_that_is_to_end(self):
        path = self.copy("first")
        daemon = self.daemon(self.breaker() + self.tenant("a", path, *SLOW) +
                             self.tenant("quick", self.copy("quick")), daemon="shutdown-timeout = 1000s").wait_started()
        pid = daemon.module("a")["pid"]
        release = self.hold(daemon, "a")
        self.copy("quick")
        reload = daemon.ask_later("/v1/reload", "POST")
        self.wait_state(daemon, "quick", "waiting")
        self.assertIn("waits for the last process of its host to end", self.words(daemon, "quick"))
        self.assertEqual(self.state(daemon, "a"), "stopping")
        release()
        self.assertEqual(reload.answer()[0], 200)
        self.assertNotEqual(daemon.module("quick")["pid"], pid)
        self.assert_runs(daemon, "quick", os.path.join(self.folder, "quick.so"))
        self.assert_stops(daemon)

    def test_an_exit_code_of_0_brings_all_tenants_back(self):
        """exit(0) anywhere ends them all, and nobody can say whose it was."""
        daemon = self.daemon(puppet("a", "host = h", "essential = no") + HEARTBEAT + "host = h\nessential = no\n").wait_started()
        pid = daemon.module("a")["pid"]
        daemon.wait_ready("a")
        self.act(daemon, "a", "exit 0")
        harness.wait_until(lambda: self.states(daemon, ("a", "heart")) == ["ready", "ready"] and
                           daemon.module("heart")["pid"] not in (0, pid), "both to be back")
        self.assertEqual(daemon.module("a")["last_restart"]["kind"], "exit")
        # Alone it is no other matter.
        daemon.write(puppet("a", "host = h", "essential = no"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        mark = daemon.mark()
        self.act(daemon, "a", "exit 0")
        daemon.wait_log(r"\[a\] exit code 0: something in it has called exit\(\); restart \d ", mark)
        self.assert_stops(daemon)

    def test_a_crash_loads_what_lies_there(self):
        """A reload goes by what the process has loaded, also when that is newer than the configuration."""
        for rest in "", self.breaker():
            with self.subTest(rest):
                path = self.copy("first")
                config = rest + self.tenant("a", path)
                daemon = self.daemon(config).wait_started()
                os.rename(path, path + ".old")
                self.copy("first")
                pid = daemon.kill("a")
                daemon.wait_log(r"\[a\] \S+first\.so is another file than at the last reload: it runs the new one")
                self.wait_restarted(daemon, "a", pid)
                daemon.wait_ready()
                self.assert_runs(daemon, "a", path)
                # What it runs is what the files say by now.
                self.assert_nothing_to_do(daemon)
                pid = daemon.module("a")["pid"]
                self.assertEqual(daemon.ctl("upgrade").returncode, 0)
                self.assert_nothing_to_do(daemon)
                # One that comes back into the same process is no other one.
                self.operate(daemon, "stop", "a")
                self.operate(daemon, "start", "a")
                self.assertEqual(daemon.module("a")["pid"] == pid, bool(rest))
                self.assert_runs(daemon, "a", path)
                # And back.
                os.rename(path + ".old", path)
                plan = {s["module"]: s["step"] for s in daemon.ask("/v1/plan")[1]["steps"]}
                self.assertEqual(plan["a"], "restart")
                self.reload(daemon, config)
                self.assert_runs(daemon, "a", path)
                self.assert_stops(daemon)

    def test_what_a_host_says_late(self):
        """It loads a's old file while the reload that gives a another one is applied."""
        def text(a, b):
            return self.tenant("a", a, "grace = 1000s") + self.tenant("b", b, "grace = 1000s")
        one, two = self.copy("one"), self.copy("two")
        daemon = self.daemon(text(one, two)).wait_started()
        self.operate(daemon, "stop", "a")
        pid = daemon.kill("b", harness.signal.SIGSTOP)
        start = self.later(daemon, "start", "a")
        self.wait_state(daemon, "a", "starting")
        daemon.write(text(two, one))
        reload = daemon.ask_later("/v1/reload", "POST")
        daemon.wait_log(r"\[b\] new settings: restart")
        os.kill(pid, harness.signal.SIGCONT)
        self.assertEqual(reload.answer()[0], 200)
        self.assertEqual(start.answer()[0], 200)
        self.assert_nothing_to_do(daemon)
        for name, path in ("a", two), ("b", one):
            self.assert_runs(daemon, name, path)
        self.assertLessEqual(daemon.text().count("[a] starting again"), 2, daemon.text())
        self.assert_stops(daemon)

    def test_a_file_that_is_replaced_while_it_is_loaded(self):
        """The module runs the file that is there, or none."""
        for rest in "", self.breaker():
            with self.subTest(rest):
                path = self.copy("gated", GATED)
                text = f"[module:g]\nload = {path}\nhost = h\nrestart-delay = 1ms\nessential = no\n"
                daemon = self.daemon(HEARTBEAT + rest + text, start=False)
                os.mkfifo(self.path(daemon, "gate"))
                daemon.start()
                # The writer comes through when the constructor has opened the fifo.
                with open(self.path(daemon, "gate"), "w", encoding="utf-8"):
                    self.copy("gated", GATED)
                    os.unlink(self.path(daemon, "gate"))
                daemon.wait_ready()
                self.assertRegex(daemon.text(), r"\[g\] could not be checked: \S+/gated\.so was replaced while it was loaded")
                self.assert_runs(daemon, "g", path)
                self.assert_nothing_to_do(daemon)
                # The same when it starts.
                os.mkfifo(self.path(daemon, "gate"))
                daemon.kill("g")
                with open(self.path(daemon, "gate"), "w", encoding="utf-8"):
                    self.copy("gated", GATED)
                    os.unlink(self.path(daemon, "gate"))
                daemon.wait_log(r"\[g\] load failed: \S+/gated\.so was replaced while it was loaded; restart \d")
                daemon.wait_ready()
                self.assert_runs(daemon, "g", path)
                self.assert_nothing_to_do(daemon)
                self.assert_stops(daemon)

    def test_a_file_that_became_anothers(self):
        """It is not loaded twice, and a neighbour does not pay for that."""
        one, two = self.copy("one"), self.copy("two")
        text = "".join(self.tenant(name, path, "essential = no", "restart-limit = 1000/1s")
                       for name, path in (("a", one), ("b", two)))
        daemon = self.daemon(HEARTBEAT + text).wait_ready()
        os.unlink(two)
        os.link(one, two)
        daemon.kill("a")
        # Whichever comes first has it.
        harness.wait_until(lambda: sorted(self.states(daemon, "ab")) == ["failed", "ready"], "one of the two")
        name = "a" if self.state(daemon, "a") == "failed" else "b"
        other = "b" if name == "a" else "a"
        self.assertRegex(self.words(daemon, name), r"\.so is the same file as \S+\.so, which is loaded in this host")
        pid = daemon.module(other)["pid"]
        self.operate(daemon, "start", name, 500)
        self.assertEqual(daemon.module(other)["pid"], pid)
        self.copy("two")
        self.reload(daemon, HEARTBEAT + text)
        self.assertEqual(self.states(daemon, "ab"), ["ready"] * 2)
        self.assert_stops(daemon)

    def test_over_an_upgrade(self):
        path = self.copy("first")
        daemon = self.daemon(self.breaker() + self.tenant("a", path)).wait_started()
        pid = daemon.module("z")["pid"]
        self.reload(daemon, self.breaker())
        self.assertEqual(daemon.ctl("upgrade").returncode, 0)
        self.reload(daemon, self.breaker() + self.tenant("b", path))
        self.assertEqual(self.states(daemon, "bz"), ["ready", "ready"])
        self.assertNotEqual(daemon.module("z")["pid"], pid)
        self.assert_stops(daemon)


if __name__ == "__main__":
    harness.main()
