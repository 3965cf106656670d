#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Section 3: a page for each public header, made of its comments, and an alias for each name in it.

    api.py list HEADER...                     the file names of all pages
    api.py build VERSION EXAMPLES DIRECTORY HEADER...   writes them
    api.py undocumented HEADER...             public functions whose comment is missing
"""
import os
import re
import sys
import textwrap

import header as headers

# What an error means wherever nothing else is said; the comments say what it means in a place.
ERRORS = {
    "-EACCES": "not permitted",
    "-EAGAIN": "would block, or no thread or room is to be had",
    "-EBADF": "not an open descriptor",
    "-ECANCELED": "cancelled",
    "-ECHILD": "the program failed",
    "-EDEADLK": "would wait for itself",
    "-EEXIST": "the name is taken",
    "-EINVAL": "an argument is wrong",
    "-EMFILE": "too many open descriptors",
    "-EMSGSIZE": "the data is too large",
    "-ENFILE": "too many open descriptors in the whole system",
    "-ENOENT": "there is no such thing",
    "-ENOMEM": "no memory",
    "-ENOSYS": "not within a host",
    "-ENOTSUP": "not in a child of fork()",
    "-EPIPE": "closed, stopped or draining",
    "-ETIMEDOUT": "the deadline has passed",
    "-EXDEV": "on another file system",
}


def bold_names(text, parameters, pages):
    """Plain text of a comment as reStructuredText: code, functions, errors and parameters stand out."""
    names = "|".join(sorted(map(re.escape, parameters), key=len, reverse=True)) or "(?!)"
    pattern = re.compile(
        r"`(?P<code>[^`]+)`|(?P<function>\brv_\w+)\(\)|(?P<error>-E[A-Z]{3,}\b)"
        r"|(?P<constant>\b(?:RV_[A-Z_]+|NULL|SIG[A-Z]+)\b)|(?P<type>\b(?:struct|enum) rv_\w+)"
        rf"|(?P<pointer>\*?)(?P<parameter>\b(?:{names})\b)(?!')|(?P<special>[\\*`|_])")

    def mark(match):
        if match["code"]:
            return f"``{match['code']}``"
        if match["function"]:
            return f"**{match['function']}**"
        for kind in ("error", "constant", "type"):
            if match[kind]:
                return f"**{match[kind]}**"
        return ("\\*\\ " if match["pointer"] else "") + f"*{match['parameter']}*"

    def replace(match):
        if match["special"]:
            return "\\" + match["special"]
        end = "(3)" if match["function"] in pages else "()" if match["function"] else ""
        # Markup ends only before a blank or one of a few signs; "\\ " is neither shown nor a sign.
        follows = text[match.end():match.end() + 1]
        return mark(match) + ("\\ " if end or not re.match(r"[\s.,;:)\]]|$", follows) else "") + end

    return pattern.sub(replace, text)


def escape(text):
    return re.sub(r"([\\*`|_])", r"\\\1", text)


def sentences(paragraph):
    return re.split(r"(?<=[.:])\s+(?=[A-Z*])", paragraph)


def split_returns(group):
    """The comment without, and only, what the functions return."""
    rest, returns = [], []
    for paragraph in group.comment:
        if paragraph.startswith("    ") or not group.of_kind("function"):
            rest.append(paragraph)
            continue
        kept = []
        for sentence in sentences(paragraph):
            (returns if re.match(r"Returns? ", sentence) else kept).append(sentence)
        if kept:
            rest.append(" ".join(kept))
    return rest, " ".join(returns)


def block(text):
    return "::\n\n" + textwrap.indent(text.strip("\n"), "    ") + "\n"


def section(title, mark="="):
    return f"{title}\n{mark * max(len(title), 4)}\n"


def summary(header):
    """The first sentence of the introduction, as a line of whatis."""
    first = sentences(header.introduction[0])[0].rstrip(".:")
    return first[0].lower() + first[1:]


class Page:
    def __init__(self, header, pages, example):
        self.header = header
        self.pages = pages # name -> page
        self.example = example

    def names(self):
        own = [n for n in sorted(self.pages) if self.pages[n] == self.header.page]
        functions = [d.name for d in self.header.declarations() if d.kind == "function"]
        others = [n for n in own if n not in functions and n != self.header.page]
        return [self.header.page] + [n for n in functions if n != self.header.page] + others

    def paragraphs(self, texts, parameters=()):
        for text in texts:
            if text.startswith("    "):
                yield block(textwrap.dedent(text))
            else:
                yield bold_names(text, parameters, self.pages) + "\n"

    def synopsis(self):
        yield f"#include <reeve/{self.header.name}>\n"
        for group in self.header.groups:
            shown = group.of_kind("function", "typedef") or group.of_kind("macro")
            text = "\n".join(d.text for d in shown if not d.text.startswith("#"))
            if text:
                yield text + "\n"
        yield "cc ... $(pkg-config --cflags --libs reeve)"

    def description(self):
        yield from self.paragraphs(self.header.introduction)
        for group in self.header.groups:
            rest, _ = split_returns(group)
            if not rest and group.of_kind("forward"):
                continue
            title = ", ".join(self.title(d) for d in group.declarations)
            if len(title) > 90:
                title = self.title(group.declarations[0]) + ", ..."
            yield section(title, "-")
            parameters = {p for d in group.declarations for p in d.parameters}
            yield from self.paragraphs(rest, parameters)
            shown = [d for d in group.declarations
                     if d.kind in ("struct", "enum", "typedef") or d.text.startswith("#")]
            if shown:
                yield block("\n".join(d.text for d in shown))
            if not rest and not shown:
                yield "See **RETURN VALUE**.\n"

    @staticmethod
    def title(declaration):
        kind = declaration.kind
        if kind in ("struct", "enum"):
            return f"{kind} {declaration.name}"
        if kind == "forward":
            return f"struct {declaration.name}"
        return declaration.name + ("()" if kind == "function" else "")

    def return_values(self):
        for group in self.header.groups:
            _, returns = split_returns(group)
            functions = group.of_kind("function")
            if returns:
                parameters = {p for d in functions for p in d.parameters}
                yield ", ".join(f"**{d.name}**\\ ()" for d in functions) + "\n" + \
                    textwrap.indent(bold_names(returns, parameters, self.pages), "    ") + "\n"

    def errors(self):
        found = {}
        for group in self.header.groups:
            for error in re.findall(r"-E[A-Z]{3,}\b", " ".join(group.comment)):
                for function in group.of_kind("function"):
                    if function.name not in found.setdefault(error, []):
                        found[error].append(function.name)
        for error in sorted(found):
            if found[error]:
                yield f"**{error}**\n    {ERRORS[error]}: " + \
                    ", ".join(f"**{name}**\\ ()" for name in found[error]) + "\n"

    def see_also(self):
        mentioned = re.findall(r"\brv_\w+(?=\(\))", " ".join(
            text for group in self.header.groups for text in group.comment))
        pages = {self.pages[name] for name in mentioned if name in self.pages}
        pages |= {"rv_" + name for name in self.header.includes} & set(self.pages.values())
        pages = sorted(pages - {self.header.page})
        return ", ".join([f"**{page}**\\ (3)" for page in pages] +
                         ["**libreeve**\\ (3)", "**reeve-module**\\ (7)"])

    def rst(self, version):
        page = self.header.page
        line = escape(summary(self.header))
        parts = [f"{'=' * len(page)}\n{page}\n{'=' * len(page)}\n",
                 f"{'-' * len(line)}\n{line}\n{'-' * len(line)}\n",
                 f":Manual section: 3\n:Manual group: libreeve\n:Version: reeve {version}\n",
                 section("SYNOPSIS"), block("\n".join(self.synopsis())), section("DESCRIPTION"),
                 *self.description()]
        for title, texts in (("RETURN VALUE", list(self.return_values())),
                             ("ERRORS", list(self.errors()))):
            if texts:
                parts += [section(title), *texts]
        if self.example:
            parts += [section("EXAMPLES"), block(self.example)]
        parts += [section("SEE ALSO"), self.see_also() + "\n"]
        return "\n".join(parts)


def assign(parsed):
    """Every public name -> the page that it is described in."""
    pages = {h.page: h.page for h in parsed}
    for forward in (False, True):
        for h in parsed:
            for d in h.declarations():
                if (d.kind == "forward") == forward:
                    pages.setdefault(d.name, h.page)
    return pages


def read_example(folder, page):
    path = os.path.join(folder, page + ".c")
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as file:
        return file.read().replace("/* SPDX-License-Identifier: MIT */\n", "")


def build(version, examples, folder, parsed):
    import render
    pages = assign(parsed)
    for h in parsed:
        page = Page(h, pages, read_example(examples, h.page))
        render.write(page.rst(version), os.path.join(folder, h.page + ".3"), page.names())
    for name, page in pages.items():
        if name != page:
            with open(os.path.join(folder, name + ".3"), "w", encoding="utf-8") as file:
                file.write(f".so man3/{page}.3\n")


def undocumented(parsed):
    for h in parsed:
        if not h.introduction:
            yield f"{h.name}: no introduction"
        for group in h.groups:
            for function in group.of_kind("function"):
                if not " ".join(group.comment).strip():
                    yield f"{h.name}: {function.name}() has no comment"


def main(command, *arguments):
    if command == "build":
        version, examples, folder, *paths = arguments
        build(version, examples, folder, [headers.Header(path) for path in paths])
        return 0
    parsed = [headers.Header(path) for path in arguments]
    lines = sorted(name + ".3" for name in assign(parsed)) if command == "list" \
        else list(undocumented(parsed))
    print("\n".join(lines))
    return 1 if command == "undocumented" and lines else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
