# SPDX-License-Identifier: MIT
"""Reads a public header: its introduction, and groups of declarations with the comment before each.

The headers follow a form that makes this simple: a comment or a declaration begins in the first
column, and a comment belongs to what follows it up to the next comment or empty line.
"""
import os
import re


class Declaration:
    """kind: function, struct, enum, typedef, macro, or forward (an opaque struct)."""

    def __init__(self, kind, name, text, parameters=()):
        self.kind = kind
        self.name = name
        self.text = text
        self.parameters = parameters


class Group:
    """Declarations that one comment describes; the comment is a list of paragraphs."""

    def __init__(self, comment):
        self.comment = comment
        self.declarations = []

    def of_kind(self, *kinds):
        return [d for d in self.declarations if d.kind in kinds]


class Header:
    def __init__(self, path):
        self.name = os.path.basename(path)
        self.page = "rv_" + self.name[:-2]
        with open(path, encoding="utf-8") as file:
            text = file.read()
        self.includes = re.findall(r"#include <reeve/(\w+)\.h>", text)
        self.introduction, self.groups = _parse(text)

    def declarations(self):
        return [d for group in self.groups for d in group.declarations]


def is_private(name):
    return name.endswith("_")


def paragraphs(comment):
    """The text of a comment, as a list of paragraphs; those that are indented are code."""
    lines = comment.strip()[2:-2].split("\n")
    lines = [re.sub(r"^ \*(?= |$) ?", "", line).rstrip() for line in lines]
    lines[0] = lines[0].strip()
    lines[-1] = lines[-1].rstrip()
    result, code = [], False
    for line in lines:
        indented = line.startswith("    ")
        if not line.strip():
            if code and result:
                result[-1] += "\n"
            else:
                result.append("")
        elif indented:
            result.append(line) if not code else None
            if code:
                result[-1] += "\n" + line
        elif result and result[-1] and not result[-1].startswith("    "):
            result[-1] += " " + line.strip()
        elif result and result[-1] == "":
            result[-1] = line.strip()
        else:
            result.append(line.strip())
        code = indented or (code and not line.strip())
    return [text.rstrip() for text in result if text.strip()]


def _tokens(text):
    """Comments, declarations, macros and empty lines of the first column, in order."""
    position = 0
    while position < len(text):
        rest = text[position:]
        if rest.startswith("/*"):
            end = rest.index("*/") + 2
            yield "comment", rest[:end]
            end = rest.index("\n", end) + 1
        elif rest.startswith("#"):
            end = re.match(r"(?:.*\\\n)*.*\n", rest).end()
            yield "macro", rest[:end].rstrip()
        elif rest.startswith("\n"):
            end = 1
            yield "empty", ""
        else:
            end = _declaration_end(rest)
            yield "declaration", rest[:end].strip()
            end = rest.index("\n", end - 1) + 1
        position += end


def _declaration_end(text):
    """Behind the ';' or the '}' of a function's body."""
    depth = 0
    for match in re.finditer(r"/\*.*?\*/|[{};]", text, re.S):
        if match.group() == "{":
            depth += 1
        elif match.group() == "}":
            depth -= 1
            if depth == 0 and text.startswith("inline "):
                return match.end()
        elif match.group() == ";" and depth == 0:
            return match.end()
    raise ValueError("no end: " + text[:60])


def _parse(text):
    text = re.sub(r"(?s)#ifdef __cplusplus.*?#endif\n", "", text)
    text = re.sub(r"\s+RV_ZERO_;", ";", text)
    introduction, groups, group = None, [], None
    for kind, token in _tokens(text):
        if kind == "comment" and ("SPDX" in token or "-----" in token):
            continue
        if kind == "comment" and introduction is None:
            introduction = paragraphs(token)
        elif kind == "comment":
            group = Group(paragraphs(token))
            groups.append(group)
        elif kind == "empty":
            if group and group.declarations:
                group = None
        else:
            declaration = _macro(token) if kind == "macro" else _declaration(token)
            if declaration is None or is_private(declaration.name):
                continue
            if group is None:
                group = Group([])
                groups.append(group)
            group.declarations.append(declaration)
    return introduction or [], [g for g in groups if g.declarations]


def _macro(text):
    match = re.match(r"#define (RV_\w+)(\(([^)]*)\))?(.*)", text, re.S)
    if not match:
        return None
    name, has_parameters, parameters, body = match.groups()
    if not has_parameters:
        if "{" in body:
            return Declaration("macro", name, name)
        return Declaration("macro", name, re.sub(r"\s+", " ", text).replace(" ", " "))
    shown = [p.strip().rstrip("_") for p in parameters.split(",")]
    return Declaration("macro", name, f"{name}({', '.join(shown)})", shown)


def _declaration(text):
    match = re.match(r"struct (\w+);$", text)
    if match:
        return Declaration("forward", match.group(1), text)
    for kind in ("struct", "enum"):
        match = re.match(kind + r" (\w+) \{", text)
        if match:
            return Declaration(kind, match.group(1), text)
    if text.startswith("typedef"):
        match = re.search(r"\(\*(\w+)\)|(\w+);$", text)
        return Declaration("typedef", match.group(1) or match.group(2), text)
    text = re.sub(r"(?s)\n\{.*", ";", text)
    text = re.sub(r"\s*__attribute__\(\(.*?\)\)\)", "", text)
    text = re.sub(r"\s*RV_MUST_CHECK_", "", text).strip()
    text = re.sub(r"^inline ", "", text)
    match = re.search(r"\b(rv_\w+)\((.*)\);$", text, re.S)
    if not match:
        return None
    parameters = re.findall(r"\b(\w+)(?=\s*(?:,|$)|\)\()", match.group(2))
    return Declaration("function", match.group(1), text, [p for p in parameters if p != "void"])
