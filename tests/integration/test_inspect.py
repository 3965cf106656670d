#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""reevectl describe and modules: what files say, without a daemon and whatever their code does."""
import json
import os
import shutil
import subprocess
import tempfile
import unittest

import harness

BAD = harness.FIXTURES
HERE = os.path.dirname(os.path.abspath(__file__))
DESCRIBED = os.path.join(BAD, "described.so")


class Inspecting(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="reeve-test-")
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def ctl(self, *words, constructor=None):
        environment = dict(os.environ)
        environment.pop("REEVE_MODULE_PATH", None)
        if constructor:
            environment["REEVE_TEST_CONSTRUCTOR"] = constructor
        return subprocess.run([harness.REEVECTL, *words], capture_output=True, text=True,
                              errors="replace", timeout=harness.PATIENCE, check=False,
                              env=environment, cwd=self.folder)

    def describe(self, *words, constructor=None, code=0):
        done = self.ctl("describe", "--json", *words, constructor=constructor)
        self.assertEqual(done.returncode, code, done.stderr)
        return json.loads(done.stdout)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
        return self.path(name)


class Describe(Inspecting):
    def test_all_that_there_is(self):
        told = self.describe(DESCRIBED)
        self.assertEqual((told["name"], told["version"], told["summary"], told["functions"]),
                         ("described", "3.1", "Has one of everything", ["health"]))
        self.assertEqual((told["abi"], told["host_abi"], told["runtime"]), (2, 2, "libreeve.so.1"))
        self.assertEqual(told["problems"], [
            "the module itself is wrong: its default number: expected a whole number from -3 to 7",
            "the module itself is wrong: its on-request.timeout = soon: expected a duration "
            "with its unit, such as 500ms, 30s or 5min"])
        options = {option.pop("name"): option for option in told["options"]}
        self.assertEqual({name: option["type"] for name, option in options.items()},
                         {"some-text": "string", "many": "list", "flag": "bool", "number": "int",
                          "bytes": "size", "pause": "duration", "path": "path", "choice": "enum",
                          "password": "secret", "paths": "paths", "up": "int", "down": "size"})
        self.assertEqual([name for name, option in options.items() if option["required"]], ["many"])
        self.assertEqual({name: (o["minimum"], o["maximum"]) for name, o in options.items()
                          if o["minimum"] or o["maximum"]},
                         {"number": ("-3", "7"), "bytes": ("1K", "1M"), "pause": ("1s", "1h"),
                          "up": ("0", None), "down": (None, "4K")})
        self.assertEqual((options["flag"]["default"], options["number"]["default"],
                          options["path"]["default"]), ("yes", "", None))
        self.assertEqual(options["choice"]["choices"], ["this", "that"])
        # A secret's default is one too.
        self.assertIsNone(options["password"]["default"])
        self.assertEqual(options["some-text"]["help"], "with a tab?and")
        tasks = {task.pop("name"): task for task in told["tasks"]}
        self.assertEqual(tasks["by-interval"], {
            "schedule": "every 1min 30s", "every": "1min 30s", "at": None, "align": "no", "offset": "0s", "jitter": "2s",
            "catch_up": "no", "backoff": "0s", "backoff_max": "10min", "timeout": "5s", "grace": "2s",
            "overlap": "queue", "on_error": "restart", "on_stop": "finish", "help": "does this"})
        self.assertEqual(tasks["by-calendar"]["schedule"], "at Mon..Fri *-*-* 03:00:00")
        self.assertIsNone(tasks["on-request"]["schedule"])
        pools = {pool.pop("name"): pool for pool in told["pools"]}
        self.assertEqual(pools["work"], {
            "workers": 3, "queue": 5, "retries": 2, "timeout": "1min", "backoff": "1s", "backoff_max": "1min",
            "grace": "5s", "help": "does that"})
        self.assertEqual((pools["plain"]["workers"], pools["plain"]["queue"], pools["plain"]["timeout"]), (None, 1024, None))
        # What may stand in the section for each task and pool is told with the same words.
        keys = {key["name"]: key for key in told["task_keys"] + told["pool_keys"]}
        self.assertEqual((keys["every"]["minimum"], keys["at"]["repeated"], keys["overlap"]["choices"]),
                         ("1ms", True, ["skip", "queue"]))
        self.assertEqual((keys["queue"]["default"], keys["retries"]["maximum"]), ("1024", "1000"))
        for tasks, keys in (told["tasks"], told["task_keys"]), (told["pools"], told["pool_keys"]):
            self.assertLessEqual({key["name"].replace("-", "_") for key in keys}, set(tasks[0]))

    def test_for_people(self):
        done = self.ctl("describe", DESCRIBED)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(done.stdout.startswith("described 3.1: Has one of everything\n"))
        for line in (r"many +list +required", r"number +int, -3 to 7", r"choice +this, that +that",
                     r"by-interval +every 1min 30s +5s", r"work +3 +5 +2 1min", r"problem +the module",
                     r"TASK\.every +duration, 1ms to 3650d +- ", r"POOL\.retries +int, 0 to 1000 +0 "):
            self.assertRegex(done.stdout, rf"(?m)^{line}")

    def test_shipped_modules_by_their_names(self):
        for name in ("heartbeat", "exec", "httpcheck", "spool"):
            told = self.describe(name)
            self.assertEqual((told["name"], told["problems"], told["error"]), (name, [], None))
            self.assertTrue(all(option["help"] for option in told["options"]))
        done = self.ctl("describe", "htpcheck")
        self.assertEqual(done.returncode, 5)
        self.assertIn('did you mean "httpcheck"?', done.stderr)

    def test_by_name_in_a_configuration_with_mistakes(self):
        os.mkdir(self.path("lib"))
        shutil.copy(DESCRIBED, self.path("lib", "mine.so"))
        config = self.write("r.ini", "[daemon]\nmodules = lib\n[module:x]\nload = nosuch\n")
        done = self.ctl("describe", "-c", config, "mine")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"reeved --check -c {config}", done.stderr)
        self.assertEqual(self.ctl("describe", "-c", self.path("nosuch.ini"), "mine").returncode, 1)
        # By its file, in the present directory too: the libraries' path has nothing to do with it.
        os.rename(self.path("lib", "mine.so"), self.path("mine.so"))
        self.assertEqual(self.describe("mine.so")["name"], "described")
        self.assertEqual(self.ctl("describe", "nosuch.so").returncode, 5)

    def test_another_abi_is_not_loaded(self):
        trace = self.path("trace")
        os.environ["REEVE_TEST_TRACE"] = trace
        self.addCleanup(os.environ.pop, "REEVE_TEST_TRACE")
        told = self.describe(os.path.join(BAD, "future.so"), code=1)
        self.assertEqual((told["abi"], told["host_abi"], told["name"]), (999, 2, None))
        self.assertIn("module ABI 999, and this reeve-host has module ABI 2: update reeve", told["error"])
        told = self.describe(os.path.join(BAD, "former.so"), code=1)
        self.assertEqual((told["abi"], told["host_abi"], told["name"]), (1, 2, None))
        self.assertIn("module ABI 1, and this reeve-host has module ABI 2: build it anew", told["error"])
        self.assertFalse(os.path.exists(trace))

    def test_a_module_in_c_plus_plus(self):
        """Also where a build hides all symbols, and in a namespace."""
        compiler = shutil.which("g++") or shutil.which("clang++")
        if not compiler:
            self.skipTest("there is no C++ compiler")
        source = os.path.join(HERE, "..", "..")
        with open(os.path.join(source, "template", "hello.c"), encoding="utf-8") as file:
            text = file.read()
        table = text.index("RV_MODULE(")
        spaced = text[:table] + "namespace mine {\n" + text[table:] + "}\n"
        for name, written in ("plain", text), ("spaced", spaced):
            with self.subTest(name=name):
                path = os.path.join(self.folder, name)
                with open(path + ".cc", "w", encoding="utf-8") as file:
                    file.write(written)
                done = subprocess.run(
                    [compiler, "-Wall", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden", "-I" + os.path.join(source, "include"), "-I" + os.path.join(harness.BUILD, "include"),
                     "-o", path + ".so", path + ".cc", f"-L{harness.BUILD}/lib", "-lreeve"],
                    capture_output=True, text=True, check=False)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(self.describe(path + ".so")["name"], "hello")

    def test_what_is_no_module(self):
        for name, reason in (("plain.so", "it has no RV_MODULE note"), ("nosuch.so", None)):
            done = self.ctl("describe", os.path.join(BAD, name))
            self.assertEqual(done.returncode, 1 if reason else 5)
            self.assertIn(reason or "No such file", done.stderr)
        self.assertIn("not a shared object", self.ctl("describe", self.write("t.so", "text")).stderr)
        shutil.copy(DESCRIBED, self.path("open.so"))
        os.chmod(self.path("open.so"), 0o666)
        self.assertIn("can be written by others: chmod go-w", self.ctl("describe", "open.so").stderr)

    def test_constructors_hurt_nobody(self):
        for what, reason in (("crash", "ended the process that loaded it: SIGABRT"),
                             ("exit", "ended the process that loaded it: exit code 7")):
            told = self.describe(DESCRIBED, constructor=what, code=1)
            self.assertIn(reason, told["error"])
            # What the file says is told all the same.
            self.assertEqual((told["abi"], told["name"]), (2, None))
        # What it prints is not taken for records, nor shown.
        done = self.ctl("describe", DESCRIBED, constructor="print")
        self.assertEqual(done.returncode, 0)
        self.assertNotIn("forged", done.stdout)
        self.assertNotIn("\033", done.stdout + done.stderr)
        # Records of its own making are its own word, and printable.
        told = self.describe(DESCRIBED, constructor="forge")
        self.assertEqual(told["tasks"][0]["name"], "a?[31m?")
        self.assertNotIn("\033", self.ctl("describe", DESCRIBED, constructor="forge").stdout)
        # It leaves nothing behind.
        self.describe(DESCRIBED, constructor="write " + self.path("trace"))
        self.assertFalse(os.path.exists(self.path("trace")))

    def test_a_constructor_that_does_not_end(self):
        # Also one that has closed all that it could write to.
        for what in ("pause", "close"):
            told = self.describe(DESCRIBED, constructor=what, code=1)
            self.assertIn("did not end within 10s", told["error"])


