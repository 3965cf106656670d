#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""One manual page from its reStructuredText.

    page.py [--settings TABLE --notes FILE] [--include FILE]... [--header HEADER]...
            VERSION SOURCE OUTPUT [NAME=VALUE...]

@NAME@ is replaced; a line @settings TABLE@ becomes a list of the keys of that table, as the code
prints it (settings/print_settings.c), each with what the file of notes adds to its line of help; @include
FILE@ becomes the file, and @concepts@ a list of the headers' pages.
"""
import argparse
import os
import re
import sys
import textwrap

import header as headers
import render
from api import block, escape, summary


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def read_notes(path):
    """(table, key) -> reStructuredText: a line "[TABLE] KEY", and indented text below it."""
    notes = {}
    text = re.sub(r"(?m)^#.*\n", "", read(path))
    for match in re.finditer(r"(?m)^\[(\w+)\] (\S+)\n((?:(?: .*)?\n)+)", text):
        notes[match[1], match[2]] = textwrap.dedent(match[3]).strip()
    return notes


def read_settings(path):
    for line in read(path).splitlines():
        table, key, fallback, _, many, required, allowed, text = line.split("\t")
        yield table, key, fallback, bool(many), bool(required), allowed, text


def write_allowed(allowed):
    """What a value may be, if that is more than one of its kind."""
    if re.search(r" (of at (least|most)|from) ", allowed) and not allowed.endswith("most 3650d"):
        return [escape(allowed[0].upper() + allowed[1:])]
    if allowed != "yes or no" and re.fullmatch(r"[a-z-]+(, [a-z-]+)* or [a-z-]+", allowed):
        return [re.sub(r"(?!or )\b[a-z-]+", r"``\g<0>``", allowed)]
    return []


def entry(key, fallback, many, required, allowed, text, note):
    facts = write_allowed(allowed) + ["Required"] * required + [f"Default: ``{fallback}``"] * bool(fallback)
    facts += ["May be given several times"] * many
    text = re.sub(r"\\`(.*?)\\`", r"``\1``", escape(text[0].upper() + text[1:]))
    body = [text + "."] + [". ".join(facts) + "."] * bool(facts)
    return f"``{key} =``\n" + textwrap.indent("\n\n".join(body + [note] * bool(note)), "    ") + "\n"


def settings(table, path, notes):
    rows = [row for row in read_settings(path) if row[0] == table]
    if not rows:
        raise SystemExit(f"page.py: there is no table {table}")
    return "\n".join(entry(*row[1:], notes.pop(row[:2], None)) for row in rows)


def concepts(paths):
    return "\n".join(f"* **{h.page}**\\ (3): {escape(summary(h))}" for h in map(headers.Header, paths))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--settings")
    parser.add_argument("--notes")
    parser.add_argument("--include", action="append", default=[])
    parser.add_argument("--header", action="append", default=[])
    parser.add_argument("version")
    parser.add_argument("source")
    parser.add_argument("output")
    parser.add_argument("values", nargs="*")
    arguments = parser.parse_args()
    text = read(arguments.source)
    if arguments.settings:
        notes = read_notes(arguments.notes)
        text = re.sub(r"(?m)^@settings (\w+)@$",
                      lambda match: settings(match[1], arguments.settings, notes), text)
        if notes:
            raise SystemExit(f"page.py: notes on keys that do not exist: {sorted(notes)}")
    for path in arguments.include:
        text = text.replace(f"@include {os.path.basename(path)}@\n", block(re.sub(r"^/\* SPDX.*\n", "", read(path))))
    text = re.sub(r"(?m)^@concepts@$", lambda match: concepts(arguments.header), text)
    values = dict(value.split("=", 1) for value in arguments.values)
    text = re.sub(r"@(\w+)@", lambda match: values[match[1]], text)
    # The title says name and section: "reeved(8)", and a line below it what it is.
    name, section = re.match(r"(.+)\.(\d)$", os.path.basename(arguments.output)).groups()
    head = f":Manual section: {section}\n:Manual group: reeve\n:Version: reeve {arguments.version}\n"
    text = re.sub(r"(?m)^:manual:\n", head, text, count=1)
    if f"\n{name}\n=" not in text:
        raise SystemExit(f"page.py: {arguments.source}: the title is not {name}")
    render.write(text, arguments.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
