#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An option whose member has another type does not compile, in C and in C++; those that fit do, without a warning.

    check_options.py c|c++ COMPILER ARGUMENT...
"""
import os
import re
import subprocess
import sys
import tempfile
import unittest

LANGUAGE, COMPILER = sys.argv[1], sys.argv[2:]
# What the compiler is to say of a member that does not fit.
REASON = {"c": r"_Generic", "c++": r"the member has another type than its option"}[LANGUAGE]

TEXTS = ("char *field", "const char *field")
FITTING = {
    "STRING": TEXTS, "PATH": TEXTS, "SECRET": TEXTS,
    "LIST": ("struct rv_list field",), "PATHS": ("struct rv_list field",),
    "BOOL": ("bool field",), "INT": ("int field",), "INT64": ("int64_t field",),
    "SIZE": ("uint64_t field",), "DURATION": ("rv_duration field",),
    "ENUM": ("int field", "unsigned field", "enum { RED, GREEN } field"),
}
MEMBERS = ("char *field", "const char *field", "char field[64]", "unsigned char *field", "void *field", "char field",
           "struct rv_list field", "struct rv_list *field", "char **field", "bool field", "int field",
           "unsigned field", "short field", "long long *field", "int64_t field", "uint64_t field", "float field",
           "double field", "rv_duration *field", "enum { RED, GREEN } field")
# Two names of one type.
SAME = {"rv_duration field": "int64_t field"}


# Each beside a line of its own.
HEAD = """#include <reeve/module.h>
static const char *const choices[] = {"a", NULL};
const char *const *use_choices(void);
const char *const *use_choices(void) { return choices; }
"""
OPTION = ("struct state{0} {{ int before; {1}; }}; extern const struct rv_option options{0}[]; "
          "const struct rv_option options{0}[] = {{RV_OPTION_{2}(struct state{0}, field, {3})}};")


class Types(unittest.TestCase):
    def compile(self, lines):
        """The returncode, what was said, and the numbers of those lines of which it was said."""
        with tempfile.TemporaryDirectory(prefix="reeve-api-") as folder:
            path = os.path.join(folder, "option.c")
            with open(path, "w", encoding="utf-8") as file:
                file.write(HEAD + "\n".join(lines) + "\n")
            done = subprocess.run([*COMPILER, "-fsyntax-only", "-x", LANGUAGE, path], capture_output=True, text=True,
                                  check=False, timeout=120)
        told = {int(number) - HEAD.count("\n") - 1 for number in re.findall(r"option\.c:(\d+):", done.stderr)}
        return done.returncode, done.stderr, told

    def test_what_fits(self):
        lines = [OPTION.format(f"{macro}{i}", member, macro, '.help = "one"')
                 for macro, members in FITTING.items() for i, member in enumerate(members)]
        for macro, member, more in (("INT", "int field", '.fallback = "3", .help = "x", .minimum = 1'),
                                    ("SIZE", "uint64_t field", ".required = true, .maximum = 1 << 20"),
                                    ("ENUM", "int field", ".choices = choices")):
            lines.append(OPTION.format(f"More{macro}", member, macro, more))
        self.assertEqual(self.compile(lines)[:2], (0, ""))

    def test_what_does_not(self):
        for macro, members in FITTING.items():
            fitting = {SAME.get(member, member) for member in members}
            # What an enumeration is to a C compiler, is its matter.
            wrong = [member for member in MEMBERS
                     if member not in fitting and not (macro == "INT" and member.startswith("enum"))]
            with self.subTest(macro=macro):
                code, text, told = self.compile([OPTION.format(i, member, macro, '.help = "one"')
                                                 for i, member in enumerate(wrong)])
                self.assertNotEqual(code, 0)
                self.assertRegex(text, REASON)
                self.assertEqual([member for i, member in enumerate(wrong) if i not in told], [])

    def test_a_member_that_is_not_there(self):
        self.assertNotEqual(self.compile([OPTION.format(0, "int other", "INT", '.help = "one"')])[0], 0)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
