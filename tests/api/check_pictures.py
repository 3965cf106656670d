# SPDX-License-Identifier: MIT
"""Whether the drawings in docs are those of the code: ./dev layers --draw makes them anew."""
import os
import subprocess
import sys
import tempfile

root = sys.argv[1]
stale = []
with tempfile.TemporaryDirectory(prefix="reeve-test-") as directory:
    for name in "layers", "states":
        drawn = os.path.join(directory, name + ".svg")
        subprocess.run([sys.executable, os.path.join(root, "tools", name + ".py"), "--draw", drawn, root], check=True)
        with open(drawn, encoding="utf-8") as now, open(os.path.join(root, "docs", name + ".svg"), encoding="utf-8") as before:
            if now.read() != before.read():
                stale.append(f"docs/{name}.svg")
if stale:
    sys.exit(f"{', '.join(stale)}: drawn of other code; ./dev layers --draw draws them anew")
