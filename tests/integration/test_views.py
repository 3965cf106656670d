#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What an operator sees of a running daemon: the context tree, the status, its log."""
import os
import re

import harness
import tools
from puppetry import HEARTBEAT, PUPPET, PuppetTest, puppet


class Tree(PuppetTest):
    def nodes(self, daemon, name):
        status, tree = daemon.ask("/v1/tree")
        self.assertEqual(status, 200, tree)
        return next(m for m in tree["modules"] if m["name"] == name)

    def wait_nodes(self, daemon, name):
        """Once its host has answered within the time that the daemon gives it."""
        return harness.wait_until(
            lambda: None if (tree := self.nodes(daemon, name))["silent"] else tree, "an answer")

    def test_live_contexts(self):
        daemon = self.daemon(puppet("a", "act.timeout = 1h", "tick.every = never", "drain = 10ms",
                                    "grace = 1000s") +
                             puppet("b", "tick.every = never")).wait_started()
        self.act(daemon, "a", "wait")
        self.assertEqual(daemon.ctl("submit", "a/work", stdin="wait").returncode, 0)
        self.wait_trace(daemon, "a waits", 2)
        nodes = self.wait_nodes(daemon, "a")["nodes"]
        path = [(n["depth"], n["name"], n["run"]) for n in nodes]
        self.assertEqual(path[0], (0, "a", 0))
        self.assertIn((1, "tasks", 0), path)
        act = next(n for n in nodes if n["name"] == "act" and n["deadline_in"])
        self.assertTrue(3500 < act["deadline_in"] <= 3600, act)
        self.assertTrue(any(n["name"] == "work" and n["run"] == 1 for n in nodes), nodes)
        self.assertRegex(self.tree(daemon), r"(?m)^ +act#1  .* old, deadline in 59min")
        # What is not there, or does not answer, is said and holds up nobody.
        daemon.ask("/v1/stop?module=b&wait", "POST")
        daemon.kill("a", harness.signal.SIGSTOP)
        self.assertEqual(self.nodes(daemon, "b")["state"], "stopped")
        self.assertIn("asked for by pid", self.nodes(daemon, "b")["cause"])
        self.assertTrue(self.nodes(daemon, "a")["silent"])
        daemon.kill("a", harness.signal.SIGCONT)
        self.wait_nodes(daemon, "a")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_many(self):
        daemon = self.daemon(puppet("a", "work.workers = 150", "work.queue = 400", "drain = 10ms")).wait_started()
        for _ in range(150):
            self.assertEqual(daemon.ask("/v1/submit?module=a&pool=work", "POST", "wait")[0], 202)
        self.wait_trace(daemon, "a waits", 150)
        tree = self.wait_nodes(daemon, "a")
        self.assertEqual(len(tree["nodes"]), 256)
        self.assertGreater(tree["contexts"], 256)
        self.assertIn("more", self.tree(daemon))
        self.assertEqual(daemon.stop(), 0, daemon.text())


