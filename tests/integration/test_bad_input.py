#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Everything that can be wrong before a start: a clear error that names the place, a non-zero exit,
and nothing left running."""
import json
import os
import shutil
import socket
import subprocess

import harness

MODULES = os.path.join(harness.BUILD, "modules")
BAD = harness.FIXTURES


class BadInput(harness.DaemonTest):
    def refuse(self, config, *parts, daemon="", check=True):
        """Both a start and --check must name every part; --check only finds what needs no init."""
        runs = [()] + ([("--check",)] if check else [])
        for arguments in runs:
            code, errors = self.run_reeved(config, *arguments, daemon=daemon)
            self.assertEqual(code, 1, errors)
            for part in parts:
                self.assertIn(part, errors, arguments)

    def test_configuration(self):
        self.refuse("[module:a]\nload = exec\ncommand = true\nrun.every = 5\n",
                    "reeve.ini:7: [module:a] run.every = 5: expected a duration")
        self.refuse("[module:a]\nload = exec\n", 'the key "command" is missing')
        self.refuse("[module:a]\nload = exec\ncommand = x\ngrase = 3s\n",
                    'reeve.ini:7: [module:a] unknown key "grase"; did you mean "grace"?')
        self.refuse("[module:a]\nload = nothere\n",
                    "reeve.ini:5: [module:a] load = nothere: there is no such module; looked for ")
        self.refuse("[module:a]\nessential = no\nload = /etc/hostname\n",
                    "reeve.ini:6: [module:a] /etc/hostname is not a shared object")
        self.refuse("[module:a]\nload = exec\ncommand = x\nrun.every = 1s\nrun.at = daily\n",
                    "reeve.ini:8: [module:a] task run: every and at exclude each other")
        self.refuse("[module:a]\nload = exec\ncommand = x\nrun.every = 1s\nrun.jitter = 1h\n",
                    "reeve.ini:8: [module:a] task run: jitter must be shorter than every")
        self.refuse("[module:a]\nload = exec\n;" + "x" * 10000 + "\n", "the line has 10001 characters")
        self.refuse("[module:a]\nload = exec\ncommand = sh -c \"a ; b\"\n", "a blank before ';'")
        # All errors at once, of several modules.
        self.refuse("[module:a]\nload = exec\ncommand = x\nx = 1\n[module:b]\nload = httpcheck\n"
                    "expect-status = 7\n", '[module:a] unknown key "x"',
                    "expect-status = 7: expected a whole number from 100 to 599", '[module:b] the key "url" is missing')

    def test_the_nearest_key(self):
        """Of each kind of key; and a key that stands in the wrong section."""
        module = "[module:a]\nload = spool\ndirectory = x\ncommand = true\n"
        for line, said in (
                ("restart-dely = 1s", 'unknown key "restart-dely"; did you mean "restart-delay"?'),
                ("comand = x", 'unknown key "comand"; did you mean "command"?'),
                ("watch.evry = 1s", 'unknown key "watch.evry"; did you mean "watch.every"?'),
                ("process.wokers = 1", 'unknown key "process.wokers"; did you mean "process.workers"?'),
                ("watch.overlap = quee", 'watch.overlap = quee: expected skip or queue; did you mean "queue"?'),
                ("listen = 127.0.0.1:0", 'unknown key "listen"; it is a key of [daemon]'),
                ("workers = 3", 'unknown key "workers"; it is a key of each pool, as in POOL.workers')):
            with self.subTest(line=line):
                self.refuse(module + line + "\n", f"reeve.ini:8: [module:a] {said}", check=False)

    def test_an_option_with_the_name_of_a_key(self):
        """Refused wherever the file is loaded, with both places: its own, and what reeve's key is."""
        path = os.path.join(harness.BUILD, "tests", "host", "reserved.so")
        said = (f"{path}: its option \"drain-stall\" has the name of reeve's own key \"drain-stall\" of a section "
                "[module:NAME] of reeve.ini (work that does not move for so long while draining is not waited for any "
                "more), and would never get its value: rename the option")
        self.refuse(f"[module:a]\ngrace = 1s\nload = {path}\n", f"reeve.ini:6: [module:a] {said}")
        for command in ([harness.REEVECTL, "describe", path], [harness.REEVE_HOST, "--run", path]):
            done = harness.subprocess.run(command, capture_output=True, text=True, check=False, timeout=harness.PATIENCE)
            self.assertEqual(done.returncode, 1, command)
            self.assertIn(said, done.stderr)

    def test_where_a_module_was_looked_for(self):
        _, errors = self.run_reeved("[module:a]\nload = nothere\n")
        self.assertIn(f"looked for {MODULES}/nothere.so\n", errors)

    def test_errors_at_the_start_in_json(self):
        """Wherever the key stands, and whatever else is wrong."""
        for config in ("[module:a]\nload = nothere\n", "[module:a]\nnonsense\nload = exec\n", "[module:a]\nload = exec\n"):
            code, errors = self.run_reeved(config, daemon="log-format = json")
            self.assertEqual(code, 1, errors)
            lines = [json.loads(line) for line in errors.splitlines()]
            self.assertIn("error", [line["level"] for line in lines], errors)
            self.assertIn("reeve.ini:", str(lines))
        # A line of its own cannot be read; then it is text.
        code, errors = self.run_reeved("", daemon="log-format = xml")
        self.assertRegex(errors, r"Z error +/\S+/reeve\.ini:\d+: \[daemon\] log-format = xml: expected text or json")

    def test_check_accepts_the_good(self):
        daemon = harness.Daemon("[module:a]\nload = exec\ncommand = true\n")
        self.addCleanup(daemon.close)
        done = subprocess.run([harness.REEVED, "-c", daemon.config_path, "--check"], check=False,
                              capture_output=True, text=True, timeout=harness.PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("good, 1 module", done.stdout)

    def test_objects(self):
        folder = harness.Daemon("")
        self.addCleanup(folder.close)
        text = os.path.join(folder.folder, "text.so")
        with open(text, "w", encoding="utf-8") as file:
            file.write("not an object\n")
        self.refuse(f"[module:a]\nload = {text}\n", f"{text} is not a shared object")
        self.refuse(f"[module:a]\nload = {BAD}/plain.so\n",
                    "plain.so is not a module of reeve: it has no RV_MODULE note")
        # Nothing of it runs: its constructor would make a file.
        trace = os.path.join(folder.folder, "trace")
        os.environ["REEVE_TEST_TRACE"] = trace
        self.addCleanup(os.environ.pop, "REEVE_TEST_TRACE")
        self.refuse(f"[module:a]\nload = {BAD}/future.so\n",
                    "is built for module ABI 999, and this reeve-host has module ABI 2: update reeve")
        self.refuse(f"[module:a]\nload = {BAD}/former.so\n",
                    "former.so is built for module ABI 1, and this reeve-host has module ABI 2: build it anew")
        self.refuse(f"[module:a]\nload = {BAD}/former.so\n", "doc/reeve/module-abi-2.md says what to change")
        self.assertFalse(os.path.exists(trace))
        loose = os.path.join(folder.folder, "loose.so")
        shutil.copy(os.path.join(MODULES, "heartbeat.so"), loose)
        os.chmod(loose, 0o666)
        self.refuse(f"[module:a]\nload = {loose}\n", "can be written by others: chmod go-w")

    def test_more_tasks_than_a_process_has_records_for(self):
        self.refuse(f"[module:a]\nload = {BAD}/manytasks.so\n", "manytasks.so: it has 1025 tasks, and may have 1024")

    def test_init_that_fails(self):
        self.refuse(f"[module:a]\nload = {BAD}/badinit.so\n",
                    "essential module a could not start: init failed: no such luck", check=False)
        # One that is not essential backs off, and the daemon runs.
        daemon = self.daemon(f"[module:a]\nload = {BAD}/badinit.so\nessential = no\n"
                             "restart-delay = 1000s\nrestart-delay-max = 1000s\n").wait_started()
        daemon.wait_log(r"\[a\] init failed: no such luck")
        harness.wait_until(lambda: daemon.module("a")["state"] == "backoff", "backoff")
        self.assertEqual(daemon.health()["status"], "warn")
        self.assertEqual(daemon.stop(), 0)

    def test_port_in_use(self):
        other = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(other.close)
        address = f"127.0.0.1:{other.getsockname()[1]}"
        self.refuse("", f"cannot listen at {address}: Address already in use; stop who uses it",
                    daemon=f"listen = {address}", check=False)

    def test_arguments(self):
        for arguments in (["--nonsense"], ["extra"], ["-c"]):
            done = subprocess.run([harness.REEVED, *arguments], check=False, capture_output=True,
                                  text=True, timeout=harness.PATIENCE)
            self.assertEqual(done.returncode, 1)
            self.assertIn("reeved --help", done.stderr)
        for argument in ("--help", "--version"):
            done = subprocess.run([harness.REEVED, argument], check=False, capture_output=True,
                                  text=True, timeout=harness.PATIENCE)
            self.assertEqual(done.returncode, 0)
            self.assertIn("reeved", done.stdout)

    def test_host_alone(self):
        host = harness.REEVE_HOST
        done = subprocess.run([host, "--run", os.path.join(MODULES, "exec.so"), "comand=x"],
                              check=False, capture_output=True, text=True, timeout=harness.PATIENCE)
        self.assertEqual(done.returncode, 1)
        self.assertIn('unknown key "comand"; did you mean "command"?', done.stderr)
        process = subprocess.Popen([host, "--run", os.path.join(MODULES, "exec.so"),
                                    "command=echo alone", "log-output=always"],
                                   stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stderr.close)
        for line in process.stderr:
            if "alone" in line:
                break
        process.terminate()
        process.stderr.read()
        self.assertEqual(process.wait(harness.PATIENCE), 0)


if __name__ == "__main__":
    harness.main()
