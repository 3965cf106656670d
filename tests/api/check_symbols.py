#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""libreeve.so exports functions that begin with rv_, and every function of the public headers."""
import os
import re
import subprocess
import sys


def main(library, headers):
    output = subprocess.run(["nm", "-D", "--defined-only", library], check=True,
                            capture_output=True, text=True).stdout
    exported = {line.split()[-1].split("@")[0] for line in output.splitlines()
                if line.split()[-2] != "A"}
    wrong = sorted(name for name in exported if not name.startswith("rv_"))
    declared = set()
    for name in os.listdir(headers):
        if name.endswith(".h"):
            with open(os.path.join(headers, name), encoding="utf-8") as file:
                text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
            text = re.sub(r"(?m)^\s*#.*(\\\n.*)*", "", text)
            declared |= set(re.findall(r"(?m)^[a-z].*?\b(rv_[a-z_]+)\(", text))
    missing = sorted(declared - exported)
    unknown = sorted(exported - declared - set(wrong))
    for title, names in (("exported but not rv_", wrong), ("declared but not exported", missing),
                         ("exported but in no header", unknown)):
        if names:
            print(f"{title}: {', '.join(names)}", file=sys.stderr)
    print(f"{len(exported)} symbols exported")
    return 1 if wrong or missing or unknown or not exported else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
