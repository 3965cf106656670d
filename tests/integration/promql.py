# SPDX-License-Identifier: MIT
"""Finds the metrics that expressions of our rules and dashboard use, without a parser for all of it."""
import json
import re

# What is a word in PromQL and no metric.
WORDS = {"and", "or", "unless", "bool", "offset", "inf", "nan"}


def metrics_of(expression):
    """Names, as far as an expression of ours goes: no quotes within quotes, no subqueries."""
    rest = re.sub(r'"[^"]*"', "", expression)
    rest = re.sub(r"\{[^}]*\}|\[[^\]]*\]", " ", rest)
    rest = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", rest)
    return {word for word in re.findall(r"\b[a-zA-Z_:][a-zA-Z0-9_:]*\b(?!\s*\()", rest)} - WORDS


def rules_of(path):
    """(alert, expression) of a rule file that is written as ours is."""
    found, alert = [], None
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    for place, line in enumerate(lines):
        if match := re.match(r"\s+- alert: (\w+)$", line):
            alert = match.group(1)
        elif match := re.match(r"(\s+)expr: (.*)$", line):
            indent, text = match.groups()
            if text == ">-":
                text = ""
                while lines[place + 1].startswith(indent + "  "):
                    place += 1
                    text += " " + lines[place].strip()
            found.append((alert, text))
    return found


def dashboard_of(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def queries_of(dashboard):
    """Every expression, and those of the variables, with the variables as a viewer would have them."""
    expressions = [target["expr"] for panel in dashboard["panels"]
                   for target in panel.get("targets", [])]
    for variable in dashboard["templating"]["list"]:
        if match := re.fullmatch(r"label_values\((.*), (\w+)\)", variable.get("definition", "")):
            expressions.append(match.group(1))
    return [e.replace("$__rate_interval", "5m").replace("$instance", ".*").replace("$module", ".*")
            for e in expressions]
