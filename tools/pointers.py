#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Finds stale pointers: names of files, in comments and in documents, of which there is none.

    pointers.py [DIRECTORY]

In a comment of C, Python, shell or meson, and in the prose of a document, a word such as lib/pool.c or pool.h is a
pointer. It is good if it is the path of a file from the top, the end of such a path, or a path beside the file that has it. Walks, the
documents in docs/design that name functions as `file.c: function()`, are good only if the file has that function.
"""
import os
import re
import subprocess
import sys

POINTER = re.compile(r"(?<![\w./<@-])((?:[\w-]+/)*[a-z_][\w-]*\.(?:c|h|py|sh|md|rst|pml|ini|html|svg))\b(?![\w(])")
STEP = re.compile(r"`((?:[\w-]+/)+[\w-]+\.[ch])`[^`\n]*`(\w+)\(\)`")
COMMENTS = {
    (".c", ".h"): re.compile(r"/\*.*?\*/|//[^\n]*", re.S),
    (".py", ".sh", ".build"): re.compile(r'"""(?!\\)(?:.|\n)*?"""|(?<!["\'\\&$])#[^\n]*'),
    (".md", ".rst"): re.compile(r".+", re.S),
}

# Names that readers of a document are to make, or that belong to others.
FOREIGN = {
    "hello.c", "hello.ini", "errno.h", "signal.h", "probe.c", "mine.c", "ini.h", "Python.h", "web.ini", "reeve.ini", "my.c",
    "my.ini", "a.ini", "b.ini",
}
# Documents about the files of other projects, and where results are to be.
PASSED_OVER = ("tests/PARITY.md", "tests/fuzz/corpus/", "bench/README.md", "tools/pointers.py")


def list_files(root):
    """All files of the project: those that git knows, or, in a tarball, all."""
    if os.path.exists(os.path.join(root, ".git")):
        command = ["git", "-c", "safe.directory=*", "-C", root, "ls-files", "-co", "--exclude-standard"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return [path for path in done.stdout.split("\n") if os.path.isfile(os.path.join(root, path))]
    return [os.path.relpath(os.path.join(directory, name), root)
            for directory, _, names in os.walk(root) for name in names if not directory.startswith(os.path.join(root, "build"))]


def find_comments(path, text):
    for endings, pattern in COMMENTS.items():
        if path.endswith(endings):
            return pattern.finditer(text)
    return ()


def check(root):
    paths = list_files(root)
    known = set(paths)
    ends = {"/".join(parts[i:]) for parts in (path.split("/") for path in paths) for i in range(len(parts))}
    for path in paths:
        if path.startswith(PASSED_OVER):
            continue
        try:
            with open(os.path.join(root, path), encoding="utf-8") as file:
                text = file.read()
        except UnicodeDecodeError:
            continue
        for comment in find_comments(path, text):
            for match in POINTER.finditer(comment.group()):
                name = match.group(1)
                if name in ends or name in FOREIGN or os.path.normpath(os.path.join(os.path.dirname(path), name)) in known:
                    continue
                line = text.count("\n", 0, comment.start() + match.start()) + 1
                yield f"{path}:{line}: there is no {name}"
        if path.startswith("docs/design/"):
            yield from check_steps(root, path, text)


def check_steps(root, path, text):
    for match in STEP.finditer(text):
        name, function = match.groups()
        line = text.count("\n", 0, match.start()) + 1
        try:
            with open(os.path.join(root, name), encoding="utf-8") as file:
                found = re.search(rf"\b{function}\(", file.read())
        except FileNotFoundError:
            continue  # told already
        if not found:
            yield f"{path}:{line}: {name} has no {function}()"


def main(root):
    errors = list(check(root))
    print("\n".join(errors) if errors else "all pointers lead somewhere", file=sys.stderr)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "."))
