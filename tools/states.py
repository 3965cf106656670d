#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The states of a module, read from the table of states and events in daemon/unit/machine.c.

    states.py [DIRECTORY]                   prints, for each state, which event leads where
    states.py --draw FILE.svg [DIRECTORY]   draws it

Where an event leads is found in the actions: which states they, or the functions that they call, enter.
"""
import math
import os
import re
import sys
from html import escape

UNIT = "daemon/unit"
FUNCTION = re.compile(r"^(?:static )?[\w ]+?\**\b(\w+)\([^;{}]*\)\n\{\n(.*?)^\}", re.M | re.S)


def read_sources(root):
    text = ""
    for name in sorted(os.listdir(os.path.join(root, UNIT))):
        if re.fullmatch(r"machine\w*\.c", name):
            with open(os.path.join(root, UNIT, name), encoding="utf-8") as file:
                text += file.read()
    return re.sub(r"/\*.*?\*/", "", text, flags=re.S)


def find_targets(text):
    """Function -> the states that a call of it may enter."""
    bodies = dict(FUNCTION.findall(text))
    entered = {name: {state for call in re.findall(r"unit_enter\(unit, ([^;]*)\);", body) for state in re.findall(r"UNIT_\w+", call)}
               for name, body in bodies.items() if name != "unit_enter"}
    changed = True
    while changed:
        changed = False
        for name, body in bodies.items():
            if name not in entered:
                continue
            for other in re.findall(r"\b(\w+)\(", body):
                new = entered.get(other, set()) - entered[name]
                entered[name] |= new
                changed = changed or bool(new)
    return entered


def shorten(name):
    """UNIT_EVENT_HOST_ENDED -> host ended; UNIT_READY -> ready."""
    return re.sub(r"^UNIT_(EVENT_)?", "", name).lower().replace("_", " ")


def read_table(root):
    """State -> event -> the states that it may lead to; none: it stays."""
    text = read_sources(root)
    targets = find_targets(text)
    table = {}
    rows = re.search(r"transitions\[\]\[UNIT_EVENT_COUNT\] = \{(.*?)\n\};", text, re.S).group(1)
    for state, row in re.findall(r"\[(UNIT_\w+)\] =\s*\{(.*?)\n\s*\},", rows, re.S):
        table[shorten(state)] = {shorten(event): sorted(map(shorten, targets.get(action, ())))
                                 for event, action in re.findall(r"\[(UNIT_EVENT_\w+)\] = (\w+)", row)}
    return table


def write_text(table):
    for state, row in table.items():
        print(state)
        for event, states in row.items():
            print(f"    {event:16} {' or '.join(states) if states else '(stays)'}")


# In the picture stopped and failed are one box, and what follows an end is another: the restart policy decides.
DOWN, POLICY = "stopped, failed", "restart policy"
PLACES = {"checking": (0, 1), "waiting": (1, 0), "starting": (2, 0), "ready": (3, 0),
          DOWN: (0, 2.2), "backoff": (1, 1.15), POLICY: (2, 2.2), "stopping": (3, 1.2)}
DECISIONS = {"waiting": "at once", "backoff": "after a delay", DOWN: "given up"}
STATES = 8
WIDTH, HEIGHT, CELL_X, CELL_Y = 124, 34, 240, 135


def place_of(state):
    return DOWN if state in ("stopped", "failed") else state


def simplify(states):
    """The boxes that an event may lead to."""
    boxes = {place_of(state) for state in states}
    if {"backoff", "waiting", DOWN} <= boxes:
        boxes = boxes - {"backoff", "waiting", DOWN} | {POLICY}
    return boxes


def collect_arrows(table):
    """(from, to) -> events, each once."""
    arrows = {(POLICY, box): [text] for box, text in DECISIONS.items()}
    for state, row in table.items():
        for event, states in row.items():
            for box in sorted(simplify(states) - {place_of(state)}):
                events = arrows.setdefault((place_of(state), box), [])
                if event not in events:
                    events.append(event)
    return arrows


def centre(state):
    x, y = PLACES[state]
    return 90 + x * CELL_X, 40 + y * CELL_Y


def draw_arrow(number, pair, events):
    """A bent arrow from box to box; the label beside its middle."""
    (x1, y1), (x2, y2) = centre(pair[0]), centre(pair[1])
    length = math.hypot(x2 - x1, y2 - y1)
    nx, ny = -(y2 - y1) / length, (x2 - x1) / length
    bend = 10 + length / 11
    mx, my = (x1 + x2) / 2 + nx * bend, (y1 + y2) / 2 + ny * bend

    def edge(x, y):
        dx, dy = mx - x, my - y
        scale = min((WIDTH / 2 + 4) / abs(dx) if dx else 9, (HEIGHT / 2 + 4) / abs(dy) if dy else 9)
        return x + dx * scale, y + dy * scale

    (ax, ay), (bx, by) = edge(x1, y1), edge(x2, y2)
    lines = [", ".join(events[i:i + 2]) for i in range(0, len(events), 2)]
    # Long arrows cross others in their middle.
    t = 0.3 if length > 400 else 0.5
    lx = (1 - t) ** 2 * ax + 2 * t * (1 - t) * mx + t * t * bx + nx * 4
    ly = (1 - t) ** 2 * ay + 2 * t * (1 - t) * my + t * t * by + ny * 4
    spans = "".join(f'<tspan x="{lx:.0f}" dy="{12 if i else 0}">{escape(line)}</tspan>' for i, line in enumerate(lines))
    return (f'<path id="a{number}" d="M{ax:.0f},{ay:.0f} Q{mx:.0f},{my:.0f} {bx:.0f},{by:.0f}" marker-end="url(#tip)"/>'
            f'<text class="event" x="{lx:.0f}" y="{ly - 6 * (len(lines) - 1):.0f}">{spans}</text>')


def draw(table):
    arrows = collect_arrows(table)
    parts = [draw_arrow(i, pair, events) for i, (pair, events) in enumerate(arrows.items())]
    for state in PLACES:
        x, y = centre(state)
        kind = "policy" if state == POLICY else "box"
        parts.append(f'<rect class="{kind}" x="{x - WIDTH / 2:.0f}" y="{y - HEIGHT / 2:.0f}" width="{WIDTH}" height="{HEIGHT}" rx="6"/>'
                     f'<text class="state" x="{x}" y="{y + 5}">{state}</text>')
    width, height = 180 + 3 * CELL_X, 80 + 2.2 * CELL_Y
    return f"""<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height:.0f}" viewBox="0 0 {width} {height:.0f}">
<style>
rect {{ fill: #dbe9ff; stroke: #5b7fb5; }}
rect.policy {{ fill: #fff3d6; stroke: #b58a3b; }}
rect.paper {{ fill: #ffffff; stroke: none; }}
path {{ fill: none; stroke: #57606a; }}
text {{ font: 11px sans-serif; text-anchor: middle; fill: #1b1f24; paint-order: stroke; stroke: #ffffff; stroke-width: 3px; }}
text.state {{ font: bold 14px sans-serif; stroke: none; }}
</style>
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0,0 L8,4 L0,8 z" style="fill:#57606a"/></marker></defs>
<rect class="paper" width="{width}" height="{height:.0f}"/>
{chr(10).join(parts)}
</svg>
"""


def main(arguments):
    picture = None
    if arguments[:1] == ["--draw"]:
        picture, arguments = arguments[1], arguments[2:]
    table = read_table(arguments[0] if arguments else ".")
    if picture:
        with open(picture, "w", encoding="utf-8") as file:
            file.write(draw(table))
    else:
        write_text(table)
    return 0 if len(table) == STATES else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
