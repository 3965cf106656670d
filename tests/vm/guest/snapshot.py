#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tells as JSON in what state each file of the state directory is: snapshot.py DIRECTORY [FILE]

Files of producer.py are "good", or say how much of them there is; so do their outputs, which are checksums. Of
others the first bytes are shown.
"""
import hashlib
import json
import os
import re
import sys

from producer import content

DROPPED = re.compile(r"\.?(\w+-\d+-(\d+)-(?:synced|plain))(?:\.\d+)?(\.output)?(?:\.\d+)?")


def state_of(name, data):
    dropped = DROPPED.fullmatch(name)
    if not dropped:
        return data[:4096].decode(errors="replace")
    want = content(dropped[1], int(dropped[2]))
    if dropped[3]:
        good = data.split() and data.split()[0].decode(errors="replace") == hashlib.sha256(want).hexdigest()
    else:
        good = data == want
    return "good" if good else f"{len(data)} bytes"


def main(folder, target=None):
    found = {}
    for top, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(top, name)
            try:
                with open(path, "rb") as file:
                    found[os.path.relpath(path, folder)] = state_of(name, file.read())
            except FileNotFoundError:
                # It was moved in the meantime.
                continue
            except OSError as error:
                found[os.path.relpath(path, folder)] = f"unreadable: {error.strerror}"
    text = json.dumps(found)
    if target:
        # Whoever waits for it finds it whole.
        with open(target + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(target + ".new", target)
    else:
        print(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
