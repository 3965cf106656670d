#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""reevectl's contract: what --json prints, exit codes, and what is wrong usage. And what people see."""
import json
import os
import re
import signal
import subprocess

import harness
from puppetry import HEARTBEAT, PUPPET, PuppetTest, puppet

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
BAD = harness.FIXTURES
DESCRIBED = os.path.join(BAD, "described.so")

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
DURATION = r"(\d+(\.\d+)?(ns|us|ms|s|min|h|d|w) ?)+"
TYPES = {
    "text": lambda v: isinstance(v, str),
    "time": lambda v: isinstance(v, str) and re.fullmatch(TIME, v),
    "duration": lambda v: isinstance(v, str) and re.fullmatch(DURATION, v),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "seconds": lambda v: isinstance(v, float),
    "boolean": lambda v: isinstance(v, bool),
    "object": lambda v: isinstance(v, dict),
    "list of texts": lambda v: isinstance(v, list) and all(isinstance(i, str) for i in v),
    "list of objects": lambda v: isinstance(v, list) and all(isinstance(i, dict) for i in v),
}
# What no test brings about: a context that is done and still there is gone in a moment.
NEVER_SEEN = {("tree", "modules[].nodes[].done")}


def read_document():
    """Rows of each section: heading -> {member: type}."""
    with open(os.path.join(SOURCE, "docs", "reevectl.md"), encoding="utf-8") as file:
        text = file.read()
    sections = {}
    for part in re.split(r"(?m)^## ", text)[1:]:
        heading = part.splitlines()[0]
        rows = re.findall(r"^\| `([\w.\[\]]+)` \| ([\w ]+?) \|", part, re.M)
        sections[heading] = dict(rows)
        assert len(sections[heading]) == len(rows), f"a member of {heading} is listed twice"
    return text, sections


def walk(value, path=""):
    """Each member's path and value; of lists of texts only the list."""
    if isinstance(value, dict):
        for key, member in value.items():
            here = f"{path}.{key}" if path else key
            yield here, member
            yield from walk(member, here)
    elif isinstance(value, list):
        for item in value:
            if not isinstance(item, str):
                yield from walk(item, path + "[]")


