#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""fill.py SETTINGS INPUT OUTPUT: a completion with the keys of reeve.ini put in.

@keys@ becomes the keys with blanks between them, @described-keys@ a line for each, 'KEY:HELP' in single quotes. SETTINGS is
what settings/print_settings.c prints.
"""
import sys


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def main(settings, source, output):
    rows = [line.split("\t") for line in read(settings).splitlines()]
    keys = " ".join(row[1] for row in rows)
    described = "\n".join("        '{}:{}'".format(row[1], row[-1].replace("'", r"'\''")) for row in rows)
    text = read(source).replace("@keys@", keys).replace("        @described-keys@", described)
    with open(output, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
