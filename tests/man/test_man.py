#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The manual is complete, and its pages are well formed.

The required content is read from the code, and not from what the pages are made of.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import tools  # pylint: disable=wrong-import-position

BUILD = os.environ["REEVE_BUILD"]
SOURCE = os.environ["REEVE_SOURCE"]
PAGES = os.path.join(BUILD, "man")
REEVECTL = os.path.join(BUILD, "ctl", "reevectl")
REEVED = os.path.join(BUILD, "daemon", "reeved")
HOST = os.path.join(BUILD, "host", "reeve-host")
PAGE = re.compile(r"[\w.-]+\.[1-8]$")
# Pages of others that ours refer to.
FOREIGN = {"addr2line(1)", "journalctl(1)", "pkg-config(1)", "timeout(1)",
           "_exit(2)", "clone(2)", "clone3(2)", "fcntl(2)", "fork(2)", "ioctl(2)", "ioprio_set(2)", "open(2)", "openat(2)",
           "pidfd_send_signal(2)", "poll(2)", "setpriority(2)", "socket(2)", "dlclose(3)", "exit(3)", "syslog(3)",
           "systemd.exec(5)", "systemd.resource-control(5)", "systemd.service(5)", "systemd.socket(5)", "systemd.time(7)"}


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **options)


def read(*parts):
    with open(os.path.join(*parts), encoding="utf-8") as file:
        return file.read()


def page_names():
    return sorted(name for name in os.listdir(PAGES) if PAGE.match(name))


def header_paths():
    """Those of the sources, and those that the build makes."""
    folders = [os.path.join(where, "include", "reeve") for where in (SOURCE, BUILD)]
    return [os.path.join(folder, name) for folder in folders for name in sorted(os.listdir(folder)) if name.endswith(".h")]


def target_of(name):
    """Where the text of a page is: its own file, or that which it stands for."""
    match = re.match(r"\.so man\d/(\S+)\n$", read(PAGES, name))
    return match[1] if match else name


