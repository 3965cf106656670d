# SPDX-License-Identifier: MIT
"""A constant load from within the container, for tests in which nobody must be refused."""
import contextlib
import json
import os
import subprocess

LOAD = "/usr/lib/reeve-test/load.py"


class Load:
    """Begins at once; stop() returns how often each outcome came, by kind and status or error."""

    def __init__(self, container, *kinds):
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "load.py"), "rb") as file:
            container.write(LOAD, file.read())
        self.process = container.popen("python3", LOAD, *kinds, stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True)
        self.kinds = kinds
        assert self.process.stdout.readline() == "asking\n"

    def stop(self):
        out, _ = self.process.communicate(timeout=90)
        return json.loads(out)

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