class Modules(Inspecting):
    def modules(self, config, code=0):
        done = self.ctl("modules", "--json", "-c", config)
        self.assertEqual(done.returncode, code, done.stderr)
        told = json.loads(done.stdout)
        return told, {(m["name"], m["shadowed"]): m for m in told["modules"]}

    def test_what_is_in_the_path(self):
        for folder in ("first", "second", "aside"):
            os.mkdir(self.path(folder))
        for target in ("first/good.so", "second/good.so", "second/open.so", "aside/other.so"):
            shutil.copy(DESCRIBED, self.path(target))
        os.chmod(self.path("second/open.so"), 0o666)
        shutil.copy(os.path.join(BAD, "future.so"), self.path("second/future.so"))
        shutil.copy(os.path.join(BAD, "plain.so"), self.path("second/plain.so"))
        self.write("second/README", "no module")
        config = self.write("r.ini", "\n".join([
            "[daemon]", "modules = first", "modules = second",
            "[module:a]", "load = good", "[module:b]", "load = good",
            "[module:c]", "load = aside/other.so", "[module:d]", "load = nosuch", ""]))
        told, modules = self.modules(config)
        self.assertEqual(told["directories"], [self.path("first"), self.path("second")])
        self.assertEqual(told["config"], config)
        self.assertEqual(set(modules), {("good", False), ("good", True), ("open", False),
                                        ("future", False), ("plain", False), ("nosuch", False),
                                        (self.path("aside/other.so"), False)})
        good = modules["good", False]
        self.assertEqual((good["sections"], good["summary"], good["version"], good["abi"],
                          good["error"]), (["a", "b"], "Has one of everything", "3.1", 2, None))
        self.assertEqual(good["file"], self.path("first/good.so"))
        self.assertEqual(modules["good", True]["sections"], [])
        self.assertIn("can be written by others", modules["open", False]["error"])
        self.assertEqual(modules["future", False]["abi"], 999)
        self.assertIn("update reeve", modules["future", False]["error"])
        self.assertIn("it has no RV_MODULE note", modules["plain", False]["error"])
        self.assertEqual(modules[self.path("aside/other.so"), False]["sections"], ["c"])
        missing = modules["nosuch", False]
        self.assertEqual((missing["file"], missing["sections"], missing["error"]),
                         (None, ["d"], "there is no such module"))
        done = self.ctl("modules", "-c", config)
        shown = done.stdout
        self.assertTrue(done.stderr.endswith(f"reevectl: the sections are those of {config}\n"), done.stderr)
        # What completion takes from it: the first word of each line but the head.
        self.assertEqual({line.split()[0] for line in shown.splitlines()[1:]}, {name for name, _ in modules})
        self.assertRegex(shown, r"(?m)^good +2 a, b +\S*first/good.so +Has one of everything$")
        self.assertRegex(shown, r"(?m)^good +2 - +\S+ +not found by its name, which an earlier directory")

    def test_names_that_cannot_be_printed(self):
        """Neither hidden nor in the way of the others, nor a terminal's master."""
        os.mkdir(self.path("lib"))
        for name in ("a.so", "b\udcff\033[31m.so", "c.so"):
            shutil.copy(DESCRIBED, self.path("lib", name))
        config = self.write("r.ini", "[daemon]\nmodules = lib\n[module:x]\nload = \udcff.so\n")
        _, modules = self.modules(config)
        self.assertEqual([name for name, _ in modules], ["a", "b??[31m", "c", "?.so"])
        self.assertEqual(modules["b??[31m", False]["summary"], "Has one of everything")
        self.assertEqual(modules["b??[31m", False]["file"], self.path("lib", "b??[31m.so"))
        self.assertNotIn("\033", self.ctl("modules", "-c", config).stdout)
        told = self.describe(self.path("lib", "b\udcff\033[31m.so"))
        self.assertEqual(told["name"], "described")
        for constructor in ("crash", None):
            done = self.ctl("describe", self.path("lib", "b\udcff\033[31m.so"), constructor=constructor)
            self.assertEqual(done.returncode, 1 if constructor else 0)
            self.assertNotIn("\033", done.stdout + done.stderr)
            self.assertIn("b??[31m.so", done.stdout + done.stderr)

    @unittest.skipUnless(os.geteuid() == 0, "needs root, to give a file away")
    def test_whose_they_are(self):
        os.mkdir(self.path("lib"))
        shutil.copy(DESCRIBED, self.path("lib", "foreign.so"))
        os.chown(self.path("lib", "foreign.so"), 65534, 65534)
        _, modules = self.modules(self.write("r.ini", "[daemon]\nmodules = lib\n"))
        self.assertIn("belongs to uid 65534", modules["foreign", False]["error"])

    def test_errors(self):
        done = self.ctl("modules", "-c", self.path("nosuch.ini"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot read the file", done.stderr)
        config = self.write("r.ini", "[daemon]\nmodules = nosuch\n")
        done = self.ctl("modules", "-c", config)
        self.assertEqual(done.returncode, 1)
        self.assertIn("nosuch: No such file or directory", done.stderr)

    def test_without_a_configuration(self):
        done = self.ctl("modules")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"(?m)^heartbeat +2 ")


if __name__ == "__main__":
    harness.main()
