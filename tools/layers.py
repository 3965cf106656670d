#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The layers of the project: checks that includes point one way, and draws them.

    layers.py [DIRECTORY]                   checks; prints what is wrong and fails, or prints the layers as text
    layers.py --draw FILE.svg [DIRECTORY]   draws them

A directory is a layer: LAYERS says which others its files may include from. Within one directory and between
directories no file may include another that includes it, in however many steps. A source and its header are one
node, and so are X.h and X_internal.h; a source without a header of its own belongs to the header whose name its own
begins with. A few libraries belong to one directory each: OWNED says which.
"""
import os
import re
import sys

DAEMON = ["base", "wire", "settings"]
# A host uses the settings for the keys of tasks and pools, and for those of modules: no option may have the name of one.
RUNTIME = ["base", "include/reeve", "wire", "settings"]

# Directory -> directories that it may use besides itself, lowest first. The longest that matches counts.
LAYERS = {
    "base": [],
    "include/reeve": [],
    "lib": ["base", "include/reeve"],
    "wire": ["base"],
    "settings": ["base"],
    "daemon/serialize": ["base"],
    "daemon/loop": ["base"],
    "daemon/process": DAEMON + ["daemon/loop", "daemon/serialize"],
    "daemon/unit": DAEMON + ["daemon/loop", "daemon/serialize", "daemon/process"],
    "daemon/control": DAEMON + ["daemon/loop", "daemon/serialize", "daemon/process", "daemon/unit"],
    "daemon/edge": DAEMON + ["daemon/loop", "daemon/serialize", "daemon/process", "daemon/unit", "daemon/control"],
    "daemon/start": DAEMON
    + ["daemon/loop", "daemon/serialize", "daemon/process", "daemon/unit"],
    "daemon/upgrade": DAEMON
    + ["daemon/loop", "daemon/serialize", "daemon/process", "daemon/unit", "daemon/control", "daemon/edge", "daemon/start"],
    "daemon": DAEMON
    + ["daemon/loop", "daemon/serialize", "daemon/process", "daemon/unit", "daemon/control", "daemon/edge", "daemon/start",
       "daemon/upgrade"],
    "host/process": RUNTIME,
    "host/report": RUNTIME + ["host/process"],
    "host/crash": RUNTIME + ["host/process", "host/report"],
    "host/sandbox": RUNTIME + ["host/process", "host/report"],
    "host/sandbox/filter": ["base", "host/sandbox"],
    "host/symbols": RUNTIME + ["host/process", "host/report", "host/sandbox"],
    "host/schedule": RUNTIME + ["host/process", "host/report"],
    "host/load": RUNTIME + ["host/process", "host/report", "host/schedule"],
    "host/module": RUNTIME + ["host/process", "host/report", "host/crash", "host/schedule", "host/load"],
    "host/task": RUNTIME + ["host/process", "host/report", "host/schedule", "host/load", "host/module"],
    "host/pool": RUNTIME + ["host/process", "host/report", "host/sandbox", "host/load", "host/module"],
    "host/lifecycle": RUNTIME
    + ["host/process", "host/report", "host/crash", "host/sandbox", "host/schedule", "host/load", "host/module",
       "host/task", "host/pool"],
    "host/control": RUNTIME
    + ["host/process", "host/report", "host/crash", "host/sandbox", "host/schedule", "host/load", "host/module",
       "host/task", "host/pool", "host/lifecycle"],
    "host/standalone": RUNTIME
    + ["host/process", "host/report", "host/crash", "host/sandbox", "host/schedule", "host/load", "host/module",
       "host/task", "host/pool", "host/lifecycle"],
    "host": RUNTIME + ["host/control", "host/standalone"],
    "ctl": ["base", "settings"],
    "modules": ["base", "include/reeve"],
    "template": ["include/reeve"],
    "man": ["base", "include/reeve"],
}

# Header (a pattern) -> the only directories that may include it.
OWNED = {
    r"event2?/.*|event\.h|evhttp\.h": ["daemon/loop"],
    r"ini\.h": ["settings"],
    r"systemd/.*": ["daemon/edge", "ctl"],
    r"jansson\.h": ["daemon", "ctl"],
    r"yajl/.*": ["daemon/edge"],
    r"libsmartcols/.*": ["ctl"],
    r"elfutils/.*": ["host/symbols"],
    r"seccomp\.h": ["host/sandbox/filter"],
}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+([<"])([^>"\n]+)[>"]', re.M)


def find_layer(path, layers=LAYERS):
    """The most specific layer that holds the path, or None."""
    return max((layer for layer in layers if path.startswith(layer + "/")), key=len, default=None)


class Include:
    """One line of one file."""

    def __init__(self, path, line, kind, header):
        self.path, self.line, self.header = path, line, header
        self.system = kind == "<" and not header.startswith("reeve/")
        self.target = "include/" + header if header.startswith("reeve/") else header


def read_includes(root):
    """Path -> its includes, for every source and header of a layer."""
    found = {}
    for top in sorted({layer.split("/")[0] for layer in LAYERS}):
        for directory, _, names in os.walk(os.path.join(root, top)):
            for name in sorted(names):
                if not name.endswith((".c", ".h")):
                    continue
                path = os.path.relpath(os.path.join(directory, name), root)
                with open(os.path.join(root, path), encoding="utf-8") as file:
                    text = file.read()
                found[path] = [Include(path, text.count("\n", 0, match.start()) + 1, *match.groups())
                               for match in INCLUDE.finditer(text)]
    return found


def check_direction(includes):
    """Yields what points the wrong way."""
    for path, lines in includes.items():
        layer = find_layer(path)
        for line in lines:
            place = f"{path}:{line.line}"
            if line.system:
                for pattern, owners in OWNED.items():
                    if re.fullmatch(pattern, line.header) and not any(
                            (layer + "/").startswith(owner + "/") or path.startswith(owner + "/") for owner in owners):
                        yield f"{place}: only {', '.join(owners)} may include <{line.header}>"
                continue
            target = find_layer(line.target)
            if target is None:
                yield f'{place}: "{line.header}" is in no known layer'
            elif target != layer and target not in LAYERS[layer]:
                yield f"{place}: {layer} may not include {line.header} from {target}"


def find_nodes(includes):
    """Path -> the name of its node: what belongs together in one directory."""
    def strip(stem):
        return re.sub(r"_(internal|private)$", "", stem)

    headers = {path[:-2] for path in includes if path.endswith(".h")}
    nodes = {}
    for path in includes:
        stem = path[:-2]
        owners = [strip(header) for header in headers
                  if os.path.dirname(header) == os.path.dirname(stem) and strip(stem).startswith(strip(header) + "_")]
        nodes[path] = strip(stem) if stem in headers or not owners else max(owners, key=len)
    return nodes


def find_circles(graph):
    """The strongly connected parts of more than one node (Tarjan), each sorted."""
    order, low, stack, circles = {}, {}, [], []

    def visit(node):
        order[node] = low[node] = len(order)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in order:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], order[other])
        if low[node] == order[node]:
            part = stack[stack.index(node):]
            del stack[stack.index(node):]
            if len(part) > 1:
                circles.append(sorted(part))

    sys.setrecursionlimit(10000)
    for node in sorted(graph):
        if node not in order:
            visit(node)
    return circles


def check_circles(includes):
    """Yields the circles between files."""
    nodes = find_nodes(includes)
    graph = {}
    for path, lines in includes.items():
        edges = graph.setdefault(nodes[path], set())
        edges.update(nodes[line.target] for line in lines if line.target in nodes and nodes[line.target] != nodes[path])
    for circle in find_circles(graph):
        yield "a circle of includes: " + ", ".join(
            f"{node} -> {' '.join(sorted(graph[node].intersection(circle)))}" for node in circle)


def find_heights(includes):
    """Layer -> how far it is from the ground, by the includes that are there."""
    uses = {layer: set() for layer in LAYERS}
    for path, lines in includes.items():
        for line in lines:
            target = None if line.system else find_layer(line.target)
            if target and target != find_layer(path):
                uses[find_layer(path)].add(target)
    heights = {}

    def height(layer):
        if layer not in heights:
            heights[layer] = 0
            heights[layer] = 1 + max((height(other) for other in uses[layer]), default=-1)
        return heights[layer]

    for layer in LAYERS:
        height(layer)
    return heights, uses


def write_text(includes):
    """The layers from the top down, with what each uses."""
    heights, uses = find_heights(includes)
    width = max(map(len, LAYERS))
    counts = {layer: sum(find_layer(path) == layer for path in includes) for layer in LAYERS}
    for layer in sorted(LAYERS, key=lambda layer: (-heights[layer], layer)):
        print(f"{heights[layer]:2}  {layer:{width}}  {counts[layer]:3} files   {' '.join(sorted(uses[layer]))}".rstrip())


# A program is a column of the picture, a layer a box, the ground below.
COLUMNS = [
    ("reeved", ["daemon", "daemon/upgrade", "daemon/start", "daemon/edge", "daemon/control", "daemon/unit", "daemon/process", "daemon/loop",
                "daemon/serialize"]),
    ("reeve-host", ["host", "host/standalone", "host/control", "host/lifecycle", "host/pool", "host/task", "host/module",
                    "host/load", "host/schedule", "host/sandbox", "host/crash", "host/report", "host/process"]),
    ("reeve-symbols", ["host/symbols"]),
    ("reevectl", ["ctl"]),
    ("modules", ["modules", "template"]),
]
GROUND = [("settings", 0, 1), ("wire", 0, 3), ("lib", 1, 5), ("include/reeve", 1, 5), ("base", 0, 5)]
CELL, GAP, ROW = 190, 14, 30


def svg_box(x, y, width, text, kind):
    return (f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{ROW - 6}" rx="4"/>'
            f'<text x="{x + width / 2:g}" y="{y + 17}">{text}</text>')


def draw():
    """The layers as SVG: what stands higher may include what stands lower in its column, or under it."""
    tallest = max(len(layers) for _, layers in COLUMNS)
    parts = []
    for column, (program, layers) in enumerate(COLUMNS):
        x = GAP + column * (CELL + GAP)
        parts.append(f'<text class="program" x="{x + CELL / 2:g}" y="20">{program}</text>')
        for row, layer in enumerate(layers):
            y = 32 + (tallest - len(layers) + row) * ROW
            parts.append(svg_box(x, y, CELL, layer, "layer"))
    top = 32 + tallest * ROW + 10
    for row, (layer, first, last) in enumerate(GROUND):
        x = GAP + first * (CELL + GAP)
        parts.append(svg_box(x, top + row * ROW, (last - first) * (CELL + GAP) - GAP, layer, "ground"))
    width = GAP + len(COLUMNS) * (CELL + GAP)
    height = top + len(GROUND) * ROW + 8
    return f"""<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">
<style>
text {{ font: 13px sans-serif; text-anchor: middle; fill: #1b1f24; }}
.program {{ font-weight: bold; }}
.layer {{ fill: #dbe9ff; stroke: #5b7fb5; }}
.ground {{ fill: #e8efe0; stroke: #7a9460; }}
.paper {{ fill: #ffffff; }}
</style>
<rect class="paper" width="{width}" height="{height}"/>
{chr(10).join(parts)}
</svg>
"""


def main(arguments):
    picture = None
    if arguments[:1] == ["--draw"]:
        picture, arguments = arguments[1], arguments[2:]
    includes = read_includes(arguments[0] if arguments else ".")
    errors = [*check_direction(includes), *check_circles(includes)]
    if errors or not includes:
        print("\n".join(errors or ["no file was found"]), file=sys.stderr)
        return 1
    if picture:
        with open(picture, "w", encoding="utf-8") as file:
            file.write(draw())
    else:
        write_text(includes)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