class Looks(PuppetTest):
    def test_logs(self):
        daemon = self.daemon(puppet("a") + puppet("ab")).wait_started()
        self.act(daemon, "a", "fail")
        daemon.wait_log(r"\[a/act#1\] failed: as told")
        lines = daemon.ctl("logs", "a").stdout.splitlines()
        self.assertTrue(all("[a]" in line or "[a/" in line for line in lines), lines)
        self.assertRegex(lines[-1], r"warning +\[a/act#1\] failed: as told$")
        self.assertEqual(daemon.ctl("logs", "a", "-n", "1").stdout.splitlines(), lines[-1:])
        self.assertEqual(daemon.ctl("logs", "-n", "many").returncode, 2)
        self.assertIn('did you mean "ab"', daemon.ctl("logs", "abc").stderr)
        # What follows comes too, until the daemon ends.
        with harness.subprocess.Popen([harness.REEVECTL, "-s", daemon.control, "logs", "-f", "ab"],
                                      stdout=harness.subprocess.PIPE,
                                      stderr=harness.subprocess.PIPE, text=True) as follow:
            self.assertIn("[ab] starting", follow.stdout.readline())
            self.assertIn("[ab] ready", follow.stdout.readline())
            self.act(daemon, "ab", "fail")
            self.assertIn("[ab/act#1] failed: as told", follow.stdout.readline())
            self.assertEqual(daemon.stop(), 0, daemon.text())
            self.assertEqual(follow.wait(harness.PATIENCE), 3)

    def test_logs_end_with_their_reader(self):
        """As `logs -f | head -1`, also when nothing more is logged."""
        daemon = self.daemon(puppet("a")).wait_started()
        for options in {}, {"stdout": self.enter_pty()}:
            command = [harness.REEVECTL, "-s", daemon.control, "logs", "-f", "a"]
            options = {"stdout": harness.subprocess.PIPE, **options}
            with harness.subprocess.Popen(command, stderr=harness.subprocess.PIPE, **options) as follow:
                try:
                    self.close_after_a_line(follow, options["stdout"])
                    self.assertEqual(follow.wait(harness.PATIENCE), -harness.signal.SIGPIPE)
                finally:
                    follow.kill()
                self.assertEqual(follow.stderr.read(), b"")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def enter_pty(self):
        self.master, slave = os.openpty()
        return slave

    def close_after_a_line(self, follow, stdout):
        if follow.stdout:
            self.assertIn(b"[a] starting", follow.stdout.readline())
            follow.stdout.close()
            return
        os.close(stdout)
        while b"[a] starting" not in os.read(self.master, 4096):
            pass
        os.close(self.master)

    def test_a_full_disk_ends_logs(self):
        daemon = self.daemon(puppet("a")).wait_started()
        with open("/dev/full", "wb") as full:
            done = harness.subprocess.run([harness.REEVECTL, "-s", daemon.control, "logs", "-f", "a"], stdout=full, check=False,
                                          stderr=harness.subprocess.PIPE, text=True, timeout=harness.PATIENCE)
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot write its output", done.stderr)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_module_speaks_for_itself_alone(self):
        daemon = self.daemon(HEARTBEAT + puppet("a") + puppet("b", "host = both") +
                             f"[module:c]\nload = {os.path.dirname(PUPPET)}/oddnames.so\nhost = both\n"
                             ).wait_started()
        self.act(daemon, "a", "say <3>[heart/beat#1] failed: forged")
        daemon.wait_log(r"error +\[a\] \[heart/beat#1\] failed: forged$")
        self.assertNotIn("forged", daemon.ctl("logs", "heart").stdout)
        self.assertIn("forged", daemon.ctl("logs", "a").stdout)
        # Those that share a process cannot be told apart by it.
        self.act(daemon, "b", "say [c] shared")
        daemon.wait_log(r"info +\[c\] shared$")
        self.act(daemon, "b", "say [a] foreign")
        daemon.wait_log(r"info +\[both\] \[a\] foreign$")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_one_tenant_cannot_use_up_anothers_lines(self):
        daemon = self.daemon(puppet("a", "host = both") +
                             f"[module:c]\nload = {os.path.dirname(PUPPET)}/breaker.so\nhost = both\n"
                             ).wait_started()
        def say(action):
            self.script(daemon, "a", action)
            # A run is answered a moment before the next may begin.
            harness.wait_until(lambda: daemon.ctl("run", "a/act", "--wait").returncode == 0, action)
        say("say-often [a] more and more")
        say("say [c] is heard")
        daemon.wait_log(r"\[c\] is heard")

        def is_told():
            # With its next line that passes.
            say("say [a] once more")
            return re.search(r"\[a\] \d+ lines were dropped: it logs more than", daemon.text())
        harness.wait_until(is_told, "the count of dropped lines")
        self.assertNotIn("[c] 1 line was dropped", daemon.text())
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_what_counts_is_not_dropped(self):
        daemon = self.daemon(puppet("a", "essential = no")).wait_ready("a")
        self.act(daemon, "a", "flood and fail")
        daemon.wait_log(r"\[a/act#1\] failed: as told")
        # Nothing more comes of it, and yet it is told how much is missing.
        daemon.wait_log(r"\[a\] \d+ lines were dropped: it logs more than 200 lines a second")
        self.assertEqual(daemon.ctl("submit", "a/work", stdin="flood and exit").returncode, 0)
        daemon.wait_log(r"\[a\] of the lines that were dropped: \[a\] my last words")
        daemon.wait_log(r"\[a\] exit code 7")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_part_of_a_line_takes_nothing_along(self):
        """A module that has not ended its line, however long that is."""
        daemon = self.daemon(puppet("a", "tick.every = never")).wait_started()
        self.script(daemon, "a", "begin-line and")
        self.assertEqual(daemon.ctl("run", "a/act", "--wait").returncode, 0)
        self.script(daemon, "a", "fail")
        self.assertEqual(daemon.ctl("run", "a/act", "--wait").returncode, 1)
        daemon.wait_log(r"warning +\[a/act#2\] failed: as told$")
        daemon.wait_log(r"info +\[a\] +andz+ \[\.\.\.\]$")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_line_that_is_too_long_says_so(self):
        daemon = self.daemon("[module:x]\nload = exec\nlog-output = always\nrun.every = 1000s\noutput-max = 64K\n"
                             "command = printf %5000s x\n").wait_started()
        self.assertRegex(daemon.wait_log(r"\[x/run#1\] +.*$").group(0), r" \[\.\.\.\]$|x$")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_json_lines(self):
        daemon = self.daemon(puppet("a"), daemon="log-format = json")
        daemon.wait_log('"text":"started"')
        self.act(daemon, "a", "fail")
        daemon.wait_log(r"\[a/act#1\] failed")
        daemon.daemon = "log-format = text"
        daemon.write(puppet("a"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        shown = [harness.json.loads(line)
                 for line in daemon.ctl("logs", "--json").stdout.splitlines()]
        self.assertEqual(daemon.stop(), 0, daemon.text())
        written = [harness.json.loads(line) for line in daemon.log if line and line[0] == "{"]
        # The same as its memory has, but for the numbers.
        for line in shown:
            del line["number"]
        self.assertEqual(written, shown[:len(written)])
        failure = next(line for line in written if "as told" in line["text"])
        self.assertEqual((failure["module"], failure["task"], failure["run"], failure["level"]),
                         ("a", "act", 1, "warning"))
        self.assertEqual([line["event"] for line in written if line["event"]], ["start", "ready"])
        # A reload changes it.
        self.assertRegex(daemon.log[-2], r"Z notice +stopped$")

    def test_the_log_in_memory_is_bounded(self):
        daemon = self.daemon(puppet("a"), daemon="log-level = debug").wait_started()
        for _ in range(30):
            daemon.ctl("reload")
        answer = daemon.ask("/v1/logs")[1]
        self.assertEqual(answer["lines"][-1]["number"], answer["last"])
        newest = daemon.ask(f"/v1/logs?after={answer['last'] - 2}&lines=2")[1]["lines"]
        self.assertLessEqual(len(newest), 2)
        self.assertEqual(daemon.ask("/v1/logs?after=-1")[0], 400)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    @tools.needs("bash")
    def test_completion(self):
        """bash's, with the few helpers that bash-completion would bring."""
        odd = f"[module:odd]\nload = {os.path.dirname(PUPPET)}/oddnames.so\n"
        daemon = self.daemon(puppet("alpha") + puppet("beta") + odd).wait_started()
        script = os.path.join(harness.BUILD, "ctl", "completion", "reevectl")

        def complete(*words):
            program = """
                _init_completion() { cur=${COMP_WORDS[COMP_CWORD]}; prev=${COMP_WORDS[COMP_CWORD-1]}
                                     words=("${COMP_WORDS[@]}"); cword=$COMP_CWORD; }
                _filedir() { :; }
                source "$1"; shift
                COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _reevectl; printf '%s\\n' "${COMPREPLY[@]}"
            """
            environment = dict(os.environ, REEVE_CONTROL=daemon.control,
                               PATH=os.path.dirname(harness.REEVECTL) + ":" + os.environ["PATH"])
            done = harness.subprocess.run(["bash", "-c", program, "bash", script, "reevectl", *words],
                                          capture_output=True, text=True, env=environment, check=True,
                                          cwd=daemon.folder)
            return done.stdout.splitlines()

        self.assertEqual(complete("re"), ["restart", "reload"])
        self.assertEqual(complete("--no"), ["--no-wait"])
        self.assertEqual(complete("stop", "al"), ["alpha"])
        self.assertEqual(complete("--json", "show", ""), ["alpha", "beta", "odd"])
        self.assertEqual(complete("run", "beta/"), ["beta/act", "beta/tick"])
        self.assertEqual(complete("submit", "")[:2], ["alpha/work", "beta/work"])
        # Names are a module's own: for the shell they are words, and nothing that it does.
        self.assertIn(r"odd/\$\(touch\ ran\)", complete("run", "odd/"))
        self.assertFalse(os.path.exists(os.path.join(daemon.folder, "ran")))
        self.assertEqual(complete("describe", "he"), ["heartbeat"])
        self.assertEqual(complete("--since", "1h", "logs", "b"), ["beta"])
        # Every command of the help is known to both shells.
        with open(os.path.join(os.path.dirname(script), "_reevectl"), encoding="utf-8") as file:
            zsh = file.read()
        for line in daemon.ctl("--help").stdout.split("\n\n")[1].splitlines():
            name = line.split()[0]
            if name != "names":
                self.assertIn(name, complete(name), name)
                self.assertRegex(zsh, rf"['\"]{name}:")
        # And every key of reeve.ini, as the tables that read it have it.
        keys = [key["name"] for key in harness.json.loads(daemon.ctl("keys", "--json").stdout)["keys"]]
        self.assertIn("TASK.on-error", keys)
        self.assertEqual(set(complete("keys", "")), set(keys))
        self.assertEqual(complete("keys", "restart-d"), ["restart-delay", "restart-delay-max"])
        described = zsh.split("_reevectl_keys() {")[1].split("\n    )")[0]
        self.assertEqual(re.findall(r"(?m)^        '([^:]+):\S", described), keys)
        # And every option.
        for name in re.findall(r"(?m)^ .*?(--[a-z-]+)", daemon.ctl("--help").stdout.split("\n\n")[2]):
            self.assertIn(name, complete(name), name)
            self.assertIn(name, zsh)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_top_list_and_show(self):
        daemon = self.daemon(puppet("a", "act.at = daily")).wait_started()
        top = daemon.ctl("top").stdout
        self.assertRegex(top, r"(?m)^a +ready +[1-9]\d*\.\d +0\.0 +0 +0 ")
        listed = harness.json.loads(daemon.ctl("list", "--json").stdout)
        self.assertEqual({t["task"]: t["schedule"] for t in listed},
                         {"act": "at *-*-* 00:00:00", "tick": "every 20ms"})
        self.assertEqual([len(t["next"]) for t in listed], [5, 5])
        self.assertRegex(daemon.ctl("list").stdout, r"(?m)^a/act +at \*-\*-\* 00:00:00 ")
        self.assertRegex(daemon.ctl("show", "a").stdout, r"(?m)^state +ready$")
        self.assertIn('there is no module "ab"', daemon.ctl("show", "ab").stderr)
        # As far as calendars go.
        daemon.write(puppet("a", "act.at = 2150..2156-02-29 UTC"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        listed = harness.wait_until(lambda: [t["next"] for t in harness.json.loads(daemon.ctl("list", "--json").stdout)
                                             if t["schedule"].startswith("at 2150")], "the new schedule")
        self.assertEqual([time[:10] for time in listed[0]], ["2152-02-29", "2156-02-29"])
        self.assertEqual(daemon.stop(), 0, daemon.text())


if __name__ == "__main__":
    harness.main()
