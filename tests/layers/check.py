#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that includes point one way, as ARCHITECTURE.md draws the layers.

Every layer lists the layers that its files may include from. A few libraries belong to one folder
each: nobody else may include their headers.
"""
import os
import re
import sys

# Folder -> folders that it may use besides itself. The longest matching folder counts.
LAYERS = {
    "base": [],
    "include/reeve": [],
    "lib": ["base", "include/reeve"],
    "daemon/wire": ["base"],
    "daemon/state": ["base"],
    "daemon/config": ["base"],
    "daemon/loop": ["base"],
    "daemon/supervisor": ["base", "daemon/wire", "daemon/config", "daemon/loop", "daemon/state"],
    "daemon/edge": ["base", "daemon/wire", "daemon/config", "daemon/loop", "daemon/state", "daemon/supervisor"],
    "daemon/host": ["base", "include/reeve", "daemon/wire"],
    "daemon/host/filter": ["base", "daemon/host"],
    "daemon": ["base", "daemon/wire", "daemon/config", "daemon/loop", "daemon/state", "daemon/supervisor", "daemon/edge"],
    "ctl": ["base", "daemon/config"],
    "modules": ["include/reeve", "base"],
    "man": ["base", "include/reeve", "daemon/config", "daemon/host"],
    "template": ["include/reeve"],
}

# Header (or its folder) -> the only folders that may include it.
OWNED = {
    r"event2?/.*|event\.h|evhttp\.h": ["daemon/loop"],
    r"ini\.h": ["daemon/config"],
    r"systemd/.*": ["daemon/edge", "ctl"],
    r"jansson\.h": ["daemon/state", "daemon/supervisor", "daemon/edge", "daemon", "ctl"],
    r"yajl/.*": ["daemon/edge"],
    r"libsmartcols/.*": ["ctl"],
    r"elfutils/.*": ["daemon/host"],
    r"seccomp\.h": ["daemon/host/filter"],
}

INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.M)


def layer_of(path, layers):
    """The most specific layer that holds the path."""
    return max((l for l in layers if path.startswith(l + "/")), key=len, default=None)


def check_file(root, path):
    layer = layer_of(path, LAYERS)
    if layer is None:
        return
    with open(os.path.join(root, path), encoding="utf-8") as file:
        text = file.read()
    for match in INCLUDE.finditer(text):
        kind, header = match.groups()
        line = text.count("\n", 0, match.start()) + 1
        if header.startswith("reeve/"):
            target = "include/reeve"
        else:
            target = layer_of(header, LAYERS) if kind == '"' else None
        if target and target != layer and target not in LAYERS[layer]:
            yield f"{path}:{line}: {layer} may not include {header} from {target}"
        if kind == '"' and target is None:
            yield f"{path}:{line}: \"{header}\" is in no known layer"
        for pattern, folders in OWNED.items():
            if kind == "<" and re.fullmatch(pattern, header) and layer not in folders:
                yield f"{path}:{line}: only {', '.join(folders)} may include <{header}>"


def main(root):
    errors = []
    count = 0
    for top in sorted({layer.split("/")[0] for layer in LAYERS}):
        for folder, _, files in os.walk(os.path.join(root, top)):
            for name in sorted(files):
                if name.endswith((".c", ".h")):
                    count += 1
                    path = os.path.relpath(os.path.join(folder, name), root)
                    errors.extend(check_file(root, path))
    print("\n".join(errors) if errors else f"layers hold in {count} files", file=sys.stderr)
    return 1 if errors or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "."))
