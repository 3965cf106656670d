#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A random walk over operations, reloads and crashes, on graphs of three to six modules, some of which share hosts.

After each burst of steps everybody who waited has been told, and when nothing moves any more each module is where the
configuration and the last request say; it runs the file and the options that the configuration names; and a reload would do
nothing. REEVE_WALK_SEED repeats a walk, as far as processes keep their turns; `./dev soak operations [SECONDS [SEED]]` walks for longer.
"""
import json
import os
import random
import re
import shutil
import time

import harness
from puppetry import HEARTBEAT, PUPPET, PuppetTest, puppet

SECONDS = float(os.environ.get("REEVE_WALK_SECONDS", 8))
SEED = int(os.environ.get("REEVE_WALK_SEED", time.time_ns() % 1000000))
COPIES = 8
REST = ("ready", "stopped", "failed")


class Module:
    """One section of the configuration."""

    def __init__(self, name, copy):
        self.name = name
        self.copy = copy
        self.host = None
        self.version = 0
        self.fails = ""
        self.requires = []
        self.after = []

    def label(self):
        return f"{self.name}-{self.version}"

    def section(self, path):
        lines = ["essential = no", "restart-limit = 1000/1s", "restart-delay-max = 20ms", "tick.every = never",
                 "drain = 20s", "grace = 5s"]
        if self.host:
            lines.append(f"host = {self.host}")
        if self.fails:
            # So that it comes to rest: one that goes on trying is never at its end.
            lines[1] = "restart-limit = 2/1000s"
            lines += ["on-init = fail", f"on-reload = {self.fails}"]
        for key, names in (("requires", self.requires), ("after", self.after)):
            lines += [f"{key} = {name}" for name in names]
        return puppet(self.name, *lines).replace(PUPPET, path).replace(
            f"label = {self.name}\n", f"label = {self.label()}\n")


class World:
    """The configuration as the test wants it, and who was stopped by a person."""

    def __init__(self, dice, folder):
        self.dice = dice
        self.folder = folder
        self.modules = []
        self.held = set()
        self.count = 0
        for copy in range(COPIES):
            self.put_file(copy)
        for _ in range(dice.randint(3, 6)):
            self.add()

    def put_file(self, copy):
        path = self.path(copy)
        shutil.copyfile(PUPPET, path + ".new")
        os.chmod(path + ".new", 0o644)
        os.rename(path + ".new", path)

    def path(self, copy):
        return os.path.join(self.folder, f"copy{copy}.so")

    def text(self):
        heart = HEARTBEAT + "restart-delay = 1ms\nrestart-delay-max = 20ms\nrestart-limit = 1000/1s\n"
        return heart + "".join(module.section(self.path(module.copy)) for module in self.modules)

    def find(self, name):
        return next(module for module in self.modules if module.name == name)

    def requirers(self, name, down):
        """Of the module, and of those: all that go down with it. Those that are down stay as they are, and so does what only
        waits for one of them."""
        found = {name}
        for module in self.modules:
            if found & set(module.requires) and module.name not in down:
                found.add(module.name)
        return found

    def requirements(self, name):
        found = {name}
        for module in reversed(self.modules):
            if module.name in found:
                found |= set(module.requires)
        return found

    # What a person may change in the file; each returns what was done, in words, or None.

    def add(self):
        if len(self.modules) == 6:
            return None
        self.count += 1
        module = Module(f"m{self.count}", self.dice.choice(
            sorted(set(range(COPIES)) - {other.copy for other in self.modules})))
        module.host = self.dice.choice([None, None, "h1", "h2"])
        self.modules.append(module)
        self.link(module)
        return f"add {module.name}"

    def link(self, module=None):
        module = module or self.dice.choice(self.modules)
        earlier = [other.name for other in self.modules[:self.modules.index(module)]]
        module.requires = self.dice.sample(earlier, min(len(earlier), self.dice.choice([0, 1, 1, 2])))
        module.after = self.dice.sample(earlier, min(len(earlier), self.dice.choice([0, 0, 1])))
        return f"link {module.name} to {module.requires}, after {module.after}"

    def remove(self):
        if len(self.modules) <= 3:
            return None
        module = self.dice.choice(self.modules)
        self.modules.remove(module)
        self.forget(module.name, [])
        return f"remove {module.name}"

    def rename(self):
        module = self.dice.choice(self.modules)
        self.count += 1
        before, module.name = module.name, f"m{self.count}"
        self.forget(before, [module.name])
        return f"rename {before} to {module.name}"

    def forget(self, name, instead):
        self.held.discard(name)
        for module in self.modules:
            for names in (module.requires, module.after):
                if name in names:
                    names[names.index(name):names.index(name) + 1] = instead

    def move(self):
        module = self.dice.choice(self.modules)
        module.host = self.dice.choice([None, "h1", "h2"])
        return f"move {module.name} to {module.host}"

    def change(self):
        module = self.dice.choice(self.modules)
        module.version += 1
        return f"change {module.name}"

    def replace(self):
        module = self.dice.choice(self.modules)
        self.put_file(module.copy)
        return f"replace the file of {module.name}"

    def swap(self):
        a, b = self.dice.sample(self.modules, 2)
        a.copy, b.copy = b.copy, a.copy
        return f"swap the files of {a.name} and {b.name}"

    def spoil(self):
        module = self.dice.choice(self.modules)
        module.fails = "" if module.fails else self.dice.choice(["fail", "nothing"])
        return f"{'spoil' if module.fails else 'repair'} {module.name}"


class Walk(PuppetTest):
    def setUp(self):
        super().setUp()
        folder = harness.tempfile.mkdtemp(prefix="reeve-walk-")
        self.addCleanup(shutil.rmtree, folder)
        os.chmod(folder, 0o755)
        self.dice = random.Random(SEED)
        self.world = World(self.dice, folder)
        self.story = []

    def tell(self, what):
        self.story.append(what)

    def fail_here(self, daemon, what):
        self.fail(f"REEVE_WALK_SEED={SEED}: {what}\nthe last steps:\n  " + "\n  ".join(self.story[-25:]) + "\n" +
                  json.dumps([{key: module[key] for key in ("name", "state", "output", "host")}
                              for module in daemon.status()["modules"]], indent=1) + "\n" + self.world.text() +
                  "\n".join(daemon.text().splitlines()[-60:]))

    # Steps: each begins something, and returns what its end is waited for with, or None.

    def operate(self, daemon):
        what = self.dice.choice(["start", "start", "stop", "restart"])
        name = self.dice.choice(self.world.modules).name
        states = {module["name"]: module["state"] for module in daemon.status()["modules"]}
        down = {other for other, state in states.items() if state in ("stopped", "failed")}
        # Whether one that fails again and again is down when a stop comes to it, and so ends its walk, nobody can say.
        if any(self.world.find(other).fails and other not in down for other in self.world.requirers(name, down)):
            what = "start"
        wait = self.dice.random() < 0.7
        self.tell(f"{what} {name}" + (" and wait" if wait else ""))
        if what == "stop":
            self.world.held |= self.world.requirers(name, down)
        else:
            self.world.held -= self.world.requirements(name)
        path = f"/v1/{what}?module={name}"
        mark = daemon.mark()
        if wait:
            later = daemon.ask_later(path + "&wait", "POST")
            # In the order in which they are noted here.
            daemon.wait_log(rf"\[{name}\] {what}: asked for by", mark)
            return later, {200, 409, 500}
        status, answer = daemon.ask(path, "POST")
        self.assertEqual(status, 202, answer)
        return None

    def crash(self, daemon):
        modules = [module for module in daemon.status()["modules"] if module["pid"] > 0]
        if not modules:
            return
        module = self.dice.choice(modules)
        self.tell(f"kill the host of {module['name']}")
        # One that is just being started has not its own environment yet.
        if module["pid"] not in daemon.processes():
            return
        with harness.contextlib.suppress(ProcessLookupError):
            os.kill(module["pid"], harness.signal.SIGKILL)
        # What the daemon does not know of yet, no state of its can tell.
        try:
            harness.wait_until(lambda: all(other["pid"] != module["pid"] for other in daemon.status()["modules"]),
                               "the daemon to see that a host has died")
        except harness.Waiting as error:
            self.fail_here(daemon, f"{error}: process {module['pid']}, {harness.is_alive(module['pid'])}")

    def hold_some(self, daemon):
        """Jobs that a stop of their modules waits for, and a reload; returns what ends them."""
        ready = {module["name"] for module in daemon.status()["modules"] if module["state"] == "ready"}
        modules = [module for module in self.world.modules if module.name in ready]
        return [self.hold(daemon, module)
                for module in self.dice.sample(modules, min(len(modules), self.dice.randint(1, 2)))]

    def hold(self, daemon, module):
        fifo = f"fifo{len(self.story)}"
        os.mkfifo(self.path(daemon, fifo))
        self.tell(f"a job of {module.name}")
        reads = self.trace(daemon).count(f"{module.label()} reads")
        self.assertEqual(daemon.ctl("submit", f"{module.name}/work", stdin=f"fifo {fifo}").returncode, 0)
        self.wait_trace(daemon, f"{module.label()} reads", reads + 1)
        return self.path(daemon, fifo)

    def reload_at_once(self, daemon):
        """Goes on when the new configuration is in force: what follows comes after that."""
        mark = daemon.mark()
        later, allowed = self.reload(daemon)
        harness.wait_until(lambda: later.is_done() or any("] new settings: " in line for line in daemon.log[mark:]),
                           "the new configuration")
        return later, allowed

    def reload(self, daemon):
        for _ in range(self.dice.choice([1, 1, 2, 3])):
            change = self.dice.choice([self.world.add, self.world.link, self.world.remove, self.world.rename,
                                       self.world.move, self.world.change, self.world.change, self.world.replace,
                                       self.world.swap, self.world.spoil])()
            if change:
                self.tell(f"reload: {change}")
        daemon.write(self.world.text())
        self.plan = daemon.ask("/v1/plan")[1]["steps"]
        self.before = {module["name"]: module for module in daemon.status()["modules"]}
        return daemon.ask_later("/v1/reload", "POST"), {200, 409}

    def burst(self, daemon):
        self.tell("-")
        waits = []
        jobs = []
        # Whom a stop holds, and what a reload knows, depends on their order: never both beside each other.
        if self.dice.random() < 0.3:
            # Much is only about to come then.
            jobs = self.hold_some(daemon)
            # Another reload would wait for the end of the first.
            steps = [self.operate] * self.dice.randint(1, 4) + [self.reload_at_once]
            self.dice.shuffle(steps)
        elif self.dice.random() < 0.4:
            steps = [self.reload] + [self.crash] * self.dice.choice([0, 0, 1])
        elif self.dice.random() < 0.5:
            steps = [self.operate]
        else:
            steps = [self.dice.choice([self.operate, self.operate, self.crash])
                     for _ in range(self.dice.randint(1, 4))]
        for step in steps:
            waits.append(step(daemon))
        for job in jobs:
            harness.release(job)
        for wait in filter(None, waits):
            later, allowed = wait
            try:
                status, answer = later.answer()
            except harness.Waiting:
                self.fail_here(daemon, f"no answer to {later.name}")
            self.tell(f"{later.name}: {status} {answer.get('error', answer.get('errors', ''))}")
            if status not in allowed:
                self.fail_here(daemon, f"{later.name}: {status} {answer}")
        if len(steps) == 1 and steps[0] == self.operate and waits[0]:
            self.look_at_once(daemon, later.name, status)
        if steps == [self.reload]:
            self.compare_with_plan(daemon, status)

    def look_at_once(self, daemon, name, status):
        """A client that asked alone, and was told that all went well, finds it so."""
        what, module = re.match(r"POST /v1/(\w+)\?module=([^&]+)", name).groups()
        state = daemon.module(module)["state"]
        if status == 200 and state != ("stopped" if what == "stop" else "ready"):
            self.fail_here(daemon, f"{what} of {module} was answered, and it is {state}")

    def compare_with_plan(self, daemon, status):
        """A reload alone, from rest, has done what its plan said, and says 0 only when all that it touched is ready."""
        modules = {module["name"]: module for module in daemon.status()["modules"]}
        for step in self.plan:
            name, what = step["module"], step["step"]
            before, after = self.before.get(name), modules.get(name)
            if (after is None) != (what == "remove"):
                self.fail_here(daemon, f"plan: {step}, and now it is {after}")
            if what == "remove" or step["held"]:
                continue
            if status == 200 and what != "keep" and after["state"] != "ready":
                self.fail_here(daemon, f"the reload was answered; plan: {step}, and it is {after['state']}")
            same = before and (before["pid"], before["starts"]) == (after["pid"], after["starts"])
            # One that fails in its reload takes along those that require it.
            if status == 200 and what in ("keep", "reload") and before["state"] == "ready" and not same:
                self.fail_here(daemon, f"plan: {step}, and it was started again")
            if what == "restart" and before["state"] == after["state"] == "ready" and same:
                self.fail_here(daemon, f"plan: {step}, and it was not started again")

    # What must hold once nothing moves.

    def is_at_rest(self, daemon):
        status = daemon.status()
        blocked = {module["name"] for module in status["modules"]
                   if module["state"] == "waiting" and
                   re.search("waits for module .*, which is (stopped|failed)", module["output"])}
        return all(module["state"] in REST or module["name"] in blocked for module in status["modules"]) and \
            not any(module["output"].startswith(("about to ", "takes its new options"))
                    for module in status["modules"]) and status

    def check(self, daemon):
        try:
            status = harness.wait_until(lambda: self.is_at_rest(daemon), "all to be at rest")
        except harness.Waiting:
            self.fail_here(daemon, "something never comes to rest")
        modules = {module["name"]: module for module in status["modules"] if module["name"] != "heart"}
        if set(modules) != {module.name for module in self.world.modules}:
            self.fail_here(daemon, "not the modules of the file")
        for module in self.world.modules:
            self.check_module(daemon, module, modules)
        plan = daemon.ask("/v1/plan")[1]
        if {step["step"] for step in plan["steps"]} != {"keep"}:
            self.fail_here(daemon, f"a reload would do something: {plan}")

    def check_module(self, daemon, module, modules):
        shown = modules[module.name]
        state = shown["state"]
        missing = [name for name in module.requires if modules[name]["state"] != "ready"]
        if state == "stopped" and module.name not in self.world.held:
            self.fail_here(daemon, f"{module.name} is stopped, and nobody asked for that")
        if state in ("ready", "waiting") and module.name in self.world.held:
            self.fail_here(daemon, f"{module.name} was stopped, and is {state}")
        if state == "failed" and not module.fails:
            self.fail_here(daemon, f"{module.name} has failed")
        if state == "ready" and missing:
            self.fail_here(daemon, f"{module.name} is ready without {missing}")
        if state == "waiting" and not missing:
            self.fail_here(daemon, f"{module.name} waits for nothing")
        if state == "ready":
            self.check_running(daemon, module, shown)

    def check_running(self, daemon, module, shown):
        host = module.host or module.name
        if shown["host"] != host:
            self.fail_here(daemon, f"{module.name} is in {shown['host']} and should be in {host}")
        with open(f"/proc/{shown['pid']}/maps", encoding="utf-8") as file:
            maps = file.read()
        path = self.world.path(module.copy)
        if path + "\n" not in maps or path + " (deleted)" in maps:
            self.fail_here(daemon, f"{module.name} does not run {path}")
        self.script(daemon, module.name, "note")
        before = self.trace(daemon).count(f"{module.label()} noted")
        harness.wait_until(lambda: daemon.ctl("run", f"{module.name}/act", "--wait").returncode == 0, "a run")
        if self.trace(daemon).count(f"{module.label()} noted") != before + 1:
            self.fail_here(daemon, f"{module.name} runs with other options, or as another")

    def test_walk(self):
        print(f"REEVE_WALK_SEED={SEED}", flush=True)
        daemon = self.daemon(self.world.text()).wait_started()
        self.check(daemon)
        until = time.monotonic() + SECONDS
        bursts = 0
        while time.monotonic() < until:
            self.burst(daemon)
            self.check(daemon)
            bursts += 1
        print(f"{bursts} bursts of steps", flush=True)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        shutil.rmtree(daemon.folder)


if __name__ == "__main__":
    harness.main()
