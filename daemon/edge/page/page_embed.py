#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""page_embed.py PAGE.html PAGE.c: the page as bytes, with the content security policy that allows its
own script and style, by their hashes, and nothing else but asking this server."""
import base64
import hashlib
import re
import sys


def source_hash(tag, page):
    body = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.S)[1]
    return base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()


def main(source, target):
    with open(source, encoding="utf-8") as file:
        page = file.read()
    policy = ("default-src 'none'; connect-src 'self'; img-src data:; "
              f"script-src 'sha256-{source_hash('script', page)}'; "
              f"style-src 'sha256-{source_hash('style', page)}'; "
              "base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
    data = page.encode()
    lines = [", ".join(str(byte) for byte in data[i:i + 20]) for i in range(0, len(data), 20)]
    with open(target, "w", encoding="utf-8") as file:
        file.write("/* Made by page_embed.py. */\n#include \"daemon/edge/page/page_html.h\"\n\n"
                   f"const char page_policy[] = \"{policy}\";\n"
                   "const unsigned char page_html[] = {\n    " + ",\n    ".join(lines) + "};\n"
                   f"const size_t page_size = {len(data)};\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
