#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""chart.py BENCH.json CHART.svg: how far each ratio is from its target, as bars.

A bar that reaches the line has met its target: a rate is shown as ratio / target, a cost as target /
ratio. Needs matplotlib (Debian: python3-matplotlib); without it, it says so and ends with 77.
"""
import json
import sys


def bars(report):
    found = []
    for rows in report.values():
        for row in rows if isinstance(rows, list) else []:
            for column in ("quiet", "busy") if isinstance(row, dict) else ():
                figures = row.get(column)
                if not figures or not figures["target"] or not figures["best"]:
                    continue
                share = figures["target"] / figures["ratio"] if row["at_most"] else figures["ratio"] / figures["target"]
                sign = "<=" if row["at_most"] else ">="
                found.append((f"{row['title']}{', busy' if column == 'busy' else ''}", share,
                              f"{figures['ratio']:.2f} ({sign} {figures['target']}, {figures['best']})"))
    return found


def main(source, target):
    try:
        import matplotlib
    except ImportError:
        print("bench: no chart: python3-matplotlib is not installed")
        return 77
    matplotlib.use("svg")
    import matplotlib.pyplot as plt
    with open(source, encoding="utf-8") as file:
        found = bars(json.load(file))
    if not found:
        return 0
    figure, axes = plt.subplots(figsize=(11, 1 + 0.42 * len(found)))
    titles, shares, labels = zip(*reversed(found))
    places = range(len(shares))
    axes.barh(places, [min(share, 4) for share in shares],
              color=["#2a7f62" if share >= 1 else "#b5452c" for share in shares])
    axes.set_yticks(places, titles, fontsize=8)
    for place, share, label in zip(places, shares, labels):
        axes.text(min(share, 4) + 0.04, place, label, va="center", fontsize=8)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xlim(0, 5.5)
    axes.set_xlabel("share of the target (cut at 4)")
    figure.tight_layout()
    figure.savefig(target, metadata={"Date": None})
    print(f"bench: chart in {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
