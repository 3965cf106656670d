# SPDX-License-Identifier: MIT
"""Says on standard error what is being measured, as figures come only at the end of a row."""
import contextlib
import sys
import threading
import time

SILENCE = 8
_doing = ""


def doing(text):
    """The name of the measurement from now on."""
    global _doing  # pylint: disable=global-statement
    _doing = text


@contextlib.contextmanager
def told(name):
    """Within it, a line each SILENCE seconds. That wakes so rarely that no figure shows it."""
    over = threading.Event()

    def tell():
        begun = time.monotonic()
        while not over.wait(SILENCE):
            print(f"bench: {name}: {time.monotonic() - begun:.0f} s{_doing and ', ' + _doing}", file=sys.stderr, flush=True)

    doing("")
    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
