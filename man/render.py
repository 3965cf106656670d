# SPDX-License-Identifier: MIT
"""reStructuredText to a manual page, by docutils (as rst2man does)."""
import re

import docutils.core


def write(text, path, names=None):
    """names: all that the page is found by; docutils knows only the title."""
    page = docutils.core.publish_string(
        text, source_path=path, writer_name="manpage",
        settings_overrides={"output_encoding": "unicode", "report_level": 2, "halt_level": 2,
                            "_disable_config": True, "file_insertion_enabled": False})
    # docutils 0.23 titles the section "Name", earlier ones as manual pages do.
    page = re.sub(r"(?mi)^\.SH NAME$", ".SH NAME", page, count=1)
    if names:
        page, count = re.subn(r"(?m)(?<=^\.SH NAME\n)\S+", lambda match: ", ".join(names), page, count=1)
        if count != 1:
            raise SystemExit(f"{path}: docutils wrote no section NAME to put {', '.join(names)} in")
    with open(path, "w", encoding="utf-8") as file:
        file.write(page)
