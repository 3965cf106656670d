#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""libreeve.so exports functions that begin with rv_, and every function of the public headers.

Debian's list of symbols has the same.
"""
import os
import re
import subprocess
import sys

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import tools  # pylint: disable=wrong-import-position


def read_list(path):
    with open(path, encoding="utf-8") as file:
        return set(re.findall(r"(?m)^ (rv_\w+)@", file.read()))


def main(library, symbols, *headers):
    tools.need_or_exit("nm")
    output = subprocess.run(["nm", "-D", "--defined-only", library], check=True,
                            capture_output=True, text=True).stdout
    exported = {line.split()[-1].split("@")[0] for line in output.splitlines()
                if line.split()[-2] != "A"}
    wrong = sorted(name for name in exported if not name.startswith("rv_"))
    declared = set()
    for path in headers:
        if path.endswith(".h"):
            with open(path, encoding="utf-8") as file:
                text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
            text = re.sub(r"(?m)^\s*#.*(\\\n.*)*", "", text)
            declared |= set(re.findall(r"(?m)^[a-z].*?\b(rv_[a-z_]+)\(", text))
    missing = sorted(declared - exported)
    unknown = sorted(exported - declared - set(wrong))
    listed = read_list(symbols)
    failed = wrong or missing or unknown or listed != exported or not exported
    for title, names in (("exported but not rv_", wrong), ("declared but not exported", missing),
                         ("exported but in no header", unknown),
                         (f"not in {symbols}", sorted(exported - listed)),
                         (f"only in {symbols}", sorted(listed - exported))):
        if names:
            print(f"{title}: {', '.join(names)}", file=sys.stderr)
    print(f"{len(exported)} symbols exported")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