class Manual(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.texts = {}
        cls.tree = tempfile.mkdtemp(prefix="reeve-man-")
        for name in page_names():
            folder = os.path.join(cls.tree, "man" + name[-1])
            os.makedirs(folder, exist_ok=True)
            shutil.copy(os.path.join(PAGES, name), folder)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.tree)

    def path(self, name):
        return os.path.join(self.tree, "man" + name[-1], name)

    def render(self, name):
        """The text as a reader sees it, without hyphens that are not in it."""
        if name not in self.texts:
            self.texts[name] = self.render_anew(name)
        return self.texts[name]

    def render_anew(self, name):
        result = run("man", "--no-hyphenation", "--no-justification", "-E", "UTF-8", "-l", "-P",
                     "cat", self.path(name), cwd=self.tree,
                     env={**os.environ, "MANWIDTH": "200", "LC_ALL": "C.UTF-8"})
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def own_pages(self):
        return [name for name in page_names() if target_of(name) == name]

    def test_every_public_function_has_a_page(self):
        declared = set()
        for path in header_paths():
            text = re.sub(r"/\*.*?\*/", "", read(path), flags=re.S)
            declared |= set(re.findall(r"(?m)^[a-z].*?\b(rv_[a-z_]+)\(", text))
            declared |= set(re.findall(r"(?m)^#define (RV_\w+[A-Z])\b", text))
        symbols = run("nm", "-D", "--defined-only", os.path.join(BUILD, "lib", "libreeve.so")).stdout
        exported = {line.split()[-1].split("@")[0] for line in symbols.splitlines()}
        exported = {name for name in exported if name.startswith("rv_")}
        # Names that end so are for the headers alone.
        declared, exported = ({name for name in names if not name.endswith("_")} for names in (declared, exported))
        self.assertGreater(len(exported), 60)
        pages = set(page_names())
        self.assertEqual([name for name in sorted(declared | exported) if name + ".3" not in pages], [])
        for name in sorted(exported):
            text = self.render(target_of(name + ".3"))
            self.assertRegex(text, rf"(?m)^   .*\b{name}\(\)", f"{name} is not described")

    def test_every_public_function_has_a_comment(self):
        result = run(sys.executable, "-B", os.path.join(SOURCE, "man", "api.py"), "undocumented", *header_paths())
        self.assertEqual((result.returncode, result.stdout.strip()), (0, ""), result.stderr)

    def test_every_setting_is_described(self):
        result = run(REEVECTL, "keys", "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        keys = json.loads(result.stdout)["keys"]
        self.assertGreater(len(keys), 50)
        text = self.render("reeve.ini.5")
        for key in keys:
            entry = re.search(rf"(?m)^ +{re.escape(key['name'])} =(?: +[A-Z].*)?$(\n+ {{10,}}.*)*", text)
            self.assertTrue(entry, key["name"])
            words = re.sub(r"\s+", " ", entry[0])
            if key["default"]:
                self.assertIn(f"Default: {key['default']}", words)
            if key["type"] == "enum":
                self.assertIn(key["allowed"], words)

    def test_every_option_of_a_module_is_described(self):
        modules = [name for name in os.listdir(os.path.join(BUILD, "modules")) if name.endswith(".so")]
        self.assertIn("spool.so", modules)
        for module in modules:
            result = run(REEVECTL, "describe", "--json", os.path.join(BUILD, "modules", module))
            self.assertEqual(result.returncode, 0, result.stderr)
            described = json.loads(result.stdout)
            text = self.render(f"reeve-{described['name']}.7")
            for option in described["options"]:
                line = re.search(rf"(?m)^ +{re.escape(option['name'])} = .*(\n {{10,}}.*)*", text)
                self.assertTrue(line, f"{module}: {option['name']}")
                if option["required"]:
                    self.assertIn("required", line[0])
                elif option["default"]:
                    self.assertIn(f"Default: {option['default']}", re.sub(r"\s+", " ", line[0])
                                  .replace("the state directory", option["default"]))
            for part in described["tasks"] + described["pools"]:
                self.assertRegex(text, rf"(?m)^ +{re.escape(part['name'])}( |$)", module)

    def test_every_command_and_option_of_a_program_is_described(self):
        table = re.search(r"commands\[\] = \{\n(.*?)\n\};", read(SOURCE, "ctl", "commands.c"), re.S)[1]
        verbs = re.findall(r'(?m)^    \{"(\w+)",', table)
        self.assertGreater(len(verbs), 15)
        text = self.render("reevectl.1")
        # The version of groff decides how far terms are indented, and whether a text begins beside them.
        indent = re.search(r"(?m)^ +(?=status( |$))", text)[0]
        self.assertEqual([verb for verb in verbs
                          if not re.search(rf"(?m)^{indent}(\w+ MODULE\.\.\., )*{verb}\b", text)], [])
        for program, page in ((REEVECTL, "reevectl.1"), (REEVED, "reeved.8"), (HOST, "reeve-host.8")):
            options = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", run(program, "--help").stdout))
            self.assertIn("--help", options)
            described = re.sub(r"(?s).*\nOPTIONS\n(.*?)\n[A-Z].*", r"\1", self.render(page))
            self.assertEqual([option for option in sorted(options)
                              if not re.search(rf"(?<![\w-]){option}(?![\w-])", described)], [], page)

    def test_no_page_gives_a_warning(self):
        others = [name for name in page_names() if target_of(name) != name]
        # Of the names that stand for a page, which man reads as that page, one will do.
        for name in self.own_pages() + others[:1]:
            result = run("man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", self.path(name),
                         cwd=self.tree, env={**os.environ, "LC_ALL": "C.UTF-8"})
            self.assertEqual((name, result.returncode, result.stderr), (name, 0, ""))

    def test_each_page_is_found_by_its_name(self):
        found = {}
        for name in self.own_pages():
            result = run("lexgrog", self.path(name))
            self.assertEqual(result.returncode, 0, name + result.stdout + result.stderr)
            found[name] = re.findall(r': "(\S+) - .', result.stdout)
        for name in page_names():
            self.assertIn(target_of(name), found)
            names = found[target_of(name)]
            self.assertIn(name[:-2], names, name)
            if target_of(name) == name:
                self.assertNotEqual([n for n in names if f"{n}.{name[-1]}" in page_names()], [])
                for other in names:
                    self.assertIn(f"{other}.{name[-1]}", page_names(), f"named by {name}")

    def test_every_page_that_is_referred_to_exists(self):
        pages = {f"{name[:-2]}({name[-1]})" for name in page_names()}
        for name in self.own_pages():
            text = self.render(name).split("\n", 1)[1]
            text = text[:text.rstrip().rindex("\n")]
            references = set(re.findall(r"\b(?:RV_|[a-z])[\w.-]*\([1-8]\)", text))
            self.assertEqual(sorted(references - pages - FOREIGN), [], name)
            self.assertIn("SEE ALSO", text, name)

    def test_what_others_refer_to_exists(self):
        pages = {f"{name[:-2]}({name[-1]})" for name in page_names()}
        folder = os.path.join(SOURCE, "systemd")
        text = "\n".join(read(folder, name) for name in os.listdir(folder) if "reeve" in name)
        references = re.findall(r"man:([\w.-]+\(\d\))", text)
        self.assertTrue(references)
        references += re.findall(r"[\w.-]+\(\d\)", run(REEVED, "--help").stdout)
        self.assertEqual(sorted(set(references) - pages - FOREIGN), [])


if __name__ == "__main__":
    tools.need_or_exit("man", "lexgrog", "nm")
    unittest.main()