class Json(PuppetTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.text, cls.sections = read_document()

    def ctl_json(self, daemon, *words, stdin=""):
        done = daemon.ctl(*words, "--json", stdin=stdin)
        self.assertEqual(done.returncode, 0, (words, done.stderr))
        return json.loads(done.stdout)

    def compare(self, heading, answers):
        """Answers together have each documented member, and with its type, and no other."""
        rows, seen, told = self.sections[heading], set(), set()
        for answer in answers:
            for path, value in walk(answer):
                self.assertIn(path, rows, f"{heading}: not in docs/reevectl.md")
                seen.add(path)
                kind = rows[path].removesuffix(" or null")
                if value is None:
                    self.assertTrue(rows[path].endswith(" or null"), (heading, path))
                    continue
                self.assertTrue(TYPES[kind](value), (heading, path, value))
                told.add(path)
        self.assertEqual(set(rows), seen, f"{heading}: documented, and never there")
        self.assertEqual({p for p in rows if (heading, p) not in NEVER_SEEN} - told, set(),
                         f"{heading}: never anything but null")

    def busy(self):
        """A daemon in which there is something to say about everything."""
        daemon = self.daemon(
            HEARTBEAT + puppet("a", "act.timeout = 1h", "drain = 10ms") +
            puppet("b") + puppet("c", "requires = b")
        ).wait_started()
        self.act(daemon, "b", "fail")
        daemon.wait_log(r"\[b/act#1\] failed")
        pid = daemon.module("b")["pid"]
        self.act(daemon, "b", "crash")
        self.wait_restarted(daemon, "b", pid)
        self.act(daemon, "a", "wait")
        self.wait_trace(daemon, "a waits")
        harness.wait_until(lambda: daemon.module("heart")["tasks"][0]["succeeded"], "a beat")
        harness.wait_until(
            lambda: all(m["state"] == "ready" and m["usage"]["resident_bytes"]
                        for m in daemon.status()["modules"]), "all modules")
        return daemon

    def test_looks(self):
        daemon = self.busy()
        status = self.ctl_json(daemon, "status")
        self.compare("status", [status])
        self.compare("list", [self.ctl_json(daemon, "list")])
        self.compare("tree", [json.loads(self.tree(daemon, "--json"))])
        lines = [json.loads(line) for line in daemon.ctl("logs", "--json").stdout.splitlines()]
        self.compare("logs", lines)
        # A module is what status has of it.
        shown = self.ctl_json(daemon, "show", "a")
        self.assertEqual(shown.keys(), status["modules"][1].keys())
        with self.subTest("steps"):
            self.compare("check, reload --plan", [self.plan(daemon), self.ctl_json(daemon, "check")])
        self.assertEqual(self.ctl_json(daemon, "reload"), {"errors": [], "notes": []})
        self.assertEqual(self.sections["reload"], {"errors": "list of texts", "notes": "list of texts"})
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def plan(self, daemon):
        """Of a restart that takes another along: of another .so."""
        copy = os.path.join(daemon.folder, "copy.so")
        harness.shutil.copy(PUPPET, copy)
        with open(daemon.config_path, encoding="utf-8") as file:
            before = file.read()
        daemon.write(before.split("\n", 3)[3].replace(
            f"[module:b]\nload = {PUPPET}", f"[module:b]\nload = {copy}"))
        self.act(daemon, "b", "wait")
        self.wait_trace(daemon, "b waits")
        plan = self.ctl_json(daemon, "reload", "--plan")
        self.assertIn({"module": "c", "step": "restart", "because": "b", "because_state": "restart", "held": False, "work": None},
                      plan["steps"])
        return plan

    def test_actions(self):
        daemon = self.daemon(puppet("a")).wait_started()
        for command in ("restart", "stop", "start"):
            self.assertEqual(self.ctl_json(daemon, command, "a"), {})
        answers = [self.ctl_json(daemon, "run", "a/act"),
                   self.ctl_json(daemon, "submit", "a/work", "--wait", stdin="nothing")]
        self.assertEqual(set(answers[0]), {"number"})
        self.compare("run, submit", answers)
        # A failure too is an answer.
        done = daemon.ctl("submit", "a/work", "--wait", "--json", stdin="fail")
        self.assertEqual(done.returncode, 1)
        self.compare("run, submit", [json.loads(done.stdout)])
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_files(self):
        daemon = self.daemon("", daemon=f"modules = {BAD}", start=False)

        def ask(*words):
            done = subprocess.run([harness.REEVECTL, *words, "--json"], capture_output=True,
                                  text=True, check=False, timeout=harness.PATIENCE)
            return json.loads(done.stdout)
        daemon.write("[module:x]\nload = described\n[module:y]\nload = nosuch\n")
        self.compare("describe", [ask("describe", DESCRIBED),
                                  ask("describe", os.path.join(BAD, "future.so"))])
        self.compare("modules", [ask("modules", "-c", daemon.config_path)])
        self.compare("keys", [ask("keys")])

    def test_kinds_of_restarts_are_those_of_the_code(self):
        table = self.text.split("| kind of restart | cause |\n| --- | --- |\n", 1)[1].split("\n\n", 1)[0]
        with open(os.path.join(SOURCE, "daemon", "unit", "restart.c"), encoding="utf-8") as file:
            names = re.findall(r'\[CAUSE_\w+\] = "([a-z]+)"', file.read())
        self.assertEqual(set(re.findall(r"(?m)^\| ([a-z]+) \|", table)), set(names))

    def test_events_are_those_of_the_code(self):
        rows = re.findall(r"(?m)^\| ([a-z-]+) \| `([0-9a-f]{32})` \|", self.text)
        with open(os.path.join(SOURCE, "base", "log_kind.c"), encoding="utf-8") as file:
            self.assertEqual(re.findall(r'{"([a-z-]+)", "([0-9a-f]{32})"}', file.read()), rows)
        self.assertEqual(len({number for _, number in rows}), 6)


class Codes(PuppetTest):
    def code(self, daemon, *words, stdin=""):
        return daemon.ctl(*words, stdin=stdin).returncode

    def test_of_a_daemon_that_is_stopped(self):
        """Nothing waits for one that does not come back, and what only takes its time is waited for."""
        daemon = self.daemon(puppet("a")).wait_started()
        os.mkfifo(self.path(daemon, "fifo"))
        def begin(*words):
            return subprocess.Popen([harness.REEVECTL, "-s", daemon.control, *words], stdin=subprocess.DEVNULL,
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.script(daemon, "a", "fifo fifo")
        waits = begin("run", "a/act", "--wait")
        self.wait_trace(daemon, "a reads")
        daemon.signal(harness.signal.SIGSTOP)
        begun = [begin(*words) for words in (["status"], ["logs", "-f"], ["tree"], ["check"], ["restart", "a"], ["reload"],
                                             ["run", "a/act", "--wait"], ["submit", "a/work"], ["restart", "a", "--json"])]
        for process in [waits, *begun]:
            with process:
                _, error = process.communicate(timeout=harness.PATIENCE)
                self.assertIn(f"reeved at {daemon.control} does not answer", error)
                self.assertEqual(process.returncode, 3)
        daemon.signal(harness.signal.SIGCONT)
        waits = begin("stop", "a")
        daemon.wait_log(r"\[a\] stop: ")
        harness.release(self.path(daemon, "fifo"))
        with waits:
            # What it waits for it may say.
            self.assertNotIn("does not answer", waits.communicate(timeout=harness.PATIENCE)[1])
        self.assertEqual(waits.returncode, 0)
        daemon.signal(harness.signal.SIGTERM)
        daemon.wait()

    def test_what_they_are(self):
        daemon = self.daemon(puppet("a") + puppet("bad", "essential = no", "on-init = fail",
                                                  "restart = never")).wait_started()
        for code, words in ((0, ["status"]), (0, ["run", "a/tick"]),
                            (0, ["stop", "a", "bad"]), (0, ["start", "a"]), (1, ["start", "bad"]),
                            (5, ["show", "nosuch"]), (5, ["stop", "nosuch"]), (5, ["logs", "nosuch"]),
                            (5, ["start", "nosuch"]), (5, ["run", "nosuch/act"]),
                            (5, ["run", "a/nosuch"]), (5, ["submit", "a/nosuch"])):
            self.assertEqual(self.code(daemon, *words), code, words)
        self.assertEqual(self.code(daemon, "submit", "a/work", "--wait", stdin="fail"), 1)
        # All are tried, and the first failure counts.
        self.assertEqual(self.code(daemon, "stop", "nosuch", "a"), 5)
        self.assertEqual(daemon.module("a")["state"], "stopped")
        daemon.write("[nonsense]\n")
        self.assertEqual(self.code(daemon, "check"), 1)
        self.assertEqual(self.code(daemon, "reload"), 1)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertEqual(self.code(daemon, "status"), 3)

    def test_they_are_documented(self):
        """In the manual as in the help, which may be shorter."""
        with open(os.path.join(SOURCE, "man", "reevectl.1.rst"), encoding="utf-8") as file:
            section = file.read().split("EXIT STATUS\n", 1)[1]
        document = re.findall(r"(?m)^\*\*(\d)\*\*\n((?:    .+\n)+)", section)
        shown = subprocess.run([harness.REEVECTL, "--help"], capture_output=True, text=True,
                               check=True).stdout
        helped = re.findall(r"(?m)^  (\d)  (.+)$", shown)
        self.assertEqual([code for code, _ in document], [code for code, _ in helped])
        for (_, long), (_, short) in zip(document, helped):
            self.assertTrue(" ".join(long.split()).lower().startswith(short.lower()), (long, short))


class Usage(harness.unittest.TestCase):
    # No daemon is there: whoever asked it would exit with 3.
    def ctl(self, *words):
        return subprocess.run([harness.REEVECTL, "-s", "/nonexistent/socket", *words], input="",
                              capture_output=True, text=True, timeout=harness.PATIENCE, check=False)

    def refuse(self, *words, reason):
        done = self.ctl(*words)
        self.assertEqual((done.returncode, done.stdout), (2, ""), words)
        self.assertIn(reason, done.stderr)

    OPTIONS = {"--json": [], "--wait": [], "--no-wait": [], "--plan": [], "--timeout": ["3s"],
               "--follow": [], "-f": [], "-n": ["3"], "--lines": ["3"], "--since": ["1h"],
               "-c": ["/nonexistent"]}
    WORDS = {"show": ["a"], "start": ["a"], "stop": ["a"], "restart": ["a"], "run": ["a/b"],
             "submit": ["a/b"], "names": ["modules"], "describe": ["/nonexistent/a.so"]}
    TAKEN = {
        "status": ["--json"], "list": ["--json"], "show": ["--json"], "tree": ["--json"],
        "logs": ["--json", "--follow", "-f", "-n", "--lines", "--since"], "top": [],
        "start": ["--json", "--no-wait"], "stop": ["--json", "--no-wait"],
        "restart": ["--json", "--no-wait"], "run": ["--json", "--wait"],
        "submit": ["--json", "--wait", "--timeout"], "reload": ["--json", "--plan"],
        "check": ["--json"], "upgrade": ["--json"], "modules": ["--json", "-c"], "describe": ["--json", "-c"], "keys": ["--json"], "names": []}

    def test_options_that_do_not_apply(self):
        for command, taken in self.TAKEN.items():
            for option, value in self.OPTIONS.items():
                words = [command, *self.WORDS.get(command, []), option, *value]
                if option not in taken:
                    self.refuse(*words, reason=f"{command} does not take --")
                elif command != "modules":
                    self.assertNotEqual(self.ctl(*words).returncode, 2, words)

    def test_every_command_is_listed_here(self):
        commands = self.ctl("--help").stdout.split("\n\n")[1]
        self.assertEqual({line.split()[0] for line in commands.splitlines()}, set(self.TAKEN))

    def test_output_that_cannot_be_written(self):
        host = harness.REEVE_HOST
        for words in ([harness.REEVECTL, "--help"], [harness.REEVECTL, "--version"], [harness.REEVECTL, "describe", DESCRIBED],
                      [harness.REEVECTL, "describe", "--json", DESCRIBED], [harness.REEVED, "--help"],
                      [harness.REEVED, "--version"], [host, "--help"],
                      [host, "--version"]):
            with open("/dev/full", "w", encoding="utf-8") as full:
                done = subprocess.run(words, stdout=full, check=False, text=True,
                                      stderr=subprocess.PIPE, timeout=harness.PATIENCE)
            self.assertEqual(done.returncode, 1, words)
            self.assertIn("cannot write its output", done.stderr)

    def test_keys(self):
        told = self.ctl("keys").stdout
        for line in (r"\[daemon\] +DEFAULT +VALUE +HELP", r"drain-delay +0s +a duration of at most 3650d +time between",
                     r"load +required ", r"TASK\.overlap +skip +skip or queue +what becomes", r"POOL\.workers +- "):
            self.assertRegex(told, rf"(?m)^{line}")
        one = self.ctl("keys", "TASK.grace", "nice", "--json")
        self.assertEqual([key["name"] for key in harness.json.loads(one.stdout)["keys"]], ["nice", "TASK.grace"])
        wrong = self.ctl("keys", "restart-dely")
        self.assertEqual((wrong.returncode, wrong.stdout), (5, ""))
        self.assertIn('no key "restart-dely"; did you mean "restart-delay"?', wrong.stderr)

    def test_values(self):
        for words in (["logs", "-n", "x"], ["logs", "-n", "-1"], ["logs", "--since", "yesterday-ish"],
                      ["submit", "a/b", "--timeout", "3"], ["submit", "a/b", "--timeout", "0"]):
            self.refuse(*words, reason="expected")
        for words in (["run", "a"], ["submit", "/b"], ["names", "things"], ["show"], ["show", "a", "b"],
                      ["status", "a"], [], ["--frobnicate"]):
            self.refuse(*words, reason="reevectl")
        self.refuse("-s", "x" * 108, "status", reason="too long for a socket")
        self.assertEqual(self.ctl("-s", "x" * 107, "status").returncode, 3)
        for since in ("2h", "2026-03-01", "2026-03-01 14:00", "14:00", "14:00:30",
                      "2026-03-01T14:00:00.5Z"):
            self.assertEqual(self.ctl("logs", "--since", since).returncode, 3, since)


class People(PuppetTest):
    def test_show_speaks(self):
        daemon = self.daemon(puppet("a")).wait_started()
        self.act(daemon, "a", "fail")
        daemon.wait_log(r"\[a/act#1\] failed")
        shown = daemon.ctl("show", "a").stdout
        self.assertRegex(shown, r"(?m)^ +last code +E[A-Z]+: [A-Z][a-z]")
        self.assertRegex(shown, r"(?m)^ +started +[\d.]+m?s ago$")
        self.assertRegex(shown, r"(?m)^ +private bytes +[\d.]+[KM]$")
        self.assertNotIn("null", shown)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_reason_that_is_cut_within_a_character(self):
        """The module is named everywhere, however its text is shown."""
        for start in "x", "xx":
            folder = f"/proc/{start}{'ж' * 120}/{'ж' * 110}"
            config = (f"[module:b]\nload = spool\ndirectory = {folder}\ncommand = true\nessential = no\n"
                      "restart = never\n" + puppet("a", "requires = b", "essential = no") +
                      puppet("c", f"on-reload = fail-with {start}{'ж' * 120}", "essential = no", "restart = never") +
                      puppet("d", "requires = c", "essential = no"))
            daemon = self.daemon(config).wait_started()
            harness.wait_until(lambda: daemon.module("b")["state"] == "failed", "b to fail")
            self.assertIn("waits for module b, which is failed: ", daemon.ctl("show", "a").stdout)
            # What stops along tells why, too.
            daemon.write(config.replace("on-reload =", "words = x\non-reload ="))
            self.assertEqual(daemon.ctl("reload").returncode, 1)
            self.assertEqual(sorted(m["name"] for m in daemon.status()["modules"]), ["a", "b", "c", "d"])
            page = json.loads(daemon.request("/page.json")[2])
            self.assertEqual(sorted(m["name"] for m in page["modules"]), ["a", "b", "c", "d"])
            tree = json.loads(self.tree(daemon, "--json"))
            self.assertEqual(sorted(m["name"] for m in tree["modules"]), ["a", "b", "c", "d"])
            self.assertIn("output", daemon.check("a:state"))
            self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_what_status_counts(self):
        """Runs and jobs that have ended, and how many of these failed."""
        daemon = self.daemon(puppet("a", "tick.every = never", "work.retries = 1", "work.backoff = 1ms")).wait_started()
        for action in "nothing", "fail", "nothing":
            self.script(daemon, "a", action)
            daemon.ctl("run", "a/act", "--wait")
            daemon.ctl("submit", "a/work", "--wait", stdin=action)
        lines = daemon.ctl("status").stdout.splitlines()
        for name, state in ("act", "waiting"), ("work", "0/[0-9]+ busy"):
            line = next(l for l in lines if l.startswith(f"  {name} "))
            self.assertRegex(line, rf"^  {name} +{state} +3 +1 ")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_status_has_no_stack(self):
        daemon = self.daemon(puppet("a", "tick.every = never")).wait_started()
        pid = daemon.module("a")["pid"]
        self.act(daemon, "a", "crash")
        self.wait_restarted(daemon, "a", pid)
        self.assertIn("frames: ", daemon.module("a")["crash"])
        line = next(l for l in daemon.ctl("status").stdout.splitlines() if l.startswith("a "))
        self.assertRegex(line, r"SIG\w+ in act run 1")
        self.assertNotIn("frames", line)
        self.assertIn("frames: ", daemon.ctl("show", "a").stdout)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_time_that_is_over(self):
        """Of a task whose host does not get to it."""
        daemon = self.daemon("[module:heart]\nload = heartbeat\nbeat.every = 1s\n").wait_started()
        next_in = lambda: self.task(daemon, "heart", "beat")["next_in"]
        pid = daemon.module("heart")["pid"]
        # Not in a run.
        harness.wait_until(lambda: (left := next_in()) is not None and left > 0.5, "a plan")
        os.kill(pid, signal.SIGSTOP)
        harness.wait_until(lambda: (left := next_in()) is not None and left < 0, "the next beat to be due")
        self.assertRegex(daemon.ctl("status").stdout, r"(?m)^  beat +waiting +\d+ +0 +\S+ +now\b")
        self.assertRegex(daemon.ctl("show", "heart").stdout, r"(?m)^ *next in +now$")
        os.kill(pid, signal.SIGCONT)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_run_that_outlasts_its_interval(self):
        daemon = self.daemon("[module:s]\nload = spool\ndirectory = spool\ncommand = true\n"
                             "watch.every = 1ms\n").wait_started()
        task = lambda: daemon.module("s")["tasks"][0]
        harness.wait_until(lambda: task()["state"] == "running" and not task()["next"], "the watch")
        self.assertRegex(daemon.ctl("list").stdout,
                         r"(?m)^s/watch +every 1ms +runs for \S+ now; again when that has ended$")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_contexts_without_a_name(self):
        daemon = self.daemon(puppet("a", "work.timeout = 1h", "drain = 10ms")).wait_started()
        self.assertEqual(daemon.ctl("submit", "a/work", stdin="wait").returncode, 0)
        self.wait_trace(daemon, "a waits")
        shown = self.tree(daemon)
        self.assertRegex(shown, r"(?m)^    work .*\n      \(pool\) ")
        self.assertNotRegex(shown, r"(?m)^ *\d|^ *context ")
        self.assertEqual(daemon.stop(), 0, daemon.text())


if __name__ == "__main__":
    harness.main()
