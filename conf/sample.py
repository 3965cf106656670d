#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The keys in the sample of a configuration, from the tables that read them.

    sample.py [--write] SETTINGS FILE

SETTINGS is what settings/print_settings.c prints. FILE has for each table a line that begins as in HEADINGS; the lines of keys
below it, which begin with ";   ", are those of the table. Says what differs and fails, or with --write puts it right.
"""
import difflib
import sys
import textwrap

HEADINGS = {
    "; Keys of [daemon]": "daemon",
    "; Keys of every module": "module",
    "; Keys of every task": "TASK",
    "; Keys of every pool": "POOL",
}
COLUMN, WIDTH = 30, 116


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write_key(key, fallback, example, repeated, required, allowed, text):
    """A line "KEY = VALUE" with what it does beside it."""
    is_choice = " or " in allowed and allowed != "yes or no" and not allowed.startswith(("a ", "users"))
    notes = [allowed] * is_choice + ["required"] * bool(required) + ["no default"] * (not fallback and not required)
    notes += ["may be repeated"] * bool(repeated)
    if notes:
        text += f" ({'; '.join(notes)})"
    left = f"{key} = {fallback or example}"
    lines = textwrap.wrap(text, WIDTH - 4 - COLUMN, break_on_hyphens=False)
    if len(left) >= COLUMN:
        lines.insert(0, "")
    return [f";   {(left if i == 0 else ''):{COLUMN}}{line}".rstrip() for i, line in enumerate(lines)]


def read_tables(path):
    tables = {}
    for line in read(path).splitlines():
        table, key, fallback, example, repeated, required, allowed, text = line.split("\t")
        tables.setdefault(table, []).extend(write_key(key, fallback, example, repeated, required, allowed, text))
    return tables


def fill(text, tables):
    lines, missing, skip = [], set(tables), False
    for line in text.splitlines():
        if skip and line.startswith(";   "):
            continue
        skip = False
        lines.append(line)
        for heading, table in HEADINGS.items():
            if line.startswith(heading):
                lines += tables[table]
                missing.discard(table)
                skip = True
    if missing:
        raise SystemExit(f"sample.py: there is no line for the keys of {', '.join(sorted(missing))}")
    return "\n".join(lines) + "\n"


def main(arguments):
    write = arguments[:1] == ["--write"]
    settings, path = arguments[-2:]
    before = read(path)
    after = fill(before, read_tables(settings))
    if write:
        with open(path, "w", encoding="utf-8") as file:
            file.write(after)
    elif before != after:
        sys.stdout.writelines(difflib.unified_diff(before.splitlines(True), after.splitlines(True), path, "by the tables"))
        print(f"\n{path} is not what the tables say: python3 conf/sample.py --write {settings} {path}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
