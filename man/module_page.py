#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The manual page of a module that reeve ships, from the comment at the top of its source.

    module_page.py VERSION SOURCE OUTPUT

The comment begins with "NAME - summary". A short line alone is a heading; what is indented is a list
of "KEY  text" below "Options" and the like, and else an example.
"""
import re
import sys
import textwrap

import render
from api import escape, section

LISTS = {"Options", "Tasks", "Tasks and pools"}


def comment_of(path):
    with open(path, encoding="utf-8") as file:
        text = re.sub(r"^/\* SPDX.*\n", "", file.read())
    match = re.match(r"/\*\n(.*?)\n \*/", text, re.S)
    return re.sub(r"(?m)^ \* ?", "", match[1])


def definitions(block):
    """Entries begin in the block's first column; blanks, or a line's end, set the text apart."""
    entries = re.split(r"\n(?! )", textwrap.dedent(block))
    for text in entries:
        match = re.match(r"(.+?)(?:\s{2,}|\n\s+)(.*)", text, re.S)
        words = re.sub(r"\s+", " ", match[2]).strip().rstrip(".")
        if "://" not in words.split()[0]:
            words = words[0].upper() + words[1:]
        yield f"``{match[1].strip()}``\n    {escape(words)}.\n"


def body(text):
    heading = None
    for block in re.split(r"\n\n+", text):
        indented = block.startswith("    ")
        if not indented and re.fullmatch(r"[A-Z][a-z]+( \w+){0,2}", block):
            heading = block
            yield section("EXAMPLES" if heading == "Example" else heading.upper())
        elif indented and heading in LISTS:
            yield from definitions(block)
        elif indented:
            yield "::\n\n" + block + "\n"
        else:
            yield re.sub(r"\\`(.*?)\\`", r"``\1``", escape(block)) + "\n"


def main(version, source, output):
    first, text = comment_of(source).split("\n", 1)
    name, summary = first.split(" - ", 1)
    page = "reeve-" + name
    text = text.strip("\n")
    parts = [f"{'=' * len(page)}\n{page}\n{'=' * len(page)}\n",
             f"{'-' * len(summary)}\n{summary}\n{'-' * len(summary)}\n",
             f":Manual section: 7\n:Manual group: reeve modules\n:Version: reeve {version}\n",
             section("SYNOPSIS"), f"::\n\n    [module:NAME]\n    load = {name}\n"]
    if not re.match(r"[A-Z][a-z]+( \w+){0,2}\n\n", text):
        parts.append(section("DESCRIPTION"))
    parts += [*body(text),
              section("SEE ALSO"),
              "**reeve.ini**\\ (5), **reevectl**\\ (1), **reeve-module**\\ (7), **reeved**\\ (8)\n\n"
              "The keys that every module, task and pool has are in **reeve.ini**\\ (5); "
              f"``reevectl describe {name}`` shows this module's own as the file on disk has them.\n"]
    render.write("\n".join(parts), output)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
